// SPDX-License-Identifier: Apache-2.0
// Splits, limits, validation, normalisation and digests of tasks, on a set of arrays made here; and
// folders of image files.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <spng.h>
#include <turbojpeg.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/thread.h"
#include "data/set.h"
#include "data/tasks.h"
#include "file/npy.h"
#include "ohmwise/data.h"
#include "scratch.h"

enum { CLASSES = 6, EACH = 10, TEST_EACH = 4, SIDE = 4, BYTES = SIDE * SIDE * 3 };

// Writes a set of arrays; `turn` changes the order of its records, nothing else.
static void write_arrays(const char *folder, int turn) {
    static uint8_t pixels[CLASSES * EACH * BYTES];
    int64_t labels[CLASSES * EACH];
    ohm_error err;
    char name[128];
    scratch_folder(folder);
    for (int part = 0; part < 2; part++) {
        int n = CLASSES * (part == 0 ? EACH : TEST_EACH);
        for (int i = 0; i < n; i++) {
            int record = (i * 7 + turn) % n; // 7 divides neither 60 nor 24
            labels[i] = record % CLASSES;
            for (int b = 0; b < BYTES; b++) {
                pixels[i * BYTES + b] = (uint8_t)((record * 131 + b * (17 + part)) % 251);
            }
        }
        ohmi_view images = ohmi_view_of("x", OHMI_U8, pixels, 4, n, SIDE, SIDE, 3);
        ohmi_view marks = ohmi_view_of("y", OHMI_I64, labels, 1, n, 0, 0, 0);
        snprintf(name, sizeof name, "%s/%s_images.npy", folder, part == 0 ? "train" : "test");
        assert_int_equal(ohmi_npy_save(scratch_path(name), &images, &err), OHM_OK);
        snprintf(name, sizeof name, "%s/%s_labels.npy", folder, part == 0 ? "train" : "test");
        assert_int_equal(ohmi_npy_save(scratch_path(name), &marks, &err), OHM_OK);
    }
}

static ohmi_config config_of(const char *folder) {
    ohmi_config config;
    memset(&config, 0, sizeof config);
    snprintf(config.data.set, sizeof config.data.set, "%s", scratch_path(folder));
    config.data.split = OHMI_SPLIT_CLASSES;
    config.data.classes_per_task = 2;
    config.data.image_size = 8;
    config.seed = 1;
    return config;
}

static int set_up(void **state) {
    int failed = scratch_begin(state);
    write_arrays("plain", 0);
    write_arrays("turned", 13);
    return failed;
}

static void test_classes(void **state) {
    (void)state;
    ohm_error err;
    ohmi_config config = config_of("plain"), turned_config = config_of("turned");
    ohmi_tasks *tasks = NULL, *turned = NULL;
    assert_int_equal(ohmi_tasks_load(&tasks, &config, NULL, &err), OHM_OK);
    assert_int_equal(tasks->n_tasks, 3);
    assert_int_equal(tasks->height, SIDE);
    assert_int_equal(tasks->channels, 3);
    assert_string_equal(tasks->task[1].name, "2+3");
    assert_string_equal(tasks->task[1].class_names[1], "3");
    for (int t = 0; t < 3; t++) {
        const ohmi_task *task = &tasks->task[t];
        assert_int_equal(task->train.n, 2 * EACH);
        assert_int_equal(task->validation.n, 0);
        assert_int_equal(task->test.n, 2 * TEST_EACH);

        // class by class, pixels ascending, and mean and deviation by their definition
        double sum = 0, squares = 0;
        for (int i = 0; i < 2 * EACH; i++) {
            assert_int_equal(task->train.labels[i], i / EACH);
            if (i % EACH > 0) {
                assert_true(memcmp(task->train.pixels + (i - 1) * BYTES,
                                   task->train.pixels + i * BYTES, BYTES) < 0);
            }
            for (int p = 1; p < BYTES; p += 3) {
                double v = task->train.pixels[i * BYTES + p] / 255.0;
                sum += v;
                squares += v * v;
            }
        }
        double n = 2.0 * EACH * SIDE * SIDE, mean = sum / n;
        assert_true(fabs(task->mean[1] - mean) < 1e-6);
        assert_true(fabs(task->deviation[1] - sqrt(squares / n - mean * mean)) < 1e-6);
    }

    // the order of records in the files does not matter
    assert_int_equal(ohmi_tasks_load(&turned, &turned_config, NULL, &err), OHM_OK);
    assert_string_equal(tasks->sha256, turned->sha256);
    assert_memory_equal(tasks->task[2].train.pixels, turned->task[2].train.pixels,
                        2 * EACH * BYTES);
    ohmi_tasks_free(&turned);
    ohmi_tasks_free(&tasks);
    assert_int_equal(ohmi_live_blocks(), 0);
}

// Whether an image is among others.
static int holds(const ohmi_images *images, const uint8_t *pixels) {
    for (int64_t i = 0; i < images->n; i++) {
        if (memcmp(images->pixels + i * BYTES, pixels, BYTES) == 0) {
            return 1;
        }
    }
    return 0;
}

static void test_parts(void **state) {
    (void)state;
    ohm_error err;
    ohmi_config config = config_of("plain");
    config.data.validation = 0.25;
    config.data.train_limit = 9; // 5 and 4 of the two classes
    config.data.test_limit = 4;
    config.data.tasks = 2;
    ohmi_tasks *tasks = NULL, *again = NULL, *other = NULL;
    assert_int_equal(ohmi_tasks_load(&tasks, &config, NULL, &err), OHM_OK);
    assert_int_equal(tasks->n_tasks, 2);
    for (int t = 0; t < 2; t++) {
        const ohmi_task *task = &tasks->task[t];
        int counts[3][2] = {{0}};
        const ohmi_images *const parts[] = {&task->train, &task->validation, &task->test};
        for (int p = 0; p < 3; p++) {
            for (int64_t i = 0; i < parts[p]->n; i++) {
                counts[p][parts[p]->labels[i]]++;
            }
        }
        // round(0.25 * 5) = round(0.25 * 4) = 1 of each class for validation
        assert_int_equal(counts[0][0], 4);
        assert_int_equal(counts[0][1], 3);
        assert_int_equal(counts[1][0], 1);
        assert_int_equal(counts[1][1], 1);
        assert_int_equal(counts[2][0], 2);
        assert_int_equal(counts[2][1], 2);
        for (int64_t i = 0; i < task->validation.n; i++) {
            assert_false(holds(&task->train, task->validation.pixels + i * BYTES));
        }
    }

    // the seed alone decides
    assert_int_equal(ohmi_tasks_load(&again, &config, NULL, &err), OHM_OK);
    assert_string_equal(again->sha256, tasks->sha256);
    config.seed = 2;
    assert_int_equal(ohmi_tasks_load(&other, &config, NULL, &err), OHM_OK);
    assert_string_not_equal(other->sha256, tasks->sha256);
    ohmi_tasks_free(&tasks);
    ohmi_tasks_free(&again);
    ohmi_tasks_free(&other);
}

static void test_lists_and_sets(void **state) {
    (void)state;
    ohm_error err;
    ohmi_config config = config_of("plain");
    snprintf(config.data.classes, sizeof config.data.classes, " 5, 0 ;3;");
    ohmi_tasks *tasks = NULL;
    assert_int_equal(ohmi_tasks_load(&tasks, &config, NULL, &err), OHM_OK);
    assert_int_equal(tasks->n_tasks, 2);
    assert_string_equal(tasks->task[0].class_names[0], "5");
    assert_string_equal(tasks->task[0].class_names[1], "0");
    assert_string_equal(tasks->task[1].name, "3");
    ohmi_tasks_free(&tasks);

    ohmi_config both = config_of("plain");
    snprintf(both.data.set, sizeof both.data.set, "%s, %s/", scratch_path("plain"),
             scratch_path("turned"));
    both.data.split = OHMI_SPLIT_SETS;
    assert_int_equal(ohmi_tasks_load(&tasks, &both, NULL, &err), OHM_OK);
    assert_int_equal(tasks->n_tasks, 2);
    assert_string_equal(tasks->task[0].name, "plain");
    assert_string_equal(tasks->task[1].name, "turned");
    assert_int_equal(tasks->task[1].n_classes, CLASSES);
    assert_memory_equal(tasks->task[0].train.pixels, tasks->task[1].train.pixels,
                        CLASSES * EACH * BYTES);
    ohmi_tasks_free(&tasks);
    assert_int_equal(ohmi_live_blocks(), 0);
}

// Loads a config that must fail and checks what is said.
static void refuse(const ohmi_config *config, ohm_status status, const char *message,
                   const char *hint) {
    ohm_error err = {0};
    ohmi_tasks *tasks = NULL;
    assert_int_equal(ohmi_tasks_load(&tasks, config, NULL, &err), status);
    assert_null(tasks);
    if (strstr(err.message, message) == NULL || strstr(err.hint, hint) == NULL) {
        fail_msg("says '%s' (%s)", err.message, err.hint);
    }
    assert_int_equal(ohmi_live_blocks(), 0);
}

// A set of grey images of another size, one value an image: 10 + label.
static void write_grey(const char *folder, int height, int width) {
    static uint8_t pixels[8 * 64];
    int64_t labels[8];
    ohm_error err;
    char name[128];
    scratch_folder(folder);
    for (int part = 0; part < 2; part++) {
        for (int i = 0; i < 8; i++) {
            labels[i] = i % 2;
            memset(pixels + i * height * width, 10 + i % 2, (size_t)(height * width));
        }
        ohmi_view images = ohmi_view_of("x", OHMI_U8, pixels, 3, 8, height, width, 0);
        ohmi_view marks = ohmi_view_of("y", OHMI_I64, labels, 1, 8, 0, 0, 0);
        snprintf(name, sizeof name, "%s/%s_images.npy", folder, part == 0 ? "train" : "test");
        assert_int_equal(ohmi_npy_save(scratch_path(name), &images, &err), OHM_OK);
        snprintf(name, sizeof name, "%s/%s_labels.npy", folder, part == 0 ? "train" : "test");
        assert_int_equal(ohmi_npy_save(scratch_path(name), &marks, &err), OHM_OK);
    }
}

// Sets of one run that differ in size and channels are brought to one.
static void test_sizes(void **state) {
    (void)state;
    ohm_error err;
    ohmi_config config = config_of("plain");
    ohmi_tasks *tasks = NULL;
    write_grey("grey", 6, 7);
    snprintf(config.data.set, sizeof config.data.set, "%s,%s", scratch_path("plain"),
             scratch_path("grey"));
    config.data.split = OHMI_SPLIT_SETS;
    assert_int_equal(ohmi_tasks_load(&tasks, &config, NULL, &err), OHM_OK);
    assert_int_equal(tasks->n_tasks, 2);
    assert_int_equal(tasks->height, 8);
    assert_int_equal(tasks->width, 8);
    assert_int_equal(tasks->channels, 3);
    assert_int_equal(tasks->task[0].n_classes, CLASSES);
    assert_int_equal(tasks->task[1].n_classes, 2);
    for (int i = 0; i < 8; i++) {
        for (int b = 0; b < 8 * 8 * 3; b++) {
            assert_int_equal(tasks->task[1].test.pixels[i * 192 + b],
                             10 + tasks->task[1].test.labels[i]);
        }
    }
    ohmi_tasks_free(&tasks);

    // stored larger than the network takes them
    config.data.resize = 12;
    assert_int_equal(ohmi_tasks_load(&tasks, &config, NULL, &err), OHM_OK);
    assert_int_equal(tasks->height, 8);
    assert_int_equal(tasks->stored_height, 12);
    assert_int_equal(tasks->stored_width, 12);
    ohmi_tasks_free(&tasks);

    // sets that agree stay as they are
    snprintf(config.data.set, sizeof config.data.set, "%s,%s", scratch_path("plain"),
             scratch_path("turned"));
    assert_int_equal(ohmi_tasks_load(&tasks, &config, NULL, &err), OHM_OK);
    assert_int_equal(tasks->height, SIDE);
    assert_int_equal(tasks->stored_height, SIDE);
    ohmi_tasks_free(&tasks);
}

static void test_refused(void **state) {
    (void)state;
    ohmi_config config = config_of("plain");
    config.data.classes_per_task = 4;
    refuse(&config, OHM_ERR_CONFIG, "does not divide the 6 classes", "divisor");
    config.data.classes_per_task = 0;
    refuse(&config, OHM_ERR_CONFIG, "does not divide", "");
    config = config_of("plain");
    config.data.tasks = 4;
    refuse(&config, OHM_ERR_CONFIG, "the split has 3", "");
    config = config_of("plain");
    config.data.split = OHMI_SPLIT_COARSE;
    refuse(&config, OHM_ERR_CONFIG, "no coarse labels", "'classes'");
    config = config_of("plain");
    snprintf(config.data.classes, sizeof config.data.classes, "0,1;6");
    refuse(&config, OHM_ERR_CONFIG, "no class '6'", "0 .. 5");
    snprintf(config.data.classes, sizeof config.data.classes, "0,1;2,,3");
    refuse(&config, OHM_ERR_CONFIG, "no class ''", "");
    snprintf(config.data.classes, sizeof config.data.classes, "0,1,0");
    refuse(&config, OHM_ERR_CONFIG, "twice in task 0", "");
    config = config_of("plain");
    snprintf(config.data.set, sizeof config.data.set, "cifar1000");
    refuse(&config, OHM_ERR_CONFIG, "'cifar1000'", "'cifar100'");
    snprintf(config.data.set, sizeof config.data.set, "cifar100");
    refuse(&config, OHM_ERR_IO, "not on this machine", "data get cifar100");

    // arrays that do not fit each other
    write_arrays("odd", 0);
    config = config_of("odd");
    uint8_t pixels[4 * 3 * 3] = {0};
    int64_t labels[4] = {0, 1, 2, 3};
    ohm_error err;
    ohmi_view view = ohmi_view_of("x", OHMI_U8, pixels, 4, 4, 3, 3, 1);
    assert_int_equal(ohmi_npy_save(scratch_path("odd/test_images.npy"), &view, &err), OHM_OK);
    view = ohmi_view_of("y", OHMI_I64, labels, 1, 4, 0, 0, 0);
    assert_int_equal(ohmi_npy_save(scratch_path("odd/test_labels.npy"), &view, &err), OHM_OK);
    refuse(&config, OHM_ERR_FORMAT, "different sizes", "");
    labels[2] = -1;
    write_arrays("odd", 0);
    assert_int_equal(ohmi_npy_save(scratch_path("odd/train_labels.npy"), &view, &err), OHM_OK);
    refuse(&config, OHM_ERR_FORMAT, "not one integer an image", "");
    view = ohmi_view_of("x", OHMI_U8, pixels, 4, 4, 3, 3, 1);
    assert_int_equal(ohmi_npy_save(scratch_path("odd/train_images.npy"), &view, &err), OHM_OK);
    refuse(&config, OHM_ERR_FORMAT, "label -1 of image 2", "");
}

// Each allocation of a load that fails is reported and leaves nothing behind.
static void test_no_memory(void **state) {
    (void)state;
    ohm_error err;
    ohmi_config config = config_of("plain");
    config.data.validation = 0.1;
    for (int k = 0;; k++) {
        ohmi_tasks *tasks = NULL;
        ohmi_fail_allocation(k);
        ohm_status status = ohmi_tasks_load(&tasks, &config, NULL, &err);
        ohmi_fail_allocation(-1);
        if (status == OHM_OK) {
            assert_true(k > 20);
            ohmi_tasks_free(&tasks);
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
        assert_int_equal(ohmi_live_blocks(), 0);
    }
}

// Writes a JPEG of one colour.
static void write_jpeg(const char *name, int height, int width, int value) {
    static uint8_t pixels[64 * 64 * 3];
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    memset(pixels, value, sizeof pixels);
    tjhandle encoder = tjInitCompress();
    assert_int_equal(
        tjCompress2(encoder, pixels, width, 0, height, TJPF_RGB, &bytes, &size, TJSAMP_420, 95, 0),
        0);
    scratch_write(name, bytes, size);
    tjFree(bytes);
    tjDestroy(encoder);
}

// Writes a PNG of one colour.
static void write_png(const char *name, int height, int width, int value) {
    static uint8_t pixels[64 * 64 * 3];
    size_t size = 0;
    int code = 0;
    memset(pixels, value, sizeof pixels);
    spng_ctx *encoder = spng_ctx_new(SPNG_CTX_ENCODER);
    struct spng_ihdr head = {.width = (uint32_t)width,
                             .height = (uint32_t)height,
                             .bit_depth = 8,
                             .color_type = SPNG_COLOR_TYPE_TRUECOLOR};
    spng_set_option(encoder, SPNG_ENCODE_TO_BUFFER, 1);
    spng_set_ihdr(encoder, &head);
    assert_int_equal(spng_encode_image(encoder, pixels, (size_t)(height * width * 3), SPNG_FMT_PNG,
                                       SPNG_ENCODE_FINALIZE),
                     0);
    uint8_t *bytes = spng_get_png_buffer(encoder, &size, &code);
    scratch_write(name, bytes, size);
    free(bytes);
    spng_ctx_free(encoder);
}

static void test_image_folders(void **state) {
    (void)state;
    ohm_error err;
    char name[128];
    static const char *const folders[] = {"pets",           "pets/train", "pets/train/cat",
                                          "pets/train/dog", "pets/test",  "pets/test/cat",
                                          "pets/test/dog",  "loose",      "loose/cat",
                                          "loose/dog",      "empty",      "empty/cat"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        scratch_folder(folders[i]);
    }
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "pets/train/%s/%d.png", i % 2 ? "dog" : "cat", i);
        write_png(name, 10 + i, 20, 10 * i);
        snprintf(name, sizeof name, "pets/test/%s/%d.PNG", i % 2 ? "dog" : "cat", i);
        write_png(name, 20, 9, 100 + i);
        snprintf(name, sizeof name, "loose/%s/%d.png", i < 5 ? "cat" : "dog", i);
        write_png(name, 8, 8, 5 * i);
    }
    write_jpeg("pets/train/dog/z.jpeg", 30, 17, 90);
    write_jpeg("pets/test/cat/z.JPG", 9, 40, 200);
    scratch_write("pets/train/cat/notes.txt", "no image", 8);
    ohmi_config config = config_of("pets");
    ohmi_tasks *tasks = NULL;
    assert_int_equal(ohmi_tasks_load(&tasks, &config, NULL, &err), OHM_OK);
    assert_int_equal(tasks->n_tasks, 1);
    assert_string_equal(tasks->task[0].name, "cat+dog");
    assert_int_equal(tasks->height, 8);
    assert_int_equal(tasks->width, 8);
    assert_int_equal(tasks->channels, 3);
    assert_int_equal(tasks->task[0].train.n, 11);
    assert_int_equal(tasks->task[0].test.n, 11);
    assert_int_equal(tasks->task[0].train.pixels[8 * 8 * 3], 20);               // the second cat
    assert_in_range(tasks->task[0].train.pixels[10 * 8 * 8 * 3 + 100], 88, 91); // a JPEG
    assert_int_equal(tasks->task[0].test.pixels[0], 100);
    assert_in_range(tasks->task[0].test.pixels[5 * 8 * 8 * 3 + 100], 198, 201);
    ohmi_tasks_free(&tasks);

    // whatever the number of threads that decode
    char digest[65];
    for (int threads = 1; threads <= 5; threads += 2) {
        ohmi_set_threads(threads);
        assert_int_equal(ohmi_tasks_load(&tasks, &config, NULL, &err), OHM_OK);
        assert_true(threads == 1 || strcmp(digest, tasks->sha256) == 0);
        memcpy(digest, tasks->sha256, sizeof digest);
        ohmi_tasks_free(&tasks);
    }

    // without train and test: 80 % of each class, the same ones whatever the seed
    ohmi_config loose = config_of("loose");
    ohmi_tasks *other = NULL;
    assert_int_equal(ohmi_tasks_load(&tasks, &loose, NULL, &err), OHM_OK);
    loose.seed = 77;
    assert_int_equal(ohmi_tasks_load(&other, &loose, NULL, &err), OHM_OK);
    assert_int_equal(tasks->task[0].train.n, 8);
    assert_int_equal(tasks->task[0].test.n, 2);
    assert_int_equal(tasks->task[0].test.labels[0], 0);
    assert_int_equal(tasks->task[0].test.labels[1], 1);
    assert_string_equal(tasks->sha256, other->sha256);
    ohmi_tasks_free(&tasks);
    ohmi_tasks_free(&other);

    // a damaged image is named; a folder without images is refused
    scratch_write("pets/test/dog/1.PNG", "\x89PNG\r\n\x1A\nrest", 12);
    refuse(&config, OHM_ERR_FORMAT, "pets/test/dog/1.PNG", "");
    assert_int_equal(ohm_data_verify(scratch_path("pets"), NULL, &err), OHM_ERR_CHECK);
    assert_int_equal(err.status, OHM_ERR_CHECK);
    assert_int_equal(ohm_data_verify(scratch_path("loose"), NULL, &err), OHM_OK);
    config = config_of("empty");
    refuse(&config, OHM_ERR_FORMAT, "holds no images", "");
    config = config_of("empty/cat");
    refuse(&config, OHM_ERR_FORMAT, "folders of classes", "train/CLASS");

    // names of classes that are no text; a long one is cut at a character in a task's name
    scratch_folder("loose/elk\xe9");
    config = config_of("loose");
    refuse(&config, OHM_ERR_FORMAT, "not plain UTF-8", "behind 'dog'");
    scratch_remove(scratch_path("loose/elk\xe9"));
    char euros[64] = "", folder[128]; // 49 bytes, then one character of three, and so on
    snprintf(euros, sizeof euros, "%049d", 0);
    strcat(euros, "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
    for (int i = 0; i < 3; i++) {
        snprintf(folder, sizeof folder, "euros/%d%s", i, euros + 1);
        scratch_folder("euros");
        scratch_folder(folder);
        for (int k = 0; k < 5; k++) {
            snprintf(name, sizeof name, "euros/%d%s/%d.png", i, euros + 1, k);
            write_png(name, 8, 8, 9 * k + i);
        }
    }
    config = config_of("euros");
    config.data.classes_per_task = 3;
    assert_int_equal(ohmi_tasks_load(&tasks, &config, NULL, &err), OHM_OK);
    assert_true(ohmi_text_is_clean(tasks->task[0].name));
    assert_int_equal(strlen(tasks->task[0].name), 49 + 2 + 49);
    ohmi_tasks_free(&tasks);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_lists_and_sets), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_image_folders),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_end);
}
