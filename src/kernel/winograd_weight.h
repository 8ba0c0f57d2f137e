// SPDX-License-Identifier: Apache-2.0
// The backward-weight product of 3 x 3 convolutions by the algorithm of winograd.h:
// dw = G^T [sum over tiles and batch rows of (A dy A^T) * (B^T x B)] G.
//
// An item is a range of input channels, a span of output channels and a part of the tiles. It keeps
// the sums M[block][16][c][k] and takes rows batch by batch: x transformed to V[16][row][c], dy to
// D[16][row][k], then M += V^T D in tiles of OHMI_ROWS channels x up to 3 vectors. All of it stays
// in the second cache. Where there are few channels and many tiles the parts of the tiles go to
// different threads; their gradients are then added in the order of the parts.
//
// Order of a sum: parts, batches, rows, which depend on the shape alone.
#ifndef OHMI_WINOGRAD_WEIGHT_H
#define OHMI_WINOGRAD_WEIGHT_H

#include <string.h>

#include "base/thread.h"
#include "kernel/winograd.h"
#include "kernel/winograd_maps.h"
#include "kernel/winograd_tile.h"

#define WINOGRAD_PARTS 16                // of the tiles, at most
#define WINOGRAD_RANGE (80 / OHMI_LANES) // vectors of input and of output channels of an item

typedef struct {
    float *dw;           // (K, C, 3, 3)
    const float *x, *dy; // (H, W, n_pad, c_pad), (H, W, n_pad, k_pad)
    const ohmi_conv *o;
    int n_ranges, range; // ranges of vectors of input channels; vectors of a range at most
    int n_spans, span;   // the same of output channels
    int n_parts;         // of the places
    int n_places;
    float *parts; // (n_parts, K, C, 3, 3) when there are more than one
    char *work;
    size_t thread_bytes;
} winograd_gradient;

OHMI_INLINE winograd_gradient winograd_gradient_plan(const ohmi_conv *o) {
    winograd_gradient j = {.o = o};
    const int n_c = o->c_pad / OHMI_LANES, n_k = o->k_pad / OHMI_LANES;
    j.n_ranges = (n_c + WINOGRAD_RANGE - 1) / WINOGRAD_RANGE;
    j.range = (n_c + j.n_ranges - 1) / j.n_ranges;
    j.n_spans = (n_k + WINOGRAD_RANGE - 1) / WINOGRAD_RANGE;
    j.span = (n_k + j.n_spans - 1) / j.n_spans;
    j.n_places = (o->h + 1) / 2 * ((o->w + 1) / 2) * winograd_groups(o);
    j.n_parts = 1;
    while (j.n_parts < WINOGRAD_PARTS && j.n_ranges * j.n_spans * j.n_parts < 16 &&
           j.n_places / j.n_parts >= 2 * WINOGRAD_ENOUGH) {
        j.n_parts *= 2;
    }
    return j;
}

OHMI_INLINE int64_t winograd_gradient_m_floats(const winograd_gradient *j) {
    return (int64_t)WINOGRAD_POINTS * j->range * j->span * OHMI_LANES * OHMI_LANES;
}
OHMI_INLINE int64_t winograd_gradient_v_floats(const winograd_gradient *j) {
    return WINOGRAD_POINTS * winograd_step(j->range * OHMI_LANES);
}
OHMI_INLINE int64_t winograd_gradient_d_floats(const winograd_gradient *j) {
    return WINOGRAD_POINTS * winograd_step(j->span * OHMI_LANES);
}

OHMI_INLINE size_t winograd_gradient_thread_bytes(const winograd_gradient *j) {
    const int64_t floats = winograd_gradient_m_floats(j) + winograd_gradient_v_floats(j) +
                           winograd_gradient_d_floats(j) + winograd_taps_floats();
    return (size_t)floats * sizeof(float);
}

// of the parts, before the threads' bytes
OHMI_INLINE size_t winograd_gradient_parts_bytes(const winograd_gradient *j) {
    const size_t part = (size_t)j->o->k * (size_t)j->o->c * 9 * sizeof(float);
    return j->n_parts > 1 ? ((size_t)j->n_parts * part + 63) / 64 * 64 : 0;
}

OHMI_INLINE size_t winograd_gradient_bytes(const ohmi_conv *o) {
    const winograd_gradient j = winograd_gradient_plan(o);
    return winograd_gradient_parts_bytes(&j) +
           (size_t)ohmi_threads() * winograd_gradient_thread_bytes(&j);
}

// t = A d, but position 3 with the other sign, which winograd_gather takes back
OHMI_INLINE void winograd_spread(ohmi_lanes t[4], const ohmi_lanes d[2]) {
    t[0] = d[0];
    t[1] = lanes_add(d[0], d[1]);
    t[2] = lanes_sub(d[0], d[1]);
    t[3] = d[1];
}

// g = G^T t
OHMI_INLINE void winograd_gather(ohmi_lanes g[3], const ohmi_lanes t[4]) {
    const ohmi_lanes half = lanes_all(0.5F);
    const ohmi_lanes sum = lanes_mul(half, lanes_add(t[1], t[2]));
    g[0] = lanes_add(t[0], sum);
    g[1] = lanes_mul(half, lanes_sub(t[1], t[2]));
    g[2] = lanes_sub(sum, t[3]);
}

// D[16][OHMI_ROWS][d_ld] = A dy A^T for n_vectors of channels from channel first on, of a place
static void winograd_gradient_input(float *d, int64_t d_step, int64_t d_ld, const float *dy,
                                    const ohmi_conv *o, winograd_place at, int first,
                                    int n_vectors) {
    const int is_low = at.y + 1 < o->h, is_right = at.x + 1 < o->w;
    const int64_t right = is_right ? (int64_t)o->n_pad * o->k_pad : 0;
    const int64_t low = is_low ? (int64_t)o->w * o->n_pad * o->k_pad : 0;
    const ohmi_lanes_mask mask[4] = {lanes_mask(1), lanes_mask(is_right), lanes_mask(is_low),
                                     lanes_mask(is_low && is_right)};
    const float *from = dy + (((int64_t)at.y * o->w + at.x) * o->n_pad + at.row) * o->k_pad + first;
    for (int r = 0; r < OHMI_ROWS; r++) {
        for (int j = 0; j < n_vectors; j++) {
            const float *row = from + (int64_t)r * o->k_pad + j * OHMI_LANES;
            ohmi_lanes t[4][2];
            OHMI_UNROLL
            for (int x = 0; x < 2; x++) {
                const ohmi_lanes column[2] = {lanes_load_if(mask[x], row + x * right),
                                              lanes_load_if(mask[2 + x], row + x * right + low)};
                ohmi_lanes b[4];
                winograd_spread(b, column);
                OHMI_UNROLL
                for (int y = 0; y < 4; y++) {
                    t[y][x] = b[y];
                }
            }
            float *to = d + r * d_ld + j * OHMI_LANES;
            OHMI_UNROLL
            for (int y = 0; y < 4; y++) {
                ohmi_lanes b[4];
                winograd_spread(b, t[y]);
                OHMI_UNROLL
                for (int x = 0; x < 4; x++) {
                    lanes_store(to + (y * 4 + x) * d_step, b[x]);
                }
            }
        }
    }
}

// taps [9][n][wide vectors] = G^T M G; m_step floats from a position of M to the next
static void winograd_gradient_output(float *taps, const float *m, int64_t m_step, int64_t floats) {
    for (int64_t at = 0; at < floats; at += OHMI_LANES) {
        ohmi_lanes t[3][4];
        OHMI_UNROLL
        for (int x = 0; x < 4; x++) {
            ohmi_lanes column[4], g[3];
            OHMI_UNROLL
            for (int y = 0; y < 4; y++) {
                column[y] = lanes_load(m + (y * 4 + x) * m_step + at);
            }
            winograd_gather(g, column);
            OHMI_UNROLL
            for (int r = 0; r < 3; r++) {
                t[r][x] = g[r];
            }
        }
        OHMI_UNROLL
        for (int r = 0; r < 3; r++) {
            ohmi_lanes g[3];
            winograd_gather(g, t[r]);
            OHMI_UNROLL
            for (int s = 0; s < 3; s++) {
                lanes_store(taps + (r * 3 + s) * floats + at, g[s]);
            }
        }
    }
}

// which line of which place of the next batch to ask for next
typedef struct {
    int place, line;
} winograd_cursor;

// appends an ask for a line of pixel (dy, dx) of the cursor's place and moves on; channels from
// `first` on, n_lines of them
OHMI_INLINE int winograd_gradient_ask(winograd_ask asks[WINOGRAD_ASKS], int n, winograd_cursor *at,
                                      const winograd_place *places, int n_places, const float *map,
                                      const ohmi_conv *o, int64_t ld, int dy, int dx, int first,
                                      int n_lines) {
    if (at->place >= n_places) {
        return n;
    }
    const winograd_place place = places[at->place];
    const int c = first + at->line * WINOGRAD_LINE;
    at->line++;
    if (at->line == n_lines) {
        at->line = 0;
        at->place++;
    }
    return winograd_ask_pixel(asks, n, map, o, ld, place.y + dy, place.x + dx, place.row, c, c + 1);
}

// M (+)= V^T D of n_rows rows, for channels from vectors c0 and k0 on; asks for the next batch
static void winograd_gradient_sum(const winograd_gradient *j, float *m, const float *v,
                                  const float *d, int n_rows, int c0, int n_c, int k0, int n_k,
                                  int is_first, const winograd_place *next, int n_next) {
    const ohmi_conv *o = j->o;
    const int64_t v_ld = (int64_t)n_c * OHMI_LANES, d_ld = (int64_t)n_k * OHMI_LANES;
    const int64_t v_step = winograd_step(v_ld), d_step = winograd_step(d_ld);
    const int c_lines = (n_c * OHMI_LANES + WINOGRAD_LINE - 1) / WINOGRAD_LINE;
    const int k_lines = (n_k * OHMI_LANES + WINOGRAD_LINE - 1) / WINOGRAD_LINE;
    // channels of the range, without tiles of padding alone
    const int n_left = o->c - c0 * OHMI_LANES;
    const int n_channels = n_left < v_ld ? n_left : (int)v_ld;
    for (int t = 0; t < WINOGRAD_POINTS; t++) {
        // at each position one of the 4 x 4 inputs, and at some one of the 2 x 2 outputs
        winograd_cursor x = {0, 0}, dy = {t % 4 < 1 ? 0 : n_next, 0};
        float *sums = m;
        for (int block = 0; block < count_blocks(n_k); block++) {
            int wide = 0;
            const int vector = find_block(n_k, block, &wide);
            const int64_t step = (int64_t)wide * OHMI_LANES;
            for (int c = 0; c < n_channels; c += OHMI_ROWS) {
                winograd_ask asks[WINOGRAD_ASKS];
                int n = winograd_gradient_ask(asks, 0, &x, next, n_next, j->x, o, o->c_pad,
                                              t / 4 - 1, t % 4 - 1, c0 * OHMI_LANES, c_lines);
                n = winograd_gradient_ask(asks, n, &dy, next, n_next, j->dy, o, o->k_pad, t / 8,
                                          t / 4 % 2, k0 * OHMI_LANES, k_lines);
                g_winograd_sums[wide - 1](sums + (t * v_ld + c) * step, v + t * v_step + c, v_ld,
                                          d + t * d_step + vector * OHMI_LANES, d_ld, n_rows,
                                          is_first, asks, n);
            }
            sums += WINOGRAD_POINTS * v_ld * step;
        }
    }
}

// dw of a range and span from their sums
static void winograd_gradient_unpack(const winograd_gradient *j, float *dw, const float *m,
                                     float *taps, int c0, int n_c, int k0, int n_k) {
    const ohmi_conv *o = j->o;
    const int first = c0 * OHMI_LANES;
    const int end = o->c - first < n_c * OHMI_LANES ? o->c : first + n_c * OHMI_LANES;
    for (int block = 0; block < count_blocks(n_k); block++) {
        int wide = 0;
        const int vector = k0 + find_block(n_k, block, &wide);
        const int64_t step = (int64_t)wide * OHMI_LANES;
        const int64_t m_step = n_c * OHMI_LANES * step;
        for (int c = first; c < end; c += WINOGRAD_PACK) {
            const int last = end - c < WINOGRAD_PACK ? end : c + WINOGRAD_PACK;
            winograd_gradient_output(taps, m + (c - first) * step, m_step, (last - c) * step);
            unpack_weight(dw, taps, o->k, o->c, 9, vector * OHMI_LANES, wide, c, last, last - c);
        }
        m += WINOGRAD_POINTS * m_step;
    }
}

// indices: (part of the places, range of input channels, span of output channels)
static void winograd_gradient_part(void *context, int64_t begin, int64_t end, int thread) {
    const winograd_gradient *j = context;
    const ohmi_conv *o = j->o;
    float *m = (float *)(void *)(j->work + (size_t)thread * j->thread_bytes);
    float *v = m + winograd_gradient_m_floats(j);
    float *d = v + winograd_gradient_v_floats(j);
    float *taps = d + winograd_gradient_d_floats(j);
    const int64_t all_c = o->c_pad / OHMI_LANES, all_k = o->k_pad / OHMI_LANES;
    for (int64_t item = begin; item < end; item++) {
        // ranges, spans and parts are as even as can be
        const int64_t span = item % j->n_spans, range = item / j->n_spans % j->n_ranges;
        const int64_t part = item / j->n_spans / j->n_ranges;
        const int k0 = (int)(all_k * span / j->n_spans);
        const int n_k = (int)(all_k * (span + 1) / j->n_spans) - k0;
        const int c0 = (int)(all_c * range / j->n_ranges);
        const int n_c = (int)(all_c * (range + 1) / j->n_ranges) - c0;
        const int from = (int)((int64_t)j->n_places * part / j->n_parts);
        const int to = (int)((int64_t)j->n_places * (part + 1) / j->n_parts);
        const int64_t v_ld = (int64_t)n_c * OHMI_LANES, d_ld = (int64_t)n_k * OHMI_LANES;
        winograd_place places[WINOGRAD_PLACES], next[WINOGRAD_PLACES];
        int n_places = winograd_find_all(places, o, from, to);
        for (int place = from; place < to; place += WINOGRAD_PLACES) {
            for (int i = 0; i < n_places; i++) {
                const int64_t row = (int64_t)i * OHMI_ROWS;
                winograd_input(v + row * v_ld, winograd_step(v_ld), v_ld, j->x, o, o->c_pad,
                               places[i], c0 * OHMI_LANES, n_c);
                winograd_gradient_input(d + row * d_ld, winograd_step(d_ld), d_ld, j->dy, o,
                                        places[i], k0 * OHMI_LANES, n_k);
            }
            const int n_next = winograd_find_all(next, o, place + WINOGRAD_PLACES, to);
            winograd_gradient_sum(j, m, v, d, n_places * OHMI_ROWS, c0, n_c, k0, n_k, place == from,
                                  next, n_next);
            memcpy(places, next, sizeof places);
            n_places = n_next;
        }
        float *dw = j->n_parts > 1 ? j->parts + part * o->k * o->c * 9 : j->dw;
        winograd_gradient_unpack(j, dw, m, taps, c0, n_c, k0, n_k);
    }
}

// indices: output channels, whose gradients are the sums of the parts
static void winograd_gradient_add(void *context, int64_t begin, int64_t end, int thread) {
    const winograd_gradient *j = context;
    const int64_t row = (int64_t)j->o->c * 9, size = j->o->k * row;
    (void)thread;
    for (int64_t i = begin * row; i < end * row; i += OHMI_LANES) {
        const int n = end * row - i < OHMI_LANES ? (int)(end * row - i) : OHMI_LANES;
        ohmi_lanes sum = lanes_load_part(j->parts + i, n);
        for (int part = 1; part < j->n_parts; part++) {
            sum = lanes_add(sum, lanes_load_part(j->parts + part * size + i, n));
        }
        lanes_store_part(j->dw + i, sum, n);
    }
}

// dw (K, C, 3, 3) from x (H, W, n_pad, c_pad) and dy (H, W, n_pad, k_pad)
static void winograd_backward_weight(float *dw, const float *x, const float *dy, const ohmi_conv *o,
                                     void *work) {
    winograd_gradient j = winograd_gradient_plan(o);
    j.dw = dw, j.x = x, j.dy = dy;
    j.parts = work;
    j.work = (char *)work + winograd_gradient_parts_bytes(&j);
    j.thread_bytes = winograd_gradient_thread_bytes(&j);
    ohmi_parallel((int64_t)j.n_parts * j.n_ranges * j.n_spans, 1, winograd_gradient_part, &j);
    if (j.n_parts > 1) {
        ohmi_parallel(o->k, 8, winograd_gradient_add, &j);
    }
}

#endif
