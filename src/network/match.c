// SPDX-License-Identifier: Apache-2.0
// Matching a graph to a model; see match.h.
#include "network/match.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

typedef struct {
    const ohmi_graph *graph;
    const ohmi_build *build;
    const char *model;
    ohmi_trained *out;
    int *at;       // (n_nodes) op that gives a node's value
    bool *is_used; // (n_ops)
} match;

const ohmi_op *ohmi_match_first(const ohmi_graph *graph) {
    for (int i = 0; i < graph->n_ops; i++) {
        if (graph->op[i].kind == OHMI_OP_CONV) {
            return &graph->op[i];
        }
    }
    return NULL;
}

const ohmi_op *ohmi_match_head(const ohmi_graph *graph) {
    for (int i = graph->n_ops - 1; i >= 0; i--) {
        if (graph->op[i].kind == OHMI_OP_LINEAR) {
            return &graph->op[i];
        }
    }
    return NULL;
}

static bool takes(const ohmi_op *op, int from) {
    return (op->n_inputs > 0 && op->input[0] == from) || (op->n_inputs > 1 && op->input[1] == from);
}

// what may stand between a value and the op of a kind that takes it
static bool is_passed(const ohmi_op *op, ohmi_op_kind before) {
    const bool is_window = before == OHMI_OP_CONV || before == OHMI_OP_MAXPOOL;
    return op->kind == OHMI_OP_NOTHING || (op->kind == OHMI_OP_PAD && is_window) ||
           (op->kind == OHMI_OP_FLATTEN && before == OHMI_OP_LINEAR);
}

typedef bool fits(const ohmi_op *op, int pad, const void *wanted);

// The first unused op of a kind that takes the value of `from` and fits; -1 when there is none.
// *near becomes an op of the kind that does not fit.
static int follow(const match *m, int from, ohmi_op_kind kind, int pad, fits *is_fit,
                  const void *wanted, int *near) {
    const ohmi_graph *graph = m->graph;
    for (int i = from + 1; i < graph->n_ops; i++) {
        const ohmi_op *op = &graph->op[i];
        if (!takes(op, from)) {
            continue;
        }
        if (op->kind == kind && !m->is_used[i]) {
            if (!is_fit || is_fit(op, pad + op->pad, wanted)) {
                return i;
            }
            *near = i;
        } else if (is_passed(op, kind)) {
            const int more = op->kind == OHMI_OP_PAD ? op->pad : 0;
            const int found = follow(m, i, kind, pad + more, is_fit, wanted, near);
            if (found >= 0) {
                return found;
            }
        }
    }
    return -1;
}

// Whether the value of op i is that of `wanted`, through ops that change nothing.
static bool is_value_of(const ohmi_graph *graph, int i, int wanted) {
    while (i >= 0 && i != wanted && graph->op[i].kind == OHMI_OP_NOTHING) {
        i = graph->op[i].input[0];
    }
    return i == wanted;
}

static ohm_status no_fit(const match *m, const ohmi_node *node, int near, ohm_error *err) {
    ohm_status status;
    if (near < 0) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "the network has nothing for '%s' of '%s'",
                           node->name, m->model);
    } else {
        const ohmi_op *op = &m->graph->op[near];
        status = ohmi_fail(err, OHM_ERR_FORMAT,
                           "operation '%s' (stride %d, pad %d) does not fit '%s' of '%s'", op->name,
                           op->stride, op->pad, node->name, m->model);
    }
    ohmi_hint(err, "another --model? resnet50 and resnet50_v1 differ in where they halve the map");
    return status;
}

static bool conv_fits(const ohmi_op *op, int pad, const void *wanted) {
    const ohmi_conv *shape = wanted;
    const int64_t *size = op->weight.shape;
    return op->weight.n_dims == 4 && size[0] == shape->k && size[1] == shape->c &&
           size[2] == shape->r && size[3] == shape->s && op->stride == shape->stride &&
           pad == shape->pad;
}

static bool linear_fits(const ohmi_op *op, int pad, const void *wanted) {
    const ohmi_conv *shape = wanted;
    return pad == 0 && op->weight.n_dims == 2 && op->weight.shape[0] == shape->k &&
           op->weight.shape[1] == (int64_t)shape->c * shape->r * shape->s;
}

static bool pool_fits(const ohmi_op *op, int pad, const void *wanted) {
    const ohmi_node *node = wanted;
    return op->kernel == node->window && op->stride == node->stride && pad == node->pad;
}

static bool mean_fits(const ohmi_op *op, int pad, const void *wanted) {
    const ohmi_node *from = wanted;
    return op->kernel == 0 || (op->kernel == from->h && op->kernel == from->w && pad == 0);
}

// A convolution, or a linear layer over the whole map.
static ohm_status match_layer(match *m, int i, ohm_error *err) {
    const ohmi_node *node = &m->build->nodes[i];
    const ohmi_conv *shape = &m->build->layers[node->layer].shape;
    ohmi_trained_layer *out = &m->out->layer[node->layer];
    const bool is_linear = shape->r == shape->h && shape->s == shape->w && shape->pad == 0;
    int near = -1, found = -1;
    if (is_linear) {
        found = follow(m, m->at[node->input], OHMI_OP_LINEAR, 0, linear_fits, shape, &near);
        if (found >= 0 && m->graph->is_channels_last && shape->r * shape->s > 1) {
            return ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                             "operation '%s' flattens a map channels last, which is not read",
                             m->graph->op[found].name);
        }
    }
    if (found < 0) {
        found = follow(m, m->at[node->input], OHMI_OP_CONV, 0, conv_fits, shape, &near);
    }
    if (found < 0) {
        return no_fit(m, node, near, err);
    }
    m->is_used[found] = true;
    m->at[i] = found;
    out->weight = m->graph->op[found].weight;
    out->bias = m->graph->op[found].bias;
    return OHM_OK;
}

// Batch norm where the graph has it, residual sum, ReLU.
static ohm_status match_norm(match *m, int i, ohm_error *err) {
    const ohmi_node *node = &m->build->nodes[i], *from = &m->build->nodes[node->input];
    int at = m->at[node->input], near = -1;
    if (from->layer < 0) {
        // the quantiser behind the mean: a ReLU of what is not negative
        m->at[i] = at;
        return OHM_OK;
    }
    ohmi_trained_layer *out = &m->out->layer[from->layer];
    const int norm = node->has_batchnorm ? follow(m, at, OHMI_OP_NORM, 0, NULL, NULL, &near) : -1;
    if (norm >= 0) {
        const ohmi_op *op = &m->graph->op[norm];
        out->gamma = op->gamma;
        out->beta = op->beta;
        out->mean = op->mean;
        out->variance = op->variance;
        out->epsilon = op->epsilon;
        m->is_used[norm] = true;
        at = norm;
    }
    if (node->residual >= 0) {
        at = follow(m, at, OHMI_OP_ADD, 0, NULL, NULL, &near);
        const int *input = at >= 0 ? m->graph->op[at].input : NULL;
        const int wanted = m->at[node->residual];
        if (at < 0 || (!is_value_of(m->graph, input[0], wanted) &&
                       !is_value_of(m->graph, input[1], wanted))) {
            return no_fit(m, node, at, err);
        }
        m->is_used[at] = true;
    }
    if (node->has_relu) {
        at = follow(m, at, OHMI_OP_RELU, 0, NULL, NULL, &near);
        if (at < 0) {
            return no_fit(m, node, -1, err);
        }
        m->is_used[at] = true;
    }
    m->at[i] = at;
    return OHM_OK;
}

static ohm_status match_pool(match *m, int i, ohm_error *err) {
    const ohmi_node *node = &m->build->nodes[i], *from = &m->build->nodes[node->input];
    const bool is_mean = node->kind == OHMI_NODE_AVGPOOL;
    int near = -1;
    const int found =
        is_mean ? follow(m, m->at[node->input], OHMI_OP_AVGPOOL, 0, mean_fits, from, &near)
                : follow(m, m->at[node->input], OHMI_OP_MAXPOOL, 0, pool_fits, node, &near);
    if (found < 0) {
        return no_fit(m, node, near, err);
    }
    m->is_used[found] = true;
    m->at[i] = found;
    return OHM_OK;
}

// The classifier, which must be what the graph answers, up to a softmax.
static ohm_status match_head(match *m, int i, ohm_error *err) {
    const ohmi_node *node = &m->build->nodes[i];
    int near = -1;
    const int found = follow(m, m->at[node->input], OHMI_OP_LINEAR, 0, NULL, NULL, &near);
    if (found < 0) {
        return no_fit(m, node, near, err);
    }
    m->is_used[found] = true;
    m->at[i] = found;
    m->out->head_weight = m->graph->op[found].weight;
    m->out->head_bias = m->graph->op[found].bias;
    int end = m->graph->output;
    while (end > found && (m->graph->op[end].kind == OHMI_OP_SOFTMAX ||
                           m->graph->op[end].kind == OHMI_OP_NOTHING)) {
        m->is_used[end] = true;
        end = m->graph->op[end].input[0];
    }
    if (end != found) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "the network's output is not its classifier '%s'",
                         m->graph->op[found].name);
    }
    return OHM_OK;
}

// ops that compute something and that no layer took
static ohm_status check_used(const match *m, ohm_error *err) {
    for (int i = 0; i < m->graph->n_ops; i++) {
        const ohmi_op_kind kind = m->graph->op[i].kind;
        const bool is_passive = kind == OHMI_OP_INPUT || kind == OHMI_OP_PAD ||
                                kind == OHMI_OP_FLATTEN || kind == OHMI_OP_NOTHING;
        if (!is_passive && !m->is_used[i]) {
            ohm_status status =
                ohmi_fail(err, OHM_ERR_FORMAT, "'%s' has no place for operation '%s'", m->model,
                          m->graph->op[i].name);
            ohmi_hint(err, "another --model?");
            return status;
        }
    }
    return OHM_OK;
}

ohm_status ohmi_match(ohmi_trained *out, const ohmi_graph *graph, const ohmi_build *build,
                      const char *model, ohm_error *err) {
    ohm_status status = OHM_OK;
    match m = {.graph = graph, .build = build, .model = model, .out = out};
    *out = (ohmi_trained){.n_layers = build->n_layers};
    out->layer = ohmi_alloc((size_t)build->n_layers, sizeof *out->layer);
    m.at = ohmi_alloc((size_t)build->n_nodes, sizeof *m.at);
    m.is_used = ohmi_alloc((size_t)graph->n_ops, sizeof *m.is_used);
    if (!out->layer || !m.at || !m.is_used) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to match a network");
        goto done;
    }
    for (int i = 1; i < build->n_nodes; i++) {
        switch (build->nodes[i].kind) {
        case OHMI_NODE_CONV:
            OHM_TRY(match_layer(&m, i, err));
            break;
        case OHMI_NODE_NORM:
            OHM_TRY(match_norm(&m, i, err));
            break;
        case OHMI_NODE_MAXPOOL:
        case OHMI_NODE_AVGPOOL:
            OHM_TRY(match_pool(&m, i, err));
            break;
        case OHMI_NODE_HEAD:
            OHM_TRY(match_head(&m, i, err));
            break;
        case OHMI_NODE_INPUT:
            break;
        }
    }
    OHM_TRY(check_used(&m, err));

done:
    ohmi_free(m.at);
    ohmi_free(m.is_used);
    if (status < 0) {
        ohmi_trained_free(out);
    }
    return status;
}
