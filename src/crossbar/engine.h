// SPDX-License-Identifier: Apache-2.0
// A learned network on a drawn chip, by whichever of two computations serves:
//
//   analogue.h   converters tell every sum apart and nothing is drawn with each conversion: an
//                array is linear, a layer is one product with real weights
//   chip.h       converters of some bits, or noise of conversions: bit by bit, line by line
//
// Both get their cells from effective.h.
#ifndef OHMI_ENGINE_H
#define OHMI_ENGINE_H

#include "crossbar/effective.h"
#include "learn/learner.h"

typedef struct ohmi_engine ohmi_engine;

// values: keys of arrays, converters and devices; both must outlive the engine, to which the
// learner's network belongs meanwhile. Converters that want calibration get it when the first chip
// is made, from one with nothing wrong, unless repair.range.
OHM_NODISCARD ohm_status ohmi_engine_new(ohmi_engine **out, ohmi_learner *learner,
                                         const ohmi_config *values, ohm_error *err);
void ohmi_engine_free(ohmi_engine **engine);

// Makes the chip of a seed, as its read-th read finds it, with the effects that `device` has on.
OHM_NODISCARD ohm_status ohmi_engine_program(ohmi_engine *engine, const ohmi_device *device,
                                             uint64_t chip, uint32_t read, ohm_error *err);
// Switches to a task (0-based). Forward passes of the network then go through the chip.
OHM_NODISCARD ohm_status ohmi_engine_switch(ohmi_engine *engine, int t, ohm_error *err);

// The device that the values describe, where the layers are, arrays with those of tasks' own
// copies, and what there is to repair.
const ohmi_device *ohmi_engine_device(const ohmi_engine *engine);
const ohmi_placed *ohmi_engine_place(const ohmi_engine *engine);
int64_t ohmi_engine_arrays(const ohmi_engine *engine);
ohmi_effective_count ohmi_engine_count(const ohmi_engine *engine);

#endif
