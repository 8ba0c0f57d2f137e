// SPDX-License-Identifier: Apache-2.0
// The matrix product of winograd.h: one tile of OHMI_ROWS rows x up to 3 vectors in registers, for
// forward and backward data as well as for the gradient of weights.
//
// While a tile runs it asks the memory for lines that later steps will read: weights of the next
// chunk, inputs of the next batch, outputs about to be added to. Transforms read 16 pixels that are
// far apart for little arithmetic and would otherwise wait for the third cache.
#ifndef OHMI_WINOGRAD_TILE_H
#define OHMI_WINOGRAD_TILE_H

#include <stdint.h>

#include "kernel/kernel.h"
#include "kernel/lanes.h"
#include "kernel/winograd.h"

#define WINOGRAD_ASK OHMI_ROWS // lines of an ask: the batch rows of a place
#define WINOGRAD_ASKS 32       // asks of a tile, at most
#define WINOGRAD_LINE 16       // floats of a line of the caches

// lines to ask the memory for: WINOGRAD_ASK of them, step bytes apart
typedef struct {
    const char *first;
    int64_t step;
} winograd_ask;

// appends asks for channels [c0, c1) of OHMI_ROWS batch rows at pixel (y, x) of a map
// (H, W, n_pad, ld), if it is inside and there is room; returns the new number
OHMI_INLINE int winograd_ask_pixel(winograd_ask asks[WINOGRAD_ASKS], int n, const float *map,
                                   const ohmi_conv *o, int64_t ld, int y, int x, int row, int c0,
                                   int c1) {
    if (y < 0 || y >= o->h || x < 0 || x >= o->w) {
        return n;
    }
    const float *from = map + (((int64_t)y * o->w + x) * o->n_pad + row) * ld;
    for (int c = c0; c < c1 && n < WINOGRAD_ASKS; c += WINOGRAD_LINE) {
        asks[n++] = (winograd_ask){(const char *)(from + c), ld * (int64_t)sizeof(float)};
    }
    return n;
}

// m[OHMI_ROWS][wide vectors] (+)= sum over i < n of a[row * a_row + i * a_next] b[i * b_next ..]
OHMI_INLINE void winograd_tile(float *m, const float *a, int64_t a_row, int64_t a_next,
                               const float *b, int64_t b_next, int n, int is_first,
                               const winograd_ask *asks, int n_asks, const int wide) {
    ohmi_lanes sum[OHMI_ROWS][OHMI_WIDE];
    OHMI_UNROLL
    for (int r = 0; r < OHMI_ROWS; r++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            sum[r][v] = is_first ? lanes_zero() : lanes_load(m + (r * wide + v) * OHMI_LANES);
        }
    }
    for (int i = 0; i < n; asks++, n_asks--) {
        // as many steps as an ask has lines, or all that are left and the same line for each
        const int is_asking = n_asks > 0 && n - i >= WINOGRAD_ASK;
        const char *line = is_asking ? asks->first : (const char *)m;
        const int64_t line_step = is_asking ? asks->step : 0;
        const int end = is_asking ? i + WINOGRAD_ASK : n;
        for (; i < end; i++) {
            ohmi_lanes row[OHMI_WIDE];
            _mm_prefetch(line, _MM_HINT_T1);
            line += line_step;
            OHMI_UNROLL
            for (int v = 0; v < wide; v++) {
                row[v] = lanes_load(b + v * OHMI_LANES);
            }
            OHMI_UNROLL
            for (int r = 0; r < OHMI_ROWS; r++) {
                const ohmi_lanes all = lanes_all(a[r * a_row]);
                OHMI_UNROLL
                for (int v = 0; v < wide; v++) {
                    sum[r][v] = lanes_fma(all, row[v], sum[r][v]);
                }
            }
            a += a_next;
            b += b_next;
        }
    }
    OHMI_UNROLL
    for (int r = 0; r < OHMI_ROWS; r++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            lanes_store(m + (r * wide + v) * OHMI_LANES, sum[r][v]);
        }
    }
}

// forward and backward data: m = v[OHMI_ROWS][v_ld] u[n][wide vectors]
#define WINOGRAD_PRODUCT(name, wide)                                                               \
    static void name(float *m, const float *v, int64_t v_ld, const float *u, int n,                \
                     const winograd_ask *asks, int n_asks) {                                       \
        winograd_tile(m, v, v_ld, 1, u, wide *OHMI_LANES, n, 1, asks, n_asks, wide);               \
    }
// gradient: m (+)= v[n][v_ld]^T d[n][d_ld]
#define WINOGRAD_SUM(name, wide)                                                                   \
    static void name(float *m, const float *v, int64_t v_ld, const float *d, int64_t d_ld, int n,  \
                     int is_first, const winograd_ask *asks, int n_asks) {                         \
        winograd_tile(m, v, 1, v_ld, d, d_ld, n, is_first, asks, n_asks, wide);                    \
    }

typedef void winograd_product_fn(float *m, const float *v, int64_t v_ld, const float *u, int n,
                                 const winograd_ask *asks, int n_asks);
typedef void winograd_sum_fn(float *m, const float *v, int64_t v_ld, const float *d, int64_t d_ld,
                             int n, int is_first, const winograd_ask *asks, int n_asks);
WINOGRAD_PRODUCT(winograd_product_1, 1)
WINOGRAD_PRODUCT(winograd_product_2, 2)
WINOGRAD_PRODUCT(winograd_product_3, 3)
WINOGRAD_SUM(winograd_sum_1, 1)
WINOGRAD_SUM(winograd_sum_2, 2)
WINOGRAD_SUM(winograd_sum_3, 3)

static winograd_product_fn *const g_winograd_products[OHMI_WIDE] = {
    winograd_product_1, winograd_product_2, winograd_product_3};
static winograd_sum_fn *const g_winograd_sums[OHMI_WIDE] = {winograd_sum_1, winograd_sum_2,
                                                            winograd_sum_3};

#endif
