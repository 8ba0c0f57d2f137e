// SPDX-License-Identifier: Apache-2.0
// What a task takes: masks, weights, batch norm and classifier, in bytes as they would be kept with
// the accelerator (a checkpoint keeps floats).
//
//   mask     `bits` bits a unit of the shared weights (levels.h), units inside of copied PEs left
//            out; a bit a PE where some, not all, are copied; a layer's bits in whole bytes
//   weights  new ones: owned in the shared network, or in copies beside it. Bytes beside: of the
//            copies, at the bits of a weight (float: 32)
//   norm     batch norm, biases and clips, with running statistics, 4 bytes each
//   head     the classifier's weights at quantise.head_bits (float: 32 bits), its bias 4 bytes each
#ifndef OHMI_ACCOUNT_H
#define OHMI_ACCOUNT_H

#include "learn/learner.h"

typedef struct {
    int64_t mask_bytes;
    int64_t weights_new;  // number
    int64_t weight_bytes; // beside the shared network
    int64_t norm_bytes, head_bytes;
} ohmi_account;

// Of a task (0-based) that is finished.
ohmi_account ohmi_account_of(const ohmi_learner *learner, int t);

// How many units of a layer a finished task brought, and how many it uses.
void ohmi_account_units(const ohmi_learner *learner, int layer, int t, int64_t *n_new,
                        int64_t *n_on);

#endif
