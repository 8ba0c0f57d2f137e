// SPDX-License-Identifier: Apache-2.0
// Normal numbers for the noise of conversions: what they are, and one at a time. product_lanes.h
// draws many at once, with the same bits on every processor.
//
//     block    ARS-7 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, doi
//              10.1145/2063384.2063405): seven rounds of AES (FIPS 197) with keys that are counted
//              up, of counter (id of the bit-line, vector, read, place) with the chip's seed as
//              key; place = purpose, upper bits of the vector, plane / 4. The paper finds five
//              rounds to pass BigCrush, and keeps seven. Its four words are for planes
//              4 j .. 4 j + 3
//     f        the word with its lowest bit set, as a signed number: +-1, +-3 .. +-(2^31 - 1), all
//              equally often; rounded to a float
//     z        with the sign of f, |z| = sqrt(2) erfcinv(|f| / 2^31), the size that a normal number
//              exceeds with that probability: by 31 polynomials of degree 4 in the mantissa, one
//              for each power of two (tools/make_noise_pieces.py)
//
// The deviation that z is multiplied with is a variance's square root: with y, near 1 / sqrt(v) by
// the halves of a float's bits, and w = v y y, which is within 0.932 .. 1.07,
//
//     sqrt(v) = v y w^(-1/2)
//
// where w^(-1/2) is the parabola through its values at Chebyshev's nodes of that range.
//
// |z| is off by 4e-5 at most, and at most 6.5: a normal number is larger once in 10^10.
#ifndef OHMI_NOISE_DRAW_H
#define OHMI_NOISE_DRAW_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/rng.h"

enum { OHMI_NOISE_ROUNDS = 7 };

typedef struct {
    float noise_sum;    // variance a unit of a column's sum
    float noise_active; // variance a word line that is on
    uint64_t seed;      // of the chip
    uint32_t read;      // which reading of the chip: another one draws other noise
} ohmi_chip_noise;

// The last word of a counter.
static inline uint32_t ohmi_noise_place(uint64_t vector, int four) {
    return (uint32_t)OHMI_RNG_READ_NOISE << 24 | ((uint32_t)(vector >> 32) & 0xFFFFu) << 8 |
           (uint32_t)four;
}

// The key before the first round, and of each round.
void ohmi_noise_keys(uint32_t key[OHMI_NOISE_ROUNDS + 1][4], uint64_t seed);
// One block of four words.
void ohmi_noise_bits(uint32_t out[4], const uint32_t counter[4],
                     const uint32_t key[OHMI_NOISE_ROUNDS + 1][4]);
// The normal number of a word.
float ohmi_noise_normal(uint32_t bits);
// z[j]: normal number of a bit-line and plane 4 * four + j of one vector.
void ohmi_noise_normals(float z[4], uint32_t id, uint64_t vector, int four,
                        const ohmi_chip_noise *noise);

// The square root of a variance, 0 of one below 0; relative error below 3e-5.
#define OHMI_ROOT_MAGIC 0x5F3759DF
#define OHMI_ROOT_0 1.87635219f
#define OHMI_ROOT_1 (-1.25160682f)
#define OHMI_ROOT_2 0.375255406f
static inline float ohmi_noise_deviation(float variance) {
    const float v = variance > 0 ? variance : 0;
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    bits = OHMI_ROOT_MAGIC - (bits >> 1);
    float y;
    memcpy(&y, &bits, sizeof y);
    const float root = v * y, w = root * y;
    const float series = __builtin_fmaf(OHMI_ROOT_2, w, OHMI_ROOT_1);
    return root * __builtin_fmaf(series, w, OHMI_ROOT_0);
}

// The polynomials' coefficients, by power of m, then by piece.
extern const float ohmi_noise_piece[5][32];

#endif
