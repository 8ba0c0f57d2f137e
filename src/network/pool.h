// SPDX-License-Identifier: Apache-2.0
// Max pooling and the global mean, forward and backward, in the layout [y][x][batch][channel].
#ifndef OHMI_POOL_H
#define OHMI_POOL_H

#include "network/network.h"

// The winner's place in the window is kept as a byte when the node has an index.
void ohmi_maxpool_forward(const ohmi_network *network, ohmi_node *node);
// Sends node->gradient to the winners: overwrites dx.
void ohmi_maxpool_backward(const ohmi_network *network, const ohmi_node *node, float *dx);
// The mean over the map, as a real value (step 1).
void ohmi_avgpool_forward(const ohmi_network *network, ohmi_node *node);
void ohmi_avgpool_backward(const ohmi_network *network, const ohmi_node *node, float *dx);

#endif
