// SPDX-License-Identifier: Apache-2.0
// Sets of the catalogue: finding, adding and verifying them, with stand-ins of the right form and
// the wrong content; the real Fashion-MNIST where its Debian package is installed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "base/memory.h"
#include "data/catalogue.h"
#include "data/set.h"
#include "data/tasks.h"
#include "ohmwise/data.h"
#include "scratch.h"

#define PACKAGE "/usr/share/datasets/fashion-mnist"

static void test_rows(void **state) {
    (void)state;
    int n = 0;
    const ohm_data_set *sets = ohm_data_catalogue(&n);
    assert_true(n >= 3);
    for (int i = 0; i < n; i++) {
        const ohmi_set_files *files = ohmi_catalogue_files(i);
        assert_int_equal(ohmi_catalogue_index(sets[i].name), i);
        if (files->kind == OHMI_FILES_IMAGES) {
            assert_null(files->address); // any pictures: nothing to get, nothing to compare with
            continue;
        }
        assert_true(files->sha256 != NULL || files->archive_sha256 != NULL);
        assert_int_equal(files->kind == OHMI_FILES_NETWORK, sets[i].network != NULL);
        assert_true(files->address != NULL || sets[i].package != NULL);
        for (int c = 0; c < sets[i].n_classes && files->kind != OHMI_FILES_NETWORK; c++) {
            assert_true(strlen(files->class_names[c]) < OHMI_CLASS_NAME);
        }
    }
    assert_int_equal(ohmi_catalogue_index("nothing"), -1);
    assert_string_equal(ohmi_catalogue_nearest("cifar-100"), "cifar100");
}

// Writes CIFAR-100 records of the right form: n_each of every class, group = class % 20, or for
// one record another group. All but the labels and two pixels of an image is a hole of zeros.
static void write_cifar(const char *name, int n_each, int odd) {
    enum { RECORD = 2 + 3072 };
    const int file = open(scratch_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(file >= 0);
    for (int i = 0; i < n_each * 100; i++) {
        const int label = (i * 7) % 100;
        const uint8_t head[4] = {(uint8_t)(i == odd ? (label + 1) % 20 : label % 20),
                                 (uint8_t)label, (uint8_t)i, (uint8_t)(i >> 8)};
        assert_int_equal(pwrite(file, head, sizeof head, (off_t)i * RECORD), sizeof head);
    }
    assert_int_equal(ftruncate(file, (off_t)n_each * 100 * RECORD), 0);
    assert_int_equal(close(file), 0);
}

static void test_cifar100(void **state) {
    (void)state;
    ohm_error err;
    ohmi_tasks *tasks = NULL;
    ohmi_config config;
    char path[512];
    memset(&config, 0, sizeof config);
    snprintf(config.data.set, sizeof config.data.set, "cifar100");
    config.data.split = OHMI_SPLIT_COARSE;
    scratch_folder("data");
    scratch_folder("data/cifar100");
    write_cifar("data/cifar100/train.bin", 500, -1);
    assert_int_equal(ohm_data_find(path, sizeof path, "cifar100", scratch_path("data"), &err),
                     OHM_ERR_IO); // half of it is not there
    write_cifar("data/cifar100/test.bin", 100, -1);
    assert_int_equal(ohm_data_find(path, sizeof path, "cifar100", scratch_path("data"), &err),
                     OHM_OK);
    assert_string_equal(path, scratch_path("data/cifar100"));

    // 20 tasks named after the groups, with the classes of each in order
    assert_int_equal(ohmi_tasks_load(&tasks, &config, scratch_path("data"), &err), OHM_OK);
    assert_int_equal(tasks->n_tasks, 20);
    assert_string_equal(tasks->task[0].name, "aquatic_mammals");
    assert_string_equal(tasks->task[19].name, "vehicles_2");
    for (int t = 0; t < 20; t++) {
        assert_int_equal(tasks->task[t].n_classes, 5);
        assert_int_equal(tasks->task[t].train.n, 2500);
        assert_int_equal(tasks->task[t].test.n, 500);
    }
    assert_string_equal(tasks->task[3].class_names[0], "bear");
    assert_string_equal(tasks->task[3].class_names[1], "cloud"); // 3 and 23
    ohmi_tasks_free(&tasks);

    // the form is right, the content is not: verifying says so
    assert_int_equal(ohm_data_verify("cifar100", scratch_path("data"), &err), OHM_ERR_CHECK);
    assert_non_null(strstr(err.message, "digest"));
    assert_int_equal(ohmi_live_blocks(), 0);

    // a class in two groups, a file that is too short
    write_cifar("data/cifar100/test.bin", 100, 777);
    assert_int_equal(ohm_data_verify("cifar100", scratch_path("data"), &err), OHM_ERR_CHECK);
    assert_non_null(strstr(err.message, "two groups"));
    write_cifar("data/cifar100/train.bin", 1, -1);
    assert_int_equal(ohm_data_verify("cifar100", scratch_path("data"), &err), OHM_ERR_CHECK);
    assert_non_null(strstr(err.message, "bytes"));
    assert_int_equal(ohmi_live_blocks(), 0);
}

static int n_reports;
static int count_reports(void *context, const char *what, int64_t done, int64_t total) {
    (void)what;
    (void)total;
    assert_true(done >= 0);
    n_reports++;
    return context != NULL;
}

static void test_add_refused(void **state) {
    (void)state;
    ohm_error err = {0};
    scratch_folder("from");
    scratch_write("from/train.bin", "too short", 9);
    assert_int_equal(
        ohm_data_add("cifar100", scratch_path("from"), scratch_path("to"), NULL, NULL, &err),
        OHM_ERR_FORMAT);
    assert_non_null(strstr(err.hint, "test.bin"));
    scratch_write("from/test.bin", "too short", 9);
    assert_int_equal(
        ohm_data_add("cifar100", scratch_path("from"), scratch_path("to"), NULL, NULL, &err),
        OHM_ERR_CHECK);
    assert_int_equal(ohm_data_add("cifar100", scratch_path("from/train.bin"), scratch_path("to"),
                                  NULL, NULL, &err),
                     OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "not an archive"));
    assert_int_equal(
        ohm_data_add("cifar100", scratch_path("nowhere"), scratch_path("to"), NULL, NULL, &err),
        OHM_ERR_IO);
    assert_int_equal(
        ohm_data_add("cifer100", scratch_path("from"), scratch_path("to"), NULL, NULL, &err),
        OHM_ERR_ARGUMENT);
    assert_non_null(strstr(err.hint, "cifar100"));
    assert_int_equal(ohm_data_add("cifar100", scratch_path("from"), scratch_path("to"),
                                  count_reports, &err, &err),
                     OHM_ERR_INTERRUPTED);
    assert_int_equal(scratch_count("to"), 0);
}

static void test_fashion(void **state) {
    (void)state;
    ohm_error err;
    char path[512];
    if (access(PACKAGE, R_OK) != 0) {
        skip();
    }
    n_reports = 0;
    assert_int_equal(
        ohm_data_add("fashion-mnist", PACKAGE, scratch_path("to"), count_reports, NULL, &err),
        OHM_OK);
    assert_int_equal(n_reports, 4);
    assert_int_equal(scratch_count("to"), 1);
    assert_int_equal(scratch_count("to/fashion-mnist"), 4);
    assert_int_equal(ohm_data_find(path, sizeof path, "fashion-mnist", scratch_path("to"), &err),
                     OHM_OK);
    assert_string_equal(path, scratch_path("to/fashion-mnist"));
    assert_int_equal(ohm_data_find(path, sizeof path, "fashion-mnist", NULL, &err), OHM_OK);
    assert_string_equal(path, PACKAGE);

    // adding it again replaces it; one flipped bit of one image is noticed
    assert_int_equal(ohm_data_add("fashion-mnist", scratch_path("to/fashion-mnist"),
                                  scratch_path("to"), NULL, NULL, &err),
                     OHM_OK);
    FILE *file = fopen(scratch_path("to/fashion-mnist/train-images-idx3-ubyte"), "r+b");
    fseek(file, 1000000, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, 1000000, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
    assert_int_equal(ohm_data_verify("fashion-mnist", scratch_path("to"), &err), OHM_ERR_CHECK);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_cifar100),
        cmocka_unit_test(test_add_refused),
        cmocka_unit_test(test_fashion),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
