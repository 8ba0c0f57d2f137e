// SPDX-License-Identifier: Apache-2.0
// Quantiser grids; equations and sources in grid.h.
#include "quantise/grid.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/simd.h"

// Steps of the uniform quantiser of least square error for a standard normal variable, by bits,
// with the 2^b - 1 levels of both signs and zero: Max 1960, table II has 3, 7, 15 and 31 levels; 6
// to 8 bits from the same condition solved numerically.
static const float max_step[9] = {0,       0,       1.2240f, 0.6508f, 0.3534f,
                                  0.1932f, 0.1055f, 0.0573f, 0.0309f};

// 36 products of 160 channels in units of 1/4 stay below 2^24: see kernel/winograd.h
#define MOST_OF_WINOGRAD 2912.0f

static const float apot_weights[] = {0, 1, 2, 3, 4, 6, 8, 10};
static const float apot_activations[] = {0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48};

// sets the levels and the midpoints between them
static void fill(ohmi_grid *grid, const float *level, int n_levels) {
    memcpy(grid->level, level, (size_t)n_levels * sizeof *level);
    grid->n_levels = n_levels;
    grid->top = level[n_levels - 1];
    for (int i = 0; i + 1 < n_levels; i++) {
        grid->threshold[i] = 0.5f * (level[i] + level[i + 1]);
    }
}

static ohm_status make(ohmi_grid *grid, ohmi_scheme scheme, int bits, int n_uniform,
                       const float *apot, int n_apot, ohm_error *err) {
    memset(grid, 0, sizeof *grid);
    grid->scheme = scheme;
    if (bits == 0) {
        return OHM_OK;
    }
    if (scheme == OHMI_SCHEME_APOT) {
        if (bits != 4) {
            return ohmi_fail(err, OHM_ERR_CONFIG, "apot has a grid for 4 bits, not for %d", bits);
        }
        fill(grid, apot, n_apot);
        return OHM_OK;
    }
    float level[OHMI_GRID_LEVELS];
    for (int i = 0; i < n_uniform; i++) {
        level[i] = (float)i;
    }
    fill(grid, level, n_uniform);
    return OHM_OK;
}

ohm_status ohmi_grid_weights(ohmi_grid *grid, ohmi_scheme scheme, int bits, ohm_error *err) {
    return make(grid, scheme, bits, bits ? 1 << (bits - 1) : 0, apot_weights, 8, err);
}

ohm_status ohmi_grid_activations(ohmi_grid *grid, ohmi_scheme scheme, int bits, ohm_error *err) {
    return make(grid, scheme, bits, bits ? 1 << bits : 0, apot_activations, 16, err);
}

float ohmi_grid_weight_step(const ohmi_grid *grid, float rms) {
    if (grid->scheme == OHMI_SCHEME_APOT) {
        return 3.0f * rms / grid->top;
    }
    // n levels of one sign and zero = n - 1 positive codes, so bits = log2(n) + 1
    int bits = 1;
    while (1 << (bits - 1) < grid->n_levels) {
        bits++;
    }
    return max_step[bits] * rms;
}

bool ohmi_grid_has_exact_sums(const ohmi_grid *weights, const ohmi_grid *activations,
                              int64_t n_inputs) {
    // a grid that is not quantised has top 0; in double, where no number of inputs overflows
    return (double)weights->top * (double)activations->top * (double)n_inputs < 16777216.0;
}

bool ohmi_grid_is_exact(const ohmi_grid *weights, const ohmi_grid *activations, int64_t n_inputs) {
    return weights->top * activations->top <= MOST_OF_WINOGRAD &&
           ohmi_grid_has_exact_sums(weights, activations, n_inputs);
}

ohmi_grid ohmi_grid_smooth(const ohmi_grid *grid) {
    ohmi_grid smooth = *grid;
    smooth.is_smooth = true;
    return smooth;
}

OHMI_SIMD static void clip_only(float *q, const float *v, int64_t n, float inverse_step, float low,
                                float top) {
    for (int64_t i = 0; i < n; i++) {
        float x = v[i] * inverse_step;
        x = x < low ? low : x;
        q[i] = x > top ? top : x;
    }
}

OHMI_SIMD static void round_uniform(float *q, const float *v, int64_t n, float inverse_step,
                                    float low, float top) {
    for (int64_t i = 0; i < n; i++) {
        float x = rintf(v[i] * inverse_step);
        x = x < low ? low : x;
        q[i] = x > top ? top : x;
    }
}

OHMI_SIMD static void round_levels(float *q, const float *v, int64_t n, float inverse_step,
                                   float sign_of_negative, const ohmi_grid *grid) {
    for (int64_t i = 0; i < n; i++) {
        const float x = v[i] * inverse_step;
        const float magnitude = x < 0 ? -x * -sign_of_negative : x;
        float level = 0;
        for (int t = 0; t + 1 < grid->n_levels; t++) {
            level += magnitude >= grid->threshold[t] ? grid->level[t + 1] - grid->level[t] : 0.0f;
        }
        // NaN passes every comparison as false; it must not turn into a level
        level = x < 0 ? sign_of_negative * level : level;
        q[i] = isnan(x) ? x : level;
    }
}

void ohmi_grid_round_weights(float *q, const float *w, int64_t n, float step,
                             const ohmi_grid *grid) {
    if (grid->is_smooth) {
        clip_only(q, w, n, 1.0f / step, -grid->top, grid->top);
    } else if (grid->scheme == OHMI_SCHEME_UNIFORM) {
        round_uniform(q, w, n, 1.0f / step, -grid->top, grid->top);
    } else {
        round_levels(q, w, n, 1.0f / step, -1.0f, grid);
    }
}

void ohmi_grid_round_activations(float *q, const float *v, int64_t n, float inverse_step,
                                 const ohmi_grid *grid) {
    if (grid->is_smooth) {
        clip_only(q, v, n, inverse_step, 0.0f, grid->top);
    } else if (grid->scheme == OHMI_SCHEME_UNIFORM) {
        round_uniform(q, v, n, inverse_step, 0.0f, grid->top);
    } else {
        round_levels(q, v, n, inverse_step, 0.0f, grid);
    }
}
