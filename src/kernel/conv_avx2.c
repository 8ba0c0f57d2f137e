// SPDX-License-Identifier: Apache-2.0
// The kernel row avx2: float products with fused multiply-add on vectors.
#include "kernel/variants.h"

#if defined(__AVX2__)

#include "kernel/row.h"

static bool is_supported(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

ROW_PRODUCTS(row, ROW_BEST)
ROW_PRODUCTS(direct_row, ROW_DIRECT)
ROW_PRODUCTS(winograd_row, ROW_WINOGRAD)

const ohmi_kernels ohmi_kernels_avx2 = {
    "avx2",
    "AVX2: tiles of 4 x 24, Winograd's algorithm where it is faster",
    is_supported,
    row_workspace,
    row_forward,
    row_backward_data,
    row_backward_weight,
};

const ohmi_kernels ohmi_kernels_avx2_direct = {
    "avx2-direct",
    "AVX2 without Winograd's algorithm",
    is_supported,
    row_workspace,
    direct_row_forward,
    direct_row_backward_data,
    direct_row_backward_weight,
};

const ohmi_kernels ohmi_kernels_avx2_winograd = {
    "avx2-winograd",
    "AVX2 with Winograd's algorithm wherever possible",
    is_supported,
    row_workspace,
    winograd_row_forward,
    winograd_row_backward_data,
    winograd_row_backward_weight,
};

#endif
