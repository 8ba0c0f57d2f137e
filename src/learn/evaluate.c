// SPDX-License-Identifier: Apache-2.0
// Measuring a task on its test images.
#include "learn/evaluate.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "learn/share.h"
#include "network/integer_pass.h"

// 52 bits a number, so that doubles hold them exactly
static void digest_numbers(double out[4], ohmi_sha256 *hash) {
    char hex[65];
    ohmi_sha256_hex(hash, hex);
    for (int i = 0; i < 4; i++) {
        out[i] = 0;
        for (int d = 0; d < 13; d++) {
            const char c = hex[13 * i + d];
            out[i] = out[i] * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
        }
    }
}

ohm_status ohmi_measure_images(ohmi_evaluation *out, ohmi_learner *learner, int t,
                               const ohmi_images *images, bool quantised, float *logits,
                               ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_loader *loader = NULL;
    ohmi_share share = {0};
    const ohmi_task *task = &learner->tasks->task[t];
    const ohmi_config *config = learner->config;
    ohmi_network *network = learner->network;
    const bool rounds = quantised && learner->is_quantised;
    ohmi_loader_def def = {.seed = config->seed, .batch = network->batch};
    ohmi_sha256 hash;
    *out = (ohmi_evaluation){0};
    if (rounds) {
        def.input_step = ohmi_input_step(config);
        def.input_max = (float)((1 << (config->quantise.input_bits - 1)) - 1);
    }
    OHM_TRY(ohmi_share_new(&share, learner, images->n, task->n_classes, err));
    OHM_TRY(ohmi_loader_new(&loader, learner->tasks, &def, err));
    ohmi_loader_start(loader, t, images, 0, (int)share.begin);
    ohmi_sha256_init(&hash);
    float *const kept = share.parts ? share.logits : logits;
    const double start = ohmi_now_s();
    int64_t n_seen = share.begin * network->batch, n_right = 0;
    bool in_integers = false;
    if (rounds && !network->product && !learner->has_loose_cells) {
        OHM_TRY(ohmi_integer_prepare(&in_integers, network, err));
    }
    for (int64_t b = share.begin; b < share.end; b++) {
        ohmi_batch batch;
        int right = 0;
        ohmi_loader_next(loader, &batch);
        if (in_integers) {
            ohmi_integer_forward(network, batch.x, batch.n);
        } else {
            ohmi_network_forward(network, batch.x, batch.n, OHMI_MODE_INFER, 0);
        }
        const double loss = ohmi_network_loss(network, batch.labels, batch.n, &right) * batch.n;
        if (share.parts) {
            share.loss[b] = loss;
        }
        out->loss += loss;
        for (int i = 0; i < batch.n; i++) {
            const float *row = network->logits + (int64_t)i * network->logits_pad;
            if (!share.parts) {
                ohmi_sha256_add(&hash, row, (size_t)task->n_classes * sizeof *row);
            }
            if (kept) {
                memcpy(kept + (n_seen + i) * task->n_classes, row,
                       (size_t)task->n_classes * sizeof *row);
            }
        }
        n_seen += batch.n;
        n_right += right;
    }

    // what the other learners measured
    if (share.parts) {
        const size_t size = (size_t)images->n * (size_t)task->n_classes;
        OHM_TRY(ohmi_share_out(&share, &n_right, err));
        ohmi_sha256_add(&hash, share.logits, size * sizeof *share.logits);
        out->loss = 0;
        for (int64_t b = 0; b < share.n; b++) {
            out->loss += share.loss[b];
        }
        if (logits) {
            memcpy(logits, share.logits, size * sizeof *logits);
        }
    }
    out->seconds = ohmi_now_s() - start;
    out->accuracy = images->n ? (double)n_right / (double)images->n : 0;
    out->loss = images->n ? out->loss / (double)images->n : 0;
    digest_numbers(out->digest, &hash);

done:
    ohmi_loader_free(&loader);
    ohmi_share_free(&share);
    return status;
}

ohm_status ohmi_evaluate(ohmi_evaluation *out, ohmi_learner *learner, int t, bool quantised,
                         float *logits, ohm_error *err) {
    const double start = ohmi_now_s();
    ohmi_learner_activate(learner, t, quantised);
    const double switch_seconds = ohmi_now_s() - start;
    const ohm_status status =
        ohmi_measure_images(out, learner, t, &learner->tasks->task[t].test, quantised, logits, err);
    out->switch_seconds = switch_seconds;
    return status;
}
