// SPDX-License-Identifier: Apache-2.0
// The steps of a chip and what moves in them; see moves.h.
//
// A step is counted as a table of how many cells go from which level to which, in whole numbers;
// pulses and energies come from that table. Arrays are followed one by one, each over all steps
// (follow.h), because only the longest cell of a row matters to time.
// A cycle of switches repeated N times is one first pass and N - 1 times the second: from then on
// each pass begins as it ends.
#include "hardware/moves.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "hardware/follow.h"

enum { MOST_SWITCHES = 4096, MOST_THREADS = 256 };

ohm_status ohmi_switches_read(ohmi_switches *out, const char *text, int n_tasks, ohm_error *err) {
    ohm_status status = OHM_OK;
    const char *at = text;
    *out = (ohmi_switches){.repeats = 1};
    out->task = ohmi_alloc(MOST_SWITCHES, sizeof *out->task);
    if (!out->task) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the switches");
        goto done;
    }
    for (;;) {
        char *end;
        const long first = strtol(at, &end, 10);
        long last = first;
        bool is_good = end > at && *at >= '0' && *at <= '9';
        at = end;
        if (is_good && *at == '-') {
            last = strtol(at + 1, &end, 10);
            is_good = end > at + 1 && at[1] >= '0' && at[1] <= '9';
            at = end;
        }
        if (!is_good || first < 1 || last < 1 || first > n_tasks || last > n_tasks) {
            status = ohmi_fail(err, OHM_ERR_ARGUMENT, "'%.60s' is no sequence of tasks", text);
            ohmi_hint(err, "write tasks from 1 to %d, as 1,5,2 or 1-%d or 1-%dx1000", n_tasks,
                      n_tasks, n_tasks);
            goto done;
        }
        for (long t = first;; t += first <= last ? 1 : -1) {
            if (out->n == MOST_SWITCHES) {
                status = ohmi_fail(err, OHM_ERR_ARGUMENT, "a sequence has at most %d switches",
                                   (int)MOST_SWITCHES);
                ohmi_hint(err, "repeat a shorter one, as 1-%dx1000", n_tasks);
                goto done;
            }
            out->task[out->n++] = (int)t - 1;
            if (t == last) {
                break;
            }
        }
        if (*at != ',') {
            break;
        }
        at++;
    }
    if (*at == 'x') {
        char *end;
        const long repeats = strtol(at + 1, &end, 10);
        if (end == at + 1 || repeats < 1 || repeats > 1000000000) {
            status =
                ohmi_fail(err, OHM_ERR_ARGUMENT, "'%.60s' is not repeated 1 to 1e9 times", text);
            goto done;
        }
        out->repeats = (double)repeats;
        at = end;
    }
    if (*at) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "'%.60s' is no sequence of tasks", text);
        ohmi_hint(err, "write tasks from 1 to %d, as 1,5,2 or 1-%d or 1-%dx1000", n_tasks, n_tasks,
                  n_tasks);
    }
done:
    return status;
}

void ohmi_switches_clear(ohmi_switches *switches) {
    ohmi_free(switches->task);
    *switches = (ohmi_switches){0};
}

void ohmi_moves_clear(ohmi_moves *moves) {
    ohmi_free(moves->steps);
    ohmi_free(moves->rows);
    ohmi_wear_free(&moves->after);
    *moves = (ohmi_moves){0};
}

// the steps: the backbone, learning, then a first pass of the switches, then the second for all
// others
static ohm_status make_steps(ohmi_moves *out, int **task, double **repeats,
                             const ohmi_workload *work, const ohmi_moves_def *def, ohm_error *err) {
    const ohmi_switches *switches = def->switches;
    const int n = switches ? switches->n : 0, passes = n > 0 && switches->repeats > 1 ? 2 : 1;
    out->first_task = def->has_backbone;
    out->n_learned = out->first_task + work->n_tasks;
    out->n_steps = out->n_learned + passes * n;
    out->n_switches = switches ? switches->repeats * n : 0;
    out->steps = ohmi_alloc((size_t)out->n_steps, sizeof *out->steps);
    *task = ohmi_alloc((size_t)out->n_steps, sizeof **task);
    *repeats = ohmi_alloc((size_t)out->n_steps, sizeof **repeats);
    if (!out->steps || !*task || !*repeats) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the steps of programming");
    }
    for (int s = 0; s < out->n_steps; s++) {
        const int i = s - out->n_learned;
        (*task)[s] = i < 0 ? s - out->first_task : switches->task[i % n];
        (*repeats)[s] = i < n || !switches ? 1 : switches->repeats - 1;
        out->steps[s].task = (*task)[s];
        out->steps[s].repeats = (*repeats)[s];
        out->steps[s].is_expected = work->is_alone && s > 0;
    }
    return OHM_OK;
}

// what is refused, with a reason
static ohm_status check(const ohmi_workload *work, const ohmi_moves_def *def, ohm_error *err) {
    if (work->is_alone && (def->before || def->keeps_after)) {
        return ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                         "method 'dense' keeps one task's weights, so no cell's writes are known");
    }
    if (!def->has_own_arrays) {
        return OHM_OK;
    }
    if (def->before || def->keeps_after) {
        return ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                         "writes of cells are kept for arrays that tasks share, not with "
                         "program.copies=arrays");
    }
    for (int l = 0; l < work->n_layers; l++) {
        const ohmi_placed_layer *layer = &work->place->layers[l];
        if (!layer->is_head &&
            (layer->per_array != work->learner->units[l].pes.block || layer->n_tiles > 1)) {
            const ohm_status status =
                ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                          "copies have arrays of their own only where an array is a PE as learned");
            ohmi_hint(err, "leave array.columns, cell.bits and cell.sign as the run has them, or "
                           "set program.copies=rewrite");
            return status;
        }
    }
    return OHM_OK;
}

// the writes of a layer's cells before, and room for those after
static ohm_status take_wear(ohmi_follow *j, ohmi_moves *out, ohm_error *err) {
    const ohmi_placed_layer *layer = &j->work->place->layers[j->layer];
    const int64_t n = layer->k * layer->layout.run;
    j->before = j->after = NULL;
    if (j->def->before) {
        const ohmi_wear_layer *found = ohmi_wear_find(j->def->before, layer->name);
        if (!found || found->n != n || found->lines != layer->lines) {
            const ohm_status status = ohmi_fail(
                err, OHM_ERR_FORMAT, "the chip's wear has no '%s' of %lld weights of %d cells",
                layer->name, (long long)n, layer->lines);
            ohmi_hint(err, "it is of one chip: the same network, classifiers, cell.bits and "
                           "cell.sign");
            return status;
        }
        j->before = found->writes;
    }
    if (out->after) {
        ohmi_wear_layer *to = &out->after->layers[j->layer];
        (void)snprintf(to->name, sizeof to->name, "%s", layer->name);
        to->n = n;
        to->lines = layer->lines;
        to->writes = ohmi_alloc((size_t)(n * layer->lines), sizeof *to->writes);
        if (!to->writes) {
            return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the writes of cells");
        }
        j->after = to->writes;
    }
    return OHM_OK;
}

static void free_codes(int8_t **codes, int n_tasks) {
    for (int t = 0; codes && t < n_tasks; t++) {
        ohmi_free(codes[t]);
        codes[t] = NULL;
    }
}

// one layer, with each task's codes where they have copies
static ohm_status follow_layer(ohmi_follow *j, ohmi_moves *out, int8_t **codes,
                               int64_t *first_array, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_workload *work = j->work;
    const ohmi_placed_layer *layer = &work->place->layers[j->layer];
    const bool has_copies = work->has_copies && !layer->is_head;
    j->copied = has_copies ? codes : NULL;
    for (int t = 0; has_copies && t < work->n_tasks; t++) {
        codes[t] = ohmi_alloc((size_t)(layer->k * layer->layout.run), 1);
        if (!codes[t]) {
            status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the codes of copies");
            goto done;
        }
        ohmi_workload_codes(codes[t], work, j->layer, t);
    }
    OHM_TRY(take_wear(j, out, err));
    ohmi_follow_layer(j);
    if (has_copies && j->def->has_own_arrays) {
        *first_array += ohmi_follow_copies(j, *first_array);
    }
done:
    free_codes(codes, work->n_tasks);
    return status;
}

// what the threads have counted, together
static ohm_status sum(ohmi_moves *out, const ohmi_follow *j, int n_threads, ohm_error *err) {
    double learned = 0, switched = 0;
    for (int thread = 0; thread < n_threads; thread++) {
        const ohmi_follow_wear *w = &j->wears[thread];
        if (j->failed[thread]) {
            return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for what is programmed");
        }
        for (int s = 0; s < out->n_steps; s++) {
            const ohmi_follow_tally *t = &j->tallies[(int64_t)thread * out->n_steps + s];
            out->steps[s].columns_written += t->columns_written;
            out->steps[s].arrays_written += t->arrays_written;
            for (int i = 0; i < OHMI_LEVELS * OHMI_LEVELS; i++) {
                out->steps[s].moved[i / OHMI_LEVELS][i % OHMI_LEVELS] +=
                    t->moved[i / OHMI_LEVELS][i % OHMI_LEVELS];
            }
        }
        for (int class = 0; class < OHMI_WEAR_CLASSES; class ++) {
            out->classes[class] += w->classes[class];
        }
        out->cells += w->cells;
        learned += w->sum_learned;
        switched += w->sum_switch;
        out->most_learned =
            w->most_learned > out->most_learned ? w->most_learned : out->most_learned;
        out->most_switch = w->most_switch > out->most_switch ? w->most_switch : out->most_switch;
    }
    for (int s = 0; s < out->n_steps; s++) {
        const uint32_t *rows = out->rows + s * out->n_arrays * 2 * out->top;
        for (int64_t i = 0; i < out->n_arrays * 2 * out->top; i++) {
            out->steps[s].rows[i % (2 * out->top)] += rows[i];
        }
    }
    out->mean_learned = out->cells > 0 ? learned / (double)out->cells : 0;
    out->mean_switch = out->cells > 0 ? switched / (double)out->cells : 0;
    return OHM_OK;
}

ohm_status ohmi_moves_count(ohmi_moves *out, const ohmi_workload *work, const ohmi_moves_def *def,
                            ohm_error *err) {
    ohm_status status = OHM_OK;
    const int n_threads = ohmi_threads();
    int *task = NULL;
    double *repeats = NULL;
    int8_t **codes = NULL;
    bool failed[MOST_THREADS] = {false};
    ohmi_follow *j = ohmi_alloc(1, sizeof *j);
    if (!j) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for what is programmed");
    }
    OHM_TRY(check(work, def, err));
    OHM_TRY(make_steps(out, &task, &repeats, work, def, err));
    out->top = (1 << work->place->def.cell_bits) - 1;
    out->n_arrays = work->place->n_arrays + (def->has_own_arrays ? work->n_copied : 0);
    out->rows = ohmi_alloc((size_t)out->n_arrays * (size_t)out->n_steps,
                           2 * (size_t)out->top * sizeof *out->rows);
    codes = ohmi_alloc((size_t)work->n_tasks, sizeof *codes);
    *j = (ohmi_follow){
        .work = work,
        .def = def,
        .n_steps = out->n_steps,
        .top = out->top,
        .first_switch = out->n_learned,
        .n_counted = def->is_asked ? out->n_steps : out->n_learned,
        .task = task,
        .repeats = repeats,
        .n_arrays = out->n_arrays,
        .rows = out->rows,
        .tallies = ohmi_alloc((size_t)n_threads * (size_t)out->n_steps, sizeof *j->tallies),
        .wears = ohmi_alloc((size_t)n_threads, sizeof *j->wears),
        .failed = failed,
    };
    if (!j->tallies || !j->wears || !j->rows || !codes) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for what is programmed");
        goto done;
    }
    if (def->keeps_after) {
        OHM_TRY(ohmi_wear_new(&out->after, work->n_layers, err));
    }
    int64_t first_array = work->place->n_arrays;
    for (j->layer = 0; j->layer < work->n_layers; j->layer++) {
        OHM_TRY(follow_layer(j, out, codes, &first_array, err));
    }
    OHM_TRY(sum(out, j, n_threads, err));
done:
    ohmi_free(task);
    ohmi_free(repeats);
    ohmi_free(codes);
    ohmi_free(j->tallies);
    ohmi_free(j->wears);
    ohmi_free(j);
    return status;
}
