// SPDX-License-Identifier: Apache-2.0
// What compare, report of several runs, and sweep share: making a comparison from what a command
// line says, checking its conditions.
#ifndef OHMCLI_COMPARISON_H
#define OHMCLI_COMPARISON_H

#include "cli.h"
#include "ohmwise/report.h"

// Reads runs and the files of --published. operands (n): RUN or NAME=RUN, the latter cut at the
// '='. title may be NULL. Returns an exit code, after saying what was wrong; *out is for
// ohm_comparison_free.
int ohmcli_comparison_read(ohm_comparison **out, const ohmcli_call *call, char **operands, int n,
                           const char *title);

// Whether the conditions of --require can be understood; with a comparison also whether it has
// their fields. Returns an exit code, after saying what was wrong.
int ohmcli_require_understood(const ohmcli_call *call, const ohm_comparison *comparison);
// Says which conditions of --require are not met: 4, else 0.
int ohmcli_require_met(const ohmcli_call *call, const ohm_comparison *comparison);

// Prints a form on stdout, or writes it into path. Return an exit code, after saying what was
// wrong.
int ohmcli_comparison_print(const ohm_comparison *comparison, ohm_comparison_form form);
int ohmcli_comparison_save(const ohm_comparison *comparison, ohm_comparison_form form,
                           const char *path);

#endif
