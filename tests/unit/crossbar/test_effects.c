// SPDX-License-Identifier: Apache-2.0
// Every effect against its equation: moments within five standard errors; that adding one changes
// no draw of the others; that chips, arrays and reads have nothing to do with each other; and that
// nothing happens unless it is asked for.
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

enum { ROWS = 128, COLUMNS = 160, CELLS = ROWS * COLUMNS };

static uint8_t level[CELLS];
static float g[CELLS], other[CELLS];
static const double error = 5 / 143.108; // 5 / sqrt(CELLS)

static const ohmi_site first = {3, 0, ROWS, COLUMNS};

// All cells at one level, programmed.
static void program(float *out, const ohm_config *config, const ohmi_site *site, int at) {
    ohmi_device device;
    memset(level, at, sizeof level);
    device_of(&device, config, ROWS, COLUMNS);
    ohmi_device_program(out, level, site, &device);
    ohmi_device_clear(&device);
}

typedef struct {
    double mean, deviation, skew;
} moments;

static moments moments_of(const float *x, bool in_log) {
    double sum = 0, square = 0, cube = 0;
    for (int i = 0; i < CELLS; i++) {
        sum += in_log ? log((double)x[i]) : (double)x[i];
    }
    for (int i = 0; i < CELLS; i++) {
        const double d = (in_log ? log((double)x[i]) : (double)x[i]) - sum / CELLS;
        square += d * d;
        cube += d * d * d;
    }
    const double deviation = sqrt(square / CELLS);
    return (moments){sum / CELLS, deviation, cube / CELLS / (deviation * deviation * deviation)};
}

static void near(double value, double wanted, double tolerance) {
    if (!(fabs(value - wanted) <= tolerance)) {
        fail_msg("%g is not %g +- %g", value, wanted, tolerance);
    }
}

static void test_off(void **state) {
    (void)state;
    ohm_config *config = CONFIG("seed=1");
    ohmi_device device;
    ohmi_text text = {0};
    int n;
    device_of(&device, config, ROWS, COLUMNS);
    (void)ohmi_effects(&n);
    for (int i = 0; i < n; i++) {
        assert_false(device.is_on[i]);
    }
    assert_false(ohmi_device_differs_by_read(&device));
    ohmi_device_describe(&text, &device);
    assert_null(text.data);
    program(g, config, &first, 2);
    memcpy(other, g, sizeof g);
    ohmi_device_read(g, &first, &device, 0);
    assert_memory_equal(g, other, sizeof g);
    assert_true(g[0] == device.cell.siemens[2]);
    ohm_config_free(&config);
}

static void test_variation(void **state) {
    (void)state;
    const double middle = 7e-6;
    ohm_config *config = CONFIG("variation.absolute=0.5 uS");
    program(g, config, &first, 2);
    moments m = moments_of(g, false);
    near(m.mean, middle, 0.5e-6 * error);
    near(m.deviation, 0.5e-6, 0.5e-6 * error);
    near(m.skew, 0, sqrt(6) * error);
    ohm_config_free(&config);

    config = CONFIG("variation.relative=10 %");
    program(g, config, &first, 2);
    m = moments_of(g, false);
    near(m.mean, middle, 0.1 * middle * error);
    near(m.deviation, 0.1 * middle, 0.1 * middle * error);
    ohm_config_free(&config);

    config = CONFIG("variation.relative=0.3", "variation.shape=lognormal");
    program(g, config, &first, 2);
    m = moments_of(g, true);
    near(m.mean, log(middle), 0.3 * error);
    near(m.deviation, 0.3, 0.3 * error);
    near(m.skew, 0, sqrt(6) * error);
    ohm_config_free(&config);

    // never below 0
    config = CONFIG("variation.relative=2");
    program(g, config, &first, 1);
    int n_zero = 0;
    for (int i = 0; i < CELLS; i++) {
        assert_true(g[i] >= 0);
        n_zero += g[i] == 0;
    }
    near((double)n_zero / CELLS, 0.3085, 0.5 * error); // Phi(-1/2)
    ohm_config_free(&config);
}

static void test_levels(void **state) {
    (void)state;
    double pairs[8] = {1e-6, 0, 4e-6, 1e-7, 7e-6, 2e-7, 10e-6, 5e-7};
    char setting[600];
    const ohmi_view view = ohmi_view_of("levels", OHMI_F64, pairs, 2, 4, 2, 0, 0);
    assert_int_equal(ohmi_npy_save(scratch_path("levels.npy"), &view, NULL), OHM_OK);
    snprintf(setting, sizeof setting, "cell.levels=%s", scratch_path("levels.npy"));
    ohm_config *config = CONFIG(setting);
    for (int l = 0; l < 4; l++) {
        program(g, config, &first, l);
        const moments m = moments_of(g, false);
        near(m.mean, pairs[2 * l], pairs[2 * l + 1] * error + 1e-12);
        near(m.deviation, pairs[2 * l + 1], pairs[2 * l + 1] * error + 1e-12);
    }
    ohm_config_free(&config);
}

static void test_drift(void **state) {
    (void)state;
    ohm_config *config = CONFIG("drift.time=1000 s", "drift.nu=0.1");
    program(g, config, &first, 3);
    near((double)g[0], 1e-5 * pow(1000, -0.1), 1e-11);
    near((double)g[CELLS - 1], (double)g[0], 0);
    ohm_config_free(&config);

    // each cell keeps its own exponent: log G falls in proportion to log t
    config = CONFIG("drift.time=100 s", "drift.nu=0.05", "drift.spread=0.02");
    program(g, config, &first, 3);
    ohm_config_free(&config);
    config = CONFIG("drift.time=10000 s", "drift.nu=0.05", "drift.spread=0.02");
    program(other, config, &first, 3);
    const moments m = moments_of(other, true);
    near(m.mean, log(1e-5) - 0.05 * log(1e4), 0.02 * log(1e4) * error);
    near(m.deviation, 0.02 * log(1e4), 0.02 * log(1e4) * error);
    for (int i = 0; i < CELLS; i++) {
        near(log((double)other[i] / 1e-5), 2 * log((double)g[i] / 1e-5), 1e-5);
    }
    ohm_config_free(&config);

    // not before the reference
    config = CONFIG("drift.time=1 s", "drift.reference=2 s", "drift.nu=0.05");
    program(g, config, &first, 3);
    assert_true(g[0] == 1e-5f);
    ohm_config_free(&config);
}

static void test_telegraph(void **state) {
    (void)state;
    ohm_config *config = CONFIG("noise.telegraph=0.3");
    ohmi_device device;
    device_of(&device, config, ROWS, COLUMNS);
    assert_true(ohmi_device_differs_by_read(&device));
    const double d = 0.0015 * 7e-6 + 1.662e-7, wanted = 7e-6 + 7e-6 * d / (7e-6 - d);
    int n_on[2] = {0}, n_both = 0;
    static bool was_on[CELLS];
    for (int read = 0; read < 2; read++) {
        program(g, config, &first, 2);
        ohmi_device_read(g, &first, &device, (uint32_t)read);
        for (int i = 0; i < CELLS; i++) {
            const bool is_on = g[i] > 7.05e-6f;
            near((double)g[i], is_on ? wanted : 7e-6, 1e-11);
            n_on[read] += is_on;
            n_both += read == 1 && is_on && was_on[i];
            was_on[i] = is_on;
        }
        near(n_on[read] / (double)CELLS, 0.3, 0.46 * error);
    }
    near(n_both / (double)CELLS, 0.09, 0.3 * error); // two reads are independent
    ohm_config_free(&config);

    // a cell that hardly conducts is left alone
    config = CONFIG("noise.telegraph=1", "cell.min=0.2 uS");
    device_of(&device, config, ROWS, COLUMNS);
    program(g, config, &first, 0);
    ohmi_device_read(g, &first, &device, 0);
    assert_true(g[0] == device.cell.siemens[0]);
    ohm_config_free(&config);
}

// The variance of one cell of 10 uS at 0.5 V over 10 MHz, by hand: f (4 k T G + 2 q V G) in A^2.
static void test_noise(void **state) {
    (void)state;
    ohm_config *config = CONFIG("noise.bandwidth=10 MHz");
    ohmi_device device;
    float rows[2][ROWS], columns[2][COLUMNS];
    ohmi_periphery periphery = {rows[0], rows[1], columns[0], columns[1], 0};
    device_of(&device, config, ROWS, COLUMNS);
    ohmi_device_periphery(&periphery, &first, &device);
    const double square = 1e7 * (4 * 1.380649e-23 * 300 * 1e-5 + 2 * 1.602176634e-19 * 0.5 * 1e-5);
    const double unit = 0.5 * 3e-6; // current of a level step
    near((double)periphery.variance * (1e-5 / 3e-6), square / (unit * unit),
         1e-5 * square / (unit * unit));
    assert_true(rows[0][5] == 1 && rows[1][5] == 0 && columns[0][5] == 1 && columns[1][5] == 0);
    ohm_config_free(&config);
}

static void test_converters(void **state) {
    (void)state;
    enum { MANY = 20000 };
    static float v[4][MANY];
    ohm_config *config = CONFIG("converter.dac_gain=1 %", "converter.dac_offset=5 mV",
                                "converter.adc_gain=2 %", "converter.adc_offset=0.5");
    static const double wanted[4][2] = {{1, 0.01}, {0, 0.01}, {1, 0.02}, {0, 0.5}};
    ohmi_device device;
    ohmi_periphery periphery = {v[0], v[1], v[2], v[3], 0};
    const ohmi_site site = {8, 1, MANY, MANY};
    device_of(&device, config, ROWS, COLUMNS);
    ohmi_device_periphery(&periphery, &site, &device);
    for (int k = 0; k < 4; k++) {
        double sum = 0, square = 0, product = 0;
        for (int i = 0; i < MANY; i++) {
            const double z = ((double)v[k][i] - wanted[k][0]) / wanted[k][1];
            sum += z;
            square += z * z;
            product +=
                z * ((double)v[(k + 1) % 4][i] - wanted[(k + 1) % 4][0]) / wanted[(k + 1) % 4][1];
        }
        near(sum / MANY, 0, error);
        near(square / MANY, 1, sqrt(2) * error);
        near(product / MANY, 0, error);
    }
    assert_true(periphery.variance == 0);
    ohm_config_free(&config);
}

// Correlation of two programmings of the same levels.
static double correlation(const float *a, const float *b) {
    const moments ma = moments_of(a, false), mb = moments_of(b, false);
    double sum = 0;
    for (int i = 0; i < CELLS; i++) {
        sum += ((double)a[i] - ma.mean) * ((double)b[i] - mb.mean);
    }
    return sum / CELLS / (ma.deviation * mb.deviation);
}

static void test_independence(void **state) {
    (void)state;
    ohm_config *config = CONFIG("variation.relative=0.1");
    static const ohmi_site others[] = {
        {4, 0, ROWS, COLUMNS}, {3, 1, ROWS, COLUMNS}, {3 + ((uint64_t)1 << 32), 0, ROWS, COLUMNS}};
    program(g, config, &first, 2);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        program(other, config, &others[i], 2);
        near(correlation(g, other), 0, error);
    }
    program(other, config, &first, 2);
    assert_memory_equal(g, other, sizeof g);
    ohm_config_free(&config);

    // a cell has the same draw in an array that is narrower and shorter
    config = CONFIG("variation.relative=0.1");
    ohmi_device device;
    device_of(&device, config, 7, 9);
    ohmi_device_program(other, level, &(ohmi_site){3, 0, 7, 9}, &device);
    for (int r = 0; r < 7; r++) {
        assert_memory_equal(other + 9 * r, g + (size_t)COLUMNS * (size_t)r, 9 * sizeof *g);
    }
    ohm_config_free(&config);
}

// What the cells draw for one effect is the same whatever else is on: stuck cells stay the stuck
// ones, and the relative part of the others is as it was alone.
static void test_adding(void **state) {
    (void)state;
    ohm_config *alone = CONFIG("variation.relative=0.1");
    ohm_config *both = CONFIG("variation.relative=0.1", "fault.stuck_off=0.1", "drift.time=100",
                              "drift.nu=0.1", "noise.telegraph=0.5", "converter.adc_gain=0.1");
    ohm_config *stuck_only = CONFIG("fault.stuck_off=0.1");
    program(g, alone, &first, 2);
    program(other, both, &first, 2);
    static float stuck[CELLS];
    program(stuck, stuck_only, &first, 2);
    const double factor = pow(100, -0.1);
    for (int i = 0; i < CELLS; i++) {
        if (stuck[i] < 2e-6f) {
            assert_true(other[i] == stuck[i]);
        } else {
            near((double)other[i], (double)g[i] * factor, 1e-11);
        }
    }

    // one effect of several by itself is that effect
    ohmi_device device;
    device_of(&device, both, ROWS, COLUMNS);
    int n;
    const ohmi_effect *const *effects = ohmi_effects(&n);
    int n_on = 0;
    for (int i = 0; i < n; i++) {
        n_on += device.is_on[i];
    }
    assert_int_equal(n_on, 5);
    for (int i = 0; i < n; i++) {
        ohmi_device_only(&device, i);
        assert_true(ohmi_device_has(&device, effects[i]) == device.is_on[i]);
        if (effects[i] == &ohmi_effect_variation) {
            ohmi_device_program(other, level, &first, &device);
            assert_memory_equal(other, g, sizeof g);
        }
    }
    ohmi_text text = {0};
    ohmi_device_only(&device, -1);
    ohmi_device_describe(&text, &device);
    assert_non_null(strstr(text.data, "stuck cells: 0 % on, 10 % off\n"));
    assert_non_null(strstr(text.data, "drift: 100 s after programming"));
    ohmi_text_clear(&text);
    ohm_config_free(&alone);
    ohm_config_free(&both);
    ohm_config_free(&stuck_only);
}

// Configs that contradict themselves.
static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *key, *value, *key2, *value2, *says;
    } rows[] = {
        {"cell.max", "1e-7", "cell.min", "1e-6", "'cell.max'"},
        {"fault.stuck_on", "0.6", "fault.stuck_off", "0.5", "more than all cells"},
        {"fault.map", "x.npy", "fault.stuck_on", "0.1", "'fault.map'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ohm_config *config = NULL;
        ohm_error err = {0};
        assert_int_equal(ohm_config_new(&config, NULL), OHM_OK);
        assert_int_equal(ohm_config_set(config, rows[i].key, rows[i].value, NULL), OHM_OK);
        assert_int_equal(ohm_config_set(config, rows[i].key2, rows[i].value2, NULL), OHM_OK);
        assert_int_equal(ohm_config_check(config, &err), OHM_ERR_CONFIG);
        assert_non_null(strstr(err.message, rows[i].says));
        assert_true(err.hint[0] != 0);
        ohm_config_free(&config);
    }
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),        cmocka_unit_test(test_variation),
        cmocka_unit_test(test_levels),     cmocka_unit_test(test_drift),
        cmocka_unit_test(test_telegraph),  cmocka_unit_test(test_noise),
        cmocka_unit_test(test_converters), cmocka_unit_test(test_independence),
        cmocka_unit_test(test_adding),     cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
