// SPDX-License-Identifier: Apache-2.0
// Crossbar products over panels of 64 bit-lines, for files that are compiled for one instruction
// set each. Which columns a bit of an input switches on does not depend on the column, so a sum is
// a chain of additions of rows of cells:
//
//   exact   four word lines have 16 combinations of bits. Their sums are made once for a panel and
//           reused by all vectors: a conversion costs rows / 4 additions of 8 bits. A chunk of rows
//           whose sums may exceed 255 is added up in 16 bits before the next
//   real    the rows that are on are added, in order of the word lines, in float
//
// The file that includes this defines PRODUCT_FINISH8(out, sums, product, pair, is_first) to turn
// sums below 256 into T, or leaves it to finish_any.
#ifndef OHMI_PRODUCT_LANES_H
#define OHMI_PRODUCT_LANES_H

#include <string.h>

#include "crossbar/product.h"

enum { MAX_PLANES = 8 };

typedef uint8_t lanes8 __attribute__((vector_size(64)));
typedef float lanes32 __attribute__((vector_size(64)));

// Parts of the workspace: offsets into the table of combinations, the table itself.
typedef struct {
    uint16_t *index; // (n_vectors, MAX_PLANES + 1, n_quads): bits of four rows times 128
    uint8_t *table;  // (n_quads, 16, 2, 64)
} exact_work;

static int64_t round_64(int64_t n) {
    return (n + 63) / 64 * 64;
}

static size_t lanes_workspace(const ohmi_row_tile *p, int64_t n_vectors) {
    return (size_t)(round_64(n_vectors * (MAX_PLANES + 1) * p->n_quads * 2) +
                    p->n_quads * 16 * 2 * OHMI_PANEL);
}

static exact_work split_work(void *work, const ohmi_row_tile *p, int64_t n_vectors) {
    uint8_t *bytes = work;
    return (exact_work){work, bytes + round_64(n_vectors * (MAX_PLANES + 1) * p->n_quads * 2)};
}

// the bits of every four rows, by plane; one plane more is all zero
static void make_index(uint16_t *index, const uint8_t *x, int64_t n_vectors,
                       const ohmi_row_tile *p) {
    const int64_t stride = ohmi_product_stride(p->n_rows), n_quads = p->n_quads;
    for (int64_t v = 0; v < n_vectors; v++) {
        uint16_t *at = index + v * (MAX_PLANES + 1) * n_quads;
        for (int plane = 0; plane < p->planes; plane++) {
            for (int64_t q = 0; q < n_quads; q++) {
                uint32_t four;
                memcpy(&four, x + v * stride + 4 * q, sizeof four);
                // the bits 0, 8, 16, 24 come to lie side by side from bit 24 of the product
                const uint32_t bits = (four >> plane & 0x01010101u) * 0x01020408u >> 24 & 15u;
                at[plane * n_quads + q] = (uint16_t)(bits * 128);
            }
        }
        memset(at + p->planes * n_quads, 0, (size_t)n_quads * sizeof *at);
    }
}

// sums of all combinations of four rows of two bit-lines; second = NULL: zeros
static void make_table(uint8_t *table, const uint8_t *first, const uint8_t *second,
                       int64_t n_quads) {
    const lanes8 zero = {0};
    for (int64_t q = 0; q < n_quads; q++) {
        for (int line = 0; line < 2; line++) {
            const uint8_t *cells = line ? second : first;
            lanes8 *at = (lanes8 *)(table + (q * 32 + line) * OHMI_PANEL);
            at[0] = zero;
            for (int bit = 0; bit < 4; bit++) {
                const lanes8 row =
                    cells ? *(const lanes8 *)(cells + (4 * q + bit) * OHMI_PANEL) : zero;
                for (int i = 0; i < 1 << bit; i++) {
                    at[((1 << bit) + i) * 2] = at[i * 2] + row;
                }
            }
        }
    }
}

// sums of two planes of two bit-lines over quads begin .. end - 1: sum[plane][line]
static inline void add_quads(lanes8 sum[2][2], const uint8_t *table, const uint16_t *a,
                             const uint16_t *b, int64_t begin, int64_t end) {
    const lanes8 zero = {0};
    lanes8 a0 = zero, a1 = zero, b0 = zero, b1 = zero;
    for (int64_t q = begin; q < end; q++) {
        const uint8_t *rows = table + q * 32 * OHMI_PANEL;
        const lanes8 *of_a = (const lanes8 *)(rows + a[q]);
        const lanes8 *of_b = (const lanes8 *)(rows + b[q]);
        a0 += of_a[0];
        a1 += of_a[1];
        b0 += of_b[0];
        b1 += of_b[1];
    }
    sum[0][0] = a0;
    sum[0][1] = a1;
    sum[1][0] = b0;
    sum[1][1] = b1;
}

// T of two bit-lines of one panel from sums (planes, 2, 64), whatever converter there is
static void finish_any(void *out, const uint16_t sums[MAX_PLANES + 1][2][OHMI_PANEL],
                       const ohmi_row_tile *p, int pair, bool is_first) {
    for (int d = 2 * pair; d < p->lines && d < 2 * pair + 2; d++) {
        const bool sets = is_first && d == 2 * pair;
        const int32_t *code = p->code ? p->code + d * p->n_sums : NULL;
        for (int i = 0; i < OHMI_PANEL; i++) {
            float h = 0;
            int32_t q = 0;
            for (int bit = p->planes - 1; bit >= 0; bit--) {
                const int sum = sums[bit][d % 2][i];
                const int32_t sign = p->is_signed && bit == p->planes - 1 ? -1 : 1;
                if (p->is_value) {
                    h = 2 * h + (float)sign * ohmi_adc_read(&p->adc[d], (float)sum);
                } else {
                    q = 2 * q + sign * (code ? code[sum] : sum);
                }
            }
            if (p->is_value) {
                float *t = (float *)out + i;
                *t = (sets ? 0.0f : *t) + (float)p->worth[d] * h;
            } else {
                int32_t *t = (int32_t *)out + i;
                *t = (sets ? 0 : *t) + p->worth[d] * q;
            }
        }
    }
}

// the planes of one vector and two bit-lines; sums of up to 255 need one chunk of rows
static void exact_pair(void *out, const uint16_t *index, const exact_work *work,
                       const ohmi_row_tile *p, int pair, bool is_first) {
    const int64_t n_quads = p->n_quads;
    const int64_t chunk = 255 / (4 * p->max_level);
    if (p->n_rows * p->max_level <= 255 && (p->code8 || !p->code) && !p->is_value) {
        _Alignas(64) lanes8 sums[MAX_PLANES + 1][2];
        for (int plane = 0; plane < p->planes; plane += 2) {
            add_quads(&sums[plane], work->table, index + plane * n_quads,
                      index + (plane + 1) * n_quads, 0, n_quads);
        }
        PRODUCT_FINISH8(out, (const uint8_t(*)[2][OHMI_PANEL])sums, p, pair, is_first);
        return;
    }
    uint16_t wide[MAX_PLANES + 1][2][OHMI_PANEL];
    memset(wide, 0, sizeof wide);
    for (int plane = 0; plane < p->planes; plane += 2) {
        for (int64_t q = 0; q < n_quads; q += chunk) {
            lanes8 sums[2][2];
            add_quads(sums, work->table, index + plane * n_quads, index + (plane + 1) * n_quads, q,
                      q + chunk < n_quads ? q + chunk : n_quads);
            const uint8_t *bytes = (const uint8_t *)sums;
            uint16_t *to = &wide[plane][0][0];
            const int n = (plane + 1 < p->planes ? 4 : 2) * OHMI_PANEL;
            for (int i = 0; i < n; i++) {
                to[i] = (uint16_t)(to[i] + bytes[i]);
            }
        }
    }
    finish_any(out, (const uint16_t(*)[2][OHMI_PANEL])wide, p, pair, is_first);
}

static void run_exact(void *out, const uint8_t *x, int64_t n_vectors, const ohmi_row_tile *p,
                      void *workspace) {
    const exact_work work = split_work(workspace, p, n_vectors);
    const int64_t width = p->n_panels * OHMI_PANEL, line_bytes = 4 * p->n_quads * OHMI_PANEL;
    make_index(work.index, x, n_vectors, p);
    for (int64_t panel = 0; panel < p->n_panels; panel++) {
        for (int pair = 0; 2 * pair < p->lines; pair++) {
            const uint8_t *first = p->cells + (panel * p->lines + 2 * pair) * line_bytes;
            make_table(work.table, first, 2 * pair + 1 < p->lines ? first + line_bytes : NULL,
                       p->n_quads);
            for (int64_t v = 0; v < n_vectors; v++) {
                exact_pair((int32_t *)out + v * width + panel * OHMI_PANEL,
                           work.index + v * (MAX_PLANES + 1) * p->n_quads, &work, p, pair,
                           pair == 0);
            }
        }
    }
}

// sum of the rows that are on, one bit-line of a panel; row: their numbers
static inline void add_rows(float sum[OHMI_PANEL], const float *cells, const int32_t *row, int n) {
    const lanes32 zero = {0};
    lanes32 s0 = zero, s1 = zero, s2 = zero, s3 = zero;
    for (int i = 0; i < n; i++) {
        const lanes32 *at = (const lanes32 *)(cells + (int64_t)row[i] * OHMI_PANEL);
        s0 += at[0];
        s1 += at[1];
        s2 += at[2];
        s3 += at[3];
    }
    lanes32 *to = (lanes32 *)sum;
    to[0] = s0;
    to[1] = s1;
    to[2] = s2;
    to[3] = s3;
}

// adds noise to the sums of one plane; z (64)
static inline void add_noise(float *sum, const float *z, int n_active,
                             const ohmi_chip_noise *noise) {
    const float base = noise->noise_active * (float)n_active;
    for (int i = 0; i < OHMI_PANEL; i++) {
        const float variance = noise->noise_sum * sum[i] + base;
        sum[i] += sqrtf(variance > 0 ? variance : 0) * z[i];
    }
}

// h = 2 h + sign * value of the converter
static inline void convert(float *h, const float *sum, float sign, const ohmi_adc *adc) {
    if (adc->kind == OHMI_ADC_LINEAR) {
        // codes as whole floats; they stay below 2^24
        const float inverse = adc->inverse, low = adc->q_low, top = adc->q_top;
        for (int i = 0; i < OHMI_PANEL; i++) {
            float q = __builtin_fmaf(sum[i], inverse, OHMI_ADC_MAGIC) - OHMI_ADC_MAGIC;
            q = q < low ? low : q;
            q = q > top ? top : q;
            h[i] = 2 * h[i] + sign * q;
        }
    } else if (adc->kind == OHMI_ADC_NONE) {
        for (int i = 0; i < OHMI_PANEL; i++) {
            h[i] = 2 * h[i] + sign * sum[i];
        }
    } else {
        for (int i = 0; i < OHMI_PANEL; i++) {
            h[i] = 2 * h[i] + sign * ohmi_adc_read(adc, sum[i]);
        }
    }
}

// one vector on one bit-line of a panel: h (64). row: (planes, n_rows) numbers of the rows on
static void real_line(float *h, int64_t line, const int32_t *row, const int *n_active,
                      uint64_t vector, const ohmi_row_tile *p) {
    const float *cells = p->real + line * p->n_rows * OHMI_PANEL;
    _Alignas(64) float sum[OHMI_PANEL], z[2][4][OHMI_DRAWS];
    for (int four = 0; p->noise && 4 * four < p->planes; four++) {
        noise_normals(z[four], p->id + line * OHMI_PANEL, vector, four, p->noise);
    }
    memset(h, 0, OHMI_PANEL * sizeof *h);
    for (int bit = p->planes - 1; bit >= 0; bit--) {
        add_rows(sum, cells, row + bit * p->n_rows, n_active[bit]);
        for (int i = 0; p->offset && i < OHMI_PANEL; i++) {
            sum[i] += p->offset[line * OHMI_PANEL + i];
        }
        if (p->noise) {
            add_noise(sum, z[bit / 4][bit % 4], n_active[bit], p->noise);
        }
        convert(h, sum, p->is_signed && bit == p->planes - 1 ? -1.0f : 1.0f,
                &p->adc[line % p->lines]);
    }
}

// the numbers of the rows on in each plane of every vector
static void make_rows(int32_t *row, int *n_active, const uint8_t *x, const ohmi_row_tile *p) {
    for (int bit = 0; bit < p->planes; bit++) {
        int n = 0;
        int32_t *to = row + bit * p->n_rows;
        for (int64_t r = 0; r < p->n_rows; r++) {
            to[n] = (int32_t)r;
            n += x[r] >> bit & 1;
        }
        n_active[bit] = n;
    }
}

static size_t real_workspace(const ohmi_row_tile *p, int64_t n_vectors) {
    return (size_t)(n_vectors * MAX_PLANES * (p->n_rows + 1)) * sizeof(int32_t) + 64;
}

static void run_real(void *out, const uint8_t *x, const uint64_t *vector, int64_t n_vectors,
                     const ohmi_row_tile *p, void *work) {
    const int64_t width = p->n_panels * OHMI_PANEL, stride = ohmi_product_stride(p->n_rows);
    int32_t *row = work, *n_active = row + n_vectors * MAX_PLANES * p->n_rows;
    for (int64_t v = 0; v < n_vectors; v++) {
        make_rows(row + v * MAX_PLANES * p->n_rows, n_active + v * MAX_PLANES, x + v * stride, p);
    }
    for (int64_t panel = 0; panel < p->n_panels; panel++) {
        for (int64_t v = 0; v < n_vectors; v++) {
            const int64_t at = v * width + panel * OHMI_PANEL;
            for (int d = 0; d < p->lines; d++) {
                _Alignas(64) float h[OHMI_PANEL];
                real_line(h, panel * p->lines + d, row + v * MAX_PLANES * p->n_rows,
                          n_active + v * MAX_PLANES, vector ? vector[v] : 0, p);
                if (p->is_value) {
                    float *t = (float *)out + at;
                    const float worth = (float)p->worth[d];
                    for (int i = 0; i < OHMI_PANEL; i++) {
                        t[i] = (d ? t[i] : 0) + worth * h[i];
                    }
                } else {
                    int32_t *t = (int32_t *)out + at;
                    const int32_t worth = p->worth[d];
                    for (int i = 0; i < OHMI_PANEL; i++) {
                        t[i] = (d ? t[i] : 0) + worth * (int32_t)h[i];
                    }
                }
            }
        }
    }
}

static size_t product_workspace(const ohmi_row_tile *p, int64_t n_vectors) {
    return p->real ? real_workspace(p, n_vectors) : lanes_workspace(p, n_vectors);
}

static void product_run(void *out, const uint8_t *x, const uint64_t *vector, int64_t n_vectors,
                        const ohmi_row_tile *p, void *work) {
    if (p->real) {
        run_real(out, x, vector, n_vectors, p, work);
    } else {
        run_exact(out, x, n_vectors, p, work);
    }
}

#endif
