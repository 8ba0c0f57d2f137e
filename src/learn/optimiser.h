// SPDX-License-Identifier: Apache-2.0
// Optimisers and learning-rate schedules.
//
//   SGD   g = dw + decay w;  v = momentum v + g;  w -= lr v, or lr (g + momentum v) with Nesterov
//         (PyTorch's form)
//   Adam  m = 0.9 m + 0.1 g;  s = 0.999 s + 0.001 g^2
//         w -= lr m / (1 - 0.9^i) / (sqrt(s / (1 - 0.999^i)) + 1e-8)     (Kingma and Ba, ICLR 2015)
//   step schedule    lr gamma^(milestones passed), milestones as parts of the epochs
//   cosine schedule  lr (1 + cos(pi progress)) / 2
#ifndef OHMI_OPTIMISER_H
#define OHMI_OPTIMISER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

typedef struct {
    float lr, momentum, decay;
    bool nesterov;
    float correct_mean, correct_square; // Adam: 1 / (1 - beta^i)
} ohmi_update;

// The rule of step i (1-based) of a config with a learning rate.
ohmi_update ohmi_update_rule(const ohmi_config *config, double lr, double i);

// Steps n weights. v: momentum, or Adam's m; square: Adam's s, NULL for SGD.
void ohmi_update_weights(float *w, float *v, float *square, const float *dw, int64_t n,
                         const ohmi_update *rule);

// Factor on train.lr at a place of the task: epoch counted with its fraction, of n_epochs.
double ohmi_schedule_factor(const ohmi_config *config, double epoch, double n_epochs);

// Factor on train.mask_lr; 0 once the masks are frozen.
double ohmi_mask_factor(const ohmi_config *config, double epoch, double n_epochs);

#endif
