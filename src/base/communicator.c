// SPDX-License-Identifier: Apache-2.0
// The communicator of one process, sums over ranks in an order of their own, agreement.
//
//   pairs    level 0: x0+x1, x2+x3, ...   level 1: (x0+x1)+(x2+x3), ...   what has no neighbour
//            moves up as it is
// A block of 2^m ranks that begins at a multiple of 2^m is a subtree of that: adding inside such
// blocks first and then the blocks gives the same bits.
#include "ohmwise/communicator.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

// numbers added at once; levels of a tree of 4096 pieces
enum { BLOCK = 256, LEVELS = 13 };

// ---- one process ----

static atomic_llong count_alone;

static ohm_status sum_float_alone(void *context, float *data, int64_t n, ohm_error *err) {
    (void)context, (void)data, (void)n, (void)err;
    return OHM_OK;
}

static ohm_status sum_double_alone(void *context, double *data, int64_t n, ohm_error *err) {
    (void)context, (void)data, (void)n, (void)err;
    return OHM_OK;
}

static ohm_status broadcast_alone(void *context, void *data, size_t size_bytes, int root,
                                  ohm_error *err) {
    (void)context, (void)data, (void)size_bytes, (void)root, (void)err;
    return OHM_OK;
}

static ohm_status gather_alone(void *context, void *all, const void *own, size_t size_bytes,
                               ohm_error *err) {
    (void)context, (void)err;
    if (size_bytes > 0) {
        memmove(all, own, size_bytes);
    }
    return OHM_OK;
}

static ohm_status barrier_alone(void *context, ohm_error *err) {
    (void)context, (void)err;
    return OHM_OK;
}

static ohm_status next_alone(void *context, int64_t *before, int64_t step, ohm_error *err) {
    (void)context, (void)err;
    *before = atomic_fetch_add(&count_alone, step);
    return OHM_OK;
}

static void abort_alone(void *context, int exit_code) {
    (void)context, (void)exit_code; // there is nobody else to end
}

const ohm_communicator *ohm_communicator_alone(void) {
    static const ohm_communicator alone = {.rank = 0,
                                           .size = 1,
                                           .sum_float = sum_float_alone,
                                           .sum_double = sum_double_alone,
                                           .broadcast = broadcast_alone,
                                           .gather = gather_alone,
                                           .barrier = barrier_alone,
                                           .next = next_alone,
                                           .abort = abort_alone};
    return &alone;
}

// ---- sums ----

// Adds pieces to out, block by block. Pieces come one by one; level l holds the sum of 2^l of them
// while bit l of their count is set, and a new piece is added to all levels that are full, the
// earlier ranks on the left. In the end what has no neighbour is added to the next level that
// waits.
#define SUM_PAIRS(name, number)                                                                    \
    void name(number *out, const number *const *pieces, int n_pieces, int64_t n) {                 \
        number level[LEVELS][BLOCK];                                                               \
        for (int64_t at = 0; at < n; at += BLOCK) {                                                \
            const int64_t length = n - at < BLOCK ? n - at : BLOCK;                                \
            const size_t bytes = (size_t)length * sizeof **level;                                  \
            for (int p = 0; p < n_pieces; p++) {                                                   \
                int top = 0;                                                                       \
                while (p >> top & 1) {                                                             \
                    top++;                                                                         \
                }                                                                                  \
                memcpy(level[top], pieces[p] + at, bytes);                                         \
                for (int l = 0; l < top; l++) {                                                    \
                    for (int64_t i = 0; i < length; i++) {                                         \
                        level[top][i] = level[l][i] + level[top][i];                               \
                    }                                                                              \
                }                                                                                  \
            }                                                                                      \
            int low = 0;                                                                           \
            while (!(n_pieces >> low & 1)) {                                                       \
                low++;                                                                             \
            }                                                                                      \
            for (int l = low + 1; n_pieces >> l; l++) {                                            \
                for (int64_t i = 0; (n_pieces >> l & 1) && i < length; i++) {                      \
                    level[low][i] = level[l][i] + level[low][i];                                   \
                }                                                                                  \
            }                                                                                      \
            memcpy(out + at, level[low], bytes);                                                   \
        }                                                                                          \
    }

SUM_PAIRS(ohm_sum_pairs_float, float)
SUM_PAIRS(ohm_sum_pairs_double, double)

// ---- agreement ----

// What a rank has to say of its part.
typedef struct {
    ohm_status status;
    int rank;
    ohm_error error;
} verdict;

ohm_status ohm_communicator_agree(const ohm_communicator *communicator, ohm_status status,
                                  ohm_error *err) {
    const ohm_communicator *c = communicator;
    if (c->size == 1) {
        return status;
    }
    verdict first = {.status = status, .rank = c->rank};
    verdict *all = NULL;
    if (status < 0 && err != NULL) {
        first.error = *err;
    }

    // rank 0 hears all and tells of the first that failed
    if (c->rank == 0) {
        all = ohmi_alloc((size_t)c->size, sizeof *all);
        if (all == NULL) {
            c->abort(c->context, 1);
            return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to hear the other ranks");
        }
    }
    ohm_status told = c->gather(c->context, all, &first, sizeof first, err);
    for (int r = c->size - 1; all != NULL && told >= 0 && r >= 0; r--) {
        if (all[r].status < 0 || r == 0) {
            first = all[r].status < 0 || first.status >= 0 ? all[r] : first;
        }
    }
    ohmi_free(all);
    if (told >= 0) {
        told = c->broadcast(c->context, &first, sizeof first, 0, err);
    }
    if (told < 0 || first.status >= 0) {
        return told < 0 ? told : status;
    }

    // its words are everybody's
    if (err != NULL) {
        *err = first.error;
        if (first.rank > 0) {
            (void)snprintf(err->message, sizeof err->message, "rank %d: %.480s", first.rank,
                           first.error.message);
        }
    }
    return first.status;
}
