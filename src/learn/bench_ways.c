// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of whole networks share; see bench_ways.h.
#include "learn/bench_ways.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/processor.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/thread.h"
#include "config/access.h"
#include "learn/step.h"

enum { N_CLASSES = 5, SIDE = 32, MOST_SIDE = 1024, CHANNELS = 3 };

ohm_status ohmi_bench_images(ohmi_tasks *tasks, ohmi_task *task, int64_t n,
                             const ohm_bench_def *def, ohm_error *err) {
    const int side = def->image_size > 0 ? def->image_size : SIDE;
    if (side > MOST_SIDE) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "images of %d pixels, at most %d are timed", side,
                         (int)MOST_SIDE);
    }
    const size_t pixels = (size_t)n * (size_t)side * (size_t)side * CHANNELS;
    const ohmi_rng rng = {.seed = 1, .purpose = OHMI_RNG_TEST};
    *tasks = (ohmi_tasks){.n_tasks = OHMI_BENCH_TASKS,
                          .task = task,
                          .height = side,
                          .width = side,
                          .channels = CHANNELS};
    uint8_t *image = ohmi_alloc(pixels, 1);
    int32_t *label = ohmi_alloc((size_t)n, sizeof *label);
    task[0].train = (ohmi_images){.n = n, .pixels = image, .labels = label};
    if (!image || !label) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the benchmark's images");
    }
    for (size_t i = 0; i < pixels; i++) {
        image[i] = (uint8_t)(255.0f * ohmi_rng_uniform(&rng, (uint32_t)i));
    }
    for (int64_t i = 0; i < n; i++) {
        label[i] = (int32_t)(i % N_CLASSES);
    }
    for (int t = 0; t < OHMI_BENCH_TASKS; t++) {
        task[t] = task[0];
        (void)snprintf(task[t].name, sizeof task[t].name, "random");
        task[t].n_classes = N_CLASSES;
        for (int c = 0; c < 4; c++) {
            task[t].mean[c] = 0.5f;
            task[t].deviation[c] = 0.29f;
        }
    }
    return OHM_OK;
}

void ohmi_bench_drop_images(ohmi_task *task) {
    if (task) {
        ohmi_free(task[0].train.pixels);
        ohmi_free(task[0].train.labels);
    }
}

ohm_status ohmi_contestant_make(ohmi_contestant *c, const ohm_bench_def *def, const char *method,
                                const char *bits, const ohmi_tasks *tasks,
                                const ohm_communicator *parts, ohm_error *err) {
    ohm_status status = OHM_OK;
    char text[64];
    OHM_TRY(ohm_config_new(&c->config, err));
    OHM_TRY(ohm_config_set(c->config, "method", method, err));
    OHM_TRY(ohm_config_set(c->config, "quantise.weight_bits", bits, err));
    OHM_TRY(ohm_config_set(c->config, "quantise.activation_bits", bits, err));
    OHM_TRY(ohm_config_set(c->config, "network.model", def->model, err));
    (void)snprintf(text, sizeof text, "%.17g", def->expand);
    OHM_TRY(ohm_config_set(c->config, "network.expand", text, err));
    (void)snprintf(text, sizeof text, "%d", def->batch);
    OHM_TRY(ohm_config_set(c->config, "train.batch", text, err));
    OHM_TRY(ohm_config_set(c->config, "backend", def->backend, err));
    OHM_TRY(ohm_config_check(c->config, err));
    const ohmi_config *config = ohmi_config_values(c->config);
    OHM_TRY(ohmi_learner_new_part(&c->learner, config, tasks, parts, err));

    // task 1 is there, task 2 is in training (dense: the first)
    OHM_TRY(ohmi_learner_begin(c->learner, 0, err));
    ohmi_learner_fit_steps(c->learner, 0);
    if (!c->learner->traits->is_alone) {
        ohmi_learner_finish(c->learner, 0);
        c->learner->position.task = 1;
        OHM_TRY(ohmi_learner_begin(c->learner, 1, err));
    }
    ohmi_loader_def loader = {.seed = 1,
                              .batch = def->batch,
                              .part = parts->rank,
                              .n_parts = parts->size,
                              .shuffle = true,
                              .augment = true,
                              .flip = true,
                              .pad = 4};
    if (c->learner->is_quantised) {
        loader.input_step = ohmi_input_step(config);
        loader.input_max = 127;
    }
    OHM_TRY(ohmi_loader_new(&c->loader, tasks, &loader, err));
    ohmi_loader_start(c->loader, (int)c->learner->position.task, &tasks->task[0].train, 0, 0);
done:
    return status;
}

void ohmi_contestant_drop(ohmi_contestant *c) {
    ohmi_loader_free(&c->loader);
    ohmi_learner_free(&c->learner);
    ohm_config_free(&c->config);
}

ohm_status ohmi_contestant_step(ohmi_contestant *c, const ohmi_tasks *tasks, double *seconds,
                                ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_batch batch;
    const double start = ohmi_now_s();
    ohmi_loader_next(c->loader, &batch);
    if (batch.n_whole == 0) {
        ohmi_loader_start(c->loader, (int)c->learner->position.task, &tasks->task[0].train, 0, 0);
        ohmi_loader_next(c->loader, &batch);
    }
    c->loader_s += ohmi_now_s() - start;
    c->learner->position.step = 0; // so that growth is not part of the step
    OHM_TRY(ohmi_train_step(c->learner, &batch, err));
    *seconds = ohmi_now_s() - start;
done:
    return status;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// the value at a part of sorted numbers, between neighbours where it falls between
static double quantile(const double *sorted, int n, double part) {
    const double place = part * (n - 1);
    const int at = (int)place;
    const double next = at + 1 < n ? sorted[at + 1] : sorted[at];
    return sorted[at] + (place - at) * (next - sorted[at]);
}

double ohmi_bench_median(double *seconds, int n) {
    qsort(seconds, (size_t)n, sizeof *seconds, by_value);
    return quantile(seconds, n, 0.5);
}

double ohmi_bench_spread(const double *sorted, int n) {
    return (quantile(sorted, n, 0.75) - quantile(sorted, n, 0.25)) / quantile(sorted, n, 0.5);
}

double ohmi_bench_width(const ohm_bench_def *def) {
    return sqrt(def->expand);
}

ohm_status ohmi_bench_check(const ohm_bench_def *def, ohm_error *err) {
    if (def->repeats < 1 || def->repeats > OHMI_BENCH_REPEATS) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "a benchmark has 1 to %d repeats",
                         (int)OHMI_BENCH_REPEATS);
    }
    return OHM_OK;
}

ohm_status ohmi_bench_no_way(const char *way, const char *const *names, int n, ohm_error *err) {
    int nearest = 0;
    for (int i = 1; i < n; i++) {
        if (ohmi_edit_distance(names[i], way) < ohmi_edit_distance(names[nearest], way)) {
            nearest = i;
        }
    }
    ohm_status status = ohmi_fail(err, OHM_ERR_ARGUMENT, "no way '%s' to time", way);
    if (n > 0) {
        ohmi_hint(err, "did you mean '%s'?", names[nearest]);
    } else {
        ohmi_hint(err, "this benchmark has one way only");
    }
    return status;
}

json_t *ohmi_bench_machine(void) {
    ohmi_processor processor;
    char *rest = NULL;
    json_t *flags = json_array();
    ohmi_processor_read(&processor);
    for (char *flag = strtok_r(processor.flags, " ", &rest); flag;
         flag = strtok_r(NULL, " ", &rest)) {
        json_array_append_new(flags, json_string(flag));
    }
    return json_pack("{s:s, s:o, s:i, s:s}", "cpu", processor.name, "flags", flags, "threads",
                     ohmi_threads(), "compiler", __VERSION__);
}

ohm_status ohmi_bench_text(char **json, json_t *root, ohm_error *err) {
    char *dumped = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
    *json = dumped ? ohmi_strdup(dumped) : NULL;
    free(dumped);
    json_decref(root);
    return *json ? OHM_OK
                 : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the benchmark's figures");
}
