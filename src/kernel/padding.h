// SPDX-License-Identifier: Apache-2.0
// Keeps the promise of kernel.h that the padding rows and channels of an output are zero.
#ifndef OHMI_PADDING_H
#define OHMI_PADDING_H

#include <stdint.h>
#include <string.h>

// pixel (n_pad, c_pad): zeros but for the first n rows of c channels
static inline void clear_padding(float *pixel, int n, int n_pad, int c, int c_pad) {
    for (int row = 0; c < c_pad && row < n; row++) {
        memset(pixel + (int64_t)row * c_pad + c, 0, (size_t)(c_pad - c) * sizeof(float));
    }
    memset(pixel + (int64_t)n * c_pad, 0, (size_t)(n_pad - n) * (size_t)c_pad * sizeof(float));
}

#endif
