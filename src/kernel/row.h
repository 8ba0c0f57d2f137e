// SPDX-License-Identifier: Apache-2.0
// One row of the kernel table from the products of this folder; conv_avx512.c and conv_avx2.c
// include it after their compiler flags have chosen the vectors of lanes.h.
#ifndef OHMI_ROW_H
#define OHMI_ROW_H

#include "kernel/direct.h"
#include "kernel/linear.h"
#include "kernel/weight.h"

// bytes for the largest of the three products, for each thread
static size_t row_workspace(const ohmi_conv *o) {
    const size_t forward = direct_thread_bytes(o, 0);
    const size_t backward = direct_thread_bytes(o, 1);
    const size_t weight =
        linear_is(o) ? linear_thread_bytes(o) : (weight_thread_bytes(o) + 63) / 64 * 64;
    size_t most = forward > backward ? forward : backward;
    most = most > weight ? most : weight;
    return most * (size_t)ohmi_threads();
}

static void row_backward_weight(float *dw, const float *x, const float *dy, const ohmi_conv *o,
                                void *work) {
    if (linear_is(o)) {
        linear_run(dw, x, dy, o, work);
    } else {
        weight_run(dw, x, dy, o, work);
    }
}

#endif
