// SPDX-License-Identifier: Apache-2.0
// The table of crossbar products, and its plain row: one sum, one conversion, one shift-add after
// another, as product.h writes them.
#include "crossbar/product.h"

#include <math.h>
#include <string.h>

static const ohmi_products *const g_rows[] = {
#if defined(__x86_64__)
    &ohmi_products_vbmi,
    &ohmi_products_avx2,
#endif
    &ohmi_products_reference,
};

const ohmi_products *const *ohmi_products_all(int *count) {
    *count = (int)(sizeof g_rows / sizeof *g_rows);
    return g_rows;
}

const ohmi_products *ohmi_products_find(const char *name) {
    int count = 0;
    const ohmi_products *const *rows = ohmi_products_all(&count);
    for (int i = 0; i < count; i++) {
        const bool is_named = strcmp(name, "auto") == 0 || strcmp(name, rows[i]->name) == 0;
        if (is_named && rows[i]->is_supported()) {
            return rows[i];
        }
    }
    return NULL;
}

bool ohmi_product_is_value(bool is_real, const ohmi_adc *adc) {
    return adc->kind == OHMI_ADC_GIVEN || (is_real && adc->kind == OHMI_ADC_NONE);
}

bool ohmi_product_tabulate(uint8_t *code8, const ohmi_adc *adc, int lines, int64_t n_sums) {
    bool fits = n_sums <= 256;
    for (int d = 0; d < lines; d++) {
        for (int64_t sum = 0; fits && sum < n_sums; sum++) {
            const int32_t of = (int32_t)ohmi_adc_code(&adc[d], (float)sum);
            fits = of >= 0 && of <= 255;
            code8[256 * d + sum] = (uint8_t)of;
        }
    }
    return fits;
}

static bool is_supported(void) {
    return true;
}

static size_t workspace(const ohmi_row_tile *p, int64_t n_vectors) {
    (void)p;
    (void)n_vectors;
    return 64;
}

// one vector on one bit-line
typedef struct {
    const ohmi_row_tile *tile;
    const uint8_t *x; // inputs of the vector, `stride` apart
    int64_t stride, line, lane;
} reading;

// exact cells are whole numbers, whose sums a float holds
static float cell_of(const reading *r, int64_t row) {
    const ohmi_row_tile *p = r->tile;
    return p->real ? p->real[(r->line * p->n_rows + row) * OHMI_PANEL + r->lane]
                   : (float)p->cells[(r->line * 4 * p->n_quads + row) * OHMI_PANEL + r->lane];
}

// the sum for one bit, before the converter; z: a normal number
static float sum_of(const reading *r, float z, int bit) {
    const ohmi_row_tile *p = r->tile;
    float sum = 0;
    int n_active = 0;
    for (int64_t quad = 0; quad < p->n_quads; quad++) {
        float part = 0;
        for (int64_t row = 4 * quad; row < 4 * quad + 4 && row < p->n_rows; row++) {
            if (r->x[row * r->stride] >> bit & 1) {
                part += cell_of(r, row);
                n_active++;
            }
        }
        sum += part;
    }
    if (p->offset) {
        sum += p->offset[r->line * OHMI_PANEL + r->lane];
    }
    if (p->noise) {
        const float variance =
            fmaf(p->noise->noise_sum, sum, p->noise->noise_active * (float)n_active);
        sum = fmaf(ohmi_noise_deviation(variance), z, sum);
    }
    return sum;
}

// shift-add over the bits: codes *q, values *h
static void read_line(int32_t *q, float *h, const reading *r, uint64_t vector) {
    const ohmi_row_tile *p = r->tile;
    const ohmi_adc *adc = &p->adc[r->line % p->lines];
    float z[8] = {0};
    for (int four = 0; p->noise && 4 * four < p->planes; four++) {
        ohmi_noise_normals(z + 4 * four, p->id[r->line * OHMI_PANEL + r->lane], vector, four,
                           p->noise);
    }
    *q = 0;
    *h = 0;
    for (int bit = p->planes - 1; bit >= 0; bit--) {
        const float sum = sum_of(r, z[bit], bit);
        const int32_t sign = p->is_signed && bit == p->planes - 1 ? -1 : 1;
        const bool is_linear = adc->kind == OHMI_ADC_LINEAR;
        const float code = is_linear ? ohmi_adc_code(adc, sum) : rintf(sum);
        *q = 2 * *q + sign * (int32_t)code;
        *h = 2 * *h + (float)sign * ohmi_adc_read(adc, sum);
    }
}

static void run(void *out, const uint8_t *x, int64_t stride, const uint64_t *vector,
                int64_t n_vectors, const ohmi_row_tile *p, void *work) {
    (void)work;
    for (int64_t slot = 0; slot < p->n_slots; slot++) {
        float *values = (float *)out + slot * stride;
        int32_t *codes = (int32_t *)out + slot * stride;
        for (int64_t v = 0; v < n_vectors; v++) {
            for (int d = 0; d < p->lines; d++) {
                const reading r = {p, x + v, stride, slot / OHMI_PANEL * p->lines + d,
                                   slot % OHMI_PANEL};
                int32_t q;
                float h;
                read_line(&q, &h, &r, vector ? vector[v] : 0);
                if (p->is_value) {
                    values[v] = (d ? values[v] : 0) + (float)p->worth[d] * h;
                } else {
                    codes[v] = (d ? codes[v] : 0) + p->worth[d] * q;
                }
            }
        }
    }
}

const ohmi_products ohmi_products_reference = {
    "reference", "plain C, one conversion after another", is_supported, workspace, run,
};
