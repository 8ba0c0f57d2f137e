// SPDX-License-Identifier: Apache-2.0
// The report page: its numbers are those of the run's files, hostile text is only text, missing
// files are said to be missing, and broken ones are an error with a place and leave nothing behind.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/atomic_file.h"
#include "base/memory.h"
#include "ohmwise/learn.h"
#include "report/figures.h"
#include "report/heatmap.h"
#include "report/svg.h"

#define SAMPLE OHM_SOURCE_FOLDER "/tests/data/run-sample"

static const char *const names[] = {"metrics.json",  "metrics.csv", "config.yaml",
                                    "manifest.json", "log.txt",     "report.html"};

typedef struct {
    char folder[64];
    char path[128]; // of the file named last
} run_folder;

static const char *in_folder(run_folder *run, const char *name) {
    snprintf(run->path, sizeof run->path, "%s/%s", run->folder, name);
    return run->path;
}

static void put(run_folder *run, const char *name, const char *text) {
    FILE *file = fopen(in_folder(run, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static char *get(const char *path) {
    char *bytes = NULL;
    size_t size = 0;
    assert_int_equal(ohmi_read_file(&bytes, &size, path, (size_t)1 << 24, NULL), OHM_OK);
    return bytes;
}

// A copy of the sample run in a folder of its own.
static void make(run_folder *run) {
    snprintf(run->folder, sizeof run->folder, "/tmp/ohmwise-report-XXXXXX");
    assert_non_null(mkdtemp(run->folder));
    for (int i = 0; i < 5; ++i) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", SAMPLE, names[i]);
        char *text = get(path);
        put(run, names[i], text);
        ohmi_free(text);
    }
}

static void drop(run_folder *run) {
    for (int i = 0; i < 6; ++i) {
        unlink(in_folder(run, names[i]));
    }
    assert_int_equal(rmdir(run->folder), 0); // nothing else may be left there
}

static char *write_report(run_folder *run) {
    ohm_error err = {0};
    const ohm_status status = ohm_report_write(run->folder, NULL, &err);
    if (status != OHM_OK) {
        fail_msg("%s", err.message);
    }
    return get(in_folder(run, "report.html"));
}

static void has(const char *page, const char *text) {
    if (strstr(page, text) == NULL) {
        fail_msg("the page does not have '%s'", text);
    }
}

static void has_not(const char *page, const char *text) {
    if (strstr(page, text) != NULL) {
        fail_msg("the page has '%s'", text);
    }
}

static int count(const char *page, const char *text) {
    int n = 0;
    for (const char *at = strstr(page, text); at != NULL; at = strstr(at + 1, text)) {
        n += 1;
    }
    return n;
}

static void test_numbers(void **state) {
    (void)state;
    run_folder run;
    make(&run);
    char *page = write_report(&run);

    // mean accuracy 0.775333, forgetting 0, 558 of 624 columns owned, 31.6 s, 78 bytes a mask
    has(page, "<h1>sample run (made-up numbers)</h1>");
    has(page, "77.53 <small>%</small>");
    has(page, "0.00 <small>points</small>");
    has(page, "unchanged, bit for bit");
    has(page, "<dd>558</dd><dd class=\"more\">of 624, 89.4 %");
    has(page, "<dd>31.6 s</dd>");
    has(page, "<dd>78 B</dd>");
    has(page, "40\xe2\x80\xaf"
              "112");

    // task 3: integer 0.732, float 0.742, one point apart
    has(page, "<td class=\"n\">73.20</td><td class=\"n\">74.20</td>"
              "<td class=\"n\">\xe2\x88\x92"
              "1.00</td>");
    // task 2 owns 6 of the 32 columns of conv2; the first layer has 2 free columns of 16
    has(page, "conv2 · fish: 18.75 % (6 of 32)");
    has(page, "<td class=\"n\">16</td><td class=\"n\">14</td><td class=\"n\">12.5</td>");
    // the matrix: six measured cells, and one layer of stacked columns each
    has(page, "3 flowers · aquatic mammals: 78.40 %");
    assert_int_equal(count(page, "class=\"stack\""), 4);
    // two charts a task, and the values of the last epoch
    assert_int_equal(count(page, "<svg"), 6);
    has(page, "<td class=\"n\">3</td><td class=\"n\">5</td>");
    has(page, "vgg8-small");
    has(page, "task 2 of 3: fish");
    has(page, "2024-01-01T00:00:00Z");
    has(page, "a &lt;made-up&gt; processor &amp; co");
    has_not(page, "missing");
    has_not(page, "not finished");

    // one file that needs no other
    has_not(page, "http:");
    has_not(page, "https:");
    has_not(page, " src=");
    has_not(page, "<link");
    has_not(page, "@import");
    ohmi_free(page);
    drop(&run);
}

static void test_curves_are_means_of_an_epoch(void **state) {
    (void)state;
    run_folder run;
    make(&run);
    put(&run, "metrics.csv",
        "step,epoch,task,split,name,value,unit\n"
        "1,0,1,train,loss,2.0,1\n2,0,1,train,loss,1.0,1\r\n3,1,1,train,loss,0.25,1\n\n"
        "3,1,fish,test,accuracy,50,%\n3,1,99,test,accuracy,0.5,1\n"
        "4,1,1,train,loss,abc,1\nshort,line\n4,1,1,test,acc");
    char *page = write_report(&run);
    has(page, "<td class=\"n\">1</td><td class=\"n\">1</td><td class=\"n\">1.5000</td>");
    has(page, "<td class=\"n\">1</td><td class=\"n\">2</td><td class=\"n\">0.2500</td>");
    has(page, "<td class=\"n\">50.00</td></tr>");
    has(page, "3 line(s) cannot be read and are left out, the first at line 8");
    ohmi_free(page);

    put(&run, "metrics.csv", "a,b\n1,2\n");
    page = write_report(&run);
    has(page, "another header");
    has_not(page, "<svg");
    ohmi_free(page);
    drop(&run);
}

static void test_hostile_text(void **state) {
    (void)state;
    run_folder run;
    make(&run);
    put(&run, "metrics.json",
        "{\"schema\":1,\"name\":\"<script>alert(1)</script>\",\"method\":\"\\\"><img onerror=x>\","
        "\"model\":\"a'b\",\"dataset\":\"&amp;\",\"quantised\":false,\"mean_accuracy\":0.5,"
        "\"tasks\":[{\"name\":\"\\\" onmouseover=\\\"alert(2)\",\"accuracy\":0.5}],"
        "\"accuracy_matrix\":[[0.5]],\"layers\":[{\"name\":\"</td><script>x\",\"kind\":\"conv\","
        "\"units_total\":4,\"tasks\":[{\"new\":2,\"on\":0}]}]}");
    put(&run, "config.yaml", "</pre><script>alert(3)</script>");
    put(&run, "log.txt", "</pre><script>alert(4)</script>");
    put(&run, "manifest.json", "{\"<script>\":\"</code><script>\",\"list\":[1]}");
    char *page = write_report(&run);
    assert_int_equal(count(page, "<script>"), 1); // ours
    assert_int_equal(count(page, "</script>"), 1);
    assert_int_equal(count(page, "</pre>"), 2);
    has_not(page, "<img");
    has_not(page, "\" onmouseover=\"");
    has(page, "&lt;script&gt;alert(1)&lt;/script&gt;");
    has(page, "&lt;script&gt;alert(3)&lt;/script&gt;");
    has(page, "&amp;amp;");
    has(page, "not finished");
    has(page, "<dd class=\"words\">not measured</dd>"); // one task only
    has(page, "no task was measured again");
    ohmi_free(page);
    drop(&run);
}

static void test_missing_files(void **state) {
    (void)state;
    run_folder run;
    make(&run);
    for (int i = 1; i < 5; ++i) {
        assert_int_equal(unlink(in_folder(&run, names[i])), 0);
    }
    char *page = write_report(&run);
    for (int i = 1; i < 5; ++i) {
        char text[128];
        snprintf(text, sizeof text, "<code>%s</code> is missing", names[i]);
        has(page, text);
    }
    has(page, "77.53");
    ohmi_free(page);

    put(&run, "manifest.json", "{\n\"a\": 1,\n");
    put(&run, "log.txt", "");
    page = write_report(&run);
    has(page, "<code>manifest.json</code> is not a JSON object (line 3)");
    has(page, "<code>log.txt</code> is empty");
    ohmi_free(page);
    drop(&run);
}

static void test_broken_metrics(void **state) {
    (void)state;
    run_folder run;
    make(&run);
    ohm_error err = {0};
    put(&run, "report.html", "the report of before");

    // no such file
    assert_int_equal(unlink(in_folder(&run, "metrics.json")), 0);
    assert_int_equal(ohm_report_write(run.folder, NULL, &err), OHM_ERR_IO);
    assert_true(strstr(err.message, "metrics.json") != NULL || strstr(err.path, "metrics.json"));

    // not JSON: line 3 says "name" without a colon
    put(&run, "metrics.json", "{\n \"schema\": 1,\n \"name\" 5\n}\n");
    assert_int_equal(ohm_report_write(run.folder, NULL, &err), OHM_ERR_FORMAT);
    assert_non_null(strstr(err.path, "metrics.json"));
    assert_int_equal(err.line, 3);
    assert_true(err.hint[0] != '\0');

    // JSON of another form: the member at fault is named
    static const struct {
        const char *text;
        ohm_status status;
        const char *subject;
    } cases[] = {
        {"[]", OHM_ERR_FORMAT, "'metrics'"},
        {"{\"schema\":2}", OHM_ERR_UNSUPPORTED, "'schema'"},
        {"{\"schema\":1}", OHM_ERR_FORMAT, "'name'"},
        {"{\"schema\":1,\"name\":7}", OHM_ERR_FORMAT, "'name'"},
        {"{\"schema\":1,\"name\":\"a\"}", OHM_ERR_FORMAT, "'tasks'"},
        {"{\"schema\":1,\"name\":\"a\",\"tasks\":[3]}", OHM_ERR_FORMAT, "'tasks[0]'"},
        {"{\"schema\":1,\"name\":\"a\",\"tasks\":[{\"name\":\"b\"}]}", OHM_ERR_FORMAT,
         "'tasks[0].accuracy'"},
        {"{\"schema\":1,\"name\":\"a\",\"tasks\":[{\"name\":\"b\",\"accuracy\":1,"
         "\"epochs\":-4}]}",
         OHM_ERR_FORMAT, "'tasks[0].epochs'"},
        {"{\"schema\":1,\"name\":\"a\",\"tasks\":[],\"accuracy_matrix\":[[1]]}", OHM_ERR_FORMAT,
         "'accuracy_matrix'"},
        {"{\"schema\":1,\"name\":\"a\",\"tasks\":[],\"finished\":\"yes\"}", OHM_ERR_FORMAT,
         "'finished'"},
        {"{\"schema\":1,\"name\":\"a\",\"tasks\":[{\"name\":\"b\",\"accuracy\":1}],"
         "\"layers\":[{\"name\":\"c\",\"tasks\":[]}]}",
         OHM_ERR_FORMAT, "'layers[0].tasks'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        put(&run, "metrics.json", cases[i].text);
        assert_int_equal(ohm_report_write(run.folder, NULL, &err), cases[i].status);
        if (strstr(err.message, cases[i].subject) == NULL) {
            fail_msg("'%s' does not name %s", err.message, cases[i].subject);
        }
    }

    // the page of before is untouched
    char *page = get(in_folder(&run, "report.html"));
    assert_string_equal(page, "the report of before");
    ohmi_free(page);
    drop(&run);
    assert_int_equal(ohm_report_write(NULL, NULL, NULL), OHM_ERR_ARGUMENT);
}

// Accuracies of earlier tasks without a comparison of logits, changed logits, and neither.
static void test_what_was_not_measured(void **state) {
    (void)state;
    run_folder run;
    make(&run);
    static const struct {
        const char *text, *shown, *said;
    } cases[] = {
        {"\"accuracy_matrix\":[[0.5,null],[0.25,0.5]],\"forgetting\":0.25,"
         "\"logits_identical\":false",
         "<dd>25.00 <small>points</small></dd>", "logits of earlier tasks have changed"},
        {"\"accuracy_matrix\":[[0.5,null],[0.5,0.5]],\"forgetting\":0.0",
         "<dd>0.00 <small>points</small></dd>", "logits of earlier tasks were not compared"},
        {"\"accuracy_matrix\":[[0.5,null],[null,0.5]],\"forgetting\":null,"
         "\"logits_identical\":null",
         "<dd class=\"words\">not measured</dd>", "no task was measured again after a later one"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"schema\":1,\"name\":\"a\",\"tasks\":[{\"name\":\"b\",\"accuracy\":0.5},"
                 "{\"name\":\"c\",\"accuracy\":0.5}],%s}",
                 cases[i].text);
        put(&run, "metrics.json", text);
        char *page = write_report(&run);
        has(page, cases[i].shown);
        has(page, cases[i].said);
        has_not(page, "bit for bit");
        ohmi_free(page);
    }
    drop(&run);
}

// Method dense: more columns are owned than one network has.
static void test_a_network_a_task(void **state) {
    (void)state;
    run_folder run;
    make(&run);
    put(&run, "metrics.json",
        "{\"schema\":1,\"name\":\"a\",\"columns_total\":4,\"tasks\":[{\"name\":\"b\",\"accuracy\":"
        "1,"
        "\"columns_new\":4},{\"name\":\"c\",\"accuracy\":1,\"columns_new\":4}],\"layers\":[{"
        "\"name\":"
        "\"conv1\",\"units_total\":4,\"tasks\":[{\"new\":4,\"on\":4},{\"new\":4,\"on\":4}]}]}");
    char *page = write_report(&run);
    has(page, "<dd>8</dd><dd class=\"more\">4 a network, a network a task</dd>");
    has(page, "Each task has a network of its own");
    has_not(page, "200.0");
    has_not(page, "class=\"stack\"");
    ohmi_free(page);
    drop(&run);
}

// Two lines a task that span the most epochs: no curves, rather than gigabytes of nothing.
static void test_too_many_epochs(void **state) {
    (void)state;
    run_folder run;
    char json[4096], csv[4096];
    int at = snprintf(json, sizeof json, "{\"schema\":1,\"name\":\"a\",\"layers\":[],\"tasks\":[");
    int csv_at = snprintf(csv, sizeof csv, "step,epoch,task,split,name,value,unit\n");
    make(&run);
    for (int i = 1; i <= 11; ++i) {
        at += snprintf(json + at, sizeof json - (size_t)at, "%s{\"name\":\"t%d\",\"accuracy\":1}",
                       i > 1 ? "," : "", i);
        csv_at += snprintf(csv + csv_at, sizeof csv - (size_t)csv_at,
                           "1,0,%d,test,loss,1,1\n2,100000,%d,test,loss,1,1\n", i, i);
    }
    (void)snprintf(json + at, sizeof json - (size_t)at, "]}");
    put(&run, "metrics.json", json);
    put(&run, "metrics.csv", csv);
    char *page = write_report(&run);
    has(page, "spans 1100011 epochs of all tasks together");
    ohmi_free(page);
    drop(&run);
}

// A run that has just begun has no task and no layer; that is a page too.
static void test_no_task_yet(void **state) {
    (void)state;
    run_folder run;
    make(&run);
    put(&run, "metrics.json",
        "{\"schema\":1,\"name\":\"a\",\"tasks\":[],\"accuracy_matrix\":[],"
        "\"layers\":[],\"mean_accuracy\":null}");
    char *page = write_report(&run);
    has(page, "0 task(s) learned so far");
    has(page, "<dd>\xe2\x80\x93 <small>%</small>");
    has_not(page, "nan");
    has_not(page, "inf");
    ohmi_free(page);
    drop(&run);
}

// A network that was imported has a task without accuracies; the page says so.
static void test_nothing_measured(void **state) {
    (void)state;
    run_folder run;
    make(&run);
    put(&run, "metrics.json",
        "{\"schema\":1,\"name\":\"a\",\"finished\":true,\"quantised\":false,\"tasks\":[{"
        "\"name\":\"imported\",\"accuracy\":null,\"accuracy_float\":null,\"loss\":null,"
        "\"columns_new\":4,\"columns_on\":4,\"columns_total\":4}],\"columns_total\":4,"
        "\"accuracy_matrix\":[[null]],\"layers\":[],\"mean_accuracy\":null}");
    char *page = write_report(&run);
    has(page, "Nothing was measured: the network was not learned here");
    has(page, "imported");
    has_not(page, "nan");
    has_not(page, "inf%");
    ohmi_free(page);
    drop(&run);
}

// Whatever allocation fails: an error, nothing leaked, nothing written.
static void test_out_of_memory(void **state) {
    (void)state;
    run_folder run;
    make(&run);
    const int64_t live = ohmi_live_blocks();
    int64_t n_failed = 0;
    for (int64_t k = 0; k < 100000; ++k) {
        ohm_error err = {0};
        ohmi_fail_allocation(k);
        const ohm_status status = ohm_report_write(run.folder, NULL, &err);
        ohmi_fail_allocation(-1);
        assert_int_equal(ohmi_live_blocks(), live);
        if (status == OHM_OK) {
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
        assert_int_not_equal(access(in_folder(&run, "report.html"), F_OK), 0);
        n_failed += 1;
    }
    assert_true(n_failed > 10);
    assert_int_equal(access(in_folder(&run, "report.html"), F_OK), 0);
    drop(&run);
}

static void figure_is(void (*write)(ohmi_text *, double), double value, const char *expected) {
    ohmi_text text = {0};
    write(&text, value);
    assert_string_equal(text.data, expected);
    ohmi_text_clear(&text);
}

static void percent2(ohmi_text *out, double value) {
    ohmi_figure_percent(out, value, 2);
}

static void whole_bytes(ohmi_text *out, double value) {
    ohmi_figure_bytes(out, (int64_t)value);
}

static void whole_count(ohmi_text *out, double value) {
    ohmi_figure_count(out, (int64_t)value);
}

static void test_figures(void **state) {
    (void)state;
    figure_is(percent2, 0.71842, "71.84");
    figure_is(percent2, -0.00001, "0.00");
    figure_is(percent2, -0.01,
              "\xe2\x88\x92"
              "1.00");
    figure_is(percent2, (double)NAN, "\xe2\x80\x93");
    figure_is(ohmi_figure_seconds, 0.26, "0.3 s");
    figure_is(ohmi_figure_seconds, 99.95, "1 min 40 s");
    figure_is(ohmi_figure_seconds, 3599.6, "60 min 00 s");
    figure_is(ohmi_figure_seconds, 7500.0, "2 h 05 min");
    figure_is(whole_bytes, 1023.0, "1023 B");
    figure_is(whole_bytes, 1536.0, "1.5 KiB");
    figure_is(whole_bytes, 3145728.0, "3.00 MiB");
    figure_is(whole_count, 1234.0, "1234");
    figure_is(whole_count, 1234567.0,
              "1\xe2\x80\xaf"
              "234\xe2\x80\xaf"
              "567");
    figure_is(whole_count, -1.0, "\xe2\x80\x93");

    // grid steps, and the ends of the colour ramp
    assert_float_equal((float)ohmi_nice_step(1.0, 5), 0.2F, 1e-6F);
    assert_float_equal((float)ohmi_nice_step(87.0, 5), 20.0F, 1e-6F);
    assert_float_equal((float)ohmi_nice_step(0.0, 5), 1.0F, 0.0F);
    assert_int_equal(ohmi_step_decimals(0.05), 2);
    assert_int_equal(ohmi_step_decimals(20.0), 0);
    assert_int_equal(ohmi_ramp(-3.0), 0x440154);
    assert_int_equal(ohmi_ramp(0.5), 0x21918c);
    assert_int_equal(ohmi_ramp(2.0), 0xfde725);
    assert_int_equal(ohmi_ramp_is_dark(0x440154), 1);
    assert_int_equal(ohmi_ramp_is_dark(0xfde725), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_curves_are_means_of_an_epoch),
        cmocka_unit_test(test_too_many_epochs),
        cmocka_unit_test(test_hostile_text),
        cmocka_unit_test(test_missing_files),
        cmocka_unit_test(test_broken_metrics),
        cmocka_unit_test(test_no_task_yet),
        cmocka_unit_test(test_nothing_measured),
        cmocka_unit_test(test_a_network_a_task),
        cmocka_unit_test(test_what_was_not_measured),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
