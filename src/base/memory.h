// SPDX-License-Identifier: Apache-2.0
// Checked, aligned, zeroed memory. Every block of the library comes from here, so that tests can
// fail the k-th allocation and count what is still live.
#ifndef OHMI_MEMORY_H
#define OHMI_MEMORY_H

#include <stddef.h>
#include <stdint.h>

// Returns count * size_bytes zeroed bytes, aligned to 64, or NULL when the product overflows or
// memory is out. count = 0 gives a block that may be freed but not read.
void *ohmi_alloc(size_t count, size_t size_bytes);

// Grows or shrinks a block of ohmi_alloc, keeping its first bytes; NULL on failure, and then the
// old block is untouched. block may be NULL.
void *ohmi_realloc(void *block, size_t old_bytes, size_t new_bytes);

// Frees a block of ohmi_alloc. NULL is fine.
void ohmi_free(void *block);

// Copies a string into a block of its own; NULL when memory is out.
char *ohmi_strdup(const char *text);

// For tests: number of live blocks; and make the k-th allocation from now fail (0 = the next,
// negative = never). Allocation counts are process-wide and atomic.
int64_t ohmi_live_blocks(void);
int64_t ohmi_allocation_count(void);
void ohmi_fail_allocation(int64_t k);

#endif
