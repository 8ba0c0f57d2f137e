// SPDX-License-Identifier: Apache-2.0
// Results of cases as JSON and as a table; see results.h. CSV files and what is saved: save.c.
#include "harvest/results.h"

#include <math.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"
#include "config/quantity.h"

const char ohmi_harvest_note[] = "reconstruction of ResiRCA and ResiSchedule (HPCA 2020): the "
                                 "paper's tables of component powers "
                                 "could not be had; energies and times are of the hardware preset";

int ohmi_harvest_scheduler(const ohm_harvest *h, const char *name) {
    for (int i = 0; i < h->n_schedulers; i++) {
        if (strcmp(ohmi_schedulers[h->schedulers[i]].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

int ohmi_harvest_first_seed(const ohm_harvest *h, int trace, int *n_seeds) {
    int first = trace, n = 1;
    while (first > 0 && h->traces[first - 1].name == h->traces[trace].name) {
        first--;
    }
    while (first + n < h->n_traces && h->traces[first + n].name == h->traces[trace].name) {
        n++;
    }
    *n_seeds = n;
    return first;
}

static double over_used(const ohmi_node_result *r) {
    return r->used_j > 0 ? r->macs / r->used_j : 0;
}

// mean and sample deviation
static void spread(double *mean, double *deviation, const double *x, int n) {
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++) {
        sum += x[i];
    }
    *mean = sum / n;
    for (int i = 0; i < n; i++) {
        squares += (x[i] - *mean) * (x[i] - *mean);
    }
    *deviation = n > 1 ? sqrt(squares / (n - 1)) : NAN;
}

ohmi_harvest_ratio ohmi_harvest_ratio_of(const ohm_harvest *h, const ohmi_case *at, int baseline) {
    enum { MOST_SEEDS = 1000 };
    double throughput[MOST_SEEDS], efficiency[MOST_SEEDS];
    ohmi_harvest_ratio ratio = {NAN, NAN, NAN, NAN, 0};
    int n_seeds, n = 0;
    ohmi_case own = *at, base = *at;
    base.scheduler = baseline;
    own.trace = ohmi_harvest_first_seed(h, at->trace, &n_seeds);
    if (base.scheduler < 0 || n_seeds > MOST_SEEDS) {
        return ratio;
    }
    for (int s = 0; s < n_seeds; s++, own.trace++) {
        base.trace = own.trace;
        const ohmi_node_result *a = &ohmi_case_result_of(h, &own)->node;
        const ohmi_node_result *b = &ohmi_case_result_of(h, &base)->node;
        // a baseline that waits for ever in one layer is no measure
        if (b->inferences < 1 || !(over_used(a) > 0)) {
            return ratio;
        }
        throughput[n] = a->macs / b->macs;
        efficiency[n++] = over_used(a) / over_used(b);
    }
    spread(&ratio.throughput, &ratio.throughput_sd, throughput, n);
    spread(&ratio.efficiency, &ratio.efficiency_sd, efficiency, n);
    ratio.n = n;
    return ratio;
}

// null where there is no number
static json_t *real(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *trace_tree(const ohmi_case_trace *trace) {
    const ohmi_power_statistics *s = trace->statistics;
    return json_pack("{s:s, s:o, s:I, s:f, s:f, s:f, s:f, s:f, s:o}", "name", trace->name, "seed",
                     trace->is_random ? json_integer((json_int_t)trace->seed) : json_null(),
                     "samples", (json_int_t)s->n_segments, "duration_s", s->duration_s, "mean_w",
                     s->mean_w, "peak_w", s->peak_w, "energy_j", s->energy_j, "duty", s->duty,
                     "correlation_s", real(s->correlation_s));
}

// an image with all that is on at once: its energy without what the machine takes whatever it does,
// and its time
static json_t *level_tree(const ohmi_level *level) {
    double image_j = 0, image_s = 0, threshold_w = 0;
    for (int l = 0; l < level->machine->n_layers; l++) {
        const ohmi_layer_modes *modes = &level->modes[l];
        const ohmi_activation *full = &modes->full.modes[0];
        image_j += full->tile_j * (double)(full->tiles * level->machine->layers[l].matrix.vectors);
        image_s += full->layer_s;
        threshold_w = fmax(threshold_w, level->machine->base_w + modes->tiled.power_w[0]);
    }
    return json_pack("{s:f, s:I, s:f, s:I, s:f, s:f, s:f, s:f}", "part", level->part, "columns_on",
                     (json_int_t)level->columns_on, "accuracy", level->accuracy, "images",
                     (json_int_t)level->n_images, "macs", level->machine->macs, "full_image_j",
                     image_j, "full_image_s", image_s, "threshold_w", threshold_w);
}

static json_t *network_tree(const ohmi_case_network *network) {
    const ohmi_machine *m = network->machine;
    json_t *layers = json_array(), *levels = json_array();
    for (int v = 0; network->levels && v < network->levels->n; v++) {
        json_array_append_new(levels, level_tree(&network->levels->level[v]));
    }
    for (int l = 0; l < m->n_layers; l++) {
        const ohmi_machine_layer *layer = &m->layers[l];
        const ohmi_layer_modes *modes = &network->modes[l];
        json_array_append_new(
            layers,
            json_pack("{s:s, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:i, s:i, s:f, s:f, s:f}", "name",
                      layer->name, "rows", (json_int_t)layer->matrix.rows.total, "columns",
                      (json_int_t)layer->matrix.columns.total, "vectors",
                      (json_int_t)layer->matrix.vectors, "on", layer->macs / layer->cells, "arrays",
                      (json_int_t)layer->arrays, "copies", (json_int_t)layer->copies,
                      "modes_looked_at", (json_int_t)modes->n_looked_at, "modes_tiling",
                      modes->tiled.n, "modes_duplication", modes->copied.n, "threshold_w",
                      m->base_w + modes->tiled.power_w[0], "full_w",
                      m->base_w + modes->full.power_w[0], "full_s", modes->full.modes[0].layer_s));
    }
    return json_pack("{s:s, s:o, s:f, s:I, s:I, s:f, s:f, s:f, s:o, s:o}", "name", m->name, "task",
                     m->task >= 0 ? json_integer(m->task + 1) : json_null(), "macs", m->macs,
                     "arrays", (json_int_t)m->arrays, "arrays_of_machine",
                     (json_int_t)m->all_arrays, "base_w", m->base_w, "threshold_w",
                     network->threshold_w, "threshold_full_w", network->full_w, "levels", levels,
                     "layers", layers);
}

static json_t *timeline_tree(const ohm_harvest *h, const ohmi_case *at, double duration_s) {
    const ohmi_node_point *points = ohmi_case_points_of(h, at);
    const int n = (int)h->values->harvest.points;
    const double step_s = duration_s / n;
    json_t *harvested = json_array(), *used = json_array(), *cells = json_array();
    json_t *on = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(harvested, json_real(points[i].harvested_j / step_s));
        json_array_append_new(used, json_real(points[i].used_j / step_s));
        json_array_append_new(cells, json_real(points[i].cells_s / step_s));
        json_array_append_new(on, json_real(points[i].on_s / step_s));
    }
    return json_pack("{s:f, s:o, s:o, s:o, s:o}", "step_s", step_s, "harvested_w", harvested,
                     "used_w", used, "cells_on", cells, "on", on);
}

// images by level; null where the accuracy of levels is not measured
static json_t *at_level_tree(const ohmi_level_set *set, const ohmi_node_result *r) {
    json_t *images = set ? json_array() : json_null();
    for (int v = 0; set && v < set->n; v++) {
        json_array_append_new(images, json_integer((json_int_t)r->at_level[v]));
    }
    return images;
}

double ohmi_harvest_accuracy(const ohmi_level_set *set, const ohmi_node_result *r) {
    double right = 0;
    for (int v = 0; set && v < set->n; v++) {
        right += (double)r->at_level[v] * set->level[v].accuracy;
    }
    return set && r->inferences > 0 ? right / (double)r->inferences : NAN;
}

static json_t *result_tree(const ohm_harvest *h, const ohmi_case *at) {
    const ohmi_case_result *result = ohmi_case_result_of(h, at);
    const ohmi_node_result *r = &result->node;
    const ohmi_case_trace *trace = &h->traces[at->trace];
    const double images = (double)r->inferences;
    int n_seeds;
    json_t *root =
        json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:f, s:f}", "trace", trace->name, "seed",
                  trace->is_random ? json_integer((json_int_t)trace->seed) : json_null(), "network",
                  h->networks[at->network].machine->name, "scheduler",
                  ohmi_schedulers[h->schedulers[at->scheduler]].name, "predictor",
                  ohmi_predictors[h->predictors[at->predictor]].name, "mechanisms",
                  ohmi_schedulers[h->schedulers[result->used]].name, "trace_scale", result->scale,
                  "mean_w", r->harvested_j / r->duration_s);
    json_t *more = json_pack(
        "{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:o, s:f, s:o}", "inferences",
        (json_int_t)r->inferences, "inferences_per_s", images / r->duration_s, "macs", r->macs,
        "harvested_j", r->harvested_j, "used_j", r->used_j, "wasted_j", r->wasted_j, "stored_j",
        r->stored_j, "lost_j", r->harvested_j - r->used_j - r->stored_j, "on_s", r->on_s,
        "on_share", r->on_s / r->duration_s, "macs_per_harvested_j",
        real(r->harvested_j > 0 ? r->macs / r->harvested_j : NAN), "macs_per_used_j",
        real(r->used_j > 0 ? r->macs / r->used_j : NAN), "bound_inferences", result->bound,
        "share_of_bound", real(result->bound > 0 ? images / result->bound : NAN));
    const ohmi_level_set *levels = h->networks[at->network].levels;
    json_t *last = json_pack(
        "{s:o, s:o, s:I, s:o, s:I, s:I, s:I, s:I, s:{s:o, s:o, s:o, s:o, s:o}}", "at_level",
        at_level_tree(levels, r), "accuracy", real(ohmi_harvest_accuracy(levels, r)), "images_lost",
        (json_int_t)r->lost, "utilisation",
        real(r->harvested_j > 0 ? r->used_j / r->harvested_j : NAN), "steps", (json_int_t)r->steps,
        "steps_lost", (json_int_t)r->failed, "power_failures", (json_int_t)r->failures, "events",
        (json_int_t)r->events, "latency", "min_s", real(images > 0 ? r->latency_min_s : NAN),
        "median_s", real(ohmi_node_latency_s(r, 0.5)), "p95_s", real(ohmi_node_latency_s(r, 0.95)),
        "max_s", real(images > 0 ? r->latency_max_s : NAN), "mean_s",
        real(images > 0 ? r->latency_sum_s / images : NAN));
    json_object_update(root, more);
    json_object_update(root, last);
    json_decref(more);
    json_decref(last);
    // one seed's timeline is enough to look at
    if (ohmi_harvest_first_seed(h, at->trace, &n_seeds) == at->trace) {
        json_object_set_new(root, "timeline", timeline_tree(h, at, r->duration_s));
    }
    return root;
}

static json_t *ratio_tree(const ohm_harvest *h, const ohmi_case *at) {
    const ohmi_harvest_ratio r = ohmi_harvest_ratio_of(h, at, ohmi_harvest_scheduler(h, "full"));
    const ohmi_harvest_ratio v =
        ohmi_harvest_ratio_of(h, at, ohmi_harvest_scheduler(h, "volatile"));
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "trace",
                     h->traces[at->trace].name, "network", h->networks[at->network].machine->name,
                     "scheduler", ohmi_schedulers[h->schedulers[at->scheduler]].name, "predictor",
                     ohmi_predictors[h->predictors[at->predictor]].name, "seeds", r.n,
                     "throughput_over_full", real(r.throughput), "throughput_deviation",
                     real(r.throughput_sd), "efficiency_over_full", real(r.efficiency),
                     "efficiency_deviation", real(r.efficiency_sd), "throughput_over_volatile",
                     real(v.throughput), "throughput_over_volatile_deviation",
                     real(v.throughput_sd), "efficiency_over_volatile", real(v.efficiency),
                     "efficiency_over_volatile_deviation", real(v.efficiency_sd));
}

json_t *ohmi_harvest_tree(const ohm_harvest *h) {
    json_t *traces = json_array(), *networks = json_array(), *results = json_array();
    json_t *ratios = json_array();
    const int full = ohmi_harvest_scheduler(h, "full");
    const int volatile_one = ohmi_harvest_scheduler(h, "volatile");
    for (int t = 0; t < h->n_traces; t++) {
        json_array_append_new(traces, trace_tree(&h->traces[t]));
    }
    for (int n = 0; n < h->n_networks; n++) {
        json_array_append_new(networks, network_tree(&h->networks[n]));
    }
    for (int64_t i = 0; i < ohm_harvest_cases(h); i++) {
        int n_seeds;
        const ohmi_case at = ohmi_case_at(h, i);
        json_array_append_new(results, result_tree(h, &at));
        if (ohmi_harvest_first_seed(h, at.trace, &n_seeds) == at.trace && at.scheduler != full &&
            (full >= 0 || volatile_one >= 0)) {
            json_array_append_new(ratios, ratio_tree(h, &at));
        }
    }
    return json_pack("{s:i, s:s, s:s, s:s, s:{s:f, s:f}, s:o, s:o, s:o, s:o}", "schema", 1, "name",
                     h->values->name, "note", ohmi_harvest_note, "preset", h->preset, "published",
                     "throughput_over_baseline", OHMI_PUBLISHED_THROUGHPUT,
                     "efficiency_over_baseline", OHMI_PUBLISHED_EFFICIENCY, "traces", traces,
                     "networks", networks, "results", results, "ratios", ratios);
}

static ohm_status not_run(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_ARGUMENT, "no results: the cases have not been run");
}

// a table as text for ohm_text_free; takes its bytes
static ohm_status take_text(char **text, ohmi_text *table, const char *what, ohm_error *err) {
    if (table->failed) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the table of %s", what);
    }
    *text = table->data;
    *table = (ohmi_text){0};
    return OHM_OK;
}

// a tree as text for ohm_text_free; takes the tree
static ohm_status dump_tree(char **text, json_t *root, ohm_error *err) {
    ohm_status status = OHM_OK;
    char *dump = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    *text = dump ? ohmi_strdup(dump) : NULL;
    if (!*text) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a JSON document");
    }
    free(dump);
    json_decref(root);
    return status;
}

ohm_status ohm_harvest_json(char **text, const ohm_harvest *h, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *text = NULL;
    OHM_TRY(h->results ? OHM_OK : not_run(err));
    OHM_TRY(dump_tree(text, ohmi_harvest_tree(h), err));
done:
    ohmi_c_locale_leave(&locale);
    return status;
}

// means over the seeds of a trace
static void add_row(ohmi_text *out, const ohm_harvest *h, const ohmi_case *first) {
    int n_seeds;
    ohmi_case at = *first;
    double rate = 0, used = 0, on = 0, bound = 0, macs_j = 0, latency = 0, accuracy = 0;
    (void)ohmi_harvest_first_seed(h, first->trace, &n_seeds);
    for (int s = 0; s < n_seeds; s++, at.trace++) {
        const ohmi_case_result *result = ohmi_case_result_of(h, &at);
        const ohmi_node_result *r = &result->node;
        rate += (double)r->inferences / r->duration_s / n_seeds;
        used += r->harvested_j > 0 ? r->used_j / r->harvested_j / n_seeds : 0;
        on += r->on_s / r->duration_s / n_seeds;
        bound += result->bound > 0 ? (double)r->inferences / result->bound / n_seeds : 0;
        macs_j += r->harvested_j > 0 ? r->macs / r->harvested_j / n_seeds : 0;
        latency += ohmi_node_latency_s(r, 0.5) / n_seeds;
        accuracy += ohmi_harvest_accuracy(h->networks[at.network].levels, r) / n_seeds;
    }
    const ohmi_harvest_ratio ratio =
        ohmi_harvest_ratio_of(h, first, ohmi_harvest_scheduler(h, "full"));
    ohmi_text_printf(out, "%-16.16s %-14.14s %-13s %-8s", h->traces[first->trace].name,
                     h->networks[first->network].machine->name,
                     ohmi_schedulers[h->schedulers[first->scheduler]].name,
                     ohmi_predictors[h->predictors[first->predictor]].name);
    ohmi_text_printf(out, " %11.4g", rate);
    if (ratio.n > 0) {
        ohmi_text_printf(out, " %8.4g", ratio.throughput);
    } else {
        ohmi_text_printf(out, " %8s", "-");
    }
    ohmi_text_printf(out, " %10.4g %7.1f %6.1f %7.1f ", macs_j, 100 * used, 100 * on, 100 * bound);
    ohmi_quantity_add_rounded(out, latency, "s", 9);
    if (ohmi_harvest_is_adaptive(h) && isfinite(accuracy)) {
        ohmi_text_printf(out, " %7.2f", 100 * accuracy);
    }
    ohmi_text_add(out, "\n");
}

// the levels of a run and what was measured of them
static void add_levels(ohmi_text *out, const ohmi_case_network *network) {
    for (int v = 0; network->levels && v < network->levels->n; v++) {
        const ohmi_level *level = &network->levels->level[v];
        ohmi_text_printf(out,
                         "%s, task %d: %3.0f %% of its columns, %.2f %% right of %lld images\n",
                         network->machine->name, network->machine->task + 1, 100 * level->part,
                         100 * level->accuracy, (long long)level->n_images);
    }
}

ohm_status ohm_harvest_text(char **text, const ohm_harvest *h, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_text out = {0};
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *text = NULL;
    if (!h->results) {
        status = not_run(err);
        goto done;
    }
    ohmi_text_printf(&out, "%s\n%-16s %-14s %-13s %-8s %11s %8s %10s %7s %6s %7s %9s%s\n",
                     ohmi_harvest_note, "trace", "network", "scheduler", "power", "images/s",
                     "x full", "MAC/J", "used %", "on %", "bound %", "latency",
                     ohmi_harvest_is_adaptive(h) ? "  right %" : "");
    for (int64_t i = 0; i < ohm_harvest_cases(h); i++) {
        int n_seeds;
        const ohmi_case at = ohmi_case_at(h, i);
        if (ohmi_harvest_first_seed(h, at.trace, &n_seeds) == at.trace) {
            add_row(&out, h, &at);
        }
    }
    ohmi_text_printf(&out,
                     "x full: multiply-accumulates done over those of 'full' (published: %g, on "
                     "average); MAC/J: of harvested energy;\nbound %%: of what any schedule could "
                     "finish; latency: median; means over the seeds of a trace\n",
                     OHMI_PUBLISHED_THROUGHPUT);
    for (int n = 0; n < h->n_networks; n++) {
        add_levels(&out, &h->networks[n]);
    }
    OHM_TRY(take_text(text, &out, "results", err));
done:
    ohmi_text_clear(&out);
    ohmi_c_locale_leave(&locale);
    return status;
}

ohm_status ohm_harvest_traces(char **text, const ohm_harvest *h, int is_json, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_text out = {0};
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *text = NULL;
    if (is_json) {
        json_t *traces = json_array();
        for (int t = 0; t < h->n_traces; t++) {
            json_array_append_new(traces, trace_tree(&h->traces[t]));
        }
        OHM_TRY(dump_tree(text, json_pack("{s:i, s:o}", "schema", 1, "traces", traces), err));
        goto done;
    }
    ohmi_text_printf(&out, "%-28s %6s %9s %10s %10s %10s %10s %7s %11s\n", "trace", "seed",
                     "samples", "length", "mean", "peak", "energy", "duty %", "correlation");
    for (int t = 0; t < h->n_traces; t++) {
        const ohmi_case_trace *trace = &h->traces[t];
        const ohmi_power_statistics *s = trace->statistics;
        ohmi_text_printf(&out, "%-28.28s ", trace->name);
        if (trace->is_random) {
            ohmi_text_printf(&out, "%6llu", (unsigned long long)trace->seed);
        } else {
            ohmi_text_printf(&out, "%6s", "-");
        }
        ohmi_text_printf(&out, " %9lld ", (long long)s->n_segments);
        ohmi_quantity_add_rounded(&out, s->duration_s, "s", 10);
        ohmi_text_add(&out, " ");
        ohmi_quantity_add_rounded(&out, s->mean_w, "W", 10);
        ohmi_text_add(&out, " ");
        ohmi_quantity_add_rounded(&out, s->peak_w, "W", 10);
        ohmi_text_add(&out, " ");
        ohmi_quantity_add_rounded(&out, s->energy_j, "J", 10);
        ohmi_text_printf(&out, " %7.1f ", 100 * s->duty);
        ohmi_quantity_add_rounded(&out, s->correlation_s, "s", 11);
        ohmi_text_add(&out, "\n");
    }
    ohmi_text_add(&out,
                  "duty: time with at least half of the mean power; correlation: lag at which "
                  "it falls below 1/e\n");
    OHM_TRY(take_text(text, &out, "traces", err));
done:
    ohmi_text_clear(&out);
    ohmi_c_locale_leave(&locale);
    return status;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

// rows of a layer and, at some powers, what runs
static void add_modes(ohmi_text *out, const ohmi_case_network *network) {
    const ohmi_machine *m = network->machine;
    ohmi_text_printf(out, "%s: %lld arrays, %lld in the machine; everything can go on from ",
                     m->name, (long long)m->arrays, (long long)m->all_arrays);
    ohmi_quantity_add_rounded(out, network->threshold_w, "W", 0);
    ohmi_text_add(out, " on, 'full' from ");
    ohmi_quantity_add_rounded(out, network->full_w, "W", 0);
    ohmi_text_printf(out, "\n%-12s %7s %7s %7s %6s %8s %6s %10s %10s %10s\n", "layer", "rows",
                     "columns", "vectors", "copies", "modes", "kept", "from", "full", "full time");
    for (int l = 0; l < m->n_layers; l++) {
        const ohmi_machine_layer *layer = &m->layers[l];
        const ohmi_layer_modes *modes = &network->modes[l];
        ohmi_text_printf(out, "%-12.12s %7lld %7lld %7lld %6lld %8lld %6d ", layer->name,
                         (long long)layer->matrix.rows.total,
                         (long long)layer->matrix.columns.total, (long long)layer->matrix.vectors,
                         (long long)layer->copies, (long long)modes->n_looked_at, modes->copied.n);
        ohmi_quantity_add_rounded(out, modes->tiled.power_w[0], "W", 10);
        ohmi_text_add(out, " ");
        ohmi_quantity_add_rounded(out, modes->full.power_w[0], "W", 10);
        ohmi_text_add(out, " ");
        ohmi_quantity_add_rounded(out, modes->full.modes[0].layer_s, "s", 10);
        ohmi_text_add(out, "\n");
    }
    ohmi_text_printf(out, "%-12s %10s %8s %8s %6s %6s %10s %10s\n", "layer", "power", "rows",
                     "columns", "ADCs", "copies", "step", "layer time");
    for (int l = 0; l < m->n_layers; l++) {
        // some modes of the front, evenly over its powers' order
        enum { SHOWN = 5 };
        const ohmi_front *front = &network->modes[l].copied;
        const int n = front->n < SHOWN ? front->n : SHOWN;
        for (int i = 0; i < n; i++) {
            const ohmi_activation *mode = &front->modes[n > 1 ? i * (front->n - 1) / (n - 1) : 0];
            const ohmi_matrix *matrix = &m->layers[l].matrix;
            const int64_t rows =
                least(mode->tile.rows.step * mode->tile.rows.units, matrix->rows.total);
            const int64_t columns =
                least(mode->tile.columns.step * mode->tile.columns.units, matrix->columns.total);
            ohmi_text_printf(out, "%-12.12s ", i == 0 ? m->layers[l].name : "");
            ohmi_quantity_add_rounded(out, mode->power_w, "W", 10);
            ohmi_text_printf(out, " %8lld %8lld %6lld %6lld ", (long long)rows, (long long)columns,
                             (long long)mode->converters, (long long)mode->copies);
            ohmi_quantity_add_rounded(out, mode->step_s, "s", 10);
            ohmi_text_add(out, " ");
            ohmi_quantity_add_rounded(out, mode->layer_s, "s", 10);
            ohmi_text_add(out, "\n");
        }
    }
}

ohm_status ohm_harvest_modes(char **text, const ohm_harvest *h, int is_json, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_text out = {0};
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *text = NULL;
    if (is_json) {
        json_t *networks = json_array();
        for (int n = 0; n < h->n_networks; n++) {
            json_array_append_new(networks, network_tree(&h->networks[n]));
        }
        OHM_TRY(dump_tree(text,
                          json_pack("{s:i, s:s, s:o}", "schema", 1, "note", ohmi_harvest_note,
                                    "networks", networks),
                          err));
        goto done;
    }
    for (int n = 0; n < h->n_networks; n++) {
        ohmi_text_add(&out, n > 0 ? "\n" : "");
        add_modes(&out, &h->networks[n]);
    }
    OHM_TRY(take_text(text, &out, "modes", err));
done:
    ohmi_text_clear(&out);
    ohmi_c_locale_leave(&locale);
    return status;
}
