// SPDX-License-Identifier: Apache-2.0
// A hardware preset on its way from file and command line to a complete component table.
#ifndef OHMI_HARDWARE_PRESET_H
#define OHMI_HARDWARE_PRESET_H

#include "config/values.h"
#include "hardware/keys.h"
#include "ohmwise/cost.h"

struct ohm_hardware {
    ohmi_hardware values;
    bool is_set[OHMI_MOST_FIELDS];   // by a file or by ohm_hardware_set; by index of the field
    bool is_given[OHMI_MOST_FIELDS]; // by ohm_hardware_set
    ohmi_mark marks[OHMI_MOST_FIELDS];
    char path[512]; // of the file loaded last; "" = none
};

// The values with all that was left out worked out: the component table of the circuit estimator,
// where the preset asks for it. Fails for rows that are missing, naming the first.
OHM_NODISCARD ohm_status ohmi_hardware_resolve(ohmi_hardware *out, const ohm_hardware *hardware,
                                               ohm_error *err);

// The same for a network that config maps: array sizes, bits of cells and converters, and the
// coding of weights are the config's where the preset does not set them; word lines always.
OHM_NODISCARD ohm_status ohmi_hardware_for(ohmi_hardware *out, const ohm_hardware *hardware,
                                           const ohmi_config *config, ohm_error *err);

#endif
