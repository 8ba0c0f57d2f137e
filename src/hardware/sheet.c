// SPDX-License-Identifier: Apache-2.0
// The calibration sheet: one network priced under several sets of assumptions, and which constants
// make the difference: the components whose energies differ most from those of the first set, with
// the constant of either.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"
#include "hardware/bill.h"

enum { MOST_SETS = 16, N_SHOWN = 4 };

// mean over the tasks of a component's energy
static double mean_j(const ohm_bill *bill, int part) {
    const int n = bill->cost->work->n_tasks;
    double sum = 0;
    for (int t = 0; t < n; t++) {
        sum += part < 0 ? ohmi_price_total_j(&bill->tasks[t]) : bill->tasks[t].energy_j[part];
    }
    return sum / n;
}

static double mean_s(const ohm_bill *bill) {
    const int n = bill->cost->work->n_tasks;
    double sum = 0;
    for (int t = 0; t < n; t++) {
        sum += bill->tasks[t].latency_s;
    }
    return sum / n;
}

static void add_row(ohmi_text *out, const char *name, ohm_bill *const *bills, int n, int part,
                    double factor) {
    ohmi_text_printf(out, "%-26s", name);
    for (int i = 0; i < n; i++) {
        ohmi_text_printf(out, "%16.6g", factor * mean_j(bills[i], part));
    }
    ohmi_text_add(out, "\n");
}

// what one component's constant is, for people
static void add_constant(ohmi_text *out, const ohmi_hardware *h, int part) {
    if (part == OHMI_PART_CELL) {
        ohmi_text_printf(out, "cells %.3g to %.3g uS at %.3g V for %.3g ns%s",
                         1e6 * h->cell.min_siemens, 1e6 * h->cell.max_siemens, h->cell.read_v,
                         1e9 * h->cell.read_s,
                         h->cell.energy == OHMI_CELLS_IN_ADC ? " (in adc)" : "");
    } else if (part == OHMI_PART_LINE) {
        ohmi_text_printf(out, "line.row_energy %.4g fJ, line.column_energy %.4g fJ",
                         1e15 * h->line.row_j, 1e15 * h->line.column_j);
    } else if (part == OHMI_LEAKAGE) {
        ohmi_text_add(out, "leakage of all components");
    } else {
        ohmi_text_printf(out, "%s.energy %.4g fJ", ohmi_part_names[part],
                         1e15 * h->part[part].energy_j);
    }
}

// the components that make most of the difference between two bills
static void add_difference(ohmi_text *out, const ohm_bill *a, const ohm_bill *b) {
    const double whole_j = mean_j(b, -1) - mean_j(a, -1);
    bool is_used[OHMI_N_PRICES] = {false};
    ohmi_text_printf(out,
                     "\n%s against %s: %.3g times the energy, %.3g times the area, %.3g times "
                     "the time. The difference of %.4g uJ is\n",
                     b->hardware.name, a->hardware.name, mean_j(b, -1) / mean_j(a, -1),
                     b->area.total_m2 / a->area.total_m2, mean_s(b) / mean_s(a), 1e6 * whole_j);
    for (int shown = 0; shown < N_SHOWN; shown++) {
        int most = -1;
        double most_j = 0;
        for (int p = 0; p < OHMI_N_PRICES; p++) {
            const double difference_j = mean_j(b, p) - mean_j(a, p);
            if (!is_used[p] && fabs(difference_j) > fabs(most_j)) {
                most = p;
                most_j = difference_j;
            }
        }
        if (most < 0) {
            break;
        }
        is_used[most] = true;
        ohmi_text_printf(out, "  %+9.4g uJ  %-13s ", 1e6 * most_j, ohmi_price_name(most));
        add_constant(out, &a->hardware, most);
        ohmi_text_add(out, " -> ");
        add_constant(out, &b->hardware, most);
        ohmi_text_add(out, "\n");
    }
    if (a->hardware.array.energy_per != b->hardware.array.energy_per) {
        ohmi_text_add(out, "             the energies of a read are of one plane in one, of all "
                           "planes in the other (array.energy_per)\n");
    }
}

ohm_status ohm_cost_sheet(char **text, ohm_cost *cost, const ohm_hardware *const *hardware,
                          int n_hardware, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohm_bill *bills[MOST_SETS] = {0};
    ohmi_text out = {0};
    *text = NULL;
    ohmi_c_locale numbers = ohmi_c_locale_enter();
    if (n_hardware < 1 || n_hardware > MOST_SETS) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "%d presets, allowed are 1 to %d", n_hardware,
                           (int)MOST_SETS);
        goto done;
    }
    for (int i = 0; i < n_hardware; i++) {
        OHM_TRY(ohmi_bill_point(&bills[i], cost, hardware[i], err));
    }
    ohmi_text_printf(&out, "%-26s", "mean of an inference");
    for (int i = 0; i < n_hardware; i++) {
        ohmi_text_printf(&out, "%16.15s", bills[i]->hardware.name);
    }
    ohmi_text_add(&out, "\n");
    add_row(&out, "energy, uJ", bills, n_hardware, -1, 1e6);
    for (int p = 0; p < OHMI_N_PRICES; p++) {
        char name[64];
        (void)snprintf(name, sizeof name, "  %s, uJ", ohmi_price_name(p));
        add_row(&out, name, bills, n_hardware, p, 1e6);
    }
    ohmi_text_printf(&out, "%-26s", "time, us");
    for (int i = 0; i < n_hardware; i++) {
        ohmi_text_printf(&out, "%16.6g", 1e6 * mean_s(bills[i]));
    }
    ohmi_text_printf(&out, "\n%-26s", "area, mm2");
    for (int i = 0; i < n_hardware; i++) {
        ohmi_text_printf(&out, "%16.6g", 1e6 * bills[i]->area.total_m2);
    }
    ohmi_text_add(&out, "\n");
    for (int i = 1; i < n_hardware; i++) {
        add_difference(&out, bills[0], bills[i]);
    }
    ohmi_text_add(&out, "\n");
    for (int i = 0; i < n_hardware; i++) {
        ohmi_text_printf(&out, "%s: %s\n", bills[i]->hardware.name, bills[i]->hardware.source);
    }
    if (out.failed) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the sheet");
        goto done;
    }
    *text = out.data;
    out = (ohmi_text){0};
done:
    ohmi_c_locale_leave(&numbers);
    for (int i = 0; i < MOST_SETS; i++) {
        ohm_bill_free(&bills[i]);
    }
    ohmi_text_clear(&out);
    return status;
}
