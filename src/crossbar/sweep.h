// SPDX-License-Identifier: Apache-2.0
// The settings of a simulation: those that are the same throughout, and a key that takes one value
// after another.
#ifndef OHMI_SWEEP_H
#define OHMI_SWEEP_H

#include "ohmwise/config.h"
#include "ohmwise/simulate.h"
#include "ohmwise/status.h"

enum { OHMI_MOST_SETTINGS = 256 };

typedef struct {
    char key[64];
    char *values[OHMI_MOST_SETTINGS]; // (n) into text
    char *text;                       // NULL = no sweep, one setting
    int n;
} ohmi_sweep;

// Splits "key=value,value"; text NULL = one setting. Clear with ohmi_sweep_clear, whether it failed
// or not.
OHM_NODISCARD ohm_status ohmi_sweep_split(ohmi_sweep *sweep, const char *text, ohm_error *err);
void ohmi_sweep_clear(ohmi_sweep *sweep);

// The config of a setting: the run's, def's settings over it, the value of the sweep. Keys of
// learning are OHM_ERR_CONFIG. Free with ohm_config_free.
OHM_NODISCARD ohm_status ohmi_sweep_config(ohm_config **out, const ohmi_sweep *sweep, int setting,
                                           const ohm_simulate_def *def, ohm_error *err);

// A setting in a line, cut to fit.
void ohmi_sweep_label(char *label, size_t room, const ohmi_sweep *sweep, int setting,
                      const ohm_simulate_def *def);

#endif
