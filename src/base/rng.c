// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 and what is drawn from it; see rng.h.
#include "base/rng.h"

#include <math.h>

void ohmi_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]) {
    // multipliers and Weyl increments of the paper, table 2
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        const uint32_t n0 = (uint32_t)(b >> 32) ^ c1 ^ k0, n2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void ohmi_rng_bits(uint32_t out[4], const ohmi_rng *rng, uint32_t index) {
    const uint32_t counter[4] = {index, rng->place, rng->task, rng->purpose};
    const uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)};
    ohmi_philox(out, counter, key);
}

// the middle of one of 2^23 equal parts of (0, 1), which a float holds exactly
static float open_uniform(uint32_t bits) {
    return ((float)(bits >> 9) + 0.5f) * 0x1p-23f;
}

float ohmi_rng_uniform(const ohmi_rng *rng, uint32_t index) {
    uint32_t bits[4];
    ohmi_rng_bits(bits, rng, index);
    return open_uniform(bits[0]);
}

float ohmi_rng_normal(const ohmi_rng *rng, uint32_t index) {
    uint32_t bits[4];
    ohmi_rng_bits(bits, rng, index);
    const double radius = sqrt(-2.0 * log((double)open_uniform(bits[0])));
    return (float)(radius * cos(6.283185307179586 * (double)open_uniform(bits[1])));
}

void ohmi_rng_permutation(int32_t *order, int32_t n, const ohmi_rng *rng) {
    for (int32_t i = 0; i < n; i++) {
        order[i] = i;
    }
    for (int32_t i = n - 1; i > 0; i--) {
        uint32_t bits[4];
        ohmi_rng_bits(bits, rng, (uint32_t)i);
        const uint64_t wide = (uint64_t)bits[0] << 32 | bits[1];
        const int32_t j = (int32_t)(wide % (uint64_t)(i + 1));
        const int32_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
