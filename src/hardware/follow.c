// SPDX-License-Identifier: Apache-2.0
// Following the cells of arrays; see follow.h.
#include "hardware/follow.h"

#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "base/memory.h"
#include "base/thread.h"

enum { ERASED = OHMI_STATES - 1 };

// An array while its cells are followed.
typedef struct {
    uint8_t (*longest)[2];   // (n_steps, rows) levels that a cell of a row goes up, down at most
    bool *is_written;        // (n_steps) a cell of the array
    bool *is_column_written; // (n_steps) a cell of the column
    bool *on;                // (n_steps) whether the column is on
    int *turns;              // (n_steps) steps at which a column is written or erased
} scratch;

// A run of weights of a column in the array, one a row.
typedef struct {
    int64_t first, n_rows; // weight of the layer, weights
    int lines;
    bool is_there; // before the first step
} column;

// the cells of one weight go from one state to another in step s
static void move(const ohmi_follow *j, ohmi_follow_tally *tallies, scratch *a, int s, int64_t row,
                 int from, int to, int lines) {
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
static void wear_add(const ohmi_follow *j, int thread, int64_t n, double learned, double switches) {
    ohmi_follow_wear *w = &j->wears[thread];
    const double writes = learned + (j->def->is_asked ? switches : 0);
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

// one cell of a weight: line d of weight i of the layer, at `level` after the steps that count
static void wear_cell(const ohmi_follow *j, int thread, int64_t i, int d, int lines, double learned,
                      double switches, int level) {
    const int64_t at = i * lines + d;
    const double had = j->before ? (double)j->before[at] : 0;
    wear_add(j, thread, 1, had + learned, switches);
    if (j->after) {
        j->after[at] =
            (float)(had + learned + (j->def->is_asked ? switches : 0) + (level > 0 ? 1 : 0));
    }
}

// a column whose weights keep their codes: written whole, erased whole
static void follow_column(const ohmi_follow *j, int thread, scratch *a, const column *c) {
    const int8_t *codes = j->work->codes[j->layer] + c->first;
    ohmi_follow_tally *tallies = j->tallies + (int64_t)thread * j->n_steps;
    double writes = 0, switches = 0;
    int n_turns = 0;
    bool is_there = c->is_there, is_left = c->is_there;
    for (int s = 0; s < j->n_steps; s++) {
        const bool turns = a->on[s] ? !is_there : is_there && j->def->is_reset;
        if (turns) {
            a->turns[n_turns++] = is_there ? -1 - s : s; // below 0: erased
            writes += s < j->first_switch ? j->repeats[s] : 0;
            switches += s >= j->first_switch ? j->repeats[s] : 0;
            is_there = !is_there;
        }
        is_left = s < j->n_counted ? is_there : is_left;
    }
    int64_t n_untouched = 0;
    for (int64_t row = 0; row < c->n_rows; row++) {
        const int state = codes[row] + 128;
        for (int i = 0; i < n_turns; i++) {
            const int turn = a->turns[i];
            move(j, tallies, a, turn < 0 ? -1 - turn : turn, row, turn < 0 ? state : ERASED,
                 turn < 0 ? ERASED : state, c->lines);
        }
        for (int d = 0; d < c->lines; d++) {
            const int level = j->digit[state][d];
            n_untouched += level == 0;
            if (j->before || j->after) {
                wear_cell(j, thread, c->first + row, d, c->lines, level > 0 ? writes : 0,
                          level > 0 ? switches : 0, is_left ? level : 0);
            }
        }
    }
    if (!j->before && !j->after) {
        wear_add(j, thread, n_untouched, 0, 0);
        wear_add(j, thread, c->n_rows * c->lines - n_untouched, writes, switches);
    }
}

// the code that step s wants of weight i of the layer, in a column that is on
static int wanted_code(const ohmi_follow *j, int s, int64_t i) {
    const ohmi_learner *learner = j->work->learner;
    const int t = j->task[s], code = j->work->codes[j->layer][i];
    if (t >= 0 && j->copied) {
        return j->copied[t][i];
    }
    if (!j->work->is_element) {
        return code;
    }
    const bool is_on = t < 0 ? learner->units[j->layer].own[i] == OHMI_OWN_BACKBONE
                             : ohmi_bit(learner->learned[t].bits[j->layer], i);
    return is_on ? code : 0;
}

// a column whose weights change from task to task: masks of their own, or copies
static void follow_weights(const ohmi_follow *j, int thread, scratch *a, const column *c) {
    const ohmi_workload *work = j->work;
    const uint8_t *own = work->learner->units[j->layer].own;
    ohmi_follow_tally *tallies = j->tallies + (int64_t)thread * j->n_steps;
    for (int64_t row = 0; row < c->n_rows; row++) {
        const int64_t i = c->first + row;
        double writes[OHMI_MOST_LINES] = {0}, switches[OHMI_MOST_LINES] = {0};
        const bool is_backbone = !work->is_element || own[i] == OHMI_OWN_BACKBONE;
        int state = c->is_there ? (is_backbone ? work->codes[j->layer][i] : 0) + 128 : ERASED;
        int left = state;
        for (int s = 0; s < j->n_steps; s++) {
            const int next = a->on[s]           ? wanted_code(j, s, i) + 128
                             : j->def->is_reset ? ERASED
                                                : state;
            left = s < j->n_counted ? next : left;
            if (next == state) {
                continue;
            }
            move(j, tallies, a, s, row, state, next, c->lines);
            for (int d = 0; d < c->lines; d++) {
                const bool has_moved = j->digit[state][d] != j->digit[next][d];
                writes[d] += has_moved && s < j->first_switch ? j->repeats[s] : 0;
                switches[d] += has_moved && s >= j->first_switch ? j->repeats[s] : 0;
            }
            state = next;
        }
        for (int d = 0; d < c->lines; d++) {
            wear_cell(j, thread, i, d, c->lines, writes[d], switches[d], j->digit[left][d]);
        }
    }
}

// whether a column is the backbone's
static bool is_of_backbone(const ohmi_follow *j, int64_t u) {
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

// whether a column is on in step s, on the arrays that tasks share
static bool is_on(const ohmi_follow *j, int s, int64_t u) {
    const int t = j->task[s];
    const ohmi_placed_layer *layer = &j->work->place->layers[j->layer];
    if (t < 0) {
        return is_of_backbone(j, u);
    }
    if (!ohmi_bit(j->work->tasks[t].on[j->layer], u)) {
        return false;
    }
    const bool is_elsewhere =
        j->def->has_own_arrays && !layer->is_head &&
        ohmi_is_copied(&j->work->learner->units[j->layer], &j->work->learner->learned[t], j->layer,
                       ohmi_layout_unit_at(&j->work->learner->units[j->layer].layout,
                                           ohmi_layout_offset(&layer->layout, u)));
    return !is_elsewhere;
}

// the offset column of an array is set once, with the array's first column
static void follow_offset(const ohmi_follow *j, int thread, scratch *a, int first_use,
                          int64_t n_rows, int lines, bool was_set) {
    ohmi_follow_tally *tallies = j->tallies + (int64_t)thread * j->n_steps;
    const bool is_set = !was_set && first_use < j->n_steps;
    int64_t n_set = 0;
    for (int d = 0; d < lines; d++) {
        n_set += j->digit[128][d] > 0 ? n_rows : 0;
    }
    for (int64_t row = 0; is_set && n_set > 0 && row < n_rows; row++) {
        move(j, tallies, a, first_use, row, ERASED, 128, lines);
    }
    const bool is_learned = was_set || first_use < j->first_switch;
    n_set = is_set || was_set ? n_set : 0;
    wear_add(j, thread, n_set, is_learned, !is_learned);
    wear_add(j, thread, n_rows * lines - n_set, 0, 0);
}

// rows of an array by their longest changes
static void count_rows(const ohmi_follow *j, ohmi_follow_tally *tallies, const scratch *a,
                       int64_t array) {
    const int64_t rows = j->work->place->def.rows;
    for (int s = 0; s < j->n_steps; s++) {
        uint32_t *by_rows = j->rows + (s * j->n_arrays + array) * 2 * j->top;
        for (int64_t row = 0; a->is_written[s] && row < rows; row++) {
            const uint8_t *n = a->longest[s * rows + row];
            by_rows[n[0] > 0 ? n[0] - 1 : 0] += n[0] > 0;
            by_rows[n[1] > 0 ? j->top + n[1] - 1 : 0] += n[1] > 0;
        }
        tallies[s].arrays_written += a->is_written[s];
    }
}

static void begin_array(const ohmi_follow *j, scratch *a) {
    memset(a->longest, 0, (size_t)(j->n_steps * j->work->place->def.rows) * sizeof *a->longest);
    memset(a->is_written, 0, (size_t)j->n_steps);
}

// one array over all steps
static void follow_array(const ohmi_follow *j, int thread, int64_t index, scratch *a) {
    const ohmi_workload *work = j->work;
    const ohmi_placed_layer *layer = &work->place->layers[j->layer];
    const ohmi_place_array at = ohmi_place_array_at(work->place, layer->first_array + index);
    ohmi_follow_tally *tallies = j->tallies + (int64_t)thread * j->n_steps;
    int first_use = j->n_steps;
    bool is_used = false;  // by a backbone that is on the chip before the first step
    bool was_worn = false; // in what the chip did before
    begin_array(j, a);
    for (int64_t k = at.first_k; k < at.first_k + at.n_k; k++) {
        const int64_t u = k * layer->layout.n_groups + at.g;
        memset(a->is_column_written, 0, (size_t)j->n_steps);
        for (int s = 0; s < j->n_steps; s++) {
            a->on[s] = is_on(j, s, u);
            first_use = a->on[s] && s < first_use ? s : first_use;
        }
        const column c = {.first = ohmi_layout_offset(&layer->layout, u) + at.first_weight,
                          .n_rows = at.n_rows,
                          .lines = layer->lines,
                          .is_there = !j->def->has_backbone && is_of_backbone(j, u)};
        is_used = is_used || c.is_there;
        for (int64_t i = 0; j->before && i < c.n_rows * c.lines && !was_worn; i++) {
            was_worn = j->before[c.first * c.lines + i] > 0;
        }
        if ((work->is_element || j->copied) && !layer->is_head) {
            follow_weights(j, thread, a, &c);
        } else {
            follow_column(j, thread, a, &c);
        }
        for (int s = 0; s < j->n_steps; s++) {
            tallies[s].columns_written += a->is_column_written[s];
        }
    }
    if (layer->reserved > 0) {
        follow_offset(j, thread, a, is_used ? j->n_steps : first_use, at.n_rows, layer->reserved,
                      was_worn);
    }
    count_rows(j, tallies, a, layer->first_array + index);
}

static bool scratch_new(scratch *a, const ohmi_follow *j) {
    const size_t n = (size_t)j->n_steps;
    *a = (scratch){
        .longest = ohmi_alloc(n * (size_t)j->work->place->def.rows, sizeof *a->longest),
        .is_written = ohmi_alloc(n, sizeof *a->is_written),
        .is_column_written = ohmi_alloc(n, sizeof *a->is_column_written),
        .on = ohmi_alloc(n, sizeof *a->on),
        .turns = ohmi_alloc(n, sizeof *a->turns),
    };
    return a->longest && a->is_written && a->is_column_written && a->on && a->turns;
}

static void scratch_free(scratch *a) {
    ohmi_free(a->longest);
    ohmi_free(a->is_written);
    ohmi_free(a->is_column_written);
    ohmi_free(a->on);
    ohmi_free(a->turns);
}

static void follow_arrays(void *context, int64_t begin, int64_t end, int thread) {
    const ohmi_follow *j = context;
    scratch a;
    if (scratch_new(&a, j)) {
        for (int64_t i = begin; i < end; i++) {
            follow_array(j, thread, i, &a);
        }
    } else {
        j->failed[thread] = true;
    }
    scratch_free(&a);
}

// Networks of their own, of which only the last one's codes are known: cells go from any of its
// levels to any other, as often as it has them; every row needs the longest pulses of both phases.
static void expect_layer(const ohmi_follow *j) {
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
            uint32_t *rows = j->rows + (s * j->n_arrays + layer->first_array + i) * 2 * top;
            rows[top - 1] = (uint32_t)at.n_rows;
            rows[2 * top - 1] = s > 0 ? (uint32_t)at.n_rows : 0;
            j->tallies[s].arrays_written++;
        }
    }
    for (int s = 0; s < j->n_steps; s++) {
        j->tallies[s].columns_written += layer->layout.n_units;
    }
}

void ohmi_follow_layer(ohmi_follow *j) {
    const ohmi_placed_layer *layer = &j->work->place->layers[j->layer];
    // levels of the states of the layer's weights
    memset(j->digit, 0, sizeof j->digit);
    for (int code = -layer->weight_top; code <= layer->weight_top; code++) {
        ohmi_place_digits(j->digit[code + 128], layer, j->work->place->def.cell_bits, code);
    }
    if (j->work->is_alone && !layer->is_head) {
        expect_layer(j);
    } else {
        ohmi_parallel(layer->n_arrays, 16, follow_arrays, j);
    }
}

// the array of PE p's copy, written whole in step s
static void follow_copy(const ohmi_follow *j, scratch *a, const ohmi_layout *pes, int64_t p, int s,
                        int64_t array) {
    const ohmi_placed_layer *layer = &j->work->place->layers[j->layer];
    const int64_t n_rows = ohmi_layout_length(pes, p);
    begin_array(j, a);
    for (int64_t row = 0; row < ohmi_layout_height(pes, p); row++) {
        const int64_t first = ohmi_layout_offset(pes, p) + row * pes->run;
        int64_t n_untouched = 0;
        memset(a->is_column_written, 0, (size_t)j->n_steps);
        for (int64_t i = 0; i < n_rows; i++) {
            const int state = j->copied[j->task[s]][first + i] + 128;
            move(j, j->tallies, a, s, i, ERASED, state, layer->lines);
            for (int d = 0; d < layer->lines; d++) {
                n_untouched += j->digit[state][d] == 0;
            }
        }
        wear_add(j, 0, n_untouched, 0, 0);
        wear_add(j, 0, n_rows * layer->lines - n_untouched, 1, 0);
        j->tallies[s].columns_written += a->is_column_written[s];
    }
    if (layer->reserved > 0) {
        follow_offset(j, 0, a, s, n_rows, layer->reserved, false);
    }
    count_rows(j, j->tallies, a, array);
}

int64_t ohmi_follow_copies(ohmi_follow *j, int64_t first_array) {
    const ohmi_learner *learner = j->work->learner;
    const ohmi_layout *pes = &learner->units[j->layer].pes;
    int64_t n = 0;
    scratch a;
    if (scratch_new(&a, j)) {
        for (int s = 0; s < j->first_switch; s++) {
            const int t = j->task[s];
            for (int64_t p = 0; t >= 0 && p < pes->n_units; p++) {
                if (ohmi_bit(learner->learned[t].chosen[j->layer], p)) {
                    follow_copy(j, &a, pes, p, s, first_array + n++);
                }
            }
        }
    } else {
        j->failed[0] = true;
    }
    scratch_free(&a);
    return n;
}
