// SPDX-License-Identifier: Apache-2.0
// One row of the kernel table from the products of this folder; conv_avx512.c and conv_avx2.c
// include it after their compiler flags have chosen the vectors of lanes.h.
#ifndef OHMI_ROW_H
#define OHMI_ROW_H

#include "kernel/direct.h"
#include "kernel/linear.h"
#include "kernel/linear_weight.h"
#include "kernel/weight.h"

OHMI_INLINE size_t row_larger(size_t a, size_t b) {
    return a > b ? a : b;
}

// bytes for the largest of the three products
static size_t row_workspace(const ohmi_conv *o) {
    const size_t n_threads = (size_t)ohmi_threads();
    if (linear_is(o)) {
        const size_t maps = linear_turn_bytes(o) + n_threads * linear_thread_bytes(o);
        return row_larger(maps, n_threads * gradient_thread_bytes(o));
    }
    const size_t maps = row_larger(direct_thread_bytes(o, 0), direct_thread_bytes(o, 1));
    return n_threads * row_larger(maps, weight_thread_bytes(o));
}

static void row_forward(float *y, const float *x, const float *w, const ohmi_conv *o, void *work) {
    if (linear_is(o)) {
        linear_forward(y, x, w, o, work);
    } else {
        direct_forward(y, x, w, o, work);
    }
}

static void row_backward_data(float *dx, const float *dy, const float *w, const ohmi_conv *o,
                              void *work) {
    if (linear_is(o)) {
        linear_backward_data(dx, dy, w, o, work);
    } else {
        direct_backward_data(dx, dy, w, o, work);
    }
}

static void row_backward_weight(float *dw, const float *x, const float *dy, const ohmi_conv *o,
                                void *work) {
    if (linear_is(o)) {
        gradient_run(dw, x, dy, o, work);
    } else {
        weight_run(dw, x, dy, o, work);
    }
}

#endif
