// SPDX-License-Identifier: Apache-2.0
// The files of `ohmwise harvest --out`: harvest.json, three CSV files and the config.
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/c_locale.h"
#include "base/fail.h"
#include "harvest/kept.h"
#include "harvest/results.h"

// a CSV field of text
static void add_word(ohmi_text *out, const char *word) {
    ohmi_text_add(out, "\"");
    for (const char *c = word; *c; c++) {
        ohmi_text_bytes(out, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
    }
    ohmi_text_add(out, "\",");
}

static void add_case(ohmi_text *out, const ohm_harvest *h, const ohmi_case *at) {
    const ohmi_case_trace *trace = &h->traces[at->trace];
    add_word(out, trace->name);
    ohmi_text_printf(out, "%llu,", (unsigned long long)trace->seed);
    add_word(out, h->networks[at->network].machine->name);
    ohmi_text_printf(out, "%s,%s", ohmi_schedulers[h->schedulers[at->scheduler]].name,
                     ohmi_predictors[h->predictors[at->predictor]].name);
}

// an empty field where there is no number
static void add_number(ohmi_text *out, double value) {
    if (isfinite(value)) {
        ohmi_text_printf(out, ",%.9g", value);
    } else {
        ohmi_text_add(out, ",");
    }
}

static void write_results(ohmi_text *out, const ohm_harvest *h) {
    ohmi_text_add(out, "trace,seed,network,scheduler,predictor,trace_scale,duration_s,harvested_j,"
                       "used_j,wasted_j,stored_j,on_s,inferences,macs,bound_inferences,steps,"
                       "steps_lost,power_failures,latency_min_s,latency_median_s,latency_p95_s,"
                       "latency_max_s,threshold_w,threshold_full_w,images_lost,accuracy\n");
    for (int64_t i = 0; i < ohm_harvest_cases(h); i++) {
        const ohmi_case at = ohmi_case_at(h, i);
        const ohmi_case_result *result = ohmi_case_result_of(h, &at);
        const ohmi_node_result *r = &result->node;
        const ohmi_case_network *network = &h->networks[at.network];
        const double numbers[] = {result->scale,
                                  r->duration_s,
                                  r->harvested_j,
                                  r->used_j,
                                  r->wasted_j,
                                  r->stored_j,
                                  r->on_s,
                                  (double)r->inferences,
                                  r->macs,
                                  result->bound,
                                  (double)r->steps,
                                  (double)r->failed,
                                  (double)r->failures,
                                  r->inferences > 0 ? r->latency_min_s : NAN,
                                  ohmi_node_latency_s(r, 0.5),
                                  ohmi_node_latency_s(r, 0.95),
                                  r->inferences > 0 ? r->latency_max_s : NAN,
                                  network->threshold_w,
                                  network->full_w,
                                  (double)r->lost,
                                  ohmi_harvest_accuracy(network->levels, r)};
        add_case(out, h, &at);
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
            add_number(out, numbers[n]);
        }
        ohmi_text_add(out, "\n");
    }
}

static void write_modes(ohmi_text *out, const ohm_harvest *h) {
    ohmi_text_add(out, "network,layer,power_w,rows,columns,row_arrays,column_arrays,converters,"
                       "copies,tiles_a_vector,step_s,tile_j,layer_s\n");
    for (int n = 0; n < h->n_networks; n++) {
        const ohmi_machine *m = h->networks[n].machine;
        for (int l = 0; l < m->n_layers; l++) {
            const ohmi_front *front = &h->networks[n].modes[l].copied;
            for (int i = 0; i < front->n; i++) {
                const ohmi_activation *mode = &front->modes[i];
                const ohmi_tile *tile = &mode->tile;
                add_word(out, m->name);
                ohmi_text_printf(out, "%s,%.9g,%lld,%lld,%lld,%lld,%lld,%lld,%lld,%.9g,%.9g,%.9g\n",
                                 m->layers[l].name, mode->power_w,
                                 (long long)(tile->rows.step * tile->rows.units),
                                 (long long)(tile->columns.step * tile->columns.units),
                                 (long long)tile->rows.units, (long long)tile->columns.units,
                                 (long long)mode->converters, (long long)mode->copies,
                                 (long long)mode->tiles, mode->step_s, mode->tile_j, mode->layer_s);
            }
        }
    }
}

static void write_timeline(ohmi_text *out, const ohm_harvest *h) {
    const int n_points = (int)h->values->harvest.points;
    ohmi_text_add(out, "trace,seed,network,scheduler,predictor,time_s,harvested_w,used_w,on,"
                       "cells_on,finished,layer\n");
    for (int64_t i = 0; i < ohm_harvest_cases(h); i++) {
        const ohmi_case at = ohmi_case_at(h, i);
        const ohmi_node_point *points = ohmi_case_points_of(h, &at);
        const double step_s = ohmi_case_result_of(h, &at)->node.duration_s / n_points;
        for (int p = 0; p < n_points; p++) {
            const ohmi_node_point *point = &points[p];
            add_case(out, h, &at);
            ohmi_text_printf(out, ",%.9g,%.6g,%.6g,%.6g,%.6g,%lld,%d\n", p * step_s,
                             point->harvested_j / step_s, point->used_j / step_s,
                             point->on_s / step_s, point->cells_s / step_s,
                             (long long)point->finished, point->layer + 1);
        }
    }
}

static ohm_status write_file(const char *folder, const char *name, ohmi_text *text,
                             ohm_error *err) {
    char path[1024];
    if (text->failed) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", name);
    }
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "the path of '%s' is too long", name);
    }
    return ohmi_write_file(path, text->data, text->size, err);
}

ohm_status ohm_harvest_save(const ohm_harvest *h, const char *folder, ohm_error *err) {
    static const struct {
        const char *name;
        void (*write)(ohmi_text *out, const ohm_harvest *harvest);
    } tables[] = {{"harvest.csv", write_results},
                  {"harvest_modes.csv", write_modes},
                  {"harvest_timeline.csv", write_timeline}};
    ohm_status status = OHM_OK;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    ohmi_text out = {0};
    char *text = NULL;
    OHM_TRY(ohm_harvest_json(&text, h, err));
    OHM_TRY(ohmi_make_folder(folder, err));
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        tables[i].write(&out, h);
        OHM_TRY(write_file(folder, tables[i].name, &out, err));
        ohmi_text_clear(&out);
        out = (ohmi_text){0};
    }
    ohmi_text_add(&out, text);
    ohmi_text_add(&out, "\n");
    OHM_TRY(write_file(folder, "harvest.json", &out, err));
    ohmi_text_clear(&out);
    out = (ohmi_text){0};
    ohm_text_free(&text);
    OHM_TRY(ohm_config_text(&text, h->config, err));
    ohmi_text_add(&out, text);
    OHM_TRY(write_file(folder, "harvest.yaml", &out, err));
    // all cases are done: what was kept of some has served
    char kept[1024];
    if (snprintf(kept, sizeof kept, "%s/%s", folder, ohmi_kept_name) < (int)sizeof kept) {
        (void)unlink(kept);
    }
done:
    ohm_text_free(&text);
    ohmi_text_clear(&out);
    ohmi_c_locale_leave(&locale);
    return status;
}
