// SPDX-License-Identifier: Apache-2.0
// Weights and masks of a step: effective weights before it, updates after it.
//
//   mask      x = slope (m - threshold), p = sigmoid((x + noise) / T), scale = [p >= 1/2]
//             noise = g0 - g1, Gumbel draws (their difference is logistic: log u - log(1 - u)); by
//             default off, as in the authors' code. The corrected two-class form of XST's eq.
//             (1)-(2): as printed, the second class' logit is missing and no column could turn on
//             reliably
//   gradient  d scale / dm = slope / T p (1 - p)    (straight through the threshold)
//             d loss / d scale[u] = sum_i dw[i] Q(w[i]) over the unit
//   threshold estimator (Piggyback): scale = [m >= threshold], d scale / dm = 1
// The rules that step weights, masks and parameters are in optimiser.h; masks take Adam.
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/simd.h"
#include "base/thread.h"
#include "learn/learner.h"
#include "learn/optimiser.h"

typedef struct {
    ohmi_learner *learner;
    const ohmi_grid *grid; // n_levels = 0: float weights
    ohmi_layer *layer;
    ohmi_units *units;
    const uint8_t *bits; // activate: the scales of a task
    bool is_made;        // prepare: w_eff is that of the step before, of the same task
    int layer_index, t;
    ohmi_update weights, masks; // rules of this step
    bool has_masks, skip_weights, with_noise;
} job;

static float mask_chance(const job *j, int64_t u) {
    const ohmi_config *config = j->learner->config;
    const float x = (float)config->method.mask_slope *
                    (j->units->mask[u] - (float)config->method.mask_threshold);
    float noise = 0;
    if (j->with_noise && config->method.mask_noise) {
        const ohmi_rng rng = {.seed = (uint64_t)config->seed,
                              .purpose = OHMI_RNG_GUMBEL,
                              .task = (uint32_t)j->t,
                              .place = (uint32_t)j->layer_index +
                                       1000u * (uint32_t)j->learner->position.step};
        const float uniform = ohmi_rng_uniform(&rng, (uint32_t)u);
        noise = logf(uniform) - log1pf(-uniform);
    }
    return 1.0f / (1.0f + expf(-(x + noise) / (float)config->method.mask_temperature));
}

static uint8_t scale_of(const job *j, int64_t u) {
    const uint8_t own = j->units->own[u];
    if (own == j->t + 1) {
        return 1;
    }
    if (own == 0 || own > j->t + 1) {
        return 0;
    }
    switch (j->learner->config->method.estimator) {
    case OHMI_ESTIMATOR_GUMBEL:
        return mask_chance(j, u) >= 0.5f;
    case OHMI_ESTIMATOR_THRESHOLD:
        return j->units->mask[u] >= (float)j->learner->config->method.mask_threshold;
    case OHMI_ESTIMATOR_NONE:
        break;
    }
    return 1;
}

OHMI_SIMD static void scale_elements(float *w_eff, const uint8_t *on, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        w_eff[i] = on[i] ? w_eff[i] : 0.0f;
    }
}

// one unit, or a row of elements: rounded, or as it is
static void round_run(float *w_eff, const float *w, int64_t n, const job *j) {
    if (j->grid->n_levels > 0) {
        ohmi_grid_round_weights(w_eff, w, n, j->units->lsb, j->grid);
    } else {
        memcpy(w_eff, w, (size_t)n * sizeof *w);
    }
}

// the effective weights of outputs begin .. end-1: round, then mask
static void effective_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_layout *layout = &j->units->layout;
    for (int64_t k = begin; k < end; k++) {
        const float *w = j->layer->w + k * layout->run;
        float *w_eff = j->layer->w_eff + k * layout->run;
        uint8_t *on = j->units->on + k * layout->n_groups;
        for (int64_t g = 0; g < layout->n_groups; g++) {
            const int64_t u = k * layout->n_groups + g;
            const uint8_t was_on = on[g];
            on[g] = (uint8_t)(j->bits ? j->bits[u / 8] >> (u % 8) & 1 : scale_of(j, u));

            // columns of earlier tasks, and free ones, stay as the step before made them
            const bool may_change = j->units->own[u] == j->t + 1 || on[g] != was_on;
            if (layout->span == 1 || (j->is_made && !may_change)) {
                continue;
            }
            const int64_t at = g * layout->span, rest = layout->run - at;
            const int64_t length = rest < layout->span ? rest : layout->span;
            if (on[g]) {
                round_run(w_eff + at, w + at, length, j);
            } else {
                memset(w_eff + at, 0, (size_t)length * sizeof *w_eff);
            }
        }
        if (layout->span == 1) {
            round_run(w_eff, w, layout->run, j);
            scale_elements(w_eff, on, layout->run);
        }
    }
}

// w_eff for task t: from its bits when it is finished, else from its masks
static void make_effective(ohmi_learner *learner, int t, bool from_bits, bool with_noise,
                           const ohmi_grid *grid) {
    for (int i = 0; i < learner->network->n_layers; i++) {
        ohmi_units *units = &learner->units[i];
        job j = {.learner = learner,
                 .layer = &learner->network->layers[i],
                 .units = units,
                 .grid = grid,
                 .layer_index = i,
                 .t = t,
                 .with_noise = with_noise,
                 .is_made = !from_bits && units->made_for == t + 1};
        j.bits = from_bits ? learner->learned[t].bits[i] : NULL;
        j.layer->step = grid->n_levels > 0 ? units->lsb : 1.0f;
        units->made_for = from_bits ? 0 : t + 1;
        const int64_t grain = 1 + 16384 / (j.units->layout.run + 1);
        ohmi_parallel(j.units->layout.k, grain, effective_work, &j);
    }
}

void ohmi_learner_prepare(ohmi_learner *learner, int t, bool with_noise) {
    ohmi_network *network = learner->network;
    network->task = learner->learned[t].parameters;
    network->activation_grid = learner->activation_grid;
    network->head_top = learner->head_top;
    network->nodes[0].step = ohmi_input_step(learner->config);
    make_effective(learner, t, false, with_noise, &learner->weight_grid);
}

void ohmi_learner_activate(ohmi_learner *learner, int t, bool quantised) {
    // without rounding, what a quantised network clips is clipped all the same
    const ohmi_grid weights = ohmi_grid_smooth(&learner->weight_grid);
    const ohmi_grid activations = ohmi_grid_smooth(&learner->activation_grid);
    ohmi_network *network = learner->network;
    network->task = learner->learned[t].parameters;
    network->activation_grid = quantised ? learner->activation_grid : activations;
    network->head_top = quantised ? learner->head_top : 0.0f;
    network->nodes[0].step = quantised ? ohmi_input_step(learner->config) : 1.0f;
    make_effective(learner, t, true, false, quantised ? &learner->weight_grid : &weights);
}

OHMI_SIMD static double product_sum(const float *a, const float *b, int64_t n) {
    float sum[16] = {0};
    double total = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        for (int lane = 0; lane < 16; lane++) {
            sum[lane] += a[i + lane] * b[i + lane];
        }
    }
    for (; i < n; i++) {
        total += (double)(a[i] * b[i]);
    }
    for (int lane = 0; lane < 16; lane++) {
        total += (double)sum[lane];
    }
    return total;
}

// real gradient of a mask: d loss / d scale * d scale / dm
static float mask_gradient(const job *j, int64_t u, double d_scale) {
    if (j->learner->config->method.estimator == OHMI_ESTIMATOR_THRESHOLD) {
        return (float)d_scale;
    }
    const double p = (double)mask_chance(j, u);
    const double slope =
        j->learner->config->method.mask_slope / j->learner->config->method.mask_temperature;
    return (float)(d_scale * slope * p * (1 - p));
}

// steps the units of outputs begin .. end-1: own weights by SGD, masks of earlier tasks by Adam
static void update_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_layout *layout = &j->units->layout;
    ohmi_units *units = j->units;
    float code[128]; // Q(w) of a piece of a unit
    for (int64_t u = begin * layout->n_groups; u < end * layout->n_groups; u++) {
        const int64_t offset = ohmi_layout_offset(layout, u);
        const int64_t length = ohmi_layout_length(layout, u);
        float *w = j->layer->w + offset;
        const float *dw = j->layer->dw + offset;
        if (units->own[u] == j->t + 1) {
            if (!j->skip_weights) {
                ohmi_update_weights(w, units->velocity + offset,
                                    units->square ? units->square + offset : NULL, dw, length,
                                    &j->weights);
            }
        } else if (units->own[u] != 0 && units->own[u] <= j->t && j->has_masks) {
            double d_scale = 0;
            for (int64_t at = 0; at < length; at += 128) {
                const int64_t n = length - at < 128 ? length - at : 128;
                if (j->grid->n_levels > 0) {
                    ohmi_grid_round_weights(code, w + at, n, units->lsb, j->grid);
                }
                d_scale += product_sum(dw + at, j->grid->n_levels > 0 ? code : w + at, n);
            }
            const float gradient = mask_gradient(j, u, d_scale * (double)j->layer->step);
            ohmi_update_weights(&units->mask[u], &units->mask_mean[u], &units->mask_square[u],
                                &gradient, 1, &j->masks);
        }
    }
}

void ohmi_learner_update(ohmi_learner *learner, int t, double lr, double mask_lr,
                         bool skip_weights) {
    const ohmi_config *config = learner->config;
    ohmi_network *network = learner->network;
    ohmi_task_parameters *task = learner->learned[t].parameters;
    const double step = learner->position.step + 1;
    const bool is_adam = config->train.optimiser == OHMI_OPTIMISER_ADAM;
    const bool has_masks = mask_lr > 0 && t > 0 && config->method.estimator != OHMI_ESTIMATOR_NONE;
    if (has_masks) {
        learner->position.mask_step += 1;
    }

    // weights and masks
    for (int i = 0; i < network->n_layers; i++) {
        job j = {.learner = learner,
                 .layer = &network->layers[i],
                 .units = &learner->units[i],
                 .layer_index = i,
                 .t = t,
                 .has_masks = has_masks,
                 .skip_weights = skip_weights,
                 .with_noise = true,
                 .grid = &learner->weight_grid};
        j.weights = ohmi_update_rule(config, lr, step);
        j.masks = ohmi_update_rule(config, mask_lr, learner->position.mask_step);
        j.masks.decay = 0;
        const int64_t grain = 1 + 16384 / (j.units->layout.run + 1);
        ohmi_parallel(j.units->layout.k, grain, update_work, &j);
    }

    // the task's own parameters; clips have a rate of their own, no decay, and stay positive
    const ohmi_update rule = ohmi_update_rule(config, lr, step);
    ohmi_update clip_rule =
        ohmi_update_rule(config, config->train.clip_lr * lr / config->train.lr, step);
    clip_rule.decay = 0;
    int64_t at = 0;
    for (int i = 0; i <= network->n_nodes; i++) {
        const int64_t clip = i < network->n_nodes ? network->nodes[i].clip : task->n_trainable;
        if (clip < 0) {
            continue;
        }
        float *square = learner->parameter_square;
        ohmi_update_weights(task->trainable + at, learner->parameter_velocity + at,
                            is_adam ? square + at : NULL, network->d_trainable + at, clip - at,
                            &rule);
        if (i < network->n_nodes) {
            ohmi_update_weights(task->trainable + clip, learner->parameter_velocity + clip,
                                is_adam ? square + clip : NULL, network->d_trainable + clip, 1,
                                &clip_rule);
            task->trainable[clip] = fmaxf(task->trainable[clip], 1e-3f);
        }
        at = clip + 1;
    }
}
