// SPDX-License-Identifier: Apache-2.0
// Unpacking archives (tar, zip, 7z; packed by gzip, xz, bzip2 or zstd) that nobody vouches for.
#ifndef OHMI_ARCHIVE_H
#define OHMI_ARCHIVE_H

#include <stdint.h>

#include "ohmwise/status.h"

typedef struct {
    int64_t bytes;   // unpacked, all files together
    int64_t entries; // files and folders
} ohmi_archive_limits;

// Called now and then with the bytes unpacked so far. Non-zero stops with OHM_ERR_INTERRUPTED.
typedef int ohmi_archive_progress(void *context, int64_t bytes);

// Unpacks into folder, which must not be there yet. Refused, with the entry's name: absolute paths,
// "..", links, devices, a name that comes twice, more than 60 levels, and more than the limits.
// After a failure the folder is gone again.
OHM_NODISCARD ohm_status ohmi_archive_unpack(const char *folder, const char *path,
                                             ohmi_archive_limits limits,
                                             ohmi_archive_progress *progress, void *context,
                                             ohm_error *err);

// Whether a file begins like an archive that can be unpacked.
int ohmi_archive_is(const char *path);

#endif
