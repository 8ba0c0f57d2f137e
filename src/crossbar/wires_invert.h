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
// and two such blocks one after the other, where what both do to the other rows is added at once.
#include <string.h>

#include "crossbar/wires_kernel.h"
#include "crossbar/wires_lanes.h"

enum { B = OHMI_WIRES_BLOCK, PAIR = 2 * B };

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

// c (rows x 8 wide, stride ld) += a (rows x n_k, stride PAIR) * b (n_k x 8 wide, stride ld_b)
OHMI_INLINE void add_tile(double *c, ptrdiff_t ld, const double *a, const double *b, ptrdiff_t ld_b,
                          const int n_k, const int rows, const int wide) {
    lanes sum[OHMI_TILE_ROWS][OHMI_TILE_WIDE], right[OHMI_TILE_WIDE];
    OHMI_UNROLL
    for (int r = 0; r < rows; r++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            sum[r][v] = lanes_load(c + r * ld + v * B);
        }
    }
    for (int k = 0; k < n_k; k++) {
        OHMI_UNROLL
        for (int v = 0; v < wide; v++) {
            right[v] = lanes_load(b + k * ld_b + v * B);
        }
        OHMI_UNROLL
        for (int r = 0; r < rows; r++) {
            const lanes left = lanes_all(a[r * PAIR + k]);
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

// eight rows of c, n_blocks blocks of eight columns: c += a b, as add_tile
OHMI_INLINE void add_rows(double *c, ptrdiff_t ld, const double *a, const double *b, ptrdiff_t ld_b,
                          const int n_k, int n_blocks) {
    for (int r = 0; r < B; r += OHMI_TILE_ROWS) {
        const double *left = a + r * PAIR;
        double *row = c + r * ld;
        int j = 0;
        for (; j + OHMI_TILE_WIDE <= n_blocks; j += OHMI_TILE_WIDE) {
            add_tile(row + j * B, ld, left, b + j * B, ld_b, n_k, OHMI_TILE_ROWS, OHMI_TILE_WIDE);
        }
        if (OHMI_TILE_WIDE > 2 && n_blocks - j == 2) {
            add_tile(row + j * B, ld, left, b + j * B, ld_b, n_k, OHMI_TILE_ROWS,
                     OHMI_TILE_WIDE > 2 ? 2 : 1);
        } else if (OHMI_TILE_WIDE > 1 && n_blocks - j == 1) {
            add_tile(row + j * B, ld, left, b + j * B, ld_b, n_k, OHMI_TILE_ROWS, 1);
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

// What two blocks leave for all other rows, (before, f_before) of the second block behind those of
// the first.
typedef struct {
    double *before;   // (16 x n) columns of x before a block
    double *after;    // (n x 16) and behind it
    double *f_before; // (16 x ld) rows of f before it
} panels;

// Eliminates block K, rows first .. first + 7, as the `half`-th of a pair: fills its half of the
// panels, and writes its rows and columns of x and its rows of f. All other rows are left.
OHMI_INLINE void eliminate_block(double *x, double *f, ptrdiff_t n, int n_f, ptrdiff_t ld,
                                 int first, int half, const panels *p) {
    double *x_rows = x + first * n, *f_rows = f + first * ld;
    double *before = p->before + half * B * n, *after = p->after + half * B;
    double *f_before = p->f_before + half * B * ld;
    _Alignas(64) double d[B][B], s[B], block[B * B];

    // columns K before: rows before K lie in the rows of x, those behind in its columns
    for (int j = 0; j < n; j += B) {
        for (int k = 0; k < B && j <= first; k++) {
            lanes_store(before + k * n + j,
                        j < first ? lanes_load(x_rows + k * n + j) : lanes_zero());
        }
        if (j > first) {
            transpose_block(before + j, n, x + j * n + first, n);
        }
    }
    for (int k = 0; k < B; k++) {
        for (int j = 0; j < n_f; j += B) {
            lanes_store(f_before + k * ld + j, lanes_load(f_rows + k * ld + j));
        }
    }

    // the block's inverse
    for (int i = 0; i < B; i++) {
        s[i] = f_rows[i * ld + OHMI_WIRES_ROW_SUM];
        for (int j = 0; j < B; j++) {
            d[i][j] = i > j ? x_rows[i * n + first + j] : x_rows[j * n + first + i];
        }
    }
    add_later(s, x, n, first);
    invert_block(d, s);

    // columns K behind it, and f
    for (int j = 0; j < n; j += B) {
        if (j < first) {
            times_block(x_rows + j, n, (const double(*)[B])d, before + j, n, B);
            transpose_block(after + j * PAIR, PAIR, x_rows + j, n);
        } else if (j > first) {
            times_block(block, B, (const double(*)[B])d, before + j, n, B);
            transpose_block(after + j * PAIR, PAIR, block, B);
        }
        for (int r = 0; r < B; r++) {
            if (j > first) {
                lanes_store(x + (j + r) * n + first, lanes_load(after + (j + r) * PAIR));
            } else if (j == first) {
                lanes_store(after + (j + r) * PAIR, lanes_zero());
                lanes_store(x_rows + r * n + first, lanes_load(d[r]));
            }
        }
    }
    times_block(f_rows, ld, (const double(*)[B])d, f_before, ld, n_f);
}

// Takes the first block of a pair into the rows and columns of the second, whose rows begin at
// `second`; afterwards the pair's update passes them by.
OHMI_INLINE void prepare_second(double *x, double *f, ptrdiff_t n, int n_f, ptrdiff_t ld,
                                int second, const panels *p) {
    add_rows(x + second * n, n, p->after + second * PAIR, p->before, n, B, second / B + 1);
    for (int i = second + B; i < n; i += B) {
        add_rows(x + i * n + second, n, p->after + i * PAIR, p->before + second, n, B, 1);
    }
    add_rows(f + second * ld, ld, p->after + second * PAIR, p->f_before, ld, B, n_f / B);
    for (int k = 0; k < B; k++) {
        lanes_store(p->before + k * n + second, lanes_zero());
    }
}

static void invert(double *x, double *f, int n, int n_f, int ld, double *work) {
    const ptrdiff_t n_x = n, n_ld = ld;
    const panels p = {work, work + PAIR * n_x, work + 2 * PAIR * n_x};
    for (int first = 0; first < n; first += PAIR) {
        const int second = first + B < n ? first + B : -1;
        eliminate_block(x, f, n_x, n_f, n_ld, first, 0, &p);
        if (second > 0) {
            prepare_second(x, f, n_x, n_f, n_ld, second, &p);
            eliminate_block(x, f, n_x, n_f, n_ld, second, 1, &p);
        }

        // all other rows, and those of the first block for the second; what a block has written
        // in its own rows and columns meets zeros
        for (int i = 0; i < n; i += B) {
            double *x_rows = x + i * n_x, *f_rows = f + i * n_ld;
            const double *after = p.after + i * PAIR;
            if (i == second || (i == first && second < 0)) {
                continue;
            }
            if (second > 0) {
                add_rows(x_rows, n_x, after, p.before, n_x, PAIR, i / B + 1);
                add_rows(f_rows, n_ld, after, p.f_before, n_ld, PAIR, n_f / B);
            } else {
                add_rows(x_rows, n_x, after, p.before, n_x, B, i / B + 1);
                add_rows(f_rows, n_ld, after, p.f_before, n_ld, B, n_f / B);
            }
        }
    }
}
