// SPDX-License-Identifier: Apache-2.0
// Separable antialiased bilinear resizing.
//
// Along one axis of n_in samples, output sample o of n_out sits at x = (o + 0.5) n_in/n_out and is
//     out[o] = sum_i w[i] in[i],   w[i] ~ max(0, 1 - |i + 0.5 - x| / r),   r = max(1, n_in/n_out)
// normalised to sum 1: plain bilinear when enlarging, a triangle as wide as the reduction when
// reducing (what imaging libraries call "bilinear with antialias"). Weights are differences of
// running sums rounded to 1/2^20, so that they sum to 2^20 exactly and a flat image stays flat.
// Sums are integers, rounded to a byte after each axis: first along x, then along y.
#include "file/resize.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

#define ONE (1 << 20)

// The weights of one axis: output o takes taps[o] samples from first[o].
typedef struct {
    int room;        // taps at most
    int *first;      // (n_kept)
    int *taps;       // (n_kept)
    int32_t *weight; // (n_kept, room)
} axis;

static void free_axis(axis *a) {
    ohmi_free(a->first);
    ohmi_free(a->taps);
    ohmi_free(a->weight);
}

// The weights of n_kept outputs from `skipped` on, of n_out.
static ohm_status new_axis(axis *a, int n_out, int skipped, int n_kept, int n_in, ohm_error *err) {
    const double scale = (double)n_in / (double)n_out, radius = scale > 1.0 ? scale : 1.0;
    a->room = (int)ceil(radius) * 2 + 1;
    a->first = ohmi_alloc((size_t)n_kept, sizeof *a->first);
    a->taps = ohmi_alloc((size_t)n_kept, sizeof *a->taps);
    a->weight = ohmi_alloc((size_t)n_kept * (size_t)a->room, sizeof *a->weight);
    double *w = ohmi_alloc((size_t)a->room, sizeof *w);
    if (a->first == NULL || a->taps == NULL || a->weight == NULL || w == NULL) {
        ohmi_free(w);
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to resize an image");
    }
    for (int o = 0; o < n_kept; o++) {
        const double x = ((double)(skipped + o) + 0.5) * scale;
        int begin = (int)floor(x - radius + 0.5), end = (int)floor(x + radius + 0.5);
        begin = begin < 0 ? 0 : begin;
        end = end > n_in ? n_in : end;
        end = end - begin > a->room ? begin + a->room : end;
        double sum = 0;
        for (int i = begin; i < end; i++) {
            double distance = fabs((double)i + 0.5 - x) / radius;
            w[i - begin] = distance < 1.0 ? 1.0 - distance : 0.0;
            sum += w[i - begin];
        }
        // differences of the rounded running sum
        int32_t *to = a->weight + (size_t)o * (size_t)a->room;
        int32_t before = 0;
        double running = 0;
        for (int i = 0; i < end - begin; i++) {
            running += w[i];
            int32_t now = i + 1 < end - begin ? (int32_t)floor(running / sum * ONE + 0.5) : ONE;
            to[i] = now - before;
            before = now;
        }
        a->first[o] = begin;
        a->taps[o] = end - begin;
    }
    ohmi_free(w);
    return OHM_OK;
}

static uint8_t round_byte(int32_t sum) {
    return (uint8_t)((sum + ONE / 2) >> 20);
}

// A window of the resized image, and nothing else of it, is computed: `out` (height, width,
// channels) from its row `top` and column `left`.
typedef struct {
    int top, left, height, width;
} window;

static ohm_status resize(uint8_t *out, window kept, int out_height, int out_width,
                         const uint8_t *in, int in_height, int in_width, int channels,
                         ohm_error *err) {
    ohm_status status = OHM_OK;
    axis across = {0}, down = {0};
    const size_t row_in = (size_t)in_width * (size_t)channels;
    const size_t row_out = (size_t)kept.width * (size_t)channels;
    uint8_t *half = NULL; // (end - begin, kept.width, channels)
    OHM_TRY(new_axis(&across, out_width, kept.left, kept.width, in_width, err));
    OHM_TRY(new_axis(&down, out_height, kept.top, kept.height, in_height, err));

    // rows of the image that the window sees
    const int begin = down.first[0];
    const int end = down.first[kept.height - 1] + down.taps[kept.height - 1];
    half = ohmi_alloc((size_t)(end - begin), row_out);
    if (half == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to resize an image");
        goto done;
    }

    // along x
    for (int y = begin; y < end; y++) {
        for (int x = 0; x < kept.width; x++) {
            const int32_t *w = across.weight + (size_t)x * (size_t)across.room;
            const uint8_t *from =
                in + (size_t)y * row_in + (size_t)across.first[x] * (size_t)channels;
            uint8_t *to = half + (size_t)(y - begin) * row_out + (size_t)x * (size_t)channels;
            for (int c = 0; c < channels; c++) {
                int32_t sum = 0;
                for (int i = 0; i < across.taps[x]; i++) {
                    sum += w[i] * from[i * channels + c];
                }
                to[c] = round_byte(sum);
            }
        }
    }

    // along y
    for (int y = 0; y < kept.height; y++) {
        const int32_t *w = down.weight + (size_t)y * (size_t)down.room;
        const uint8_t *from = half + (size_t)(down.first[y] - begin) * row_out;
        uint8_t *to = out + (size_t)y * row_out;
        for (size_t j = 0; j < row_out; j++) {
            int32_t sum = 0;
            for (int i = 0; i < down.taps[y]; i++) {
                sum += w[i] * from[(size_t)i * row_out + j];
            }
            to[j] = round_byte(sum);
        }
    }

done:
    free_axis(&across);
    free_axis(&down);
    ohmi_free(half);
    return status;
}

ohm_status ohmi_resize(uint8_t *out, int out_height, int out_width, const uint8_t *in,
                       int in_height, int in_width, int channels, ohm_error *err) {
    if (out_height == in_height && out_width == in_width) {
        memcpy(out, in, (size_t)in_height * (size_t)in_width * (size_t)channels);
        return OHM_OK;
    }
    const window all = {0, 0, out_height, out_width};
    return resize(out, all, out_height, out_width, in, in_height, in_width, channels, err);
}

ohm_status ohmi_resize_square(uint8_t *out, int side, const uint8_t *in, int in_height,
                              int in_width, int channels, ohm_error *err) {
    // the long side in proportion, rounded
    int64_t height = side, width = side;
    if (in_height > in_width) {
        height = ((int64_t)in_height * side + in_width / 2) / in_width;
    } else {
        width = ((int64_t)in_width * side + in_height / 2) / in_height;
    }
    if (height > 1 << 20 || width > 1 << 20) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "an image of %d x %d pixels is too narrow", in_width,
                         in_height);
    }
    if (height == in_height && width == in_width && height == width) {
        return ohmi_resize(out, side, side, in, in_height, in_width, channels, err);
    }

    // of that, the square in the middle
    const window middle = {(int)(height - side) / 2, (int)(width - side) / 2, side, side};
    return resize(out, middle, (int)height, (int)width, in, in_height, in_width, channels, err);
}
