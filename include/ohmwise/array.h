// SPDX-License-Identifier: Apache-2.0
// One crossbar array with the resistance of its wires, solved exactly.
//
//     terminal i --source_ohm-- w(i,0) --word_ohm-- w(i,1) ... w(i,columns-1)      word lines
//     cell (i,j): conductance[i][j] between w(i,j) and b(i,j)
//     b(0,j) --bit_ohm-- b(1,j) ... b(rows-1,j) --sense_ohm-- 0 V                  bit lines
//
// Terminal i is a voltage source; the current of column j is what flows into its 0 V. A passive
// array is linear, so that one matrix, the effective conductances, says all of it:
//     current[j] = sum over i of voltage[i] * effective[i][j]
// docs/wires.md has the equations. Units: siemens, ohm, volt, ampere. Arrays are row major. All
// functions are thread safe: they share nothing.
#ifndef OHMWISE_ARRAY_H
#define OHMWISE_ARRAY_H

#include <stdint.h>

#include "ohmwise/status.h"

// The wires. Each resistance is 0 (then the limit is computed, no small number in its place) or
// within 1e-40 .. 1e40 ohm; source_ohm and sense_ohm < 0 stand for one segment of their line.
typedef struct {
    double word_ohm;   // between neighbouring cells of a word line
    double bit_ohm;    // between neighbouring cells of a bit line
    double source_ohm; // between a driver and the nearest cell of its word line
    double sense_ohm;  // between the nearest cell of a bit line and where its current is measured
    int drive_right;   // non-zero: drivers are beside the last column, not the first
    int sense_top;     // non-zero: currents are measured above row 0, not below the last row
} ohm_wires;

// What a cell does when its row has no voltage.
typedef enum {
    OHM_CELLS_PASSIVE, // it stays connected
    OHM_CELLS_1T1R,    // its transistor, whose gate is the row's input, disconnects it
} ohm_cells;

// effective (rows x columns) of conductance (rows x columns; each 0 or within 1e-40 .. 1e40
// siemens; OHM_ERR_NUMERIC with its place otherwise). May be in place. Every element has a relative
// error of about 1e-14, whatever the ratios of the resistances. About max(rows, columns) *
// min(rows, columns)^3 * 2 floating-point operations.
OHM_API OHM_NODISCARD ohm_status ohm_array_effective(double *effective, const double *conductance,
                                                     int rows, int columns, const ohm_wires *wires,
                                                     ohm_error *err);

// The same for n_arrays arrays of one size, in float32 (solved in double), over all threads:
// effective, conductance (n_arrays x rows x columns). May be in place. Results do not depend on the
// number of threads.
OHM_API OHM_NODISCARD ohm_status ohm_array_effective_many(float *effective,
                                                          const float *conductance,
                                                          int64_t n_arrays, int rows, int columns,
                                                          const ohm_wires *wires, ohm_error *err);

// current (n_vectors x columns) for voltage (n_vectors x rows; finite). Passive: by the effective
// matrix. 1T1R: an elimination of the rows with a voltage for every vector, over all threads.
OHM_API OHM_NODISCARD ohm_status ohm_array_currents(double *current, const double *conductance,
                                                    int rows, int columns, const double *voltage,
                                                    int64_t n_vectors, ohm_cells cells,
                                                    const ohm_wires *wires, ohm_error *err);

// An estimate of the effective matrix in a few passes over the cells, for sweeps of many arrays,
// and how far it may be off: for voltages that lie, together with 0, within an interval of U volt,
// no current of column j differs from the exact one by more than U * bound[j] (columns; amperes for
// 1 V), rounding of about 1e-13 apart. n_sweeps, 0 .. 1000, makes both smaller; beyond 3 little is
// gained unless wires take most of the voltage. May be in place.
OHM_API OHM_NODISCARD ohm_status ohm_array_estimate(double *effective, double *bound,
                                                    const double *conductance, int rows,
                                                    int columns, int n_sweeps,
                                                    const ohm_wires *wires, ohm_error *err);

// current (n_vectors x columns) = voltage (n_vectors x rows; finite) effective (rows x columns):
// the plain product, over all threads.
OHM_API OHM_NODISCARD ohm_status ohm_array_product(double *current, const double *effective,
                                                   int rows, int columns, const double *voltage,
                                                   int64_t n_vectors, ohm_error *err);

// One array from files to files.
typedef struct {
    const char *conductance_path; // .npy (rows x columns), float32 or float64, siemens
    const char *voltage_path;     // .npy (rows) or (vectors x rows), likewise, volt; may be NULL
    const char *current_path;     // written: (columns) or (vectors x columns), float64, ampere
    const char *effective_path;   // written: (rows x columns), float64, siemens; passive cells only
    const char *netlist_path;     // written: SPICE, with the voltages of the first vector, else 1 V
    ohm_wires wires;
    ohm_cells cells;
    int n_sweeps; // > 0: the estimate with so many sweeps instead of the exact matrix
    int n_check;  // vectors whose node voltages are solved as well, to check the currents
} ohm_array_def;

typedef struct {
    int rows, columns;
    int64_t n_vectors;         // 1, of 1 V at each row, without a voltage_path
    double least_siemens;      // of the cells above 0
    double most_siemens;       //
    double mean_error;         // sum |current - ideal product| / sum |ideal product|
    double most_error;         // max |current - ideal product| / max |ideal product|
    double error_bound;        // of the currents' errors, over max |current|; 0 when exact
    double solve_s;            // seconds of the effective matrix, or of the vectors (1T1R)
    int n_checked;             // vectors
    double kirchhoff_residual; // largest of a node over the largest current in the array
    double check_difference;   // max |current - that of the node voltages| / max |current|
} ohm_array_result;

// Reads, solves, writes; a path that is NULL is not written. Nothing is written when something is
// wrong with the input: OHM_ERR_FORMAT for shapes and types, OHM_ERR_NUMERIC for values.
OHM_API OHM_NODISCARD ohm_status ohm_array_run(ohm_array_result *result, const ohm_array_def *def,
                                               ohm_error *err);

#endif
