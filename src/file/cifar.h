// SPDX-License-Identifier: Apache-2.0
// Record files of CIFAR-10 and CIFAR-100, "binary version", plain or packed.
#ifndef OHMI_CIFAR_H
#define OHMI_CIFAR_H

#include <stdint.h>

#include "ohmwise/status.h"

#define OHMI_CIFAR_SIDE 32                                        // pixels
#define OHMI_CIFAR_PIXELS (OHMI_CIFAR_SIDE * OHMI_CIFAR_SIDE * 3) // bytes

// Reads a file of exactly n records into pixels (n, 32, 32, 3), interleaved, and labels (n): the
// last of the record's n_label_bytes (1: CIFAR-10, 2: CIFAR-100); where there are two, the first
// goes into coarse (n; nullable). A label must be below n_classes, a coarse one below n_coarse.
OHM_NODISCARD ohm_status ohmi_cifar_load(uint8_t *pixels, int32_t *labels, int32_t *coarse,
                                         const char *path, int64_t n, int n_label_bytes,
                                         int n_classes, int n_coarse, ohm_error *err);

#endif
