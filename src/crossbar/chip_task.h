// SPDX-License-Identifier: Apache-2.0
// What chip.c, chip_pack.c, chip_run.c and calibrate.c share: a task made ready to run.
//
// For each row tile (column group and part of it) of a layer the columns that the task has on, with
// the offset columns of their arrays behind them, are packed side by side: these are the slots of
// product.h. Rows are in the order of filter taps and within a tap of channels, so that inputs are
// gathered in runs of channels; each run is a segment.
#ifndef OHMI_CHIP_TASK_H
#define OHMI_CHIP_TASK_H

#include "crossbar/chip.h"
#include "crossbar/product.h"

// Inputs of consecutive rows: channels c .. c + n - 1 at one tap of the filter.
typedef struct {
    int32_t dy, dx, c, n;
} ohmi_segment;

// The columns of one array among a tile's slots.
typedef struct {
    int64_t first_k, n_k; // outputs of the array, of those that are computed
    int64_t offset_slot;  // of its offset column; -1 = none
} ohmi_tile_block;

typedef struct {
    ohmi_row_tile tile;
    ohmi_segment *segments; // (n_segments)
    int n_segments;
    ohmi_tile_block *blocks; // (n_blocks) arrays with a column that is on
    int64_t n_blocks;
    int64_t n_on;    // columns that are on: the first slots
    uint64_t *on;    // bits of the outputs, each block's from its own word on
    int32_t *factor; // of the columns that are on (n_on), whole multiples of the levels'
                     // resolution; NULL = all 1
    int32_t *row_of; // weight within the tile of each row            (n_rows)
} ohmi_packed_tile;

typedef struct {
    int64_t n_tiles;
    ohmi_packed_tile *tiles;              // (n_tiles) by group, then part
    int64_t first_k, n_k;                 // outputs that are computed
    int32_t worth[OHMI_MOST_LINES];       // with the multiples of the converters
    uint8_t code8[256 * OHMI_MOST_LINES]; // of sums of exact cells (lines, 256)
    float *correction;                    // (n_k, C, R, S), zero where a column is off; NULL = none
    int planes;
    bool is_signed, is_value;
    int64_t conversions; // an input vector
} ohmi_packed_layer;

// Counts of column sums by whole level steps; a part of all vectors is counted.
typedef struct {
    int64_t *count; // (threads, n_bins) one layer after another
    int64_t *first; // (n_layers + 1) where each layer begins
    int64_t n_bins; // of all layers
} ohmi_histogram;

// Converters that are tried on a layer, beside what it computes; see ranges.h.
typedef struct {
    ohmi_adc adc[OHMI_MOST_LINES];
    int32_t worth[OHMI_MOST_LINES]; // with their multiples
    const uint8_t *code8;           // (lines, 256) of linear ones while the layer is tried
    double low, high;               // the range of the most significant digit
    double square;                  // E, over all that was tried
} ohmi_trial;

// The trials of all layers. Of each forward pass some blocks of vectors are tried.
typedef struct {
    ohmi_trial *trials; // one layer's after another's
    int *first;         // (n_layers + 1) where each layer's begin
    int most;           // trials of a layer
    double *square;     // (OHMI_MOST_TRIED, most) by block, of one forward pass of a layer
    uint8_t *code8;     // (most, lines, 256) of that layer
    float *value;       // (most, 2^bits) of given levels
} ohmi_trials;

enum { OHMI_TRIED = 16, OHMI_MOST_TRIED = 2 * OHMI_TRIED };

struct ohmi_chip_task {
    int t, n_layers;
    const ohmi_products *products;
    ohmi_packed_layer *layers; // (n_layers) of the placed network
    ohmi_histogram *histogram; // collect sums; NULL = run
    ohmi_trials *trials;       // try converters; NULL = run
    // workspace: one part a thread, and the maps of codes
    int n_threads;
    size_t work_bytes;
    uint8_t *work; // (n_threads, work_bytes)
    uint8_t *map;  // inputs as bytes (h, w, c, n)
    float *added;  // sums of the correction, shaped as a layer's output; NULL = none
    int64_t image; // number of this forward pass's first image
};

// Vectors that are computed at once, at most; and of which a sample is taken when converters are
// calibrated or tried.
enum { OHMI_BLOCK = 256, OHMI_SAMPLE = 64 };

void ohmi_chip_task_free(ohmi_chip_task **task);
// Packs the active task's columns of one layer.
OHM_NODISCARD ohm_status ohmi_chip_pack(ohmi_packed_layer *out, const ohmi_chip *chip,
                                        const uint8_t *bits, int layer, int t, ohm_error *err);
void ohmi_chip_unpack(ohmi_packed_layer *layer);

// Codes of n weights of a column from its weight `first` on, of whatever task owns it; w (n).
void ohmi_chip_codes(float *w, const ohmi_chip *chip, int layer, int64_t unit, int64_t first,
                     int64_t n);
// The largest sum that a bit-line of a layer can give, level steps.
int64_t ohmi_chip_most(const ohmi_chip *chip, int layer);
// Sets all converters of a layer.
void ohmi_chip_converters(ohmi_chip *chip, int layer, const ohmi_adc *adc);
// The same for a range.
OHM_NODISCARD ohm_status ohmi_chip_range(ohmi_chip *chip, int layer, double low, double high,
                                         ohm_error *err);

#endif
