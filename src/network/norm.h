// SPDX-License-Identifier: Apache-2.0
// Batch norm or bias, residual sum, ReLU and activation quantiser as one node.
//
// With x the value of the convolution, s its worth, eps = 1e-5 (PyTorch's), M = pixels * images:
//   training   mu = mean(s x), v = mean((s x - mu)^2)
//              running mean += momentum (mu - mean), variance += momentum (v M/(M-1) - variance)
//   inference  mu, v = the running ones
//   pre = gamma (s x - mu) / sqrt(v + eps) + beta = a x + b      [+ residual value * its step]
//   y = pre | max(pre, 0) | level(max(pre, 0) / step), step = clip / top
// Backward, g = dL/dy where 0 < pre (< clip), else 0 (straight-through; Ioffe and Szegedy 2015):
//   dclip = sum over y of dL/dy * (1 if pre >= clip, else (q step - pre)/clip if pre > 0)
//           / sqrt(count * top)            (LSQ's gradient: Esser et al., ICLR 2020)
//   dbeta = sum g, dgamma = sum g xhat, dx = gamma/sqrt(v+eps) (g - dbeta/M - xhat dgamma/M)
#ifndef OHMI_NORM_H
#define OHMI_NORM_H

#include "network/network.h"

void ohmi_norm_forward(ohmi_network *network, ohmi_node *node, int n, ohmi_mode mode,
                       float momentum);

// Fills node->a and node->b for inference, from the bound task; node's input has its step.
void ohmi_norm_map(const ohmi_network *network, ohmi_node *node);

// Reads node->gradient; overwrites dx, the gradient of the input times what the input's
// gradient_scale then undoes; adds to or sets d_residual (nullable) as add_residual says.
void ohmi_norm_backward(ohmi_network *network, ohmi_node *node, int n, float *dx, float *d_residual,
                        bool add_residual);

#endif
