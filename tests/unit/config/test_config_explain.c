// SPDX-License-Identifier: Apache-2.0
// What people are told of keys: for each key all that the table knows, in lines a terminal has room
// for; whole sections; everything; the tables of the docs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "config/values.h"

// Whether a text says `words`, whose blanks may be line ends and an indent there.
static int says(const char *text, const char *words) {
    for (const char *at = text; *at; at++) {
        const char *a = at, *w = words;
        while (*w && *a) {
            if (*w == ' ' && (*a == ' ' || *a == '\n')) {
                a += strspn(a, " \n");
                w += strspn(w, " ");
            } else if (*a == *w) {
                a++;
                w++;
            } else {
                break;
            }
        }
        if (*w == 0) {
            return 1;
        }
    }
    return 0;
}

// No line is wider than a terminal, none ends in a blank.
static void assert_fits(const char *text) {
    while (*text) {
        const size_t size = strcspn(text, "\n");
        assert_true(size <= 80);
        assert_true(size == 0 || text[size - 1] != ' ');
        text += size + (text[size] == '\n');
    }
}

static void test_each_key(void **state) {
    (void)state;
    int n;
    const ohmi_field *fields = ohmi_fields(&n);
    for (int i = 0; i < n; i++) {
        const ohmi_field *f = &fields[i];
        char *text = NULL;
        ohm_error err = {0};
        ohmi_text range = {0};
        assert_int_equal(ohm_config_explain(&text, f->key, &err), OHM_OK);
        assert_memory_equal(text, f->key, strlen(f->key));
        ohmi_field_add_range(&range, f);
        if (!says(text, f->meaning) || !says(text, f->source) || !says(text, range.data) ||
            !says(text, f->default_text) || !says(text, f->unit)) {
            fail_msg("of '%s' it only says\n%s", f->key, text);
        }
        for (int c = 0; f->choices && f->choices[c]; c++) {
            assert_true(says(text, f->choices[c]));
        }
        assert_fits(text);

        // only of this key
        for (int j = 0; j < n; j++) {
            char line[80];
            snprintf(line, sizeof line, "\n%s\n", fields[j].key);
            assert_null(strstr(text, line));
        }
        ohmi_text_clear(&range);
        ohm_text_free(&text);
        assert_null(text);
    }
    assert_int_equal(ohmi_live_blocks(), 0);
}

// Counts the keys that a text explains.
static int keys_in(const char *text) {
    int n, count = 0;
    const ohmi_field *fields = ohmi_fields(&n);
    for (int i = 0; i < n; i++) {
        char line[80];
        snprintf(line, sizeof line, "\n%s\n", fields[i].key);
        count += strstr(text, line) != NULL;
    }
    return count;
}

static void test_sections(void **state) {
    (void)state;
    int n, n_sections, sum = 0;
    (void)ohmi_fields(&n);
    const ohmi_section *sections = ohmi_sections(&n_sections);
    char *text = NULL;
    for (int s = 1; s < n_sections; s++) {
        assert_int_equal(ohm_config_explain(&text, sections[s].name, NULL), OHM_OK);
        assert_true(says(text, sections[s].name) && says(text, sections[s].meaning));
        assert_true(keys_in(text) >= 1);
        sum += keys_in(text);
        assert_fits(text);
        ohm_text_free(&text);
    }

    // everything: all sections and all keys, the top level's too
    assert_int_equal(ohm_config_explain(&text, NULL, NULL), OHM_OK);
    assert_int_equal(keys_in(text), n);
    for (int s = 0; s < n_sections; s++) {
        assert_true(says(text, sections[s].meaning));
    }
    assert_fits(text);
    ohm_text_free(&text);
    for (int i = 0, top = 0; i < n; i++) {
        const ohmi_field *fields = ohmi_fields(&n);
        top += ohmi_section_of(&fields[i]) == 0;
        assert_true(i < n - 1 || sum + top == n);
    }
}

static void test_unknown(void **state) {
    (void)state;
    char *text = (char *)"";
    ohm_error err = {0};
    assert_int_equal(ohm_config_explain(&text, "train.epoch", &err), OHM_ERR_CONFIG);
    assert_null(text);
    assert_string_equal(err.message, "unknown key 'train.epoch'");
    assert_string_equal(err.hint, "did you mean 'train.epochs'?");
    assert_int_equal(ohm_config_explain(&text, "xyzzyplugh", &err), OHM_ERR_CONFIG);
    assert_int_equal(ohm_config_explain(&text, "", &err), OHM_ERR_CONFIG);
    assert_int_equal(ohm_config_explain(&text, "xyzzyplugh", NULL), OHM_ERR_CONFIG);
    assert_int_equal(ohmi_live_blocks(), 0);
}

// Every key is one row of a table of six cells.
static void test_markdown(void **state) {
    (void)state;
    int n, n_rows = 0;
    const ohmi_field *fields = ohmi_fields(&n);
    char *text = NULL;
    assert_int_equal(ohm_config_explain_markdown(&text, NULL), OHM_OK);
    for (int i = 0; i < n; i++) {
        char row[80];
        snprintf(row, sizeof row, "\n| `%s` |", fields[i].key);
        assert_non_null(strstr(text, row));
    }
    for (const char *at = text; *at; at += strcspn(at, "\n") + 1) {
        if (*at != '|') {
            continue;
        }
        int bars = 0;
        for (const char *c = at; *c != '\n'; c++) {
            bars += *c == '|' && c[-1] != '\\';
        }
        assert_int_equal(bars, 7);
        n_rows += at[2] == '`';
    }
    assert_int_equal(n_rows, n);
    ohm_text_free(&text);
}

static void test_no_memory(void **state) {
    (void)state;
    for (int k = 0;; k++) {
        char *text = NULL, *markdown = NULL;
        ohm_error err = {0};
        ohmi_fail_allocation(k);
        ohm_status status = ohm_config_explain(&text, "train.lr", &err);
        if (status == OHM_OK) {
            status = ohm_config_explain_markdown(&markdown, &err);
        }
        ohmi_fail_allocation(-1);
        ohm_text_free(&text);
        ohm_text_free(&markdown);
        assert_int_equal(ohmi_live_blocks(), 0);
        if (status == OHM_OK) {
            assert_true(k > 10);
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_key),  cmocka_unit_test(test_sections),
        cmocka_unit_test(test_unknown),   cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
