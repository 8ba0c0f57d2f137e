// SPDX-License-Identifier: Apache-2.0
// The two computations of a chip against each other: with converters of 16 bits over the full range
// the one that goes bit by bit gives the sums of the other, for faults, variation, wires and
// repair; and what only the first can do: few bits cost, noise of conversions differs by read and
// grows with the bandwidth, converters calibrated on a faulty chip.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "crossbar/engine.h"
#include "device_config.h"
#include "unit/learn/tiny_learning.h"

enum { MOST_LOGITS = TINY_TEST * 3, MOST_SUMS = 1 << 17 };

static tiny_learning tiny;
static float wanted[TINY_TASKS][MOST_LOGITS];

static int begin(void **state) {
    (void)state;
    static const char *const more[] = {"quantise.weight_bits", "4", NULL};
    tiny_begin(&tiny, more);
    for (int t = 0; t < TINY_TASKS; t++) {
        tiny_learn(&tiny, t, NULL, NULL, NULL);
    }
    for (int t = 0; t < TINY_TASKS; t++) {
        (void)tiny_logits(&tiny, t, true, wanted[t]);
    }
    return 0;
}

static int end(void **state) {
    (void)state;
    tiny_end(&tiny);
    return ohmi_live_blocks() != 0;
}

// The logits of a task on a chip, with the settings of a config.
static void logits_of(float *out, const ohm_config *config, uint64_t chip, uint32_t read, int t) {
    ohmi_engine *engine = NULL;
    ohmi_evaluation e;
    ohm_error err;
    if (ohmi_engine_new(&engine, tiny.learner, ohmi_config_values(config), &err) < 0 ||
        ohmi_engine_program(engine, ohmi_engine_device(engine), chip, read, &err) < 0 ||
        ohmi_engine_switch(engine, t, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(
        ohmi_measure_images(&e, tiny.learner, t, &tiny.tasks.task[t].test, true, out, NULL),
        OHM_OK);
    ohmi_engine_free(&engine);
}

static double distance(const float *a, const float *b, int t) {
    double most = 0;
    for (int i = 0; i < TINY_TEST * tiny.tasks.task[t].n_classes; i++) {
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
    }
    return most;
}

// The sums of the first layer of the last batch; count of them.
static int64_t first_sums(float *out) {
    const ohmi_node *node = &tiny.learner->network->nodes[1];
    assert_int_equal(node->kind, OHMI_NODE_CONV);
    const int64_t n = (int64_t)node->h * node->w * tiny.learner->network->n_pad * node->c_pad;
    assert_true(n <= MOST_SUMS);
    memcpy(out, node->value, (size_t)n * sizeof *out);
    return n;
}

// Root mean square of the difference, in that of b.
static double relative(const float *a, const float *b, int64_t n) {
    double square = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        square += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(square / size);
}

static void test_same(void **state) {
    (void)state;
    static float logits[MOST_LOGITS], linear[MOST_SUMS], bitwise[MOST_SUMS], exact[MOST_SUMS];
    static const char *const settings[][3] = {
        {"fault.preset=chen2015", "seed=1", "seed=1"},
        {"fault.preset=chen2015", "repair.stuck=true", "seed=1"},
        {"variation.relative=0.05", "array.weight_scheme=differential", "seed=1"},
        {"wire.segment=3", "converter.adc_offset=0.3", "converter.dac_gain=0.02"},
    };
    (void)tiny_logits(&tiny, 1, true, logits);
    ohm_config *config = CONFIG("array.rows=27", "adc.range=ideal");
    logits_of(logits, config, 3, 0, 1);
    (void)first_sums(exact);
    ohm_config_free(&config);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        config = CONFIG("array.rows=27", "array.columns=16", "adc.range=ideal", settings[i][0],
                        settings[i][1], settings[i][2]);
        logits_of(logits, config, 3, 0, 1);
        (void)first_sums(linear);
        ohm_config_free(&config);
        config = CONFIG("array.rows=27", "array.columns=16", "adc.range=full", "adc.bits=16",
                        settings[i][0], settings[i][1], settings[i][2]);
        logits_of(logits, config, 3, 0, 1);
        const int64_t n = first_sums(bitwise);
        ohm_config_free(&config);

        // a step of the converters is 81 / 65535 of a level; sums below 0, which only cells that
        // are less than their lowest level give, are 0 to them
        const double between = relative(bitwise, linear, n), off = relative(linear, exact, n);
        const bool is_near = i < 2 ? between < 1e-3 : between < 0.3 * off;
        if (!is_near || !(i == 1 ? off < 1e-5 : off > 1e-2)) {
            fail_msg("row %d: %g between the two, %g off what is exact", (int)i, between, off);
        }
    }
}

// With nothing wrong, and noise far below what a float tells apart, exact also bit by bit; few bits
// are not, each more is better.
static void test_bits(void **state) {
    (void)state;
    static float logits[MOST_LOGITS], out[MOST_SUMS], exact[MOST_SUMS];
    ohm_config *config =
        CONFIG("array.rows=27", "adc.range=ideal", "noise.bandwidth=1", "noise.temperature=1");
    logits_of(logits, config, 1, 0, 2);
    assert_true(distance(logits, wanted[2], 2) < 1e-3);
    const int64_t n = first_sums(exact);
    ohm_config_free(&config);
    double last = INFINITY;
    static const char *const bits[] = {"adc.bits=2", "adc.bits=4", "adc.bits=7", "adc.bits=12"};
    for (int i = 0; i < 4; i++) {
        config = CONFIG("array.rows=27", "adc.range=full", bits[i]);
        logits_of(logits, config, 1, 0, 2);
        (void)first_sums(out);
        const double off = relative(out, exact, n);
        assert_true(off < 0.5 * last);
        last = off;
        ohm_config_free(&config);
    }
    assert_true(last < 0.03);
}

static void test_noise(void **state) {
    (void)state;
    static float a[MOST_LOGITS], b[MOST_LOGITS];
    static const char *const bands[] = {"noise.bandwidth=1e8", "noise.bandwidth=1e12"};
    double last = 0;
    for (int i = 0; i < 2; i++) {
        ohm_config *config = CONFIG("array.rows=27", "adc.range=ideal", bands[i]);
        logits_of(a, config, 1, 0, 0);
        logits_of(b, config, 1, 0, 0);
        assert_true(distance(a, b, 0) == 0); // the same read again
        const double off = distance(a, wanted[0], 0);
        assert_true(off > last);
        last = off;
        logits_of(b, config, 1, 1, 0);
        assert_true(i == 0 || distance(a, b, 0) > 0);
        ohm_config_free(&config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
