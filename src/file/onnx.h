// SPDX-License-Identifier: Apache-2.0
// ONNX graphs, read and written with protobuf-c after onnx.proto.
//
// Read are: Conv, BatchNormalization, Relu, MaxPool, AveragePool, GlobalAveragePool, ReduceMean
// over the map, Flatten, Gemm, Add, Softmax, Identity, Dropout, Constant; float32 tensors in the
// file itself. Squares only, padding that is the same on all sides. All others are refused by name.
#ifndef OHMI_ONNX_H
#define OHMI_ONNX_H

#include "file/graph.h"

// Reads a file. Free with ohmi_graph_free. Without protobuf-c built in: OHM_ERR_UNSUPPORTED.
OHM_NODISCARD ohm_status ohmi_onnx_load(ohmi_graph *graph, const char *path, ohm_error *err);

// Writes a graph whose output is a linear layer: IR 7, operators 13; any number of images as
// "images" (n, channels, height, width), the answer as "logits" (n, classes). metadata: key, value,
// ..., NULL. Over 2 GiB, or without protobuf-c built in: OHM_ERR_UNSUPPORTED.
OHM_NODISCARD ohm_status ohmi_onnx_save(const char *path, const ohmi_graph *graph, const char *name,
                                        const char *const *metadata, ohm_error *err);

#endif
