// SPDX-License-Identifier: Apache-2.0
// The source of the kernel row amx, compiled over the software form of the matrix registers
// (kernel/tile.h), against the reference row: equal on integers; on other data equal up to float32
// sums when the data have 8 significant bits, and up to the rounding when not; and the software
// form itself against its definition. What this cannot show is that the CPU does what its manual
// says; on a CPU with AMX test_conv_kernels runs the instructions.
#define OHMI_TILE_EMULATED 1
#define ohmi_kernels_amx emulated_kernels
#include "../../../src/kernel/conv_amx.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/memory.h"

// n, c, k, h, w, r, s, stride, pad: one and two tiles each way, odd rows to pair, taps outside,
// more pixels than an item of work has
static const ohmi_conv g_shapes[] = {
    {.n = 1, .c = 3, .k = 5, .h = 4, .w = 3, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 16, .c = 17, .k = 33, .h = 3, .w = 4, .r = 3, .s = 3, .stride = 2, .pad = 1},
    {.n = 33, .c = 5, .k = 17, .h = 2, .w = 3, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 40, .c = 40, .k = 70, .h = 2, .w = 1, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 2, .c = 3, .k = 17, .h = 6, .w = 5, .r = 7, .s = 7, .stride = 2, .pad = 3},
    {.n = 16, .c = 17, .k = 40, .h = 3, .w = 3, .r = 1, .s = 1, .stride = 2, .pad = 0},
    {.n = 4, .c = 6, .k = 7, .h = 5, .w = 6, .r = 5, .s = 3, .stride = 3, .pad = 2},
    {.n = 17, .c = 100, .k = 50, .h = 1, .w = 1, .r = 1, .s = 1, .stride = 1, .pad = 0},
    {.n = 32, .c = 32, .k = 32, .h = 1, .w = 1, .r = 1, .s = 1, .stride = 1, .pad = 0},
    {.n = 2, .c = 2, .k = 5, .h = 10, .w = 10, .r = 3, .s = 2, .stride = 1, .pad = 0},
};
#define N_SHAPES ((int)(sizeof g_shapes / sizeof g_shapes[0]))

enum { X, DY, W, Y, DX, DW, N_ARRAYS };
enum { INTEGER, SHORT, LONG }; // kinds of data: whole, 8 significant bits, 24

typedef struct {
    ohmi_conv o;
    size_t n[N_ARRAYS];
    float *of[2][N_ARRAYS]; // [0] emulated, [1] reference; the inputs are in [0]
} arrays;

static float draw(uint32_t *state, int kind) {
    *state = *state * 1664525U + 1013904223U;
    const int bits = (int)(*state >> 8);
    return kind == INTEGER ? (float)(bits % 31 - 15)
           : kind == SHORT ? (float)(bits % 257 - 128) / 64.0F
                           : (float)bits / 8388608.0F - 1.0F;
}

static void make(arrays *a, const ohmi_conv *shape, int kind) {
    a->o = *shape;
    ohmi_conv_complete(&a->o);
    const ohmi_conv *o = &a->o;
    a->n[X] = a->n[DX] = (size_t)o->h * (size_t)o->w * (size_t)o->n_pad * (size_t)o->c_pad;
    a->n[Y] = a->n[DY] = (size_t)o->p * (size_t)o->q * (size_t)o->n_pad * (size_t)o->k_pad;
    a->n[W] = a->n[DW] = (size_t)o->k * (size_t)o->c * (size_t)o->r * (size_t)o->s;
    uint32_t state = 3;
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < N_ARRAYS; j++) {
            a->of[i][j] = ohmi_alloc(a->n[j], sizeof(float));
            assert_non_null(a->of[i][j]);
            // outputs start as rubbish
            memset(a->of[i][j], j < Y ? 0 : 0x7B, a->n[j] * sizeof(float));
        }
    }
    for (size_t i = 0; i < a->n[X]; i++) {
        const int channel = (int)(i % (size_t)o->c_pad);
        const int row = (int)(i / (size_t)o->c_pad % (size_t)o->n_pad);
        a->of[0][X][i] = channel < o->c && row < o->n ? draw(&state, kind) : 0.0F;
    }
    for (size_t i = 0; i < a->n[DY]; i++) {
        const int channel = (int)(i % (size_t)o->k_pad);
        const int row = (int)(i / (size_t)o->k_pad % (size_t)o->n_pad);
        a->of[0][DY][i] = channel < o->k && row < o->n ? draw(&state, kind) : 0.0F;
    }
    for (size_t i = 0; i < a->n[W]; i++) {
        a->of[0][W][i] = draw(&state, kind);
    }
}

static void drop(arrays *a) {
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < N_ARRAYS; j++) {
            ohmi_free(a->of[i][j]);
        }
    }
}

// the three products of a row into slot i, in a workspace that starts as rubbish, with a guard
static void run(arrays *a, const ohmi_kernels *row, int i) {
    float *const *in = a->of[0];
    float *const *out = a->of[i];
    const size_t size = row->workspace(&a->o);
    char *work = ohmi_alloc(size + 64, 1);
    assert_non_null(work);
    memset(work, 0x7F, size + 64);
    row->forward(out[Y], in[X], in[W], &a->o, work);
    row->backward_data(out[DX], in[DY], in[W], &a->o, work);
    row->backward_weight(out[DW], in[X], in[DY], &a->o, work);
    for (size_t j = size; j < size + 64; j++) {
        assert_int_equal(work[j], 0x7F);
    }
    ohmi_free(work);
}

static double nmse(const arrays *a, int j) {
    double error = 0, power = 1e-30;
    for (size_t i = 0; i < a->n[j]; i++) {
        const double is = (double)a->of[0][j][i], must = (double)a->of[1][j][i];
        error += (is - must) * (is - must);
        power += must * must;
    }
    return error / power;
}

static void test_integers(void **state) {
    (void)state;
    for (int s = 0; s < N_SHAPES; s++) {
        arrays a;
        make(&a, &g_shapes[s], INTEGER);
        run(&a, &emulated_kernels, 0);
        run(&a, &ohmi_kernels_reference, 1);
        for (int j = Y; j <= DW; j++) {
            for (size_t i = 0; i < a.n[j]; i++) {
                assert_true(a.of[0][j][i] == a.of[1][j][i]);
            }
        }
        drop(&a);
    }
}

static void test_values(void **state) {
    (void)state;
    for (int s = 0; s < N_SHAPES; s++) {
        for (int kind = SHORT; kind <= LONG; kind++) {
            arrays a;
            make(&a, &g_shapes[s], kind);
            run(&a, &emulated_kernels, 0);
            run(&a, &ohmi_kernels_reference, 1);
            for (int j = Y; j <= DW; j++) {
                const double error = nmse(&a, j);
                // even data in [-1, 1): each of two roundings has 4/7 2^-16 / 12 over 1/3, 2.2e-6;
                // together 4.4e-6, doubled for the few samples of small shapes
                assert_true(error < (kind == SHORT ? 1e-12 : 8.8e-6));
                assert_true(kind == SHORT || error > 1e-8);
            }
            drop(&a);
        }
    }
}

static void test_threads(void **state) {
    (void)state;
    const int before = ohmi_threads();
    for (int s = 0; s < 4; s++) {
        arrays a;
        make(&a, &g_shapes[s], LONG);
        ohmi_set_threads(1);
        run(&a, &emulated_kernels, 0);
        ohmi_set_threads(3);
        run(&a, &emulated_kernels, 1);
        for (int j = Y; j <= DW; j++) {
            assert_memory_equal(a.of[0][j], a.of[1][j], a.n[j] * sizeof(float));
        }
        drop(&a);
    }
    ohmi_set_threads(before);
}

// padding stays zero even when a weight and an input are infinite
static void test_padding(void **state) {
    (void)state;
    arrays a;
    make(&a, &g_shapes[1], LONG);
    const ohmi_conv *o = &a.o;
    a.of[0][W][5] = INFINITY;
    a.of[0][X][0] = INFINITY;
    a.of[0][DY][0] = INFINITY;
    run(&a, &emulated_kernels, 0);
    for (size_t i = 0; i < a.n[Y]; i++) {
        const int channel = (int)(i % (size_t)o->k_pad);
        const int row = (int)(i / (size_t)o->k_pad % (size_t)o->n_pad);
        assert_true((channel < o->k && row < o->n) || a.of[0][Y][i] == 0.0F);
    }
    for (size_t i = 0; i < a.n[DX]; i++) {
        const int channel = (int)(i % (size_t)o->c_pad);
        const int row = (int)(i / (size_t)o->c_pad % (size_t)o->n_pad);
        assert_true((channel < o->c && row < o->n) || a.of[0][DX][i] == 0.0F);
    }
    drop(&a);
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void test_round(void **state) {
    (void)state;
    // exact, below half, tie to even down and up, above half, carry into the exponent
    assert_int_equal(tile_round(1.0F), 0x3F80);
    assert_int_equal(tile_round(-2.5F), 0xC020);
    assert_int_equal(tile_round(float_of(0x3F807FFF)), 0x3F80);
    assert_int_equal(tile_round(float_of(0x3F808000)), 0x3F80);
    assert_int_equal(tile_round(float_of(0x3F818000)), 0x3F82);
    assert_int_equal(tile_round(float_of(0x3F808001)), 0x3F81);
    assert_int_equal(tile_round(float_of(0x3FFFFFFF)), 0x4000);
    // infinity stays, the largest float becomes infinity, a NaN of low bits stays a NaN
    assert_int_equal(tile_round(INFINITY), 0x7F80);
    assert_int_equal(tile_round(float_of(0x7F7FFFFF)), 0x7F80);
    assert_int_equal(tile_round(float_of(0x7F800001)), 0x7FC0);
    for (int i = -256; i <= 256; i++) {
        assert_true(float_of(tile_round((float)i) << 16) == (float)i);
    }
}

// d[1][2] += a[1][0] b[0][2][0] + a[1][1] b[0][2][1] + a[1][31] b[15][2][1], by hand
static void test_product(void **state) {
    (void)state;
    uint16_t a[TILE_ROWS][2 * TILE_PAIRS] = {{0}};
    uint16_t b[TILE_PAIRS][TILE_PAIRS][2] = {{{0}}};
    float d[TILE_ROWS][TILE_PAIRS] = {{0}};
    a[1][0] = (uint16_t)tile_round(3.0F);
    a[1][1] = (uint16_t)tile_round(5.0F);
    a[1][31] = (uint16_t)tile_round(-0.5F);
    b[0][2][0] = (uint16_t)tile_round(7.0F);
    b[0][2][1] = (uint16_t)tile_round(11.0F);
    b[15][2][1] = (uint16_t)tile_round(2.0F);
    d[1][2] = 100.0F;
    // a product below the smallest normal number counts as zero
    a[3][4] = (uint16_t)tile_round(1e-30F);
    b[2][5][0] = (uint16_t)tile_round(1e-9F);
    tile_begin();
    tile_load(4, a, TILE_STEP);
    tile_load(6, b, TILE_STEP);
    tile_load(0, d, TILE_STEP);
    tile_product(0, 4, 6);
    tile_store(0, d, TILE_STEP);
    tile_end();
    for (int m = 0; m < TILE_ROWS; m++) {
        for (int n = 0; n < TILE_PAIRS; n++) {
            assert_true(d[m][n] == (m == 1 && n == 2 ? 175.0F : 0.0F));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),    cmocka_unit_test(test_product),
        cmocka_unit_test(test_integers), cmocka_unit_test(test_values),
        cmocka_unit_test(test_threads),  cmocka_unit_test(test_padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
