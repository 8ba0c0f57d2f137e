// SPDX-License-Identifier: Apache-2.0
// For tests: a whole training step of a network held against a file of tools/make_golden.py, whose
// head comment lists the tensors.
#ifndef OHMTEST_GOLDEN_STEP_H
#define OHMTEST_GOLDEN_STEP_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file/safetensors.h"
#include "learn/optimiser.h"
#include "network/network.h"

typedef struct {
    const char *model; // of the library
    const char *file;  // step-<file>.safetensors
    const ohmi_kernels *kernels;
    double tolerance; // of the largest number of a tensor
    ohmi_tensors *golden;
    ohmi_network *network;
    ohmi_task_parameters *task;
    float *velocity;   // (n_trainable)
    double worst;      // found, in units of the largest number of a tensor
    char worst_at[64]; // which tensor
} golden_step;

static inline const float *golden_values(const golden_step *g, const char *name, int64_t count) {
    const ohmi_view *view = ohmi_tensors_find(g->golden, name);
    if (!view || ohmi_view_count(view) != count) {
        fail_msg("%s: no '%s' of %lld numbers", g->file, name, (long long)count);
    }
    return view->data;
}

// |ours - golden| <= tolerance * max |golden|, for every number of a tensor
static inline void golden_compare(golden_step *g, const char *name, const float *ours,
                                  int64_t count) {
    const float *golden = golden_values(g, name, count);
    double top = 0;
    for (int64_t i = 0; i < count; i++) {
        top = fmax(top, fabs((double)golden[i]));
    }
    for (int64_t i = 0; i < count; i++) {
        const double error = fabs((double)ours[i] - (double)golden[i]);
        if (!(error <= g->tolerance * top)) {
            fail_msg("%s on %s: '%s' %lld is %.9g, golden %.9g, largest %.3g", g->file,
                     g->kernels->name, name, (long long)i, (double)ours[i], (double)golden[i], top);
        }
        if (error > g->worst * top) {
            g->worst = error / top;
            snprintf(g->worst_at, sizeof g->worst_at, "%s", name);
        }
    }
}

// the parameters of a node by their names in the file: trainable offset, count
typedef struct {
    char name[48];
    int64_t at, count;
    bool is_statistic;
} golden_part;

static inline int golden_parts(golden_part *parts, const ohmi_network *network, int n_classes) {
    int n = 0;
    for (int i = 0; i < network->n_nodes; i++) {
        const ohmi_node *node = &network->nodes[i];
        const int layer = node->kind == OHMI_NODE_NORM ? network->nodes[node->input].layer : -1;
        const struct {
            const char *part;
            int64_t at;
        } of[] = {{"gamma", node->gamma},
                  {"beta", node->beta},
                  {"b", node->bias},
                  {"mean", node->mean},
                  {"variance", node->variance}};
        for (int p = 0; layer >= 0 && p < 5; p++) {
            if (of[p].at < 0) {
                continue;
            }
            parts[n] = (golden_part){.at = of[p].at, .count = node->c, .is_statistic = p > 2};
            snprintf(parts[n++].name, sizeof parts->name, "%s%d.%s", p == 2 ? "linear" : "bn",
                     layer + 1, of[p].part);
        }
    }
    const int64_t n_head = (int64_t)n_classes * network->head_inputs;
    parts[n] = (golden_part){.name = "head.w", .at = network->head_offset, .count = n_head};
    parts[n + 1] =
        (golden_part){.name = "head.b", .at = network->head_offset + n_head, .count = n_classes};
    return n + 2;
}

// "bn1.gamma" to "bn1.dgamma"
static inline const char *golden_gradient(const char *name) {
    static char text[64];
    const char *dot = strchr(name, '.');
    snprintf(text, sizeof text, "%.*s.d%s", (int)(dot - name), name, dot + 1);
    return text;
}

static inline const char *golden_after(const char *name) {
    static char text[64];
    snprintf(text, sizeof text, "%.40s_after", name);
    return text;
}

static inline double golden_number(const golden_step *g, const char *key) {
    const char *text = ohmi_tensors_metadata(g->golden, key);
    if (!text) {
        fail_msg("%s: no '%s'", g->file, key);
    }
    return strtod(text, NULL);
}

static inline void golden_begin(golden_step *g) {
    char path[512];
    const ohmi_network_def def = {.model = g->model,
                                  .width = 1,
                                  .channels = 3,
                                  .height = 16,
                                  .width_pixels = 16,
                                  .batch = 6,
                                  .max_classes = 5,
                                  .is_training = true,
                                  .kernels = g->kernels,
                                  .input_step = 1};
    ohmi_network_def wide = def;
    snprintf(path, sizeof path, "%s/tests/data/golden/step-%s.safetensors", OHM_SOURCE_FOLDER,
             g->file);
    assert_int_equal(ohmi_tensors_open(&g->golden, path, NULL), OHM_OK);
    wide.width = golden_number(g, "width");
    assert_int_equal(ohmi_network_new(&g->network, &wide, NULL), OHM_OK);
    assert_int_equal(ohmi_task_parameters_new(&g->task, g->network, 5, 0, 0, NULL), OHM_OK);
    g->network->task = g->task;
    g->velocity = calloc((size_t)g->task->n_trainable, sizeof *g->velocity);
    assert_non_null(g->velocity);
}

static inline void golden_end(golden_step *g) {
    free(g->velocity);
    ohmi_task_parameters_free(&g->task);
    ohmi_network_free(&g->network);
    ohmi_tensors_close(&g->golden);
}

// One step: loss, logits, gradients, new weights, statistics.
static inline void golden_check(golden_step *g) {
    golden_part parts[128];
    char name[80];
    golden_begin(g);
    ohmi_network *network = g->network;
    const int n_parts = golden_parts(parts, network, 5);
    for (int l = 0; l < network->n_layers; l++) {
        ohmi_layer *layer = &network->layers[l];
        snprintf(name, sizeof name, "%s.w", layer->name);
        const size_t bytes = (size_t)layer->n_weights * sizeof(float);
        memcpy(layer->w, golden_values(g, name, layer->n_weights), bytes);
        memcpy(layer->w_eff, layer->w, bytes);
    }
    for (int p = 0; p < n_parts; p++) {
        if (!parts[p].is_statistic) {
            memcpy(g->task->trainable + parts[p].at,
                   golden_values(g, parts[p].name, parts[p].count),
                   (size_t)parts[p].count * sizeof(float));
        }
    }

    // images from (n, c, h, w)
    float *x = calloc((size_t)(16 * 16 * 16 * 16), sizeof *x);
    assert_non_null(x);
    const float *images = golden_values(g, "x", 6 * 3 * 256);
    for (int i = 0; i < 6 * 3 * 256; i++) {
        const int n = i / 768, c = i / 256 % 3, pixel = i % 256;
        x[(pixel * 16 + n) * 16 + c] = images[i];
    }
    const ohmi_view *labels = ohmi_tensors_find(g->golden, "labels");
    assert_non_null(labels);
    assert_int_equal(ohmi_view_count(labels), 6);

    // forward, loss, backward
    int n_right = 0;
    ohmi_network_forward(network, x, 6, OHMI_MODE_TRAIN,
                         (float)golden_number(g, "batchnorm_momentum"));
    const float loss = (float)ohmi_network_loss(network, labels->data, 6, &n_right);
    float logits[30];
    for (int i = 0; i < 30; i++) {
        logits[i] = network->logits[i / 5 * network->logits_pad + i % 5];
    }
    golden_compare(g, "logits", logits, 30);
    golden_compare(g, "loss", &loss, 1);
    ohmi_network_backward(network, 6);

    // gradients, then the step
    const ohmi_update rule = {.lr = (float)golden_number(g, "lr"),
                              .momentum = (float)golden_number(g, "momentum"),
                              .decay = (float)golden_number(g, "decay"),
                              .nesterov = true};
    for (int l = 0; l < network->n_layers; l++) {
        ohmi_layer *layer = &network->layers[l];
        float *velocity = calloc((size_t)layer->n_weights, sizeof *velocity);
        assert_non_null(velocity);
        snprintf(name, sizeof name, "%s.w", layer->name);
        golden_compare(g, golden_gradient(name), layer->dw, layer->n_weights);
        ohmi_update_weights(layer->w, velocity, NULL, layer->dw, layer->n_weights, &rule);
        golden_compare(g, golden_after(name), layer->w, layer->n_weights);
        free(velocity);
    }
    for (int p = 0; p < n_parts; p++) {
        const float *d = network->d_trainable + parts[p].at;
        float *numbers = parts[p].is_statistic ? g->task->statistics : g->task->trainable;
        if (!parts[p].is_statistic) {
            golden_compare(g, golden_gradient(parts[p].name), d, parts[p].count);
            ohmi_update_weights(numbers + parts[p].at, g->velocity + parts[p].at, NULL, d,
                                parts[p].count, &rule);
        }
        golden_compare(g, golden_after(parts[p].name), numbers + parts[p].at, parts[p].count);
    }
    free(x);
    golden_end(g);
}

#endif
