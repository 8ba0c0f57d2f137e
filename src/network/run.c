// SPDX-License-Identifier: Apache-2.0
// The forward and backward pass over the nodes, the head and the loss.
//
//   loss = -1/n sum_i log softmax(logits_i)[label_i]     d logits = (softmax - onehot) / n
//   head, quantised: codes q = round(w / step), step = max|w| / 127; gradient straight through
// Where the steps of codes go in the backward pass: network.h.
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/simd.h"
#include "base/thread.h"
#include "network/head.h"
#include "network/network.h"
#include "network/norm.h"
#include "network/pool.h"
#include "network/whole.h"

ohmi_conv ohmi_head_shape(const ohmi_network *network) {
    ohmi_conv shape = {.n = network->batch,
                       .c = network->head_inputs,
                       .k = network->task->n_classes,
                       .h = 1,
                       .w = 1,
                       .r = 1,
                       .s = 1,
                       .stride = 1};
    ohmi_conv_complete(&shape);
    return shape;
}

void ohmi_head_codes(ohmi_network *network) {
    const int64_t count = (int64_t)network->task->n_classes * network->head_inputs;
    const float *w = network->task->trainable + network->head_offset;
    network->head_step = 1;
    if (network->head_top > 0) {
        float largest = 1e-20f;
        for (int64_t i = 0; i < count; i++) {
            largest = fabsf(w[i]) > largest ? fabsf(w[i]) : largest;
        }
        network->head_step = largest / network->head_top;
        for (int64_t i = 0; i < count; i++) {
            network->head_w[i] = rintf(w[i] / network->head_step);
        }
    } else {
        memcpy(network->head_w, w, (size_t)count * sizeof *w);
    }
}

void ohmi_head_logits(ohmi_network *network, float input_step) {
    const int64_t n_classes = network->task->n_classes;
    const float *bias =
        network->task->trainable + network->head_offset + n_classes * network->head_inputs;
    const ohmi_conv shape = ohmi_head_shape(network);
    const float scale = network->head_step * input_step;
    for (int64_t i = 0; i < network->n_pad; i++) {
        for (int64_t k = 0; k < n_classes; k++) {
            network->logits[i * shape.k_pad + k] =
                network->logits[i * shape.k_pad + k] * scale + bias[k];
        }
    }
    network->logits_pad = shape.k_pad;
}

// logits = x w^T * (steps) + bias
static void head_forward(ohmi_network *network, const ohmi_node *node, int n) {
    const ohmi_node *input = &network->nodes[node->input];
    const ohmi_conv shape = ohmi_head_shape(network);
    ohmi_head_codes(network);
    if (network->product) {
        network->product(network->product_context, network->logits, input->value, &shape, -1, n);
    } else {
        network->kernels->forward(network->logits, input->value, network->head_w, &shape,
                                  network->work);
    }
    if (network->disturb) {
        network->disturb(network->disturb_context, network->logits, input->value, &shape, -1, n);
    }
    ohmi_head_logits(network, input->step);
}

void ohmi_network_forward(ohmi_network *network, const float *x, int n, ohmi_mode mode,
                          float momentum) {
    // the input is borrowed: no kernel writes to it
    network->nodes[0].value = (float *)(uintptr_t)x;
    for (int i = 1; i < network->n_nodes; i++) {
        ohmi_node *node = &network->nodes[i];
        const ohmi_node *input = &network->nodes[node->input];
        const double start = ohmi_now_s();
        switch (node->kind) {
        case OHMI_NODE_CONV: {
            const ohmi_layer *layer = &network->layers[node->layer];
            if (network->product) {
                network->product(network->product_context, node->value, input->value, &layer->shape,
                                 node->layer, n);
            } else {
                network->kernels->forward(node->value, input->value, layer->w_eff, &layer->shape,
                                          network->work);
            }
            node->step = layer->step * input->step;
            network->times.conv_forward_s += ohmi_now_s() - start;
            break;
        }
        case OHMI_NODE_NORM:
            ohmi_norm_forward(network, node, n, mode, momentum);
            network->times.norm_s += ohmi_now_s() - start;
            break;
        case OHMI_NODE_MAXPOOL:
            ohmi_maxpool_forward(network, node);
            network->times.pool_s += ohmi_now_s() - start;
            break;
        case OHMI_NODE_AVGPOOL:
            ohmi_avgpool_forward(network, node);
            network->times.pool_s += ohmi_now_s() - start;
            break;
        case OHMI_NODE_HEAD:
            head_forward(network, node, n);
            network->times.head_s += ohmi_now_s() - start;
            break;
        case OHMI_NODE_INPUT:
            break;
        }
    }
}

int ohmi_network_answer(const ohmi_network *network, int i) {
    const float *row = network->logits + (int64_t)i * network->logits_pad;
    int best = 0;
    for (int k = 1; k < network->task->n_classes; k++) {
        best = row[k] > row[best] ? k : best;
    }
    return best;
}

double ohmi_network_loss(ohmi_network *network, const int32_t *labels, int n, int *n_right) {
    const int n_classes = network->task->n_classes;
    const double n_images = (double)ohmi_whole_images(network, n);
    double loss = 0;
    *n_right = 0;
    if (network->d_logits) {
        memset(network->d_logits, 0,
               (size_t)network->n_pad * (size_t)network->logits_pad * sizeof(float));
    }
    for (int i = 0; i < n; i++) {
        const float *row = network->logits + (int64_t)i * network->logits_pad;
        *n_right += ohmi_network_answer(network, i) == labels[i];

        // softmax with the maximum taken off
        double top = (double)row[0], sum = 0;
        for (int k = 1; k < n_classes; k++) {
            top = (double)row[k] > top ? (double)row[k] : top;
        }
        for (int k = 0; k < n_classes; k++) {
            sum += exp((double)row[k] - top);
        }
        loss += log(sum) + top - (double)row[labels[i]];
        for (int k = 0; network->d_logits && k < n_classes; k++) {
            const double p = exp((double)row[k] - top) / sum;
            network->d_logits[(int64_t)i * network->logits_pad + k] =
                (float)((p - (k == labels[i] ? 1.0 : 0.0)) / n_images);
        }
    }
    return loss / n_images;
}

// scales the gradient of a layer's weights, or adds a second path's gradient
typedef struct {
    float *y;
    const float *x;
    float scale;
} scale_job;

OHMI_SIMD static void scale_range(float *y, const float *x, float scale, int64_t n) {
    if (x) {
        for (int64_t i = 0; i < n; i++) {
            y[i] += x[i] * scale;
        }
    } else {
        for (int64_t i = 0; i < n; i++) {
            y[i] *= scale;
        }
    }
}

static void scale_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const scale_job *j = context;
    scale_range(j->y + begin, j->x ? j->x + begin : NULL, j->scale, end - begin);
}

// y *= scale, or y += scale x
static void scale_all(float *y, const float *x, float scale, int64_t n) {
    scale_job j = {.y = y, .x = x, .scale = scale};
    if (x || scale < 1.0f || scale > 1.0f) {
        ohmi_parallel(n, 1 << 15, scale_work, &j);
    }
}

// Sends a gradient dy, which is real when multiplied with dy_scale, to the weights and the input of
// a convolution. dw is real when its products, of dy as it is and codes, are multiplied with
// dw_scale.
// dy_weight: what the product with the inputs takes for dy.
static void conv_backward(ohmi_network *network, const ohmi_conv *shape, const float *dy,
                          const float *dy_weight, float dy_scale, ohmi_node *input, float *dw,
                          float dw_scale, const float *w, float step_w, bool *is_written) {
    double start = ohmi_now_s();
    network->kernels->backward_weight(dw, input->value, dy_weight, shape, network->work);
    scale_all(dw, NULL, dw_scale, (int64_t)shape->k * shape->c * shape->r * shape->s);
    network->times.conv_weight_s += ohmi_now_s() - start;
    if (!input->gradient) {
        return;
    }
    start = ohmi_now_s();
    const int64_t count = (int64_t)shape->h * shape->w * shape->n_pad * shape->c_pad;
    const float scale = dy_scale * step_w;
    float *dx = *is_written ? network->scratch : input->gradient;
    network->kernels->backward_data(dx, dy, w, shape, network->work);
    if (input->n_users == 1) {
        input->gradient_scale = scale;
    } else if (*is_written) {
        scale_all(input->gradient, dx, scale, count);
    } else {
        scale_all(dx, NULL, scale, count);
    }
    *is_written = true;
    network->times.conv_data_s += ohmi_now_s() - start;
}

static void head_backward(ohmi_network *network, const ohmi_node *node, int n, bool *is_written) {
    ohmi_node *input = &network->nodes[node->input];
    const int64_t n_classes = network->task->n_classes;
    float *dw = network->d_trainable + network->head_offset;
    float *db = dw + n_classes * network->head_inputs;
    const ohmi_conv shape = ohmi_head_shape(network);
    conv_backward(network, &shape, network->d_logits, network->d_logits, 1, input, dw, input->step,
                  network->head_w, network->head_step, is_written);
    for (int64_t k = 0; k < n_classes; k++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++) {
            sum += (double)network->d_logits[i * network->logits_pad + k];
        }
        db[k] = (float)sum;
    }
}

// a pool hands its gradient on as it is: to a node that others use too, as a real one
static void pass_scale(const ohmi_network *network, const ohmi_node *node, ohmi_node *input) {
    input->gradient_scale = node->gradient_scale;
    if (input->n_users > 1) {
        scale_all(input->gradient, NULL, node->gradient_scale,
                  (int64_t)input->h * input->w * network->n_pad * input->c_pad);
        input->gradient_scale = 1;
    }
}

void ohmi_network_backward(ohmi_network *network, int n) {
    bool is_written[OHMI_MAX_NODES] = {false};
    bool is_folded[OHMI_MAX_NODES] = {false}; // a norm has multiplied the gradient with step_x
    for (int i = 0; i < network->n_nodes; i++) {
        network->nodes[i].gradient_scale = 1;
    }
    for (int i = network->n_nodes - 1; i > 0; i--) {
        ohmi_node *node = &network->nodes[i];
        ohmi_node *input = &network->nodes[node->input];
        bool *input_written = &is_written[node->input];
        const double start = ohmi_now_s();
        switch (node->kind) {
        case OHMI_NODE_HEAD:
            head_backward(network, node, n, input_written);
            break;
        case OHMI_NODE_CONV: {
            ohmi_layer *layer = &network->layers[node->layer];
            const float dw_scale = is_folded[i] ? 1.0f : input->step * node->gradient_scale;
            const float *dy_weight =
                network->error_hook
                    ? network->error_hook(network->error_context, node->gradient, input->value,
                                          &layer->shape, node->layer, n)
                    : node->gradient;
            conv_backward(network, &layer->shape, node->gradient, dy_weight, node->gradient_scale,
                          input, layer->dw, dw_scale, layer->w_eff, layer->step, input_written);
            break;
        }
        case OHMI_NODE_NORM: {
            // a norm is the only user of its input; a residual may have been written before
            float *d_residual =
                node->residual >= 0 ? network->nodes[node->residual].gradient : NULL;
            const bool add = node->residual >= 0 && is_written[node->residual];
            ohmi_norm_backward(network, node, n, input->gradient, d_residual, add);
            is_folded[node->input] = input->kind == OHMI_NODE_CONV;
            *input_written = true;
            if (node->residual >= 0) {
                is_written[node->residual] = true;
            }
            network->times.norm_s += ohmi_now_s() - start;
            break;
        }
        case OHMI_NODE_MAXPOOL:
            ohmi_maxpool_backward(network, node, input->gradient);
            pass_scale(network, node, input);
            *input_written = true;
            network->times.pool_s += ohmi_now_s() - start;
            break;
        case OHMI_NODE_AVGPOOL:
            ohmi_avgpool_backward(network, node, input->gradient);
            pass_scale(network, node, input);
            *input_written = true;
            network->times.pool_s += ohmi_now_s() - start;
            break;
        case OHMI_NODE_INPUT:
            break;
        }
    }
}
