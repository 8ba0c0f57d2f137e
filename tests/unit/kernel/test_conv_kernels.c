// SPDX-License-Identifier: Apache-2.0
// Every supported row of the kernel table against the plain loops, over shapes with odd sizes,
// strides, paddings and ragged channels: values, exactness on integers, zero padding, equal bits
// for every number of threads, and the identities <y, conv(x, w)> = <x, backward_data(y, w)> =
// <w, backward_weight(x, y)> of the three products.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/thread.h"
#include "kernel/kernel.h"
#include "kernel/variants.h"

// n, c, k, h, w, r, s, stride, pad
static const ohmi_conv g_shapes[] = {
    {.n = 1, .c = 3, .k = 5, .h = 7, .w = 5, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 5, .c = 3, .k = 78, .h = 8, .w = 8, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 16, .c = 17, .k = 33, .h = 5, .w = 6, .r = 3, .s = 3, .stride = 2, .pad = 1},
    {.n = 33, .c = 5, .k = 17, .h = 4, .w = 4, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 16, .c = 78, .k = 78, .h = 4, .w = 4, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 5, .c = 150, .k = 100, .h = 2, .w = 2, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 3, .c = 400, .k = 70, .h = 3, .w = 2, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 2, .c = 3, .k = 17, .h = 19, .w = 17, .r = 7, .s = 7, .stride = 2, .pad = 3},
    {.n = 16, .c = 17, .k = 40, .h = 5, .w = 5, .r = 1, .s = 1, .stride = 2, .pad = 0},
    {.n = 7, .c = 20, .k = 5, .h = 6, .w = 3, .r = 1, .s = 1, .stride = 1, .pad = 0},
    {.n = 4, .c = 6, .k = 7, .h = 9, .w = 8, .r = 5, .s = 3, .stride = 3, .pad = 2},
    {.n = 1, .c = 70, .k = 70, .h = 1, .w = 1, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 1, .c = 100, .k = 3, .h = 1, .w = 1, .r = 1, .s = 1, .stride = 1, .pad = 0},
    {.n = 5, .c = 627, .k = 50, .h = 1, .w = 1, .r = 1, .s = 1, .stride = 1, .pad = 0},
    {.n = 33, .c = 78, .k = 2001, .h = 1, .w = 1, .r = 1, .s = 1, .stride = 1, .pad = 0},
    {.n = 17, .c = 2001, .k = 78, .h = 1, .w = 1, .r = 1, .s = 1, .stride = 1, .pad = 0},
    {.n = 3, .c = 2105, .k = 2001, .h = 1, .w = 1, .r = 1, .s = 1, .stride = 1, .pad = 0},
    {.n = 32, .c = 1, .k = 1, .h = 3, .w = 3, .r = 3, .s = 3, .stride = 1, .pad = 0},
    {.n = 9, .c = 64, .k = 80, .h = 7, .w = 6, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 2, .c = 96, .k = 65, .h = 5, .w = 9, .r = 3, .s = 3, .stride = 1, .pad = 1},
};
#define N_SHAPES ((int)(sizeof g_shapes / sizeof g_shapes[0]))

// the arrays of a convolution, twice the outputs: [0] by the row under test, [1] by the reference
typedef struct {
    ohmi_conv o;
    size_t n_x, n_y, n_w;
    float *x, *dy, *w;
    float *y[2], *dx[2], *dw[2];
    void *work;
} arrays;

static uint32_t next(uint32_t *state) {
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

// a value in [-1, 1), or for integers in [low, high]
static float draw(uint32_t *state, int is_integer, int low, int high) {
    if (is_integer) {
        return (float)(low + (int)(next(state) % (uint32_t)(high - low + 1)));
    }
    return (float)next(state) / 8388608.0F - 1.0F;
}

// fills a map (pixels, n_pad, ld); rows from n and channels from c on are zero
static void fill(float *map, int64_t n_pixels, int n, int n_pad, int c, int ld, uint32_t *state,
                 int is_integer, int low, int high) {
    for (int64_t pixel = 0; pixel < n_pixels; pixel++) {
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < c; j++) {
                map[(pixel * n_pad + i) * ld + j] = draw(state, is_integer, low, high);
            }
        }
    }
}

// rubbish in slot i that kernels must overwrite
static void spoil(arrays *a, int i) {
    memset(a->y[i], 0x7B, a->n_y * sizeof(float));
    memset(a->dx[i], 0x7B, a->n_x * sizeof(float));
    memset(a->dw[i], 0x7B, a->n_w * sizeof(float));
}

static void make(arrays *a, const ohmi_conv *shape, int is_integer) {
    memset(a, 0, sizeof *a);
    a->o = *shape;
    ohmi_conv_complete(&a->o);
    const ohmi_conv *o = &a->o;
    a->n_x = (size_t)o->h * (size_t)o->w * (size_t)o->n_pad * (size_t)o->c_pad;
    a->n_y = (size_t)o->p * (size_t)o->q * (size_t)o->n_pad * (size_t)o->k_pad;
    a->n_w = (size_t)o->k * (size_t)o->c * (size_t)o->r * (size_t)o->s;
    a->x = ohmi_alloc(a->n_x, sizeof(float));
    a->dy = ohmi_alloc(a->n_y, sizeof(float));
    a->w = ohmi_alloc(a->n_w, sizeof(float));
    assert_true(a->x != NULL && a->dy != NULL && a->w != NULL);
    for (int i = 0; i < 2; i++) {
        a->y[i] = ohmi_alloc(a->n_y, sizeof(float));
        a->dx[i] = ohmi_alloc(a->n_x, sizeof(float));
        a->dw[i] = ohmi_alloc(a->n_w, sizeof(float));
        assert_true(a->y[i] != NULL && a->dx[i] != NULL && a->dw[i] != NULL);
        spoil(a, i);
    }
    uint32_t state = 7;
    fill(a->x, (int64_t)o->h * o->w, o->n, o->n_pad, o->c, o->c_pad, &state, is_integer, 0, 15);
    fill(a->dy, (int64_t)o->p * o->q, o->n, o->n_pad, o->k, o->k_pad, &state, is_integer, -9, 9);
    for (size_t i = 0; i < a->n_w; i++) {
        a->w[i] = draw(&state, is_integer, -7, 7);
    }
}

static void drop(arrays *a) {
    ohmi_free(a->x);
    ohmi_free(a->dy);
    ohmi_free(a->w);
    ohmi_free(a->work);
    for (int i = 0; i < 2; i++) {
        ohmi_free(a->y[i]);
        ohmi_free(a->dx[i]);
        ohmi_free(a->dw[i]);
    }
}

// runs the three products of a row into slot i, with a guard behind its workspace
static void run(arrays *a, const ohmi_kernels *row, int i) {
    const size_t size = row->workspace(&a->o);
    ohmi_free(a->work);
    a->work = ohmi_alloc(size + 64, 1);
    assert_non_null(a->work);
    memset((char *)a->work + size, 0x5A, 64);
    row->forward(a->y[i], a->x, a->w, &a->o, a->work);
    row->backward_data(a->dx[i], a->dy, a->w, &a->o, a->work);
    row->backward_weight(a->dw[i], a->x, a->dy, &a->o, a->work);
    for (size_t j = size; j < size + 64; j++) {
        assert_int_equal(((char *)a->work)[j], 0x5A);
    }
}

// sum of squares of the difference over sum of squares of the second
static double nmse(const float *a, const float *b, size_t n) {
    double error = 0, power = 1e-30;
    for (size_t i = 0; i < n; i++) {
        error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        power += (double)b[i] * (double)b[i];
    }
    return error / power;
}

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static void check_padding(const float *map, int64_t n_pixels, int n, int n_pad, int c, int ld) {
    for (int64_t i = 0; i < n_pixels * n_pad; i++) {
        const int first = i % n_pad < n ? c : 0;
        for (int j = first; j < ld; j++) {
            assert_true(map[i * ld + j] == 0.0F);
        }
    }
}

// checks a row on arrays whose slot 1 holds the reference's results
typedef void check_fn(arrays *a, const ohmi_kernels *row);

static void check_row(arrays *a, const ohmi_kernels *row, check_fn *check) {
    if (row->is_supported()) {
        spoil(a, 0);
        check(a, row);
    }
}

// calls check for every shape and supported row, and where a row has a choice between algorithms
// for each of them
static void for_each(check_fn *check, int is_integer) {
    int count = 0;
    const ohmi_kernels *const *rows = ohmi_kernels_all(&count);
    for (int s = 0; s < N_SHAPES; s++) {
        arrays a;
        make(&a, &g_shapes[s], is_integer);
        run(&a, &ohmi_kernels_reference, 1);
        for (int i = 0; i < count; i++) {
            if (rows[i] != &ohmi_kernels_reference) {
                check_row(&a, rows[i], check);
            }
        }
#if OHMI_HAVE_X86_KERNELS
        const ohmi_conv *o = &a.o;
        if (o->r == 3 && o->s == 3 && o->stride == 1 && o->pad == 1) {
            check_row(&a, &ohmi_kernels_avx512_direct, check);
            check_row(&a, &ohmi_kernels_avx512_winograd, check);
            check_row(&a, &ohmi_kernels_avx2_direct, check);
            check_row(&a, &ohmi_kernels_avx2_winograd, check);
        }
#endif
        drop(&a);
    }
}

static void check_values(arrays *a, const ohmi_kernels *row) {
    const ohmi_conv *o = &a->o;
    // bfloat16 operands: two roundings of 2.2e-6 each (test_conv_amx.c), few samples
    const int is_bfloat16 = strcmp(row->name, "amx") == 0;
    const double limit = is_bfloat16 ? 2e-5 : 1e-10;
    run(a, row, 0);
    assert_true(nmse(a->y[0], a->y[1], a->n_y) < limit);
    assert_true(nmse(a->dx[0], a->dx[1], a->n_x) < limit);
    assert_true(nmse(a->dw[0], a->dw[1], a->n_w) < limit);
    check_padding(a->y[0], (int64_t)o->p * o->q, o->n, o->n_pad, o->k, o->k_pad);
    check_padding(a->dx[0], (int64_t)o->h * o->w, o->n, o->n_pad, o->c, o->c_pad);
    // the products are adjoint to each other
    const double by_y = dot(a->dy, a->y[0], a->n_y);
    const double by_x = dot(a->x, a->dx[0], a->n_x);
    const double by_w = dot(a->w, a->dw[0], a->n_w);
    const double scale = (is_bfloat16 ? 1e-2 : 1e-5) *
                             sqrt(dot(a->dy, a->dy, a->n_y) * dot(a->y[0], a->y[0], a->n_y)) +
                         1e-6;
    assert_true(fabs(by_y - by_x) < scale);
    assert_true(fabs(by_y - by_w) < scale);
}

static void check_integers(arrays *a, const ohmi_kernels *row) {
    run(a, row, 0);
    for (size_t i = 0; i < a->n_y; i++) {
        assert_true(a->y[0][i] == a->y[1][i]);
    }
    for (size_t i = 0; i < a->n_x; i++) {
        assert_true(a->dx[0][i] == a->dx[1][i]);
    }
    for (size_t i = 0; i < a->n_w; i++) {
        assert_true(a->dw[0][i] == a->dw[1][i]);
    }
}

// overwrites slot 1
static void check_threads(arrays *a, const ohmi_kernels *row) {
    const int before = ohmi_threads();
    ohmi_set_threads(1);
    run(a, row, 0);
    for (int n = 2; n <= 3; n++) {
        ohmi_set_threads(n);
        run(a, row, 1);
        assert_memory_equal(a->y[0], a->y[1], a->n_y * sizeof(float));
        assert_memory_equal(a->dx[0], a->dx[1], a->n_x * sizeof(float));
        assert_memory_equal(a->dw[0], a->dw[1], a->n_w * sizeof(float));
    }
    ohmi_set_threads(before);
}

static void test_values(void **state) {
    (void)state;
    for_each(check_values, 0);
}

static void test_integers(void **state) {
    (void)state;
    for_each(check_integers, 1);
}

// the largest numbers that kernel.h promises: all of the largest size, signs equal (the largest
// sums inside) or drawn, so that a lost unit or quarter would show
static void check_largest(const ohmi_kernels *row, int channels, int most_w, int most_x) {
    const ohmi_conv shape = {
        .n = 3, .c = channels, .k = 20, .h = 5, .w = 4, .r = 3, .s = 3, .stride = 1, .pad = 1};
    for (int is_drawn = 0; row->is_supported() && is_drawn < 3; is_drawn++) {
        arrays a;
        make(&a, &shape, 1);
        uint32_t state = 11;
        for (size_t i = 0; i < a.n_w; i++) {
            a.w[i] = (float)(is_drawn && next(&state) % 2 ? -most_w : most_w);
        }
        for (size_t i = 0; i < a.n_x; i++) {
            const int is_inside = a.x[i] != 0.0F;
            a.x[i] = (float)(is_inside ? (is_drawn > 1 && next(&state) % 2 ? 0 : most_x) : 0);
        }
        run(&a, row, 0);
        run(&a, &ohmi_kernels_reference, 1);
        for (size_t i = 0; i < a.n_y; i++) {
            assert_true(a.y[0][i] == a.y[1][i]);
        }
        drop(&a);
    }
}

static void test_largest_integers(void **state) {
    (void)state;
#if OHMI_HAVE_X86_KERNELS
    const ohmi_kernels *rows[] = {&ohmi_kernels_avx512_winograd, &ohmi_kernels_avx2_winograd};
    for (int i = 0; i < 2; i++) {
        // quantised networks, and odd numbers just below 2912 with as many channels as 2^24 allows
        check_largest(rows[i], 627, 10, 48);
        check_largest(rows[i], 1024, 10, 48);
        check_largest(rows[i], 160, 51, 57);
        check_largest(rows[i], 640, 51, 57);
    }
#endif
}

static void test_threads(void **state) {
    (void)state;
    for_each(check_threads, 0);
}

// a 3 x 3 map with a filter that only looks right: known values, whatever the reference does
static void test_by_hand(void **state) {
    (void)state;
    const ohmi_conv shape = {
        .n = 1, .c = 1, .k = 1, .h = 3, .w = 3, .r = 3, .s = 3, .stride = 1, .pad = 1};
    int count = 0;
    const ohmi_kernels *const *rows = ohmi_kernels_all(&count);
    for (int i = 0; i < count; i++) {
        if (!rows[i]->is_supported()) {
            continue;
        }
        arrays a;
        make(&a, &shape, 1);
        for (int pixel = 0; pixel < 9; pixel++) {
            a.x[(size_t)pixel * 256] = (float)(pixel + 1);
            a.dy[(size_t)pixel * 256] = (float)(pixel == 4);
            a.w[pixel] = (float)(pixel == 5);
        }
        run(&a, rows[i], 0);
        const float y[9] = {2, 3, 0, 5, 6, 0, 8, 9, 0};
        for (int pixel = 0; pixel < 9; pixel++) {
            assert_true(a.y[0][(size_t)pixel * 256] == y[pixel]);
            assert_true(a.dx[0][(size_t)pixel * 256] == (float)(pixel == 5));
            assert_true(a.dw[0][pixel] == (float)(pixel + 1));
        }
        drop(&a);
    }
}

static void test_table(void **state) {
    (void)state;
    int count = 0;
    const ohmi_kernels *const *rows = ohmi_kernels_all(&count);
    assert_true(count >= 1);
    assert_ptr_equal(ohmi_kernels_find("reference"), &ohmi_kernels_reference);
    assert_null(ohmi_kernels_find("abacus"));
    // auto is the first supported row
    for (int i = 0; i < count; i++) {
        if (rows[i]->is_supported()) {
            assert_ptr_equal(ohmi_kernels_find("auto"), rows[i]);
            break;
        }
    }
    ohmi_conv o = {.n = 17, .c = 3, .k = 64, .h = 224, .w = 112, .r = 7, .s = 7, .stride = 2};
    o.pad = 3;
    ohmi_conv_complete(&o);
    assert_int_equal(o.p, 112);
    assert_int_equal(o.q, 56);
    assert_int_equal(o.n_pad, 32);
    assert_int_equal(o.c_pad, 16);
    assert_int_equal(o.k_pad, 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),   cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_values),  cmocka_unit_test(test_integers),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_largest_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
