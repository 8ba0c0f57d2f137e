// SPDX-License-Identifier: Apache-2.0
// One training step; see step.h. What happens beside it is the phase's (phases.h).
#include "learn/step.h"
#include "learn/adapt.h"

#include <math.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/simd.h"
#include "learn/optimiser.h"
#include "learn/phases.h"
#include "learn/rider.h"
#include "network/whole.h"

// 0, or NaN when one of n numbers is not finite: 0 v is 0 for all others
OHMI_SIMD static float zero_unless_lost(const float *v, int64_t n) {
    float sum[16] = {0}, total = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        for (int lane = 0; lane < 16; lane++) {
            sum[lane] += 0.0f * v[i + lane];
        }
    }
    for (; i < n; i++) {
        total += 0.0f * v[i];
    }
    for (int lane = 0; lane < 16; lane++) {
        total += sum[lane];
    }
    return total;
}

int64_t ohmi_steps_of_task(const ohmi_learner *learner, int t) {
    return ohmi_steps_of_epoch(learner, t) * ohmi_epochs_of_task(learner, t);
}

ohm_status ohmi_diverged(const ohmi_learner *learner, const char *what, ohm_error *err) {
    const ohmi_position *p = &learner->position;
    ohm_status status =
        ohmi_fail(err, OHM_ERR_NUMERIC, "%s is not finite in task %d, epoch %d, step %d", what,
                  (int)p->task + 1, (int)p->epoch + 1, (int)p->step + 1);
    ohmi_hint(err,
              "learn into another folder with a lower 'train.lr' than %g; the last checkpoint "
              "is kept",
              learner->config->train.lr);
    return status;
}

bool ohmi_learner_is_finite(const ohmi_learner *learner) {
    const ohmi_network *network = learner->network;
    const int t = (int)learner->position.task;
    float sum = 0;
    for (int i = 0; i < network->n_layers; i++) {
        const int64_t n = network->layers[i].n_weights;
        sum += zero_unless_lost(network->layers[i].w, n);
        sum += learner->units[i].fresh ? zero_unless_lost(learner->units[i].fresh, n) : 0;
    }
    if (t < learner->n_tasks && learner->learned[t].parameters) {
        const ohmi_task_parameters *task = learner->learned[t].parameters;
        sum += zero_unless_lost(task->trainable, task->n_trainable);
        sum += zero_unless_lost(task->statistics, task->n_statistics);
    }
    return sum == 0;
}

// the first sum over parts that failed
static ohm_status whole_status(ohmi_network *network, ohm_error *err) {
    const ohm_status status = network->whole.status;
    if (status < 0 && err) {
        *err = network->whole.error;
    }
    return status;
}

// forward, loss and backward of a batch, or of a part of it; sums[0] = loss, sums[1] = right
// answers of the whole batch
static ohm_status run_batch(ohmi_learner *learner, const ohmi_batch *batch, double sums[2],
                            ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_network *network = learner->network;
    int n_right = 0;
    network->whole.n = network->whole.parts ? batch->n_whole : 0;
    ohmi_adapt_enter(learner);
    ohmi_network_forward(network, batch->x, batch->n, OHMI_MODE_TRAIN,
                         (float)learner->config->train.batchnorm_momentum);
    const double start = ohmi_now_s();
    sums[0] = ohmi_network_loss(network, batch->labels, batch->n, &n_right);
    sums[1] = n_right;
    learner->times.loss_s += ohmi_now_s() - start;
    ohmi_whole_sum(network, sums, 2);
    OHM_TRY(whole_status(network, err));
    if (!isfinite(sums[0])) {
        status = ohmi_diverged(learner, "the loss", err);
        goto done;
    }
    ohmi_network_backward(network, batch->n);
    ohmi_whole_sum_gradients(network);
    OHM_TRY(whole_status(network, err));
done:
    ohmi_adapt_leave(learner);
    network->whole.n = 0; // what is measured is measured by each part alone
    return status;
}

ohm_status ohmi_train_step(ohmi_learner *learner, const ohmi_batch *batch, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_config *config = learner->config;
    ohmi_position *p = &learner->position;
    const int t = (int)p->task;
    const ohmi_phase *phase = ohmi_phase_now(learner);
    const double n_epochs = (double)ohmi_phase_epochs(learner, t);
    const double epoch =
        p->epoch - learner->phase.first_epoch + p->batch / (double)ohmi_steps_of_epoch(learner, t);
    double lr = config->train.lr * phase->lr(config);
    double mask_lr = config->train.mask_lr * phase->mask_lr(config);
    if (phase->is_scheduled) {
        lr *= ohmi_schedule_factor(config, epoch, n_epochs);
        mask_lr *= ohmi_mask_factor(config, epoch, n_epochs);
    }
    double sums[2];

    // forward and backward with this step's weights
    double start = ohmi_now_s();
    if (phase->before) {
        phase->before(learner, t);
    }
    if (learner->rider && p->batch < 0.5) {
        learner->rider->refresh(learner->rider->context, learner);
    }
    ohmi_learner_prepare(learner, t, true);
    learner->times.mask_s += ohmi_now_s() - start;
    OHM_TRY(run_batch(learner, batch, sums, err));

    // drop and grow takes the place of the weights' step
    const bool is_replaced = phase->instead && phase->instead(learner, t);
    start = ohmi_now_s();
    ohmi_learner_update(learner, t, lr, mask_lr, is_replaced);
    if (phase->after) {
        phase->after(learner, t);
    }
    if (learner->rider) {
        learner->rider->after_step(learner->rider->context, learner);
    }
    learner->times.optimiser_s += ohmi_now_s() - start;

    p->step += 1;
    p->batch += 1;
    p->loss_sum += sums[0] * batch->n_whole;
    p->n_right += sums[1];
    p->n_seen += batch->n_whole;
done:
    return status;
}
