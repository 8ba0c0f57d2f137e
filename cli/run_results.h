// SPDX-License-Identifier: Apache-2.0
// Reads what a run folder says of its results.
#ifndef OHMCLI_RUN_RESULTS_H
#define OHMCLI_RUN_RESULTS_H

#include <jansson.h>

// Reads a file of JSON of a run, for json_decref. Returns an exit code; where that is not 0, an
// error was said and *out is NULL.
int ohmcli_run_file(json_t **out, const char *run, const char *file);

// The same of metrics.json, with its list of tasks.
int ohmcli_run_metrics(json_t **metrics, const char *run);

// The 0-based index of a task given by its number (from 1) or its name. Returns an exit code; where
// that is not 0, an error was said.
int ohmcli_run_task(int *index, const char *run, const char *task);

// A number of an object, NaN where there is none.
double ohmcli_number(const json_t *object, const char *key);

#endif
