// SPDX-License-Identifier: Apache-2.0
// The kernels of the elimination: what they return is the inverse and the solution, and all that
// this CPU has give the same bits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "crossbar/wires_kernel.h"

enum { MOST = 88, MOST_F = 104 };
static _Alignas(64) double g_x[MOST * MOST], g_f[MOST * MOST_F], g_work[16 * (2 * MOST + MOST_F)];
static double g_first_x[MOST * MOST], g_first_f[MOST * MOST_F];
static double g_matrix[MOST * MOST], g_right[MOST * MOST_F];

static double uniform(uint32_t index) {
    const ohmi_rng rng = {.seed = 3, .purpose = OHMI_RNG_TEST};
    return (double)ohmi_rng_uniform(&rng, index);
}

static double lower(const double *x, int n, int i, int j) {
    return i > j ? x[i * n + j] : x[j * n + i];
}

static void test_inverse(void **state) {
    (void)state;
    static const int sizes[][2] = {{8, 8}, {16, 8}, {24, 32}, {32, 16}, {72, 80}, {88, 104}};
    int n_kernels = 0;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const int n = sizes[s][0], n_f = sizes[s][1], ld = n_f;
        double *const right = g_right;
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                // rubbish above and on the diagonal must not matter
                g_matrix[i * n + j] = j < i ? pow(10, -6 * uniform((uint32_t)(i * n + j))) : 7;
            }
            for (int j = 0; j < ld; j++) {
                right[i * ld + j] = uniform((uint32_t)(9999 + i * ld + j));
            }
            right[i * ld + OHMI_WIRES_ROW_SUM] = pow(10, -3 * uniform((uint32_t)i));
        }
        assert_true(ohmi_wires_work_count(n, ld) * sizeof *g_work <= sizeof g_work);

        n_kernels = 0;
        for (const ohmi_wires_kernels *const *k = ohmi_wires_all_kernels(); *k != NULL; k++) {
            if (!(*k)->is_supported()) {
                continue;
            }
            const size_t x_bytes = (size_t)(n * n) * sizeof *g_x;
            const size_t f_bytes = (size_t)(n * ld) * sizeof *g_f;
            memcpy(g_x, g_matrix, x_bytes);
            memcpy(g_f, right, f_bytes);
            (*k)->invert(g_x, g_f, n, n_f, ld, g_work);
            for (int i = 0; i < n; i++) {
                for (int j = i + 1; j < n; j++) {
                    g_x[i * n + j] = 0; // above the diagonal is anything
                }
            }
            if (n_kernels++ == 0) {
                memcpy(g_first_x, g_x, x_bytes);
                memcpy(g_first_f, g_f, f_bytes);
            }
            assert_memory_equal(g_x, g_first_x, x_bytes);
            assert_memory_equal(g_f, g_first_f, f_bytes);
        }

        // matrix times inverse, matrix times solution
        for (int i = 0; i < n; i++) {
            double diagonal = right[i * ld + OHMI_WIRES_ROW_SUM];
            for (int k = 0; k < n; k++) {
                diagonal += k == i ? 0 : lower(g_matrix, n, i, k);
            }
            for (int j = 0; j < n + n_f; j++) {
                double sum = 0, size = 0;
                for (int k = 0; k < n; k++) {
                    const double m = k == i ? diagonal : -lower(g_matrix, n, i, k);
                    const double v = j < n ? lower(g_x, n, k, j) : g_f[k * ld + j - n];
                    sum += m * v;
                    size += fabs(m * v);
                }
                const double expected = j < n ? (i == j) : right[i * ld + j - n];
                assert_true(fabs(sum - expected) <= 1e-14 * (size + fabs(expected)));
            }
        }
    }
    print_message("%d kernels, best '%s'\n", n_kernels, ohmi_wires_kernel()->name);
    assert_true(n_kernels > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_inverse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
