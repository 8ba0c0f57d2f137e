// SPDX-License-Identifier: Apache-2.0
// Folders that take their place at once: there or not there before, after processes killed at any
// moment, and never at the cost of one that lives.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>

#include "file/staging.h"
#include "scratch.h"

// Opens staging for "set" in the scratch folder's "data" with a finished folder of one file.
static void begin(ohmi_staging *staging, const char *file) {
    ohm_error err;
    char path[PATH_MAX + 64];
    assert_int_equal(ohmi_staging_open(staging, scratch_path("data"), "set", &err), OHM_OK);
    assert_int_equal(mkdir(staging->finished, 0755), 0);
    snprintf(path, sizeof path, "%s/%s", staging->finished, file);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    fclose(out);
}

static void test_put(void **state) {
    (void)state;
    ohm_error err;
    ohmi_staging staging;

    // nothing there before; then the old folder makes room
    begin(&staging, "one");
    assert_int_equal(scratch_count("data"), 1);
    assert_int_equal(ohmi_staging_put(&staging, &err), OHM_OK);
    assert_int_equal(ohmi_staging_close(&staging), 0);
    assert_true(scratch_has("data/set/one"));
    begin(&staging, "two");
    assert_int_equal(ohmi_staging_put(&staging, &err), OHM_OK);
    assert_int_equal(ohmi_staging_close(&staging), 0);
    assert_int_equal(scratch_count("data"), 1);
    assert_int_equal(scratch_count("data/set"), 1);
    assert_true(scratch_has("data/set/two"));

    // not put in place
    begin(&staging, "three");
    assert_int_equal(ohmi_staging_close(&staging), 0);
    assert_int_equal(ohmi_staging_close(&staging), 0);
    assert_int_equal(scratch_count("data"), 1);
    assert_true(scratch_has("data/set/two"));

    // nothing to put
    assert_int_equal(ohmi_staging_open(&staging, scratch_path("data"), "set", &err), OHM_OK);
    assert_int_equal(ohmi_staging_put(&staging, &err), OHM_ERR_IO);
    assert_int_equal(ohmi_staging_close(&staging), 0);
    assert_true(scratch_has("data/set/two"));
    assert_int_equal(scratch_count("data"), 1);
}

// A child that opens staging, says so, and waits to be killed.
static pid_t child_with_staging(void) {
    int says[2];
    assert_int_equal(pipe(says), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ohmi_staging staging;
        alarm(20); // a child that hangs dies
        begin(&staging, "child");
        (void)!write(says[1], "x", 1);
        for (;;) {
            pause();
        }
    }
    char byte;
    close(says[1]);
    assert_int_equal(read(says[0], &byte, 1), 1);
    close(says[0]);
    return child;
}

// What a killed process left goes with the next call, what a live one works with does not.
static void test_killed(void **state) {
    (void)state;
    ohm_error err;
    ohmi_staging staging;
    scratch_remove(scratch_path("data"));
    const pid_t child = child_with_staging();
    scratch_folder("data/.set-abcde");   // too short
    scratch_folder("data/.set2-abcdef"); // of another set
    scratch_folder("data/.set-abcdef");  // stale
    begin(&staging, "mine");
    assert_int_equal(scratch_count("data"), 4);
    assert_false(scratch_has("data/.set-abcdef"));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    ohmi_staging_sweep(scratch_path("data"), "set");
    assert_int_equal(scratch_count("data"), 3);
    assert_int_equal(ohmi_staging_put(&staging, &err), OHM_OK);
    assert_int_equal(ohmi_staging_close(&staging), 0);
    assert_true(scratch_has("data/set/mine"));
    scratch_remove(scratch_path("data"));
}

// Killed after the old folder was moved aside: it comes back, unless a new one has its place.
static void test_moved_aside(void **state) {
    (void)state;
    for (int has_new = 0; has_new < 2; has_new++) {
        scratch_folder("data");
        scratch_folder("data/.set-Ab3def");
        scratch_folder("data/.set-Ab3def/before");
        scratch_folder("data/.set-Ab3def/before/old");
        if (has_new) {
            scratch_folder("data/set");
        }
        ohmi_staging_sweep(scratch_path("data"), "set");
        assert_int_equal(scratch_count("data"), 1);
        assert_int_equal(scratch_has("data/set/old"), !has_new);
        scratch_remove(scratch_path("data"));
    }
    ohmi_staging_sweep(scratch_path("not there"), "set");
}

// A data folder that is a link, that is a file, that may not be written.
static void test_folders(void **state) {
    (void)state;
    ohm_error err;
    ohmi_staging staging;
    scratch_folder("real");
    scratch_folder("real/.set-abcdef");
    assert_int_equal(symlink(scratch_path("real"), scratch_path("data")), 0);
    begin(&staging, "one");
    assert_false(scratch_has("real/.set-abcdef"));
    assert_int_equal(ohmi_staging_put(&staging, &err), OHM_OK);
    assert_int_equal(ohmi_staging_close(&staging), 0);
    assert_true(scratch_has("real/set/one"));
    scratch_write("file", "x", 1);
    assert_int_equal(ohmi_staging_open(&staging, scratch_path("file"), "set", &err), OHM_ERR_IO);
    assert_int_equal(ohmi_staging_close(&staging), 0);
    char deep[PATH_MAX];
    memset(deep, 'x', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    for (size_t i = 0; i < sizeof deep - 1; i += 100) {
        deep[i] = '/';
    }
    assert_true(ohmi_staging_open(&staging, deep, "set", &err) < 0);
    assert_int_equal(ohmi_staging_close(&staging), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_moved_aside),
        cmocka_unit_test(test_folders),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
