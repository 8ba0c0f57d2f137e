// SPDX-License-Identifier: Apache-2.0
// Which classes of which set form each task, before any image is copied.
#ifndef OHMI_SPLIT_H
#define OHMI_SPLIT_H

#include "config/config.h"
#include "data/set.h"

typedef struct {
    const ohmi_set *set; // borrowed
    char name[128];
    int n_classes;
    int32_t *classes; // (n_classes) labels of the set; the task's label k is classes[k]
} ohmi_plan;

typedef struct {
    int n;
    ohmi_plan *plan; // (n)
} ohmi_plans;

// Splits sets (n_sets; 1 unless the split is by sets) as config->data says.
OHM_NODISCARD ohm_status ohmi_split_classes(ohmi_plans *plans, ohmi_set *const *sets, int n_sets,
                                            const ohmi_config *config, ohm_error *err);
void ohmi_split_free(ohmi_plans *plans);

#endif
