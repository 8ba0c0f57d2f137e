// SPDX-License-Identifier: Apache-2.0
// The values of a config, for code inside the library.
#ifndef OHMI_CONFIG_ACCESS_H
#define OHMI_CONFIG_ACCESS_H

#include "base/text.h"
#include "config/config.h"
#include "ohmwise/config.h"

// Borrowed; valid while the config lives and is not changed.
const ohmi_config *ohmi_config_values(const ohm_config *config);

// Adds a line "key=value" for every key but those in without (NULL-terminated; NULL = none): equal
// texts are equal configs.
void ohmi_config_add_lines(ohmi_text *out, const ohm_config *config, const char *const *without);

#endif
