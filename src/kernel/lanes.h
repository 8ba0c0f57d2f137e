// SPDX-License-Identifier: Apache-2.0
// Vectors of floats for the kernels: the widest that the including file is compiled for.
//
// A product tile is OHMI_ROWS rows of up to OHMI_WIDE vectors: with 32 registers of 16 floats
// 8 x 3 accumulators, with 16 registers of 8 floats 4 x 3. The rest hold one row of weights and a
// broadcast value.
#ifndef OHMI_LANES_H
#define OHMI_LANES_H

#include <immintrin.h>

#include "base/simd.h"

#define OHMI_WIDE 3

// orders stores past the caches before what follows
OHMI_INLINE void lanes_fence(void) {
    _mm_sfence();
}

#if defined(__AVX512F__)

#define OHMI_LANES 16
#define OHMI_ROWS 8
typedef __m512 ohmi_lanes;

OHMI_INLINE ohmi_lanes lanes_zero(void) {
    return _mm512_setzero_ps();
}
OHMI_INLINE ohmi_lanes lanes_load(const float *from) {
    return _mm512_loadu_ps(from);
}
OHMI_INLINE void lanes_store(float *to, ohmi_lanes v) {
    _mm512_storeu_ps(to, v);
}
// past the caches, to a whole vector's boundary
OHMI_INLINE void lanes_store_past(float *to, ohmi_lanes v) {
    _mm512_stream_ps(to, v);
}
OHMI_INLINE ohmi_lanes lanes_all(float value) {
    return _mm512_set1_ps(value);
}
OHMI_INLINE ohmi_lanes lanes_fma(ohmi_lanes a, ohmi_lanes b, ohmi_lanes c) {
    return _mm512_fmadd_ps(a, b, c);
}
OHMI_INLINE ohmi_lanes lanes_add(ohmi_lanes a, ohmi_lanes b) {
    return _mm512_add_ps(a, b);
}
OHMI_INLINE ohmi_lanes lanes_sub(ohmi_lanes a, ohmi_lanes b) {
    return _mm512_sub_ps(a, b);
}
OHMI_INLINE ohmi_lanes lanes_mul(ohmi_lanes a, ohmi_lanes b) {
    return _mm512_mul_ps(a, b);
}
// the first n floats, 0 <= n <= 16; the others are zero and not read
OHMI_INLINE ohmi_lanes lanes_load_part(const float *from, int n) {
    return _mm512_maskz_loadu_ps((__mmask16)((1U << n) - 1U), from);
}
OHMI_INLINE void lanes_store_part(float *to, ohmi_lanes v, int n) {
    _mm512_mask_storeu_ps(to, (__mmask16)((1U << n) - 1U), v);
}

// all of a vector or nothing: 0 reads nothing and gives zeros
typedef __mmask16 ohmi_lanes_mask;
OHMI_INLINE ohmi_lanes_mask lanes_mask(int is_wanted) {
    return is_wanted ? (__mmask16)0xFFFFU : (__mmask16)0;
}
OHMI_INLINE ohmi_lanes lanes_load_if(ohmi_lanes_mask mask, const float *from) {
    return _mm512_maskz_loadu_ps(mask, from);
}

// m[16] as the rows of a matrix becomes its columns
OHMI_INLINE void lanes_transpose(ohmi_lanes m[OHMI_LANES]) {
    ohmi_lanes a[16];
    // pairs of rows, then fours, inside each 128-bit part
    OHMI_UNROLL
    for (int i = 0; i < 16; i += 4) {
        const __m512d low0 = _mm512_castps_pd(_mm512_unpacklo_ps(m[i], m[i + 1]));
        const __m512d high0 = _mm512_castps_pd(_mm512_unpackhi_ps(m[i], m[i + 1]));
        const __m512d low1 = _mm512_castps_pd(_mm512_unpacklo_ps(m[i + 2], m[i + 3]));
        const __m512d high1 = _mm512_castps_pd(_mm512_unpackhi_ps(m[i + 2], m[i + 3]));
        a[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(low0, low1));
        a[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low0, low1));
        a[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high0, high1));
        a[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high0, high1));
    }
    // the 128-bit parts: a[4 g + j] part b is column 4 b + j of rows 4 g .. 4 g + 3
    OHMI_UNROLL
    for (int j = 0; j < 4; j++) {
        const ohmi_lanes low0 = _mm512_shuffle_f32x4(a[j], a[4 + j], 0x44);
        const ohmi_lanes high0 = _mm512_shuffle_f32x4(a[j], a[4 + j], 0xEE);
        const ohmi_lanes low1 = _mm512_shuffle_f32x4(a[8 + j], a[12 + j], 0x44);
        const ohmi_lanes high1 = _mm512_shuffle_f32x4(a[8 + j], a[12 + j], 0xEE);
        m[j] = _mm512_shuffle_f32x4(low0, low1, 0x88);
        m[4 + j] = _mm512_shuffle_f32x4(low0, low1, 0xDD);
        m[8 + j] = _mm512_shuffle_f32x4(high0, high1, 0x88);
        m[12 + j] = _mm512_shuffle_f32x4(high0, high1, 0xDD);
    }
}

#else

#define OHMI_LANES 8
#define OHMI_ROWS 4
typedef __m256 ohmi_lanes;

OHMI_INLINE ohmi_lanes lanes_zero(void) {
    return _mm256_setzero_ps();
}
OHMI_INLINE ohmi_lanes lanes_load(const float *from) {
    return _mm256_loadu_ps(from);
}
OHMI_INLINE void lanes_store(float *to, ohmi_lanes v) {
    _mm256_storeu_ps(to, v);
}
// past the caches, to a whole vector's boundary
OHMI_INLINE void lanes_store_past(float *to, ohmi_lanes v) {
    _mm256_stream_ps(to, v);
}
OHMI_INLINE ohmi_lanes lanes_all(float value) {
    return _mm256_set1_ps(value);
}
OHMI_INLINE ohmi_lanes lanes_fma(ohmi_lanes a, ohmi_lanes b, ohmi_lanes c) {
    return _mm256_fmadd_ps(a, b, c);
}
OHMI_INLINE ohmi_lanes lanes_add(ohmi_lanes a, ohmi_lanes b) {
    return _mm256_add_ps(a, b);
}
OHMI_INLINE ohmi_lanes lanes_sub(ohmi_lanes a, ohmi_lanes b) {
    return _mm256_sub_ps(a, b);
}
OHMI_INLINE ohmi_lanes lanes_mul(ohmi_lanes a, ohmi_lanes b) {
    return _mm256_mul_ps(a, b);
}
OHMI_INLINE __m256i lanes_first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
// the first n floats, 0 <= n <= 8; the others are zero and not read
OHMI_INLINE ohmi_lanes lanes_load_part(const float *from, int n) {
    return _mm256_maskload_ps(from, lanes_first(n));
}
OHMI_INLINE void lanes_store_part(float *to, ohmi_lanes v, int n) {
    _mm256_maskstore_ps(to, lanes_first(n), v);
}

// all of a vector or nothing: 0 reads nothing and gives zeros
typedef __m256i ohmi_lanes_mask;
OHMI_INLINE ohmi_lanes_mask lanes_mask(int is_wanted) {
    return _mm256_set1_epi32(is_wanted ? -1 : 0);
}
OHMI_INLINE ohmi_lanes lanes_load_if(ohmi_lanes_mask mask, const float *from) {
    return _mm256_maskload_ps(from, mask);
}

// m[8] as the rows of a matrix becomes its columns
OHMI_INLINE void lanes_transpose(ohmi_lanes m[OHMI_LANES]) {
    ohmi_lanes a[8];
    // pairs of rows, then fours, inside each 128-bit part
    OHMI_UNROLL
    for (int i = 0; i < 8; i += 4) {
        const __m256d low0 = _mm256_castps_pd(_mm256_unpacklo_ps(m[i], m[i + 1]));
        const __m256d high0 = _mm256_castps_pd(_mm256_unpackhi_ps(m[i], m[i + 1]));
        const __m256d low1 = _mm256_castps_pd(_mm256_unpacklo_ps(m[i + 2], m[i + 3]));
        const __m256d high1 = _mm256_castps_pd(_mm256_unpackhi_ps(m[i + 2], m[i + 3]));
        a[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(low0, low1));
        a[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low0, low1));
        a[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(high0, high1));
        a[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(high0, high1));
    }
    // the two 128-bit parts
    OHMI_UNROLL
    for (int j = 0; j < 4; j++) {
        m[j] = _mm256_permute2f128_ps(a[j], a[4 + j], 0x20);
        m[4 + j] = _mm256_permute2f128_ps(a[j], a[4 + j], 0x31);
    }
}

#endif
#endif
