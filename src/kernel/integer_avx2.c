// SPDX-License-Identifier: Apache-2.0
// Integer products by AVX2: vpmaddubsw adds two products of unsigned and signed bytes in 16 bits,
// where they saturate, so that only codes with 2 max |x| max |w| <= 32767 are exact; vpmaddwd adds
// pairs of those to 32 bits.
#include "kernel/integer.h"

#if defined(__AVX2__)

#include <immintrin.h>
#include <string.h>

#include "kernel/lanes.h"
#include "kernel/pack.h"

typedef __m256i integer_lanes;

OHMI_INLINE integer_lanes integer_zero(void) {
    return _mm256_setzero_si256();
}
OHMI_INLINE integer_lanes integer_load(const void *from) {
    return _mm256_loadu_si256((const __m256i *)from);
}
OHMI_INLINE void integer_store(int32_t *to, integer_lanes v) {
    _mm256_storeu_si256((__m256i *)(void *)to, v);
}
OHMI_INLINE integer_lanes integer_sub(integer_lanes a, integer_lanes b) {
    return _mm256_sub_epi32(a, b);
}
OHMI_INLINE integer_lanes integer_four(const uint8_t *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
}
OHMI_INLINE integer_lanes integer_dot(integer_lanes sum, integer_lanes x, integer_lanes w) {
    const __m256i pairs = _mm256_maddubs_epi16(x, w);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// 8 numbers 0 .. 255 as bytes, in the low half
OHMI_INLINE __m128i integer_bytes(__m256i v) {
    const __m128i halves =
        _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    return _mm_packus_epi16(halves, halves);
}

// a vector of sums as integer.h says
OHMI_INLINE void integer_finish(void *y, int64_t at, int k, integer_lanes sum,
                                const ohmi_finish *f) {
    const __m256 product = _mm256_mul_ps(_mm256_loadu_ps(f->a + k), _mm256_cvtepi32_ps(sum));
    __m256 v = _mm256_add_ps(product, _mm256_loadu_ps(f->b + k));
    if (f->residual || f->residual_code) {
        const __m256 other = f->residual
                                 ? _mm256_loadu_ps(f->residual + at)
                                 : _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(
                                       (const __m128i *)(const void *)(f->residual_code + at))));
        v = _mm256_add_ps(v, _mm256_mul_ps(other, _mm256_set1_ps(f->residual_step)));
    }
    if (f->has_relu) {
        v = _mm256_max_ps(v, _mm256_setzero_ps());
    }
    if (!(f->inverse_step > 0)) {
        _mm256_storeu_ps((float *)y + at, v);
        return;
    }
    v = _mm256_mul_ps(v, _mm256_set1_ps(f->inverse_step));
    __m128i code;
    if (f->n_levels > 0) {
        // count the thresholds that are passed, then look the level up
        uint8_t level[16] = {0};
        __m256i count = _mm256_setzero_si256();
        for (int i = 0; i + 1 < f->n_levels; i++) {
            const __m256 is_passed = _mm256_cmp_ps(v, _mm256_set1_ps(f->threshold[i]), _CMP_GE_OQ);
            count = _mm256_sub_epi32(count, _mm256_castps_si256(is_passed));
        }
        memcpy(level, f->level, (size_t)f->n_levels);
        code = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)level),
                                integer_bytes(count));
    } else {
        // the bounds are whole numbers, so that they may come before the rounding
        v = _mm256_min_ps(_mm256_max_ps(v, _mm256_setzero_ps()), _mm256_set1_ps(f->top));
        code = integer_bytes(_mm256_cvtps_epi32(v));
    }
    _mm_storel_epi64((__m128i *)(void *)((uint8_t *)y + at), code);
}

#include "kernel/integer_tile.h"

static bool is_supported(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const ohmi_integer_kernels ohmi_integer_avx2 = {
    "avx2-maddubs",       "AVX2: tiles of 4 x 24, 4 products a lane; codes of a few bits",
    is_supported,         32767 / 2,
    integer_packed_bytes, integer_pack,
    integer_run,
};

#endif
