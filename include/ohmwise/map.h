// SPDX-License-Identifier: Apache-2.0
// A learned run placed on crossbar arrays, all its tasks in one chip.
#ifndef OHMWISE_MAP_H
#define OHMWISE_MAP_H

#include <stdint.h>

#include "ohmwise/status.h"

typedef struct {
    const char *run_folder;      // of ohm_learn
    const char *const *settings; // (n_settings) "key=value" of the sections array, fault, cell and
    int n_settings;              // chip, over those of the run's config
    const char *path;            // file of the result; NULL = run_folder/map.json
    int64_t array;               // the one that is drawn, from 0; -1 = the one with most owners
    const char *picture;         // SVG file of that array; NULL = none
} ohm_map_def;

// Places a quantised run and writes the result (docs/map.md) as JSON, and the picture when it is
// asked for, each whole or not at all. Needs no data set. *json is the same document; for
// ohm_text_free. The keys of the section fault draw the cells of that chip that are stuck.
// Errors: OHM_ERR_ARGUMENT for a run in float or an array that is not there, OHM_ERR_CONFIG for
// keys that the run was learned with and for arrays too narrow for one weight.
OHM_API OHM_NODISCARD ohm_status ohm_map(char **json, const ohm_map_def *def, ohm_error *err);

#endif
