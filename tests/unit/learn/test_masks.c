// SPDX-License-Identifier: Apache-2.0
// Masks of earlier units: which are on, their gradients against finite differences of the
// surrogate, the noise, and that what is kept has none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "unit/learn/tiny_learning.h"
#include "unit/network/double_network.h"

static float draw(uint32_t place, uint32_t i) {
    const ohmi_rng rng = {.seed = 31, .purpose = OHMI_RNG_TEST, .place = place};
    return ohmi_rng_uniform(&rng, i);
}

// a learner with tasks 1 and 2 learned and task 3 claimed, its masks on both sides of the threshold
static void begin_third(tiny_learning *l, const char *const *more) {
    tiny_begin(l, more);
    tiny_learn(l, 0, NULL, NULL, NULL);
    tiny_learn(l, 1, NULL, NULL, NULL);
    l->learner->position.task = 2;
    assert_int_equal(ohmi_learner_begin(l->learner, 2, NULL), OHM_OK);
    l->learner->position.is_started = 1;
    for (int i = 0; i < l->learner->network->n_layers; i++) {
        ohmi_units *units = &l->learner->units[i];
        for (int64_t u = 0; u < units->layout.n_units; u++) {
            units->mask[u] = (float)l->values->method.mask_threshold +
                             0.3f * (draw((uint32_t)i, (uint32_t)u) - 0.5f);
        }
    }
}

// a batch as it comes but not in whole numbers, so that no window of a pool has two equal winners
static ohmi_batch uneven(const ohmi_batch *batch, float *x, size_t size) {
    ohmi_batch out = *batch;
    const size_t count = (size_t)(TINY_SIDE * TINY_SIDE * batch->n_pad * 16);
    assert_true(count <= size);
    memcpy(x, batch->x, count * sizeof *x);
    for (size_t i = 0; i < count; i++) {
        if ((int)(i % 16) < TINY_CHANNELS && (int)(i / 16) % batch->n_pad < batch->n) {
            x[i] += 0.3f * draw(90, (uint32_t)i);
        }
    }
    out.x = x;
    return out;
}

static ohmi_batch first_batch(tiny_learning *l) {
    ohmi_batch batch;
    ohmi_loader_start(l->loader, 2, &l->tasks.task[2].train, 0, 0);
    ohmi_loader_next(l->loader, &batch);
    assert_int_equal(batch.n, 16);
    return batch;
}

// W_eff = scale Q(W), with the scales of the table of learner.h
static void a_unit_is_scaled_by_its_owner_and_mask(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        static const char *const kinds[4][5] = {
            {"method.estimator", "gumbel", NULL},
            {"method.estimator", "threshold", NULL},
            {"method.estimator", "none", NULL},
            {"quantise.weight_bits", "0", "quantise.activation_bits", "0", NULL}};
        tiny_learning l;
        int64_t n[3] = {0}; // free, off, on
        begin_third(&l, kinds[kind]);
        ohmi_learner_prepare(l.learner, 2, true);
        for (int i = 0; i < l.learner->network->n_layers; i++) {
            const ohmi_layer *layer = &l.learner->network->layers[i];
            const ohmi_units *units = &l.learner->units[i];
            assert_true(layer->step == (kind == 3 ? 1.0f : units->lsb));
            for (int64_t u = 0; u < units->layout.n_units; u++) {
                const bool is_over =
                    units->mask[u] >= (float)l.values->method.mask_threshold || kind == 2;
                const bool is_on = units->own[u] == 3 || (units->own[u] != 0 && is_over);
                n[units->own[u] == 0 ? 0 : is_on ? 2 : 1]++;
                for (int64_t w = 0; w < ohmi_layout_length(&units->layout, u); w++) {
                    const int64_t at = ohmi_layout_offset(&units->layout, u) + w;
                    float q = layer->w[at];
                    if (kind != 3) {
                        q = fminf(fmaxf(rintf(q * (1.0f / units->lsb)), -7), 7);
                    }
                    assert_true(layer->w_eff[at] == (is_on ? q : 0));
                }
            }
        }
        assert_true(n[0] > 10 && n[2] > 50 && (n[1] > 50 || kind == 2));
        tiny_end(&l);
    }
}

// chance that a mask is on, and its slope by finite difference
static double chance(const ohmi_config *c, double m) {
    const double x = c->method.mask_slope * (m - c->method.mask_threshold);
    return 1 / (1 + exp(-x / c->method.mask_temperature));
}

static void compare(const char *what, double by_us, double by_difference, double most) {
    if (!(fabs(by_us - by_difference) <= most)) {
        fail_msg("%s: %.9g, by differences %.9g", what, by_us, by_difference);
    }
}

// dL/dm = sum over the unit of dL/dw_eff Q(w), times the estimator's slope; own weights take the
// gradient of their effective weight. Adam's first moment and the momentum show both after a step
static void gradients_are_those_of_the_surrogate(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        // all units owned and one on of every output: in a channel that is constant all pixels of a
        // pool are equal winners
        static const char *const kinds[3][17] = {
            {"array.rows", "72", "network.expand", "1", "method.density_first", "0.5",
             "method.density_rest", "0.5", "method.mask_slope", "3", "method.mask_temperature",
             "0.5", NULL},
            {"array.rows", "72", "network.expand", "1", "method.density_first", "0.5",
             "method.density_rest", "0.5", "method.estimator", "threshold", NULL},
            {"array.rows", "72", "network.expand", "1", "method.density_first", "0.5",
             "method.density_rest", "0.5", "method.mask_slope", "3", "method.mask_temperature",
             "0.5", "quantise.weight_bits", "0", "quantise.activation_bits", "0"}};
        const char *more[17] = {NULL};
        memcpy(more, kinds[kind], 16 * sizeof *more);
        tiny_learning l;
        begin_third(&l, more);
        for (int i = 0; i < l.learner->network->n_layers; i++) {
            ohmi_units *units = &l.learner->units[i];
            for (int64_t u = 0; u < units->layout.n_units; u += units->layout.n_groups) {
                units->mask[u] = (float)l.values->method.mask_threshold + 0.1f;
            }
        }
        ohmi_learner *learner = l.learner;
        ohmi_network *network = learner->network;
        if (learner->is_quantised) {
            // activations with so many levels that only their clips remain
            learner->activation_grid.scheme = OHMI_SCHEME_UNIFORM;
            learner->activation_grid.top = 1048576;
        }
        static float x[TINY_SIDE * TINY_SIDE * 16 * 16];
        const ohmi_batch whole = first_batch(&l);
        const ohmi_batch batch = uneven(&whole, x, sizeof x / sizeof *x);
        ohmi_learner_prepare(learner, 2, true);
        // a channel with all its units off is constant: away from zero, where ReLU has no slope
        for (int i = 0; i < network->n_nodes; i++) {
            const ohmi_node *node = &network->nodes[i];
            for (int c = 0; c < node->c && node->beta >= 0; c++) {
                network->task->trainable[node->beta + c] =
                    draw(50 + (uint32_t)i, (uint32_t)c) < 0.5f ? -0.2f : 0.3f;
            }
        }
        ohmi_network_forward(network, batch.x, batch.n, OHMI_MODE_TRAIN, 0.1f); // sets the clips
        ohmi_network_forward(network, batch.x, batch.n, OHMI_MODE_TRAIN, 0.1f);
        double_network d = double_copy(network, batch.x, batch.n);
        float *w[8];
        for (int i = 0; i < network->n_layers; i++) {
            w[i] = malloc((size_t)network->layers[i].n_weights * sizeof(float));
            assert_non_null(w[i]);
            memcpy(w[i], network->layers[i].w,
                   (size_t)network->layers[i].n_weights * sizeof(float));
        }
        assert_int_equal(ohmi_train_step(learner, &batch, NULL), OHM_OK);

        int n_masks = 0, n_weights = 0;
        for (int i = 0; i < network->n_layers; i++) {
            const ohmi_layer *layer = &network->layers[i];
            const ohmi_units *units = &learner->units[i];
            double top = 0;
            for (int64_t u = 0; u < units->layout.n_units; u++) {
                top = fmax(top, 10 * fabs((double)units->mask_mean[u]));
            }
            for (int64_t u = (i * 5) % 3; u < units->layout.n_units; u += 3) {
                const int64_t at = ohmi_layout_offset(&units->layout, u);
                const int64_t n = ohmi_layout_length(&units->layout, u);
                const double by_us = 10 * (double)units->mask_mean[u];
                if (units->own[u] == 3) {
                    // one of its weights: v = dw + decay w on the first step
                    const int64_t p = at + (int64_t)(u % n);
                    const double slope = double_slope(&d, &d.w[i][p], batch.labels) +
                                         l.values->train.weight_decay * (double)w[i][p];
                    compare("weight", (double)units->velocity[p], slope, 2e-5);
                    n_weights++;
                } else if (units->own[u] != 0) {
                    // both ends of a small change of the scale of the whole unit
                    const double h = 1e-7, m0 = (double)units->mask[u];
                    double ends[2], kept[128];
                    float code[128];
                    memcpy(code, w[i] + at, (size_t)n * sizeof *code);
                    if (learner->is_quantised) {
                        ohmi_grid_round_weights(code, w[i] + at, n, units->lsb,
                                                &learner->weight_grid);
                    }
                    memcpy(kept, d.w[i] + at, (size_t)n * sizeof *kept);
                    for (int e = 0; e < 2; e++) {
                        for (int64_t p = 0; p < n; p++) {
                            d.w[i][at + p] =
                                kept[p] + (e ? h : -h) * (double)code[p] * (double)layer->step;
                        }
                        ends[e] = double_loss(&d, batch.labels);
                    }
                    memcpy(d.w[i] + at, kept, (size_t)n * sizeof *kept);
                    const double d_scale = (ends[1] - ends[0]) / (2 * h);
                    // the step has moved the mask by lr at most; its value before is drawn again
                    const bool is_first = u % units->layout.n_groups == 0;
                    const float off =
                        is_first ? 0.1f : 0.3f * (draw((uint32_t)i, (uint32_t)u) - 0.5f);
                    const double m = (double)((float)l.values->method.mask_threshold + off);
                    assert_true(fabs(m - m0) <= 0.0101);
                    const double slope =
                        l.values->method.estimator == OHMI_ESTIMATOR_THRESHOLD
                            ? 1
                            : (chance(l.values, m + 1e-6) - chance(l.values, m - 1e-6)) / 2e-6;
                    compare("mask", by_us, d_scale * slope, 2e-5 * fmax(top, 0.05));
                    n_masks++;
                } else {
                    assert_true(units->mask_mean[u] == 0);
                }
            }
        }
        assert_true(n_masks > 40 && n_weights > 20);
        for (int i = 0; i < network->n_layers; i++) {
            free(w[i]);
        }
        double_free(&d);
        tiny_end(&l);
    }
}

// with noise a mask is on with the chance of its logit, anew each step, the same again for the same
// step; what is kept of a task is without
static void noise_is_for_training_only(void **state) {
    (void)state;
    static const char *const more[] = {"method.mask_noise",
                                       "true",
                                       "method.mask_slope",
                                       "1",
                                       "method.mask_threshold",
                                       "0",
                                       "method.mask_temperature",
                                       "0.7",
                                       NULL};
    tiny_learning l;
    begin_third(&l, more);
    ohmi_learner *learner = l.learner;
    int64_t n_on = 0, n = 0, n_changed = 0;
    enum { N_STEPS = 40 };
    for (int i = 0; i < learner->network->n_layers; i++) {
        for (int64_t u = 0; u < learner->units[i].layout.n_units; u++) {
            learner->units[i].mask[u] = 1;
        }
    }
    uint8_t before[4096];
    for (int step = 0; step < N_STEPS; step++) {
        for (int i = 0; i < learner->network->n_layers; i++) {
            const ohmi_units *units = &learner->units[i];
            learner->position.step = step;
            ohmi_learner_prepare(learner, 2, true);
            assert_true((size_t)units->layout.n_units <= sizeof before);
            memcpy(before, units->on, (size_t)units->layout.n_units);
            ohmi_learner_prepare(learner, 2, true);
            assert_memory_equal(before, units->on, (size_t)units->layout.n_units);
            for (int64_t u = 0; u < units->layout.n_units; u++) {
                const bool is_earlier = units->own[u] == 1 || units->own[u] == 2;
                n += is_earlier;
                n_on += is_earlier && units->on[u];
                assert_true(units->own[u] != 3 || units->on[u]);
            }
            learner->position.step = step + 1;
            ohmi_learner_prepare(learner, 2, true);
            for (int64_t u = 0; u < units->layout.n_units; u++) {
                n_changed += before[u] != units->on[u];
            }
        }
    }
    // sigmoid(1) of them, within four deviations; two steps differ in 2 p (1 - p)
    const double p = 1 / (1 + exp(-1.0)), deviation = sqrt(p * (1 - p) / (double)n);
    assert_true(fabs((double)n_on / (double)n - p) < 4 * deviation);
    assert_true(fabs((double)n_changed / (double)n - 2 * p * (1 - p)) < 8 * deviation);

    // all masks are over the threshold, so all earlier units are kept
    ohmi_learner_finish(learner, 2);
    for (int i = 0; i < learner->network->n_layers; i++) {
        const ohmi_units *units = &learner->units[i];
        for (int64_t u = 0; u < units->layout.n_units; u++) {
            assert_int_equal(learner->learned[2].bits[i][u / 8] >> (u % 8) & 1, units->own[u] != 0);
        }
    }
    tiny_end(&l);
}

// from the epoch of train.mask_until on masks keep their bits, weights still move
static void frozen_masks_stay(void **state) {
    (void)state;
    static const char *const more[] = {"train.mask_until", "0.5", NULL};
    tiny_learning l;
    begin_third(&l, more);
    ohmi_learner *learner = l.learner;
    for (int epoch = 0; epoch < 4; epoch++) {
        const ohmi_batch batch = first_batch(&l);
        int64_t n_masks = 0, n_weights = 0;
        for (int i = 0; i < learner->network->n_layers; i++) {
            ohmi_units *units = &learner->units[i];
            memcpy(units->score, units->mask, (size_t)units->layout.n_units * sizeof(float));
        }
        const float w = learner->network->task->trainable[0];
        learner->position.epoch = epoch;
        learner->position.step = 1;
        assert_int_equal(ohmi_train_step(learner, &batch, NULL), OHM_OK);
        for (int i = 0; i < learner->network->n_layers; i++) {
            ohmi_units *units = &learner->units[i];
            for (int64_t u = 0; u < units->layout.n_units; u++) {
                n_masks += memcmp(&units->score[u], &units->mask[u], sizeof(float)) != 0;
            }
        }
        n_weights += learner->learned[2].parameters->trainable[0] != w;
        assert_true(epoch < 2 ? n_masks > 50 : n_masks == 0);
        assert_true(n_weights == 1 || epoch == 0);
    }
    tiny_end(&l);
}

// weights made from the step before are those made anew, over steps of masks and of growth
static void weights_made_in_part_are_those_made_anew(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        static const char *const kinds[2][3] = {{"method.unit", "column", NULL},
                                                {"method.unit", "element", NULL}};
        tiny_learning l;
        begin_third(&l, kinds[kind]);
        ohmi_learner *learner = l.learner;
        const ohmi_batch batch = first_batch(&l);
        float *in_part[8] = {NULL};
        const int n_layers = learner->network->n_layers;
        assert_in_range(n_layers, 2, 8);
        for (int i = 0; i < n_layers; i++) {
            in_part[i] = malloc((size_t)learner->network->layers[i].n_weights * sizeof(float));
            assert_non_null(in_part[i]);
        }
        for (int step = 0; step < 7; step++) {
            assert_int_equal(ohmi_train_step(learner, &batch, NULL), OHM_OK);
            ohmi_learner_prepare(learner, 2, true);
            for (int i = 0; i < n_layers; i++) {
                const ohmi_layer *layer = &learner->network->layers[i];
                const size_t size = (size_t)layer->n_weights * sizeof(float);
                memcpy(in_part[i], layer->w_eff, size);
                memset(layer->w_eff, 0xFF, size);
                learner->units[i].made_for = 0;
            }
            ohmi_learner_prepare(learner, 2, true);
            for (int i = 0; i < n_layers; i++) {
                const ohmi_layer *layer = &learner->network->layers[i];
                assert_memory_equal(in_part[i], layer->w_eff,
                                    (size_t)layer->n_weights * sizeof(float));
            }
        }
        for (int i = 0; i < n_layers; i++) {
            free(in_part[i]);
        }
        tiny_end(&l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_is_scaled_by_its_owner_and_mask),
        cmocka_unit_test(gradients_are_those_of_the_surrogate),
        cmocka_unit_test(noise_is_for_training_only),
        cmocka_unit_test(frozen_masks_stay),
        cmocka_unit_test(weights_made_in_part_are_those_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
