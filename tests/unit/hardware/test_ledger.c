// SPDX-License-Identifier: Apache-2.0
// The ledger of programming: against chips kept cell by cell; published energies; what no switch
// may cost; sequences and what is wrong with them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "unit/hardware/followed_chip.h"

static void test_chip(void **state) {
    (void)state;
    static const int steps[] = {0, 1, 2, 1, 0, 2, 1};
    static const char *const reset[] = {"program.off", "reset", NULL};
    static const char *const pairs[] = {"cell.sign",     "differential", "cell.bits", "1",
                                        "array.columns", "26",           NULL};
    followed_chip("xst", steps, 7, "2,1,3,2", NULL);
    followed_chip("xst", steps, 7, "2,1,3,2", reset);
    followed_chip("xst-element", steps, 7, "2,1,3,2", NULL);
    followed_chip("xst-element", steps, 7, "2,1,3,2", reset);
    followed_chip("xst-element", steps, 7, "2,1,3,2", pairs);
}

// a repeated cycle is its passes one by one
static void test_cycles(void **state) {
    (void)state;
    static const char *const sets[][3] = {{"program.off", "reset", NULL}, {NULL}};
    for (int i = 0; i < 2; i++) {
        double energy_j[2] = {0}, most[2], mean[2];
        ohm_cost *cost = priced_open("xst-element", 0);
        for (int way = 0; way < 2; way++) {
            ohm_bill *bill =
                priced_bill(cost, "xst-32nm", way ? "1,3,2,1,3,2,1,3,2,1,3,2" : "1,3,2x4", sets[i]);
            for (int s = cost->moves.n_learned; s < cost->moves.n_steps; s++) {
                energy_j[way] += cost->moves.steps[s].repeats *
                                 ohmi_ledger_total_j(&bill->steps[s], &bill->hardware);
            }
            most[way] = cost->moves.most_switch;
            mean[way] = cost->moves.mean_switch;
            ohm_bill_free(&bill);
        }
        assert_true(energy_j[0] > 0 && fabs(energy_j[0] - energy_j[1]) <= 1e-9 * energy_j[0]);
        assert_true(fabs(most[0] - most[1]) < 1e-9 && fabs(mean[0] - mean[1]) < 1e-9);
        ohm_cost_free(&cost);
    }
}

// 1.6 V, 50 ns, 128 pulses between 1 and 10 uS: 90 pJ for the whole range, 30 pJ for a third of it
static void test_energies(void **state) {
    (void)state;
    ohm_hardware *hardware = priced_hardware("xst-32nm", NULL);
    const ohmi_hardware *h = &hardware->values;
    const double whole_j =
        (double)ohmi_ledger_pulses(h, 0, 3) * ohmi_ledger_pulse_j(h, 0, 3, OHMI_MEAN_CONDUCTANCE);
    assert_int_equal(ohmi_ledger_pulses(h, 0, 3), 128);
    assert_int_equal(ohmi_ledger_pulses(h, 3, 2), 43); // 128 / 3, rounded up
    assert_int_equal(ohmi_ledger_pulses(h, 2, 2), 0);
    assert_true(fabs(whole_j - 1.6 * 1.6 * 5.5e-6 * 50e-9 * 128) <= 1e-9 * whole_j);
    const double third_j =
        (double)ohmi_ledger_pulses(h, 1, 2) * ohmi_ledger_pulse_j(h, 1, 2, OHMI_MEAN_CONDUCTANCE);
    assert_true(third_j > 29e-12 && third_j < 31e-12);
    // the mean of the resistances lies below the mean of the conductances: 2 / (1 MOhm + 100 kOhm)
    const double harmonic_j = ohmi_ledger_pulse_j(h, 0, 3, OHMI_MEAN_RESISTANCE);
    assert_true(fabs(harmonic_j - 1.6 * 1.6 * 50e-9 * 2 / 1.1e6) <= 1e-9 * harmonic_j);
    ohm_hardware_free(&hardware);
}

// columns: nothing is ever reset, switching is free, each cell is written once at most
static void test_columns(void **state) {
    (void)state;
    ohm_cost *cost = priced_open("xst", 0);
    ohm_bill *bill = priced_bill(cost, "xst-32nm", "1-3x1000000", NULL);
    const ohmi_moves *moves = &cost->moves;
    int64_t written = 0;
    for (int s = 0; s < moves->n_steps; s++) {
        assert_int_equal(bill->steps[s].cells_reset, 0);
        assert_true(bill->steps[s].reset_j[0] <= 0 && bill->steps[s].reset_j[1] <= 0);
        assert_true((bill->steps[s].cells_set == 0) == (s >= moves->n_learned));
        written += bill->steps[s].cells_set;
    }
    assert_true(moves->most_learned >= 1 && moves->most_learned <= 1);
    assert_true(moves->most_switch <= 0);
    assert_int_equal(moves->classes[1], written);
    assert_int_equal(moves->classes[0] + moves->classes[1], moves->cells);
    assert_true(isinf(ohmi_ledger_lifetime_s(moves, 1e6, 3600)));
    ohm_bill_free(&bill);

    // verification, fewer arrays at a time and longer lines only add
    bill = priced_bill(cost, "xst-32nm", NULL, NULL);
    const ohmi_ledger_step plain = bill->steps[0];
    ohm_bill_free(&bill);
    bill = priced_bill(
        cost, "xst-32nm", NULL,
        (const char *const[]){"program.verify", "true", "program.arrays_at_once", "1", NULL});
    assert_true(bill->steps[0].verify_j > 0 && plain.verify_j <= 0);
    assert_true(bill->steps[0].time_s > plain.time_s);
    assert_true(fabs(bill->steps[0].set_j[0] - plain.set_j[0]) <= 1e-12 * plain.set_j[0]);
    ohm_bill_free(&bill);
    ohm_cost_free(&cost);
}

static void test_lifetime(void **state) {
    (void)state;
    ohmi_moves moves = {.most_learned = 10, .most_switch = 30, .n_switches = 60};
    assert_true(fabs(ohmi_ledger_lifetime_s(&moves, 1010, 2) - 1000 / 0.5 * 2) < 1e-9);
    assert_true(ohmi_ledger_lifetime_s(&moves, 10, 2) <= 0);
    moves.most_switch = 0;
    assert_true(isinf(ohmi_ledger_lifetime_s(&moves, 1010, 2)));
}

static void test_sequences(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int n, first, last;
        double repeats;
    } good[] = {{"1", 1, 0, 0, 1},
                {"3,1", 2, 2, 0, 1},
                {"1-3", 3, 0, 2, 1},
                {"3-1x10", 3, 2, 0, 10},
                {"2,1-3,1x1000000000", 5, 1, 0, 1e9}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ohmi_switches s;
        ohm_error err = {0};
        assert_int_equal(ohmi_switches_read(&s, good[i].text, 3, &err), OHM_OK);
        assert_int_equal(s.n, good[i].n);
        assert_int_equal(s.task[0], good[i].first);
        assert_int_equal(s.task[s.n - 1], good[i].last);
        assert_true(s.repeats >= good[i].repeats && s.repeats <= good[i].repeats);
        ohmi_switches_clear(&s);
    }
    static const char *const bad[] = {"",
                                      "0",
                                      "4",
                                      "1,",
                                      "1-",
                                      "1-4",
                                      "a",
                                      "x3",
                                      "1x0",
                                      "1x",
                                      "1 2",
                                      "1,,2",
                                      "-1",
                                      "1x2x3",
                                      "1x9999999999",
                                      "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ohmi_switches s;
        ohm_error err = {0};
        if (ohmi_switches_read(&s, bad[i], 3, &err) != OHM_ERR_ARGUMENT) {
            fail_msg("'%s' was read", bad[i]);
        }
        ohmi_switches_clear(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chip),     cmocka_unit_test(test_cycles),
        cmocka_unit_test(test_energies), cmocka_unit_test(test_columns),
        cmocka_unit_test(test_lifetime), cmocka_unit_test(test_sequences),
    };
    return cmocka_run_group_tests(tests, priced_begin, scratch_end);
}
