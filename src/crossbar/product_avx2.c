// SPDX-License-Identifier: Apache-2.0
// Crossbar products for processors with AVX2 and AES: tables of 16 bytes, the sums of four cells.
#include "crossbar/product.h"

#if defined(__AVX2__)

#include <immintrin.h>

enum { GROUP = 4, TABLE = 16 };
#include "crossbar/product_lanes.h"

static void begin_line(uint8_t *made, const uint8_t *cells, const ohmi_row_tile *p, int64_t n) {
    (void)made;
    (void)cells;
    (void)p;
    (void)n;
}

// combinations of three rows are the bytes of one number, those with the fourth of another
static void make_tables(uint8_t *table, const uint8_t *made, const uint8_t *cells, int64_t lane,
                        const ohmi_row_tile *p) {
    (void)made;
    for (int64_t quad = 0; quad < p->n_quads; quad++) {
        const uint8_t *cell = cells + 4 * quad * OHMI_PANEL + lane;
        uint64_t sums[2];
        sums[0] = cell[0] * 0x0100010001000100u + cell[OHMI_PANEL] * 0x0101000001010000u +
                  cell[2 * OHMI_PANEL] * 0x0101010100000000u;
        sums[1] = sums[0] + cell[3 * OHMI_PANEL] * 0x0101010101010101u;
        memcpy(table + quad * TABLE, sums, sizeof sums);
    }
}

static void add_groups(uint8_t sum[LANES], const uint8_t *table, const uint8_t *index,
                       int64_t n_groups) {
    __m256i a = _mm256_setzero_si256(), b = a;
    for (int64_t group = 0; group < n_groups; group++) {
        const __m256i sums =
            _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(table + group * TABLE)));
        const __m256i *at = (const __m256i *)(index + group * LANES);
        a = _mm256_add_epi8(a, _mm256_shuffle_epi8(sums, _mm256_loadu_si256(at)));
        b = _mm256_add_epi8(b, _mm256_shuffle_epi8(sums, _mm256_loadu_si256(at + 1)));
    }
    _mm256_storeu_si256((__m256i *)sum, a);
    _mm256_storeu_si256((__m256i *)sum + 1, b);
}

// the normal numbers of 8 words
static inline __m256 normals_of(__m256i words) {
    const __m256 f = _mm256_cvtepi32_ps(_mm256_or_si256(words, _mm256_set1_epi32(1)));
    const __m256i bits = _mm256_castps_si256(f);
    const __m256i piece = _mm256_and_si256(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32(31));
    const __m256i sign = _mm256_and_si256(bits, _mm256_set1_epi32(INT32_MIN));
    const __m256i mantissa = _mm256_and_si256(bits, _mm256_set1_epi32(0x007FFFFF));
    const __m256 m = _mm256_castsi256_ps(_mm256_or_si256(mantissa, _mm256_set1_epi32(0x3F800000)));
    __m256 size = _mm256_i32gather_ps(ohmi_noise_piece[4], piece, 4);
    for (int i = 3; i >= 0; i--) {
        size = _mm256_fmadd_ps(size, m, _mm256_i32gather_ps(ohmi_noise_piece[i], piece, 4));
    }
    return _mm256_castsi256_ps(_mm256_xor_si256(_mm256_castps_si256(size), sign));
}

// the words of one line and vector
static inline __m128i words_of(uint32_t id, __m128i rest, const noise_keys *keys) {
    __m128i c = _mm_xor_si128(_mm_insert_epi32(rest, (int)id, 0),
                              _mm_loadu_si128((const __m128i *)keys->key[0]));
    for (int round = 1; round < OHMI_NOISE_ROUNDS; round++) {
        c = _mm_aesenc_si128(c, _mm_loadu_si128((const __m128i *)keys->key[round]));
    }
    return _mm_aesenclast_si128(c, _mm_loadu_si128((const __m128i *)keys->key[OHMI_NOISE_ROUNDS]));
}

static void draw_normals(float z[4][WIDE], const uint32_t *id, uint64_t vector, int four,
                         const noise_keys *keys) {
    const __m128i rest = _mm_setr_epi32(0, (int)(uint32_t)vector, (int)keys->read,
                                        (int)ohmi_noise_place(vector, four));
    for (int line = 0; line < WIDE; line += 8) {
        // lines i and i + 4 side by side; words of four lines to lines of four planes
        __m256i w[4];
        for (int i = 0; i < 4; i++) {
            w[i] = _mm256_set_m128i(words_of(id[line + i + 4], rest, keys),
                                    words_of(id[line + i], rest, keys));
        }
        const __m256i a = _mm256_unpacklo_epi32(w[0], w[1]), b = _mm256_unpackhi_epi32(w[0], w[1]);
        const __m256i e = _mm256_unpacklo_epi32(w[2], w[3]), f = _mm256_unpackhi_epi32(w[2], w[3]);
        _mm256_storeu_ps(z[0] + line, normals_of(_mm256_unpacklo_epi64(a, e)));
        _mm256_storeu_ps(z[1] + line, normals_of(_mm256_unpackhi_epi64(a, e)));
        _mm256_storeu_ps(z[2] + line, normals_of(_mm256_unpacklo_epi64(b, f)));
        _mm256_storeu_ps(z[3] + line, normals_of(_mm256_unpackhi_epi64(b, f)));
    }
}

static void turn(float to[WIDE][TURN], float from[TURN][WIDE]) {
    for (int line = 0; line < WIDE; line++) {
        for (int v = 0; v < TURN; v++) {
            to[line][v] = from[v][line];
        }
    }
}

static void read_vector(float h[WIDE], const real_reading *r) {
    read_any(h, r);
}

static bool is_supported(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("aes");
}

static void run(void *out, const uint8_t *x, int64_t stride, const uint64_t *vector,
                int64_t n_vectors, const ohmi_row_tile *p, void *work) {
    if (p->real) {
        run_real(out, x, stride, vector, n_vectors, p, work);
    } else {
        run_exact(out, x, stride, n_vectors, p, work);
    }
}

const ohmi_products ohmi_products_avx2 = {
    "avx2", "AVX2: tables of four rows of cells", is_supported, lanes_workspace, run,
};

#endif
