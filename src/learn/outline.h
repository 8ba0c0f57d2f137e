// SPDX-License-Identifier: Apache-2.0
// The outline of tasks without their images: what building a run's network needs when its data set
// is not at hand.
#ifndef OHMI_OUTLINE_H
#define OHMI_OUTLINE_H

#include "data/tasks.h"
#include "file/safetensors.h"

// Outlines of n_tasks tasks of n_classes[t] classes each, without images. Free with
// ohmi_tasks_free.
OHM_NODISCARD ohm_status ohmi_outline_new(ohmi_tasks **out, int n_tasks, const int *n_classes,
                                          int channels, int height, int width, ohm_error *err);

// The outline of the tasks that a checkpoint was learned on: number of tasks, classes of those that
// it has (2 for those to come), and an image size that gives a network of its tensors.
OHM_NODISCARD ohm_status ohmi_outline_read(ohmi_tasks **out, const ohmi_config *config,
                                           const ohmi_tensors *checkpoint, ohm_error *err);

// The network's width factor that a config asks for.
double ohmi_outline_width(const ohmi_config *config);

#endif
