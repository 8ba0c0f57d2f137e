// SPDX-License-Identifier: Apache-2.0
// The weights of a layer in the cells of arrays, while they are trained.
//
// Each weight is a code in cells, digits of array.cell_bits as place.h has them, and a residue in a
// digital accumulator: master weight w = lsb code + residue. An update changes w; then what is
// significant is written:
//
//     pending    p = clip(w / lsb, -top, top) - code
//     written    units (a weight, a word line, an output's column, an array) with mean |p| >= theta
//                become code = Q(w); the residue of all others stays (error feedback)
//     compared   a digit goes from a to b by |b - a| pulses, and has none where a = b
//     else       it is erased and set, by a + b pulses, also where a = b
//
// Only weights of columns that the task in training owns are ever written. Columns that it owns and
// did not own when they were last written (claimed, grown) are written whatever theta says, also
// what was lost by a changed lsb. The offset column of an array never changes and is not counted.
// Arrays for transposed weights hold the same codes, a word line an output: their cells have the
// same writes and pulses, but rows of their own.
#ifndef OHMI_INSITU_CELLS_H
#define OHMI_INSITU_CELLS_H

#include "insitu/counts.h"
#include "insitu/pulses.h"
#include "layout/place.h"
#include "learn/learner.h"

// How a cell of code a becomes one of code b.
typedef struct {
    uint16_t pulses; // of all its digits
    uint8_t most;    // of the slowest
    uint16_t digits; // bit d = digit d has a pulse
} ohmi_cell_move;

typedef struct {
    const ohmi_learner *learner;
    const ohmi_placed_layer *place; // borrowed
    int layer;                      // index into network->layers
    int64_t rows;                   // word lines of an array
    int cell_bits;
    bool has_transposed;
    int code_zero;                     // code c is row and column c + code_zero of the moves
    int n_codes;                       // 2 code_zero + 1
    ohmi_cell_move *compared, *erased; // (n_codes, n_codes) from, to
    float *held;                       // codes that cells hold                     (n_weights)
    uint8_t *owner;                    // of each unit when it was last written     (n_units)
    uint32_t *wear;      // writes of each digit's cell               (n_weights, lines)
    ohmi_pulses *pulses; // where cells really are; NULL = where they are meant to be
    // scratch
    int64_t n_segments, n_across; // word-line groups of an output; transposed arrays of a row
    int64_t *segment;             // first weight of each, and the end         (n_segments + 1)
    uint8_t *row_most;            // pulses of a word line           (blocks, run)
    uint8_t *across_most;         // likewise, transposed            (k, n_across)
    float *pending;               // sums of |p| of units            (blocks, max units of one)
    int32_t *pending_n;           // weights in the sum
    uint8_t *differs;             // a weight of the unit has another code
    ohmi_insitu_counts *part;     // of each block
    int64_t unit_stride;
} ohmi_cells;

// Empty arrays for a layer; what other tasks or a backbone own is there without a write.
// has_transposed: errors go back through it. place (borrowed): of this layer, columns cut as the
// learner's.
OHM_NODISCARD ohm_status ohmi_cells_new(ohmi_cells **out, const ohmi_learner *learner, int layer,
                                        const ohmi_placed_layer *place, int64_t rows, int cell_bits,
                                        bool has_transposed, ohm_error *err);
void ohmi_cells_free(ohmi_cells **cells);

// Writes what is due and adds to counts. is_update: weights have just been updated, so that without
// comparison all that is due is written anew; else only what no longer fits.
void ohmi_cells_write(ohmi_cells *cells, bool is_update, ohmi_insitu_counts *counts);

// Gives up what was not written: weights of task t whose code is not the one held become what is
// held.
void ohmi_cells_settle(const ohmi_cells *cells);

// Writes of the most worn cell, and their mean over all cells of weights.
void ohmi_cells_wear(const ohmi_cells *cells, double *most, double *mean);

#endif
