// SPDX-License-Identifier: Apache-2.0
// What a tile takes; the equations are in machine.h.
#include <math.h>

#include "harvest/machine.h"

double ohmi_tree_bits(int64_t n, double first_bits) {
    double bits = 0;
    for (int stage = 0; n > 1; stage++) {
        bits += (double)(n / 2) * (first_bits + stage);
        n = (n + 1) / 2;
    }
    return bits;
}

static int stages_of(int64_t n) {
    int stages = 0;
    for (; n > 1; n = (n + 1) / 2) {
        stages++;
    }
    return stages;
}

// of the columns that a task has on
static double masked_j(const ohmi_tile_price *p, const ohmi_tile_size *s) {
    const double rho = (double)s->on->rows, columns = (double)s->on->most.columns;
    const double arrays = (double)s->on->most.arrays, groups = (double)s->on->most.groups;
    const double lines = p->lines * columns + p->reserved * arrays, offset = p->reserved > 0;
    const double outputs = (double)s->on->outputs;
    const double adder_bits =
        ohmi_tree_bits(s->row_arrays, p->first_bits) + (s->is_partial ? p->psum_bits : 0);
    return p->row_j * rho * arrays + p->line_j * lines + p->join_j * (columns + offset * arrays) +
           p->cell_j * lines * rho + p->array_j * arrays + p->input_j * rho * groups +
           p->adder_j * outputs * adder_bits + (s->is_partial ? p->partial_j * outputs : 0) +
           p->tail_j * (double)s->n_rows * (double)s->n_columns;
}

double ohmi_tile_energy_j(const ohmi_tile_price *p, const ohmi_tile_size *s) {
    if (s->on) {
        return masked_j(p, s);
    }
    const double rho = (double)s->n_rows, g = (double)s->row_arrays;
    const double kappa = (double)s->n_columns, b = (double)s->column_arrays;
    const double lines = p->lines, reserved = p->reserved, offset = p->reserved > 0;
    const double adder_bits =
        ohmi_tree_bits(s->row_arrays, p->first_bits) + (s->is_partial ? p->psum_bits : 0);
    return p->row_j * rho * b + p->line_j * (lines * kappa * g + reserved * g * b) +
           p->join_j * (kappa * g + offset * g * b) +
           p->cell_j * (lines * kappa * rho + reserved * rho * b) + p->array_j * g * b +
           p->input_j * rho + p->adder_j * kappa * adder_bits +
           (s->is_partial ? p->partial_j * kappa : 0) + p->tail_j * rho * kappa;
}

double ohmi_tile_time_s(const ohmi_tile_price *p, const ohmi_tile_size *s) {
    // the fullest array's bit lines, the converters' rounds over them
    const int64_t fullest = s->on ? s->on->fullest : s->array_columns;
    const double lines = (double)(fullest * p->lines + p->reserved);
    const double rounds = ceil(lines / (double)s->converters);
    const int stages = stages_of(s->row_arrays);
    const double tree = stages > 0 ? p->first_bits + 2 * (stages - 1) : 0;
    const double accumulate = s->is_partial ? p->psum_bits : 0;
    const double work_s = p->planes * (p->plane_s + rounds * p->convert_s) + p->fixed_s +
                          (tree + accumulate) * p->adder_s;
    const double n_rows = (double)(s->on ? s->on->rows * s->on->most.groups : s->n_rows);
    const double n_sums = (double)(s->on ? s->on->outputs : s->n_columns);
    const double moved = n_rows * p->planes + (s->is_partial ? 2 * n_sums * p->psum_bits : 0);
    const double move_s = ceil(moved / p->buffer_width) * p->buffer_s;
    return (work_s > move_s ? work_s : move_s) + (s->is_partial ? p->checkpoint_s : 0);
}

double ohmi_tile_leak_w(const ohmi_tile_price *p, const ohmi_tile_size *s) {
    const int64_t arrays = s->on ? s->on->most.arrays : s->row_arrays * s->column_arrays;
    const int64_t outputs = s->on ? s->on->outputs : s->n_columns;
    return (double)arrays * p->array_leak_w + (double)outputs * p->out_leak_w;
}
