// SPDX-License-Identifier: Apache-2.0
// Crossbar products for processors with AVX-512 VBMI, whose permutation of bytes looks 64 numbers
// up in a table of 64 at once: the sums of six cells by six bits of the inputs. Another one, of
// 128, converts sums below 256 by any table.
//
// The usual case, sums and codes below 256 and at most 72 rows, stays in registers from bits to T.
// Codes of some planes are shifted in their tables and added as bytes while these hold them; a
// product of bytes that is summed by fours then weighs them, one byte of each four at a time. So
// lane 4 i + j of a block of 64 vectors is vector 16 j + i.
#include "base/simd.h"
#include "crossbar/product.h"

#if defined(__AVX512VBMI__)

#include <cpuid.h>
#include <immintrin.h>

enum { GROUP = 6, TABLE = 64, MOST_SIXES = 12 };
#include "crossbar/product_lanes.h"

// Tables.

// sums of all combinations of every three rows, 8 bytes a bit-line: made (2 n_groups, 64)
static void begin_line(uint8_t *made, const uint8_t *cells, const ohmi_row_tile *p, int64_t n) {
    // byte 8 i + c of eight bit-lines: line i, combination c
    const __m512i each = _mm512_set_epi64(
        0x0707070707070707, 0x0606060606060606, 0x0505050505050505, 0x0404040404040404,
        0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0x0000000000000000);
    const __mmask64 has[3] = {0xAAAAAAAAAAAAAAAA, 0xCCCCCCCCCCCCCCCC, 0xF0F0F0F0F0F0F0F0};
    const int64_t n_threes = 2 * groups_of(p);
    for (int64_t three = 0; three < n_threes; three++) {
        __m512i row[3];
        for (int i = 0; i < 3; i++) {
            const int64_t at = 3 * three + i;
            row[i] = at < p->n_rows ? _mm512_loadu_si512(cells + at * OHMI_PANEL)
                                    : _mm512_setzero_si512();
        }
        for (int64_t lane = 0; lane < n; lane += 8) {
            const __m512i from = _mm512_add_epi8(each, _mm512_set1_epi8((char)lane));
            __m512i sum = _mm512_maskz_permutexvar_epi8(has[0], from, row[0]);
            sum = _mm512_add_epi8(sum, _mm512_maskz_permutexvar_epi8(has[1], from, row[1]));
            sum = _mm512_add_epi8(sum, _mm512_maskz_permutexvar_epi8(has[2], from, row[2]));
            _mm512_storeu_si512(made + (three * OHMI_PANEL + lane) * 8, sum);
        }
    }
}

// sums of six rows from those of three and three
static inline __m512i table_of(const uint8_t *made, int64_t group, int64_t lane) {
    const __m512i upper = _mm512_set_epi64(
        0x0707070707070707, 0x0606060606060606, 0x0505050505050505, 0x0404040404040404,
        0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0x0000000000000000);
    int64_t three[2];
    memcpy(&three[0], made + (2 * group * OHMI_PANEL + lane) * 8, sizeof three[0]);
    memcpy(&three[1], made + ((2 * group + 1) * OHMI_PANEL + lane) * 8, sizeof three[1]);
    return _mm512_add_epi8(_mm512_set1_epi64(three[0]),
                           _mm512_permutexvar_epi8(upper, _mm512_set1_epi64(three[1])));
}

static void make_tables(uint8_t *table, const uint8_t *made, const uint8_t *cells, int64_t lane,
                        const ohmi_row_tile *p) {
    (void)cells;
    for (int64_t group = 0; group < groups_of(p); group++) {
        _mm512_storeu_si512(table + group * TABLE, table_of(made, group, lane));
    }
}

static void add_groups(uint8_t sum[LANES], const uint8_t *table, const uint8_t *index,
                       int64_t n_groups) {
    __m512i s = _mm512_setzero_si512();
    for (int64_t group = 0; group < n_groups; group++) {
        s = _mm512_add_epi8(s, _mm512_permutexvar_epi8(_mm512_loadu_si512(index + group * LANES),
                                                       _mm512_loadu_si512(table + group * TABLE)));
    }
    _mm512_storeu_si512(sum, s);
}

// The usual case.

// how the sums of one digit become T; planes follow one another, those of a byte together
typedef struct {
    __m512i table[MAX_PLANES][4];  // codes of sums, shifted by 0, 1 .. bits
    bool is_half;                  // all sums from 127 on have one code: half of it is enough
    bool is_direct;                // weights have the digit's worth in them
    int shift[MAX_PLANES];         // of a plane in its byte
    bool ends[MAX_PLANES];         // the byte is full
    bool repeats[MAX_PLANES];      // and counts twice
    __m512i weight[MAX_PLANES][4]; // of the byte, of byte j of every four
} conversion;

// whether codes and sums of a tile are below 256, and its tables fit the registers
static bool is_usual(const ohmi_row_tile *p) {
    return !p->is_value && groups_of(p) <= MOST_SIXES && p->n_rows * p->max_level <= 255 &&
           (p->adc->kind == OHMI_ADC_NONE || p->code8);
}

// which planes share a byte, and what bytes weigh
static void share_bytes(conversion *c, const ohmi_row_tile *p, int most_code, int32_t worth) {
    const int plain = p->is_signed ? p->planes - 1 : p->planes;
    int32_t weight[MAX_PLANES] = {0};
    int shared = 1;
    while (shared < MAX_PLANES && most_code * ((2 << shared) - 1) <= 255) {
        shared++;
    }
    c->is_direct = true;
    for (int plane = 0; plane < p->planes; plane++) {
        const bool is_sign = plane == plain;
        c->shift[plane] = is_sign ? 0 : plane % shared;
        c->ends[plane] = is_sign || plane == plain - 1 || c->shift[plane] == shared - 1;
        weight[plane] = is_sign ? -(1 << plane) : 1 << (plane - c->shift[plane]);
        // a weight is a signed byte
        const int32_t all = weight[plane] * worth;
        c->is_direct = c->is_direct && all >= -128 && all <= 127;
    }
    for (int plane = 0; plane < p->planes; plane++) {
        c->repeats[plane] = !c->is_direct && weight[plane] == 128;
        const int32_t once = c->repeats[plane] ? 64 : weight[plane];
        const int32_t all = c->is_direct ? once * worth : once;
        for (int j = 0; j < 4; j++) {
            c->weight[plane][j] = _mm512_set1_epi32((int32_t)((uint32_t)(all & 255) << (8 * j)));
        }
    }
}

static void make_conversion(conversion *c, const ohmi_row_tile *p, int d) {
    const int most = (int)(p->n_rows * p->max_level);
    _Alignas(64) uint8_t code[256];
    int most_code = 0;
    c->is_half = true;
    for (int sum = 0; sum < 256; sum++) {
        const int of = sum < most ? sum : most;
        code[sum] = p->code8 ? p->code8[256 * d + of] : (uint8_t)of;
        most_code = code[sum] > most_code ? code[sum] : most_code;
        c->is_half = c->is_half && (sum <= 127 || code[sum] == code[127]);
    }
    share_bytes(c, p, most_code, p->worth[d]);
    for (int shift = 0; shift < MAX_PLANES; shift++) {
        for (int quarter = 0; quarter < 4; quarter++) {
            uint8_t shifted[64];
            for (int i = 0; i < 64; i++) {
                shifted[i] = (uint8_t)(code[64 * quarter + i] << shift);
            }
            c->table[shift][quarter] = _mm512_loadu_si512(shifted);
        }
    }
}

// codes of sums; where half a table is enough sums have 128 added, at most 255
static inline __m512i codes_of(__m512i sum, const __m512i table[4], bool is_half) {
    const __m512i low = _mm512_permutex2var_epi8(table[0], sum, table[1]);
    if (is_half) {
        return low;
    }
    const __m512i high = _mm512_permutex2var_epi8(table[2], sum, table[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(sum), low, high);
}

// one bit-line: t (stride), index (n_blocks, planes, n, 64); n: groups
static inline __attribute__((always_inline)) void
usual_line(int32_t *t, const uint8_t *index, int64_t n_blocks, const uint8_t *made, int64_t lane,
           const conversion *c, int d, const ohmi_row_tile *p, const bool is_half, const int n) {
    const int64_t step = (int64_t)n * LANES;
    const int planes = p->planes;
    const __m512i worth = _mm512_set1_epi32(p->worth[d]);
    __m512i table[MOST_SIXES];
    for (int i = 0; i < n; i++) {
        table[i] = table_of(made, i, lane);
    }
    if (is_half) {
        table[0] = _mm512_add_epi8(table[0], _mm512_set1_epi8(-128));
    }
    for (int64_t block = 0; block < n_blocks; block++, index += planes * step) {
        int32_t *to = t + block * LANES;
        __m512i sum[4];
        for (int j = 0; j < 4; j++) {
            sum[j] = d && c->is_direct ? _mm512_load_si512(to + 16 * j) : _mm512_setzero_si512();
        }
        __m512i codes = _mm512_setzero_si512();
        const uint8_t *at = index;
        for (int plane = 0; plane < planes; plane++, at += step) {
            __m512i s = _mm512_permutexvar_epi8(_mm512_load_si512(at), table[0]);
            OHMI_UNROLL
            for (int g = 1; g < n; g++) {
                s = _mm512_adds_epu8(
                    s, _mm512_permutexvar_epi8(_mm512_load_si512(at + g * LANES), table[g]));
            }
            codes = _mm512_add_epi8(codes, codes_of(s, c->table[c->shift[plane]], is_half));
            if (c->ends[plane]) {
                const __m512i *weight = c->weight[plane];
                for (int again = c->repeats[plane]; again >= 0; again--) {
                    sum[0] = _mm512_dpbusd_epi32(sum[0], codes, weight[0]);
                    sum[1] = _mm512_dpbusd_epi32(sum[1], codes, weight[1]);
                    sum[2] = _mm512_dpbusd_epi32(sum[2], codes, weight[2]);
                    sum[3] = _mm512_dpbusd_epi32(sum[3], codes, weight[3]);
                }
                codes = _mm512_setzero_si512();
            }
        }
        for (int j = 0; j < 4; j++) {
            if (!c->is_direct) {
                sum[j] = _mm512_mullo_epi32(sum[j], worth);
                sum[j] = d ? _mm512_add_epi32(sum[j], _mm512_load_si512(to + 16 * j)) : sum[j];
            }
            _mm512_store_si512(to + 16 * j, sum[j]);
        }
    }
}

// the same for any number of groups
static void any_line(int32_t *t, const uint8_t *index, int64_t n_blocks, const uint8_t *made,
                     int64_t lane, const conversion *c, int d, const ohmi_row_tile *p) {
#define LINE_OF(n)                                                                                 \
    case n:                                                                                        \
        if (c->is_half) {                                                                          \
            usual_line(t, index, n_blocks, made, lane, c, d, p, true, n);                          \
        } else {                                                                                   \
            usual_line(t, index, n_blocks, made, lane, c, d, p, false, n);                         \
        }                                                                                          \
        break
    switch (groups_of(p)) {
        LINE_OF(1);
        LINE_OF(2);
        LINE_OF(3);
        LINE_OF(4);
        LINE_OF(5);
        LINE_OF(6);
        LINE_OF(7);
        LINE_OF(8);
        LINE_OF(9);
        LINE_OF(10);
        LINE_OF(11);
        LINE_OF(12);
    default:
        break;
    }
#undef LINE_OF
}

// the bits of every six rows in the order of lanes: (n_blocks, planes, n_groups, 64)
static void make_turned(uint8_t *index, const uint8_t *x, int64_t stride, int64_t n_blocks,
                        const ohmi_row_tile *p) {
    const int64_t n_groups = groups_of(p);
    _Alignas(64) uint8_t order[LANES];
    for (int lane = 0; lane < LANES; lane++) {
        order[lane] = (uint8_t)(16 * (lane % 4) + lane / 4);
    }
    const __m512i turned = _mm512_load_si512(order);
    for (int64_t at = 0; at < n_blocks * n_groups; at++) {
        const int64_t block = at / n_groups, group = at % n_groups;
        uint8_t *to = index + (block * p->planes * n_groups + group) * LANES;
        __m512i bits[MAX_PLANES] = {0};
        for (int i = 0; i < GROUP && group * GROUP + i < p->n_rows; i++) {
            const __m512i row = _mm512_load_si512(x + (group * GROUP + i) * stride + block * LANES);
            for (int plane = 0; plane < p->planes; plane++) {
                const __mmask64 on =
                    _mm512_test_epi8_mask(row, _mm512_set1_epi8((char)(1 << plane)));
                bits[plane] = _mm512_mask_add_epi8(bits[plane], on, bits[plane],
                                                   _mm512_set1_epi8((char)(1 << i)));
            }
        }
        for (int plane = 0; plane < p->planes; plane++) {
            _mm512_store_si512(to + plane * n_groups * LANES,
                               _mm512_permutexvar_epi8(turned, bits[plane]));
        }
    }
}

static void run_usual(int32_t *out, const uint8_t *x, int64_t stride, int64_t n_vectors,
                      const ohmi_row_tile *p, void *work) {
    const int64_t n_blocks = blocks_of(n_vectors);
    exact_work at;
    conversion c;
    split_exact(&at, work, p, n_vectors);
    make_turned(at.index, x, stride, n_blocks, p);
    for (int d = 0; d < p->lines; d++) {
        make_conversion(&c, p, d);
        for (int64_t panel = 0; panel < p->n_panels; panel++) {
            const int64_t first = panel * OHMI_PANEL, rest = p->n_slots - first;
            const int64_t n = rest < OHMI_PANEL ? rest : OHMI_PANEL;
            begin_line(at.made, p->cells + (panel * p->lines + d) * 4 * p->n_quads * OHMI_PANEL, p,
                       n);
            for (int64_t lane = 0; lane < n; lane++) {
                any_line(out + (first + lane) * stride, at.index, n_blocks, at.made, lane, &c, d,
                         p);
            }
        }
    }
}

// Noise, and turning.

// the normal numbers of 16 words
static inline __m512 normals_of(__m512i words) {
    const __m512 f = _mm512_cvtepi32_ps(_mm512_or_si512(words, _mm512_set1_epi32(1)));
    const __m512i bits = _mm512_castps_si512(f), piece = _mm512_srli_epi32(bits, 23);
    const __m512i sign = _mm512_and_si512(bits, _mm512_set1_epi32(INT32_MIN));
    const __m512i mantissa = _mm512_and_si512(bits, _mm512_set1_epi32(0x007FFFFF));
    const __m512 m = _mm512_castsi512_ps(_mm512_or_si512(mantissa, _mm512_set1_epi32(0x3F800000)));
    __m512 size = _mm512_setzero_ps();
    for (int i = 4; i >= 0; i--) {
        const __m512 c = _mm512_permutex2var_ps(_mm512_loadu_ps(ohmi_noise_piece[i]), piece,
                                                _mm512_loadu_ps(ohmi_noise_piece[i] + 16));
        size = i == 4 ? c : _mm512_fmadd_ps(size, m, c);
    }
    return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(size), sign));
}

// ohmi_noise_deviation of 16 numbers
static inline __m512 deviations_of(__m512 variance) {
    const __m512 v = _mm512_max_ps(variance, _mm512_setzero_ps());
    const __m512 y = _mm512_castsi512_ps(_mm512_sub_epi32(
        _mm512_set1_epi32(OHMI_ROOT_MAGIC), _mm512_srli_epi32(_mm512_castps_si512(v), 1)));
    const __m512 root = _mm512_mul_ps(v, y), w = _mm512_mul_ps(root, y);
    const __m512 series =
        _mm512_fmadd_ps(_mm512_set1_ps(OHMI_ROOT_2), w, _mm512_set1_ps(OHMI_ROOT_1));
    return _mm512_mul_ps(root, _mm512_fmadd_ps(series, w, _mm512_set1_ps(OHMI_ROOT_0)));
}

// counters of lines 4 i + j of 16, one in each quarter i
static inline void counters_of(__m512i c[4], __m512i id, __m512i rest) {
    c[0] = _mm512_mask_shuffle_epi32(rest, 0x1111, id, _MM_PERM_AAAA);
    c[1] = _mm512_mask_shuffle_epi32(rest, 0x1111, id, _MM_PERM_BBBB);
    c[2] = _mm512_mask_shuffle_epi32(rest, 0x1111, id, _MM_PERM_CCCC);
    c[3] = _mm512_mask_shuffle_epi32(rest, 0x1111, id, _MM_PERM_DDDD);
}

// words of 16 lines and four planes, a plane each: two such groups of lines
static inline void draw_words(__m512i plane[2][4], const uint32_t *id, uint64_t vector, int four,
                              const noise_keys *keys) {
    const __m512i rest = _mm512_broadcast_i32x4(_mm_setr_epi32(
        0, (int)(uint32_t)vector, (int)keys->read, (int)ohmi_noise_place(vector, four)));
    __m512i c[8];
    counters_of(c, _mm512_loadu_si512(id), rest);
    counters_of(c + 4, _mm512_loadu_si512(id + 16), rest);
    OHMI_UNROLL
    for (int round = 0; round <= OHMI_NOISE_ROUNDS; round++) {
        const __m512i key =
            _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)keys->key[round]));
        OHMI_UNROLL
        for (int i = 0; i < 8; i++) {
            c[i] = round == 0                   ? _mm512_xor_si512(c[i], key)
                   : round == OHMI_NOISE_ROUNDS ? _mm512_aesenclast_epi128(c[i], key)
                                                : _mm512_aesenc_epi128(c[i], key);
        }
    }
    OHMI_UNROLL
    for (int half = 0; half < 2; half++) {
        // words of four lines side by side to lines of four planes
        const __m512i *w = c + 4 * half;
        const __m512i a = _mm512_unpacklo_epi32(w[0], w[1]), b = _mm512_unpackhi_epi32(w[0], w[1]);
        const __m512i e = _mm512_unpacklo_epi32(w[2], w[3]), f = _mm512_unpackhi_epi32(w[2], w[3]);
        plane[half][0] = _mm512_unpacklo_epi64(a, e);
        plane[half][1] = _mm512_unpackhi_epi64(a, e);
        plane[half][2] = _mm512_unpacklo_epi64(b, f);
        plane[half][3] = _mm512_unpackhi_epi64(b, f);
    }
}

static void draw_normals(float z[4][WIDE], const uint32_t *id, uint64_t vector, int four,
                         const noise_keys *keys) {
    __m512i words[2][4];
    draw_words(words, id, vector, four, keys);
    for (int i = 0; i < 8; i++) {
        _mm512_storeu_ps(z[i / 2] + 16 * (i % 2), normals_of(words[i % 2][i / 2]));
    }
}

// h (32) of one vector with linear converters, in registers from sums to codes
OHMI_INLINE void read_linear(float h[WIDE], const real_reading *r, const bool is_noisy) {
    const ohmi_row_tile *p = r->p;
    const __m512 inverse = _mm512_set1_ps(r->adc->inverse), magic = _mm512_set1_ps(OHMI_ADC_MAGIC);
    const __m512 low = _mm512_set1_ps(r->adc->q_low + OHMI_ADC_MAGIC);
    const __m512 high = _mm512_set1_ps(r->adc->q_top + OHMI_ADC_MAGIC);
    // the bits of a code with the magic number are those of that number and the code, added
    const __m512i offset = _mm512_castps_si512(magic);
    __m512i all[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int four = (p->planes - 1) / 4; four >= 0; four--) {
        lanes32 sum[4][2];
        __m512i words[2][4];
        add_quads(sum, r->table, r->index + four * r->index_step, p->n_quads, 0, 4);
        if (is_noisy) {
            draw_words(words, r->id, r->vector, four, r->keys);
        }
        OHMI_UNROLL
        for (int bit = 3; bit >= 0; bit--) {
            const int plane = 4 * four + bit;
            if (plane >= p->planes) {
                continue;
            }
            OHMI_UNROLL
            for (int half = 0; half < 2; half++) {
                __m512 s = (__m512)sum[bit][half];
                if (r->offset) {
                    s = _mm512_add_ps(s, _mm512_loadu_ps(r->offset + 16 * half));
                }
                if (is_noisy) {
                    const __m512 base = _mm512_set1_ps(r->base[plane * r->step]);
                    const __m512 variance =
                        _mm512_fmadd_ps(_mm512_set1_ps(p->noise->noise_sum), s, base);
                    const __m512 deviation = deviations_of(variance);
                    s = _mm512_fmadd_ps(deviation, normals_of(words[half][bit]), s);
                }
                const __m512 clipped =
                    _mm512_min_ps(high, _mm512_max_ps(low, _mm512_fmadd_ps(s, inverse, magic)));
                const __m512i q = _mm512_castps_si512(clipped);
                const __m512i twice = _mm512_add_epi32(all[half], all[half]);
                all[half] = p->is_signed && plane == p->planes - 1 ? _mm512_sub_epi32(twice, q)
                                                                   : _mm512_add_epi32(twice, q);
            }
        }
    }
    // the offset was added 2^planes - 1 times, or once less than never with a sign
    const int32_t times = p->is_signed ? -1 : (1 << p->planes) - 1;
    const __m512i added = _mm512_mullo_epi32(offset, _mm512_set1_epi32(times));
    _mm512_store_ps(h, _mm512_cvtepi32_ps(_mm512_sub_epi32(all[0], added)));
    _mm512_store_ps(h + 16, _mm512_cvtepi32_ps(_mm512_sub_epi32(all[1], added)));
}

static void read_vector(float h[WIDE], const real_reading *r) {
    if (r->adc->kind != OHMI_ADC_LINEAR) {
        read_any(h, r);
    } else if (r->p->noise) {
        read_linear(h, r, true);
    } else {
        read_linear(h, r, false);
    }
}

// 16 x 16 floats, rows `step` apart
static inline void turn16(float *to, const float *from, int64_t step) {
    __m512 a[16], b[16];
    for (int i = 0; i < 16; i++) {
        a[i] = _mm512_load_ps(from + i * step);
    }
    // pairs, then fours within each quarter of a row, then the quarters
    for (int i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        for (int j = 0; j < 2; j++) {
            const __m512d low = _mm512_castps_pd(b[i + j]), high = _mm512_castps_pd(b[i + j + 2]);
            a[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            a[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    }
    for (int i = 0; i < 4; i++) {
        const __m512 p = _mm512_shuffle_f32x4(a[i], a[i + 4], 0x88);
        const __m512 q = _mm512_shuffle_f32x4(a[i], a[i + 4], 0xDD);
        const __m512 r = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0x88);
        const __m512 s = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0xDD);
        _mm512_store_ps(to + 16 * i, _mm512_shuffle_f32x4(p, r, 0x88));
        _mm512_store_ps(to + 16 * (i + 4), _mm512_shuffle_f32x4(q, s, 0x88));
        _mm512_store_ps(to + 16 * (i + 8), _mm512_shuffle_f32x4(p, r, 0xDD));
        _mm512_store_ps(to + 16 * (i + 12), _mm512_shuffle_f32x4(q, s, 0xDD));
    }
}

static void turn(float to[WIDE][TURN], float from[TURN][WIDE]) {
    turn16(to[0], from[0], WIDE);
    turn16(to[16], from[0] + 16, WIDE);
}

// AES four blocks at a time, for which clang 14 has no name
static bool has_vaes(void) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c >> 9 & 1);
}

static bool is_supported(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni") &&
           has_vaes();
}

static void run(void *out, const uint8_t *x, int64_t stride, const uint64_t *vector,
                int64_t n_vectors, const ohmi_row_tile *p, void *work) {
    if (p->real) {
        run_real(out, x, stride, vector, n_vectors, p, work);
    } else if (is_usual(p)) {
        run_usual(out, x, stride, n_vectors, p, work);
    } else {
        run_exact(out, x, stride, n_vectors, p, work);
    }
}

const ohmi_products ohmi_products_vbmi = {
    "avx512-vbmi", "AVX-512 VBMI: tables of six rows of cells, and of converters",
    is_supported,  lanes_workspace,
    run,
};

#endif
