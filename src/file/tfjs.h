// SPDX-License-Identifier: Apache-2.0
// Keras' layers models as TensorFlow.js keeps them: model.json (topology and a manifest of weights)
// beside files of little-endian float32, which follow each other as if they were one.
//
// Read are: InputLayer, ZeroPadding2D, Conv2D, BatchNormalization, Activation (relu, softmax,
// linear), ReLU, Softmax, MaxPooling2D, AveragePooling2D, GlobalAveragePooling2D, Add, Flatten,
// Dropout, Dense. Squares only, padding that is the same on all sides, channels last. All others
// are refused by name.
#ifndef OHMI_TFJS_H
#define OHMI_TFJS_H

#include "file/graph.h"

// Reads path (model.json). Free with ohmi_graph_free.
OHM_NODISCARD ohm_status ohmi_tfjs_load(ohmi_graph *graph, const char *path, ohm_error *err);

#endif
