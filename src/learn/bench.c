// SPDX-License-Identifier: Apache-2.0
// `ohm_bench_train`: times whole training steps on random images, and says where the time goes.
//
// Ways: the dense network in float (what PyTorch's step is), an XST step in float and in 4 bits. An
// XST step is one of task 2 of 20, so that there are masks to learn; drop-and-grow, which happens
// every method.grow_interval steps, is timed apart and given as its share of a step. Every step
// goes through the loader. The ways take turns, step by step.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/thread.h"
#include "config/access.h"
#include "learn/step.h"
#include "ohmwise/system.h"

enum { N_WAYS = 3, N_TASKS = 20, N_CLASSES = 5, SIDE = 32, CHANNELS = 3, MAX_REPEATS = 1000 };

static const struct {
    const char *name, *method, *bits;
} ways[N_WAYS] = {
    {"dense float32", "dense", "0"}, {"xst float32", "xst", "0"}, {"xst 4-bit", "xst", "4"}};

typedef struct {
    ohm_config *config;
    ohmi_learner *learner;
    ohmi_loader *loader;
    double seconds[MAX_REPEATS];
    double grow_s;
} contestant;

// tasks of random images, all tasks the same; n images each
static ohm_status random_tasks(ohmi_tasks *tasks, ohmi_task *task, int64_t n, ohm_error *err) {
    const size_t pixels = (size_t)n * SIDE * SIDE * CHANNELS;
    const ohmi_rng rng = {.seed = 1, .purpose = OHMI_RNG_TEST};
    *tasks = (ohmi_tasks){
        .n_tasks = N_TASKS, .task = task, .height = SIDE, .width = SIDE, .channels = CHANNELS};
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
    for (int t = 0; t < N_TASKS; t++) {
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

static ohm_status make(contestant *c, int way, const ohm_bench_train_def *def,
                       const ohmi_tasks *tasks, ohm_error *err) {
    ohm_status status = OHM_OK;
    char text[64];
    OHM_TRY(ohm_config_new(&c->config, err));
    OHM_TRY(ohm_config_set(c->config, "method", ways[way].method, err));
    OHM_TRY(ohm_config_set(c->config, "quantise.weight_bits", ways[way].bits, err));
    OHM_TRY(ohm_config_set(c->config, "quantise.activation_bits", ways[way].bits, err));
    OHM_TRY(ohm_config_set(c->config, "network.model", def->model, err));
    (void)snprintf(text, sizeof text, "%.17g", def->expand);
    OHM_TRY(ohm_config_set(c->config, "network.expand", text, err));
    (void)snprintf(text, sizeof text, "%d", def->batch);
    OHM_TRY(ohm_config_set(c->config, "train.batch", text, err));
    OHM_TRY(ohm_config_check(c->config, err));
    const ohmi_config *config = ohmi_config_values(c->config);
    OHM_TRY(ohmi_learner_new(&c->learner, config, tasks, def->backend, true, err));

    // task 1 is there, task 2 is in training (dense: the first)
    OHM_TRY(ohmi_learner_begin(c->learner, 0, err));
    ohmi_learner_fit_steps(c->learner, 0);
    if (config->method.growth != OHMI_GROWTH_DENSE) {
        ohmi_learner_finish(c->learner, 0);
        c->learner->position.task = 1;
        OHM_TRY(ohmi_learner_begin(c->learner, 1, err));
    }
    ohmi_loader_def loader = {
        .seed = 1, .batch = def->batch, .shuffle = true, .augment = true, .flip = true, .pad = 4};
    if (c->learner->is_quantised) {
        loader.input_step = ohmi_input_step(config);
        loader.input_max = 127;
    }
    OHM_TRY(ohmi_loader_new(&c->loader, tasks, &loader, err));
    ohmi_loader_start(c->loader, (int)c->learner->position.task, &tasks->task[0].train, 0, 0);
done:
    return status;
}

static ohm_status step(contestant *c, const ohmi_tasks *tasks, double *seconds, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_batch batch;
    const double start = ohmi_now_s();
    ohmi_loader_next(c->loader, &batch);
    if (batch.n == 0) {
        ohmi_loader_start(c->loader, (int)c->learner->position.task, &tasks->task[0].train, 0, 0);
        ohmi_loader_next(c->loader, &batch);
    }
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

static json_t *way_json(contestant *c, int way, const ohm_bench_train_def *def) {
    const int n = def->repeats;
    const ohmi_network_times *times = &c->learner->network->times;
    const ohmi_config *config = ohmi_config_values(c->config);
    double total = 0;
    for (int i = 0; i < n; i++) {
        total += c->seconds[i];
    }
    qsort(c->seconds, (size_t)n, sizeof *c->seconds, by_value);
    const double median =
        n % 2 ? c->seconds[n / 2] : 0.5 * (c->seconds[n / 2 - 1] + c->seconds[n / 2]);
    const double inside = times->conv_forward_s + times->conv_data_s + times->conv_weight_s +
                          times->norm_s + times->pool_s + times->head_s;
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:{s:f, s:f, s:f, s:f, s:f, s:f, s:f}}",
                     "name", ways[way].name, "step_s", median, "step_min_s", c->seconds[0],
                     "images_per_s", def->batch / median, "grow_s", c->grow_s, "grow_share",
                     c->grow_s / ((double)config->method.grow_interval * median), "where_s",
                     "conv_forward", times->conv_forward_s / n, "conv_backward_data",
                     times->conv_data_s / n, "conv_backward_weight", times->conv_weight_s / n,
                     "norm", times->norm_s / n, "pool", times->pool_s / n, "head_forward",
                     times->head_s / n, "mask_optimiser_loader_loss", (total - inside) / n);
}

static json_t *document(contestant *c, const ohm_bench_train_def *def) {
    struct rusage usage;
    json_t *list = json_array();
    double best = 1e30;
    int best_way = 0;
    int64_t n_parameters = 0;
    const ohmi_network *network = c[0].learner->network;
    for (int w = 0; w < N_WAYS; w++) {
        json_t *way = way_json(&c[w], w, def);
        const double median = json_number_value(json_object_get(way, "step_s"));
        best_way = median < best ? w : best_way;
        best = median < best ? median : best;
        json_array_append_new(list, way);
    }
    for (int i = 0; i < network->n_layers; i++) {
        n_parameters += network->layers[i].n_weights;
    }
    n_parameters += c[0].learner->learned[0].parameters->n_trainable;
    (void)getrusage(RUSAGE_SELF, &usage);
    return json_pack("{s:i, s:s, s:s, s:s, s:f, s:i, s:i, s:i, s:I, s:o, s:f, s:s, s:I}", "schema",
                     1, "program", "ohmwise", "model", def->model, "backend",
                     network->kernels->name, "expand", def->expand, "batch", def->batch, "threads",
                     ohmi_threads(), "repeats", def->repeats, "parameters",
                     (json_int_t)n_parameters, "ways", list, "best_step_s", best, "best_way",
                     ways[best_way].name, "peak_rss_bytes", (json_int_t)usage.ru_maxrss * 1024);
}

ohm_status ohm_bench_train(char **json, const ohm_bench_train_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    contestant *c = ohmi_alloc(N_WAYS, sizeof *c);
    ohmi_task *task = ohmi_alloc(N_TASKS, sizeof *task);
    ohmi_tasks tasks = {0};
    json_t *root = NULL;
    char *text = NULL;
    double warm;
    *json = NULL;
    if (!c || !task || def->repeats < 1 || def->repeats > MAX_REPEATS) {
        status = ohmi_fail(err, c && task ? OHM_ERR_ARGUMENT : OHM_ERR_NO_MEMORY,
                           "a benchmark has 1 to %d repeats", (int)MAX_REPEATS);
        goto done;
    }
    OHM_TRY(random_tasks(&tasks, task, 16 * (int64_t)def->batch, err));
    for (int w = 0; w < N_WAYS; w++) {
        OHM_TRY(make(&c[w], w, def, &tasks, err));
        OHM_TRY(step(&c[w], &tasks, &warm, err));
        OHM_TRY(step(&c[w], &tasks, &warm, err));
        memset(&c[w].learner->network->times, 0, sizeof c[w].learner->network->times);
    }
    for (int i = 0; i < def->repeats; i++) {
        for (int w = 0; w < N_WAYS; w++) {
            OHM_TRY(step(&c[w], &tasks, &c[w].seconds[i], err));
        }
    }
    for (int w = 1; w < N_WAYS; w++) {
        const double start = ohmi_now_s();
        ohmi_learner_grow(c[w].learner, 1, 0.3);
        c[w].grow_s = ohmi_now_s() - start;
    }
    root = document(c, def);
    char *dumped = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
    text = dumped ? ohmi_strdup(dumped) : NULL;
    free(dumped);
    if (!text) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the benchmark's figures");
        goto done;
    }
    *json = text;

done:
    json_decref(root);
    for (int w = 0; c && w < N_WAYS; w++) {
        ohmi_loader_free(&c[w].loader);
        ohmi_learner_free(&c[w].learner);
        ohm_config_free(&c[w].config);
    }
    if (task) {
        ohmi_free(task[0].train.pixels);
        ohmi_free(task[0].train.labels);
    }
    ohmi_free(task);
    ohmi_free(c);
    return status;
}
