// SPDX-License-Identifier: Apache-2.0
// Crossbar products: the plain row against integer products it must equal, every other row against
// the plain one bit for bit, over rows, panels, bits, planes, converters, offsets and noise.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "crossbar/product.h"

enum { MAX_LINES = 4 };

typedef struct {
    int64_t n_rows, n_slots, n_vectors;
    int lines, cell_bits, planes;
    bool is_signed;
} product_case;

// 72 rows of 2-bit cells; more rows than 255 sums allow; odd lines and planes; one of everything
static const product_case cases[] = {
    {72, 70, 9, 2, 2, 4, false}, {72, 36, 5, 2, 2, 8, true},   {27, 64, 7, 2, 2, 8, true},
    {72, 20, 4, 3, 1, 4, false}, {16, 10, 3, 1, 4, 6, false},  {128, 65, 4, 2, 2, 4, false},
    {200, 9, 3, 4, 4, 5, false}, {1, 1, 1, 1, 1, 1, false},    {85, 130, 3, 2, 2, 7, false},
    {63, 64, 2, 4, 2, 8, false}, {72, 66, 67, 2, 2, 4, false},
};

typedef struct {
    ohmi_row_tile p;
    uint8_t *cells, *x;
    float *real, *offset;
    uint32_t *id;
    uint64_t *vector;
    int32_t worth[MAX_LINES];
    uint8_t code8[MAX_LINES * 256];
    ohmi_adc adc[MAX_LINES]; // of the digits
    ohmi_chip_noise noise;
} fixture;

static uint32_t draw(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void build(fixture *f, const product_case *c, int seed) {
    uint32_t state = (uint32_t)seed;
    ohmi_row_tile *p = &f->p;
    memset(f, 0, sizeof *f);
    p->n_rows = c->n_rows;
    p->n_quads = (c->n_rows + 3) / 4;
    p->n_slots = c->n_slots;
    p->n_panels = (c->n_slots + OHMI_PANEL - 1) / OHMI_PANEL;
    p->lines = c->lines;
    p->max_level = (1 << c->cell_bits) - 1;
    p->planes = c->planes;
    p->is_signed = c->is_signed;
    const int64_t n_lines = p->n_panels * c->lines, stride = ohmi_product_stride(c->n_vectors);
    f->cells = ohmi_alloc((size_t)(n_lines * 4 * p->n_quads), OHMI_PANEL);
    f->real = ohmi_alloc((size_t)(n_lines * c->n_rows * OHMI_PANEL), sizeof(float));
    f->offset = ohmi_alloc((size_t)(n_lines * OHMI_PANEL), sizeof(float));
    f->id = ohmi_alloc((size_t)(n_lines * OHMI_PANEL), sizeof(uint32_t));
    f->x = ohmi_alloc((size_t)(c->n_rows * stride), 1);
    f->vector = ohmi_alloc((size_t)c->n_vectors, sizeof(uint64_t));
    for (int64_t line = 0; line < n_lines; line++) {
        for (int64_t row = 0; row < c->n_rows; row++) {
            for (int lane = 0; lane < OHMI_PANEL; lane++) {
                const int64_t slot = line / c->lines * OHMI_PANEL + lane;
                const uint32_t level = draw(&state) % (uint32_t)(p->max_level + 1);
                if (slot < c->n_slots) {
                    f->cells[(line * 4 * p->n_quads + row) * OHMI_PANEL + lane] = (uint8_t)level;
                    f->real[(line * c->n_rows + row) * OHMI_PANEL + lane] =
                        (float)level + 0.1f * ((float)(draw(&state) % 1000) / 1000.0f - 0.5f);
                }
            }
        }
    }
    for (int64_t i = 0; i < n_lines * OHMI_PANEL; i++) {
        f->offset[i] = (float)(draw(&state) % 100) / 100.0f - 0.5f;
        f->id[i] = draw(&state);
    }
    for (int64_t v = 0; v < c->n_vectors; v++) {
        f->vector[v] = (uint64_t)v * 1000003u + ((uint64_t)v << 33);
        for (int64_t row = 0; row < c->n_rows; row++) {
            f->x[row * stride + v] = (uint8_t)(draw(&state) & ((1u << c->planes) - 1));
        }
    }
    int32_t worth = 1;
    for (int d = 0; d < c->lines; d++, worth <<= c->cell_bits) {
        f->worth[d] = d % 3 == 2 ? -worth : worth;
    }
    p->worth = f->worth;
    p->adc = f->adc;
}

static void clear(fixture *f) {
    ohmi_free(f->cells);
    ohmi_free(f->real);
    ohmi_free(f->offset);
    ohmi_free(f->id);
    ohmi_free(f->x);
    ohmi_free(f->vector);
}

// The converter for the least significant digit, its range wider by a factor for each further one.
static void use_adc(fixture *f, ohmi_adc adc, double factor) {
    const bool is_linear = adc.kind == OHMI_ADC_LINEAR;
    const int64_t n_sums = f->p.n_rows * f->p.max_level + 1;
    int bits = 0;
    while (is_linear && 1 << bits < adc.n_codes) {
        bits++;
    }
    double scale = 1;
    for (int d = 0; d < f->p.lines; d++, scale *= factor) {
        f->adc[d] = is_linear ? ohmi_adc_linear(scale * adc.low, scale * adc.high, bits) : adc;
    }
    const bool fits = is_linear && ohmi_product_tabulate(f->code8, f->adc, f->p.lines, n_sums);
    f->p.code8 = fits ? f->code8 : NULL;
}

// Every row of the table gives the bits of the plain one.
static void compare_rows(const fixture *f, const product_case *c, const char *what) {
    int count = 0;
    const ohmi_products *const *rows = ohmi_products_all(&count);
    const int64_t stride = ohmi_product_stride(c->n_vectors);
    const size_t n = (size_t)(c->n_slots * stride);
    int32_t *expected = ohmi_alloc(n, sizeof *expected), *found = ohmi_alloc(n, sizeof *found);
    ohmi_products_reference.run(expected, f->x, stride, f->vector, c->n_vectors, &f->p, NULL);
    for (int r = 0; r < count; r++) {
        if (rows[r]->is_supported()) {
            void *work = ohmi_alloc(rows[r]->workspace(&f->p, c->n_vectors), 1);
            memset(found, 0x55, n * sizeof *found);
            rows[r]->run(found, f->x, stride, f->vector, c->n_vectors, &f->p, work);
            for (size_t i = 0; i < n; i++) {
                if ((int64_t)i % stride < c->n_vectors && found[i] != expected[i]) {
                    fail_msg("%s, %s, %lld rows: T[%zu] is %d, not %d", rows[r]->name, what,
                             (long long)c->n_rows, i, found[i], expected[i]);
                }
            }
            ohmi_free(work);
        }
    }
    ohmi_free(expected);
    ohmi_free(found);
}

static void test_rows_agree(void **state) {
    (void)state;
    static const float given[4] = {0, 1.5f, 9, 30};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const product_case *c = &cases[i];
        fixture f;
        build(&f, c, 7 + (int)i);
        const double most = (double)(c->n_rows * f.p.max_level);
        const struct {
            const char *name;
            ohmi_adc adc;
            double factor; // from digit to digit
        } converters[] = {{"ideal", ohmi_adc_ideal(), 1},
                          {"linear", ohmi_adc_linear(0, most, 5), 1},
                          {"by digit", ohmi_adc_linear(0, most, 5), 0.5},
                          {"narrow", ohmi_adc_linear(most / 10, most / 3 + 1, 3), 1},
                          {"fine", ohmi_adc_linear(0, most, 12), 0.25},
                          {"given", ohmi_adc_given(given, 4), 1}};
        for (size_t a = 0; a < sizeof converters / sizeof *converters; a++) {
            use_adc(&f, converters[a].adc, converters[a].factor);
            f.p.cells = f.cells;
            f.p.real = NULL;
            f.p.is_value = ohmi_product_is_value(false, f.adc);
            compare_rows(&f, c, converters[a].name);

            // the same with cells that are no integers, then with offsets, then with noise
            f.p.cells = NULL;
            f.p.real = f.real;
            f.p.code8 = NULL;
            f.p.is_value = ohmi_product_is_value(true, f.adc);
            compare_rows(&f, c, converters[a].name);
            f.p.offset = f.offset;
            compare_rows(&f, c, converters[a].name);
            f.p.id = f.id;
            f.noise = (ohmi_chip_noise){0.01f, 0.02f, 99, 3};
            f.p.noise = &f.noise;
            compare_rows(&f, c, converters[a].name);
            f.p.offset = NULL;
            f.p.noise = NULL;
        }
        clear(&f);
    }
    assert_int_equal(ohmi_live_blocks(), 0);
}

// Ideal converters: T is the product of the inputs with the cells' digits, as whole numbers.
static void test_ideal_is_integer_product(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const product_case *c = &cases[i];
        fixture f;
        build(&f, c, 70 + (int)i);
        use_adc(&f, ohmi_adc_ideal(), 1);
        f.p.cells = f.cells;
        const int64_t stride = ohmi_product_stride(c->n_vectors);
        int32_t *t = ohmi_alloc((size_t)(c->n_slots * stride), sizeof *t);
        ohmi_products_reference.run(t, f.x, stride, NULL, c->n_vectors, &f.p, NULL);
        for (int64_t v = 0; v < c->n_vectors; v++) {
            for (int64_t slot = 0; slot < c->n_slots; slot++) {
                int64_t sum = 0;
                for (int64_t row = 0; row < c->n_rows; row++) {
                    int input = f.x[row * stride + v];
                    if (c->is_signed && input >> (c->planes - 1)) {
                        input -= 1 << c->planes;
                    }
                    for (int d = 0; d < c->lines; d++) {
                        const int64_t line = slot / OHMI_PANEL * c->lines + d;
                        sum += input * f.worth[d] *
                               f.cells[(line * 4 * f.p.n_quads + row) * OHMI_PANEL +
                                       slot % OHMI_PANEL];
                    }
                }
                assert_int_equal(t[slot * stride + v], sum);
            }
        }
        ohmi_free(t);
        clear(&f);
    }
}

// As many rows as there are groups of six and four in registers and beyond, with codes that share a
// byte, that fill it, and weights that do not fit one.
static void test_group_counts(void **state) {
    (void)state;
    for (int64_t rows = 1; rows <= 91; rows += 5) {
        const int planes = 1 + (int)(rows % 8);
        const product_case c = {rows, 67, 3 + 64 * (rows % 2), 2, 2, planes, rows % 3 == 0};
        fixture f;
        build(&f, &c, (int)rows);
        f.p.cells = f.cells;
        const double most = (double)(rows * 3);
        const ohmi_adc adc[] = {ohmi_adc_ideal(), ohmi_adc_linear(0, most / 2, 5),
                                ohmi_adc_linear(0, most, 8), ohmi_adc_linear(0, most, 2)};
        for (size_t a = 0; a < sizeof adc / sizeof *adc; a++) {
            use_adc(&f, adc[a], 1);
            f.worth[1] = a % 2 ? 4 : 1 << 14;
            compare_rows(&f, &c, "groups");
        }
        clear(&f);
    }
}

static int by_size(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

// Normal numbers of 2 to the 20: moments, and Kolmogorov's distance from the normal distribution.
static void test_noise_is_normal(void **state) {
    (void)state;
    enum { N = 4096, LINES = 64 };
    float *z = ohmi_alloc((size_t)N * LINES * 4, sizeof *z);
    const ohmi_chip_noise noise = {.seed = 5, .read = 0};
    for (int i = 0; i < N * LINES; i++) {
        ohmi_noise_normals(z + 4 * i, (uint32_t)(i % LINES), (uint64_t)(i / LINES), 0, &noise);
    }
    double moment[4] = {0};
    const double n = N * LINES * 4.0;
    for (int i = 0; i < N * LINES * 4; i++) {
        const double a = (double)z[i];
        moment[0] += a / n;
        moment[1] += a * a / n;
        moment[2] += a * a * a / n;
        moment[3] += a * a * a * a / n;
    }
    // five standard errors each: variances 1, 2, 15 and 96 of the powers
    const double expected[4] = {0, 1, 0, 3}, error[4] = {1, 1.4143, 3.873, 9.798};
    for (int i = 0; i < 4; i++) {
        assert_true(fabs(moment[i] - expected[i]) < 5 * error[i] / sqrt(n));
    }

    // 1.63 / sqrt(n) is exceeded once in a hundred times
    qsort(z, (size_t)n, sizeof *z, by_size);
    double distance = 0;
    for (int i = 0; i < N * LINES * 4; i++) {
        const double below = 0.5 * erfc(-(double)z[i] / sqrt(2.0));
        distance = fmax(distance, fmax(fabs(below - i / n), fabs(below - (i + 1) / n)));
    }
    assert_true(distance < 1.63 / sqrt(n));
    ohmi_free(z);
}

// The size of a normal number is exceeded as often as its word says, also far out.
static void test_noise_quantiles(void **state) {
    (void)state;
    for (uint32_t word = 1; word < 1u << 31; word += 1 + word / 997) {
        const double z = (double)ohmi_noise_normal(word), u = (double)(word | 1u) / 2147483648.0;
        const double density = sqrt(2 / 3.14159265358979) * exp(-z * z / 2);
        assert_true(fabs(erfc(z / sqrt(2.0)) - u) <= 4e-5 * density);
        assert_true(ohmi_noise_normal(0u - (word | 1u)) == -ohmi_noise_normal(word | 1u));
    }
}

// Numbers of other planes, lines, vectors, reads and seeds have nothing to do with each other.
static void test_noise_is_independent(void **state) {
    (void)state;
    enum { N = 50000, OTHERS = 8 };
    const uint64_t far = (uint64_t)1 << 32;
    double cross[OTHERS] = {0};
    for (uint32_t i = 0; i < N; i++) {
        const ohmi_chip_noise noise = {.seed = 7, .read = 3}, read = {.seed = 7, .read = 4};
        const ohmi_chip_noise seed = {.seed = 8, .read = 3}, seeds = {.seed = 7 + far, .read = 3};
        float z[4], w[OTHERS][4];
        ohmi_noise_normals(z, i, 9, 0, &noise);
        memcpy(w[0], z + 1, 3 * sizeof *z);
        w[0][3] = z[0];
        ohmi_noise_normals(w[1], i + 1, 9, 0, &noise);
        ohmi_noise_normals(w[2], i, 10, 0, &noise);
        ohmi_noise_normals(w[3], i, 9 + far, 0, &noise);
        ohmi_noise_normals(w[4], i, 9, 1, &noise);
        ohmi_noise_normals(w[5], i, 9, 0, &read);
        ohmi_noise_normals(w[6], i, 9, 0, &seed);
        ohmi_noise_normals(w[7], i, 9, 0, &seeds);
        for (int other = 0; other < OTHERS; other++) {
            for (int j = 0; j < 4; j++) {
                cross[other] += (double)z[j] * (double)w[other][j];
            }
        }
    }
    for (int other = 0; other < OTHERS; other++) {
        assert_true(fabs(cross[other]) < 5 * sqrt(4.0 * N));
    }
}

// The block's bits are part of reproducibility; the deviation is a square root.
static void test_noise_parts(void **state) {
    (void)state;
    uint32_t key[OHMI_NOISE_ROUNDS + 1][4], out[4];
    const uint32_t zero[4] = {0};
    ohmi_noise_keys(key, 0);
    ohmi_noise_bits(out, zero, (const uint32_t(*)[4])key);
    const uint32_t pinned[4] = {0xdacf61ff, 0xc45798f3, 0x113c7eeb, 0x101e27f3};
    assert_memory_equal(out, pinned, sizeof out);
    assert_true(ohmi_noise_deviation(-1) == 0 && ohmi_noise_deviation(0) == 0);
    for (float v = 1e-12f; v < 1e9f; v *= 1.0003f) {
        assert_true(fabs((double)ohmi_noise_deviation(v) / sqrt((double)v) - 1) < 3e-5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_agree),      cmocka_unit_test(test_ideal_is_integer_product),
        cmocka_unit_test(test_group_counts),    cmocka_unit_test(test_noise_is_normal),
        cmocka_unit_test(test_noise_quantiles), cmocka_unit_test(test_noise_is_independent),
        cmocka_unit_test(test_noise_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
