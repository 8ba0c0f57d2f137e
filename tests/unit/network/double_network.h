// SPDX-License-Identifier: Apache-2.0
// For tests: a network's training forward pass and loss written again, plainly and in double, to
// take finite differences of. It reads nodes and shapes; the numbers are its own copies. Roundings
// are their straight-through surrogates: weights as they are, activations clip(pre, 0, clip).
#ifndef OHMTEST_DOUBLE_NETWORK_H
#define OHMTEST_DOUBLE_NETWORK_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "network/network.h"

typedef struct {
    const ohmi_network *network;
    int n;             // images
    double **w;        // per layer: real effective weights             (K, C, R, S)
    double *trainable; // as the task's, the head's weights as they act
    double **value;    // per node                                      (h, w, n, c)
} double_network;

static inline double *double_block(size_t count) {
    double *block = calloc(count + 1, sizeof *block);
    if (!block) {
        abort();
    }
    return block;
}

// Copies weights (w_eff * step), parameters and input x (h, w, n_pad, c_pad) of a bound network.
static inline double_network double_copy(const ohmi_network *network, const float *x, int n) {
    double_network d = {.network = network, .n = n};
    const ohmi_node *input = &network->nodes[0];
    d.w = calloc((size_t)network->n_layers, sizeof *d.w);
    d.value = calloc((size_t)network->n_nodes, sizeof *d.value);
    if (!d.w || !d.value) {
        abort();
    }
    for (int l = 0; l < network->n_layers; l++) {
        const ohmi_layer *layer = &network->layers[l];
        d.w[l] = double_block((size_t)layer->n_weights);
        for (int64_t i = 0; i < layer->n_weights; i++) {
            d.w[l][i] = (double)layer->w_eff[i] * (double)layer->step;
        }
    }
    d.trainable = double_block((size_t)network->task->n_trainable);
    for (int64_t i = 0; i < network->task->n_trainable; i++) {
        d.trainable[i] = (double)network->task->trainable[i];
    }
    for (int64_t i = 0; network->head_top > 0 &&
                        i < (int64_t)network->task->n_classes * (int64_t)network->head_inputs;
         i++) {
        d.trainable[network->head_offset + i] =
            (double)network->head_w[i] * (double)network->head_step;
    }
    for (int i = 0; i < network->n_nodes; i++) {
        const ohmi_node *node = &network->nodes[i];
        const int c = node->kind == OHMI_NODE_HEAD ? network->task->n_classes : node->c;
        d.value[i] = double_block((size_t)(node->h * node->w * n * c));
    }
    for (int p = 0; p < input->h * input->w; p++) {
        for (int b = 0; b < n; b++) {
            for (int c = 0; c < input->c; c++) {
                d.value[0][(p * n + b) * input->c + c] =
                    (double)x[(p * network->n_pad + b) * input->c_pad + c] * (double)input->step;
            }
        }
    }
    return d;
}

static inline void double_free(double_network *d) {
    for (int i = 0; i < d->network->n_nodes; i++) {
        free(d->value[i]);
    }
    for (int l = 0; l < d->network->n_layers; l++) {
        free(d->w[l]);
    }
    free(d->value);
    free(d->w);
    free(d->trainable);
}

static inline void double_conv(double *y, const double *x, const double *w, const ohmi_conv *s,
                               int n) {
    for (int p = 0; p < s->p; p++) {
        for (int q = 0; q < s->q; q++) {
            double *to = y + (ptrdiff_t)(p * s->q + q) * n * s->k;
            memset(to, 0, (size_t)(n * s->k) * sizeof *to);
            for (int tap = 0; tap < s->r * s->s; tap++) {
                const int h = p * s->stride + tap / s->s - s->pad;
                const int v = q * s->stride + tap % s->s - s->pad;
                if (h < 0 || h >= s->h || v < 0 || v >= s->w) {
                    continue;
                }
                for (int b = 0; b < n; b++) {
                    const double *from = x + (ptrdiff_t)((h * s->w + v) * n + b) * s->c;
                    for (int k = 0; k < s->k; k++) {
                        for (int c = 0; c < s->c; c++) {
                            to[b * s->k + k] +=
                                from[c] * w[(ptrdiff_t)(k * s->c + c) * s->r * s->s + tap];
                        }
                    }
                }
            }
        }
    }
}

static inline void double_norm(const double_network *d, const ohmi_node *node, double *y) {
    const double *x = d->value[node->input], *t = d->trainable;
    const double *residual = node->residual >= 0 ? d->value[node->residual] : NULL;
    const int c = node->c, m = node->h * node->w * d->n;
    for (int k = 0; k < c; k++) {
        double mean = 0, variance = 0, a = 1, b = 0;
        for (int i = 0; i < m; i++) {
            mean += x[i * c + k] / m;
        }
        for (int i = 0; i < m; i++) {
            variance += (x[i * c + k] - mean) * (x[i * c + k] - mean) / m;
        }
        if (node->has_batchnorm) {
            a = t[node->gamma + k] / sqrt(variance + 1e-5);
            b = t[node->beta + k] - a * mean;
        } else if (node->has_bias) {
            b = t[node->bias + k];
        }
        for (int i = 0; i < m; i++) {
            double v = a * x[i * c + k] + b + (residual ? residual[i * c + k] : 0);
            v = node->has_relu && v < 0 ? 0 : v;
            y[i * c + k] = node->clip >= 0 && d->network->activation_grid.n_levels > 0
                               ? fmin(v, t[node->clip])
                               : v;
        }
    }
}

static inline void double_maxpool(const double_network *d, const ohmi_node *node, double *y) {
    const ohmi_node *input = &d->network->nodes[node->input];
    const double *x = d->value[node->input];
    const int row = d->n * node->c;
    for (int i = 0; i < node->h * node->w * row; i++) {
        const int p = i / row / node->w, q = i / row % node->w;
        double best = -1e300;
        for (int place = 0; place < node->window * node->window; place++) {
            const int h = p * node->stride + place / node->window - node->pad;
            const int w = q * node->stride + place % node->window - node->pad;
            if (h >= 0 && h < input->h && w >= 0 && w < input->w) {
                best = fmax(best, x[(h * input->w + w) * row + i % row]);
            }
        }
        y[i] = best;
    }
}

static inline void double_avgpool(const double_network *d, const ohmi_node *node, double *y) {
    const ohmi_node *input = &d->network->nodes[node->input];
    const int row = d->n * node->c, n_pixels = input->h * input->w;
    memset(y, 0, (size_t)row * sizeof *y);
    for (int i = 0; i < n_pixels * row; i++) {
        y[i % row] += d->value[node->input][i] / n_pixels;
    }
}

static inline void double_head(const double_network *d, const ohmi_node *node, double *y) {
    const int n_classes = d->network->task->n_classes, c = d->network->head_inputs;
    const double *w = d->trainable + d->network->head_offset, *bias = w + n_classes * c;
    for (int i = 0; i < d->n * n_classes; i++) {
        y[i] = bias[i % n_classes];
        for (int j = 0; j < c; j++) {
            y[i] += d->value[node->input][i / n_classes * c + j] * w[i % n_classes * c + j];
        }
    }
}

// Mean cross-entropy of a training forward pass.
static inline double double_loss(double_network *d, const int32_t *labels) {
    const ohmi_network *network = d->network;
    const int n_classes = network->task->n_classes;
    for (int i = 1; i < network->n_nodes; i++) {
        const ohmi_node *node = &network->nodes[i];
        switch (node->kind) {
        case OHMI_NODE_CONV:
            double_conv(d->value[i], d->value[node->input], d->w[node->layer],
                        &network->layers[node->layer].shape, d->n);
            break;
        case OHMI_NODE_NORM:
            double_norm(d, node, d->value[i]);
            break;
        case OHMI_NODE_MAXPOOL:
            double_maxpool(d, node, d->value[i]);
            break;
        case OHMI_NODE_AVGPOOL:
            double_avgpool(d, node, d->value[i]);
            break;
        case OHMI_NODE_HEAD:
            double_head(d, node, d->value[i]);
            break;
        case OHMI_NODE_INPUT:
            break;
        }
    }
    const double *logits = d->value[network->n_nodes - 1];
    double loss = 0;
    for (int b = 0; b < d->n; b++) {
        double sum = 0;
        for (int k = 0; k < n_classes; k++) {
            sum += exp(logits[b * n_classes + k]);
        }
        loss += (log(sum) - logits[b * n_classes + labels[b]]) / d->n;
    }
    return loss;
}

// The slope of the loss by one of the copied numbers.
static inline double double_slope(double_network *d, double *number, const int32_t *labels) {
    const double was = *number, h = 1e-7; // so small that no maximum or clip changes sides
    *number = was + h;
    const double above = double_loss(d, labels);
    *number = was - h;
    const double below = double_loss(d, labels);
    *number = was;
    return (above - below) / (2 * h);
}

#endif
