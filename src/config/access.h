// SPDX-License-Identifier: Apache-2.0
// The values of a config, for code inside the library.
#ifndef OHMI_CONFIG_ACCESS_H
#define OHMI_CONFIG_ACCESS_H

#include "config/config.h"
#include "ohmwise/config.h"

// Borrowed; valid while the config lives and is not changed.
const ohmi_config *ohmi_config_values(const ohm_config *config);

#endif
