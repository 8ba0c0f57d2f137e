// SPDX-License-Identifier: Apache-2.0
// Forward and backward-data products of a linear layer, straight from w[K][C] without packing it:
// such a layer has many weights and little work for each, so that w should be read once, in long
// runs, while products run.
//
//   forward        y^T[k][n] = sum_c w[k][c] x^T[c][n]     vectors along the batch, x turned first
//   backward data  dx[n][c]  = sum_k dy[n][k] w[k][c]      vectors along c
//
// Order of a sum: forward chunks of c, c; backward data k.
#ifndef OHMI_LINEAR_H
#define OHMI_LINEAR_H

#include <string.h>

#include "base/thread.h"
#include "kernel/kernel.h"
#include "kernel/lanes.h"

#define LINEAR_VECTORS 2                             // of batch rows in a forward tile
#define LINEAR_ROWS (OHMI_ROWS * 3 / LINEAR_VECTORS) // of w in a forward tile
#define LINEAR_BATCH (LINEAR_VECTORS * OHMI_LANES)   // batch rows of a forward tile
#define LINEAR_ITEM 96                               // rows of w of a forward item
#define LINEAR_INPUT_BYTES (640 * 1024)              // of x^T used at a time
#define LINEAR_STEPS 32                              // rows of w of a backward-data tile
#define LINEAR_COLUMNS (OHMI_WIDE * OHMI_LANES)      // columns of a backward-data tile

typedef struct {
    float *out;          // y (n_pad, k_pad) or dx (n_pad, c_pad)
    const float *in, *w; // x or dy; (K, C)
    const ohmi_conv *o;
    int chunk;   // forward: input channels at a time
    int range;   // backward data: tiles of columns of an item
    float *turn; // forward: x^T, for each LINEAR_BATCH rows of the batch (C, rows)
    char *work;
    size_t thread_bytes;
} linear_job;

// whether a convolution is a linear layer
OHMI_INLINE int linear_is(const ohmi_conv *o) {
    return o->h == 1 && o->w == 1 && o->r == 1 && o->s == 1 && o->pad == 0;
}

OHMI_INLINE int linear_chunk(const ohmi_conv *o) {
    int64_t most = LINEAR_INPUT_BYTES / ((int64_t)o->n_pad * (int64_t)sizeof(float));
    most = most < 128 ? 128 : most;
    const int n_chunks = (int)((o->c + most - 1) / most);
    return (o->c + n_chunks - 1) / n_chunks;
}

// x^T, shared by the threads
OHMI_INLINE size_t linear_turn_bytes(const ohmi_conv *o) {
    return ((size_t)o->c * (size_t)o->n_pad * sizeof(float) + 63) / 64 * 64;
}

// sums of an item and the last rows of w
OHMI_INLINE size_t linear_thread_bytes(const ohmi_conv *o) {
    const size_t sums = LINEAR_ITEM * (size_t)o->n_pad * sizeof(float);
    const size_t rows = LINEAR_ROWS * (size_t)linear_chunk(o) * sizeof(float);
    const size_t columns = LINEAR_STEPS * LINEAR_COLUMNS * sizeof(float);
    const size_t forward = sums + (rows + 63) / 64 * 64;
    return forward > columns ? forward : columns;
}

// sums[LINEAR_ROWS][n_pad] (+)= LINEAR_ROWS rows of w, ld apart, times x^T (n, wide vectors)
OHMI_INLINE void linear_tile(float *sums, int64_t sums_ld, const float *w, int64_t ld,
                             const float *x, int n, int is_first, const int wide) {
    ohmi_lanes sum[LINEAR_ROWS][LINEAR_VECTORS];
    OHMI_UNROLL
    for (int r = 0; r < LINEAR_ROWS; r++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            sum[r][v] = is_first ? lanes_zero() : lanes_load(sums + r * sums_ld + v * OHMI_LANES);
        }
    }
    const float *w0 = w, *w3 = w + 3 * ld, *w6 = w + 6 * ld, *w9 = w + 9 * ld;
    for (int i = 0; i < n; i++) {
        ohmi_lanes b[LINEAR_VECTORS];
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            b[v] = lanes_load(x + v * OHMI_LANES);
        }
        OHMI_UNROLL
        for (int r = 0; r < LINEAR_ROWS; r++) {
            const float *row = r < 3 ? w0 : r < 6 ? w3 : r < 9 ? w6 : w9;
            const ohmi_lanes a = lanes_all(row[r % 3 * ld]);
            OHMI_UNROLL
            for (int v = 0; v < wide; v++) {
                sum[r][v] = lanes_fma(a, b[v], sum[r][v]);
            }
        }
        w0++;
        w3++;
        w6++;
        w9++;
        x += wide * OHMI_LANES;
    }
    OHMI_UNROLL
    for (int r = 0; r < LINEAR_ROWS; r++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            lanes_store(sums + r * sums_ld + v * OHMI_LANES, sum[r][v]);
        }
    }
}

static void linear_tile_1(float *sums, int64_t sums_ld, const float *w, int64_t ld, const float *x,
                          int n, int is_first) {
    linear_tile(sums, sums_ld, w, ld, x, n, is_first, 1);
}

static void linear_tile_2(float *sums, int64_t sums_ld, const float *w, int64_t ld, const float *x,
                          int n, int is_first) {
    linear_tile(sums, sums_ld, w, ld, x, n, is_first, 2);
}

// indices: vectors of input channels; turns x (n_pad, c_pad) into x^T
static void linear_turn_part(void *context, int64_t begin, int64_t end, int thread) {
    const linear_job *j = context;
    const ohmi_conv *o = j->o;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const int c = (int)i * OHMI_LANES;
        for (int row = 0; row < o->n_pad; row += OHMI_LANES) {
            const int first = row / LINEAR_BATCH * LINEAR_BATCH;
            const int rest = o->n_pad - first;
            const int step = rest < LINEAR_BATCH ? rest : LINEAR_BATCH;
            ohmi_lanes m[OHMI_LANES];
            OHMI_UNROLL
            for (int r = 0; r < OHMI_LANES; r++) {
                m[r] = lanes_load(j->in + (int64_t)(row + r) * o->c_pad + c);
            }
            lanes_transpose(m);
            OHMI_UNROLL
            for (int r = 0; r < OHMI_LANES; r++) {
                if (c + r < o->c) {
                    lanes_store(j->turn + (int64_t)first * o->c + (int64_t)(c + r) * step +
                                    (row - first),
                                m[r]);
                }
            }
        }
    }
}

// indices: ranges of LINEAR_ITEM output channels
static void linear_forward_part(void *context, int64_t begin, int64_t end, int thread) {
    const linear_job *j = context;
    const ohmi_conv *o = j->o;
    float *sums = (float *)(void *)(j->work + (size_t)thread * j->thread_bytes);
    float *rows = sums + LINEAR_ITEM * (size_t)o->n_pad;
    for (int64_t item = begin; item < end; item++) {
        const int k0 = (int)item * LINEAR_ITEM;
        const int k1 = o->k_pad - k0 < LINEAR_ITEM ? o->k_pad : k0 + LINEAR_ITEM;
        const int k_last = o->k < k1 ? o->k : k1;
        for (int c0 = 0; c0 < o->c; c0 += j->chunk) {
            const int n = o->c - c0 < j->chunk ? o->c - c0 : j->chunk;
            for (int k = k0; k < k_last; k += LINEAR_ROWS) {
                const float *w = j->w + (int64_t)k * o->c + c0;
                int64_t ld = o->c;
                if (k + LINEAR_ROWS > o->k) {
                    // the last rows of w, with zeros for those that are missing
                    memset(rows, 0, LINEAR_ROWS * (size_t)n * sizeof(float));
                    for (int r = 0; k + r < o->k; r++) {
                        memcpy(rows + (int64_t)r * n, w + r * ld, (size_t)n * sizeof(float));
                    }
                    w = rows;
                    ld = n;
                }
                for (int row = 0; row < o->n_pad; row += LINEAR_BATCH) {
                    const int step = o->n_pad - row < LINEAR_BATCH ? o->n_pad - row : LINEAR_BATCH;
                    const float *x = j->turn + (int64_t)row * o->c + (int64_t)c0 * step;
                    float *sum = sums + (int64_t)(k - k0) * o->n_pad + row;
                    if (step == LINEAR_BATCH) {
                        linear_tile_2(sum, o->n_pad, w, ld, x, n, c0 == 0);
                    } else {
                        linear_tile_1(sum, o->n_pad, w, ld, x, n, c0 == 0);
                    }
                }
            }
        }
        // y of the range, turned; rows without an output channel are zero
        for (int k = k0; k < k1; k += OHMI_LANES) {
            for (int row = 0; row < o->n_pad; row += OHMI_LANES) {
                ohmi_lanes m[OHMI_LANES];
                OHMI_UNROLL
                for (int r = 0; r < OHMI_LANES; r++) {
                    m[r] = k + r < o->k ? lanes_load(sums + (int64_t)(k + r - k0) * o->n_pad + row)
                                        : lanes_zero();
                }
                lanes_transpose(m);
                OHMI_UNROLL
                for (int r = 0; r < OHMI_LANES; r++) {
                    lanes_store(j->out + (int64_t)(row + r) * o->k_pad + k, m[r]);
                }
            }
        }
    }
}

// y (n_pad, k_pad) from x (n_pad, c_pad) and w (K, C)
static void linear_forward(float *y, const float *x, const float *w, const ohmi_conv *o,
                           void *work) {
    linear_job j = {.out = y, .in = x, .w = w, .o = o};
    j.chunk = linear_chunk(o);
    j.turn = work;
    j.work = (char *)work + linear_turn_bytes(o);
    j.thread_bytes = linear_thread_bytes(o);
    ohmi_parallel((o->c + OHMI_LANES - 1) / OHMI_LANES, 16, linear_turn_part, &j);
    ohmi_parallel((o->k_pad + LINEAR_ITEM - 1) / LINEAR_ITEM, 1, linear_forward_part, &j);
}

// one tile: dx[OHMI_ROWS][3 vectors] (+)= dy (OHMI_ROWS, n) times w (n, 3 vectors); asks for the
// line `ahead` of each row of w
static void linear_data_tile(float *dx, int64_t dx_ld, const float *dy, int64_t dy_ld,
                             const float *w, int64_t w_ld, int n, int is_first, uintptr_t ahead) {
    ohmi_lanes sum[OHMI_ROWS][OHMI_WIDE];
    OHMI_UNROLL
    for (int r = 0; r < OHMI_ROWS; r++) {
        OHMI_UNROLL
        for (int v = 0; v < OHMI_WIDE; v++) {
            sum[r][v] = is_first ? lanes_zero() : lanes_load(dx + r * dx_ld + v * OHMI_LANES);
        }
    }
    for (int i = 0; i < n; i++) {
        ohmi_lanes b[OHMI_WIDE];
        _mm_prefetch((const char *)ahead, _MM_HINT_T1);
        ahead += (uintptr_t)w_ld * sizeof(float);
        OHMI_UNROLL
        for (int v = 0; v < OHMI_WIDE; v++) {
            b[v] = lanes_load(w + v * OHMI_LANES);
        }
        OHMI_UNROLL
        for (int r = 0; r < OHMI_ROWS; r++) {
            const ohmi_lanes a = lanes_all(dy[r * dy_ld]);
            OHMI_UNROLL
            for (int v = 0; v < OHMI_WIDE; v++) {
                sum[r][v] = lanes_fma(a, b[v], sum[r][v]);
            }
        }
        w += w_ld;
        dy++;
    }
    OHMI_UNROLL
    for (int r = 0; r < OHMI_ROWS; r++) {
        OHMI_UNROLL
        for (int v = 0; v < OHMI_WIDE; v++) {
            lanes_store(dx + r * dx_ld + v * OHMI_LANES, sum[r][v]);
        }
    }
}

// indices: ranges of input channels
static void linear_data_part(void *context, int64_t begin, int64_t end, int thread) {
    const linear_job *j = context;
    const ohmi_conv *o = j->o;
    float *columns = (float *)(void *)(j->work + (size_t)thread * j->thread_bytes);
    const int n_rows = (o->n + OHMI_ROWS - 1) / OHMI_ROWS * OHMI_ROWS;
    for (int64_t item = begin; item < end; item++) {
        const int c0 = (int)item * j->range * LINEAR_COLUMNS;
        const int rest = o->c_pad - c0;
        const int c1 = rest < j->range * LINEAR_COLUMNS ? o->c_pad : c0 + j->range * LINEAR_COLUMNS;
        for (int k = 0; k < o->k; k += LINEAR_STEPS) {
            const int n = o->k - k < LINEAR_STEPS ? o->k - k : LINEAR_STEPS;
            for (int c = c0; c < c1; c += LINEAR_COLUMNS) {
                const float *w = j->w + (int64_t)k * o->c + c;
                if (c + LINEAR_COLUMNS <= o->c) {
                    for (int row = 0; row < n_rows; row += OHMI_ROWS) {
                        // the tile after the next, a line of 16 weights a group of rows
                        const uintptr_t ahead = (uintptr_t)w + 2 * LINEAR_COLUMNS * sizeof(float) +
                                                (uintptr_t)(row / OHMI_ROWS) % 4 * 64;
                        linear_data_tile(j->out + (int64_t)row * o->c_pad + c, o->c_pad,
                                         j->in + (int64_t)row * o->k_pad + k, o->k_pad, w, o->c, n,
                                         k == 0, ahead);
                    }
                    continue;
                }
                // the last columns, through zero-filled copies of w and dx
                for (int i = 0; i < n; i++) {
                    for (int v = 0; v < OHMI_WIDE; v++) {
                        const int left = o->c - c - v * OHMI_LANES;
                        const int part = left < 0 ? 0 : left < OHMI_LANES ? left : OHMI_LANES;
                        lanes_store(columns + i * LINEAR_COLUMNS + v * OHMI_LANES,
                                    lanes_load_part(w + (int64_t)i * o->c + v * OHMI_LANES, part));
                    }
                }
                for (int row = 0; row < n_rows; row += OHMI_ROWS) {
                    float dx[OHMI_ROWS * LINEAR_COLUMNS] = {0};
                    const int width = c1 - c < LINEAR_COLUMNS ? c1 - c : LINEAR_COLUMNS;
                    for (int r = 0; k > 0 && r < OHMI_ROWS; r++) {
                        memcpy(dx + r * LINEAR_COLUMNS, j->out + (int64_t)(row + r) * o->c_pad + c,
                               (size_t)width * sizeof(float));
                    }
                    linear_data_tile(dx, LINEAR_COLUMNS, j->in + (int64_t)row * o->k_pad + k,
                                     o->k_pad, columns, LINEAR_COLUMNS, n, 0, (uintptr_t)columns);
                    for (int r = 0; r < OHMI_ROWS; r++) {
                        memcpy(j->out + (int64_t)(row + r) * o->c_pad + c, dx + r * LINEAR_COLUMNS,
                               (size_t)width * sizeof(float));
                    }
                }
            }
        }
        // the padding rows that no tile wrote
        for (int row = n_rows; row < o->n_pad; row++) {
            memset(j->out + (int64_t)row * o->c_pad + c0, 0, (size_t)(c1 - c0) * sizeof(float));
        }
    }
}

// dx (n_pad, c_pad) from dy (n_pad, k_pad) and w (K, C)
static void linear_backward_data(float *dx, const float *dy, const float *w, const ohmi_conv *o,
                                 void *work) {
    linear_job j = {.out = dx, .in = dy, .w = w, .o = o, .work = work};
    j.thread_bytes = linear_thread_bytes(o);
    // long runs of each row of w: one range of columns a thread
    const int n_tiles = (o->c_pad + LINEAR_COLUMNS - 1) / LINEAR_COLUMNS;
    j.range = (n_tiles + ohmi_threads() - 1) / ohmi_threads();
    ohmi_parallel((n_tiles + j.range - 1) / j.range, 1, linear_data_part, &j);
}

#endif
