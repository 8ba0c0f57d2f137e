// SPDX-License-Identifier: Apache-2.0
// Running all cases, over threads or ranks; what was done when a run is stopped is kept. See
// cases.h and ohmwise/harvest.h.
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "harvest/bound.h"
#include "harvest/cases.h"
#include "harvest/kept.h"

enum { HEAD_BYTES = 64 }; // before a case's block among items, so that it stays aligned

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the cases of harvested power");
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

// levels of a network for a trace
static ohm_status fill_levels(ohmi_node_level *levels, const ohm_harvest *h, const ohmi_case *at,
                              double scale, ohm_error *err) {
    const ohmi_case_network *network = &h->networks[at->network];
    const ohmi_level_set *set = network->levels;
    double from_w[OHMI_MOST_LEVELS], limit_s = h->values->harvest.level_s;
    if (limit_s <= 0) {
        const double mean_w = h->traces[at->trace].statistics->mean_w * scale;
        limit_s = ohmi_image_s(network->machine, network->modes, mean_w);
    }
    const ohm_status status = ohmi_level_powers(from_w, set, limit_s, err);
    for (int v = 0; v < set->n && status >= 0; v++) {
        levels[v] = (ohmi_node_level){set->level[v].machine, set->level[v].modes, from_w[v]};
    }
    return status;
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
    ohmi_node_level levels[OHMI_MOST_LEVELS];
    ohmi_power_statistics *scaled = ohmi_alloc(1, sizeof *scaled);
    if (!scaled) {
        status = no_memory(err);
        goto done;
    }
    const ohmi_scheduler *scheduler = &ohmi_schedulers[h->schedulers[at.scheduler]];
    const bool has_levels = scheduler->has_levels && network->levels;
    const int n_layers = network->machine->n_layers;
    const int depth =
        v->harvest.depth > 0 && v->harvest.depth < n_layers ? (int)v->harvest.depth : n_layers;
    *result = (ohmi_case_result){.scale = scale_of(h, &at), .used = at.scheduler};
    if (has_levels) {
        OHM_TRY(fill_levels(levels, h, &at, result->scale, err));
    }
    const ohmi_node_def def = {
        .machine = network->machine,
        .modes = network->modes,
        .levels = has_levels ? levels : NULL,
        .n_levels = has_levels ? network->levels->n : 1,
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
    OHM_TRY(ohmi_bound_images(&result->bound, has_levels ? network->levels->any : network->modes,
                              n_layers, scaled, v->storage.energy_j > 0, err));
done:
    ohmi_power_free(&power);
    ohmi_node_free(&node);
    ohmi_free(scaled);
    return status;
}

// What is run: the cases that are not done yet, over threads or ranks.
typedef struct {
    ohm_harvest *harvest;
    const ohm_harvest_def *def;
    uint8_t *is_done; // (n_cases)
    int64_t *items;   // (n_items) cases that are not
    int64_t n_items, n_cases;
    ohm_status *status; // (n_items)
    ohm_error *errors;  // (n_threads) of the first failure of each
    _Atomic int64_t n_done;
} many;

static int is_stopped(void *context) {
    const many *m = context;
    return m->def->is_stopped ? m->def->is_stopped(m->def->context) : 0;
}

static void tell(many *m) {
    const int64_t n_done = ++m->n_done;
    if (m->def->progress) {
        m->def->progress(m->def->context, n_done, m->n_cases);
    }
}

static void run_some(void *context, int64_t begin, int64_t end, int thread) {
    many *m = context;
    ohm_harvest *h = m->harvest;
    for (int64_t i = begin; i < end; i++) {
        if (is_stopped(m)) {
            m->status[i] = OHM_ERR_INTERRUPTED;
            continue;
        }
        ohm_error err = {0};
        const int64_t at = m->items[i];
        m->status[i] = run_case(h, at, h->results + (size_t)at * h->result_bytes, &err);
        if (m->status[i] < 0) {
            m->errors[thread] = m->errors[thread].status == OHM_OK ? err : m->errors[thread];
            continue;
        }
        m->is_done[at] = 1;
        tell(m);
    }
}

static ohm_status run_here(many *m, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int n_threads = ohmi_threads();
    m->status = ohmi_alloc((size_t)m->n_items, sizeof *m->status);
    m->errors = ohmi_alloc((size_t)n_threads, sizeof *m->errors);
    if (!m->status || !m->errors) {
        status = no_memory(err);
        goto done;
    }
    ohmi_parallel(m->n_items, 1, run_some, m);
    for (int t = 0; t < n_threads; t++) {
        if (m->errors[t].status < 0) {
            status = m->errors[t].status;
            if (err) {
                *err = m->errors[t];
            }
            goto done;
        }
    }
    for (int64_t i = 0; i < m->n_items; i++) {
        status = m->status[i] < 0 ? m->status[i] : status;
    }
done:
    ohmi_free(m->status);
    ohmi_free(m->errors);
    return status;
}

// one of the cases that are not done, on a rank: whether it was done, then its block
static ohm_status run_item(void *context, int64_t item, void *block, ohm_error *err) {
    many *m = context;
    uint8_t *bytes = block;
    const ohm_status status = run_case(m->harvest, m->items[item], bytes + HEAD_BYTES, err);
    bytes[0] = 1;
    if (status >= 0 && m->def->communicator->rank == 0) {
        tell(m);
    }
    return status;
}

static ohm_status run_on_ranks(many *m, ohm_error *err) {
    ohm_harvest *h = m->harvest;
    const size_t bytes = HEAD_BYTES + h->result_bytes;
    uint8_t *blocks = ohmi_alloc((size_t)m->n_items, bytes);
    ohm_status status = blocks ? OHM_OK : no_memory(err);
    status = ohm_communicator_agree(m->def->communicator, status, err);
    if (status >= 0) {
        const ohm_items_def items = {.n_items = m->n_items,
                                     .result_bytes = bytes,
                                     .results = blocks,
                                     .context = m,
                                     .work = run_item,
                                     .is_stopped = is_stopped};
        status = ohm_items_run(m->def->communicator, &items, err);
    }
    for (int64_t i = 0; blocks && i < m->n_items; i++) {
        const uint8_t *block = blocks + (size_t)i * bytes;
        if (block[0]) {
            m->is_done[m->items[i]] = 1;
            memcpy(h->results + (size_t)m->items[i] * h->result_bytes, block + HEAD_BYTES,
                   h->result_bytes);
        }
    }
    ohmi_free(blocks);
    return status;
}

// the levels of all runs, where some scheduler takes them
static ohm_status make_levels(ohm_harvest *h, const ohm_harvest_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    for (int i = 0; i < h->n_networks && ohmi_harvest_is_adaptive(h); i++) {
        ohmi_case_network *network = &h->networks[i];
        if (!network->levels) {
            OHM_TRY(ohmi_level_set_new(&network->levels, network->machine->name, h->values,
                                       &h->hardware, def->data_folder, def->backend, err));
        }
    }
done:
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
        const int rank = ohmi_schedulers[h->schedulers[own.scheduler]].mechanisms;
        if (!ohmi_predictors[h->predictors[own.predictor]].knows) {
            continue;
        }
        const ohmi_case_result *best = ohmi_case_result_of(h, &own);
        ohmi_case at = own;
        int chosen = own.scheduler;
        for (at.scheduler = 0; at.scheduler < h->n_schedulers; at.scheduler++) {
            const ohmi_case_result *other = ohmi_case_result_of(h, &at);
            if (ohmi_schedulers[h->schedulers[at.scheduler]].mechanisms < rank &&
                is_better(other, best)) {
                best = other;
                chosen = other->used;
            }
        }
        if (chosen != own.scheduler) {
            at.scheduler = chosen;
            memcpy(h->results + (size_t)i * h->result_bytes,
                   h->results + (size_t)ohmi_case_index(h, &at) * h->result_bytes, h->result_bytes);
        }
    }
}

// reads what a run that was stopped has kept, the same on all ranks
static ohm_status take_kept(many *m, const char *digest, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohm_communicator *c = m->def->communicator;
    ohm_harvest *h = m->harvest;
    if (m->def->keep_path && c->rank == 0) {
        status = ohmi_kept_read(m->is_done, h, m->def->keep_path, digest, err);
    }
    OHM_TRY(ohm_communicator_agree(c, status, err));
    if (m->def->keep_path && c->size > 1) {
        OHM_TRY(c->broadcast(c->context, m->is_done, (size_t)m->n_cases, 0, err));
        OHM_TRY(c->broadcast(c->context, h->results, (size_t)m->n_cases * h->result_bytes, 0, err));
    }
    for (int64_t i = 0; i < m->n_cases; i++) {
        if (!m->is_done[i]) {
            m->items[m->n_items++] = i;
        }
    }
    m->n_done = m->n_cases - m->n_items;
done:
    return status;
}

// says how far a run that was stopped is, and keeps it
static ohm_status keep(const many *m, const char *digest, ohm_error *err) {
    ohm_status status = OHM_OK;
    int64_t n_done = 0;
    for (int64_t i = 0; i < m->n_cases; i++) {
        n_done += m->is_done[i];
    }
    if (m->def->keep_path && m->def->communicator->rank == 0 && n_done > 0) {
        OHM_TRY(ohmi_kept_write(m->is_done, m->harvest, m->def->keep_path, digest, err));
    }
    status = ohmi_fail(err, OHM_ERR_INTERRUPTED, "stopped early: %lld of %lld cases are done",
                       (long long)n_done, (long long)m->n_cases);
    if (m->def->keep_path && n_done > 0) {
        ohmi_hint(err, "the same command goes on");
    }
done:
    return status;
}

ohm_status ohm_harvest_run(ohm_harvest *h, const ohm_harvest_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    char digest[65];
    ohm_harvest_def d = def ? *def : (ohm_harvest_def){0};
    d.communicator = d.communicator ? d.communicator : ohm_communicator_alone();
    const int64_t n = ohm_harvest_cases(h);
    many m = {.harvest = h,
              .def = &d,
              .n_cases = n,
              .is_done = ohmi_alloc((size_t)n, 1),
              .items = ohmi_alloc((size_t)n, sizeof *m.items)};
    ohmi_free(h->results);
    h->results = ohmi_alloc((size_t)n, h->result_bytes);
    status = h->results && m.is_done && m.items ? make_levels(h, &d, err) : no_memory(err);
    if (status >= 0) {
        status = ohmi_kept_digest(digest, h, err);
    }
    OHM_TRY(ohm_communicator_agree(d.communicator, status, err));
    OHM_TRY(take_kept(&m, digest, err));
    if (m.n_items > 0) {
        status = d.communicator->size > 1 ? run_on_ranks(&m, err) : run_here(&m, err);
    }
    if (status == OHM_ERR_INTERRUPTED) {
        status = keep(&m, digest, err);
    }
    if (status >= 0) {
        choose_mechanisms(h);
    }
done:
    if (status < 0) {
        ohmi_free(h->results);
        h->results = NULL;
    }
    ohmi_free(m.is_done);
    ohmi_free(m.items);
    return status;
}
