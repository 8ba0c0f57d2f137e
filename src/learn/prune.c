// SPDX-License-Identifier: Apache-2.0
// Giving back what a task does not need, and returning to a state that training had before.
//
//   claimed = units that the task has + free units of the layer (it has claimed all free ones)
//   kept    = claimed - round(ratio claimed), at least 1: those of the largest sum |w|
//
// Units given back are zero and free, for later tasks (PackNet: Mallya and Lazebnik, CVPR 2018;
// CPG: Hung et al., NeurIPS 2019, which ranks own and released weights of a layer together).
#include <math.h>
#include <string.h>

#include "learn/learner.h"

void ohmi_learner_prune(ohmi_learner *learner, int t, double ratio) {
    for (int i = 0; i < learner->network->n_layers; i++) {
        ohmi_units *units = &learner->units[i];
        float *w = learner->network->layers[i].w;
        const uint8_t mine = (uint8_t)(t + 1);
        const int64_t n = units->layout.n_units;
        int64_t n_claimed = 0;
        for (int64_t u = 0; u < n; u++) {
            n_claimed += units->own[u] == mine || units->own[u] == 0;
        }
        int64_t n_kept = n_claimed - llround(ratio * (double)n_claimed);
        n_kept = n_kept > 0 ? n_kept : 1;
        if (n_kept >= units->budget) {
            continue;
        }
        ohmi_score_units(units, w, mine, mine, NULL);
        ohmi_choose_largest(units->on, units->score, n, n_kept);
        units->made_for = 0; // `on` was scratch here
        for (int64_t u = 0; u < n; u++) {
            if (units->own[u] == mine && !units->on[u]) {
                units->own[u] = 0;
                ohmi_clear_unit(units, w, u);
            }
        }
        units->budget = n_kept;
    }
}

// copies the state of a layer to or from what is kept of it
static void copy_state(float *to, const float *from, int64_t n) {
    if (to && from) {
        memcpy(to, from, (size_t)n * sizeof *to);
    }
}

void ohmi_learner_keep(ohmi_learner *learner, int t) {
    const ohmi_task_parameters *task = learner->learned[t].parameters;
    for (int i = 0; i < learner->network->n_layers; i++) {
        ohmi_units *units = &learner->units[i];
        const int64_t n = units->layout.n_units;
        copy_state(units->kept_w, learner->network->layers[i].w,
                   learner->network->layers[i].n_weights);
        copy_state(units->kept_mask, units->mask, n);
        copy_state(units->kept_power, units->power, n);
        memcpy(units->kept_own, units->own, (size_t)n);
        units->kept_lsb = units->lsb;
    }
    copy_state(learner->kept_trainable, task->trainable, task->n_trainable);
    copy_state(learner->kept_statistics, task->statistics, task->n_statistics);
}

void ohmi_learner_go_back(ohmi_learner *learner, int t) {
    ohmi_task_parameters *task = learner->learned[t].parameters;
    for (int i = 0; i < learner->network->n_layers; i++) {
        ohmi_units *units = &learner->units[i];
        const int64_t n = units->layout.n_units;
        copy_state(learner->network->layers[i].w, units->kept_w,
                   learner->network->layers[i].n_weights);
        copy_state(units->mask, units->kept_mask, n);
        copy_state(units->power, units->kept_power, n);
        memcpy(units->own, units->kept_own, (size_t)n);
        units->lsb = units->kept_lsb;
        units->made_for = 0;
        units->budget = 0;
        for (int64_t u = 0; u < n; u++) {
            units->budget += units->own[u] == t + 1;
        }
    }
    copy_state(task->trainable, learner->kept_trainable, task->n_trainable);
    copy_state(task->statistics, learner->kept_statistics, task->n_statistics);
}
