// SPDX-License-Identifier: Apache-2.0
// What must hold while tasks are learned one after another: a task's logits keep every bit,
// finished columns keep every bit at every step, ownership is disjoint and within budget at every
// step, free units are zero, grown units start from nothing, the step of a layer stays.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "unit/learn/tiny_learning.h"

enum { MOST_LAYERS = 32 };

// a layer as it was before a step, and before the task
typedef struct {
    float *w, *w_frozen, *velocity;
    uint8_t *own, *own_frozen;
    float lsb;
} layer_before;

typedef struct {
    layer_before layer[MOST_LAYERS];
    int64_t n_steps, n_growths, n_grown; // steps, steps of growth, units grown anew
    int64_t n_moved_weights;             // own weights that changed
} watch;

static void *copy(void *to, const void *from, size_t bytes) {
    to = to ? to : malloc(bytes + 1);
    if (!to) {
        abort();
    }
    return memcpy(to, from, bytes);
}

static void watch_end(watch *s) {
    for (int i = 0; i < MOST_LAYERS; i++) {
        layer_before *b = &s->layer[i];
        free(b->w);
        free(b->w_frozen);
        free(b->velocity);
        free(b->own);
        free(b->own_frozen);
    }
    memset(s, 0, sizeof *s);
}

// what must not change from here on
static void freeze(watch *s, const ohmi_learner *learner) {
    for (int i = 0; i < learner->network->n_layers; i++) {
        const ohmi_layer *layer = &learner->network->layers[i];
        const ohmi_units *units = &learner->units[i];
        layer_before *b = &s->layer[i];
        b->w_frozen = copy(b->w_frozen, layer->w, (size_t)layer->n_weights * sizeof(float));
        b->own_frozen = copy(b->own_frozen, units->own, (size_t)units->layout.n_units);
        b->lsb = units->lsb;
    }
}

static void before_step(ohmi_learner *learner, int t, void *context) {
    watch *s = context;
    (void)t;
    for (int i = 0; i < learner->network->n_layers; i++) {
        const ohmi_layer *layer = &learner->network->layers[i];
        const ohmi_units *units = &learner->units[i];
        const size_t bytes = (size_t)layer->n_weights * sizeof(float);
        layer_before *b = &s->layer[i];
        b->w = copy(b->w, layer->w, bytes);
        b->velocity = copy(b->velocity, units->velocity, bytes);
        b->own = copy(b->own, units->own, (size_t)units->layout.n_units);
    }
}

static bool are_zero(const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (x[i] != 0) {
            return false;
        }
    }
    return true;
}

// w_eff of the next step, made anew here from owners, masks and weights
static void check_effective(ohmi_learner *learner, int t) {
    const ohmi_config *config = learner->config;
    ohmi_learner_prepare(learner, t, true);
    for (int i = 0; i < learner->network->n_layers; i++) {
        const ohmi_layer *layer = &learner->network->layers[i];
        const ohmi_units *units = &learner->units[i];
        for (int64_t u = 0; u < units->layout.n_units; u++) {
            const uint8_t own = units->own[u];
            const bool is_over =
                config->method.mask_noise
                    ? units->on[u]
                    : (double)units->mask[u] >= (double)(float)config->method.mask_threshold;
            const bool is_on = own == t + 1 || (own != 0 && is_over);
            const int64_t at = ohmi_layout_offset(&units->layout, u);
            const int64_t n = ohmi_layout_length(&units->layout, u);
            float code[128];
            assert_int_equal(units->on[u], is_on);
            memcpy(code, layer->w + at, (size_t)n * sizeof *code);
            if (learner->is_quantised) {
                ohmi_grid_round_weights(code, layer->w + at, n, units->lsb, &learner->weight_grid);
            }
            for (int64_t p = 0; p < n; p++) {
                assert_true(layer->w_eff[at + p] == (is_on ? code[p] : 0));
            }
        }
    }
}

static void after_step(ohmi_learner *learner, int t, void *context) {
    watch *s = context;
    bool has_grown = false;
    s->n_steps++;
    for (int i = 0; i < learner->network->n_layers; i++) {
        const ohmi_units *units = &learner->units[i];
        for (int64_t u = 0; u < units->layout.n_units; u++) {
            has_grown = has_grown || units->own[u] != s->layer[i].own[u];
        }
    }
    s->n_growths += has_grown;
    for (int i = 0; i < learner->network->n_layers; i++) {
        const ohmi_layer *layer = &learner->network->layers[i];
        const ohmi_units *units = &learner->units[i];
        const layer_before *b = &s->layer[i];
        int64_t n_own = 0;
        for (int64_t u = 0; u < units->layout.n_units; u++) {
            const int64_t at = ohmi_layout_offset(&units->layout, u);
            const int64_t n = ohmi_layout_length(&units->layout, u);
            const size_t bytes = (size_t)n * sizeof(float);
            const uint8_t own = units->own[u], was = b->own[u];
            n_own += own == t + 1;
            assert_true(own <= t + 1);
            if (own != 0 && own <= t) {
                assert_memory_equal(layer->w + at, b->w_frozen + at, bytes);
                assert_int_equal(own, b->own_frozen[u]);
            } else if (own == 0) {
                assert_true(are_zero(layer->w + at, n));
                assert_true(are_zero(units->velocity + at, n));
                assert_int_equal(b->own_frozen[u] == 0 || was == t + 1, 1);
            } else if (was == 0) {
                // grown anew in this step
                assert_true(are_zero(layer->w + at, n));
                assert_true(are_zero(units->velocity + at, n));
                s->n_grown++;
            } else if (has_grown) {
                // kept through a step of growth: not stepped
                assert_memory_equal(layer->w + at, b->w + at, bytes);
                assert_memory_equal(units->velocity + at, b->velocity + at, bytes);
            } else {
                s->n_moved_weights += memcmp(layer->w + at, b->w + at, bytes) != 0;
            }
            if (b->own_frozen[u] != 0) {
                assert_int_equal(own, b->own_frozen[u]);
            }
        }
        assert_int_equal(n_own, units->budget);
        assert_true(units->budget > 0);
        if (t > 0) {
            assert_true(units->lsb == b->lsb);
        }
    }
    check_effective(learner, t);
}

// learns all tasks with a config, watching every step; logits of each task after each
static void learn_and_watch(const char *const *more) {
    tiny_learning l;
    watch s = {0};
    float first[TINY_TASKS][2][TINY_TEST * 3], again[TINY_TEST * 3];
    tiny_begin(&l, more);
    const bool both = l.learner->is_quantised;
    float *trainable[TINY_TASKS] = {NULL}, *statistics[TINY_TASKS] = {NULL};
    for (int t = 0; t < TINY_TASKS; t++) {
        freeze(&s, l.learner);
        tiny_learn(&l, t, before_step, after_step, &s);
        const ohmi_task_parameters *own = l.learner->learned[t].parameters;
        trainable[t] = copy(NULL, own->trainable, (size_t)own->n_trainable * sizeof(float));
        statistics[t] = copy(NULL, own->statistics, (size_t)own->n_statistics * sizeof(float));
        for (int j = 0; j <= t; j++) {
            const size_t bytes = (size_t)(TINY_TEST * l.tasks.task[j].n_classes) * sizeof(float);
            for (int q = 0; q < (both ? 2 : 1); q++) {
                (void)tiny_logits(&l, j, q, j == t ? first[j][q] : again);
                if (j < t) {
                    assert_memory_equal(first[j][q], again, bytes);
                }
            }
        }
        // the bits of a task: its own units on, free ones off
        for (int i = 0; i < l.learner->network->n_layers; i++) {
            const ohmi_units *units = &l.learner->units[i];
            for (int64_t u = 0; u < units->layout.n_units; u++) {
                const int on = l.learner->learned[t].bits[i][u / 8] >> (u % 8) & 1;
                assert_true(units->own[u] != t + 1 || on == 1);
                assert_true(units->own[u] != 0 || on == 0);
            }
        }
    }
    // nothing a task keeps has changed, by learning others or by measuring
    for (int t = 0; t < TINY_TASKS; t++) {
        const ohmi_task_parameters *own = l.learner->learned[t].parameters;
        assert_memory_equal(trainable[t], own->trainable, (size_t)own->n_trainable * sizeof(float));
        assert_memory_equal(statistics[t], own->statistics,
                            (size_t)own->n_statistics * sizeof(float));
        free(trainable[t]);
        free(statistics[t]);
    }
    // the watch has seen what it is for
    assert_int_equal(s.n_steps, TINY_TASKS * 4 * 3);
    assert_true(s.n_moved_weights > 100);
    if (l.values->method.growth == OHMI_GROWTH_DROP_AND_GROW) {
        assert_true(s.n_growths >= TINY_TASKS && s.n_grown > TINY_TASKS);
    }
    watch_end(&s);
    tiny_end(&l);
}

static void columns_in_float(void **state) {
    (void)state;
    learn_and_watch(tiny_float);
}

static void columns_at_4_bits(void **state) {
    (void)state;
    learn_and_watch(NULL);
}

static void columns_with_apot(void **state) {
    (void)state;
    static const char *const more[] = {"quantise.weight_scheme", "apot",
                                       "quantise.activation_scheme", "apot", NULL};
    learn_and_watch(more);
}

static void elements_with_adam(void **state) {
    (void)state;
    static const char *const more[] = {
        "method", "xst-element", "train.optimiser", "adam", "train.lr", "0.003", NULL};
    learn_and_watch(more);
}

static void threshold_masks_on_residual_blocks(void **state) {
    (void)state;
    static const char *const more[] = {
        "network.model", "resnet20", "network.expand", "0.25", "method.estimator",
        "threshold",     NULL};
    learn_and_watch(more);
}

static void noisy_masks(void **state) {
    (void)state;
    static const char *const more[] = {"method.mask_noise", "true", NULL};
    learn_and_watch(more);
}

// masks of earlier units do turn off, or the tests above would say little
static void masks_choose_among_earlier_units(void **state) {
    (void)state;
    static const char *const more[] = {"train.mask_lr", "0.1", NULL};
    tiny_learning l;
    int64_t n_off = 0, n_earlier = 0;
    tiny_begin(&l, more);
    for (int t = 0; t < TINY_TASKS; t++) {
        tiny_learn(&l, t, NULL, NULL, NULL);
        for (int i = 0; i < l.learner->network->n_layers; i++) {
            const ohmi_units *units = &l.learner->units[i];
            for (int64_t u = 0; u < units->layout.n_units; u++) {
                const int on = l.learner->learned[t].bits[i][u / 8] >> (u % 8) & 1;
                const bool is_earlier = units->own[u] > 0 && units->own[u] <= t;
                n_earlier += is_earlier;
                n_off += is_earlier && !on;
            }
        }
    }
    assert_true(n_off > n_earlier / 50 && n_off < n_earlier);
    tiny_end(&l);
}

// a task begins without momentum, its own or of the task before
static void check_beginning(ohmi_learner *learner, int t, void *context) {
    int *n_tasks = context;
    (void)t;
    if (learner->position.step > 0) {
        return;
    }
    ++*n_tasks;
    for (int i = 0; i < learner->network->n_layers; i++) {
        const ohmi_units *units = &learner->units[i];
        const int64_t n_weights = learner->network->layers[i].n_weights;
        assert_true(are_zero(units->velocity, n_weights));
        assert_true(!units->square || are_zero(units->square, n_weights));
        assert_true(are_zero(units->mask_mean, units->layout.n_units));
        assert_true(are_zero(units->mask_square, units->layout.n_units));
    }
    assert_true(are_zero(learner->parameter_velocity, learner->network->max_trainable));
    assert_true(are_zero(learner->parameter_square, learner->network->max_trainable));
}

static void tasks_begin_without_momentum(void **state) {
    (void)state;
    static const char *const kinds[3][5] = {
        {NULL}, {"method", "dense", NULL}, {"train.optimiser", "adam", "method", "dense", NULL}};
    for (int kind = 0; kind < 3; kind++) {
        tiny_learning l;
        int n_tasks = 0;
        tiny_begin(&l, kinds[kind]);
        for (int t = 0; t < TINY_TASKS; t++) {
            tiny_learn(&l, t, check_beginning, NULL, &n_tasks);
        }
        assert_int_equal(n_tasks, TINY_TASKS);
        tiny_end(&l);
    }
}

// the yardstick: a network a task, all units its own
static void dense_takes_every_unit(void **state) {
    (void)state;
    static const char *const more[] = {"method", "dense", NULL};
    tiny_learning l;
    tiny_begin(&l, more);
    for (int t = 0; t < 2; t++) {
        tiny_learn(&l, t, NULL, NULL, NULL);
        for (int i = 0; i < l.learner->network->n_layers; i++) {
            const ohmi_units *units = &l.learner->units[i];
            for (int64_t u = 0; u < units->layout.n_units; u++) {
                assert_int_equal(units->own[u], t + 1);
            }
        }
    }
    tiny_end(&l);
}

// a few steps do teach: the training accuracy of every task rises over chance by much
static void tasks_are_learned(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        static const char *const quantised[] = {"train.epochs", "20", NULL};
        static const char *const in_float[] = {"train.epochs",
                                               "20",
                                               "quantise.weight_bits",
                                               "0",
                                               "quantise.activation_bits",
                                               "0",
                                               NULL};
        tiny_learning l;
        tiny_begin(&l, kind ? in_float : quantised);
        for (int t = 0; t < TINY_TASKS; t++) {
            tiny_learn(&l, t, NULL, NULL, NULL);
            print_message("%d %d %g\n", kind, t, tiny_logits(&l, t, true, NULL).accuracy);
        }
        tiny_end(&l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_in_float),
        cmocka_unit_test(columns_at_4_bits),
        cmocka_unit_test(columns_with_apot),
        cmocka_unit_test(elements_with_adam),
        cmocka_unit_test(threshold_masks_on_residual_blocks),
        cmocka_unit_test(noisy_masks),
        cmocka_unit_test(masks_choose_among_earlier_units),
        cmocka_unit_test(tasks_begin_without_momentum),
        cmocka_unit_test(dense_takes_every_unit),
        cmocka_unit_test(tasks_are_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
