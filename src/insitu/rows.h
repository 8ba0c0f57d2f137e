// SPDX-License-Identifier: Apache-2.0
// The gradient of a layer's weights as a product of arrays, and what is written for it.
//
//     dW[k][c, r, s] = sum over positions i of dy[i][k] A[i][c, r, s]
//
// A position i is an image and a place (p, q) of the output map; A[i] is what the filter sees
// there. One operand is programmed, a position a word line, its entries as digits in cells; the
// other is driven. Which rows are worth it says choose.h.
//
// A row that is left out adds nothing to dW. One whose A or dy is all zero would have added nothing
// anyway, and where no other is left out the product has the same bits. With theta_A = theta_E = 0
// every row is programmed.
//
// Cells: an entry's magnitude in digits of cell_bits; operands with a sign (images, errors) take
// a second set of cells for negative ones, so that 0 is level 0 in all cells. Errors of b bits are
// round(dy / step), step = max |dy| / (2^(b-1) - 1), in both products; they are fed bit by bit.
// Word lines: position (p, q) has its own (fixed), or rows take turns over all word lines of the
// layer's gradient arrays (rotate). A row's cells hold what was last programmed there.
//
// A vector drives all word lines of an array at once, each with what belongs to its row: gradient
// arrays take as many vectors as there are outputs (or inputs) each time they are read. Fixed: for
// each image; rotate: when all lines have had a turn, and at the end of the batch.
//
// Reads are cells seen by an input bit of 1: forward and backward those of columns that are on. No
// errors go back to images: their layer is not read backward.
#ifndef OHMI_INSITU_ROWS_H
#define OHMI_INSITU_ROWS_H

#include "insitu/counts.h"
#include "layout/place.h"
#include "learn/learner.h"

enum {
    OHMI_ROWS_CURSOR,     // rotate: word line that comes next
    OHMI_ROWS_ACTIVATION, // theta_A, part of the range
    OHMI_ROWS_ERROR,      // theta_E, size below which rows are not certain to be kept
    OHMI_ROWS_RATIO,      // part of the rows to leave out by their errors; 0 = by threshold
    OHMI_N_ROWS_STATE
};

typedef struct {
    const ohmi_learner *learner;
    const ohmi_placed_layer *place; // borrowed: the weights' arrays
    int layer;
    ohmi_conv shape;
    bool has_sign;   // inputs have one: images, to which no errors go back
    float input_top; // largest magnitude of an input's code
    int error_bits;  // with the sign
    int cell_bits;
    int64_t array_rows;              // word lines of an array
    int input_cells;                 // of an entry of A
    int error_cells;                 // of an entry of dy
    int64_t n_rows;                  // word lines of the gradient operand
    int64_t row_cells;               // cells of one
    uint8_t *held;                   // levels of its cells                (n_rows, row_cells)
    uint32_t *wear;                  // writes of each                     (n_rows, row_cells)
    double state[OHMI_N_ROWS_STATE]; // OHMI_ROWS_...
    int32_t *uses;                   // filter taps that see a pixel       (h, w)
} ohmi_rows;

// Buffers that all layers share, for the largest.
typedef struct {
    uint8_t *levels;          // digits of inputs, by digit and channel   (h, w, n, cells, c)
    float *pixel_most;        // largest magnitude of a pixel             (h, w, n)
    int32_t *pixel_ones;      // bits of 1 of a pixel's channels          (h, w, n)
    float *row_most;          // largest magnitude of A                   (p, q, n)
    float *pixel_square;      // sum of squares of a pixel (insitu.size)  (h, w, n)
    float *row_square;        // sum of squares of A                      (p, q, n)
    float *error_square;      // sum of squares of dy                     (p, q, n)
    float *error_most;        // largest magnitude of dy                  (p, q, n)
    int32_t *error_ones;      // bits of 1 of dy                          (p, q, n)
    float *weight;            // of its errors in dW; 0 = below theta_E   (p, q, n)
    uint8_t *is_kept;         // whether the row is programmed            (p, q, n)
    int32_t *order;           // rotate: rows that are, in order          (p q n)
    float *dy;                // what the product takes                   (p, q, n_pad, k_pad)
    double *place_sums;       // errors of all rows, and what is driven of them  (p, q, 2, k)
    float *shift;             // of each output's errors (insitu.balance) (k)
    uint8_t *rows;            // new cells of a word line, by thread      (threads, row_cells)
    int64_t *group_ones;      // bits of 1 of a group's inputs            (groups)
    int64_t *output_ones;     // bits of 1 of an output's errors          (k)
    ohmi_insitu_counts *part; // of each array of rows
    float *chunk_most;        // of each place (p, q)
    int n_threads;
} ohmi_rows_room;

// Room for all layers of a learner's network. Free with ohmi_rows_room_clear, also after a failure.
OHM_NODISCARD ohm_status ohmi_rows_room_make(ohmi_rows_room *room, ohmi_rows *const *rows,
                                             int n_layers, ohm_error *err);
void ohmi_rows_room_clear(ohmi_rows_room *room);

// has_sign: of the layer's inputs, which are images then.
OHM_NODISCARD ohm_status ohmi_rows_new(ohmi_rows **out, const ohmi_learner *learner, int layer,
                                       const ohmi_placed_layer *place, bool has_sign,
                                       ohm_error *err);
void ohmi_rows_free(ohmi_rows **rows);

// What a batch of n images programs and reads. dy (p, q, n_pad, k_pad) is rounded, and loses what
// insitu.drop_errors says; returns what the product with x (h, w, n_pad, c_pad) takes.
const float *ohmi_rows_errors(ohmi_rows *rows, ohmi_rows_room *room, float *dy, const float *x,
                              int n, ohmi_insitu_counts *counts);

// Writes of the most worn cell of the gradient operand, and their mean over its cells.
void ohmi_rows_wear(const ohmi_rows *rows, double *most, double *mean);

#endif
