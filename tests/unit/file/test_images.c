// SPDX-License-Identifier: Apache-2.0
// JPEG and PNG files, damaged ones, and resizing against its definition.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <spng.h>
#include <turbojpeg.h>

#include "base/memory.h"
#include "file/image.h"
#include "file/resize.h"
#include "scratch.h"

enum { H = 13, W = 21 };
static uint8_t picture[H * W * 3];

static void draw(void) {
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            uint8_t *p = picture + (y * W + x) * 3;
            p[0] = (uint8_t)(x * 12);
            p[1] = (uint8_t)(y * 19);
            p[2] = (uint8_t)((x + y) * 7);
        }
    }
}

static void test_png(void **state) {
    (void)state;
    ohm_error err;
    ohmi_image image;
    draw();
    spng_ctx *encoder = spng_ctx_new(SPNG_CTX_ENCODER);
    struct spng_ihdr head = {
        .width = W, .height = H, .bit_depth = 8, .color_type = SPNG_COLOR_TYPE_TRUECOLOR};
    spng_set_option(encoder, SPNG_ENCODE_TO_BUFFER, 1);
    spng_set_ihdr(encoder, &head);
    assert_int_equal(
        spng_encode_image(encoder, picture, sizeof picture, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE), 0);
    size_t size = 0;
    int code = 0;
    uint8_t *bytes = spng_get_png_buffer(encoder, &size, &code);
    scratch_write("a.png", bytes, size);
    assert_int_equal(ohmi_image_load(&image, scratch_path("a.png"), &err), OHM_OK);
    assert_int_equal(image.height, H);
    assert_int_equal(image.width, W);
    assert_memory_equal(image.pixels, picture, sizeof picture);
    ohmi_free(image.pixels);

    // cut short anywhere before the last chunk, and an image of 2^31 pixels a side
    for (size_t cut = 0; cut + 13 < size; cut += 7) {
        scratch_write("b.png", bytes, cut);
        assert_int_equal(ohmi_image_load(&image, scratch_path("b.png"), &err), OHM_ERR_FORMAT);
        assert_null(image.pixels);
    }
    bytes[16] = 0x7F;
    scratch_write("b.png", bytes, size);
    assert_int_equal(ohmi_image_load(&image, scratch_path("b.png"), &err), OHM_ERR_FORMAT);
    free(bytes);
    spng_ctx_free(encoder);
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void test_jpeg(void **state) {
    (void)state;
    ohm_error err;
    ohmi_image image;
    draw();
    tjhandle encoder = tjInitCompress();
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    assert_int_equal(tjCompress2(encoder, picture, W, 0, H, TJPF_RGB, &bytes, &size, TJSAMP_444, 98,
                                 TJFLAG_ACCURATEDCT),
                     0);
    scratch_write("a.jpg", bytes, size);
    assert_int_equal(ohmi_image_load(&image, scratch_path("a.jpg"), &err), OHM_OK);
    assert_int_equal(image.height, H);
    assert_int_equal(image.width, W);
    for (size_t i = 0; i < sizeof picture; i++) {
        assert_in_range(image.pixels[i] - picture[i] + 8, 0, 16);
    }
    ohmi_free(image.pixels);

    // half a picture is no picture
    for (size_t cut = 1; cut < size - 2; cut += 11) {
        scratch_write("b.jpg", bytes, cut);
        assert_int_equal(ohmi_image_load(&image, scratch_path("b.jpg"), &err), OHM_ERR_FORMAT);
        assert_null(image.pixels);
    }
    scratch_write("text.jpg", "no picture", 10);
    assert_int_equal(ohmi_image_load(&image, scratch_path("text.jpg"), &err), OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "neither"));
    assert_int_equal(ohmi_image_load(&image, scratch_path("none.jpg"), &err), OHM_ERR_IO);
    tjFree(bytes);
    tjDestroy(encoder);
    assert_int_equal(ohmi_live_blocks(), 0);
}

// The definition in the head of resize.c, in floating point, without rounding in between.
static double exact(int oy, int ox, int c, int out_h, int out_w) {
    double sy = (double)H / out_h, sx = (double)W / out_w;
    double ry = fmax(1, sy), rx = fmax(1, sx), sum = 0, weights = 0;
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            double wy = fmax(0, 1 - fabs(y + 0.5 - (oy + 0.5) * sy) / ry);
            double wx = fmax(0, 1 - fabs(x + 0.5 - (ox + 0.5) * sx) / rx);
            sum += wy * wx * picture[(y * W + x) * 3 + c];
            weights += wy * wx;
        }
    }
    return sum / weights;
}

static void test_resize(void **state) {
    (void)state;
    static const int sizes[][2] = {{5, 7}, {13, 8}, {26, 42}, {1, 1}, {40, 3}, {13, 21}};
    static uint8_t out[40 * 42 * 3];
    ohm_error err;
    draw();
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        int h = sizes[s][0], w = sizes[s][1];
        assert_int_equal(ohmi_resize(out, h, w, picture, H, W, 3, &err), OHM_OK);
        for (int i = 0; i < h * w * 3; i++) {
            double wanted = exact(i / 3 / w, i / 3 % w, i % 3, h, w);
            if (fabs(out[i] - wanted) > 1.01) {
                fail_msg("%d x %d at %d: %d, not %g", h, w, i, out[i], wanted);
            }
        }
    }

    // a flat image stays flat, also when 3000 pixels become one
    uint8_t *flat = ohmi_alloc(3000 * 3, 1);
    memset(flat, 255, 3000 * 3);
    assert_int_equal(ohmi_resize(out, 1, 7, flat, 3, 3000, 1, &err), OHM_OK);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(out[i], 255);
    }
    ohmi_free(flat);
}

// The square keeps the middle: columns 4 .. 16 of a picture that needs no scaling.
static void test_square(void **state) {
    (void)state;
    uint8_t out[H * H * 3];
    ohm_error err;
    draw();
    assert_int_equal(ohmi_resize_square(out, H, picture, H, W, 3, &err), OHM_OK);
    for (int y = 0; y < H; y++) {
        assert_memory_equal(out + y * H * 3, picture + (y * W + 4) * 3, H * 3);
    }
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png),
        cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_square),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
