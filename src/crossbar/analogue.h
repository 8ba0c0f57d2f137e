// SPDX-License-Identifier: Apache-2.0
// A learned network on one chip whose converters tell every sum apart: each layer's product with
// the weights that its arrays have (effective.h), between the same batch norms, activations and
// quantisers as in the integer network.
//
//     y[k] = sum over columns that are on of  code'[k] x  +  shift[k]
//
// Order of calls: new -> (program -> (read)* -> (switch -> measure)*)* -> free.
#ifndef OHMI_ANALOGUE_H
#define OHMI_ANALOGUE_H

#include "crossbar/effective.h"
#include "learn/learner.h"

typedef struct ohmi_analogue ohmi_analogue;

// values: keys of the arrays and of the device; learner: a quantised run, whose network is the
// analogue's until it is freed. Both must outlive it.
OHM_NODISCARD ohm_status ohmi_analogue_new(ohmi_analogue **out, ohmi_learner *learner,
                                           const ohmi_config *values, ohm_error *err);
// Gives the network back to its kernels.
void ohmi_analogue_free(ohmi_analogue **analogue);

// Makes the chip of a seed, as its read-th read finds it, with the effects that `device` has on.
OHM_NODISCARD ohm_status ohmi_analogue_program(ohmi_analogue *analogue, const ohmi_device *device,
                                               uint64_t chip, uint32_t read, ohm_error *err);

// Switches to a task (0-based): its columns, its classifier, its parameters.
OHM_NODISCARD ohm_status ohmi_analogue_switch(ohmi_analogue *analogue, int t, ohm_error *err);

// The device that the values describe, and where the layers are.
const ohmi_device *ohmi_analogue_device(const ohmi_analogue *analogue);
const ohmi_placed *ohmi_analogue_place(const ohmi_analogue *analogue);
// Arrays of the chip, with those of tasks' own copies.
int64_t ohmi_analogue_arrays(const ohmi_analogue *analogue);
// Cells of the chip programmed last, and what repairing it takes.
ohmi_effective_count ohmi_analogue_count(const ohmi_analogue *analogue);

#endif
