// SPDX-License-Identifier: Apache-2.0
// What pulses do to the cells of a layer's weights when these are not ideal; all off by default.
//
// A cell's level g of 0 .. top is where its pulses have brought it, while the controller goes by
// the code it has written (open loop: nothing is read back, training itself has to make up for it).
//
//     up      y = g / top; x = -ln(1 - y (1 - e^-a)) / a; x' = x + n / top
//             y' = (1 - e^(-a x')) / (1 - e^-a)                 n pulses; a = 0: y' = y + n / top
//     down    the same for 1 - y, with the other bend; from what is reached 0 <= y' <= 1 is kept
//     noise   y' + sigma sqrt(n) z / top
//     stuck   g = top (on) or 0 (off), whatever is written: parts fault.stuck_on, stuck_off
//
// with bends a + spread z of each cell (curve: P. Chen et al., NeuroSim, TCAD 37(12), 2018, with n
// = top pulses over the range). The value of a weight is sum of worth x level less the offset.
// Every draw is keyed by (chip.seed, effect, layer, cell, writes so far). The transposed arrays are
// taken to be as these are; the operand of gradients is ideal.
#ifndef OHMI_INSITU_PULSES_H
#define OHMI_INSITU_PULSES_H

#include "config/config.h"
#include "layout/place.h"

typedef struct {
    const ohmi_config *config;
    int layer, lines, n_digits, offset, top; // top: largest level of a cell
    int32_t worth[OHMI_MOST_LINES];
    float *level; // where cells are                    (n_weights, lines)
    float *value; // codes that they are worth          (n_weights)
    int64_t n_weights;
} ohmi_pulses;

// Whether a config asks for any of it.
bool ohmi_pulses_are_wanted(const ohmi_config *config);

// Cells that hold codes held (n_weights), as written by a perfect hand but for those that are
// stuck.
OHM_NODISCARD ohm_status ohmi_pulses_new(ohmi_pulses **out, const ohmi_config *config, int layer,
                                         const ohmi_placed_layer *place, int cell_bits,
                                         const float *held, int64_t n_weights, ohm_error *err);
void ohmi_pulses_free(ohmi_pulses **pulses);

// n pulses for digit d of a weight, n < 0 lowers it; write: a number of this cell's writes.
void ohmi_pulses_give(ohmi_pulses *pulses, int64_t weight, int64_t d, int n, uint32_t write);

// The weight's value from its cells, after pulses.
void ohmi_pulses_settle(ohmi_pulses *pulses, int64_t weight);

#endif
