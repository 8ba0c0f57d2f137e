// SPDX-License-Identifier: Apache-2.0
// Noise injected in training: its mean and deviation against those of the file, in parts of the
// size of a layer's sums; another at each step and layer, the same at the same one; none outside of
// training, none in the gradient of the sums; files that are not what they should be.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "learn/adapt.h"
#include "scratch.h"
#include "unit/learn/tiny_learning.h"

// Writes a file of errors for the layers of a network; the first with these, the others with none.
static void write_errors(const ohmi_network *network, double mean, double deviation) {
    FILE *file = fopen(scratch_path("errors.json"), "w");
    assert_non_null(file);
    fprintf(file, "{\"schema\": 1, \"layers\": [");
    for (int l = 0; l <= network->n_layers; l++) {
        fprintf(file, "%s{\"name\": \"%s\", \"mean\": %g, \"deviation\": %g}", l ? ", " : "",
                l < network->n_layers ? network->layers[l].name : "head", l ? 0.0 : mean,
                l ? 0.0 : deviation);
    }
    fprintf(file, "]}");
    assert_int_equal(fclose(file), 0);
}

static void begin(tiny_learning *l, double mean, double deviation) {
    char path[600];
    snprintf(path, sizeof path, "%s", scratch_path("errors.json"));
    const char *const more[] = {"adapt.noise", path, NULL};
    tiny_begin(l, more);
    write_errors(l->learner->network, mean, deviation);
    assert_int_equal(ohmi_adapt_read(&l->learner->adapt, l->values, l->learner->network, NULL),
                     OHM_OK);
    assert_non_null(l->learner->adapt);
    assert_int_equal(ohmi_learner_begin(l->learner, 0, NULL), OHM_OK);
    ohmi_learner_prepare(l->learner, 0, true);
}

enum { MOST_SUMS = 1 << 17 };

// Forward pass of the first batch in training; the sums of the first layer into out.
static int64_t sums_of(float *out, tiny_learning *l, bool with_noise) {
    const ohmi_network *network = l->learner->network;
    const ohmi_node *node = &network->nodes[1];
    const ohmi_conv *o = &network->layers[0].shape;
    ohmi_batch batch;
    int64_t n = 0;
    ohmi_loader_start(l->loader, 0, &l->tasks.task[0].train, 0, 0);
    ohmi_loader_next(l->loader, &batch);
    if (with_noise) {
        ohmi_adapt_enter(l->learner);
    }
    ohmi_network_forward(l->learner->network, batch.x, batch.n, OHMI_MODE_TRAIN, 0.1f);
    ohmi_adapt_leave(l->learner);
    assert_null(network->product);
    for (int pixel = 0; pixel < o->p * o->q; pixel++) {
        for (int i = 0; i < batch.n; i++) {
            for (int k = 0; k < o->k; k++) {
                assert_true(n < MOST_SUMS);
                out[n++] = node->value[(pixel * o->n_pad + i) * o->k_pad + k];
            }
        }
    }
    return n;
}

static void test_moments(void **state) {
    (void)state;
    static float plain[MOST_SUMS], noisy[MOST_SUMS], other[MOST_SUMS];
    tiny_learning l;
    begin(&l, 0.2, 0.5);
    const int64_t n = sums_of(plain, &l, false);
    assert_int_equal(sums_of(noisy, &l, true), n);
    double square = 0, sum = 0, spread = 0, fourth = 0;
    for (int64_t i = 0; i < n; i++) {
        square += (double)plain[i] * (double)plain[i];
        sum += (double)noisy[i] - (double)plain[i];
    }
    const double size = sqrt(square / (double)n), mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) {
        const double z = ((double)noisy[i] - (double)plain[i] - mean) / (0.5 * size);
        spread += z * z;
        fourth += z * z * z * z;
    }
    const double error = 5 / sqrt((double)n);
    assert_true(fabs(mean / size - 0.2) < 0.5 * error + 1e-3);
    assert_true(fabs(spread / (double)n - 1) < sqrt(2) * error + 1e-3);
    assert_true(fabs(fourth / (double)n - 3) < sqrt(96) * error + 1e-2);

    // the same step again, and the next one
    assert_int_equal(sums_of(other, &l, true), n);
    assert_memory_equal(noisy, other, (size_t)n * sizeof *noisy);
    l.learner->position.step += 1;
    assert_int_equal(sums_of(other, &l, true), n);
    double product = 0;
    for (int64_t i = 0; i < n; i++) {
        product += ((double)noisy[i] - (double)plain[i] - mean) *
                   ((double)other[i] - (double)plain[i] - mean);
    }
    assert_true(fabs(product / (double)n / (0.25 * size * size)) < error + 1e-3);
    tiny_end(&l);
}

// Training with noise of nothing is training without; with some it is another, and repeats itself.
static void test_training(void **state) {
    (void)state;
    static float logits[4][TINY_TEST * 3];
    static const double deviations[] = {0, 0, 0.3, 0.3};
    for (int i = 0; i < 4; i++) {
        tiny_learning l;
        char path[600];
        snprintf(path, sizeof path, "%s", scratch_path("errors.json"));
        const char *const more[] = {"adapt.noise", path, NULL};
        tiny_begin(&l, i == 0 ? NULL : more);
        write_errors(l.learner->network, 0, deviations[i]);
        assert_int_equal(ohmi_adapt_read(&l.learner->adapt, l.values, l.learner->network, NULL),
                         OHM_OK);
        assert_true((l.learner->adapt == NULL) == (i == 0));
        tiny_learn(&l, 0, NULL, NULL, NULL);
        (void)tiny_logits(&l, 0, true, logits[i]);
        tiny_end(&l);
    }
    const size_t size = TINY_TEST * 2 * sizeof(float);
    assert_memory_equal(logits[0], logits[1], size);
    assert_memory_equal(logits[2], logits[3], size);
    assert_memory_not_equal(logits[0], logits[2], size);
}

static void test_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "[]",
                                        "{\"layers\": 3}",
                                        "{\"layers\": []}",
                                        "{\"layers\": [{\"name\": \"head\"}]}",
                                        "not json"};
    tiny_learning l;
    ohm_error err;
    begin(&l, 0, 0);
    ohmi_adapt_free(&l.learner->adapt);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        scratch_write("errors.json", texts[i], strlen(texts[i]));
        assert_true(ohmi_adapt_read(&l.learner->adapt, l.values, l.learner->network, &err) < 0);
        assert_null(l.learner->adapt);
        assert_non_null(strstr(err.path, "errors.json"));
        assert_non_null(strstr(err.message, "adapt.noise"));
    }
    write_errors(l.learner->network, 0, -1);
    assert_int_equal(ohmi_adapt_read(&l.learner->adapt, l.values, l.learner->network, &err),
                     OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "layer 1"));
    tiny_end(&l);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
