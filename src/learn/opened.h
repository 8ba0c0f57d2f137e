// SPDX-License-Identifier: Apache-2.0
// A run folder opened for use, not for learning: its network and tasks, without their images. What
// the tasks are is in tasks.json; runs that have none are outlined by their checkpoint, and then
// mean, deviation and names of classes are not known.
#ifndef OHMI_OPENED_H
#define OHMI_OPENED_H

#include "learn/learner.h"
#include "ohmwise/config.h"

typedef struct {
    ohm_config *config;
    ohmi_config *values; // the config's, with the batch that was asked for
    ohmi_tasks *tasks;
    ohmi_learner *learner;
    bool has_task_file;
} ohmi_opened;

// Opens a run with a network for `batch` images. backend: NULL = the run's. Close it whatever is
// returned.
OHM_NODISCARD ohm_status ohmi_opened_open(ohmi_opened *run, const char *folder, int batch,
                                          const char *backend, ohm_error *err);
void ohmi_opened_close(ohmi_opened *run); // fine on a zeroed one

// Demands that task (0-based) is learned and that its weights are there.
OHM_NODISCARD ohm_status ohmi_opened_check_task(const ohmi_opened *run, int task, ohm_error *err);

#endif
