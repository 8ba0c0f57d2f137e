// SPDX-License-Identifier: Apache-2.0
// The dense step of the elimination of wires.h, behind a table: plain C, AVX2, AVX-512.
//
// All of them do the same operations on each number in the same order, a product and a sum fused
// where one follows the other, so that all give the same bits.
#ifndef OHMI_WIRES_KERNEL_H
#define OHMI_WIRES_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

enum { OHMI_WIRES_BLOCK = 8 }; // rows that are eliminated at once; sizes are padded to multiples

// Columns of f with a meaning of their own.
enum { OHMI_WIRES_ROW_SUM = 0, OHMI_WIRES_TO_GROUND = 1, OHMI_WIRES_FIRST = 2 };

// Turns [M | F] into [M^-1 | M^-1 F] for a symmetric M-matrix: off-diagonal elements -x[i][j] <= 0,
// sums of rows s_i > 0, hence diagonal s_i + sum_j x[i][j], which is never stored or subtracted
// from. x (n x n, of which j <= i counts): magnitudes of the off-diagonal elements, then the
// inverse with its diagonal. f (n x ld, n_f columns): f[i][OHMI_WIRES_ROW_SUM] = s_i, the others
// any columns >= 0. n, n_f and ld are multiples of OHMI_WIRES_BLOCK; work has
// ohmi_wires_work_count(n, ld) doubles. All blocks are aligned to 64 bytes.
typedef void ohmi_wires_invert(double *x, double *f, int n, int n_f, int ld, double *work);

typedef struct {
    const char *name;
    bool (*is_supported)(void);
    ohmi_wires_invert *invert;
} ohmi_wires_kernels;

size_t ohmi_wires_work_count(int n, int ld);

// The best one that this CPU has; and all of them, supported or not, ends with NULL.
const ohmi_wires_kernels *ohmi_wires_kernel(void);
const ohmi_wires_kernels *const *ohmi_wires_all_kernels(void);

#endif
