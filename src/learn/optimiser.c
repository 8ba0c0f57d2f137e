// SPDX-License-Identifier: Apache-2.0
// Optimisers and learning-rate schedules; equations in optimiser.h.
#include "learn/optimiser.h"

#include <math.h>

#include "base/simd.h"

static const double pi = 3.14159265358979323846;

ohmi_update ohmi_update_rule(const ohmi_config *config, double lr, double i) {
    ohmi_update rule = {.lr = (float)lr,
                        .momentum = (float)config->train.momentum,
                        .decay = (float)config->train.weight_decay,
                        .nesterov = config->train.nesterov};
    rule.correct_mean = (float)(1.0 / (1.0 - pow(0.9, i)));
    rule.correct_square = (float)(1.0 / (1.0 - pow(0.999, i)));
    return rule;
}

OHMI_SIMD static void sgd(float *w, float *v, const float *dw, int64_t n, const ohmi_update *rule) {
    const float lr = rule->lr, momentum = rule->momentum, decay = rule->decay;
    if (rule->nesterov) {
        for (int64_t i = 0; i < n; i++) {
            const float g = dw[i] + decay * w[i];
            v[i] = momentum * v[i] + g;
            w[i] -= lr * (g + momentum * v[i]);
        }
    } else {
        for (int64_t i = 0; i < n; i++) {
            v[i] = momentum * v[i] + (dw[i] + decay * w[i]);
            w[i] -= lr * v[i];
        }
    }
}

OHMI_SIMD static void adam(float *w, float *m, float *s, const float *dw, int64_t n,
                           const ohmi_update *rule) {
    const float lr = rule->lr, decay = rule->decay;
    for (int64_t i = 0; i < n; i++) {
        const float g = dw[i] + decay * w[i];
        m[i] = 0.9f * m[i] + 0.1f * g;
        s[i] = 0.999f * s[i] + 0.001f * g * g;
        w[i] -= lr * (m[i] * rule->correct_mean) / (sqrtf(s[i] * rule->correct_square) + 1e-8f);
    }
}

void ohmi_update_weights(float *w, float *v, float *square, const float *dw, int64_t n,
                         const ohmi_update *rule) {
    if (square) {
        adam(w, v, square, dw, n, rule);
    } else {
        sgd(w, v, dw, n, rule);
    }
}

static double passed(const ohmi_numbers *milestones, double gamma, double epoch, double n_epochs) {
    double factor = 1;
    for (int i = 0; i < milestones->n; i++) {
        factor *= floor(epoch) >= rint(milestones->v[i] * n_epochs) ? gamma : 1.0;
    }
    return factor;
}

double ohmi_schedule_factor(const ohmi_config *config, double epoch, double n_epochs) {
    double factor = 1;
    if (config->train.schedule == OHMI_SCHEDULE_STEP) {
        factor = passed(&config->train.milestones, config->train.gamma, epoch, n_epochs);
    } else if (config->train.schedule == OHMI_SCHEDULE_COSINE) {
        factor = 0.5 * (1.0 + cos(pi * epoch / n_epochs));
    }
    if (epoch < config->train.warmup) {
        factor *= (epoch + 1e-3) / config->train.warmup;
    }
    return factor;
}

double ohmi_mask_factor(const ohmi_config *config, double epoch, double n_epochs) {
    if (floor(epoch) >= rint(config->train.mask_until * n_epochs)) {
        return 0;
    }
    if (config->train.mask_schedule != OHMI_SCHEDULE_STEP) {
        const bool falls = config->train.mask_schedule == OHMI_SCHEDULE_COSINE;
        return falls ? 0.5 * (1.0 + cos(pi * epoch / n_epochs)) : 1.0;
    }
    return passed(&config->train.mask_milestones, config->train.mask_gamma, epoch, n_epochs);
}
