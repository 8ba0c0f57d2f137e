// SPDX-License-Identifier: Apache-2.0
// Arrays of cells with resistive wires: what include/ohmwise/array.h defines, for the library's own
// use, with memory that is allocated once.
//
// An array is eliminated as a ladder (wires_ladder.h) in the direction that costs less: over its
// word lines, with blocks as large as there are columns, or over its bit lines from the far end of
// the word lines to the drivers, with blocks as large as there are rows; by reciprocity the current
// of column j for 1 V at row i is that of row i for 1 V at column j.
#ifndef OHMI_WIRES_H
#define OHMI_WIRES_H

#include <stddef.h>

#include "ohmwise/array.h"

#define OHMI_WIRES_LEAST 1e-40 // ohm, siemens; smaller ones than this must be 0
#define OHMI_WIRES_MOST 1e40   // so that no product of a few of them leaves the range of double

enum { OHMI_WIRES_MOST_CELLS = 16384 }; // of a row or a column

// Checks wires and writes them with the defaults filled in.
OHM_NODISCARD ohm_status ohmi_wires_check(ohm_wires *out, const ohm_wires *wires, ohm_error *err);
// Checks the size of an array.
OHM_NODISCARD ohm_status ohmi_wires_check_size(int rows, int columns, ohm_error *err);
// Checks conductance (rows x columns) and names the first cell at fault; array < 0: do not say
// which array it is of.
OHM_NODISCARD ohm_status ohmi_wires_check_cells(const double *conductance, int rows, int columns,
                                                int64_t array, ohm_error *err);

// Memory for arrays of one size with the same wires, and for ohmi_wires_gated where cells are
// OHM_CELLS_1T1R; one thread at a time.
typedef struct ohmi_wires ohmi_wires;
OHM_NODISCARD ohm_status ohmi_wires_new(ohmi_wires **out, int rows, int columns, ohm_cells cells,
                                        const ohm_wires *wires, ohm_error *err);
void ohmi_wires_free(ohmi_wires **wires);

// effective (rows x columns) of conductance (rows x columns, checked); may be in place. Allocates
// nothing.
void ohmi_wires_effective(double *effective, const double *conductance, ohmi_wires *wires);

// current (columns) for voltage (rows) of an array whose rows without voltage are disconnected.
// Allocates nothing.
void ohmi_wires_gated(double *current, const double *conductance, const double *voltage,
                      ohmi_wires *wires);

// current (n_vectors x columns) = voltage (n_vectors x rows) effective (rows x columns). The order
// of the sums does not depend on the threads.
void ohmi_wires_product(double *current, const double *effective, const double *voltage,
                        int64_t n_vectors, int rows, int columns);

#endif
