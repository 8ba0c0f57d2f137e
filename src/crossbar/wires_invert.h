// SPDX-License-Identifier: Apache-2.0
// Inverts a symmetric M-matrix in place and solves with it, without one subtraction; the source of
// all kernels of wires_kernel.h, over the vectors of wires_lanes.h.
//
// Gauss-Jordan elimination, in magnitudes. Let A be the rows not yet eliminated. Eliminating row k
// with pivot p takes every other pair i, j of rows, eliminated or not, and every column of F, by
//     p      = s_k + sum over j != k in A of x_kj        (not: diagonal minus what was eliminated)
//     x_ij  <- x_ij + x_ik x_jk / p
//     f_i   <- f_i + x_ik f_k / p                        (s is a column of F)
//     x_ik  <- x_ik / p,   x_kk <- 1 / p,   f_k <- f_k / p
// after which x is the inverse and f the solution. All terms are >= 0, so that each result keeps
// the relative precision of the data, however large the ratios between them. The pivot as a sum:
// W. K. Grassmann, M. I. Taksar, D. P. Heyman, Operations Research 33(5), 1985; for inverses of
// M-matrices: A. S. Alfa, J. Xue, Q. Ye, Math. Comp. 71, 2002.
//
// Eight rows K at once: D = inverse of block K (whose sums of rows include the rest of A), and with
// the columns K of x before (P) and after (N = P D):
//     x <- x + N P^T,   f <- f + N f_K,   x_K <- N^T,   f_K <- D f_K
#include <string.h>

#include "crossbar/wires_kernel.h"
#include "crossbar/wires_lanes.h"

enum { B = OHMI_WIRES_BLOCK };

// the sum of eight numbers, always in this order
OHMI_INLINE double sum_of(const double a[8]) {
    return ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]));
}

// Inverts the block: d (8 x 8) magnitudes, the diagonal ignored; s[8] the sums of its rows together
// with what leads to rows of A outside of it.
OHMI_INLINE void invert_block(double d[B][B], double s[B]) {
    lanes row[B];
    OHMI_UNROLL
    for (int i = 0; i < B; i++) {
        row[i] = lanes_load(d[i]);
    }
    OHMI_UNROLL
    for (int k = 0; k < B; k++) {
        // the pivot from the elements to the right, which are the rows still to come
        _Alignas(64) double u[B], right[B];
        lanes_store(u, row[k]);
        for (int j = 0; j < B; j++) {
            right[j] = j > k ? u[j] : 0;
        }
        const double inverse = 1 / (s[k] + sum_of(right));
        for (int i = k + 1; i < B; i++) {
            s[i] += u[i] * (s[k] * inverse);
        }
        // column k is written anew in the same sum: 0 + u_i / p
        const lanes t = lanes_put(lanes_mul(row[k], lanes_all(inverse)), k, inverse);
        OHMI_UNROLL
        for (int i = 0; i < B; i++) {
            row[i] = i == k ? t : lanes_fma(lanes_all(u[i]), t, lanes_put(row[i], k, 0));
        }
    }
    OHMI_UNROLL
    for (int i = 0; i < B; i++) {
        lanes_store(d[i], row[i]);
    }
}

// c (rows x 8 wide, stride ld) += a (rows x 8) * b (8 x 8 wide, stride ld_b)
OHMI_INLINE void add_tile(double *c, ptrdiff_t ld, const double *a, const double *b, ptrdiff_t ld_b,
                          const int rows, const int wide) {
    lanes sum[OHMI_TILE_ROWS][OHMI_TILE_WIDE], right[OHMI_TILE_WIDE];
    OHMI_UNROLL
    for (int r = 0; r < rows; r++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            sum[r][v] = lanes_load(c + r * ld + v * B);
        }
    }
    OHMI_UNROLL
    for (int k = 0; k < B; k++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            right[v] = lanes_load(b + k * ld_b + v * B);
        }
        OHMI_UNROLL
        for (int r = 0; r < rows; r++) {
            const lanes left = lanes_all(a[r * B + k]);
            OHMI_UNROLL
            for (int v = 0; v < wide; v++) {
                sum[r][v] = lanes_fma(left, right[v], sum[r][v]);
            }
        }
    }
    OHMI_UNROLL
    for (int r = 0; r < rows; r++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            lanes_store(c + r * ld + v * B, sum[r][v]);
        }
    }
}

// eight rows of c, n_blocks blocks of eight columns: c += a b
OHMI_INLINE void add_rows(double *c, ptrdiff_t ld, const double *a, const double *b, ptrdiff_t ld_b,
                          int n_blocks) {
    for (int r = 0; r < B; r += OHMI_TILE_ROWS) {
        int j = 0;
        for (; j + OHMI_TILE_WIDE <= n_blocks; j += OHMI_TILE_WIDE) {
            add_tile(c + r * ld + j * B, ld, a + r * B, b + j * B, ld_b, OHMI_TILE_ROWS,
                     OHMI_TILE_WIDE);
        }
        if (OHMI_TILE_WIDE > 2 && n_blocks - j == 2) {
            add_tile(c + r * ld + j * B, ld, a + r * B, b + j * B, ld_b, OHMI_TILE_ROWS,
                     OHMI_TILE_WIDE > 2 ? 2 : 1);
        } else if (OHMI_TILE_WIDE > 1 && n_blocks - j == 1) {
            add_tile(c + r * ld + j * B, ld, a + r * B, b + j * B, ld_b, OHMI_TILE_ROWS, 1);
        }
    }
}

// to (8 wide columns, stride ld) = d (8 x 8) * from (8 x n, stride ld_from)
OHMI_INLINE void times_block(double *to, ptrdiff_t ld, const double d[B][B], const double *from,
                             ptrdiff_t ld_from, int n) {
    for (int j = 0; j < n; j += B) {
        lanes old[B];
        OHMI_UNROLL
        for (int k = 0; k < B; k++) {
            old[k] = lanes_load(from + k * ld_from + j);
        }
        OHMI_UNROLL
        for (int i = 0; i < B; i++) {
            lanes sum = lanes_mul(lanes_all(d[i][0]), old[0]);
            OHMI_UNROLL
            for (int k = 1; k < B; k++) {
                sum = lanes_fma(lanes_all(d[i][k]), old[k], sum);
            }
            lanes_store(to + i * ld + j, sum);
        }
    }
}

// an 8 x 8 block of from (stride ld_from) transposed into to (stride ld)
OHMI_INLINE void transpose_block(double *to, ptrdiff_t ld, const double *from, ptrdiff_t ld_from) {
    lanes m[B];
    OHMI_UNROLL
    for (int i = 0; i < B; i++) {
        m[i] = lanes_load(from + i * ld_from);
    }
    lanes_transpose(m);
    OHMI_UNROLL
    for (int i = 0; i < B; i++) {
        lanes_store(to + i * ld, m[i]);
    }
}

// What leads from the rows of block K to later rows: adds the columns of x below it to s[8].
OHMI_INLINE void add_later(double s[B], const double *x, ptrdiff_t n, int first) {
    lanes sum[4] = {lanes_load(s), lanes_zero(), lanes_zero(), lanes_zero()};
    for (int i = first + B; i < n; i += 4) {
        OHMI_UNROLL
        for (int a = 0; a < 4; a++) {
            sum[a] = lanes_add(sum[a], lanes_load(x + (i + a) * n + first));
        }
    }
    lanes_store(s, lanes_add(lanes_add(sum[0], sum[1]), lanes_add(sum[2], sum[3])));
}

static void invert(double *x, double *f, int n, int n_f, int ld, double *work) {
    double *before = work;                            // P^T (8 x n)
    double *after = before + (size_t)B * (size_t)n;   // N (n x 8)
    double *f_before = after + (size_t)B * (size_t)n; // f_K (8 x ld)
    const ptrdiff_t n_x = n, n_ld = ld;

    for (int first = 0; first < n; first += B) {
        double *x_rows = x + first * n_x, *f_rows = f + first * n_ld;
        _Alignas(64) double d[B][B], s[B];

        // columns K before: rows before K lie in the rows of x, those after in its columns
        for (int j = 0; j < n; j += B) {
            if (j < first) {
                for (int k = 0; k < B; k++) {
                    lanes_store(before + k * n_x + j, lanes_load(x_rows + k * n_x + j));
                }
            } else if (j > first) {
                transpose_block(before + j, n_x, x + j * n_x + first, n_x);
            } else {
                for (int k = 0; k < B; k++) {
                    lanes_store(before + k * n_x + j, lanes_zero());
                }
            }
        }
        for (int k = 0; k < B; k++) {
            for (int j = 0; j < n_f; j += B) {
                lanes_store(f_before + k * n_ld + j, lanes_load(f_rows + k * n_ld + j));
            }
        }

        // the block's inverse
        for (int i = 0; i < B; i++) {
            s[i] = f_rows[i * n_ld + OHMI_WIRES_ROW_SUM];
            for (int j = 0; j < B; j++) {
                d[i][j] = i > j ? x_rows[i * n_x + first + j] : x_rows[j * n_x + first + i];
            }
        }
        add_later(s, x, n_x, first);
        invert_block(d, s);

        // columns K after
        for (int j = 0; j < n; j += B) {
            if (j < first) {
                times_block(x_rows + j, n_x, (const double(*)[B])d, before + j, n_x, B);
                transpose_block(after + j * B, B, x_rows + j, n_x);
            } else if (j > first) {
                _Alignas(64) double block[B * B];
                times_block(block, B, (const double(*)[B])d, before + j, n_x, B);
                transpose_block(after + j * B, B, block, B);
            }
        }

        // all other rows; columns K of x are not changed by zeros, and written then
        for (int i = 0; i < n; i += B) {
            if (i != first) {
                add_rows(x + i * n_x, n_x, after + i * B, before, n_x, i / B + 1);
                add_rows(f + i * n_ld, n_ld, after + i * B, f_before, n_ld, n_f / B);
            }
            if (i > first) {
                for (int r = 0; r < B; r++) {
                    lanes_store(x + (i + r) * n_x + first, lanes_load(after + (i + r) * B));
                }
            }
        }
        times_block(f_rows, n_ld, (const double(*)[B])d, f_before, n_ld, n_f);
        for (int i = 0; i < B; i++) {
            lanes_store(x_rows + i * n_x + first, lanes_load(d[i]));
        }
    }
}
