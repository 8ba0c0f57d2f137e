// SPDX-License-Identifier: Apache-2.0
// Integer products by AVX-512 VNNI: vpdpbusd adds four products of unsigned and signed bytes to
// each of 16 sums, without saturating; twice a cycle that is 4 times the products of float32 FMA.
#include "kernel/integer.h"

#if defined(__AVX512VNNI__)

#include <immintrin.h>
#include <string.h>

#include "kernel/lanes.h"
#include "kernel/pack.h"

typedef __m512i integer_lanes;

OHMI_INLINE integer_lanes integer_zero(void) {
    return _mm512_setzero_si512();
}
OHMI_INLINE integer_lanes integer_load(const void *from) {
    return _mm512_loadu_si512(from);
}
OHMI_INLINE void integer_store(int32_t *to, integer_lanes v) {
    _mm512_storeu_si512(to, v);
}
OHMI_INLINE integer_lanes integer_sub(integer_lanes a, integer_lanes b) {
    return _mm512_sub_epi32(a, b);
}
OHMI_INLINE integer_lanes integer_four(const uint8_t *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm512_set1_epi32(four);
}
OHMI_INLINE integer_lanes integer_dot(integer_lanes sum, integer_lanes x, integer_lanes w) {
    return _mm512_dpbusd_epi32(sum, x, w);
}

// a vector of sums as integer.h says
OHMI_INLINE void integer_finish(void *y, int64_t at, int k, integer_lanes sum,
                                const ohmi_finish *f) {
    const __m512 product = _mm512_mul_ps(_mm512_loadu_ps(f->a + k), _mm512_cvtepi32_ps(sum));
    __m512 v = _mm512_add_ps(product, _mm512_loadu_ps(f->b + k));
    if (f->residual || f->residual_code) {
        const __m512 other = f->residual
                                 ? _mm512_loadu_ps(f->residual + at)
                                 : _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(
                                       (const __m128i *)(const void *)(f->residual_code + at))));
        v = _mm512_add_ps(v, _mm512_mul_ps(other, _mm512_set1_ps(f->residual_step)));
    }
    if (f->has_relu) {
        v = _mm512_max_ps(v, _mm512_setzero_ps());
    }
    if (!(f->inverse_step > 0)) {
        _mm512_storeu_ps((float *)y + at, v);
        return;
    }
    v = _mm512_mul_ps(v, _mm512_set1_ps(f->inverse_step));
    __m128i code;
    if (f->n_levels > 0) {
        // count the thresholds that are passed, then look the level up
        __m512i count = _mm512_setzero_si512();
        for (int i = 0; i + 1 < f->n_levels; i++) {
            const __mmask16 is_passed =
                _mm512_cmp_ps_mask(v, _mm512_set1_ps(f->threshold[i]), _CMP_GE_OQ);
            count = _mm512_mask_add_epi32(count, is_passed, count, _mm512_set1_epi32(1));
        }
        const __mmask16 known = (__mmask16)((1U << f->n_levels) - 1U);
        code = _mm_shuffle_epi8(_mm_maskz_loadu_epi8(known, f->level), _mm512_cvtepi32_epi8(count));
    } else {
        // the bounds are whole numbers, so that they may come before the rounding
        v = _mm512_min_ps(_mm512_max_ps(v, _mm512_setzero_ps()), _mm512_set1_ps(f->top));
        code = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v));
    }
    _mm_storeu_si128((__m128i *)(void *)((uint8_t *)y + at), code);
}

#include "kernel/integer_tile.h"

static bool is_supported(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}

const ohmi_integer_kernels ohmi_integer_vnni = {
    "avx512-vnni",        "AVX-512 VNNI: tiles of 8 x 48, 4 products a lane",
    is_supported,         255 * 127,
    integer_packed_bytes, integer_pack,
    integer_run,
};

#endif
