// SPDX-License-Identifier: Apache-2.0
// The voltages of all nodes: Kirchhoff's law to 1e-12, the currents of the effective matrix, bounds
// that physics sets, all sides and limits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/memory.h"
#include "base/rng.h"
#include "crossbar/wires_nodes.h"

enum { MOST = 72 * 72 };
static double g_cells[MOST], g_effective[MOST], g_word[MOST], g_bit[MOST];

static double uniform(uint32_t stream, uint32_t index) {
    const ohmi_rng rng = {.seed = 12, .purpose = OHMI_RNG_TEST, .place = stream};
    return (double)ohmi_rng_uniform(&rng, index);
}

// residual and largest difference of a current from that of the effective matrix
static void check(int rows, int columns, const ohm_wires *wires, uint32_t stream, double low,
                  double high) {
    ohm_error err;
    double voltage[72], current[72];
    ohmi_wires_nodes *nodes = NULL;
    for (int i = 0; i < rows * columns; i++) {
        const uint32_t k = (uint32_t)i;
        g_cells[i] = uniform(stream, 2 * k) < 0.1
                         ? 0
                         : pow(10, low + (high - low) * uniform(stream, 2 * k + 1));
    }
    for (int i = 0; i < rows; i++) {
        voltage[i] = 0.3 * uniform(stream + 1, (uint32_t)i);
    }
    assert_int_equal(ohmi_wires_nodes_new(&nodes, g_cells, rows, columns, wires, &err), OHM_OK);
    const double residual = ohmi_wires_nodes_solve(g_word, g_bit, current, voltage, nodes);
    if (!(residual <= 1e-12)) {
        fail_msg("residual %g with %d x %d, stream %u", residual, rows, columns, stream);
    }
    assert_int_equal(ohm_array_effective(g_effective, g_cells, rows, columns, wires, &err), OHM_OK);
    for (int j = 0; j < columns; j++) {
        double sum = 0;
        for (int i = 0; i < rows; i++) {
            sum += voltage[i] * g_effective[i * columns + j];
            // nothing is above the drivers, nothing below the senses
            assert_true(g_word[i * columns + j] >= 0 && g_word[i * columns + j] <= 0.3);
            assert_true(g_bit[i * columns + j] >= 0 && g_bit[i * columns + j] <= 0.3);
        }
        if (!(fabs(current[j] - sum) <= 1e-12 * sum)) {
            fail_msg("column %d: %g from voltages, %g from the matrix, stream %u", j, current[j],
                     sum, stream);
        }
    }
    ohmi_wires_nodes_free(&nodes);
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void test_usual(void **state) {
    (void)state;
    const ohm_wires wires = {1, 1, -1, -1, 0, 0}, other = {2.5, 0.1, 300, 50, 1, 1};
    check(72, 72, &wires, 10, -6, -3.5);
    check(17, 40, &other, 20, -6, -3.5);
    check(40, 17, &other, 30, -5, -2);
}

// sides and resistances of 0, alone and together
static void test_limits(void **state) {
    (void)state;
    for (int zero = 0; zero < 16; zero++) {
        for (int sides = 0; sides < 4; sides++) {
            const ohm_wires wires = {zero & 1 ? 0 : 3,  zero & 2 ? 0 : 2, zero & 4 ? 0 : 70,
                                     zero & 8 ? 0 : 90, sides & 1,        sides >> 1};
            check(9, 11, &wires, (uint32_t)(100 + 8 * zero + 2 * sides), -5, -2);
        }
    }
}

static void test_ratios(void **state) {
    (void)state;
    for (uint32_t k = 0; k < 40; k++) {
        const ohm_wires wires = {.word_ohm = pow(10, -6 + 10 * uniform(900, 4 * k)),
                                 .bit_ohm = pow(10, -6 + 10 * uniform(900, 4 * k + 1)),
                                 .source_ohm = pow(10, -6 + 10 * uniform(900, 4 * k + 2)),
                                 .sense_ohm = pow(10, -6 + 10 * uniform(900, 4 * k + 3))};
        check(10, 9, &wires, 1000 + 2 * k, -9, 0);
    }
}

// One cell in the corner: every voltage is known.
static void test_divider(void **state) {
    (void)state;
    ohm_error err;
    ohmi_wires_nodes *nodes = NULL;
    const ohm_wires wires = {10, 20, 30, 40, 0, 0};
    const double cells[6] = {0, 0, 1e-2, 0, 0, 0}, voltage[2] = {1, 0.5}; // ohm: 50, 100, 60
    double word[6], bit[6], current[3];
    assert_int_equal(ohmi_wires_nodes_new(&nodes, cells, 2, 3, &wires, &err), OHM_OK);
    assert_true(ohmi_wires_nodes_solve(word, bit, current, voltage, nodes) < 1e-15);
    const double i = 1.0 / 210;
    const double w[6] = {1 - 30 * i, 1 - 40 * i, 1 - 50 * i, 0.5, 0.5, 0.5};
    const double b[6] = {0, 0, 60 * i, 0, 0, 40 * i};
    for (int k = 0; k < 6; k++) {
        assert_true(fabs(word[k] - w[k]) < 1e-15 && fabs(bit[k] - b[k]) < 1e-15);
    }
    assert_true(current[0] == 0 && current[1] == 0 && fabs(current[2] - i) < 1e-17);

    // nothing flows, nothing is divided by
    const double none[2] = {0, 0};
    assert_true(ohmi_wires_nodes_solve(NULL, NULL, current, none, nodes) == 0);
    assert_true(current[2] == 0);
    ohmi_wires_nodes_free(&nodes);

    for (int64_t k = 0;; k++) {
        ohmi_fail_allocation(k);
        const ohm_status status = ohmi_wires_nodes_new(&nodes, cells, 2, 3, &wires, &err);
        ohmi_fail_allocation(-1);
        ohmi_wires_nodes_free(&nodes);
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
        cmocka_unit_test(test_usual),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_ratios),
        cmocka_unit_test(test_divider),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
