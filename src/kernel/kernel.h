// SPDX-License-Identifier: Apache-2.0
// The kernel table: convolution and linear products, one row a backend.
//
// Letters: N batch, C input channels, K output channels, H W input map, P Q output map, R S filter.
// Activations: float x[H][W][n_pad][c_pad], channel fastest ("[y][x][batch][channel]").
//   n_pad is a multiple of 16 >= N; rows N .. n_pad-1 are zero. c_pad is a multiple of 16 >= C;
//   channels C .. c_pad-1 are zero. Kernels keep both promises for what they write.
// Weights: float w[K][C][R][S], PyTorch's order, so that a crossbar column (output k, a group of
//   input channels) is one contiguous run. Kernels repack into their own workspace.
// A linear layer is a convolution with H = W = R = S = 1.
//
//   forward
//     y[p][q][n][k] = sum over c, r, s of x[p*stride+r-pad][q*stride+s-pad][n][c] w[k][c][r][s]
//
//   backward_data
//     dx[h][w][n][c] = sum over k, r, s of dy[p][q][n][k] w[k][c][r][s]
//       with p, q where p*stride+r-pad = h and q*stride+s-pad = w
//
//   backward_weight
//     dw[k][c][r][s] = sum over p, q, n of dy[p][q][n][k] x[p*stride+r-pad][q*stride+s-pad][n][c]
//
// Outputs are overwritten. Kernels cannot fail; they use ohmi_parallel inside, and every output
// element is summed in an order that does not depend on the number of threads.
// Exactness: when weights and inputs are integers, max |w| max |x| <= 2912 (the condition of
// winograd.h) and all sums stay below 2^24, the forward product of every backend is exact.
#ifndef OHMI_KERNEL_H
#define OHMI_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int n, c, k; // batch, input channels, output channels; all >= 1
    int h, w;    // input map
    int r, s;    // filter
    int stride, pad;
    int p, q;         // output map = (h + 2 pad - r) / stride + 1, likewise w, s
    int n_pad;        // rows of the batch in memory, multiple of 16
    int c_pad, k_pad; // channels in memory, multiples of 16
} ohmi_conv;

// Fills p, q, n_pad, c_pad, k_pad from the rest.
void ohmi_conv_complete(ohmi_conv *shape);

typedef struct {
    const char *name;        // "reference", "avx512", "amx", "onednn", "avx2"
    const char *description; // one line for `doctor`
    bool (*is_supported)(void);
    // Bytes of workspace (64-byte aligned) that any of the three calls below needs for a shape.
    size_t (*workspace)(const ohmi_conv *shape);
    void (*forward)(float *y, const float *x, const float *w, const ohmi_conv *shape, void *work);
    void (*backward_data)(float *dx, const float *dy, const float *w, const ohmi_conv *shape,
                          void *work);
    void (*backward_weight)(float *dw, const float *x, const float *dy, const ohmi_conv *shape,
                            void *work);
} ohmi_kernels;

// All rows, best first, *count of them; rows not supported here are included.
const ohmi_kernels *const *ohmi_kernels_all(int *count);

// The row of that name, or for "auto" the best supported one; NULL when unknown or not supported.
const ohmi_kernels *ohmi_kernels_find(const char *name);

extern const ohmi_kernels ohmi_kernels_reference;

#endif
