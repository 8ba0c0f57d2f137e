// SPDX-License-Identifier: Apache-2.0
// The quantiser grids against their definitions: levels from the sums of powers of two, rounding by
// a search for the nearest level in double, steps by minimising the square error numerically.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "quantise/grid.h"

static float draw(uint32_t i) {
    const ohmi_rng rng = {.seed = 5, .purpose = OHMI_RNG_TEST};
    return ohmi_rng_normal(&rng, i);
}

static int by_value(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

// the level nearest to v >= 0, the larger of two equally near
static double nearest(const ohmi_grid *grid, double v) {
    int best = 0;
    for (int i = 1; i < grid->n_levels; i++) {
        if (fabs((double)grid->level[i] - v) <= fabs((double)grid->level[best] - v)) {
            best = i;
        }
    }
    return (double)grid->level[best];
}

// distance of v from the nearest place where the rounding changes, in levels
static double from_tie(const ohmi_grid *grid, double v) {
    double least = 1e9;
    for (int i = 0; i + 1 < grid->n_levels; i++) {
        const double middle = 0.5 * ((double)grid->level[i] + (double)grid->level[i + 1]);
        least = fmin(least, fabs(v - middle));
    }
    return least;
}

// all pairs of rows x (n) and columns y (n), summed and sorted, equal sums once; returns how many
static int all_sums(float *out, const float *x, int n_x, const float *y, int n_y) {
    int n = 0, n_distinct = 0;
    for (int i = 0; i < n_x; i++) {
        for (int j = 0; j < n_y; j++) {
            out[n++] = x[i] + y[j];
        }
    }
    qsort(out, (size_t)n, sizeof *out, by_value);
    for (int i = 0; i < n; i++) {
        if (n_distinct == 0 || out[i] > out[n_distinct - 1]) {
            out[n_distinct++] = out[i];
        }
    }
    return n_distinct;
}

static void levels_of_uniform_grids(void **state) {
    (void)state;
    for (int bits = 2; bits <= 8; bits++) {
        ohmi_grid w, a;
        assert_int_equal(ohmi_grid_weights(&w, OHMI_SCHEME_UNIFORM, bits, NULL), OHM_OK);
        assert_int_equal(ohmi_grid_activations(&a, OHMI_SCHEME_UNIFORM, bits, NULL), OHM_OK);
        assert_int_equal(w.n_levels, 1 << (bits - 1));
        assert_int_equal(a.n_levels, 1 << bits);
        assert_int_equal((int)w.top, (1 << (bits - 1)) - 1);
        assert_int_equal((int)a.top, (1 << bits) - 1);
        for (int i = 0; i < a.n_levels; i++) {
            assert_int_equal((int)a.level[i], i);
        }
    }
}

static void levels_of_apot_are_sums_of_powers_of_two(void **state) {
    (void)state;
    static const float w1[] = {0, 8, 4, 1}, w2[] = {0, 2};
    static const float a1[] = {0, 32, 8, 2}, a2[] = {0, 16, 4, 1};
    float sums[16];
    ohmi_grid grid;
    assert_int_equal(ohmi_grid_weights(&grid, OHMI_SCHEME_APOT, 4, NULL), OHM_OK);
    assert_int_equal(grid.n_levels, all_sums(sums, w1, 4, w2, 2));
    assert_memory_equal(grid.level, sums, sizeof(float) * (size_t)grid.n_levels);
    assert_int_equal((int)grid.top, 10);
    assert_int_equal(ohmi_grid_activations(&grid, OHMI_SCHEME_APOT, 4, NULL), OHM_OK);
    assert_int_equal(grid.n_levels, all_sums(sums, a1, 4, a2, 4));
    assert_memory_equal(grid.level, sums, sizeof(float) * (size_t)grid.n_levels);
    assert_int_equal((int)grid.top, 48);
}

static void apot_at_other_bits_is_refused(void **state) {
    (void)state;
    for (int bits = 2; bits <= 8; bits++) {
        ohmi_grid grid;
        ohm_error err;
        const ohm_status status = ohmi_grid_weights(&grid, OHMI_SCHEME_APOT, bits, &err);
        assert_int_equal(status, bits == 4 ? OHM_OK : OHM_ERR_CONFIG);
        if (bits != 4) {
            assert_non_null(strstr(err.message, "apot"));
        }
    }
}

static void no_bits_is_no_grid(void **state) {
    (void)state;
    ohmi_grid grid;
    assert_int_equal(ohmi_grid_weights(&grid, OHMI_SCHEME_UNIFORM, 0, NULL), OHM_OK);
    assert_int_equal(grid.n_levels, 0);
    assert_int_equal(ohmi_grid_activations(&grid, OHMI_SCHEME_APOT, 0, NULL), OHM_OK);
    assert_int_equal(grid.n_levels, 0);
}

// every scheme and width, many values, every start and length of a run
static void rounding_takes_the_nearest_level(void **state) {
    (void)state;
    enum { N = 2000 };
    static float v[N], q[N];
    for (int kind = 0; kind < 8; kind++) {
        const ohmi_scheme scheme = kind == 7 ? OHMI_SCHEME_APOT : OHMI_SCHEME_UNIFORM;
        const int bits = kind == 7 ? 4 : kind + 2;
        const float step = 0.137f;
        ohmi_grid w, a;
        assert_int_equal(ohmi_grid_weights(&w, scheme, bits, NULL), OHM_OK);
        assert_int_equal(ohmi_grid_activations(&a, scheme, bits, NULL), OHM_OK);
        for (int i = 0; i < N; i++) {
            v[i] = draw((uint32_t)i) * step * w.top;
        }
        ohmi_grid_round_weights(q, v, N, step, &w);
        for (int i = 0; i < N; i++) {
            const double x = (double)v[i] / (double)step;
            if (from_tie(&w, fabs(x)) > 1e-4) {
                assert_true((double)q[i] == copysign(nearest(&w, fabs(x)), x));
            }
        }
        for (int i = 0; i < N; i++) {
            v[i] = draw((uint32_t)i) * step * a.top;
        }
        ohmi_grid_round_activations(q, v, N, 1.0f / step, &a);
        for (int i = 0; i < N; i++) {
            const double x = (double)v[i] / (double)step;
            if (from_tie(&a, x) > 1e-4) {
                assert_true((double)q[i] == nearest(&a, fmax(x, 0)));
            }
        }
        // in place
        float again[64];
        memcpy(again, v, sizeof again);
        ohmi_grid_round_activations(again, again, 64, 1.0f / step, &a);
        assert_memory_equal(again, q, sizeof again);
    }
}

static void a_result_does_not_depend_on_its_neighbours(void **state) {
    (void)state;
    enum { N = 80 };
    float v[N], whole[N], part[N];
    for (int i = 0; i < N; i++) {
        v[i] = draw((uint32_t)i) * 3;
    }
    for (int scheme = 0; scheme < 2; scheme++) {
        ohmi_grid grid;
        assert_int_equal(ohmi_grid_weights(&grid, (ohmi_scheme)scheme, 4, NULL), OHM_OK);
        ohmi_grid_round_weights(whole, v, N, 0.4f, &grid);
        for (int from = 0; from < 17; from++) {
            for (int n = 0; n + from <= N; n += 7) {
                memset(part, 0x55, sizeof part);
                ohmi_grid_round_weights(part + from, v + from, n, 0.4f, &grid);
                assert_memory_equal(part + from, whole + from, (size_t)n * sizeof *part);
                for (int i = 0; from + n < N && i < 4; i++) {
                    assert_int_equal(((const uint8_t *)(part + from + n))[i], 0x55);
                }
            }
        }
    }
}

// halves: uniform to the even code as rintf does, APoT up in magnitude; the ends hold
static void ties_and_ends(void **state) {
    (void)state;
    static const float v[] = {0.5f, 1.5f,  2.5f,  -0.5f,  -1.5f,       -2.5f,
                              6.5f, 99.0f, -7.5f, -1e30f, (float)1e30, 0.0f};
    static const float uniform[] = {0, 2, 2, 0, -2, -2, 6, 7, -7, -7, 7, 0};
    static const float t[] = {0.5f, 3.5f, 5, 7, 9, 9.5f, -5, -9, -400, 400};
    static const float apot[] = {1, 4, 6, 8, 10, 10, -6, -10, -10, 10};
    float q[12];
    ohmi_grid grid;
    assert_int_equal(ohmi_grid_weights(&grid, OHMI_SCHEME_UNIFORM, 4, NULL), OHM_OK);
    ohmi_grid_round_weights(q, v, 12, 1.0f, &grid);
    for (int i = 0; i < 12; i++) {
        assert_true(q[i] == uniform[i]);
    }
    assert_int_equal(ohmi_grid_weights(&grid, OHMI_SCHEME_APOT, 4, NULL), OHM_OK);
    ohmi_grid_round_weights(q, t, 10, 1.0f, &grid);
    for (int i = 0; i < 10; i++) {
        assert_true(q[i] == apot[i]);
    }
}

// a number that is none must stay visible, or a diverged run goes on unseen
static void not_a_number_stays_one(void **state) {
    (void)state;
    for (int scheme = 0; scheme < 2; scheme++) {
        ohmi_grid grid;
        float v[20], q[20];
        for (int i = 0; i < 20; i++) {
            v[i] = i % 3 ? 1.0f : NAN;
        }
        assert_int_equal(ohmi_grid_weights(&grid, (ohmi_scheme)scheme, 4, NULL), OHM_OK);
        ohmi_grid_round_weights(q, v, 20, 0.3f, &grid);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(isnan(q[i]) != 0, i % 3 == 0);
        }
        assert_int_equal(ohmi_grid_activations(&grid, (ohmi_scheme)scheme, 4, NULL), OHM_OK);
        ohmi_grid_round_activations(q, v, 20, 0.3f, &grid);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(isnan(q[i]) != 0, i % 3 == 0);
        }
    }
}

// mean square error of a grid with a step on a standard normal variable
static double square_error(const ohmi_grid *grid, double step) {
    double sum = 0;
    for (double x = 0.0005; x < 8; x += 0.001) {
        const double e = x - step * nearest(grid, x / step);
        sum += 2 * e * e * exp(-0.5 * x * x) / sqrt(2 * acos(-1.0)) * 0.001;
    }
    return sum;
}

static void uniform_step_has_the_least_square_error(void **state) {
    (void)state;
    for (int bits = 2; bits <= 5; bits++) {
        ohmi_grid grid;
        assert_int_equal(ohmi_grid_weights(&grid, OHMI_SCHEME_UNIFORM, bits, NULL), OHM_OK);
        const double step = (double)ohmi_grid_weight_step(&grid, 1.0f);
        const double error = square_error(&grid, step);
        assert_true(error <= square_error(&grid, step * 0.98));
        assert_true(error <= square_error(&grid, step * 1.02));
    }
    // in proportion, and falling with the bits
    float before = 10;
    for (int bits = 2; bits <= 8; bits++) {
        ohmi_grid grid;
        assert_int_equal(ohmi_grid_weights(&grid, OHMI_SCHEME_UNIFORM, bits, NULL), OHM_OK);
        const float step = ohmi_grid_weight_step(&grid, 1.0f);
        assert_float_equal(ohmi_grid_weight_step(&grid, 0.02f), 0.02f * step, 1e-7f);
        assert_true(step < before * 0.7f && step > before * 0.05f);
        before = step;
    }
}

static void apot_step_puts_three_deviations_at_the_top(void **state) {
    (void)state;
    ohmi_grid grid;
    assert_int_equal(ohmi_grid_weights(&grid, OHMI_SCHEME_APOT, 4, NULL), OHM_OK);
    assert_float_equal(ohmi_grid_weight_step(&grid, 0.05f) * grid.top, 0.15f, 1e-6f);
}

// a smooth grid keeps range and step, and rounds nothing
static void a_smooth_grid_only_clips(void **state) {
    (void)state;
    const float v[6] = {-9.3F, -0.37F, 0.0F, 0.26F, 1.13F, 99.0F};
    float q[6];
    ohmi_grid grid;
    for (int scheme = 0; scheme < 2; scheme++) {
        assert_int_equal(ohmi_grid_weights(&grid, (ohmi_scheme)scheme, 4, NULL), OHM_OK);
        ohmi_grid smooth = ohmi_grid_smooth(&grid);
        ohmi_grid_round_weights(q, v, 6, 0.5F, &smooth);
        for (int i = 0; i < 6; i++) {
            assert_true(q[i] == fminf(fmaxf(2.0F * v[i], -grid.top), grid.top));
        }
        assert_int_equal(ohmi_grid_activations(&grid, (ohmi_scheme)scheme, 4, NULL), OHM_OK);
        smooth = ohmi_grid_smooth(&grid);
        ohmi_grid_round_activations(q, v, 6, 2.0F, &smooth);
        for (int i = 0; i < 6; i++) {
            assert_true(q[i] == fminf(fmaxf(2.0F * v[i], 0.0F), grid.top));
        }
    }
}

// the bounds are met where they are, and no further: by hand for a few grids
static void exactness_ends_where_sums_pass_24_bits(void **state) {
    (void)state;
    static const struct {
        ohmi_scheme scheme;
        int weight_bits, activation_bits;
        int64_t most; // inputs for exact sums
        bool is_exact;
    } rows[] = {
        {OHMI_SCHEME_UNIFORM, 4, 4, 159783, true}, // (2^24 - 1) / (7 15)
        {OHMI_SCHEME_UNIFORM, 8, 4, 8806, true},   // / (127 15)
        {OHMI_SCHEME_UNIFORM, 4, 8, 9399, true},   // / (7 255)
        {OHMI_SCHEME_UNIFORM, 5, 8, 4386, false},  // / (15 255), 3825 > 2912
        {OHMI_SCHEME_UNIFORM, 8, 8, 518, false},   // / (127 255)
        {OHMI_SCHEME_APOT, 4, 4, 34952, true},     // / (10 48)
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ohmi_grid w, a;
        const ohmi_scheme scheme = rows[i].scheme;
        assert_int_equal(ohmi_grid_weights(&w, scheme, rows[i].weight_bits, NULL), OHM_OK);
        assert_int_equal(ohmi_grid_activations(&a, scheme, rows[i].activation_bits, NULL), OHM_OK);
        assert_true(ohmi_grid_has_exact_sums(&w, &a, rows[i].most));
        assert_false(ohmi_grid_has_exact_sums(&w, &a, rows[i].most + 1));
        assert_false(ohmi_grid_has_exact_sums(&w, &a, INT64_MAX));
        assert_int_equal(ohmi_grid_is_exact(&w, &a, rows[i].most), rows[i].is_exact);
        assert_int_equal(ohmi_grid_is_exact(&w, &a, 9), rows[i].is_exact);
        assert_false(ohmi_grid_is_exact(&w, &a, rows[i].most + 1));
    }
    ohmi_grid none, some;
    assert_int_equal(ohmi_grid_weights(&none, OHMI_SCHEME_UNIFORM, 0, NULL), OHM_OK);
    assert_int_equal(ohmi_grid_activations(&some, OHMI_SCHEME_UNIFORM, 8, NULL), OHM_OK);
    assert_true(ohmi_grid_is_exact(&none, &some, INT64_MAX));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_smooth_grid_only_clips),
        cmocka_unit_test(levels_of_uniform_grids),
        cmocka_unit_test(levels_of_apot_are_sums_of_powers_of_two),
        cmocka_unit_test(apot_at_other_bits_is_refused),
        cmocka_unit_test(no_bits_is_no_grid),
        cmocka_unit_test(rounding_takes_the_nearest_level),
        cmocka_unit_test(a_result_does_not_depend_on_its_neighbours),
        cmocka_unit_test(ties_and_ends),
        cmocka_unit_test(not_a_number_stays_one),
        cmocka_unit_test(uniform_step_has_the_least_square_error),
        cmocka_unit_test(exactness_ends_where_sums_pass_24_bits),
        cmocka_unit_test(apot_step_puts_three_deviations_at_the_top),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
