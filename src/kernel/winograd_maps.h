// SPDX-License-Identifier: Apache-2.0
// Forward and backward-data products of 3 x 3 convolutions by the algorithm of winograd.h.
//
// Both are one product: forward sums over input channels, backward-data over output channels with
// the filter turned by 180 degrees. An item is a span of output channels and a group of tiles. Its
// loops, from outside:
//
//   chunks of input channels   weights of the chunk and span transformed:  U[block][16][i][o]
//     batches of rows          inputs transformed:                         V[16][row][i]
//       blocks of outputs      products M[16][row][o] = V U in tiles of OHMI_ROWS x 3 vectors,
//                              then y (+)= A^T M A
//
// U, V and M stay in the second cache: nothing transformed goes to memory.
//
// Order of a sum: chunks, and in a chunk channels, then positions: the same for every number of
// threads.
#ifndef OHMI_WINOGRAD_MAPS_H
#define OHMI_WINOGRAD_MAPS_H

#include <string.h>

#include "base/thread.h"
#include "kernel/winograd.h"
#include "kernel/winograd_tile.h"

#define WINOGRAD_SPAN (96 / OHMI_LANES)   // vectors of outputs of an item, at most
#define WINOGRAD_U_BYTES (512 * 1024)     // of the transformed weights of an item
#define WINOGRAD_WEIGHT_ASKS 4            // asks for weights of a tile, at most
#define WINOGRAD_ENOUGH (256 / OHMI_ROWS) // places of an item that pay for transforming weights

typedef struct {
    float *out;          // (H, W, n_pad, out_ld)
    const float *in, *w; // (H, W, n_pad, in_ld), (K, C, 3, 3)
    const ohmi_conv *o;
    int is_backward;
    int n_in, in_ld, n_out, out_ld;
    int chunk;           // of n_in, a multiple of 16
    int n_spans, span;   // spans of the vectors of the outputs; vectors of a span at most
    int group, n_places; // places of an item, of the map
    char *work;
    size_t thread_bytes;
} winograd_job;

// cuts the work: fills chunk, spans and groups
OHMI_INLINE void winograd_cut(winograd_job *j) {
    const ohmi_conv *o = j->o;
    const int n_vectors = j->out_ld / OHMI_LANES;
    j->n_spans = (n_vectors + WINOGRAD_SPAN - 1) / WINOGRAD_SPAN;
    j->span = (n_vectors + j->n_spans - 1) / j->n_spans;
    int most = WINOGRAD_U_BYTES / (WINOGRAD_POINTS * j->span * (int)sizeof(ohmi_lanes));
    most = most < WINOGRAD_CHUNK ? most / 16 * 16 : WINOGRAD_CHUNK;
    const int n_chunks = (j->n_in + most - 1) / most;
    j->chunk = ((j->n_in + n_chunks - 1) / n_chunks + 15) / 16 * 16;
    j->n_places = (o->h + 1) / 2 * ((o->w + 1) / 2) * winograd_groups(o);
    const int sixteenth = (j->n_places + 15) / 16;
    j->group = WINOGRAD_ENOUGH > sixteenth ? WINOGRAD_ENOUGH : sixteenth;
}

OHMI_INLINE winograd_job winograd_plan(const ohmi_conv *o, int is_backward) {
    winograd_job j = {.o = o, .is_backward = is_backward};
    j.n_in = is_backward ? o->k : o->c, j.in_ld = is_backward ? o->k_pad : o->c_pad;
    j.n_out = is_backward ? o->c : o->k, j.out_ld = is_backward ? o->c_pad : o->k_pad;
    winograd_cut(&j);
    return j;
}

OHMI_INLINE int64_t winograd_u_floats(const winograd_job *j) {
    return (int64_t)WINOGRAD_POINTS * j->chunk * j->span * OHMI_LANES;
}
OHMI_INLINE int64_t winograd_v_floats(const winograd_job *j) {
    return WINOGRAD_POINTS * winograd_step(j->chunk);
}
OHMI_INLINE int64_t winograd_m_floats(void) {
    return WINOGRAD_POINTS * winograd_step(OHMI_WIDE * OHMI_LANES);
}
OHMI_INLINE int64_t winograd_taps_floats(void) {
    return 9 * WINOGRAD_PACK * OHMI_WIDE * OHMI_LANES;
}

OHMI_INLINE size_t winograd_maps_thread_bytes(const ohmi_conv *o, int is_backward) {
    const winograd_job j = winograd_plan(o, is_backward);
    const int64_t floats = winograd_u_floats(&j) + winograd_v_floats(&j) + winograd_m_floats() +
                           winograd_taps_floats();
    return (size_t)floats * sizeof(float);
}

// y (+)= A^T M A for the OHMI_ROWS rows of a place: m points at its first row of position 0
static void winograd_output(const winograd_job *j, const float *m, int64_t m_step, int wide,
                            winograd_place at, int first, int is_first) {
    const ohmi_conv *o = j->o;
    const int64_t across = (int64_t)o->n_pad * j->out_ld;
    float *out = j->out + ((int64_t)at.y * o->w + at.x) * across + at.row * j->out_ld + first;
    const int is_low = at.y + 1 < o->h, is_right = at.x + 1 < o->w;
    for (int r = 0; r < OHMI_ROWS; r++) {
        for (int v = 0; v < wide; v++) {
            const float *from = m + (r * wide + v) * OHMI_LANES;
            ohmi_lanes t[2][4];
            OHMI_UNROLL
            for (int x = 0; x < 4; x++) {
                ohmi_lanes column[4], y[2];
                OHMI_UNROLL
                for (int i = 0; i < 4; i++) {
                    column[i] = lanes_load(from + (i * 4 + x) * m_step);
                }
                winograd_a(y, column);
                t[0][x] = y[0];
                t[1][x] = y[1];
            }
            float *to = out + r * j->out_ld + v * OHMI_LANES;
            OHMI_UNROLL
            for (int i = 0; i < 2; i++) {
                ohmi_lanes y[2];
                float *row = to + i * o->w * across;
                winograd_a(y, t[i]);
                if (i == 0 || is_low) {
                    lanes_store(row, is_first ? y[0] : lanes_add(lanes_load(row), y[0]));
                    if (is_right) {
                        row += across;
                        lanes_store(row, is_first ? y[1] : lanes_add(lanes_load(row), y[1]));
                    }
                }
            }
        }
    }
}

// U of inputs [i0, i1) for the blocks of a span that starts at vector `first` of the outputs
static void winograd_pack(float *u, float *taps, const winograd_job *j, int first, int n_vectors,
                          int i0, int i1) {
    const ohmi_conv *o = j->o;
    for (int block = 0; block < count_blocks(n_vectors); block++) {
        int wide = 0;
        const int vector = first + find_block(n_vectors, block, &wide);
        const int64_t step = (int64_t)wide * OHMI_LANES;
        const int64_t u_step = (i1 - i0) * step;
        for (int i = i0; i < i1; i += WINOGRAD_PACK) {
            const int end = i1 - i < WINOGRAD_PACK ? i1 : i + WINOGRAD_PACK;
            if (j->is_backward) {
                for (int k = i; k < end; k++) {
                    pack_backward_row(taps + (k - i) * step, (end - i) * step, j->w, o->c, 9,
                                      vector, wide, k);
                }
            } else {
                pack_forward(taps, j->w, o->k, o->c, 9, vector * OHMI_LANES, wide, i, end);
            }
            winograd_weights(u + (i - i0) * step, u_step, taps, end - i, step, j->is_backward);
        }
        u += WINOGRAD_POINTS * u_step;
    }
}

// What comes after the products being made: inputs of the next batch, weights of the next chunk.
typedef struct {
    winograd_place places[WINOGRAD_PLACES];
    int n_places, i0, i1;     // channels [i0, i1) of the inputs
    const char *row;          // of weights
    int64_t row_bytes, width; // from a row of weights to the next; wanted of one
    int64_t line;             // of the row, in bytes, to ask for next
    int64_t n_rows;           // to come
    int64_t n_asks;           // a tile
} winograd_ahead;

// weights of inputs [i0, i1) for the vectors of a span, asked for during tiles of n_places
OHMI_INLINE winograd_ahead winograd_look_ahead(const winograd_job *j, int first, int n_vectors,
                                               int i0, int i1, int n_places) {
    const int64_t filter = 9 * (int64_t)sizeof(float), row_bytes = j->o->c * filter;
    const int64_t from = (int64_t)first * OHMI_LANES, rest = j->n_out - from;
    const int64_t n_out = rest < n_vectors * OHMI_LANES ? rest : n_vectors * OHMI_LANES;
    winograd_ahead a = {.row = (const char *)j->w, .row_bytes = row_bytes};
    a.row += j->is_backward ? i0 * row_bytes + from * filter : from * row_bytes + i0 * filter;
    a.n_rows = j->is_backward ? i1 - i0 : n_out;
    a.width = j->is_backward ? n_out * filter : (i1 - i0) * filter;
    const int64_t n_tiles = (int64_t)WINOGRAD_POINTS * n_places * count_blocks(n_vectors);
    const int64_t n_asks = a.n_rows / WINOGRAD_ASK * ((a.width + 63) / 64);
    a.n_asks = (n_asks + n_tiles - 1) / n_tiles;
    a.n_asks = a.n_asks < WINOGRAD_WEIGHT_ASKS ? a.n_asks : WINOGRAD_WEIGHT_ASKS;
    return a;
}

// the next asks for weights; returns their number
OHMI_INLINE int winograd_ask_weights(winograd_ask asks[WINOGRAD_ASKS], winograd_ahead *a) {
    int n = 0;
    while (n < a->n_asks && a->n_rows > 0) {
        asks[n++] = (winograd_ask){a->row + a->line, a->row_bytes};
        a->line += 64;
        if (a->line >= a->width) {
            a->line = 0;
            a->row += WINOGRAD_ASK * a->row_bytes;
            a->n_rows -= WINOGRAD_ASK;
        }
    }
    return n;
}

// the products of n_places with a block of wide vectors, part `block` of n_blocks
static void winograd_block(const winograd_job *j, const float *u, const float *v, float *m,
                           const winograd_place *places, int n_places, int vector, int wide,
                           int n_in, int block, int n_blocks, winograd_ahead *ahead) {
    const ohmi_conv *o = j->o;
    const int64_t step = (int64_t)wide * OHMI_LANES;
    const int64_t v_step = winograd_step(j->chunk);
    const int64_t m_step = winograd_step(step);
    // each block asks for a part of the next inputs
    const int n_lines = (ahead->i1 - ahead->i0 + WINOGRAD_LINE - 1) / WINOGRAD_LINE;
    const int c0 = ahead->i0 + n_lines * block / n_blocks * WINOGRAD_LINE;
    const int c1 = ahead->i0 + n_lines * (block + 1) / n_blocks * WINOGRAD_LINE;
    for (int t = 0; t < WINOGRAD_POINTS; t++) {
        for (int place = 0; place < n_places; place++) {
            winograd_ask asks[WINOGRAD_ASKS];
            int n = winograd_ask_weights(asks, ahead);
            if (place < ahead->n_places) {
                const winograd_place at = ahead->places[place];
                n = winograd_ask_pixel(asks, n, j->in, o, j->in_ld, at.y - 1 + t / 4,
                                       at.x - 1 + t % 4, at.row, c0, c1);
            }
            if (t >= WINOGRAD_POINTS - 4) {
                const winograd_place at = places[place];
                const int c = vector * OHMI_LANES;
                n = winograd_ask_pixel(asks, n, j->out, o, j->out_ld, at.y + t / 2 % 2,
                                       at.x + t % 2, at.row, c, c + (int)step);
            }
            g_winograd_products[wide - 1](m + t * m_step + place * OHMI_ROWS * step,
                                          v + t * v_step + (int64_t)place * OHMI_ROWS * j->chunk,
                                          j->chunk, u + t * n_in * step, n_in, asks, n);
        }
    }
}

// the rows of n_places through all blocks of a span
static void winograd_batch(const winograd_job *j, const float *u, float *v, float *m,
                           const winograd_place *places, int n_places, int first, int n_vectors,
                           int i0, int i1, winograd_ahead *ahead) {
    const int64_t v_step = winograd_step(j->chunk);
    const int n_in_vectors = (i1 - i0 + OHMI_LANES - 1) / OHMI_LANES;
    for (int place = 0; place < n_places; place++) {
        winograd_input(v + (int64_t)place * OHMI_ROWS * j->chunk, v_step, j->chunk, j->in, j->o,
                       j->in_ld, places[place], i0, n_in_vectors);
    }
    const int n_blocks = count_blocks(n_vectors);
    for (int block = 0; block < n_blocks; block++) {
        int wide = 0;
        const int vector = first + find_block(n_vectors, block, &wide);
        const int64_t step = (int64_t)wide * OHMI_LANES;
        winograd_block(j, u, v, m, places, n_places, vector, wide, i1 - i0, block, n_blocks, ahead);
        for (int place = 0; place < n_places; place++) {
            winograd_output(j, m + place * OHMI_ROWS * step, winograd_step(step), wide,
                            places[place], vector * OHMI_LANES, i0 == 0);
        }
        u += WINOGRAD_POINTS * (i1 - i0) * step;
    }
}

// indices: (group of places, span of vectors)
static void winograd_part(void *context, int64_t begin, int64_t end, int thread) {
    const winograd_job *j = context;
    const ohmi_conv *o = j->o;
    float *u = (float *)(void *)(j->work + (size_t)thread * j->thread_bytes);
    float *v = u + winograd_u_floats(j);
    float *m = v + winograd_v_floats(j);
    float *taps = m + winograd_m_floats();
    for (int64_t item = begin; item < end; item++) {
        // spans are as even as can be
        const int span = (int)(item % j->n_spans), all = j->out_ld / OHMI_LANES;
        const int first = (int)((int64_t)all * span / j->n_spans);
        const int n_vectors = (int)((int64_t)all * (span + 1) / j->n_spans) - first;
        const int from = (int)(item / j->n_spans) * j->group;
        const int to = j->n_places - from < j->group ? j->n_places : from + j->group;
        for (int i0 = 0; i0 < j->n_in; i0 += j->chunk) {
            const int i1 = j->n_in - i0 < j->chunk ? j->n_in : i0 + j->chunk;
            const int i2 = j->n_in - i1 < j->chunk ? j->n_in : i1 + j->chunk;
            winograd_pack(u, taps, j, first, n_vectors, i0, i1);
            winograd_ahead ahead = winograd_look_ahead(j, first, n_vectors, i1, i2, to - from);
            winograd_place places[WINOGRAD_PLACES];
            int n_places = winograd_find_all(places, o, from, to);
            for (int place = from; place < to; place += WINOGRAD_PLACES) {
                // then comes the next batch of this chunk, or the first of the next
                const int is_last = place + WINOGRAD_PLACES >= to;
                const int next = is_last ? from : place + WINOGRAD_PLACES;
                ahead.i0 = is_last ? i1 : i0;
                ahead.i1 = is_last ? i2 : i1;
                ahead.n_places = winograd_find_all(ahead.places, o, next, to);
                winograd_batch(j, u, v, m, places, n_places, first, n_vectors, i0, i1, &ahead);
                memcpy(places, ahead.places, sizeof places);
                n_places = ahead.n_places;
            }
        }
        // the padding rows that no tile wrote, by the item with a tile's first rows
        const int n_rows = winograd_groups(o) * OHMI_ROWS;
        for (int place = from; place < to && n_rows < o->n_pad; place++) {
            const winograd_place at = winograd_find(o, place);
            for (int i = 0; at.row == 0 && i < 4; i++) {
                const int y = at.y + i / 2, x = at.x + i % 2;
                for (int row = n_rows; y < o->h && x < o->w && row < o->n_pad; row++) {
                    memset(j->out + (((int64_t)y * o->w + x) * o->n_pad + row) * j->out_ld +
                               first * OHMI_LANES,
                           0, (size_t)n_vectors * OHMI_LANES * sizeof(float));
                }
            }
        }
    }
}

static void winograd_run(winograd_job *j, void *work) {
    j->work = work;
    j->thread_bytes = winograd_maps_thread_bytes(j->o, j->is_backward);
    const int64_t n_groups = (j->n_places + j->group - 1) / j->group;
    ohmi_parallel(n_groups * j->n_spans, 1, winograd_part, j);
}

// y (H, W, n_pad, k_pad) = conv of x (H, W, n_pad, c_pad) with w (K, C, 3, 3)
static void winograd_forward(float *y, const float *x, const float *w, const ohmi_conv *o,
                             void *work) {
    winograd_job j = winograd_plan(o, 0);
    j.out = y, j.in = x, j.w = w;
    winograd_run(&j, work);
}

// dx (H, W, n_pad, c_pad) from dy (H, W, n_pad, k_pad) and w (K, C, 3, 3)
static void winograd_backward_data(float *dx, const float *dy, const float *w, const ohmi_conv *o,
                                   void *work) {
    winograd_job j = winograd_plan(o, 1);
    j.out = dx, j.in = dy, j.w = w;
    winograd_run(&j, work);
}

#endif
