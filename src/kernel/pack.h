// SPDX-License-Identifier: Apache-2.0
// Weights from PyTorch's order w[K][C][taps] into panels panel[tap][in][wide * lanes of out], which
// the product tiles read front to back, and sums of such panels back. Panels are small enough to
// stay in the second cache, so that packing costs no trip to memory.
#ifndef OHMI_PACK_H
#define OHMI_PACK_H

#include <stdint.h>

#include "kernel/lanes.h"

// How the vectors of the channels produced are cut into blocks of at most OHMI_WIDE: as many of
// three as leave no block of one, because a tile of one vector is bound by its loads.
OHMI_INLINE int count_blocks(int n_vectors) {
    return (n_vectors + OHMI_WIDE - 1) / OHMI_WIDE;
}

// The first vector of a block and, in *wide, its number of vectors.
OHMI_INLINE int find_block(int n_vectors, int block, int *wide) {
    const int rest = n_vectors % OHMI_WIDE;
    const int n_three = rest == 1 && n_vectors > 1 ? n_vectors / 3 - 1 : n_vectors / 3;
    if (block < n_three) {
        *wide = OHMI_WIDE;
        return block * OHMI_WIDE;
    }
    *wide = n_vectors == 1 ? 1 : 2;
    return n_three * OHMI_WIDE + (block - n_three) * 2;
}

// panel[tap][c - c0][k - k0], k from k0 over wide vectors (zeros from n_k on), c in [c0, c1)
OHMI_INLINE void pack_forward(float *panel, const float *w, int n_k, int n_c, int n_taps, int k0,
                              int wide, int c0, int c1) {
    const int n_columns = (c1 - c0) * n_taps;
    const int64_t row_floats = (int64_t)n_c * n_taps;
    const int64_t step = (int64_t)wide * OHMI_LANES;
    for (int v = 0; v < wide; v++) {
        const int first = k0 + v * OHMI_LANES;
        const float *from = w + first * row_floats + (int64_t)c0 * n_taps;
        int c = 0, tap = 0;
        for (int column = 0; column < n_columns; column += OHMI_LANES) {
            // a square of (output channel) x (input channel, tap), turned
            const int n = n_columns - column < OHMI_LANES ? n_columns - column : OHMI_LANES;
            ohmi_lanes m[OHMI_LANES];
            if (n == OHMI_LANES && first + OHMI_LANES <= n_k) {
                OHMI_UNROLL
                for (int i = 0; i < OHMI_LANES; i++) {
                    m[i] = lanes_load(from + i * row_floats + column);
                }
            } else {
                OHMI_UNROLL
                for (int i = 0; i < OHMI_LANES; i++) {
                    m[i] = first + i < n_k ? lanes_load_part(from + i * row_floats + column, n)
                                           : lanes_zero();
                }
            }
            lanes_transpose(m);
            OHMI_UNROLL
            for (int i = 0; i < OHMI_LANES; i++) {
                if (i < n) {
                    lanes_store(panel + ((int64_t)tap * (c1 - c0) + c) * step + v * OHMI_LANES,
                                m[i]);
                    tap++;
                    c += tap == n_taps;
                    tap = tap == n_taps ? 0 : tap;
                }
            }
        }
    }
}

// row k of a block of vectors of c: to[tap * tap_step + c of the block] (zeros from n_c on)
OHMI_INLINE void pack_backward_row(float *to, int64_t tap_step, const float *w, int n_c, int n_taps,
                                   int vector, int wide, int k) {
    for (int v = 0; v < wide; v++) {
        const int first = (vector + v) * OHMI_LANES;
        const int rest = n_c - first < 0 ? 0 : n_c - first;
        const int n_rows = rest < OHMI_LANES ? rest : OHMI_LANES;
        const float *from = w + ((int64_t)k * n_c + first) * n_taps;
        if (n_taps == 1) {
            // already in order
            lanes_store(to + v * OHMI_LANES, lanes_load_part(from, n_rows));
            continue;
        }
        for (int t0 = 0; t0 < n_taps; t0 += OHMI_LANES) {
            // a square of (input channel) x (tap), turned
            const int n = n_taps - t0 < OHMI_LANES ? n_taps - t0 : OHMI_LANES;
            ohmi_lanes m[OHMI_LANES];
            OHMI_UNROLL
            for (int i = 0; i < OHMI_LANES; i++) {
                m[i] = i < n_rows ? lanes_load_part(from + i * n_taps + t0, n) : lanes_zero();
            }
            lanes_transpose(m);
            OHMI_UNROLL
            for (int i = 0; i < OHMI_LANES; i++) {
                if (i < n) {
                    lanes_store(to + (t0 + i) * tap_step + v * OHMI_LANES, m[i]);
                }
            }
        }
    }
}

// for each block of vectors of c in [block0, block1), one after the other: panel[tap][k - k0][c of
// the block], k in [k0, k1)
OHMI_INLINE void pack_backward(float *panel, const float *w, int n_c, int n_taps, int n_vectors,
                               int block0, int block1, int k0, int k1) {
    for (int k = k0; k < k1; k++) {
        float *block_panel = panel;
        for (int block = block0; block < block1; block++) {
            int wide = 0;
            const int vector = find_block(n_vectors, block, &wide);
            const int64_t step = (int64_t)wide * OHMI_LANES;
            pack_backward_row(block_panel + (k - k0) * step, (k1 - k0) * step, w, n_c, n_taps,
                              vector, wide, k);
            block_panel += (int64_t)n_taps * (k1 - k0) * step;
        }
    }
}

// dw[k][c][tap] from panel[tap][c - c0][k - k0] whose rows of a tap number room; the reverse of
// pack_forward
OHMI_INLINE void unpack_weight(float *dw, const float *panel, int n_k, int n_c, int n_taps, int k0,
                               int wide, int c0, int c1, int room) {
    const int n_columns = (c1 - c0) * n_taps;
    const int64_t row_floats = (int64_t)n_c * n_taps;
    const int64_t step = (int64_t)wide * OHMI_LANES;
    for (int v = 0; v < wide; v++) {
        const int first = k0 + v * OHMI_LANES;
        float *to = dw + first * row_floats + (int64_t)c0 * n_taps;
        int c = 0, tap = 0;
        for (int column = 0; column < n_columns; column += OHMI_LANES) {
            const int n = n_columns - column < OHMI_LANES ? n_columns - column : OHMI_LANES;
            ohmi_lanes m[OHMI_LANES];
            OHMI_UNROLL
            for (int i = 0; i < OHMI_LANES; i++) {
                m[i] = lanes_zero();
                if (i < n) {
                    m[i] = lanes_load(panel + ((int64_t)tap * room + c) * step + v * OHMI_LANES);
                    tap++;
                    c += tap == n_taps;
                    tap = tap == n_taps ? 0 : tap;
                }
            }
            lanes_transpose(m);
            if (n == OHMI_LANES && first + OHMI_LANES <= n_k) {
                OHMI_UNROLL
                for (int i = 0; i < OHMI_LANES; i++) {
                    lanes_store(to + i * row_floats + column, m[i]);
                }
            } else {
                OHMI_UNROLL
                for (int i = 0; i < OHMI_LANES; i++) {
                    if (first + i < n_k) {
                        lanes_store_part(to + i * row_floats + column, m[i], n);
                    }
                }
            }
        }
    }
}

#endif
