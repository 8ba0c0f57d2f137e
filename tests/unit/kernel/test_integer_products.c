// SPDX-License-Identifier: Apache-2.0
// Every supported row of integer products against the plain one, over shapes with odd sizes,
// strides, paddings, ragged channels and batch 1, with each thing that may follow a sum: the same
// bytes; and the plain one against sums and roundings worked out here in wide numbers.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/thread.h"
#include "kernel/integer.h"

// n, c, k, h, w, r, s, stride, pad
static const ohmi_conv g_shapes[] = {
    {.n = 1, .c = 3, .k = 5, .h = 7, .w = 5, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 5, .c = 3, .k = 78, .h = 8, .w = 8, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 16, .c = 17, .k = 33, .h = 5, .w = 6, .r = 3, .s = 3, .stride = 2, .pad = 1},
    {.n = 33, .c = 5, .k = 17, .h = 4, .w = 4, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 5, .c = 150, .k = 100, .h = 2, .w = 2, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 2, .c = 3, .k = 17, .h = 19, .w = 17, .r = 7, .s = 7, .stride = 2, .pad = 3},
    {.n = 16, .c = 17, .k = 40, .h = 5, .w = 5, .r = 1, .s = 1, .stride = 2, .pad = 0},
    {.n = 4, .c = 6, .k = 7, .h = 9, .w = 8, .r = 5, .s = 3, .stride = 3, .pad = 2},
    {.n = 1, .c = 70, .k = 70, .h = 1, .w = 1, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 1, .c = 100, .k = 3, .h = 1, .w = 1, .r = 1, .s = 1, .stride = 1, .pad = 0},
    {.n = 5, .c = 627, .k = 50, .h = 1, .w = 1, .r = 1, .s = 1, .stride = 1, .pad = 0},
    {.n = 17, .c = 78, .k = 1003, .h = 1, .w = 1, .r = 1, .s = 1, .stride = 1, .pad = 0},
    {.n = 32, .c = 1, .k = 1, .h = 3, .w = 3, .r = 3, .s = 3, .stride = 1, .pad = 0},
    {.n = 9, .c = 64, .k = 80, .h = 7, .w = 6, .r = 3, .s = 3, .stride = 1, .pad = 1},
};
#define N_SHAPES ((int)(sizeof g_shapes / sizeof g_shapes[0]))

// what may follow a sum
enum { SUMS, REAL, CODES, CODES_PLUS_CODES, CODES_PLUS_REAL, LEVELS, N_ENDS };

static const float g_threshold[15] = {0.5F, 1.5F, 2.5F, 3.5F, 5,     7,     8.5F, 10.5F,
                                      14,   17,   21,   28,   32.5F, 34.5F, 42};
static const uint8_t g_level[16] = {0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48};

typedef struct {
    ohmi_conv o;
    size_t n_x, n_y, n_w;
    uint8_t *x, *other_code;
    float *w, *a, *b, *other;
    uint8_t *y[2]; // [0] of the row under test, [1] of the plain one
    int zero, most_x, most_w;
} arrays;

static uint32_t next(uint32_t *state) {
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

// zero = 128: inputs are signed and offset
static void make(arrays *a, const ohmi_conv *shape, int zero, int most_x, int most_w) {
    uint32_t state = 5;
    memset(a, 0, sizeof *a);
    a->o = *shape;
    a->zero = zero;
    a->most_x = most_x;
    a->most_w = most_w;
    ohmi_conv_complete(&a->o);
    const ohmi_conv *o = &a->o;
    a->n_x = (size_t)o->h * (size_t)o->w * (size_t)o->n_pad * (size_t)o->c_pad;
    a->n_y = (size_t)o->p * (size_t)o->q * (size_t)o->n_pad * (size_t)o->k_pad;
    a->n_w = (size_t)o->k * (size_t)o->c * (size_t)o->r * (size_t)o->s;
    a->x = ohmi_alloc(a->n_x, 1);
    a->w = ohmi_alloc(a->n_w, sizeof(float));
    a->a = ohmi_alloc((size_t)o->k_pad, sizeof(float));
    a->b = ohmi_alloc((size_t)o->k_pad, sizeof(float));
    a->other = ohmi_alloc(a->n_y, sizeof(float));
    a->other_code = ohmi_alloc(a->n_y, 1);
    a->y[0] = ohmi_alloc(a->n_y, sizeof(float));
    a->y[1] = ohmi_alloc(a->n_y, sizeof(float));
    assert_true(a->x && a->w && a->a && a->b && a->other && a->other_code && a->y[0] && a->y[1]);

    // rubbish where no channel is: it must not count
    for (size_t i = 0; i < a->n_x; i++) {
        a->x[i] = (uint8_t)(next(&state) % (uint32_t)(most_x + 1));
    }
    for (size_t i = 0; i < a->n_w; i++) {
        a->w[i] = (float)((int)(next(&state) % (uint32_t)(2 * most_w + 1)) - most_w);
    }
    // values spread over the codes, with some below and above
    const float size = sqrtf((float)(o->c * o->r * o->s)) * (float)(most_x * most_w) / 6;
    for (int k = 0; k < o->k; k++) {
        a->a[k] = (float)(next(&state) % 1000) / 1000 * 3 / size;
        a->b[k] = (float)(next(&state) % 1000) / 500;
    }
    for (size_t i = 0; i < a->n_y; i++) {
        const int is_inside = (int)(i % (size_t)o->k_pad) < o->k;
        a->other_code[i] = (uint8_t)(is_inside ? next(&state) % 16 : 0);
        a->other[i] = is_inside ? (float)next(&state) / 8388608.0F - 1.0F : 0;
    }
}

static void drop(arrays *a) {
    void *blocks[] = {a->x, a->w, a->a, a->b, a->other, a->other_code, a->y[0], a->y[1]};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ohmi_free(blocks[i]);
    }
}

static ohmi_finish finish_of(const arrays *a, int end) {
    ohmi_finish f = {
        .a = a->a, .b = a->b, .has_relu = end != REAL, .inverse_step = 3.7F, .top = 15};
    f.residual_step = 0.31F;
    f.residual = end == CODES_PLUS_REAL || end == REAL ? a->other : NULL;
    f.residual_code = end == CODES_PLUS_CODES ? a->other_code : NULL;
    if (end == LEVELS) {
        f.n_levels = 16;
        f.threshold = g_threshold;
        f.level = g_level;
    }
    if (end == REAL) {
        f.inverse_step = 0;
    }
    return end == SUMS ? (ohmi_finish){0} : f;
}

static size_t bytes_of(int end) {
    return end == SUMS || end == REAL ? 4 : 1;
}

// runs a row into slot i; a guard lies behind its weights
static void run(arrays *a, const ohmi_integer_kernels *row, int end, int i) {
    const ohmi_finish f = finish_of(a, end);
    const size_t size = row->packed_bytes(&a->o);
    char *packed = ohmi_alloc(size + 64, 1);
    assert_non_null(packed);
    memset(packed, 0x33, size);
    memset(packed + size, 0x5A, 64);
    memset(a->y[i], 0x7B, a->n_y * sizeof(float));
    row->pack(packed, a->w, &a->o);
    row->run(a->y[i], a->x, a->zero, packed, &a->o, &f);
    for (size_t g = size; g < size + 64; g++) {
        assert_int_equal(packed[g], 0x5A);
    }
    ohmi_free(packed);
}

// rows up to n are equal in all bytes, padding channels are zero, nothing is written behind
static void compare(const arrays *a, int end) {
    const ohmi_conv *o = &a->o;
    const size_t size = bytes_of(end), row_bytes = (size_t)o->k_pad * size;
    for (int64_t i = 0; i < (int64_t)o->p * o->q * o->n_pad; i++) {
        const uint8_t *got = a->y[0] + (size_t)i * row_bytes;
        if (i % o->n_pad >= o->n) {
            continue;
        }
        assert_memory_equal(got, a->y[1] + (size_t)i * row_bytes, row_bytes);
        for (size_t pad = (size_t)o->k * size; pad < row_bytes; pad++) {
            assert_int_equal(got[pad], 0);
        }
    }
    for (size_t i = a->n_y * size; i < a->n_y * sizeof(float); i++) {
        assert_int_equal(a->y[0][i], 0x7B);
    }
}

// calls of every supported row on one set of arrays
static void check_rows(arrays *a) {
    int count = 0;
    const ohmi_integer_kernels *const *rows = ohmi_integer_all(&count);
    for (int end = 0; end < N_ENDS; end++) {
        run(a, &ohmi_integer_plain, end, 1);
        for (int i = 0; i < count; i++) {
            if (rows[i] != &ohmi_integer_plain && rows[i]->is_supported() &&
                a->most_x * a->most_w <= rows[i]->most_product) {
                run(a, rows[i], end, 0);
                compare(a, end);
            }
        }
    }
}

static void all_shapes(void **state) {
    (void)state;
    for (int s = 0; s < N_SHAPES; s++) {
        arrays a;
        make(&a, &g_shapes[s], 0, 15, 7);
        check_rows(&a);
        drop(&a);
        make(&a, &g_shapes[s], 128, 255, 7);
        check_rows(&a);
        drop(&a);
    }
}

// the largest codes that a row promises, all of one sign: nothing saturates
static void largest_codes(void **state) {
    (void)state;
    const ohmi_conv shape = {
        .n = 3, .c = 127, .k = 40, .h = 3, .w = 4, .r = 3, .s = 3, .stride = 1, .pad = 1};
    const int most[][2] = {{255, 127}, {129, 127}, {255, 64}};
    for (int m = 0; m < 3; m++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            arrays a;
            make(&a, &shape, 0, most[m][0], most[m][1]);
            memset(a.x, most[m][0], a.n_x);
            for (size_t i = 0; i < a.n_w; i++) {
                a.w[i] = (float)(sign * most[m][1]);
            }
            check_rows(&a);
            drop(&a);
        }
    }
}

static void any_number_of_threads(void **state) {
    (void)state;
    const int before = ohmi_threads();
    for (int s = 0; s < N_SHAPES; s++) {
        for (int n = 1; n <= 3; n++) {
            arrays a;
            ohmi_set_threads(n);
            make(&a, &g_shapes[s], 0, 15, 7);
            check_rows(&a);
            drop(&a);
        }
    }
    ohmi_set_threads(before);
}

// the plain row: sums in 64 bits, and the rounding by its definition in integer.h
static void plain_by_definition(void **state) {
    (void)state;
    const ohmi_conv shape = {
        .n = 2, .c = 5, .k = 3, .h = 4, .w = 5, .r = 3, .s = 2, .stride = 2, .pad = 1};
    arrays a;
    make(&a, &shape, 128, 255, 7);
    const ohmi_conv *o = &a.o;
    int n_different = 0;
    run(&a, &ohmi_integer_plain, SUMS, 1);
    run(&a, &ohmi_integer_plain, CODES, 0);
    for (int i = 0; i < o->p * o->q * o->n * o->k; i++) {
        const int k = i % o->k, n = i / o->k % o->n, q = i / o->k / o->n % o->q;
        const int p = i / o->k / o->n / o->q;
        int64_t sum = 0;
        for (int c = 0; c < o->c * o->r * o->s; c++) {
            const int h = 2 * p + c / o->s % o->r - 1, w = 2 * q + c % o->s - 1;
            if (h >= 0 && h < o->h && w >= 0 && w < o->w) {
                const int at = ((h * o->w + w) * o->n_pad + n) * o->c_pad + c / (o->r * o->s);
                sum += (int64_t)a.w[k * o->c * o->r * o->s + c] * (a.x[at] - 128);
            }
        }
        const int at = ((p * o->q + q) * o->n_pad + n) * o->k_pad + k;
        int32_t got;
        memcpy(&got, a.y[1] + 4 * (size_t)at, sizeof got);
        assert_int_equal(got, sum);
        const float v = fmaxf(a.a[k] * (float)sum + a.b[k], 0) * 3.7F;
        assert_int_equal(a.y[0][at], (int)fminf(nearbyintf(v), 15));
        n_different += a.y[0][at] != a.y[0][0];
    }
    assert_true(n_different > 3);
    drop(&a);
}

// each backend has the products of its own instructions, the plain loops stay on floats
static void rows_of_backends(void **state) {
    (void)state;
    assert_null(ohmi_integer_for(&ohmi_kernels_reference));
    const ohmi_kernels *avx2 = ohmi_kernels_find("avx2");
    if (avx2) {
        assert_string_equal(ohmi_integer_for(avx2)->name, "avx2-maddubs");
    }
    ohmi_kernels other = ohmi_kernels_reference;
    other.name = "avx512";
    assert_null(ohmi_integer_for(&other));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_backends),
        cmocka_unit_test(plain_by_definition),
        cmocka_unit_test(all_shapes),
        cmocka_unit_test(largest_codes),
        cmocka_unit_test(any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
