// SPDX-License-Identifier: Apache-2.0
// What others call the layers of a model: the names of PyTorch's state_dict.
//
//   vgg16_bn             torchvision's: features.N (convolution, with batch norm N+1), classifier.N
//   resnet18, resnet50   torchvision's: conv1 bn1, layerS.B.convN bnN downsample.0 .1, fc
//   resnet50_v1          as resnet50
//   resnet20             as resnet18, with three stages
//   vgg8, small          the same way as vgg16_bn; the batch norm of their linear layer is
//                        classifier.1
// Tensors: NAME.weight, NAME.bias; of a batch norm also NAME.running_mean, NAME.running_var.
#ifndef OHMI_NAMES_H
#define OHMI_NAMES_H

#include "network/network.h"

enum { OHMI_NAME = 48 }; // bytes of a name with its terminator

typedef struct {
    char layer[OHMI_NAME]; // convolution or linear layer
    char norm[OHMI_NAME];  // the batch norm behind it; "" where the layer has a bias instead
} ohmi_names;

// The number of layers of a model without its head; 0 when the model is not known.
int ohmi_names_count(const char *model);
// The names of layer i (in the order in which the network has them) of a known model.
void ohmi_names_of(ohmi_names *names, const char *model, int i);
// The name of the head: "fc", "classifier.6".
const char *ohmi_names_head(const char *model);
// Whether the model's own convolutions have biases beside batch norm (torchvision's VGG).
bool ohmi_names_have_bias(const char *model);

#endif
