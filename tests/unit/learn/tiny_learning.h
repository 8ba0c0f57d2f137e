// SPDX-License-Identifier: Apache-2.0
// For tests: three tiny tasks of 8 x 8 pictures, a config and a learner for them, and a run of
// steps that calls back after each.
#ifndef OHMTEST_TINY_LEARNING_H
#define OHMTEST_TINY_LEARNING_H

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "config/access.h"
#include "data/loader.h"
#include "learn/evaluate.h"
#include "learn/learner.h"
#include "learn/phases.h"
#include "learn/step.h"

enum {
    TINY_TASKS = 3,
    TINY_SIDE = 8,
    TINY_CHANNELS = 3,
    TINY_BYTES = TINY_SIDE * TINY_SIDE * TINY_CHANNELS,
    TINY_TRAIN = 40, // with batches of 16 the last one is short
    TINY_TEST = 21
};

static uint8_t tiny_pixels[TINY_TASKS][TINY_TRAIN + TINY_TEST][TINY_BYTES];
static int32_t tiny_labels[TINY_TASKS][TINY_TRAIN + TINY_TEST];
static ohmi_task tiny_task[TINY_TASKS];

// A picture of a class: stripes of its own width and colour in noise.
static inline void tiny_picture(uint8_t *pixels, int task, int label, int number) {
    const ohmi_rng rng = {
        .seed = 17, .purpose = OHMI_RNG_TEST, .task = (uint32_t)task, .place = (uint32_t)number};
    for (int i = 0; i < TINY_BYTES; i++) {
        const int x = i / TINY_CHANNELS % TINY_SIDE, y = i / TINY_CHANNELS / TINY_SIDE;
        const int along = task == 0 ? x : task == 1 ? y : x + y;
        const int wave = (along >> label & 1) ^ (i % TINY_CHANNELS == label);
        const float v = (float)(90 + 60 * wave) + 40 * ohmi_rng_normal(&rng, (uint32_t)i);
        pixels[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

// Tasks of 2, 3 and 2 classes; static memory, nothing to free.
static inline ohmi_tasks tiny_tasks(void) {
    ohmi_tasks tasks = {.n_tasks = TINY_TASKS,
                        .task = tiny_task,
                        .height = TINY_SIDE,
                        .width = TINY_SIDE,
                        .channels = TINY_CHANNELS};
    memset(tasks.sha256, '0', 64);
    for (int t = 0; t < TINY_TASKS; t++) {
        ohmi_task *task = &tiny_task[t];
        memset(task, 0, sizeof *task);
        task->name[0] = (char)('a' + t);
        task->n_classes = t == 1 ? 3 : 2;
        for (int i = 0; i < TINY_TRAIN + TINY_TEST; i++) {
            tiny_labels[t][i] = i % task->n_classes;
            tiny_picture(tiny_pixels[t][i], t, tiny_labels[t][i], i);
        }
        task->train = (ohmi_images){TINY_TRAIN, tiny_pixels[t][0], tiny_labels[t]};
        task->test =
            (ohmi_images){TINY_TEST, tiny_pixels[t][TINY_TRAIN], tiny_labels[t] + TINY_TRAIN};
        for (int c = 0; c < TINY_CHANNELS; c++) {
            task->mean[c] = 0.45f;
            task->deviation[c] = 0.2f + 0.01f * (float)t;
        }
    }
    return tasks;
}

// A checked config for tiny runs; more: key, value, ..., NULL set over it.
static inline ohm_config *tiny_config(const char *const *more) {
    static const char *const base[] = {"network.model",
                                       "small",
                                       "network.expand",
                                       "0.5",
                                       "network.expand_rule",
                                       "width",
                                       "train.batch",
                                       "16",
                                       "train.epochs",
                                       "4",
                                       "train.lr",
                                       "0.05",
                                       "train.schedule",
                                       "constant",
                                       "array.rows",
                                       "27",
                                       "method.grow_interval",
                                       "2",
                                       "method.drop_fraction",
                                       "0.6",
                                       "method.density_rest",
                                       "0.6",
                                       "train.mask_lr",
                                       "0.01",
                                       "data.pad",
                                       "1",
                                       "backend",
                                       "reference",
                                       NULL};
    ohm_config *config = NULL;
    ohm_error err = {0};
    if (ohm_config_new(&config, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    for (int list = 0; list < 2; list++) {
        const char *const *pair = list ? more : base;
        for (; pair && pair[0]; pair += 2) {
            if (ohm_config_set(config, pair[0], pair[1], &err) != OHM_OK) {
                fail_msg("%s", err.message);
            }
        }
    }
    if (ohm_config_check(config, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    return config;
}

static const char *const tiny_float[] = {"quantise.weight_bits", "0", "quantise.activation_bits",
                                         "0", NULL};

typedef struct {
    ohm_config *config;
    const ohmi_config *values;
    ohmi_tasks tasks;
    ohmi_learner *learner;
    ohmi_loader *loader;
} tiny_learning;

static inline ohmi_loader *tiny_loader(const ohmi_config *values, const ohmi_tasks *tasks) {
    ohmi_loader *loader = NULL;
    ohmi_loader_def def = {.seed = values->seed,
                           .batch = (int)values->train.batch,
                           .shuffle = true,
                           .augment = values->data.augment,
                           .flip = values->data.flip,
                           .pad = (int)values->data.pad};
    if (values->quantise.weight_bits > 0) {
        def.input_step = ohmi_input_step(values);
        def.input_max = (float)((1 << (values->quantise.input_bits - 1)) - 1);
    }
    assert_int_equal(ohmi_loader_new(&loader, tasks, &def, NULL), OHM_OK);
    return loader;
}

// tasks stays where it is: the learner and the loader hold pointers into *out
static inline void tiny_begin(tiny_learning *out, const char *const *more) {
    ohm_error err = {0};
    out->config = tiny_config(more);
    out->values = ohmi_config_values(out->config);
    out->tasks = tiny_tasks();
    out->learner = NULL;
    if (ohmi_learner_new(&out->learner, out->values, &out->tasks, NULL, true, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    out->loader = tiny_loader(out->values, &out->tasks);
}

static inline void tiny_end(tiny_learning *l) {
    ohmi_loader_free(&l->loader);
    ohmi_learner_free(&l->learner);
    ohm_config_free(&l->config);
}

typedef void tiny_watch(ohmi_learner *learner, int t, void *context);

// Learns task t as the trainer does: claim, epochs of steps, bits. before and after (nullable) are
// called around every step.
static inline void tiny_learn(tiny_learning *l, int t, tiny_watch *before, tiny_watch *after,
                              void *context) {
    ohmi_position *p = &l->learner->position;
    p->task = t;
    p->epoch = p->batch = p->step = p->mask_step = 0;
    assert_int_equal(ohmi_learner_begin(l->learner, t, NULL), OHM_OK);
    ohmi_phase_enter(l->learner, t);
    p->is_started = 1;
    while (!ohmi_phases_are_over(l->learner)) {
        ohmi_learner_fit_steps(l->learner, t);
        p->batch = p->loss_sum = p->n_right = p->n_seen = 0;
        ohmi_loader_start(l->loader, t, &l->tasks.task[t].train, (int)p->epoch, 0);
        for (;;) {
            ohmi_batch batch;
            ohmi_loader_next(l->loader, &batch);
            if (batch.n == 0) {
                break;
            }
            if (before) {
                before(l->learner, t, context);
            }
            assert_int_equal(ohmi_train_step(l->learner, &batch, NULL), OHM_OK);
            if (after) {
                after(l->learner, t, context);
            }
        }
        l->learner->phase.train_accuracy = p->n_right / p->n_seen;
        p->epoch += 1;
        assert_int_equal(ohmi_phase_after_epoch(l->learner, t, NULL), OHM_OK);
    }
    ohmi_learner_finish(l->learner, t);
    p->task = t + 1;
    p->epoch = p->batch = p->step = p->mask_step = p->is_started = 0;
    l->learner->phase = (ohmi_phase_state){0};
}

// The test logits of a task, (TINY_TEST, n_classes), into out.
static inline ohmi_evaluation tiny_logits(tiny_learning *l, int t, bool quantised, float *out) {
    ohmi_evaluation e;
    assert_int_equal(ohmi_evaluate(&e, l->learner, t, quantised, out, NULL), OHM_OK);
    return e;
}

#endif
