// SPDX-License-Identifier: Apache-2.0
// Forward and backward-data products without unrolled copies of the input ("im2col").
//
// Both are one product: out[pixel][n][o] = sum_{tap, i} in[pixel(tap)][n][i] panel[tap][i][o].
// Forward sums over input channels, backward-data over output channels with the weights turned.
// A tile of OHMI_ROWS batch rows x up to 3 vectors of o stays in registers over all taps that fall
// inside the map and over a chunk of i; the panel of a chunk stays in the second cache for many
// tiles. Taps outside the map cost nothing.
//
// Order of a sum: chunks of i, taps, i: the same for every number of threads.
#ifndef OHMI_DIRECT_H
#define OHMI_DIRECT_H

#include <string.h>

#include "base/thread.h"
#include "kernel/kernel.h"
#include "kernel/lanes.h"
#include "kernel/pack.h"

// bytes of a panel: a part of the second cache (1 MiB or more), the rest is for the maps
#define DIRECT_PANEL_BYTES (320 * 1024)
// a panel serves at least this many tiles, so that packing it is a small part of the work
#define DIRECT_TILES 64

typedef struct {
    const float *in;    // first row and channel of the input pixel
    const float *panel; // of the tap
} direct_tap;

typedef struct {
    float *out;          // (out_h, out_w, n_pad, out_ld)
    const float *in, *w; // (in_h, in_w, n_pad, in_ld), (K, C, r, s)
    const ohmi_conv *o;
    int is_backward;
    int n_in, in_h, in_w, in_ld;     // channels summed over
    int n_out, out_h, out_w, out_ld; // channels produced
    int chunk;                       // of n_in
    int n_blocks, group;             // blocks of vectors; pixels of an item
    char *work;
    size_t thread_bytes;
} direct_job;

// channels of a chunk: even parts of n_in whose panel is within the limit
OHMI_INLINE int direct_chunk(int n_in, int n_taps) {
    int64_t most = DIRECT_PANEL_BYTES / (OHMI_WIDE * OHMI_LANES * (int64_t)sizeof(float) * n_taps);
    most = most < 8 ? 8 : most;
    const int n_chunks = (int)((n_in + most - 1) / most);
    return (n_in + n_chunks - 1) / n_chunks;
}

OHMI_INLINE size_t direct_taps_bytes(const ohmi_conv *o) {
    return ((size_t)o->r * (size_t)o->s * sizeof(direct_tap) + 63) / 64 * 64;
}

OHMI_INLINE size_t direct_thread_bytes(const ohmi_conv *o, int n_in) {
    const size_t n_taps = (size_t)o->r * (size_t)o->s;
    const size_t row = OHMI_WIDE * OHMI_LANES * sizeof(float);
    return direct_taps_bytes(o) + n_taps * (size_t)direct_chunk(n_in, (int)n_taps) * row;
}

// one tile: out[row][0 .. wide vectors) (+)= sum over taps and n_in channels
OHMI_INLINE void direct_tile(float *out, int64_t out_ld, const direct_tap *taps, int n_taps,
                             int n_in, int64_t in_ld, int is_first, const int wide) {
    ohmi_lanes sum[OHMI_ROWS][OHMI_WIDE];
    OHMI_UNROLL
    for (int r = 0; r < OHMI_ROWS; r++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            sum[r][v] = is_first ? lanes_zero() : lanes_load(out + r * out_ld + v * OHMI_LANES);
        }
    }
    for (int t = 0; t < n_taps; t++) {
        const float *in = taps[t].in;
        const float *panel = taps[t].panel;
        for (int i = 0; i < n_in; i++) {
            ohmi_lanes b[OHMI_WIDE];
            OHMI_UNROLL
            for (int v = 0; v < wide; v++) {
                b[v] = lanes_load(panel + v * OHMI_LANES);
            }
            OHMI_UNROLL
            for (int r = 0; r < OHMI_ROWS; r++) {
                const ohmi_lanes a = lanes_all(in[r * in_ld]);
                OHMI_UNROLL
                for (int v = 0; v < wide; v++) {
                    sum[r][v] = lanes_fma(a, b[v], sum[r][v]);
                }
            }
            in++;
            panel += wide * OHMI_LANES;
        }
    }
    OHMI_UNROLL
    for (int r = 0; r < OHMI_ROWS; r++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            lanes_store(out + r * out_ld + v * OHMI_LANES, sum[r][v]);
        }
    }
}

static void direct_tile_1(float *out, int64_t out_ld, const direct_tap *taps, int n_taps, int n_in,
                          int64_t in_ld, int is_first) {
    direct_tile(out, out_ld, taps, n_taps, n_in, in_ld, is_first, 1);
}

static void direct_tile_2(float *out, int64_t out_ld, const direct_tap *taps, int n_taps, int n_in,
                          int64_t in_ld, int is_first) {
    direct_tile(out, out_ld, taps, n_taps, n_in, in_ld, is_first, 2);
}

static void direct_tile_3(float *out, int64_t out_ld, const direct_tap *taps, int n_taps, int n_in,
                          int64_t in_ld, int is_first) {
    direct_tile(out, out_ld, taps, n_taps, n_in, in_ld, is_first, 3);
}

// fills the taps of an output pixel that fall inside the input map; returns their number
static int direct_find_taps(direct_tap *taps, const direct_job *j, int pixel, int row, int i0,
                            const float *panel, int64_t panel_floats) {
    const ohmi_conv *o = j->o;
    const int y = pixel / j->out_w, x = pixel % j->out_w;
    int n = 0;
    for (int r = 0; r < o->r; r++) {
        // forward: in = out * stride + r - pad; backward: in * stride = out + pad - r
        int h = j->is_backward ? y + o->pad - r : y * o->stride + r - o->pad;
        if (h < 0 || (j->is_backward && h % o->stride != 0)) {
            continue;
        }
        h = j->is_backward ? h / o->stride : h;
        if (h >= j->in_h) {
            continue;
        }
        for (int s = 0; s < o->s; s++) {
            int w = j->is_backward ? x + o->pad - s : x * o->stride + s - o->pad;
            if (w < 0 || (j->is_backward && w % o->stride != 0)) {
                continue;
            }
            w = j->is_backward ? w / o->stride : w;
            if (w >= j->in_w) {
                continue;
            }
            const int64_t from = ((int64_t)h * j->in_w + w) * o->n_pad + row;
            taps[n].in = j->in + from * j->in_ld + i0;
            taps[n].panel = panel + (int64_t)(r * o->s + s) * panel_floats;
            n++;
        }
    }
    return n;
}

// indices: (group of pixels, block of vectors)
static void direct_part(void *context, int64_t begin, int64_t end, int thread) {
    const direct_job *j = context;
    const ohmi_conv *o = j->o;
    const int n_taps = o->r * o->s;
    const int n_pixels = j->out_h * j->out_w;
    const int n_rows = (o->n + OHMI_ROWS - 1) / OHMI_ROWS * OHMI_ROWS;
    char *work = j->work + (size_t)thread * j->thread_bytes;
    direct_tap *taps = (direct_tap *)(void *)work;
    float *panel = (float *)(void *)(work + direct_taps_bytes(o));
    for (int64_t item = begin; item < end; item++) {
        int wide = 0;
        const int block = (int)(item % j->n_blocks);
        const int first = find_block(j->out_ld / OHMI_LANES, block, &wide) * OHMI_LANES;
        const int from = (int)(item / j->n_blocks) * j->group;
        const int to = n_pixels - from < j->group ? n_pixels : from + j->group;
        for (int i0 = 0; i0 < j->n_in; i0 += j->chunk) {
            // the weights of this chunk, then every tile that needs them
            const int i1 = j->n_in - i0 < j->chunk ? j->n_in : i0 + j->chunk;
            if (j->is_backward) {
                pack_backward(panel, j->w, o->c, n_taps, first, wide, i0, i1);
            } else {
                pack_forward(panel, j->w, o->k, o->c, n_taps, first, wide, i0, i1);
            }
            const int64_t panel_floats = (int64_t)(i1 - i0) * wide * OHMI_LANES;
            for (int row = 0; row < n_rows; row += OHMI_ROWS) {
                for (int pixel = from; pixel < to; pixel++) {
                    const int n = direct_find_taps(taps, j, pixel, row, i0, panel, panel_floats);
                    float *out = j->out + ((int64_t)pixel * o->n_pad + row) * j->out_ld + first;
                    if (wide == 3) {
                        direct_tile_3(out, j->out_ld, taps, n, i1 - i0, j->in_ld, i0 == 0);
                    } else if (wide == 2) {
                        direct_tile_2(out, j->out_ld, taps, n, i1 - i0, j->in_ld, i0 == 0);
                    } else {
                        direct_tile_1(out, j->out_ld, taps, n, i1 - i0, j->in_ld, i0 == 0);
                    }
                }
            }
        }
        // the padding rows that no tile wrote
        for (int pixel = from; pixel < to; pixel++) {
            for (int row = n_rows; row < o->n_pad; row++) {
                memset(j->out + ((int64_t)pixel * o->n_pad + row) * j->out_ld + first, 0,
                       (size_t)wide * OHMI_LANES * sizeof(float));
            }
        }
    }
}

// Shares the pixels and channels of the output among the threads.
static void direct_run(direct_job *j) {
    const ohmi_conv *o = j->o;
    const int n_pixels = j->out_h * j->out_w;
    const int tiles = (o->n + OHMI_ROWS - 1) / OHMI_ROWS;
    j->chunk = direct_chunk(j->n_in, o->r * o->s);
    j->n_blocks = count_blocks(j->out_ld / OHMI_LANES);
    // pixels of an item: enough tiles to pay for the packing, and at most 16 groups
    const int enough = (DIRECT_TILES + tiles - 1) / tiles;
    const int sixteenth = (n_pixels + 15) / 16;
    j->group = enough > sixteenth ? enough : sixteenth;
    j->thread_bytes = direct_thread_bytes(o, j->n_in);
    const int64_t n_groups = (n_pixels + j->group - 1) / j->group;
    ohmi_parallel(n_groups * j->n_blocks, 1, direct_part, j);
}

// y (P, Q, n_pad, k_pad) = conv of x (H, W, n_pad, c_pad) with w (K, C, R, S)
static void direct_forward(float *y, const float *x, const float *w, const ohmi_conv *o,
                           void *work) {
    direct_job j = {.out = y, .in = x, .w = w, .o = o, .work = work};
    j.n_in = o->c, j.in_h = o->h, j.in_w = o->w, j.in_ld = o->c_pad;
    j.n_out = o->k, j.out_h = o->p, j.out_w = o->q, j.out_ld = o->k_pad;
    direct_run(&j);
}

// dx (H, W, n_pad, c_pad) from dy (P, Q, n_pad, k_pad) and w (K, C, R, S)
static void direct_backward_data(float *dx, const float *dy, const float *w, const ohmi_conv *o,
                                 void *work) {
    direct_job j = {.out = dx, .in = dy, .w = w, .o = o, .is_backward = 1, .work = work};
    j.n_in = o->k, j.in_h = o->p, j.in_w = o->q, j.in_ld = o->k_pad;
    j.n_out = o->c, j.out_h = o->h, j.out_w = o->w, j.out_ld = o->c_pad;
    direct_run(&j);
}

#endif
