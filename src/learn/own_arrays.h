// SPDX-License-Identifier: Apache-2.0
// Where a task's own copies of PEs are on a chip (array.copies):
//
//     rewrite   in the arrays of the PEs. Switching to a task writes its copies there, and what the
//               task before had copied as it was; a cell that is stuck, or varies, is the same one
//               for all tasks
//     arrays    in arrays of their own, one a PE, written once. They are numbered behind the
//               network's: layer by layer, in each task by task, in each PE by PE, which is also
//               how `ohmwise cost` counts them (hardware/follow.h)
//
// An array is a PE only where arrays are as the run was learned with.
#ifndef OHMI_OWN_ARRAYS_H
#define OHMI_OWN_ARRAYS_H

#include "layout/place.h"
#include "learn/learner.h"

typedef struct {
    int64_t n_arrays; // of the chip: the network's and the copies'
    int64_t n_placed; // the network's
    int n_tasks;
    int64_t
        *of; // (n_tasks, n_placed) the array that a task finds in the place of each; NULL: itself
} ohmi_own_arrays;

// Numbers the arrays of all learned tasks' copies. OHM_ERR_UNSUPPORTED where they are to have
// arrays of their own and an array is no PE. For ohmi_own_arrays_clear, also when it fails.
OHM_NODISCARD ohm_status ohmi_own_arrays_init(ohmi_own_arrays *out, const ohmi_learner *learner,
                                              const ohmi_placed *place, const ohmi_config *values,
                                              ohm_error *err);
void ohmi_own_arrays_clear(ohmi_own_arrays *own);

// The arrays that task t finds, (n_placed); NULL: those where it is placed.
static inline const int64_t *ohmi_own_arrays_of(const ohmi_own_arrays *own, int t) {
    return own->of ? own->of + t * own->n_placed : NULL;
}

// Array of the chip -> the array it is in the place of, and the task whose copy it holds; -1 = one
// of the network's. number: 0 .. n_arrays - 1.
int64_t ohmi_own_arrays_find(int *t, const ohmi_own_arrays *own, int64_t number);

// Adds the arrays of copies to what ohmi_place_total has counted of the chip or a layer (>= 0): all
// columns there are their task's. Free columns that were taken for shared because some task copies
// them are free in the network's arrays.
void ohmi_own_arrays_add(ohmi_place_count *count, const ohmi_own_arrays *own,
                         const ohmi_placed *place, int layer);

#endif
