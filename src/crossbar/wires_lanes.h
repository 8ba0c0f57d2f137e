// SPDX-License-Identifier: Apache-2.0
// Eight doubles as one value, for the kernels of wires_invert.h: one AVX-512 register, two of AVX2,
// or a plain array, as the including file is compiled.
#ifndef OHMI_WIRES_LANES_H
#define OHMI_WIRES_LANES_H

#include "base/simd.h"

// rows and vectors of the tile of results that stays in registers
#if defined(__AVX512F__)

#include <immintrin.h>

#define OHMI_TILE_ROWS 8
#define OHMI_TILE_WIDE 3
typedef __m512d lanes;

OHMI_INLINE lanes lanes_zero(void) {
    return _mm512_setzero_pd();
}
OHMI_INLINE lanes lanes_load(const double *from) {
    return _mm512_load_pd(from);
}
OHMI_INLINE void lanes_store(double *to, lanes v) {
    _mm512_store_pd(to, v);
}
OHMI_INLINE lanes lanes_all(double value) {
    return _mm512_set1_pd(value);
}
OHMI_INLINE lanes lanes_fma(lanes a, lanes b, lanes c) {
    return _mm512_fmadd_pd(a, b, c);
}
OHMI_INLINE lanes lanes_add(lanes a, lanes b) {
    return _mm512_add_pd(a, b);
}
OHMI_INLINE lanes lanes_mul(lanes a, lanes b) {
    return _mm512_mul_pd(a, b);
}
// lane k of v replaced by value
OHMI_INLINE lanes lanes_put(lanes v, int k, double value) {
    return _mm512_mask_mov_pd(v, (__mmask8)(1U << k), _mm512_set1_pd(value));
}
// m[8] as the rows of a matrix becomes its columns
OHMI_INLINE void lanes_transpose(lanes m[8]) {
    lanes a[8], b[8];
    OHMI_UNROLL
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm512_unpacklo_pd(m[i], m[i + 1]);
        a[i + 1] = _mm512_unpackhi_pd(m[i], m[i + 1]);
    }
    OHMI_UNROLL
    for (int i = 0; i < 2; i++) {
        b[i] = _mm512_shuffle_f64x2(a[i], a[i + 2], 0x88);
        b[i + 2] = _mm512_shuffle_f64x2(a[i], a[i + 2], 0xDD);
        b[i + 4] = _mm512_shuffle_f64x2(a[i + 4], a[i + 6], 0x88);
        b[i + 6] = _mm512_shuffle_f64x2(a[i + 4], a[i + 6], 0xDD);
    }
    OHMI_UNROLL
    for (int i = 0; i < 2; i++) {
        m[i] = _mm512_shuffle_f64x2(b[i], b[i + 4], 0x88);
        m[i + 4] = _mm512_shuffle_f64x2(b[i], b[i + 4], 0xDD);
        m[i + 2] = _mm512_shuffle_f64x2(b[i + 2], b[i + 6], 0x88);
        m[i + 6] = _mm512_shuffle_f64x2(b[i + 2], b[i + 6], 0xDD);
    }
}

#elif defined(__AVX2__)

#include <immintrin.h>

#define OHMI_TILE_ROWS 4
#define OHMI_TILE_WIDE 1
typedef struct {
    __m256d low, high;
} lanes;

OHMI_INLINE lanes lanes_zero(void) {
    return (lanes){_mm256_setzero_pd(), _mm256_setzero_pd()};
}
OHMI_INLINE lanes lanes_load(const double *from) {
    return (lanes){_mm256_load_pd(from), _mm256_load_pd(from + 4)};
}
OHMI_INLINE void lanes_store(double *to, lanes v) {
    _mm256_store_pd(to, v.low);
    _mm256_store_pd(to + 4, v.high);
}
OHMI_INLINE lanes lanes_all(double value) {
    return (lanes){_mm256_set1_pd(value), _mm256_set1_pd(value)};
}
OHMI_INLINE lanes lanes_fma(lanes a, lanes b, lanes c) {
    return (lanes){_mm256_fmadd_pd(a.low, b.low, c.low), _mm256_fmadd_pd(a.high, b.high, c.high)};
}
OHMI_INLINE lanes lanes_add(lanes a, lanes b) {
    return (lanes){_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)};
}
OHMI_INLINE lanes lanes_mul(lanes a, lanes b) {
    return (lanes){_mm256_mul_pd(a.low, b.low), _mm256_mul_pd(a.high, b.high)};
}
OHMI_INLINE lanes lanes_put(lanes v, int k, double value) {
    _Alignas(32) double all[8];
    lanes_store(all, v);
    all[k] = value;
    return lanes_load(all);
}
OHMI_INLINE void lanes_transpose4(__m256d m[4]) {
    const __m256d a0 = _mm256_unpacklo_pd(m[0], m[1]), a1 = _mm256_unpackhi_pd(m[0], m[1]);
    const __m256d a2 = _mm256_unpacklo_pd(m[2], m[3]), a3 = _mm256_unpackhi_pd(m[2], m[3]);
    m[0] = _mm256_permute2f128_pd(a0, a2, 0x20);
    m[1] = _mm256_permute2f128_pd(a1, a3, 0x20);
    m[2] = _mm256_permute2f128_pd(a0, a2, 0x31);
    m[3] = _mm256_permute2f128_pd(a1, a3, 0x31);
}
OHMI_INLINE void lanes_transpose(lanes m[8]) {
    // quarters: [0] above left, [1] above right, [2] below left, [3] below right
    __m256d quarter[4][4];
    OHMI_UNROLL
    for (int i = 0; i < 4; i++) {
        quarter[0][i] = m[i].low;
        quarter[1][i] = m[i].high;
        quarter[2][i] = m[i + 4].low;
        quarter[3][i] = m[i + 4].high;
    }
    OHMI_UNROLL
    for (int q = 0; q < 4; q++) {
        lanes_transpose4(quarter[q]);
    }
    OHMI_UNROLL
    for (int i = 0; i < 4; i++) {
        m[i] = (lanes){quarter[0][i], quarter[2][i]};
        m[i + 4] = (lanes){quarter[1][i], quarter[3][i]};
    }
}

#else

#include <math.h>

#define OHMI_TILE_ROWS 4
#define OHMI_TILE_WIDE 1
typedef struct {
    double of[8];
} lanes;

OHMI_INLINE lanes lanes_load(const double *from) {
    lanes v;
    for (int i = 0; i < 8; i++) {
        v.of[i] = from[i];
    }
    return v;
}
OHMI_INLINE void lanes_store(double *to, lanes v) {
    for (int i = 0; i < 8; i++) {
        to[i] = v.of[i];
    }
}
OHMI_INLINE lanes lanes_all(double value) {
    lanes v;
    for (int i = 0; i < 8; i++) {
        v.of[i] = value;
    }
    return v;
}
OHMI_INLINE lanes lanes_zero(void) {
    return lanes_all(0);
}
OHMI_INLINE lanes lanes_fma(lanes a, lanes b, lanes c) {
    for (int i = 0; i < 8; i++) {
        c.of[i] = fma(a.of[i], b.of[i], c.of[i]);
    }
    return c;
}
OHMI_INLINE lanes lanes_add(lanes a, lanes b) {
    for (int i = 0; i < 8; i++) {
        a.of[i] += b.of[i];
    }
    return a;
}
OHMI_INLINE lanes lanes_mul(lanes a, lanes b) {
    for (int i = 0; i < 8; i++) {
        a.of[i] *= b.of[i];
    }
    return a;
}
OHMI_INLINE lanes lanes_put(lanes v, int k, double value) {
    v.of[k] = value;
    return v;
}
OHMI_INLINE void lanes_transpose(lanes m[8]) {
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < i; j++) {
            const double kept = m[i].of[j];
            m[i].of[j] = m[j].of[i];
            m[j].of[i] = kept;
        }
    }
}

#endif
#endif
