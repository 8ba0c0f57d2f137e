// SPDX-License-Identifier: Apache-2.0
// Steps of single weights with masks of on and off, many at once.
//
// Where the unit is an element a layer has as many masks as weights, so what apply.c does unit by
// unit would take longer than the convolutions. The same equations, for a run of elements:
//
//   on      [own = t + 1, or own earlier and m >= threshold]; p >= 1/2 says the same of the Gumbel
//           form without noise
//   masks   d loss / dm = dw Q(w) lsb rate,   rate = 1 (threshold), or slope / T p (1 - p) with
//           p (1 - p) = 1 / (2 + e^y + e^-y), y = slope (m - threshold) / T
//
// Masks with noise, with more levels than two and larger units stay in apply.c.
#ifndef OHMI_ELEMENTS_H
#define OHMI_ELEMENTS_H

#include "learn/optimiser.h"

enum { OHMI_ELEMENTS_AT_ONCE = 256 };

// Arrays of n elements.
typedef struct {
    const uint8_t *own;  // owners
    const float *dw;     // gradients of the effective weights
    float *w, *velocity; // weights; momentum, or Adam's m
    float *square;       // Adam's s; NULL with SGD
    float *mask, *mask_mean, *mask_square;
    int64_t n; // at most OHMI_ELEMENTS_AT_ONCE
} ohmi_elements;

// What a step is.
typedef struct {
    const ohmi_update *weights; // of elements owned by t + 1; NULL = not stepped
    const ohmi_update *masks;   // Adam, of earlier elements; NULL = not stepped
    int t;                      // task in training, from 0
    float lsb;                  // worth of one step of q
    float threshold;            // where a mask is on
    float slope;                // slope / T of the Gumbel form; 0 = the threshold estimator
} ohmi_elements_rule;

// on[i] = 1 where element i is on for task t, else 0. threshold -INFINITY = all earlier ones are.
void ohmi_elements_on(uint8_t *on, const uint8_t *own, const float *mask, int64_t n, int t,
                      float threshold);

// One step. q: what the weights are multiplied as, in steps of lsb (n).
void ohmi_elements_step(const ohmi_elements *elements, const float *q,
                        const ohmi_elements_rule *rule);

#endif
