// SPDX-License-Identifier: Apache-2.0
// The loops of peaks.h for AVX-512: float32 fused multiply-add, and VNNI's products of bytes.
#include "kernel/peaks.h"

#if defined(__AVX512VNNI__)

#include <immintrin.h>

#include "kernel/lanes.h"

// more chains than the latency of 4 or 5 cycles times two units asks for
enum { CHAINS = 12 };

static bool has_avx512(void) {
    return __builtin_cpu_supports("avx512f");
}

static bool has_vnni(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni");
}

static int64_t run_fma(int64_t n, float *sink) {
    __m512 sum[CHAINS];
    const __m512 x = _mm512_set1_ps(1.0F - *sink * 1e-20F);
    OHMI_UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sum[i] = _mm512_set1_ps((float)i + *sink); // different, or one chain would do for all
    }
    for (int64_t round = 0; round < n; round++) {
        OHMI_UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sum[i] = _mm512_fmadd_ps(x, x, sum[i]);
            __asm__ volatile("" : "+v"(sum[i])); // stays in its register
        }
    }
    OHMI_UNROLL
    for (int i = 0; i < CHAINS; i++) {
        *sink += _mm512_cvtss_f32(sum[i]) * 1e-30F;
    }
    return n * CHAINS * 16;
}

static int64_t run_vnni(int64_t n, float *sink) {
    __m512i sum[CHAINS];
    const __m512i x = _mm512_set1_epi8(*sink > 1e30F ? 2 : 1);
    OHMI_UNROLL
    for (int i = 0; i < CHAINS; i++) {
        sum[i] = _mm512_set1_epi32(i + (int)*sink); // different, or one chain would do for all
    }
    for (int64_t round = 0; round < n; round++) {
        OHMI_UNROLL
        for (int i = 0; i < CHAINS; i++) {
            sum[i] = _mm512_dpbusd_epi32(sum[i], x, x);
            __asm__ volatile("" : "+v"(sum[i])); // stays in its register
        }
    }
    OHMI_UNROLL
    for (int i = 0; i < CHAINS; i++) {
        *sink += (float)_mm_cvtsi128_si32(_mm512_castsi512_si128(sum[i])) * 1e-30F;
    }
    return n * CHAINS * 64;
}

const ohmi_peak ohmi_peak_avx512 = {"avx512 fma", false, has_avx512, run_fma};
const ohmi_peak ohmi_peak_vnni = {"avx512 vpdpbusd", true, has_vnni, run_vnni};

#endif
