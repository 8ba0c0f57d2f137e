// SPDX-License-Identifier: Apache-2.0
// For tests: the effective conductances of an array another way. All nodes but the terminals are
// eliminated one by one, a star of conductances becoming a mesh:
//     c_ij <- c_ij + c_ik c_jk / sum_l c_kl
// in long double, on the full graph, in the order of the nodes. What is left between terminal i of
// a word line and terminal j of a bit line is the effective conductance. Wires of 0 ohm join nodes.
#ifndef OHMTEST_STAR_MESH_H
#define OHMTEST_STAR_MESH_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "ohmwise/array.h"

// root of a node among joined ones
static inline int mesh_root(const int *joined, int node) {
    while (joined[node] != node) {
        node = joined[node];
    }
    return node;
}

typedef struct {
    int n;          // nodes: w(i,j), b(i,j), terminals of word lines, terminals of bit lines
    int *joined;    // (n)
    long double *c; // (n x n) siemens
} mesh;

static inline void mesh_wire(mesh *m, int a, int b, double ohm) {
    a = mesh_root(m->joined, a);
    b = mesh_root(m->joined, b);
    if (ohm == 0) {
        // the higher one is kept, so that terminals are
        const int kept = a > b ? a : b, gone = a > b ? b : a;
        if (kept != gone) {
            m->joined[gone] = kept;
        }
    }
}

static inline void mesh_add(mesh *m, int a, int b, long double siemens) {
    a = mesh_root(m->joined, a);
    b = mesh_root(m->joined, b);
    if (a != b) {
        m->c[(ptrdiff_t)a * m->n + b] += siemens;
        m->c[(ptrdiff_t)b * m->n + a] += siemens;
    }
}

// Calls use for each wire of the array.
static inline void mesh_each_wire(mesh *m, int rows, int columns, const ohm_wires *w,
                                  void (*use)(mesh *m, int a, int b, double ohm)) {
    const int cells = rows * columns;
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j + 1 < columns; j++) {
            use(m, i * columns + j, i * columns + j + 1, w->word_ohm);
        }
        use(m, 2 * cells + i, i * columns + (w->drive_right ? columns - 1 : 0),
            w->source_ohm < 0 ? w->word_ohm : w->source_ohm);
    }
    for (int j = 0; j < columns; j++) {
        for (int i = 0; i + 1 < rows; i++) {
            use(m, cells + i * columns + j, cells + (i + 1) * columns + j, w->bit_ohm);
        }
        use(m, 2 * cells + rows + j, cells + (w->sense_top ? 0 : rows - 1) * columns + j,
            w->sense_ohm < 0 ? w->bit_ohm : w->sense_ohm);
    }
}

static inline void mesh_conduct(mesh *m, int a, int b, double ohm) {
    if (ohm > 0) {
        mesh_add(m, a, b, 1 / (long double)ohm);
    }
}

// effective (rows x columns) of g (rows x columns)
static inline void mesh_effective(double *effective, const double *g, int rows, int columns,
                                  const ohm_wires *w) {
    const int cells = rows * columns, inner = 2 * cells;
    mesh m = {.n = inner + rows + columns};
    const size_t n = (size_t)m.n;
    m.joined = calloc(n, sizeof *m.joined);
    m.c = calloc(n * n, sizeof *m.c);
    if (m.joined == NULL || m.c == NULL) {
        abort();
    }
    for (int i = 0; i < m.n; i++) {
        m.joined[i] = i;
    }
    mesh_each_wire(&m, rows, columns, w, mesh_wire);
    mesh_each_wire(&m, rows, columns, w, mesh_conduct);
    for (int i = 0; i < cells; i++) {
        mesh_add(&m, i, cells + i, (long double)g[i]);
    }

    for (int k = 0; k < inner; k++) {
        long double sum = 0;
        for (int i = k + 1; i < m.n; i++) {
            sum += m.c[(ptrdiff_t)k * m.n + i];
        }
        for (int i = k + 1; i < m.n && sum > 0; i++) {
            const long double share = m.c[(ptrdiff_t)k * m.n + i] / sum;
            for (int j = k + 1; j < m.n && share > 0; j++) {
                if (j != i) {
                    m.c[(ptrdiff_t)i * m.n + j] += share * m.c[(ptrdiff_t)k * m.n + j];
                }
            }
        }
    }
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            effective[i * columns + j] =
                (double)m.c[(ptrdiff_t)(inner + i) * m.n + inner + rows + j];
        }
    }
    free(m.joined);
    free(m.c);
}

#endif
