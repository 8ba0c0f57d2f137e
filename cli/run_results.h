// SPDX-License-Identifier: Apache-2.0
// Reads what a run folder says of its results.
#ifndef OHMCLI_RUN_RESULTS_H
#define OHMCLI_RUN_RESULTS_H

#include <jansson.h>

// metrics.json of a run, for json_decref; NULL after an error was said.
json_t *ohmcli_run_metrics(const char *run);

// The 0-based index of a task given by its number (from 1) or its name; -1 after an error was said.
int ohmcli_run_task(const char *run, const char *task);

#endif
