// SPDX-License-Identifier: Apache-2.0
// Which rows of a gradient's operand are programmed, and what the others leave behind.
//
// The size s of row i, a part of what is largest (insitu.size; e = max_k |dy[i][k]| / max |dy|,
// a = max |A[i]| / range of A):
//
//     error      s = e
//     product    s = e a
//     norm       s = |dy[i]| / max |dy[i]| * |A[i]| / (range of A sqrt(C R S)), root sums of
//     squares:
//                what row i adds to dW has the norm |dy[i]| |A[i]|, and draws in proportion to it
//                have the least variance (Kahn and Marshall, Operations Research 1, 1953)
//
// and with a threshold x (insitu.error, or that which insitu.error_ratio asks for), insitu.choice:
//
//     cut        kept where s >= x
//     scale      likewise; the gradient is then taken (sum of s of all) / (sum of s of the kept)
//                times, one digital factor a layer and batch
//     draw       kept with probability p = min(1, s / x), and its errors driven 1 / p times as
//                large: the expected gradient is that of all rows. The range that an error's bits
//                are of, one of a layer and batch, is that of the largest error so multiplied.
//
// With insitu.balance the errors of kept rows are driven as w (dy[i][k] + shift[k]), w = 1 / p (1
// for cut and scale), shift[k] = (sum of dy[k] of all rows - sum of w dy[k] of kept ones) / (sum of
// w of kept ones), rows of zeros aside: their sum is that of all rows (behind batch norm 0), as if
// the rest of the errors met the mean of the kept rows' inputs (a regression estimator; Cochran,
// Sampling Techniques, 1977, 7.1). Inputs behind a ReLU have a mean, and errors that do not add up
// would drive that.
//
// Draws are systematic (Madow, Annals of Mathematical Statistics 20, 1949): a sum that starts at a
// random part of 1 grows by p from row to row, image by image, and a row is kept where it passes a
// whole number. So neighbours share what is kept, their number is the sum of p to within one, and a
// controller needs one accumulator and one random number a layer and batch.
//
// A row whose inputs are below insitu.activation is left out whatever its errors are.
//
// With insitu.error_ratio rho, x is chosen anew every insitu.every batches, on at most 1024 rows at
// equal distances: the quantile rho of s, or (draw) where the mean of p is 1 - rho. With
// insitu.share: lines the part that is kept is not 1 - rho but min(1, (1 - rho) lines / rows of an
// image): no word line of any layer is programmed more than (1 - rho) times an image in the mean
// (insitu.rows: rotate), and layers with few positions, which cost little, keep all.
#ifndef OHMI_INSITU_CHOOSE_H
#define OHMI_INSITU_CHOOSE_H

#include "insitu/rows.h"

// What was decided of a batch, beside room->is_kept and room->weight.
typedef struct {
    int64_t n_kept;   // rows that are programmed
    int64_t n_driven; // positions whose errors go back
    bool is_changed;  // the gradient differs from that of all rows
    float factor;     // of the gradient; 1 unless insitu.choice is scale
    float range; // the largest error, multiplied, of those that are driven; at least that of all
} ohmi_row_choices;

// For n images, of which room has error_most and row_most; most: the largest error. Fills
// room->is_kept and room->weight: what errors are multiplied with where they are driven, 0 = not
// driven into transposed weights either (insitu.drop_errors). batch: its number, for draws.
ohmi_row_choices ohmi_rows_choose(ohmi_rows *rows, ohmi_rows_room *room, int n, float most,
                                  int64_t batch);

#endif
