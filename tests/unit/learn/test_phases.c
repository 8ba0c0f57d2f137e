// SPDX-License-Identifier: Apache-2.0
// Methods that train a task in phases: PackNet's pruning, CPG's rounds and their rules, what comes
// back after them; and that a run which is stopped inside of any phase ends as one that was not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "unit/learn/tiny_runs.h"

static int64_t n_owned(const ohmi_units *units, int owner) {
    int64_t n = 0;
    for (int64_t u = 0; u < units->layout.n_units; u++) {
        n += units->own[u] == owner;
    }
    return n;
}

static void the_curve_and_the_room_are_cpgs(void **state) {
    (void)state;
    // s = s_f + (s_i - s_f) (1 - p)^3
    assert_true(fabs(ohmi_prune_curve(0.1, 0.2, 0) - 0.1) < 1e-12);
    assert_true(fabs(ohmi_prune_curve(0.1, 0.2, 0.5) - 0.1875) < 1e-12);
    assert_true(fabs(ohmi_prune_curve(0.1, 0.2, 1) - 0.2) < 1e-12);
    // 1 - round(1 / (tasks left + 1), 1), a tenth at least being kept
    static const struct {
        int n_left;
        double room;
    } rows[] = {{0, 0}, {1, 0.5}, {2, 0.7}, {3, 0.8}, {9, 0.9}, {19, 0.9}, {100, 0.9}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(fabs(ohmi_prune_room(rows[i].n_left) - rows[i].room) < 1e-9);
    }
}

// PackNet: of what a task claims 60 % come back, the smallest; tasks are disjoint, use all earlier
// weights, and leave them as they are
static void packnet_gives_back_the_smallest(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        static const char *const kinds[3][5] = {
            {"method", "packnet", NULL},
            {"method", "packnet", "method.unit", "column", NULL},
            {"method", "packnet", "method.unit", "pe", NULL}};
        tiny_learning l;
        tiny_begin(&l, kinds[kind]);
        float *kept[16] = {NULL};
        int64_t n_free[16];
        for (int i = 0; i < l.learner->network->n_layers; i++) {
            n_free[i] = l.learner->units[i].layout.n_units;
        }
        for (int t = 0; t < TINY_TASKS; t++) {
            tiny_learn(&l, t, NULL, NULL, NULL);
            assert_int_equal((int)l.learner->learned[t].epochs, 4 + 1);
            for (int i = 0; i < l.learner->network->n_layers; i++) {
                const ohmi_units *units = &l.learner->units[i];
                const ohmi_layer *layer = &l.learner->network->layers[i];
                const int64_t n = n_owned(units, t + 1);
                const int64_t wanted = n_free[i] - llround(0.6 * (double)n_free[i]);
                assert_int_equal(n, n_free[i] == 0 ? 0 : wanted > 1 ? wanted : 1);
                n_free[i] -= n;
                assert_int_equal(n_owned(units, 0), n_free[i]);
                for (int64_t w = 0; w < layer->n_weights; w++) {
                    const int own = units->own[ohmi_layout_unit_at(&units->layout, w)];
                    // what is free is zero; what earlier tasks own is as they left it
                    assert_true(own != 0 || layer->w[w] == 0);
                    assert_true(t == 0 || own == 0 || own > t || layer->w[w] == kept[i][w]);
                }
                for (int64_t u = 0; u < units->layout.n_units; u++) {
                    assert_int_equal(
                        ohmi_levels_code(&l.learner->levels, l.learner->learned[t].bits[i], u),
                        units->own[u] != 0);
                }
                const size_t size = (size_t)layer->n_weights * sizeof(float);
                kept[i] = kept[i] ? kept[i] : malloc(size);
                assert_non_null(kept[i]);
                memcpy(kept[i], layer->w, size);
            }
        }
        for (int i = 0; i < 16; i++) {
            free(kept[i]);
        }
        tiny_end(&l);
    }
}

// one task of CPG walked through with training accuracies of our choice
typedef struct {
    const char *goal;
    double first, rounds[3];
    int n_rounds; // that are begun
    double ratio; // that is kept in the end
} script;

static void rounds_follow_the_rules(void **state) {
    (void)state;
    // ratios 0.3, 0.6, 0.8; the first of three tasks: 0.7 must come back where the goal is not met
    static const script scripts[] = {
        {"0.01", 0.9, {0.9, 0.9, 0.9}, 3, 0.8},   {"0.01", 0.9, {0.9, 0.9, 0.005}, 3, 0.6},
        {"0.01", 0.9, {0.9, 0.005, 0.9}, 2, 0.3}, {"0.01", 0.9, {0.005, 0.9, 0.9}, 1, 0},
        {"0.01", 0.005, {0.9, 0.9, 0.9}, 2, 0.6}, {"0.01", 0.005, {0.001, 0.001, 0.001}, 2, 0.6},
        {"1", 1.0, {1.0, 1.0, 1.0}, 2, 0.6},
    };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        const script *s = &scripts[i];
        const char *const more[] = {
            "method", "cpg", "method.prune_ratios", "[0.3, 0.6, 0.8]", "method.train_goal",
            s->goal,  NULL};
        tiny_learning l;
        tiny_begin(&l, more);
        ohmi_learner *learner = l.learner;
        ohmi_position *p = &learner->position;
        assert_int_equal(ohmi_learner_begin(learner, 0, NULL), OHM_OK);
        ohmi_phase_enter(learner, 0);
        ohmi_learner_fit_steps(learner, 0);
        p->is_started = 1;
        int n_rounds = 0;
        while (!ohmi_phases_are_over(learner)) {
            const bool is_round = strcmp(ohmi_phase_now(learner)->name, "prune") == 0;
            const double n_epochs = (double)ohmi_phase_epochs(learner, 0);
            assert_int_equal((int)n_epochs, is_round ? 1 : 4);
            if (is_round) {
                assert_int_equal((int)learner->phase.round, n_rounds);
                ohmi_learner_prune(learner, 0, learner->config->method.prune_ratios.v[n_rounds]);
            }
            learner->phase.train_accuracy = is_round ? s->rounds[n_rounds] : s->first;
            n_rounds += is_round;
            p->epoch += n_epochs;
            p->step += 3 * n_epochs;
            assert_int_equal(ohmi_phase_after_epoch(learner, 0, NULL), OHM_OK);
        }
        if (n_rounds != s->n_rounds || fabs(learner->phase.ratio - s->ratio) > 1e-9) {
            fail_msg("script %d: %d rounds, ratio %g", (int)i, n_rounds, learner->phase.ratio);
        }
        // the owners are those of the kept round
        for (int k = 0; k < learner->network->n_layers; k++) {
            const ohmi_units *units = &learner->units[k];
            const int64_t n = units->layout.n_units;
            assert_int_equal(n_owned(units, 1), n - llround(s->ratio * (double)n));
            assert_int_equal(units->budget, n_owned(units, 1));
        }
        tiny_end(&l);
    }
}

// steps of a round give back along the curve, and the round ends at its ratio
static void a_round_prunes_along_the_curve(ohmi_learner *learner, int t, void *context) {
    int64_t *last = context;
    if (strcmp(ohmi_phase_now(learner)->name, "prune") != 0) {
        return;
    }
    const ohmi_units *units = &learner->units[1];
    const double ratio = learner->config->method.prune_ratios.v[(int)learner->phase.round];
    const int64_t n_claimed = n_owned(units, t + 1) + n_owned(units, 0);
    const int64_t n = n_owned(units, t + 1);
    assert_true(n <= last[0] || learner->phase.round < 0.5);
    last[0] = n;
    last[1]++;
    assert_true(n >= n_claimed - llround(ratio * (double)n_claimed));
    if (learner->position.step - learner->phase.first_step >=
        (double)ohmi_phase_steps(learner, t)) {
        assert_int_equal(n, n_claimed - llround(ratio * (double)n_claimed));
        last[2]++;
    }
}

static void rounds_reach_their_ratios(void **state) {
    (void)state;
    static const char *const more[] = {"method",
                                       "cpg",
                                       "method.prune_ratios",
                                       "[0.3, 0.6]",
                                       "method.prune_part",
                                       "0.5",
                                       "method.prune_interval",
                                       "2",
                                       "method.prune_ramp",
                                       "0.8",
                                       "method.train_goal",
                                       "1",
                                       NULL};
    tiny_learning l;
    int64_t seen[3] = {INT64_MAX, 0, 0};
    tiny_begin(&l, more);
    for (int t = 0; t < TINY_TASKS; t++) {
        seen[0] = INT64_MAX;
        tiny_learn(&l, t, NULL, a_round_prunes_along_the_curve, seen);
    }
    // two rounds of 2 epochs of 3 steps for task 1, one for task 2 (0.5 must come back), none for 3
    assert_int_equal(seen[1], 3 * 6);
    assert_int_equal(seen[2], 3);
    assert_true(fabs(l.learner->learned[0].ratio - 0.6) < 1e-9);
    assert_true(fabs(l.learner->learned[1].ratio - 0.3) < 1e-9);
    assert_true(l.learner->learned[2].ratio == 0);
    // retraining from the second task on: one epoch of four (0.3), ended early at the latest then
    assert_int_equal((int)l.learner->learned[0].epochs, 4 + 4);
    assert_int_equal((int)l.learner->learned[1].epochs, 4 + 2 + 1);
    assert_int_equal((int)l.learner->learned[2].epochs, 4 + 1);
    tiny_end(&l);
}

// no method forgets, bit for bit
static void earlier_tasks_stay_as_they_were(void **state) {
    (void)state;
    static const char *const kinds[][9] = {
        {"method", "packnet", NULL},
        {"method", "cpg", "method.prune_ratios", "[0.4, 0.7]", NULL},
        {"method", "cpg", "method.unit", "column", "method.train_goal", "0.1", NULL},
        {"method", "xst", "method.levels", "[0, 0.5, 1, 2]", NULL},
        {"method", "xst", "method.estimator", "nearest", "method.levels", "[0, 0.75, 1, 1.5]",
         NULL},
        {"method", "xst", "method.unit", "pe", "method.growth", "prune_once", NULL},
        {"method", "packnet", "quantise.weight_bits", "0", "quantise.activation_bits", "0", NULL}};
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        static float first[TINY_TASKS][TINY_TEST * 4], again[TINY_TEST * 4];
        tiny_learning l;
        tiny_begin(&l, kinds[kind]);
        for (int t = 0; t < TINY_TASKS; t++) {
            tiny_learn(&l, t, NULL, NULL, NULL);
            for (int j = 0; j <= t; j++) {
                (void)tiny_logits(&l, j, true, j == t ? first[j] : again);
                const size_t size = (size_t)(TINY_TEST * l.tasks.task[j].n_classes) * sizeof(float);
                if (j < t) {
                    assert_memory_equal(first[j], again, size);
                }
            }
        }
        tiny_end(&l);
    }
}

// every method in parts of a few steps: inside of each phase, round and task
static void stopping_in_any_phase_changes_nothing(void **state) {
    (void)state;
    static const char *const kinds[][13] = {
        {"method", "packnet", "method.estimator", "threshold", NULL},
        {"method", "cpg", "method.prune_ratios", "[0.4, 0.6]", "method.train_goal", "0.3", NULL},
        {"method", "cpg", "method.prune_ratios", "[0.4, 0.6]", "method.train_goal", "0.3",
         "data.validation", "0.3", "method.patience", "0.3", "method.retrain_part", "0.8", NULL},
        {"method", "xst", "method.levels", "[0, 0.5, 1, 2]", "train.optimiser", "adam", NULL}};
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        char whole[16], parts[16];
        snprintf(whole, sizeof whole, "whole-%d", (int)kind);
        snprintf(parts, sizeof parts, "parts-%d", (int)kind);
        learn_whole(whole, kinds[kind]);
        ohm_error err;
        int n_stops = 0;
        for (ohm_status status = OHM_ERR_INTERRUPTED; status != OHM_OK; n_stops++) {
            stopper s = {.left = 2 + n_stops % 4};
            status = learn(parts, kinds[kind], &s, &err);
            assert_string_equal(s.note, "");
            if (status != OHM_OK) {
                assert_int_equal(status, OHM_ERR_INTERRUPTED);
            }
            assert_true(n_stops < 60);
        }
        assert_true(n_stops > 8);
        assert_same_results(whole, parts);

        // and a run that has come to its end is opened again as it was left
        learn_whole(parts, kinds[kind]);
        assert_same_results(whole, parts);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_curve_and_the_room_are_cpgs),
        cmocka_unit_test(packnet_gives_back_the_smallest),
        cmocka_unit_test(rounds_follow_the_rules),
        cmocka_unit_test(rounds_reach_their_ratios),
        cmocka_unit_test(earlier_tasks_stay_as_they_were),
        cmocka_unit_test(stopping_in_any_phase_changes_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_end);
}
