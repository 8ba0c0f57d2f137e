// SPDX-License-Identifier: Apache-2.0
// Measuring one set of images with several learners that are the same, each a run of its batches.
//
// An image's logits do not depend on which other images are measured with it, so what is brought
// together is what one learner would have found.
#ifndef OHMI_SHARE_H
#define OHMI_SHARE_H

#include "learn/learner.h"

typedef struct {
    const ohm_communicator *parts; // NULL = there is one learner, which measures all
    int64_t n, begin, end;         // batches; begin .. end-1 are this learner's
    int64_t n_images, batch;
    int n_classes;
    float *logits; // (n_images, n_classes); NULL with one learner
    double *loss;  // (n) sum over the images of each batch; likewise
} ohmi_share;

// This learner's batches of n_images, and room for the results of all. Free with ohmi_share_free,
// also after a failure.
OHM_NODISCARD ohm_status ohmi_share_new(ohmi_share *share, const ohmi_learner *learner,
                                        int64_t n_images, int n_classes, ohm_error *err);
void ohmi_share_free(ohmi_share *share);

// Every learner's logits, losses and number of right answers to all. Not with one learner.
OHM_NODISCARD ohm_status ohmi_share_out(ohmi_share *share, int64_t *n_right, ohm_error *err);

#endif
