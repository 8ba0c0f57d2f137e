// SPDX-License-Identifier: Apache-2.0
// For tests: a run folder opened without its data, and its answers held against golden ones.
#ifndef OHMTEST_IMPORTED_H
#define OHMTEST_IMPORTED_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config/access.h"
#include "file/safetensors.h"
#include "kernel/kernel.h"
#include "learn/checkpoint.h"
#include "learn/outline.h"
#include "ohmwise/exchange.h"
#include "scratch.h"

typedef struct {
    ohm_config *config;
    ohmi_config values;
    ohmi_tasks *tasks;
    ohmi_learner *learner;
} opened_run;

static inline void run_close(opened_run *run) {
    ohmi_learner_free(&run->learner);
    ohmi_tasks_free(&run->tasks);
    ohm_config_free(&run->config);
}

// Opens scratch/name; fails the test when it is no run.
static inline void run_open(opened_run *run, const char *name) {
    ohm_error err = {0};
    char path[600];
    ohmi_tensors *checkpoint = NULL;
    memset(run, 0, sizeof *run);
    assert_int_equal(ohm_config_new(&run->config, &err), OHM_OK);
    snprintf(path, sizeof path, "%s/config.yaml", scratch_path(name));
    if (ohm_config_load(run->config, path, &err) < 0 || ohm_config_check(run->config, &err) < 0) {
        fail_msg("%s", err.message);
    }
    run->values = *ohmi_config_values(run->config);
    run->values.train.batch = 4;
    snprintf(path, sizeof path, "%s/checkpoints/last.safetensors", scratch_path(name));
    if (ohmi_tensors_open(&checkpoint, path, &err) < 0 ||
        ohmi_outline_read(&run->tasks, &run->values, checkpoint, &err) < 0 ||
        ohmi_learner_new(&run->learner, &run->values, run->tasks, "reference", false, &err) < 0 ||
        ohmi_checkpoint_load(run->learner, path, false, &err) < 0) {
        fail_msg("%s", err.message);
    }
    ohmi_tensors_close(&checkpoint);
}

// The largest difference of a run's logits from those of a golden file, on its x (n, 3, h, w).
static inline double run_difference(opened_run *run, const char *answers) {
    ohm_error err = {0};
    char path[600];
    ohmi_tensors *golden = NULL;
    snprintf(path, sizeof path, "%s/tests/data/golden/import-%s-answers.safetensors",
             OHM_SOURCE_FOLDER, answers);
    if (ohmi_tensors_open(&golden, path, &err) < 0) {
        fail_msg("%s", err.message);
    }
    const ohmi_view *x = ohmi_tensors_find(golden, "x"), *y = ohmi_tensors_find(golden, "logits");
    ohmi_network *network = run->learner->network;
    const ohmi_node *image = &network->nodes[0];
    assert_int_equal(x->shape[2], image->h);
    assert_int_equal(x->shape[3], image->w);
    assert_int_equal(x->shape[1], image->c);
    assert_true(x->shape[0] <= network->batch);
    assert_int_equal(y->shape[1], run->tasks->task[0].n_classes);
    const int n = (int)x->shape[0], area = image->h * image->w;
    float *in = calloc((size_t)area * (size_t)(network->n_pad * image->c_pad), sizeof *in);
    for (int i = 0; i < n; i++) {
        for (int c = 0; c < image->c; c++) {
            for (int p = 0; p < area; p++) {
                in[((size_t)p * (size_t)network->n_pad + (size_t)i) * (size_t)image->c_pad +
                   (size_t)c] = ((const float *)x->data)[(i * image->c + c) * area + p];
            }
        }
    }
    ohmi_learner_activate(run->learner, 0, false);
    ohmi_network_forward(network, in, n, OHMI_MODE_INFER, 0);
    double worst = 0;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < (int)y->shape[1]; k++) {
            const double ours = (double)network->logits[i * network->logits_pad + k];
            const double theirs = (double)((const float *)y->data)[i * y->shape[1] + k];
            worst = fmax(worst, fabs(ours - theirs));
        }
    }
    free(in);
    ohmi_tensors_close(&golden);
    return worst;
}

// The path of a golden file.
static inline const char *golden_file(const char *name) {
    static char path[600];
    snprintf(path, sizeof path, "%s/tests/data/golden/%s", OHM_SOURCE_FOLDER, name);
    return path;
}

#endif
