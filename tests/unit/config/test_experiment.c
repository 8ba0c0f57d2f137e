// SPDX-License-Identifier: Apache-2.0
// Experiments: which runs a file means, what the command line changes, what is refused where, which
// run folders agree, and that a lack of memory leaves nothing behind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "ohmwise/experiment.h"

static char folder[64];
static char path[128]; // of the experiment
static char base[128];

static void put(const char *file, const char *text) {
    FILE *out = fopen(file, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
    assert_int_equal(fclose(out), 0);
}

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/ohmwise-experiment-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/experiment.yaml", folder);
    snprintf(base, sizeof base, "%s/config.yaml", folder);
    put(base, "train: {epochs: 5}\nseed: 9\nname: base\n");
    return 0;
}

static int drop_folder(void **state) {
    (void)state;
    unlink(path);
    unlink(base);
    return rmdir(folder);
}

static ohm_experiment *load(const char *text) {
    ohm_experiment *e = NULL;
    ohm_error err = {0};
    put(path, text);
    if (ohm_experiment_load(&e, path, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    return e;
}

static void expand(ohm_experiment *e) {
    ohm_error err = {0};
    if (ohm_experiment_expand(e, base, NULL, &err) != OHM_OK) {
        fail_msg("%s (%s)", err.message, err.hint);
    }
}

static void has(const ohm_experiment_run *run, const char *setting) {
    for (int i = 0; i < run->n_settings; i++) {
        if (strcmp(run->settings[i], setting) == 0) {
            return;
        }
    }
    fail_msg("no '%s' in the run '%s'", setting, run->folder);
}

static void test_grid(void **state) {
    (void)state;
    ohm_experiment *e = load("base: config.yaml\n"
                             "seeds: [3, 1]\n"
                             "grid:\n"
                             "  train: {milestones: [[0.5, 0.8], [0.6]], lr: [1e-1, 0.2]}\n");
    assert_string_equal(ohm_experiment_name(e), "experiment"); // of the file
    assert_string_equal(ohm_experiment_base(e), "config.yaml");
    expand(e);
    assert_int_equal(ohm_experiment_count(e), 8);

    // the last key of the grid is the fastest but for the seeds; names are names of folders
    static const char *const folders[] = {
        "milestones-0.5_0.8-lr-1e-1-3", "milestones-0.5_0.8-lr-1e-1-1",
        "milestones-0.5_0.8-lr-0.2-3",  "milestones-0.5_0.8-lr-0.2-1",
        "milestones-0.6-lr-1e-1-3",     "milestones-0.6-lr-1e-1-1",
        "milestones-0.6-lr-0.2-3",      "milestones-0.6-lr-0.2-1"};
    for (int i = 0; i < 8; i++) {
        assert_string_equal(ohm_experiment_at(e, i)->folder, folders[i]);
    }
    const ohm_experiment_run *run = ohm_experiment_at(e, 2);
    assert_int_equal(run->seed, 3);
    assert_string_equal(run->name, "milestones-0.5_0.8-lr-0.2");
    has(run, "train.milestones=0.5,0.8");
    has(run, "train.lr=0.2");
    has(run, "seed=3");
    has(run, "name=milestones-0.5_0.8-lr-0.2");
    assert_int_equal(run->n_settings, 4);
    ohm_experiment_free(&e);
    assert_null(e);
}

static void test_points(void **state) {
    (void)state;
    ohm_experiment *e = load("name: two\nbase: config.yaml\nseeds: [1]\n"
                             "settings: {train.lr: 0.5, train.batch: 8}\n"
                             "points:\n  a: {}\n  b: {train.lr: 0.25}\n"
                             "grid: {method: [xst, xst-element]}\n");
    ohm_error err = {0};

    // the command line takes the place of settings, and no other's
    assert_int_equal(ohm_experiment_set(e, "train.batch", "16", &err), OHM_OK);
    assert_int_equal(ohm_experiment_set(e, "train.epochs", "7", &err), OHM_OK);
    assert_int_equal(ohm_experiment_set(e, "train.lr", "0.1", &err), OHM_ERR_CONFIG);
    assert_int_equal(ohm_experiment_set(e, "method", "xst", &err), OHM_ERR_CONFIG);
    assert_int_equal(ohm_experiment_set(e, "seed", "1", &err), OHM_ERR_CONFIG);
    assert_int_equal(ohm_experiment_set(e, "name", "x", &err), OHM_ERR_CONFIG);
    assert_int_equal(ohm_experiment_set(e, "train.batch", "-1", &err), OHM_ERR_CONFIG);
    assert_int_equal(ohm_experiment_set(e, "no.such", "1", &err), OHM_ERR_CONFIG);
    expand(e);
    assert_int_equal(ohm_experiment_count(e), 4);
    const ohm_experiment_run *run = ohm_experiment_at(e, 3);
    assert_string_equal(run->folder, "b-method-xst-element-1");
    has(run, "train.lr=0.25"); // the point's, not that of all
    has(run, "train.batch=16");
    has(run, "train.epochs=7");
    has(ohm_experiment_at(e, 0), "train.lr=0.5");
    ohm_experiment_free(&e);
}

static void test_no_grid_no_points(void **state) {
    (void)state;
    ohm_experiment *e = load("name: plain\nbase: config.yaml\nseeds: [4, 5]\n");
    expand(e);
    assert_int_equal(ohm_experiment_count(e), 2);
    assert_string_equal(ohm_experiment_at(e, 1)->folder, "plain-5");

    // what lies under the settings: known to the check, not part of the command line
    const char *const unknown[] = {"backends", "reference", NULL};
    const char *const right[] = {"train.epochs", "6", NULL};
    assert_int_equal(ohm_experiment_expand(e, base, unknown, NULL), OHM_ERR_CONFIG);
    assert_int_equal(ohm_experiment_count(e), 0);
    assert_int_equal(ohm_experiment_expand(e, base, right, NULL), OHM_OK);
    assert_int_equal(ohm_experiment_at(e, 0)->n_settings, 2);
    ohm_experiment_free(&e);
    ohm_experiment_free(&e);
}

static void test_agrees(void **state) {
    (void)state;
    ohm_experiment *e = load("name: p\nbase: config.yaml\nseeds: [1]\nsettings: {train.lr: 0.5}\n");
    ohm_error err = {0};
    expand(e);

    // nothing there, the same but for threads and checkpoints, and another
    assert_int_equal(ohm_experiment_agrees(e, 0, "/tmp/ohmwise-no-such", &err), OHM_OK);
    put(base, "name: p\nseed: 1\ntrain: {epochs: 5, lr: 0.5}\nthreads: 3\nrun: {checkpoint: 7}\n");
    assert_int_equal(ohm_experiment_agrees(e, 0, folder, &err), OHM_OK);
    put(base, "name: p\nseed: 1\ntrain: {epochs: 6, lr: 0.5}\n");
    assert_int_equal(ohm_experiment_agrees(e, 0, folder, &err), OHM_ERR_CONFIG);
    assert_non_null(strstr(err.message, "train.epochs=6"));
    assert_non_null(strstr(err.message, "train.epochs=5"));
    assert_string_equal(err.path, base);
    put(base, "name: p\nseed: 2\ntrain: {epochs: 5, lr: 0.5}\n");
    assert_int_equal(ohm_experiment_agrees(e, 0, folder, &err), OHM_ERR_CONFIG);
    put(base, "nonsense: 1\n");
    assert_int_equal(ohm_experiment_agrees(e, 0, folder, &err), OHM_ERR_CONFIG);
    put(base, "train: {epochs: 5}\n");
    ohm_experiment_free(&e);
}

// Files that cannot be read, each with the line and column at fault.
static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int line, column;
    } rows[] = {
        {"", 0, 0},
        {"[1]\n", 1, 1},
        {"base: [a]\nseeds: [1]\n", 1, 7},
        {"base:\nseeds: [1]\n", 1, 6},
        {"base: a\nseeds: 1\n", 2, 8},
        {"base: a\nseeds: [x]\n", 2, 9},
        {"base: a\nseeds: [-1]\n", 2, 9},
        {"base: a\nbase: b\nseeds: [1]\n", 2, 1},
        {"name: a/b\nbase: a\nseeds: [1]\n", 1, 7},
        {"base: a\nseeds: [1]\npoints: [a]\n", 3, 9},
        {"base: a\nseeds: [1]\npoints: {a: 1}\n", 3, 13},
        {"base: a\nseeds: [1]\npoints: {-a: {}}\n", 3, 10},
        {"base: a\nseeds: [1]\nsettings: {data: 3}\n", 3, 18},
        {"base: a\nseeds: [1]\nsettings: {method: {unit: {a: 1}}}\n", 3, 27},
        {"base: a\nseeds: [1]\ngrid: {train: {lr: [1], lr: [2]}}\n", 3, 29},
        {"base: a\nseeds: [1]\ngrid: {seed: [1, 2]}\n", 3, 8},
        {"base: a\nseeds: [1]\ngrid: {name: [a, b]}\n", 3, 8},
        {"base: a\nseeds: [1]\ngrid: {train.lr: [[1, 2]]}\n", 3, 19},
        {"base: a\n---\nbase: b\n", 2, 1},
        {"base: a\nseeds: [1\n", 3, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ohm_experiment *e = NULL;
        ohm_error err = {0};
        put(path, rows[i].text);
        const ohm_status status = ohm_experiment_load(&e, path, &err);
        assert_null(e);
        if (status != OHM_ERR_CONFIG || err.line != rows[i].line || err.column != rows[i].column ||
            strcmp(err.path, path) != 0) {
            fail_msg("row %zu gives %d at %d:%d: %s", i, (int)status, err.line, err.column,
                     err.message);
        }
    }
}

static void test_no_memory(void **state) {
    (void)state;
    put(path, "name: p\nbase: config.yaml\nseeds: [1, 2]\nsettings: {train.lr: 0.5}\n"
              "points: {a: {train.batch: 4}, b: {}}\ngrid: {train.gamma: [0.5, 0.25]}\n");
    const int64_t live = ohmi_live_blocks();
    ohm_status status = OHM_ERR_NO_MEMORY;
    int64_t k = 0;
    for (; status != OHM_OK && k < 5000; k++) {
        ohm_experiment *e = NULL;
        ohmi_fail_allocation(k);
        status = ohm_experiment_load(&e, path, NULL);
        if (status == OHM_OK) {
            status = ohm_experiment_expand(e, base, NULL, NULL);
        }
        ohmi_fail_allocation(-1);
        assert_true(status == OHM_OK || status == OHM_ERR_NO_MEMORY);
        ohm_experiment_free(&e);
        assert_int_equal(ohmi_live_blocks(), live);
    }
    assert_int_equal(status, OHM_OK);
    assert_true(k > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_points),
        cmocka_unit_test(test_no_grid_no_points),
        cmocka_unit_test(test_agrees),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
