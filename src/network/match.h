// SPDX-License-Identifier: Apache-2.0
// Which operation of a graph is which layer of a model: both are walked from the image to the
// classifier, and at each step the one operation that takes the values there and has the right
// filter, stride and padding is the layer's. Names do not matter.
//
// A convolution may be followed by batch norm or have it folded into its weights and bias; a pad
// may stand before what it pads; flatten, dropout, identity and a last softmax are passed over.
#ifndef OHMI_MATCH_H
#define OHMI_MATCH_H

#include "file/graph.h"
#include "network/trained.h"

// Finds every layer of the model that `build` describes; borrows the graph's tensors. An operation
// that does not fit, or has no place, is OHM_ERR_FORMAT by name. Free with ohmi_trained_free.
OHM_NODISCARD ohm_status ohmi_match(ohmi_trained *out, const ohmi_graph *graph,
                                    const ohmi_build *build, const char *model, ohm_error *err);

// The first convolution and the last linear layer of a graph; NULL when there is none.
const ohmi_op *ohmi_match_first(const ohmi_graph *graph);
const ohmi_op *ohmi_match_head(const ohmi_graph *graph);

#endif
