// SPDX-License-Identifier: Apache-2.0
// Items of work over ranks: a common counter says which item is next, the results are brought
// together at the end.
//
// An item is done where the counter fell, but its result depends on its number only. Whoever must
// stop, or fails, moves the counter past the last item, so that no rank begins another.
#include <stdbool.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "ohmwise/communicator.h"

// What one rank, and in the end every rank, knows of all items.
typedef struct {
    uint8_t *bytes;    // one block, which ranks can send: the two below
    uint8_t *results;  // (n_items, result_bytes), first, so that they are aligned
    uint8_t *is_done;  // (n_items) 0 or 1
    size_t size_bytes; // of the block
} ledger;

static ohm_status ledger_new(ledger *l, const ohm_items_def *def, size_t n_copies, ohm_error *err) {
    const size_t n = (size_t)def->n_items;
    l->size_bytes = n * (1 + def->result_bytes);
    l->bytes = ohmi_alloc(n_copies, l->size_bytes);
    if (l->bytes == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the results of %lld items",
                         (long long)def->n_items);
    }
    l->results = l->bytes;
    l->is_done = l->bytes + n * def->result_bytes;
    return OHM_OK;
}

// takes items until there are none
static ohm_status take_items(const ohm_communicator *c, const ohm_items_def *def, int64_t base,
                             ledger *own, ohm_error *err) {
    ohm_status status = OHM_OK;
    int64_t before = 0;
    for (;;) {
        const bool is_stopped = def->is_stopped != NULL && def->is_stopped(def->context) != 0;
        const int64_t step = is_stopped ? def->n_items : 1;
        OHM_TRY(c->next(c->context, &before, step, err));
        const int64_t item = before - base;
        if (is_stopped || item >= def->n_items) {
            break;
        }
        void *result = own->results + (size_t)item * def->result_bytes;
        status = def->work(def->context, item, result, err);
        if (status < 0) {
            const ohm_status ended = c->next(c->context, &before, def->n_items, NULL);
            status = ended < 0 ? ended : status;
            break;
        }
        own->is_done[item] = 1;
    }
done:
    return status;
}

// rank 0 takes together what all have done
static void merge(ledger *own, const ledger *all, int size, const ohm_items_def *def) {
    const size_t n = (size_t)def->n_items;
    for (int r = 0; r < size; r++) {
        const uint8_t *results = all->bytes + (size_t)r * all->size_bytes;
        const uint8_t *is_done = results + n * def->result_bytes;
        for (size_t i = 0; i < n; i++) {
            if (is_done[i]) {
                own->is_done[i] = 1;
                memcpy(own->results + i * def->result_bytes, results + i * def->result_bytes,
                       def->result_bytes);
            }
        }
    }
}

ohm_status ohm_items_run(const ohm_communicator *communicator, const ohm_items_def *def,
                         ohm_error *err) {
    const ohm_communicator *c = communicator ? communicator : ohm_communicator_alone();
    ohm_status status = OHM_OK;
    ledger own = {0}, all = {0};
    int64_t base = 0, n_done = 0;
    if (def->n_items < 1) {
        return OHM_OK;
    }
    status = ledger_new(&own, def, 1, err);
    if (status >= 0 && c->rank == 0) {
        status = ledger_new(&all, def, (size_t)c->size, err);
    }
    OHM_TRY(ohm_communicator_agree(c, status, err));

    // the counter goes on from wherever it stands, once nobody moves it
    if (c->rank == 0) {
        OHM_TRY(c->next(c->context, &base, 0, err));
    }
    OHM_TRY(c->broadcast(c->context, &base, sizeof base, 0, err));
    status = take_items(c, def, base, &own, err);
    OHM_TRY(ohm_communicator_agree(c, status, err));

    // the results of all ranks on all ranks
    OHM_TRY(c->gather(c->context, all.bytes, own.bytes, own.size_bytes, err));
    if (c->rank == 0) {
        merge(&own, &all, c->size, def);
    }
    OHM_TRY(c->broadcast(c->context, own.bytes, own.size_bytes, 0, err));
    if (def->results != NULL && def->result_bytes > 0) {
        memcpy(def->results, own.results, (size_t)def->n_items * def->result_bytes);
    }
    for (int64_t i = 0; i < def->n_items; i++) {
        n_done += own.is_done[i];
    }
    if (n_done < def->n_items) {
        status = ohmi_fail(err, OHM_ERR_INTERRUPTED, "stopped early: %lld of %lld items are done",
                           (long long)n_done, (long long)def->n_items);
    }
done:
    ohmi_free(own.bytes);
    ohmi_free(all.bytes);
    return status;
}
