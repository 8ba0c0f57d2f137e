// SPDX-License-Identifier: Apache-2.0
// The real CIFAR-100: its 20 superclass tasks as XST and CPG have them, class counts and published
// channel statistics. Looked for where `ohmwise data get` puts it and in a folder shared/data
// beside the checkout; where it is not, these tests say so and are skipped. Packed files take tens
// of seconds to unpack; of those only the test part is read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/tasks.h"
#include "file/cifar.h"
#include "file/packed.h"

// The folders where the set may lie: the user's data folder, the one beside the checkout.
static char places[2][1024];

static int set_up(void **state) {
    (void)state;
    const char *own = getenv("OHM_DATA_DIR"), *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (own != NULL && own[0]) {
        snprintf(places[0], sizeof places[0], "%s", own);
    } else if (cache != NULL && cache[0]) {
        snprintf(places[0], sizeof places[0], "%s/ohmwise/data", cache);
    } else {
        snprintf(places[0], sizeof places[0], "%s/.cache/ohmwise/data", home ? home : "");
    }
    snprintf(places[1], sizeof places[1], "%s/../shared/data", OHM_SOURCE_FOLDER);
    return 0;
}

// The test images, packed or not, from wherever they are.
static void test_test_images(void **state) {
    (void)state;
    enum { N = 10000 };
    char path[1200] = "";
    for (int i = 0; i < 2 && path[0] == '\0'; i++) {
        char folder[1100];
        snprintf(folder, sizeof folder, "%.1023s/cifar100", places[i]);
        if (!ohmi_packed_find(path, sizeof path, folder, "test.bin")) {
            path[0] = '\0';
        }
    }
    if (path[0] == '\0') {
        print_message("CIFAR-100 is neither in %s nor in %s\n", places[0], places[1]);
        skip();
    }
    uint8_t *pixels = ohmi_alloc(N, OHMI_CIFAR_PIXELS);
    int32_t *labels = ohmi_alloc(N, sizeof *labels), *coarse = ohmi_alloc(N, sizeof *coarse);
    ohm_error err = {0};
    if (ohmi_cifar_load(pixels, labels, coarse, path, N, 2, 100, 20, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }

    // 100 of each class, each class in one group, five classes a group
    int counts[100] = {0}, group_of[100], classes_of[20] = {0};
    for (int i = 0; i < N; i++) {
        group_of[labels[i]] = counts[labels[i]]++ == 0 ? coarse[i] : group_of[labels[i]];
        assert_int_equal(coarse[i], group_of[labels[i]]);
    }
    for (int c = 0; c < 100; c++) {
        assert_int_equal(counts[c], 100);
        classes_of[group_of[c]]++;
    }
    for (int g = 0; g < 20; g++) {
        assert_int_equal(classes_of[g], 5);
    }

    // the published statistics are of the training images; the test images' differ in the third
    // digit
    static const double mean[3] = {0.507, 0.487, 0.441};
    for (int c = 0; c < 3; c++) {
        double sum = 0;
        for (size_t i = 0; i < (size_t)N * 1024; i++) {
            sum += pixels[3 * i + (size_t)c];
        }
        assert_true(fabs(sum / (N * 1024.0) / 255 - mean[c]) < 0.005);
    }
    ohmi_free(pixels);
    ohmi_free(labels);
    ohmi_free(coarse);
    assert_int_equal(ohmi_live_blocks(), 0);
}

// The tasks, where the set lies unpacked.
static void test_tasks(void **state) {
    (void)state;
    static const char *const names[20] = {"aquatic_mammals",
                                          "fish",
                                          "flowers",
                                          "food_containers",
                                          "fruit_and_vegetables",
                                          "household_electrical_devices",
                                          "household_furniture",
                                          "insects",
                                          "large_carnivores",
                                          "large_man-made_outdoor_things",
                                          "large_natural_outdoor_scenes",
                                          "large_omnivores_and_herbivores",
                                          "medium_mammals",
                                          "non-insect_invertebrates",
                                          "people",
                                          "reptiles",
                                          "small_mammals",
                                          "trees",
                                          "vehicles_1",
                                          "vehicles_2"};
    const char *folder = NULL;
    for (int i = 0; i < 2 && folder == NULL; i++) {
        char path[1200];
        snprintf(path, sizeof path, "%.1023s/cifar100/train.bin", places[i]);
        folder = access(path, R_OK) == 0 ? places[i] : NULL;
    }
    if (folder == NULL) {
        print_message("CIFAR-100 does not lie unpacked in %s\n", places[0]);
        skip();
    }
    ohmi_config config;
    ohmi_tasks *tasks = NULL;
    ohm_error err = {0};
    memset(&config, 0, sizeof config);
    snprintf(config.data.set, sizeof config.data.set, "cifar100");
    config.data.split = OHMI_SPLIT_COARSE;
    if (ohmi_tasks_load(&tasks, &config, folder, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(tasks->n_tasks, 20);
    double mean[3] = {0};
    for (int t = 0; t < 20; t++) {
        assert_string_equal(tasks->task[t].name, names[t]);
        assert_int_equal(tasks->task[t].n_classes, 5);
        assert_int_equal(tasks->task[t].train.n, 2500);
        assert_int_equal(tasks->task[t].test.n, 500);
        for (int c = 0; c < 3; c++) {
            mean[c] += (double)tasks->task[t].mean[c] / 20;
        }
    }
    static const char *const trees[5] = {"maple_tree", "oak_tree", "palm_tree", "pine_tree",
                                         "willow_tree"};
    for (int k = 0; k < 5; k++) {
        assert_string_equal(tasks->task[17].class_names[k], trees[k]);
    }

    // tasks are equally large, so their means average to the published ones
    static const double published[3] = {0.50708, 0.48655, 0.44092};
    for (int c = 0; c < 3; c++) {
        assert_true(fabs(mean[c] - published[c]) < 1e-5);
    }
    ohmi_tasks_free(&tasks);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_test_images),
        cmocka_unit_test(test_tasks),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
