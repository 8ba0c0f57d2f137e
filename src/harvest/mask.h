// SPDX-License-Identifier: Apache-2.0
// What a task's mask leaves of a layer: columns that are off are not driven, converted or added.
//
// A layer's columns are (g, k): row group g, output k. Tiles are cut as if all columns were on
// (cursor.h), from wherever a mode takes over, so that what a step takes at most is the most over
// all places where a tile may lie: rows of some groups, columns k .. k + step of an array or whole
// arrays side by side. What all tiles of a vector take together is summed tile by tile.
#ifndef OHMI_MASK_H
#define OHMI_MASK_H

#include "harvest/cursor.h"
#include "ohmwise/status.h"

typedef struct {
    int64_t n_groups, n_outputs, unit; // unit: columns of an array
    int32_t *sum;                      // (n_groups, n_outputs + 1) columns on before output k
    int64_t columns_on, outputs_on;
    double tree_part; // of the adder trees' bits, those that switch
    double shift_j;   // of an image: levels of the mask
} ohmi_mask;

// on: column k n_groups + g in bit u % 8 of byte u / 8. Free with ohmi_mask_free.
OHM_NODISCARD ohm_status ohmi_mask_new(ohmi_mask **out, const uint8_t *on, int64_t n_groups,
                                       int64_t n_outputs, int64_t unit, ohm_error *err);
void ohmi_mask_free(ohmi_mask **mask);

// Columns of group g on among outputs from .. to - 1.
static inline int64_t ohmi_mask_on(const ohmi_mask *mask, int64_t g, int64_t from, int64_t to) {
    const int32_t *sum = mask->sum + g * (mask->n_outputs + 1);
    return sum[to] - sum[from];
}

// The most of a tile that reaches over `groups` row groups and has some extent of columns.
typedef struct {
    int64_t columns; // on, of all groups together
    int64_t arrays;  // with a column on
    int64_t groups;  // with a column on
} ohmi_mask_most;

// most (n): for groups[i] row groups each.
OHM_NODISCARD ohm_status ohmi_mask_windows(ohmi_mask_most *most, const ohmi_mask *mask,
                                           ohmi_extent columns, const int64_t *groups, int n,
                                           ohm_error *err);
// Columns on in the fullest array of such tiles.
int64_t ohmi_mask_fullest(const ohmi_mask *mask, ohmi_extent columns);

// Over all tiles of a vector; a tile of some rows of a group counts for each of these.
typedef struct {
    double columns; // on
    double arrays;  // with a column on
    double cells;   // rows x columns on
    double lines;   // rows x arrays with a column on
    double inputs;  // rows, once a tile with a column on
} ohmi_mask_sums;

void ohmi_mask_add_up(ohmi_mask_sums *out, const ohmi_mask *mask, const ohmi_matrix *matrix,
                      const ohmi_tile *tile);
// Partial sums that are read and written: for each output, row tiles with a column on, less one.
double ohmi_mask_partial_sums(const ohmi_mask *mask, const ohmi_matrix *matrix, ohmi_extent rows);

#endif
