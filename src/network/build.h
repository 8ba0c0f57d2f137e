// SPDX-License-Identifier: Apache-2.0
// What a model's description is written with: each call appends a node and returns its index.
#ifndef OHMI_BUILD_H
#define OHMI_BUILD_H

#include "network/network.h"

typedef struct {
    ohmi_node nodes[OHMI_MAX_NODES];
    ohmi_layer layers[OHMI_MAX_NODES];
    int n_nodes, n_layers;
    double width; // factor of the widths
    int batch;
    bool has_overflow; // more nodes than room, or a map became empty
} ohmi_build;

int ohmi_build_input(ohmi_build *build, int channels, int height, int width);
// A filter of size x size; channels is multiplied by the width factor and truncated (CPG's rule).
int ohmi_build_conv(ohmi_build *build, int input, int channels, int size, int stride, int pad);
// A linear layer over the whole map.
int ohmi_build_linear(ohmi_build *build, int input, int channels);
// Batch norm, optional residual (-1 = none), optional ReLU with quantiser.
int ohmi_build_norm(ohmi_build *build, int input, int residual, bool has_relu);
// Bias, ReLU, quantiser.
int ohmi_build_bias(ohmi_build *build, int input);
// The activation quantiser alone.
int ohmi_build_quantise(ohmi_build *build, int input);
// Left out where the map is smaller than the window.
int ohmi_build_maxpool(ohmi_build *build, int input, int window, int stride, int pad);
int ohmi_build_avgpool(ohmi_build *build, int input);
int ohmi_build_head(ohmi_build *build, int input);

// Appends the nodes of a model; OHM_ERR_CONFIG with the nearest name when it is unknown.
OHM_NODISCARD ohm_status ohmi_model_build(ohmi_build *build, const ohmi_network_def *def,
                                          ohm_error *err);

#endif
