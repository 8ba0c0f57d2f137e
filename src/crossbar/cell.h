// SPDX-License-Identifier: Apache-2.0
// The levels of a memory cell and their conductances.
//
//     linear     G(l) = Gmin + l (Gmax - Gmin) / (n - 1)      l = 0 .. n - 1
//     measured   G(l) from a file, rising with l
//     read back  level(G) = (G - G(0)) / step       step = (G(n - 1) - G(0)) / (n - 1)
//
// A level read back is a real number: what a column sum of integers becomes when cells are not what
// they were meant to be. Default: 1, 4, 7, 10 uS for two bits (HfO2 with a 10x window and an
// on-state of 100 kOhm, Wu et al., VLSI Technology 2018).
#ifndef OHMI_CELL_H
#define OHMI_CELL_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "ohmwise/status.h"

enum { OHMI_CELL_LEVELS = 256 };

typedef struct {
    int n_levels;
    float siemens[OHMI_CELL_LEVELS];   // of each level, rising
    float deviation[OHMI_CELL_LEVELS]; // measured spread of each level, siemens
    bool has_deviation;                // any of them is not 0
    float step;                        // mean distance of two levels, siemens
    float meant[OHMI_CELL_LEVELS];     // each level read back; exactly l where levels are linear
} ohmi_cell;

// Fills the levels that a config describes; n_levels: 2 .. OHMI_CELL_LEVELS. A file of levels must
// hold exactly n_levels finite conductances that are not negative and rise.
OHM_NODISCARD ohm_status ohmi_cell_init(ohmi_cell *cell, const ohmi_config *config, int n_levels,
                                        ohm_error *err);

// g[i] = conductance of level[i] < n_levels, siemens, for i < n.
void ohmi_cell_conductance(float *g, const uint8_t *level, int64_t n, const ohmi_cell *cell);

// level[i] = (g[i] - G(0)) / step for i < n; level may be g.
void ohmi_cell_level(float *level, const float *g, int64_t n, const ohmi_cell *cell);

#endif
