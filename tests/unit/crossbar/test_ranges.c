// SPDX-License-Identifier: Apache-2.0
// Fitted ranges of converters: on the images they are fitted to, the outputs of no layer are
// further off than with calibrated ones, and some are clearly nearer; with enough bits every output
// is exact; other codings, real cells, given levels; threads change nothing; memory that runs out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/memory.h"
#include "base/thread.h"
#include "crossbar/chip.h"
#include "crossbar/chip_task.h"
#include "file/npy.h"
#include "scratch.h"
#include "unit/learn/tiny_learning.h"

enum { IMAGES = 16, ROOM = TINY_TEST * 3, MOST_LAYERS = 16, MOST_OUTPUTS = 1 << 17 };

static tiny_learning learning;

static int begin(void **state) {
    static const char *const more[] = {"train.epochs", "2", NULL};
    tiny_begin(&learning, more);
    tiny_learn(&learning, 0, NULL, NULL, NULL);
    tiny_learn(&learning, 1, NULL, NULL, NULL);
    return scratch_begin(state);
}

static int end(void **state) {
    tiny_end(&learning);
    return scratch_end(state);
}

typedef struct {
    ohmi_adc_range range;
    int bits;
    ohmi_coding coding;
    const char *levels;
    bool is_real; // cells a little off their levels
} chip_case;

// A chip of the case, calibrated.
static ohmi_chip *make_chip(ohmi_config *values, const chip_case *c) {
    ohmi_chip *chip = NULL;
    ohm_error err = {0};
    *values = *learning.values;
    values->adc.range = c->range;
    values->adc.bits = c->bits;
    values->adc.images = IMAGES;
    values->array.weight_scheme = c->coding;
    values->array.rows = 27;
    if (c->levels) {
        (void)snprintf(values->adc.levels, sizeof values->adc.levels, "%s", c->levels);
    }
    if (ohmi_chip_new(&chip, learning.learner, values, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    const int64_t n = values->array.rows * values->array.columns;
    uint8_t *level = ohmi_alloc((size_t)n, 1);
    float *real = ohmi_alloc((size_t)n, sizeof *real);
    for (int64_t a = 0; c->is_real && a < chip->placed->n_arrays; a++) {
        ohmi_chip_levels(level, chip, a);
        for (int64_t i = 0; i < n; i++) {
            real[i] = (float)level[i] + 0.05f * (float)((i * 7 + a) % 5 - 2);
        }
        assert_int_equal(ohmi_chip_set(chip, a, real, NULL, &err), OHM_OK);
    }
    ohmi_free(level);
    ohmi_free(real);
    if (ohmi_chip_calibrate(chip, learning.learner, NULL, NULL, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    return chip;
}

// What a layer's outputs on a chip are, and what they are with ideal converters, for the same
// inputs.
typedef struct {
    ohmi_chip *chip;
    ohmi_product *inner;
    void *context;
    ohmi_adc own[OHMI_MOST_LINES];
    int layer;
    bool is_ideal;  // the layer's converters now
    float *outputs; // of the pass before
    int64_t n;
    double square;
} watch;

static void product(void *context, float *y, const float *x, const ohmi_conv *shape, int layer,
                    int n) {
    watch *w = context;
    const int at = layer < 0 ? w->chip->placed->n_layers - 1 : layer;
    w->inner(w->context, y, x, shape, layer, n);
    for (int64_t i = 0; at == w->layer && i < (int64_t)shape->p * shape->q * n; i++) {
        const float *row = y + (i / n * shape->n_pad + i % n) * shape->k_pad;
        for (int64_t k = 0; k < shape->k; k++) {
            assert_true(w->n < MOST_OUTPUTS);
            const double off = (double)row[k] - (double)w->outputs[w->n];
            w->square += w->is_ideal ? 0 : off * off;
            w->outputs[w->n] = w->is_ideal ? row[k] : w->outputs[w->n];
            w->n++;
        }
    }
}

// Sum of squared differences of a layer's outputs over the images that the chip was calibrated
// with, all other layers read ideally.
static double error_of(ohmi_chip *chip, int layer) {
    static float outputs[MOST_OUTPUTS];
    ohm_error err = {0};
    ohmi_evaluation e;
    ohmi_adc own[MOST_LAYERS][OHMI_MOST_LINES];
    const ohmi_adc ideal = ohmi_adc_ideal();
    watch w = {.chip = chip, .layer = layer, .outputs = outputs};
    memcpy(own, chip->adc, (size_t)chip->placed->n_layers * sizeof *own);
    for (int t = 0; t < 2; t++) {
        for (int pass = 0; pass < 2; pass++) {
            for (int l = 0; l < chip->placed->n_layers; l++) {
                ohmi_chip_converters(chip, l, &ideal);
            }
            w.is_ideal = pass == 0;
            if (!w.is_ideal) {
                memcpy(chip->adc[layer], own[layer], sizeof *own);
            }
            w.n = 0;
            ohmi_images images = learning.tasks.task[t].train;
            images.n = IMAGES;
            assert_int_equal(ohmi_chip_activate(chip, learning.learner, t, &err), OHM_OK);
            ohmi_network *network = learning.learner->network;
            w.inner = network->product;
            w.context = network->product_context;
            network->product = product;
            network->product_context = &w;
            assert_int_equal(
                ohmi_measure_images(&e, learning.learner, t, &images, true, NULL, &err), OHM_OK);
            ohmi_chip_deactivate(chip, learning.learner);
        }
    }
    memcpy(chip->adc, own, (size_t)chip->placed->n_layers * sizeof *own);
    return w.square;
}

// Fitted against calibrated, layer by layer; returns the sum of all layers' ratios.
static double compare(chip_case c) {
    ohmi_config values[2];
    double ratio = 0;
    c.range = OHMI_ADC_CALIBRATED;
    ohmi_chip *calibrated = make_chip(&values[0], &c);
    c.range = OHMI_ADC_FITTED;
    ohmi_chip *fitted = make_chip(&values[1], &c);
    const int n_layers = fitted->placed->n_layers;
    assert_true(n_layers <= MOST_LAYERS);
    for (int l = 0; l < n_layers; l++) {
        const double before = error_of(calibrated, l), after = error_of(fitted, l);
        if (!(after <= before * (1 + 1e-6))) {
            fail_msg("layer %d, %d bits: %g calibrated, %g fitted", l, c.bits, before, after);
        }
        ratio += before > 0 ? after / before / n_layers : 1.0 / n_layers;
    }
    ohmi_chip_free(&calibrated);
    ohmi_chip_free(&fitted);
    return ratio;
}

static void test_never_worse(void **state) {
    (void)state;
    static float parts[8] = {0, 0.05f, 0.1f, 0.2f, 0.3f, 0.45f, 0.7f, 1};
    static char path[600];
    const ohmi_view view = ohmi_view_of("levels", OHMI_F32, parts, 1, 8, 0, 0, 0);
    (void)snprintf(path, sizeof path, "%s", scratch_path("levels.npy"));
    assert_int_equal(ohmi_npy_save(path, &view, NULL), OHM_OK);
    assert_true(compare((chip_case){.bits = 3}) < 0.8);
    assert_true(compare((chip_case){.bits = 5}) < 0.8);
    assert_true(compare((chip_case){.bits = 4, .is_real = true}) < 0.9);
    assert_true(compare((chip_case){.bits = 4, .coding = OHMI_CODING_DIFFERENTIAL}) < 0.9);
    assert_true(compare((chip_case){.bits = 4, .coding = OHMI_CODING_OFFSET_DIGITAL}) < 0.9);
    assert_true(compare((chip_case){.bits = 3, .levels = path}) < 1);
}

// 27 rows of 2-bit cells give sums of up to 81: 7 bits tell them all apart.
static void test_enough_bits(void **state) {
    (void)state;
    ohmi_config values;
    ohm_error err = {0};
    ohmi_chip *chip = make_chip(&values, &(chip_case){.range = OHMI_ADC_FITTED, .bits = 7});
    for (int l = 0; l < chip->placed->n_layers; l++) {
        assert_int_equal(chip->adc[l][0].kind, OHMI_ADC_LINEAR);
    }
    for (int t = 0; t < 2; t++) {
        float expected[ROOM] = {0}, found[ROOM] = {0};
        ohmi_evaluation e;
        (void)tiny_logits(&learning, t, true, expected);
        assert_int_equal(ohmi_chip_activate(chip, learning.learner, t, &err), OHM_OK);
        assert_int_equal(ohmi_measure_images(&e, learning.learner, t, &learning.tasks.task[t].test,
                                             true, found, &err),
                         OHM_OK);
        ohmi_chip_deactivate(chip, learning.learner);
        assert_memory_equal(found, expected, sizeof found);
    }
    ohmi_chip_free(&chip);
}

static void test_same_on_threads(void **state) {
    (void)state;
    ohmi_config values[2];
    const chip_case c = {.range = OHMI_ADC_FITTED, .bits = 4};
    ohmi_chip *chip[2];
    for (int i = 0; i < 2; i++) {
        ohmi_set_threads(1 + 2 * i);
        chip[i] = make_chip(&values[i], &c);
    }
    ohmi_set_threads(1);
    for (int l = 0; l < chip[0]->placed->n_layers; l++) {
        const ohmi_adc *a = chip[0]->adc[l], *b = chip[1]->adc[l];
        for (int d = 0; d < chip[0]->placed->layers[l].lines; d++) {
            assert_true(a[d].low >= b[d].low && a[d].low <= b[d].low);
            assert_true(a[d].high >= b[d].high && a[d].high <= b[d].high);
            assert_int_equal(a[d].multiple, b[d].multiple);
        }
    }
    ohmi_chip_free(&chip[0]);
    ohmi_chip_free(&chip[1]);
}

// Wherever memory runs out there is one error, and nothing leaks.
static void test_no_memory(void **state) {
    (void)state;
    ohmi_config values;
    ohm_error err = {0};
    const int64_t live = ohmi_live_blocks();
    ohmi_chip *chip = make_chip(&values, &(chip_case){.range = OHMI_ADC_FULL, .bits = 4});
    values.adc.range = OHMI_ADC_FITTED;
    values.adc.images = 1;
    for (int64_t k = 0;; k += k < 8 ? 1 : 97) {
        ohmi_fail_allocation(k);
        const ohm_status status = ohmi_chip_calibrate(chip, learning.learner, NULL, NULL, &err);
        ohmi_fail_allocation(-1);
        if (status == OHM_OK) {
            assert_true(k > 100);
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
    }
    ohmi_chip_free(&chip);
    assert_int_equal(ohmi_live_blocks(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_worse),
        cmocka_unit_test(test_enough_bits),
        cmocka_unit_test(test_same_on_threads),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
