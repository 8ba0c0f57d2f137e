// SPDX-License-Identifier: Apache-2.0
// The catalogue of data sets and trained networks: what there is, getting it, adding files at hand,
// verifying.
#ifndef OHMWISE_DATA_H
#define OHMWISE_DATA_H

#include <stdint.h>

#include "ohmwise/status.h"

typedef struct {
    const char *name;               // "cifar100"
    const char *title;              // "CIFAR-100"
    const char *description;        // one line
    int n_classes, n_train, n_test; // 0 = varies
    int height, width, channels;    // pixels; 0 = varies
    const char *source;             // where it comes from, for people
    const char *network;            // of a trained network: its model, for ohm_import; else NULL
    const char *package;            // of npm, "name@version", which holds it; NULL = none
} ohm_data_set;

// The catalogue, *count rows; constant.
OHM_API const ohm_data_set *ohm_data_catalogue(int *count);

// Where a set lies: writes its folder into path (size_bytes), searching `folder` (nullable: the
// user's data folder, whose place the program passes) and then the system's folders (Debian
// packages). OHM_ERR_IO with a hint how to get it when it is nowhere.
OHM_API OHM_NODISCARD ohm_status ohm_data_find(char *path, unsigned long size_bytes,
                                               const char *name, const char *folder,
                                               ohm_error *err);

// Progress of a transfer: bytes done and in all (0 = unknown). Return non-zero to stop.
typedef int ohm_data_progress(void *context, const char *what, int64_t done, int64_t total);

// Downloads a set into folder/name (resumes a part, checks the digest, unpacks), unless it is there
// already, whole. url (nullable) replaces the catalogue's address; a package needs one, since where
// packages are had is a matter of the machine's configuration. Without libcurl built in:
// OHM_ERR_UNSUPPORTED.
OHM_API OHM_NODISCARD ohm_status ohm_data_get(const char *name, const char *folder, const char *url,
                                              ohm_data_progress *progress, void *context,
                                              ohm_error *err);

// Takes a set from files at hand: a folder or an archive (.tar, .tar.gz, .zip, .xz of the files).
OHM_API OHM_NODISCARD ohm_status ohm_data_add(const char *name, const char *from,
                                              const char *folder, ohm_data_progress *progress,
                                              void *context, ohm_error *err);

// Reads every record of a set, or of a folder of the user's own, and checks digests, sizes and
// label ranges. OHM_ERR_CHECK when something does not agree.
OHM_API OHM_NODISCARD ohm_status ohm_data_verify(const char *name, const char *folder,
                                                 ohm_error *err);

#endif
