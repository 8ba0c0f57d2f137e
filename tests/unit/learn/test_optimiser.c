// SPDX-License-Identifier: Apache-2.0
// Optimisers against their formulas in double over many steps, and the schedules at their corners.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "learn/optimiser.h"

enum { N = 37, N_STEPS = 50 };

static float draw(uint32_t place, uint32_t i) {
    const ohmi_rng rng = {.seed = 51, .purpose = OHMI_RNG_TEST, .place = place};
    return ohmi_rng_normal(&rng, i);
}

// formulas of Sutskever's momentum as PyTorch writes it, and of Adam, weight by weight
static void steps_follow_the_formulas(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        ohmi_config c = {0};
        c.train.momentum = 0.9;
        c.train.weight_decay = 0.01;
        c.train.nesterov = kind == 1;
        float w[N], v[N] = {0}, s[N] = {0}, dw[N];
        double w2[N], v2[N] = {0}, s2[N] = {0};
        for (int i = 0; i < N; i++) {
            w2[i] = (double)(w[i] = draw(0, (uint32_t)i));
        }
        for (int step = 1; step <= N_STEPS; step++) {
            const double lr = 0.02 / step;
            const ohmi_update rule = ohmi_update_rule(&c, lr, step);
            for (int i = 0; i < N; i++) {
                dw[i] = draw((uint32_t)step, (uint32_t)i);
                const double g = (double)dw[i] + 0.01 * w2[i];
                if (kind == 2) {
                    v2[i] = 0.9 * v2[i] + 0.1 * g;
                    s2[i] = 0.999 * s2[i] + 0.001 * g * g;
                    w2[i] -= lr * v2[i] / (1 - pow(0.9, step)) /
                             (sqrt(s2[i] / (1 - pow(0.999, step))) + 1e-8);
                } else {
                    v2[i] = 0.9 * v2[i] + g;
                    w2[i] -= lr * (kind == 1 ? g + 0.9 * v2[i] : v2[i]);
                }
            }
            ohmi_update_weights(w, v, kind == 2 ? s : NULL, dw, N, &rule);
            for (int i = 0; i < N; i++) {
                assert_true(fabs((double)w[i] - w2[i]) < 5e-6);
            }
        }
    }
}

// a step of a part of the weights is the part of a step
static void a_step_does_not_depend_on_its_neighbours(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        const ohmi_update rule = {.lr = 0.1f,
                                  .momentum = 0.9f,
                                  .decay = 0.001f,
                                  .nesterov = true,
                                  .correct_mean = 10,
                                  .correct_square = 1000};
        float w[2][N], v[2][N] = {{0}}, s[2][N] = {{0}}, dw[N];
        for (int i = 0; i < N; i++) {
            w[0][i] = w[1][i] = draw(1, (uint32_t)i);
            dw[i] = draw(2, (uint32_t)i);
        }
        ohmi_update_weights(w[0], v[0], kind ? s[0] : NULL, dw, N, &rule);
        for (int i = 0; i < N; i += 5) {
            const int n = N - i < 5 ? N - i : 5;
            ohmi_update_weights(w[1] + i, v[1] + i, kind ? s[1] + i : NULL, dw + i, n, &rule);
        }
        assert_memory_equal(w[0], w[1], sizeof w[0]);
        assert_memory_equal(v[0], v[1], sizeof v[0]);
    }
}

static void near(double a, double b) {
    assert_true(fabs(a - b) <= 1e-12);
}

// XST's and CPG's: 100 epochs, weights at 50 and 80 by 0.1, masks at 50 by 0.2 and frozen from 70
static void schedules_at_their_corners(void **state) {
    (void)state;
    ohmi_config c = {0};
    c.train.schedule = OHMI_SCHEDULE_STEP;
    c.train.gamma = 0.1;
    c.train.milestones = (ohmi_numbers){.v = {0.5, 0.8}, .n = 2};
    c.train.mask_gamma = 0.2;
    c.train.mask_milestones = (ohmi_numbers){.v = {0.5}, .n = 1};
    c.train.mask_until = 0.7;
    static const struct {
        double epoch, weights, masks;
    } rows[] = {{0, 1, 1},    {49.999, 1, 1},  {50, 0.1, 0.2}, {69.99, 0.1, 0.2},
                {70, 0.1, 0}, {79.99, 0.1, 0}, {80, 0.01, 0},  {99.9, 0.01, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        near(ohmi_schedule_factor(&c, rows[i].epoch, 100), rows[i].weights);
        near(ohmi_mask_factor(&c, rows[i].epoch, 100), rows[i].masks);
    }
    // short runs: milestones on the nearest epoch
    near(ohmi_schedule_factor(&c, 1.9, 5), 1);
    near(ohmi_schedule_factor(&c, 2.0, 5), 0.1);
    near(ohmi_schedule_factor(&c, 4.0, 5), 0.01);

    c.train.schedule = OHMI_SCHEDULE_COSINE;
    near(ohmi_schedule_factor(&c, 0, 40), 1);
    near(ohmi_schedule_factor(&c, 20, 40), 0.5);
    near(ohmi_schedule_factor(&c, 40, 40), 0);
    c.train.schedule = OHMI_SCHEDULE_CONSTANT;
    near(ohmi_schedule_factor(&c, 39, 40), 1);

    // masks have a schedule of their own
    c.train.mask_until = 1;
    c.train.mask_schedule = OHMI_SCHEDULE_COSINE;
    near(ohmi_mask_factor(&c, 0, 40), 1);
    near(ohmi_mask_factor(&c, 20, 40), 0.5);
    c.train.mask_schedule = OHMI_SCHEDULE_CONSTANT;
    near(ohmi_mask_factor(&c, 39, 40), 1);
    c.train.mask_schedule = OHMI_SCHEDULE_STEP;

    // warm-up rises to one and is over at its end
    c.train.warmup = 4;
    double before = 0;
    for (double epoch = 0; epoch < 4; epoch += 0.25) {
        const double factor = ohmi_schedule_factor(&c, epoch, 40);
        assert_true(factor > before && factor <= 1.001 && fabs(factor - epoch / 4) < 0.001);
        before = factor;
    }
    near(ohmi_schedule_factor(&c, 4, 40), 1);
    c.train.mask_until = 1;
    near(ohmi_mask_factor(&c, 39.9, 40), 0.2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_follow_the_formulas),
        cmocka_unit_test(a_step_does_not_depend_on_its_neighbours),
        cmocka_unit_test(schedules_at_their_corners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
