// SPDX-License-Identifier: Apache-2.0
// Normal numbers for the noise of conversions, many at a time. Plain arithmetic in one order
// without fused operations, so that every compilation of these loops gives the same bits.
//
//     block    Philox4x32-10 (base/rng.h) of counter (id of the bit-line, vector, read, place) with
//              the chip's seed as key; place = purpose, upper bits of the vector, plane / 4
//     normals  Box-Muller: sqrt(-2 ln u) cos(2 pi v), sqrt(-2 ln u) sin(2 pi v), two pairs a block,
//              for planes 4 j .. 4 j + 3
//     u, v     (bits / 512 + 1/2) / 2^23
//     ln       of m 2^e with m in [sqrt(1/2), sqrt(2)): e ln 2 + 2 atanh(s), s = (m - 1) / (m + 1)
//     sin, cos of the rest of v behind a quarter turn, by their power series
// Largest error of ln, sin and cos below 1e-6, against 2.4e-7 of a float's rounding.
#ifndef OHMI_NOISE_DRAW_H
#define OHMI_NOISE_DRAW_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/rng.h"

enum { OHMI_DRAWS = 64 };

typedef struct {
    float noise_sum;    // variance a unit of a column's sum
    float noise_active; // variance a word line that is on
    uint64_t seed;      // of the chip
    uint32_t read;      // which reading of the chip: another one draws other noise
} ohmi_chip_noise;

// one round of Philox4x32 on 64 counters
static inline void noise_round(uint32_t c[4][OHMI_DRAWS], uint32_t k0, uint32_t k1) {
    for (int i = 0; i < OHMI_DRAWS; i++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c[0][i];
        const uint64_t p1 = (uint64_t)0xCD9E8D57u * c[2][i];
        const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c[1][i] ^ k0;
        const uint32_t n2 = (uint32_t)(p0 >> 32) ^ c[3][i] ^ k1;
        c[0][i] = n0;
        c[1][i] = (uint32_t)p1;
        c[2][i] = n2;
        c[3][i] = (uint32_t)p0;
    }
}

static inline float noise_uniform(uint32_t bits) {
    return ((float)(int32_t)(bits >> 9) + 0.5f) * (1.0f / 8388608.0f);
}

// sqrt(-2 ln u), 0 < u < 1
static inline float noise_radius(float u) {
    // u = m 2^e; the exponent is taken where m passes sqrt(1/2)
    uint32_t bits;
    memcpy(&bits, &u, sizeof bits);
    const uint32_t shifted = bits - 0x3F3504F3u; // sqrt(1/2)
    const float e = (float)((int32_t)shifted >> 23);
    const uint32_t mantissa = (shifted & 0x007FFFFFu) + 0x3F3504F3u;
    float m;
    memcpy(&m, &mantissa, sizeof m);
    const float s = (m - 1.0f) / (m + 1.0f), z = s * s;
    const float series = 2.0f + z * (0.66666667f + z * (0.4f + z * 0.28571429f));
    const float log_u = e * 0.69314718f + s * series;
    return sqrtf(-2.0f * (log_u < 0.0f ? log_u : 0.0f));
}

// the cosine and sine of 2 pi v, v in (0, 1)
static inline void noise_turn(float *cosine, float *sine, float v) {
    // v = (quarter + rest) / 4 with rest in -1/2 .. 1/2
    const float turns = 4.0f * v;
    const int32_t quarter = (int32_t)(turns + 0.5f);
    const float a = (turns - (float)quarter) * 1.57079633f, z = a * a;
    const float s = a * (1.0f + z * (-0.16666667f + z * (0.0083333333f + z * -0.00019841270f)));
    const float c =
        1.0f + z * (-0.5f + z * (0.041666667f + z * (-0.0013888889f + z * 0.000024801587f)));
    const float x = (quarter & 1) ? -s : c, y = (quarter & 1) ? c : s;
    *cosine = (quarter & 2) ? -x : x;
    *sine = (quarter & 2) ? -y : y;
}

// z[j][i]: normal of bit-line id[i] and plane 4 * four + j of one vector
static inline void noise_normals(float z[4][OHMI_DRAWS], const uint32_t *id, uint64_t vector,
                                 int four, const ohmi_chip_noise *noise) {
    uint32_t c[4][OHMI_DRAWS];
    const uint32_t place = (uint32_t)OHMI_RNG_READ_NOISE << 24 |
                           ((uint32_t)(vector >> 32) & 0xFFFFu) << 8 | (uint32_t)four;
    for (int i = 0; i < OHMI_DRAWS; i++) {
        c[0][i] = id[i];
        c[1][i] = (uint32_t)vector;
        c[2][i] = noise->read;
        c[3][i] = place;
    }
    uint32_t k0 = (uint32_t)noise->seed, k1 = (uint32_t)(noise->seed >> 32);
    for (int round = 0; round < 10; round++) {
        noise_round(c, k0, k1);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int pair = 0; pair < 2; pair++) {
        for (int i = 0; i < OHMI_DRAWS; i++) {
            const float radius = noise_radius(noise_uniform(c[2 * pair][i]));
            float cosine, sine;
            noise_turn(&cosine, &sine, noise_uniform(c[2 * pair + 1][i]));
            z[2 * pair][i] = radius * cosine;
            z[2 * pair + 1][i] = radius * sine;
        }
    }
}

#endif
