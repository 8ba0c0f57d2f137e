// SPDX-License-Identifier: Apache-2.0
// The elimination of wires_ladder.h: the steps one after another, for currents only, or kept for
// the voltages of all nodes.
#include "crossbar/wires_ladder.h"

#include <stdbool.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/simd.h"
#include "crossbar/wires_kernel.h"
#include "crossbar/wires_line.h"

enum { B = OHMI_WIRES_BLOCK, TO_GROUND = OHMI_WIRES_TO_GROUND, FIRST = OHMI_WIRES_FIRST };

struct ohmi_ladder_work {
    const ohmi_wires_kernels *kernels;
    size_t n_x, n_f, n_table; // room of x, f and each table of a line, in doubles
    double *x;                // (n_pad x n_pad) off-diagonal magnitudes of M, then M^-1
    double *f;                // (n_pad x ld) sums of rows, q, currents
    double *kernel_work;
    double *g, *self, *away, *drive; // (n_line x n_steps), see wires_line.h
    double *alpha;                   // (n_steps)
    double *share;                   // (n_pad) of the line being added, see add_line
};

static int padded(int n) {
    return (n + B - 1) / B * B;
}

void ohmi_ladder_work_free(ohmi_ladder_work **work) {
    ohmi_ladder_work *w = *work;
    if (w != NULL) {
        double *const blocks[] = {w->x,    w->f,     w->kernel_work, w->g,    w->self,
                                  w->away, w->drive, w->alpha,       w->share};
        for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
            ohmi_free(blocks[i]);
        }
        ohmi_free(w);
    }
    *work = NULL;
}

ohm_status ohmi_ladder_work_new(ohmi_ladder_work **out, int n_steps, int n_line, ohm_error *err) {
    const size_t n_pad = (size_t)padded(n_line), ld = (size_t)padded(n_steps + FIRST);
    const size_t n_table = (size_t)n_line * (size_t)n_steps;
    ohmi_ladder_work *w = ohmi_alloc(1, sizeof *w);
    *out = w;
    if (w != NULL) {
        w->kernels = ohmi_wires_kernel();
        w->n_x = n_pad * n_pad;
        w->n_f = n_pad * ld;
        w->n_table = n_table;
        double **const blocks[] = {&w->x,    &w->f,     &w->kernel_work, &w->g,    &w->self,
                                   &w->away, &w->drive, &w->alpha,       &w->share};
        const size_t counts[] = {
            w->n_x,  w->n_f,          ohmi_wires_work_count((int)n_pad, (int)ld),
            n_table, n_table,         n_table,
            n_table, (size_t)n_steps, n_pad};
        bool is_whole = true;
        for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
            *blocks[i] = ohmi_alloc(counts[i], sizeof(double));
            is_whole = is_whole && *blocks[i] != NULL;
        }
        if (is_whole) {
            return OHM_OK;
        }
    }
    ohmi_ladder_work_free(out);
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for an array of %d x %d", n_steps, n_line);
}

// t^-1 of all lines
static void fill_lines(const ohmi_ladder *ladder, double *back, ohmi_ladder_work *w) {
    for (int i = 0; i < ladder->n_steps; i++) {
        for (int j = 0; j < ladder->n_line; j++) {
            w->g[(ptrdiff_t)j * ladder->n_steps + i] = ladder->g[(ptrdiff_t)i * ladder->n_line + j];
        }
    }
    ohmi_wires_lines lines = {w->self, w->away, w->drive, back, w->alpha};
    ohmi_wires_lines_fill(&lines, w->g, ladder->line_ohm, ladder->n_line, ladder->n_steps);
}

// row (n) <- row * ratio + scale * share, after share <- share * away
OHMI_SIMD static void add_shares(double *row, double *share, double ratio, double scale,
                                 double away, int n) {
    for (int j = 0; j < n; j++) {
        share[j] *= away;
        row[j] = row[j] * ratio + scale * share[j];
    }
}

// Adds line i: x <- x ratio + z (magnitudes of A_i off the diagonal), q <- q ratio + z J_i. share_j
// of node k is what D t^-1 gives there for 1 V at rail j <= k; above the diagonal it is 0.
static void add_line(const ohmi_ladder *ladder, int i, double ratio, double z, int ld,
                     ohmi_ladder_work *w) {
    const int n = ladder->n_line, n_pad = padded(n);
    const double *g = ladder->g + (ptrdiff_t)i * n;
    memset(w->share, 0, (size_t)n_pad * sizeof *w->share);
    for (int k = 0; k < n; k++) {
        const ptrdiff_t at = (ptrdiff_t)k * ladder->n_steps + i;
        double *row = w->x + (ptrdiff_t)k * n_pad, *f = w->f + (ptrdiff_t)k * ld;
        add_shares(row, w->share, ratio, z * g[k], w->away[at], padded(k));
        w->share[k] = g[k] * w->self[at];
        f[TO_GROUND] = f[TO_GROUND] * ratio + z * (g[k] * w->drive[at]);
        f[OHMI_WIRES_ROW_SUM] = 1 + f[TO_GROUND];
    }
}

// Runs through all steps; the currents are then in f, one column (voltage) or one a step (NULL).
// kept (n_steps x n_pad x n_pad; nullable) receives every M^-1.
static void eliminate(const ohmi_ladder *ladder, const double *voltage, int ld, double *kept,
                      ohmi_ladder_work *w) {
    const int n = ladder->n_line, n_pad = padded(n);
    memset(w->x, 0, w->n_x * sizeof *w->x);
    memset(w->f, 0, (size_t)n_pad * (size_t)ld * sizeof *w->f);
    for (int j = n; j < n_pad; j++) {
        w->f[(ptrdiff_t)j * ld + OHMI_WIRES_ROW_SUM] = 1; // rails of the padding lead to 0 V only
    }

    double z = 1; // x and q are Y times this resistance
    for (int i = 0; i < ladder->n_steps; i++) {
        const double ohm = ladder->step_ohm[i];
        const double z_before = z;
        z = ohm > 0 ? ohm : z_before;
        add_line(ladder, i, z / z_before, z, ld, w);
        const int column = voltage != NULL ? FIRST : FIRST + i;
        const double volts = voltage != NULL ? voltage[i] : 1;
        for (int j = 0; j < n; j++) {
            w->f[(ptrdiff_t)j * ld + column] += ladder->g[(ptrdiff_t)i * n + j] *
                                                w->drive[(ptrdiff_t)j * ladder->n_steps + i] *
                                                volts;
        }

        // through the resistance below
        if (ohm > 0) {
            w->kernels->invert(w->x, w->f, n_pad, padded(column + 1), ld, w->kernel_work);
            for (int j = n; j < n_pad; j++) {
                w->f[(ptrdiff_t)j * ld + OHMI_WIRES_ROW_SUM] = 1;
            }
            if (kept != NULL) {
                memcpy(kept + (size_t)i * w->n_x, w->x, w->n_x * sizeof *w->x);
            }
        }
    }
}

void ohmi_ladder_solve(double *current, const ohmi_ladder *ladder, const double *voltage,
                       ohmi_ladder_work *work) {
    const int n_columns = voltage != NULL ? 1 : ladder->n_steps;
    const int ld = padded(n_columns + FIRST);
    fill_lines(ladder, NULL, work);
    eliminate(ladder, voltage, ld, NULL, work);
    for (int j = 0; j < ladder->n_line; j++) {
        memcpy(current + (ptrdiff_t)j * n_columns, work->f + (ptrdiff_t)j * ld + FIRST,
               (size_t)n_columns * sizeof *current);
    }
}

struct ohmi_ladder_factor {
    ohmi_ladder ladder; // its arrays are the caller's
    ohmi_ladder_work *work;
    double *back;    // (n_line x n_steps), see wires_line.h
    double *inverse; // (n_steps x n_pad x n_pad) M^-1, of which j <= i counts
    double *f;       // (n_steps x n_line) amperes into the rails of a step, all above included
    double *row;     // (3 x n_pad) of the step at hand
};

void ohmi_ladder_factor_free(ohmi_ladder_factor **factor) {
    ohmi_ladder_factor *f = *factor;
    if (f != NULL) {
        ohmi_ladder_work_free(&f->work);
        ohmi_free(f->back);
        ohmi_free(f->inverse);
        ohmi_free(f->f);
        ohmi_free(f->row);
        ohmi_free(f);
    }
    *factor = NULL;
}

ohm_status ohmi_ladder_factor_new(ohmi_ladder_factor **out, const ohmi_ladder *ladder,
                                  ohm_error *err) {
    const size_t n_steps = (size_t)ladder->n_steps, n_line = (size_t)ladder->n_line;
    ohm_status status = OHM_OK;
    ohmi_ladder_factor *f = *out = ohmi_alloc(1, sizeof *f);
    if (f != NULL) {
        f->ladder = *ladder;
        OHM_TRY(ohmi_ladder_work_new(&f->work, ladder->n_steps, ladder->n_line, err));
        f->back = ohmi_alloc(n_steps * n_line, sizeof(double));
        f->inverse = ohmi_alloc(n_steps * f->work->n_x, sizeof(double));
        f->f = ohmi_alloc(n_steps * n_line, sizeof(double));
        f->row = ohmi_alloc((size_t)padded(ladder->n_line) * 3, sizeof(double));
    }
    if (f == NULL || f->back == NULL || f->inverse == NULL || f->f == NULL || f->row == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY,
                           "no memory for the voltages of an array of %zu x %zu", n_steps, n_line);
        ohmi_hint(err, "its factors take %.1f GB",
                  8e-9 * (double)n_steps * (double)n_line * (double)n_line);
        goto done;
    }
    fill_lines(ladder, f->back, f->work);
    // the currents are not wanted: one column of zeros
    memset(f->f, 0, n_steps * n_line * sizeof *f->f);
    eliminate(ladder, f->f, padded(1 + FIRST), f->inverse, f->work);

done:
    if (status < 0) {
        ohmi_ladder_factor_free(out);
    }
    return status;
}

// y (n) = M^-1 x (n), from the lower half of M^-1 (n x ld)
OHMI_SIMD static void times_inverse(double *y, const double *inverse, const double *x, int n,
                                    int ld) {
    for (int j = 0; j < n; j++) {
        y[j] = 0;
    }
    for (int i = 0; i < n; i++) {
        const double *row = inverse + (ptrdiff_t)i * ld;
        double sum = 0;
        for (int j = 0; j < i; j++) {
            sum += row[j] * x[j];
            y[j] += row[j] * x[i];
        }
        y[i] += sum + row[i] * x[i];
    }
}

// v (n) += t^-1 a (n) of line i
static void add_line_voltages(double *v, const double *a, int i, const ohmi_ladder_factor *f) {
    const int n = f->ladder.n_line;
    const ptrdiff_t stride = f->ladder.n_steps;
    const double *self = f->work->self + i, *away = f->work->away + i, *back = f->back + i;
    double from_before = 0, from_behind = 0;
    for (int j = 0; j < n; j++) {
        from_before = from_before * away[j * stride] + a[j] * self[j * stride];
        v[j] += from_before;
    }
    for (int j = n - 2; j >= 0; j--) {
        from_behind = back[(j + 1) * stride] * (from_behind + a[j + 1] * self[(j + 1) * stride]);
        v[j] += from_behind;
    }
}

// A row of zeros where no currents are given.
static double at_or_0(const double *a, ptrdiff_t i) {
    return a != NULL ? a[i] : 0;
}

void ohmi_ladder_nodes(double *line_v, double *rail_v, const double *line_a, const double *rail_a,
                       const double *voltage, ohmi_ladder_factor *factor) {
    const ohmi_ladder *ladder = &factor->ladder;
    const ohmi_ladder_work *w = factor->work;
    const int n_steps = ladder->n_steps, n = ladder->n_line, ld = padded(n);
    double *row = factor->row, *from_above = row + ld, *volts = from_above + ld;

    // down: what flows into the rails at each step
    memset(from_above, 0, (size_t)n * sizeof *from_above);
    for (int i = 0; i < n_steps; i++) {
        const ptrdiff_t at = (ptrdiff_t)i * n;
        double *f = factor->f + at;
        for (int j = 0; j < n; j++) {
            row[j] = at_or_0(line_a, at + j);
            volts[j] = at_or_0(voltage, i) * w->drive[(ptrdiff_t)j * n_steps + i];
        }
        add_line_voltages(volts, row, i, factor);
        for (int j = 0; j < n; j++) {
            f[j] = from_above[j] + at_or_0(rail_a, at + j) + ladder->g[at + j] * volts[j];
        }
        if (ladder->step_ohm[i] > 0) {
            times_inverse(from_above, factor->inverse + (size_t)i * w->n_x, f, n, ld);
        } else {
            memcpy(from_above, f, (size_t)n * sizeof *f);
        }
    }

    // up: rails, from 0 V at their end, and lines
    double *below = from_above;
    memset(below, 0, (size_t)n * sizeof *below);
    for (int i = n_steps - 1; i >= 0; i--) {
        const ptrdiff_t at = (ptrdiff_t)i * n;
        const double ohm = ladder->step_ohm[i];
        if (ohm > 0) {
            for (int j = 0; j < n; j++) {
                row[j] = below[j] + ohm * factor->f[at + j];
            }
            times_inverse(below, factor->inverse + (size_t)i * w->n_x, row, n, ld);
        }
        for (int j = 0; j < n; j++) {
            row[j] = at_or_0(line_a, at + j) + ladder->g[at + j] * below[j];
            volts[j] = at_or_0(voltage, i) * w->drive[(ptrdiff_t)j * n_steps + i];
        }
        add_line_voltages(volts, row, i, factor);
        memcpy(line_v + at, volts, (size_t)n * sizeof *volts);
        memcpy(rail_v + at, below, (size_t)n * sizeof *below);
    }
}
