// SPDX-License-Identifier: Apache-2.0
// One array from files to files: what is written is what the calls on memory give; without memory
// nothing is written and nothing leaks; the netlist of a small array, line by line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/memory.h"
#include "file/npy.h"
#include "ohmwise/array.h"
#include "scratch.h"

enum { ROWS = 3, COLUMNS = 2, VECTORS = 2 };
static double g_cells[ROWS * COLUMNS] = {1e-4, 0, 2e-4, 3e-5, 5e-5, 1e-5};
static double g_voltage[VECTORS * ROWS] = {0.1, 0.2, 0.3, 0, -0.1, 0};
static const ohm_wires g_wires = {20, 30, -1, 7, 0, 0};

static void save_inputs(void) {
    ohm_error err;
    ohmi_view cells = ohmi_view_of("g", OHMI_F64, g_cells, 2, ROWS, COLUMNS, 0, 0);
    ohmi_view voltage = ohmi_view_of("v", OHMI_F64, g_voltage, 2, VECTORS, ROWS, 0, 0);
    assert_int_equal(ohmi_npy_save(scratch_path("g.npy"), &cells, &err), OHM_OK);
    assert_int_equal(ohmi_npy_save(scratch_path("v.npy"), &voltage, &err), OHM_OK);
}

// Reads an array of n numbers and compares.
static void same(const char *name, const double *expected, int n) {
    ohmi_view view;
    ohm_error err;
    assert_int_equal(ohmi_npy_load(&view, scratch_path(name), &err), OHM_OK);
    assert_int_equal(view.dtype, OHMI_F64);
    assert_int_equal(ohmi_view_count(&view), n);
    assert_memory_equal(view.data, expected, (size_t)n * sizeof *expected);
    ohmi_free(view.data);
}

static void test_all_outputs(void **state) {
    (void)state;
    ohm_error err;
    ohm_array_result result;
    double effective[ROWS * COLUMNS], current[VECTORS * COLUMNS], bound[COLUMNS];
    save_inputs();
    ohm_array_def def = {.conductance_path = scratch_path("g.npy"),
                         .voltage_path = scratch_path("v.npy"),
                         .current_path = scratch_path("i.npy"),
                         .effective_path = scratch_path("e.npy"),
                         .netlist_path = scratch_path("n.cir"),
                         .wires = g_wires,
                         .n_check = 5};
    assert_int_equal(ohm_array_run(&result, &def, &err), OHM_OK);
    assert_int_equal(ohm_array_effective(effective, g_cells, ROWS, COLUMNS, &g_wires, &err),
                     OHM_OK);
    assert_int_equal(ohm_array_currents(current, g_cells, ROWS, COLUMNS, g_voltage, VECTORS,
                                        OHM_CELLS_PASSIVE, &g_wires, &err),
                     OHM_OK);
    same("e.npy", effective, ROWS * COLUMNS);
    same("i.npy", current, VECTORS * COLUMNS);
    assert_int_equal(result.n_checked, VECTORS);
    assert_true(result.kirchhoff_residual <= 1e-12 && result.check_difference <= 1e-13);
    assert_true(result.least_siemens == 1e-5 && result.most_siemens == 2e-4);
    assert_true(result.mean_error > 0 && result.mean_error < 0.1 && result.error_bound == 0);

    // the estimate differs by no more than it says; paths of the scratch folder do not last
    def.conductance_path = scratch_path("g.npy");
    def.voltage_path = scratch_path("v.npy");
    def.current_path = scratch_path("i.npy");
    def.effective_path = scratch_path("e.npy");
    def.netlist_path = scratch_path("n.cir");
    def.n_sweeps = 1;
    assert_int_equal(ohm_array_run(&result, &def, &err), OHM_OK);
    assert_int_equal(
        ohm_array_estimate(effective, bound, g_cells, ROWS, COLUMNS, 1, &g_wires, &err), OHM_OK);
    same("e.npy", effective, ROWS * COLUMNS);
    assert_true(result.check_difference > 0 && result.error_bound > 0);
    assert_true(result.check_difference <= result.error_bound);

    // 1T1R has neither matrix nor estimate
    def.cells = OHM_CELLS_1T1R;
    assert_int_equal(ohm_array_run(&result, &def, &err), OHM_ERR_ARGUMENT);
    def.effective_path = NULL;
    assert_int_equal(ohm_array_run(&result, &def, &err), OHM_ERR_ARGUMENT);
    def.n_sweeps = 0;
    assert_int_equal(ohm_array_run(&result, &def, &err), OHM_OK);
    assert_true(result.check_difference <= 1e-13);
    assert_int_equal(ohmi_live_blocks(), 0);
}

// The netlist of the second vector's like: rows of 0 V have no cells in 1T1R.
static void test_netlist(void **state) {
    (void)state;
    ohm_error err;
    ohm_array_result result;
    char text[4096] = "";
    static double one[ROWS] = {0, -0.1, 0};
    save_inputs();
    ohmi_view voltage = ohmi_view_of("v", OHMI_F64, one, 1, ROWS, 0, 0, 0);
    assert_int_equal(ohmi_npy_save(scratch_path("one.npy"), &voltage, &err), OHM_OK);
    const ohm_array_def def = {.conductance_path = scratch_path("g.npy"),
                               .voltage_path = scratch_path("one.npy"),
                               .netlist_path = scratch_path("t.cir"),
                               .wires = {20, 0, 0, 7, 1, 1},
                               .cells = OHM_CELLS_1T1R};
    assert_int_equal(ohm_array_run(&result, &def, &err), OHM_OK);
    FILE *file = fopen(scratch_path("t.cir"), "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    // drivers at the right without resistance, one segment of 20 ohm; bit lines of one node
    assert_string_equal(text,
                        "* array of 3 rows and 2 columns: word 20, bit 0, source 0, sense 7 ohm\n"
                        "vr0 r0 0 dc 0\nrw0_1 r0 w0_0 20\n"
                        "vr1 r1 0 dc -0.10000000000000001\nrw1_1 r1 w1_0 20\n"
                        "vr2 r2 0 dc 0\nrw2_1 r2 w2_0 20\n"
                        "vs0 s0 0 dc 0\nrb0_0 s0 b0_0 7\n"
                        "vs1 s1 0 dc 0\nrb1_0 s1 b0_1 7\n"
                        "rc1_0 w1_0 b0_0 5000\nrc1_1 r1 b0_1 33333.333333333336\n"
                        ".options reltol=1e-12 abstol=1e-25 vntol=1e-20 gmin=1e-25\n.control\n"
                        "set numdgt=15\nop\nprint i(vs0)\nprint i(vs1)\nquit\n.endc\n.end\n");
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void test_no_memory(void **state) {
    (void)state;
    ohm_error err;
    ohm_array_result result;
    save_inputs();
    ohm_status status = OHM_ERR_NO_MEMORY;
    for (int64_t k = 0; status != OHM_OK; k++) {
        assert_true(k < 1000);
        assert_false(scratch_has("none.npy"));
        const ohm_array_def def = {.conductance_path = scratch_path("g.npy"),
                                   .voltage_path = scratch_path("v.npy"),
                                   .current_path = scratch_path("none.npy"),
                                   .wires = g_wires,
                                   .n_check = 1};
        ohmi_fail_allocation(k);
        status = ohm_array_run(&result, &def, &err);
        ohmi_fail_allocation(-1);
        assert_true(status == OHM_OK || status == OHM_ERR_NO_MEMORY);
        assert_int_equal(ohmi_live_blocks(), 0);
    }
    assert_true(scratch_has("none.npy"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_outputs),
        cmocka_unit_test(test_netlist),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
