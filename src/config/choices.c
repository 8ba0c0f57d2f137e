// SPDX-License-Identifier: Apache-2.0
// The names; see choices.h.
#include "config/choices.h"

#include <stddef.h>

const char *const ohmi_model_names[] = {"vgg16_bn",    "vgg8",  "resnet18", "resnet20", "resnet50",
                                        "resnet50_v1", "lenet", "small",    NULL};

const char *const ohmi_backend_names[] = {"auto",   "amx",       "avx512", "avx2",
                                          "onednn", "reference", NULL};
