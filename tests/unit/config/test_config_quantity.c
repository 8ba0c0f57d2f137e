// SPDX-License-Identifier: Apache-2.0
// Quantities with units, and files of a table that is not a config.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/quantity.h"
#include "config/values.h"
#include "scratch.h"

typedef struct {
    double area_m2, energy_j, delay_s, temperature_k;
    int64_t bits;
} part;

#define AT(member) offsetof(part, member), sizeof(((part *)0)->member)
static const ohmi_field fields[] = {
    {"adc.area", OHMI_FIELD_QUANTITY, AT(area_m2), NULL, 0, 1, false, NULL, "m2", "m", "s"},
    {"adc.energy", OHMI_FIELD_QUANTITY, AT(energy_j), NULL, 0, 1, false, NULL, "J", "m", "s"},
    {"adc.delay", OHMI_FIELD_QUANTITY, AT(delay_s), "1 ns", 1e-15, 1e9, true, NULL, "s", "m", "s"},
    {"heat", OHMI_FIELD_QUANTITY, AT(temperature_k), "300 K", 1, 1000, false, NULL, "K", "m", "s"},
    {"adc.bits", OHMI_FIELD_INTEGER, AT(bits), "5", 1, 16, false, NULL, "bits", "m", "s"},
};
static const ohmi_section sections[] = {{"", "all"}, {"adc", "converters"}};
static const ohmi_table table = {"part", fields, sections, 5, 2, "see the docs"};

static void test_units(void **state) {
    (void)state;
    static const struct {
        int field;
        const char *text;
        double value;
    } good[] = {
        {0, "84.93 um2", 84.93e-12}, {0, "1mm2", 1e-6},
        {0, "0.2 m2", .2},           {1, "8.3 pJ", 8.3e-12},
        {1, "0.5fJ", 0.5e-15},       {2, "6 ns", 6e-9},
        {2, "2 d", 172800},          {2, "0 s", 0},
        {3, "358 K", 358},           {1, "+.5 J", .5},
        {2, " 3e2 ps ", 3e-10},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        part p = {0};
        ohm_error err = {0};
        const ohmi_field *field = &fields[good[i].field];
        if (ohmi_field_set(&p, field, good[i].text, &err) < 0) {
            fail_msg("%s: %s", good[i].text, err.message);
        }
        const double value = *(double *)((char *)&p + field->offset);
        assert_true(value >= good[i].value * (1 - 4e-16) && value <= good[i].value * (1 + 4e-16));
        // written and read again it is the same double
        ohmi_text text = {0};
        part again = {0};
        ohmi_field_add_text(&text, field, &p);
        assert_int_equal(ohmi_field_set(&again, field, text.data, &err), OHM_OK);
        assert_memory_equal(&again, &p, sizeof p);
        ohmi_text_clear(&text);
    }
    static const struct {
        int field;
        const char *text, *says;
    } bad[] = {
        {0, "84.93", "no unit"},        {0, "84.93 pJ", "does not take the unit 'pJ'"},
        {1, "-8 pJ", "negative"},       {1, "pJ", "not a number"},
        {1, "8 pj", "unit 'pj'"},       {1, "nan J", "not a number"},
        {1, "1e999 J", "out of range"}, {2, "1 uus", "unit 'uus'"},
        {3, "1 mK", "unit 'mK'"},       {0, "1 um", "unit 'um'"},
        {1, "8 pJ pJ", "unit 'pJ pJ'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        part p = {.area_m2 = 7, .energy_j = 7}, before = p;
        ohm_error err = {0};
        assert_int_equal(ohmi_field_set(&p, &fields[bad[i].field], bad[i].text, &err),
                         OHM_ERR_CONFIG);
        if (!strstr(err.message, bad[i].says) || !strstr(err.message, fields[bad[i].field].key)) {
            fail_msg("%s: %s", bad[i].text, err.message);
        }
        assert_memory_equal(&p, &before, sizeof p);
    }
}

// random doubles come back from their text
static void test_round_trip(void **state) {
    (void)state;
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 2000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        part p = {.energy_j = (double)(bits >> 11) * 0x1p-53 * 1e-12}, again = {0};
        ohmi_text text = {0};
        ohm_error err = {0};
        ohmi_field_add_text(&text, &fields[1], &p);
        assert_int_equal(ohmi_field_set(&again, &fields[1], text.data, &err), OHM_OK);
        if (memcmp(&again, &p, sizeof p) != 0) {
            fail_msg("%.17g became %s", p.energy_j, text.data);
        }
        ohmi_text_clear(&text);
    }
}

static void test_files(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
        int line, column;
    } cases[] = {
        {"adc:\n  area: 2 um2\n  energy: 3 pJ\nheat: 358 K\n", NULL, 0, 0},
        {"adc:\n  area: 2\n", "no unit", 2, 9},
        {"adc:\n  aria: 2 um2\n", "unknown key 'adc.aria'", 2, 3},
        {"adc.area: -2 um2\n", "negative", 1, 11},
        {"heat: 300 K\nheat: 301 K\n", "set twice", 2, 1},
        {"adc:\n  area:\n", "has no value", 2, 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scratch_write("part.yaml", cases[i].text, strlen(cases[i].text));
        part p = {0};
        ohmi_mark marks[5] = {0};
        ohm_error err = {0};
        assert_int_equal(ohmi_table_defaults(&p, &table, &err), OHM_OK);
        const ohm_status status =
            ohmi_table_load(&p, marks, &table, scratch_path("part.yaml"), &err);
        if (!cases[i].says) {
            assert_int_equal(status, OHM_OK);
            assert_int_equal(marks[0].line, 2);
            assert_int_equal(marks[2].line, 0);
            assert_true(p.temperature_k > 357 && p.bits == 5);
        } else if (status != OHM_ERR_CONFIG || !strstr(err.message, cases[i].says) ||
                   err.line != cases[i].line || err.column != cases[i].column) {
            fail_msg("%s: %d:%d %s", cases[i].text, err.line, err.column, err.message);
        }
        if (i == 2) {
            assert_non_null(strstr(err.hint, "adc.area"));
        }
    }
}

// what people read: few digits, a prefix, aligned
static void test_rounded(void **state) {
    (void)state;
    static const struct {
        double value;
        int width;
        const char *text;
    } cases[] = {
        {12.3456e-6, 0, "12.35 uJ"}, {1, 6, "   1 J"},
        {999.96, 0, "1000 J"},       {0, 5, "  0 J"},
        {-2.5e3, 0, "-2.5 kJ"},      {NAN, 3, "  -"},
        {INFINITY, 0, "unlimited"},  {3e-20, 0, "0.03 aJ"},
        {5e13, 0, "50 TJ"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ohmi_text out = {0};
        ohmi_quantity_add_rounded(&out, cases[i].value, "J", cases[i].width);
        assert_string_equal(out.data, cases[i].text);
        ohmi_text_clear(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_rounded),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
