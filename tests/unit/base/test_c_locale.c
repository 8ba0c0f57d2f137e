// SPDX-License-Identifier: Apache-2.0
// Numbers keep their point inside, and what was there before comes back. The decimal comma is of a
// locale of this machine, where it has one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/c_locale.h"

// Numbers are read and written with a point.
static void assert_points(void) {
    char text[16];
    assert_string_equal(localeconv()->decimal_point, ".");
    (void)snprintf(text, sizeof text, "%.2f", 0.25);
    assert_string_equal(text, "0.25");
    assert_true(strtod("0.5", NULL) > 0.4);
}

static void test_nested(void **state) {
    (void)state;
    const locale_t before = uselocale((locale_t)0);
    ohmi_c_locale outer = ohmi_c_locale_enter();
    const locale_t inside = uselocale((locale_t)0);
    assert_true(inside != before);
    ohmi_c_locale inner = ohmi_c_locale_enter();
    assert_points();
    ohmi_c_locale_leave(&inner);
    assert_true(uselocale((locale_t)0) == inside);
    ohmi_c_locale_leave(&outer);
    assert_true(uselocale((locale_t)0) == before);
}

static void test_comma(void **state) {
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    const char *found = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && found == NULL; i++) {
        found = setlocale(LC_ALL, names[i]);
    }
    if (found == NULL) {
        print_message("no locale with a decimal comma is installed\n");
        skip();
    }
    assert_string_equal(localeconv()->decimal_point, ",");
    ohmi_c_locale numbers = ohmi_c_locale_enter();
    assert_points();
    ohmi_c_locale_leave(&numbers);
    assert_string_equal(localeconv()->decimal_point, ",");
    setlocale(LC_ALL, "C");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_comma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
