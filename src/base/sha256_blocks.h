// SPDX-License-Identifier: Apache-2.0
// The inner loop of SHA-256, once in plain C and once with the instructions that some CPUs have for
// it. Both give the same bits.
#ifndef OHMI_SHA256_BLOCKS_H
#define OHMI_SHA256_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

// Takes n_blocks blocks of 64 bytes into the state.
typedef void ohmi_sha256_blocks(uint32_t state[8], const uint8_t *bytes, size_t n_blocks);

ohmi_sha256_blocks ohmi_sha256_blocks_plain;

// The function for this CPU's SHA instructions, NULL where there are none.
ohmi_sha256_blocks *ohmi_sha256_blocks_cpu(void);

// The round constants, FIPS 180-4 section 4.2.2.
extern const uint32_t ohmi_sha256_k[64];

#endif
