// SPDX-License-Identifier: Apache-2.0
// One training step of the task in training.
#ifndef OHMI_STEP_H
#define OHMI_STEP_H

#include "learn/learner.h"

// effective weights -> forward -> loss -> backward -> update, or what the phase puts in its place.
// Advances the position. OHM_ERR_NUMERIC when the loss is not finite. Allocates nothing.
// With a part of a batch (whole.h) all parts make the step of the whole batch; every part must
// call.
OHM_NODISCARD ohm_status ohmi_train_step(ohmi_learner *learner, const ohmi_batch *batch,
                                         ohm_error *err);

// Whether all weights, and what the task in training has of its own, are finite numbers.
bool ohmi_learner_is_finite(const ohmi_learner *learner);

// OHM_ERR_NUMERIC: what ("the loss") is not finite at the position.
ohm_status ohmi_diverged(const ohmi_learner *learner, const char *what, ohm_error *err);

// Steps of a whole task at most: all phases, all rounds.
int64_t ohmi_steps_of_task(const ohmi_learner *learner, int t);

#endif
