// SPDX-License-Identifier: Apache-2.0
// Crossbar products for processors with AVX2.
#include "crossbar/product.h"

#if defined(__AVX2__)

static void finish8(void *out, const uint8_t (*sums)[2][OHMI_PANEL], const ohmi_row_tile *p,
                    int pair, bool is_first);
#define PRODUCT_FINISH8 finish8
#include "crossbar/product_lanes.h"

// T of two bit-lines from sums (planes, 2, 64) below 256
static void finish8(void *out, const uint8_t (*sums)[2][OHMI_PANEL], const ohmi_row_tile *p,
                    int pair, bool is_first) {
    int32_t *t = out;
    for (int d = 2 * pair; d < p->lines && d < 2 * pair + 2; d++) {
        int32_t h[OHMI_PANEL] = {0};
        for (int bit = p->planes - 1; bit >= 0; bit--) {
            const uint8_t *sum = sums[bit][d % 2];
            uint8_t code[OHMI_PANEL];
            for (int i = 0; i < OHMI_PANEL; i++) {
                code[i] = p->code8 ? p->code8[256 * d + sum[i]] : sum[i];
            }
            const int32_t sign = p->is_signed && bit == p->planes - 1 ? -1 : 1;
            for (int i = 0; i < OHMI_PANEL; i++) {
                h[i] = 2 * h[i] + sign * code[i];
            }
        }
        const bool sets = is_first && d == 2 * pair;
        for (int i = 0; i < OHMI_PANEL; i++) {
            t[i] = (sets ? 0 : t[i]) + p->worth[d] * h[i];
        }
    }
}

static bool is_supported(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static void add_on(int32_t *y, const int32_t *t, const uint64_t *on, int64_t n, int32_t minus) {
    for (int64_t word = 0; word < (n + 63) / 64; word++) {
        for (uint64_t rest = on[word]; rest; rest &= rest - 1) {
            y[64 * word + __builtin_ctzll(rest)] += *t++ - minus;
        }
    }
}

const ohmi_products ohmi_products_avx2 = {
    "avx2",       "AVX2: additions of rows of cells, 8 bits wide",
    is_supported, product_workspace,
    product_run,  add_on,
};

#endif
