// SPDX-License-Identifier: Apache-2.0
// Files that appear whole or not at all: written beside the target, synced, then renamed over it.
#ifndef OHMI_ATOMIC_FILE_H
#define OHMI_ATOMIC_FILE_H

#include <stddef.h>
#include <stdio.h>

#include "ohmwise/status.h"

typedef struct {
    FILE *file;      // write here
    char path[1024]; // target
    char temporary[1040];
} ohmi_atomic_file;

// Opens a temporary file in the target's folder.
OHM_NODISCARD ohm_status ohmi_atomic_open(ohmi_atomic_file *out, const char *path, ohm_error *err);
// Flushes, syncs, renames, syncs the folder. On failure the target is as it was.
OHM_NODISCARD ohm_status ohmi_atomic_commit(ohmi_atomic_file *out, ohm_error *err);
// Drops the temporary file; harmless after a commit and on a zeroed struct.
void ohmi_atomic_abort(ohmi_atomic_file *out);
// The three in one for bytes at hand.
OHM_NODISCARD ohm_status ohmi_write_file(const char *path, const void *bytes, size_t size,
                                         ohm_error *err);
// Reads a whole file of at most limit bytes into a block for ohmi_free, terminated by a zero byte.
OHM_NODISCARD ohm_status ohmi_read_file(char **bytes, size_t *size, const char *path, size_t limit,
                                        ohm_error *err);
// Makes a folder and its parents; fine when it is there.
OHM_NODISCARD ohm_status ohmi_make_folder(const char *path, ohm_error *err);

#endif
