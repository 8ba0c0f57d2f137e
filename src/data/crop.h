// SPDX-License-Identifier: Apache-2.0
// Random parts of an image, resized: the augmentation of networks for large images.
//
// Of an image of h x w pixels up to ten parts are drawn and the first that fits is taken:
//     area = h w U(least, 1)      ratio = exp(U(ln 3/4, ln 4/3))
//     width = round(sqrt(area ratio))      height = round(sqrt(area / ratio))
// at a place of equal chance for all; when none fits, the whole image. (Szegedy et al., "Going
// deeper with convolutions", CVPR 2015, section 6; ten tries and the whole as torchvision has it.)
// The part is resized bilinearly, in integers, so that every machine gives the same bytes.
#ifndef OHMI_CROP_H
#define OHMI_CROP_H

#include <stdint.h>

#include "base/rng.h"

typedef struct {
    int y, x, height, width; // pixels, inside the image
} ohmi_part;

// Draws the part of image number `index` of the stream.
ohmi_part ohmi_crop_draw(const ohmi_rng *rng, uint32_t index, int height, int width, double least);

// Writes out (side_y, side_x, channels) from a part of in (.., in_width, channels).
void ohmi_crop_resize(uint8_t *out, int side_y, int side_x, const uint8_t *in, int in_width,
                      int channels, const ohmi_part *part);

#endif
