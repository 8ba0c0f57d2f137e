// SPDX-License-Identifier: Apache-2.0
// `ohm_bench_harvest`: how long a day of power at steps of 1 ms takes, and what an event costs on
// traces of several lengths. Processor time of one thread: a busy machine disturbs it least.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "harvest/cases.h"
#include "learn/bench_ways.h"

#define DAY_S 86400.0

typedef struct {
    double seconds, generate_s; // of all; of reading the trace alone
    int64_t segments;
    ohmi_node_result node;
} timing;

// one pass over the trace, with a node or without
static ohm_status pass(timing *t, ohm_config *config, const ohmi_node_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_interval segments[OHMI_SEGMENTS];
    ohmi_power *power = NULL;
    ohmi_node_state *node = NULL;
    const double begin_s = ohmi_thread_s();
    OHM_TRY(ohmi_power_open(&power, config->values.power.traces, &config->values, 1, err));
    if (def) {
        OHM_TRY(ohmi_node_new(&node, def, err));
    }
    t->segments = 0;
    for (;;) {
        int n;
        OHM_TRY(ohmi_power_read(segments, &n, power, err));
        if (n == 0) {
            break;
        }
        t->segments += n;
        if (node) {
            ohmi_node_run(node, segments, n);
        }
    }
    if (node) {
        ohmi_node_finish(&t->node, node);
        t->seconds = ohmi_thread_s() - begin_s;
    } else {
        t->generate_s = ohmi_thread_s() - begin_s;
    }
done:
    ohmi_node_free(&node);
    ohmi_power_free(&power);
    return status;
}

static json_t *way_of(const char *name, double length_s, const timing *t) {
    const double own_s = t->seconds - t->generate_s;
    return json_pack("{s:s, s:f, s:I, s:f, s:f, s:I, s:f, s:I, s:f, s:f}", "name", name, "length_s",
                     length_s, "segments", (json_int_t)t->segments, "seconds", t->seconds,
                     "generate_s", t->generate_s, "events", (json_int_t)t->node.events, "event_s",
                     t->node.events > 0 ? own_s / (double)t->node.events : 0.0, "inferences",
                     (json_int_t)t->node.inferences, "harvested_j", t->node.harvested_j, "used_j",
                     t->node.used_j);
}

ohm_status ohm_bench_harvest(char **json, const ohm_bench_def *def, ohm_error *err) {
    // rising parts of a day; wifi has a power of its own in each millisecond of a burst
    static const struct {
        const char *name, *length;
        double length_s;
    } lengths[] = {
        {"864s", "864", DAY_S / 100}, {"8640s", "8640", DAY_S / 10}, {"day", "86400", DAY_S}};
    enum { N_LENGTHS = sizeof lengths / sizeof *lengths };
    ohm_status status = OHM_OK;
    ohm_config *config = NULL;
    ohm_hardware *hardware = NULL;
    ohmi_machine *machine = NULL;
    ohmi_layer_modes *modes = NULL;
    json_t *ways = json_array(), *root = NULL;
    const char *model = def->model ? def->model : "vgg16_bn";
    *json = NULL;
    char expand[40];
    (void)snprintf(expand, sizeof expand, "%.9g", def->expand > 0 ? def->expand : 1);
    OHM_TRY(ohmi_bench_check(def, err));
    OHM_TRY(ohm_config_new(&config, err));
    OHM_TRY(ohm_config_set(config, "network.expand", expand, err));
    OHM_TRY(ohm_config_set(config, "power.traces", "wifi", err));
    OHM_TRY(ohm_config_set(config, "power.step", "0.001", err));
    OHM_TRY(ohm_config_check(config, err));

    // a machine whose parts are all estimated
    OHM_TRY(ohm_hardware_new(&hardware, err));
    OHM_TRY(ohm_hardware_set(hardware, "components", "estimate", err));
    const double begin_s = ohmi_thread_s();
    OHM_TRY(ohmi_machine_new(&machine, model, &config->values, hardware, err));
    OHM_TRY(ohmi_modes_new(&modes, machine, err));
    const double modes_s = ohmi_thread_s() - begin_s;
    for (int i = 0; i < N_LENGTHS; i++) {
        if (def->way && strcmp(def->way, lengths[i].name) != 0) {
            continue;
        }
        double seconds[OHMI_BENCH_REPEATS], generate_s[OHMI_BENCH_REPEATS];
        timing t = {0};
        const ohmi_node_def node = {.machine = machine,
                                    .modes = modes,
                                    .scheduler =
                                        &ohmi_schedulers[ohmi_scheduler_find("resischedule")],
                                    .predictor = &ohmi_predictors[0],
                                    .slot_s = 1e-3,
                                    .margin = 1,
                                    .window = 4,
                                    .depth = machine->n_layers,
                                    .storage_efficiency = 1};
        OHM_TRY(ohm_config_set(config, "power.length", lengths[i].length, err));
        for (int r = 0; r < def->repeats; r++) {
            OHM_TRY(pass(&t, config, NULL, err));
            OHM_TRY(pass(&t, config, &node, err));
            seconds[r] = t.seconds;
            generate_s[r] = t.generate_s;
        }
        t.seconds = ohmi_bench_median(seconds, def->repeats);
        t.generate_s = ohmi_bench_median(generate_s, def->repeats);
        json_array_append_new(ways, way_of(lengths[i].name, lengths[i].length_s, &t));
    }
    if (json_array_size(ways) == 0) {
        static const char *const names[] = {"864s", "8640s", "day"};
        status = ohmi_bench_no_way(def->way, names, N_LENGTHS, err);
        goto done;
    }
    root = json_pack("{s:i, s:s, s:o, s:s, s:i, s:s, s:i, s:f, s:O}", "schema", 1, "program",
                     "ohmwise", "machine", ohmi_bench_machine(), "model", model, "threads", 1,
                     "seconds", "of the processor, one thread, medians of the repeats", "repeats",
                     def->repeats, "modes_s", modes_s, "ways", ways);
    OHM_TRY(ohmi_bench_text(json, root, err));
done:
    json_decref(ways);
    ohmi_modes_free(&modes, machine ? machine->n_layers : 0);
    ohmi_machine_free(&machine);
    ohm_hardware_free(&hardware);
    ohm_config_free(&config);
    return status;
}
