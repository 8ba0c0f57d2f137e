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

#define WINOGRAD_SPAN 6                   // vectors of outputs of an item, at most
#define WINOGRAD_U_BYTES (512 * 1024)     // of the transformed weights of an item
#define WINOGRAD_BATCH 32                 // rows of V and M
#define WINOGRAD_ENOUGH (256 / OHMI_ROWS) // places of an item that pay for transforming weights

typedef struct {
    float *out;          // (H, W, n_pad, out_ld)
    const float *in, *w; // (H, W, n_pad, in_ld), (K, C, 3, 3)
    const ohmi_conv *o;
    int is_backward;
    int n_in, in_ld, n_out, out_ld;
    int chunk;           // of n_in, a multiple of 16
    int batch;           // rows of V and M, a multiple of OHMI_ROWS
    int n_spans, span;   // spans of the vectors of the outputs; vectors of a span at most
    int group, n_places; // places of an item, of the map
    char *work;
    size_t thread_bytes;
} winograd_job;

// floats from one position to the next of V or M: never a multiple of a page, which would crowd
// the 16 positions into few sets of the first cache
OHMI_INLINE int64_t winograd_step(int64_t rows, int64_t ld) {
    return rows * ld + 16;
}

// cuts the work: fills chunk, batch, spans and groups
OHMI_INLINE void winograd_cut(winograd_job *j) {
    const ohmi_conv *o = j->o;
    const int n_vectors = j->out_ld / OHMI_LANES;
    const int most_span = WINOGRAD_SPAN;
    j->n_spans = (n_vectors + most_span - 1) / most_span;
    j->span = (n_vectors + j->n_spans - 1) / j->n_spans;
    int most = WINOGRAD_U_BYTES / (WINOGRAD_POINTS * 64 * j->span);
    most = most < WINOGRAD_CHUNK ? most / 16 * 16 : WINOGRAD_CHUNK;
    const int n_chunks = (j->n_in + most - 1) / most;
    j->chunk = ((j->n_in + n_chunks - 1) / n_chunks + 15) / 16 * 16;
    j->n_places = (o->h + 1) / 2 * ((o->w + 1) / 2) * winograd_groups(o);
    j->batch = WINOGRAD_BATCH;
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
    return WINOGRAD_POINTS * winograd_step(j->batch, j->chunk);
}
OHMI_INLINE int64_t winograd_m_floats(const winograd_job *j) {
    return WINOGRAD_POINTS * winograd_step(j->batch, OHMI_WIDE * OHMI_LANES);
}
OHMI_INLINE int64_t winograd_taps_floats(void) {
    return 9 * WINOGRAD_PACK * OHMI_WIDE * OHMI_LANES;
}

OHMI_INLINE size_t winograd_maps_thread_bytes(const ohmi_conv *o, int is_backward) {
    const winograd_job j = winograd_plan(o, is_backward);
    const int64_t floats = winograd_u_floats(&j) + winograd_v_floats(&j) + winograd_m_floats(&j) +
                           winograd_taps_floats();
    return (size_t)floats * sizeof(float);
}

// one tile: m[OHMI_ROWS][wide vectors] = v[OHMI_ROWS][n_in] u[n_in][wide vectors]
OHMI_INLINE void winograd_tile(float *m, const float *v, int64_t v_ld, const float *u, int n_in,
                               const int wide) {
    ohmi_lanes sum[OHMI_ROWS][OHMI_WIDE];
    OHMI_UNROLL
    for (int r = 0; r < OHMI_ROWS; r++) {
        OHMI_UNROLL
        for (int j = 0; j < wide; j++) {
            sum[r][j] = lanes_zero();
        }
    }
    for (int i = 0; i < n_in; i++) {
        ohmi_lanes b[OHMI_WIDE];
        OHMI_UNROLL
        for (int j = 0; j < wide; j++) {
            b[j] = lanes_load(u + j * OHMI_LANES);
        }
        OHMI_UNROLL
        for (int r = 0; r < OHMI_ROWS; r++) {
            const ohmi_lanes a = lanes_all(v[r * v_ld]);
            OHMI_UNROLL
            for (int j = 0; j < wide; j++) {
                sum[r][j] = lanes_fma(a, b[j], sum[r][j]);
            }
        }
        v++;
        u += wide * OHMI_LANES;
    }
    OHMI_UNROLL
    for (int r = 0; r < OHMI_ROWS; r++) {
        OHMI_UNROLL
        for (int j = 0; j < wide; j++) {
            lanes_store(m + (r * wide + j) * OHMI_LANES, sum[r][j]);
        }
    }
}

#define WINOGRAD_TILE(name, wide)                                                                  \
    static void name(float *m, const float *v, int64_t v_ld, const float *u, int n_in) {           \
        winograd_tile(m, v, v_ld, u, n_in, wide);                                                  \
    }

typedef void winograd_tile_fn(float *m, const float *v, int64_t v_ld, const float *u, int n_in);
WINOGRAD_TILE(winograd_tile_1, 1)
WINOGRAD_TILE(winograd_tile_2, 2)
WINOGRAD_TILE(winograd_tile_3, 3)

static winograd_tile_fn *const g_winograd_tiles[OHMI_WIDE] = {winograd_tile_1, winograd_tile_2,
                                                              winograd_tile_3};

// y (+)= A^T M A for a place: m points at its first row of position 0
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

// the rows of places [from, to) through all blocks of a span
static void winograd_batch(const winograd_job *j, const float *u, float *v, float *m, int from,
                           int to, int first, int n_vectors, int i0, int i1) {
    const int64_t v_step = winograd_step(j->batch, j->chunk);
    const int n_in_vectors = (i1 - i0 + OHMI_LANES - 1) / OHMI_LANES;
    for (int place = from; place < to; place++) {
        winograd_input(v + (int64_t)(place - from) * OHMI_ROWS * j->chunk, v_step, j->chunk, j->in,
                       j->o, j->in_ld, winograd_find(j->o, place), i0, n_in_vectors);
    }
    for (int block = 0; block < count_blocks(n_vectors); block++) {
        int wide = 0;
        const int vector = first + find_block(n_vectors, block, &wide);
        const int64_t step = (int64_t)wide * OHMI_LANES;
        const int64_t m_step = winograd_step(j->batch, step);
        for (int t = 0; t < WINOGRAD_POINTS; t++) {
            for (int place = 0; place < to - from; place++) {
                g_winograd_tiles[wide - 1](m + t * m_step + place * OHMI_ROWS * step,
                                           v + t * v_step + (int64_t)place * OHMI_ROWS * j->chunk,
                                           j->chunk, u, i1 - i0);
            }
            u += (i1 - i0) * step;
        }
        for (int place = from; place < to; place++) {
            winograd_output(j, m + (place - from) * OHMI_ROWS * step, m_step, wide,
                            winograd_find(j->o, place), vector * OHMI_LANES, i0 == 0);
        }
    }
}

// indices: (group of places, span of vectors)
static void winograd_part(void *context, int64_t begin, int64_t end, int thread) {
    const winograd_job *j = context;
    const ohmi_conv *o = j->o;
    float *u = (float *)(void *)(j->work + (size_t)thread * j->thread_bytes);
    float *v = u + winograd_u_floats(j);
    float *m = v + winograd_v_floats(j);
    float *taps = m + winograd_m_floats(j);
    const int places = j->batch / OHMI_ROWS;
    for (int64_t item = begin; item < end; item++) {
        // spans are as even as can be
        const int span = (int)(item % j->n_spans), all = j->out_ld / OHMI_LANES;
        const int first = (int)((int64_t)all * span / j->n_spans);
        const int n_vectors = (int)((int64_t)all * (span + 1) / j->n_spans) - first;
        const int from = (int)(item / j->n_spans) * j->group;
        const int to = j->n_places - from < j->group ? j->n_places : from + j->group;
        for (int i0 = 0; i0 < j->n_in; i0 += j->chunk) {
            const int i1 = j->n_in - i0 < j->chunk ? j->n_in : i0 + j->chunk;
            winograd_pack(u, taps, j, first, n_vectors, i0, i1);
            for (int place = from; place < to; place += places) {
                const int last = to - place < places ? to : place + places;
                winograd_batch(j, u, v, m, place, last, first, n_vectors, i0, i1);
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
