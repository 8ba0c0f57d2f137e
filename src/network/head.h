// SPDX-License-Identifier: Apache-2.0
// The classifier of the bound task: logits = step_w step_x (codes of w * codes of x) + bias.
#ifndef OHMI_HEAD_H
#define OHMI_HEAD_H

#include "network/network.h"

// Its shape: a linear layer of the bound task's classes.
ohmi_conv ohmi_head_shape(const ohmi_network *network);

// Fills head_w with the codes of its weights, or the weights where they are float, and head_step.
void ohmi_head_codes(ohmi_network *network);

// Turns network->logits from products into logits. input_step: worth of one unit of the inputs.
void ohmi_head_logits(ohmi_network *network, float input_step);

#endif
