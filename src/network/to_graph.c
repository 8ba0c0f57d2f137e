// SPDX-License-Identifier: Apache-2.0
// From a network to a graph; see to_graph.h.
#include "network/to_graph.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "network/names.h"
#include "network/norm.h"
#include "network/trained.h"

#define EPSILON 1e-5 // of every batch norm here, see norm.c

typedef struct {
    ohmi_graph *graph;
    const ohmi_network *network;
    int at[OHMI_MAX_NODES]; // op that gives a node's value
} writing;

static ohmi_view part(const char *stem, const char *name, float *data, int n_dims, int64_t d0,
                      int64_t d1, int64_t d2, int64_t d3) {
    char text[96];
    (void)snprintf(text, sizeof text, "%s.%s", stem, name);
    return ohmi_view_of(text, OHMI_F32, data, n_dims, d0, d1, d2, d3);
}

// Appends an op that takes the value of `from`; a name that ends in '_' gets the op's number.
static ohm_status add(int *out, writing *w, ohmi_op_kind kind, const char *name, int from,
                      ohm_error *err) {
    ohm_status status = OHM_OK;
    char numbered[96];
    const size_t length = strlen(name);
    (void)snprintf(numbered, sizeof numbered, "%s", name);
    if (length > 0 && name[length - 1] == '_') {
        (void)snprintf(numbered, sizeof numbered, "%s%d", name, w->graph->n_ops);
    }
    OHM_TRY(ohmi_graph_add(out, w->graph, kind, numbered, err));
    if (from >= 0) {
        w->graph->op[*out].n_inputs = 1;
        w->graph->op[*out].input[0] = from;
    }
done:
    return status;
}

static ohm_status add_layer(writing *w, int i, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_network *network = w->network;
    const ohmi_node *node = &network->nodes[i];
    const ohmi_layer *layer = &network->layers[node->layer];
    const ohmi_conv *shape = &layer->shape;
    const bool is_linear = strncmp(layer->name, "linear", 6) == 0;
    int at = w->at[node->input];
    ohmi_names names;
    ohmi_names_of(&names, network->model, node->layer);
    if (is_linear) {
        OHM_TRY(add(&at, w, OHMI_OP_FLATTEN, "flatten_", at, err));
    }
    OHM_TRY(add(&at, w, is_linear ? OHMI_OP_LINEAR : OHMI_OP_CONV, names.layer, at, err));
    ohmi_op *op = &w->graph->op[at];
    op->kernel = shape->r;
    op->stride = shape->stride;
    op->pad = shape->pad;
    op->weight = is_linear ? part(names.layer, "weight", layer->w_eff, 2, shape->k,
                                  (int64_t)shape->c * shape->r * shape->s, 0, 0)
                           : part(names.layer, "weight", layer->w_eff, 4, shape->k, shape->c,
                                  shape->r, shape->s);
    const int behind = ohmi_norm_of_layer(network->nodes, network->n_nodes, node->layer);
    const ohmi_node *norm = behind >= 0 ? &network->nodes[behind] : NULL;
    if (norm && norm->has_bias) {
        op->bias =
            part(names.layer, "bias", network->task->trainable + norm->bias, 1, shape->k, 0, 0, 0);
    }
    w->at[i] = at;
done:
    return status;
}

static ohm_status add_norm(writing *w, int i, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_network *network = w->network;
    const ohmi_node *node = &network->nodes[i], *from = &network->nodes[node->input];
    const ohmi_task_parameters *task = network->task;
    int at = w->at[node->input];
    if (from->layer < 0) {
        w->at[i] = at; // the quantiser behind the mean
        return OHM_OK;
    }
    if (node->has_batchnorm) {
        ohmi_names names;
        ohmi_names_of(&names, network->model, from->layer);
        OHM_TRY(add(&at, w, OHMI_OP_NORM, names.norm, at, err));
        ohmi_op *op = &w->graph->op[at];
        const char *stem = names.norm;
        op->epsilon = EPSILON;
        op->gamma = part(stem, "weight", task->trainable + node->gamma, 1, node->c, 0, 0, 0);
        op->beta = part(stem, "bias", task->trainable + node->beta, 1, node->c, 0, 0, 0);
        op->mean = part(stem, "running_mean", task->statistics + node->mean, 1, node->c, 0, 0, 0);
        op->variance =
            part(stem, "running_var", task->statistics + node->variance, 1, node->c, 0, 0, 0);
    }
    if (node->residual >= 0) {
        OHM_TRY(add(&at, w, OHMI_OP_ADD, "add_", at, err));
        w->graph->op[at].n_inputs = 2;
        w->graph->op[at].input[1] = w->at[node->residual];
    }
    if (node->has_relu) {
        OHM_TRY(add(&at, w, OHMI_OP_RELU, "relu_", at, err));
    }
    w->at[i] = at;
done:
    return status;
}

static ohm_status add_head(writing *w, int i, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_network *network = w->network;
    const ohmi_task_parameters *task = network->task;
    const char *name = ohmi_names_head(network->model);
    const int64_t n_classes = task->n_classes, n_inputs = network->head_inputs;
    float *weight = task->trainable + network->head_offset;
    int at = w->at[network->nodes[i].input];
    OHM_TRY(add(&at, w, OHMI_OP_FLATTEN, "flatten_", at, err));
    OHM_TRY(add(&at, w, OHMI_OP_LINEAR, name, at, err));
    w->graph->op[at].weight = part(name, "weight", weight, 2, n_classes, n_inputs, 0, 0);
    w->graph->op[at].bias =
        part(name, "bias", weight + n_classes * n_inputs, 1, n_classes, 0, 0, 0);
    w->graph->output = at;
done:
    return status;
}

static ohm_status add_pool(writing *w, int i, ohm_error *err) {
    const ohmi_node *node = &w->network->nodes[i];
    const bool is_mean = node->kind == OHMI_NODE_AVGPOOL;
    ohm_status status = add(&w->at[i], w, is_mean ? OHMI_OP_AVGPOOL : OHMI_OP_MAXPOOL,
                            is_mean ? "mean_" : "pool_", w->at[node->input], err);
    if (status == OHM_OK && !is_mean) {
        ohmi_op *op = &w->graph->op[w->at[i]];
        op->kernel = node->window;
        op->stride = node->stride;
        op->pad = node->pad;
    }
    return status;
}

ohm_status ohmi_network_to_graph(ohmi_graph *out, const ohmi_network *network, ohm_error *err) {
    ohm_status status = OHM_OK;
    writing w = {.graph = out, .network = network};
    OHM_TRY(ohmi_graph_new(out, err));
    for (int i = 0; i < network->n_nodes; i++) {
        const ohmi_node *node = &network->nodes[i];
        switch (node->kind) {
        case OHMI_NODE_INPUT:
            OHM_TRY(add(&w.at[i], &w, OHMI_OP_INPUT, "images", -1, err));
            out->channels = node->c;
            out->height = node->h;
            out->width = node->w;
            break;
        case OHMI_NODE_CONV:
            OHM_TRY(add_layer(&w, i, err));
            break;
        case OHMI_NODE_NORM:
            OHM_TRY(add_norm(&w, i, err));
            break;
        case OHMI_NODE_MAXPOOL:
        case OHMI_NODE_AVGPOOL:
            OHM_TRY(add_pool(&w, i, err));
            break;
        case OHMI_NODE_HEAD:
            OHM_TRY(add_head(&w, i, err));
            break;
        }
    }
done:
    if (status < 0) {
        ohmi_graph_free(out);
    }
    return status;
}
