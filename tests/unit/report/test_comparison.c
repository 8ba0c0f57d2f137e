// SPDX-License-Identifier: Apache-2.0
// Runs side by side: mean and spread against numbers worked out by hand, which runs make one line,
// which tasks are compared, what the forms say, conditions, hostile and broken files, no memory.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "ohmwise/config.h"
#include "report/compare.h"

#define MOST 8

// A folder of runs; each has metrics.json and config.yaml.
typedef struct {
    char folder[64];
    char paths[MOST][128];
    const char *runs[MOST];
    int n;
} fixture;

static void put(const char *folder, const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void make(fixture *f) {
    memset(f, 0, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/ohmwise-compare-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
}

// Adds a run of n tasks with the accuracies in `accuracy`; extra: further members of metrics.json.
static void add(fixture *f, const char *name, int seed, const char *config, int n,
                const double *accuracy, const char *extra) {
    char text[4096];
    char *path = f->paths[f->n];
    char folder[64];
    memcpy(folder, f->folder, sizeof folder);
    snprintf(path, sizeof f->paths[0], "%s/run-%d", folder, f->n);
    assert_int_equal(mkdir(path, 0700), 0);
    int used = snprintf(text, sizeof text,
                        "{\"schema\": 1, \"name\": \"%s\", \"seed\": %d, \"finished\": true, "
                        "\"mean_accuracy\": 0.5, \"forgetting\": 0.25%s, \"tasks\": [",
                        name, seed, extra);
    for (int t = 0; t < n; ++t) {
        used += snprintf(text + used, sizeof text - (size_t)used,
                         "%s{\"name\": \"task %d\", \"accuracy\": %.6f, \"accuracy_float\": %.6f, "
                         "\"epochs\": %d, \"train_seconds\": 10, \"mask_bytes\": 100}",
                         t > 0 ? ", " : "", t + 1, accuracy[t], accuracy[t] + 0.01, t + 2);
    }
    snprintf(text + used, sizeof text - (size_t)used, "]}\n");
    put(path, "metrics.json", text);
    if (config != NULL) {
        char yaml[512];
        snprintf(yaml, sizeof yaml, "name: %s\nseed: %d\n%s", name, seed, config);
        put(path, "config.yaml", yaml);
    }
    f->runs[f->n++] = path;
}

static void drop(fixture *f) {
    static const char *const names[] = {"metrics.json", "config.yaml", "manifest.json"};
    for (int i = 0; i < f->n; ++i) {
        for (int k = 0; k < 3; ++k) {
            char path[256];
            snprintf(path, sizeof path, "%s/%s", f->paths[i], names[k]);
            unlink(path);
        }
        assert_int_equal(rmdir(f->paths[i]), 0);
    }
    assert_int_equal(rmdir(f->folder), 0);
}

static ohm_comparison *compare(const fixture *f, const char *const *published, int n_published) {
    ohm_error err = {0};
    ohm_comparison *c = NULL;
    const ohm_compare_def def = {
        .runs = f->runs, .n_runs = f->n, .published = published, .n_published = n_published};
    if (ohm_comparison_new(&c, &def, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    return c;
}

static char *form(const ohm_comparison *c, ohm_comparison_form what) {
    char *text = NULL;
    assert_int_equal(ohm_comparison_text(&text, c, what, NULL), OHM_OK);
    return text;
}

static void contains(const char *text, const char *part) {
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in: %.3000s", part, text);
    }
}

static void is_near(double a, double b) {
    assert_true(fabs(a - b) < 1e-9);
}

static void test_spread(void **state) {
    (void)state;
    // 2, 4, 9: mean 5, squares 9 + 1 + 16 = 26, deviation sqrt(26 / 2) = sqrt(13)
    const double values[] = {2.0, 4.0, (double)NAN, 9.0};
    const ohmi_spread spread = ohmi_spread_of(values, 4);
    assert_int_equal(spread.n, 3);
    is_near(spread.mean, 5.0);
    is_near(spread.deviation, sqrt(13.0));
    is_near(spread.interval, 4.303 * sqrt(13.0) / sqrt(3.0));

    // one value has no spread, none has no mean, equal ones have a spread of zero
    const ohmi_spread one = ohmi_spread_of(values, 1);
    assert_int_equal(one.n, 1);
    is_near(one.mean, 2.0);
    assert_true(isnan(one.deviation) && isnan(one.interval));
    assert_true(isnan(ohmi_spread_of(values, 0).mean));
    const double equal[] = {0.5, 0.5, 0.5};
    is_near(ohmi_spread_of(equal, 3).deviation, 0.0);
}

static void test_student(void **state) {
    (void)state;
    is_near(ohmi_student(1), 12.706);
    is_near(ohmi_student(10), 2.228);
    is_near(ohmi_student(30), 2.042);
    // tables print 2.021, 2.000 and 1.980
    assert_true(fabs(ohmi_student(40) - 2.021) < 2e-3);
    assert_true(fabs(ohmi_student(60) - 2.000) < 1e-3);
    assert_true(fabs(ohmi_student(120) - 1.980) < 1e-3);
    assert_true(isnan(ohmi_student(0)));
    for (int i = 1; i < 200; ++i) {
        assert_true(ohmi_student(i) > ohmi_student(i + 1));
    }
}

static void test_lines(void **state) {
    (void)state;
    fixture f;
    make(&f);
    const double a[] = {0.6, 0.8, 0.9};
    const double b[] = {0.8, 0.8};
    const char *same = "train: {epochs: 7}\nthreads: 1\n";
    add(&f, "one", 1, same, 3, a, "");
    add(&f, "one", 2, "train: {epochs: 7}\nthreads: 2\n", 2, b, ""); // threads do not matter
    add(&f, "two", 3, "train: {epochs: 8}\n", 2, b, "");
    add(&f, "one", 2, same, 2, b, "");               // the seed is there already
    add(&f, "old", 4, NULL, 2, b, "");               // without a config
    add(&f, "one", 5, "no.such.key: 1\n", 2, b, ""); // of a version that is not known
    ohm_comparison *c = compare(&f, NULL, 0);
    assert_int_equal(c->n_lines, 5);
    assert_int_equal(c->lines[0].n_runs, 2);
    assert_int_equal(c->runs[1].line, 0);
    assert_int_equal(c->runs[2].line, 1);
    assert_int_equal(c->runs[3].line, 2);
    assert_string_equal(c->lines[1].title, "two");
    contains(c->lines[0].title, "one (/tmp/"); // told apart by the folder

    // only the tasks of all are compared: (0.6 + 0.8) / 2 = 0.7 and 0.8
    assert_int_equal(c->n_shared, 2);
    assert_int_equal(c->n_tasks, 3);
    is_near(c->lines[0].of[OHMI_SHARED].mean, 0.75);
    is_near(c->lines[0].of[OHMI_SHARED].deviation, 0.1 / sqrt(2.0));
    is_near(c->lines[0].of[OHMI_SECONDS].mean, 20.0);
    is_near(c->lines[0].of[OHMI_EPOCHS].mean, 5.0);
    assert_int_equal(c->lines[0].accuracy[0].n, 2);
    is_near(c->lines[0].accuracy[0].mean, 0.7);
    assert_int_equal(c->lines[0].accuracy[2].n, 1); // of the one run that has it
    is_near(c->lines[0].accuracy[2].mean, 0.9);
    // its own tasks: (0.7666... + 0.8) / 2
    is_near(c->lines[0].of[OHMI_OWN].mean, ((0.6 + 0.8 + 0.9) / 3.0 + 0.8) / 2.0);
    assert_int_equal((int)c->lines[0].low_epochs, 2);
    assert_int_equal((int)c->lines[0].high_epochs, 4);
    assert_true(isnan(c->lines[0].of[OHMI_BESIDE].mean)); // no checkpoint
    assert_true(isnan(c->lines[0].of[OHMI_SHARED_FLOAT].mean));

    // the page names the key in which they differ
    char *page = form(c, OHM_AS_HTML);
    contains(page, "<th scope=\"row\">train.epochs</th>");
    assert_null(strstr(page, "<th scope=\"row\">threads</th>"));
    contains(page, "Over tasks 1 to 2, which every run has learned");
    assert_null(strstr(page, "http://")); // needs nothing but itself
    ohm_text_free(&page);
    ohm_comparison_free(&c);
    drop(&f);
}

static void test_names_decide(void **state) {
    (void)state;
    fixture f;
    make(&f);
    const double a[] = {0.5};
    add(&f, "r", 1, "", 1, a, "");
    add(&f, "r", 2, "", 1, a, "");
    const char *const names[] = {"first", "second"};
    ohm_comparison *c = NULL;
    ohm_compare_def def = {.runs = f.runs, .names = names, .n_runs = 2};
    assert_int_equal(ohm_comparison_new(&c, &def, NULL), OHM_OK);
    assert_int_equal(c->n_lines, 2); // called differently on purpose
    assert_string_equal(c->lines[0].title, "first");
    ohm_comparison_free(&c);

    // data of another content is another line
    put(f.paths[0], "manifest.json", "{\"dataset_sha256\": \"aa\"}");
    put(f.paths[1], "manifest.json", "{\"dataset_sha256\": \"bb\"}");
    def.names = NULL;
    assert_int_equal(ohm_comparison_new(&c, &def, NULL), OHM_OK);
    assert_int_equal(c->n_lines, 2);
    ohm_comparison_free(&c);
    put(f.paths[1], "manifest.json", "{\"dataset_sha256\": \"aa\"}");
    assert_int_equal(ohm_comparison_new(&c, &def, NULL), OHM_OK);
    assert_int_equal(c->n_lines, 1);
    ohm_comparison_free(&c);

    // but not where the seed chooses which images are used
    put(f.paths[1], "manifest.json", "{\"dataset_sha256\": \"bb\"}");
    put(f.paths[0], "config.yaml", "name: r\nseed: 1\ndata: {train_limit: 10}\n");
    put(f.paths[1], "config.yaml", "name: r\nseed: 2\ndata: {train_limit: 10}\n");
    assert_int_equal(ohm_comparison_new(&c, &def, NULL), OHM_OK);
    assert_int_equal(c->n_lines, 1);
    ohm_comparison_free(&c);
    drop(&f);
}

static void test_other_tasks(void **state) {
    (void)state;
    fixture f;
    make(&f);
    const double a[] = {0.5, 0.75};
    add(&f, "a", 1, "", 2, a, "");
    add(&f, "b", 1, "train: {epochs: 3}\n", 2, a, "");
    put(f.paths[1], "metrics.json",
        "{\"schema\": 1, \"name\": \"b\", \"tasks\": [{\"name\": \"task 1\", \"accuracy\": 0.5}, "
        "{\"name\": \"other\", \"accuracy\": 1.0}]}");
    ohm_comparison *c = compare(&f, NULL, 0);
    assert_int_equal(c->n_shared, 1);
    assert_null(c->names[1]);
    is_near(c->lines[1].of[OHMI_SHARED].mean, 0.5);
    char *text = form(c, OHM_AS_MARKDOWN);
    contains(text, "task 2 is not the same in all runs");
    contains(text, "| **mean of tasks 1 to 1** | 50.00 | 50.00 |");
    contains(text, "is not finished: 2 tasks learned so far");
    ohm_text_free(&text);
    ohm_comparison_free(&c);
    drop(&f);
}

static void test_forms(void **state) {
    (void)state;
    fixture f;
    make(&f);
    const double a[] = {0.5, 0.7};
    const double b[] = {0.6, 0.8};
    add(&f, "x|y,\\\"<b>", 1, NULL, 2, a, ", \"quantised\": true, \"logits_identical\": true");
    add(&f, "p", 1, "", 2, a, ", \"logits_identical\": true");
    add(&f, "p", 2, "", 2, b, ", \"logits_identical\": false");
    const char *const published[] = {OHM_SOURCE_FOLDER "/docs/results/cpg-cifar100.json"};
    ohm_comparison *c = compare(&f, published, 1);
    assert_int_equal(c->n_lines, 3);
    assert_int_equal(c->n_shared, 2);
    assert_int_equal(c->n_tasks, 20);
    is_near(c->lines[2].of[OHMI_SHARED].mean, (0.652 + 0.766) / 2.0);

    // columns a run, a column more where it is quantised, spread over seeds, caveats
    char *text = form(c, OHM_AS_MARKDOWN);
    contains(text, "| task | x\\|y,\"<b> | x\\|y,\"<b>, not rounded | p | CPG, published |\n");
    contains(text, "| 1 task 1 | 50.0 | 51.0 | 55.0 ± 7.1 | 65.2 |\n");
    contains(text, "| 20  |  |  |  | 94.8 |\n");
    contains(text, "| **mean of its tasks** | 60.00 | 61.00 | 65.00 ± 7.07 | 81.24 |\n");
    contains(text, "| **mean of tasks 1 to 2** | 60.00 | 61.00 | 65.00 ± 7.07 | 70.90 |\n");
    contains(text, "| p | 2 | 2 | 5 | 20.0 ± 0.0 | 25.0000 ± 0.0000 | 100 |");
    contains(text, "p: 2 tasks of 2 to 3 epochs, seeds 1, 2, forgetting 0.250000, logits of "
                   "earlier tasks NOT identical");
    contains(text, "the models were chosen on the test images");
    ohm_text_free(&text);

    // a line a run and task; text is quoted as CSV wants it
    text = form(c, OHM_AS_CSV);
    contains(text, "\"x|y,\"\"<b>\",");
    contains(text, ",2,2,task 2,0.8,0.81,,,3,10,,,,100,\n");
    contains(text, "\"CPG, published\",,,20,,0.948,,,,,,,,,,\n");
    int n_lines = 0;
    for (const char *at = text; *at != '\0'; ++at) {
        n_lines += *at == '\n';
    }
    assert_int_equal(n_lines, 1 + 3 * 2 + 20);
    ohm_text_free(&text);

    // hostile names are only text
    text = form(c, OHM_AS_HTML);
    contains(text, "x|y,&quot;&lt;b&gt;");
    assert_null(strstr(text, "\"<b>"));
    contains(text, "CPG, published");
    contains(text, "logits of earlier tasks have changed");
    ohm_text_free(&text);
    text = form(c, OHM_AS_TEXT);
    contains(text, "of tasks 1 to 2, which all have");
    ohm_text_free(&text);
    ohm_comparison_free(&c);
    drop(&f);
}

static void test_require(void **state) {
    (void)state;
    fixture f;
    make(&f);
    const double a[] = {0.5, 0.7};
    add(&f, "a", 1, NULL, 2, a, ", \"quantised\": true, \"parameters\": null");
    add(&f, "b", 2, NULL, 2, a, ", \"quantised\": true, \"parameters\": 12");
    ohm_comparison *c = compare(&f, NULL, 0);
    static const struct {
        const char *condition;
        ohm_status status;
    } rows[] = {
        {"mean_accuracy>=0.5", OHM_OK},
        {" mean_accuracy <= 0.5 ", OHM_OK},
        {"mean_accuracy==0.5", OHM_OK},
        {"mean_accuracy!=0.5", OHM_ERR_CHECK},
        {"mean_accuracy>0.5", OHM_ERR_CHECK},
        {"mean_accuracy<0.5", OHM_ERR_CHECK},
        {"mean_accuracy>=0.7", OHM_ERR_CHECK},
        {"tasks[2].accuracy>=0.7", OHM_OK},
        {"tasks[1].accuracy>=0.7", OHM_ERR_CHECK},
        {"tasks[3].accuracy>=0.7", OHM_ERR_ARGUMENT},
        {"tasks[0].accuracy>=0.7", OHM_ERR_ARGUMENT},
        {"quantised==true", OHM_OK},
        {"quantised!=true", OHM_ERR_CHECK},
        {"tasks[1].name==task 1", OHM_OK},
        {"parameters>=1", OHM_ERR_CHECK}, // null is not measured
        {"seed==1", OHM_ERR_CHECK},       // of every run
        {"no_such>=0.7", OHM_ERR_ARGUMENT},
        {"mean_accuracy", OHM_ERR_ARGUMENT},
        {">=0.7", OHM_ERR_ARGUMENT},
        {"mean_accuracy>=", OHM_ERR_ARGUMENT},
        {"mean_accuracy>=high", OHM_ERR_ARGUMENT},
        {"mean_accuracy>=nan", OHM_ERR_ARGUMENT},
        {"mean_accuracy==true", OHM_ERR_ARGUMENT},
        {"tasks>=1", OHM_ERR_ARGUMENT},
        {"tasks[1>=1", OHM_ERR_ARGUMENT},
        {"", OHM_ERR_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        ohm_error err = {0};
        const ohm_status status = ohm_comparison_require(c, rows[i].condition, &err);
        if (status != rows[i].status || (status < 0 && err.message[0] == '\0')) {
            fail_msg("'%s' gives %d: %s", rows[i].condition, (int)status, err.message);
        }
    }
    ohm_error err = {0};
    assert_int_equal(ohm_comparison_require(c, "mean_accuracy>=0.7", &err), OHM_ERR_CHECK);
    contains(err.message, "not met: 'mean_accuracy>=0.7': '");
    contains(err.message, "run-0' has 0.5");
    contains(err.hint, "1 more of 2 runs");

    // without runs only its form is looked at
    assert_int_equal(ohm_comparison_require(NULL, "no_such>=0.7", NULL), OHM_OK);
    assert_int_equal(ohm_comparison_require(NULL, "no_such", NULL), OHM_ERR_ARGUMENT);
    ohm_comparison_free(&c);
    drop(&f);
}

static void test_broken(void **state) {
    (void)state;
    fixture f;
    make(&f);
    const double a[] = {0.5};
    add(&f, "a", 1, "", 1, a, "");
    ohm_comparison *c = NULL;
    ohm_error err = {0};
    const char *const nowhere[] = {"/tmp/ohmwise-no-such-run"};
    ohm_compare_def def = {.runs = nowhere, .n_runs = 1};
    assert_int_equal(ohm_comparison_new(&c, &def, &err), OHM_ERR_IO);
    contains(err.message, "has no metrics.json");
    assert_null(c);
    def.n_runs = 0;
    assert_int_equal(ohm_comparison_new(&c, &def, &err), OHM_ERR_ARGUMENT);

    // no task, or no JSON
    def = (ohm_compare_def){.runs = f.runs, .n_runs = 1};
    put(f.paths[0], "metrics.json", "{\"schema\": 1, \"name\": \"a\", \"tasks\": []}");
    assert_int_equal(ohm_comparison_new(&c, &def, &err), OHM_ERR_ARGUMENT);
    contains(err.message, "has not learned a task");
    put(f.paths[0], "metrics.json", "{\n\"schema\": 1,,");
    assert_int_equal(ohm_comparison_new(&c, &def, &err), OHM_ERR_FORMAT);
    assert_int_equal(err.line, 2);

    // published rows that are none
    put(f.paths[0], "metrics.json",
        "{\"schema\": 1, \"name\": \"a\", \"tasks\": [{\"name\": \"t\", \"accuracy\": 1}]}");
    char row[256];
    snprintf(row, sizeof row, "%s/manifest.json", f.paths[0]);
    const char *const published[] = {row};
    def.published = published;
    def.n_published = 1;
    static const char *const rows[] = {"[]",
                                       "{}",
                                       "{\"name\": \"x\", \"accuracy\": []}",
                                       "{\"name\": \"x\", \"accuracy\": [65.2]}",
                                       "{\"name\": \"x\", \"accuracy\": [\"a\"]}",
                                       "{"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        put(f.paths[0], "manifest.json", rows[i]);
        assert_int_equal(ohm_comparison_new(&c, &def, &err), OHM_ERR_FORMAT);
        assert_string_equal(err.path, row);
    }
    assert_null(c);

    // a metrics.json by itself is a run too
    char alone[256];
    snprintf(alone, sizeof alone, "%s/metrics.json", f.paths[0]);
    const char *const runs[] = {alone};
    def = (ohm_compare_def){.runs = runs, .n_runs = 1};
    assert_int_equal(ohm_comparison_new(&c, &def, &err), OHM_OK);
    assert_int_equal(c->lines[0].n_tasks, 1);
    ohm_comparison_free(&c);
    drop(&f);
}

static void test_no_memory(void **state) {
    (void)state;
    fixture f;
    make(&f);
    const double a[] = {0.5, 0.6};
    add(&f, "a", 1, "", 2, a, "");
    add(&f, "b", 2, "train: {epochs: 3}\n", 2, a, "");
    const char *const published[] = {OHM_SOURCE_FOLDER "/docs/results/cpg-cifar100.json"};
    const ohm_compare_def def = {
        .runs = f.runs, .n_runs = f.n, .published = published, .n_published = 1};
    const int64_t live = ohmi_live_blocks();
    ohm_status status = OHM_ERR_NO_MEMORY;
    int64_t k = 0;
    for (; status != OHM_OK && k < 2000; ++k) {
        ohm_comparison *c = NULL;
        char *page = NULL;
        ohm_error err = {0};
        ohmi_fail_allocation(k);
        status = ohm_comparison_new(&c, &def, &err);
        if (status == OHM_OK) {
            status = ohm_comparison_text(&page, c, OHM_AS_HTML, &err);
        }
        ohmi_fail_allocation(-1);
        if (status != OHM_OK) {
            assert_int_equal(status, OHM_ERR_NO_MEMORY);
            assert_null(page);
        }
        ohm_text_free(&page);
        ohm_comparison_free(&c);
        assert_int_equal(ohmi_live_blocks(), live);
    }
    assert_int_equal(status, OHM_OK);
    assert_true(k > 20);
    drop(&f);
}

// The row of a line in the section of training on crossbars; false where there is none.
static bool row_of(char *row, size_t size_bytes, const char *page, const char *line) {
    char head[80];
    const char *section = strstr(page, "Training on crossbars");
    assert_non_null(section);
    (void)snprintf(head, sizeof head, "<th scope=\"row\">%s</th>", line);
    const char *first = strstr(section, head);
    if (first == NULL || first > strstr(section, "</section>")) {
        return false;
    }
    const ptrdiff_t length = strstr(first, "</tr>") - first;
    assert_true(length > 0 && (size_t)length < size_bytes);
    memcpy(row, first, (size_t)length);
    row[length] = '\0';
    return true;
}

// Training on crossbars beside plain training of the same seed: 8 J and 4 J, 100 and 450 epochs.
static void test_insitu(void **state) {
    (void)state;
    static const char format[] =
        ", \"insitu\": {\"plain\": %s, \"energy_j\": %s, \"time_s\": 2, \"rows_kept\": %s, "
        "\"rows_left_out\": %s, \"lifetime\": {\"epochs\": %s}, \"ratios\": null}";
    static const double a[] = {0.5};
    fixture f;
    char extra[400];
    make(&f);
    (void)snprintf(extra, sizeof extra, format, "true", "8", "100", "0", "100");
    add(&f, "nothing", 1, "insitu: {error: 0}\n", 1, a, extra);
    (void)snprintf(extra, sizeof extra, format, "false", "4", "30", "70", "450");
    add(&f, "rows", 1, "insitu: {error_ratio: 0.7}\n", 1, a, extra);
    add(&f, "other", 2, "insitu: {error_ratio: 0.8}\n", 1, a, extra);
    add(&f, "learned", 1, "train: {epochs: 3}\n", 1, a, "");
    ohm_comparison *c = compare(&f, NULL, 0);
    char *page = form(c, OHM_AS_HTML);
    char row[600];
    assert_true(row_of(row, sizeof row, page, "rows"));
    contains(row, "<td class=\"n\">70.0</td>"); // rows left out
    contains(row, "<td class=\"n\">2.00</td>"); // 8 J / 4 J
    contains(row, "<td class=\"n\">4.50</td>"); // 450 / 100 epochs
    contains(row, "<td class=\"n\">1.00</td>"); // the same time

    // without plain training of its seed there is nothing to compare with; what was learned has
    // none
    assert_true(row_of(row, sizeof row, page, "other"));
    assert_null(strstr(row, "2.00"));
    assert_false(row_of(row, sizeof row, page, "learned"));

    // the same as tables; in the terminal's the columns have their widths
    char *text = form(c, OHM_AS_TEXT), *markdown = form(c, OHM_AS_MARKDOWN);
    contains(text, "rows      70.0      50.00   0.00     -    4.0000   2.00   2.00000   1.00");
    contains(markdown, "| rows | 70.0 | 50.00 | 0.00 | | 4.0000 | 2.00 | 2.00000 | 1.00 | 450 | "
                       "4.50 |");
    contains(markdown, "| other | 70.0 | 50.00 | | | 4.0000 | | 2.00000 | | 450 | |");
    assert_null(strstr(markdown, "| learned | 70"));
    ohm_text_free(&text);
    ohm_text_free(&markdown);
    ohm_text_free(&page);
    ohm_comparison_free(&c);
    drop(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spread),      cmocka_unit_test(test_student),
        cmocka_unit_test(test_lines),       cmocka_unit_test(test_names_decide),
        cmocka_unit_test(test_other_tasks), cmocka_unit_test(test_forms),
        cmocka_unit_test(test_require),     cmocka_unit_test(test_broken),
        cmocka_unit_test(test_no_memory),   cmocka_unit_test(test_insitu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
