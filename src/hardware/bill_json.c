// SPDX-License-Identifier: Apache-2.0
// A bill as one JSON document, cost.json; every key is described in docs/cost.md.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"
#include "hardware/bill.h"

// numbers that are not finite are null
static json_t *real(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count(int64_t value) {
    return json_integer((json_int_t)value);
}

static void set(json_t *object, const char *key, json_t *value) {
    (void)json_object_set_new(object, key, value);
}

static json_t *by_component(const ohmi_price *price) {
    json_t *object = json_object();
    for (int p = 0; p < OHMI_N_PRICES; p++) {
        set(object, ohmi_price_name(p), real(price->energy_j[p]));
    }
    return object;
}

static json_t *layers_of(const ohm_bill *bill, int t) {
    const ohmi_workload *work = bill->cost->work;
    json_t *list = json_array();
    for (int l = 0; l < work->n_layers; l++) {
        const ohmi_price *price = &bill->layers[t * work->n_layers + l];
        const ohmi_count *n = &work->tasks[t].count[l];
        const ohmi_count_layer *layer = &work->layers[l];
        const double reads = (double)layer->vectors * layer->planes;
        json_t *row = json_object();
        set(row, "name", json_string(layer->name));
        set(row, "energy_j", real(ohmi_price_total_j(price)));
        set(row, "latency_s", real(price->latency_s));
        set(row, "vectors", count(layer->vectors));
        set(row, "input_bits", json_integer(layer->planes));
        set(row, "arrays", count(layer->arrays));
        set(row, "arrays_read", count(n->arrays_read));
        set(row, "columns_on", count(n->columns_on));
        set(row, "conversions", real((double)n->lines_on * reads));
        set(row, "word_lines_driven", real(n->rows_driven));
        set(row, "cells_read", real(n->cells_read));
        set(row, "input_bits_one",
            real(n->lines_driven > 0 ? n->rows_driven / ((double)n->lines_driven * reads) : 0));
        set(row, "energy_by_component", by_component(price));
        (void)json_array_append_new(list, row);
    }
    return list;
}

static json_t *inference(const ohm_bill *bill) {
    const ohmi_workload *work = bill->cost->work;
    json_t *list = json_array();
    for (int t = 0; t < work->n_tasks; t++) {
        const ohmi_price *price = &bill->tasks[t];
        const double energy_j = ohmi_price_total_j(price);
        const double all_on_j = ohmi_price_total_j(&bill->all_on[t]);
        int64_t columns_on = 0;
        for (int l = 0; l < work->n_layers; l++) {
            columns_on += work->tasks[t].count[l].columns_on;
        }
        json_t *row = json_object();
        set(row, "task", json_integer(t + 1));
        set(row, "name", json_string(work->tasks[t].name));
        set(row, "accuracy", real(work->tasks[t].accuracy));
        set(row, "energy_j", real(energy_j));
        set(row, "energy_all_on_j", real(all_on_j));
        set(row, "times_less_than_all_on", real(energy_j > 0 ? all_on_j / energy_j : NAN));
        set(row, "latency_s", real(price->latency_s));
        set(row, "frames_per_s", real(1 / price->latency_s));
        set(row, "pipelined_interval_s", real(bill->slowest_s[t]));
        set(row, "pipelined_frames_per_s", real(1 / bill->slowest_s[t]));
        set(row, "power_w", real(energy_j / price->latency_s));
        set(row, "operations", real(price->operations));
        set(row, "tops_per_watt", real(price->operations / energy_j * 1e-12));
        set(row, "columns_on", count(columns_on));
        set(row, "images_counted", count(work->tasks[t].n_images));
        set(row, "energy_by_component", by_component(price));
        set(row, "layers", layers_of(bill, t));
        (void)json_array_append_new(list, row);
    }
    return list;
}

static json_t *step_of(const ohm_bill *bill, int s) {
    const ohmi_move_step *moved = &bill->cost->moves.steps[s];
    const ohmi_ledger_step *step = &bill->steps[s];
    const int rule = (int)bill->hardware.program.rule;
    json_t *row = json_object();
    const bool is_task = moved->task >= 0;
    set(row, "task", is_task ? json_integer(moved->task + 1) : json_null());
    set(row, "name", json_string(is_task ? bill->cost->work->tasks[moved->task].name : "backbone"));
    set(row, "energy_j", real(ohmi_ledger_total_j(step, &bill->hardware)));
    set(row, "energy_set_j", real(step->set_j[rule]));
    set(row, "energy_reset_j", real(step->reset_j[rule]));
    set(row, "energy_peripheral_j", real(step->peripheral_j));
    set(row, "energy_verify_j", real(step->verify_j));
    set(row, "energy_mean_conductance_j", real(step->set_j[0] + step->reset_j[0]));
    set(row, "energy_mean_resistance_j", real(step->set_j[1] + step->reset_j[1]));
    set(row, "time_s", real(step->time_s));
    set(row, "cells_set", count(step->cells_set));
    set(row, "cells_reset", count(step->cells_reset));
    set(row, "levels_up", count(step->levels_up));
    set(row, "levels_down", count(step->levels_down));
    set(row, "pulses_set", count(step->pulses_set));
    set(row, "pulses_reset", count(step->pulses_reset));
    set(row, "columns_written", count(moved->columns_written));
    set(row, "arrays_written", count(moved->arrays_written));
    set(row, "expected", json_boolean(moved->is_expected));
    return row;
}

static json_t *switching(const ohm_bill *bill) {
    const ohmi_moves *moves = &bill->cost->moves;
    double energy_j = 0, time_s = 0, set_cells = 0, reset_cells = 0;
    json_t *root = json_object(), *list = json_array();
    for (int s = moves->n_learned; s < moves->n_steps; s++) {
        const ohmi_ledger_step *step = &bill->steps[s];
        const double repeats = moves->steps[s].repeats;
        energy_j += repeats * ohmi_ledger_total_j(step, &bill->hardware);
        time_s += repeats * step->time_s;
        set_cells += repeats * (double)step->cells_set;
        reset_cells += repeats * (double)step->cells_reset;
        json_t *row = step_of(bill, s);
        set(row, "repeats", real(repeats));
        (void)json_array_append_new(list, row);
    }
    const char *sequence = bill->cost->moved.switches;
    set(root, "sequence", sequence[0] ? json_string(sequence) : json_null());
    set(root, "switches", real(moves->n_switches));
    set(root, "energy_j", real(energy_j));
    set(root, "time_s", real(time_s));
    set(root, "cells_set", real(set_cells));
    set(root, "cells_reset", real(reset_cells));
    set(root, "max_writes", real(moves->most_switch));
    set(root, "mean_writes", real(moves->mean_switch));
    set(root, "steps", list);
    return root;
}

static json_t *wear(const ohm_bill *bill) {
    const ohmi_moves *moves = &bill->cost->moves;
    const bool is_asked = bill->cost->moved.switches[0] != 0;
    json_t *root = json_object(), *list = json_array();
    set(root, "max_writes", real(moves->most_learned + (is_asked ? moves->most_switch : 0)));
    set(root, "mean_writes", real(moves->mean_learned + (is_asked ? moves->mean_switch : 0)));
    set(root, "cells", count(moves->cells));
    for (int class = 0; class < OHMI_WEAR_CLASSES; class ++) {
        if (moves->classes[class] > 0) {
            json_t *row = json_object();
            set(row, "writes", json_integer(class));
            set(row, "or_more", json_boolean(class == OHMI_WEAR_CLASSES - 1));
            set(row, "cells", count(moves->classes[class]));
            (void)json_array_append_new(list, row);
        }
    }
    set(root, "cells_by_writes", list);
    return root;
}

// lifetime over the interval between switches, a decade a point, and over the endurance
static json_t *lifetime(const ohm_bill *bill) {
    const ohmi_moves *moves = &bill->cost->moves;
    const double endurance = bill->hardware.wear.endurance, every_s = bill->hardware.wear.switch_s;
    json_t *root = json_object(), *list = json_array();
    const double seconds = ohmi_ledger_lifetime_s(moves, endurance, every_s);
    set(root, "seconds", real(seconds));
    set(root, "unlimited", json_boolean(isinf(seconds)));
    set(root, "endurance_writes", real(endurance));
    set(root, "switch_every_s", real(every_s));
    set(root, "writes_a_switch",
        real(moves->n_switches > 0 ? moves->most_switch / moves->n_switches : 0));
    for (int decade = 4; decade <= 12; decade += 2) {
        for (int power = -3; power <= 7; power++) {
            json_t *row = json_object();
            set(row, "endurance_writes", real(pow(10, decade)));
            set(row, "switch_every_s", real(pow(10, power)));
            set(row, "seconds",
                real(ohmi_ledger_lifetime_s(moves, pow(10, decade), pow(10, power))));
            (void)json_array_append_new(list, row);
        }
    }
    set(root, "curve", list);
    return root;
}

// every key of the hardware as it was priced
static json_t *assumptions(const ohm_bill *bill) {
    const ohmi_table *table = ohmi_hardware_table();
    json_t *root = json_object();
    for (int i = 0; i < table->n_fields; i++) {
        ohmi_text text = {0};
        ohmi_field_add_text(&text, &table->fields[i], &bill->hardware);
        set(root, table->fields[i].key, json_string(text.data ? text.data : ""));
        ohmi_text_clear(&text);
    }
    return root;
}

json_t *ohmi_bill_tree(const ohm_bill *bill) {
    const ohmi_workload *work = bill->cost->work;
    double mean_j = 0, mean_all_on_j = 0, mean_s = 0;
    json_t *root = json_object(), *area = json_object();
    for (int t = 0; t < work->n_tasks; t++) {
        mean_j += ohmi_price_total_j(&bill->tasks[t]) / work->n_tasks;
        mean_all_on_j += ohmi_price_total_j(&bill->all_on[t]) / work->n_tasks;
        mean_s += bill->tasks[t].latency_s / work->n_tasks;
    }
    for (int p = 0; p < OHMI_N_PARTS; p++) {
        set(area, ohmi_part_names[p], real(bill->area.part_m2[p]));
    }
    set(root, "schema", json_integer(1));
    set(root, "preset", json_string(bill->hardware.name));
    set(root, "preset_source", json_string(bill->hardware.source));
    set(root, "method", json_string(bill->cost->method));
    set(root, "area_m2", real(bill->area.total_m2));
    set(root, "area_by_component", area);
    set(root, "arrays", count(bill->area.arrays));
    set(root, "pes_copied", count(work->n_copied));
    set(root, "buffer_bytes", real(bill->area.buffer_bits / 8));
    set(root, "mask_bytes", real(bill->area.mask_bytes));
    set(root, "leakage_w", real(bill->area.leakage_w));
    set(root, "mean_energy_j", real(mean_j));
    set(root, "mean_energy_all_on_j", real(mean_all_on_j));
    set(root, "mean_times_less_than_all_on", real(mean_j > 0 ? mean_all_on_j / mean_j : NAN));
    set(root, "mean_latency_s", real(mean_s));
    set(root, "inputs", json_string(work->tasks[0].ones ? "counted" : "assumed"));
    set(root, "inference", inference(bill));
    if (bill->has_ledger) {
        json_t *list = json_array();
        const ohmi_moves *moves = &bill->cost->moves;
        for (int s = moves->first_task; s < moves->n_learned; s++) {
            (void)json_array_append_new(list, step_of(bill, s));
        }
        set(root, "programming_backbone", moves->first_task > 0 ? step_of(bill, 0) : json_null());
        set(root, "programming", list);
        set(root, "switching", switching(bill));
        set(root, "wear", wear(bill));
        set(root, "lifetime", lifetime(bill));
    }
    set(root, "assumptions", assumptions(bill));
    return root;
}

ohm_status ohm_bill_json(char **text, const ohm_bill *bill, ohm_error *err) {
    *text = NULL;
    json_t *root = ohmi_bill_tree(bill);
    char *dump = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(10)) : NULL;
    json_decref(root);
    *text = dump ? ohmi_strdup(dump) : NULL;
    free(dump);
    return *text ? OHM_OK : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a bill");
}

ohm_status ohm_bill_save(const ohm_bill *bill, const char *folder, ohm_error *err) {
    ohm_status status = OHM_OK;
    char path[1024], *text = NULL;
    ohmi_text out = {0};
    (void)snprintf(path, sizeof path, "%s/cost.json", folder);
    OHM_TRY(ohm_bill_json(&text, bill, err));
    ohmi_text_add(&out, text);
    ohmi_text_add(&out, "\n");
    if (out.failed) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a bill");
        goto done;
    }
    OHM_TRY(ohmi_make_folder(folder, err));
    OHM_TRY(ohmi_write_file(path, out.data, out.size, err));
done:
    ohm_text_free(&text);
    ohmi_text_clear(&out);
    return status;
}
