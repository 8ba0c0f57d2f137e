// SPDX-License-Identifier: Apache-2.0
// The voltages of all nodes of an array, refined until Kirchhoff's current law holds: the check of
// the effective matrix, by way of voltages that the latter never needs.
//
// Voltages are kept as sums of two doubles: between cells of 1e-5 S a segment of 1e-3 ohm drops
// 1e-9 of its voltage, of which one double would keep 7 digits. The residual of a node is the sum
// of the currents into it; nodes joined by 0 ohm are one. A correction is the answer of the same
// factors to the residuals as currents.
#ifndef OHMI_WIRES_NODES_H
#define OHMI_WIRES_NODES_H

#include "crossbar/wires.h"

typedef struct ohmi_wires_nodes ohmi_wires_nodes;

// Factors an array once: conductance (rows x columns, checked) is copied. Takes rows * columns^2
// doubles of memory.
OHM_NODISCARD ohm_status ohmi_wires_nodes_new(ohmi_wires_nodes **out, const double *conductance,
                                              int rows, int columns, const ohm_wires *wires,
                                              ohm_error *err);
void ohmi_wires_nodes_free(ohmi_wires_nodes **nodes);

// word_v, bit_v (rows x columns; nullable) volts of the nodes on word and bit lines, current
// (columns) amperes for voltage (rows) volts. Returns the largest residual of a node over the
// largest current of a wire or cell, 0 where nothing flows. Allocates nothing; one thread at a
// time.
double ohmi_wires_nodes_solve(double *word_v, double *bit_v, double *current, const double *voltage,
                              ohmi_wires_nodes *nodes);

#endif
