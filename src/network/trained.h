// SPDX-License-Identifier: Apache-2.0
// The tensors of a network that was trained elsewhere, layer by layer, and how they become ours.
//
// Our norm is y = gamma (x - mean) / sqrt(variance + e) + beta with e = 1e-5. What others have is
// folded into it without loss:
//   a bias b before batch norm      mean' = mean - b
//   another epsilon e2              variance' = variance + e2 - e
//   no batch norm, only a bias      gamma = 1, beta = b, mean = 0, variance = 1 - e
//   a classifier over a 7 x 7 pool of a 1 x 1 map (torchvision's VGG on small images): the 49
//   inputs of a channel are equal, so their weights are summed
#ifndef OHMI_TRAINED_H
#define OHMI_TRAINED_H

#include "file/safetensors.h"
#include "network/build.h"
#include "tensor/view.h"

// data = NULL: there is no such tensor.
typedef struct {
    ohmi_view weight;                      // (K, C, R, S), or (K, C R S) of a linear layer
    ohmi_view bias;                        // (K)
    ohmi_view gamma, beta, mean, variance; // (K)
    double epsilon;
} ohmi_trained_layer;

typedef struct {
    int n_layers;
    ohmi_trained_layer *layer; // (n_layers) in the order of the network's layers
    ohmi_view head_weight;     // (classes, inputs)
    ohmi_view head_bias;       // (classes)
    bool is_bgr;               // trained on blue, green, red: turned round in the first layer
} ohmi_trained;

// Finds the tensors of a model by PyTorch's names. Borrows the file's data. A tensor that is
// missing or that the model does not have is OHM_ERR_FORMAT by name. Free with ohmi_trained_free.
OHM_NODISCARD ohm_status ohmi_trained_from_tensors(ohmi_trained *out, const ohmi_tensors *tensors,
                                                   const char *model, ohm_error *err);
void ohmi_trained_free(ohmi_trained *trained);

// Demands that every shape is what the model needs, before anything is allocated for it.
OHM_NODISCARD ohm_status ohmi_trained_check(const ohmi_trained *trained, const ohmi_build *build,
                                            const char *model, ohm_error *err);

// Copies checked tensors into the weights of a network and the parameters of a task.
OHM_NODISCARD ohm_status ohmi_trained_fill(ohmi_network *network, ohmi_task_parameters *task,
                                           const ohmi_trained *trained, ohm_error *err);

// The norm (or bias) node behind layer l; -1 when there is none.
int ohmi_norm_of_layer(const ohmi_node *nodes, int n_nodes, int l);

#endif
