// SPDX-License-Identifier: Apache-2.0
// The network that a run begins with: one task's of another run, learned or imported.
//
// A weight of the backbone is what its task multiplies with before rounding, level times weight. A
// unit of this run belongs to the backbone (owner 254) where any weight of it was on, else it is
// free. Batch norm, biases and clips of the backbone are what each task begins with; its classifier
// is left behind. Where both runs have the same grid of weights the step of each layer is the
// backbone's, so that a mask that is all on gives its network bit for bit; otherwise the step is
// fitted to its weights once.
#ifndef OHMI_BACKBONE_H
#define OHMI_BACKBONE_H

#include "learn/learner.h"

// Fills a fresh learner whose config names a backbone; run_folder: this run's, for a message.
// OHM_ERR_ARGUMENT when the network is another, or has no free unit for a method that needs some.
OHM_NODISCARD ohm_status ohmi_backbone_read(ohmi_learner *learner, const char *run_folder,
                                            ohm_error *err);

#endif
