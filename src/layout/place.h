// SPDX-License-Identifier: Apache-2.0
// Placing a network on crossbar arrays: which array and which bit-lines hold a column of weights.
//
// An array has `rows` word lines and `columns` bit-lines of cells of `cell_bits` bits. A weight is
// an integer code w of -top .. top (a layer's grid); b is the smallest number of bits with 2^(b-1)
// - 1 >= top, B = 2^cell_bits, and a code is written as digits of base B, least significant first:
//
//     offset         u = w + z, z = 2^(b-1) - 1:  w = sum_d B^d digit_d(u) - z
//                    ceil(b / cell_bits) bit-lines a weight. Each array has one more logical
//                    column, the first, all of whose weights are z: what it gives is taken off the
//                    others
//     offset_digital the same weights; z times the sum of the inputs is counted digitally
//     differential   w = sum_d B^d digit_d(max(w, 0)) - sum_d B^d digit_d(max(-w, 0))
//                    2 ceil((b-1) / cell_bits) bit-lines a weight, the positive ones first
// (offset and digits as in the inference code of XST's hardware authors, TorchInference_RRAM)
//
// A layer's columns (k, g) are cut as in layout.h. Group g is a row of arrays: its inputs are on
// the word lines, its outputs k lie side by side, `per_array` in an array. A column longer than
// `rows` is cut into tiles of at most `rows` weights in their order, each in arrays of its own; the
// parts' sums are added digitally, as the groups' are. A shorter one leaves word lines unused. So
//
//     array(g, tile, block) = first_array + (g n_tiles + tile) n_blocks + block
//     column (k, g): block = k / per_array, bit-lines reserved + (k % per_array) lines ...
//
// Arrays of a layer and arrays of different layers are numbered in that order from 0. Free columns
// have their place too: later tasks may claim them. Their cells are not programmed (level 0).
// Mask: one select-line bit a logical column; the offset column's is always 1.
#ifndef OHMI_PLACE_H
#define OHMI_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "layout/layout.h"
#include "ohmwise/status.h"

enum {
    OHMI_OWNER_FREE = 0,     // else 1-based task
    OHMI_OWNER_SHARED = 255, // element-wise methods: weights of several tasks in one column
    OHMI_MOST_LINES = 16,    // bit-lines of a logical column: 8 bits in 1-bit cells, as pairs
};

// The arrays, and how codes become cells.
typedef struct {
    int64_t rows;    // word lines
    int64_t columns; // bit-lines
    int cell_bits;   // 1 .. 4
    ohmi_coding coding;
} ohmi_place_def;

// One layer as it goes in.
typedef struct {
    const char *name;
    int64_t k, c, r, s; // outputs, input channels, filter; linear: r = s = 1
    ohmi_layout layout; // of its columns (unit COLUMN)
    const uint8_t *own; // owner of column k * n_groups + g             (k, n_groups)
    int weight_top;     // largest magnitude of a code
    bool is_head;       // the classifiers of all tasks, side by side: owner = task
} ohmi_place_layer;

// One layer as it is placed.
typedef struct {
    char name[64];
    int64_t k, c, r, s;
    ohmi_layout layout;
    uint8_t *own; // (k, n_groups)
    bool is_head;
    int weight_top;
    int weight_bits;     // b, with the sign
    int offset;          // z; 0 when differential
    int n_digits;        // of one code
    int lines;           // bit-lines of a logical column: n_digits, or twice that
    int reserved;        // bit-lines of an array's offset column; 0 when there is none
    int64_t per_array;   // logical columns an array holds beside the offset column
    int64_t n_tiles;     // row tiles of a column group
    int64_t n_blocks;    // arrays side by side
    int64_t first_array; // index of array (0, 0, 0)
    int64_t n_arrays;    // n_groups n_tiles n_blocks
} ohmi_placed_layer;

typedef struct {
    ohmi_place_def def;
    int n_layers;
    ohmi_placed_layer *layers; // (n_layers)
    int64_t n_arrays;
} ohmi_placed;

// What one array holds.
typedef struct {
    int layer;
    int64_t g, tile, block;
    int64_t first_k, n_k; // outputs first_k .. first_k + n_k - 1
    int64_t
        first_weight; // of the tile within its columns: weight first_weight + i is on word line i
    int64_t n_rows;   // word lines used
    int64_t n_lines;  // bit-lines used, the offset column's among them
} ohmi_place_array;

// Where a (part of a) logical column lies: bit-lines first_line .. first_line + lines - 1.
typedef struct {
    int64_t array, first_line;
} ohmi_place_spot;

typedef struct {
    int64_t arrays;
    int64_t columns;         // logical columns, free ones too
    int64_t cells;           // rows columns arrays
    int64_t cells_weight;    // that have a weight's digit to hold
    int64_t cells_owned;     // of those, in columns that a task owns
    int64_t cells_offset;    // of offset columns, on word lines in use
    int64_t lines_used;      // bit-lines in use, offset columns among them
    int64_t columns_of[256]; // logical columns by owner
} ohmi_place_count;

// Places layers. Copies what it is given. OHM_ERR_CONFIG when an array has too few bit-lines for
// one weight. Free with ohmi_place_free.
OHM_NODISCARD ohm_status ohmi_place_new(ohmi_placed **out, const ohmi_place_layer *layers,
                                        int n_layers, const ohmi_place_def *def, ohm_error *err);
void ohmi_place_free(ohmi_placed **place);

// Array -> what it holds. array: 0 .. n_arrays - 1.
ohmi_place_array ohmi_place_array_at(const ohmi_placed *place, int64_t array);
// Column (k, g), row tile `tile` of a layer -> where it lies.
ohmi_place_spot ohmi_place_column(const ohmi_placed_layer *layer, int64_t k, int64_t g,
                                  int64_t tile);
// Bit-line of an array -> output k and digit; k = -1 for the offset column, -2 for an unused line.
void ohmi_place_line(int64_t *k, int *digit, const ohmi_placed_layer *layer,
                     const ohmi_place_array *at, int64_t line);

// The levels of a code's cells: digit (lines), 0 .. 2^cell_bits - 1. w: -weight_top .. weight_top.
void ohmi_place_digits(uint8_t *digit, const ohmi_placed_layer *layer, int cell_bits, int w);
// What a bit-line's sum counts: worth (lines) = +- B^digit.
void ohmi_place_worth(int32_t *worth, const ohmi_placed_layer *layer, int cell_bits);
// The code whose levels are digit (lines), the offset taken off.
int ohmi_place_code(const uint8_t *digit, const ohmi_placed_layer *layer, int cell_bits);

// Levels of the cells of one array, level (rows, columns), from the codes of its layer, w (K, C, R,
// S) as integers in float. Free columns and unused cells are 0.
void ohmi_place_levels(uint8_t *level, const ohmi_placed *place, int64_t array, const float *w);

// Select-line bits of one array for a task's mask: bit i % 8 of select[i / 8] for bit-line i,
// ((columns + 7) / 8). bits: of the layer's columns, bit u % 8 of bits[u / 8]. Unused lines are 0.
void ohmi_place_select(uint8_t *select, const ohmi_placed *place, int64_t array,
                       const uint8_t *bits);

// Counts over all arrays, or over those of one layer (layer >= 0).
void ohmi_place_total(ohmi_place_count *count, const ohmi_placed *place, int layer);

#endif
