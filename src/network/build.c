// SPDX-License-Identifier: Apache-2.0
// From a model's description to a network with all its memory.
//
// Memory: every node's value lives through the step. Gradients share slots: a node's gradient is
// written by the nodes that use its value and read when its own turn comes, so walking backwards, a
// slot is taken at the last user and given back after the node's own turn.
#include "network/build.h"

#include <stdio.h>
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/rng.h"
#include "network/integer_pass.h"

static int rounded(int n) {
    return (n + 15) / 16 * 16;
}

static ohmi_node *append(ohmi_build *build, ohmi_node_kind kind, const char *stem, int number,
                         int input, int c, int h, int w) {
    if (build->n_nodes == OHMI_MAX_NODES || c < 1 || h < 1 || w < 1) {
        build->has_overflow = true;
        build->n_nodes = build->n_nodes ? build->n_nodes - 1 : 0;
    }
    ohmi_node *node = &build->nodes[build->n_nodes++];
    memset(node, 0, sizeof *node);
    node->kind = kind;
    (void)snprintf(node->name, sizeof node->name, number ? "%s%d" : "%s", stem, number);
    node->input = input;
    node->residual = -1;
    node->layer = -1;
    node->c = c;
    node->h = h;
    node->w = w;
    node->c_pad = rounded(c > 0 ? c : 1);
    node->gamma = node->beta = node->bias = node->clip = node->mean = node->variance = -1;
    node->step = 1;
    node->gradient_scale = 1;
    return node;
}

static int last(const ohmi_build *build) {
    return build->n_nodes - 1;
}

int ohmi_build_input(ohmi_build *build, int channels, int height, int width) {
    append(build, OHMI_NODE_INPUT, "input", 0, -1, channels, height, width);
    return last(build);
}

// a convolution with exactly that many channels
static int add_conv(ohmi_build *build, int input, const char *stem, int channels, int size_r,
                    int size_s, int stride, int pad) {
    const ohmi_node *from = &build->nodes[input];
    if (build->has_overflow || from->h + 2 * pad < size_r || from->w + 2 * pad < size_s) {
        build->has_overflow = true;
        return input;
    }
    ohmi_conv shape = {.n = build->batch,
                       .c = from->c,
                       .k = channels,
                       .h = from->h,
                       .w = from->w,
                       .r = size_r,
                       .s = size_s,
                       .stride = stride,
                       .pad = pad};
    ohmi_conv_complete(&shape);
    ohmi_node *node =
        append(build, OHMI_NODE_CONV, stem, build->n_layers + 1, input, channels, shape.p, shape.q);
    node->layer = build->n_layers;
    ohmi_layer *layer = &build->layers[build->n_layers++];
    memset(layer, 0, sizeof *layer);
    memcpy(layer->name, node->name, sizeof layer->name);
    layer->shape = shape;
    layer->n_weights = (int64_t)shape.k * shape.c * shape.r * shape.s;
    layer->step = 1;
    return last(build);
}

int ohmi_build_conv(ohmi_build *build, int input, int channels, int size, int stride, int pad) {
    return add_conv(build, input, "conv", (int)(channels * build->width), size, size, stride, pad);
}

int ohmi_build_linear(ohmi_build *build, int input, int channels) {
    const ohmi_node *from = &build->nodes[input];
    return add_conv(build, input, "linear", (int)(channels * build->width), from->h, from->w, 1, 0);
}

static int add_norm(ohmi_build *build, int input, int residual, bool has_batchnorm, bool has_bias,
                    bool has_relu, bool is_quantised) {
    const ohmi_node *from = &build->nodes[input];
    ohmi_node *node = append(build, OHMI_NODE_NORM, has_batchnorm ? "norm" : "act", input, input,
                             from->c, from->h, from->w);
    node->residual = residual;
    node->has_batchnorm = has_batchnorm;
    node->has_bias = has_bias;
    node->has_relu = has_relu;
    node->is_quantised = is_quantised;
    return last(build);
}

int ohmi_build_norm(ohmi_build *build, int input, int residual, bool has_relu) {
    return add_norm(build, input, residual, true, false, has_relu, has_relu);
}

int ohmi_build_bias(ohmi_build *build, int input) {
    return add_norm(build, input, -1, false, true, true, true);
}

int ohmi_build_quantise(ohmi_build *build, int input) {
    return add_norm(build, input, -1, false, false, true, true);
}

int ohmi_build_maxpool(ohmi_build *build, int input, int window, int stride, int pad) {
    const ohmi_node *from = &build->nodes[input];
    if (from->h + 2 * pad < window || from->w + 2 * pad < window) {
        return input;
    }
    ohmi_node *node = append(build, OHMI_NODE_MAXPOOL, "pool", input, input, from->c,
                             (from->h + 2 * pad - window) / stride + 1,
                             (from->w + 2 * pad - window) / stride + 1);
    node->window = window;
    node->stride = stride;
    node->pad = pad;
    return last(build);
}

int ohmi_build_avgpool(ohmi_build *build, int input) {
    append(build, OHMI_NODE_AVGPOOL, "mean", 0, input, build->nodes[input].c, 1, 1);
    return last(build);
}

int ohmi_build_head(ohmi_build *build, int input) {
    const ohmi_node *from = &build->nodes[input];
    if (from->h != 1 || from->w != 1) {
        build->has_overflow = true;
    }
    append(build, OHMI_NODE_HEAD, "head", 0, input, 1, 1, 1);
    return last(build);
}

// where each node finds its numbers in the parameters of a task
static void lay_out_parameters(ohmi_network *network) {
    int64_t trainable = 0, statistics = 0;
    for (int i = 0; i < network->n_nodes; i++) {
        ohmi_node *node = &network->nodes[i];
        if (node->kind != OHMI_NODE_NORM) {
            continue;
        }
        if (node->has_batchnorm) {
            node->gamma = trainable;
            node->beta = trainable + node->c;
            trainable += 2 * (int64_t)node->c;
            node->mean = statistics;
            node->variance = statistics + node->c;
            statistics += 2 * (int64_t)node->c;
        }
        if (node->has_bias) {
            node->bias = trainable;
            trainable += node->c;
        }
        if (node->is_quantised && network->activation_grid.n_levels > 0) {
            node->clip = trainable++;
        }
    }
    network->head_offset = trainable;
    network->n_statistics = statistics;
}

static size_t value_count(const ohmi_network *network, const ohmi_node *node) {
    return (size_t)node->h * (size_t)node->w * (size_t)network->n_pad * (size_t)node->c_pad;
}

// gives each node's gradient a slot; returns the number of slots, their sizes in slot_size
static int plan_gradients(const ohmi_network *network, int *slot_of, size_t *slot_size) {
    bool is_taken[OHMI_MAX_NODES] = {false};
    int n_slots = 0;
    for (int i = 0; i < network->n_nodes; i++) {
        slot_of[i] = -1;
    }
    for (int i = network->n_nodes - 1; i > 0; i--) {
        const int source[2] = {network->nodes[i].input, network->nodes[i].residual};
        for (int e = 0; e < 2; e++) {
            if (source[e] <= 0 || slot_of[source[e]] >= 0) {
                continue;
            }
            int slot = 0;
            while (is_taken[slot]) {
                slot++;
            }
            is_taken[slot] = true;
            slot_of[source[e]] = slot;
            const size_t size = value_count(network, &network->nodes[source[e]]);
            slot_size[slot] = slot >= n_slots || size > slot_size[slot] ? size : slot_size[slot];
            n_slots = slot + 1 > n_slots ? slot + 1 : n_slots;
        }
        if (slot_of[i] >= 0) {
            is_taken[slot_of[i]] = false;
        }
    }
    return n_slots;
}

// takes all memory of a network; every pointer is set here
static ohm_status take_memory(ohmi_network *network, bool is_training, ohm_error *err) {
    int slot_of[OHMI_MAX_NODES];
    size_t slot_size[OHMI_MAX_NODES] = {0}, slot_at[OHMI_MAX_NODES] = {0};
    const int n_slots = plan_gradients(network, slot_of, slot_size);
    size_t values = 0, gradients = 0, largest = 0, work = 0;
    int channels = network->head_inputs;

    // sizes
    for (int i = 1; i < network->n_nodes; i++) {
        const ohmi_node *node = &network->nodes[i];
        const size_t count = value_count(network, node);
        values += count;
        largest = count > largest ? count : largest;
        channels = node->c_pad > channels ? node->c_pad : channels;
    }
    for (int s = 0; s < n_slots; s++) {
        slot_at[s] = gradients;
        gradients += slot_size[s];
    }
    ohmi_conv head = {.n = network->batch,
                      .c = network->head_inputs,
                      .k = network->max_classes,
                      .h = 1,
                      .w = 1,
                      .r = 1,
                      .s = 1,
                      .stride = 1};
    ohmi_conv_complete(&head);
    work = network->kernels->workspace(&head);
    for (int l = 0; l < network->n_layers; l++) {
        const size_t bytes = network->kernels->workspace(&network->layers[l].shape);
        work = bytes > work ? bytes : work;
    }

    // blocks
    network->value_pool = ohmi_alloc(values, sizeof(float));
    network->work = ohmi_alloc(work, 1);
    network->logits =
        ohmi_alloc((size_t)network->n_pad * (size_t)network->logits_pad, sizeof(float));
    network->head_w =
        ohmi_alloc((size_t)network->max_classes * (size_t)network->head_inputs, sizeof(float));
    network->scratch_channels = ohmi_alloc((size_t)channels * 3, sizeof(float));
    network->partial = ohmi_alloc(64 * (2 * (size_t)channels + 1), sizeof(double));
    bool failed = !network->value_pool || !network->work || !network->logits || !network->head_w ||
                  !network->scratch_channels || !network->partial;
    if (is_training) {
        network->gradient_pool = ohmi_alloc(gradients, sizeof(float));
        network->scratch = ohmi_alloc(largest, sizeof(float));
        network->d_trainable = ohmi_alloc((size_t)network->max_trainable, sizeof(float));
        network->d_logits =
            ohmi_alloc((size_t)network->n_pad * (size_t)network->logits_pad, sizeof(float));
        failed = failed || !network->gradient_pool || !network->scratch || !network->d_trainable ||
                 !network->d_logits;
    }
    size_t at = 0;
    for (int i = 1; i < network->n_nodes && !failed; i++) {
        ohmi_node *node = &network->nodes[i];
        const size_t count = value_count(network, node);
        node->value = network->value_pool + at;
        at += count;
        if (slot_of[i] >= 0 && is_training) {
            node->gradient = network->gradient_pool + slot_at[slot_of[i]];
        }
        if (node->kind == OHMI_NODE_MAXPOOL && is_training) {
            node->index = ohmi_alloc(count, 1);
            failed = !node->index;
        }
        if (node->kind == OHMI_NODE_NORM) {
            node->a = ohmi_alloc((size_t)node->c_pad * 4, sizeof(float));
            failed = failed || !node->a;
            node->b = failed ? NULL : node->a + node->c_pad;
            node->inverse_deviation = failed ? NULL : node->b + node->c_pad;
            node->centre = failed ? NULL : node->inverse_deviation + node->c_pad;
        }
    }
    for (int l = 0; l < network->n_layers && !failed; l++) {
        ohmi_layer *layer = &network->layers[l];
        layer->w = ohmi_alloc((size_t)layer->n_weights, sizeof(float));
        layer->w_eff = ohmi_alloc((size_t)layer->n_weights, sizeof(float));
        layer->dw = is_training ? ohmi_alloc((size_t)layer->n_weights, sizeof(float)) : NULL;
        failed = !layer->w || !layer->w_eff || (is_training && !layer->dw);
    }
    if (failed) {
        ohm_status status =
            ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s' with batches of %d",
                      network->model, network->batch);
        ohmi_hint(err, "lower 'train.batch' or 'network.expand'");
        return status;
    }
    return OHM_OK;
}

ohm_status ohmi_network_new(ohmi_network **out, const ohmi_network_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_network *network = NULL;
    ohmi_build *build = ohmi_alloc(1, sizeof *build);
    *out = NULL;
    if (!build) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a network");
        goto done;
    }
    build->width = def->width;
    build->batch = def->batch;
    OHM_TRY(ohmi_model_build(build, def, err));

    network = ohmi_alloc(1, sizeof *network);
    if (!network) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a network");
        goto done;
    }
    (void)snprintf(network->model, sizeof network->model, "%s", def->model);
    network->n_nodes = build->n_nodes;
    network->n_layers = build->n_layers;
    network->batch = def->batch;
    network->n_pad = rounded(def->batch);
    network->kernels = def->kernels;
    network->activation_grid = def->activation_grid;
    network->head_top = def->head_bits ? (float)((1 << (def->head_bits - 1)) - 1) : 0.0f;
    network->max_classes = def->max_classes;
    network->logits_pad = rounded(def->max_classes);
    network->nodes = ohmi_alloc((size_t)build->n_nodes, sizeof *network->nodes);
    network->layers = ohmi_alloc((size_t)build->n_layers, sizeof *network->layers);
    if (!network->nodes || !network->layers) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a network");
        goto done;
    }
    memcpy(network->nodes, build->nodes, (size_t)build->n_nodes * sizeof *network->nodes);
    memcpy(network->layers, build->layers, (size_t)build->n_layers * sizeof *network->layers);
    network->nodes[0].step = def->input_step;
    for (int i = 1; i < network->n_nodes; i++) {
        const ohmi_node *node = &network->nodes[i];
        network->nodes[node->input].n_users++;
        if (node->residual >= 0) {
            network->nodes[node->residual].n_users++;
        }
    }
    network->head_inputs = network->nodes[network->nodes[build->n_nodes - 1].input].c;
    lay_out_parameters(network);
    network->max_trainable =
        network->head_offset + (int64_t)def->max_classes * (network->head_inputs + 1);
    OHM_TRY(take_memory(network, def->is_training, err));
    *out = network;
    network = NULL;

done:
    ohmi_free(build);
    ohmi_network_free(&network);
    return status;
}

void ohmi_network_free(ohmi_network **network) {
    ohmi_network *n = *network;
    if (!n) {
        return;
    }
    for (int i = 0; n->nodes && i < n->n_nodes; i++) {
        ohmi_free(n->nodes[i].index);
        ohmi_free(n->nodes[i].a);
    }
    for (int l = 0; n->layers && l < n->n_layers; l++) {
        ohmi_free(n->layers[l].w);
        ohmi_free(n->layers[l].w_eff);
        ohmi_free(n->layers[l].dw);
    }
    void *blocks[] = {n->nodes,   n->layers,      n->value_pool,       n->work,
                      n->logits,  n->head_w,      n->scratch_channels, n->partial,
                      n->scratch, n->d_trainable, n->d_logits,         n->gradient_pool};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ohmi_free(blocks[i]);
    }
    ohmi_integer_free(&n->integer);
    ohmi_free(n);
    *network = NULL;
}

ohm_status ohmi_task_parameters_new(ohmi_task_parameters **out, const ohmi_network *network,
                                    int n_classes, uint64_t seed, int task, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_task_parameters *p = ohmi_alloc(1, sizeof *p);
    *out = NULL;
    if (p) {
        p->n_classes = n_classes;
        p->n_trainable = network->head_offset + (int64_t)n_classes * (network->head_inputs + 1);
        p->n_statistics = network->n_statistics;
        p->trainable = ohmi_alloc((size_t)p->n_trainable, sizeof(float));
        p->statistics = ohmi_alloc((size_t)p->n_statistics, sizeof(float));
    }
    if (!p || !p->trainable || !p->statistics) {
        status =
            ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the parameters of task %d", task + 1);
        goto done;
    }

    // identity norms
    for (int i = 0; i < network->n_nodes; i++) {
        const ohmi_node *node = &network->nodes[i];
        for (int c = 0; c < node->c && node->gamma >= 0; c++) {
            p->trainable[node->gamma + c] = 1;
            p->statistics[node->variance + c] = 1;
        }
    }

    // head
    const ohmi_rng rng = {.seed = seed, .purpose = OHMI_RNG_HEAD, .task = (uint32_t)task};
    const float deviation = 1.0f / sqrtf((float)network->head_inputs);
    for (int64_t i = 0; i < (int64_t)n_classes * network->head_inputs; i++) {
        p->trainable[network->head_offset + i] = deviation * ohmi_rng_normal(&rng, (uint32_t)i);
    }
    *out = p;
    p = NULL;

done:
    ohmi_task_parameters_free(&p);
    return status;
}

void ohmi_task_parameters_free(ohmi_task_parameters **task) {
    if (*task) {
        ohmi_free((*task)->trainable);
        ohmi_free((*task)->statistics);
        ohmi_free(*task);
        *task = NULL;
    }
}
