// SPDX-License-Identifier: Apache-2.0
// Image files: JPEG by TurboJPEG, PNG by libspng, told apart by their first bytes.
#ifndef OHMI_IMAGE_H
#define OHMI_IMAGE_H

#include <stdint.h>

#include "ohmwise/status.h"

#define OHMI_IMAGE_SIDE 16384                // pixels, at most
#define OHMI_IMAGE_PIXELS (64 * 1024 * 1024) // at most

typedef struct {
    int height, width;
    uint8_t *pixels; // (height, width, 3), red green blue; a block for ohmi_free
} ohmi_image;

// Reads an image; grey ones get three equal channels, transparency is dropped.
OHM_NODISCARD ohm_status ohmi_image_load(ohmi_image *image, const char *path, ohm_error *err);

#endif
