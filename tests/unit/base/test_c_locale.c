// SPDX-License-Identifier: Apache-2.0
// Numbers keep their point inside, and what was there before comes back. The decimal comma is of a
// locale of this machine, where it has one or can make one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/c_locale.h"
#include "comma_locale.h"

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
    if (!comma_locale_begin()) {
        print_message("no locale with a decimal comma can be had\n");
        skip();
    }
    ohmi_c_locale numbers = ohmi_c_locale_enter();
    assert_points();
    ohmi_c_locale_leave(&numbers);
    assert_string_equal(localeconv()->decimal_point, ",");
    comma_locale_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_comma),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
