// SPDX-License-Identifier: Apache-2.0
// Whole files that may be compressed: plain, .gz, .xz, .bz2, .zst.
#ifndef OHMI_PACKED_H
#define OHMI_PACKED_H

#include <stddef.h>
#include <stdint.h>

#include "ohmwise/status.h"

// Reads a file, unpacking it when it is compressed (told by its first bytes), into a block for
// ohmi_free. More than `limit` unpacked bytes is OHM_ERR_FORMAT: nothing larger is ever held.
OHM_NODISCARD ohm_status ohmi_packed_read(uint8_t **bytes, size_t *size, const char *path,
                                          size_t limit, ohm_error *err);

// Writes into path (room bytes) which of folder/name, folder/name.gz, .xz, .bz2, .zst there is;
// returns 0 when there is none.
int ohmi_packed_find(char *path, size_t room, const char *folder, const char *name);

#endif
