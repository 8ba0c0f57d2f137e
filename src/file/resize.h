// SPDX-License-Identifier: Apache-2.0
// Resizing images: separable, bilinear, antialiased. All sums are integers, so every machine gives
// the same bytes.
#ifndef OHMI_RESIZE_H
#define OHMI_RESIZE_H

#include <stdint.h>

#include "ohmwise/status.h"

// Writes out (out_height, out_width, channels) from in (in_height, in_width, channels).
OHM_NODISCARD ohm_status ohmi_resize(uint8_t *out, int out_height, int out_width, const uint8_t *in,
                                     int in_height, int in_width, int channels, ohm_error *err);

// Writes out (side, side, channels): the image resized until its short side is `side`, of which
// the square in the middle is cut.
OHM_NODISCARD ohm_status ohmi_resize_square(uint8_t *out, int side, const uint8_t *in,
                                            int in_height, int in_width, int channels,
                                            ohm_error *err);

#endif
