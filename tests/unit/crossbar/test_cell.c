// SPDX-License-Identifier: Apache-2.0
// Levels of cells to conductances and back: the linear ones, measured ones from a file, and files
// that are not what they should be.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "device_config.h"
#include "file/npy.h"
#include "scratch.h"

static const uint8_t all_levels[4] = {0, 1, 2, 3};

// Two bits: 1, 4, 7, 10 uS; and back to the same levels.
static void test_linear(void **state) {
    (void)state;
    ohm_config *config = CONFIG("seed=1");
    ohmi_cell cell;
    float g[4], level[4];
    assert_int_equal(ohmi_cell_init(&cell, ohmi_config_values(config), 4, NULL), OHM_OK);
    ohmi_cell_conductance(g, all_levels, 4, &cell);
    ohmi_cell_level(level, g, 4, &cell);
    for (int l = 0; l < 4; l++) {
        assert_true(fabs((double)g[l] - (1e-6 + 3e-6 * l)) < 1e-12);
        assert_true(fabs((double)level[l] - l) < 1e-5);
    }
    assert_true(fabs((double)cell.step - 3e-6) < 1e-12);
    assert_false(cell.has_deviation);

    // one bit, eight bits, and none
    assert_int_equal(ohmi_cell_init(&cell, ohmi_config_values(config), 2, NULL), OHM_OK);
    assert_true(fabs((double)cell.siemens[1] - 1e-5) < 1e-12);
    assert_int_equal(ohmi_cell_init(&cell, ohmi_config_values(config), 256, NULL), OHM_OK);
    assert_true(fabs((double)cell.siemens[255] - 1e-5) < 1e-12);
    assert_int_equal(ohmi_cell_init(&cell, ohmi_config_values(config), 1, NULL), OHM_ERR_ARGUMENT);
    assert_int_equal(ohmi_cell_init(&cell, ohmi_config_values(config), 257, NULL),
                     OHM_ERR_ARGUMENT);
    ohm_config_free(&config);
}

// Writes an array and reads it as the levels of a cell of two bits.
static ohm_status init_from(ohmi_cell *cell, const ohmi_view *view, ohm_error *err) {
    char setting[600];
    assert_int_equal(ohmi_npy_save(scratch_path("levels.npy"), view, NULL), OHM_OK);
    snprintf(setting, sizeof setting, "cell.levels=%s", scratch_path("levels.npy"));
    ohm_config *config = CONFIG(setting);
    const ohm_status status = ohmi_cell_init(cell, ohmi_config_values(config), 4, err);
    ohm_config_free(&config);
    return status;
}

static void test_measured(void **state) {
    (void)state;
    float g[4] = {2e-6f, 3e-6f, 7e-6f, 11e-6f}, level[4];
    double pairs[8] = {2e-6, 1e-7, 3e-6, 0, 7e-6, 2e-7, 11e-6, 3e-7};
    ohmi_cell cell;
    ohmi_view view = ohmi_view_of("levels", OHMI_F32, g, 1, 4, 0, 0, 0);
    assert_int_equal(init_from(&cell, &view, NULL), OHM_OK);
    assert_true(cell.siemens[2] == 7e-6f);
    assert_false(cell.has_deviation);
    ohmi_cell_level(level, cell.siemens, 4, &cell);
    assert_true(level[0] == 0 && fabs((double)level[3] - 3) < 1e-5);
    assert_true(fabs((double)level[1] - 1.0 / 3) < 1e-5);

    view = ohmi_view_of("levels", OHMI_F64, pairs, 2, 4, 2, 0, 0);
    assert_int_equal(init_from(&cell, &view, NULL), OHM_OK);
    assert_true(cell.has_deviation && cell.deviation[3] == 3e-7f && cell.deviation[1] == 0);
}

static void test_refused(void **state) {
    (void)state;
    ohm_error err;
    ohmi_cell cell;
    float g[4] = {2e-6f, 3e-6f, 7e-6f, 11e-6f};
    int32_t whole[4] = {1, 2, 3, 4};
    ohmi_view view = ohmi_view_of("levels", OHMI_F32, g, 1, 3, 0, 0, 0);
    assert_int_equal(init_from(&cell, &view, &err), OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "has 3 levels, the cells have 4"));
    assert_non_null(strstr(err.path, "levels.npy"));
    view = ohmi_view_of("levels", OHMI_I32, whole, 1, 4, 0, 0, 0);
    assert_int_equal(init_from(&cell, &view, &err), OHM_ERR_FORMAT);
    view = ohmi_view_of("levels", OHMI_F32, g, 1, 4, 0, 0, 0);
    static const float wrong[] = {NAN, INFINITY, -1e-6f, 3e-6f, 2.0f};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        g[2] = wrong[i];
        assert_int_equal(init_from(&cell, &view, &err), OHM_ERR_FORMAT);
        assert_non_null(strstr(err.message, "level 2"));
    }
    scratch_write("levels.npy", "no array", 8);
    char setting[600];
    snprintf(setting, sizeof setting, "cell.levels=%s", scratch_path("levels.npy"));
    ohm_config *config = CONFIG(setting);
    assert_int_equal(ohmi_cell_init(&cell, ohmi_config_values(config), 4, &err), OHM_ERR_FORMAT);
    ohm_config_free(&config);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_measured),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
