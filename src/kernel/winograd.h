// SPDX-License-Identifier: Apache-2.0
// Winograd's short convolutions F(2x2, 3x3): the geometry and the transforms that the three
// products share. S. Winograd 1980; A. Lavin and S. Gray, CVPR 2016, doi 10.1109/CVPR.2016.435.
//
// For a 3 x 3 filter g, stride 1, pad 1, the map is cut into tiles of 2 x 2 outputs, each seeing
// 4 x 4 inputs d (zero outside the map). With * elementwise and all channels in the lanes of
// vectors:
//
//   outputs    y = A^T [(G g G^T) * (B^T d B)] A       16 products instead of 36
//   gradient   dg = G^T [(A dy A^T) * (B^T d B)] G     its derivative by g, also 16
//
//         1  0 -1  0           1   0   0
//   B^T = 0  1  1  0     G =  1/2 1/2 1/2    A^T = 1  1  1  0
//         0 -1  1  0          1/2 -1/2 1/2         0  1 -1 -1
//         0  1  0 -1           0   0   1
//
// The products of one position (of the 16) are one matrix product: rows are (tile, batch row).
//
// Exactness. The forward pass of a quantised network multiplies integers |g| <= a and |d| <= b and
// promises the sum without rounding (kernel.h). It holds here because every number is a multiple of
// 1/4 and, counted in units that divide it, stays below 2^24:
//   1. G g G^T: a sum of 9 weights in units of 1/4, at most 9 a; B^T d B: at most 4 b. A sum of
//      products over m channels: at most 36 m a b units of 1/4. (Positions with fewer terms have
//      smaller sums in larger units.)
//   2. A^T sums positions 1 and 2 of a row before it adds position 0 or 3: the halves cancel,
//      (g0 + g1 + g2)/2 (d1 + d2) +- (g0 - g1 + g2)/2 (d2 - d1) = (g0 + g2) d2 + g1 d1 or
//      (g0 + g2) d1 + g1 d2, and then 3 m a (2 b) units of 1/2 in one direction and 9 m a b in two.
//   3. The results of chunks of m channels are integers again and are added as such.
// With m <= WINOGRAD_CHUNK = 160 this asks for a b <= 2912 (this project: 10 x 48), whatever the
// number of channels; the whole sum must stay below 2^24 as in every other kernel.
// The gradient has no fractions before its last step.
#ifndef OHMI_WINOGRAD_H
#define OHMI_WINOGRAD_H

#include "kernel/kernel.h"
#include "kernel/lanes.h"
#include "kernel/pack.h"

#define WINOGRAD_POINTS 16               // positions of a transformed tile
#define WINOGRAD_CHUNK 160               // channels summed before the transform back, at most
#define WINOGRAD_PLACES (32 / OHMI_ROWS) // places transformed at a time: 32 rows
#define WINOGRAD_PACK 16                 // channels whose weights are transformed at a time

// rows of one tile of a map: OHMI_ROWS batch rows of a 2 x 2 block of pixels
typedef struct {
    int y, x; // of the block's first pixel
    int row;  // first batch row
} winograd_place;

// floats from one position to the next of a transformed batch whose rows have ld floats: never a
// multiple of a page, which would crowd the 16 positions into few sets of the first cache
OHMI_INLINE int64_t winograd_step(int64_t ld) {
    return WINOGRAD_PLACES * OHMI_ROWS * ld + 16;
}

// whether the algorithm computes a convolution
OHMI_INLINE int winograd_is(const ohmi_conv *o) {
    return o->r == 3 && o->s == 3 && o->stride == 1 && o->pad == 1;
}

// groups of OHMI_ROWS batch rows
OHMI_INLINE int winograd_groups(const ohmi_conv *o) {
    return (o->n + OHMI_ROWS - 1) / OHMI_ROWS;
}

// place number `index` of a map w pixels wide: batch rows fastest, then tiles along a row
OHMI_INLINE winograd_place winograd_find(const ohmi_conv *o, int index) {
    const int groups = winograd_groups(o), across = (o->w + 1) / 2;
    const int tile = index / groups;
    return (winograd_place){
        .y = tile / across * 2, .x = tile % across * 2, .row = index % groups * OHMI_ROWS};
}

// the next places of [from, to), as many as are transformed at a time; returns their number
OHMI_INLINE int winograd_find_all(winograd_place places[WINOGRAD_PLACES], const ohmi_conv *o,
                                  int from, int to) {
    int n = 0;
    for (; n < WINOGRAD_PLACES && from + n < to; n++) {
        places[n] = winograd_find(o, from + n);
    }
    return n;
}

// t = B^T d
OHMI_INLINE void winograd_b(ohmi_lanes t[4], const ohmi_lanes d[4]) {
    t[0] = lanes_sub(d[0], d[2]);
    t[1] = lanes_add(d[1], d[2]);
    t[2] = lanes_sub(d[2], d[1]);
    t[3] = lanes_sub(d[1], d[3]);
}

// y = A^T t; positions 1 and 2 first, see Exactness 2
OHMI_INLINE void winograd_a(ohmi_lanes y[2], const ohmi_lanes t[4]) {
    y[0] = lanes_add(t[0], lanes_add(t[1], t[2]));
    y[1] = lanes_sub(lanes_sub(t[1], t[2]), t[3]);
}

// t = G g
OHMI_INLINE void winograd_g(ohmi_lanes t[4], const ohmi_lanes g[3]) {
    const ohmi_lanes half = lanes_all(0.5F);
    const ohmi_lanes sum = lanes_mul(half, lanes_add(g[0], g[2]));
    const ohmi_lanes middle = lanes_mul(half, g[1]);
    t[0] = g[0];
    t[1] = lanes_add(sum, middle);
    t[2] = lanes_sub(sum, middle);
    t[3] = g[2];
}

// V[16][OHMI_ROWS][v_ld] = B^T d B for n_vectors of channels from channel first on, of a place of
// map (H, W, n_pad, ld); from one position to the next are v_step floats
static void winograd_input(float *v, int64_t v_step, int64_t v_ld, const float *map,
                           const ohmi_conv *o, int64_t ld, winograd_place at, int first,
                           int n_vectors) {
    // where the 4 x 4 inputs are; those outside the map are not read
    ohmi_lanes_mask is_row[4];
    int is_column[4];
    const float *rows[4];
    int64_t columns[4];
    OHMI_UNROLL
    for (int i = 0; i < 4; i++) {
        const int y = at.y - 1 + i, x = at.x - 1 + i;
        const int inside_y = y >= 0 && y < o->h, inside_x = x >= 0 && x < o->w;
        is_row[i] = lanes_mask(inside_y);
        is_column[i] = inside_x;
        rows[i] = map + ((int64_t)(inside_y ? y : at.y) * o->w * o->n_pad + at.row) * ld + first;
        columns[i] = (int64_t)(inside_x ? x : at.x) * o->n_pad * ld;
    }
    for (int r = 0; r < OHMI_ROWS; r++) {
        for (int j = 0; j < n_vectors; j++) {
            const int64_t from = r * ld + j * OHMI_LANES;
            // columns first: t = B^T d
            ohmi_lanes t[4][4];
            OHMI_UNROLL
            for (int x = 0; x < 4; x++) {
                ohmi_lanes d[4], b[4];
                OHMI_UNROLL
                for (int y = 0; y < 4; y++) {
                    d[y] = is_column[x] ? lanes_load_if(is_row[y], rows[y] + columns[x] + from)
                                        : lanes_zero();
                }
                winograd_b(b, d);
                OHMI_UNROLL
                for (int y = 0; y < 4; y++) {
                    t[y][x] = b[y];
                }
            }
            float *to = v + r * v_ld + j * OHMI_LANES;
            OHMI_UNROLL
            for (int y = 0; y < 4; y++) {
                ohmi_lanes b[4];
                winograd_b(b, t[y]);
                OHMI_UNROLL
                for (int x = 0; x < 4; x++) {
                    lanes_store(to + (y * 4 + x) * v_step, b[x]);
                }
            }
        }
    }
}

// U[16][n][step] = G g G^T from taps [9][n][step], u_step floats from a position of U to the next;
// is_turned reads the taps from the last to the first
static void winograd_weights(float *u, int64_t u_step, const float *taps, int n, int64_t step,
                             int is_turned) {
    const int64_t tap_step = (is_turned ? -1 : 1) * n * step;
    const float *first = taps + (is_turned ? 8 * n * step : 0);
    for (int64_t at = 0; at < n * step; at += OHMI_LANES) {
        ohmi_lanes t[4][3];
        OHMI_UNROLL
        for (int s = 0; s < 3; s++) {
            ohmi_lanes g[3], b[4];
            OHMI_UNROLL
            for (int r = 0; r < 3; r++) {
                g[r] = lanes_load(first + (r * 3 + s) * tap_step + at);
            }
            winograd_g(b, g);
            OHMI_UNROLL
            for (int y = 0; y < 4; y++) {
                t[y][s] = b[y];
            }
        }
        OHMI_UNROLL
        for (int y = 0; y < 4; y++) {
            ohmi_lanes b[4];
            winograd_g(b, t[y]);
            OHMI_UNROLL
            for (int x = 0; x < 4; x++) {
                lanes_store(u + (y * 4 + x) * u_step + at, b[x]);
            }
        }
    }
}

#endif
