// SPDX-License-Identifier: Apache-2.0
// Setting up all cases; see cases.h and ohmwise/harvest.h. Running them: run_cases.c.
#include "harvest/cases.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "config/access.h"

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
        ohmi_level_set_free(&network->levels);
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

bool ohmi_harvest_is_adaptive(const ohm_harvest *h) {
    bool is_adaptive = false;
    for (int i = 0; i < h->n_schedulers; i++) {
        is_adaptive = is_adaptive || ohmi_schedulers[h->schedulers[i]].has_levels;
    }
    return is_adaptive;
}

// levels are of learned runs, and fall from 1
static ohm_status check_levels(const ohm_harvest *h, ohm_error *err) {
    const ohmi_numbers *parts = &h->values->harvest.levels;
    bool is_falling = parts->n >= 1 && parts->n <= OHMI_MOST_LEVELS && parts->v[0] >= 1;
    for (int i = 0; i < parts->n; i++) {
        is_falling = is_falling && parts->v[i] > 0 && (i == 0 || parts->v[i] < parts->v[i - 1]);
    }
    if (!is_falling) {
        ohm_status status =
            ohmi_fail(err, OHM_ERR_CONFIG, "'harvest.levels' must fall from 1, at most %d of them",
                      (int)OHMI_MOST_LEVELS);
        ohmi_hint(err, "harvest.levels=[1, 0.75, 0.5]");
        return status;
    }
    for (int i = 0; i < h->n_networks && ohmi_harvest_is_adaptive(h); i++) {
        if (h->networks[i].machine->task < 0) {
            ohm_status status = ohmi_fail(err, OHM_ERR_CONFIG,
                                          "'adaptive' needs a learned run, but '%s' is a model",
                                          h->networks[i].machine->name);
            ohmi_hint(err, "the accuracy of each level is measured: harvest.networks=RUN");
            return status;
        }
    }
    return OHM_OK;
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
    h->hardware = *hardware;
    (void)snprintf(h->preset, sizeof h->preset, "%s", hardware->values.name);
    const ohmi_config *v = h->values;
    OHM_TRY(read_rows(h->schedulers, &h->n_schedulers, "harvest.schedulers", v->harvest.schedulers,
                      ohmi_scheduler_find,
                      "full, tiling, duplication, resischedule, adaptive, volatile", err));
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
    OHM_TRY(check_levels(h, err));
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

int64_t ohmi_case_index(const ohm_harvest *h, const ohmi_case *at) {
    return (((int64_t)at->trace * h->n_networks + at->network) * h->n_predictors + at->predictor) *
               h->n_schedulers +
           at->scheduler;
}

static const uint8_t *block_of(const ohm_harvest *h, const ohmi_case *at) {
    return h->results + (size_t)ohmi_case_index(h, at) * h->result_bytes;
}

const ohmi_case_result *ohmi_case_result_of(const ohm_harvest *h, const ohmi_case *at) {
    return (const ohmi_case_result *)(const void *)block_of(h, at);
}

const ohmi_node_point *ohmi_case_points_of(const ohm_harvest *h, const ohmi_case *at) {
    return (const ohmi_node_point *)(const void *)(block_of(h, at) + sizeof(ohmi_case_result));
}
