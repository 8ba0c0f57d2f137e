// SPDX-License-Identifier: Apache-2.0
// The ledger of programming; equations in ledger.h.
//
// A step is counted as a table of how many cells go from which level to which, in whole numbers, so
// that nothing depends on the threads; pulses and energies come from that table. Arrays are worked
// through one by one, each over all steps, because only the longest cell of a row matters to time.
// A cycle of switches repeated N times is one first pass and N - 1 times the second: from then on
// each pass begins as it ends.
#include "hardware/moves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"

enum {
    STATES = 257, // of a weight: codes -128 .. 127 as code + 128, and erased
    ERASED = 256,
    MOST_SWITCHES = 4096,
};

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
    *moves = (ohmi_moves){0};
}

// What a thread adds up of a step.
typedef struct {
    int64_t moved[OHMI_LEVELS][OHMI_LEVELS]; // cells by level before and after
    int64_t columns_written, arrays_written;
} tally;

// Writes of cells.
typedef struct {
    int64_t classes[OHMI_WEAR_CLASSES];
    int64_t cells;
    double most_learned, sum_learned, most_switch, sum_switch;
} wear;

typedef struct {
    const ohmi_workload *work;
    bool is_reset, is_asked;
    int layer, n_steps, top, first_switch;  // first_switch: the first step that is no learning
    const int *task;                        // (n_steps) that a step brings
    const double *repeats;                  // (n_steps)
    uint8_t digit[STATES][OHMI_MOST_LINES]; // levels of a state's cells
    uint32_t *rows;                         // (n_steps, n_arrays, 2 top)
    // of all threads
    tally *tallies; // (threads, n_steps)
    wear *wears;    // (threads)
    bool *failed;   // (threads) for lack of memory
} job;

// An array while its cells are followed.
typedef struct {
    uint8_t (*longest)[2];   // (n_steps, rows) pulses of a row: set, reset
    bool *is_written;        // (n_steps) a cell of the array
    bool *is_column_written; // (n_steps) a cell of the column
    bool *on;                // (n_steps) whether the column is on
    int *turns;              // (n_steps) steps at which a column is written or erased
} scratch;

// the cells of one weight go from one state to another in step s
static void move(const job *j, tally *tallies, scratch *a, int s, int64_t row, int from, int to,
                 int lines) {
    const int64_t rows = j->work->place->def.rows;
    uint8_t *longest = a->longest[s * rows + row];
    bool has_moved = false;
    for (int d = 0; d < lines; d++) {
        const int before = j->digit[from][d], after = j->digit[to][d];
        if (before != after) {
            const int phase = after < before;
            const int n = phase ? before - after : after - before;
            tallies[s].moved[before][after]++;
            longest[phase] = n > longest[phase] ? (uint8_t)n : longest[phase];
            has_moved = true;
        }
    }
    a->is_written[s] |= has_moved;
    a->is_column_written[s] |= has_moved;
}

// n cells have been written that often
static void wear_add(const job *j, int thread, int64_t n, double learned, double switches) {
    wear *w = &j->wears[thread];
    const double writes = learned + (j->is_asked ? switches : 0);
    const int class = writes < OHMI_WEAR_CLASSES - 1 ? (int)writes : OHMI_WEAR_CLASSES - 1;
    if (n == 0) {
        return;
    }
    w->classes[class] += n;
    w->cells += n;
    w->most_learned = learned > w->most_learned ? learned : w->most_learned;
    w->sum_learned += learned * (double)n;
    w->most_switch = switches > w->most_switch ? switches : w->most_switch;
    w->sum_switch += switches * (double)n;
}

// a column whose weights keep their codes: written whole, erased whole
static void follow_column(const job *j, int thread, scratch *a, const int8_t *codes, int64_t n_rows,
                          int lines, bool is_there) {
    tally *tallies = j->tallies + (int64_t)thread * j->n_steps;
    double writes = 0, switches = 0;
    int n_turns = 0;
    for (int s = 0; s < j->n_steps; s++) {
        const bool turns = a->on[s] ? !is_there : is_there && j->is_reset;
        if (turns) {
            a->turns[n_turns++] = is_there ? -1 - s : s; // below 0: erased
            writes += s < j->first_switch ? j->repeats[s] : 0;
            switches += s >= j->first_switch ? j->repeats[s] : 0;
            is_there = !is_there;
        }
    }
    int64_t n_untouched = 0;
    for (int64_t row = 0; row < n_rows; row++) {
        const int state = codes[row] + 128;
        for (int i = 0; i < n_turns; i++) {
            const int turn = a->turns[i];
            move(j, tallies, a, turn < 0 ? -1 - turn : turn, row, turn < 0 ? state : ERASED,
                 turn < 0 ? ERASED : state, lines);
        }
        for (int d = 0; d < lines; d++) {
            n_untouched += j->digit[state][d] == 0;
        }
    }
    wear_add(j, thread, n_untouched, 0, 0);
    wear_add(j, thread, n_rows * lines - n_untouched, writes, switches);
}

// a column whose weights have masks of their own
static void follow_weights(const job *j, int thread, scratch *a, const int8_t *codes,
                           int64_t first_weight, int64_t n_rows, int lines, bool is_there) {
    const ohmi_workload *work = j->work;
    const uint8_t *own = work->learner->units[j->layer].own;
    tally *tallies = j->tallies + (int64_t)thread * j->n_steps;
    for (int64_t row = 0; row < n_rows; row++) {
        double writes[OHMI_MOST_LINES] = {0}, switches[OHMI_MOST_LINES] = {0};
        const bool is_backbone = own[first_weight + row] == OHMI_OWN_BACKBONE;
        int state = is_there ? (is_backbone ? codes[row] : 0) + 128 : ERASED;
        for (int s = 0; s < j->n_steps; s++) {
            const uint8_t *bits = work->learner->learned[j->task[s]].bits[j->layer];
            const int wanted = (ohmi_bit(bits, first_weight + row) ? codes[row] : 0) + 128;
            const int next = a->on[s] ? wanted : j->is_reset ? ERASED : state;
            if (next == state) {
                continue;
            }
            move(j, tallies, a, s, row, state, next, lines);
            for (int d = 0; d < lines; d++) {
                const bool has_moved = j->digit[state][d] != j->digit[next][d];
                writes[d] += has_moved && s < j->first_switch ? j->repeats[s] : 0;
                switches[d] += has_moved && s >= j->first_switch ? j->repeats[s] : 0;
            }
            state = next;
        }
        for (int d = 0; d < lines; d++) {
            wear_add(j, thread, 1, writes[d], switches[d]);
        }
    }
}

// whether a column was on the chip before the first task: the backbone's
static bool has_backbone(const job *j, int64_t u) {
    const ohmi_placed_layer *layer = &j->work->place->layers[j->layer];
    if (layer->is_head) {
        return false;
    }
    const uint8_t *own = j->work->learner->units[j->layer].own;
    if (!j->work->is_element) {
        return own[u] == OHMI_OWN_BACKBONE;
    }
    const int64_t first = ohmi_layout_offset(&layer->layout, u);
    for (int64_t i = 0; i < ohmi_layout_length(&layer->layout, u); i++) {
        if (own[first + i] == OHMI_OWN_BACKBONE) {
            return true;
        }
    }
    return false;
}

// the offset column of an array is set once, with the array's first column
static void follow_offset(const job *j, int thread, scratch *a, int first_use, int64_t n_rows,
                          int lines) {
    tally *tallies = j->tallies + (int64_t)thread * j->n_steps;
    int64_t n_set = 0;
    for (int d = 0; d < lines; d++) {
        n_set += first_use < j->n_steps && j->digit[128][d] > 0 ? n_rows : 0;
    }
    for (int64_t row = 0; n_set > 0 && row < n_rows; row++) {
        move(j, tallies, a, first_use, row, ERASED, 128, lines);
    }
    const bool is_learned = first_use < j->first_switch;
    wear_add(j, thread, n_set, is_learned, !is_learned);
    wear_add(j, thread, n_rows * lines - n_set, 0, 0);
}

// one array over all steps
static void follow_array(const job *j, int thread, int64_t index, scratch *a) {
    const ohmi_workload *work = j->work;
    const ohmi_placed_layer *layer = &work->place->layers[j->layer];
    const ohmi_place_array at = ohmi_place_array_at(work->place, layer->first_array + index);
    const int64_t rows = work->place->def.rows;
    tally *tallies = j->tallies + (int64_t)thread * j->n_steps;
    int first_use = j->n_steps;
    bool is_used = false; // before the first task
    memset(a->longest, 0, (size_t)(j->n_steps * rows) * sizeof *a->longest);
    memset(a->is_written, 0, (size_t)j->n_steps);
    for (int64_t k = at.first_k; k < at.first_k + at.n_k; k++) {
        const int64_t u = k * layer->layout.n_groups + at.g;
        const int64_t first = ohmi_layout_offset(&layer->layout, u) + at.first_weight;
        memset(a->is_column_written, 0, (size_t)j->n_steps);
        for (int s = 0; s < j->n_steps; s++) {
            a->on[s] = ohmi_bit(work->tasks[j->task[s]].on[j->layer], u);
            first_use = a->on[s] && s < first_use ? s : first_use;
        }
        const bool is_there = has_backbone(j, u);
        is_used = is_used || is_there;
        if (work->is_element && !layer->is_head) {
            follow_weights(j, thread, a, work->codes[j->layer] + first, first, at.n_rows,
                           layer->lines, is_there);
        } else {
            follow_column(j, thread, a, work->codes[j->layer] + first, at.n_rows, layer->lines,
                          is_there);
        }
        for (int s = 0; s < j->n_steps; s++) {
            tallies[s].columns_written += a->is_column_written[s];
        }
    }
    if (layer->reserved > 0) {
        follow_offset(j, thread, a, is_used ? j->n_steps : first_use, at.n_rows, layer->reserved);
    }

    // rows by their longest changes
    for (int s = 0; s < j->n_steps; s++) {
        uint32_t *by_rows =
            j->rows + (s * work->place->n_arrays + layer->first_array + index) * 2 * j->top;
        for (int64_t row = 0; a->is_written[s] && row < rows; row++) {
            const uint8_t *n = a->longest[s * rows + row];
            by_rows[n[0] > 0 ? n[0] - 1 : 0] += n[0] > 0;
            by_rows[n[1] > 0 ? j->top + n[1] - 1 : 0] += n[1] > 0;
        }
        tallies[s].arrays_written += a->is_written[s];
    }
}

static void follow_arrays(void *context, int64_t begin, int64_t end, int thread) {
    const job *j = context;
    const size_t n = (size_t)j->n_steps;
    scratch a = {
        .longest = ohmi_alloc(n * (size_t)j->work->place->def.rows, sizeof *a.longest),
        .is_written = ohmi_alloc(n, sizeof *a.is_written),
        .is_column_written = ohmi_alloc(n, sizeof *a.is_column_written),
        .on = ohmi_alloc(n, sizeof *a.on),
        .turns = ohmi_alloc(n, sizeof *a.turns),
    };
    if (a.longest && a.is_written && a.is_column_written && a.on && a.turns) {
        for (int64_t i = begin; i < end; i++) {
            follow_array(j, thread, i, &a);
        }
    } else {
        j->failed[thread] = true;
    }
    ohmi_free(a.longest);
    ohmi_free(a.is_written);
    ohmi_free(a.is_column_written);
    ohmi_free(a.on);
    ohmi_free(a.turns);
}

// levels of the states of a layer's weights
static void fill_digits(job *j) {
    const ohmi_placed_layer *layer = &j->work->place->layers[j->layer];
    memset(j->digit, 0, sizeof j->digit);
    for (int code = -layer->weight_top; code <= layer->weight_top; code++) {
        ohmi_place_digits(j->digit[code + 128], layer, j->work->place->def.cell_bits, code);
    }
}

// Networks of their own, of which only the last one's codes are known: cells go from any of its
// levels to any other, as often as it has them; every row needs the longest pulses of both phases.
static void expect_layer(const job *j) {
    const ohmi_placed_layer *layer = &j->work->place->layers[j->layer];
    const int8_t *codes = j->work->codes[j->layer];
    const int64_t n = layer->k * layer->layout.run;
    const int top = j->top;
    for (int d = 0; d < layer->lines; d++) {
        int64_t has[OHMI_LEVELS] = {0};
        for (int64_t i = 0; i < n; i++) {
            has[j->digit[codes[i] + 128][d]]++;
        }
        double changes = 0;
        for (int a = 0; a <= top; a++) {
            for (int b = 0; b <= top; b++) {
                const double moved = (double)has[a] * (double)has[b] / (double)n;
                changes += a != b ? moved : 0;
                for (int s = 0; s < j->n_steps; s++) {
                    if (s > 0 && a != b) {
                        j->tallies[s].moved[a][b] += llrint(moved);
                    }
                }
            }
            // the first finds an erased chip
            j->tallies[0].moved[0][a] += a > 0 ? has[a] : 0;
        }
        double writes = 1, switches = 0;
        for (int s = 1; s < j->n_steps; s++) {
            *(s < j->first_switch ? &writes : &switches) += j->repeats[s] * changes / (double)n;
        }
        wear_add(j, 0, n, writes, switches);
    }
    for (int64_t i = 0; i < layer->n_arrays; i++) {
        const ohmi_place_array at = ohmi_place_array_at(j->work->place, layer->first_array + i);
        for (int s = 0; s < j->n_steps; s++) {
            uint32_t *rows =
                j->rows + (s * j->work->place->n_arrays + layer->first_array + i) * 2 * top;
            rows[top - 1] = (uint32_t)at.n_rows;
            rows[2 * top - 1] = s > 0 ? (uint32_t)at.n_rows : 0;
            j->tallies[s].arrays_written++;
        }
    }
    for (int s = 0; s < j->n_steps; s++) {
        j->tallies[s].columns_written += layer->layout.n_units;
    }
}

// the steps: learning, then a first pass of the switches, then the second for all others
static ohm_status make_steps(ohmi_moves *out, int **task, double **repeats,
                             const ohmi_workload *work, const ohmi_switches *switches,
                             ohm_error *err) {
    const int n = switches ? switches->n : 0, passes = n > 0 && switches->repeats > 1 ? 2 : 1;
    out->n_learned = work->n_tasks;
    out->n_steps = work->n_tasks + passes * n;
    out->n_switches = switches ? switches->repeats * n : 0;
    out->steps = ohmi_alloc((size_t)out->n_steps, sizeof *out->steps);
    *task = ohmi_alloc((size_t)out->n_steps, sizeof **task);
    *repeats = ohmi_alloc((size_t)out->n_steps, sizeof **repeats);
    if (!out->steps || !*task || !*repeats) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the steps of programming");
    }
    for (int s = 0; s < out->n_steps; s++) {
        const int i = s - work->n_tasks;
        (*task)[s] = i < 0 ? s : switches->task[i % n];
        (*repeats)[s] = i < n || !switches ? 1 : switches->repeats - 1;
        out->steps[s].task = (*task)[s];
        out->steps[s].repeats = (*repeats)[s];
        out->steps[s].is_expected = work->is_alone && s > 0;
    }
    return OHM_OK;
}

ohm_status ohmi_moves_count(ohmi_moves *out, const ohmi_workload *work, bool reset,
                            const ohmi_switches *switches, bool is_asked, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int n_threads = ohmi_threads();
    int *task = NULL;
    double *repeats = NULL;
    bool failed[256] = {false};
    job *j = ohmi_alloc(1, sizeof *j);
    if (!j) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for what is programmed");
    }
    OHM_TRY(make_steps(out, &task, &repeats, work, switches, err));
    out->top = (1 << work->place->def.cell_bits) - 1;
    out->n_arrays = work->place->n_arrays;
    out->rows = ohmi_alloc((size_t)out->n_arrays * (size_t)out->n_steps,
                           2 * (size_t)out->top * sizeof *out->rows);
    *j = (job){
        .work = work,
        .is_reset = reset,
        .is_asked = is_asked,
        .n_steps = out->n_steps,
        .top = out->top,
        .first_switch = work->n_tasks,
        .task = task,
        .repeats = repeats,
        .rows = out->rows,
        .tallies = ohmi_alloc((size_t)n_threads * (size_t)out->n_steps, sizeof *j->tallies),
        .wears = ohmi_alloc((size_t)n_threads, sizeof *j->wears),
        .failed = failed,
    };
    if (!j->tallies || !j->wears || !j->rows) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for what is programmed");
        goto done;
    }
    for (j->layer = 0; j->layer < work->n_layers; j->layer++) {
        fill_digits(j);
        if (work->is_alone && !work->place->layers[j->layer].is_head) {
            expect_layer(j);
        } else {
            ohmi_parallel(work->place->layers[j->layer].n_arrays, 16, follow_arrays, j);
        }
    }

    // together
    double learned = 0, switched = 0;
    for (int thread = 0; thread < n_threads; thread++) {
        const wear *w = &j->wears[thread];
        if (failed[thread]) {
            status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for what is programmed");
            goto done;
        }
        for (int s = 0; s < out->n_steps; s++) {
            const tally *t = &j->tallies[(int64_t)thread * out->n_steps + s];
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
done:
    ohmi_free(task);
    ohmi_free(repeats);
    ohmi_free(j->tallies);
    ohmi_free(j->wears);
    ohmi_free(j);
    return status;
}
