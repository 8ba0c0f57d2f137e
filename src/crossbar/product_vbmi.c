// SPDX-License-Identifier: Apache-2.0
// Crossbar products for processors with AVX-512 VBMI, whose permutation of bytes converts 64 sums
// below 256 by any table with two instructions.
#include "crossbar/product.h"

#if defined(__AVX512VBMI__)

#include <immintrin.h>

static void finish8(void *out, const uint8_t (*sums)[2][OHMI_PANEL], const ohmi_row_tile *p,
                    int pair, bool is_first);
#define PRODUCT_FINISH8 finish8
#include "crossbar/product_lanes.h"

// h (2 x 32 of 16 bits) = sum over planes of 2^plane code, modulo 2^16
static inline void add_planes(__m512i h[2], const uint8_t (*sums)[2][OHMI_PANEL], int d,
                              const ohmi_row_tile *p, const __m512i table[4]) {
    h[0] = h[1] = _mm512_setzero_si512();
    for (int bit = p->planes - 1; bit >= 0; bit--) {
        __m512i code = _mm512_load_si512(sums[bit][d]);
        if (p->code8) {
            // the top bit of a sum chooses the half of the table
            const __mmask64 upper = _mm512_movepi8_mask(code);
            const __m512i low = _mm512_permutex2var_epi8(table[0], code, table[1]);
            const __m512i high = _mm512_permutex2var_epi8(table[2], code, table[3]);
            code = _mm512_mask_blend_epi8(upper, low, high);
        }
        const __m512i c0 = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(code));
        const __m512i c1 = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(code, 1));
        if (p->is_signed && bit == p->planes - 1) {
            h[0] = _mm512_sub_epi16(_mm512_setzero_si512(), c0);
            h[1] = _mm512_sub_epi16(_mm512_setzero_si512(), c1);
        } else {
            h[0] = _mm512_add_epi16(_mm512_add_epi16(h[0], h[0]), c0);
            h[1] = _mm512_add_epi16(_mm512_add_epi16(h[1], h[1]), c1);
        }
    }
}

// 16 of the 64 numbers of 16 bits as 32 bits, by whether they have a sign
static inline __m512i widen(const __m512i h[2], int quarter, bool is_signed) {
    const __m512i half = h[quarter / 2];
    const __m256i part =
        quarter % 2 ? _mm512_extracti64x4_epi64(half, 1) : _mm512_castsi512_si256(half);
    return is_signed ? _mm512_cvtepi16_epi32(part) : _mm512_cvtepu16_epi32(part);
}

// T of two bit-lines from sums (planes, 2, 64) below 256
static void finish8(void *out, const uint8_t (*sums)[2][OHMI_PANEL], const ohmi_row_tile *p,
                    int pair, bool is_first) {
    __m512i table[4] = {0}, h[2][2];
    const int n = p->lines - 2 * pair < 2 ? 1 : 2;
    for (int d = 0; d < n; d++) {
        for (int i = 0; p->code8 && i < 4; i++) {
            table[i] = _mm512_loadu_si512(p->code8 + 256 * (2 * pair + d) + 64 * i);
        }
        add_planes(h[d], sums, d, p, table);
    }
    for (int quarter = 0; quarter < 4; quarter++) {
        int32_t *t = (int32_t *)out + 16 * quarter;
        __m512i sum = is_first ? _mm512_setzero_si512() : _mm512_loadu_si512(t);
        for (int d = 0; d < n; d++) {
            const __m512i worth = _mm512_set1_epi32(p->worth[2 * pair + d]);
            sum = _mm512_add_epi32(sum,
                                   _mm512_mullo_epi32(widen(h[d], quarter, p->is_signed), worth));
        }
        _mm512_storeu_si512(t, sum);
    }
}

static bool is_supported(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vbmi");
}

static void add_on(int32_t *y, const int32_t *t, const uint64_t *on, int64_t n, int32_t minus) {
    const __m512i constant = _mm512_set1_epi32(minus);
    for (int64_t i = 0; i < n; i += 16) {
        const __mmask16 mask = (__mmask16)(on[i / 64] >> (i % 64) & 0xFFFF);
        if (mask) {
            const __m512i values =
                _mm512_sub_epi32(_mm512_maskz_expandloadu_epi32(mask, t), constant);
            const __m512i sum = _mm512_add_epi32(_mm512_maskz_loadu_epi32(mask, y + i), values);
            _mm512_mask_storeu_epi32(y + i, mask, sum);
            t += __builtin_popcount((unsigned)mask);
        }
    }
}

const ohmi_products ohmi_products_vbmi = {
    "avx512-vbmi", "AVX-512 VBMI: rows of cells 64 at a time, tables as converters",
    is_supported,  product_workspace,
    product_run,   add_on,
};

#endif
