// SPDX-License-Identifier: Apache-2.0
// SHA-256, FIPS 180-4 sections 4.1.2, 4.2.2, 5.3.3 and 6.2.
#include "base/sha256.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/sha256_blocks.h"

const uint32_t ohmi_sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

// One round; instead of moving the eight words along, the next round is told their new names.
#define ROUND(a, b, c, d, e, f, g, h, i)                                                           \
    do {                                                                                           \
        const uint32_t t1 = (h) + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +                 \
                            ((g) ^ ((e) & ((f) ^ (g)))) + ohmi_sha256_k[i] + w[i];                 \
        (d) += t1;                                                                                 \
        (h) = t1 + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +                                \
              (((a) & (b)) | ((c) & ((a) | (b))));                                                 \
    } while (0)

// Takes one block of 64 bytes into the state.
static void compress(uint32_t state[8], const uint8_t *block) {
    uint32_t w[64];
    for (int i = 0; i < 16; i++) {
        const uint8_t *b = block + 4 * i;
        w[i] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    }
    for (int i = 16; i < 64; i++) {
        const uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        const uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i += 8) {
        ROUND(a, b, c, d, e, f, g, h, i);
        ROUND(h, a, b, c, d, e, f, g, i + 1);
        ROUND(g, h, a, b, c, d, e, f, i + 2);
        ROUND(f, g, h, a, b, c, d, e, i + 3);
        ROUND(e, f, g, h, a, b, c, d, i + 4);
        ROUND(d, e, f, g, h, a, b, c, i + 5);
        ROUND(c, d, e, f, g, h, a, b, i + 6);
        ROUND(b, c, d, e, f, g, h, a, i + 7);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

void ohmi_sha256_blocks_plain(uint32_t state[8], const uint8_t *bytes, size_t n_blocks) {
    for (; n_blocks > 0; n_blocks--, bytes += 64) {
        compress(state, bytes);
    }
}

// the faster of the two on this CPU, asked once
static ohmi_sha256_blocks *blocks = ohmi_sha256_blocks_plain;
static pthread_once_t blocks_once = PTHREAD_ONCE_INIT;

static void choose_blocks(void) {
    ohmi_sha256_blocks *fast = ohmi_sha256_blocks_cpu();
    blocks = fast ? fast : blocks;
}

void ohmi_sha256_init(ohmi_sha256 *hash) {
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    (void)pthread_once(&blocks_once, choose_blocks);
    memset(hash, 0, sizeof *hash);
    memcpy(hash->state, start, sizeof start);
}

void ohmi_sha256_add(ohmi_sha256 *hash, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    const size_t fill = hash->n_bytes % 64;
    hash->n_bytes += size;

    // a block that was begun before
    if (fill > 0) {
        const size_t n = size < 64 - fill ? size : 64 - fill;
        memcpy(hash->block + fill, at, n);
        at += n;
        size -= n;
        if (fill + n < 64) {
            return;
        }
        blocks(hash->state, hash->block, 1);
    }

    // whole blocks where they lie, the rest for later
    blocks(hash->state, at, size / 64);
    if (size % 64 > 0) {
        memcpy(hash->block, at + size / 64 * 64, size % 64);
    }
}

void ohmi_sha256_hex(ohmi_sha256 *hash, char hex[65]) {
    const uint64_t bits = hash->n_bytes * 8;
    const uint8_t one = 0x80, zero = 0;
    uint8_t length[8];
    ohmi_sha256_add(hash, &one, 1);
    while (hash->n_bytes % 64 != 56) {
        ohmi_sha256_add(hash, &zero, 1);
    }
    for (int i = 0; i < 8; i++) {
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    }
    ohmi_sha256_add(hash, length, 8);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(hex + 8 * i, 9, "%08x", (unsigned)hash->state[i]);
    }
}

ohm_status ohmi_sha256_file(char hex[65], const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_sha256 hash;
    uint8_t piece[16384];
    size_t n;
    FILE *file = fopen(path, "rb");
    if (!file) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
        goto done;
    }
    ohmi_sha256_init(&hash);
    while ((n = fread(piece, 1, sizeof piece, file)) > 0) {
        ohmi_sha256_add(&hash, piece, n);
    }
    if (ferror(file)) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot read '%s': %s", path, strerror(errno));
        goto done;
    }
    ohmi_sha256_hex(&hash, hex);
done:
    if (file) {
        (void)fclose(file);
    }
    return status;
}
