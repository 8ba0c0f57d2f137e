// SPDX-License-Identifier: Apache-2.0
// Quick effective matrices with a bound; see wires_estimate.h.
//
// Lines are walked node by node, all lines at once (wires_line.h), so that word lines want their
// numbers as (column from the driver x row from the sense) and bit lines as (row from the sense x
// column).
#include "crossbar/wires_estimate.h"

#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/simd.h"
#include "crossbar/wires_line.h"

// All lines of one kind: n nodes each, from the terminal on; every table is (n x n_lines).
typedef struct {
    int n, n_lines;
    double *ohm; // (n)
    double *g, *v;
    ohmi_wires_lines lines;
    double *sum; // (n_lines)
} side;

struct ohmi_wires_estimate {
    int rows, columns;
    ohm_wires wires;
    side word, bit;
    double *low, *high;         // (rows x columns) bit order: brackets of w
    double *start;              // (rows x columns) bit order: w0
    double *low_sum, *high_sum; // (columns) of R_j
    double *share;              // (rows) p_i
};

enum { SIDE_BLOCKS = 9 };

static ohm_status side_init(side *s, int n, int n_lines, double first_ohm, double ohm) {
    const size_t all = (size_t)n * (size_t)n_lines;
    double **const blocks[SIDE_BLOCKS] = {&s->ohm,        &s->g,           &s->v,
                                          &s->lines.self, &s->lines.away,  &s->lines.drive,
                                          &s->lines.back, &s->lines.alpha, &s->sum};
    const size_t counts[SIDE_BLOCKS] = {
        (size_t)n, all, all, all, all, all, all, (size_t)n_lines, (size_t)n_lines};
    s->n = n;
    s->n_lines = n_lines;
    for (int i = 0; i < SIDE_BLOCKS; i++) {
        *blocks[i] = ohmi_alloc(counts[i], sizeof(double));
        if (*blocks[i] == NULL) {
            return OHM_ERR_NO_MEMORY;
        }
    }
    for (int i = 0; i < n; i++) {
        s->ohm[i] = i == 0 ? first_ohm : ohm;
    }
    return OHM_OK;
}

static void side_clear(side *s) {
    double *const blocks[SIDE_BLOCKS] = {s->ohm,        s->g,           s->v,
                                         s->lines.self, s->lines.away,  s->lines.drive,
                                         s->lines.back, s->lines.alpha, s->sum};
    for (int i = 0; i < SIDE_BLOCKS; i++) {
        ohmi_free(blocks[i]);
    }
}

void ohmi_wires_estimate_free(ohmi_wires_estimate **estimate) {
    ohmi_wires_estimate *e = *estimate;
    if (e != NULL) {
        side_clear(&e->word);
        side_clear(&e->bit);
        double *const blocks[] = {e->low, e->high, e->start, e->low_sum, e->high_sum, e->share};
        for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
            ohmi_free(blocks[i]);
        }
        ohmi_free(e);
    }
    *estimate = NULL;
}

ohm_status ohmi_wires_estimate_new(ohmi_wires_estimate **out, int rows, int columns,
                                   const ohm_wires *wires, ohm_error *err) {
    ohm_status status = OHM_OK;
    *out = NULL;
    OHM_TRY(ohmi_wires_check_size(rows, columns, err));
    const size_t all = (size_t)rows * (size_t)columns;
    ohmi_wires_estimate *e = *out = ohmi_alloc(1, sizeof *e);
    if (e != NULL) {
        e->rows = rows;
        e->columns = columns;
        OHM_TRY(ohmi_wires_check(&e->wires, wires, err));
        status = side_init(&e->word, columns, rows, e->wires.source_ohm, e->wires.word_ohm);
        if (status == OHM_OK) {
            status = side_init(&e->bit, rows, columns, e->wires.sense_ohm, e->wires.bit_ohm);
        }
        double **const blocks[] = {&e->low,     &e->high,     &e->start,
                                   &e->low_sum, &e->high_sum, &e->share};
        const size_t counts[] = {all, all, all, (size_t)columns, (size_t)columns, (size_t)rows};
        for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
            *blocks[i] = ohmi_alloc(counts[i], sizeof(double));
            status = *blocks[i] == NULL ? OHM_ERR_NO_MEMORY : status;
        }
    }
    if (e == NULL || status < 0) {
        status =
            ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for an array of %d x %d", rows, columns);
        goto done;
    }

done:
    if (status < 0) {
        ohmi_wires_estimate_free(out);
    }
    return status;
}

// to (n_columns x n_rows) = from (n_rows x n_columns) transposed, in blocks that stay in the cache,
// with the rows or the columns of the result in the opposite order
static void turn(double *to, const double *from, int n_rows, int n_columns, int flip_rows,
                 int flip_columns) {
    enum { BLOCK = 16 };
    for (int i0 = 0; i0 < n_rows; i0 += BLOCK) {
        for (int j0 = 0; j0 < n_columns; j0 += BLOCK) {
            for (int j = j0; j < j0 + BLOCK && j < n_columns; j++) {
                double *row = to + (ptrdiff_t)(flip_rows ? n_columns - 1 - j : j) * n_rows;
                for (int i = i0; i < i0 + BLOCK && i < n_rows; i++) {
                    row[flip_columns ? n_rows - 1 - i : i] = from[(ptrdiff_t)i * n_columns + j];
                }
            }
        }
    }
}

// from the order of bit lines to that of word lines, and back
static void to_word_order(double *to, const double *from, const ohmi_wires_estimate *e) {
    turn(to, from, e->rows, e->columns, e->wires.drive_right, 0);
}
static void to_bit_order(double *to, const double *from, const ohmi_wires_estimate *e) {
    turn(to, from, e->columns, e->rows, 0, e->wires.drive_right);
}

OHMI_SIMD static void step_away(double *v, double *sum, const double *away, const double *self,
                                int n) {
    for (int i = 0; i < n; i++) {
        sum[i] = sum[i] * away[i] + v[i] * self[i];
    }
}

OHMI_SIMD static void step_back(double *v, double *sum, const double *back, const double *self,
                                const double *forward, int n) {
    for (int i = 0; i < n; i++) {
        const double here = v[i] * self[i];
        v[i] = forward[i] + sum[i];
        sum[i] = back[i] * (sum[i] + here);
    }
}

OHMI_SIMD static void multiply(double *to, const double *a, const double *b, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        to[i] = a[i] * b[i];
    }
}

// v <- t^-1 (g v) of all lines of a side; forward (n x n_lines) is scratch
static void answer(side *s, double *forward) {
    const ptrdiff_t width = s->n_lines;
    multiply(s->v, s->v, s->g, s->n * width);
    memset(s->sum, 0, (size_t)width * sizeof *s->sum);
    for (int k = 0; k < s->n; k++) {
        const ptrdiff_t at = k * width;
        step_away(s->v + at, s->sum, s->lines.away + at, s->lines.self + at, s->n_lines);
        memcpy(forward + at, s->sum, (size_t)width * sizeof *s->sum);
    }
    memset(s->sum, 0, (size_t)width * sizeof *s->sum);
    for (int k = s->n - 1; k >= 0; k--) {
        const ptrdiff_t at = k * width;
        step_back(s->v + at, s->sum, s->lines.back + at, s->lines.self + at, forward + at,
                  s->n_lines);
    }
}

// w (rows x columns, bit order) <- w0 + K w
static void sweep(double *w, ohmi_wires_estimate *e) {
    const ptrdiff_t n = (ptrdiff_t)e->rows * e->columns;
    memcpy(e->bit.v, w, (size_t)n * sizeof *w);
    answer(&e->bit, w);
    to_word_order(e->word.v, e->bit.v, e);
    answer(&e->word, w);
    to_bit_order(w, e->word.v, e);
    for (ptrdiff_t i = 0; i < n; i++) {
        w[i] += e->start[i];
    }
}

// sum (columns) of c g (w - w0), which is what G0 lacks in each column
static void sum_lacking(double *sum, const double *w, const ohmi_wires_estimate *e) {
    memset(sum, 0, (size_t)e->columns * sizeof *sum);
    for (int q = 0; q < e->rows; q++) {
        const ptrdiff_t at = (ptrdiff_t)q * e->columns;
        for (int j = 0; j < e->columns; j++) {
            const double lack = w[at + j] - e->start[at + j];
            sum[j] += e->bit.lines.drive[at + j] * e->bit.g[at + j] * (lack > 0 ? lack : 0);
        }
    }
}

// p (rows, from the sense)
static void fill_share(ohmi_wires_estimate *e) {
    double all = 0;
    for (int q = 0; q < e->rows; q++) {
        const ptrdiff_t at = (ptrdiff_t)q * e->columns;
        double sum = 0;
        for (int j = 0; j < e->columns; j++) {
            sum += e->start[at + j] * e->bit.g[at + j] * (1 - e->bit.lines.drive[at + j]);
        }
        e->share[q] = sum;
        all += sum;
    }
    for (int q = 0; q < e->rows; q++) {
        e->share[q] = all > 0 ? e->share[q] / all : 1.0 / e->rows;
    }
}

void ohmi_wires_estimate_run(double *effective, double *bound, const double *conductance,
                             int n_sweeps, ohmi_wires_estimate *e) {
    const int rows = e->rows, columns = e->columns;
    const ptrdiff_t n = (ptrdiff_t)rows * columns;

    // the lines by themselves; voltages of word lines, in the order of bit lines
    for (int q = 0; q < rows; q++) {
        const int row = e->wires.sense_top ? q : rows - 1 - q;
        memcpy(e->bit.g + (ptrdiff_t)q * columns, conductance + (ptrdiff_t)row * columns,
               (size_t)columns * sizeof *conductance);
    }
    to_word_order(e->word.g, e->bit.g, e);
    ohmi_wires_lines_fill(&e->word.lines, e->word.g, e->word.ohm, columns, rows);
    ohmi_wires_lines_fill(&e->bit.lines, e->bit.g, e->bit.ohm, rows, columns);
    to_bit_order(e->start, e->word.lines.drive, e);

    // brackets with all rows at 1 V
    memcpy(e->low, e->start, (size_t)n * sizeof *e->low);
    for (ptrdiff_t i = 0; i < n; i++) {
        e->high[i] = 1;
    }
    for (int k = 0; k < n_sweeps; k++) {
        sweep(e->low, e);
        sweep(e->high, e);
    }
    sum_lacking(e->low_sum, e->low, e);
    sum_lacking(e->high_sum, e->high, e);
    fill_share(e);

    for (int q = 0; q < rows; q++) {
        const int row = e->wires.sense_top ? q : rows - 1 - q;
        const ptrdiff_t at = (ptrdiff_t)q * columns;
        for (int j = 0; j < columns; j++) {
            effective[(ptrdiff_t)row * columns + j] =
                e->start[at + j] * e->bit.g[at + j] * e->bit.lines.drive[at + j] +
                e->share[q] * 0.5 * (e->low_sum[j] + e->high_sum[j]);
        }
    }
    for (int j = 0; j < columns; j++) {
        bound[j] = e->high_sum[j] + 0.5 * (e->high_sum[j] - e->low_sum[j]);
    }
}
