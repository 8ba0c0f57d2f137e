// SPDX-License-Identifier: Apache-2.0
// Stuck cells and broken lines: rates within five standard errors, clusters of the correlation that
// their field has, maps from files, and that finding them is the same as programming them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "crossbar/fault.h"
#include "device_config.h"
#include "file/npy.h"
#include "scratch.h"

enum { ROWS = 72, COLUMNS = 80, CELLS = ROWS * COLUMNS, ARRAYS = 60 };

static float g[CELLS], stuck[CELLS];
static uint8_t level[CELLS];
static int kind[ARRAYS][ROWS][COLUMNS]; // 1 on, -1 off, 2 open

// Programs arrays of one chip whose cells are all at level 1, finds their faults, and counts.
static void find_all(const ohmi_device *device, uint64_t chip) {
    memset(level, 1, sizeof level);
    for (int a = 0; a < ARRAYS; a++) {
        const ohmi_site site = {chip, (uint32_t)a, ROWS, COLUMNS};
        ohmi_device_program(g, level, &site, device);
        ohmi_fault_find(stuck, &site, device);
        for (int i = 0; i < CELLS; i++) {
            const float wanted = isnan(stuck[i]) ? device->cell.siemens[1] : stuck[i];
            assert_true(g[i] == wanted);
            kind[a][i / COLUMNS][i % COLUMNS] = isnan(stuck[i])                       ? 0
                                                : stuck[i] == 0                       ? 2
                                                : stuck[i] == device->cell.siemens[0] ? -1
                                                                                      : 1;
        }
    }
}

static double share(int of) {
    int64_t n = 0;
    for (int a = 0; a < ARRAYS; a++) {
        for (int i = 0; i < CELLS; i++) {
            n += kind[a][i / COLUMNS][i % COLUMNS] == of;
        }
    }
    return (double)n / ((double)ARRAYS * CELLS);
}

// Correlation of being stuck off between cells at a distance along rows and along columns.
static double correlation(int distance) {
    const double p = share(-1);
    double both = 0, n = 0;
    for (int a = 0; a < ARRAYS; a++) {
        for (int r = 0; r + distance < ROWS; r++) {
            for (int c = 0; c + distance < COLUMNS; c++) {
                const bool here = kind[a][r][c] == -1;
                both += here && kind[a][r + distance][c] == -1;
                both += here && kind[a][r][c + distance] == -1;
                n += 2;
            }
        }
    }
    return (both / n - p * p) / (p * (1 - p));
}

static void test_random(void **state) {
    (void)state;
    ohm_config *config = CONFIG("fault.preset=chen2015");
    ohmi_device device;
    device_of(&device, config, ROWS, COLUMNS);
    find_all(&device, 5);
    const double error = 1 / sqrt((double)ARRAYS * CELLS);
    assert_true(fabs(share(1) - 0.0175) < 5 * error * sqrt(0.0175));
    assert_true(fabs(share(-1) - 0.0904) < 5 * error * sqrt(0.0904));
    assert_true(fabs(correlation(1)) < 5 * error);
    ohmi_device_clear(&device);
    ohm_config_free(&config);

    // a rate that is set stands, and the other comes from the preset
    config = CONFIG("fault.preset=chen2015", "fault.stuck_on=0");
    assert_true(ohmi_config_values(config)->fault.stuck_off == 0.0904);
    device_of(&device, config, ROWS, COLUMNS);
    find_all(&device, 5);
    assert_true(share(1) == 0 && share(-1) > 0.08);
    ohm_config_free(&config);

    // all cells, and none
    config = CONFIG("fault.stuck_on=1");
    device_of(&device, config, ROWS, COLUMNS);
    find_all(&device, 5);
    assert_true(share(1) == 1);
    ohm_config_free(&config);
    config = CONFIG("seed=1");
    device_of(&device, config, ROWS, COLUMNS);
    find_all(&device, 5);
    assert_true(share(0) == 1);
    ohm_config_free(&config);
}

// Clusters: the rates stay, neighbours go together, and further away less; the correlation of two
// bits is that of a Gaussian pair below a threshold, found here by summing over its density.
static double pair_correlation(double p, double rho) {
    // z of the threshold by bisection of Phi
    double low = -8, high = 8;
    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (low + high);
        *(0.5 * erfc(-middle / sqrt(2.0)) < p ? &low : &high) = middle;
    }
    const int n = 2000;
    double both = 0;
    for (int i = 0; i < n; i++) {
        const double z = -8 + (low + 8) * (i + 0.5) / n;
        both += exp(-z * z / 2) / sqrt(2 * 3.14159265358979) * (low + 8) / n * 0.5 *
                erfc(-(low - rho * z) / sqrt(1 - rho * rho) / sqrt(2.0));
    }
    return (both - p * p) / (p * (1 - p));
}

static void test_clusters(void **state) {
    (void)state;
    static const char *const radii[] = {"fault.cluster=1", "fault.cluster=2.5"};
    for (int i = 0; i < 2; i++) {
        const double radius = i == 0 ? 1 : 2.5;
        ohm_config *config = CONFIG("fault.preset=chen2015", radii[i]);
        ohmi_device device;
        device_of(&device, config, ROWS, COLUMNS);
        find_all(&device, 7);

        // a patch holds about 4 pi r^2 cells that are not independent
        const double cells = (double)ARRAYS * CELLS / (4 * 3.14159 * radius * radius);
        assert_true(fabs(share(1) - 0.0175) < 5 * sqrt(0.0175 / cells));
        assert_true(fabs(share(-1) - 0.0904) < 5 * sqrt(0.0904 / cells));
        for (int d = 1; d <= 4; d++) {
            const double rho = exp(-d * d / (4 * radius * radius));
            assert_true(fabs(correlation(d) - pair_correlation(0.0904, rho)) < 0.05);
        }
        ohmi_device_clear(&device);
        ohm_config_free(&config);
    }
}

static void test_lines(void **state) {
    (void)state;
    ohm_config *config = CONFIG("fault.open_rows=0.05", "fault.open_columns=0.02");
    ohmi_device device;
    device_of(&device, config, ROWS, COLUMNS);
    find_all(&device, 9);
    int n_rows = 0, n_columns = 0, n_cells = 0;
    for (int a = 0; a < ARRAYS; a++) {
        bool is_column[COLUMNS] = {false};
        int rows_of_array = 0, columns_of_array = 0;
        for (int c = 0; c < COLUMNS; c++) {
            is_column[c] = true;
            for (int r = 0; r < ROWS; r++) {
                is_column[c] = is_column[c] && kind[a][r][c] == 2;
            }
            columns_of_array += is_column[c];
        }
        for (int r = 0; r < ROWS; r++) {
            bool is_row = true;
            for (int c = 0; c < COLUMNS; c++) {
                is_row = is_row && kind[a][r][c] == 2;
                n_cells += kind[a][r][c] == 2;
            }
            rows_of_array += is_row;
        }
        n_rows += rows_of_array;
        n_columns += columns_of_array;
        n_cells -=
            rows_of_array * COLUMNS + columns_of_array * ROWS - rows_of_array * columns_of_array;
    }
    assert_int_equal(n_cells, 0); // no open cell but on broken lines
    assert_true(fabs(n_rows - 0.05 * ARRAYS * ROWS) < 5 * sqrt(0.05 * ARRAYS * ROWS));
    assert_true(fabs(n_columns - 0.02 * ARRAYS * COLUMNS) < 5 * sqrt(0.02 * ARRAYS * COLUMNS));
    ohm_config_free(&config);
}

// Writes a map and reads it for arrays of 2 x 3.
static ohm_status read_map(ohmi_device *device, ohm_config **config, const ohmi_view *view,
                           ohm_error *err) {
    char setting[600];
    assert_int_equal(ohmi_npy_save(scratch_path("map.npy"), view, NULL), OHM_OK);
    snprintf(setting, sizeof setting, "fault.map=%s", scratch_path("map.npy"));
    *config = CONFIG(setting);
    return ohmi_device_init(device, ohmi_config_values(*config), 2, 3, 4, err);
}

static void test_map(void **state) {
    (void)state;
    ohmi_device device;
    ohm_config *config;
    ohm_error err;
    uint8_t kinds[12] = {0, 1, 2, 0, 0, 0, 2, 2, 2, 1, 1, 1};
    double measured[6] = {NAN, 5e-6, NAN, 0, NAN, 2e-5};
    const uint8_t meant[6] = {1, 1, 1, 2, 2, 2};
    float out[6];

    // two arrays; the third is the first again
    ohmi_view view = ohmi_view_of("map", OHMI_U8, kinds, 3, 2, 2, 3, 0);
    assert_int_equal(read_map(&device, &config, &view, NULL), OHM_OK);
    ohmi_device_program(out, meant, &(ohmi_site){1, 2, 2, 3}, &device);
    const float *levels = device.cell.siemens;
    assert_true(out[0] == levels[1] && out[1] == levels[3] && out[2] == levels[0]);
    assert_true(out[3] == levels[2] && out[5] == levels[2]);
    ohmi_device_program(out, meant, &(ohmi_site){1, 1, 2, 3}, &device);
    assert_true(out[0] == levels[0] && out[3] == levels[3]);
    ohmi_device_clear(&device);
    ohm_config_free(&config);

    // conductances
    view = ohmi_view_of("map", OHMI_F64, measured, 2, 2, 3, 0, 0);
    assert_int_equal(read_map(&device, &config, &view, NULL), OHM_OK);
    ohmi_device_program(out, meant, &(ohmi_site){1, 0, 2, 3}, &device);
    assert_true(out[0] == levels[1] && out[1] == 5e-6f && out[3] == 0 && out[5] == 2e-5f);
    ohmi_device_clear(&device);
    ohm_config_free(&config);

    // what is wrong is said with its place
    kinds[10] = 3;
    view = ohmi_view_of("map", OHMI_U8, kinds, 3, 2, 2, 3, 0);
    assert_int_equal(read_map(&device, &config, &view, &err), OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "has 3 in array 1, row 1, column 1"));
    ohm_config_free(&config);
    measured[2] = -1;
    view = ohmi_view_of("map", OHMI_F64, measured, 2, 2, 3, 0, 0);
    assert_int_equal(read_map(&device, &config, &view, &err), OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "row 0, column 2"));
    ohm_config_free(&config);
    view = ohmi_view_of("map", OHMI_U8, kinds, 2, 3, 2, 0, 0);
    assert_int_equal(read_map(&device, &config, &view, &err), OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "2 rows and 3 columns"));
    ohm_config_free(&config);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_clusters),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_map),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
