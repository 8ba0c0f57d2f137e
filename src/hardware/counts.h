// SPDX-License-Identifier: Apache-2.0
// What happens on the arrays in one inference: exact counts, from the map, the masks and, where
// data were run, the bits of the inputs. Nothing here has a unit of energy or time; prices come
// later (price.h), so that one set of counts serves any component table.
//
// A vector is one position of a layer's output map; it is applied as bit planes. An array takes
// part in a vector when one of its columns is on. Then
//
//     its used word lines are driven in every plane whose bit is 1          rows_driven
//     its on bit lines, and its offset column's, are converted every plane  lines_on
//     a cell of those conducts where its word line's bit is 1               cells_read, levels_read
//
// and for each output the adder tree over its row groups works where a column is on: an adder of
// two inputs switches when one of them is on.
#ifndef OHMI_COUNTS_H
#define OHMI_COUNTS_H

#include <stdint.h>

#include "layout/place.h"
#include "ohmwise/status.h"

enum { OHMI_MOST_STAGES = 15, OHMI_MOST_TREE = 1 << OHMI_MOST_STAGES }; // of an adder tree

// A layer, the same for all tasks.
typedef struct {
    char name[64];
    int64_t vectors;                               // positions of the output map
    int planes;                                    // bits of an input
    int64_t outputs, pool_operations, relu_values; // of an image, after the layer
    int64_t buffer_written;                        // values of an image kept in the buffer
    int64_t residual_values;                       // values added from the buffer
    int64_t arrays;
    int64_t tree_inputs;                    // row groups (and tiles) of an output
    int64_t adders_built[OHMI_MOST_STAGES]; // adders of the trees of all outputs, by stage
} ohmi_count_layer;

// A layer in a task; of one vector where not said otherwise.
typedef struct {
    int64_t columns_on;       // logical columns of the network (tiles not counted apart)
    int64_t weights_on;       // weights in them
    int64_t arrays_read;      // arrays with a column on
    int64_t lines_on;         // bit lines converted a plane, offset columns' too
    int64_t lines_of_weights; // of those, bit lines of weights
    int64_t most_lines;       // most bit lines on in one array
    int64_t joins;            // logical columns whose bit lines are joined, offset columns too
    int64_t shifts;           // shift-adds of levels other than 1, of all on columns' tiles
    int64_t rows_read;        // inputs that some array needs
    int64_t lines_driven;     // word lines of the arrays read, whatever the inputs are
    int64_t adders[OHMI_MOST_STAGES]; // that switch, by stage
    // over all vectors and planes of an image: with data the mean over the images
    double rows_driven; // word lines charged: input bits that are 1, in each array that needs them
    double cells_read;  // cells of on columns whose input bit is 1
    double levels_read; // sum of their levels
} ohmi_count;

// The ones of the inputs of a layer, by row of its matrix.
//   ones[i]  how often weight i of an output meets an input bit of 1: over all vectors and planes
//   of
//            an image, mean over the images                                     (c r s)
// NULL = part of all bits, the same for every row.
typedef struct {
    const double *ones;
    double part;
} ohmi_input_ones;

// A task's masks and codes of one layer.
typedef struct {
    const uint8_t *on;   // columns: bit u % 8 of on[u / 8]                 ((n_columns + 7) / 8)
    const int8_t *codes; // weight codes as the arrays hold them            (k, c r s)
    // sums of the levels of a column's cells; NULL = from the codes         (n_columns)
    const double *column_levels;
    const uint8_t *shifts; // shift-adds of a column's level, of one vector; NULL = none (n_columns)
} ohmi_masked_layer;

// Fills what is the same for all tasks (at most OHMI_MOST_TREE row groups an output); the caller
// sets name, vectors, planes and what follows the layer.
void ohmi_count_layer_of(ohmi_count_layer *out, const ohmi_placed_layer *layer);

// Counts one layer in a task.
void ohmi_count_task(ohmi_count *out, const ohmi_count_layer *counted, const ohmi_placed *place,
                     int layer, const ohmi_masked_layer *task, const ohmi_input_ones *ones);

// Level sums of all columns, (n_columns).
void ohmi_count_levels(double *column_levels, const ohmi_placed *place, int layer,
                       const int8_t *codes);

// Adds the ones of an image's input map to ones (c, r, s).
//   x: integers in float [y][x][c_stride]; two's complement in `planes` bits where negative
//   h, w: of the map; p, q: of the output
void ohmi_count_ones(double *ones, const float *x, int64_t c, int64_t h, int64_t w,
                     int64_t x_stride, int64_t y_stride, int64_t r, int64_t s, int64_t stride,
                     int64_t pad, int64_t p, int64_t q, int planes);

#endif
