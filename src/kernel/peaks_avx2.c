// SPDX-License-Identifier: Apache-2.0
// The loops of peaks.h for AVX2: float32 fused multiply-add, and products of bytes in two steps.
#include "kernel/peaks.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "kernel/lanes.h"

// with 16 registers: two units times a latency of 4 or 5 cycles
enum { CHAINS = 12 };

static bool is_supported(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static int64_t run_fma(int64_t n, float *sink) {
    __m256 sum[CHAINS];
    const __m256 x = _mm256_set1_ps(1.0F - *sink * 1e-20F);
    OHMI_UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sum[i] = _mm256_set1_ps((float)i + *sink); // different, or one chain would do for all
    }
    for (int64_t round = 0; round < n; round++) {
        OHMI_UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sum[i] = _mm256_fmadd_ps(x, x, sum[i]);
        }
    }
    OHMI_UNROLL
    for (int i = 0; i < CHAINS; i++) {
        *sink += _mm256_cvtss_f32(sum[i]) * 1e-30F;
    }
    return n * CHAINS * 8;
}

static int64_t run_maddubs(int64_t n, float *sink) {
    __m256i sum[CHAINS];
    const __m256i one = _mm256_set1_epi16(1);
    __m256i x = _mm256_set1_epi8(*sink > 1e30F ? 2 : 1);
    OHMI_UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sum[i] = _mm256_set1_epi32(i + (int)*sink); // different, or one chain would do for all
    }
    for (int64_t round = 0; round < n; round++) {
        OHMI_UNROLL
        for (int i = 0; i < CHAINS; i++) {
            // the factor follows the sum, else the product would be taken out of the loop
            const __m256i pairs = _mm256_maddubs_epi16(x, sum[i]);
            sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(pairs, one));
        }
    }
    OHMI_UNROLL
    for (int i = 0; i < CHAINS; i++) {
        *sink += (float)_mm256_cvtsi256_si32(sum[i]) * 1e-30F;
    }
    return n * CHAINS * 32;
}

const ohmi_peak ohmi_peak_avx2 = {"avx2 fma", false, is_supported, run_fma};
const ohmi_peak ohmi_peak_maddubs = {"avx2 vpmaddubsw", true, is_supported, run_maddubs};

#endif
