// SPDX-License-Identifier: Apache-2.0
// What rides along with training: whoever wants to see every step of a run, change what arrays
// hold, count, and have its state in the run's checkpoints. The trainer knows nothing else of it.
//
//   begin                                     once, when the learner is made (and its backbone
//                                             read), before a checkpoint is read
//   refresh                                   before the first batch of an epoch, and where a
//                                             phase measures
//   after_step                                of every batch
//   after_epoch                               rows for metrics.csv
//   freeze                                    before a task's weights are kept and measured
//
// The network's product and error_hook, and the units' cells, are set by begin where they are
// wanted; the learner frees none of them.
#ifndef OHMI_RIDER_H
#define OHMI_RIDER_H

#include "learn/learner.h"
#include "ohmwise/learn.h"
#include "tensor/view.h"

// Adds a row to metrics.csv, for the current step, epoch and task.
typedef ohm_status ohmi_rider_row(void *context, const char *split, const char *name, double value,
                                  const char *unit, ohm_error *err);

typedef struct ohmi_rider {
    const char *name; // of the command: a run is resumed by the one that began it
    void *context;
    ohm_status (*begin)(void *context, ohmi_learner *learner, ohm_error *err);
    // What checkpoints keep, as views of memory that stays where it is; returns their number. The
    // same after begin whatever was learned. views = NULL: only counts.
    int (*views)(void *context, ohmi_view *views);
    // weights or owners may have changed outside of a step, and are about to be used
    void (*refresh)(void *context, ohmi_learner *learner);
    void (*after_step)(void *context, ohmi_learner *learner);
    ohm_status (*after_epoch)(void *context, ohmi_learner *learner, ohmi_rider_row *row,
                              void *row_context, ohm_error *err);
    void (*freeze)(void *context, ohmi_learner *learner);
} ohmi_rider;

// ohm_learn with a rider, which learns a batch in one part.
OHM_NODISCARD ohm_status ohmi_learn_with(ohm_config *config, const ohm_learn_def *def,
                                         const ohmi_rider *rider, ohm_error *err);

#endif
