// SPDX-License-Identifier: Apache-2.0
// An array as a SPICE netlist, to be checked by another program.
#ifndef OHMI_NETLIST_H
#define OHMI_NETLIST_H

#include "ohmwise/array.h"

// Writes path: a source of voltage[i] for each row (voltage (rows); NULL = 1 V each), the cells of
// conductance (rows x columns, checked) and the wires as resistors, a source of 0 V for each column
// that measures its current; then commands for ngspice that print the currents with 15 digits.
// Wires of 0 ohm are left out, their ends being one node; so are cells of 0 S, and with
// OHM_CELLS_1T1R those of rows of 0 V.
OHM_NODISCARD ohm_status ohmi_netlist_write(const char *path, const double *conductance,
                                            const double *voltage, int rows, int columns,
                                            ohm_cells cells, const ohm_wires *wires,
                                            ohm_error *err);

#endif
