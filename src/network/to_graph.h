// SPDX-License-Identifier: Apache-2.0
// A network with the bound task as a graph of operations: what match.h undoes.
//
//   layer            Conv, or Flatten and a linear layer where the filter is the whole map
//   norm             batch norm (epsilon 1e-5), then the sum with the residual, then ReLU
//   bias             the linear layer's own
//   mean, head       mean over the map, Flatten, linear layer; its value is the graph's
// Tensors have PyTorch's names (names.h). The quantiser behind the mean is left out: a ReLU of what
// is not negative. Roundings of activations have no operation.
#ifndef OHMI_TO_GRAPH_H
#define OHMI_TO_GRAPH_H

#include "file/graph.h"
#include "network/network.h"

// The layers' steps must be 1 (real weights in w_eff). The graph borrows the network's tensors;
// free with ohmi_graph_free.
OHM_NODISCARD ohm_status ohmi_network_to_graph(ohmi_graph *out, const ohmi_network *network,
                                               ohm_error *err);

#endif
