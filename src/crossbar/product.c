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

bool ohmi_product_tabulate(int32_t *code, uint8_t *code8, const ohmi_adc *adc, int lines,
                           int64_t n_sums) {
    bool fits = n_sums <= 256;
    for (int d = 0; d < lines; d++) {
        for (int64_t sum = 0; sum < n_sums; sum++) {
            const int32_t of = (int32_t)ohmi_adc_code(&adc[d], (float)sum);
            fits = fits && of >= 0 && of <= 255;
            code[d * n_sums + sum] = of;
            code8[256 * d + (sum & 255)] = (uint8_t)of;
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

// the sum of one bit-line for one bit of one vector, before the converter; z (64): normal numbers
static float sum_of(const ohmi_row_tile *p, const uint8_t *x, const float *z, int64_t line,
                    int lane, int bit) {
    float sum = 0;
    int n_active = 0;
    for (int64_t row = 0; row < p->n_rows; row++) {
        if (x[row] >> bit & 1) {
            sum += p->real ? p->real[(line * p->n_rows + row) * OHMI_PANEL + lane]
                           : (float)p->cells[(line * 4 * p->n_quads + row) * OHMI_PANEL + lane];
            n_active++;
        }
    }
    if (p->offset) {
        sum += p->offset[line * OHMI_PANEL + lane];
    }
    if (p->noise) {
        const float variance = p->noise->noise_sum * sum + p->noise->noise_active * (float)n_active;
        sum += sqrtf(variance > 0 ? variance : 0) * z[lane];
    }
    return sum;
}

// shift-add over the bits of one bit-line of a panel: codes q (64), values h (64)
static void read_line(int32_t *q, float *h, const ohmi_row_tile *p, const uint8_t *x,
                      uint64_t vector, int64_t line) {
    const ohmi_adc *adc = &p->adc[line % p->lines];
    float z[2][4][OHMI_DRAWS] = {{{0}}};
    for (int four = 0; p->noise && 4 * four < p->planes; four++) {
        noise_normals(z[four], p->id + line * OHMI_PANEL, vector, four, p->noise);
    }
    for (int lane = 0; lane < OHMI_PANEL; lane++) {
        q[lane] = 0;
        h[lane] = 0;
        for (int bit = p->planes - 1; bit >= 0; bit--) {
            const float sum = sum_of(p, x, z[bit / 4][bit % 4], line, lane, bit);
            const int32_t sign = p->is_signed && bit == p->planes - 1 ? -1 : 1;
            const bool is_linear = adc->kind == OHMI_ADC_LINEAR;
            const float code = is_linear ? ohmi_adc_code(adc, sum) : rintf(sum);
            q[lane] = 2 * q[lane] + sign * (int32_t)code;
            h[lane] = 2 * h[lane] + (float)sign * ohmi_adc_read(adc, sum);
        }
    }
}

static void run(void *out, const uint8_t *x, const uint64_t *vector, int64_t n_vectors,
                const ohmi_row_tile *p, void *work) {
    (void)work;
    const int64_t stride = ohmi_product_stride(p->n_rows);
    for (int64_t panel = 0; panel < n_vectors * p->n_panels; panel++) {
        const int64_t v = panel / p->n_panels;
        float *values = (float *)out + panel * OHMI_PANEL;
        int32_t *codes = (int32_t *)out + panel * OHMI_PANEL;
        for (int d = 0; d < p->lines; d++) {
            int32_t q[OHMI_PANEL];
            float h[OHMI_PANEL];
            read_line(q, h, p, x + v * stride, vector ? vector[v] : 0,
                      panel % p->n_panels * p->lines + d);
            for (int lane = 0; lane < OHMI_PANEL; lane++) {
                if (p->is_value) {
                    values[lane] = (d ? values[lane] : 0) + (float)p->worth[d] * h[lane];
                } else {
                    codes[lane] = (d ? codes[lane] : 0) + p->worth[d] * q[lane];
                }
            }
        }
    }
}

static void add_on(int32_t *y, const int32_t *t, const uint64_t *on, int64_t n, int32_t minus) {
    for (int64_t i = 0; i < n; i++) {
        if (on[i / 64] >> (i % 64) & 1) {
            y[i] += *t++ - minus;
        }
    }
}

const ohmi_products ohmi_products_reference = {
    "reference", "plain C, one conversion after another", is_supported, workspace, run, add_on,
};
