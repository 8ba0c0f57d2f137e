// SPDX-License-Identifier: Apache-2.0
// A learned run on arrays: the layers of a learner, and the classifiers of its tasks side by side
// as one more layer, placed as layout/place.h says.
//
// Columns keep the length they were learned with; the arrays may be others. Where single weights
// are the unit, columns are cut by the arrays' rows, and one with weights of several tasks is
// shared.
#ifndef OHMI_PLACING_H
#define OHMI_PLACING_H

#include "layout/place.h"
#include "learn/learner.h"

// Places all learned tasks of a quantised run. values: keys of the section array. Free with
// ohmi_place_free. OHM_ERR_ARGUMENT for a run in float: it has no integers that cells could hold.
OHM_NODISCARD ohm_status ohmi_learner_place(ohmi_placed **out, const ohmi_learner *learner,
                                            const ohmi_config *values, ohm_error *err);

// The same for masks of any levels: behind the converters a column's sum is multiplied with its
// level, which ohmi_learner_column_bits does not say; of units that are no columns, weights are. A
// task's copies of PEs are placed as the PEs are; where they have arrays of their own, see
// own_arrays.h.
OHM_NODISCARD ohm_status ohmi_learner_place_levels(ohmi_placed **out, const ohmi_learner *learner,
                                                   const ohmi_config *values, ohm_error *err);

// Codes of all owners' weights of a layer, whatever task is active: w (K, C, R, S), integers.
// layer: index into the place; the heads' layer gives the codes of all classifiers.
void ohmi_learner_codes(float *w, const ohmi_learner *learner, const ohmi_placed *place, int layer);

// Whether cells hold other codes for one task than for another: weights that its mask leaves out
// one by one, or has other levels for, and copies of PEs.
bool ohmi_learner_is_rewritten(const ohmi_learner *learner);

// The codes that task t finds in the cells of a layer, w (K, C, R, S): its copies, and the shared
// weights, times the mask where that is in the cells; where nothing is rewritten, those of all
// owners.
void ohmi_learner_task_codes(float *w, const ohmi_learner *learner, const ohmi_placed *place,
                             int layer, int t);

// The scales of task t for the columns of a layer: bit u % 8 of bits[u / 8], ((n_units + 7) / 8).
// Where single weights are the unit, a column is on when any of its weights is.
void ohmi_learner_column_bits(uint8_t *bits, const ohmi_learner *learner, const ohmi_placed *place,
                              int layer, int t);

// The first output of task t in the heads' layer: its classes are the next n_classes outputs.
int64_t ohmi_learner_head_first(const ohmi_learner *learner, int t);

#endif
