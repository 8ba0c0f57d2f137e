// SPDX-License-Identifier: Apache-2.0
// Pulses that are not ideal against their equations and statistics; draws that do not depend on
// each other; thresholds by ratio and by budget.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "insitu/chip.h"
#include "insitu/price.h"
#include "insitu/pulses.h"
#include "unit/learn/tiny_learning.h"

enum { N = 4000 };

// cells of 2 bits, 4-bit codes with an offset, all weights at code
static ohmi_pulses *make(ohm_config *config, int code) {
    static float held[N];
    uint8_t own[N] = {0};
    ohmi_pulses *pulses = NULL;
    ohmi_placed *place = NULL;
    ohmi_place_layer layer = {
        .name = "test", .k = N, .c = 1, .r = 1, .s = 1, .weight_top = 7, .own = own};
    const ohmi_place_def def = {
        .rows = 8, .columns = 16, .cell_bits = 2, .coding = OHMI_CODING_OFFSET_DIGITAL};
    assert_int_equal(ohmi_layout_cut(&layer.layout, N, 1, 1, 1, 8, OHMI_UNIT_COLUMN, NULL), OHM_OK);
    assert_int_equal(ohmi_place_new(&place, &layer, 1, &def, NULL), OHM_OK);
    for (int i = 0; i < N; i++) {
        held[i] = (float)code;
    }
    assert_int_equal(ohmi_pulses_new(&pulses, ohmi_config_values(config), 3, &place->layers[0], 2,
                                     held, N, NULL),
                     OHM_OK);
    ohmi_place_free(&place);
    return pulses;
}

static void straight_pulses_arrive(void **state) {
    (void)state;
    ohm_config *config = tiny_config(NULL);
    assert_false(ohmi_pulses_are_wanted(ohmi_config_values(config)));
    ohmi_pulses *p = make(config, -7); // u = 0: both digits at 0
    for (int n = -3; n <= 3; n++) {
        for (int64_t d = 0; d < 2; d++) {
            ohmi_pulses_give(p, 5, d, 3, 0);
            ohmi_pulses_give(p, 5, d, n, 1);
            assert_true(fabsf(p->level[10 + d] - (float)(n < 0 ? 3 + n : 3)) < 1e-5f);
            ohmi_pulses_give(p, 5, d, -3, 2);
        }
    }
    ohmi_pulses_give(p, 6, 0, 2, 0);
    ohmi_pulses_give(p, 6, 1, 3, 0);
    ohmi_pulses_settle(p, 6);
    assert_true(fabsf(p->value[6] - 7) < 1e-5f); // 2 + 4 x 3 - 7
    ohmi_pulses_free(&p);
    ohm_config_free(&config);
}

// a curve goes through both ends, lies above the line where the bend is positive, and one pulse
// after another is as many at once
static void curves_are_as_written(void **state) {
    (void)state;
    const char *const more[] = {"insitu.curve_up", "2", "insitu.curve_down", "-1", NULL};
    ohm_config *config = tiny_config(more);
    assert_true(ohmi_pulses_are_wanted(ohmi_config_values(config)));
    ohmi_pulses *p = make(config, -7);
    for (int n = 1; n <= 3; n++) {
        ohmi_pulses_give(p, 0, 0, 1, (uint32_t)n);
        ohmi_pulses_give(p, n, 0, n, 0);
        const double y = (1 - exp(-2.0 * n / 3)) / (1 - exp(-2.0));
        assert_true(fabs((double)p->level[0] - 3 * y) < 1e-5);
        assert_true(fabs((double)p->level[(size_t)(2 * n)] - 3 * y) < 1e-5);
    }
    for (int n = 1; n <= 3; n++) {
        ohmi_pulses_give(p, 0, 0, -1, (uint32_t)(3 + n));
        const double y = 1 - (1 - exp(1.0 * n / 3)) / (1 - exp(1.0));
        assert_true(fabs((double)p->level[0] - 3 * y) < 1e-5);
    }
    ohmi_pulses_free(&p);
    ohm_config_free(&config);
}

static void noise_has_its_deviation(void **state) {
    (void)state;
    const char *const more[] = {"insitu.pulse_noise", "0.1", NULL};
    const char *const both[] = {
        "insitu.pulse_noise", "0.1", "fault.stuck_on", "0.1", "fault.stuck_off", "0.05", NULL};
    ohm_config *config = tiny_config(more), *faulty = tiny_config(both);
    ohmi_pulses *p = make(config, -7), *q = make(faulty, -7);
    double sum = 0, square = 0, on = 0, off = 0;
    for (int64_t i = 0; i < N; i++) {
        ohmi_pulses_give(p, i, 0, 2, 8);
        ohmi_pulses_give(q, i, 0, 2, 8);
        const double v = (double)p->level[2 * i] - 2;
        sum += v;
        square += v * v;

        // what else is on does not change a draw
        const float w = q->level[2 * i];
        on += w >= 3;
        off += w <= 0;
        assert_true(w >= 3 || w <= 0 || w == p->level[2 * i]);
    }
    assert_true(fabs(sum / N) < 5 * 0.1414 / sqrt(N));
    assert_true(fabs(sqrt(square / N) / (0.1 * sqrt(2)) - 1) < 0.05);
    assert_true(fabs(on / N - 0.1) < 0.02 && fabs(off / N - 0.05) < 0.015);
    ohmi_pulses_free(&p);
    ohmi_pulses_free(&q);
    ohm_config_free(&config);
    ohm_config_free(&faulty);
}

// a task learned with a rider
static void train(ohmi_insitu_chip *chip, ohmi_insitu_price *price, const char *const *more) {
    ohm_error err = {0};
    tiny_learning l;
    memset(chip, 0, sizeof *chip);
    const ohmi_rider rider = ohmi_insitu_rider(chip);
    tiny_begin(&l, more);
    if (rider.begin(chip, l.learner, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    l.learner->rider = &rider;
    tiny_learn(&l, 0, NULL, NULL, NULL);
    chip->state[OHMI_CHIP_EPOCHS] = l.learner->learned[0].epochs;
    ohmi_insitu_price_of(price, chip, l.values);
    if (chip->cells[0]->pulses) {
        // what is measured is what cells are worth
        float off = 0;
        for (int64_t i = 0; i < chip->cells[1]->pulses->n_weights; i++) {
            off += fabsf(chip->cells[1]->pulses->value[i] - chip->cells[1]->held[i]);
        }
        assert_true(off > 0);
        assert_ptr_equal(l.learner->units[1].cells, chip->cells[1]->pulses->value);
    }
    tiny_end(&l);
}

static void effects_go_through_training(void **state) {
    (void)state;
    ohmi_insitu_chip chip;
    ohmi_insitu_price price;
    const char *const more[] = {"insitu.pulse_noise",
                                "0.1",
                                "insitu.curve_up",
                                "1",
                                "insitu.curve_spread",
                                "0.2",
                                "fault.stuck_off",
                                "0.01",
                                NULL};
    train(&chip, &price, more);
    ohmi_insitu_chip_clear(&chip);
}

static void ratios_leave_out_what_they_say(void **state) {
    (void)state;
    ohmi_insitu_chip chip;
    ohmi_insitu_price price;
    const char *const more[] = {"insitu.error_ratio", "0.6", "insitu.every", "1", NULL};
    train(&chip, &price, more);
    for (int i = 0; i < chip.n_layers; i++) {
        const ohmi_insitu_counts *n = &chip.counts[i];
        const double left = n->rows_left / (n->rows_left + n->rows_kept);
        assert_true(left > 0.45 && left < 0.65);
    }
    ohmi_insitu_chip_clear(&chip);
}

static double writes_of(const ohmi_insitu_price *price) {
    double sum = 0;
    for (int class = 0; class < OHMI_N_CLASSES; class ++) {
        sum += price->all.writes[class];
    }
    return sum / price->images;
}

// budgets of half of what is spent without, all three kinds
static void budgets_are_met(void **state) {
    (void)state;
    static const char *const kinds[] = {"energy", "writes", "lifetime"};
    ohmi_insitu_chip chip;
    ohmi_insitu_price free_run, price;
    const char *const base[] = {"insitu.error", "0", "train.epochs", "8", "insitu.rows",
                                "rotate",       NULL};
    train(&chip, &free_run, base);
    ohmi_insitu_chip_clear(&chip);
    for (int kind = 0; kind < 3; kind++) {
        char value[64];
        const double wanted = kind == 0   ? 0.6 * free_run.energy_j / free_run.images
                              : kind == 1 ? 0.6 * writes_of(&free_run)
                                          : free_run.lifetime_epochs / 0.6;
        (void)snprintf(value, sizeof value, "%.17g", wanted);
        const char *const more[] = {"insitu.error",
                                    "0",
                                    "train.epochs",
                                    "8",
                                    "insitu.rows",
                                    "rotate",
                                    "insitu.budget",
                                    kinds[kind],
                                    "insitu.budget_value",
                                    value,
                                    "insitu.every",
                                    "2",
                                    NULL};
        train(&chip, &price, more);
        const double found = kind == 0   ? price.energy_j / price.images
                             : kind == 1 ? writes_of(&price)
                                         : price.lifetime_epochs;
        assert_true(found / wanted > 0.8 && found / wanted < 1.25);
        assert_true(chip.state[OHMI_CHIP_KEEP] < 0.9);
        ohmi_insitu_chip_clear(&chip);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(straight_pulses_arrive),
        cmocka_unit_test(curves_are_as_written),
        cmocka_unit_test(noise_has_its_deviation),
        cmocka_unit_test(effects_go_through_training),
        cmocka_unit_test(ratios_leave_out_what_they_say),
        cmocka_unit_test(budgets_are_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
