// SPDX-License-Identifier: Apache-2.0
// Whole folders: a fresh one to work in, and removing one with all that is in it.
#ifndef OHMI_TREE_H
#define OHMI_TREE_H

#include <stddef.h>

#include "ohmwise/status.h"

// Makes a new, empty folder inside `folder` (made when it is not there), named .NAME-XXXXXX, and
// writes its path (room bytes).
OHM_NODISCARD ohm_status ohmi_tree_new(char *path, size_t room, const char *folder,
                                       const char *name, ohm_error *err);

// Removes a file or a folder with everything in it; links are removed, not followed. Returns 0
// when nothing of it is left.
int ohmi_tree_remove(const char *path);

#endif
