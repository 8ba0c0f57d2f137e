// SPDX-License-Identifier: Apache-2.0
// The partition of a layer's weights into units: crossbar columns, or single elements.
//
// A layer has weights W[K][C][R][S], K outputs, C input channels, an R x S filter (linear: R = S =
// 1). An array has `rows` word lines. A column (k, g) holds the weights from the g-th group of G =
// rows / (R S) consecutive input channels to output k: at most rows weights (XST, DATE 2022,
// section III-A, with G = 8 for 3 x 3 and 72 rows). The last group of an output may be shorter.
// In memory a unit is one contiguous run of W, because (C, R, S) are the fast dimensions:
//
//     unit u = k * n_groups + g      offset(u) = k * C R S + g * span      length(u) <= span
//
// A PE is one array: row group g of a block of outputs, `block` of them, as many as its bit lines
// hold beside an offset column (place.h). Its weights are one such run an output:
//
//     unit u = (k / block) n_groups + g      run i of it: output (u / n_groups) block + i
//
// Invariant: the units of a layer are disjoint and cover W.
#ifndef OHMI_LAYOUT_H
#define OHMI_LAYOUT_H

#include <stdint.h>

#include "config/config.h"
#include "ohmwise/status.h"

typedef struct {
    int64_t k;        // outputs
    int64_t run;      // weights of an output = C R S
    int64_t span;     // weights of a full unit
    int64_t n_groups; // units of an output
    int64_t n_units;  // units of the layer = n_blocks * n_groups
    int64_t block;    // outputs of a unit; 1 but for PEs
    int64_t n_blocks; // blocks of outputs; the last may be smaller
} ohmi_layout;

// Cuts a layer. OHM_ERR_CONFIG when an R x S filter does not fit the rows of an array.
OHM_NODISCARD ohm_status ohmi_layout_cut(ohmi_layout *out, int64_t k, int64_t c, int64_t r,
                                         int64_t s, int64_t rows, ohmi_unit unit, ohm_error *err);

// The unit that a config asks for, of a layer cut into PEs where it asks for these.
OHM_NODISCARD ohm_status ohmi_layout_of(ohmi_layout *out, int64_t k, int64_t c, int64_t r,
                                        int64_t s, const ohmi_config *config, ohmi_unit unit,
                                        ohm_error *err);

// Outputs of a PE: bit-lines of an array, less those of an offset column, over those of a weight
// (of 4 bits where it is in float); as place.h counts.
int64_t ohmi_layout_pe_outputs(const ohmi_config *config);

// Index of the first weight of unit u.
static inline int64_t ohmi_layout_offset(const ohmi_layout *layout, int64_t u) {
    return u / layout->n_groups * layout->block * layout->run + u % layout->n_groups * layout->span;
}

// Number of outputs of unit u; the weights of the i-th begin i * run behind the first.
static inline int64_t ohmi_layout_height(const ohmi_layout *layout, int64_t u) {
    const int64_t rest = layout->k - u / layout->n_groups * layout->block;
    return rest < layout->block ? rest : layout->block;
}

// The unit that weight i of the layer belongs to.
static inline int64_t ohmi_layout_unit_at(const ohmi_layout *layout, int64_t i) {
    return i / layout->run / layout->block * layout->n_groups + i % layout->run / layout->span;
}

// Number of weights of an output of unit u.
static inline int64_t ohmi_layout_length(const ohmi_layout *layout, int64_t u) {
    const int64_t rest = layout->run - u % layout->n_groups * layout->span;
    return rest < layout->span ? rest : layout->span;
}

#endif
