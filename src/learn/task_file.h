// SPDX-License-Identifier: Apache-2.0
// tasks.json of a run: what its tasks are, so that the run can be used without its data set.
//
//   {"schema": 1, "height", "width", "channels",          of every image, pixels
//    "tasks": [{"name", "classes": [names in the order of the logits],
//               "mean": [a number a channel], "deviation": [...]}]}   of pixels as 0 .. 1
#ifndef OHMI_TASK_FILE_H
#define OHMI_TASK_FILE_H

#include "data/tasks.h"

// Writes the file, whole.
OHM_NODISCARD ohm_status ohmi_task_file_write(const char *path, const ohmi_tasks *tasks,
                                              ohm_error *err);

// Reads it: tasks without images. OHM_ERR_IO when there is no such file. Free with ohmi_tasks_free.
OHM_NODISCARD ohm_status ohmi_task_file_read(ohmi_tasks **out, const char *path, ohm_error *err);

#endif
