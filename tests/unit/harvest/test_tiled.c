// SPDX-License-Identifier: Apache-2.0
// A learned network run tile by tile on its arrays, while the power fails more than 10 000 times:
// logits as without tiles, bit for bit, and every cell counted once.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "harvest/tiled.h"
#include "../learn/tiny_learning.h"

enum { ROOM = TINY_TEST * 3 };

static tiny_learning learning;

static int learn_one(void **state) {
    (void)state;
    static const char *const more[] = {"train.epochs", "1", NULL};
    tiny_begin(&learning, more);
    tiny_learn(&learning, 0, NULL, NULL, NULL);
    return 0;
}

static int forget(void **state) {
    (void)state;
    tiny_end(&learning);
    return ohmi_live_blocks() != 0;
}

static ohmi_chip *chip_of(ohmi_config *values, const char *const *more) {
    ohm_config *config = tiny_config(NULL);
    ohmi_chip *chip = NULL;
    ohm_error err = {0};
    for (; more && more[0]; more += 2) {
        if (ohm_config_set(config, more[0], more[1], &err) != OHM_OK) {
            fail_msg("%s", err.message);
        }
    }
    *values = *ohmi_config_values(config);
    ohm_config_free(&config);
    if (ohmi_chip_new(&chip, learning.learner, values, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(ohmi_chip_activate(chip, learning.learner, 0, &err), OHM_OK);
    return chip;
}

// logits of n images, tile by tile
static void tiled_logits(float *logits, ohmi_tiled_counts *counts, ohmi_chip *chip, int64_t n,
                         uint64_t seed, int64_t mean) {
    ohmi_tiled *tiled = NULL;
    ohmi_evaluation e;
    ohm_error err = {0};
    ohmi_images images = learning.tasks.task[0].test;
    images.n = n;
    memset(logits, 0, ROOM * sizeof *logits);
    if (ohmi_tiled_new(&tiled, chip, seed, mean, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(ohmi_measure_images(&e, learning.learner, 0, &images, true, logits, &err),
                     OHM_OK);
    ohmi_tiled_counts_of(counts, tiled);
    ohmi_tiled_free(&tiled);
}

static void test_failures(void **state) {
    (void)state;
    static const char *const variants[][9] = {
        {"adc.range", "ideal", NULL},
        {"adc.range", "ideal", "array.weight_scheme", "differential", NULL},
        {"adc.range", "ideal", "array.weight_scheme", "offset_digital", "array.columns", "31",
         NULL},
        {"adc.range", "ideal", "array.cell_bits", "1", "array.columns", "23", NULL},
    };
    float expected[ROOM], found[ROOM];
    memset(expected, 0, sizeof expected);
    (void)tiny_logits(&learning, 0, true, expected);
    int64_t failures = 0, keeping = 0;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        // without failures, rarely, and so often that hardly a step is kept at once
        static const int64_t means[] = {0, 1000, 50};
        for (size_t f = 0; f < sizeof means / sizeof *means; f++) {
            ohmi_config values;
            ohmi_chip *chip = chip_of(&values, variants[i]);
            ohmi_tiled_counts counts;
            const int n = TINY_TEST;
            tiled_logits(found, &counts, chip, n, 5 + i, means[f]);
            assert_memory_equal(found, expected,
                                (size_t)(n * learning.tasks.task[0].n_classes) * sizeof *found);
            // nothing lost, nothing twice
            assert_true(counts.cells == counts.macs && counts.macs > 0);
            assert_true(counts.failures >= counts.lost);
            assert_true((counts.failures > 0) == (means[f] > 0));
            failures += counts.failures;
            keeping += counts.failures_keeping;
            ohmi_chip_deactivate(chip, learning.learner);
            ohmi_chip_free(&chip);
        }
    }
    print_message("%lld failures, %lld while a step was being kept\n", (long long)failures,
                  (long long)keeping);
    assert_true(failures > 10000);
    assert_true(keeping > 1000);
}

// converters that round do not add up over tiles: that is said, not done
static void test_refusals(void **state) {
    (void)state;
    ohmi_config values;
    ohmi_tiled *tiled = NULL;
    ohm_error err;
    ohmi_chip *chip = chip_of(&values, (const char *const[]){"adc.range", "full", NULL});
    assert_int_equal(ohmi_tiled_new(&tiled, chip, 1, 0, &err), OHM_ERR_ARGUMENT);
    assert_non_null(strstr(err.hint, "ideal"));
    assert_null(tiled);
    ohmi_chip_deactivate(chip, learning.learner);
    ohmi_chip_free(&chip);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, learn_one, forget);
}
