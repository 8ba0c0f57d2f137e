// SPDX-License-Identifier: Apache-2.0
// Voltages of all nodes with refinement; see wires_nodes.h. All arrays here are (steps x line) of
// the ladder over the word lines.
#include "crossbar/wires_nodes.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "crossbar/wires_ladder.h"

enum { MOST_REFINEMENTS = 6 };
#define GOOD_ENOUGH 1e-15 // a few roundings of the largest current

// voltages as high + low, and what does not add up at the same nodes
typedef struct {
    double *high, *low, *residual; // (steps x line)
} potentials;

struct ohmi_wires_nodes {
    int rows, columns;
    ohm_wires wires;
    ohmi_ladder ladder;
    ohmi_ladder_factor *factor;
    double *cells, *step_ohm, *line_ohm;
    double *terminal; // (steps) volts
    potentials word, bit;
};

void ohmi_wires_nodes_free(ohmi_wires_nodes **nodes) {
    ohmi_wires_nodes *n = *nodes;
    if (n != NULL) {
        ohmi_ladder_factor_free(&n->factor);
        double *const blocks[] = {n->cells,     n->step_ohm,    n->line_ohm,      n->terminal,
                                  n->word.high, n->word.low,    n->word.residual, n->bit.high,
                                  n->bit.low,   n->bit.residual};
        for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
            ohmi_free(blocks[i]);
        }
        ohmi_free(n);
    }
    *nodes = NULL;
}

// where row s and column p of the ladder are in the array
static ptrdiff_t place(const ohmi_wires_nodes *n, int s, int p) {
    const int row = n->wires.sense_top ? n->rows - 1 - s : s;
    const int column = n->wires.drive_right ? n->columns - 1 - p : p;
    return (ptrdiff_t)row * n->columns + column;
}

ohm_status ohmi_wires_nodes_new(ohmi_wires_nodes **out, const double *conductance, int rows,
                                int columns, const ohm_wires *wires, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_wires_nodes *n = *out = ohmi_alloc(1, sizeof *n);
    const size_t n_cells = (size_t)rows * (size_t)columns;
    if (n != NULL) {
        n->rows = rows;
        n->columns = columns;
        OHM_TRY(ohmi_wires_check(&n->wires, wires, err));
        double **const blocks[] = {&n->cells,     &n->step_ohm,    &n->line_ohm,      &n->terminal,
                                   &n->word.high, &n->word.low,    &n->word.residual, &n->bit.high,
                                   &n->bit.low,   &n->bit.residual};
        const size_t counts[] = {n_cells, (size_t)rows, (size_t)columns, (size_t)rows};
        for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
            *blocks[i] = ohmi_alloc(i < 4 ? counts[i] : n_cells, sizeof(double));
            if (*blocks[i] == NULL) {
                status = OHM_ERR_NO_MEMORY;
            }
        }
    }
    if (n == NULL || status < 0) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the voltages of %d x %d cells",
                           rows, columns);
        goto done;
    }

    for (int s = 0; s < rows; s++) {
        n->step_ohm[s] = s + 1 < rows ? n->wires.bit_ohm : n->wires.sense_ohm;
        for (int p = 0; p < columns; p++) {
            n->cells[(ptrdiff_t)s * columns + p] = conductance[place(n, s, p)];
        }
    }
    for (int p = 0; p < columns; p++) {
        n->line_ohm[p] = p == 0 ? n->wires.source_ohm : n->wires.word_ohm;
    }
    n->ladder = (ohmi_ladder){rows, columns, n->cells, n->step_ohm, n->line_ohm};
    OHM_TRY(ohmi_ladder_factor_new(&n->factor, &n->ladder, err));

done:
    if (status < 0) {
        ohmi_wires_nodes_free(out);
    }
    return status;
}

// The voltage from node a to node b, each of which may be fixed.
static double drop(const potentials *v, ptrdiff_t a, ptrdiff_t b) {
    return (v->high[a] - v->high[b]) + (v->low[a] - v->low[b]);
}

static double larger(double most, double current) {
    return fabs(current) > most ? fabs(current) : most;
}

// Adds the currents of one line of wires to its residuals: node 0 is `first`, each next one
// `stride` further; ohm[k] lies before node k. What holds the end before node 0 has fixed volts.
// Nodes joined by 0 ohm become one, in the last of them; a group joined to the fixed end has no
// residual. Returns the largest current.
static double add_wires(potentials *v, ptrdiff_t first, ptrdiff_t stride, int n, double fixed,
                        const double *ohm, ptrdiff_t ohm_stride) {
    double most = 0;
    for (int k = 0; k < n; k++) {
        const ptrdiff_t at = first + k * stride;
        const double r = ohm[k * ohm_stride];
        if (r > 0) {
            const double volts =
                k == 0 ? (fixed - v->high[at]) - v->low[at] : drop(v, at - stride, at);
            const double current = volts / r;
            v->residual[at] += current;
            if (k > 0) {
                v->residual[at - stride] -= current;
            }
            most = larger(most, current);
        }
    }
    int is_fixed = 1;
    for (int k = 0; k < n; k++) {
        const ptrdiff_t at = first + k * stride;
        is_fixed = is_fixed && ohm[k * ohm_stride] == 0;
        if (k > 0 && ohm[k * ohm_stride] == 0) {
            v->residual[at] += v->residual[at - stride];
            v->residual[at - stride] = 0;
        }
        v->residual[at] = is_fixed ? 0 : v->residual[at];
    }
    return most;
}

// Fills the residuals; returns the largest over the largest current.
static double find_residuals(double *current, ohmi_wires_nodes *n) {
    const int rows = n->rows, columns = n->columns;
    double most_current = 0, most = 0;
    memset(current, 0, (size_t)columns * sizeof *current);
    for (int s = 0; s < rows; s++) {
        for (int p = 0; p < columns; p++) {
            const ptrdiff_t at = (ptrdiff_t)s * columns + p;
            const double volts =
                (n->word.high[at] - n->bit.high[at]) + (n->word.low[at] - n->bit.low[at]);
            const double through = n->cells[at] * volts;
            n->word.residual[at] = -through;
            n->bit.residual[at] = through;
            current[place(n, 0, p) % columns] += through;
            most_current = larger(most_current, through);
        }
    }
    for (int s = 0; s < rows; s++) {
        most_current = larger(most_current, add_wires(&n->word, (ptrdiff_t)s * columns, 1, columns,
                                                      n->terminal[s], n->line_ohm, 1));
    }
    // rails begin at the sense, which is behind the last step
    for (int p = 0; p < columns; p++) {
        most_current =
            larger(most_current, add_wires(&n->bit, (ptrdiff_t)(rows - 1) * columns + p, -columns,
                                           rows, 0, n->step_ohm + rows - 1, -1));
    }
    for (ptrdiff_t at = 0; at < (ptrdiff_t)rows * columns; at++) {
        most = larger(larger(most, n->word.residual[at]), n->bit.residual[at]);
    }
    return most_current > 0 ? most / most_current : 0;
}

// high + low <- high + low + more
static void add_more(potentials *v, const double *more, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const double small = v->low[i] + more[i], sum = v->high[i] + small;
        v->low[i] = small - (sum - v->high[i]);
        v->high[i] = sum;
    }
}

double ohmi_wires_nodes_solve(double *word_v, double *bit_v, double *current, const double *voltage,
                              ohmi_wires_nodes *n) {
    const ptrdiff_t n_cells = (ptrdiff_t)n->rows * n->columns;
    for (int s = 0; s < n->rows; s++) {
        n->terminal[s] = voltage[place(n, s, 0) / n->columns];
    }
    ohmi_ladder_nodes(n->word.high, n->bit.high, NULL, NULL, n->terminal, n->factor);
    memset(n->word.low, 0, (size_t)n_cells * sizeof *n->word.low);
    memset(n->bit.low, 0, (size_t)n_cells * sizeof *n->bit.low);

    double residual = find_residuals(current, n);
    for (int k = 0; k < MOST_REFINEMENTS && residual > GOOD_ENOUGH; k++) {
        ohmi_ladder_nodes(n->word.residual, n->bit.residual, n->word.residual, n->bit.residual,
                          NULL, n->factor);
        add_more(&n->word, n->word.residual, n_cells);
        add_more(&n->bit, n->bit.residual, n_cells);
        residual = find_residuals(current, n);
    }

    for (int s = 0; s < n->rows; s++) {
        for (int p = 0; p < n->columns; p++) {
            const ptrdiff_t at = (ptrdiff_t)s * n->columns + p;
            if (word_v != NULL) {
                word_v[place(n, s, p)] = n->word.high[at];
            }
            if (bit_v != NULL) {
                bit_v[place(n, s, p)] = n->bit.high[at];
            }
        }
    }
    return residual;
}
