// SPDX-License-Identifier: Apache-2.0
// A folder that is put together beside its place and then takes it at once. Whoever dies on the way
// leaves the old folder where it was, or at least whole in a hidden one, from where the next call
// brings it back.
//
//     FOLDER/NAME                  the place
//     FOLDER/.NAME-XXXXXX          staging, locked as long as its process lives
//     FOLDER/.NAME-XXXXXX/finished what will be put in place
//     FOLDER/.NAME-XXXXXX/before   the old folder, for a moment, where two cannot be exchanged
#ifndef OHMI_STAGING_H
#define OHMI_STAGING_H

#include <limits.h>
#include <stdbool.h>

#include "ohmwise/status.h"

typedef struct {
    char path[PATH_MAX];     // "" = not open
    char place[PATH_MAX];    // FOLDER/NAME
    char finished[PATH_MAX]; // path/finished; the caller makes and fills it
    int lock;                // open file of the folder
    bool must_stay;          // it holds the only copy of the old folder
} ohmi_staging;

// Makes a new staging folder inside `folder` (made when it is not there), after a sweep.
OHM_NODISCARD ohm_status ohmi_staging_open(ohmi_staging *staging, const char *folder,
                                           const char *name, ohm_error *err);
// Puts `finished` into the place; what was there before goes with the staging folder.
OHM_NODISCARD ohm_status ohmi_staging_put(ohmi_staging *staging, ohm_error *err);
// Removes the staging folder; harmless on a zeroed struct. Returns 0 when nothing of it is left, or
// it must stay.
int ohmi_staging_close(ohmi_staging *staging);

// Removes the staging folders of NAME whose processes are dead, and brings back an old folder that
// one of them had moved out of its place. Those of live ones stay.
void ohmi_staging_sweep(const char *folder, const char *name);

#endif
