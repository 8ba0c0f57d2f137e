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
#ifndef OHMI_INSITU_CHIP_H
#define OHMI_INSITU_CHIP_H

#include "insitu/cells.h"
#include "insitu/rows.h"
#include "learn/rider.h"

typedef struct {
    ohmi_learner *learner; // borrowed; gone when the run is over
    int n_layers;
    ohmi_placed *place;
    ohmi_cells **cells; // (n_layers)
    ohmi_rows **rows;   // (n_layers)
    ohmi_rows_room room;
    ohmi_insitu_counts *counts; // of each layer, since the run began
    ohmi_insitu_counts *before; // the same when the last epoch ended
    double state[2];            // OHMI_CHIP_...
    double macs;                // multiply-accumulates of an image, forward
} ohmi_insitu_chip;

enum {
    OHMI_CHIP_EPOCHS,        // done
    OHMI_CHIP_UPDATE_SERIAL, // pulses of updates one after another, all arrays side by side
};

// The rider of a chip, which is all zero before a run begins. Free with ohmi_insitu_chip_clear.
ohmi_rider ohmi_insitu_rider(ohmi_insitu_chip *chip);
void ohmi_insitu_chip_clear(ohmi_insitu_chip *chip);

#endif
