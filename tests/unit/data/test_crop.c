// SPDX-License-Identifier: Apache-2.0
// Random parts of images: within the image, of the areas and ratios that were asked for, the same
// for the same draw; resizing against plain arithmetic; and what the loader makes of images that
// are stored larger than the network takes them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/crop.h"
#include "data/loader.h"

static void test_draws(void **state) {
    (void)state;
    const ohmi_rng rng = {.seed = 3, .purpose = OHMI_RNG_CROP, .task = 1, .place = 2};
    const int height = 256, width = 256, n = 4000;
    double mean_area = 0, mean_log = 0, least = 1, most = 0;
    int n_left = 0, n_top = 0;
    for (int i = 0; i < n; i++) {
        const ohmi_part p = ohmi_crop_draw(&rng, (uint32_t)i, height, width, 0.08);
        const ohmi_part again = ohmi_crop_draw(&rng, (uint32_t)i, height, width, 0.08);
        assert_memory_equal(&p, &again, sizeof p);
        assert_true(p.height >= 1 && p.width >= 1 && p.y >= 0 && p.x >= 0);
        assert_true(p.y + p.height <= height && p.x + p.width <= width);
        const double area = (double)p.height * p.width / (height * width);
        const double ratio = (double)p.width / p.height;
        assert_true(ratio > 0.73 && ratio < 1.37); // 3:4 to 4:3, with rounding
        least = fmin(least, area);
        most = fmax(most, area);
        mean_area += area / n;
        mean_log += log(ratio) / n;
        n_left += p.x < (width - p.width) / 2 ? 1 : 0;
        n_top += p.y < (height - p.height) / 2 ? 1 : 0;
    }
    assert_true(least > 0.077 && least < 0.10);
    assert_true(most > 0.95);

    // an area a fits with the chance min(1, ln a / ln 3/4), so the mean is 0.478; its deviation
    // over these draws is 0.004
    assert_true(mean_area > 0.458 && mean_area < 0.498);
    assert_true(fabs(mean_log) < 0.02);
    assert_true(abs(n_left - n / 2) < n / 20 && abs(n_top - n / 2) < n / 20);

    // all of a square is always one of the parts that fit; of a thin image none may, then it is all
    const ohmi_part whole = ohmi_crop_draw(&rng, 5, 8, 8, 1);
    assert_true(whole.height * whole.width >= 40);
    const ohmi_part thin = ohmi_crop_draw(&rng, 5, 1, 100, 1);
    assert_int_equal(thin.height, 1);
    assert_int_equal(thin.width, 100);
    const ohmi_rng other = {.seed = 4, .purpose = OHMI_RNG_CROP, .task = 1, .place = 2};
    const ohmi_part a = ohmi_crop_draw(&rng, 0, height, width, 0.08);
    const ohmi_part b = ohmi_crop_draw(&other, 0, height, width, 0.08);
    assert_memory_not_equal(&a, &b, sizeof a);
}

// The same in doubles: the middle of a pixel in the middle of another, held at the edges.
static double plain(const uint8_t *in, int in_width, int channels, const ohmi_part *p, double y,
                    double x, int c) {
    y = fmin(fmax(y, 0), p->height - 1);
    x = fmin(fmax(x, 0), p->width - 1);
    const int top = (int)y, left = (int)x;
    const int bottom = top + 1 < p->height ? top + 1 : top;
    const int right = left + 1 < p->width ? left + 1 : left;
    const double fy = y - top, fx = x - left;
#define AT(yy, xx) (double)in[((p->y + (yy)) * in_width + p->x + (xx)) * channels + c]
    return (1 - fy) * ((1 - fx) * AT(top, left) + fx * AT(top, right)) +
           fy * ((1 - fx) * AT(bottom, left) + fx * AT(bottom, right));
#undef AT
}

static void test_resize(void **state) {
    (void)state;
    enum { H = 30, W = 40, C = 3 };
    static uint8_t in[H * W * C], out[64 * 64 * C];
    const ohmi_rng rng = {.seed = 9, .purpose = OHMI_RNG_TEST};
    for (int i = 0; i < H * W * C; i++) {
        in[i] = (uint8_t)(256.0f * ohmi_rng_uniform(&rng, (uint32_t)i));
    }
    static const struct {
        ohmi_part part;
        int side_y, side_x;
    } cases[] = {{{0, 0, H, W}, 24, 24},  {{3, 7, 20, 25}, 33, 21}, {{5, 5, 1, 1}, 6, 6},
                 {{29, 0, 1, 40}, 9, 64}, {{0, 0, 30, 40}, 64, 64}, {{10, 30, 17, 10}, 17, 10}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const ohmi_part *p = &cases[k].part;
        ohmi_crop_resize(out, cases[k].side_y, cases[k].side_x, in, W, C, p);
        for (int y = 0; y < cases[k].side_y; y++) {
            for (int x = 0; x < cases[k].side_x; x++) {
                for (int c = 0; c < C; c++) {
                    const double want =
                        plain(in, W, C, p, (y + 0.5) * p->height / cases[k].side_y - 0.5,
                              (x + 0.5) * p->width / cases[k].side_x - 0.5, c);
                    const double got = out[(y * cases[k].side_x + x) * C + c];

                    // 1/256 of a pixel and half a unit
                    assert_true(fabs(got - want) <= 2.6);
                }
            }
        }
    }

    // a part of the size that is wanted stays as it is
    ohmi_crop_resize(out, 17, 10, in, W, C, &cases[5].part);
    for (int y = 0; y < 17; y++) {
        assert_memory_equal(out + y * 10 * C, in + ((10 + y) * W + 30) * C, 10 * C);
    }
}

enum { STORED = 12, SIDE = 8, N = 9 };

static uint8_t pixels[N][STORED][STORED][1];
static int32_t labels[N];
static ohmi_task task = {.name = "a", .n_classes = 2, .deviation = {1}};

static ohmi_tasks stored_tasks(void) {
    for (int i = 0; i < N; i++) {
        for (int y = 0; y < STORED; y++) {
            for (int x = 0; x < STORED; x++) {
                pixels[i][y][x][0] = (uint8_t)(20 * y + x + i);
            }
        }
        labels[i] = i % 2;
    }
    task.train = (ohmi_images){N, &pixels[0][0][0][0], labels};
    return (ohmi_tasks){.n_tasks = 1,
                        .task = &task,
                        .height = SIDE,
                        .width = SIDE,
                        .channels = 1,
                        .stored_height = STORED,
                        .stored_width = STORED};
}

// The value of pixel (y, x) of image i of a batch, as 0 .. 255.
static int value(const ohmi_batch *batch, int i, int y, int x) {
    const size_t at = ((size_t)(y * SIDE + x) * (size_t)batch->n_pad + (size_t)i) * 16;
    return (int)lrintf(batch->x[at] * 255);
}

static void test_loader(void **state) {
    (void)state;
    ohm_error err;
    ohmi_loader *loader = NULL;
    ohmi_batch batch;
    const ohmi_tasks tasks = stored_tasks();

    // without augmentation: the middle
    ohmi_loader_def def = {.seed = 1, .batch = N};
    assert_int_equal(ohmi_loader_new(&loader, &tasks, &def, &err), OHM_OK);
    ohmi_loader_start(loader, 0, &task.train, 0, 0);
    ohmi_loader_next(loader, &batch);
    for (int i = 0; i < N; i++) {
        for (int y = 0; y < SIDE; y++) {
            for (int x = 0; x < SIDE; x++) {
                assert_int_equal(value(&batch, i, y, x), pixels[i][y + 2][x + 2][0]);
            }
        }
    }
    ohmi_loader_free(&loader);

    // with it: any of the 5 x 5 places, nothing black
    def = (ohmi_loader_def){.seed = 1, .batch = N, .augment = true};
    bool is_seen[5][5] = {{false}};
    assert_int_equal(ohmi_loader_new(&loader, &tasks, &def, &err), OHM_OK);
    for (int epoch = 0; epoch < 40; epoch++) {
        ohmi_loader_start(loader, 0, &task.train, epoch, 0);
        ohmi_loader_next(loader, &batch);
        for (int i = 0; i < N; i++) {
            const int first = value(&batch, i, 0, 0) - i, dy = first / 20, dx = first % 20;
            assert_true(dy <= 4 && dx <= 4);
            assert_int_equal(value(&batch, i, 7, 7), pixels[i][7 + dy][7 + dx][0]);
            is_seen[dy][dx] = true;
        }
    }
    for (int k = 0; k < 25; k++) {
        assert_true(is_seen[k / 5][k % 5]);
    }
    ohmi_loader_free(&loader);

    // parts, resized and flipped
    def = (ohmi_loader_def){.seed = 1, .batch = N, .augment = true, .flip = true, .crop_area = 0.2};
    int n_flipped = 0;
    assert_int_equal(ohmi_loader_new(&loader, &tasks, &def, &err), OHM_OK);
    for (int epoch = 0; epoch < 10; epoch++) {
        const ohmi_rng rng = {1, OHMI_RNG_CROP, 0, (uint32_t)epoch};
        ohmi_loader_start(loader, 0, &task.train, epoch, 0);
        ohmi_loader_next(loader, &batch);
        for (int i = 0; i < N; i++) {
            uint8_t out[SIDE * SIDE];
            const ohmi_part part = ohmi_crop_draw(&rng, (uint32_t)i, STORED, STORED, 0.2);
            ohmi_crop_resize(out, SIDE, SIDE, &pixels[i][0][0][0], STORED, 1, &part);
            const bool is_flipped = value(&batch, i, 0, 0) > value(&batch, i, 0, 7);
            n_flipped += is_flipped;
            for (int p = 0; p < SIDE * SIDE; p++) {
                const int x = is_flipped ? SIDE - 1 - p % SIDE : p % SIDE;
                assert_int_equal(value(&batch, i, p / SIDE, x), out[p]);
            }
        }
    }
    assert_true(n_flipped > 20 && n_flipped < 70);
    ohmi_loader_free(&loader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_loader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
