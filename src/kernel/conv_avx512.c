// SPDX-License-Identifier: Apache-2.0
// The kernel row avx512: float products with fused multiply-add on vectors.
#include "kernel/variants.h"

#if defined(__AVX512F__)

#include "kernel/row.h"

static bool is_supported(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
}

ROW_PRODUCTS(row, ROW_BEST)
ROW_PRODUCTS(direct_row, ROW_DIRECT)
ROW_PRODUCTS(winograd_row, ROW_WINOGRAD)

const ohmi_kernels ohmi_kernels_avx512 = {
    "avx512",
    "AVX-512: tiles of 8 x 48, Winograd's algorithm where it is faster",
    is_supported,
    row_workspace,
    row_forward,
    row_backward_data,
    row_backward_weight,
};

const ohmi_kernels ohmi_kernels_avx512_direct = {
    "avx512-direct",
    "AVX-512 without Winograd's algorithm",
    is_supported,
    row_workspace,
    direct_row_forward,
    direct_row_backward_data,
    direct_row_backward_weight,
};

const ohmi_kernels ohmi_kernels_avx512_winograd = {
    "avx512-winograd",
    "AVX-512 with Winograd's algorithm wherever possible",
    is_supported,
    row_workspace,
    winograd_row_forward,
    winograd_row_backward_data,
    winograd_row_backward_weight,
};

#endif
