// SPDX-License-Identifier: Apache-2.0
// Files that appear whole or not at all: when a write fails (a limit on the size of files stands in
// for a full disk), when the place is wrong, when it is given up; reading whole files; folders.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/atomic_file.h"
#include "base/memory.h"
#include "scratch.h"

// What a file of the scratch folder holds must be exactly this.
static void assert_holds(const char *name, const char *wanted) {
    ohm_error err;
    char *bytes = NULL;
    size_t size = 0;
    assert_int_equal(ohmi_read_file(&bytes, &size, scratch_path(name), 1 << 20, &err), OHM_OK);
    assert_int_equal(size, strlen(wanted));
    assert_string_equal(bytes, wanted);
    ohmi_free(bytes);
}

static void test_whole(void **state) {
    (void)state;
    ohm_error err;
    ohmi_atomic_file out;
    assert_int_equal(ohmi_write_file(scratch_path("a"), "first", 5, &err), OHM_OK);
    assert_holds("a", "first");

    // until the commit the old content is there
    assert_int_equal(ohmi_atomic_open(&out, scratch_path("a"), &err), OHM_OK);
    fputs("second", out.file);
    fflush(out.file);
    assert_holds("a", "first");
    assert_int_equal(ohmi_atomic_commit(&out, &err), OHM_OK);
    assert_holds("a", "second");
    ohmi_atomic_abort(&out);
    assert_holds("a", "second");

    // given up: as if nothing had been
    assert_int_equal(ohmi_atomic_open(&out, scratch_path("a"), &err), OHM_OK);
    fputs("third", out.file);
    ohmi_atomic_abort(&out);
    assert_holds("a", "second");
    ohmi_atomic_abort(&(ohmi_atomic_file){0});

    assert_int_equal(ohmi_write_file(scratch_path("empty"), NULL, 0, &err), OHM_OK);
    assert_holds("empty", "");
    assert_int_equal(scratch_count(""), 2);
}

// A write that fails half way leaves the old file, or none, and no part of the new one.
static void test_full(void **state) {
    (void)state;
    static char big[100000];
    ohm_error err = {0};
    struct rlimit before, small = {.rlim_cur = 5000};
    memset(big, 'b', sizeof big);
    assert_int_equal(ohmi_write_file(scratch_path("kept"), "old", 3, &err), OHM_OK);
    const int n_files = scratch_count("");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);

    const ohm_status over = ohmi_write_file(scratch_path("kept"), big, sizeof big, &err);
    ohm_error fresh_err = {0}, late_err = {0};
    const ohm_status fresh = ohmi_write_file(scratch_path("fresh"), big, sizeof big, &fresh_err);

    // a small piece fails only when it is flushed
    ohmi_atomic_file out;
    const ohm_status opened = ohmi_atomic_open(&out, scratch_path("kept"), &late_err);
    for (int i = 0; i < 60; i++) {
        fprintf(out.file, "%0100d", i);
    }
    const ohm_status late = ohmi_atomic_commit(&out, &late_err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

    assert_int_equal(over, OHM_ERR_IO);
    assert_non_null(strstr(err.message, "kept"));
    assert_int_equal(fresh, OHM_ERR_IO);
    assert_non_null(strstr(fresh_err.message, "fresh"));
    assert_int_equal(opened, OHM_OK);
    assert_int_equal(late, OHM_ERR_IO);
    assert_non_null(strstr(late_err.message, strerror(EFBIG)));
    assert_holds("kept", "old");
    assert_false(scratch_has("fresh"));
    assert_int_equal(scratch_count(""), n_files);

    // a device that is always full
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(ohmi_atomic_open(&out, scratch_path("kept"), &err), OHM_OK);
        fclose(out.file);
        out.file = fopen("/dev/full", "wb");
        fputs("x", out.file);
        assert_int_equal(ohmi_atomic_commit(&out, &err), OHM_ERR_IO);
        assert_non_null(strstr(err.hint, "full"));
        assert_holds("kept", "old");
        assert_int_equal(scratch_count(""), n_files);
    }
}

static void test_wrong_places(void **state) {
    (void)state;
    ohm_error err = {0};
    static char name[3000];
    const int n_files = scratch_count("");
    assert_int_equal(ohmi_write_file(scratch_path("none/x"), "x", 1, &err), OHM_ERR_IO);
    assert_non_null(strstr(err.message, "none/x"));
    memset(name, 'n', sizeof name - 1);
    assert_int_equal(ohmi_write_file(name, "x", 1, &err), OHM_ERR_ARGUMENT);

    // a folder is not replaced by a file
    scratch_folder("folder");
    assert_int_equal(ohmi_write_file(scratch_path("folder"), "x", 1, &err), OHM_ERR_IO);
    assert_true(scratch_has("folder"));
    assert_int_equal(scratch_count(""), n_files + 1);
    assert_int_equal(ohmi_write_file(scratch_path("none/x"), "x", 1, NULL), OHM_ERR_IO);
}

static void test_reading(void **state) {
    (void)state;
    ohm_error err = {0};
    char *bytes = NULL;
    size_t size = 0;
    scratch_write("r",
                  "12345\0"
                  "789",
                  9);
    assert_int_equal(ohmi_read_file(&bytes, &size, scratch_path("r"), 9, &err), OHM_OK);
    assert_int_equal(size, 9);
    assert_memory_equal(bytes,
                        "12345\0"
                        "789",
                        10);
    ohmi_free(bytes);
    assert_int_equal(ohmi_read_file(&bytes, &size, scratch_path("r"), 8, &err), OHM_ERR_FORMAT);
    assert_null(bytes);
    assert_int_equal(ohmi_read_file(&bytes, &size, scratch_path("no"), 8, &err), OHM_ERR_IO);
    assert_int_equal(ohmi_read_file(&bytes, &size, scratch, 8, &err), OHM_ERR_FORMAT);
    ohmi_fail_allocation(0);
    assert_int_equal(ohmi_read_file(&bytes, &size, scratch_path("r"), 9, &err), OHM_ERR_NO_MEMORY);
    ohmi_fail_allocation(-1);
    assert_null(bytes);
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void test_folders(void **state) {
    (void)state;
    ohm_error err = {0};
    static char name[3000];
    assert_int_equal(ohmi_make_folder(scratch_path("p/q/r"), &err), OHM_OK);
    assert_int_equal(ohmi_make_folder(scratch_path("p/q/r"), &err), OHM_OK);
    assert_int_equal(ohmi_make_folder(scratch_path("p//s/"), &err), OHM_OK);
    assert_true(scratch_has("p/q/r"));
    assert_true(scratch_has("p/s"));
    scratch_write("file", "x", 1);
    assert_int_equal(ohmi_make_folder(scratch_path("file"), &err), OHM_ERR_IO);
    assert_int_equal(ohmi_make_folder(scratch_path("file/inner"), &err), OHM_ERR_IO);
    assert_non_null(strstr(err.message, "file"));
    memset(name, 'n', sizeof name - 1);
    assert_int_equal(ohmi_make_folder(name, &err), OHM_ERR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),        cmocka_unit_test(test_full),
        cmocka_unit_test(test_wrong_places), cmocka_unit_test(test_reading),
        cmocka_unit_test(test_folders),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
