// SPDX-License-Identifier: Apache-2.0
// Forward and backward-data products without unrolled copies of the input ("im2col").
//
// Both are one product: out[pixel][n][o] = sum_{tap, i} in[pixel(tap)][n][i] panel[tap][i][o].
// Forward sums over input channels, backward-data over output channels with the weights turned.
// A tile of OHMI_ROWS batch rows x up to 3 vectors of o stays in registers over all taps that fall
// inside the map and over a chunk of i; the panel of a chunk stays in the second cache for many
// tiles. Taps outside the map cost nothing.
//
// While the tiles of a chunk run, they ask for the weights of the next chunk, one line an
// iteration, so that layers whose weights do not fit a cache (linear layers above all) run at the
// speed of the memory or of the products, not of both in turn.
//
// Order of a sum: chunks of i, taps, i: the same for every number of threads.
#ifndef OHMI_DIRECT_H
#define OHMI_DIRECT_H

#include <string.h>

#include "base/thread.h"
#include "kernel/kernel.h"
#include "kernel/lanes.h"
#include "kernel/pack.h"

// bytes of the panels of an item: a part of the second cache (1 MiB or more), the rest is for the
// maps and for the weights asked for ahead
#define DIRECT_PANEL_BYTES (320 * 1024)
// the same for one tap, where a panel serves few tiles and the next one should be on its way soon
#define DIRECT_POINT_BYTES (128 * 1024)
// blocks of an item of a backward-data product with one tap: longer runs of a row of w
#define DIRECT_SPAN 4
// a panel serves at least this many tiles, so that packing it is a small part of the work
#define DIRECT_TILES 64

typedef struct {
    const float *in;    // first row and channel of the input pixel
    const float *panel; // of the tap
} direct_tap;

// Weights to ask for while a tile runs, as addresses: every iteration asks for a line one row on.
typedef struct {
    uintptr_t next, end; // where the next 16 iterations start, and where the row ends
    int64_t row_bytes;   // from a row of w to the next
    int64_t carry;       // after 16 iterations
    int64_t turn;        // after a tap
    int64_t width;       // bytes wanted of a row
    int groups;          // of 16 rows still to come
} direct_ahead;

typedef struct {
    float *out;          // (out_h, out_w, n_pad, out_ld)
    const float *in, *w; // (in_h, in_w, n_pad, in_ld), (K, C, r, s)
    const ohmi_conv *o;
    int is_backward;
    int n_in, in_h, in_w, in_ld;     // channels summed over
    int n_out, out_h, out_w, out_ld; // channels produced
    int chunk;                       // of n_in
    int n_blocks, span, group;       // blocks of vectors; blocks and pixels of an item
    char *work;
    size_t thread_bytes;
} direct_job;

// blocks of vectors of an item
OHMI_INLINE int direct_span(const ohmi_conv *o, int is_backward) {
    return is_backward && o->r * o->s == 1 ? DIRECT_SPAN : 1;
}

// channels of a chunk: even parts of n_in whose panels are within the limit
OHMI_INLINE int direct_chunk(const ohmi_conv *o, int is_backward) {
    const int n_in = is_backward ? o->k : o->c;
    const int64_t n_taps = (int64_t)o->r * o->s;
    const int64_t row = OHMI_WIDE * OHMI_LANES * (int64_t)sizeof(float) * n_taps;
    int64_t most = (n_taps == 1 ? DIRECT_POINT_BYTES : DIRECT_PANEL_BYTES) / row;
    if (direct_span(o, is_backward) > 1) {
        most = most / 2;
    }
    most = most < 8 ? 8 : most;
    const int n_chunks = (int)((n_in + most - 1) / most);
    return (n_in + n_chunks - 1) / n_chunks;
}

OHMI_INLINE size_t direct_taps_bytes(const ohmi_conv *o) {
    return ((size_t)o->r * (size_t)o->s * sizeof(direct_tap) + 63) / 64 * 64;
}

OHMI_INLINE size_t direct_thread_bytes(const ohmi_conv *o, int is_backward) {
    const size_t n_rows = (size_t)o->r * (size_t)o->s * (size_t)direct_chunk(o, is_backward);
    const size_t row = OHMI_WIDE * OHMI_LANES * sizeof(float);
    return direct_taps_bytes(o) + n_rows * row * (size_t)direct_span(o, is_backward);
}

// one tile: out[row][0 .. wide vectors) (+)= sum over taps and n_in channels
OHMI_INLINE void direct_tile(float *out, int64_t out_ld, const direct_tap *taps, int n_taps,
                             int n_in, int64_t in_ld, int is_first, direct_ahead *ahead,
                             const int wide) {
    ohmi_lanes sum[OHMI_ROWS][OHMI_WIDE];
    OHMI_UNROLL
    for (int r = 0; r < OHMI_ROWS; r++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            sum[r][v] = is_first ? lanes_zero() : lanes_load(out + r * out_ld + v * OHMI_LANES);
        }
    }
    const uintptr_t row_bytes = (uintptr_t)ahead->row_bytes;
    const uintptr_t carry = (uintptr_t)ahead->carry, turn = (uintptr_t)ahead->turn;
    uintptr_t next = ahead->next;
    for (int t = 0; t < n_taps; t++) {
        const float *in = taps[t].in;
        const float *panel = taps[t].panel;
        for (int i0 = 0; i0 < n_in; i0 += 16) {
            uintptr_t line = next;
            const int n = n_in - i0 < 16 ? n_in - i0 : 16;
            for (int i = 0; i < n; i++) {
                ohmi_lanes b[OHMI_WIDE];
                _mm_prefetch((const char *)line, _MM_HINT_T1);
                line += row_bytes;
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
            next += carry;
        }
        next += turn;
    }
    ahead->next = next;
    OHMI_UNROLL
    for (int r = 0; r < OHMI_ROWS; r++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            lanes_store(out + r * out_ld + v * OHMI_LANES, sum[r][v]);
        }
    }
}

#define DIRECT_TILE(name, wide)                                                                    \
    static void name(float *out, int64_t out_ld, const direct_tap *taps, int n_taps, int n_in,     \
                     int64_t in_ld, int is_first, direct_ahead *ahead) {                           \
        direct_tile(out, out_ld, taps, n_taps, n_in, in_ld, is_first, ahead, wide);                \
    }

typedef void direct_tile_fn(float *out, int64_t out_ld, const direct_tap *taps, int n_taps,
                            int n_in, int64_t in_ld, int is_first, direct_ahead *ahead);
DIRECT_TILE(direct_tile_1, 1)
DIRECT_TILE(direct_tile_2, 2)
DIRECT_TILE(direct_tile_3, 3)

static direct_tile_fn *const g_direct_tiles[OHMI_WIDE] = {direct_tile_1, direct_tile_2,
                                                          direct_tile_3};

// what to ask for: the weights of inputs [i0, i1) for outputs [first, first + wide vectors)
static void direct_look_ahead(direct_ahead *a, const direct_job *j, int first, int wide, int i0,
                              int i1) {
    const ohmi_conv *o = j->o;
    const int64_t tap_bytes = (int64_t)o->r * o->s * (int64_t)sizeof(float);
    memset(a, 0, sizeof *a);
    a->next = (uintptr_t)j->w;
    a->row_bytes = o->c * tap_bytes;
    if (i0 >= i1) {
        // nothing to come: the first weight again and again
        a->end = UINTPTR_MAX;
        a->row_bytes = 0;
    } else if (j->is_backward) {
        // rows are the inputs: a column of lines a tap
        a->next += (uintptr_t)(i0 * a->row_bytes + first * tap_bytes);
        a->carry = 16 * a->row_bytes;
        a->turn = 64 - (i1 - i0 + 15) / 16 * a->carry;
        a->width = wide * OHMI_LANES * tap_bytes;
        a->groups = 1;
    } else {
        // rows are the outputs: 16 at a time, along the row
        a->next += (uintptr_t)(first * a->row_bytes + i0 * tap_bytes);
        a->carry = 64;
        a->width = (i1 - i0) * tap_bytes;
        a->groups = wide * OHMI_LANES / 16;
    }
    a->end = i0 < i1 ? a->next + (uintptr_t)a->width : a->end;
}

// after a tile: goes to the next group of rows, or stops
static void direct_advance(direct_ahead *a) {
    if (a->next < a->end) {
        return;
    }
    a->groups--;
    if (a->groups > 0) {
        a->end += (uintptr_t)(16 * a->row_bytes);
        a->next = a->end - (uintptr_t)a->width;
    } else {
        a->end = UINTPTR_MAX;
        a->row_bytes = a->carry = a->turn = 0;
    }
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

// the tiles of one chunk and one block: all rows and pixels of an item
static void direct_tiles(const direct_job *j, int from, int to, int first, int wide, int i0, int i1,
                         direct_tap *taps, const float *panel, direct_ahead *ahead) {
    const ohmi_conv *o = j->o;
    const int64_t panel_floats = (int64_t)(i1 - i0) * wide * OHMI_LANES;
    for (int row = 0; row < o->n; row += OHMI_ROWS) {
        for (int pixel = from; pixel < to; pixel++) {
            const int n = direct_find_taps(taps, j, pixel, row, i0, panel, panel_floats);
            float *out = j->out + ((int64_t)pixel * o->n_pad + row) * j->out_ld + first;
            g_direct_tiles[wide - 1](out, j->out_ld, taps, n, i1 - i0, j->in_ld, i0 == 0, ahead);
            direct_advance(ahead);
        }
    }
}

// indices: (group of pixels, span of blocks of vectors)
static void direct_part(void *context, int64_t begin, int64_t end, int thread) {
    const direct_job *j = context;
    const ohmi_conv *o = j->o;
    const int n_taps = o->r * o->s;
    const int n_pixels = j->out_h * j->out_w;
    const int n_spans = (j->n_blocks + j->span - 1) / j->span;
    const int n_vectors = j->out_ld / OHMI_LANES;
    char *work = j->work + (size_t)thread * j->thread_bytes;
    direct_tap *taps = (direct_tap *)(void *)work;
    float *panels = (float *)(void *)(work + direct_taps_bytes(o));
    for (int64_t item = begin; item < end; item++) {
        const int block0 = (int)(item % n_spans) * j->span;
        const int block1 = j->n_blocks - block0 < j->span ? j->n_blocks : block0 + j->span;
        const int from = (int)(item / n_spans) * j->group;
        const int to = n_pixels - from < j->group ? n_pixels : from + j->group;
        // the vectors of the span
        int wide = 0;
        const int first = find_block(n_vectors, block0, &wide) * OHMI_LANES;
        const int last = find_block(n_vectors, block1 - 1, &wide) + wide;
        const int span_wide = last - first / OHMI_LANES;
        for (int i0 = 0; i0 < j->n_in; i0 += j->chunk) {
            const int i1 = j->n_in - i0 < j->chunk ? j->n_in : i0 + j->chunk;
            const int i2 = j->n_in - i1 < j->chunk ? j->n_in : i1 + j->chunk;
            direct_ahead ahead;
            direct_look_ahead(&ahead, j, first, span_wide, i1, i2);
            // the weights of this chunk, then every tile that needs them
            float *panel = panels;
            if (j->is_backward) {
                pack_backward(panel, j->w, o->c, n_taps, n_vectors, block0, block1, i0, i1);
            } else {
                pack_forward(panel, j->w, o->k, o->c, n_taps, first, span_wide, i0, i1);
            }
            for (int block = block0; block < block1; block++) {
                const int out = find_block(n_vectors, block, &wide) * OHMI_LANES;
                direct_tiles(j, from, to, out, wide, i0, i1, taps, panel, &ahead);
                panel += (int64_t)n_taps * (i1 - i0) * wide * OHMI_LANES;
            }
        }
        // the padding rows that no tile wrote
        const int n_rows = (o->n + OHMI_ROWS - 1) / OHMI_ROWS * OHMI_ROWS;
        for (int pixel = from; pixel < to; pixel++) {
            for (int row = n_rows; row < o->n_pad; row++) {
                memset(j->out + ((int64_t)pixel * o->n_pad + row) * j->out_ld + first, 0,
                       (size_t)span_wide * OHMI_LANES * sizeof(float));
            }
        }
    }
}

// Shares the pixels and channels of the output among the threads.
static void direct_run(direct_job *j) {
    const ohmi_conv *o = j->o;
    const int n_pixels = j->out_h * j->out_w;
    const int tiles = (o->n + OHMI_ROWS - 1) / OHMI_ROWS;
    j->chunk = direct_chunk(o, j->is_backward);
    j->span = direct_span(o, j->is_backward);
    j->n_blocks = count_blocks(j->out_ld / OHMI_LANES);
    // pixels of an item: enough tiles to pay for the packing, and at most 16 groups
    const int enough = (DIRECT_TILES + tiles - 1) / tiles;
    const int sixteenth = (n_pixels + 15) / 16;
    j->group = enough > sixteenth ? enough : sixteenth;
    j->thread_bytes = direct_thread_bytes(o, j->is_backward);
    const int64_t n_groups = (n_pixels + j->group - 1) / j->group;
    const int64_t n_spans = (j->n_blocks + j->span - 1) / j->span;
    ohmi_parallel(n_groups * n_spans, 1, direct_part, j);
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
