// SPDX-License-Identifier: Apache-2.0
// Named methods: each is a row of parts, so that no code asks which method runs.
#ifndef OHMI_METHODS_H
#define OHMI_METHODS_H

enum { OHMI_METHOD_PARTS = 5 };

typedef struct {
    const char *name; // "xst"
    // values of the keys in ohmi_method_keys, as text
    const char *parts[OHMI_METHOD_PARTS];
} ohmi_method;

// Names of all methods, NULL-terminated, in the order of the rows.
extern const char *const ohmi_method_names[];
// Keys that a method sets: method.start, method.unit, ...
extern const char *const ohmi_method_keys[OHMI_METHOD_PARTS];

// The row of a name, NULL when there is none.
const ohmi_method *ohmi_method_find(const char *name);

#endif
