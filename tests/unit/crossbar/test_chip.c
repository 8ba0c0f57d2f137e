// SPDX-License-Identifier: Apache-2.0
// A learned network on a chip: with ideal converters its logits are those of the integer network,
// bit for bit, whatever the arrays are; effective levels that say the same give the same; products
// of all rows agree; stuck cells are corrected; converters are calibrated as they should.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/thread.h"
#include "crossbar/chip.h"
#include "crossbar/product.h"
#include "learn/placing.h"
#include "../learn/tiny_learning.h"

enum { ROOM = TINY_TEST * 3 };

static tiny_learning learning; // two tasks are learned once for all tests
static int n_images = TINY_TEST;

static int learn_two(void **state) {
    (void)state;
    static const char *const more[] = {"train.epochs", "2", "array.rows", "27", NULL};
    tiny_begin(&learning, more);
    tiny_learn(&learning, 0, NULL, NULL, NULL);
    tiny_learn(&learning, 1, NULL, NULL, NULL);
    return 0;
}

static int forget(void **state) {
    (void)state;
    tiny_end(&learning);
    return 0;
}

// The learner's config with other arrays: key, value, ..., NULL.
static ohmi_config arrays_as(const char *const *more) {
    ohm_config *config = tiny_config(NULL);
    ohm_error err = {0};
    for (; more && more[0]; more += 2) {
        if (ohm_config_set(config, more[0], more[1], &err) != OHM_OK) {
            fail_msg("%s", err.message);
        }
    }
    const ohmi_config values = *ohmi_config_values(config);
    ohm_config_free(&config);
    return values;
}

static void logits_on(float *logits, ohmi_chip *chip, tiny_learning *l, int t) {
    ohmi_evaluation e;
    ohm_error err = {0};
    ohmi_images images = l->tasks.task[t].test;
    images.n = n_images;
    if (ohmi_chip_activate(chip, l->learner, t, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    memset(logits, 0, ROOM * sizeof *logits);
    assert_int_equal(ohmi_measure_images(&e, l->learner, t, &images, true, logits, &err), OHM_OK);
    ohmi_chip_deactivate(chip, l->learner);
}

static void integer_logits(float *logits, tiny_learning *l, int t) {
    memset(logits, 0, ROOM * sizeof *logits);
    (void)tiny_logits(l, t, true, logits);
}

static ohmi_chip *chip_of(const ohmi_config *values, tiny_learning *l) {
    ohmi_chip *chip = NULL;
    ohm_error err = {0};
    if (ohmi_chip_new(&chip, l->learner, values, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    return chip;
}

// shapes of arrays, codings and cells: none of them may change a bit
static void test_ideal_is_integer_network(void **state) {
    (void)state;
    static const char *const variants[][11] = {
        {"array.rows", "27", "array.columns", "72", NULL},
        {"array.rows", "72", "array.columns", "72", "array.cell_bits", "1", NULL},
        {"array.rows", "10", "array.columns", "23", "array.cell_bits", "3", NULL},
        {"array.rows", "128", "array.columns", "9", "array.cell_bits", "4", NULL},
        {"array.rows", "27", "array.weight_scheme", "differential", NULL},
        {"array.rows", "64", "array.weight_scheme", "offset_digital", "array.columns", "31", NULL},
        {"array.rows", "1", "array.weight_scheme", "differential", "array.heads", "digital", NULL},
    };
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        ohmi_config values = arrays_as(variants[i]);
        values.adc.range = OHMI_ADC_IDEAL;
        ohmi_chip *chip = chip_of(&values, &learning);
        for (int t = 0; t < 2; t++) {
            float expected[ROOM], found[ROOM];
            integer_logits(expected, &learning, t);
            logits_on(found, chip, &learning, t);
            assert_memory_equal(found, expected, sizeof found);
            assert_true(chip->conversions > 0);
        }
        // the network itself is as it was
        float expected[ROOM], found[ROOM];
        integer_logits(expected, &learning, 0);
        logits_on(found, chip, &learning, 0);
        assert_memory_equal(found, expected, sizeof found);
        ohmi_chip_free(&chip);
    }
}

// Puts the levels that were meant into all arrays, changed by `change`, with one offset for all.
static void set_all(ohmi_chip *chip, void (*change)(float *real, int64_t n), float shift) {
    const int64_t n = chip->placed->def.rows * chip->placed->def.columns;
    uint8_t *level = ohmi_alloc((size_t)n, 1);
    float *real = ohmi_alloc((size_t)n, sizeof *real),
          *offset = ohmi_alloc((size_t)n, sizeof *offset);
    ohm_error err = {0};
    for (int64_t i = 0; i < chip->placed->def.columns; i++) {
        offset[i] = shift;
    }
    for (int64_t a = 0; a < chip->placed->n_arrays; a++) {
        ohmi_chip_levels(level, chip, a);
        for (int64_t i = 0; i < n; i++) {
            real[i] = (float)level[i];
        }
        if (change) {
            change(real, n);
        }
        assert_int_equal(ohmi_chip_set(chip, a, real, offset, &err), OHM_OK);
    }
    ohmi_free(level);
    ohmi_free(real);
    ohmi_free(offset);
}

// Levels given as real numbers are the integers that they are; levels are what placing says.
static void test_real_levels(void **state) {
    (void)state;
    static const ohmi_adc_range ranges[] = {OHMI_ADC_IDEAL, OHMI_ADC_FULL, OHMI_ADC_CALIBRATED};
    for (int r = 0; r < 3; r++) {
        ohmi_config values = arrays_as(NULL);
        values.adc.range = ranges[r];
        ohmi_chip *chip = chip_of(&values, &learning);
        ohm_error err = {0};
        assert_int_equal(ohmi_chip_calibrate(chip, learning.learner, NULL, NULL, &err), OHM_OK);
        float exact[ROOM], real[ROOM], integer[ROOM];
        integer_logits(integer, &learning, 1);
        logits_on(exact, chip, &learning, 1);
        // whole levels are summed as integers; an offset too small to count makes them floats
        for (int k = 0; k < 2; k++) {
            set_all(chip, NULL, k ? 1e-20f : 0.0f);
            assert_true(chip->arrays[0].is_whole);
            assert_int_equal(chip->arrays[0].offset != NULL, k);
            logits_on(real, chip, &learning, 1);
            assert_memory_equal(exact, real, sizeof real);
        }
        assert_int_equal(memcmp(exact, integer, sizeof exact) == 0, ranges[r] == OHMI_ADC_IDEAL);

        // back to exact cells
        ohmi_chip_reset(chip);
        logits_on(real, chip, &learning, 1);
        assert_memory_equal(exact, real, sizeof real);
        ohmi_chip_free(&chip);
    }
}

static void test_levels_are_placed(void **state) {
    (void)state;
    ohmi_config values = arrays_as(NULL);
    ohmi_chip *chip = chip_of(&values, &learning);
    const int64_t n = chip->placed->def.rows * chip->placed->def.columns;
    uint8_t *level = ohmi_alloc((size_t)n, 1), *expected = ohmi_alloc((size_t)n, 1);
    for (int l = 0; l < chip->placed->n_layers; l++) {
        const ohmi_placed_layer *layer = &chip->placed->layers[l];
        float *w = ohmi_alloc((size_t)(layer->k * layer->layout.run), sizeof *w);
        ohmi_learner_codes(w, learning.learner, chip->placed, l);
        for (int64_t a = layer->first_array; a < layer->first_array + layer->n_arrays; a++) {
            ohmi_place_levels(expected, chip->placed, a, w);
            ohmi_chip_levels(level, chip, a);
            assert_memory_equal(level, expected, (size_t)n);
        }
        ohmi_free(w);
    }
    ohmi_free(level);
    ohmi_free(expected);
    ohmi_chip_free(&chip);
}

// Every row of products, every number of threads: the same bits, also of noisy real cells.
static void test_rows_and_threads(void **state) {
    (void)state;
    int count = 0;
    const ohmi_products *const *rows = ohmi_products_all(&count);
    n_images = 2; // the plain row takes its time
    for (int noisy = 0; noisy < 2; noisy++) {
        float expected[ROOM], found[ROOM];
        ohmi_config values = arrays_as(NULL);
        values.adc.range = OHMI_ADC_FULL;
        ohmi_chip *chip = chip_of(&values, &learning);
        if (noisy) {
            set_all(chip, NULL, 0);
            chip->noise = (ohmi_chip_noise){.noise_sum = 0.02f, .noise_active = 0.01f, .seed = 4};
        }
        chip->backend = "reference";
        logits_on(expected, chip, &learning, 0);
        for (int r = 0; r < count; r++) {
            for (int threads = 1; threads <= 3 && rows[r]->is_supported(); threads += 2) {
                ohmi_set_threads(threads);
                chip->backend = rows[r]->name;
                ohmi_chip_rewind(chip, 0);
                logits_on(found, chip, &learning, 0);
                assert_memory_equal(found, expected, sizeof found);
            }
        }
        ohmi_set_threads(1);

        // noise is of the reading
        chip->noise.read = 1;
        ohmi_chip_rewind(chip, 0);
        logits_on(found, chip, &learning, 0);
        assert_int_equal(memcmp(found, expected, sizeof found) != 0, noisy);
        ohmi_chip_free(&chip);
    }
    n_images = TINY_TEST;
}

// every 7th cell is stuck on, every 5th off
static void stick(float *real, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        real[i] = i % 7 == 0 ? 3.0f : i % 5 == 0 ? 0.0f : real[i];
    }
}

static void test_correction(void **state) {
    (void)state;
    float integer[ROOM], stuck[ROOM], corrected[ROOM];
    ohmi_config values = arrays_as(NULL);
    ohm_error err = {0};
    values.adc.range = OHMI_ADC_IDEAL;
    ohmi_chip *chip = chip_of(&values, &learning);
    integer_logits(integer, &learning, 1);
    set_all(chip, stick, 0);
    logits_on(stuck, chip, &learning, 1);
    const int64_t n = values.array.rows * values.array.columns;
    uint8_t *level = ohmi_alloc((size_t)n, 1);
    float *delta = ohmi_alloc((size_t)n, sizeof *delta);
    for (int64_t a = 0; a < chip->placed->n_arrays; a++) {
        ohmi_chip_levels(level, chip, a);
        for (int64_t i = 0; i < n; i++) {
            delta[i] = (float)level[i] - chip->arrays[a].real[i];
        }
        assert_int_equal(ohmi_chip_correct(chip, a, delta, &err), OHM_OK);
    }
    logits_on(corrected, chip, &learning, 1);
    double before = 0, after = 0;
    for (int i = 0; i < ROOM; i++) {
        before += fabs((double)(stuck[i] - integer[i]));
        after += fabs((double)(corrected[i] - integer[i]));
    }
    // all numbers are whole, so nothing is left
    assert_true(before > 1);
    assert_true(after == 0);
    ohmi_free(level);
    ohmi_free(delta);
    ohmi_chip_free(&chip);
}

// A calibrated range holds the sums that occur: with as many codes as sums the converter is exact.
static void test_calibration(void **state) {
    (void)state;
    ohmi_config values = arrays_as(NULL);
    ohm_error err = {0};
    values.adc.range = OHMI_ADC_CALIBRATED;
    values.adc.images = TINY_TRAIN;
    ohmi_chip *chip = chip_of(&values, &learning);
    assert_int_equal(ohmi_chip_calibrate(chip, learning.learner, NULL, NULL, &err), OHM_OK);
    for (int l = 0; l < chip->placed->n_layers; l++) {
        assert_int_equal(chip->adc[l][0].kind, OHMI_ADC_LINEAR);
        assert_true(chip->adc[l][0].low >= 0 && chip->adc[l][0].high <= 3 * 27);
        assert_true(chip->adc[l][0].high >= 2);
        assert_true(fabs((double)chip->adc[l][0].step -
                         (chip->adc[l][0].high - chip->adc[l][0].low) / 31) < 1e-6);
    }

    // cutting off more makes ranges narrower
    values.adc.clip = 0.05;
    ohmi_chip *cut = chip_of(&values, &learning);
    assert_int_equal(ohmi_chip_calibrate(cut, learning.learner, NULL, NULL, &err), OHM_OK);
    for (int l = 0; l < chip->placed->n_layers; l++) {
        assert_true(cut->adc[l][0].high < chip->adc[l][0].high);
    }
    ohmi_chip_free(&cut);
    ohmi_chip_free(&chip);
}

static void test_refusals(void **state) {
    (void)state;
    ohm_error err = {0};
    ohmi_chip *chip = NULL;
    ohmi_config values = arrays_as(NULL);
    (void)snprintf(values.adc.levels, sizeof values.adc.levels, "/nowhere/levels.npy");
    assert_int_equal(ohmi_chip_new(&chip, learning.learner, &values, &err), OHM_ERR_IO);
    assert_null(chip);

    // cells cannot change under a running task
    values = arrays_as(NULL);
    chip = chip_of(&values, &learning);
    assert_int_equal(ohmi_chip_activate(chip, learning.learner, 0, &err), OHM_OK);
    assert_int_equal(ohmi_chip_set(chip, 0, NULL, NULL, &err), OHM_ERR_ARGUMENT);
    ohmi_chip_deactivate(chip, learning.learner);
    ohmi_chip_free(&chip);

    // memory that runs out anywhere is one error and leaks nothing
    const int64_t live = ohmi_live_blocks();
    for (int64_t k = 0;; k++) {
        ohmi_fail_allocation(k);
        ohm_status status = ohmi_chip_new(&chip, learning.learner, &values, &err);
        if (status == OHM_OK) {
            status = ohmi_chip_activate(chip, learning.learner, 0, &err);
            ohmi_chip_deactivate(chip, learning.learner);
        }
        ohmi_fail_allocation(-1);
        ohmi_chip_free(&chip);
        assert_int_equal(ohmi_live_blocks(), live);
        if (status == OHM_OK) {
            assert_true(k > 20);
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
    }
}

// The same bits for single weights, whose cells are written for each task, and for masks of more
// levels than on and off, on all codings.
static void test_other_methods(void **state) {
    (void)state;
    static const char *const methods[][7] = {
        {"method.preset", "xst-element", "train.epochs", "1", NULL},
        {"method.levels", "[0, 0.5, 1, 2]", "train.epochs", "1", NULL},
        {"method.levels", "[0, 0.5, 1, 2]", "method.preset", "xst-element", "train.epochs", "1"},
    };
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        const char *more[8] = {NULL};
        memcpy(more, methods[m], sizeof methods[m]);
        tiny_learning l;
        tiny_begin(&l, more);
        tiny_learn(&l, 0, NULL, NULL, NULL);
        tiny_learn(&l, 1, NULL, NULL, NULL);
        for (int coding = 0; coding < 3; coding++) {
            ohmi_config values = *l.values;
            values.adc.range = OHMI_ADC_IDEAL;
            values.array.weight_scheme = (ohmi_coding)coding;
            ohmi_chip *chip = chip_of(&values, &l);
            for (int t = 0; t < 2; t++) {
                float expected[ROOM], found[ROOM];
                integer_logits(expected, &l, t);
                logits_on(found, chip, &l, t);
                assert_memory_equal(found, expected, sizeof found);
            }
            ohmi_chip_free(&chip);
        }
        tiny_end(&l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ideal_is_integer_network),
        cmocka_unit_test(test_real_levels),
        cmocka_unit_test(test_levels_are_placed),
        cmocka_unit_test(test_rows_and_threads),
        cmocka_unit_test(test_correction),
        cmocka_unit_test(test_calibration),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_other_methods),
    };
    return cmocka_run_group_tests(tests, learn_two, forget);
}
