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
//   levels    with more levels than 0 and 1 a unit has a second real value r, 0 at first:
//             place s = slope' r, level = that with log2 nearest to s, scale = [on] level;
//             d scale / ds = [on] level ln 2, straight through the rounding (the form of DeepShift:
//             Elhoushi et al., CVPR workshops 2021); d scale / dm is times level
//   nearest   s = 1 + slope' r, scale = the level nearest to s, d scale / ds = 1
//             s is kept within half an octave (half a unit) of the outer levels
// The rules that step weights, masks and parameters are in optimiser.h; masks take Adam.
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/simd.h"
#include "base/thread.h"
#include "learn/elements.h"
#include "learn/learner.h"
#include "learn/optimiser.h"
#include "learn/profile.h"

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

static const double LN_2 = 0.69314718055994530942;

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

// the level that a unit's second real value is rounded to
static uint8_t level_of(const job *j, int64_t u) {
    const ohmi_levels *levels = &j->learner->levels;
    if (!j->units->power) {
        return (uint8_t)levels->one;
    }
    const double s = j->learner->config->method.shift_slope * (double)j->units->power[u];
    return (uint8_t)ohmi_levels_nearest(levels, levels->place[levels->one] + s);
}

// Whether the masks are of single elements, on or off, without noise: elements.h has them.
static bool has_elements(const job *j) {
    return j->units->layout.span == 1 && j->units->layout.block == 1 && !j->units->power &&
           !j->units->fresh && !(j->with_noise && j->learner->config->method.mask_noise);
}

// where a mask is on
static float threshold_of(const job *j) {
    return j->learner->config->method.estimator == OHMI_ESTIMATOR_NONE
               ? -INFINITY
               : (float)j->learner->config->method.mask_threshold;
}

// the code of a unit's scale
static uint8_t code_of(const job *j, int64_t u) {
    const uint8_t own = j->units->own[u];
    bool is_on = true;
    if (own == j->t + 1) {
        return (uint8_t)j->learner->levels.one;
    }
    if (!ohmi_is_earlier(own, j->t)) {
        return 0;
    }
    switch (j->learner->config->method.estimator) {
    case OHMI_ESTIMATOR_GUMBEL:
        is_on = mask_chance(j, u) >= 0.5f;
        break;
    case OHMI_ESTIMATOR_THRESHOLD:
        is_on = j->units->mask[u] >= (float)j->learner->config->method.mask_threshold;
        break;
    case OHMI_ESTIMATOR_NEAREST:
    case OHMI_ESTIMATOR_NONE:
        break;
    }
    return is_on ? level_of(j, u) : 0;
}

OHMI_SIMD static void scale_elements(float *w_eff, const uint8_t *on, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        w_eff[i] = on[i] ? w_eff[i] : 0.0f;
    }
}

OHMI_SIMD static void scale_by(float *w_eff, float factor, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        w_eff[i] *= factor;
    }
}

static void level_elements(float *w_eff, const uint8_t *on, int64_t n, const ohmi_levels *levels) {
    for (int64_t i = 0; i < n; i++) {
        w_eff[i] *= levels->factor[on[i]];
    }
}

// one unit, or a row of elements: rounded, or as it is
static void round_run(float *w_eff, const float *w, int64_t n, const job *j) {
    if (j->units->cells && j->grid->n_levels > 0 && !j->grid->is_smooth) {
        memcpy(w_eff, j->units->cells + (w - j->layer->w), (size_t)n * sizeof *w_eff);
    } else if (j->grid->n_levels > 0) {
        ohmi_grid_round_weights(w_eff, w, n, j->units->lsb, j->grid);
        if (j->units->profile && !j->grid->is_smooth) {
            ohmi_profile_apply(w_eff, w - j->layer->w, n, j->units->profile);
        }
    } else {
        memcpy(w_eff, w, (size_t)n * sizeof *w);
    }
}

// the weights of one output of a unit, at a level
static void make_run(float *w_eff, const float *w, int64_t n, uint8_t code, const job *j) {
    const float factor = j->learner->levels.factor[code];
    if (code == 0) {
        memset(w_eff, 0, (size_t)n * sizeof *w_eff);
        return;
    }
    round_run(w_eff, w, n, j);
    if (factor > 1) {
        scale_by(w_eff, factor, n);
    }
}

// a row of elements, each at its level
static void make_elements(float *w_eff, const float *w, const uint8_t *on, int64_t n,
                          const job *j) {
    round_run(w_eff, w, n, j);
    if (j->learner->levels.n == 2) {
        scale_elements(w_eff, on, n);
    } else {
        level_elements(w_eff, on, n, &j->learner->levels);
    }
}

// the effective weights of blocks begin .. end-1 of outputs: round, then mask
static void effective_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_layout *layout = &j->units->layout;
    const int64_t run = layout->run;
    for (int64_t b = begin; b < end; b++) {
        const int64_t first = b * layout->block;
        const int64_t rows = ohmi_layout_height(layout, b * layout->n_groups);
        const float *w = j->layer->w + first * run;
        float *w_eff = j->layer->w_eff + first * run;
        uint8_t *on = j->units->on + b * layout->n_groups;
        const bool is_quick = !j->bits && has_elements(j);
        if (is_quick) {
            ohmi_elements_on(on, j->units->own + first * run, j->units->mask + first * run, run,
                             j->t, threshold_of(j));
        }
        for (int64_t g = 0; !is_quick && g < layout->n_groups; g++) {
            const int64_t u = b * layout->n_groups + g;
            const uint8_t was_on = on[g];
            on[g] = j->bits ? ohmi_levels_code(&j->learner->levels, j->bits, u) : code_of(j, u);

            // columns of earlier tasks, and free ones, stay as the step before made them
            const bool may_change = j->units->own[u] == j->t + 1 || on[g] != was_on;
            if (layout->span == 1 || (j->is_made && !may_change)) {
                continue;
            }
            const int64_t at = g * layout->span, rest = run - at;
            const int64_t length = rest < layout->span ? rest : layout->span;
            for (int64_t i = 0; i < rows; i++) {
                make_run(w_eff + i * run + at, w + i * run + at, length, on[g], j);
            }
        }
        for (int64_t i = 0; layout->span == 1 && i < rows; i++) {
            make_elements(w_eff + i * run, w + i * run, on, run, j);
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
        j.layer->step = (grid->n_levels > 0 ? units->lsb : 1.0f) * learner->levels.resolution;
        units->made_for = from_bits ? 0 : t + 1;
        const int64_t grain = 1 + 16384 / (units->layout.block * units->layout.run + 1);
        ohmi_parallel(units->layout.n_blocks, grain, effective_work, &j);
        ohmi_copies_apply(learner, i, t, from_bits, grid);
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

void ohmi_learner_reveal(ohmi_learner *learner, int t) {
    static const ohmi_grid in_float;
    make_effective(learner, t, true, false, &in_float);
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

// one Adam step of the real value of a unit
static void step_value(float *value, float *mean, float *square, int64_t u, double gradient,
                       const job *j) {
    const float g = (float)gradient;
    ohmi_update_weights(&value[u], &mean[u], &square[u], &g, 1, &j->masks);
}

// steps the mask of unit u of an earlier task; d_scale: d loss / d scale
static void step_mask(const job *j, int64_t u, double d_scale) {
    const ohmi_config *config = j->learner->config;
    const ohmi_levels *levels = &j->learner->levels;
    ohmi_units *units = j->units;
    const uint8_t level = level_of(j, u);
    const bool is_on = units->power && code_of(j, u) != 0;
    switch (config->method.estimator) {
    case OHMI_ESTIMATOR_GUMBEL: {
        const double p = (double)mask_chance(j, u);
        const double slope = config->method.mask_slope / config->method.mask_temperature;
        step_value(units->mask, units->mask_mean, units->mask_square, u,
                   d_scale * (double)levels->value[level] * slope * p * (1 - p), j);
        break;
    }
    case OHMI_ESTIMATOR_THRESHOLD:
        step_value(units->mask, units->mask_mean, units->mask_square, u,
                   d_scale * (double)levels->value[level], j);
        break;
    case OHMI_ESTIMATOR_NEAREST:
    case OHMI_ESTIMATOR_NONE:
        break;
    }
    if (!units->power) {
        return;
    }

    // the level's own value
    const double by_s = levels->is_linear ? 1 : is_on ? (double)levels->value[level] * LN_2 : 0;
    step_value(units->power, units->power_mean, units->power_square, u,
               d_scale * by_s * config->method.shift_slope, j);
    const double one = levels->place[levels->one], slope = config->method.shift_slope;
    const double least = levels->place[levels->is_linear ? 0 : 1] - 0.5 - one;
    const double most = levels->place[levels->n - 1] + 0.5 - one;
    units->power[u] = fminf(fmaxf(units->power[u], (float)(least / slope)), (float)(most / slope));
}

// d loss / d scale of a unit: sum over its weights of dw Q(w)
static double scale_gradient(const job *j, int64_t u) {
    const ohmi_layout *layout = &j->units->layout;
    const int64_t length = ohmi_layout_length(layout, u), height = ohmi_layout_height(layout, u);
    float code[128]; // Q(w) of a piece of a unit
    double sum = 0;
    for (int64_t i = 0; i < height; i++) {
        const int64_t offset = ohmi_layout_offset(layout, u) + i * layout->run;
        const float *w = j->layer->w + offset, *dw = j->layer->dw + offset;
        for (int64_t at = 0; at < length; at += 128) {
            const int64_t n = length - at < 128 ? length - at : 128;
            if (j->units->cells && j->grid->n_levels > 0) {
                memcpy(code, j->units->cells + offset + at, (size_t)n * sizeof *code);
            } else if (j->grid->n_levels > 0) {
                ohmi_grid_round_weights(code, w + at, n, j->units->lsb, j->grid);
            }
            if (j->units->profile) {
                ohmi_profile_apply(code, offset + at, n, j->units->profile);
            }
            sum += product_sum(dw + at, j->grid->n_levels > 0 ? code : w + at, n);
        }
    }
    return sum * (double)(j->grid->n_levels > 0 ? j->units->lsb : 1.0f);
}

// steps the elements of outputs begin .. end-1
static void update_elements(const job *j, int64_t begin, int64_t end) {
    const ohmi_config *config = j->learner->config;
    const ohmi_units *units = j->units;
    const ohmi_layer *layer = j->layer;
    const int64_t run = units->layout.run;
    const bool is_gumbel = config->method.estimator == OHMI_ESTIMATOR_GUMBEL;
    const bool is_rounded = j->grid->n_levels > 0;
    const ohmi_elements_rule rule = {
        .weights = j->skip_weights ? NULL : &j->weights,
        .masks = j->has_masks ? &j->masks : NULL,
        .t = j->t,
        .lsb = is_rounded ? units->lsb : 1.0f,
        .threshold = threshold_of(j),
        .slope =
            is_gumbel ? (float)(config->method.mask_slope / config->method.mask_temperature) : 0.0f,
    };
    for (int64_t at = begin * run; at < end * run; at += OHMI_ELEMENTS_AT_ONCE) {
        const int64_t rest = end * run - at;
        const ohmi_elements e = {
            .own = units->own + at,
            .dw = layer->dw + at,
            .w = layer->w + at,
            .velocity = units->velocity + at,
            .square = units->square ? units->square + at : NULL,
            .mask = units->mask + at,
            .mask_mean = units->mask_mean + at,
            .mask_square = units->mask_square + at,
            .n = rest < OHMI_ELEMENTS_AT_ONCE ? rest : OHMI_ELEMENTS_AT_ONCE,
        };
        float q[OHMI_ELEMENTS_AT_ONCE];
        if (rule.masks && is_rounded) {
            ohmi_grid_round_weights(q, e.w, e.n, units->lsb, j->grid);
        }
        if (rule.masks && units->profile) {
            ohmi_profile_apply(q, at, e.n, units->profile);
        }
        ohmi_elements_step(&e, is_rounded ? q : e.w, &rule);
    }
}

// steps the units of blocks begin .. end-1 of outputs: own weights by SGD, masks of earlier tasks
// by Adam
static void update_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_layout *layout = &j->units->layout;
    ohmi_units *units = j->units;
    if (has_elements(j)) {
        update_elements(j, begin, end);
        return;
    }
    for (int64_t u = begin * layout->n_groups; u < end * layout->n_groups; u++) {
        const uint8_t own = units->own[u];
        if (own == j->t + 1 && !j->skip_weights) {
            const int64_t length = ohmi_layout_length(layout, u);
            for (int64_t i = 0; i < ohmi_layout_height(layout, u); i++) {
                const int64_t at = ohmi_layout_offset(layout, u) + i * layout->run;
                ohmi_update_weights(j->layer->w + at, units->velocity + at,
                                    units->square ? units->square + at : NULL, j->layer->dw + at,
                                    length, &j->weights);
            }
        } else if (j->has_masks && ohmi_is_earlier(own, j->t) &&
                   !ohmi_is_copied(units, NULL, j->layer_index, u)) {
            step_mask(j, u, scale_gradient(j, u));
        }
    }
}

void ohmi_learner_update(ohmi_learner *learner, int t, double lr, double mask_lr,
                         bool skip_weights) {
    const ohmi_config *config = learner->config;
    ohmi_network *network = learner->network;
    ohmi_task_parameters *task = learner->learned[t].parameters;
    const double step = learner->position.step - learner->phase.first_step + 1;
    const bool is_adam = config->train.optimiser == OHMI_OPTIMISER_ADAM;
    const bool has_masks = mask_lr > 0 && (t > 0 || learner->backbone_trainable) &&
                           config->method.estimator != OHMI_ESTIMATOR_NONE;
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
        const int64_t grain = 1 + 16384 / (j.units->layout.block * j.units->layout.run + 1);
        ohmi_parallel(j.units->layout.n_blocks, grain, update_work, &j);
        ohmi_copies_update(learner, i, &j.weights);
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
