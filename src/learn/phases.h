// SPDX-License-Identifier: Apache-2.0
// A task's training as a list of phases, one list a kind of growth:
//
//   none, drop_and_grow, dense, all   train
//   prune_once        train, retrain            (PackNet)
//   prune_gradually   train, prune (rounds), retrain from the second task on     (CPG)
//   choose            choose, train             (XMA2, a reconstruction)
//
// Lengths: a phase has max(1, round(part train.epochs)) epochs, part = 1 for "train" and a key of
// the config for the others, so that one number scales all methods alike. Each phase begins with
// moments at zero, and its schedule runs over its own epochs.
//
// The rounds of prune_gradually, with r the ratio of a round, a the training accuracy of its last
// epoch (as training sees it) and v the accuracy, as the network would be kept, on the images held
// out, or without any on the training images:
//   goal       method.goal, or v after "train"; without images held out train_goal
//   met        a > train_goal and v >= goal after "train"
//   met:       a round is kept when a > train_goal and v >= goal; rounds end when a <= train_goal
//   not met:   rounds up to r = 1 - max(0.1, round(1 / (tasks left + 1), 1)), each kept: later
//   tasks
//              need room
//   the kept round of the largest r is gone back to (none: the state after "train")
// Retraining ends after `patience` epochs without a better accuracy on the images held out (without
// any: on the training images), and goes back to the best (CPG: Hung et al., NeurIPS 2019, and its
// published code, which measures on test images).
#ifndef OHMI_PHASES_H
#define OHMI_PHASES_H

#include "learn/learner.h"

typedef struct {
    const char *name;
    // epochs as part of train.epochs, 0 = the phase is left out for task t; factors on train.lr and
    // train.mask_lr
    double (*part)(const ohmi_learner *learner, int t);
    double (*lr)(const ohmi_config *config);
    double (*mask_lr)(const ohmi_config *config);
    bool has_rounds;   // once for each of method.prune_ratios at most
    bool is_scheduled; // rates follow train.schedule; else they are constant
    // what happens when it begins; before the forward pass of a step; whether something takes the
    // place of the weights' step; after the step. Each may be NULL
    void (*begin)(ohmi_learner *learner, int t);
    void (*before)(ohmi_learner *learner, int t);
    bool (*instead)(ohmi_learner *learner, int t);
    void (*after)(ohmi_learner *learner, int t);
    // after an epoch: whether the phase ends early; when it ends: what comes next. May be NULL
    ohm_status (*after_epoch)(ohmi_learner *learner, int t, bool *is_over, ohm_error *err);
    ohm_status (*end)(ohmi_learner *learner, int t, ohm_error *err);
} ohmi_phase;

// The phase that the task in training is in.
const ohmi_phase *ohmi_phase_now(const ohmi_learner *learner);

// Whether all phases of the task in training are done.
bool ohmi_phases_are_over(const ohmi_learner *learner);

// Begins the phase where that is due, or the next that has epochs.
void ohmi_phase_enter(ohmi_learner *learner, int t);

// Epochs and steps of the current phase.
int64_t ohmi_phase_epochs(const ohmi_learner *learner, int t);
int64_t ohmi_phase_steps(const ohmi_learner *learner, int t);

// What follows an epoch, which position.epoch counts already: the next round or phase where this
// one is done.
OHM_NODISCARD ohm_status ohmi_phase_after_epoch(ohmi_learner *learner, int t, ohm_error *err);

// Epochs of a task at most, all phases and rounds; steps of an epoch.
int64_t ohmi_epochs_of_task(const ohmi_learner *learner, int t);
int64_t ohmi_steps_of_epoch(const ohmi_learner *learner, int t);

// The number of phases of the learner's method.
int ohmi_n_phases(const ohmi_learner *learner);

// Sparsity after part p of the ramp from one ratio to the next: to + (from - to)(1 - p)^3.
double ohmi_prune_curve(double from, double to, double p);

// 1 - max(0.1, round(1 / (n_left + 1), 1)): what must be given back for n_left later tasks.
double ohmi_prune_room(int n_left);

#endif
