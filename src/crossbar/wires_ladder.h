// SPDX-License-Identifier: Apache-2.0
// Exact elimination of an array of cells with wires, as one ladder; wires.h says what an array is.
//
// A ladder has n_steps lines of n_line nodes. Node j of line i is joined by a cell g[i][j] to rail
// j, at the height of step i. Line i runs from its terminal (a source, or 0 V) over line_ohm[0] to
// node 0, over line_ohm[j] from node j - 1 to node j. Rail j runs over step_ohm[i] from step i to
// step i + 1, over step_ohm[n_steps - 1] to 0 V at its end, where its current is measured. An array
// is a ladder with its word lines as lines and its bit lines as rails, or the other way round: by
// reciprocity the transfer conductances are the same.
//
// Equations, a step i at a time; Y (n_line x n_line, siemens) and F (amperes) are the Norton
// equivalent of all that is above, seen at the rails' nodes of step i:
//     t     = tridiagonal matrix of line i with its cells; e the current of a terminal at 1 V
//     A_i   = D - D t^-1 D,  J_i = D t^-1 e,  D = diag(g[i])        (A_i 1 = J_i)
//     Y     = Y' + A_i,      F = F' + J_i * voltage of terminal i
//     M     = 1 + r Y,  r = step_ohm[i]                             (symmetric M-matrix)
//     Y'    = (1 - M^-1) / r,   F' = M^-1 F                         (below that resistance)
// and behind the last step F' are the currents. Only off-diagonal elements and the sums of rows
// q = r Y 1 are kept: off-diagonal elements of -r Y' are those of M^-1, and q' = M^-1 q. So nothing
// is ever subtracted, and every current has the relative precision of the data. r = 0 is the limit
// without a step: Y' = Y, F' = F.
#ifndef OHMI_WIRES_LADDER_H
#define OHMI_WIRES_LADDER_H

#include <stdint.h>

#include "ohmwise/status.h"

typedef struct {
    int n_steps, n_line;
    const double *g;        // (n_steps x n_line) siemens
    const double *step_ohm; // (n_steps)
    const double *line_ohm; // (n_line)
} ohmi_ladder;

// Memory for ladders of up to n_steps and n_line; one thread at a time.
typedef struct ohmi_ladder_work ohmi_ladder_work;
OHM_NODISCARD ohm_status ohmi_ladder_work_new(ohmi_ladder_work **out, int n_steps, int n_line,
                                              ohm_error *err);
void ohmi_ladder_work_free(ohmi_ladder_work **work);

// Solves. With voltage (n_steps) of the terminals: current (n_line) of the rails. Without (NULL):
// current (n_line x n_steps), of rail j for 1 V at terminal i alone.
void ohmi_ladder_solve(double *current, const ohmi_ladder *ladder, const double *voltage,
                       ohmi_ladder_work *work);

// The same elimination, kept: voltages of all nodes for given currents into them.
typedef struct ohmi_ladder_factor ohmi_ladder_factor;
OHM_NODISCARD ohm_status ohmi_ladder_factor_new(ohmi_ladder_factor **out, const ohmi_ladder *ladder,
                                                ohm_error *err);
void ohmi_ladder_factor_free(ohmi_ladder_factor **factor);

// line_v, rail_v (n_steps x n_line) volts, from line_a, rail_a (n_steps x n_line) amperes into the
// nodes (NULL = none) and voltage (n_steps; NULL = all 0) of the terminals. line_v may be line_a,
// rail_v rail_a. One thread at a time.
void ohmi_ladder_nodes(double *line_v, double *rail_v, const double *line_a, const double *rail_a,
                       const double *voltage, ohmi_ladder_factor *factor);

#endif
