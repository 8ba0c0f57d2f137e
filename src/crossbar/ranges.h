// SPDX-License-Identifier: Apache-2.0
// Fitting the ranges of converters: of a list of converters the one is taken, a layer at a time,
// with the least
//
//     E = sum over outputs of (y' - y)^2
//
// y: the layer's outputs on training images, after shift-add and adder tree, with every sum told
// apart; y': the same with the converters that are tried, for the same inputs. With low .. high the
// calibrated range (adc.h), s0 = (high - low) / (2^bits - 1) and digits j = 0 .. n - 1, least
// significant first, the list is
//
//     step of digit j = m_j s     s = s0 2^(-i/4), i = 0 .. 20, while s >= 1; and s = 1
//                                 m_j = min(r^(n-1-j), 16), r = 1, 2, 4
//
// each from `low` on, so that narrower ranges cut off at the top, or where they are longer than low
// .. high from as far towards 0 as they reach. i = 0, r = 1 is the calibrated range, so that a
// fitted one is never worse; s = 1 with r = 1 tells all sums apart that bits suffice for. Given
// levels: r = 1 only, the range low .. low + (2^bits - 1) s.
//
// Minimising squared errors of sums is usual for quantisers; the list is this project's.
#ifndef OHMI_RANGES_H
#define OHMI_RANGES_H

#include "crossbar/chip_task.h"

// Trials for all layers of a chip whose calibrated ranges are low .. high (n_layers). Clear with
// ohmi_trials_clear, whether it failed or not.
OHM_NODISCARD ohm_status ohmi_trials_init(ohmi_trials *trials, const ohmi_chip *chip,
                                          const double *low, const double *high, ohm_error *err);
void ohmi_trials_clear(ohmi_trials *trials);

// Before and after a forward pass of a layer, whose blocks fill trials->square between the two.
void ohmi_trials_begin(ohmi_trials *trials, const ohmi_chip *chip, int layer);
void ohmi_trials_end(ohmi_trials *trials, int layer);

// Gives a layer the converters with the least error.
OHM_NODISCARD ohm_status ohmi_trials_choose(const ohmi_trials *trials, ohmi_chip *chip, int layer,
                                            ohm_error *err);

#endif
