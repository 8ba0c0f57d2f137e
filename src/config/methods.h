// SPDX-License-Identifier: Apache-2.0
// Named methods: each is a row of parts, so that no code asks which method runs; and what the kinds
// of growth have in common, so that no code asks which growth it is.
#ifndef OHMI_METHODS_H
#define OHMI_METHODS_H

#include <stdbool.h>

#include "config/config.h"

enum { OHMI_METHOD_PARTS = 5 };

typedef struct {
    const char *name; // "xst"
    // values of the keys in ohmi_method_keys, as text
    const char *parts[OHMI_METHOD_PARTS];
    const char *meaning; // what it does, a line
    const char *source;  // where it was published
    const char
        *reconstruction; // what of it is ours because the source could not be had; NULL = none
} ohmi_method;

// Which units a task begins with.
typedef enum {
    OHMI_CLAIM_NONE,   // none: it has masks, or copies
    OHMI_CLAIM_BUDGET, // its budget of free ones
    OHMI_CLAIM_FREE    // all free ones
} ohmi_claim;

typedef struct {
    ohmi_claim claim;
    bool is_alone;       // each task begins anew; only the last one's weights are kept
    bool has_copies;     // a task keeps own weights of PEs beside the shared ones
    bool copies_all;     // of all PEs
    bool starts_at_zero; // what later tasks claim begins at zero
    bool goes_back;      // training may return to a state it had before
} ohmi_growth_traits;

// Names of all methods, NULL-terminated, in the order of the rows.
extern const char *const ohmi_method_names[];
// Keys that a method sets: method.start, method.unit, ...
extern const char *const ohmi_method_keys[OHMI_METHOD_PARTS];

// The row of a name, NULL when there is none.
const ohmi_method *ohmi_method_find(const char *name);

// What a kind of growth does.
const ohmi_growth_traits *ohmi_growth_traits_of(ohmi_growth growth);

#endif
