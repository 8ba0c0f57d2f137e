// SPDX-License-Identifier: Apache-2.0
// What the cells of a chip's arrays are worth: real levels where integers were meant.
//
//     level' = level + (G' gain_row gain_line - G(level)) / step
//
// level, G(level): as meant; G': as it is on this chip, with its wires; in steps of a cell's
// levels. Where nothing is wrong, level' = level, exactly. Offsets of drivers and converters add a
// constant to a line's sum, whatever the inputs.
//
// Repair: profiling a chip once tells at which conductance a cell is stuck. For each such cell a
// digital unit adds x (G(level) - G_stuck) / step to the converted sum (PytorX, DAC 2019). No wire
// attenuates that.
#ifndef OHMI_EFFECTIVE_H
#define OHMI_EFFECTIVE_H

#include <stdbool.h>

#include "crossbar/device.h"
#include "layout/place.h"
#include "ohmwise/array.h"

typedef struct {
    const ohmi_placed *place;
    const ohmi_device *device;
    uint64_t chip;       // seed
    uint32_t read;       // of the chip, from 0
    bool has_wires;      // wires have resistance
    bool repairs_stuck;  // digital correction of stuck cells
    ohm_wires wires;     //
    const uint8_t *bits; // of the layer's columns, as ohmi_place_select takes them: lines of others
                         // carry no current, which wires feel; NULL = all are on
    const int64_t *numbers; // (arrays of place) which array of the chip each is; NULL = itself
} ohmi_effective_def;

// What there is to repair.
typedef struct {
    int64_t cells; // with a digit to hold, in owned columns and offset columns
    int64_t stuck; // of those, stuck elsewhere than at what was meant: a digital product each
} ohmi_effective_count;

// One array, made. real (rows, columns); offset (columns), added to the sums of lines, in steps;
// delta (rows, columns): what repair adds to levels, NULL without repair. Valid during the call.
typedef struct {
    int64_t array;
    ohmi_place_array at;
    const float *real, *offset, *delta;
} ohmi_effective_array;

// The wires that a config describes; false when none of them has resistance.
bool ohmi_wires_of(ohm_wires *wires, const ohmi_config *config);

// Called for every array of a layer, by several threads at once.
typedef void ohmi_effective_visit(void *context, const ohmi_effective_array *array);

// Makes every array of a layer from its codes (K, C, R, S). count (nullable) is added to. What an
// array holds does not depend on threads. Fails for want of memory, or wires that cannot be solved.
OHM_NODISCARD ohm_status ohmi_effective_each(ohmi_effective_visit *visit, void *context,
                                             ohmi_effective_count *count, const float *codes,
                                             int layer, const ohmi_effective_def *def,
                                             ohm_error *err);

#endif
