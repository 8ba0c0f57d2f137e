// SPDX-License-Identifier: Apache-2.0
// Settings "key=value" over the config of a finished run: arrays and converters may be others than
// those it was learned with, what it has learned may not.
#ifndef OHMI_SETTINGS_H
#define OHMI_SETTINGS_H

#include <stdbool.h>

#include "ohmwise/config.h"

// Sets settings (n_settings) over a loaded config and checks it. Keys outside the sections
// (NULL-terminated) are OHM_ERR_CONFIG with the sections as hint, as are unknown keys and values
// out of range.
OHM_NODISCARD ohm_status ohmi_config_settle(ohm_config *config, const char *const *settings,
                                            int n_settings, const char *const *sections,
                                            ohm_error *err);

// Whether a key is of one of the sections (NULL-terminated).
bool ohmi_config_is_within(const char *key, const char *const *sections);
// A run's config names every key: what is at its default in the sections (NULL-terminated) counts
// as not set from here on, so that presets among later settings reach it.
void ohmi_config_forget_defaults(ohm_config *config, const char *const *sections);

#endif
