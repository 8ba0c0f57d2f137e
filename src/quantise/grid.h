// SPDX-License-Identifier: Apache-2.0
// Quantiser grids: which integers a weight or an activation may take.
//
//     q(v) = sign(v) * the level nearest to |v| / step       (weights: signed)
//     q(v) = the level nearest to max(v, 0) / step           (activations: unsigned)
//
// Levels are non-negative integers, so that products of a quantised network are integers:
//   uniform  weights, b bits:     0 .. 2^(b-1) - 1
//            activations, b bits: 0 .. 2^b - 1
//   APoT     weights, 4 bits:     0 1 2 3 4 6 8 10
//            activations, 4 bits: 0 1 2 3 4 6 8 9 12 16 18 24 32 33 36 48
//
// (additive powers of two: Li et al., ICLR 2020, arXiv 1909.13144; integers as the sums of
// {0, 1/2, 1/4, 1/16} + {0, 1/8} in units of 1/16, and {0, 2^-1, 2^-3, 2^-5} + {0, 2^-2, 2^-4,
// 2^-6} in units of 1/64). APoT is offered at 4 bits.
//
// Exactness: where (largest weight) (largest activation) (inputs an output) < 2^24, every partial
// sum is an integer below 2^24 and float arithmetic is exact in any order; APoT's 10 x 48 allow
// 34,952 inputs. Winograd's sums ask for more, see ohmi_grid_is_exact.
#ifndef OHMI_GRID_H
#define OHMI_GRID_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "ohmwise/status.h"

enum { OHMI_GRID_LEVELS = 256 };

typedef struct {
    int n_levels; // 0 = not quantised
    ohmi_scheme scheme;
    bool is_smooth;                    // the range without the rounding: values are only clipped
    float top;                         // the largest level
    float level[OHMI_GRID_LEVELS];     // rising, level[0] = 0
    float threshold[OHMI_GRID_LEVELS]; // midpoints: threshold[i] between level[i] and level[i+1]
} ohmi_grid;

// Fills a grid; bits = 0 gives "not quantised". OHM_ERR_CONFIG for APoT at other than 4 bits.
OHM_NODISCARD ohm_status ohmi_grid_weights(ohmi_grid *grid, ohmi_scheme scheme, int bits,
                                           ohm_error *err);
OHM_NODISCARD ohm_status ohmi_grid_activations(ohmi_grid *grid, ohmi_scheme scheme, int bits,
                                               ohm_error *err);

// Whether the products of a layer are computed without rounding, whatever the codes (true where a
// grid is not quantised: there is nothing to be exact then). n_inputs: of one output, C R S.
//     sums    top_w top_a n_inputs < 2^24     each sum, in any order: enough but for 3 x 3 filters
//     exact   and top_w top_a <= 2912         Winograd's sums of 160 channels, kernel/winograd.h
bool ohmi_grid_has_exact_sums(const ohmi_grid *weights, const ohmi_grid *activations,
                              int64_t n_inputs);
bool ohmi_grid_is_exact(const ohmi_grid *weights, const ohmi_grid *activations, int64_t n_inputs);

// The step for weights of a given root mean square: the uniform step of least square error for a
// normal distribution (Max, IRE Trans. IT 6(1), 1960, table II), or 3 deviations for the top of
// APoT (its initial alpha).
float ohmi_grid_weight_step(const ohmi_grid *grid, float rms);

// The same range and steps without the rounding.
ohmi_grid ohmi_grid_smooth(const ohmi_grid *grid);

// q[i] = signed level of w[i] / step for i < n. step > 0.
void ohmi_grid_round_weights(float *q, const float *w, int64_t n, float step,
                             const ohmi_grid *grid);

// q[i] = level of max(v[i], 0) * inverse_step for i < n; q may be v.
void ohmi_grid_round_activations(float *q, const float *v, int64_t n, float inverse_step,
                                 const ohmi_grid *grid);

#endif
