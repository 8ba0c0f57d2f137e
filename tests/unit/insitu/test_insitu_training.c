// SPDX-License-Identifier: Apache-2.0
// Training on crossbars against `learn`: with nothing left out the same bits; with row thresholds
// that take only zeros the same gradients; whole runs that stop and go on; what cannot be trained.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <math.h>

#include "insitu/chip.h"
#include "ohmwise/insitu.h"
#include "unit/learn/tiny_runs.h"

static void begin_with_chip(tiny_learning *l, ohmi_insitu_chip *chip, ohmi_rider *rider,
                            const char *const *more) {
    ohm_error err = {0};
    memset(chip, 0, sizeof *chip);
    tiny_begin(l, more);
    *rider = ohmi_insitu_rider(chip);
    if (rider->begin(chip, l->learner, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    l->learner->rider = rider;
}

// weights after all tasks
static void learn_three(tiny_learning *l) {
    for (int t = 0; t < TINY_TASKS; t++) {
        tiny_learn(l, t, NULL, NULL, NULL);
    }
}

static void nothing_left_out_is_learn(void **state) {
    (void)state;
    static const char *const methods[] = {"xst", "xst-element", "packnet", "cpg", "dense"};
    static const char *const writes[][2] = {{"insitu.weight_unit", "cell"},
                                            {"insitu.weight_unit", "array"}};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        for (size_t s = 0; s < sizeof writes / sizeof *writes; s++) {
            const char *const more[] = {"method",
                                        methods[m],
                                        writes[s][0],
                                        writes[s][1],
                                        "insitu.error_bits",
                                        "0",
                                        "insitu.weight",
                                        "0",
                                        "insitu.error",
                                        "0",
                                        "insitu.compare",
                                        s ? "false" : "true",
                                        NULL};
            tiny_learning with, without;
            ohmi_insitu_chip chip;
            ohmi_rider rider;
            begin_with_chip(&with, &chip, &rider, more);
            tiny_begin(&without, more);
            learn_three(&with);
            learn_three(&without);
            for (int i = 0; i < with.learner->network->n_layers; i++) {
                const ohmi_layer *a = &with.learner->network->layers[i];
                const ohmi_layer *b = &without.learner->network->layers[i];
                assert_memory_equal(a->w, b->w, (size_t)a->n_weights * sizeof *a->w);

                // cells hold what the weights of the last task are
                float code[64];
                const ohmi_units *units = &with.learner->units[i];
                for (int64_t at = 0; at < a->n_weights; at += 64) {
                    const int64_t n = a->n_weights - at < 64 ? a->n_weights - at : 64;
                    ohmi_grid_round_weights(code, a->w + at, n, units->lsb,
                                            &with.learner->weight_grid);
                    for (int64_t j = 0; j < n; j++) {
                        const int64_t u = ohmi_layout_unit_at(&units->layout, at + j);
                        assert_true(units->own[u] != TINY_TASKS ||
                                    code[j] == chip.cells[i]->held[at + j]);
                    }
                }
            }
            assert_true(chip.counts[0].writes[OHMI_CLASS_WEIGHT] > 0);
            ohmi_insitu_chip_clear(&chip);
            tiny_end(&with);
            tiny_end(&without);
        }
    }
}

// frozen columns are never written
typedef struct {
    const ohmi_insitu_chip *chip;
    float *held;
} watched;

static void keep_held(ohmi_learner *learner, int t, void *context) {
    watched *w = context;
    (void)learner;
    (void)t;
    const ohmi_cells *c = w->chip->cells[1];
    memcpy(w->held, c->held, (size_t)(c->place->k * c->place->layout.run) * sizeof *w->held);
}

static void compare_held(ohmi_learner *learner, int t, void *context) {
    const watched *w = context;
    const ohmi_cells *c = w->chip->cells[1];
    const ohmi_units *units = &learner->units[1];
    for (int64_t i = 0; i < c->place->k * c->place->layout.run; i++) {
        if (units->own[ohmi_layout_unit_at(&units->layout, i)] != t + 1) {
            assert_true(c->held[i] == w->held[i]);
        }
    }
}

static void frozen_columns_are_not_written(void **state) {
    (void)state;
    static const char *const more[] = {"insitu.weight_unit", "row", "insitu.weight", "0.2", NULL};
    tiny_learning l;
    ohmi_insitu_chip chip;
    ohmi_rider rider;
    begin_with_chip(&l, &chip, &rider, more);
    const ohmi_layout *layout = &chip.cells[1]->place->layout;
    watched w = {&chip, ohmi_alloc((size_t)(layout->k * layout->run), sizeof(float))};
    for (int t = 0; t < TINY_TASKS; t++) {
        tiny_learn(&l, t, keep_held, compare_held, &w);
    }
    ohmi_free(w.held);
    ohmi_insitu_chip_clear(&chip);
    tiny_end(&l);
}

// every gradient of two learners that make the same steps
typedef struct {
    double sum;
    int64_t n;
    float *dw;
} gradients;

static void keep_gradients(ohmi_learner *learner, int t, void *context) {
    gradients *g = context;
    (void)t;
    for (int i = 0; i < learner->network->n_layers; i++) {
        for (int64_t j = 0; j < learner->network->layers[i].n_weights; j++) {
            g->dw[g->n++] = learner->network->layers[i].dw[j];
        }
    }
}

static void zero_rows_add_nothing(void **state) {
    (void)state;
    enum { ROOM = 1 << 22 };
    static const char *const errors[] = {"0", "1e-20"};
    gradients kept[2];
    double left[2];
    for (int s = 0; s < 2; s++) {
        const char *const more[] = {"insitu.error",
                                    errors[s],
                                    "insitu.activation",
                                    errors[s],
                                    "insitu.weight",
                                    "0",
                                    "network.expand",
                                    "0.1",
                                    "quantise.activation_bits",
                                    "2",
                                    NULL};
        tiny_learning l;
        ohmi_insitu_chip chip;
        ohmi_rider rider;
        begin_with_chip(&l, &chip, &rider, more);
        kept[s] = (gradients){.dw = ohmi_alloc(ROOM, sizeof(float))};
        assert_non_null(kept[s].dw);
        tiny_learn(&l, 0, NULL, keep_gradients, &kept[s]);
        assert_true(kept[s].n <= ROOM);
        left[s] = 0;
        for (int i = 0; i < chip.n_layers; i++) {
            left[s] += chip.counts[i].rows_left;
        }
        ohmi_insitu_chip_clear(&chip);
        tiny_end(&l);
    }
    assert_true(left[0] == 0 && left[1] > 0);
    assert_int_equal(kept[0].n, kept[1].n);
    assert_memory_equal(kept[0].dw, kept[1].dw, (size_t)kept[0].n * sizeof(float));
    ohmi_free(kept[0].dw);
    ohmi_free(kept[1].dw);
}

static ohm_status train(const char *run, const char *const *more, stopper *s, ohm_error *err) {
    ohm_config *config = config_of(more);
    const ohm_learn_def def = {
        .run_folder = scratch_path(run), .sink = s ? stop_when_due : NULL, .context = s};
    memset(err, 0, sizeof *err);
    const ohm_status status = ohm_insitu(config, &def, err);
    ohm_config_free(&config);
    return status;
}

// stopped at every so many steps, a run ends with the same bytes, counters and all
static void a_stopped_run_goes_on(void **state) {
    (void)state;
    static const char *const more[] = {"insitu.error",
                                       "0.02",
                                       "insitu.weight_unit",
                                       "row",
                                       "insitu.weight",
                                       "0.2",
                                       "insitu.rows",
                                       "rotate",
                                       "insitu.baseline",
                                       "true",
                                       "train.epochs",
                                       "2",
                                       NULL};
    ohm_error err;
    assert_int_equal(train("whole", more, NULL, &err), OHM_OK);
    for (int n_stops = 0;; n_stops++) {
        stopper s = {.left = 5};
        const ohm_status status = train("stopped", more, &s, &err);
        if (status == OHM_OK) {
            assert_true(n_stops > 5);
            break;
        }
        assert_int_equal(status, OHM_ERR_INTERRUPTED);
    }
    assert_same_results("whole", "stopped");
    assert_true(is_same("whole", "stopped", "insitu.json"));
    assert_true(is_same("whole", "stopped", "plain/checkpoints/last.safetensors"));

    // what was trained on crossbars is not learned on, nor the other way round
    assert_int_equal(learn("stopped", more, NULL, &err), OHM_ERR_CONFIG);
    assert_non_null(strstr(err.message, "insitu"));
    learn_whole("learned", more);
    assert_int_equal(train("learned", more, NULL, &err), OHM_ERR_CONFIG);
}

// the same run trained plainly twice has ratios of 1
static void plain_beside_plain_is_the_same(void **state) {
    (void)state;
    static const char *const more[] = {"insitu.error",
                                       "0",
                                       "insitu.weight",
                                       "0",
                                       "insitu.compare",
                                       "false",
                                       "insitu.weight_unit",
                                       "array",
                                       "train.epochs",
                                       "1",
                                       NULL};
    ohm_error err;
    assert_int_equal(train("even", more, NULL, &err), OHM_OK);
    char path[600];
    (void)snprintf(path, sizeof path, "%s/insitu.json", scratch_path("even"));
    json_t *root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    assert_true(json_equal(json_object_get(root, "trained"), json_object_get(root, "plain")));
    assert_true(json_number_value(json_object_get(json_object_get(root, "ratios"), "energy")) ==
                1.0);
    assert_non_null(json_string_value(json_object_get(root, "reconstruction")));
    json_decref(root);
    (void)snprintf(path, sizeof path, "%s/metrics.json", scratch_path("even"));
    root = json_load_file(path, 0, NULL);
    assert_non_null(strstr(json_string_value(json_object_get(root, "reconstruction")), "abstract"));
    assert_true(json_is_object(json_object_get(root, "insitu")));
    json_decref(root);
}

static void what_cells_cannot_hold_is_refused(void **state) {
    (void)state;
    static const char *const wrong[][8] = {
        {"quantise.weight_bits", "0", "quantise.activation_bits", "0", NULL},
        {"train.parts", "2", NULL},
        {"array.columns", "3", NULL},
    };
    static const char *const said[] = {"float", "parts", "bit-lines"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ohm_error err;
        assert_true(train("wrong", wrong[i], NULL, &err) < 0);
        assert_non_null(strstr(err.message, said[i]));
    }
}

// every allocation of a run fails once; nothing is left behind
static void memory_may_run_out(void **state) {
    (void)state;
    const int64_t before = ohmi_live_blocks();
    for (int64_t k = 0;; k++) {
        ohm_error err = {0};
        tiny_learning l;
        ohmi_insitu_chip chip = {0};
        const ohmi_rider rider = ohmi_insitu_rider(&chip);
        tiny_begin(&l, NULL);
        ohmi_fail_allocation(k);
        const ohm_status status = rider.begin(&chip, l.learner, &err);
        ohmi_fail_allocation(-1);
        assert_true(status == OHM_OK || status == OHM_ERR_NO_MEMORY);
        ohmi_insitu_chip_clear(&chip);
        tiny_end(&l);
        assert_int_equal(ohmi_live_blocks(), before);
        if (status == OHM_OK) {
            assert_true(k > 20);
            break;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_left_out_is_learn),
        cmocka_unit_test(frozen_columns_are_not_written),
        cmocka_unit_test(zero_rows_add_nothing),
        cmocka_unit_test(a_stopped_run_goes_on),
        cmocka_unit_test(plain_beside_plain_is_the_same),
        cmocka_unit_test(what_cells_cannot_hold_is_refused),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_end);
}
