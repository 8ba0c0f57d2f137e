// SPDX-License-Identifier: Apache-2.0
// For tests: whole runs of the three tiny tasks through the public interface, stopped when wanted,
// and comparing what they leave behind.
#ifndef OHMTEST_TINY_RUNS_H
#define OHMTEST_TINY_RUNS_H

#include "base/atomic_file.h"
#include "base/memory.h"
#include "file/npy.h"
#include "ohmwise/learn.h"
#include "scratch.h"
#include "unit/learn/tiny_learning.h"

// the three tiny tasks as one set of 7 classes, in arrays
static inline int set_up(void **state) {
    if (scratch_begin(state) != 0) {
        return 1;
    }
    enum { N = TINY_TASKS * TINY_TRAIN, M = TINY_TASKS * TINY_TEST };
    static uint8_t pixels[N][TINY_BYTES];
    static int32_t labels[N];
    static const int first_class[TINY_TASKS] = {0, 2, 5};
    (void)tiny_tasks();
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
        scratch_folder("set");
        if (ohmi_npy_save(scratch_path(part ? "set/test_images.npy" : "set/train_images.npy"), &x,
                          NULL) != OHM_OK ||
            ohmi_npy_save(scratch_path(part ? "set/test_labels.npy" : "set/train_labels.npy"), &y,
                          NULL) != OHM_OK) {
            return 1;
        }
    }
    return 0;
}

static inline ohm_config *config_of(const char *const *more) {
    const char *pairs[32] = {"data.set", scratch_path("set"), "data.classes", "0,1;2,3,4;5,6",
                             NULL};
    int n = 4;
    for (; more && more[0] && n < 30; more++) {
        pairs[n++] = *more;
        pairs[n] = NULL;
    }
    return tiny_config(pairs);
}

// stops after so many steps and measurements
typedef struct {
    int left, n_steps, n_tasks;
    char note[256];
} stopper;

static inline int stop_when_due(void *context, const ohm_event *event) {
    stopper *s = context;
    if (event->kind == OHM_EVENT_NOTE) {
        snprintf(s->note, sizeof s->note, "%.200s", event->text);
    }
    s->n_tasks += event->kind == OHM_EVENT_TASK;
    if (event->kind != OHM_EVENT_STEP && event->kind != OHM_EVENT_MEASURED) {
        return 0;
    }
    s->n_steps += event->kind == OHM_EVENT_STEP;
    return --s->left == 0;
}

static inline ohm_status learn(const char *run, const char *const *more, stopper *s,
                               ohm_error *err) {
    ohm_config *config = config_of(more);
    const ohm_learn_def def = {
        .run_folder = scratch_path(run), .sink = s ? stop_when_due : NULL, .context = s};
    memset(err, 0, sizeof *err);
    const ohm_status status = ohm_learn(config, &def, err);
    ohm_config_free(&config);
    return status;
}

static inline void learn_whole(const char *run, const char *const *more) {
    ohm_error err;
    if (learn(run, more, NULL, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
}

typedef struct {
    char *data;
    size_t size;
} bytes;

static inline bytes read_run(const char *run, const char *name) {
    char path[600];
    bytes b;
    snprintf(path, sizeof path, "%s/%s", scratch_path(run), name);
    assert_int_equal(ohmi_read_file(&b.data, &b.size, path, 1 << 24, NULL), OHM_OK);
    return b;
}

static inline bool is_same(const char *a, const char *b, const char *name) {
    bytes x = read_run(a, name), y = read_run(b, name);
    const bool same = x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
    ohmi_free(x.data);
    ohmi_free(y.data);
    return same;
}

static inline void assert_same_results(const char *a, const char *b) {
    assert_true(is_same(a, b, "checkpoints/last.safetensors"));
    assert_true(is_same(a, b, "metrics.csv"));
    assert_true(is_same(a, b, "layers.csv"));
    assert_true(is_same(a, b, "accuracy_matrix.csv"));
}

#endif
