// SPDX-License-Identifier: Apache-2.0
// Arrays as ladders: the choice of direction, effective matrices, arrays with transistors; see
// wires.h.
#include "crossbar/wires.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/simd.h"
#include "base/thread.h"
#include "crossbar/wires_kernel.h"
#include "crossbar/wires_ladder.h"

struct ohmi_wires {
    int rows, columns;
    ohm_wires wires;
    ohmi_ladder_work *by_rows, *by_columns; // the one of the cheaper direction, or both
    int *order;                             // (rows) rows in use, from the sense's far side
    double *cells;                          // (rows x columns) in the order of the ladder
    double *current;                        // (rows x columns) at most
    double *step_ohm, *line_ohm;            // (the larger of rows and columns)
    double *voltage;                        // (rows) in the order of the ladder
};

// one resistance: 0 or in range
static ohm_status check_ohm(double ohm, const char *name, ohm_error *err) {
    if (ohm == 0 || (ohm >= OHMI_WIRES_LEAST && ohm <= OHMI_WIRES_MOST)) {
        return OHM_OK;
    }
    return ohmi_fail(err, isfinite(ohm) ? OHM_ERR_ARGUMENT : OHM_ERR_NUMERIC,
                     "'%s' is %g ohm, allowed are 0 and %g to %g", name, ohm, OHMI_WIRES_LEAST,
                     OHMI_WIRES_MOST);
}

ohm_status ohmi_wires_check(ohm_wires *out, const ohm_wires *wires, ohm_error *err) {
    ohm_status status = OHM_OK;
    *out = *wires;
    out->source_ohm = wires->source_ohm < 0 ? wires->word_ohm : wires->source_ohm;
    out->sense_ohm = wires->sense_ohm < 0 ? wires->bit_ohm : wires->sense_ohm;
    OHM_TRY(check_ohm(out->word_ohm, "word_ohm", err));
    OHM_TRY(check_ohm(out->bit_ohm, "bit_ohm", err));
    OHM_TRY(check_ohm(out->source_ohm, "source_ohm", err));
    OHM_TRY(check_ohm(out->sense_ohm, "sense_ohm", err));
done:
    return status;
}

ohm_status ohmi_wires_check_size(int rows, int columns, ohm_error *err) {
    if (rows < 1 || columns < 1 || rows > OHMI_WIRES_MOST_CELLS ||
        columns > OHMI_WIRES_MOST_CELLS) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT,
                         "an array of %d x %d cells, allowed are 1 to %d rows and columns", rows,
                         columns, OHMI_WIRES_MOST_CELLS);
    }
    return OHM_OK;
}

ohm_status ohmi_wires_check_cells(const double *conductance, int rows, int columns, int64_t array,
                                  ohm_error *err) {
    for (int64_t at = 0; at < (int64_t)rows * columns; at++) {
        const double g = conductance[at];
        if (g != 0 && !(g >= OHMI_WIRES_LEAST && g <= OHMI_WIRES_MOST)) {
            char of[48] = "";
            if (array >= 0) {
                snprintf(of, sizeof of, " of array %" PRId64, array);
            }
            return ohmi_fail(err, OHM_ERR_NUMERIC,
                             "'conductance'%s at row %" PRId64 ", column %" PRId64
                             " (from 0) is %g siemens, allowed are 0 and %g to %g",
                             of, at / columns, at % columns, g, OHMI_WIRES_LEAST, OHMI_WIRES_MOST);
        }
    }
    return OHM_OK;
}

void ohmi_wires_free(ohmi_wires **wires) {
    ohmi_wires *w = *wires;
    if (w != NULL) {
        ohmi_ladder_work_free(&w->by_rows);
        ohmi_ladder_work_free(&w->by_columns);
        ohmi_free(w->order);
        ohmi_free(w->cells);
        ohmi_free(w->current);
        ohmi_free(w->step_ohm);
        ohmi_free(w->line_ohm);
        ohmi_free(w->voltage);
        ohmi_free(w);
    }
    *wires = NULL;
}

ohm_status ohmi_wires_new(ohmi_wires **out, int rows, int columns, ohm_cells cells,
                          const ohm_wires *wires, ohm_error *err) {
    ohm_status status = OHM_OK;
    *out = NULL;
    OHM_TRY(ohmi_wires_check_size(rows, columns, err));
    const size_t n = (size_t)rows * (size_t)columns;
    const size_t longer = (size_t)(rows > columns ? rows : columns);
    ohmi_wires *w = *out = ohmi_alloc(1, sizeof *w);
    if (w != NULL) {
        w->rows = rows;
        w->columns = columns;
        OHM_TRY(ohmi_wires_check(&w->wires, wires, err));
        if (rows < columns || cells == OHM_CELLS_1T1R) {
            OHM_TRY(ohmi_ladder_work_new(&w->by_columns, columns, rows, err));
        }
        if (rows >= columns || cells == OHM_CELLS_1T1R) {
            OHM_TRY(ohmi_ladder_work_new(&w->by_rows, rows, columns, err));
        }
        w->order = ohmi_alloc((size_t)rows, sizeof(int));
        w->cells = ohmi_alloc(n, sizeof(double));
        w->current = ohmi_alloc(n, sizeof(double));
        w->step_ohm = ohmi_alloc(longer, sizeof(double));
        w->line_ohm = ohmi_alloc(longer, sizeof(double));
        w->voltage = ohmi_alloc((size_t)rows, sizeof(double));
    }
    if (w == NULL || w->order == NULL || w->cells == NULL || w->current == NULL ||
        w->step_ohm == NULL || w->line_ohm == NULL || w->voltage == NULL) {
        status =
            ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for an array of %d x %d", rows, columns);
        goto done;
    }

done:
    if (status < 0) {
        ohmi_wires_free(out);
    }
    return status;
}

// row s of n from the far side of the sense
static int row_at(const ohmi_wires *w, int s, int n) {
    return w->order[w->wires.sense_top ? n - 1 - s : s];
}

// column p from the drivers
static int column_at(const ohmi_wires *w, int p) {
    return w->wires.drive_right ? w->columns - 1 - p : p;
}

// What lies between row s of n and the next one towards the sense, or the sense.
static double ohm_below(const ohmi_wires *w, int s, int n) {
    const int row = row_at(w, s, n);
    if (s + 1 < n) {
        return abs(row_at(w, s + 1, n) - row) * w->wires.bit_ohm;
    }
    const int n_segments = w->wires.sense_top ? row : w->rows - 1 - row;
    return n_segments * w->wires.bit_ohm + w->wires.sense_ohm;
}

// The array with n of its rows (w->order, ascending) as a ladder over its word lines.
static ohmi_ladder ladder_by_rows(const double *conductance, int n, ohmi_wires *w) {
    for (int s = 0; s < n; s++) {
        w->step_ohm[s] = ohm_below(w, s, n);
        const double *row = conductance + (ptrdiff_t)row_at(w, s, n) * w->columns;
        for (int p = 0; p < w->columns; p++) {
            w->cells[(ptrdiff_t)s * w->columns + p] = row[column_at(w, p)];
        }
    }
    for (int p = 0; p < w->columns; p++) {
        w->line_ohm[p] = p == 0 ? w->wires.source_ohm : w->wires.word_ohm;
    }
    return (ohmi_ladder){n, w->columns, w->cells, w->step_ohm, w->line_ohm};
}

// The same over its bit lines, from the far end of the word lines; terminals are at the sense.
static ohmi_ladder ladder_by_columns(const double *conductance, int n, ohmi_wires *w) {
    for (int s = 0; s < w->columns; s++) {
        const int column = column_at(w, w->columns - 1 - s);
        w->step_ohm[s] = s + 1 < w->columns ? w->wires.word_ohm : w->wires.source_ohm;
        for (int p = 0; p < n; p++) {
            w->cells[(ptrdiff_t)s * n + p] =
                conductance[(ptrdiff_t)row_at(w, n - 1 - p, n) * w->columns + column];
        }
    }
    for (int p = 0; p < n; p++) {
        w->line_ohm[p] = ohm_below(w, n - 1 - p, n);
    }
    return (ohmi_ladder){w->columns, n, w->cells, w->step_ohm, w->line_ohm};
}

void ohmi_wires_effective(double *effective, const double *conductance, ohmi_wires *w) {
    const int rows = w->rows, columns = w->columns;
    for (int i = 0; i < rows; i++) {
        w->order[i] = i;
    }
    if (rows >= columns) {
        const ohmi_ladder ladder = ladder_by_rows(conductance, rows, w);
        ohmi_ladder_solve(w->current, &ladder, NULL, w->by_rows);
        for (int s = 0; s < rows; s++) {
            for (int p = 0; p < columns; p++) {
                effective[(ptrdiff_t)row_at(w, s, rows) * columns + column_at(w, p)] =
                    w->current[(ptrdiff_t)p * rows + s];
            }
        }
        return;
    }
    const ohmi_ladder ladder = ladder_by_columns(conductance, rows, w);
    ohmi_ladder_solve(w->current, &ladder, NULL, w->by_columns);
    for (int p = 0; p < rows; p++) {
        for (int s = 0; s < columns; s++) {
            effective[(ptrdiff_t)row_at(w, rows - 1 - p, rows) * columns +
                      column_at(w, columns - 1 - s)] = w->current[(ptrdiff_t)p * columns + s];
        }
    }
}

// Whether n rows in use are cheaper over the bit lines: flops of inverses and of what they are
// multiplied with, which over the bit lines is a column for every step.
static bool is_cheaper_by_columns(int n, int columns) {
    const double a = n, b = columns;
    return b * a * a * (a + b) < a * b * b * (b + 2 * OHMI_WIRES_BLOCK);
}

void ohmi_wires_gated(double *current, const double *conductance, const double *voltage,
                      ohmi_wires *w) {
    const int columns = w->columns;
    int n = 0;
    for (int i = 0; i < w->rows; i++) {
        if (voltage[i] != 0) {
            w->order[n++] = i;
        }
    }
    memset(current, 0, (size_t)columns * sizeof *current);
    if (n == 0) {
        return;
    }
    if (!is_cheaper_by_columns(n, columns)) {
        const ohmi_ladder ladder = ladder_by_rows(conductance, n, w);
        for (int s = 0; s < n; s++) {
            w->voltage[s] = voltage[row_at(w, s, n)];
        }
        ohmi_ladder_solve(w->current, &ladder, w->voltage, w->by_rows);
        for (int p = 0; p < columns; p++) {
            current[column_at(w, p)] = w->current[p];
        }
        return;
    }
    const ohmi_ladder ladder = ladder_by_columns(conductance, n, w);
    ohmi_ladder_solve(w->current, &ladder, NULL, w->by_columns);
    for (int p = 0; p < n; p++) {
        const double volts = voltage[row_at(w, n - 1 - p, n)];
        for (int s = 0; s < columns; s++) {
            current[column_at(w, columns - 1 - s)] +=
                volts * w->current[(ptrdiff_t)p * columns + s];
        }
    }
}

// sum (n) += a x (n)
OHMI_SIMD static void add_scaled(double *sum, const double *x, double a, int n) {
    for (int j = 0; j < n; j++) {
        sum[j] += a * x[j];
    }
}

typedef struct {
    double *current;
    const double *effective, *voltage;
    int rows, columns;
} product;

// a few vectors while rows of the matrix are at hand
static void product_work(void *context, int64_t begin, int64_t end, int thread) {
    const product *p = context;
    (void)thread;
    memset(p->current + begin * p->columns, 0,
           (size_t)(end - begin) * (size_t)p->columns * sizeof *p->current);
    for (int i = 0; i < p->rows; i++) {
        for (int64_t v = begin; v < end; v++) {
            add_scaled(p->current + v * p->columns, p->effective + (ptrdiff_t)i * p->columns,
                       p->voltage[v * p->rows + i], p->columns);
        }
    }
}

void ohmi_wires_product(double *current, const double *effective, const double *voltage,
                        int64_t n_vectors, int rows, int columns) {
    enum { VECTORS = 16 }; // their sums stay in the first cache beside a row of the matrix
    product p = {current, effective, voltage, rows, columns};
    ohmi_parallel(n_vectors, VECTORS, product_work, &p);
}
