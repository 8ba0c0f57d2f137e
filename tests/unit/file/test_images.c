// SPDX-License-Identifier: Apache-2.0
// JPEG and PNG files, damaged ones, and resizing against its definition.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <spng.h>
#include <sys/resource.h>
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

// The square of a scaled picture is the middle of the whole, byte for byte; a picture of one row
// takes no more memory than the square needs.
static void test_middle(void **state) {
    (void)state;
    static const int sizes[][2] = {{13, 21}, {21, 13}, {3, 40}, {40, 5}};
    static uint8_t whole[200 * 200 * 3], out[30 * 30 * 3];
    ohm_error err;
    draw();
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (int side = 1; side <= 14; side += 3) {
            const int h = sizes[s][0], w = sizes[s][1];
            const int out_h = h > w ? (h * side + w / 2) / w : side;
            const int out_w = h > w ? side : (w * side + h / 2) / h;
            const int top = (out_h - side) / 2, left = (out_w - side) / 2;
            assert_true(out_h * out_w * 3 <= (int)sizeof whole);
            assert_int_equal(ohmi_resize(whole, out_h, out_w, picture, h, w, 3, &err), OHM_OK);
            assert_int_equal(ohmi_resize_square(out, side, picture, h, w, 3, &err), OHM_OK);
            for (int y = 0; y < side; y++) {
                assert_memory_equal(out + y * side * 3, whole + ((top + y) * out_w + left) * 3,
                                    (size_t)side * 3);
            }
        }
    }

    struct rusage before, after;
    uint8_t *square = ohmi_alloc(1024 * 1024, 3);
    uint8_t *row = ohmi_alloc(1000, 3);
    memset(row, 77, 3000);
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    const ohm_status wide = ohmi_resize_square(square, 1024, row, 1, 1000, 3, &err);
    const ohm_status high = ohmi_resize_square(square, 1024, row, 1000, 1, 3, &err);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_true(after.ru_maxrss - before.ru_maxrss < 100000); // KiB
    assert_int_equal(wide, OHM_OK);
    assert_int_equal(high, OHM_OK);
    assert_int_equal(square[0], 77);
    assert_int_equal(square[1024 * 1024 * 3 - 1], 77);
    ohmi_free(square);
    ohmi_free(row);
    assert_int_equal(ohmi_live_blocks(), 0);
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
        cmocka_unit_test(test_png),    cmocka_unit_test(test_jpeg),   cmocka_unit_test(test_resize),
        cmocka_unit_test(test_square), cmocka_unit_test(test_middle),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
