// SPDX-License-Identifier: Apache-2.0
// All supported rows of the kernel table over one list of odd shapes, side by side: equal on
// integers, near on other data. The row onednn alone: bits equal for every number of threads,
// padding clear of infinities, the caller's OpenMP setting as it was, its place in the table; and
// its source over a matrix product that fails, whose results must be the reference row's.
#if defined(__has_include)
#if __has_include(<oneapi/dnnl/dnnl.h>)
#define HAVE_SOURCE 1
#define OHM_WITH_ONEDNN 1
#define ohmi_kernels_onednn failing_kernels
#define dnnl_sgemm failing_sgemm
#include "../../../src/kernel/conv_onednn.c"
#undef ohmi_kernels_onednn
#endif
#endif

#include <dlfcn.h>
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

// n, c, k, h, w, r, s, stride, pad
static const ohmi_conv g_shapes[] = {
    // one image, more pixels in a row than a product takes, channels ragged
    {.n = 1, .c = 3, .k = 17, .h = 4, .w = 9, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 14, .c = 2, .k = 3, .h = 3, .w = 70, .r = 3, .s = 3, .stride = 1, .pad = 1},
    // few rows of many, and more rows than one register row
    {.n = 5, .c = 33, .k = 18, .h = 4, .w = 5, .r = 3, .s = 3, .stride = 1, .pad = 1},
    {.n = 33, .c = 5, .k = 7, .h = 3, .w = 4, .r = 3, .s = 3, .stride = 1, .pad = 1},
    // several slices of channels both ways
    {.n = 16, .c = 140, .k = 290, .h = 2, .w = 1, .r = 3, .s = 3, .stride = 1, .pad = 1},
    // strides, even one that leaves inputs unread
    {.n = 2, .c = 3, .k = 17, .h = 13, .w = 11, .r = 7, .s = 7, .stride = 2, .pad = 3},
    {.n = 16, .c = 17, .k = 33, .h = 5, .w = 6, .r = 3, .s = 3, .stride = 2, .pad = 1},
    {.n = 16, .c = 17, .k = 40, .h = 5, .w = 5, .r = 1, .s = 1, .stride = 2, .pad = 0},
    {.n = 4, .c = 6, .k = 7, .h = 9, .w = 8, .r = 5, .s = 3, .stride = 3, .pad = 2},
    {.n = 15, .c = 4, .k = 4, .h = 1, .w = 2, .r = 1, .s = 1, .stride = 4, .pad = 0},
    // an even filter: its first product leaves some pixels out
    {.n = 16, .c = 4, .k = 5, .h = 3, .w = 3, .r = 2, .s = 2, .stride = 1, .pad = 1},
    // taps that never fall inside the map, products of one pixel
    {.n = 3, .c = 40, .k = 5, .h = 1, .w = 1, .r = 5, .s = 3, .stride = 1, .pad = 2},
    {.n = 7, .c = 20, .k = 5, .h = 6, .w = 3, .r = 1, .s = 1, .stride = 1, .pad = 0},
    {.n = 1, .c = 100, .k = 3, .h = 1, .w = 1, .r = 1, .s = 1, .stride = 1, .pad = 0},
    {.n = 20, .c = 627, .k = 50, .h = 1, .w = 1, .r = 1, .s = 1, .stride = 1, .pad = 0},
    {.n = 32, .c = 1, .k = 1, .h = 3, .w = 3, .r = 3, .s = 3, .stride = 1, .pad = 0},
};
#define N_SHAPES ((int)(sizeof g_shapes / sizeof g_shapes[0]))

enum { X, DY, W, Y, DX, DW, N_ARRAYS };

typedef struct {
    ohmi_conv o;
    size_t n[N_ARRAYS];
    float *of[2][N_ARRAYS]; // [0] the row under test, [1] the other; the inputs are in [0]
} arrays;

static float draw(uint32_t *state, int is_integer) {
    *state = *state * 1664525U + 1013904223U;
    const int bits = (int)(*state >> 8);
    return is_integer ? (float)(bits % 31 - 15) : (float)bits / 8388608.0F - 1.0F;
}

// fills a map (pixels, n_pad, ld); padding is zero
static void fill(float *map, size_t count, int n, int n_pad, int c, int ld, uint32_t *state,
                 int is_integer) {
    for (size_t i = 0; i < count; i++) {
        const int channel = (int)(i % (size_t)ld), row = (int)(i / (size_t)ld % (size_t)n_pad);
        map[i] = channel < c && row < n ? draw(state, is_integer) : 0.0F;
    }
}

static void make(arrays *a, const ohmi_conv *shape, int is_integer) {
    a->o = *shape;
    ohmi_conv_complete(&a->o);
    const ohmi_conv *o = &a->o;
    a->n[X] = a->n[DX] = (size_t)o->h * (size_t)o->w * (size_t)o->n_pad * (size_t)o->c_pad;
    a->n[Y] = a->n[DY] = (size_t)o->p * (size_t)o->q * (size_t)o->n_pad * (size_t)o->k_pad;
    a->n[W] = a->n[DW] = (size_t)o->k * (size_t)o->c * (size_t)o->r * (size_t)o->s;
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < N_ARRAYS; j++) {
            a->of[i][j] = ohmi_alloc(a->n[j], sizeof(float));
            assert_non_null(a->of[i][j]);
        }
    }
    uint32_t state = 11;
    fill(a->of[0][X], a->n[X], o->n, o->n_pad, o->c, o->c_pad, &state, is_integer);
    fill(a->of[0][DY], a->n[DY], o->n, o->n_pad, o->k, o->k_pad, &state, is_integer);
    fill(a->of[0][W], a->n[W], 1, 1, 1, 1, &state, is_integer);
}

static void drop(arrays *a) {
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < N_ARRAYS; j++) {
            ohmi_free(a->of[i][j]);
        }
    }
}

// the three products of a row into slot i: outputs and workspace start as rubbish, with a guard
static void run(arrays *a, const ohmi_kernels *row, int i) {
    float *const *in = a->of[0];
    float *const *out = a->of[i];
    const size_t size = row->workspace(&a->o);
    char *work = ohmi_alloc(size + 64, 1);
    assert_non_null(work);
    memset(work, 0x7F, size + 64);
    for (int j = Y; j < N_ARRAYS; j++) {
        memset(out[j], 0x7F, a->n[j] * sizeof(float));
    }
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

// asserts that the two slots hold the same numbers
static void check_equal(const arrays *a) {
    for (int j = Y; j < N_ARRAYS; j++) {
        for (size_t i = 0; i < a->n[j]; i++) {
            assert_true(a->of[0][j][i] == a->of[1][j][i]);
        }
    }
}

// every supported row and shape, whole numbers or others
static void check_rows(int is_integer) {
    int count = 0;
    const ohmi_kernels *const *rows = ohmi_kernels_all(&count);
    for (int s = 0; s < N_SHAPES; s++) {
        arrays a;
        make(&a, &g_shapes[s], is_integer);
        run(&a, &ohmi_kernels_reference, 1);
        for (int i = 0; i < count; i++) {
            if (!rows[i]->is_supported() || rows[i] == &ohmi_kernels_reference) {
                continue;
            }
            run(&a, rows[i], 0);
            if (is_integer) {
                check_equal(&a);
                continue;
            }
            // bfloat16 inputs: two roundings of 2.2e-6 each (test_conv_amx.c), few samples
            const double limit = strcmp(rows[i]->name, "amx") == 0 ? 2e-5 : 1e-10;
            for (int j = Y; j < N_ARRAYS; j++) {
                assert_true(nmse(&a, j) < limit);
            }
        }
        drop(&a);
    }
}

static void test_integers(void **state) {
    (void)state;
    check_rows(1);
}

static void test_values(void **state) {
    (void)state;
    check_rows(0);
}

// the row, or the test is skipped in a build without it
static const ohmi_kernels *find_row(void) {
    const ohmi_kernels *row = ohmi_kernels_find("onednn");
    if (row == NULL) {
        skip();
    }
    return row;
}

static void test_threads(void **state) {
    (void)state;
    const ohmi_kernels *row = find_row();
    const int before = ohmi_threads();
    for (int s = 0; s < N_SHAPES; s++) {
        arrays a;
        make(&a, &g_shapes[s], 0);
        ohmi_set_threads(1);
        run(&a, row, 0);
        ohmi_set_threads(3);
        run(&a, row, 1);
        for (int j = Y; j < N_ARRAYS; j++) {
            assert_memory_equal(a.of[0][j], a.of[1][j], a.n[j] * sizeof(float));
        }
        drop(&a);
    }
    ohmi_set_threads(before);
}

// an infinite weight and input must not reach the padding
static void test_padding(void **state) {
    (void)state;
    const ohmi_kernels *row = find_row();
    for (int s = 2; s < 8; s++) {
        arrays a;
        make(&a, &g_shapes[s], 0);
        const ohmi_conv *o = &a.o;
        a.of[0][W][1] = a.of[0][X][0] = a.of[0][DY][0] = INFINITY;
        run(&a, row, 0);
        for (size_t i = 0; i < a.n[Y]; i++) {
            const int channel = (int)(i % (size_t)o->k_pad);
            const int n = (int)(i / (size_t)o->k_pad % (size_t)o->n_pad);
            assert_true((channel < o->k && n < o->n) || a.of[0][Y][i] == 0.0F);
        }
        for (size_t i = 0; i < a.n[DX]; i++) {
            const int channel = (int)(i % (size_t)o->c_pad);
            const int n = (int)(i / (size_t)o->c_pad % (size_t)o->n_pad);
            assert_true((channel < o->c && n < o->n) || a.of[0][DX][i] == 0.0F);
        }
        drop(&a);
    }
}

// a program that uses OpenMP itself finds its number of threads as it was
static void test_openmp(void **state) {
    (void)state;
    const ohmi_kernels *row = find_row();
    void (*set)(int) = NULL;
    int (*get)(void) = NULL;
    void *at = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    memcpy(&set, &at, sizeof set);
    at = dlsym(RTLD_DEFAULT, "omp_get_max_threads");
    memcpy(&get, &at, sizeof get);
    if (set == NULL || get == NULL) {
        skip();
    }
    // one thread, so that it is this one that runs the products
    const int before = ohmi_threads(), openmp_before = get();
    ohmi_set_threads(1);
    for (int n = 1; n <= 5; n += 2) {
        arrays a;
        make(&a, &g_shapes[2], 1);
        set(n);
        run(&a, row, 0);
        assert_int_equal(get(), n);
        drop(&a);
    }
    set(openmp_before);
    ohmi_set_threads(before);
}

// before the plain loops, after every row that is made for a CPU
static void test_table(void **state) {
    (void)state;
    const ohmi_kernels *row = find_row();
    int count = 0;
    const ohmi_kernels *const *rows = ohmi_kernels_all(&count);
    assert_true(count >= 2);
    assert_ptr_equal(rows[count - 1], &ohmi_kernels_reference);
    assert_ptr_equal(rows[count - 2], row);
    assert_ptr_not_equal(ohmi_kernels_find("auto"), &ohmi_kernels_reference);
}

#ifdef HAVE_SOURCE

static atomic_int g_left; // products that still succeed

dnnl_status_t failing_sgemm(char transa, char transb, dnnl_dim_t M, dnnl_dim_t N, dnnl_dim_t K,
                            float alpha, const float *A, dnnl_dim_t lda, const float *B,
                            dnnl_dim_t ldb, float beta, float *C, dnnl_dim_t ldc) {
    if (atomic_fetch_sub(&g_left, 1) <= 0) {
        return dnnl_out_of_memory;
    }
    for (dnnl_dim_t m = 0; m < M; m++) {
        for (dnnl_dim_t n = 0; n < N; n++) {
            float sum = 0.0F;
            for (dnnl_dim_t k = 0; k < K; k++) {
                const float a = transa == 'T' ? A[k * lda + m] : A[m * lda + k];
                sum += a * (transb == 'T' ? B[n * ldb + k] : B[k * ldb + n]);
            }
            // zero times rubbish is no zero
            C[m * ldc + n] = alpha * sum + (beta > 0.0F ? beta * C[m * ldc + n] : 0.0F);
        }
    }
    return dnnl_success;
}

// products that fail at the first, the second, the last and no call: right in every case
static void test_no_memory(void **state) {
    (void)state;
    static const int lefts[] = {0, 1, 5, 1 << 30};
    for (int s = 0; s < N_SHAPES; s += 2) {
        arrays a;
        make(&a, &g_shapes[s], 1);
        run(&a, &ohmi_kernels_reference, 1);
        for (int i = 0; i < 4; i++) {
            atomic_store(&g_left, lefts[i]);
            run(&a, &failing_kernels, 0);
            check_equal(&a);
        }
        drop(&a);
    }
}

#else

static void test_no_memory(void **state) {
    (void)state;
    skip();
}

#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),     cmocka_unit_test(test_integers),
        cmocka_unit_test(test_values),    cmocka_unit_test(test_threads),
        cmocka_unit_test(test_padding),   cmocka_unit_test(test_openmp),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
