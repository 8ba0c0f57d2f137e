// SPDX-License-Identifier: Apache-2.0
// Who owns what on a chip: columns, the cells that hold their weights, arrays in which an owner has
// a column; and what is written anew for each task.
//
//     part = cells with a digit of a weight of this owner / all cells of the chip
//
// An array with columns of several owners counts for each of them.
#ifndef OHMI_OWNERS_H
#define OHMI_OWNERS_H

#include <jansson.h>

#include "learn/own_arrays.h"

typedef struct {
    int64_t columns; // logical
    int64_t cells;   // that have a weight's digit to hold
    int64_t arrays;  // with a column of this owner
} ohmi_owner;

// Own copies of a task.
typedef struct {
    int64_t pes, columns, cells; // with a weight's digit to hold
} ohmi_owner_copies;

// of[owner]: OHMI_OWNER_FREE, 1-based tasks, OHMI_OWN_BACKBONE, OHMI_OWNER_SHARED.
void ohmi_owners_count(ohmi_owner of[256], const ohmi_placed *place, const ohmi_own_arrays *own);
// What task t has copies of, wherever they are.
ohmi_owner_copies ohmi_owners_copies(const ohmi_learner *learner, const ohmi_placed *place, int t);

// A list of `owner` ("backbone", "task N", "shared", "free"), `columns`, `cells`, `part`, `arrays`
// of those that own something; cells: of the chip. NULL when memory is out.
json_t *ohmi_owners_json(const ohmi_owner of[256], int64_t cells);

#endif
