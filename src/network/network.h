// SPDX-License-Identifier: Apache-2.0
// A convolutional network as a list of nodes in order of computation, with forward and backward.
//
// Activations are float [y][x][batch][channel] as kernel.h has them. In a quantised network a
// node's values are integers (as floats) and its `step` says what one is worth: real value = value
// * step. Products of integer weights and integer activations are exact in every kernel, so the
// quantised forward pass has the same bits on every backend.
//
// Gradients are of real values. What is between them and the products of codes costs no pass of its
// own: with x = step_x * codes and w = step_w * codes of a convolution,
//   dw = (step_x dy) * x codes       the norm that makes dy multiplies it with step_x on the way
//   dx = step_w (dy * w codes)       step_w / step_x is left to the next norm as gradient_scale
//
// Nodes
//   CONV   value = w_eff (*) input, no bias; a linear layer is the 1 x 1 case, and a flatten is a
//          filter as large as the map (the same order of inputs as PyTorch's flatten)
//   NORM   pre = a * value + b (+ residual), then ReLU, then the quantiser, each optional;
//          a, b are batch norm (per task) or a bias
//   MAXPOOL, AVGPOOL (global mean)
//   HEAD   the task's classifier: linear with bias, per task, 8-bit weights when quantised
//
// What belongs to a task (batch norm, bias, clips, head) is an ohmi_task_parameters; the weights
// exist once. Order of calls: new -> (bind, forward, loss, backward)* -> free.
#ifndef OHMI_NETWORK_H
#define OHMI_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/kernel.h"
#include "ohmwise/communicator.h"
#include "ohmwise/status.h"
#include "quantise/grid.h"

enum { OHMI_MAX_NODES = 256 };

typedef enum {
    OHMI_NODE_INPUT,
    OHMI_NODE_CONV,
    OHMI_NODE_NORM,
    OHMI_NODE_MAXPOOL,
    OHMI_NODE_AVGPOOL,
    OHMI_NODE_HEAD
} ohmi_node_kind;

// Weights shared by all tasks.
typedef struct {
    char name[64]; // "conv1"
    ohmi_conv shape;
    int64_t n_weights; // K C R S
    float *w;          // float32 master weights                       (K, C, R, S)
    float *w_eff;      // what the forward pass multiplies with: masked and quantised (K, C, R, S)
    float *dw;         // gradient of the loss by the real effective weight (K, C, R, S)
    float step;        // worth of one unit of w_eff; 1 when not quantised
} ohmi_layer;

typedef struct {
    ohmi_node_kind kind;
    char name[64];
    int input;    // node whose value goes in; -1 for INPUT
    int residual; // NORM: node added before ReLU; -1 = none
    int c, h, w;  // output channels and map
    int c_pad;
    int layer;                                            // CONV: index into layers; else -1
    bool has_batchnorm, has_bias, has_relu, is_quantised; // NORM
    int window, stride, pad;                              // MAXPOOL
    // offsets into the task's parameters; -1 = none
    int64_t gamma, beta, bias, clip; // trainable, NORM                 (c), (c), (c), (1)
    int64_t mean, variance;          // statistics, NORM                (c), (c)
    float *value;                    // (h, w, n_pad, c_pad)
    float *gradient; // times gradient_scale: of the real value; shared memory, valid during its
                     // turn of the backward pass
    float gradient_scale;
    int n_users;    // nodes that take its value
    uint8_t *index; // MAXPOOL: winner in the window                (h, w, n_pad, c_pad)
    float step;     // worth of one unit of value
    float *a, *b;   // NORM: the affine map of the last forward     (c_pad)
    float *inverse_deviation, *centre; // NORM with batch norm          (c_pad), in real units
} ohmi_node;

// What a task owns besides its units. One block each, laid out by the network (head last).
typedef struct {
    int n_classes;
    int64_t n_trainable, n_statistics;
    float
        *trainable; // gamma, beta, bias, clip of every node; head weights (n_classes, c); head bias
    float *statistics; // running mean and variance
} ohmi_task_parameters;

typedef struct {
    double conv_forward_s, conv_data_s, conv_weight_s, norm_s, pool_s, head_s;
} ohmi_network_times;

// What the forward pass in integers keeps; network/integer_pass.h.
typedef struct ohmi_integer_pass ohmi_integer_pass;

// Products made elsewhere, on a crossbar, in place of the kernel's: y (p, q, n_pad, k_pad) from x
// (h, w, n_pad, c_pad), of which n images count; both as kernel.h has them, y in units of weight
// code times input code. layer: index into layers, or -1 for the bound task's classifier.
typedef void ohmi_product(void *context, float *y, const float *x, const ohmi_conv *shape,
                          int layer, int n);

// What becomes of the errors of a layer before they are multiplied. dy (p, q, n_pad, k_pad): the
// gradient of the layer's sums up to a factor; may be changed, and then goes on to the layer before
// as it is left. x (h, w, n_pad, c_pad): its inputs. layer: index into layers. n images count.
// Returns what the product with x takes, dy or a buffer of the context's own of the same shape.
typedef const float *ohmi_error_hook(void *context, float *dy, const float *x,
                                     const ohmi_conv *shape, int layer, int n);

// Errors added to the sums y of a layer for its inputs x in training, all as above.
typedef ohmi_product ohmi_disturb;

// The whole batch of which a network learns a part (whole.h).
typedef struct {
    const ohm_communicator *parts; // borrowed; NULL = there are none
    int64_t n;                     // images in all parts; 0 = this network has all
    ohm_status status;             // of the sums, until it is read
    ohm_error error;
} ohmi_whole;

typedef struct {
    char model[32];
    int n_nodes, n_layers, batch, n_pad;
    ohmi_node *nodes;
    ohmi_layer *layers;
    const ohmi_kernels *kernels;
    ohmi_product *product; // of forward passes, in place of kernels->forward; NULL = none
    void *product_context;
    ohmi_error_hook *error_hook; // of backward passes; NULL = none
    void *error_context;
    ohmi_disturb *disturb; // of forward passes in training; NULL = none
    void *disturb_context;
    bool holds_statistics;     // batch norm in training takes and keeps the running statistics
    ohmi_grid activation_grid; // n_levels = 0: activations are float
    float head_top;            // largest head weight code, 127; 0 = float head
    int64_t head_offset;       // trainable parameters before the head
    int64_t n_statistics;
    int head_inputs;
    ohmi_task_parameters *task; // bound
    float *d_trainable;         // gradient of task->trainable           (max_trainable)
    int64_t max_trainable;
    float *head_w;   // effective head weights of this forward (max_classes, head_inputs)
    float *logits;   // (n_pad, logits_pad)
    float *d_logits; // (n_pad, logits_pad)
    int logits_pad, max_classes;
    float head_step;
    void *work;              // workspace of the kernels
    float *scratch;          // one more gradient, for sums of two paths
    double *partial;         // sums by chunk of a norm              (64, 2 max c_pad + 1)
    float *scratch_channels; // (3, max c_pad)
    ohmi_network_times times;
    ohmi_whole whole;
    float *gradient_pool; // all gradients
    float *value_pool;
    ohmi_integer_pass *integer; // NULL until that pass is first prepared
} ohmi_network;

typedef struct {
    const char *model; // "vgg16_bn", "vgg8", "resnet18", "resnet20", "resnet50", "lenet", "small"
    double width;      // factor of the widths
    int channels, height, width_pixels; // of an image
    int batch;                          // images at most
    int max_classes;                    // of any task
    bool is_training;                   // false: no gradients are kept
    const ohmi_kernels *kernels;
    ohmi_grid activation_grid;
    int head_bits;    // 0 = float
    float input_step; // 1 when not quantised
} ohmi_network_def;

// Names of the models, NULL-terminated.
const char *const *ohmi_network_models(void);

// Builds a network: nodes, layers, all memory. Free with ohmi_network_free.
OHM_NODISCARD ohm_status ohmi_network_new(ohmi_network **out, const ohmi_network_def *def,
                                          ohm_error *err);
void ohmi_network_free(ohmi_network **network);

// Makes the parameters of a task: gamma 1, beta 0, bias 0, clip 0 (= calibrate at the next training
// forward), mean 0, variance 1, head weights from N(0, 1/inputs) of the stream (HEAD, task).
OHM_NODISCARD ohm_status ohmi_task_parameters_new(ohmi_task_parameters **out,
                                                  const ohmi_network *network, int n_classes,
                                                  uint64_t seed, int task, ohm_error *err);
void ohmi_task_parameters_free(ohmi_task_parameters **task);

typedef enum { OHMI_MODE_TRAIN, OHMI_MODE_INFER } ohmi_mode;

// Forward pass with the bound task. x: (h, w, n_pad, c_pad) of n images, borrowed until backward is
// done. TRAIN: batch statistics, running ones updated with `momentum`, unless they are
// held. Logits: real, (n_pad,
// logits_pad).
void ohmi_network_forward(ohmi_network *network, const float *x, int n, ohmi_mode mode,
                          float momentum);

// Mean softmax cross-entropy of the last forward; sets the gradient of the logits and counts the
// right answers. labels: (n). In a part of a batch: this part's share of the mean, and its answers.
double ohmi_network_loss(ohmi_network *network, const int32_t *labels, int n, int *n_right);

// Backward pass: fills layers[].dw and d_trainable.
void ohmi_network_backward(ohmi_network *network, int n);

// The index of the largest logit of image i (the first of equals).
int ohmi_network_answer(const ohmi_network *network, int i);

#endif
