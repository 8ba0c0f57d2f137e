// SPDX-License-Identifier: Apache-2.0
// Checked, aligned, zeroed memory; see memory.h.
#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

static atomic_llong live_blocks, allocations, fail_at = -1;

// the next allocation fails when its turn has come
static int must_fail(void) {
    const long long turn = atomic_fetch_add(&allocations, 1);
    return turn == atomic_load(&fail_at);
}

void *ohmi_alloc(size_t count, size_t size_bytes) {
    if (size_bytes != 0 && count > (SIZE_MAX - ALIGNMENT) / size_bytes) {
        return NULL;
    }
    if (must_fail()) {
        return NULL;
    }
    const size_t bytes = count * size_bytes;
    const size_t room = (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
    void *block = aligned_alloc(ALIGNMENT, room);
    if (block) {
        memset(block, 0, room);
        atomic_fetch_add(&live_blocks, 1);
    }
    return block;
}

void *ohmi_realloc(void *block, size_t old_bytes, size_t new_bytes) {
    void *grown = ohmi_alloc(new_bytes, 1);
    if (grown && block) {
        memcpy(grown, block, old_bytes < new_bytes ? old_bytes : new_bytes);
        ohmi_free(block);
    }
    return grown;
}

void ohmi_free(void *block) {
    if (block) {
        atomic_fetch_sub(&live_blocks, 1);
        free(block);
    }
}

char *ohmi_strdup(const char *text) {
    const size_t size = strlen(text) + 1;
    char *copy = ohmi_alloc(size, 1);
    if (copy) {
        memcpy(copy, text, size);
    }
    return copy;
}

int64_t ohmi_live_blocks(void) {
    return atomic_load(&live_blocks);
}

int64_t ohmi_allocation_count(void) {
    return atomic_load(&allocations);
}

void ohmi_fail_allocation(int64_t k) {
    atomic_store(&fail_at, k < 0 ? -1 : atomic_load(&allocations) + k);
}
