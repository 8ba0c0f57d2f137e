// SPDX-License-Identifier: Apache-2.0
// Arrays with resistive wires: against an elimination of another kind in long double, closed forms,
// limits, symmetries, extreme ratios, refusals.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "crossbar/wires.h"
#include "ohmwise/system.h"
#include "star_mesh.h"

enum { MOST = 80 * 80 };
static double g_cells[MOST], g_own[MOST], g_other[MOST];

static double uniform(uint32_t stream, uint32_t index) {
    const ohmi_rng rng = {.seed = 11, .purpose = OHMI_RNG_TEST, .place = stream};
    return (double)ohmi_rng_uniform(&rng, index);
}

// conductances between 10^low and 10^high, a tenth of them 0
static void draw_cells(int n, uint32_t stream, double low, double high) {
    for (int i = 0; i < n; i++) {
        const uint32_t k = (uint32_t)i;
        g_cells[i] = uniform(stream, 2 * k) < 0.1
                         ? 0
                         : pow(10, low + (high - low) * uniform(stream, 2 * k + 1));
    }
}

// the largest |a - b| / |b|
static double difference(const double *a, const double *b, int n) {
    double most = 0;
    for (int i = 0; i < n; i++) {
        if (a[i] != b[i]) {
            const double d = fabs(a[i] - b[i]) / fabs(b[i]);
            most = d > most || isnan(d) ? d : most;
        }
    }
    return most;
}

static void solve(int rows, int columns, const ohm_wires *wires) {
    ohm_error err = {0};
    if (ohm_array_effective(g_own, g_cells, rows, columns, wires, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
}

static const struct {
    int rows, columns;
} g_shapes[] = {{1, 1}, {1, 7}, {7, 1}, {2, 3}, {8, 8}, {9, 5}, {5, 9}, {11, 17}, {16, 9}};
#define N_SHAPES (sizeof g_shapes / sizeof g_shapes[0])

// word, bit, source, sense: usual values, and each of them 0
static const double g_ohm[][4] = {
    {1, 1, -1, -1},   {2.5, 0.4, 100, 30},    {0, 1.5, 3, 2},      {1.5, 0, 3, 2},
    {1, 2, 0, 3},     {1, 2, 3, 0},           {0, 0, 5, 7},        {0, 0, 0, 9},
    {0, 0, 9, 0},     {3, 0, 0, 0},           {0, 3, 0, 0},        {0, 2, 0, 5},
    {1e4, 1e5, 1, 1}, {1e-9, 1e-7, 1e3, 1e3}, {1e9, 1e-9, -1, -1},
};
#define N_OHM (sizeof g_ohm / sizeof g_ohm[0])

static ohm_wires wires_of(const double ohm[4]) {
    return (ohm_wires){
        .word_ohm = ohm[0], .bit_ohm = ohm[1], .source_ohm = ohm[2], .sense_ohm = ohm[3]};
}

static void test_star_mesh(void **state) {
    (void)state;
    for (size_t s = 0; s < N_SHAPES; s++) {
        const int rows = g_shapes[s].rows, columns = g_shapes[s].columns;
        for (size_t o = 0; o < N_OHM; o++) {
            for (int sides = 0; sides < 4; sides++) {
                ohm_wires wires = wires_of(g_ohm[o]);
                wires.drive_right = sides & 1;
                wires.sense_top = sides >> 1;
                draw_cells(rows * columns, (uint32_t)(s * 100 + o), -6, -3);
                solve(rows, columns, &wires);
                mesh_effective(g_other, g_cells, rows, columns, &wires);
                if (!(difference(g_own, g_other, rows * columns) <= 2e-14)) {
                    fail_msg("%d x %d, wires %zu, sides %d: %g", rows, columns, o, sides,
                             difference(g_own, g_other, rows * columns));
                }
            }
        }
    }
}

// Cells from 1e-15 to 1e6 siemens between wires from 1e-12 to 1e12 ohm: every element, also those
// 30 orders of magnitude below the others, has 13 digits.
static void test_huge_ratios(void **state) {
    (void)state;
    for (uint32_t k = 0; k < 60; k++) {
        const ohm_wires wires = {.word_ohm = pow(10, -12 + 24 * uniform(900, 4 * k)),
                                 .bit_ohm = pow(10, -12 + 24 * uniform(900, 4 * k + 1)),
                                 .source_ohm = pow(10, -12 + 24 * uniform(900, 4 * k + 2)),
                                 .sense_ohm = pow(10, -12 + 24 * uniform(900, 4 * k + 3))};
        draw_cells(9 * 10, 901 + k, -15, 6);
        solve(9, 10, &wires);
        mesh_effective(g_other, g_cells, 9, 10, &wires);
        if (!(difference(g_own, g_other, 90) <= 1e-13)) {
            fail_msg("draw %u: %g", k, difference(g_own, g_other, 90));
        }
    }
}

static void test_one_cell(void **state) {
    (void)state;
    const ohm_wires wires = {3, 5, 700, 11, 0, 0};
    g_cells[0] = 1e-3;
    solve(1, 1, &wires);
    assert_true(fabs(g_own[0] * (700 + 1000 + 11) - 1) < 1e-15);
}

// Without resistance on the bit lines a row is a ladder from its far end, and without resistance on
// the word lines a column is.
static void test_single_lines(void **state) {
    (void)state;
    enum { N = 40 };
    draw_cells(N, 7, -5, -2);
    const ohm_wires row = {2, 0, 9, 0, 0, 0}, column = {0, 2, 0, 9, 0, 0};
    double closed[N], behind = 0, share[N], volts = 1;
    for (int j = N - 1; j >= 0; j--) {
        const double here = behind + g_cells[j], ohm = j > 0 ? 2 : 9;
        share[j] = 1 / (1 + ohm * here);
        behind = here * share[j];
    }
    for (int j = 0; j < N; j++) {
        volts *= share[j];
        closed[j] = g_cells[j] * volts;
    }
    solve(1, N, &row);
    assert_true(difference(g_own, closed, N) < 1e-14);

    // a column with its sense at the top is the same ladder
    ohm_wires top = column;
    top.sense_top = 1;
    solve(N, 1, &top);
    assert_true(difference(g_own, closed, N) < 1e-14);

    // a row or a column of equal cells: hyperbolic functions, cosh(theta) = 1 + r g / 2
    const double g = 1e-3, r = 2, theta = acosh(1 + r * g / 2);
    for (int j = 0; j < N; j++) {
        g_cells[j] = g;
    }
    const ohm_wires uniform_row = {r, 0, r, 0, 0, 0};
    solve(1, N, &uniform_row);
    for (int j = 0; j < N; j++) {
        closed[j] = g * cosh((N - 1 - j + 0.5) * theta) / cosh((N + 0.5) * theta);
    }
    assert_true(difference(g_own, closed, N) < 1e-12);
}

static void test_ideal_limit(void **state) {
    (void)state;
    const ohm_wires none = {0, 0, -1, -1, 0, 0};
    for (size_t s = 0; s < N_SHAPES; s++) {
        const int n = g_shapes[s].rows * g_shapes[s].columns;
        draw_cells(n, 40 + (uint32_t)s, -12, 2);
        solve(g_shapes[s].rows, g_shapes[s].columns, &none);
        assert_memory_equal(g_own, g_cells, (size_t)n * sizeof *g_own);
    }
    // wires that go to 0 go there
    const ohm_wires tiny = {1e-30, 1e-30, -1, -1, 0, 0};
    draw_cells(72 * 72, 55, -6, -3);
    for (int i = 0; i < 72 * 72; i++) {
        g_cells[i] += 1e-9; // through a cell of 0 nothing flows without wires
    }
    solve(72, 72, &tiny);
    assert_true(difference(g_own, g_cells, 72 * 72) < 1e-15);
}

// Exchanging word and bit lines, with source and sense, transposes the matrix; sides mirror it.
static void test_reciprocity(void **state) {
    (void)state;
    enum { ROWS = 72, COLUMNS = 40 };
    static double before[ROWS * COLUMNS], cells[ROWS * COLUMNS];
    const ohm_wires wires = {2, 0.7, 50, 20, 0, 0}, turned = {0.7, 2, 20, 50, 1, 1};
    draw_cells(ROWS * COLUMNS, 60, -6, -4);
    memcpy(cells, g_cells, sizeof cells);
    solve(ROWS, COLUMNS, &wires);
    memcpy(before, g_own, sizeof before);
    // the sense of one is the driver of the other: left becomes top, bottom becomes right
    ohm_wires other = turned;
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < COLUMNS; j++) {
            g_cells[j * ROWS + i] = cells[i * COLUMNS + j];
        }
    }
    solve(COLUMNS, ROWS, &other);
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < COLUMNS; j++) {
            g_other[i * COLUMNS + j] = g_own[j * ROWS + i];
        }
    }
    assert_true(difference(g_other, before, ROWS * COLUMNS) < 1e-13);

    // mirrored in both directions with the sides mirrored
    ohm_wires mirrored = wires;
    mirrored.drive_right = mirrored.sense_top = 1;
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        g_cells[i] = cells[ROWS * COLUMNS - 1 - i];
    }
    solve(ROWS, COLUMNS, &mirrored);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        assert_true(g_own[i] == before[ROWS * COLUMNS - 1 - i]);
    }
}

// A vector gives the sum of what its elements give alone; 1T1R with every row in use is passive,
// and without some rows it is the array in which their cells are 0.
static void test_vectors(void **state) {
    (void)state;
    enum { ROWS = 19, COLUMNS = 13, VECTORS = 37 };
    static double voltage[VECTORS * ROWS], current[VECTORS * COLUMNS], gated[VECTORS * COLUMNS];
    static double cells[ROWS * COLUMNS];
    const ohm_wires wires = {20, 30, 500, 100, 0, 0};
    ohm_error err;
    draw_cells(ROWS * COLUMNS, 70, -5, -3);
    memcpy(cells, g_cells, sizeof cells);
    for (int i = 0; i < VECTORS * ROWS; i++) {
        const double u = uniform(71, (uint32_t)i);
        // vector 0 is full, the others have fewer and fewer rows, the last has none
        voltage[i] = u * VECTORS < i / ROWS || i / ROWS == VECTORS - 1 ? 0 : u - 0.3;
    }
    assert_int_equal(ohm_array_currents(current, cells, ROWS, COLUMNS, voltage, VECTORS,
                                        OHM_CELLS_PASSIVE, &wires, &err),
                     OHM_OK);
    solve(ROWS, COLUMNS, &wires);
    for (int v = 0; v < VECTORS; v++) {
        for (int j = 0; j < COLUMNS; j++) {
            double sum = 0;
            for (int i = 0; i < ROWS; i++) {
                sum += voltage[v * ROWS + i] * g_own[i * COLUMNS + j];
            }
            assert_true(fabs(current[v * COLUMNS + j] - sum) <= 1e-17);
        }
    }

    for (int sides = 0; sides < 4; sides++) {
        ohm_wires side = wires;
        side.drive_right = sides & 1;
        side.sense_top = sides >> 1;
        assert_int_equal(ohm_array_currents(gated, cells, ROWS, COLUMNS, voltage, VECTORS,
                                            OHM_CELLS_1T1R, &side, &err),
                         OHM_OK);
        for (int v = 0; v < VECTORS; v++) {
            for (int i = 0; i < ROWS * COLUMNS; i++) {
                g_cells[i] = voltage[v * ROWS + i / COLUMNS] != 0 ? cells[i] : 0;
            }
            solve(ROWS, COLUMNS, &side);
            for (int j = 0; j < COLUMNS; j++) {
                double sum = 0, size = 0;
                for (int i = 0; i < ROWS; i++) {
                    sum += voltage[v * ROWS + i] * g_own[i * COLUMNS + j];
                    size += fabs(voltage[v * ROWS + i] * g_own[i * COLUMNS + j]);
                }
                assert_true(fabs(gated[v * COLUMNS + j] - sum) <= 1e-14 * size);
            }
        }
    }
}

// Many arrays in float32, on one thread and on several: the same bits, those of the array alone.
static void test_many(void **state) {
    (void)state;
    enum { ROWS = 17, COLUMNS = 40, ARRAYS = 9, N = ROWS * COLUMNS };
    static float cells[ARRAYS * N], one[ARRAYS * N], several[ARRAYS * N];
    const ohm_wires wires = {2, 2, -1, -1, 0, 0};
    ohm_error err;
    draw_cells(MOST, 80, -6, -4);
    for (int i = 0; i < ARRAYS * N; i++) {
        cells[i] = (float)g_cells[i];
    }
    for (int threads = 1; threads <= 3; threads += 2) {
        ohm_set_threads(threads);
        assert_int_equal(ohm_array_effective_many(threads == 1 ? one : several, cells, ARRAYS, ROWS,
                                                  COLUMNS, &wires, &err),
                         OHM_OK);
    }
    ohm_set_threads(0);
    assert_memory_equal(one, several, sizeof one);
    for (int a = 0; a < ARRAYS; a++) {
        for (int i = 0; i < N; i++) {
            g_cells[i] = (double)cells[a * N + i];
        }
        solve(ROWS, COLUMNS, &wires);
        for (int i = 0; i < N; i++) {
            assert_true(one[a * N + i] == (float)g_own[i]);
        }
    }

    // in place, and nothing is written when one array is wrong
    cells[8 * N + 3] = -1;
    memcpy(one, cells, sizeof one);
    assert_int_equal(ohm_array_effective_many(cells, cells, ARRAYS, ROWS, COLUMNS, &wires, &err),
                     OHM_ERR_NUMERIC);
    assert_string_equal(err.message, "'conductance' of array 8 at row 0, column 3 (from 0) is -1 "
                                     "siemens, allowed are 0 and 1e-40 to 1e+40");
    assert_memory_equal(one, cells, sizeof one);
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void test_refusals(void **state) {
    (void)state;
    ohm_error err;
    double voltage[4] = {0.1, 0.2, 0.3, 0.4}, current[2];
    ohm_wires wires = {1, 1, -1, -1, 0, 0};
    const double bad[] = {NAN, INFINITY, -1e-6, 1e-41, 1e41};
    draw_cells(8, 90, -5, -4);
    for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
        g_cells[5] = bad[b];
        assert_int_equal(ohm_array_effective(g_own, g_cells, 4, 2, &wires, &err), OHM_ERR_NUMERIC);
        assert_non_null(strstr(err.message, "row 2, column 1"));
        if (b != 2) {
            ohm_wires wrong = wires;
            wrong.bit_ohm = bad[b];
            assert_true(ohm_array_effective(g_own, g_cells, 4, 2, &wrong, &err) < 0);
            assert_non_null(strstr(err.message, "'bit_ohm'"));
        }
    }
    g_cells[5] = 1e-5;
    voltage[2] = NAN;
    assert_int_equal(
        ohm_array_currents(current, g_cells, 4, 2, voltage, 1, OHM_CELLS_PASSIVE, &wires, &err),
        OHM_ERR_NUMERIC);
    assert_non_null(strstr(err.message, "vector 0, row 2"));
    assert_int_equal(ohm_array_effective(g_own, g_cells, 0, 2, &wires, &err), OHM_ERR_ARGUMENT);
    assert_int_equal(ohm_array_effective(g_own, g_cells, 4, 20000, &wires, &err), OHM_ERR_ARGUMENT);
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void test_no_memory(void **state) {
    (void)state;
    ohm_error err;
    const ohm_wires wires = {1, 1, -1, -1, 0, 0};
    double voltage[4] = {0.1, 0, 0.3, 0.4}, current[2];
    draw_cells(8, 91, -5, -4);
    for (int cells = OHM_CELLS_PASSIVE; cells <= OHM_CELLS_1T1R; cells++) {
        ohm_status status = OHM_ERR_NO_MEMORY;
        for (int64_t k = 0; status != OHM_OK; k++) {
            ohmi_fail_allocation(k);
            status = ohm_array_currents(current, g_cells, 4, 2, voltage, 1, (ohm_cells)cells,
                                        &wires, &err);
            assert_true(status == OHM_OK || status == OHM_ERR_NO_MEMORY);
            assert_int_equal(ohmi_live_blocks(), 0);
            assert_true(k < 1000);
        }
        ohmi_fail_allocation(-1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_star_mesh),   cmocka_unit_test(test_huge_ratios),
        cmocka_unit_test(test_one_cell),    cmocka_unit_test(test_single_lines),
        cmocka_unit_test(test_ideal_limit), cmocka_unit_test(test_reciprocity),
        cmocka_unit_test(test_vectors),     cmocka_unit_test(test_many),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
