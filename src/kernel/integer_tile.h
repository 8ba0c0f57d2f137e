// SPDX-License-Identifier: Apache-2.0
// The integer products of integer.h on vectors: the part that is the same for all instruction sets.
// A file that includes this one has lanes.h (a tile
// is OHMI_ROWS rows of the batch x up to OHMI_WIDE vectors of OHMI_LANES outputs) and has defined
//
//   integer_lanes                               a vector of int32
//   integer_zero, integer_load, integer_store   (int32)
//   integer_four(x)                             four inputs, in every lane
//   integer_dot(sum, x, w)                      sum += x[0] w[0] + .. + x[3] w[3] in every lane
//   integer_finish(y, at, k, sum, finish)       stores a vector as integer.h says; finish->a is set
//
// Packed weights: for each block of up to WIDE vectors of outputs, panel[tap][c / 4][k][4], which a
// tile reads front to back; then int32 tap_sum[tap][k_pad] = sum_c w, from which the offset of
// signed inputs is taken back: sum (x - zero) w = sum x w - zero sum_(taps inside) tap_sum.
// A tile stays in registers over all taps and channels. Order of work: integers, so none matters.
#ifndef OHMI_INTEGER_TILE_H
#define OHMI_INTEGER_TILE_H

#include <string.h>

#include "base/thread.h"
#include "kernel/integer.h"

// bytes of the panels of an item, a part of the second cache; and tiles that it is packed full for
#define INTEGER_PANEL_BYTES (320 * 1024)
#define INTEGER_TILES 64

typedef struct {
    const uint8_t *x;
    const int8_t *panel;
    int tap;
} integer_tap;

typedef struct {
    void *y;          // (P, Q, n_pad, k_pad) of the type that finish says
    const uint8_t *x; // (H, W, n_pad, c_pad)
    const int8_t *panels;
    const int32_t *tap_sum; // (taps, k_pad)
    int zero;
    const ohmi_conv *o;
    const ohmi_finish *finish;
    int n_vectors, n_blocks, span, group; // of k; blocks and pixels of an item
} integer_job;

OHMI_INLINE int integer_quads(const ohmi_conv *o) {
    return (o->c + 3) / 4;
}

// bytes of the panel of one vector of outputs
OHMI_INLINE size_t integer_vector_bytes(const ohmi_conv *o) {
    return (size_t)o->r * (size_t)o->s * (size_t)integer_quads(o) * OHMI_LANES * 4;
}

OHMI_INLINE size_t integer_panels_bytes(const ohmi_conv *o) {
    return (size_t)(o->k_pad / OHMI_LANES) * integer_vector_bytes(o);
}

static size_t integer_packed_bytes(const ohmi_conv *o) {
    return integer_panels_bytes(o) + (size_t)o->r * (size_t)o->s * (size_t)o->k_pad * 4;
}

typedef struct {
    int8_t *packed;
    const float *w; // (K, C, R, S)
    const ohmi_conv *o;
} integer_pack_job;

// four channels of one output, all taps: to panel[tap], steps of tap_bytes, and added to the sums
OHMI_INLINE void integer_pack_four(int8_t *to, int64_t tap_bytes, int32_t *tap_sum, int64_t sum_ld,
                                   const float *w, int n_c, int n_taps) {
    for (int tap = 0; tap < n_taps; tap++) {
        int8_t code[4] = {0};
        int32_t sum = 0;
        if (n_c >= 4) {
            for (int c = 0; c < 4; c++) {
                code[c] = (int8_t)w[c * n_taps + tap];
                sum += code[c];
            }
        } else {
            for (int c = 0; c < n_c; c++) {
                code[c] = (int8_t)w[c * n_taps + tap];
                sum += code[c];
            }
        }
        memcpy(to + tap * tap_bytes, code, sizeof code);
        tap_sum[tap * sum_ld] += sum;
    }
}

// indices: blocks of vectors of outputs
static void integer_pack_part(void *context, int64_t begin, int64_t end, int thread) {
    const integer_pack_job *j = context;
    const ohmi_conv *o = j->o;
    const int n_taps = o->r * o->s, n_quads = integer_quads(o);
    int32_t *tap_sum = (int32_t *)(void *)(j->packed + integer_panels_bytes(o));
    (void)thread;
    for (int64_t block = begin; block < end; block++) {
        int wide = 0;
        const int first = find_block(o->k_pad / OHMI_LANES, (int)block, &wide);
        const int width = wide * OHMI_LANES, k0 = first * OHMI_LANES;
        const int n_k = o->k - k0 < width ? o->k - k0 : width;
        int8_t *panel = j->packed + (size_t)first * integer_vector_bytes(o);
        memset(panel, 0, (size_t)wide * integer_vector_bytes(o));
        for (int tap = 0; tap < n_taps; tap++) {
            memset(tap_sum + tap * o->k_pad + k0, 0, (size_t)width * sizeof *tap_sum);
        }
        for (int quad = 0; quad < n_quads; quad++) {
            for (int lane = 0; lane < n_k; lane++) {
                const float *w = j->w + ((int64_t)(k0 + lane) * o->c + 4 * quad) * n_taps;
                integer_pack_four(panel + ((int64_t)quad * width + lane) * 4,
                                  (int64_t)n_quads * width * 4, tap_sum + k0 + lane, o->k_pad, w,
                                  o->c - 4 * quad, n_taps);
            }
        }
    }
}

static void integer_pack(void *packed, const float *w, const ohmi_conv *o) {
    integer_pack_job j = {packed, w, o};
    ohmi_parallel(count_blocks(o->k_pad / OHMI_LANES), 1, integer_pack_part, &j);
}

// one tile: OHMI_ROWS batch rows x wide vectors of outputs from k on; at: its place in y
OHMI_INLINE void integer_tile(const integer_job *j, const integer_tap *taps, int n_taps, int64_t at,
                              int k, const int wide) {
    const ohmi_conv *o = j->o;
    const int64_t ld = o->c_pad;
    const int n_quads = integer_quads(o);
    integer_lanes sum[OHMI_ROWS][OHMI_WIDE];
    OHMI_UNROLL
    for (int r = 0; r < OHMI_ROWS; r++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            sum[r][v] = integer_zero();
        }
    }
    for (int t = 0; t < n_taps; t++) {
        // three row pointers reach all rows by the processor's own addressing
        const uint8_t *x0 = taps[t].x, *x3 = x0 + 3 * ld, *x6 = x0 + 6 * ld;
        const int8_t *panel = taps[t].panel;
        for (int i = 0; i < n_quads; i++) {
            integer_lanes w[OHMI_WIDE];
            OHMI_UNROLL
            for (int v = 0; v < wide; v++) {
                w[v] = integer_load(panel + (int64_t)v * OHMI_LANES * 4);
            }
            OHMI_UNROLL
            for (int r = 0; r < OHMI_ROWS; r++) {
                const uint8_t *x = r < 3 ? x0 : r < 6 ? x3 : x6;
                const integer_lanes four = integer_four(x + r % 3 * ld);
                OHMI_UNROLL
                for (int v = 0; v < wide; v++) {
                    sum[r][v] = integer_dot(sum[r][v], four, w[v]);
                }
            }
            panel += (int64_t)wide * OHMI_LANES * 4;
            x0 += 4;
            x3 += 4;
            x6 += 4;
        }
    }
    if (j->zero != 0) {
        // take back the offset of the inputs that were inside the map
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            int32_t offset[OHMI_LANES] = {0};
            for (int t = 0; t < n_taps; t++) {
                const int32_t *one = j->tap_sum + (int64_t)taps[t].tap * o->k_pad + k;
                for (int lane = 0; lane < OHMI_LANES; lane++) {
                    offset[lane] += j->zero * one[v * OHMI_LANES + lane];
                }
            }
            const integer_lanes less = integer_load(offset);
            OHMI_UNROLL
            for (int r = 0; r < OHMI_ROWS; r++) {
                sum[r][v] = integer_sub(sum[r][v], less);
            }
        }
    }
    const int is_raw = j->finish->a == NULL;
    OHMI_UNROLL
    for (int v = 0; v < wide; v++) {
        OHMI_UNROLL
        for (int r = 0; r < OHMI_ROWS; r++) {
            const int64_t place = at + r * (int64_t)o->k_pad + v * OHMI_LANES;
            if (is_raw) {
                integer_store((int32_t *)j->y + place, sum[r][v]);
            } else {
                integer_finish(j->y, place, k + v * OHMI_LANES, sum[r][v], j->finish);
            }
        }
    }
}

#define INTEGER_TILE(name, wide)                                                                   \
    static void name(const integer_job *j, const integer_tap *taps, int n_taps, int64_t at,        \
                     int k) {                                                                      \
        integer_tile(j, taps, n_taps, at, k, wide);                                                \
    }

typedef void integer_tile_fn(const integer_job *j, const integer_tap *taps, int n_taps, int64_t at,
                             int k);
INTEGER_TILE(integer_tile_1, 1)
INTEGER_TILE(integer_tile_2, 2)
INTEGER_TILE(integer_tile_3, 3)

static integer_tile_fn *const g_integer_tiles[OHMI_WIDE] = {
    integer_tile_1,
    integer_tile_2,
    integer_tile_3,
};

// the taps of an output pixel that fall inside the map; returns their number
static int integer_find_taps(integer_tap *taps, const integer_job *j, int pixel, int row,
                             const int8_t *panel, int width) {
    const ohmi_conv *o = j->o;
    const int p = pixel / o->q, q = pixel % o->q;
    const int64_t tap_bytes = (int64_t)integer_quads(o) * width * 4;
    int n = 0;
    for (int r = 0; r < o->r; r++) {
        const int h = p * o->stride + r - o->pad;
        for (int s = 0; s < o->s && h >= 0 && h < o->h; s++) {
            const int w = q * o->stride + s - o->pad;
            if (w >= 0 && w < o->w) {
                const int64_t from = ((int64_t)h * o->w + w) * o->n_pad + row;
                taps[n].x = j->x + from * o->c_pad;
                taps[n].panel = panel + (r * o->s + s) * tap_bytes;
                taps[n++].tap = r * o->s + s;
            }
        }
    }
    return n;
}

// indices: (group of pixels, span of blocks)
static void integer_part(void *context, int64_t begin, int64_t end, int thread) {
    const integer_job *j = context;
    const ohmi_conv *o = j->o;
    const int n_spans = (j->n_blocks + j->span - 1) / j->span, n_pixels = o->p * o->q;
    integer_tap taps[OHMI_INTEGER_MOST_TAPS];
    (void)thread;
    for (int64_t item = begin; item < end; item++) {
        const int block0 = (int)(item % n_spans) * j->span;
        const int block1 = j->n_blocks - block0 < j->span ? j->n_blocks : block0 + j->span;
        const int from = (int)(item / n_spans) * j->group;
        const int to = n_pixels - from < j->group ? n_pixels : from + j->group;
        for (int row = 0; row < o->n; row += OHMI_ROWS) {
            for (int block = block0; block < block1; block++) {
                int wide = 0;
                const int first = find_block(j->n_vectors, block, &wide);
                const int8_t *panel = j->panels + (size_t)first * integer_vector_bytes(o);
                for (int pixel = from; pixel < to; pixel++) {
                    const int n = integer_find_taps(taps, j, pixel, row, panel, wide * OHMI_LANES);
                    const int k = first * OHMI_LANES;
                    const int64_t at = ((int64_t)pixel * o->n_pad + row) * o->k_pad + k;
                    g_integer_tiles[wide - 1](j, taps, n, at, k);
                }
            }
        }
    }
}

static void integer_run(void *y, const uint8_t *x, int zero, const void *packed, const ohmi_conv *o,
                        const ohmi_finish *finish) {
    integer_job j = {.y = y, .x = x, .panels = packed, .zero = zero, .o = o, .finish = finish};
    j.tap_sum = (const int32_t *)(const void *)(j.panels + integer_panels_bytes(o));
    j.n_vectors = o->k_pad / OHMI_LANES;
    j.n_blocks = count_blocks(j.n_vectors);
    // as many blocks as the cache holds, and enough pixels to make good use of them
    const size_t block_bytes = OHMI_WIDE * integer_vector_bytes(o);
    j.span = (int)(INTEGER_PANEL_BYTES / block_bytes);
    j.span = j.span < 1 ? 1 : j.span > j.n_blocks ? j.n_blocks : j.span;
    const int n_pixels = o->p * o->q, tiles = (o->n + OHMI_ROWS - 1) / OHMI_ROWS;
    const int enough = (INTEGER_TILES + tiles - 1) / tiles, sixteenth = (n_pixels + 15) / 16;
    j.group = enough > sixteenth ? enough : sixteenth;
    const int64_t n_groups = (n_pixels + j.group - 1) / j.group;
    if (n_groups < 2 * (int64_t)ohmi_threads()) {
        // few pixels: share the outputs among the threads
        j.span = 1;
    }
    ohmi_parallel(n_groups * ((j.n_blocks + j.span - 1) / j.span), 1, integer_part, &j);
}

#endif
