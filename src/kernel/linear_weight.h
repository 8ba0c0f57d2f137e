// SPDX-License-Identifier: Apache-2.0
// The backward-weight product of a linear layer: dw[k][c] = sum_n dy[n][k] x[n][c].
//
// Every weight is written once and read by nothing here, so that the write is what costs. A tile of
// OHMI_ROWS rows of dw x up to 3 vectors along c is summed over the whole batch in registers and
// kept in the first cache until a run of whole lines is there; large dw go past the caches.
//
// Order of a sum: batch rows.
#ifndef OHMI_LINEAR_WEIGHT_H
#define OHMI_LINEAR_WEIGHT_H

#include "base/thread.h"
#include "kernel/kernel.h"
#include "kernel/lanes.h"

#define GRADIENT_K 64                  // rows of dw of an item
#define GRADIENT_C (8 * GRADIENT_TILE) // columns of dw of an item
#define GRADIENT_TILE (OHMI_WIDE * OHMI_LANES)
#define GRADIENT_PAST_BYTES (16 << 20) // a dw from this size on is written past the caches

typedef struct {
    float *dw;           // (K, C)
    const float *x, *dy; // (n_pad, c_pad), (n_pad, k_pad)
    const ohmi_conv *o;
    int is_past;
    char *work;
    size_t thread_bytes;
} gradient_job;

OHMI_INLINE size_t gradient_thread_bytes(const ohmi_conv *o) {
    // x of the columns of an item, then OHMI_ROWS rows of dw
    return ((size_t)o->n + OHMI_ROWS) * GRADIENT_C * sizeof(float);
}

// out[OHMI_ROWS][GRADIENT_C]: a tile of 3 vectors of columns
static void gradient_tile(float *out, const float *x, const float *dy, int64_t dy_ld, int n) {
    ohmi_lanes sum[OHMI_ROWS][OHMI_WIDE];
    OHMI_UNROLL
    for (int r = 0; r < OHMI_ROWS; r++) {
        OHMI_UNROLL
        for (int v = 0; v < OHMI_WIDE; v++) {
            sum[r][v] = lanes_zero();
        }
    }
    for (int i = 0; i < n; i++) {
        ohmi_lanes b[OHMI_WIDE];
        OHMI_UNROLL
        for (int v = 0; v < OHMI_WIDE; v++) {
            b[v] = lanes_load(x + v * OHMI_LANES);
        }
        OHMI_UNROLL
        for (int r = 0; r < OHMI_ROWS; r++) {
            const ohmi_lanes a = lanes_all(dy[r]);
            OHMI_UNROLL
            for (int v = 0; v < OHMI_WIDE; v++) {
                sum[r][v] = lanes_fma(a, b[v], sum[r][v]);
            }
        }
        x += GRADIENT_TILE;
        dy += dy_ld;
    }
    OHMI_UNROLL
    for (int r = 0; r < OHMI_ROWS; r++) {
        OHMI_UNROLL
        for (int v = 0; v < OHMI_WIDE; v++) {
            lanes_store(out + r * GRADIENT_C + v * OHMI_LANES, sum[r][v]);
        }
    }
}

// copies n floats; past the caches where whole vectors lie on their boundaries
static void gradient_write(float *to, const float *from, int n, int is_past) {
    int i = 0;
    if (is_past) {
        const uintptr_t over = (uintptr_t)to % (OHMI_LANES * sizeof(float)) / sizeof(float);
        const int head = over == 0 ? 0 : OHMI_LANES - (int)over;
        i = head < n ? head : n;
        lanes_store_part(to, lanes_load_part(from, i), i);
        for (; i + OHMI_LANES <= n; i += OHMI_LANES) {
            lanes_store_past(to + i, lanes_load(from + i));
        }
    }
    for (; i < n; i += OHMI_LANES) {
        const int part = n - i < OHMI_LANES ? n - i : OHMI_LANES;
        lanes_store_part(to + i, lanes_load_part(from + i, part), part);
    }
}

// indices: (range of columns, range of rows) of dw
static void gradient_part(void *context, int64_t begin, int64_t end, int thread) {
    const gradient_job *j = context;
    const ohmi_conv *o = j->o;
    const int n_row_ranges = (o->k + GRADIENT_K - 1) / GRADIENT_K;
    float *x = (float *)(void *)(j->work + (size_t)thread * j->thread_bytes);
    float *out = x + (size_t)o->n * GRADIENT_C;
    for (int64_t item = begin; item < end; item++) {
        const int k0 = (int)(item % n_row_ranges) * GRADIENT_K;
        const int k1 = o->k - k0 < GRADIENT_K ? o->k : k0 + GRADIENT_K;
        const int c0 = (int)(item / n_row_ranges) * GRADIENT_C;
        const int c1 = o->c - c0 < GRADIENT_C ? o->c : c0 + GRADIENT_C;
        // x of the columns, a tile after the other
        for (int c = c0; c < c1; c += GRADIENT_TILE) {
            float *tile = x + (int64_t)(c - c0) * o->n;
            for (int i = 0; i < o->n; i++) {
                for (int v = 0; v < OHMI_WIDE; v++) {
                    const int first = c + v * OHMI_LANES;
                    lanes_store(tile + i * GRADIENT_TILE + v * OHMI_LANES,
                                first < o->c_pad ? lanes_load(j->x + (int64_t)i * o->c_pad + first)
                                                 : lanes_zero());
                }
            }
        }
        for (int k = k0; k < k1; k += OHMI_ROWS) {
            for (int c = c0; c < c1; c += GRADIENT_TILE) {
                gradient_tile(out + (c - c0), x + (int64_t)(c - c0) * o->n, j->dy + k, o->k_pad,
                              o->n);
            }
            const int n_rows = o->k - k < OHMI_ROWS ? o->k - k : OHMI_ROWS;
            for (int r = 0; r < n_rows; r++) {
                gradient_write(j->dw + (int64_t)(k + r) * o->c + c0, out + r * GRADIENT_C, c1 - c0,
                               j->is_past);
            }
        }
    }
    lanes_fence();
}

// dw (K, C) from x (n_pad, c_pad) and dy (n_pad, k_pad)
static void gradient_run(float *dw, const float *x, const float *dy, const ohmi_conv *o,
                         void *work) {
    gradient_job j = {.dw = dw, .x = x, .dy = dy, .o = o, .work = work};
    const int64_t bytes = (int64_t)o->k * o->c * (int64_t)sizeof(float);
    j.is_past = bytes >= GRADIENT_PAST_BYTES;
    j.thread_bytes = gradient_thread_bytes(o);
    const int64_t n_rows = (o->k + GRADIENT_K - 1) / GRADIENT_K;
    const int64_t n_columns = (o->c + GRADIENT_C - 1) / GRADIENT_C;
    ohmi_parallel(n_rows * n_columns, 1, gradient_part, &j);
}

#endif
