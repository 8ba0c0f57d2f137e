// SPDX-License-Identifier: Apache-2.0
// For tests: a backbone of tiny tasks in a run folder, and learners that begin with it.
#ifndef OHMTEST_TINY_BACKBONE_H
#define OHMTEST_TINY_BACKBONE_H

#include "base/atomic_file.h"
#include "learn/backbone.h"
#include "learn/checkpoint.h"
#include "scratch.h"
#include "unit/learn/tiny_learning.h"

// Learns the first n tasks and leaves them in a run folder; l stays open.
static inline void make_backbone(tiny_learning *l, const char *name, int n,
                                 const char *const *more) {
    char path[600], *text = NULL;
    tiny_begin(l, more);
    for (int t = 0; t < n; t++) {
        tiny_learn(l, t, NULL, NULL, NULL);
    }
    assert_int_equal(ohm_config_text(&text, l->config, NULL), OHM_OK);
    scratch_folder(name);
    snprintf(path, sizeof path, "%s/config.yaml", scratch_path(name));
    assert_int_equal(ohmi_write_file(path, text, strlen(text), NULL), OHM_OK);
    snprintf(path, sizeof path, "%s/checkpoints", scratch_path(name));
    assert_int_equal(ohmi_make_folder(path, NULL), OHM_OK);
    snprintf(path, sizeof path, "%s/checkpoints/last.safetensors", scratch_path(name));
    assert_int_equal(ohmi_checkpoint_save(l->learner, path, text, NULL), OHM_OK);
    ohm_text_free(&text);
}

// A learner that begins with a backbone: key, value, ..., NULL.
static inline void begin_with(tiny_learning *l, const char *name, const char *const *more) {
    const char *pairs[32] = {"method.backbone", scratch_path(name)};
    ohm_error err = {0};
    for (int n = 2; more && *more && n < 30; more++) {
        pairs[n++] = *more;
    }
    tiny_begin(l, pairs);
    if (ohmi_backbone_read(l->learner, scratch_path("none"), &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
}

#endif
