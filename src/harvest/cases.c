// SPDX-License-Identifier: Apache-2.0
// Setting up and running all cases; see cases.h and ohmwise/harvest.h.
#include "harvest/cases.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "config/access.h"
#include "harvest/bound.h"

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the cases of harvested power");
}

int ohmi_list_cut(char **words, char *text, const char *key, ohm_error *err) {
    int n = 0;
    for (char *at = text; at;) {
        char *comma = strchr(at, ',');
        if (comma) {
            *comma = 0;
        }
        at += strspn(at, " ");
        for (size_t size = strlen(at); size > 0 && at[size - 1] == ' '; size--) {
            at[size - 1] = 0;
        }
        if (at[0] == 0 || n == OHMI_MOST_LISTED) {
            (void)ohmi_fail(err, OHM_ERR_CONFIG,
                            at[0] ? "'%s' lists more than %d names" : "'%s' lists an empty name",
                            key, (int)OHMI_MOST_LISTED);
            return 0;
        }
        for (int i = 0; i < n; i++) {
            if (strcmp(words[i], at) == 0) {
                (void)ohmi_fail(err, OHM_ERR_CONFIG, "'%s' lists '%s' twice", key, at);
                return 0;
            }
        }
        words[n++] = at;
        at = comma ? comma + 1 : NULL;
    }
    return n;
}

// rows of a table by their names
static ohm_status read_rows(int *rows, int *n_rows, const char *key, const char *list,
                            int (*find)(const char *name), const char *known, ohm_error *err) {
    char text[OHMI_TEXT], *words[OHMI_MOST_LISTED];
    (void)snprintf(text, sizeof text, "%s", list);
    *n_rows = ohmi_list_cut(words, text, key, err);
    if (*n_rows == 0) {
        return OHM_ERR_CONFIG;
    }
    for (int i = 0; i < *n_rows; i++) {
        rows[i] = find(words[i]);
        if (rows[i] < 0) {
            char shown[OHMI_SHOWN];
            ohm_status status = ohmi_fail(err, OHM_ERR_CONFIG, "'%s' names '%s', which is unknown",
                                          key, ohmi_shown(shown, words[i]));
            ohmi_hint(err, "known are %s", known);
            return status;
        }
    }
    return OHM_OK;
}

void ohm_harvest_free(ohm_harvest **harvest) {
    if (!harvest || !*harvest) {
        return;
    }
    ohm_harvest *h = *harvest;
    for (int i = 0; i < h->n_traces; i++) {
        ohmi_free(h->traces[i].statistics);
    }
    for (int i = 0; i < h->n_networks; i++) {
        ohmi_case_network *network = &h->networks[i];
        ohmi_modes_free(&network->modes, network->machine ? network->machine->n_layers : 0);
        ohmi_machine_free(&network->machine);
    }
    ohmi_free(h->traces);
    ohmi_free(h->networks);
    ohmi_free(h->trace_text);
    ohmi_free(h->network_text);
    ohmi_free(h->results);
    ohm_config_free(&h->config);
    ohmi_free(h);
    *harvest = NULL;
}

// whether a trace has parts that seeds change
static bool is_random(const char *trace) {
    for (const char *const *name = ohmi_generator_names(); *name; name++) {
        const char *at = trace;
        while ((at = strstr(at, *name)) != NULL) {
            const char after = at[strlen(*name)];
            const bool begins = at == trace || at[-1] == '+' || at[-1] == ' ';
            if (begins && (after == 0 || after == '+' || after == '*' || after == ' ')) {
                return true;
            }
            at++;
        }
    }
    return false;
}

static ohm_status read_traces(ohm_harvest *h, ohm_error *err) {
    ohm_status status = OHM_OK;
    char *words[OHMI_MOST_LISTED];
    ohmi_power *power = NULL;
    const int64_t seeds = h->values->harvest.seeds;
    h->trace_text = ohmi_strdup(h->values->power.traces);
    if (!h->trace_text) {
        status = no_memory(err);
        goto done;
    }
    const int n = ohmi_list_cut(words, h->trace_text, "power.traces", err);
    if (n == 0) {
        status = OHM_ERR_CONFIG;
        goto done;
    }
    h->traces = ohmi_alloc((size_t)(n * seeds), sizeof *h->traces);
    if (!h->traces) {
        status = no_memory(err);
        goto done;
    }
    for (int i = 0; i < n; i++) {
        const bool random = is_random(words[i]);
        for (int64_t s = 0; s < (random ? seeds : 1); s++) {
            ohmi_case_trace *trace = &h->traces[h->n_traces++];
            *trace = (ohmi_case_trace){.name = words[i],
                                       .seed = (uint64_t)(h->values->seed + s),
                                       .is_random = random,
                                       .statistics = ohmi_alloc(1, sizeof *trace->statistics)};
            if (!trace->statistics) {
                status = no_memory(err);
                goto done;
            }
            OHM_TRY(ohmi_power_open(&power, trace->name, h->values, trace->seed, err));
            OHM_TRY(ohmi_power_measure(trace->statistics, power, true, err));
            ohmi_power_free(&power);
        }
    }
done:
    ohmi_power_free(&power);
    return status;
}

static ohm_status read_networks(ohm_harvest *h, const ohm_hardware *hardware, ohm_error *err) {
    ohm_status status = OHM_OK;
    char *words[OHMI_MOST_LISTED];
    const char *list = h->values->harvest.networks;
    h->network_text = ohmi_strdup(list[0] ? list : h->values->network.model);
    if (!h->network_text) {
        status = no_memory(err);
        goto done;
    }
    const int n = ohmi_list_cut(words, h->network_text, "harvest.networks", err);
    if (n == 0) {
        status = OHM_ERR_CONFIG;
        goto done;
    }
    h->networks = ohmi_alloc((size_t)n, sizeof *h->networks);
    if (!h->networks) {
        status = no_memory(err);
        goto done;
    }
    for (int i = 0; i < n; i++) {
        ohmi_case_network *network = &h->networks[h->n_networks++];
        OHM_TRY(ohmi_machine_new(&network->machine, words[i], h->values, hardware, err));
        OHM_TRY(ohmi_modes_new(&network->modes, network->machine, err));
        const double base_w = network->machine->base_w;
        for (int l = 0; l < network->machine->n_layers; l++) {
            const ohmi_layer_modes *modes = &network->modes[l];
            network->threshold_w = fmax(network->threshold_w, base_w + modes->tiled.power_w[0]);
            network->full_w = fmax(network->full_w, base_w + modes->full.power_w[0]);
        }
    }
done:
    return status;
}

ohm_status ohm_harvest_new(ohm_harvest **out, ohm_config *config, const ohm_hardware *hardware,
                           ohm_error *err) {
    ohm_status status = OHM_OK;
    ohm_harvest *h = ohmi_alloc(1, sizeof *h);
    *out = NULL;
    if (!h) {
        status = no_memory(err);
        goto done;
    }
    OHM_TRY(ohm_config_check(config, err));
    h->config = ohmi_alloc(1, sizeof *h->config);
    if (!h->config) {
        status = no_memory(err);
        goto done;
    }
    *h->config = *config;
    h->values = &h->config->values;
    (void)snprintf(h->preset, sizeof h->preset, "%s", hardware->values.name);
    const ohmi_config *v = h->values;
    OHM_TRY(read_rows(h->schedulers, &h->n_schedulers, "harvest.schedulers", v->harvest.schedulers,
                      ohmi_scheduler_find, "full, tiling, duplication, resischedule", err));
    OHM_TRY(read_rows(h->predictors, &h->n_predictors, "harvest.predictors", v->harvest.predictors,
                      ohmi_predictor_find, "oracle, last, average", err));
    if (v->power.mean_w > 0 && v->power.of_threshold > 0) {
        status = ohmi_fail(err, OHM_ERR_CONFIG,
                           "'power.mean' and 'power.of_threshold' cannot both scale a trace");
        ohmi_hint(err, "leave one of them at 0");
        goto done;
    }
    if (v->storage.energy_j > 0 && v->storage.leakage_w * v->harvest.slot_s > v->storage.energy_j) {
        status =
            ohmi_fail(err, OHM_ERR_CONFIG, "'storage.leakage' empties the capacitor in a slot");
        ohmi_hint(err, "'storage.energy' has units of its own: nJ, uJ, mJ");
        goto done;
    }
    OHM_TRY(read_networks(h, hardware, err));
    OHM_TRY(read_traces(h, err));
    h->result_bytes =
        sizeof(ohmi_case_result) + (size_t)v->harvest.points * sizeof(ohmi_node_point);
    h->result_bytes = (h->result_bytes + 63) / 64 * 64;
    *out = h;
    h = NULL;
done:
    ohm_harvest_free(&h);
    return status;
}

int64_t ohm_harvest_cases(const ohm_harvest *h) {
    return (int64_t)h->n_traces * h->n_networks * h->n_schedulers * h->n_predictors;
}

ohmi_case ohmi_case_at(const ohm_harvest *h, int64_t i) {
    ohmi_case at;
    at.scheduler = (int)(i % h->n_schedulers);
    i /= h->n_schedulers;
    at.predictor = (int)(i % h->n_predictors);
    i /= h->n_predictors;
    at.network = (int)(i % h->n_networks);
    at.trace = (int)(i / h->n_networks);
    return at;
}

static uint8_t *block_of(const ohm_harvest *h, const ohmi_case *at) {
    const int64_t i =
        (((int64_t)at->trace * h->n_networks + at->network) * h->n_predictors + at->predictor) *
            h->n_schedulers +
        at->scheduler;
    return h->results + (size_t)i * h->result_bytes;
}

const ohmi_case_result *ohmi_case_result_of(const ohm_harvest *h, const ohmi_case *at) {
    return (const ohmi_case_result *)(const void *)block_of(h, at);
}

const ohmi_node_point *ohmi_case_points_of(const ohm_harvest *h, const ohmi_case *at) {
    return (const ohmi_node_point *)(const void *)(block_of(h, at) + sizeof(ohmi_case_result));
}

// the factor on a trace for a network
static double scale_of(const ohm_harvest *h, const ohmi_case *at) {
    const ohmi_config *v = h->values;
    const double mean_w = h->traces[at->trace].statistics->mean_w * v->power.scale;
    if (mean_w <= 0) {
        return v->power.scale;
    }
    if (v->power.mean_w > 0) {
        return v->power.scale * v->power.mean_w / mean_w;
    }
    if (v->power.of_threshold > 0) {
        return v->power.scale * v->power.of_threshold * h->networks[at->network].full_w / mean_w;
    }
    return v->power.scale;
}

// the statistics of a trace as it is scaled: bins keep their times
static void scale_statistics(ohmi_power_statistics *statistics, double factor) {
    statistics->energy_j *= factor;
    statistics->mean_w *= factor;
    statistics->peak_w *= factor;
    for (int bin = 0; bin < OHMI_POWER_BINS; bin++) {
        statistics->bin_j[bin] *= factor;
    }
}

// one case, into its block
static ohm_status run_case(void *context, int64_t item, void *block, ohm_error *err) {
    const ohm_harvest *h = context;
    const ohmi_config *v = h->values;
    ohm_status status = OHM_OK;
    const ohmi_case at = ohmi_case_at(h, item);
    const ohmi_case_trace *trace = &h->traces[at.trace];
    const ohmi_case_network *network = &h->networks[at.network];
    ohmi_case_result *result = block;
    ohmi_power *power = NULL;
    ohmi_node_state *node = NULL;
    ohmi_interval segments[OHMI_SEGMENTS];
    ohmi_power_statistics *scaled = ohmi_alloc(1, sizeof *scaled);
    if (!scaled) {
        status = no_memory(err);
        goto done;
    }
    const ohmi_scheduler *scheduler = &ohmi_schedulers[h->schedulers[at.scheduler]];
    const int n_layers = network->machine->n_layers;
    const int depth =
        v->harvest.depth > 0 && v->harvest.depth < n_layers ? (int)v->harvest.depth : n_layers;
    *result = (ohmi_case_result){.scale = scale_of(h, &at), .used = at.scheduler};
    const ohmi_node_def def = {
        .machine = network->machine,
        .modes = network->modes,
        .scheduler = scheduler,
        .predictor = &ohmi_predictors[h->predictors[at.predictor]],
        .slot_s = v->harvest.slot_s,
        .margin = v->harvest.margin,
        .window = (int)v->harvest.window,
        .depth = scheduler->is_pipelined ? depth : 1,
        .storage_j = v->storage.energy_j,
        .storage_efficiency = v->storage.efficiency,
        .storage_w = v->storage.leakage_w,
        .points = (ohmi_node_point *)(void *)((uint8_t *)block + sizeof *result),
        .n_points = (int)v->harvest.points,
        .duration_s = trace->statistics->duration_s,
    };
    OHM_TRY(ohmi_node_new(&node, &def, err));
    OHM_TRY(ohmi_power_open(&power, trace->name, v, trace->seed, err));
    ohmi_power_scale(power, result->scale);
    for (;;) {
        int n;
        OHM_TRY(ohmi_power_read(segments, &n, power, err));
        if (n == 0) {
            break;
        }
        ohmi_node_run(node, segments, n);
    }
    ohmi_node_finish(&result->node, node);
    *scaled = *trace->statistics;
    scale_statistics(scaled, result->scale);
    OHM_TRY(ohmi_bound_images(&result->bound, network->modes, n_layers, scaled,
                              v->storage.energy_j > 0, err));
done:
    ohmi_power_free(&power);
    ohmi_node_free(&node);
    ohmi_free(scaled);
    return status;
}

// cases over the threads of this process
typedef struct {
    ohm_harvest *harvest;
    const ohm_harvest_def *def;
    ohm_status *status; // (n_cases)
    ohm_error *errors;  // (n_threads) of the first failure of each
    _Atomic int64_t n_done;
} many;

static void run_some(void *context, int64_t begin, int64_t end, int thread) {
    many *m = context;
    ohm_harvest *h = m->harvest;
    for (int64_t i = begin; i < end; i++) {
        if (m->def->is_stopped && m->def->is_stopped(m->def->context)) {
            m->status[i] = OHM_ERR_INTERRUPTED;
            continue;
        }
        ohm_error err = {0};
        m->status[i] = run_case(h, i, h->results + (size_t)i * h->result_bytes, &err);
        if (m->status[i] < 0 && m->errors[thread].status == OHM_OK) {
            m->errors[thread] = err;
        }
        const int64_t n_done = ++m->n_done;
        if (m->def->progress) {
            m->def->progress(m->def->context, n_done, ohm_harvest_cases(h));
        }
    }
}

static ohm_status run_here(ohm_harvest *h, const ohm_harvest_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int64_t n = ohm_harvest_cases(h);
    const int n_threads = ohmi_threads();
    many m = {.harvest = h,
              .def = def,
              .status = ohmi_alloc((size_t)n, sizeof *m.status),
              .errors = ohmi_alloc((size_t)n_threads, sizeof *m.errors)};
    if (!m.status || !m.errors) {
        status = no_memory(err);
        goto done;
    }
    ohmi_parallel(n, 1, run_some, &m);
    for (int t = 0; t < n_threads; t++) {
        if (m.errors[t].status < 0) {
            status = m.errors[t].status;
            if (err) {
                *err = m.errors[t];
            }
            goto done;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        if (m.status[i] < 0) {
            status = ohmi_fail(err, m.status[i], "stopped early, before all cases were run");
            goto done;
        }
    }
done:
    ohmi_free(m.status);
    ohmi_free(m.errors);
    return status;
}

static bool is_better(const ohmi_case_result *a, const ohmi_case_result *b) {
    return a->node.inferences != b->node.inferences ? a->node.inferences > b->node.inferences
                                                    : a->node.macs > b->node.macs;
}

// An oracle knows the whole trace, and so whether a mechanism pays on it: of the schedulers that
// were run it takes the best that has no more mechanisms than its own.
static void choose_mechanisms(ohm_harvest *h) {
    const int64_t n = ohm_harvest_cases(h);
    for (int64_t i = 0; i < n; i++) {
        const ohmi_case own = ohmi_case_at(h, i);
        const int rank = h->schedulers[own.scheduler];
        if (!ohmi_predictors[h->predictors[own.predictor]].knows) {
            continue;
        }
        const ohmi_case_result *best = ohmi_case_result_of(h, &own);
        ohmi_case at = own;
        int chosen = own.scheduler;
        for (at.scheduler = 0; at.scheduler < h->n_schedulers; at.scheduler++) {
            const ohmi_case_result *other = ohmi_case_result_of(h, &at);
            if (h->schedulers[at.scheduler] < rank && is_better(other, best)) {
                best = other;
                chosen = other->used;
            }
        }
        if (chosen != own.scheduler) {
            at.scheduler = chosen;
            memcpy(h->results + (size_t)i * h->result_bytes, block_of(h, &at), h->result_bytes);
        }
    }
}

ohm_status ohm_harvest_run(ohm_harvest *h, const ohm_harvest_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohm_harvest_def none = {0};
    const ohm_harvest_def *d = def ? def : &none;
    const int64_t n = ohm_harvest_cases(h);
    ohmi_free(h->results);
    h->results = ohmi_alloc((size_t)n, h->result_bytes);
    if (!h->results) {
        status = no_memory(err);
        goto done;
    }
    if (d->communicator && d->communicator->size > 1) {
        const ohm_items_def items = {.n_items = n,
                                     .result_bytes = h->result_bytes,
                                     .results = h->results,
                                     .context = h,
                                     .work = run_case,
                                     .is_stopped = NULL};
        OHM_TRY(ohm_items_run(d->communicator, &items, err));
    } else {
        OHM_TRY(run_here(h, d, err));
    }
    choose_mechanisms(h);
done:
    if (status < 0) {
        ohmi_free(h->results);
        h->results = NULL;
    }
    return status;
}
