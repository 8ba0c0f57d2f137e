// SPDX-License-Identifier: Apache-2.0
// Everything that `ohmwise harvest` compares: traces x seeds x networks x schedulers x predictors.
#ifndef OHMI_CASES_H
#define OHMI_CASES_H

#include "config/values.h"
#include "harvest/levels.h"
#include "harvest/node.h"
#include "ohmwise/harvest.h"

enum { OHMI_MOST_LISTED = 64 }; // of a list in the config

// A trace with a seed.
typedef struct {
    const char *name; // as in the config
    uint64_t seed;
    bool is_random; // a generator is in it
    ohmi_power_statistics *statistics;
} ohmi_case_trace;

// A network.
typedef struct {
    ohmi_machine *machine;
    ohmi_layer_modes *modes; // (machine->n_layers)
    ohmi_level_set *levels;  // of a run, for adaptive; NULL = not made yet
    double threshold_w;      // least power at which anything can be done, of its worst layer
    double full_w;           // power that the whole of its largest layer takes
} ohmi_case_network;

// What came out of a case; one block, so that ranks can send it.
typedef struct {
    ohmi_node_result node;
    double bound; // images that any schedule could finish
    double scale; // of the trace
    int used;     // index of the scheduler whose modes were taken: an oracle may leave some unused
} ohmi_case_result;

struct ohm_harvest {
    ohm_config *config;        // of its own
    const ohmi_config *values; // of that
    ohm_hardware hardware;
    char preset[OHMI_TEXT]; // of the hardware
    char *trace_text, *network_text;
    ohmi_case_trace *traces; // (n_traces) seeds of a trace together
    int n_traces;
    ohmi_case_network *networks; // (n_networks)
    int n_networks;
    int schedulers[OHMI_N_SCHEDULERS], predictors[OHMI_N_PREDICTORS];
    int n_schedulers, n_predictors;
    size_t result_bytes; // a result and its timeline
    uint8_t *results;    // (n_cases, result_bytes); NULL = not run
};

// Case (trace, network, scheduler, predictor) of the lists.
typedef struct {
    int trace, network, scheduler, predictor;
} ohmi_case;

ohmi_case ohmi_case_at(const ohm_harvest *harvest, int64_t i);
int64_t ohmi_case_index(const ohm_harvest *harvest, const ohmi_case *at);
// Whether one of the schedulers takes levels.
bool ohmi_harvest_is_adaptive(const ohm_harvest *harvest);
const ohmi_case_result *ohmi_case_result_of(const ohm_harvest *harvest, const ohmi_case *at);
const ohmi_node_point *ohmi_case_points_of(const ohm_harvest *harvest, const ohmi_case *at);

// Cuts a list at its commas, in place, into at most OHMI_MOST_LISTED words; 0 with an error.
int ohmi_list_cut(char **words, char *text, const char *key, ohm_error *err);

#endif
