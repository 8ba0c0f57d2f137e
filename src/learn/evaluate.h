// SPDX-License-Identifier: Apache-2.0
// Measuring a task on its test images.
#ifndef OHMI_EVALUATE_H
#define OHMI_EVALUATE_H

#include "learn/learner.h"

typedef struct {
    double accuracy, loss;
    double digest[4]; // SHA-256 of the logits (float32, images x classes), 4 x 52 bits
    double seconds, switch_seconds;
} ohmi_evaluation;

// Runs images of task t (0-based) in order through the network as it is; switch_seconds is 0.
OHM_NODISCARD ohm_status ohmi_measure_images(ohmi_evaluation *out, ohmi_learner *learner, int t,
                                             const ohmi_images *images, bool quantised,
                                             float *logits, ohm_error *err);

// Switches to task t (0-based) and runs its test images in order. quantised: with the roundings.
// logits (nullable): (images, classes) of the task. The learner's network is left at that task.
OHM_NODISCARD ohm_status ohmi_evaluate(ohmi_evaluation *out, ohmi_learner *learner, int t,
                                       bool quantised, float *logits, ohm_error *err);

#endif
