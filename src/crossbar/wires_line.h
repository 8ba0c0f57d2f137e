// SPDX-License-Identifier: Apache-2.0
// One line of an array by itself: what its nodes do when the far sides of its cells are given.
//
// Node j is joined by the cell g_j to a node outside, by r_j to node j - 1, and node 0 by r_0 to
// the terminal. With everything outside at 0 V, seen from node j:
//     alpha_j = conductance towards the terminal,  alpha_0 = 1/r_0,
//     alpha_j = 1 / (1/(alpha_(j-1) + g_(j-1)) + r_j)
//     beta_j  = conductance away from it,  beta_(n-1) = 0,
//     beta_j  = x / (1 + r_(j+1) x),  x = beta_(j+1) + g_(j+1)
// so that a current into node k gives the voltages of t^-1 (wires_ladder.h):
//     self_k        = 1 / (alpha_k + g_k + beta_k)                   at k itself, ohm
//     away_j        = v_j / v_(j-1) = 1 / (1 + r_j (g_j + beta_j))   for j > k
//     back_j        = v_(j-1) / v_j = 1 / (1 + r_j (g_(j-1) + alpha_(j-1)))   for j <= k
//     drive_j       = away_0 away_1 ... away_j                       for 1 V at the terminal
// Resistances of 0 need no case of their own (but for the infinite alpha in back_j).
#ifndef OHMI_WIRES_LINE_H
#define OHMI_WIRES_LINE_H

// For n_lines lines at once; all tables are (n x n_lines), the node first, so that loops run over
// lines.
typedef struct {
    double *self, *away, *drive;
    double *back;  // may be NULL
    double *alpha; // (n_lines) scratch
} ohmi_wires_lines;

// g (n x n_lines) siemens, line_ohm (n).
void ohmi_wires_lines_fill(ohmi_wires_lines *out, const double *g, const double *line_ohm, int n,
                           int n_lines);

#endif
