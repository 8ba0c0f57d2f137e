// SPDX-License-Identifier: Apache-2.0
// `ohm_bench_train`: times whole training steps on random images, and says where the time goes.
//
// Ways: the dense network in float (what PyTorch's step is), an XST step in float and in 4 bits. An
// XST step is one of task 2 of 20, so that there are masks to learn; drop-and-grow, which happens
// every method.grow_interval steps, is timed apart and given as its share of a step. Every step
// goes through the loader. The ways take turns, step by step; with def->way one of them is alone in
// the process, so that the peak of the memory is its own.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/c_locale.h"
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
} ways[N_WAYS] = {{"dense", "dense", "0"}, {"xst", "xst", "0"}, {"xst 4-bit", "xst", "4"}};

typedef struct {
    ohm_config *config;
    ohmi_learner *learner;
    ohmi_loader *loader;
    double seconds[MAX_REPEATS];
    double median_s, loader_s, grow_s;
    int way;
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

static ohm_status make(contestant *c, const ohm_bench_train_def *def, const ohmi_tasks *tasks,
                       ohm_error *err) {
    ohm_status status = OHM_OK;
    char text[64];
    OHM_TRY(ohm_config_new(&c->config, err));
    OHM_TRY(ohm_config_set(c->config, "method", ways[c->way].method, err));
    OHM_TRY(ohm_config_set(c->config, "quantise.weight_bits", ways[c->way].bits, err));
    OHM_TRY(ohm_config_set(c->config, "quantise.activation_bits", ways[c->way].bits, err));
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

// the median of sorted numbers
static double median_of(const double *sorted, int n) {
    return n % 2 ? sorted[n / 2] : 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]);
}

// how much longer the steps of one way take than those of another: the median of the ratios of
// steps that were neighbours in time, so that what else the machine does matters least
static double over(const contestant *numerator, const contestant *denominator, int n) {
    double ratio[MAX_REPEATS];
    for (int i = 0; i < n; i++) {
        ratio[i] = numerator->seconds[i] / denominator->seconds[i];
    }
    qsort(ratio, (size_t)n, sizeof *ratio, by_value);
    return median_of(ratio, n);
}

// the most memory this process ever held; not getrusage's, which counts what the process that
// started this one held
static int64_t peak_rss_bytes(void) {
    char line[256];
    long long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && kib == 0 && fgets(line, sizeof line, file)) {
        (void)sscanf(line, "VmHWM: %lld kB", &kib);
    }
    if (file) {
        (void)fclose(file);
    }
    if (kib == 0) {
        struct rusage usage;
        (void)getrusage(RUSAGE_SELF, &usage);
        kib = usage.ru_maxrss;
    }
    return 1024 * (int64_t)kib;
}

// how the products of a way are computed
static const char *arithmetic(const contestant *c) {
    const bool is_amx = strcmp(c->learner->network->kernels->name, "amx") == 0;
    if (c->learner->is_quantised) {
        return is_amx ? "whole numbers forward; gradients: bfloat16 products, float32 sums"
                      : "whole numbers forward; gradients: float32 products and sums";
    }
    return is_amx ? "bfloat16 products, float32 sums" : "float32 products and sums";
}

// seconds a step by part, means of n steps; "other" is the head backward and what lies between
static json_t *where_json(const contestant *c, int n) {
    const ohmi_network_times *network = &c->learner->network->times;
    const ohmi_step_times *step_times = &c->learner->times;
    const struct {
        const char *name;
        double seconds;
    } parts[] = {
        {"conv_forward", network->conv_forward_s},
        {"conv_backward_data", network->conv_data_s},
        {"conv_backward_weight", network->conv_weight_s},
        {"norm", network->norm_s},
        {"pool", network->pool_s},
        {"head_forward", network->head_s},
        {"mask", step_times->mask_s},
        {"optimiser", step_times->optimiser_s},
        {"loss", step_times->loss_s},
        {"loader", c->loader_s},
    };
    json_t *where = json_object();
    double rest = 0;
    for (int i = 0; i < n; i++) {
        rest += c->seconds[i];
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        json_object_set_new(where, parts[i].name, json_real(parts[i].seconds / n));
        rest -= parts[i].seconds;
    }
    json_object_set_new(where, "other", json_real(rest / n));
    return where;
}

static json_t *way_json(contestant *c, const ohm_bench_train_def *def) {
    const int n = def->repeats;
    const ohmi_config *config = ohmi_config_values(c->config);
    json_t *where = where_json(c, n);
    qsort(c->seconds, (size_t)n, sizeof *c->seconds, by_value);
    c->median_s = median_of(c->seconds, n);
    return json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:o}", "name", ways[c->way].name,
                     "arithmetic", arithmetic(c), "step_s", c->median_s, "step_min_s",
                     c->seconds[0], "images_per_s", def->batch / c->median_s, "grow_s", c->grow_s,
                     "grow_share", c->grow_s / ((double)config->method.grow_interval * c->median_s),
                     "where_s", where);
}

// c: n ways; ratios to the dense step are given where that is among them
static json_t *document(contestant *c, int n, const ohm_bench_train_def *def) {
    json_t *list = json_array();
    const ohmi_network *network = c[0].learner->network;
    const double xst = n == N_WAYS ? over(&c[1], &c[0], def->repeats) : 0;
    const double xst_4_bit = n == N_WAYS ? over(&c[2], &c[0], def->repeats) : 0;
    int best = 0;
    int64_t n_parameters = c[0].learner->learned[0].parameters->n_trainable;
    for (int i = 0; i < network->n_layers; i++) {
        n_parameters += network->layers[i].n_weights;
    }
    for (int i = 0; i < n; i++) {
        json_array_append_new(list, way_json(&c[i], def));
        best = c[i].median_s < c[best].median_s ? i : best;
    }
    json_t *root = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:f, s:i, s:i, s:i, s:I, s:o, s:f, s:s, s:I}", "schema", 1,
        "program", "ohmwise", "model", def->model, "backend", network->kernels->name, "kernels",
        network->kernels->description, "expand", def->expand, "batch", def->batch, "threads",
        ohmi_threads(), "repeats", def->repeats, "parameters", (json_int_t)n_parameters, "ways",
        list, "best_step_s", c[best].median_s, "best_way", ways[c[best].way].name, "peak_rss_bytes",
        (json_int_t)peak_rss_bytes());
    if (root && n == N_WAYS) {
        json_object_set_new(root, "xst_over_dense", json_real(xst));
        json_object_set_new(root, "xst_4_bit_over_dense", json_real(xst_4_bit));
    }
    return root;
}

// The ways that were asked for, as the first *n of c.
static ohm_status choose_ways(contestant *c, int *n, const ohm_bench_train_def *def,
                              ohm_error *err) {
    *n = 0;
    for (int w = 0; w < N_WAYS; w++) {
        if (!def->way || strcmp(def->way, ways[w].name) == 0) {
            c[(*n)++].way = w;
        }
    }
    if (*n == 0) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "no way '%s' to time, there are: %s, %s, %s",
                         def->way, ways[0].name, ways[1].name, ways[2].name);
    }
    return OHM_OK;
}

ohm_status ohm_bench_train(char **json, const ohm_bench_train_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    contestant *c = ohmi_alloc(N_WAYS, sizeof *c);
    ohmi_task *task = ohmi_alloc(N_TASKS, sizeof *task);
    ohmi_tasks tasks = {0};
    json_t *root = NULL;
    char *text = NULL;
    double warm;
    int n = 0;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *json = NULL;
    if (!c || !task || def->repeats < 1 || def->repeats > MAX_REPEATS) {
        status = ohmi_fail(err, c && task ? OHM_ERR_ARGUMENT : OHM_ERR_NO_MEMORY,
                           "a benchmark has 1 to %d repeats", (int)MAX_REPEATS);
        goto done;
    }
    OHM_TRY(choose_ways(c, &n, def, err));
    OHM_TRY(random_tasks(&tasks, task, 16 * (int64_t)def->batch, err));

    // two steps each to warm up, then the ways in turn
    for (int i = 0; i < n; i++) {
        OHM_TRY(make(&c[i], def, &tasks, err));
        OHM_TRY(step(&c[i], &tasks, &warm, err));
        OHM_TRY(step(&c[i], &tasks, &warm, err));
        c[i].learner->network->times = (ohmi_network_times){0};
        c[i].learner->times = (ohmi_step_times){0};
        c[i].loader_s = 0;
    }
    for (int r = 0; r < def->repeats; r++) {
        for (int i = 0; i < n; i++) {
            OHM_TRY(step(&c[i], &tasks, &c[i].seconds[r], err));
        }
    }
    for (int i = 0; i < n; i++) {
        if (c[i].learner->config->method.growth == OHMI_GROWTH_DROP_AND_GROW) {
            const double start = ohmi_now_s();
            ohmi_learner_grow(c[i].learner, 1, 0.3);
            c[i].grow_s = ohmi_now_s() - start;
        }
    }
    root = document(c, n, def);
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
    for (int i = 0; c && i < N_WAYS; i++) {
        ohmi_loader_free(&c[i].loader);
        ohmi_learner_free(&c[i].learner);
        ohm_config_free(&c[i].config);
    }
    if (task) {
        ohmi_free(task[0].train.pixels);
        ohmi_free(task[0].train.labels);
    }
    ohmi_free(task);
    ohmi_free(c);
    ohmi_c_locale_leave(&locale);
    return status;
}
