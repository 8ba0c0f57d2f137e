// SPDX-License-Identifier: Apache-2.0
// The table of keys against itself, row by row; and values from and to text: units, limits, words
// that are no numbers, lists, texts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "comma_locale.h"
#include "config/access.h"
#include "config/values.h"

// The rows of the table.
static const ohmi_field *table(int *n) {
    return ohmi_fields(n);
}

static void test_rows(void **state) {
    (void)state;
    int n, n_sections;
    const ohmi_field *fields = table(&n);
    (void)ohmi_sections(&n_sections);
    assert_true(n > 50);
    int last = 0;
    static char owner[sizeof(ohmi_config)];
    memset(owner, 0, sizeof owner);
    for (int i = 0; i < n; i++) {
        const ohmi_field *f = &fields[i];
        static const size_t sizes[] = {
            sizeof(bool),         sizeof(int64_t), sizeof(double), sizeof(int), 0,
            sizeof(ohmi_numbers), sizeof(double)};

        // found by its own name, once, in its section, whose keys are together
        assert_ptr_equal(ohmi_field_find(f->key), f);
        const int section = ohmi_section_of(f);
        assert_in_range(section, last, n_sections - 1);
        last = section;
        assert_true(strlen(ohmi_field_leaf(f)) > 0);
        assert_string_equal(f->key + strlen(f->key) - strlen(ohmi_field_leaf(f)),
                            ohmi_field_leaf(f));

        // the member has the size of the type and belongs to this key alone
        if (f->type != OHMI_FIELD_TEXT) {
            assert_int_equal(f->size, sizes[f->type]);
        }
        assert_true(f->offset + f->size <= sizeof(ohmi_config));
        for (size_t b = 0; b < f->size; b++) {
            assert_int_equal(owner[f->offset + b]++, 0);
        }

        // what people read
        assert_true(strlen(f->meaning) > 10 && strlen(f->source) > 2);
        assert_int_not_equal(f->meaning[strlen(f->meaning) - 1], '.');
        assert_non_null(f->unit);
        assert_int_equal(f->type == OHMI_FIELD_CHOICE && f->choices == NULL, 0);
    }
    assert_int_equal(last, n_sections - 1);
    assert_null(ohmi_field_find("no.such"));
    assert_null(ohmi_field_find("train"));
    assert_null(ohmi_field_find(""));
    assert_ptr_equal(ohmi_field_find("method"), ohmi_field_find("method.preset"));
}

static void test_keys(void **state) {
    (void)state;
    int n;
    const ohmi_field *fields = table(&n);
    const char *const *keys = ohm_config_keys();
    for (int i = 0; i < n; i++) {
        assert_string_equal(keys[i], fields[i].key);
    }
    assert_null(keys[n]);
}

// The text of a field's value; for ohmi_text_clear.
static ohmi_text text_of(const ohmi_field *field, const ohmi_config *values) {
    ohmi_text text = {0};
    ohmi_text_add(&text, "");
    ohmi_field_add_text(&text, field, values);
    assert_int_equal(text.failed, 0);
    return text;
}

static void test_defaults(void **state) {
    (void)state;
    int n;
    const ohmi_field *fields = table(&n);
    ohm_config *config = NULL;
    ohm_error err;
    assert_int_equal(ohm_config_new(&config, &err), OHM_OK);
    for (int i = 0; i < n; i++) {
        // a default lies in the range, and is spelled as the writer spells it
        ohmi_config values = {0};
        assert_int_equal(ohmi_field_set(&values, &fields[i], fields[i].default_text, &err), OHM_OK);
        ohmi_text text = text_of(&fields[i], ohmi_config_values(config));
        assert_string_equal(text.data, fields[i].default_text);
        ohmi_text_clear(&text);
    }

    // and the defaults as a whole hold
    assert_int_equal(ohm_config_check(config, &err), OHM_OK);
    ohm_config_free(&config);
    assert_null(config);
    ohm_config_free(&config);
    ohm_config_free(NULL);
    assert_int_equal(ohmi_live_blocks(), 0);
}

// Sets a field from a text that must be refused; the value stays as it was.
static void refuse(const ohmi_field *field, const char *text) {
    ohmi_config values, before;
    ohm_error err = {0};
    memset(&values, 0, sizeof values);
    assert_int_equal(ohmi_field_set(&values, field, field->default_text, &err), OHM_OK);
    before = values;
    const ohm_status status = ohmi_field_set(&values, field, text, &err);
    if (status != OHM_ERR_CONFIG) {
        fail_msg("'%s' takes '%s'", field->key, text);
    }
    assert_memory_equal(&values, &before, sizeof values);
    if (strstr(err.message, field->key) == NULL || err.hint[0] == '\0') {
        fail_msg("'%s' refuses '%s' with '%s' (%s)", field->key, text, err.message, err.hint);
    }
    assert_int_equal(ohmi_field_set(&values, field, text, NULL), OHM_ERR_CONFIG);
}

// Sets a field and reads it back as text.
static void take(const ohmi_field *field, const char *text, const char *wanted) {
    ohmi_config values;
    ohm_error err = {0};
    memset(&values, 0, sizeof values);
    if (ohmi_field_set(&values, field, text, &err) != OHM_OK) {
        fail_msg("'%s' refuses '%s': %s", field->key, text, err.message);
    }
    ohmi_text back = text_of(field, &values);
    assert_string_equal(back.data, wanted);
    ohmi_text_clear(&back);
}

// Every row takes its limits, and nothing beyond them or of another type.
static void test_limits(void **state) {
    (void)state;
    static const char *const never[] = {"abc",  "nan",   "NaN",  ".nan", "inf",    "-inf",
                                        ".inf", "1e999", "0x10", "1,5",  "1 2",    "--1",
                                        "1e",   "1.2.3", "+",    ".",    "-1e999", "1\n"};
    int n;
    const ohmi_field *fields = table(&n);
    for (int i = 0; i < n; i++) {
        const ohmi_field *f = &fields[i];
        const bool is_number = f->type == OHMI_FIELD_INTEGER || f->type == OHMI_FIELD_NUMBER;
        char text[64];
        if (is_number) {
            ohmi_text least = {0}, most = {0};
            ohmi_number_add_text(&least, f->min);
            ohmi_number_add_text(&most, f->max);
            take(f, least.data, least.data);
            take(f, most.data, most.data);
            ohmi_text_clear(&least);
            ohmi_text_clear(&most);
            const double step = f->type == OHMI_FIELD_INTEGER ? 1 : fabs(f->max) * 1e-6 + 1e-6;
            snprintf(text, sizeof text, "%.17g", f->max + step * (f->max > 1e15 ? 2 : 1));
            refuse(f, text);
            const double below = f->min - step;
            if (!(f->has_zero && below == 0)) {
                snprintf(text, sizeof text, "%.17g", below);
                refuse(f, text);
            } else {
                take(f, "0", "0");
                refuse(f, "-1");
            }
            for (size_t k = 0; k < sizeof never / sizeof *never; k++) {
                refuse(f, never[k]);
            }
            refuse(f, "");
            refuse(f, "true");
            refuse(f, "[1]");
            if (f->type == OHMI_FIELD_INTEGER) {
                refuse(f, "1.5");
                refuse(f, "9223372036854775808");
            }
        } else if (f->type == OHMI_FIELD_NUMBERS) {
            for (size_t k = 0; k < sizeof never / sizeof *never; k++) {
                if (strcmp(never[k], "1,5") != 0) {
                    refuse(f, never[k]);
                }
            }
            snprintf(text, sizeof text, "[%.17g]", f->max + 1);
            refuse(f, text);
        } else if (f->type == OHMI_FIELD_BOOL) {
            refuse(f, "");
            refuse(f, "2");
            refuse(f, "maybe");
            refuse(f, "truee");
        } else if (f->choices) {
            for (int c = 0; f->choices[c]; c++) {
                take(f, f->choices[c], f->choices[c]);
            }
            refuse(f, "");
            refuse(f, "no-such-choice");
            refuse(f, "0");
        } else {
            refuse(f, "bell\a");
            refuse(f, "\xff\xfe");
            refuse(f, "cut \xc3");
            refuse(f, "\xed\xa0\x80");
            refuse(f, "\xc0\xaf");
        }
    }
}

static void test_units(void **state) {
    (void)state;
    const ohmi_field *s = ohmi_field_find("run.checkpoint");
    const ohmi_field *part = ohmi_field_find("data.validation");
    const ohmi_field *count = ohmi_field_find("data.train_limit");
    const ohmi_field *bits = ohmi_field_find("quantise.weight_bits");
    const ohmi_field *lr = ohmi_field_find("train.lr");
    take(s, "90", "90");
    take(s, "1500 ms", "1.5");
    take(s, "2min", "120");
    take(s, " 1.5 h ", "5400");
    take(s, "1 d", "86400");
    refuse(s, "3 weeks");
    refuse(s, "30 %");
    refuse(s, "1 S");
    take(part, "30 %", "0.3");
    take(part, "0.3 part", "0.3");
    refuse(part, "3 s");
    refuse(part, "100 %");
    take(count, "2k", "2000");
    take(count, "1.5k", "1500");
    take(count, "2 M", "2000000");
    take(count, "20 images", "20");
    refuse(count, "1.0005k");
    take(bits, "4 bits", "4");
    refuse(bits, "1");
    refuse(bits, "9");
    take(bits, "0", "0");
    take(lr, "1e-2", "0.01");
    take(lr, "+.5", "0.5");
    take(lr, "5.", "5");
    take(lr, "4E-05", "4.0e-05");
    refuse(lr, "1 %");
    refuse(lr, "1k");
    take(ohmi_field_find("data.pad"), "-0", "0");
}

static void test_lists(void **state) {
    (void)state;
    const ohmi_field *f = ohmi_field_find("train.milestones");
    take(f, "[0.5, 0.8]", "[0.5, 0.8]");
    take(f, "0.5,0.8", "[0.5, 0.8]");
    take(f, " [ 50 %,80% ] ", "[0.5, 0.8]");
    take(f, "[]", "[]");
    take(f, "", "[]");
    take(f, "1", "[1]");
    take(f, "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1", "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]");
    refuse(f, "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1");
    refuse(f, "[0.5");
    refuse(f, "0.5]");
    refuse(f, "[0.5,]");
    refuse(f, ",");
    refuse(f, "[[0.5]]");
    refuse(f, "[0.5, 2]");
    refuse(f, "0.5;0.8");
}

static void test_texts(void **state) {
    (void)state;
    const ohmi_field *f = ohmi_field_find("name");
    char longest[OHMI_TEXT + 1];
    memset(longest, 'x', sizeof longest - 1);
    longest[OHMI_TEXT] = 0;
    refuse(f, longest);
    refuse(f, "");
    longest[OHMI_TEXT - 1] = 0;
    take(f, longest, longest);
    take(f, "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80",
         "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80");
    take(ohmi_field_find("data.classes"), "", "");

    // equal values have equal bytes, whatever was there before
    ohmi_config a, b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    assert_int_equal(ohmi_field_set(&a, f, "a long name", NULL), OHM_OK);
    assert_int_equal(ohmi_field_set(&a, f, "b", NULL), OHM_OK);
    assert_int_equal(ohmi_field_set(&b, f, "b", NULL), OHM_OK);
    assert_memory_equal(&a, &b, sizeof a);

    static const char *const words[] = {"true", "YES", "on", "True"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        take(ohmi_field_find("data.augment"), words[i], "true");
    }
    take(ohmi_field_find("data.augment"), "Off", "false");
}

// Numbers read back as themselves, and look like numbers to a YAML 1.1 reader.
static void test_numbers(void **state) {
    (void)state;
    static const double values[] = {0,
                                    1,
                                    -1,
                                    0.1,
                                    1.0 / 3,
                                    4e-5,
                                    1e-9,
                                    1e100,
                                    123456789,
                                    1e15,
                                    1e16,
                                    5e-324,
                                    9007199254740991,
                                    0.30000000000000004};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        ohmi_text text = {0};
        double back = 0;
        ohmi_number_add_text(&text, values[i]);
        assert_int_equal(sscanf(text.data, "%lf", &back), 1);
        assert_true(back == values[i]);
        if (strchr(text.data, 'e') != NULL) {
            assert_non_null(strchr(text.data, '.'));
        }
        ohmi_text_clear(&text);
    }
}

// A comma for a point, as some locales have it, changes nothing.
static void test_locale(void **state) {
    (void)state;
    if (!comma_locale_begin()) {
        print_message("no locale with a decimal comma can be had\n");
        skip();
    }
    take(ohmi_field_find("train.lr"), "0.025", "0.025");
    refuse(ohmi_field_find("train.lr"), "0,025");
    comma_locale_end();
}

static void test_nearest(void **state) {
    (void)state;
    static const struct {
        const char *wrong, *right;
    } rows[] = {
        {"train.epoch", "train.epochs"},
        {"epochs", "train.epochs"},
        {"trian.lr", "train.lr"},
        {"tran", "train"},
        {"sed", "seed"},
        {"data.spilt", "data.split"},
        {"network.batch", "train.batch"},
        {"quantize.weight_bits", "quantise.weight_bits"},
        {"thread", "threads"},
        {"array.row", "array.rows"},
    };
    ohm_error err;
    char hint[128], long_key[5000];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(ohmi_unknown_key(rows[i].wrong, &err), OHM_ERR_CONFIG);
        snprintf(hint, sizeof hint, "did you mean '%s'?", rows[i].right);
        assert_string_equal(err.hint, hint);
    }

    // nothing near, nothing at all, far too long, unprintable
    assert_int_equal(ohmi_unknown_key("xyzzyplugh", &err), OHM_ERR_CONFIG);
    assert_non_null(strstr(err.hint, "ohmwise explain"));
    assert_int_equal(ohmi_unknown_key("", &err), OHM_ERR_CONFIG);
    memset(long_key, 'k', sizeof long_key - 1);
    long_key[sizeof long_key - 1] = 0;
    assert_int_equal(ohmi_unknown_key(long_key, &err), OHM_ERR_CONFIG);
    assert_true(strlen(err.message) < 120);
    assert_int_equal(ohmi_unknown_key("a\033[31mb\n", &err), OHM_ERR_CONFIG);
    assert_string_equal(err.message, "unknown key 'a?[31mb?'");

    const ohmi_field *schedule = ohmi_field_find("train.schedule");
    assert_int_equal(ohmi_field_set(&(ohmi_config){0}, schedule, "cosin", &err), OHM_ERR_CONFIG);
    assert_non_null(strstr(err.hint, "did you mean 'cosine'?"));
    assert_non_null(strstr(err.hint, "step, cosine, constant"));
}

// Keys on the command line.
static void test_set(void **state) {
    (void)state;
    ohm_config *config = NULL;
    ohm_error err;
    assert_int_equal(ohm_config_new(&config, &err), OHM_OK);
    assert_int_equal(ohm_config_set(config, "train.lr", "5e-3", &err), OHM_OK);
    assert_true(ohmi_config_values(config)->train.lr == 5e-3);
    assert_int_equal(ohm_config_set(config, "method", "dense", &err), OHM_OK);
    assert_string_equal(ohmi_config_values(config)->method.preset, "dense");
    assert_int_equal(ohm_config_set(config, "train.lr", "nan", &err), OHM_ERR_CONFIG);
    assert_true(ohmi_config_values(config)->train.lr == 5e-3);
    assert_int_equal(ohm_config_set(config, "train.lrr", "1", &err), OHM_ERR_CONFIG);
    assert_string_equal(err.hint, "did you mean 'train.lr'?");
    assert_int_equal(ohm_config_set(config, "train", "1", &err), OHM_ERR_CONFIG);
    ohm_config_free(&config);
    ohmi_fail_allocation(0);
    assert_int_equal(ohm_config_new(&config, &err), OHM_ERR_NO_MEMORY);
    ohmi_fail_allocation(-1);
    assert_null(config);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_keys),
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_units),    cmocka_unit_test(test_lists),
        cmocka_unit_test(test_texts),    cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_locale),   cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_set),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
