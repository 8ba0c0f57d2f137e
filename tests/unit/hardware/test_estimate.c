// SPDX-License-Identifier: Apache-2.0
// The circuit estimator hits what is published, and behaves as circuits do; presets are complete,
// and say where they are not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "hardware/estimate.h"
#include "hardware/preset.h"
#include "scratch.h"

static ohm_hardware *estimate(const char *const *more) {
    static const char *const base[] = {"components", "estimate", NULL};
    ohm_hardware *hardware = NULL;
    ohm_error err = {0};
    assert_int_equal(ohm_hardware_new(&hardware, &err), OHM_OK);
    for (int list = 0; list < 2; list++) {
        const char *const *pair = list ? more : base;
        for (; pair && pair[0]; pair += 2) {
            if (ohm_hardware_set(hardware, pair[0], pair[1], &err) < 0) {
                fail_msg("%s", err.message);
            }
        }
    }
    return hardware;
}

static ohmi_hardware resolved(const char *const *more) {
    ohm_hardware *hardware = estimate(more);
    ohmi_hardware values;
    ohm_error err = {0};
    if (ohmi_hardware_resolve(&values, hardware, &err) < 0) {
        fail_msg("%s", err.message);
    }
    ohm_hardware_free(&hardware);
    return values;
}

static void assert_near(double value, double expected, double part) {
    if (!(fabs(value - expected) <= part * fabs(expected))) {
        fail_msg("%.10g, expected %.10g within %g", value, expected, part);
    }
}

// XBM's slides, 32 nm; NeuroSim's SAR unit
static void test_anchors(void **state) {
    (void)state;
    const ohmi_hardware h = resolved(NULL);
    const ohmi_component *part = h.part;
    assert_near(72 * 72 * part[OHMI_PART_CELL].area_m2, 84.935e-12, 1e-3);
    assert_near(part[OHMI_PART_ADC].area_m2, 262.80e-12, 1e-3);
    assert_near(32 * part[OHMI_PART_ADC].area_m2, 8409.3e-12, 1e-3);
    assert_near(part[OHMI_PART_ADC].energy_j, 0.0873e-12, 1e-3);
    assert_near(part[OHMI_PART_BUFFER].area_m2, 2.644e-12, 1e-3);
    assert_near(part[OHMI_PART_MASK].area_m2 * 72, 190.4e-12, 1e-3);
    assert_near(part[OHMI_PART_BUFFER].area_m2 * 64 * 112 * 112 * 4, 8490034e-12, 1e-3);

    // adder trees of 1, 2, 3 stages behind a 12-bit adder: 12, 12 x 2 + 13, 12 x 4 + 13 x 2 + 14
    static const double trees[] = {2510.3e-12, 7740.1e-12, 18408.8e-12};
    static const int bits[] = {12, 37, 88};
    for (int i = 0; i < 3; i++) {
        assert_near(part[OHMI_PART_ADDER].area_m2 * 128 * bits[i], trees[i], 1e-3);
    }
    // with the current of its column, under as many ones as a run has, a conversion is the table's
    const ohmi_hardware in_adc = resolved((const char *const[]){"cell.energy", "in_adc", NULL});
    assert_near(72 * in_adc.part[OHMI_PART_ADC].energy_j, 8.3e-12, 0.01);
    // what it does not hit as closely (docs/cost.md says why)
    assert_near(part[OHMI_PART_ADDER].energy_j * 128 * 88, 32.6e-12, 0.10);
    assert_near(part[OHMI_PART_BUFFER].energy_j, 0.003e-12, 0.05);
    assert_near(part[OHMI_PART_SWITCH].area_m2, 457.3e-12, 0.04);
}

// the preset is the table of the slides
static void test_preset_is_table(void **state) {
    (void)state;
    ohm_hardware *hardware = NULL;
    ohmi_hardware h;
    ohm_error err = {0};
    assert_int_equal(ohm_hardware_new(&hardware, &err), OHM_OK);
    if (ohm_hardware_load(hardware, OHM_SOURCE_FOLDER "/presets/hardware/xst-32nm.yaml", &err) <
            0 ||
        ohmi_hardware_resolve(&h, hardware, &err) < 0) {
        fail_msg("%s", err.message);
    }
    const ohmi_component *part = h.part;
    assert_near(72 * 72 * part[OHMI_PART_CELL].area_m2, 84.93e-12, 1e-3);
    assert_near((double)h.adc.count * part[OHMI_PART_ADC].area_m2, 8409.3e-12, 1e-6);
    assert_near(72 * part[OHMI_PART_ADC].energy_j, 8.3e-12, 1e-6);
    assert_near(72 * part[OHMI_PART_SHIFT_INPUT].energy_j, 6.8e-12, 1e-6);
    assert_near(36 * part[OHMI_PART_SHIFT_WEIGHT].energy_j, 1.0e-12, 1e-6);
    assert_near(part[OHMI_PART_SWITCH].energy_j + 72 * part[OHMI_PART_ADC].energy_j +
                    72 * part[OHMI_PART_SHIFT_INPUT].energy_j +
                    36 * part[OHMI_PART_SHIFT_WEIGHT].energy_j,
                17.2e-12, 1e-6);
    const double area_m2 =
        72 * 72 * part[OHMI_PART_CELL].area_m2 + part[OHMI_PART_SWITCH].area_m2 +
        32 * part[OHMI_PART_ADC].area_m2 + 72 * part[OHMI_PART_SHIFT_INPUT].area_m2 +
        36 * part[OHMI_PART_SHIFT_WEIGHT].area_m2 + 72 * part[OHMI_PART_MASK].area_m2;
    assert_near(area_m2, 11380.2e-12, 1e-4); // the blocks of the slide add up to 11380.6
    static const int bits[] = {12, 37, 88};
    static const double areas[] = {2510.3e-12, 7740.1e-12, 18408.8e-12};
    static const double energies[] = {4.4e-12, 13.7e-12, 32.6e-12};
    for (int i = 0; i < 3; i++) {
        assert_near(128 * bits[i] * part[OHMI_PART_ADDER].area_m2, areas[i], 1e-3);
        // the slide has one decimal
        assert_near(128 * bits[i] * part[OHMI_PART_ADDER].energy_j, energies[i], 0.012);
    }
    assert_near(128 * part[OHMI_PART_RELU].energy_j, 0.9e-12, 1e-6);
    ohm_hardware_free(&hardware);
}

// nodes, flavours, bits, temperature and sizes move the table the way circuits go
static void test_trends(void **state) {
    (void)state;
    static const char *const nodes[] = {"130", "90", "65", "45", "32", "22"};
    double area_m2 = 1, energy_j = 1;
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        const ohmi_hardware h = resolved((const char *const[]){"technology.node", nodes[i], NULL});
        assert_true(h.part[OHMI_PART_ADC].area_m2 < area_m2);
        assert_true(h.part[OHMI_PART_ADC].energy_j < energy_j);
        area_m2 = h.part[OHMI_PART_ADC].area_m2;
        energy_j = h.part[OHMI_PART_ADC].energy_j;
        for (int p = 0; p < OHMI_N_PARTS; p++) {
            assert_true(h.part[p].area_m2 >= 0 && isfinite(h.part[p].energy_j));
        }
    }
    const ohmi_hardware lp = resolved(NULL);
    const ohmi_hardware hp = resolved((const char *const[]){"technology.flavour", "hp", NULL});
    assert_true(hp.part[OHMI_PART_ADDER].delay_s < lp.part[OHMI_PART_ADDER].delay_s);
    assert_true(hp.part[OHMI_PART_ADDER].leakage_w > 100 * lp.part[OHMI_PART_ADDER].leakage_w);
    const ohmi_hardware hot =
        resolved((const char *const[]){"technology.temperature", "358 K", NULL});
    assert_true(hot.part[OHMI_PART_ADDER].leakage_w > 3 * lp.part[OHMI_PART_ADDER].leakage_w);
    assert_true(hot.part[OHMI_PART_SWITCH].delay_s > lp.part[OHMI_PART_SWITCH].delay_s);
    const ohmi_hardware bits = resolved((const char *const[]){"adc.bits", "8", NULL});
    assert_near(bits.part[OHMI_PART_ADC].delay_s, 9e-9, 1e-9);
    assert_true(bits.part[OHMI_PART_ADC].energy_j > lp.part[OHMI_PART_ADC].energy_j);
    const ohmi_hardware flash = resolved((const char *const[]){"adc.kind", "flash", NULL});
    assert_true(flash.part[OHMI_PART_ADC].area_m2 > lp.part[OHMI_PART_ADC].area_m2);
    assert_true(flash.part[OHMI_PART_ADC].delay_s < lp.part[OHMI_PART_ADC].delay_s);
    // any array size: lines are as long as the array is wide, no rounding to powers of two
    const ohmi_hardware wide = resolved((const char *const[]){"array.columns", "73", NULL});
    assert_near(wide.line.row_j / lp.line.row_j, 73.0 / 72.0, 1e-9);
}

// a preset written out reads back the same
static void test_round_trip(void **state) {
    (void)state;
    ohm_hardware *hardware = estimate(NULL), *again = NULL;
    ohmi_hardware first, second;
    ohm_error err = {0};
    char *text = NULL;
    assert_int_equal(ohm_hardware_text(&text, hardware, &err), OHM_OK);
    scratch_write("whole.yaml", text, strlen(text));
    assert_int_equal(ohm_hardware_new(&again, &err), OHM_OK);
    if (ohm_hardware_load(again, scratch_path("whole.yaml"), &err) < 0) {
        fail_msg("%d:%d %s\n%s", err.line, err.column, err.message, text);
    }
    assert_int_equal(ohmi_hardware_resolve(&first, hardware, &err), OHM_OK);
    assert_int_equal(ohmi_hardware_resolve(&second, again, &err), OHM_OK);
    second.components = first.components; // written as the table it is
    assert_memory_equal(&first.part, &second.part, sizeof first.part);
    assert_memory_equal(&first.cell, &second.cell, sizeof first.cell);
    assert_memory_equal(&first.program, &second.program, sizeof first.program);
    ohm_text_free(&text);
    ohm_hardware_free(&hardware);
    ohm_hardware_free(&again);
}

static void test_malformed(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
        int line, column;
    } cases[] = {
        {"adc:\n  area: 262\n", "'adc.area' is '262', which has no unit", 2, 9},
        {"adc:\n  area: -262 um2\n", "'adc.area' is '-262 um2', which is negative", 2, 9},
        {"adc:\n  energy: 8 um2\n", "'adc.energy' does not take the unit 'um2'", 2, 11},
        {"adc:\n  enargy: 8 pJ\n", "unknown key 'adc.enargy'", 2, 3},
        {"cell:\n  max: 1 nS\n  min: 1 uS\n", "'cell.max' is 1e-09 S, not more", 2, 8},
        {"technology:\n  node: 33\ncomponents: estimate\n", "'technology.node' is 33 nm", 0, 0},
        {"adc: [1, 2]\n", "'adc' is a section", 1, 6},
        {"switch: {area: 1 um2, energy: 1 pJ}\n", "'cell.area' is not set", 0, 0},
        {"adc:\n  area: .nan um2\n", "not a number", 2, 9},
        {"adc: {area: 1 um2\n", "not YAML", 2, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ohm_hardware *hardware = NULL;
        ohm_error err = {0};
        scratch_write("bad.yaml", cases[i].text, strlen(cases[i].text));
        assert_int_equal(ohm_hardware_new(&hardware, &err), OHM_OK);
        ohm_status status = ohm_hardware_load(hardware, scratch_path("bad.yaml"), &err);
        if (status >= 0) {
            status = ohm_hardware_check(hardware, &err);
        }
        if (status != OHM_ERR_CONFIG || !strstr(err.message, cases[i].says) ||
            err.line != cases[i].line || (cases[i].line && err.column != cases[i].column)) {
            fail_msg("%s -> %d:%d %s", cases[i].text, err.line, err.column, err.message);
        }
        ohm_hardware_free(&hardware);
    }
    // every row of the table is asked for by name when it is missing
    const ohmi_table *table = ohmi_hardware_table();
    for (int i = 0; i < table->n_fields; i++) {
        if (table->fields[i].default_text) {
            continue;
        }
        ohm_hardware *hardware = NULL;
        ohm_error err = {0};
        assert_int_equal(ohm_hardware_new(&hardware, &err), OHM_OK);
        assert_int_equal(
            ohm_hardware_load(hardware, OHM_SOURCE_FOLDER "/presets/hardware/xst-32nm.yaml", &err),
            OHM_OK);
        hardware->is_set[i] = false;
        assert_int_equal(ohm_hardware_check(hardware, &err), OHM_ERR_CONFIG);
        assert_non_null(strstr(err.message, table->fields[i].key));
        assert_non_null(strstr(err.path, "xst-32nm.yaml"));
        ohm_hardware_free(&hardware);
    }
}

// ISAAC's table of an IMA (8 arrays of 128 x 128, 8 converters, 4 shift-adds) and of a tile (12
// IMAs) as powers and areas, and what the preset makes of them with a cycle of 100 ns
static void test_isaac(void **state) {
    (void)state;
    ohm_hardware *hardware = NULL;
    ohmi_hardware h;
    ohm_error err = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/presets/hardware/isaac-32nm.yaml", OHM_SOURCE_FOLDER);
    assert_int_equal(ohm_hardware_new(&hardware, &err), OHM_OK);
    assert_int_equal(ohm_hardware_load(hardware, path, &err), OHM_OK);
    assert_int_equal(ohmi_hardware_resolve(&h, hardware, &err), OHM_OK);
    const ohmi_component *part = h.part;
    const double cycle_s = 100e-9, lines = 8 * 128;
    assert_near(part[OHMI_PART_ADC].energy_j, 16e-3 / 8 / 1.28e9, 1e-3);
    assert_near(part[OHMI_PART_ADC].delay_s, 1 / 1.28e9, 1e-3);
    assert_near(part[OHMI_PART_ADC].area_m2, 0.0096e-6 / 8, 1e-3);
    assert_near(h.line.row_j, 4e-3 / lines * cycle_s, 1e-3);
    assert_near(h.line.column_j, (2.4e-3 + 10e-6) * cycle_s / lines, 1e-3);
    assert_near(part[OHMI_PART_CELL].area_m2, 0.0002e-6 / (lines * 128), 1e-3);
    assert_near(part[OHMI_PART_SWITCH].area_m2, (0.00017e-6 + 0.00004e-6) / 8, 1e-3);
    assert_near(part[OHMI_PART_SHIFT_INPUT].energy_j, 0.2e-3 * cycle_s / lines, 1e-3);
    assert_near(part[OHMI_PART_SHIFT_INPUT].area_m2, 0.00024e-6 / lines, 1e-3);
    assert_near(part[OHMI_PART_SHIFT_WEIGHT].energy_j, 0.05e-3 * cycle_s / lines, 1e-3);
    const double buffer_bits = 64 * 1024 * 8, moved_bits = 2 * 1024 * 8;
    assert_near(part[OHMI_PART_BUFFER].area_m2, 0.083e-6 / buffer_bits, 1e-3);
    assert_near(part[OHMI_PART_BUFFER].energy_j, 20.7e-3 * cycle_s / moved_bits, 1e-3);
    assert_near(part[OHMI_PART_INTERCONNECT].area_m2, (0.151e-6 / 4 + 0.090e-6) / 96, 5e-3);
    assert_near(part[OHMI_PART_INTERCONNECT].energy_j, (42e-3 / 4 + 7e-3) * cycle_s / moved_bits,
                1e-3);
    ohm_hardware_free(&hardware);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anchors),   cmocka_unit_test(test_preset_is_table),
        cmocka_unit_test(test_trends),    cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_isaac),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
