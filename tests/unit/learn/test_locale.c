// SPDX-License-Identifier: Apache-2.0
// A host program with a decimal comma: what the library's functions read and write has points, the
// same bytes as without, and the host's locale is what it was.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "comma_locale.h"
#include "imported.h"
#include "ohmwise/learn.h"
#include "ohmwise/report.h"
#include "ohmwise/system.h"

static char *read_whole(const char *path) {
    static char text[1 << 20];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("cannot open '%s'", path);
    }
    const size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    return strdup(text);
}

static void assert_same_text(const char *a, const char *b) {
    char *first = read_whole(a), *second = read_whole(b);
    assert_string_equal(first, second);
    free(first);
    free(second);
}

// Imports, exports, reports and compares into files that end in a suffix.
static void do_all(const char *suffix) {
    ohm_error err = {0};
    ohm_import_result result;
    char run[600], tensors[600], page[600], table[600], name[64];
    snprintf(run, sizeof run, "%s", scratch_path("run"));
    snprintf(name, sizeof name, "tensors-%s", suffix);
    snprintf(tensors, sizeof tensors, "%s", scratch_path(name));
    snprintf(name, sizeof name, "page-%s", suffix);
    snprintf(page, sizeof page, "%s", scratch_path(name));
    snprintf(name, sizeof name, "table-%s", suffix);
    snprintf(table, sizeof table, "%s", scratch_path(name));
    const ohm_import_def def = {
        .run_folder = run, .model = "resnet18", .input = OHM_INPUT_IMAGENET, .force = 1};
    if (ohm_import(&result, golden_file("import-resnet18.safetensors"), &def, &err) < 0) {
        fail_msg("%s", err.message);
    }
    const ohm_export_def out = {.task = 0};
    assert_int_equal(ohm_export(tensors, run, &out, &err), OHM_OK);
    assert_int_equal(ohm_report_write(run, page, &err), OHM_OK);
    const char *const runs[] = {run};
    const ohm_compare_def compared = {.runs = runs, .n_runs = 1};
    ohm_comparison *comparison = NULL;
    assert_int_equal(ohm_comparison_new(&comparison, &compared, &err), OHM_OK);
    assert_int_equal(ohm_comparison_save(comparison, OHM_AS_CSV, table, &err), OHM_OK);
    assert_int_equal(ohm_comparison_require(comparison, "train_seconds_total<=0.5", &err), OHM_OK);
    ohm_comparison_free(&comparison);

    // nothing to measure on, but the config is read before that is found
    ohm_eval_result measured[1];
    int n_measured = 0;
    const ohm_eval_def eval = {.task = -1};
    assert_int_equal(ohm_eval(measured, 1, &n_measured, run, &eval, &err), OHM_ERR_CONFIG);
    if (strstr(err.message, "none") == NULL) {
        fail_msg("%s", err.message);
    }
}

static void test_comma(void **state) {
    (void)state;
    char config[600];
    do_all("point");
    snprintf(config, sizeof config, "%s/config.yaml", scratch_path("run"));
    char *before = read_whole(config);
    if (!comma_locale_begin()) {
        print_message("no locale with a decimal comma can be had\n");
        free(before);
        skip();
    }
    do_all("comma");
    char *json = NULL;
    ohm_error err = {0};
    const ohm_bench_def bench = {.model = "small",
                                 .expand = 0.5,
                                 .batch = 2,
                                 .backend = "reference",
                                 .repeats = 1,
                                 .way = "dense"};
    assert_int_equal(ohm_bench_train(&json, &bench, &err), OHM_OK);
    assert_non_null(strstr(json, "\"expand\": 0.5"));
    ohm_text_free(&json);
    assert_string_equal(localeconv()->decimal_point, ",");
    comma_locale_end();

    char *after = read_whole(config);
    assert_string_equal(before, after);
    assert_non_null(strstr(after, "0.485"));
    free(before);
    free(after);
    assert_same_text(scratch_path("tensors-point"), scratch_path("tensors-comma"));
    assert_same_text(scratch_path("table-point"), scratch_path("table-comma"));
    char *page = read_whole(scratch_path("page-comma"));
    assert_non_null(strstr(page, "Nothing was measured"));
    assert_null(strstr(page, "width:0,"));
    free(page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comma),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
