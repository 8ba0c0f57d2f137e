// SPDX-License-Identifier: Apache-2.0
// The quick estimate: its bound holds for any voltages and any wires, is no larger than it says
// and shrinks with sweeps; where nothing has to be estimated it is exact.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "crossbar/wires_estimate.h"

enum { MOST = 72 * 72, N = 72 };
static double g_cells[MOST], g_exact[MOST], g_quick[MOST], g_bound[N];

static double uniform(uint32_t stream, uint32_t index) {
    const ohmi_rng rng = {.seed = 13, .purpose = OHMI_RNG_TEST, .place = stream};
    return (double)ohmi_rng_uniform(&rng, index);
}

// the error for one vector over what the bound allows; rounding is allowed for
static double strain(const double *voltage, int rows, int columns) {
    double low = 0, high = 0, most = 0;
    for (int i = 0; i < rows; i++) {
        low = fmin(low, voltage[i]);
        high = fmax(high, voltage[i]);
    }
    for (int j = 0; j < columns; j++) {
        double error = 0, size = 0;
        for (int i = 0; i < rows; i++) {
            error += voltage[i] * (g_quick[i * columns + j] - g_exact[i * columns + j]);
            size += fabs(voltage[i]) * g_exact[i * columns + j];
        }
        const double allowed = (high - low) * g_bound[j] + 1e-13 * size;
        most = allowed > 0 ? fmax(most, fabs(error) / allowed) : most;
    }
    return most;
}

// Draws an array, runs both; returns the worst strain over many vectors.
static double worst(int rows, int columns, int n_sweeps, const ohm_wires *wires, uint32_t stream,
                    double low, double high) {
    ohm_error err;
    double voltage[N], most = 0;
    for (int i = 0; i < rows * columns; i++) {
        const uint32_t k = (uint32_t)i;
        g_cells[i] = uniform(stream, 2 * k) < 0.1
                         ? 0
                         : pow(10, low + (high - low) * uniform(stream, 2 * k + 1));
    }
    assert_int_equal(ohm_array_effective(g_exact, g_cells, rows, columns, wires, &err), OHM_OK);
    assert_int_equal(
        ohm_array_estimate(g_quick, g_bound, g_cells, rows, columns, n_sweeps, wires, &err),
        OHM_OK);
    for (int kind = 0; kind < 4 + rows; kind++) {
        for (int i = 0; i < rows; i++) {
            const double u = uniform(stream + 1, (uint32_t)(kind * rows + i));
            voltage[i] = kind == 0   ? 1                         // all
                         : kind == 1 ? u < 0.5                   // bits
                         : kind == 2 ? u - 0.5                   // both signs
                         : kind == 3 ? (i < rows / 2 ? 1 : -0.5) // one half against the other
                                     : i == kind - 4;            // one row
        }
        most = fmax(most, strain(voltage, rows, columns));
    }
    assert_int_equal(ohmi_live_blocks(), 0);
    return most;
}

static void test_bound_holds(void **state) {
    (void)state;
    static const int shapes[][2] = {{1, 1}, {1, 9}, {9, 1}, {7, 12}, {20, 13}};
    for (uint32_t k = 0; k < 200; k++) {
        const int rows = shapes[k % 5][0], columns = shapes[k % 5][1];
        const ohm_wires wires = {
            .word_ohm = k % 7 == 0 ? 0 : pow(10, -3 + 6 * uniform(900, 4 * k)),
            .bit_ohm = k % 11 == 0 ? 0 : pow(10, -3 + 6 * uniform(900, 4 * k + 1)),
            .source_ohm = k % 3 == 0 ? 0 : pow(10, -3 + 7 * uniform(900, 4 * k + 2)),
            .sense_ohm = k % 4 == 0 ? 0 : pow(10, -3 + 7 * uniform(900, 4 * k + 3)),
            .drive_right = k & 1,
            .sense_top = k >> 1 & 1,
        };
        const double s = worst(rows, columns, (int)(k % 6), &wires, 1000 + 2 * k, -6, -2);
        if (!(s <= 1)) {
            fail_msg("draw %u, %d sweeps: %g times the bound", k, (int)(k % 6), s);
        }
    }
}

// On a usual array: what the head of the file says.
static void test_how_good(void **state) {
    (void)state;
    const ohm_wires wires = {1, 1, -1, -1, 0, 0};
    double before = INFINITY;
    for (int n_sweeps = 0; n_sweeps <= 3; n_sweeps++) {
        const double s = worst(N, N, n_sweeps, &wires, 50, -6, -3.5);
        double bound = 0, column = 0;
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int i = 0; i < N; i++) {
                sum += g_exact[i * N + j];
            }
            bound = fmax(bound, g_bound[j] / sum);
            column = fmax(column, sum);
        }
        print_message("%d sweeps: bound %.3g of a full column, errors at most %.3g of it\n",
                      n_sweeps, bound, s);
        assert_true(bound < before && s <= 1);
        before = bound;
        assert_true(n_sweeps < 2 || (bound < 0.02 && s < 0.1));
        assert_true(column > 0);
    }
}

// Without resistance on all word lines, or on all bit lines, the factors are the whole truth, which
// one sweep finds.
static void test_exact_cases(void **state) {
    (void)state;
    const ohm_wires kinds[] = {{0, 2, 0, 30, 0, 0}, {2, 0, 30, 0, 0, 0}, {0, 0, 0, 0, 0, 0}};
    for (size_t k = 0; k < 3; k++) {
        (void)worst(12, 9, 1, &kinds[k], 70, -6, -2);
        for (int i = 0; i < 12 * 9; i++) {
            assert_true(fabs(g_quick[i] - g_exact[i]) <= 1e-14 * g_exact[i]);
        }
    }
}

static void test_refusals(void **state) {
    (void)state;
    ohm_error err;
    ohm_wires wires = {1, 1, -1, -1, 0, 0};
    g_cells[0] = NAN;
    assert_int_equal(ohm_array_estimate(g_quick, g_bound, g_cells, 2, 2, 1, &wires, &err),
                     OHM_ERR_NUMERIC);
    assert_int_equal(ohm_array_estimate(g_quick, g_bound, g_cells, 2, 2, -1, &wires, &err),
                     OHM_ERR_ARGUMENT);
    assert_int_equal(ohm_array_estimate(g_quick, g_bound, g_cells, 2, 0, 1, &wires, &err),
                     OHM_ERR_ARGUMENT);
    g_cells[0] = 1e-4;
    wires.word_ohm = NAN;
    assert_int_equal(ohm_array_estimate(g_quick, g_bound, g_cells, 2, 2, 1, &wires, &err),
                     OHM_ERR_NUMERIC);
    wires.word_ohm = 1;
    for (int64_t k = 0;; k++) {
        ohmi_fail_allocation(k);
        const ohm_status status =
            ohm_array_estimate(g_quick, g_bound, g_cells, 2, 2, 1, &wires, &err);
        ohmi_fail_allocation(-1);
        assert_int_equal(ohmi_live_blocks(), 0);
        if (status == OHM_OK) {
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
        assert_true(k < 100);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound_holds),
        cmocka_unit_test(test_how_good),
        cmocka_unit_test(test_exact_cases),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
