// SPDX-License-Identifier: Apache-2.0
// Crossbar products for files that are compiled for one instruction set each.
//
//   exact   vectors in lanes. The bits of a few word lines in one plane, a byte for each vector,
//           choose one of all sums that the cells of a bit-line can give there, which lie in a
//           table that one permutation of bytes reads for all lanes: a conversion of 64 vectors
//           costs a permutation and an addition for each such group. Groups whose sums may exceed
//           255 together are added up in 16 bits
//   real    bit-lines in lanes. The sums of all combinations of four word lines, made once for 32
//           bit-lines and used by all vectors and planes
//
// The file that includes this has what is particular to the processor:
//
//   GROUP, TABLE            word lines of a group, bytes of its table
//   begin_line              what is made once for the 64 bit-lines of a panel, in `made`
//   make_tables             the tables of one of them (n_groups, TABLE)
//   add_groups              sums of 64 vectors, below 256
//   draw_normals            normal numbers of 32 bit-lines and four planes
//   read_vector             h of one vector on 32 bit-lines: read_any, or what is faster
//   turn                    (16, 32) to (32, 16)
#ifndef OHMI_PRODUCT_LANES_H
#define OHMI_PRODUCT_LANES_H

#include <string.h>

#include "base/simd.h"
#include "crossbar/product.h"

// vectors of a block, bit-lines and vectors that the real way does at once, bytes of its quads
enum { MAX_PLANES = 8, LANES = 64, WIDE = 32, TURN = 16 };
enum { SUM_BYTES = WIDE * (int)sizeof(float), QUAD_BYTES = 16 * SUM_BYTES };

typedef float lanes32 __attribute__((vector_size(64)));

// round keys and what else is the same for all numbers
typedef struct {
    uint32_t key[OHMI_NOISE_ROUNDS + 1][4];
    uint32_t read;
} noise_keys;

static void begin_line(uint8_t *made, const uint8_t *cells, const ohmi_row_tile *p, int64_t n);
static void make_tables(uint8_t *table, const uint8_t *made, const uint8_t *cells, int64_t lane,
                        const ohmi_row_tile *p);
static void add_groups(uint8_t sum[LANES], const uint8_t *table, const uint8_t *index,
                       int64_t n_groups);
static void draw_normals(float z[4][WIDE], const uint32_t *id, uint64_t vector, int four,
                         const noise_keys *keys);
static void turn(float to[WIDE][TURN], float from[TURN][WIDE]);

static inline int64_t groups_of(const ohmi_row_tile *p) {
    return (p->n_rows + GROUP - 1) / GROUP;
}

static inline int64_t blocks_of(int64_t n_vectors) {
    return (n_vectors + LANES - 1) / LANES;
}

// h = 2 h + sign * value of the converter, n of them
static inline void convert(float *h, const float *sum, int n, float sign, const ohmi_adc *adc) {
    if (adc->kind == OHMI_ADC_LINEAR) {
        // codes as whole floats; they stay below 2^24
        const float inverse = adc->inverse, low = adc->q_low, top = adc->q_top;
        for (int i = 0; i < n; i++) {
            float q = __builtin_fmaf(sum[i], inverse, OHMI_ADC_MAGIC) - OHMI_ADC_MAGIC;
            q = q < low ? low : q;
            q = q > top ? top : q;
            h[i] = 2 * h[i] + sign * q;
        }
    } else if (adc->kind == OHMI_ADC_NONE) {
        for (int i = 0; i < n; i++) {
            h[i] = 2 * h[i] + sign * sum[i];
        }
    } else {
        for (int i = 0; i < n; i++) {
            h[i] = 2 * h[i] + sign * ohmi_adc_read(adc, sum[i]);
        }
    }
}

// T = worth h of the first digit, and that much more of the others
static inline void add_digit(void *t, const float *restrict h, int n, int d,
                             const ohmi_row_tile *p) {
    const int32_t worth = p->worth[d];
    if (d == 0) {
        memset(t, 0, (size_t)n * sizeof(int32_t));
    }
    if (p->is_value) {
        float *restrict values = t;
        for (int i = 0; i < n; i++) {
            values[i] += (float)worth * h[i];
        }
    } else {
        int32_t *restrict codes = t;
        for (int i = 0; i < n; i++) {
            codes[i] += worth * (int32_t)h[i];
        }
    }
}

// Exact.

// bits of the rows of each group, by block and plane: (n_blocks, planes, n_groups, 64)
static void make_index(uint8_t *index, const uint8_t *x, int64_t stride, int64_t n_blocks,
                       const ohmi_row_tile *p) {
    const int64_t n_groups = groups_of(p);
    for (int64_t at = 0; at < n_blocks * p->planes * n_groups; at++) {
        const int64_t group = at % n_groups, block = at / n_groups / p->planes;
        const int plane = (int)(at / n_groups % p->planes);
        uint8_t *to = index + at * LANES;
        memset(to, 0, LANES);
        for (int64_t i = 0; i < GROUP && group * GROUP + i < p->n_rows; i++) {
            const uint8_t *from = x + (group * GROUP + i) * stride + block * LANES;
            for (int v = 0; v < LANES; v++) {
                to[v] = (uint8_t)(to[v] | (from[v] >> plane & 1) << i);
            }
        }
    }
}

// T of 64 vectors on one bit-line, whatever the converter and the size of the sums
static void exact_block(void *t, const uint8_t *table, const uint8_t *index, int d,
                        const ohmi_row_tile *p) {
    const int64_t n_groups = groups_of(p), chunk = 255 / (GROUP * p->max_level);
    _Alignas(64) float h[LANES] = {0}, sum[LANES];
    _Alignas(64) uint8_t part[LANES];
    for (int plane = p->planes - 1; plane >= 0; plane--) {
        uint16_t wide[LANES] = {0};
        for (int64_t g = 0; g < n_groups; g += chunk) {
            add_groups(part, table + g * TABLE, index + (plane * n_groups + g) * LANES,
                       g + chunk < n_groups ? chunk : n_groups - g);
            for (int v = 0; v < LANES; v++) {
                wide[v] = (uint16_t)(wide[v] + part[v]);
            }
        }
        for (int v = 0; v < LANES; v++) {
            sum[v] = (float)wide[v];
        }
        convert(h, sum, LANES, p->is_signed && plane == p->planes - 1 ? -1.0f : 1.0f, &p->adc[d]);
    }
    add_digit(t, h, LANES, d, p);
}

// parts of the workspace
typedef struct {
    uint8_t *made, *table, *index;
} exact_work;

static size_t split_exact(exact_work *at, uint8_t *base, const ohmi_row_tile *p,
                          int64_t n_vectors) {
    const size_t tables = (size_t)(groups_of(p) * TABLE + 63) / 64 * 64;
    const size_t made = (size_t)groups_of(p) * 16 * OHMI_PANEL;
    if (at) {
        *at = (exact_work){base, base + made, base + made + tables};
    }
    return made + tables + (size_t)(blocks_of(n_vectors) * (p->planes + 1) * groups_of(p)) * LANES;
}

static void run_exact(void *out, const uint8_t *x, int64_t stride, int64_t n_vectors,
                      const ohmi_row_tile *p, void *work) {
    const int64_t n_blocks = blocks_of(n_vectors), n_groups = groups_of(p);
    exact_work at;
    split_exact(&at, work, p, n_vectors);
    make_index(at.index, x, stride, n_blocks, p);
    for (int64_t line = 0; line < p->n_panels * p->lines; line++) {
        const uint8_t *cells = p->cells + line * 4 * p->n_quads * OHMI_PANEL;
        const int64_t first = line / p->lines * OHMI_PANEL, rest = p->n_slots - first;
        const int64_t n = rest < OHMI_PANEL ? rest : OHMI_PANEL;
        begin_line(at.made, cells, p, n);
        for (int64_t lane = 0; lane < n; lane++) {
            int32_t *t = (int32_t *)out + (first + lane) * stride;
            make_tables(at.table, at.made, cells, lane, p);
            for (int64_t block = 0; block < n_blocks; block++) {
                exact_block(t + block * LANES, at.table,
                            at.index + block * p->planes * n_groups * LANES, (int)(line % p->lines),
                            p);
            }
        }
    }
}

// Real.

// parts of the workspace; vectors by eights, so that what one reads lies together
typedef struct {
    uint64_t *index; // (n_fours, n_vectors / 8, n_quads, 8): where the sums of four rows lie
                     // behind those of none, bytes, 16 bits for each of four planes
    float *base;     // (planes, n_vectors) variance by rows that are on
    float *table;    // (n_quads, 16, 32)
} real_work;

static inline int fours_of(const ohmi_row_tile *p) {
    return (p->planes + 3) / 4;
}

static size_t split_real(real_work *at, uint8_t *base, const ohmi_row_tile *p, int64_t n_vectors) {
    const size_t n = (size_t)(blocks_of(n_vectors) * LANES);
    const size_t index = (size_t)fours_of(p) * n * (size_t)p->n_quads * sizeof(uint64_t);
    const size_t active = n * MAX_PLANES * sizeof(float);
    if (at) {
        *at = (real_work){(void *)base, (void *)(base + index), (void *)(base + index + active)};
    }
    return index + active + (size_t)p->n_quads * QUAD_BYTES;
}

static void make_bits(real_work *at, const uint8_t *x, int64_t stride, int64_t n_blocks,
                      const ohmi_row_tile *p) {
    const int64_t n = n_blocks * LANES;
    for (int64_t k = 0; k < fours_of(p) * n / 8 * p->n_quads; k++) {
        const int64_t quad = k % p->n_quads, eight = k / p->n_quads % (n / 8);
        const int shift = 4 * (int)(k / p->n_quads / (n / 8));
        uint64_t all[8] = {0};
        for (int64_t i = 0; i < 4 && 4 * quad + i < p->n_rows; i++) {
            const uint8_t *from = x + (4 * quad + i) * stride + 8 * eight;
            for (int v = 0; v < 8; v++) {
                // four bits to fields of 16: one bit a field is kept, then moved to its place
                const uint64_t bits = (uint64_t)(from[v] >> shift & 15);
                const uint64_t kept = bits * 0x0001000100010001u & 0x0008000400020001u;
                const uint64_t ones = (kept + 0x0000000400060007u) >> 3 & 0x0001000100010001u;
                all[v] |= ones * SUM_BYTES << i;
            }
        }
        memcpy(at->index + k * 8, all, sizeof all);
    }
    if (p->noise) {
        memset(at->base, 0, (size_t)(n * p->planes) * sizeof *at->base);
    }
    for (int64_t row = 0; p->noise && row < p->n_rows; row++) {
        for (int plane = 0; plane < p->planes; plane++) {
            float *count = at->base + plane * n;
            for (int64_t v = 0; v < n; v++) {
                count[v] += (float)(x[row * stride + v] >> plane & 1);
            }
        }
    }
    for (int64_t i = 0; p->noise && i < p->planes * n; i++) {
        at->base[i] *= p->noise->noise_active;
    }
}

// sums of all combinations of every four rows of 32 bit-lines; cells (n_rows, 64)
static void make_sums(float *table, const float *cells, const ohmi_row_tile *p) {
    const lanes32 zero = {0};
    for (int64_t quad = 0; quad < p->n_quads; quad++) {
        for (int half = 0; half < 2; half++) {
            lanes32 *at = (lanes32 *)(table + quad * 16 * WIDE) + half;
            at[0] = zero;
            for (int bit = 0; bit < 4; bit++) {
                const int64_t row = 4 * quad + bit;
                const lanes32 cell =
                    row < p->n_rows ? *((const lanes32 *)(cells + row * OHMI_PANEL) + half) : zero;
                for (int i = 0; i < 1 << bit; i++) {
                    at[2 * ((1 << bit) + i)] = at[2 * i] + cell;
                }
            }
        }
    }
}

// sums of 32 bit-lines for n planes of one vector from plane `first` of four on, both even
OHMI_INLINE void add_quads(lanes32 sum[][2], const float *table, const uint64_t *index,
                           int64_t n_quads, const int first, const int n) {
    const uint8_t *rows = (const uint8_t *)table;
    OHMI_UNROLL
    for (int bit = 0; bit < n; bit++) {
        sum[bit][0] = sum[bit][1] = (lanes32){0};
    }
    for (int64_t quad = 0; quad < n_quads; quad++, rows += QUAD_BYTES) {
        OHMI_UNROLL
        for (int bit = 0; bit < n; bit += 2) {
            uint32_t two;
            memcpy(&two, (const uint16_t *)(index + 8 * quad) + first + bit, sizeof two);
            const lanes32 *a = (const lanes32 *)(rows + (two & 0xFFFFu));
            const lanes32 *b = (const lanes32 *)(rows + (two >> 16));
            sum[bit][0] += a[0];
            sum[bit][1] += a[1];
            sum[bit + 1][0] += b[0];
            sum[bit + 1][1] += b[1];
        }
    }
}

// adds noise to the sums of one plane
static inline void add_noise(float sum[WIDE], const float z[WIDE], float base, float factor) {
    for (int i = 0; i < WIDE; i++) {
        const float deviation = ohmi_noise_deviation(__builtin_fmaf(factor, sum[i], base));
        sum[i] = __builtin_fmaf(deviation, z[i], sum[i]);
    }
}

// what one vector is read with on 32 bit-lines
typedef struct {
    const ohmi_row_tile *p;
    const ohmi_adc *adc;
    const noise_keys *keys;
    const float *table;    // (n_quads, 16, 32)
    const float *offset;   // (32); NULL = none
    const uint32_t *id;    // (32)
    const uint64_t *index; // of its quads, every eighth; of four planes `index_step` apart
    const float *base;     // of its planes, `step` apart
    int64_t step, index_step;
    uint64_t vector;
} real_reading;

// h (32) of one vector, any converter
static inline void read_any(float h[WIDE], const real_reading *r) {
    const ohmi_row_tile *p = r->p;
    _Alignas(64) float sum[4][WIDE], z[4][WIDE];
    memset(h, 0, WIDE * sizeof *h);
    for (int four = (p->planes - 1) / 4; four >= 0; four--) {
        for (int bit = 0; bit < 4; bit += 2) {
            lanes32 two[2][2];
            add_quads(two, r->table, r->index + four * r->index_step, p->n_quads, bit, 2);
            memcpy(sum[bit], two, sizeof two);
        }
        if (p->noise) {
            draw_normals(z, r->id, r->vector, four, r->keys);
        }
        const int last = p->planes - 1 - 4 * four;
        for (int bit = last < 3 ? last : 3; bit >= 0; bit--) {
            const int plane = 4 * four + bit;
            for (int i = 0; r->offset && i < WIDE; i++) {
                sum[bit][i] += r->offset[i];
            }
            if (p->noise) {
                add_noise(sum[bit], z[bit], r->base[plane * r->step], p->noise->noise_sum);
            }
            convert(h, sum[bit], WIDE, p->is_signed && plane == p->planes - 1 ? -1.0f : 1.0f,
                    r->adc);
        }
    }
}

static void read_vector(float h[WIDE], const real_reading *r);

static void run_real(void *out, const uint8_t *x, int64_t stride, const uint64_t *vector,
                     int64_t n_vectors, const ohmi_row_tile *p, void *work) {
    const int64_t n_blocks = blocks_of(n_vectors), n = n_blocks * LANES;
    const int64_t halves = OHMI_PANEL / WIDE;
    noise_keys keys = {.read = p->noise ? p->noise->read : 0};
    _Alignas(64) float h[TURN][WIDE] = {{0}}, turned[WIDE][TURN];
    real_work at;
    split_real(&at, work, p, n_vectors);
    make_bits(&at, x, stride, n_blocks, p);
    ohmi_noise_keys(keys.key, p->noise ? p->noise->seed : 0);
    for (int64_t i = 0; i < p->n_panels * p->lines * halves; i++) {
        // panel by panel, its halves, and the digits of each
        const int d = (int)(i % p->lines);
        const int64_t panel = i / p->lines / halves, lane = i / p->lines % halves * WIDE;
        const int64_t line = panel * p->lines + d, first = panel * OHMI_PANEL + lane;
        const int64_t n_lanes = p->n_slots - first < WIDE ? p->n_slots - first : WIDE;
        if (n_lanes <= 0) {
            continue;
        }
        make_sums(at.table, p->real + line * p->n_rows * OHMI_PANEL + lane, p);
        real_reading r = {.p = p, .adc = &p->adc[d], .keys = &keys, .table = at.table, .step = n};
        r.index_step = n * p->n_quads;
        r.offset = p->offset ? p->offset + line * OHMI_PANEL + lane : NULL;
        r.id = p->noise ? p->id + line * OHMI_PANEL + lane : NULL;
        for (int64_t v = 0; v < n_vectors; v += TURN) {
            for (int64_t j = 0; j < TURN && v + j < n_vectors; j++) {
                r.index = at.index + (v + j) / 8 * p->n_quads * 8 + (v + j) % 8;
                r.base = at.base + v + j;
                r.vector = vector ? vector[v + j] : 0;
                read_vector(h[j], &r);
            }
            turn(turned, h);
            for (int64_t k = 0; k < n_lanes; k++) {
                add_digit((int32_t *)out + (first + k) * stride + v, turned[k], TURN, d, p);
            }
        }
    }
}

static size_t lanes_workspace(const ohmi_row_tile *p, int64_t n_vectors) {
    return p->real ? split_real(NULL, NULL, p, n_vectors) : split_exact(NULL, NULL, p, n_vectors);
}

#endif
