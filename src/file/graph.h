// SPDX-License-Identifier: Apache-2.0
// A network as a graph of operations with their tensors, as graph formats (ONNX, Keras' layers
// models) have it. Readers of such files make it; what it means to us is network/match.h's matter.
//
// Tensors are float32, in PyTorch's order whatever the file's: convolutions (K, C, R, S), linear
// layers (K, C). Every op comes after those whose values it takes.
#ifndef OHMI_GRAPH_H
#define OHMI_GRAPH_H

#include <stdbool.h>

#include "ohmwise/status.h"
#include "tensor/view.h"

enum { OHMI_MOST_OPS = 2048 };

typedef enum {
    OHMI_OP_INPUT,
    OHMI_OP_CONV,    // weight, bias, stride, pad
    OHMI_OP_LINEAR,  // weight, bias
    OHMI_OP_NORM,    // gamma, beta, mean, variance, epsilon
    OHMI_OP_RELU,    //
    OHMI_OP_ADD,     // two inputs
    OHMI_OP_MAXPOOL, // kernel, stride, pad
    OHMI_OP_AVGPOOL, // kernel, stride, pad; kernel 0 = the whole map
    OHMI_OP_PAD,     // pad, with zeros
    OHMI_OP_FLATTEN, //
    OHMI_OP_NOTHING, // what changes nothing when a network is used: dropout, identity
    OHMI_OP_SOFTMAX,
} ohmi_op_kind;

typedef struct {
    char name[96];
    ohmi_op_kind kind;
    int n_inputs, input[2];                              // indices of earlier ops
    int kernel, stride, pad;                             // of squares, in pixels
    ohmi_view weight, bias, gamma, beta, mean, variance; // data = NULL: none
    double epsilon;
} ohmi_op;

typedef struct {
    int n_ops;
    ohmi_op *op;                 // (OHMI_MOST_OPS)
    int output;                  // the op whose value is the network's
    int height, width, channels; // of the input; 0 = not said
    bool is_channels_last;       // a flatten of a larger map gives (H, W, C)
    void **blocks;               // (OHMI_MOST_OPS * 6) memory of the tensors
    int n_blocks;
} ohmi_graph;

OHM_NODISCARD ohm_status ohmi_graph_new(ohmi_graph *graph, ohm_error *err);
void ohmi_graph_free(ohmi_graph *graph); // fine on a zeroed one

// Appends an op of a name; *out is its index. OHM_ERR_FORMAT when there are too many.
OHM_NODISCARD ohm_status ohmi_graph_add(int *out, ohmi_graph *graph, ohmi_op_kind kind,
                                        const char *name, ohm_error *err);

// Memory for count float32, the graph's own; NULL when there is none.
float *ohmi_graph_floats(ohmi_graph *graph, int64_t count);

// Shows a name of a file in messages: control characters become '?', long ones are cut.
const char *ohmi_graph_shown(char out[96], const char *name);

#endif
