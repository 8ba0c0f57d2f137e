// SPDX-License-Identifier: Apache-2.0
// Profiling a chip once: which digits of which weights are stuck, and what they count, as
// learn/profile.h reads it.
//
//   LAYER/partial  float32 (2^lines, 2 top + 1): what the lines outside of a set count for a code
//   LAYER/stuck    uint8   (K, C, R, S): the set of a weight's lines that are stuck
//   LAYER/value    float32 (K, C, R, S): what those count, less what is taken off
#ifndef OHMI_PROFILING_H
#define OHMI_PROFILING_H

#include "crossbar/device.h"
#include "layout/place.h"

// Writes the file for the chip of a seed: stuck cells and broken lines, of all layers but
// classifiers. OHM_ERR_UNSUPPORTED where a weight has more than 8 lines.
OHM_NODISCARD ohm_status ohmi_profiling_save(const char *path, const ohmi_placed *place,
                                             const ohmi_device *device, uint64_t chip,
                                             ohm_error *err);

#endif
