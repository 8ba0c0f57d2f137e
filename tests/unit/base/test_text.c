// SPDX-License-Identifier: Apache-2.0
// Growing texts, edit distances, and error records as people read them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"

static void test_growing(void **state) {
    (void)state;
    ohmi_text text = {0};
    char long_word[2000];
    memset(long_word, 'w', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = 0;
    ohmi_text_add(&text, "");
    assert_string_equal(text.data, "");
    for (int i = 0; i < 1000; i++) {
        ohmi_text_printf(&text, "%d,", i % 10);
        assert_int_equal(text.size, strlen(text.data));
    }
    assert_int_equal(text.size, 2000);
    assert_memory_equal(text.data + 1994, "7,8,9,", 7);

    // pieces longer than any room for them
    ohmi_text_printf(&text, "<%s>", long_word);
    assert_int_equal(text.size, 2000 + 2001);
    assert_int_equal(text.data[4000], '>');
    ohmi_text_bytes(&text, "a\0b", 3);
    assert_memory_equal(text.data + 4001, "a\0b", 4);
    assert_int_equal(text.failed, 0);
    ohmi_text_clear(&text);
    assert_null(text.data);
    ohmi_text_clear(&text);
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void test_html(void **state) {
    (void)state;
    ohmi_text text = {0};
    ohmi_text_html(&text, "<a href=\"x\">'&amp;' \xc3\xa4</a>");
    assert_string_equal(text.data,
                        "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;&#39; \xc3\xa4&lt;/a&gt;");
    ohmi_text_clear(&text);
}

// Once memory ran out a text stays failed, and nothing is lost or written past its end.
static void test_no_memory(void **state) {
    (void)state;
    char long_word[1000];
    memset(long_word, 'w', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = 0;
    int k = 0;
    for (;; k++) {
        ohmi_text text = {0};
        ohmi_fail_allocation(k);
        for (int i = 0; i < 10; i++) {
            ohmi_text_printf(&text, "%s%d", long_word, i);
            ohmi_text_html(&text, "<>");
        }
        ohmi_fail_allocation(-1);
        const int failed = text.failed;
        const size_t size = text.size;
        if (failed) {
            ohmi_text_add(&text, "more");
            assert_int_equal(text.size, size);
        }
        ohmi_text_clear(&text);
        assert_int_equal(ohmi_live_blocks(), 0);
        if (!failed) {
            assert_int_equal(size, 10 * (999 + 1 + 8));
            break;
        }
    }
    assert_true(k > 10);
}

static void test_distance(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        int distance;
    } rows[] = {
        {"", "", 0},          {"", "abc", 3},           {"abc", "abc", 0},
        {"abc", "abd", 1},    {"abc", "ab", 1},         {"abc", "acb", 1},
        {"ca", "abc", 3},     {"kitten", "sitting", 3}, {"epoch", "epochs", 1},
        {"lern", "learn", 1}, {"fiel", "file", 1},      {"a", "b", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(ohmi_edit_distance(rows[i].a, rows[i].b), rows[i].distance);
        assert_int_equal(ohmi_edit_distance(rows[i].b, rows[i].a), rows[i].distance);
    }

    // words of any length are cut, not read past their ends
    char a[300], b[200];
    memset(a, 'a', sizeof a - 1);
    memset(b, 'b', sizeof b - 1);
    a[sizeof a - 1] = b[sizeof b - 1] = 0;
    assert_int_equal(ohmi_edit_distance(a, a), 0);
    assert_true(ohmi_edit_distance(a, b) >= 64);
}

static void test_errors(void **state) {
    (void)state;
    ohm_error err;
    char text[1400], tiny[12];
    assert_int_equal(ohmi_fail(&err, OHM_ERR_FORMAT, "record %d of '%s' is short", 7, "x.bin"),
                     OHM_ERR_FORMAT);
    assert_int_equal(err.status, OHM_ERR_FORMAT);
    ohm_error_text(&err, text, sizeof text);
    assert_string_equal(text, "record 7 of 'x.bin' is short");
    ohmi_hint(&err, "get it %s", "again");
    ohm_error_text(&err, text, sizeof text);
    assert_string_equal(text, "record 7 of 'x.bin' is short (get it again)");
    ohmi_place(&err, "dir/x.bin", 0, 3);
    ohm_error_text(&err, text, sizeof text);
    assert_string_equal(text, "dir/x.bin: record 7 of 'x.bin' is short (get it again)");
    ohmi_place(&err, "a.yaml", 4, 0);
    ohm_error_text(&err, text, sizeof text);
    assert_string_equal(text, "a.yaml:4: record 7 of 'x.bin' is short (get it again)");
    ohmi_place(&err, "a.yaml", 4, 9);
    ohm_error_text(&err, text, sizeof text);
    assert_string_equal(text, "a.yaml:4:9: record 7 of 'x.bin' is short (get it again)");

    // too little room cuts the text, and terminates it
    ohm_error_text(&err, tiny, sizeof tiny);
    assert_string_equal(tiny, "a.yaml:4:9:");

    // a new failure forgets the old one's hint and place; nobody needs to listen
    ohmi_fail(&err, OHM_ERR_IO, "%s", "gone");
    ohm_error_text(&err, text, sizeof text);
    assert_string_equal(text, "gone");
    assert_int_equal(ohmi_fail(NULL, OHM_ERR_IO, "gone"), OHM_ERR_IO);
    ohmi_hint(NULL, "hint");
    ohmi_place(NULL, "x", 1, 1);

    // long ones are cut inside the record
    char long_word[5000];
    memset(long_word, 'w', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = 0;
    ohmi_fail(&err, OHM_ERR_IO, "%s", long_word);
    ohmi_hint(&err, "%s", long_word);
    ohmi_place(&err, long_word, 1, 1);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_int_equal(strlen(err.hint), sizeof err.hint - 1);
    assert_int_equal(strlen(err.path), sizeof err.path - 1);
    ohm_error_text(&err, text, sizeof text);
    assert_true(strlen(text) < sizeof text);
}

// Every status has a name of its own.
static void test_names(void **state) {
    (void)state;
    for (int a = 0; a >= OHM_ERR_CHECK; a--) {
        assert_string_not_equal(ohm_status_name((ohm_status)a), "unknown status");
        for (int b = 0; b > a; b--) {
            assert_string_not_equal(ohm_status_name((ohm_status)a), ohm_status_name((ohm_status)b));
        }
    }
}

// Text that is taken everywhere, and bytes that are none; cuts fall between characters.
static void test_clean(void **state) {
    (void)state;
    static const char *const clean[] = {"", "a", "Z\xc3\xbcrich", "\xe2\x82\xac",
                                        "\xf0\x9f\x90\x88"};
    static const char *const bad[] = {"\xff",         "a\xc3",        "\xc3(",           "\xc0\xaf",
                                      "\xe0\x80\x80", "\xed\xa0\x80", "\xe2\x80\xa8",    "\n",
                                      "\x7f",         "\xc2\x85",     "\xf4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof clean / sizeof *clean; i++) {
        assert_true(ohmi_text_is_clean(clean[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(ohmi_text_is_clean(bad[i]));
    }
    assert_int_equal(ohmi_text_cut("abc", 5), 3);
    assert_int_equal(ohmi_text_cut("abc", 3), 3);
    assert_int_equal(ohmi_text_cut("abc", 2), 2);
    for (size_t most = 0; most < 4; most++) {
        assert_int_equal(ohmi_text_cut("\xf0\x9f\x90\x88x", most), 0);
    }
    assert_int_equal(ohmi_text_cut("\xf0\x9f\x90\x88x", 4), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing),   cmocka_unit_test(test_html),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_distance),
        cmocka_unit_test(test_clean),     cmocka_unit_test(test_errors),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
