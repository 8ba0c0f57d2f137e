// SPDX-License-Identifier: Apache-2.0
// How many images any schedule could finish on a trace: an upper bound.
//
// Let w_l be the passes of layer l that are done at the end, parts of passes too. An image is
// finished when it is through all layers, so for weights lambda_l >= 0 with sum 1
//
//     images <= min over l of w_l <= sum over l of lambda_l w_l.                             (1)
//
// At any moment with power p, let each layer l take power p_l, sum p_l <= p. No mode of it, nor two
// in turn, works faster than h_l(p_l), the concave hull of (power, cells a second over the layer's
// cells) of all its modes: a tile that is cut short by an edge or by what is done has fewer cells
// in the same time, waking and lost steps give none. So
//
//     d/dt sum lambda_l w_l <= R(p) = max of sum lambda_l h_l(p_l)  over  sum p_l <= p.       (2)
//
// R is a sum of concave functions under one budget: power goes to the pieces of the hulls in the
// order of lambda_l x slope. R is concave, so for a set of moments of length tau with energy e the
// integral of R(p(t)) is at most tau R(e / tau) (Jensen), which is why a histogram of the power
// that keeps time and energy by bin is enough. With a capacitor, powers can be moved in time: then
// the whole trace is one bin (and the energy what was harvested; conversion only loses). Power that
// the machine takes whatever it does is not taken off, which makes the bound larger, not smaller.
//
// (1) and (2) hold for every lambda; the bound is the least found by mirror descent, whose gradient
// is w_l of the best split. At the least, this is the value of the fluid schedule (linear
// programming duality), so nothing is lost but whole steps, dependences and edges.
#ifndef OHMI_BOUND_H
#define OHMI_BOUND_H

#include "harvest/modes.h"
#include "harvest/power.h"

// *images = the bound. can_store: with a capacitor.
OHM_NODISCARD ohm_status ohmi_bound_images(double *images, const ohmi_layer_modes *modes,
                                           int n_layers, const ohmi_power_statistics *power,
                                           bool can_store, ohm_error *err);

#endif
