// SPDX-License-Identifier: Apache-2.0
// Several processes that work on one thing: a table of what they tell each other. The library calls
// nothing else, so that without one (or with ohm_communicator_alone) it needs no MPI; a program
// that has MPI, or anything like it, fills the table. docs/parallel.md says what is done with it.
//
// Every rank makes the same calls in the same order; a call returns when this rank's part is done.
// One thread of a process at a time. A call that fails fails for the whole job: what other ranks
// then do is up to `abort`.
#ifndef OHMWISE_COMMUNICATOR_H
#define OHMWISE_COMMUNICATOR_H

#include <stddef.h>
#include <stdint.h>

#include "ohmwise/status.h"

typedef struct ohm_communicator {
    int rank, size; // 0 <= rank < size
    void *context;  // passed to every call
    // data[i] becomes the sum of all ranks' data[i], the same bits on every rank. Ranks are added
    // as ohm_sum_pairs_float does it: only then does a result not depend on the number of ranks.
    ohm_status (*sum_float)(void *context, float *data, int64_t n, ohm_error *err);
    ohm_status (*sum_double)(void *context, double *data, int64_t n, ohm_error *err);
    // data of every rank becomes that of rank `root`
    ohm_status (*broadcast)(void *context, void *data, size_t size_bytes, int root, ohm_error *err);
    // all of rank 0 becomes own of all ranks, in order (size, size_bytes); elsewhere it is not used
    ohm_status (*gather)(void *context, void *all, const void *own, size_t size_bytes,
                         ohm_error *err);
    // returns when all ranks have called it
    ohm_status (*barrier)(void *context, ohm_error *err);
    // one counter for the whole job, from 0: adds step (>= 0) to it, *before is what it was. Not
    // a common call: any rank may make it at any time.
    ohm_status (*next)(void *context, int64_t *before, int64_t step, ohm_error *err);
    // ends all processes of the job with an exit code; may return where that cannot be done
    void (*abort)(void *context, int exit_code);
} ohm_communicator;

// The one of a process by itself: rank 0 of 1. Constant; its counter is the process'.
OHM_API const ohm_communicator *ohm_communicator_alone(void);

// out[i] = sum over pieces p of pieces[p][i], neighbours first: ((0+1)+(2+3))+((4+5)+6). For those
// who fill the table. pieces: (n_pieces) pointers to (n) numbers; n_pieces 1 .. 4096. out may be
// one of the pieces.
OHM_API void ohm_sum_pairs_float(float *out, const float *const *pieces, int n_pieces, int64_t n);
OHM_API void ohm_sum_pairs_double(double *out, const double *const *pieces, int n_pieces,
                                  int64_t n);

// The same result on all ranks: OHM_OK (or a remark) where all have it, else status and error of
// the lowest rank that failed, which the message names. Every rank calls it.
OHM_API ohm_status ohm_communicator_agree(const ohm_communicator *communicator, ohm_status status,
                                          ohm_error *err);

// Items of work that do not need each other: points of a sweep, draws of a simulation.
typedef struct {
    int64_t n_items;
    size_t result_bytes; // of one item; 0 = there are none
    void *results;       // (n_items, result_bytes), zeroed here; the same on all ranks afterwards
    void *context;       // of the calls below
    // Does one item, which must depend on its number only, and fills its result, which is aligned
    // for any type whose size result_bytes is a multiple of.
    ohm_status (*work)(void *context, int64_t item, void *result, ohm_error *err);
    // Non-zero: begin no more items, on no rank. Asked between items; may be NULL.
    int (*is_stopped)(void *context);
} ohm_items_def;

// Runs all items over the ranks: whoever is free takes the next. A failure becomes the status of
// all ranks (ohm_communicator_agree), and no more items are begun; OHM_ERR_INTERRUPTED when stopped
// before all were done: what was done has its result. communicator NULL = this process alone.
OHM_API OHM_NODISCARD ohm_status ohm_items_run(const ohm_communicator *communicator,
                                               const ohm_items_def *def, ohm_error *err);

#endif
