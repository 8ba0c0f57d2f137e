// SPDX-License-Identifier: Apache-2.0
// One row of the kernel table from the products of this folder; conv_avx512.c and conv_avx2.c
// include it after their compiler flags have chosen the vectors of lanes.h.
#ifndef OHMI_ROW_H
#define OHMI_ROW_H

#include "kernel/direct.h"
#include "kernel/linear.h"
#include "kernel/linear_weight.h"
#include "kernel/weight.h"
#include "kernel/winograd_maps.h"
#include "kernel/winograd_weight.h"

OHMI_INLINE size_t row_larger(size_t a, size_t b) {
    return a > b ? a : b;
}

// bytes for the largest of the products
static size_t row_workspace(const ohmi_conv *o) {
    const size_t n_threads = (size_t)ohmi_threads();
    if (linear_is(o)) {
        const size_t maps = linear_turn_bytes(o) + n_threads * linear_thread_bytes(o);
        return row_larger(maps, n_threads * gradient_thread_bytes(o));
    }
    size_t maps = row_larger(direct_thread_bytes(o, 0), direct_thread_bytes(o, 1));
    size_t all = n_threads * row_larger(maps, weight_thread_bytes(o));
    if (winograd_is(o)) {
        maps = row_larger(winograd_maps_thread_bytes(o, 0), winograd_maps_thread_bytes(o, 1));
        all = row_larger(all, row_larger(n_threads * maps, winograd_gradient_bytes(o)));
    }
    return all;
}

// how to choose between the algorithms: as measured, or for tests and benchmarks always the same
enum row_choice { ROW_BEST, ROW_DIRECT, ROW_WINOGRAD };

// Whether to use the algorithm of winograd.h. It makes 16 products a tile of 2 x 2 pixels, the
// direct one (3 H - 2)(3 W - 2) a map, the taps inside it: 2.2 times as many on 32 x 32, 1.6 on
// 4 x 4, 1 on 2 x 2. The transforms cost a quarter of that, and more with few channels.
OHMI_INLINE int row_is_winograd(const ohmi_conv *o, enum row_choice choice) {
    if (choice == ROW_DIRECT || !winograd_is(o)) {
        return 0;
    }
    const int64_t direct = (int64_t)(3 * o->h - 2) * (3 * o->w - 2);
    const int64_t short_products = (int64_t)((o->h + 1) / 2) * ((o->w + 1) / 2) * WINOGRAD_POINTS;
    const int is_faster = o->c >= 32 && o->k >= 32 && 2 * direct >= 3 * short_products;
    return choice == ROW_WINOGRAD || is_faster;
}

// the three products of a row with a choice
#define ROW_PRODUCTS(prefix, choice)                                                               \
    static void prefix##_forward(float *y, const float *x, const float *w, const ohmi_conv *o,     \
                                 void *work) {                                                     \
        if (linear_is(o)) {                                                                        \
            linear_forward(y, x, w, o, work);                                                      \
        } else if (row_is_winograd(o, choice)) {                                                   \
            winograd_forward(y, x, w, o, work);                                                    \
        } else {                                                                                   \
            direct_forward(y, x, w, o, work);                                                      \
        }                                                                                          \
    }                                                                                              \
    static void prefix##_backward_data(float *dx, const float *dy, const float *w,                 \
                                       const ohmi_conv *o, void *work) {                           \
        if (linear_is(o)) {                                                                        \
            linear_backward_data(dx, dy, w, o, work);                                              \
        } else if (row_is_winograd(o, choice)) {                                                   \
            winograd_backward_data(dx, dy, w, o, work);                                            \
        } else {                                                                                   \
            direct_backward_data(dx, dy, w, o, work);                                              \
        }                                                                                          \
    }                                                                                              \
    static void prefix##_backward_weight(float *dw, const float *x, const float *dy,               \
                                         const ohmi_conv *o, void *work) {                         \
        if (linear_is(o)) {                                                                        \
            gradient_run(dw, x, dy, o, work);                                                      \
        } else if (row_is_winograd(o, choice)) {                                                   \
            winograd_backward_weight(dw, x, dy, o, work);                                          \
        } else {                                                                                   \
            weight_run(dw, x, dy, o, work);                                                        \
        }                                                                                          \
    }

#endif
