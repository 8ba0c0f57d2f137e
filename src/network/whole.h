// SPDX-License-Identifier: Apache-2.0
// A batch that is learned in parts, by as many networks: what is summed over the whole batch.
//
// Batch norm's statistics and their gradients, the clips, the loss and the gradients of the weights
// are sums over images, so that with a sum over parts each network makes the step of the whole
// batch. Where there is only one part nothing is called. The functions below cannot fail, as
// kernels cannot; the first failure is kept, and later sums are left out.
#ifndef OHMI_WHOLE_H
#define OHMI_WHOLE_H

#include "network/network.h"

// The images of the batch: of all parts where a step has said so (whole.n), else n.
int64_t ohmi_whole_images(const ohmi_network *network, int n);

// Sums data of all parts; each has the result. data: (n).
void ohmi_whole_sum(ohmi_network *network, double *data, int64_t n);

// Sums the gradients of the weights and of the classifier; those of batch norm, biases and clips
// are sums over all parts already. After backward.
void ohmi_whole_sum_gradients(ohmi_network *network);

#endif
