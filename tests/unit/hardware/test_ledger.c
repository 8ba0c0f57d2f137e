// SPDX-License-Identifier: Apache-2.0
// The ledger of programming: against chips kept cell by cell; published energies; what no switch
// may cost; sequences and what is wrong with them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "unit/hardware/priced_run.h"

// A chip as it is: the level of every cell, and how often it was written.
typedef struct {
    uint8_t *level; // (n_arrays, rows, columns)
    int64_t *writes;
    int64_t set, reset, up, down, arrays_written;
    int64_t set_pulses, reset_pulses, row_pulses;
    double longest_s;
} chip;

static int64_t pulses_of(int levels, int top) {
    return (128 * levels + top - 1) / top; // 128 pulses over the whole range, rounded up
}

// brings every cell of one array to where task t wants it
static void program_array(chip *c, const ohm_cost *cost, int64_t array, int t, const float *w,
                          bool is_reset) {
    const ohmi_placed *place = cost->work->place;
    const ohmi_place_array at = ohmi_place_array_at(place, array);
    const ohmi_placed_layer *layer = &place->layers[at.layer];
    const int64_t rows = place->def.rows, columns = place->def.columns;
    const int top = (1 << place->def.cell_bits) - 1;
    uint8_t *wanted = malloc((size_t)(rows * columns)), select[64];
    uint8_t *cells = c->level + array * rows * columns;
    int64_t *writes = c->writes + array * rows * columns;
    bool has_column = false, has_changed = false;
    double seconds = 0;
    assert_non_null(wanted);
    ohmi_place_levels(wanted, place, array, w);
    ohmi_place_select(select, place, array, cost->work->tasks[t].on[at.layer]);
    for (int64_t line = layer->reserved; line < columns; line++) {
        has_column = has_column || (select[line / 8] >> (line % 8) & 1);
    }
    for (int64_t row = 0; row < at.n_rows; row++) {
        int64_t longest[2] = {0};
        for (int64_t line = 0; line < at.n_lines; line++) {
            uint8_t *cell = &cells[row * columns + line];
            const bool is_offset = line < layer->reserved;
            const bool is_on = is_offset ? has_column : select[line / 8] >> (line % 8) & 1;
            int next = *cell;
            if (is_on) {
                next = wanted[row * columns + line];
            } else if (is_reset && !is_offset) {
                next = 0;
            }
            const int change = next - *cell;
            const int64_t n = pulses_of(abs(change), top);
            c->set += change > 0;
            c->reset += change < 0;
            c->up += change > 0 ? change : 0;
            c->down += change < 0 ? -change : 0;
            c->set_pulses += change > 0 ? n : 0;
            c->reset_pulses += change < 0 ? n : 0;
            longest[change < 0] = n > longest[change < 0] ? n : longest[change < 0];
            writes[row * columns + line] += change != 0;
            has_changed = has_changed || change != 0;
            *cell = (uint8_t)next;
        }
        c->row_pulses += longest[0] + longest[1];
        seconds += 50e-9 * (double)(longest[0] + longest[1]);
    }
    c->arrays_written += has_changed;
    c->longest_s = seconds > c->longest_s ? seconds : c->longest_s;
    free(wanted);
}

// steps of a bill against the chip
static void follow(const char *run, const int *tasks, int n_steps, const char *switches,
                   const char *const *more) {
    ohm_cost *cost = priced_open(run, 0);
    ohm_bill *bill = priced_bill(cost, "xst-32nm", switches, more);
    const ohmi_workload *work = cost->work;
    const size_t n_cells =
        (size_t)(work->place->n_arrays * work->place->def.rows * work->place->def.columns);
    chip c = {.level = calloc(n_cells, 1), .writes = calloc(n_cells, sizeof *c.writes)};
    const bool is_reset = bill->hardware.program.off == OHMI_OFF_RESET;
    assert_true(c.level && c.writes);
    assert_true(cost->moves.n_steps >= n_steps);
    for (int s = 0; s < n_steps; s++) {
        const ohmi_ledger_step *step = &bill->steps[s];
        c.set = c.reset = c.up = c.down = c.arrays_written = 0;
        c.set_pulses = c.reset_pulses = c.row_pulses = 0;
        c.longest_s = 0;
        for (int l = 0; l < work->n_layers; l++) {
            const ohmi_placed_layer *layer = &work->place->layers[l];
            const int64_t n = layer->k * layer->layout.run;
            int8_t *codes = malloc((size_t)n);
            float *w = malloc((size_t)n * sizeof *w);
            assert_true(codes && w);
            ohmi_workload_codes(codes, work, l, tasks[s]);
            for (int64_t i = 0; i < n; i++) {
                w[i] = (float)codes[i];
            }
            for (int64_t a = 0; a < layer->n_arrays; a++) {
                program_array(&c, cost, layer->first_array + a, tasks[s], w, is_reset);
            }
            free(codes);
            free(w);
        }
        assert_int_equal(cost->moves.steps[s].task, tasks[s]);
        assert_int_equal(step->cells_set, c.set);
        assert_int_equal(step->cells_reset, c.reset);
        assert_int_equal(step->levels_up, c.up);
        assert_int_equal(step->levels_down, c.down);
        assert_int_equal(step->pulses_set, c.set_pulses);
        assert_int_equal(step->pulses_reset, c.reset_pulses);
        assert_int_equal(step->row_pulses, c.row_pulses);
        assert_int_equal(cost->moves.steps[s].arrays_written, c.arrays_written);
        assert_true(fabs(step->time_s - c.longest_s) <= 1e-9 * c.longest_s);
    }
    int64_t most = 0, sum = 0;
    for (size_t i = 0; i < n_cells; i++) {
        most = c.writes[i] > most ? c.writes[i] : most;
        sum += c.writes[i];
    }
    // wear counts all steps once that are followed here
    if (n_steps == cost->moves.n_steps) {
        const double all = cost->moves.mean_learned + cost->moves.mean_switch;
        assert_true((double)most <= cost->moves.most_learned + cost->moves.most_switch);
        assert_true(fabs(all * (double)cost->moves.cells - (double)sum) < 0.5);
    }
    free(c.level);
    free(c.writes);
    ohm_bill_free(&bill);
    ohm_cost_free(&cost);
}

static void test_chip(void **state) {
    (void)state;
    static const int steps[] = {0, 1, 2, 1, 0, 2, 1};
    static const char *const reset[] = {"program.off", "reset", NULL};
    static const char *const pairs[] = {"cell.sign",     "differential", "cell.bits", "1",
                                        "array.columns", "26",           NULL};
    follow("xst", steps, 7, "2,1,3,2", NULL);
    follow("xst", steps, 7, "2,1,3,2", reset);
    follow("xst-element", steps, 7, "2,1,3,2", NULL);
    follow("xst-element", steps, 7, "2,1,3,2", reset);
    follow("xst-element", steps, 7, "2,1,3,2", pairs);
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
