// SPDX-License-Identifier: Apache-2.0
// Own copies of PEs: weights that a task keeps beside the shared ones, of all PEs (finetune) or of
// those that matter most (xma2; a reconstruction, the paper's body could not be had).
//
// A PE is one array of a layer: row group g of a block of outputs (layout.h). A task's copy of PE p
// begins as the shared weights and is trained; p's shared weights never change:
//
//     w_eff[p] = z[p] Q(copy[p]) + (1 - z[p]) scale Q(w[p])
//
// While PEs are chosen, each has a real score q[p], 0 at first, and a step draws
//
//     x = slope q    z = [sigmoid((x + noise) / T) >= 1/2]     noise: difference of two Gumbel
//     draws d loss / dz = sum over the PE of dw (copy - w)           straight through rounding and
//     z dz / dq = slope / T p (1 - p), p = sigmoid((x + noise) / T)     stepped by Adam
//
// so that half of the PEs are tried at first and those stay whose new weights lower the loss. Then
// the round(choose_ratio n_pes) PEs of the largest q in the whole network are chosen for good; of
// equal ones the first. With a ratio of which nothing, or everything, follows none are drawn.
#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/simd.h"
#include "base/thread.h"
#include "learn/learner.h"

typedef struct {
    ohmi_learner *learner;
    ohmi_units *units;
    ohmi_layer *layer;
    const ohmi_grid *grid;
    const uint8_t *bits; // of a finished task, NULL = of the one in training
    const float *copies; // likewise
    const ohmi_update *rule;
    int layer_index;
} job;

static bool is_chosen(const job *j, int64_t p) {
    return j->bits ? ohmi_bit(j->bits, p) : j->units->chosen[p];
}

// weights of a PE
static int64_t size_of(const ohmi_layout *pes, int64_t p) {
    return ohmi_layout_height(pes, p) * ohmi_layout_length(pes, p);
}

int64_t ohmi_copies_room(const ohmi_learner *learner, int64_t *n_chosen) {
    int64_t n = 0;
    for (int i = 0; i < learner->network->n_layers; i++) {
        n += learner->units[i].pes.n_units;
    }
    const double ratio = learner->traits->copies_all ? 1.0 : learner->config->method.choose_ratio;
    *n_chosen = llround(ratio * (double)n);
    return n;
}

void ohmi_copies_begin(ohmi_learner *learner) {
    int64_t n_chosen = 0;
    if (!learner->traits->has_copies) {
        return;
    }
    const bool all = ohmi_copies_room(learner, &n_chosen) == n_chosen;
    for (int i = 0; i < learner->network->n_layers; i++) {
        ohmi_units *units = &learner->units[i];
        const size_t n_pes = (size_t)units->pes.n_units;
        memcpy(units->fresh, learner->network->layers[i].w,
               (size_t)learner->network->layers[i].n_weights * sizeof(float));
        memset(units->chosen, all ? 1 : 0, n_pes);
        memset(units->choice, 0, n_pes * sizeof(float));
        memset(units->choice_mean, 0, n_pes * sizeof(float));
        memset(units->choice_square, 0, n_pes * sizeof(float));
        units->made_for = 0;
    }
}

// the chance that a PE has new weights in this step
static double chance(const ohmi_learner *learner, int t, int layer, int64_t p) {
    const ohmi_config *config = learner->config;
    const ohmi_rng rng = {.seed = (uint64_t)config->seed,
                          .purpose = OHMI_RNG_CHOOSE,
                          .task = (uint32_t)t,
                          .place = (uint32_t)layer + 1000u * (uint32_t)learner->position.step};
    const double uniform = (double)ohmi_rng_uniform(&rng, (uint32_t)p);
    const double x = config->method.mask_slope * (double)learner->units[layer].choice[p];
    const double noise = log(uniform) - log1p(-uniform);
    return 1 / (1 + exp(-(x + noise) / config->method.mask_temperature));
}

void ohmi_copies_draw(ohmi_learner *learner, int t) {
    for (int i = 0; i < learner->network->n_layers; i++) {
        ohmi_units *units = &learner->units[i];
        for (int64_t p = 0; p < units->pes.n_units; p++) {
            units->chosen[p] = chance(learner, t, i, p) >= 0.5;
        }
        units->made_for = 0;
    }
}

OHMI_SIMD static double gain(const float *dw, const float *fresh, const float *w, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)(dw[i] * (fresh[i] - w[i]));
    }
    return sum;
}

void ohmi_copies_score(ohmi_learner *learner, double lr, double step) {
    const ohmi_config *config = learner->config;
    const int t = (int)learner->position.task;
    const double slope = config->method.mask_slope / config->method.mask_temperature;
    ohmi_update rule = ohmi_update_rule(config, lr, step);
    rule.decay = 0;
    for (int i = 0; i < learner->network->n_layers; i++) {
        ohmi_units *units = &learner->units[i];
        const ohmi_layer *layer = &learner->network->layers[i];
        for (int64_t p = 0; p < units->pes.n_units; p++) {
            const int64_t length = ohmi_layout_length(&units->pes, p);
            double dz = 0;
            for (int64_t row = 0; row < ohmi_layout_height(&units->pes, p); row++) {
                const int64_t at = ohmi_layout_offset(&units->pes, p) + row * units->pes.run;
                dz += gain(layer->dw + at, units->fresh + at, layer->w + at, length);
            }
            const double c = chance(learner, t, i, p);
            const float gradient = (float)(dz * slope * c * (1 - c));
            ohmi_update_weights(&units->choice[p], &units->choice_mean[p], &units->choice_square[p],
                                &gradient, 1, &rule);
        }
    }
}

// the k largest scores of the whole network
static ohm_status choose_best(ohmi_learner *learner, int64_t n, int64_t k, ohm_error *err) {
    ohm_status status = OHM_OK;
    float *score = ohmi_alloc((size_t)n, sizeof *score);
    uint8_t *best = ohmi_alloc((size_t)n, 1);
    int64_t at = 0;
    if (!score || !best) {
        status =
            ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to choose among %lld PEs", (long long)n);
        goto done;
    }
    // in order of q, but positive
    for (int i = 0; i < learner->network->n_layers; i++) {
        const ohmi_units *units = &learner->units[i];
        for (int64_t p = 0; p < units->pes.n_units; p++) {
            score[at++] =
                (float)(1 + (double)units->choice[p] / (1 + fabs((double)units->choice[p])));
        }
    }
    ohmi_choose_largest(best, score, n, k);
    at = 0;
    for (int i = 0; i < learner->network->n_layers; i++) {
        ohmi_units *units = &learner->units[i];
        memcpy(units->chosen, best + at, (size_t)units->pes.n_units);
        at += units->pes.n_units;
    }
done:
    ohmi_free(score);
    ohmi_free(best);
    return status;
}

ohm_status ohmi_copies_settle(ohmi_learner *learner, int t, ohm_error *err) {
    ohm_status status = OHM_OK;
    int64_t n_chosen = 0;
    const int64_t n = ohmi_copies_room(learner, &n_chosen);
    OHM_TRY(choose_best(learner, n, n_chosen, err));

    // PEs that were tried and not chosen are as they were
    for (int i = 0; i < learner->network->n_layers; i++) {
        ohmi_units *units = &learner->units[i];
        const float *w = learner->network->layers[i].w;
        memset(learner->learned[t].chosen[i], 0, (size_t)(units->pes.n_units + 7) / 8);
        for (int64_t p = 0; p < units->pes.n_units; p++) {
            const size_t bytes = (size_t)ohmi_layout_length(&units->pes, p) * sizeof(float);
            learner->learned[t].chosen[i][p / 8] |= (uint8_t)(units->chosen[p] << (p % 8));
            for (int64_t row = 0; !units->chosen[p] && row < ohmi_layout_height(&units->pes, p);
                 row++) {
                const int64_t at = ohmi_layout_offset(&units->pes, p) + row * units->pes.run;
                memcpy(units->fresh + at, w + at, bytes);
            }
        }
        units->made_for = 0;
    }
    OHM_TRY(ohmi_copies_make(learner, t, err));
done:
    return status;
}

ohm_status ohmi_copies_make(ohmi_learner *learner, int t, ohm_error *err) {
    ohmi_learned *task = &learner->learned[t];
    for (int i = 0; i < learner->network->n_layers; i++) {
        const ohmi_layout *pes = &learner->units[i].pes;
        int64_t n = 0;
        for (int64_t p = 0; p < pes->n_units; p++) {
            n += ohmi_bit(task->chosen[i], p) ? size_of(pes, p) : 0;
        }
        ohmi_free(task->copies[i]);
        task->copies[i] = ohmi_alloc((size_t)n, sizeof(float));
        task->n_copies[i] = task->copies[i] ? n : 0;
        if (n > 0 && !task->copies[i]) {
            return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the task's own weights");
        }
    }
    return OHM_OK;
}

void ohmi_copies_gather(ohmi_learner *learner, int t) {
    const ohmi_learned *task = &learner->learned[t];
    for (int i = 0; learner->traits->has_copies && i < learner->network->n_layers; i++) {
        const ohmi_units *units = &learner->units[i];
        float *to = task->copies[i];
        for (int64_t p = 0; p < units->pes.n_units; p++) {
            const int64_t length = ohmi_layout_length(&units->pes, p);
            for (int64_t row = 0; units->chosen[p] && row < ohmi_layout_height(&units->pes, p);
                 row++, to += length) {
                memcpy(to, units->fresh + ohmi_layout_offset(&units->pes, p) + row * units->pes.run,
                       (size_t)length * sizeof *to);
            }
        }
    }
}

// the effective weights of chosen PEs begin .. end-1
static void apply_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_layout *pes = &j->units->pes;
    const ohmi_levels *levels = &j->learner->levels;
    const float factor = levels->factor[levels->one];
    for (int64_t p = begin; p < end; p++) {
        const int64_t length = ohmi_layout_length(pes, p);
        for (int64_t row = 0; is_chosen(j, p) && row < ohmi_layout_height(pes, p); row++) {
            const int64_t at = ohmi_layout_offset(pes, p) + row * pes->run;
            const float *from =
                j->bits ? j->copies + j->units->copy_at[p] + row * length : j->units->fresh + at;
            float *w_eff = j->layer->w_eff + at;
            if (j->grid->n_levels > 0) {
                ohmi_grid_round_weights(w_eff, from, length, j->units->lsb, j->grid);
            } else {
                memcpy(w_eff, from, (size_t)length * sizeof *w_eff);
            }
            for (int64_t i = 0; factor > 1 && i < length; i++) {
                w_eff[i] *= factor;
            }
        }
    }
}

void ohmi_copies_apply(ohmi_learner *learner, int layer, int t, bool from_bits,
                       const ohmi_grid *grid) {
    ohmi_units *units = &learner->units[layer];
    if (!learner->traits->has_copies) {
        return;
    }
    job j = {.learner = learner,
             .units = units,
             .layer = &learner->network->layers[layer],
             .grid = grid,
             .layer_index = layer};
    if (from_bits) {
        int64_t at = 0;
        j.bits = learner->learned[t].chosen[layer];
        j.copies = learner->learned[t].copies[layer];
        for (int64_t p = 0; p < units->pes.n_units; p++) {
            units->copy_at[p] = at;
            at += is_chosen(&j, p) ? size_of(&units->pes, p) : 0;
        }
    }
    ohmi_parallel(units->pes.n_units, 4, apply_work, &j);
}

void ohmi_copies_codes(int8_t *codes, const ohmi_learner *learner, int layer, int t) {
    enum { PART = 256 };
    const ohmi_units *units = &learner->units[layer];
    const ohmi_layout *pes = &units->pes;
    const job j = {.bits = learner->learned[t].chosen[layer]};
    const float *from = learner->learned[t].copies[layer];
    float code[PART];
    for (int64_t p = 0; p < pes->n_units; p++) {
        const int64_t length = ohmi_layout_length(pes, p);
        for (int64_t row = 0; is_chosen(&j, p) && row < ohmi_layout_height(pes, p); row++) {
            int8_t *to = codes + ohmi_layout_offset(pes, p) + row * pes->run;
            for (int64_t i = 0; i < length; i += PART) {
                const int64_t n = length - i < PART ? length - i : PART;
                ohmi_grid_round_weights(code, from + i, n, units->lsb, &learner->weight_grid);
                for (int64_t k = 0; k < n; k++) {
                    to[i + k] = (int8_t)code[k];
                }
            }
            from += length;
        }
    }
}

void ohmi_copies_round(float *codes, const ohmi_learner *learner, int layer, int t) {
    const ohmi_units *units = &learner->units[layer];
    const ohmi_layout *pes = &units->pes;
    const job j = {.bits = learner->learned[t].chosen[layer]};
    const float *from = learner->learned[t].copies[layer];
    for (int64_t p = 0; p < pes->n_units; p++) {
        const int64_t length = ohmi_layout_length(pes, p);
        for (int64_t row = 0; is_chosen(&j, p) && row < ohmi_layout_height(pes, p); row++) {
            ohmi_grid_round_weights(codes + ohmi_layout_offset(pes, p) + row * pes->run, from,
                                    length, units->lsb, &learner->weight_grid);
            from += length;
        }
    }
}

static void update_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_layout *pes = &j->units->pes;
    for (int64_t p = begin; p < end; p++) {
        const int64_t length = ohmi_layout_length(pes, p);
        for (int64_t row = 0; is_chosen(j, p) && row < ohmi_layout_height(pes, p); row++) {
            const int64_t at = ohmi_layout_offset(pes, p) + row * pes->run;
            ohmi_update_weights(j->units->fresh + at, j->units->velocity + at,
                                j->units->square ? j->units->square + at : NULL, j->layer->dw + at,
                                length, j->rule);
        }
    }
}

void ohmi_copies_update(ohmi_learner *learner, int layer, const ohmi_update *rule) {
    job j = {.learner = learner,
             .units = &learner->units[layer],
             .layer = &learner->network->layers[layer],
             .rule = rule};
    if (learner->traits->has_copies) {
        ohmi_parallel(j.units->pes.n_units, 4, update_work, &j);
    }
}
