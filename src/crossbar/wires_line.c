// SPDX-License-Identifier: Apache-2.0
// The recurrences of wires_line.h, over many lines at once.
#include "crossbar/wires_line.h"

#include <math.h>
#include <stddef.h>

#include "base/simd.h"

// g + beta of a node from that of the node behind it; `after` is NULL for the last node
OHMI_SIMD static void add_beta(double *sum, const double *after, const double *g, double ohm,
                               int n_lines) {
    if (after == NULL) {
        for (int i = 0; i < n_lines; i++) {
            sum[i] = g[i];
        }
        return;
    }
    for (int i = 0; i < n_lines; i++) {
        sum[i] = g[i] + after[i] / (1 + ohm * after[i]);
    }
}

// away of a node from its g + beta
OHMI_SIMD static void away_of(double *away, const double *sum, double ohm, int n_lines) {
    for (int i = 0; i < n_lines; i++) {
        away[i] = 1 / (1 + ohm * sum[i]);
    }
}

// self from alpha and g + beta, in the place of the latter
OHMI_SIMD static void self_of(double *sum, const double *alpha, int n_lines) {
    for (int i = 0; i < n_lines; i++) {
        sum[i] = 1 / (alpha[i] + sum[i]);
    }
}

// alpha of the next node, and back to this one; a terminal without resistance holds its voltage
OHMI_SIMD static void step_alpha(double *alpha, const double *g, double ohm, int n_lines) {
    for (int i = 0; i < n_lines; i++) {
        alpha[i] = 1 / (1 / (alpha[i] + g[i]) + ohm);
    }
}

static void back_of(double *back, const double *alpha, const double *g, double ohm, int n_lines) {
    for (int i = 0; i < n_lines; i++) {
        back[i] = isinf(alpha[i]) ? 0 : 1 / (1 + ohm * (g[i] + alpha[i]));
    }
}

OHMI_SIMD static void drive_of(double *drive, const double *before, const double *away,
                               int n_lines) {
    for (int i = 0; i < n_lines; i++) {
        drive[i] = before[i] * away[i];
    }
}

void ohmi_wires_lines_fill(ohmi_wires_lines *out, const double *g, const double *line_ohm, int n,
                           int n_lines) {
    const size_t width = (size_t)n_lines;

    // towards the terminal; the table self holds g + beta until alpha is known
    for (int j = n - 1; j >= 0; j--) {
        const size_t at = (size_t)j * width;
        const int is_last = j == n - 1;
        add_beta(out->self + at, is_last ? NULL : out->self + at + width, g + at,
                 is_last ? 0 : line_ohm[j + 1], n_lines);
        away_of(out->away + at, out->self + at, line_ohm[j], n_lines);
    }

    // and away from it
    for (size_t i = 0; i < width; i++) {
        out->alpha[i] = 1 / line_ohm[0];
        out->drive[i] = out->away[i];
    }
    for (int j = 0; j < n; j++) {
        const size_t at = (size_t)j * width;
        if (j > 0) {
            drive_of(out->drive + at, out->drive + at - width, out->away + at, n_lines);
            if (out->back != NULL) {
                back_of(out->back + at, out->alpha, g + at - width, line_ohm[j], n_lines);
            }
            step_alpha(out->alpha, g + at - width, line_ohm[j], n_lines);
        }
        self_of(out->self + at, out->alpha, n_lines);
    }
    if (out->back != NULL) {
        for (size_t i = 0; i < width; i++) {
            out->back[i] = 0;
        }
    }
}
