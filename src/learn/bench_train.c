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
#include <string.h>
#include <sys/resource.h>

#include "base/c_locale.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "config/access.h"
#include "learn/bench_ways.h"
#include "learn/step.h"
#include "ohmwise/system.h"

enum { N_WAYS = 3 };

static const struct {
    const char *name, *method, *bits;
} ways[N_WAYS] = {{"dense", "dense", "0"}, {"xst", "xst", "0"}, {"xst 4-bit", "xst", "4"}};

// how much longer the steps of one way take than those of another: the median of the ratios of
// steps that were neighbours in time, so that what else the machine does matters least
static double over(const ohmi_contestant *numerator, const ohmi_contestant *denominator, int n) {
    double ratio[OHMI_BENCH_REPEATS];
    for (int i = 0; i < n; i++) {
        ratio[i] = numerator->seconds[i] / denominator->seconds[i];
    }
    return ohmi_bench_median(ratio, n);
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
static const char *arithmetic(const ohmi_contestant *c) {
    const bool is_amx = strcmp(c->learner->network->kernels->name, "amx") == 0;
    if (c->learner->is_quantised) {
        return is_amx ? "whole numbers forward; gradients: bfloat16 products, float32 sums"
                      : "whole numbers forward; gradients: float32 products and sums";
    }
    return is_amx ? "bfloat16 products, float32 sums" : "float32 products and sums";
}

// seconds a step by part, means of n steps; "other" is the head backward and what lies between
static json_t *where_json(const ohmi_contestant *c, int n) {
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

static json_t *way_json(ohmi_contestant *c, const ohm_bench_def *def) {
    const int n = def->repeats;
    const ohmi_config *config = ohmi_config_values(c->config);
    json_t *where = where_json(c, n);
    c->median_s = ohmi_bench_median(c->seconds, n);
    return json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:o}", "name", ways[c->way].name,
                     "arithmetic", arithmetic(c), "step_s", c->median_s, "step_min_s",
                     c->seconds[0], "step_spread", ohmi_bench_spread(c->seconds, n), "images_per_s",
                     def->batch / c->median_s, "grow_s", c->grow_s, "grow_share",
                     c->grow_s / ((double)config->method.grow_interval * c->median_s), "where_s",
                     where);
}

// c: n ways; ratios to the dense step are given where that is among them
static json_t *document(ohmi_contestant *c, int n, const ohm_bench_def *def) {
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
        "{s:i, s:s, s:o, s:s, s:s, s:s, s:f, s:i, s:i, s:i, s:I, s:o, s:f, s:s, s:I}", "schema", 1,
        "program", "ohmwise", "machine", ohmi_bench_machine(), "model", def->model, "backend",
        network->kernels->name, "kernels", network->kernels->description, "expand", def->expand,
        "batch", def->batch, "threads", ohmi_threads(), "repeats", def->repeats, "parameters",
        (json_int_t)n_parameters, "ways", list, "best_step_s", c[best].median_s, "best_way",
        ways[c[best].way].name, "peak_rss_bytes", (json_int_t)peak_rss_bytes());
    if (root && n == N_WAYS) {
        json_object_set_new(root, "xst_over_dense", json_real(xst));
        json_object_set_new(root, "xst_4_bit_over_dense", json_real(xst_4_bit));
    }
    return root;
}

// The ways that were asked for, as the first *n of c.
static ohm_status choose_ways(ohmi_contestant *c, int *n, const ohm_bench_def *def,
                              ohm_error *err) {
    const char *const names[N_WAYS] = {ways[0].name, ways[1].name, ways[2].name};
    *n = 0;
    for (int w = 0; w < N_WAYS; w++) {
        if (!def->way || strcmp(def->way, ways[w].name) == 0) {
            c[(*n)++].way = w;
        }
    }
    if (*n == 0) {
        return ohmi_bench_no_way(def->way, names, N_WAYS, err);
    }
    return OHM_OK;
}

ohm_status ohm_bench_train(char **json, const ohm_bench_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_contestant *c = ohmi_alloc(N_WAYS, sizeof *c);
    ohmi_task *task = ohmi_alloc(OHMI_BENCH_TASKS, sizeof *task);
    ohmi_tasks tasks = {0};
    double warm;
    int n = 0;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *json = NULL;
    if (!c || !task) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the benchmark");
        goto done;
    }
    OHM_TRY(ohmi_bench_check(def, err));
    OHM_TRY(choose_ways(c, &n, def, err));
    OHM_TRY(ohmi_bench_images(&tasks, task, 16 * (int64_t)def->batch, def, err));

    // two steps each to warm up, then the ways in turn
    for (int i = 0; i < n; i++) {
        OHM_TRY(ohmi_contestant_make(&c[i], def, ways[c[i].way].method, ways[c[i].way].bits, &tasks,
                                     ohm_communicator_alone(), err));
        OHM_TRY(ohmi_contestant_step(&c[i], &tasks, &warm, err));
        OHM_TRY(ohmi_contestant_step(&c[i], &tasks, &warm, err));
        c[i].learner->network->times = (ohmi_network_times){0};
        c[i].learner->times = (ohmi_step_times){0};
        c[i].loader_s = 0;
    }
    for (int r = 0; r < def->repeats; r++) {
        for (int i = 0; i < n; i++) {
            OHM_TRY(ohmi_contestant_step(&c[i], &tasks, &c[i].seconds[r], err));
        }
    }
    for (int i = 0; i < n; i++) {
        if (c[i].learner->traits->claim == OHMI_CLAIM_BUDGET) {
            const double start = ohmi_now_s();
            ohmi_learner_grow(c[i].learner, 1, 0.3);
            c[i].grow_s = ohmi_now_s() - start;
        }
    }
    OHM_TRY(ohmi_bench_text(json, document(c, n, def), err));

done:
    for (int i = 0; c && i < N_WAYS; i++) {
        ohmi_contestant_drop(&c[i]);
    }
    ohmi_bench_drop_images(task);
    ohmi_free(task);
    ohmi_free(c);
    ohmi_c_locale_leave(&locale);
    return status;
}
