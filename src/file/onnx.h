// SPDX-License-Identifier: Apache-2.0
// ONNX graphs, read with protobuf-c after onnx.proto.
//
// Read are: Conv, BatchNormalization, Relu, MaxPool, AveragePool, GlobalAveragePool, ReduceMean
// over the map, Flatten, Gemm, Add, Softmax, Identity, Dropout, Constant; float32 tensors in the
// file itself. Squares only, padding that is the same on all sides. All others are refused by name.
#ifndef OHMI_ONNX_H
#define OHMI_ONNX_H

#include "file/graph.h"

// Reads a file. Free with ohmi_graph_free. Without protobuf-c built in: OHM_ERR_UNSUPPORTED.
OHM_NODISCARD ohm_status ohmi_onnx_load(ohmi_graph *graph, const char *path, ohm_error *err);

#endif
