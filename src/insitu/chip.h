// SPDX-License-Identifier: Apache-2.0
// All arrays of a run that is trained on crossbars: the weights of its layers in cells (cells.h),
// the arrays that form their gradients (rows.h), and what was counted. It rides along with the
// trainer (learn/rider.h), which computes; what it does to training is
//
//   w_eff    what cells hold, in place of the codes of the weights
//   dy       rounded to the bits that are driven, and less what is not driven
//   w        at the end of a task what cells hold, where that is another code
//
// with no thresholds (and errors not rounded) nothing at all: the run has the bits of `learn`.
// Classifiers are computed beside the arrays.
//
// With a budget, the part of the rows that are programmed follows what is measured every
// insitu.every batches: keep <- keep x budget / measured, within 0.01 .. 1, the same of all layers.
#ifndef OHMI_INSITU_CHIP_H
#define OHMI_INSITU_CHIP_H

#include "insitu/cells.h"
#include "insitu/rows.h"
#include "learn/rider.h"

enum {
    OHMI_CHIP_EPOCHS,        // done
    OHMI_CHIP_UPDATE_SERIAL, // pulses of updates one after another, all arrays side by side
    OHMI_CHIP_KEEP,          // part of the rows that the budget leaves
    // when the budget was last looked at
    OHMI_CHIP_IMAGES,
    OHMI_CHIP_PULSES,
    OHMI_CHIP_READS,
    OHMI_CHIP_WRITES,
    OHMI_CHIP_MOST, // writes of the most worn cell
    OHMI_N_CHIP_STATE
};

typedef struct {
    ohmi_learner *learner; // borrowed; gone when the run is over
    int n_layers;
    ohmi_placed *place;
    ohmi_cells **cells; // (n_layers)
    ohmi_rows **rows;   // (n_layers)
    ohmi_rows_room room;
    ohmi_insitu_counts *counts;      // of each layer, since the run began
    ohmi_insitu_counts *before;      // the same when the last epoch ended
    double state[OHMI_N_CHIP_STATE]; // OHMI_CHIP_...
    double macs;                     // multiply-accumulates of an image, forward
} ohmi_insitu_chip;

// The rider of a chip, which is all zero before a run begins. Free with ohmi_insitu_chip_clear.
ohmi_rider ohmi_insitu_rider(ohmi_insitu_chip *chip);
void ohmi_insitu_chip_clear(ohmi_insitu_chip *chip);

#endif
