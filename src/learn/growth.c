// SPDX-License-Identifier: Apache-2.0
// Drop and grow: which units the task in training owns (RigL: Evci et al., ICML 2020, on units).
//
//   alpha(step) = alpha0 / 2 (1 + cos(pi step / T_end))
//   moved       = floor(budget alpha)
//   drop score  = sum |w| over the unit + 1e-5 u, u uniform to break ties among zero units:
//                 the `budget - moved` largest are kept
//   grow score  = sum |dw| over the unit, the dense gradient of this step:
//                 the `moved` largest of the units that are free or were just dropped
//
// Units that were not owned before start at zero with zero momentum; a dropped unit that is grown
// again keeps its weights. The step of the weights is skipped. Units of earlier tasks take no part.
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/simd.h"
#include "base/thread.h"
#include "learn/learner.h"
#include "learn/profile.h"
#include "learn/wear.h"

typedef struct {
    ohmi_units *units;
    const float *x; // (n_weights)
    const ohmi_rng *noise;
    uint8_t own, or_own;
} job;

OHMI_SIMD static float magnitude(const float *x, int64_t n) {
    float sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += fabsf(x[i]);
    }
    return sum;
}

// scores of the units of blocks begin .. end-1 of outputs; -1 = not a candidate
static void score_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_layout *layout = &j->units->layout;
    for (int64_t u = begin * layout->n_groups; u < end * layout->n_groups; u++) {
        const uint8_t own = j->units->own[u];
        float score = -1;
        if (own == j->own || own == j->or_own) {
            const int64_t length = ohmi_layout_length(layout, u);
            const float *x = j->x + ohmi_layout_offset(layout, u);
            score = 0;
            for (int64_t i = 0; i < ohmi_layout_height(layout, u); i++) {
                score += magnitude(x + i * layout->run, length);
            }
            score += j->noise ? 1e-5f * ohmi_rng_uniform(j->noise, (uint32_t)u) : 0.0f;
        }
        j->units->score[u] = score;
    }
}

void ohmi_score_units(ohmi_units *units, const float *x, uint8_t own, uint8_t or_own,
                      const ohmi_rng *noise) {
    job j = {.units = units, .x = x, .noise = noise, .own = own, .or_own = or_own};
    const int64_t grain = 1 + 16384 / (units->layout.block * units->layout.run + 1);
    ohmi_parallel(units->layout.n_blocks, grain, score_work, &j);
}

void ohmi_clear_unit(ohmi_units *units, float *w, int64_t u) {
    const ohmi_layout *layout = &units->layout;
    const size_t bytes = (size_t)ohmi_layout_length(layout, u) * sizeof(float);
    for (int64_t i = 0; i < ohmi_layout_height(layout, u); i++) {
        const int64_t at = ohmi_layout_offset(layout, u) + i * layout->run;
        memset(w + at, 0, bytes);
        memset(units->velocity + at, 0, bytes);
        if (units->square) {
            memset(units->square + at, 0, bytes);
        }
    }
}

static void grow_layer(ohmi_learner *learner, int t, int layer_index, double alpha) {
    ohmi_units *units = &learner->units[layer_index];
    ohmi_layer *layer = &learner->network->layers[layer_index];
    const ohmi_layout *layout = &units->layout;
    const int64_t n_moved = (int64_t)floor((double)units->budget * alpha);
    const uint8_t mine = (uint8_t)(t + 1), dropped = OHMI_OWN_DROPPED;
    if (n_moved < 1) {
        return;
    }
    const ohmi_rng noise = {.seed = (uint64_t)learner->config->seed,
                            .purpose = OHMI_RNG_DROP,
                            .task = (uint32_t)t,
                            .place =
                                (uint32_t)layer_index + 1000u * (uint32_t)learner->position.step};

    // drop the smallest
    ohmi_score_units(units, layer->w, mine, mine, &noise);
    ohmi_profile_weigh(units);
    ohmi_wear_weigh(units);
    ohmi_choose_largest(units->on, units->score, layout->n_units, units->budget - n_moved);
    for (int64_t u = 0; u < layout->n_units; u++) {
        if (units->own[u] == mine && !units->on[u]) {
            units->own[u] = dropped;
        }
    }

    // grow where the gradient is largest
    ohmi_score_units(units, layer->dw, 0, dropped, NULL);
    ohmi_profile_weigh(units);
    ohmi_wear_weigh(units);
    ohmi_choose_largest(units->on, units->score, layout->n_units, n_moved);
    for (int64_t u = 0; u < layout->n_units; u++) {
        const bool was_dropped = units->own[u] == dropped;
        if (!units->on[u] && !was_dropped) {
            continue;
        }
        units->own[u] = units->on[u] ? mine : 0;
        if (was_dropped && units->on[u]) {
            continue; // grown again: keeps weights and momentum
        }
        ohmi_clear_unit(units, layer->w, u);
    }
}

void ohmi_learner_grow(ohmi_learner *learner, int t, double alpha) {
    for (int i = 0; i < learner->network->n_layers; i++) {
        grow_layer(learner, t, i, alpha);
        learner->units[i].made_for = 0; // `on` was scratch here
    }
}

// the bits of a non-negative float are ordered as the float is
static uint32_t key_of(float score) {
    uint32_t key;
    memcpy(&key, &score, sizeof key);
    return key;
}

void ohmi_choose_largest(uint8_t *chosen, const float *score, int64_t n, int64_t k) {
    // radix selection of the k-th largest key, eight bits a pass
    uint32_t prefix = 0, mask = 0;
    int64_t rest = k;
    int64_t n_candidates = 0;
    for (int64_t u = 0; u < n; u++) {
        n_candidates += score[u] >= 0;
    }
    if (k <= 0 || k >= n_candidates) {
        for (int64_t u = 0; u < n; u++) {
            chosen[u] = k > 0 && score[u] >= 0;
        }
        return;
    }
    for (int shift = 24; shift >= 0; shift -= 8) {
        int64_t count[256] = {0};
        for (int64_t u = 0; u < n; u++) {
            const uint32_t key = key_of(score[u]);
            if (score[u] >= 0 && (key & mask) == prefix) {
                count[key >> shift & 255]++;
            }
        }
        int digit = 255;
        while (rest > count[digit]) {
            rest -= count[digit--];
        }
        prefix |= (uint32_t)digit << shift;
        mask |= 255u << shift;
    }

    // all above the threshold, and the first `rest` of those equal to it
    for (int64_t u = 0; u < n; u++) {
        const uint32_t key = key_of(score[u]);
        chosen[u] = score[u] >= 0 && key > prefix;
        if (score[u] >= 0 && key == prefix && rest > 0) {
            chosen[u] = 1;
            rest--;
        }
    }
}
