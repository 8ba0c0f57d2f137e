// SPDX-License-Identifier: Apache-2.0
// A bill for people: a table for a terminal, and CSV.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/c_locale.h"
#include "base/fail.h"
#include "base/text.h"
#include "config/quantity.h"
#include "hardware/bill.h"

static void add_tasks(ohmi_text *out, const ohm_bill *bill) {
    const ohmi_workload *work = bill->cost->work;
    ohmi_text_printf(out, "%4s  %-28s%12s%9s%12s%12s%10s", "task", "inference of", "energy",
                     "x less", "latency", "power", "TOPS/W");
    ohmi_text_printf(out, "%14s%12s\n", "programming", "cells");
    for (int t = 0; t < work->n_tasks; t++) {
        const ohmi_price *price = &bill->tasks[t];
        const double energy_j = ohmi_price_total_j(price);
        ohmi_text_printf(out, "%4d  %-28.28s", t + 1, work->tasks[t].name);
        ohmi_quantity_add_rounded(out, energy_j, "J", 12);
        ohmi_text_printf(out, "%9.2f", ohmi_price_total_j(&bill->all_on[t]) / energy_j);
        ohmi_quantity_add_rounded(out, price->latency_s, "s", 12);
        ohmi_quantity_add_rounded(out, energy_j / price->latency_s, "W", 12);
        ohmi_text_printf(out, "%10.2f", price->operations / energy_j * 1e-12);
        if (bill->has_ledger) {
            const ohmi_ledger_step *step = &bill->steps[bill->cost->moves.first_task + t];
            ohmi_quantity_add_rounded(out, ohmi_ledger_total_j(step, &bill->hardware), "J", 14);
            ohmi_text_printf(out, "%12lld", (long long)(step->cells_set + step->cells_reset));
        }
        ohmi_text_add(out, "\n");
    }
}

static void add_components(ohmi_text *out, const ohm_bill *bill) {
    const ohmi_workload *work = bill->cost->work;
    double mean_j = 0;
    for (int t = 0; t < work->n_tasks; t++) {
        mean_j += ohmi_price_total_j(&bill->tasks[t]) / work->n_tasks;
    }
    ohmi_text_printf(out, "\n%-14s%14s%8s%14s%8s\n", "component", "mean energy", "%", "area", "%");
    for (int p = 0; p < OHMI_N_PRICES; p++) {
        double energy_j = 0;
        for (int t = 0; t < work->n_tasks; t++) {
            energy_j += bill->tasks[t].energy_j[p] / work->n_tasks;
        }
        ohmi_text_printf(out, "%-14s", ohmi_price_name(p));
        ohmi_quantity_add_rounded(out, energy_j, "J", 14);
        ohmi_text_printf(out, "%8.2f", mean_j > 0 ? 100 * energy_j / mean_j : 0);
        if (p < OHMI_N_PARTS) {
            ohmi_text_printf(
                out, "%9.4g mm2 %8.2f", bill->area.part_m2[p] * 1e6,
                bill->area.total_m2 > 0 ? 100 * bill->area.part_m2[p] / bill->area.total_m2 : 0);
        }
        ohmi_text_add(out, "\n");
    }
}

static void add_summary(ohmi_text *out, const ohm_bill *bill) {
    const ohmi_workload *work = bill->cost->work;
    double mean_j = 0, all_on_j = 0, set_j = 0, reset_j = 0;
    for (int t = 0; t < work->n_tasks; t++) {
        mean_j += ohmi_price_total_j(&bill->tasks[t]) / work->n_tasks;
        all_on_j += ohmi_price_total_j(&bill->all_on[t]) / work->n_tasks;
    }
    ohmi_text_printf(out, "\n%lld arrays, %.4g mm2, mask %.0f bytes a task\nmean energy ",
                     (long long)bill->area.arrays, bill->area.total_m2 * 1e6,
                     bill->area.mask_bytes);
    ohmi_quantity_add_rounded(out, mean_j, "J", 0);
    ohmi_text_printf(
        out, ", %.2f times less than with all columns on; input bits %s\n", all_on_j / mean_j,
        work->tasks[0].ones ? "counted" : "assumed (input.ones); --images counts them");
    if (!bill->has_ledger) {
        return;
    }
    const ohmi_moves *moves = &bill->cost->moves;
    const int rule = (int)bill->hardware.program.rule;
    for (int s = 0; s < moves->n_learned; s++) {
        set_j += bill->steps[s].set_j[rule];
        reset_j += bill->steps[s].reset_j[rule];
    }
    ohmi_text_printf(out, "programming %s: set ",
                     moves->first_task > 0 ? "the backbone and all tasks" : "all tasks");
    ohmi_quantity_add_rounded(out, set_j, "J", 0);
    ohmi_text_add(out, ", reset ");
    ohmi_quantity_add_rounded(out, reset_j, "J", 0);
    ohmi_text_printf(out, "; most writes of a cell %.4g, mean %.4g\n", moves->most_learned,
                     moves->mean_learned);
    double switch_j = 0, switch_s = 0;
    for (int s = moves->n_learned; s < moves->n_steps; s++) {
        switch_j += moves->steps[s].repeats * ohmi_ledger_total_j(&bill->steps[s], &bill->hardware);
        switch_s += moves->steps[s].repeats * bill->steps[s].time_s;
    }
    ohmi_text_printf(out, "%.0f switches%s: ", moves->n_switches,
                     bill->cost->moved.switches[0] ? "" : " (every task in turn)");
    ohmi_quantity_add_rounded(out, switch_j, "J", 0);
    ohmi_text_add(out, ", ");
    ohmi_quantity_add_rounded(out, switch_s, "s", 0);
    ohmi_text_add(out, " of writing; lifetime ");
    const double years =
        ohmi_ledger_lifetime_s(moves, bill->hardware.wear.endurance, bill->hardware.wear.switch_s) /
        (365.25 * 86400);
    if (isinf(years)) {
        ohmi_text_add(out, "not limited by switches\n");
    } else {
        ohmi_text_printf(out, "%.3g years at %.3g writes a cell and a switch every %.4g s\n", years,
                         bill->hardware.wear.endurance, bill->hardware.wear.switch_s);
    }
}

ohm_status ohm_bill_text(char **text, const ohm_bill *bill, ohm_error *err) {
    ohmi_text out = {0};
    *text = NULL;
    ohmi_c_locale numbers = ohmi_c_locale_enter();
    ohmi_text_printf(&out, "%s, %lld x %lld cells of %lld bits, %lld-bit ADCs\n\n",
                     bill->hardware.name, (long long)bill->hardware.rows,
                     (long long)bill->hardware.array.columns, (long long)bill->hardware.cell.bits,
                     (long long)bill->hardware.adc.bits);
    add_tasks(&out, bill);
    add_components(&out, bill);
    add_summary(&out, bill);
    ohmi_c_locale_leave(&numbers);
    if (out.failed) {
        ohmi_text_clear(&out);
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the table of a bill");
    }
    *text = out.data;
    return OHM_OK;
}

// a name in a CSV cell
static void add_cell(ohmi_text *out, const char *name) {
    ohmi_text_add(out, "\"");
    for (; *name; name++) {
        ohmi_text_bytes(out, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
    }
    ohmi_text_add(out, "\"");
}

static void add_prices(ohmi_text *out, const ohmi_price *price) {
    for (int p = 0; p < OHMI_N_PRICES; p++) {
        ohmi_text_printf(out, ",%.10g", price->energy_j[p]);
    }
    ohmi_text_add(out, "\n");
}

static void add_price_names(ohmi_text *out) {
    for (int p = 0; p < OHMI_N_PRICES; p++) {
        ohmi_text_printf(out, ",%s_j", ohmi_price_name(p));
    }
    ohmi_text_add(out, "\n");
}

static void csv_tasks(ohmi_text *out, const ohm_bill *bill) {
    const ohmi_workload *work = bill->cost->work;
    ohmi_text_add(out, "task,name,energy_j,energy_all_on_j,latency_s,pipelined_interval_s,"
                       "operations");
    add_price_names(out);
    for (int t = 0; t < work->n_tasks; t++) {
        const ohmi_price *price = &bill->tasks[t];
        ohmi_text_printf(out, "%d,", t + 1);
        add_cell(out, work->tasks[t].name);
        ohmi_text_printf(out, ",%.10g,%.10g,%.10g,%.10g,%.10g", ohmi_price_total_j(price),
                         ohmi_price_total_j(&bill->all_on[t]), price->latency_s, bill->slowest_s[t],
                         price->operations);
        add_prices(out, price);
    }
}

static void csv_layers(ohmi_text *out, const ohm_bill *bill) {
    const ohmi_workload *work = bill->cost->work;
    ohmi_text_add(out, "task,layer,vectors,input_bits,arrays,arrays_read,columns_on,conversions,"
                       "word_lines_driven,cells_read,energy_j,latency_s");
    add_price_names(out);
    for (int t = 0; t < work->n_tasks; t++) {
        for (int l = 0; l < work->n_layers; l++) {
            const ohmi_price *price = &bill->layers[t * work->n_layers + l];
            const ohmi_count *n = &work->tasks[t].count[l];
            const ohmi_count_layer *layer = &work->layers[l];
            ohmi_text_printf(
                out, "%d,%s,%lld,%d,%lld,%lld,%lld,%.0f,%.10g,%.10g,%.10g,%.10g", t + 1,
                layer->name, (long long)layer->vectors, layer->planes, (long long)layer->arrays,
                (long long)n->arrays_read, (long long)n->columns_on,
                (double)n->lines_on * (double)layer->vectors * layer->planes, n->rows_driven,
                n->cells_read, ohmi_price_total_j(price), price->latency_s);
            add_prices(out, price);
        }
    }
}

static void csv_programming(ohmi_text *out, const ohm_bill *bill) {
    const ohmi_moves *moves = &bill->cost->moves;
    ohmi_text_add(out, "step,kind,task,name,repeats,energy_j,energy_mean_conductance_j,"
                       "energy_mean_resistance_j,energy_peripheral_j,energy_verify_j,time_s,"
                       "cells_set,cells_reset,levels_up,levels_down,pulses_set,pulses_reset,"
                       "columns_written,arrays_written\n");
    for (int s = 0; bill->has_ledger && s < moves->n_steps; s++) {
        const ohmi_ledger_step *step = &bill->steps[s];
        const ohmi_move_step *moved = &moves->steps[s];
        const char *kind = s < moves->first_task  ? "backbone"
                           : s < moves->n_learned ? "learn"
                                                  : "switch";
        ohmi_text_printf(out, "%d,%s,%d,", s + 1, kind, moved->task + 1);
        add_cell(out, moved->task < 0 ? "backbone" : bill->cost->work->tasks[moved->task].name);
        ohmi_text_printf(out, ",%.10g,%.10g,%.10g,%.10g,%.10g,%.10g,%.10g", moved->repeats,
                         ohmi_ledger_total_j(step, &bill->hardware),
                         step->set_j[0] + step->reset_j[0], step->set_j[1] + step->reset_j[1],
                         step->peripheral_j, step->verify_j, step->time_s);
        const int64_t counts[] = {step->cells_set,        step->cells_reset,    step->levels_up,
                                  step->levels_down,      step->pulses_set,     step->pulses_reset,
                                  moved->columns_written, moved->arrays_written};
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            ohmi_text_printf(out, ",%lld", (long long)counts[i]);
        }
        ohmi_text_add(out, "\n");
    }
}

ohm_status ohm_bill_save_csv(const ohm_bill *bill, const char *folder, ohm_error *err) {
    static const struct {
        const char *name;
        void (*write)(ohmi_text *out, const ohm_bill *bill);
    } files[] = {{"cost_tasks.csv", csv_tasks},
                 {"cost_layers.csv", csv_layers},
                 {"cost_programming.csv", csv_programming}};
    ohm_status status = OHM_OK;
    ohmi_text out = {0};
    ohmi_c_locale numbers = ohmi_c_locale_enter();
    OHM_TRY(ohmi_make_folder(folder, err));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[1024];
        (void)snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        ohmi_text_clear(&out);
        files[i].write(&out, bill);
        if (out.failed) {
            status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", files[i].name);
            goto done;
        }
        OHM_TRY(ohmi_write_file(path, out.data, out.size, err));
    }
done:
    ohmi_c_locale_leave(&numbers);
    ohmi_text_clear(&out);
    return status;
}
