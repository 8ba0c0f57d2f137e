// SPDX-License-Identifier: Apache-2.0
// What a command line says of configs: CONFIG [key=value ...], and presets of hardware.
#ifndef OHMCLI_CONFIG_CALL_H
#define OHMCLI_CONFIG_CALL_H

#include "ohmwise/config.h"
#include "ohmwise/cost.h"
#include "options.h"

// Fills a new config: file, environment, command line, the later wins. The first operand is the
// file or preset, the others are key=value. Returns an exit code, after saying what was wrong.
int ohmcli_fill_config(ohm_config *config, const ohmcli_call *call);

// Only the keys: operands from the second on. Returns an exit code, after saying what was wrong.
int ohmcli_set_keys(ohm_config *config, const ohmcli_call *call);

// Loads a preset of hardware or a file into new hardware, with key=value over it: of the option of
// that name, which may be given again, or (option NULL) of the operands from the second on. Returns
// an exit code, after saying what was wrong.
int ohmcli_load_hardware(ohm_hardware *hardware, const ohmcli_call *call, const char *preset,
                         const char *option);

// The command line as it can be typed again, for the manifest; for free. NULL when memory is out.
char *ohmcli_join_command(int argc, char **argv);

#endif
