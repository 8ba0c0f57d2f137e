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

typedef struct {
    const ohmi_learner *learner;
    const ohmi_layer *layer;
    ohmi_units *units;
    ohmi_rng noise;
    int t;
    bool grows; // false: drop scores
} job;

OHMI_SIMD static float magnitude(const float *x, int64_t n) {
    float sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += fabsf(x[i]);
    }
    return sum;
}

// scores of the units of outputs begin .. end-1; -1 = not a candidate
static void score_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_layout *layout = &j->units->layout;
    for (int64_t u = begin * layout->n_groups; u < end * layout->n_groups; u++) {
        const int64_t offset = ohmi_layout_offset(layout, u);
        const int64_t length = ohmi_layout_length(layout, u);
        const uint8_t own = j->units->own[u];
        float score = -1;
        if (j->grows && (own == 0 || own == UINT8_MAX)) {
            score = magnitude(j->layer->dw + offset, length);
        } else if (!j->grows && own == j->t + 1) {
            score = magnitude(j->layer->w + offset, length) +
                    1e-5f * ohmi_rng_uniform(&j->noise, (uint32_t)u);
        }
        j->units->score[u] = score;
    }
}

static void grow_layer(ohmi_learner *learner, int t, int layer_index, double alpha) {
    ohmi_units *units = &learner->units[layer_index];
    ohmi_layer *layer = &learner->network->layers[layer_index];
    const ohmi_layout *layout = &units->layout;
    const int64_t n_moved = (int64_t)floor((double)units->budget * alpha);
    const int64_t grain = 1 + 16384 / (layout->run + 1);
    const uint8_t dropped = UINT8_MAX; // a mark that lives in this function only
    if (n_moved < 1) {
        return;
    }
    job j = {.learner = learner, .layer = layer, .units = units, .t = t};
    j.noise = (ohmi_rng){.seed = (uint64_t)learner->config->seed,
                         .purpose = OHMI_RNG_DROP,
                         .task = (uint32_t)t,
                         .place = (uint32_t)layer_index + 1000u * (uint32_t)learner->position.step};

    // drop the smallest
    ohmi_parallel(layout->k, grain, score_work, &j);
    ohmi_choose_largest(units->on, units->score, layout->n_units, units->budget - n_moved);
    for (int64_t u = 0; u < layout->n_units; u++) {
        if (units->own[u] == t + 1 && !units->on[u]) {
            units->own[u] = dropped;
        }
    }

    // grow where the gradient is largest
    j.grows = true;
    ohmi_parallel(layout->k, grain, score_work, &j);
    ohmi_choose_largest(units->on, units->score, layout->n_units, n_moved);
    for (int64_t u = 0; u < layout->n_units; u++) {
        const bool was_dropped = units->own[u] == dropped;
        if (!units->on[u] && !was_dropped) {
            continue;
        }
        units->own[u] = units->on[u] ? (uint8_t)(t + 1) : 0;
        if (was_dropped && units->on[u]) {
            continue; // grown again: keeps weights and momentum
        }
        const int64_t offset = ohmi_layout_offset(layout, u);
        const size_t bytes = (size_t)ohmi_layout_length(layout, u) * sizeof(float);
        memset(layer->w + offset, 0, bytes);
        memset(units->velocity + offset, 0, bytes);
        if (units->square) {
            memset(units->square + offset, 0, bytes);
        }
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
