// SPDX-License-Identifier: Apache-2.0
// CONFIG [key=value ...] of the commands that learn: filling a config from file, environment and
// command line.
#ifndef OHMCLI_CONFIG_CALL_H
#define OHMCLI_CONFIG_CALL_H

#include "ohmwise/config.h"
#include "options.h"

// Fills a new config: file, environment, command line, the later wins. The first operand is the
// file or preset, the others are key=value. Returns an exit code, after saying what was wrong.
int ohmcli_fill_config(ohm_config *config, const ohmcli_call *call);

// The command line as it can be typed again, for the manifest; for free. NULL when memory is out.
char *ohmcli_join_command(int argc, char **argv);

#endif
