// SPDX-License-Identifier: Apache-2.0
// Tasks on a backbone: copies of PEs written over its arrays against a chip kept cell by cell, and
// in arrays of their own; the backbone's own programming; what masks of shifts cost.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "learn/account.h"
#include "unit/hardware/followed_chip.h"

static const char *const methods[] = {"finetune", "xma2", "xma", "piggyback"};

// a backbone and one run of each method on it
static int set_up(void **state) {
    if (priced_begin(state) != 0 ||
        !priced_learn("backbone", "xst", (const char *const[]){"data.tasks", "1", NULL})) {
        return 1;
    }
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        const char *const more[] = {"method.backbone", scratch_path("backbone"),
                                    "method.choose_ratio", "0.3", NULL};
        if (!priced_learn(methods[m], methods[m], more)) {
            return 1;
        }
    }
    return 0;
}

static void test_chip(void **state) {
    (void)state;
    static const int steps[] = {-1, 0, 1, 2, 1, 0, 2, 1};
    static const char *const gated[] = {"program.backbone", "true", NULL};
    static const char *const reset[] = {"program.backbone", "true", "program.off", "reset", NULL};
    static const char *const others[] = {"program.backbone", "true",      "cell.sign",
                                         "differential",     "cell.bits", "1",
                                         "array.columns",    "26",        NULL};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        followed_chip(methods[m], steps, 8, "2,1,3,2", gated);
        followed_chip(methods[m], steps, 8, "2,1,3,2", reset);
        followed_chip(methods[m], steps, 8, "2,1,3,2", others);
    }
}

// cells of a task's copies that are not at level 0, with their arrays' offset columns
static int64_t cells_of_copies(const ohm_cost *cost, int t) {
    int64_t n = 0;
    for (int l = 0; l < cost->opened.learner->network->n_layers; l++) {
        const ohmi_placed *place = cost->work->place;
        const ohmi_placed_layer *layer = &place->layers[l];
        float *w = step_codes(cost, l, t);
        uint8_t *level = malloc((size_t)(place->def.rows * place->def.columns));
        assert_non_null(level);
        for (int64_t a = 0; a < layer->n_arrays; a++) {
            const ohmi_place_array at = ohmi_place_array_at(place, layer->first_array + a);
            const int64_t pe = at.block * layer->layout.n_groups + at.g;
            if (cost->opened.learner->learned[t].chosen[l][pe / 8] >> (pe % 8) & 1) {
                ohmi_place_levels(level, place, layer->first_array + a, w);
                for (int64_t i = 0; i < place->def.rows * place->def.columns; i++) {
                    n += level[i] > 0;
                }
            }
        }
        free(level);
        free(w);
    }
    return n;
}

static void test_own_arrays(void **state) {
    (void)state;
    static const char *const own[] = {"program.copies", "arrays", NULL};
    for (int m = 0; m < 2; m++) {
        ohm_cost *cost = priced_open(methods[m], 0), *shared = priced_open(methods[m], 0);
        ohm_bill *bill = priced_bill(cost, "xst-32nm", "1-3x1000", own);
        ohm_bill *other = priced_bill(shared, "xst-32nm", "1-3x1000", NULL);
        int64_t heads = 0, n_all = 0;
        const ohmi_moves *moves = &cost->moves;

        // heads take what they take with copies in the backbone's arrays
        for (int t = 0; t < 3; t++) {
            int64_t copies = cells_of_copies(cost, t), n_pes = 0;
            assert_true(copies > 0);
            assert_int_equal(bill->steps[t].cells_reset, 0);
            heads = bill->steps[t].cells_set - copies;
            n_all += bill->steps[t].cells_set;
            for (int l = 0; l < cost->opened.learner->network->n_layers; l++) {
                for (int64_t p = 0; p < cost->opened.learner->units[l].pes.n_units; p++) {
                    n_pes += cost->opened.learner->learned[t].chosen[l][p / 8] >> (p % 8) & 1;
                }
            }
            assert_true(heads > 0 && n_pes > 0);
            // inference is the same work, on as many arrays, and each copy is written once
            const double a_j = ohmi_price_total_j(&bill->tasks[t]) -
                               bill->tasks[t].energy_j[OHMI_LEAKAGE],
                         b_j = ohmi_price_total_j(&other->tasks[t]) -
                               other->tasks[t].energy_j[OHMI_LEAKAGE];
            const double wires_j = bill->tasks[t].energy_j[OHMI_PART_INTERCONNECT] -
                                   other->tasks[t].energy_j[OHMI_PART_INTERCONNECT];
            assert_true(fabs(a_j - wires_j - b_j) <= 1e-9 * b_j);
        }
        assert_int_equal(bill->area.arrays - other->area.arrays, cost->work->n_copied);
        assert_true(bill->area.total_m2 > other->area.total_m2);
        assert_int_equal(moves->n_arrays, bill->area.arrays);
        // switching is free here and not there
        assert_true(moves->most_switch <= 0 && shared->moves.most_switch > 0);
        assert_int_equal(moves->classes[1], n_all);
        for (int s = moves->n_learned; s < moves->n_steps; s++) {
            assert_int_equal(bill->steps[s].cells_set + bill->steps[s].cells_reset, 0);
            assert_true(other->steps[s].cells_set > 0 && other->steps[s].cells_reset > 0);
        }
        assert_true(isinf(ohmi_ledger_lifetime_s(moves, 1e6, 3600)));
        assert_true(isfinite(ohmi_ledger_lifetime_s(&shared->moves, 1e6, 3600)));
        ohm_bill_free(&bill);
        ohm_bill_free(&other);

        // arrays of another shape are no PEs
        ohm_error err = {0};
        ohm_hardware *hardware =
            priced_hardware("xst-32nm", (const char *const[]){"program.copies", "arrays",
                                                              "array.columns", "26", NULL});
        assert_int_equal(ohm_bill_new(&bill, cost, hardware, NULL, &err), OHM_ERR_UNSUPPORTED);
        assert_null(bill);
        ohm_hardware_free(&hardware);
        ohm_cost_free(&cost);
        ohm_cost_free(&shared);
    }
}

// the backbone's own programming: once, and nothing else changes
static void test_backbone(void **state) {
    (void)state;
    static const char *const counted[] = {"program.backbone", "true", NULL};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        ohm_cost *cost = priced_open(methods[m], 0);
        ohm_bill *bill = priced_bill(cost, "xst-32nm", NULL, NULL);
        ohmi_ledger_step plain[3];
        memcpy(plain, bill->steps, sizeof plain);
        assert_int_equal(cost->moves.first_task, 0);
        ohm_bill_free(&bill);
        bill = priced_bill(cost, "xst-32nm", NULL, counted);
        assert_int_equal(cost->moves.first_task, 1);
        assert_int_equal(cost->moves.n_learned, 4);
        assert_true(bill->steps[0].cells_set > 0 && bill->steps[0].cells_reset == 0);
        for (int t = 0; t < 3; t++) {
            assert_int_equal(bill->steps[t + 1].cells_reset, plain[t].cells_reset);
            assert_int_equal(bill->steps[t + 1].pulses_reset, plain[t].pulses_reset);
            assert_int_equal(bill->steps[t + 1].cells_set, plain[t].cells_set);
        }
        ohm_bill_free(&bill);
        ohm_cost_free(&cost);
    }
    // a run from scratch has none
    ohm_cost *cost = priced_open("xst", 0);
    ohm_bill *bill = priced_bill(cost, "xst-32nm", NULL, counted);
    assert_int_equal(cost->moves.first_task, 0);
    ohm_bill_free(&bill);
    ohm_cost_free(&cost);
}

// a mask of two bits, an addition for each level that shifts, wider sums: and nothing else
static void test_shifts(void **state) {
    (void)state;
    ohm_cost *cost = priced_open("xma", 0);
    ohm_bill *bill = priced_bill(cost, "xst-32nm", NULL, NULL);
    const ohmi_workload *work = cost->work;
    const ohmi_learner *learner = cost->opened.learner;
    const ohmi_hardware *h = &bill->hardware;
    int64_t n_shifted = 0;
    assert_int_equal(learner->levels.bits, 2);
    for (int t = 0; t < 3; t++) {
        for (int l = 0; l < work->n_layers; l++) {
            const ohmi_placed_layer *layer = &work->place->layers[l];
            const ohmi_count *n = &work->tasks[t].count[l];
            int64_t shifts = 0;
            for (int64_t u = 0; !layer->is_head && u < layer->layout.n_units; u++) {
                const int code = ohmi_levels_code(&learner->levels, learner->learned[t].bits[l], u);
                const double level = (double)learner->levels.value[code];
                shifts += level > 1.5 || (level > 0 && level < 0.75);
            }
            n_shifted += shifts;
            assert_int_equal(n->shifts, shifts);

            // beside the same layer with levels of one bit
            ohmi_price with, without;
            ohmi_count plain = *n;
            ohmi_learner two = *learner;
            ohmi_workload masks = *work;
            plain.shifts = 0;
            two.levels.bits = 1;
            two.levels.n = 2;
            masks.learner = &two;
            ohmi_price_layer(&with, work, l, n, h, &bill->area);
            ohmi_price_layer(&without, &masks, l, &plain, h, &bill->area);
            const double vectors = (double)work->layers[l].vectors;
            const double shift_j =
                (double)shifts * vectors * h->part[OHMI_PART_SHIFT_WEIGHT].energy_j;
            double adders = 0;
            for (int stage = 0; stage < OHMI_MOST_STAGES; stage++) {
                adders += (double)n->adders[stage];
            }
            const double wide_j =
                layer->is_head ? 0 : 2 * adders * vectors * h->part[OHMI_PART_ADDER].energy_j;
            for (int p = 0; p < OHMI_LEAKAGE; p++) {
                const double more = with.energy_j[p] - without.energy_j[p];
                const double expected = p == OHMI_PART_SHIFT_WEIGHT ? shift_j
                                        : p == OHMI_PART_ADDER      ? wide_j
                                        : p == OHMI_PART_MASK       ? without.energy_j[p]
                                                                    : 0;
                assert_true(fabs(more - expected) <= 1e-9 * with.energy_j[p] + 1e-24);
            }
        }
    }
    assert_true(n_shifted > 0);
    ohm_bill_free(&bill);
    ohm_cost_free(&cost);
}

// what a bill says of methods with copies
static void test_said(void **state) {
    (void)state;
    ohm_cost *cost = priced_open("finetune", 8);
    ohm_bill *bill = priced_bill(cost, "xst-32nm", NULL, NULL);
    json_t *tree = ohmi_bill_tree(bill);
    // all is copied: no mask, all columns on
    assert_true(json_number_value(json_object_get(tree, "mask_bytes")) <= 0);
    assert_true(json_is_null(json_object_get(tree, "programming_backbone")));
    assert_int_equal(json_integer_value(json_object_get(tree, "pes_copied")), cost->work->n_copied);
    const double less = json_number_value(json_object_get(tree, "mean_times_less_than_all_on"));
    assert_true(fabs(less - 1) < 0.05);
    json_decref(tree);
    ohm_bill_free(&bill);
    ohm_cost_free(&cost);

    cost = priced_open("xma2", 0);
    bill = priced_bill(cost, "xst-32nm", NULL,
                       (const char *const[]){"program.backbone", "true", NULL});
    tree = ohmi_bill_tree(bill);
    const json_t *backbone = json_object_get(tree, "programming_backbone");
    assert_string_equal(json_string_value(json_object_get(backbone, "name")), "backbone");
    assert_int_equal(json_array_size(json_object_get(tree, "programming")), 3);
    double bytes = 0;
    for (int t = 0; t < 3; t++) {
        bytes += (double)ohmi_account_of(cost->opened.learner, t).mask_bytes / 3;
    }
    assert_true(fabs(json_number_value(json_object_get(tree, "mask_bytes")) - bytes) < 1e-6);
    json_decref(tree);
    ohm_bill_free(&bill);
    ohm_cost_free(&cost);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chip),     cmocka_unit_test(test_own_arrays),
        cmocka_unit_test(test_backbone), cmocka_unit_test(test_shifts),
        cmocka_unit_test(test_said),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_end);
}
