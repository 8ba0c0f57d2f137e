// SPDX-License-Identifier: Apache-2.0
// The backward-weight product: dw[k][c][tap] = sum over pixels and batch rows of dy * x.
//
// A tile of OHMI_ROWS input channels x up to 3 vectors of output channels stays in registers over a
// chunk of about 128 (pixel, row) pairs, whose dy is copied so that it lies in the first cache and
// serves every tap and channel of an item. Sums live in the second cache as [tap][c][k] until all
// chunks are done, and are then turned into w's order.
//
// Order of a sum: blocks of 32 batch rows, chunks of pixels, pixels, rows.
#ifndef OHMI_WEIGHT_H
#define OHMI_WEIGHT_H

#include <string.h>

#include "base/thread.h"
#include "kernel/kernel.h"
#include "kernel/lanes.h"
#include "kernel/pack.h"

#define WEIGHT_PAIRS 128 // (pixel, row) pairs of a chunk
#define WEIGHT_BATCH 32  // batch rows of a chunk at most

typedef struct {
    const float *x, *dy; // the first row of a pixel: input channels, copied output channels
} weight_pixel;

typedef struct {
    float *dw;           // (K, C, r, s)
    const float *x, *dy; // (H, W, n_pad, c_pad), (P, Q, n_pad, k_pad)
    const ohmi_conv *o;
    int range; // input channels of an item, a multiple of OHMI_ROWS
    int n_blocks;
    char *work;
    size_t thread_bytes;
} weight_job;

// input channels of an item: few enough to keep the sums near, enough to pay for the copies of dy
OHMI_INLINE int weight_range(const ohmi_conv *o) {
    const int n_taps = o->r * o->s;
    int range = 288 / n_taps / 16 * 16;
    range = range < 16 ? 16 : range > 128 ? 128 : range;
    const int all = (o->c + OHMI_ROWS - 1) / OHMI_ROWS * OHMI_ROWS;
    return range < all ? range : all;
}

OHMI_INLINE size_t weight_thread_bytes(const ohmi_conv *o) {
    const size_t row = OHMI_WIDE * OHMI_LANES * sizeof(float);
    const size_t sums = (size_t)o->r * (size_t)o->s * (size_t)weight_range(o) * row;
    return sums + WEIGHT_PAIRS * row + (WEIGHT_PAIRS * sizeof(weight_pixel) + 63) / 64 * 64;
}

// one tile: sum[rows][wide vectors] += over pixels and n batch rows
OHMI_INLINE void weight_tile(float *sums, const weight_pixel *pixels, int n_pixels, int c, int n,
                             int64_t x_ld, const int wide, const int rows) {
    ohmi_lanes sum[OHMI_ROWS][OHMI_WIDE];
    OHMI_UNROLL
    for (int r = 0; r < rows; r++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            sum[r][v] = lanes_load(sums + (r * wide + v) * OHMI_LANES);
        }
    }
    for (int p = 0; p < n_pixels; p++) {
        const float *x = pixels[p].x + c;
        const float *dy = pixels[p].dy;
        for (int i = 0; i < n; i++) {
            ohmi_lanes b[OHMI_WIDE];
            OHMI_UNROLL
            for (int v = 0; v < wide; v++) {
                b[v] = lanes_load(dy + v * OHMI_LANES);
            }
            OHMI_UNROLL
            for (int r = 0; r < rows; r++) {
                const ohmi_lanes a = lanes_all(x[r]);
                OHMI_UNROLL
                for (int v = 0; v < wide; v++) {
                    sum[r][v] = lanes_fma(a, b[v], sum[r][v]);
                }
            }
            x += x_ld;
            dy += wide * OHMI_LANES;
        }
    }
    OHMI_UNROLL
    for (int r = 0; r < rows; r++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            lanes_store(sums + (r * wide + v) * OHMI_LANES, sum[r][v]);
        }
    }
}

#define WEIGHT_TILE(name, wide, rows)                                                              \
    static void name(float *sums, const weight_pixel *pixels, int n_pixels, int c, int n,          \
                     int64_t x_ld) {                                                               \
        weight_tile(sums, pixels, n_pixels, c, n, x_ld, wide, rows);                               \
    }

typedef void weight_tile_fn(float *sums, const weight_pixel *pixels, int n_pixels, int c, int n,
                            int64_t x_ld);
WEIGHT_TILE(weight_tile_1, 1, OHMI_ROWS)
WEIGHT_TILE(weight_tile_2, 2, OHMI_ROWS)
WEIGHT_TILE(weight_tile_3, 3, OHMI_ROWS)
WEIGHT_TILE(weight_half_1, 1, OHMI_ROWS / 2)
WEIGHT_TILE(weight_half_2, 2, OHMI_ROWS / 2)
WEIGHT_TILE(weight_half_3, 3, OHMI_ROWS / 2)

static weight_tile_fn *const g_weight_tiles[2][OHMI_WIDE] = {
    {weight_tile_1, weight_tile_2, weight_tile_3},
    {weight_half_1, weight_half_2, weight_half_3},
};

// fills the pixels of a chunk for which tap (r, s) falls inside the map; returns their number
static int weight_find_pixels(weight_pixel *pixels, const weight_job *j, int r, int s, int from,
                              int to, int row, const float *copy, int64_t copy_floats) {
    const ohmi_conv *o = j->o;
    int n = 0;
    for (int pixel = from; pixel < to; pixel++) {
        const int h = pixel / o->q * o->stride + r - o->pad;
        const int w = pixel % o->q * o->stride + s - o->pad;
        if (h >= 0 && h < o->h && w >= 0 && w < o->w) {
            pixels[n].x = j->x + (((int64_t)h * o->w + w) * o->n_pad + row) * o->c_pad;
            pixels[n].dy = copy + (pixel - from) * copy_floats;
            n++;
        }
    }
    return n;
}

// indices: (range of input channels, block of vectors of output channels)
static void weight_part(void *context, int64_t begin, int64_t end, int thread) {
    const weight_job *j = context;
    const ohmi_conv *o = j->o;
    const int n_taps = o->r * o->s;
    const int n_outputs = o->p * o->q;
    const size_t row_floats = OHMI_WIDE * OHMI_LANES;
    float *sums = (float *)(void *)(j->work + (size_t)thread * j->thread_bytes);
    float *copy = sums + (size_t)n_taps * (size_t)j->range * row_floats;
    weight_pixel *pixels = (weight_pixel *)(void *)(copy + WEIGHT_PAIRS * row_floats);
    for (int64_t item = begin; item < end; item++) {
        int wide = 0;
        const int first =
            find_block(o->k_pad / OHMI_LANES, (int)(item % j->n_blocks), &wide) * OHMI_LANES;
        const int c0 = (int)(item / j->n_blocks) * j->range;
        const int c1 = o->c - c0 < j->range ? o->c : c0 + j->range;
        const int64_t step = (int64_t)wide * OHMI_LANES;
        memset(sums, 0, (size_t)n_taps * (size_t)j->range * (size_t)step * sizeof(float));
        for (int row = 0; row < o->n; row += WEIGHT_BATCH) {
            const int n = o->n - row < WEIGHT_BATCH ? o->n - row : WEIGHT_BATCH;
            const int n_chunk = WEIGHT_PAIRS / n;
            for (int from = 0; from < n_outputs; from += n_chunk) {
                const int to = n_outputs - from < n_chunk ? n_outputs : from + n_chunk;
                // dy of the chunk, one row after the other
                for (int pixel = from; pixel < to; pixel++) {
                    const float *dy = j->dy + ((int64_t)pixel * o->n_pad + row) * o->k_pad + first;
                    float *to_row = copy + (pixel - from) * n * step;
                    for (int i = 0; i < n; i++) {
                        for (int v = 0; v < wide; v++) {
                            lanes_store(to_row + i * step + v * OHMI_LANES,
                                        lanes_load(dy + (int64_t)i * o->k_pad + v * OHMI_LANES));
                        }
                    }
                }
                for (int tap = 0; tap < n_taps; tap++) {
                    const int n_pixels = weight_find_pixels(pixels, j, tap / o->s, tap % o->s, from,
                                                            to, row, copy, n * step);
                    for (int c = c0; n_pixels > 0 && c < c1; c += OHMI_ROWS) {
                        const int is_half = c1 - c <= OHMI_ROWS / 2;
                        float *tile = sums + ((int64_t)tap * j->range + (c - c0)) * step;
                        g_weight_tiles[is_half][wide - 1](tile, pixels, n_pixels, c, n, o->c_pad);
                    }
                }
            }
        }
        unpack_weight(j->dw, sums, o->k, o->c, n_taps, first, wide, c0, c1, j->range);
    }
}

// dw (K, C, R, S) from x (H, W, n_pad, c_pad) and dy (P, Q, n_pad, k_pad)
static void weight_run(float *dw, const float *x, const float *dy, const ohmi_conv *o, void *work) {
    weight_job j = {.dw = dw, .x = x, .dy = dy, .o = o, .work = work};
    j.range = weight_range(o);
    j.n_blocks = count_blocks(o->k_pad / OHMI_LANES);
    j.thread_bytes = weight_thread_bytes(o);
    const int64_t n_ranges = (o->c + j.range - 1) / j.range;
    ohmi_parallel(n_ranges * j.n_blocks, 1, weight_part, &j);
}

#endif
