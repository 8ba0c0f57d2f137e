// SPDX-License-Identifier: Apache-2.0
// Packed bits: bit i of a set is bit i % 8 of byte i / 8.
#ifndef OHMI_BITS_H
#define OHMI_BITS_H

#include <stdbool.h>
#include <stdint.h>

static inline bool ohmi_bit(const uint8_t *bits, int64_t i) {
    return bits[i / 8] >> (i % 8) & 1;
}

#endif
