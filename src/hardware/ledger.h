// SPDX-License-Identifier: Apache-2.0
// The ledger of programming: pulses, energy and time of the cells that change (moves.h), and how
// long the cells last. Of a cell that goes from level a to level b
//
//     pulses   N = ceil(|b - a| P / (2^bits - 1))            P = pulses over the whole range
//     energy   E = V^2 t N (G_a + G_b) / 2                   rule conductance (MLP_NeuroSim)
//              E = V^2 t N 2 / (1/G_a + 1/G_b)               rule resistance (DNN_NeuroSim V2.1)
//
// with V, t of set (b > a) or reset (b < a). Rows of an array are written one after another, each
// with its set pulses first and then its reset pulses, as many as its cells need at most; arrays
// side by side. Each pulse of a row drives its word line and all bit lines (peripheral energy).
// With verification each pulse of a cell is followed by a read and a conversion.
#ifndef OHMI_LEDGER_H
#define OHMI_LEDGER_H

#include "hardware/moves.h"

typedef struct {
    int64_t cells_set, cells_reset;   // that change level, up and down
    int64_t levels_up, levels_down;   // by how many levels together
    int64_t pulses_set, pulses_reset; // of all cells
    int64_t row_pulses;               // of all rows: the longest cell of each
    double set_j[2], reset_j[2];      // by rule: conductance, resistance
    double peripheral_j, verify_j;
    double time_s;
} ohmi_ledger_step;

// Prices one step.
void ohmi_ledger_price(ohmi_ledger_step *out, const ohmi_moves *moves, int step,
                       const ohmi_hardware *hardware);

// Energy of a step by the rule that the hardware says, with what stands beside the cells.
double ohmi_ledger_total_j(const ohmi_ledger_step *step, const ohmi_hardware *hardware);

// Pulses for a change of levels, and the energy of one pulse by rule (ohmi_write_rule).
int64_t ohmi_ledger_pulses(const ohmi_hardware *hardware, int from, int to);
double ohmi_ledger_pulse_j(const ohmi_hardware *hardware, int from, int to, int rule);

// Seconds until the most worn cell has had its endurance of writes, when the chip changes its task
// every interval_s; infinite where no switch writes, 0 where learning alone was too much.
double ohmi_ledger_lifetime_s(const ohmi_moves *moves, double endurance, double interval_s);

#endif
