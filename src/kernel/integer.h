// SPDX-License-Identifier: Apache-2.0
// Integer products: convolutions and linear layers of unsigned 8-bit inputs and signed 8-bit
// weights, summed exactly in 32 bits, with what follows a sum done before it is stored.
//
//     sum[p][q][n][k] = sum over c, r, s of
//                       (x[p*stride+r-pad][q*stride+s-pad][n][c] - zero) w[k][c][r][s]
//
// Letters and maps as in kernel.h: uint8_t x[H][W][n_pad][c_pad], outputs [P][Q][n_pad][k_pad].
// `zero` is the code that stands for the number 0 (128 for signed inputs, else 0); places outside
// the map count as 0. A matrix product y (N, K) = x (N, C) w^T (C, K) is the shape H = W = R = S =
// 1 with output ohmi_finish {0}: the sums themselves.
//
// Promises kept for outputs: channels K .. k_pad-1 are zero (with a, b zero there). Rows N ..
// n_pad-1 hold nothing of use and are not read for others.
//
// Exactness: with any codes the sums are exact while they fit 32 bits, C R S * 255 * 127 < 2^31;
// rows that sum pairs in 16 bits ask for small codes, see most_product. What follows a sum is done
// in single precision in the order written below, each operation rounded by itself: all rows give
// the same bits.
#ifndef OHMI_INTEGER_H
#define OHMI_INTEGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/kernel.h"

// Filters of more taps are not for these products.
enum { OHMI_INTEGER_MOST_TAPS = 121 };

// What becomes of a sum. All zero: y is int32_t and gets the sums.
//
//     v = a[k] * (float)sum + b[k]  (+ residual * residual_step)
//     v = v < 0 ? 0 : v             has_relu
//     y = v                         inverse_step = 0: y is float
//     y = code of v * inverse_step  else y is uint8_t:
//         uniform (n_levels = 0)    round to nearest even, within 0 .. top
//         levels                    level[number of i with v * inverse_step >= threshold[i]]
typedef struct {
    const float *a, *b;           // (k_pad); NULL: the sums themselves are wanted
    const float *residual;        // (P, Q, n_pad, k_pad) or NULL
    const uint8_t *residual_code; // the same as codes; at most one of the two
    float residual_step;
    bool has_relu;
    float inverse_step;
    float top;              // <= 255
    int n_levels;           // 0 or 2 .. 16
    const float *threshold; // (n_levels - 1), rising
    const uint8_t *level;   // (n_levels), rising
} ohmi_finish;

typedef struct {
    const char *name;        // "avx512-vnni", "avx2-maddubs", "plain"
    const char *description; // one line
    bool (*is_supported)(void);
    int most_product; // exact while max |x code| max |w code| is at most this
    // Bytes of the packed weights of a shape.
    size_t (*packed_bytes)(const ohmi_conv *shape);
    // Packs w (K, C, R, S), whole numbers within +-127. Uses ohmi_parallel inside.
    void (*pack)(void *packed, const float *w, const ohmi_conv *shape);
    // y from x and packed weights. zero: see above.
    void (*run)(void *y, const uint8_t *x, int zero, const void *packed, const ohmi_conv *shape,
                const ohmi_finish *finish);
} ohmi_integer_kernels;

// All rows, best first, *count of them; rows not supported here are included.
const ohmi_integer_kernels *const *ohmi_integer_all(int *count);

// The row that goes with a row of the kernel table: the best supported one for the fast ones that
// are written here, NULL for the others ("reference" stays the plain loops over floats).
const ohmi_integer_kernels *ohmi_integer_for(const ohmi_kernels *kernels);

extern const ohmi_integer_kernels ohmi_integer_plain;
#if defined(__x86_64__)
extern const ohmi_integer_kernels ohmi_integer_vnni;
extern const ohmi_integer_kernels ohmi_integer_avx2;
#endif

#endif
