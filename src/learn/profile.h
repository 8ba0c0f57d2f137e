// SPDX-License-Identifier: Apache-2.0
// Learning around the faults of one chip: what profiling its arrays once has found, as the chip's
// weights see it. `ohmwise simulate RUN --profile FILE` writes it for a network's layers.
//
//     code' = partial[stuck][code + top] + value      of each weight; partial: what the digits that
//                                                     work count, value: what the others do, and
//                                                     the offset, as the chip has it
//     damage of a unit = mean over its weights and codes of min(1, |code' - code| / top)
//
// While learning, forward passes multiply with code', so that weights and masks are learned around
// what is stuck (gradients go straight through). Columns that a task claims, keeps and grows are
// chosen by their score times (1 - damage)^adapt.avoid. Each can be had without the other
// (adapt.around=false, adapt.avoid=0). The idea is this project's own.
#ifndef OHMI_PROFILE_H
#define OHMI_PROFILE_H

#include "learn/learner.h"

typedef struct ohmi_profile {
    int top;        // codes are -top .. top
    int n_masks;    // sets of stuck lines
    bool is_around; // passes multiply with code'
    float *partial; // (n_masks, 2 top + 1)
    uint8_t *stuck; // (n_weights) row of partial
    float *value;   // (n_weights)
    float *health;  // (n_units) (1 - damage)^avoid
} ohmi_profile;

// Reads adapt.profile into the layers' units; nothing where the config has none. Free columns of
// other sizes, other layers: OHM_ERR_FORMAT. The learner frees it.
OHM_NODISCARD ohm_status ohmi_profile_read(ohmi_learner *learner, ohm_error *err);
void ohmi_profile_free(ohmi_profile **profile);

// code[i] = code' of weight first + i, for i < n; nothing where columns are only chosen.
void ohmi_profile_apply(float *code, int64_t first, int64_t n, const ohmi_profile *profile);
// Weighs units->score by health; scores below 0 stay. Nothing where there is no profile.
void ohmi_profile_weigh(ohmi_units *units);

#endif
