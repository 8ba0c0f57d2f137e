// SPDX-License-Identifier: Apache-2.0
// For tests of the cost: tiny runs, learned once, opened to be counted.
#ifndef OHMTEST_PRICED_RUN_H
#define OHMTEST_PRICED_RUN_H

#include <jansson.h>

#include "file/npy.h"
#include "hardware/bill.h"
#include "learn/placing.h"
#include "ohmwise/learn.h"
#include "scratch.h"
#include "unit/learn/tiny_learning.h"

// a run of two epochs; more: key, value, ..., NULL
static inline bool priced_learn(const char *run, const char *method, const char *const *more) {
    const char *keys[32] = {
        "data.set", scratch_path("set"), "data.classes", "0,1;2,3,4;5,6", "method.preset",
        method,     "array.columns",     "20",           "train.epochs",  "2",
        NULL};
    int n = 10;
    for (; more && *more && n < 31; more++) {
        keys[n++] = *more;
    }
    ohm_config *config = tiny_config(keys);
    const ohm_learn_def def = {.run_folder = scratch_path(run)};
    ohm_error err = {0};
    const ohm_status status = ohm_learn(config, &def, &err);
    ohm_config_free(&config);
    if (status < 0) {
        fprintf(stderr, "%s\n", err.message);
    }
    return status >= 0;
}

// the tiny tasks as a set of 7 classes, and a run of two epochs with columns and one with elements
static inline int priced_begin(void **state) {
    static uint8_t pixels[TINY_TASKS * TINY_TRAIN][TINY_BYTES];
    static int32_t labels[TINY_TASKS * TINY_TRAIN];
    static const int first_class[TINY_TASKS] = {0, 2, 5};
    static const char *const methods[] = {"xst", "xst-element"};
    if (scratch_begin(state) != 0) {
        return 1;
    }
    (void)tiny_tasks();
    scratch_folder("set");
    for (int part = 0; part < 2; part++) {
        const int each = part ? TINY_TEST : TINY_TRAIN;
        for (int i = 0; i < TINY_TASKS * each; i++) {
            const int t = i / each, at = i % each + (part ? TINY_TRAIN : 0);
            memcpy(pixels[i], tiny_pixels[t][at], TINY_BYTES);
            labels[i] = first_class[t] + tiny_labels[t][at];
        }
        const ohmi_view x = ohmi_view_of("x", OHMI_U8, pixels, 4, TINY_TASKS * each, TINY_SIDE,
                                         TINY_SIDE, TINY_CHANNELS);
        const ohmi_view y = ohmi_view_of("y", OHMI_I32, labels, 1, TINY_TASKS * each, 0, 0, 0);
        if (ohmi_npy_save(scratch_path(part ? "set/test_images.npy" : "set/train_images.npy"), &x,
                          NULL) != OHM_OK ||
            ohmi_npy_save(scratch_path(part ? "set/test_labels.npy" : "set/train_labels.npy"), &y,
                          NULL) != OHM_OK) {
            return 1;
        }
    }
    for (int m = 0; m < 2; m++) {
        if (!priced_learn(methods[m], methods[m], NULL)) {
            return 1;
        }
    }
    return 0;
}

// wear_before: a file of the scratch folder, or NULL; the writes of cells are kept
static inline ohm_cost *priced_open_kept(const char *run, int64_t n_images,
                                         const char *wear_before) {
    ohm_cost *cost = NULL;
    ohm_error err = {0};
    const ohm_cost_def def = {.n_images = n_images,
                              .wear_before = wear_before ? scratch_path(wear_before) : NULL,
                              .keeps_wear = true};
    if (ohm_cost_new(&cost, scratch_path(run), &def, &err) < 0) {
        fail_msg("%s", err.message);
    }
    return cost;
}

static inline ohm_cost *priced_open(const char *run, int64_t n_images) {
    ohm_cost *cost = NULL;
    ohm_error err = {0};
    const ohm_cost_def def = {.n_images = n_images};
    if (ohm_cost_new(&cost, scratch_path(run), &def, &err) < 0) {
        fail_msg("%s", err.message);
    }
    return cost;
}

// a preset with keys set over it: key, value, ..., NULL
static inline ohm_hardware *priced_hardware(const char *preset, const char *const *more) {
    ohm_hardware *hardware = NULL;
    ohm_error err = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/presets/hardware/%s.yaml", OHM_SOURCE_FOLDER, preset);
    if (ohm_hardware_new(&hardware, &err) < 0 || ohm_hardware_load(hardware, path, &err) < 0) {
        fail_msg("%s", err.message);
    }
    for (; more && more[0]; more += 2) {
        if (ohm_hardware_set(hardware, more[0], more[1], &err) < 0) {
            fail_msg("%s", err.message);
        }
    }
    return hardware;
}

static inline ohm_bill *priced_bill(ohm_cost *cost, const char *preset, const char *switches,
                                    const char *const *more) {
    ohm_hardware *hardware = priced_hardware(preset, more);
    ohm_bill *bill = NULL;
    ohm_error err = {0};
    if (ohm_bill_new(&bill, cost, hardware, switches, &err) < 0) {
        fail_msg("%s", err.message);
    }
    ohm_hardware_free(&hardware);
    return bill;
}

#endif
