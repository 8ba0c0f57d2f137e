// SPDX-License-Identifier: Apache-2.0
// Tasks: what is learned one after another. Each task has its own classes, images and
// normalisation.
#ifndef OHMI_TASKS_H
#define OHMI_TASKS_H

#include <stdint.h>

#include "config/config.h"
#include "ohmwise/status.h"

typedef struct {
    int64_t n;
    uint8_t *pixels; // (n, height, width, channels), raw bytes 0..255, row major
    int32_t *labels; // (n), 0 .. n_classes-1 of the task
} ohmi_images;

typedef struct {
    char name[128]; // "aquatic_mammals"; names of the classes joined when nothing better
    int n_classes;
    char (*class_names)[64];             // (n_classes)
    ohmi_images train, validation, test; // validation.n may be 0
    float mean[4];                       // per channel of the task's train images, in 0..1 units
    float deviation[4];                  // likewise
} ohmi_task;

typedef struct {
    int n_tasks;
    ohmi_task *task;                 // (n_tasks)
    int height, width, channels;     // of every image of every task, as the network takes it
    int stored_height, stored_width; // of what lies in memory, of which that is cut; 0 = the same
    char source[256];                // what was read, for the manifest
    char sha256[65];                 // digest over all pixels and labels in task order
} ohmi_tasks;

// Reads the data set(s) of a config and splits them into tasks.
// folder: the user's data folder, may be NULL. Free with ohmi_tasks_free.
OHM_NODISCARD ohm_status ohmi_tasks_load(ohmi_tasks **out, const ohmi_config *config,
                                         const char *folder, ohm_error *err);
void ohmi_tasks_free(ohmi_tasks **tasks);

#endif
