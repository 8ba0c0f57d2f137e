// SPDX-License-Identifier: Apache-2.0
// Sharing out the batches of a measurement; see share.h.
#include "learn/share.h"

#include "base/fail.h"
#include "base/memory.h"

static int64_t first_batch(const ohmi_share *s, int rank) {
    return s->n * rank / s->parts->size;
}

ohm_status ohmi_share_new(ohmi_share *share, const ohmi_learner *learner, int64_t n_images,
                          int n_classes, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_share *s = share;
    *s = (ohmi_share){.parts = learner->network->whole.parts,
                      .n_images = n_images,
                      .n_classes = n_classes,
                      .batch = learner->network->batch};
    s->n = s->end = (n_images + s->batch - 1) / s->batch;
    if (s->parts == NULL) {
        return OHM_OK;
    }
    s->begin = first_batch(s, s->parts->rank);
    s->end = first_batch(s, s->parts->rank + 1);
    s->logits = ohmi_alloc((size_t)n_images * (size_t)n_classes, sizeof *s->logits);
    s->loss = ohmi_alloc((size_t)s->n, sizeof *s->loss);
    if (s->logits == NULL || s->loss == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the logits of %lld images",
                           (long long)n_images);
    }
    return ohm_communicator_agree(s->parts, status, err);
}

void ohmi_share_free(ohmi_share *share) {
    ohmi_free(share->logits);
    ohmi_free(share->loss);
}

ohm_status ohmi_share_out(ohmi_share *share, int64_t *n_right, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_share *s = share;
    const ohm_communicator *c = s->parts;
    double right = (double)*n_right;
    OHM_TRY(c->sum_double(c->context, &right, 1, err));
    *n_right = (int64_t)right;
    for (int r = 0; r < c->size; r++) {
        const int64_t begin = first_batch(s, r), end = first_batch(s, r + 1);
        const int64_t first = begin * s->batch;
        const int64_t last = end * s->batch < s->n_images ? end * s->batch : s->n_images;
        if (begin < end) {
            OHM_TRY(c->broadcast(c->context, s->loss + begin,
                                 (size_t)(end - begin) * sizeof *s->loss, r, err));
            OHM_TRY(c->broadcast(c->context, s->logits + first * s->n_classes,
                                 (size_t)((last - first) * s->n_classes) * sizeof *s->logits, r,
                                 err));
        }
    }
done:
    return status;
}
