// SPDX-License-Identifier: Apache-2.0
// For tests of the ledger: a chip kept cell by cell, programmed step by step, against a bill.
#ifndef OHMTEST_FOLLOWED_CHIP_H
#define OHMTEST_FOLLOWED_CHIP_H

#include <math.h>

#include "unit/hardware/priced_run.h"

// A chip as it is: the level of every cell, and how often it was written.
typedef struct {
    uint8_t *level; // (n_arrays, rows, columns)
    int64_t *writes;
    int64_t set, reset, up, down, arrays_written;
    int64_t set_pulses, reset_pulses, row_pulses;
    double longest_s;
} chip;

static inline int64_t pulses_of(int levels, int top) {
    return (128 * levels + top - 1) / top; // 128 pulses over the whole range, rounded up
}

// brings every cell of one array to where a task wants it: w, its codes, in the columns of bits
static inline void program_array(chip *c, const ohmi_placed *place, int64_t array,
                                 const uint8_t *bits, const float *w, bool is_reset) {
    const ohmi_place_array at = ohmi_place_array_at(place, array);
    const ohmi_placed_layer *layer = &place->layers[at.layer];
    const int64_t rows = place->def.rows, columns = place->def.columns;
    const int top = (1 << place->def.cell_bits) - 1;
    uint8_t *wanted = malloc((size_t)(rows * columns)), select[64];
    uint8_t *cells = c->level + array * rows * columns;
    int64_t *writes = c->writes + array * rows * columns;
    bool has_column = false, has_changed = false;
    double seconds = 0;
    assert_non_null(wanted);
    ohmi_place_levels(wanted, place, array, w);
    ohmi_place_select(select, place, array, bits);
    for (int64_t line = layer->reserved; line < columns; line++) {
        has_column = has_column || (select[line / 8] >> (line % 8) & 1);
    }
    for (int64_t row = 0; row < at.n_rows; row++) {
        int64_t longest[2] = {0};
        for (int64_t line = 0; line < at.n_lines; line++) {
            uint8_t *cell = &cells[row * columns + line];
            const bool is_offset = line < layer->reserved;
            const bool is_on = is_offset ? has_column : select[line / 8] >> (line % 8) & 1;
            int next = *cell;
            if (is_on) {
                next = wanted[row * columns + line];
            } else if (is_reset && !is_offset) {
                next = 0;
            }
            const int change = next - *cell;
            const int64_t n = pulses_of(abs(change), top);
            c->set += change > 0;
            c->reset += change < 0;
            c->up += change > 0 ? change : 0;
            c->down += change < 0 ? -change : 0;
            c->set_pulses += change > 0 ? n : 0;
            c->reset_pulses += change < 0 ? n : 0;
            longest[change < 0] = n > longest[change < 0] ? n : longest[change < 0];
            writes[row * columns + line] += change != 0;
            has_changed = has_changed || change != 0;
            *cell = (uint8_t)next;
        }
        c->row_pulses += longest[0] + longest[1];
        seconds += 50e-9 * (double)(longest[0] + longest[1]);
    }
    c->arrays_written += has_changed;
    c->longest_s = seconds > c->longest_s ? seconds : c->longest_s;
    free(wanted);
}

// the columns of the backbone, as bits
static inline uint8_t *backbone_bits(const ohm_cost *cost, int l) {
    const ohmi_placed_layer *layer = &cost->work->place->layers[l];
    uint8_t *bits = calloc((size_t)layer->layout.n_units / 8 + 1, 1);
    assert_non_null(bits);
    for (int64_t u = 0; !layer->is_head && u < layer->layout.n_units; u++) {
        for (int64_t i = 0; i < ohmi_layout_length(&layer->layout, u); i++) {
            const ohmi_units *units = &cost->opened.learner->units[l];
            const int64_t unit =
                ohmi_layout_unit_at(&units->layout, ohmi_layout_offset(&layer->layout, u) + i);
            if (units->own[unit] == OHMI_OWN_BACKBONE) {
                bits[u / 8] |= (uint8_t)(1u << (u % 8));
            }
        }
    }
    return bits;
}

// the codes of a layer in a step, (k c r s): task -1 = the backbone's own
static inline float *step_codes(const ohm_cost *cost, int l, int task) {
    const ohmi_placed_layer *layer = &cost->work->place->layers[l];
    const int64_t n = layer->k * layer->layout.run;
    int8_t *codes = malloc((size_t)n);
    float *w = malloc((size_t)n * sizeof *w);
    assert_true(codes && w);
    ohmi_workload_codes(codes, cost->work, l, task < 0 ? 0 : task);
    for (int64_t i = 0; i < n; i++) {
        w[i] = (float)codes[i];
    }
    if (task < 0 && !layer->is_head) {
        const ohmi_units *units = &cost->opened.learner->units[l];
        for (int64_t i = 0; i < n; i++) {
            const bool is_its =
                units->own[ohmi_layout_unit_at(&units->layout, i)] == OHMI_OWN_BACKBONE;
            w[i] = is_its ? (float)cost->work->codes[l][i] : 0;
        }
    }
    free(codes);
    return w;
}

// writes of cells as they are kept against those of the chip, and the erasure at its end
static inline void compare_wear(const chip *c, const ohm_cost *cost) {
    const ohmi_placed *place = cost->work->place;
    for (int64_t array = 0; array < place->n_arrays; array++) {
        const ohmi_place_array at = ohmi_place_array_at(place, array);
        const ohmi_placed_layer *layer = &place->layers[at.layer];
        const ohmi_wear_layer *wear = ohmi_wear_find(cost->moves.after, layer->name);
        assert_non_null(wear);
        assert_int_equal(wear->n, layer->k * layer->layout.run);
        for (int64_t line = 0; line < at.n_lines; line++) {
            int64_t k;
            int digit;
            ohmi_place_line(&k, &digit, layer, &at, line);
            for (int64_t row = 0; k >= 0 && row < at.n_rows; row++) {
                const int64_t u = k * layer->layout.n_groups + at.g;
                const int64_t i = ohmi_layout_offset(&layer->layout, u) + at.first_weight + row;
                const int64_t cell = (array * place->def.rows + row) * place->def.columns + line;
                const double writes = (double)c->writes[cell] + (c->level[cell] > 0);
                assert_true(fabs((double)wear->writes[i * wear->lines + digit] - writes) < 0.5);
            }
        }
    }
}

// steps of a bill against the chip; steps -1 = the backbone
static inline void followed_chip(const char *run, const int *tasks, int n_steps,
                                 const char *switches, const char *const *more) {
    ohm_cost *cost = priced_open_kept(run, 0, NULL);
    ohm_bill *bill = priced_bill(cost, "xst-32nm", switches, more);
    const ohmi_workload *work = cost->work;
    const size_t n_cells =
        (size_t)(work->place->n_arrays * work->place->def.rows * work->place->def.columns);
    chip c = {.level = calloc(n_cells, 1), .writes = calloc(n_cells, sizeof *c.writes)};
    const bool is_reset = bill->hardware.program.off == OHMI_OFF_RESET;
    assert_true(c.level && c.writes);
    assert_true(cost->moves.n_steps >= n_steps);
    for (int s = 0; s < n_steps; s++) {
        const ohmi_ledger_step *step = &bill->steps[s];
        c.set = c.reset = c.up = c.down = c.arrays_written = 0;
        c.set_pulses = c.reset_pulses = c.row_pulses = 0;
        c.longest_s = 0;
        for (int l = 0; l < work->n_layers; l++) {
            const ohmi_placed_layer *layer = &work->place->layers[l];
            float *w = step_codes(cost, l, tasks[s]);
            uint8_t *own = backbone_bits(cost, l);
            const uint8_t *bits = tasks[s] < 0 ? own : work->tasks[tasks[s]].on[l];
            for (int64_t a = 0; a < layer->n_arrays; a++) {
                program_array(&c, work->place, layer->first_array + a, bits, w, is_reset);
            }
            free(own);
            free(w);
        }
        assert_int_equal(cost->moves.steps[s].task, tasks[s]);
        assert_int_equal(step->cells_set, c.set);
        assert_int_equal(step->cells_reset, c.reset);
        assert_int_equal(step->levels_up, c.up);
        assert_int_equal(step->levels_down, c.down);
        assert_int_equal(step->pulses_set, c.set_pulses);
        assert_int_equal(step->pulses_reset, c.reset_pulses);
        assert_int_equal(step->row_pulses, c.row_pulses);
        assert_int_equal(cost->moves.steps[s].arrays_written, c.arrays_written);
        assert_true(fabs(step->time_s - c.longest_s) <= 1e-9 * c.longest_s);
    }
    int64_t most = 0, sum = 0;
    for (size_t i = 0; i < n_cells; i++) {
        most = c.writes[i] > most ? c.writes[i] : most;
        sum += c.writes[i];
    }
    // wear counts all steps once that are followed here
    if (n_steps == cost->moves.n_steps) {
        const double all = cost->moves.mean_learned + cost->moves.mean_switch;
        assert_true((double)most <= cost->moves.most_learned + cost->moves.most_switch);
        assert_true(fabs(all * (double)cost->moves.cells - (double)sum) < 0.5);
        compare_wear(&c, cost);
    }
    free(c.level);
    free(c.writes);
    ohm_bill_free(&bill);
    ohm_cost_free(&cost);
}

#endif
