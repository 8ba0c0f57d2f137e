// SPDX-License-Identifier: Apache-2.0
// `ohm_bench_inference`: the forward pass of a batch through a learned XST network, in turn in
// float32, with 4-bit codes kept as floats, and in integers (network/integer_pass.h).
#include <stdio.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "learn/bench_ways.h"
#include "network/integer_pass.h"

enum { N_WAYS = 3, INTEGERS = 2, N_REFERENCE = 2 };

static const struct {
    const char *name, *arithmetic, *bits;
} ways[N_WAYS] = {{"float32", "float32 products and sums", "0"},
                  {"4-bit in floats", "whole numbers as float32", "4"},
                  {"4-bit in integers", "8-bit codes, 32-bit sums", "4"}};

// A learner whose second task is finished, with the clips of one training step.
static ohm_status make(ohmi_contestant *c, const ohm_bench_def *def, const char *bits,
                       const ohmi_tasks *tasks, ohm_error *err) {
    ohm_status status = OHM_OK;
    double seconds;
    OHM_TRY(ohmi_contestant_make(c, def, "xst", bits, tasks, ohm_communicator_alone(), err));
    OHM_TRY(ohmi_contestant_step(c, tasks, &seconds, err));
    ohmi_learner_finish(c->learner, 1);
    ohmi_learner_activate(c->learner, 1, c->learner->is_quantised);
done:
    return status;
}

// one forward pass in a way
static void pass(ohmi_network *network, int way, const float *x, int n) {
    if (way == INTEGERS) {
        ohmi_integer_forward(network, x, n);
    } else {
        ohmi_network_forward(network, x, n, OHMI_MODE_INFER, 0);
    }
}

// Fills a batch in the layout of a network with the first n images of another one's.
static void take_images(float *to, int to_pad, const float *from, int from_pad,
                        const ohmi_network *network, int n) {
    const ohmi_node *input = &network->nodes[0];
    for (int64_t pixel = 0; pixel < (int64_t)input->h * input->w; pixel++) {
        memcpy(to + pixel * to_pad * input->c_pad, from + pixel * from_pad * input->c_pad,
               (size_t)n * (size_t)input->c_pad * sizeof *to);
    }
}

// The logits of the first images by the plain loops of another learner of the same config, whose
// clips and statistics are copied; whether they are those of network, which has just run x.
static ohm_status compare_reference(bool *is_same, const ohm_bench_def *def, ohmi_contestant *own,
                                    const float *x, const ohmi_tasks *tasks, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohm_bench_def small = *def;
    const ohmi_network *network = own->learner->network;
    const int n = def->batch < N_REFERENCE ? def->batch : N_REFERENCE;
    const int n_classes = network->task->n_classes;
    ohmi_contestant *c = ohmi_alloc(1, sizeof *c);
    float *few = NULL;
    if (!c) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the reference");
        goto done;
    }
    small.backend = "reference";
    small.batch = n;
    OHM_TRY(ohmi_contestant_make(c, &small, "xst", "4", tasks, ohm_communicator_alone(), err));
    ohmi_learner_finish(c->learner, 1);
    ohmi_network *reference = c->learner->network;
    const ohmi_node *input = &reference->nodes[0];
    few = ohmi_alloc((size_t)input->h * (size_t)input->w * (size_t)reference->n_pad *
                         (size_t)input->c_pad,
                     sizeof *few);
    if (!few) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the reference");
        goto done;
    }

    // the same weights, masks and parameters
    ohmi_learner_activate(c->learner, 1, true);
    memcpy(reference->task->trainable, network->task->trainable,
           (size_t)network->task->n_trainable * sizeof(float));
    memcpy(reference->task->statistics, network->task->statistics,
           (size_t)network->task->n_statistics * sizeof(float));
    for (int l = 0; l < network->n_layers; l++) {
        memcpy(reference->layers[l].w_eff, network->layers[l].w_eff,
               (size_t)network->layers[l].n_weights * sizeof(float));
        reference->layers[l].step = network->layers[l].step;
    }
    take_images(few, reference->n_pad, x, network->n_pad, network, n);
    ohmi_network_forward(reference, few, n, OHMI_MODE_INFER, 0);
    *is_same = true;
    for (int i = 0; i < n; i++) {
        *is_same = *is_same && memcmp(reference->logits + (int64_t)i * reference->logits_pad,
                                      network->logits + (int64_t)i * network->logits_pad,
                                      (size_t)n_classes * sizeof(float)) == 0;
    }
done:
    ohmi_free(few);
    if (c) {
        ohmi_contestant_drop(c);
    }
    ohmi_free(c);
    return status;
}

static json_t *way_json(ohmi_contestant *c, const ohm_bench_def *def) {
    c->median_s = ohmi_bench_median(c->seconds, def->repeats);
    return json_pack("{s:s, s:s, s:f, s:f, s:f, s:f}", "name", ways[c->way].name, "arithmetic",
                     ways[c->way].arithmetic, "step_s", c->median_s, "step_min_s", c->seconds[0],
                     "step_spread", ohmi_bench_spread(c->seconds, def->repeats), "images_per_s",
                     def->batch / c->median_s);
}

// What the ways gave; identity of logits where both 4-bit ways ran.
static json_t *document(ohmi_contestant *c, int n, const ohm_bench_def *def, double prepare_s) {
    json_t *list = json_array();
    int best = 0;
    for (int i = 0; i < n; i++) {
        json_array_append_new(list, way_json(&c[i], def));
        best = c[i].median_s < c[best].median_s ? i : best;
    }
    json_t *root =
        json_pack("{s:i, s:s, s:o, s:s, s:s, s:f, s:i, s:i, s:i, s:o, s:f, s:s}", "schema", 1,
                  "program", "ohmwise", "machine", ohmi_bench_machine(), "model", def->model,
                  "backend", c[0].learner->network->kernels->name, "expand", def->expand, "batch",
                  def->batch, "threads", ohmi_threads(), "repeats", def->repeats, "ways", list,
                  "best_step_s", c[best].median_s, "best_way", ways[c[best].way].name);
    if (root && prepare_s > 0) {
        json_object_set_new(root, "prepare_s", json_real(prepare_s));
    }
    return root;
}

static ohm_status choose_ways(int *way, int *n, const ohm_bench_def *def, ohm_error *err) {
    const char *const names[N_WAYS] = {ways[0].name, ways[1].name, ways[2].name};
    *n = 0;
    for (int w = 0; w < N_WAYS; w++) {
        if (!def->way || strcmp(def->way, ways[w].name) == 0) {
            way[(*n)++] = w;
        }
    }
    return *n > 0 ? OHM_OK : ohmi_bench_no_way(def->way, names, N_WAYS, err);
}

// one batch of the loader, in the units of the learner
static void take_batch(ohmi_contestant *c, const ohmi_tasks *tasks, ohmi_batch *batch) {
    ohmi_loader_start(c->loader, 1, &tasks->task[1].train, 0, 0);
    ohmi_loader_next(c->loader, batch);
}

ohm_status ohm_bench_inference(char **json, const ohm_bench_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_contestant *c = ohmi_alloc(N_WAYS, sizeof *c);
    ohmi_task *task = ohmi_alloc(OHMI_BENCH_TASKS, sizeof *task);
    ohmi_tasks tasks = {0};
    ohmi_batch batch[N_WAYS];
    int way[N_WAYS], n = 0;
    bool is_same = false;
    double prepare_s = 0;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *json = NULL;
    if (!c || !task) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the benchmark");
        goto done;
    }
    OHM_TRY(ohmi_bench_check(def, err));
    OHM_TRY(choose_ways(way, &n, def, err));
    OHM_TRY(ohmi_bench_images(&tasks, task, 2 * (int64_t)def->batch, def, err));

    // the same images for all; two passes each to warm up, then the ways in turn
    for (int i = 0; i < n; i++) {
        c[i].way = way[i];
        OHM_TRY(make(&c[i], def, ways[way[i]].bits, &tasks, err));
        take_batch(&c[i], &tasks, &batch[i]);
        if (way[i] == INTEGERS) {
            bool is_ready = false;
            const double start = ohmi_now_s();
            OHM_TRY(ohmi_integer_prepare(&is_ready, c[i].learner->network, err));
            prepare_s = ohmi_now_s() - start;
            if (!is_ready) {
                // a machine or backend without integer products has the other ways
                ohmi_contestant_drop(&c[i]);
                n--;
                if (n == 0) {
                    status = ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                                       "backend '%s' has no integer products here", def->backend);
                    goto done;
                }
                prepare_s = 0;
                break;
            }
        }
        pass(c[i].learner->network, way[i], batch[i].x, batch[i].n);
        pass(c[i].learner->network, way[i], batch[i].x, batch[i].n);
    }
    for (int r = 0; r < def->repeats; r++) {
        for (int i = 0; i < n; i++) {
            const double start = ohmi_now_s();
            pass(c[i].learner->network, way[i], batch[i].x, batch[i].n);
            c[i].seconds[r] = ohmi_now_s() - start;
        }
    }
    json_t *root = document(c, n, def, prepare_s);
    if (root && n == N_WAYS) {
        // the two 4-bit ways, all logits of the batch; then the plain loops
        const ohmi_network *a = c[1].learner->network, *b = c[2].learner->network;
        is_same = true;
        for (int i = 0; i < def->batch; i++) {
            is_same = is_same && memcmp(a->logits + (int64_t)i * a->logits_pad,
                                        b->logits + (int64_t)i * b->logits_pad,
                                        (size_t)b->task->n_classes * sizeof(float)) == 0;
        }
        json_object_set_new(root, "identical", json_boolean(is_same));
        status = compare_reference(&is_same, def, &c[INTEGERS], batch[INTEGERS].x, &tasks, err);
        json_object_set_new(root, "identical_to_reference", json_boolean(is_same));
    }
    if (status < 0) {
        json_decref(root);
        goto done;
    }
    OHM_TRY(ohmi_bench_text(json, root, err));

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
