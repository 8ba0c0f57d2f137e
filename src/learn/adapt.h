// SPDX-License-Identifier: Apache-2.0
// Noise injection adaption: the errors that chips make in the sums of each layer, injected while
// training, so that what is learned bears them (He et al., DAC 2019). Their statistics are found
// once, over chips and images, by `ohmwise simulate --errors FILE`; no chip is needed to train.
//
//     y'[k] = y[k] + sum over i of d[k][i] x[i]
//     d[k][i] = f (gain w[k][i] + shift + own z[k][i] + common z'[block of k][i])
//
// for the weights w of a layer that are on, in codes; z, z' ~ N(0, 1), drawn anew for each step: a
// step sees one chip. A block is the outputs of one array, which have its offset column in common.
// f = adapt.scale. gain, shift, own, common: of the layer, fitted to errors that were seen
// (crossbar/errors.h) of this task, or where it was not seen of all that were.
//
// The first adapt.begin of a task's steps are learned without errors. Then batch norm keeps the
// running statistics that it has, and normalises with them, in training as later on a chip: nothing
// is taken off again of what a chip adds to a channel, and nothing is normalised in another way
// than it will be. (With statistics of the batch, what is the same for all pixels of a channel,
// which is most of what a faulty chip does, would be taken off in training only; and running ones
// gathered from disturbed sums are too wide for the network as it was meant.) Gradients pass d by.
//
// Of the paper only the abstract could be had. That errors are those of weights, when they begin,
// and what becomes of the statistics is this project's reading: a reconstruction.
#ifndef OHMI_ADAPT_H
#define OHMI_ADAPT_H

#include "learn/learner.h"

// What is injected into one layer.
typedef struct {
    double gain, shift, own, common;
    int64_t outputs; // of a block
} ohmi_adapt_layer;

typedef struct ohmi_adapt {
    int n_layers;
    int part;                 // of a batch that is learned in parts, from 0
    ohmi_adapt_layer *layers; // (n_layers + 1), the classifier last: of all tasks together
    int n_tasks;              // that may have layers of their own
    ohmi_adapt_layer **tasks; // (n_tasks) likewise; NULL = layers
    float *d;                 // of one layer (K, C, R, S)
    float *errors;            // its sums (p, q, n_pad, k_pad)
} ohmi_adapt;

// Reads adapt.noise for a network; *out = NULL where the config has none. A file of other layers is
// OHM_ERR_FORMAT. Free with ohmi_adapt_free.
OHM_NODISCARD ohm_status ohmi_adapt_read(ohmi_adapt **out, const ohmi_config *config,
                                         const ohmi_network *network, ohm_error *err);
void ohmi_adapt_free(ohmi_adapt **adapt);

// Between the two, steps of the learner's network in training, forward and back, have the errors of
// its position (seed, task, step), where these have begun; nothing happens where learner->adapt is
// NULL.
void ohmi_adapt_enter(ohmi_learner *learner);
void ohmi_adapt_leave(ohmi_learner *learner);

#endif
