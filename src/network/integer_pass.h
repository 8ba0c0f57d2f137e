// SPDX-License-Identifier: Apache-2.0
// The forward pass of a quantised network in integers: maps of 8-bit codes, weights of 8 bits,
// exact sums, and the norm of each convolution done before its sums are stored (kernel/integer.h).
//
// The same operations in the same order as ohmi_network_forward with OHMI_MODE_INFER, on a quarter
// of the bytes: where that one is exact, logits have the same bits. The maps lie where the float
// ones would: after this pass a node's `value` holds uint8_t codes, [y][x][batch][channel].
#ifndef OHMI_INTEGER_PASS_H
#define OHMI_INTEGER_PASS_H

#include "kernel/integer.h"
#include "network/network.h"

// Packs the weights as w_eff and the bound task's head have them now, so call it again when they
// have changed. *is_ready = false, and the float pass is to be taken, where the backend has no
// integer products, something is not quantised, weights are not whole numbers within +-127, sums
// may leave 32 bits, or a number of the bound task is out of range. Memory is taken the first time.
OHM_NODISCARD ohm_status ohmi_integer_prepare(bool *is_ready, ohmi_network *network,
                                              ohm_error *err);

// Forward pass of n images with what was prepared. x: (h, w, n_pad, c_pad), codes within +-127 as
// floats. Logits as ohmi_network_forward gives them.
void ohmi_integer_forward(ohmi_network *network, const float *x, int n);

// What a network holds for it; NULL is allowed.
void ohmi_integer_free(ohmi_integer_pass **pass);

#endif
