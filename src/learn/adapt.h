// SPDX-License-Identifier: Apache-2.0
// Noise injection adaption: the errors that a chip makes in the sums of each layer, injected while
// training, so that what is learned bears them (He et al., DAC 2019). Their statistics are found
// once, over chips and images, by `ohmwise simulate --errors FILE`; no chip is needed to train.
//
//     y' = y + r (mean + deviation z)      r = sqrt(mean of y^2) over the batch, z ~ N(0, 1)
//
// y: sums of a convolution or classifier, in its own units; mean, deviation: of the layer, in parts
// of r. The gradient is that of y. Of the paper only the abstract could be had: that errors are
// taken relative to r is this project's reading, since sums grow and shrink while training.
#ifndef OHMI_ADAPT_H
#define OHMI_ADAPT_H

#include "learn/learner.h"

// What is injected into each layer.
typedef struct ohmi_adapt {
    int n_layers;
    int part;                 // of a batch that is learned in parts, from 0
    double *mean, *deviation; // (n_layers + 1), the classifier last
} ohmi_adapt;

// Reads adapt.noise for a network; *out = NULL where the config has none. A file of other layers is
// OHM_ERR_FORMAT. Free with ohmi_adapt_free.
OHM_NODISCARD ohm_status ohmi_adapt_read(ohmi_adapt **out, const ohmi_config *config,
                                         const ohmi_network *network, ohm_error *err);
void ohmi_adapt_free(ohmi_adapt **adapt);

// Between the two, forward passes of the learner's network have the noise of its position (seed,
// task, step); nothing happens where learner->adapt is NULL.
void ohmi_adapt_enter(ohmi_learner *learner);
void ohmi_adapt_leave(ohmi_learner *learner);

#endif
