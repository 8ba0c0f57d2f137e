// SPDX-License-Identifier: Apache-2.0
// Drop and grow against a plain second writing with sorting; its schedule; budgets; the choice of
// the largest.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "unit/learn/tiny_learning.h"

static float draw(uint32_t place, uint32_t i) {
    const ohmi_rng rng = {.seed = 41, .purpose = OHMI_RNG_TEST, .place = place};
    return ohmi_rng_uniform(&rng, i);
}

typedef struct {
    double score;
    int64_t u;
} scored;

// larger first, then in order of u
static int by_score(const void *a, const void *b) {
    const scored *x = a, *y = b;
    if (x->score > y->score || x->score < y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return (x->u > y->u) - (x->u < y->u);
}

static void the_largest_are_chosen(void **state) {
    (void)state;
    enum { N = 500 };
    static float score[N];
    static scored sorted[N];
    uint8_t chosen[N], expected[N];
    for (int kind = 0; kind < 4; kind++) {
        int n_candidates = 0;
        for (int u = 0; u < N; u++) {
            // spread, few values with many equals, tiny and huge, none below zero
            const float v = draw((uint32_t)kind, (uint32_t)u);
            score[u] = kind == 0   ? v
                       : kind == 1 ? floorf(8 * v) / 8
                       : kind == 2 ? ldexpf(v, (int)(200 * v) - 100)
                                   : 0;
            score[u] = u % 7 == 3 ? -1 : score[u];
            if (score[u] >= 0) {
                sorted[n_candidates++] = (scored){(double)score[u], u};
            }
        }
        qsort(sorted, (size_t)n_candidates, sizeof *sorted, by_score);
        static const int counts[] = {-1, 0, 1, 2, 17, 200, 427, 428, 429, 430, 600};
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            memset(chosen, 7, sizeof chosen);
            memset(expected, 0, sizeof expected);
            for (int i = 0; i < counts[c] && i < n_candidates; i++) {
                expected[sorted[i].u] = 1;
            }
            ohmi_choose_largest(chosen, score, N, counts[c]);
            assert_memory_equal(chosen, expected, sizeof chosen);
        }
    }
}

// sum of magnitudes of a unit
static double size_of(const float *x, const ohmi_layout *layout, int64_t u) {
    double sum = 0;
    for (int64_t i = 0; i < ohmi_layout_length(layout, u); i++) {
        sum += fabs((double)x[ohmi_layout_offset(layout, u) + i]);
    }
    return sum;
}

static void drop_the_smallest_grow_where_the_gradient_is_largest(void **state) {
    (void)state;
    static const double parts[] = {0.001, 0.3, 0.7, 1};
    for (int trial = 0; trial < 8; trial++) {
        static const char *const kinds[2][3] = {{"train.optimiser", "adam", NULL},
                                                {"method", "xst-element", NULL}};
        const double alpha = parts[trial / 2];
        tiny_learning l;
        tiny_begin(&l, kinds[trial % 2]);
        tiny_learn(&l, 0, NULL, NULL, NULL);
        assert_int_equal(ohmi_learner_begin(l.learner, 1, NULL), OHM_OK);
        ohmi_network *network = l.learner->network;
        uint8_t *own[8], *expected[8];
        float *w[8];
        for (int i = 0; i < network->n_layers; i++) {
            ohmi_layer *layer = &network->layers[i];
            ohmi_units *units = &l.learner->units[i];
            const ohmi_layout *layout = &units->layout;
            const size_t n = (size_t)layout->n_units;
            for (int64_t p = 0; p < layer->n_weights; p++) {
                layer->dw[p] = draw((uint32_t)i, (uint32_t)p) - 0.5f;
                units->velocity[p] = 1;
                if (units->square) {
                    units->square[p] = 1;
                }
            }
            own[i] = malloc(n);
            expected[i] = malloc(n);
            w[i] = malloc((size_t)layer->n_weights * sizeof(float));
            scored *list = calloc(n, sizeof *list);
            assert_true(own[i] && expected[i] && w[i] && list);
            memcpy(own[i], units->own, n);
            memcpy(expected[i], units->own, n);
            memcpy(w[i], layer->w, (size_t)layer->n_weights * sizeof(float));

            // the same by sorting
            const int64_t n_moved = (int64_t)floor((double)units->budget * alpha);
            int64_t count = 0;
            for (int64_t u = 0; u < layout->n_units; u++) {
                if (own[i][u] == 2) {
                    list[count++] = (scored){size_of(layer->w, layout, u), u};
                }
            }
            assert_int_equal(count, units->budget);
            qsort(list, (size_t)count, sizeof *list, by_score);
            for (int64_t k = count - n_moved; k < count; k++) {
                expected[i][list[k].u] = 0;
            }
            count = 0;
            for (int64_t u = 0; u < layout->n_units; u++) {
                if (expected[i][u] == 0) {
                    list[count++] = (scored){size_of(layer->dw, layout, u), u};
                }
            }
            qsort(list, (size_t)count, sizeof *list, by_score);
            for (int64_t k = 0; k < n_moved; k++) {
                expected[i][list[k].u] = 2;
            }
            free(list);
        }
        ohmi_learner_grow(l.learner, 1, alpha);
        for (int i = 0; i < network->n_layers; i++) {
            const ohmi_layer *layer = &network->layers[i];
            const ohmi_units *units = &l.learner->units[i];
            assert_memory_equal(units->own, expected[i], (size_t)units->layout.n_units);
            for (int64_t u = 0; u < units->layout.n_units; u++) {
                const bool is_new = own[i][u] == 0 && units->own[u] == 2;
                const bool is_lost = own[i][u] == 2 && units->own[u] == 0;
                const int64_t at = ohmi_layout_offset(&units->layout, u);
                for (int64_t p = at; p < at + ohmi_layout_length(&units->layout, u); p++) {
                    const bool is_cleared = is_new || is_lost;
                    assert_true(layer->w[p] == (is_cleared ? 0 : w[i][p]));
                    assert_true(units->velocity[p] == (is_cleared ? 0 : 1));
                    assert_true(!units->square || units->square[p] == (is_cleared ? 0 : 1));
                }
            }
            free(own[i]);
            free(expected[i]);
            free(w[i]);
        }
        tiny_end(&l);
    }
}

// units change at the steps of the schedule and by no more than it says
typedef struct {
    uint8_t own[32][512];
    double most_moved;
    int n_growths;
} schedule;

static void note_owners(ohmi_learner *learner, int t, void *context) {
    schedule *s = context;
    (void)t;
    for (int i = 0; i < learner->network->n_layers; i++) {
        assert_true(learner->units[i].layout.n_units <= 512);
        memcpy(s->own[i], learner->units[i].own, (size_t)learner->units[i].layout.n_units);
    }
}

static void check_owners(ohmi_learner *learner, int t, void *context) {
    schedule *s = context;
    // the step that was just done: 30 steps in all, until 0.6 of them, every 4
    const double step = learner->position.step - 1, end = 0.6 * 30;
    const bool may_grow = step >= 1 && step < end && fmod(step, 4) == 0;
    const double alpha = may_grow ? 0.5 * 0.4 * (1 + cos(3.14159265358979 * step / end)) : 0;
    int64_t n_all = 0;
    for (int i = 0; i < learner->network->n_layers; i++) {
        const ohmi_units *units = &learner->units[i];
        int64_t n_new = 0;
        for (int64_t u = 0; u < units->layout.n_units; u++) {
            n_new += units->own[u] == t + 1 && s->own[i][u] != t + 1;
        }
        assert_true((double)n_new <= floor((double)units->budget * alpha + 1e-9));
        n_all += n_new;
    }
    s->n_growths += n_all > 0;
}

static void growth_keeps_its_schedule(void **state) {
    (void)state;
    static const char *const more[] = {"train.epochs",
                                       "10",
                                       "method.grow_interval",
                                       "4",
                                       "method.grow_until",
                                       "0.6",
                                       "method.drop_fraction",
                                       "0.4",
                                       NULL};
    static schedule s;
    tiny_learning l;
    tiny_begin(&l, more);
    assert_int_equal(ohmi_steps_of_task(l.learner, 0), 30);
    tiny_learn(&l, 0, note_owners, check_owners, &s);
    assert_in_range(s.n_growths, 3, 4); // steps 4, 8, 12, 16
    tiny_end(&l);
}

// round(density units), at least one, at most what is free
static void budgets_follow_the_densities(void **state) {
    (void)state;
    ohmi_config c = {0};
    c.method.growth = OHMI_GROWTH_DROP_AND_GROW;
    c.method.density_first = 0.3;
    c.method.density_rest = 0.7;
    static const int n_tasks[] = {1, 2, 3, 20, 254};
    for (size_t i = 0; i < sizeof n_tasks / sizeof *n_tasks; i++) {
        for (int64_t n = 1; n < 3000; n = n * 2 + 1) {
            const ohmi_layout layout = {.n_units = n};
            int64_t n_free = n;
            for (int t = 0; t < n_tasks[i]; t++) {
                const int64_t budget = ohmi_budget(&c, &layout, t, n_tasks[i], n_free, false);
                const double part = t == 0 ? 0.3 : 0.7 / (n_tasks[i] - 1);
                assert_true(budget >= 0 && budget <= n_free);
                assert_true(fabs((double)budget - part * (double)n) <= 1 || budget == n_free);
                assert_true(budget > 0 || n_free == 0);
                n_free -= budget;
            }
        }
    }
    const ohmi_layout layout = {.n_units = 64};
    c.method.density_rest = 0;
    assert_int_equal(ohmi_budget(&c, &layout, 1, 3, 40, false), 1);
    c.method.first_layer_dense = true;
    assert_int_equal(ohmi_budget(&c, &layout, 0, 3, 64, true), 64);
    assert_int_equal(ohmi_budget(&c, &layout, 1, 3, 0, true), 0);
    assert_int_equal(ohmi_budget(&c, &layout, 0, 3, 64, false), 19);
    c.method.growth = OHMI_GROWTH_DENSE;
    assert_int_equal(ohmi_budget(&c, &layout, 2, 3, 64, false), 64);
}

// which free units a task starts from depends on the seed and the task, not on chance
static void claims_are_reproducible_and_differ_by_seed(void **state) {
    (void)state;
    uint8_t own[3][512];
    for (int run = 0; run < 3; run++) {
        const char *const more[] = {"seed", run == 2 ? "9" : "8", NULL};
        tiny_learning l;
        tiny_begin(&l, more);
        assert_int_equal(ohmi_learner_begin(l.learner, 0, NULL), OHM_OK);
        memcpy(own[run], l.learner->units[2].own, (size_t)l.learner->units[2].layout.n_units);
        memset(own[run] + l.learner->units[2].layout.n_units, 0,
               512 - (size_t)l.learner->units[2].layout.n_units);
        tiny_end(&l);
    }
    assert_memory_equal(own[0], own[1], sizeof own[0]);
    assert_memory_not_equal(own[0], own[2], sizeof own[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_are_chosen),
        cmocka_unit_test(drop_the_smallest_grow_where_the_gradient_is_largest),
        cmocka_unit_test(growth_keeps_its_schedule),
        cmocka_unit_test(budgets_follow_the_densities),
        cmocka_unit_test(claims_are_reproducible_and_differ_by_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
