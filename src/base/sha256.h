// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4), for checking data sets and for digests in manifests.
#ifndef OHMI_SHA256_H
#define OHMI_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "ohmwise/status.h"

typedef struct {
    uint32_t state[8];
    uint64_t n_bytes;
    uint8_t block[64];
} ohmi_sha256;

void ohmi_sha256_init(ohmi_sha256 *hash);
void ohmi_sha256_add(ohmi_sha256 *hash, const void *bytes, size_t size);
// Writes 64 hex digits and a terminator.
void ohmi_sha256_hex(ohmi_sha256 *hash, char hex[65]);
// The digest of a whole file.
OHM_NODISCARD ohm_status ohmi_sha256_file(char hex[65], const char *path, ohm_error *err);

#endif
