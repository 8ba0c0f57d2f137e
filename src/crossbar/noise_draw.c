// SPDX-License-Identifier: Apache-2.0
// Noise of conversions, one number at a time; equations in noise_draw.h.
#include "crossbar/noise_draw.h"

#include <math.h>
#include <string.h>

// FIPS 197, figure 7: the inverse in GF(2^8), then an affine map of its bits
static const uint8_t sbox[256] = {
    0x63, 0x7c, 0x77, 0x7b, 0xf2, 0x6b, 0x6f, 0xc5, 0x30, 0x01, 0x67, 0x2b, 0xfe, 0xd7, 0xab, 0x76,
    0xca, 0x82, 0xc9, 0x7d, 0xfa, 0x59, 0x47, 0xf0, 0xad, 0xd4, 0xa2, 0xaf, 0x9c, 0xa4, 0x72, 0xc0,
    0xb7, 0xfd, 0x93, 0x26, 0x36, 0x3f, 0xf7, 0xcc, 0x34, 0xa5, 0xe5, 0xf1, 0x71, 0xd8, 0x31, 0x15,
    0x04, 0xc7, 0x23, 0xc3, 0x18, 0x96, 0x05, 0x9a, 0x07, 0x12, 0x80, 0xe2, 0xeb, 0x27, 0xb2, 0x75,
    0x09, 0x83, 0x2c, 0x1a, 0x1b, 0x6e, 0x5a, 0xa0, 0x52, 0x3b, 0xd6, 0xb3, 0x29, 0xe3, 0x2f, 0x84,
    0x53, 0xd1, 0x00, 0xed, 0x20, 0xfc, 0xb1, 0x5b, 0x6a, 0xcb, 0xbe, 0x39, 0x4a, 0x4c, 0x58, 0xcf,
    0xd0, 0xef, 0xaa, 0xfb, 0x43, 0x4d, 0x33, 0x85, 0x45, 0xf9, 0x02, 0x7f, 0x50, 0x3c, 0x9f, 0xa8,
    0x51, 0xa3, 0x40, 0x8f, 0x92, 0x9d, 0x38, 0xf5, 0xbc, 0xb6, 0xda, 0x21, 0x10, 0xff, 0xf3, 0xd2,
    0xcd, 0x0c, 0x13, 0xec, 0x5f, 0x97, 0x44, 0x17, 0xc4, 0xa7, 0x7e, 0x3d, 0x64, 0x5d, 0x19, 0x73,
    0x60, 0x81, 0x4f, 0xdc, 0x22, 0x2a, 0x90, 0x88, 0x46, 0xee, 0xb8, 0x14, 0xde, 0x5e, 0x0b, 0xdb,
    0xe0, 0x32, 0x3a, 0x0a, 0x49, 0x06, 0x24, 0x5c, 0xc2, 0xd3, 0xac, 0x62, 0x91, 0x95, 0xe4, 0x79,
    0xe7, 0xc8, 0x37, 0x6d, 0x8d, 0xd5, 0x4e, 0xa9, 0x6c, 0x56, 0xf4, 0xea, 0x65, 0x7a, 0xae, 0x08,
    0xba, 0x78, 0x25, 0x2e, 0x1c, 0xa6, 0xb4, 0xc6, 0xe8, 0xdd, 0x74, 0x1f, 0x4b, 0xbd, 0x8b, 0x8a,
    0x70, 0x3e, 0xb5, 0x66, 0x48, 0x03, 0xf6, 0x0e, 0x61, 0x35, 0x57, 0xb9, 0x86, 0xc1, 0x1d, 0x9e,
    0xe1, 0xf8, 0x98, 0x11, 0x69, 0xd9, 0x8e, 0x94, 0x9b, 0x1e, 0x87, 0xe9, 0xce, 0x55, 0x28, 0xdf,
    0x8c, 0xa1, 0x89, 0x0d, 0xbf, 0xe6, 0x42, 0x68, 0x41, 0x99, 0x2d, 0x0f, 0xb0, 0x54, 0xbb, 0x16,
};

// polynomials in m of degree 4 for piece (k - 1) mod 32; tools/make_noise_pieces.py prints them
const float ohmi_noise_piece[5][32] = {
    {
        6.39354658f, 6.28684521f, 6.17839146f, 6.06809902f, 5.95587158f, 5.84160662f, 5.72519064f,
        5.6065011f,  5.48540163f, 5.36174297f, 5.23536062f, 5.106071f,   4.97366953f, 4.83792734f,
        4.69858694f, 4.55535603f, 4.40790176f, 4.25584412f, 4.09874201f, 3.93608379f, 3.76726842f,
        3.59158373f, 3.40817785f, 3.21601963f, 3.01384783f, 2.80010056f, 2.572824f,   2.32955384f,
        2.0671351f,  1.7774359f,  0.0f,        6.49857712f,
    },
    {
        -0.436980158f, -0.444406241f, -0.452217847f, -0.460449189f, -0.469138891f, -0.478330612f,
        -0.488074094f, -0.49842611f,  -0.509451985f, -0.521227181f, -0.533839285f, -0.547391057f,
        -0.562003314f, -0.577819705f, -0.595012307f, -0.613789201f, -0.634404659f, -0.657172978f,
        -0.682487965f, -0.71085006f,  -0.742905974f, -0.779507339f, -0.821800232f, -0.871365964f,
        -0.930450797f, -1.0023551f,   -1.09212184f,  -1.20780873f,  -1.36280751f,  -1.5670166f,
        0.0f,          -0.429909199f,
    },
    {
        0.22261849f,  0.226303145f, 0.230173603f, 0.234245807f, 0.238537699f, 0.243069485f,
        0.247864023f, 0.25294733f,  0.25834915f,  0.264103532f, 0.270249903f, 0.276833981f,
        0.283909112f, 0.29153809f,  0.2997953f,   0.308769494f, 0.318567544f, 0.329319209f,
        0.341183722f, 0.354358375f, 0.369090348f, 0.385692745f, 0.40456605f,  0.426226616f,
        0.451340228f, 0.480750829f, 0.515456557f, 0.556352913f, 0.602893233f, 0.631083727f,
        0.0f,         0.219105378f,
    },
    {
        -0.0667938516f, -0.0678904802f, -0.0690419376f, -0.0702528805f, -0.0715285614f,
        -0.0728748664f, -0.0742984563f, -0.0758069158f, -0.0774088651f, -0.079114221f,
        -0.0809343755f, -0.0828825533f, -0.0849741623f, -0.0872272924f, -0.0896633118f,
        -0.092307657f,  -0.0951908678f, -0.0983499438f, -0.101830095f,  -0.105687194f,
        -0.109990962f,  -0.114829443f,  -0.120315053f,  -0.126592815f,  -0.133851379f,
        -0.142337322f,  -0.15237321f,   -0.16438958f,   -0.178981632f,  -0.18813321f,
        0.0f,           -0.0657478794f,
    },
    {
        0.00835319329f, 0.00848980434f, 0.00863321777f, 0.00878401008f, 0.00894282758f,
        0.00911039766f, 0.00928754453f, 0.00947519951f, 0.00967442617f, 0.00988644548f,
        0.0101126591f,  0.0103546921f,  0.010614438f,   0.010894116f,   0.0111963432f,
        0.0115242377f,  0.0118815331f,  0.0122727463f,  0.0127033945f,  0.0131802782f,
        0.0137118772f,  0.0143088764f,  0.0149849011f,  0.015757503f,   0.0166495033f,
        0.0176906902f,  0.0189196896f,  0.020383399f,   0.0220792312f,  0.0210843608f,
        0.0f,           0.00822286867f,
    },
};

// a byte times x in GF(2^8)
static uint32_t twice(uint32_t a) {
    return (a << 1 ^ (a >> 7) * 0x11bu) & 0xffu;
}

// one round: bytes substituted, rows shifted, columns mixed unless it is the last, key added
static void aes_round(uint32_t state[4], const uint32_t key[4], bool is_last) {
    uint32_t next[4];
    for (int column = 0; column < 4; column++) {
        uint32_t a[4], word = 0;
        for (int row = 0; row < 4; row++) {
            a[row] = sbox[state[(column + row) % 4] >> (8 * row) & 0xffu];
        }
        for (int row = 0; row < 4; row++) {
            const uint32_t b = a[(row + 1) % 4];
            const uint32_t mixed =
                twice(a[row]) ^ twice(b) ^ b ^ a[(row + 2) % 4] ^ a[(row + 3) % 4];
            word |= (is_last ? a[row] : mixed) << (8 * row);
        }
        next[column] = word ^ key[column];
    }
    memcpy(state, next, sizeof next);
}

void ohmi_noise_keys(uint32_t key[OHMI_NOISE_ROUNDS + 1][4], uint64_t seed) {
    uint64_t low = seed, high = 0;
    for (int round = 0; round <= OHMI_NOISE_ROUNDS; round++) {
        key[round][0] = (uint32_t)low;
        key[round][1] = (uint32_t)(low >> 32);
        key[round][2] = (uint32_t)high;
        key[round][3] = (uint32_t)(high >> 32);
        // Weyl increments of the paper: the golden ratio, and sqrt(3) - 1
        low += 0x9E3779B97F4A7C15u;
        high += 0xBB67AE8584CAA73Bu;
    }
}

void ohmi_noise_bits(uint32_t out[4], const uint32_t counter[4],
                     const uint32_t key[OHMI_NOISE_ROUNDS + 1][4]) {
    for (int i = 0; i < 4; i++) {
        out[i] = counter[i] ^ key[0][i];
    }
    for (int round = 1; round <= OHMI_NOISE_ROUNDS; round++) {
        aes_round(out, key[round], round == OHMI_NOISE_ROUNDS);
    }
}

float ohmi_noise_normal(uint32_t bits) {
    // f = +- m 2^k
    const float f = (float)(int32_t)(bits | 1u);
    uint32_t word;
    memcpy(&word, &f, sizeof word);
    const uint32_t piece = word >> 23 & 31u, mantissa = (word & 0x007FFFFFu) | 0x3F800000u;
    float m;
    memcpy(&m, &mantissa, sizeof m);
    float size = ohmi_noise_piece[4][piece];
    for (int i = 3; i >= 0; i--) {
        size = fmaf(size, m, ohmi_noise_piece[i][piece]);
    }
    return f < 0 ? -size : size;
}

void ohmi_noise_normals(float z[4], uint32_t id, uint64_t vector, int four,
                        const ohmi_chip_noise *noise) {
    uint32_t key[OHMI_NOISE_ROUNDS + 1][4], bits[4];
    const uint32_t counter[4] = {id, (uint32_t)vector, noise->read, ohmi_noise_place(vector, four)};
    ohmi_noise_keys(key, noise->seed);
    ohmi_noise_bits(bits, counter, (const uint32_t(*)[4])key);
    for (int i = 0; i < 4; i++) {
        z[i] = ohmi_noise_normal(bits[i]);
    }
}
