// SPDX-License-Identifier: Apache-2.0
// Runs of elements against the formulas for one element at a time, in double.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "learn/elements.h"
#include "learn/learner.h"

enum { N = 253, T = 3 }; // an odd number of elements; task 4 is in training

static const double threshold = 0.005, slope = 12, lsb = 0.03;

static float draw(uint32_t place, uint32_t i) {
    const ohmi_rng rng = {.seed = 7, .purpose = OHMI_RNG_TEST, .place = place};
    return ohmi_rng_normal(&rng, i);
}

typedef struct {
    uint8_t own[N];
    float dw[N], w[N], v[N], s[N], mask[N], mean[N], square[N], q[N];
} elements;

// free, earlier, own, later, and the backbone's; masks around the threshold, some far from it
static void fill(elements *e) {
    static const uint8_t owners[] = {0, 1, T, T + 1, T + 2, OHMI_OWN_BACKBONE};
    for (uint32_t i = 0; i < N; i++) {
        e->own[i] = owners[i % 6];
        e->dw[i] = draw(1, i);
        e->w[i] = draw(2, i);
        e->v[i] = draw(3, i);
        e->s[i] = fabsf(draw(4, i));
        e->mask[i] = (float)threshold + draw(5, i) * (i % 7 == 0 ? 20.0f : 0.02f);
        e->mean[i] = 0.001f * draw(6, i);
        e->square[i] = 1e-6f * fabsf(draw(7, i));
        e->q[i] = rintf(4 * draw(8, i));
    }
}

static void masks_are_on_over_the_threshold(void **state) {
    (void)state;
    elements e;
    uint8_t on[N], all[N];
    fill(&e);
    e.mask[1] = (float)threshold; // on the edge is on
    ohmi_elements_on(on, e.own, e.mask, N, T, (float)threshold);
    ohmi_elements_on(all, e.own, e.mask, N, T, -INFINITY);
    int n_off = 0;
    for (int i = 0; i < N; i++) {
        const bool is_earlier = ohmi_is_earlier(e.own[i], T), is_own = e.own[i] == T + 1;
        assert_int_equal(on[i], is_own || (is_earlier && e.mask[i] >= (float)threshold));
        assert_int_equal(all[i], is_own || is_earlier);
        n_off += is_earlier && !on[i];
    }
    assert_int_equal(on[1], 1);
    assert_in_range(n_off, 10, N / 2);
}

// estimator: slope 0 = threshold; square: Adam or SGD for the weights
static void check_step(double with_slope, bool is_adam, bool with_weights, bool with_masks) {
    ohmi_config c = {0};
    c.train.momentum = 0.9;
    c.train.weight_decay = 0.01;
    c.train.nesterov = true;
    const ohmi_update weights = ohmi_update_rule(&c, 0.02, 3);
    ohmi_update masks = ohmi_update_rule(&c, 5e-4, 3);
    masks.decay = 0;

    elements e, plain;
    fill(&e);
    plain = e;
    const ohmi_elements run = {.own = e.own,
                               .dw = e.dw,
                               .w = e.w,
                               .velocity = e.v,
                               .square = is_adam ? e.s : NULL,
                               .mask = e.mask,
                               .mask_mean = e.mean,
                               .mask_square = e.square,
                               .n = N};
    const ohmi_elements_rule rule = {.weights = with_weights ? &weights : NULL,
                                     .masks = with_masks ? &masks : NULL,
                                     .t = T,
                                     .lsb = (float)lsb,
                                     .threshold = (float)threshold,
                                     .slope = (float)with_slope};
    ohmi_elements_step(&run, e.q, &rule);

    // one at a time; what is not stepped keeps its bits
    for (int i = 0; i < N; i++) {
        if (plain.own[i] == T + 1 && with_weights) {
            ohmi_update_weights(&plain.w[i], &plain.v[i], is_adam ? &plain.s[i] : NULL,
                                &plain.dw[i], 1, &weights);
        } else if (ohmi_is_earlier(plain.own[i], T) && with_masks) {
            const double y = with_slope * ((double)plain.mask[i] - (double)(float)threshold);
            const double p = 1 / (1 + exp(-y));
            const double rate = with_slope > 0 ? with_slope * p * (1 - p) : 1;
            const float g = (float)((double)(plain.dw[i] * plain.q[i]) * lsb * rate);
            ohmi_update_weights(&plain.mask[i], &plain.mean[i], &plain.square[i], &g, 1, &masks);
        }
        assert_float_equal(e.mask[i], plain.mask[i], 1e-9f + 2e-6f * fabsf(plain.mask[i]));
        assert_float_equal(e.mean[i], plain.mean[i], 2e-6f * fabsf(plain.mean[i]) + 1e-8f);
        assert_float_equal(e.square[i], plain.square[i], 4e-6f * plain.square[i] + 1e-12f);
    }
    assert_memory_equal(e.w, plain.w, sizeof e.w);
    assert_memory_equal(e.v, plain.v, sizeof e.v);
    assert_memory_equal(e.s, plain.s, sizeof e.s);
}

static void steps_follow_the_formulas(void **state) {
    (void)state;
    check_step(slope, false, true, true);
    check_step(slope, true, true, true);
    check_step(0, false, true, true);
    check_step(slope, false, false, true);
    check_step(slope, false, true, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_are_on_over_the_threshold),
        cmocka_unit_test(steps_follow_the_formulas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
