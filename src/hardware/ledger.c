// SPDX-License-Identifier: Apache-2.0
// The ledger of programming; equations in ledger.h.
#include "hardware/ledger.h"

#include <math.h>
#include <stdlib.h>

int64_t ohmi_ledger_pulses(const ohmi_hardware *h, int from, int to) {
    const int64_t top = (INT64_C(1) << h->cell.bits) - 1;
    return ((int64_t)abs(to - from) * h->program.pulses + top - 1) / top;
}

static double level_siemens(const ohmi_hardware *h, int level) {
    const double top = (double)((1 << h->cell.bits) - 1);
    return h->cell.min_siemens + (h->cell.max_siemens - h->cell.min_siemens) * level / top;
}

double ohmi_ledger_pulse_j(const ohmi_hardware *h, int from, int to, int rule) {
    const double a = level_siemens(h, from), b = level_siemens(h, to);
    const double v = to > from ? h->program.set_v : h->program.reset_v;
    const double t_s = to > from ? h->program.set_s : h->program.reset_s;
    const double mean = rule == OHMI_MEAN_CONDUCTANCE ? (a + b) / 2
                        : a * b > 0                   ? 2 * a * b / (a + b)
                                                      : 0;
    return v * v * mean * t_s;
}

// the cells of a step
static void price_cells(ohmi_ledger_step *step, const ohmi_move_step *moves,
                        const ohmi_hardware *h) {
    const int n_levels = 1 << h->cell.bits;
    for (int a = 0; a < n_levels; a++) {
        for (int b = 0; b < n_levels; b++) {
            const int64_t cells = moves->moved[a][b];
            const int64_t pulses = cells * ohmi_ledger_pulses(h, a, b);
            double *energy_j = b > a ? step->set_j : step->reset_j;
            step->cells_set += b > a ? cells : 0;
            step->cells_reset += b < a ? cells : 0;
            step->levels_up += b > a ? cells * (b - a) : 0;
            step->levels_down += b < a ? cells * (a - b) : 0;
            step->pulses_set += b > a ? pulses : 0;
            step->pulses_reset += b < a ? pulses : 0;
            for (int rule = 0; rule < 2; rule++) {
                energy_j[rule] += (double)pulses * ohmi_ledger_pulse_j(h, a, b, rule);
            }
            // a read after each pulse, at the mean of the levels, and a conversion
            const double mean = (level_siemens(h, a) + level_siemens(h, b)) / 2;
            const double read_j = h->cell.read_v * h->cell.read_v * mean * h->cell.read_s +
                                  h->part[OHMI_PART_ADC].energy_j;
            step->verify_j += h->program.verify ? (double)pulses * read_j : 0;
        }
    }
}

void ohmi_ledger_price(ohmi_ledger_step *out, const ohmi_moves *moves, int s,
                       const ohmi_hardware *h) {
    *out = (ohmi_ledger_step){0};
    price_cells(out, &moves->steps[s], h);

    // rows one after another, set and then reset; arrays side by side, all or a few at once
    const double read_s = h->program.verify ? h->cell.read_s + h->part[OHMI_PART_ADC].delay_s : 0;
    const int n_kinds = 2 * moves->top;
    double row_s[2 * OHMI_LEVELS], longest_s = 0, sum_s = 0;
    for (int i = 0; i < n_kinds; i++) {
        const bool is_set = i < moves->top;
        const int64_t pulses = ohmi_ledger_pulses(h, 0, is_set ? i + 1 : i + 1 - moves->top);
        row_s[i] = (double)pulses * ((is_set ? h->program.set_s : h->program.reset_s) + read_s);
        out->row_pulses += moves->steps[s].rows[i] * pulses;
        sum_s += (double)moves->steps[s].rows[i] * row_s[i];
    }
    const uint32_t *rows = moves->rows + s * moves->n_arrays * n_kinds;
    for (int64_t a = 0; sum_s > 0 && a < moves->n_arrays; a++) {
        double seconds = 0;
        for (int i = 0; i < n_kinds; i++) {
            seconds += (double)rows[a * n_kinds + i] * row_s[i];
        }
        longest_s = seconds > longest_s ? seconds : longest_s;
    }
    const double shared_s =
        h->program.arrays_at_once > 0 ? sum_s / (double)h->program.arrays_at_once : 0;
    out->time_s = longest_s > shared_s ? longest_s : shared_s;
    out->peripheral_j = (double)out->row_pulses *
                        (h->program.row_j + (double)h->array.columns * h->program.column_j);
}

double ohmi_ledger_total_j(const ohmi_ledger_step *step, const ohmi_hardware *h) {
    const int rule = (int)h->program.rule;
    return step->set_j[rule] + step->reset_j[rule] + step->peripheral_j + step->verify_j;
}

double ohmi_ledger_lifetime_s(const ohmi_moves *moves, double endurance, double interval_s) {
    const double left = endurance - moves->most_learned;
    if (left <= 0) {
        return 0;
    }
    if (moves->n_switches <= 0 || moves->most_switch <= 0) {
        return INFINITY;
    }
    return left / (moves->most_switch / moves->n_switches) * interval_s;
}
