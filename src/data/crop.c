// SPDX-License-Identifier: Apache-2.0
// Random parts of images; see crop.h.
#include "data/crop.h"

#include <math.h>

enum { TRIES = 10 };
#define FRACTION 256 // parts of a pixel

// 0 <= u < 1
static double unit(uint32_t bits) {
    return (double)bits / 4294967296.0;
}

ohmi_part ohmi_crop_draw(const ohmi_rng *rng, uint32_t index, int height, int width, double least) {
    const double low = log(3.0 / 4.0), high = log(4.0 / 3.0);
    for (uint32_t t = 0; t < TRIES; t++) {
        uint32_t bits[4];
        ohmi_rng_bits(bits, rng, index * TRIES + t);
        const double area = (double)height * width * (least + (1 - least) * unit(bits[0]));
        const double ratio = exp(low + (high - low) * unit(bits[1]));
        const int w = (int)floor(sqrt(area * ratio) + 0.5);
        const int h = (int)floor(sqrt(area / ratio) + 0.5);
        if (w >= 1 && h >= 1 && w <= width && h <= height) {
            return (ohmi_part){.y = (int)(unit(bits[2]) * (height - h + 1)),
                               .x = (int)(unit(bits[3]) * (width - w + 1)),
                               .height = h,
                               .width = w};
        }
    }
    return (ohmi_part){0, 0, height, width};
}

// Where pixel i of `to` lies among `from`: the middle of one in the middle of the other. *first is
// the pixel before, which is at most from - 1; returns how far behind that, in FRACTION parts.
static int place(int *first, int i, int to, int from) {
    // ((2 i + 1) from / to - 1) / 2 in FRACTION parts
    const int64_t at = ((2 * (int64_t)i + 1) * from * FRACTION / to - FRACTION) / 2;
    const int64_t most = (int64_t)(from - 1) * FRACTION;
    const int64_t inside = at < 0 ? 0 : at > most ? most : at;
    *first = (int)(inside / FRACTION);
    return (int)(inside % FRACTION);
}

void ohmi_crop_resize(uint8_t *out, int side_y, int side_x, const uint8_t *in, int in_width,
                      int channels, const ohmi_part *part) {
    const int64_t row = (int64_t)in_width * channels;
    for (int y = 0; y < side_y; y++) {
        int top;
        const int fy = place(&top, y, side_y, part->height);
        const int down = top + 1 < part->height ? 1 : 0;
        const uint8_t *line = in + (part->y + top) * row + (int64_t)part->x * channels;
        for (int x = 0; x < side_x; x++) {
            int left;
            const int fx = place(&left, x, side_x, part->width);
            const int right = left + 1 < part->width ? channels : 0;
            const uint8_t *a = line + (int64_t)left * channels, *b = a + down * row;
            for (int c = 0; c < channels; c++) {
                const int above = a[c] * (FRACTION - fx) + a[c + right] * fx;
                const int below = b[c] * (FRACTION - fx) + b[c + right] * fx;
                const int sum = above * (FRACTION - fy) + below * fy;
                *out++ = (uint8_t)((sum + FRACTION * FRACTION / 2) / (FRACTION * FRACTION));
            }
        }
    }
}
