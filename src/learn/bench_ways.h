// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of whole networks share: tasks of random images, learners in the middle of
// task 2 of 20, figures of repeated times.
#ifndef OHMI_BENCH_WAYS_H
#define OHMI_BENCH_WAYS_H

#include <jansson.h>

#include "data/loader.h"
#include "learn/learner.h"
#include "ohmwise/config.h"
#include "ohmwise/system.h"

enum { OHMI_BENCH_REPEATS = 1000, OHMI_BENCH_TASKS = 20 };

// One way to do the same work: its learner, its loader and the times it took.
typedef struct {
    const char *name;
    ohm_config *config;
    ohmi_learner *learner;
    ohmi_loader *loader;
    double seconds[OHMI_BENCH_REPEATS];
    double median_s, loader_s, grow_s;
    int way;
} ohmi_contestant;

// Tasks of random images, all tasks the same: n images of def->image_size in 5 classes. task: of
// OHMI_BENCH_TASKS, kept by the caller; free with ohmi_bench_drop_images, also after a failure.
OHM_NODISCARD ohm_status ohmi_bench_images(ohmi_tasks *tasks, ohmi_task *task, int64_t n,
                                           const ohm_bench_def *def, ohm_error *err);
void ohmi_bench_drop_images(ohmi_task *task);

// Makes a learner with method and bits ("0" = float) whose first task is there and whose second is
// in training (method "dense": the first), and its loader. It learns the part `parts->rank` of each
// batch, all of it where there is one part; parts is borrowed.
OHM_NODISCARD ohm_status ohmi_contestant_make(ohmi_contestant *c, const ohm_bench_def *def,
                                              const char *method, const char *bits,
                                              const ohmi_tasks *tasks,
                                              const ohm_communicator *parts, ohm_error *err);
void ohmi_contestant_drop(ohmi_contestant *c);

// One training step with its batch from the loader; *seconds of both.
OHM_NODISCARD ohm_status ohmi_contestant_step(ohmi_contestant *c, const ohmi_tasks *tasks,
                                              double *seconds, ohm_error *err);

// Sorts n times; the median, and the distance of the quartiles over it.
double ohmi_bench_median(double *seconds, int n);
double ohmi_bench_spread(const double *sorted, int n);

// The factor on the widths of def->expand, which is one on the parameters.
double ohmi_bench_width(const ohm_bench_def *def);

// OHM_ERR_ARGUMENT where the number of repeats is out of range.
OHM_NODISCARD ohm_status ohmi_bench_check(const ohm_bench_def *def, ohm_error *err);

// The error of a way that is not among n names, with the nearest of them.
ohm_status ohmi_bench_no_way(const char *way, const char *const *names, int n, ohm_error *err);

// {"cpu", "flags": [..], "threads", "compiler"}
json_t *ohmi_bench_machine(void);

// A document as text for the caller; takes root over.
OHM_NODISCARD ohm_status ohmi_bench_text(char **json, json_t *root, ohm_error *err);

#endif
