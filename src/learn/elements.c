// SPDX-License-Identifier: Apache-2.0
// Steps of single weights with masks of on and off; equations in elements.h.
#include "learn/elements.h"

#include <string.h>

#include "base/simd.h"
#include "learn/learner.h"

enum { ROOM = OHMI_ELEMENTS_AT_ONCE };

OHMI_SIMD void ohmi_elements_on(uint8_t *on, const uint8_t *own, const float *mask, int64_t n,
                                int t, float threshold) {
    for (int64_t i = 0; i < n; i++) {
        const bool is_learned = ohmi_is_earlier(own[i], t) & (mask[i] >= threshold);
        on[i] = (own[i] == t + 1) | is_learned;
    }
}

// is_own, is_earlier (n), 0 or 1; returns whether there are any, as bits 0 and 1.
OHMI_SIMD static int sort_owners(uint8_t *is_own, uint8_t *is_earlier, const uint8_t *own,
                                 int64_t n, int t) {
    uint8_t any_own = 0, any_earlier = 0;
    for (int64_t i = 0; i < n; i++) {
        is_own[i] = own[i] == t + 1;
        is_earlier[i] = ohmi_is_earlier(own[i], t);
        any_own |= is_own[i];
        any_earlier |= is_earlier[i];
    }
    return any_own + 2 * any_earlier;
}

// to = from where it is selected
OHMI_SIMD static void put_back(float *to, const float *from, const uint8_t *is_selected,
                               int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        to[i] = is_selected[i] ? from[i] : to[i];
    }
}

// e^x for |x| <= 80: 2^k e^r, r = x - k ln 2 in two parts, Taylor's series of e^r to r^7 / 5040
// (the next term is below 6e-9 for |r| <= ln 2 / 2)
OHMI_INLINE float exponential(float x) {
    const float rounder = 12582912.0f; // 1.5 2^23: adding it leaves a whole number
    const float k = (x * 1.44269504f + rounder) - rounder;
    const float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const int32_t bits = ((int32_t)k + 127) * (1 << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

// d loss / dm of n masks
OHMI_SIMD static void mask_gradients(float *g, const float *dw, const float *q, const float *mask,
                                     int64_t n, const ohmi_elements_rule *rule) {
    const float lsb = rule->lsb, slope = rule->slope, threshold = rule->threshold;
    if (slope == 0) {
        for (int64_t i = 0; i < n; i++) {
            g[i] = dw[i] * q[i] * lsb;
        }
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        float y = slope * (mask[i] - threshold);
        y = y > 80 ? 80 : y;
        y = y < -80 ? -80 : y;
        const float rate = slope / (2 + exponential(y) + exponential(-y));
        g[i] = dw[i] * q[i] * lsb * rate;
    }
}

// one step of the selected of n values, by the rule for all
static void step_selected(float *w, float *v, float *square, const float *g,
                          const uint8_t *is_selected, int64_t n, const ohmi_update *rule) {
    float new_w[ROOM], new_v[ROOM], new_square[ROOM];
    memcpy(new_w, w, (size_t)n * sizeof *w);
    memcpy(new_v, v, (size_t)n * sizeof *v);
    if (square) {
        memcpy(new_square, square, (size_t)n * sizeof *square);
    }
    ohmi_update_weights(new_w, new_v, square ? new_square : NULL, g, n, rule);
    put_back(w, new_w, is_selected, n);
    put_back(v, new_v, is_selected, n);
    if (square) {
        put_back(square, new_square, is_selected, n);
    }
}

void ohmi_elements_step(const ohmi_elements *e, const float *q, const ohmi_elements_rule *rule) {
    uint8_t is_own[ROOM], is_earlier[ROOM];
    const int any = sort_owners(is_own, is_earlier, e->own, e->n, rule->t);
    if ((any & 2) && rule->masks) {
        float g[ROOM];
        mask_gradients(g, e->dw, q, e->mask, e->n, rule);
        step_selected(e->mask, e->mask_mean, e->mask_square, g, is_earlier, e->n, rule->masks);
    }
    if ((any & 1) && rule->weights) {
        step_selected(e->w, e->velocity, e->square, e->dw, is_own, e->n, rule->weights);
    }
}
