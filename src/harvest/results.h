// SPDX-License-Identifier: Apache-2.0
// Figures of cases, as harvest.json, the tables and the page show them.
#ifndef OHMI_HARVEST_RESULTS_H
#define OHMI_HARVEST_RESULTS_H

#include <jansson.h>

#include "harvest/cases.h"

// Published for ResiRCA with ResiSchedule over a crossbar accelerator whose scheduling does not
// know of intermittent power (HPCA 2020, abstract): averages of throughput and energy efficiency.
#define OHMI_PUBLISHED_THROUGHPUT 8.0
#define OHMI_PUBLISHED_EFFICIENCY 14.0

// Of a scheduler against a baseline on the same traces, over seeds: multiply-accumulates done
// (parts of images count too), and these over the energy used. n = 0 where the baseline finished no
// image on some seed.
typedef struct {
    double throughput, throughput_sd, efficiency, efficiency_sd;
    int n;
} ohmi_harvest_ratio;

// trace: any index of the trace's seeds.
// baseline: index of the scheduler that is compared with, in the list of those run; -1 = none.
ohmi_harvest_ratio ohmi_harvest_ratio_of(const ohm_harvest *harvest, const ohmi_case *at,
                                         int baseline);
// The index of a scheduler in the list; -1 when it was not run.
int ohmi_harvest_scheduler(const ohm_harvest *harvest, const char *name);
// Mean accuracy of the images that were done, each at its level's; NaN without levels or images.
double ohmi_harvest_accuracy(const ohmi_level_set *set, const ohmi_node_result *result);
// The first index of a trace's seeds, and how many there are.
int ohmi_harvest_first_seed(const ohm_harvest *harvest, int trace, int *n_seeds);

// The results as a JSON tree, for json_decref; NULL when memory is out.
json_t *ohmi_harvest_tree(const ohm_harvest *harvest);

extern const char ohmi_harvest_note[]; // that this is a reconstruction, a sentence

#endif
