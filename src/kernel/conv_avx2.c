// SPDX-License-Identifier: Apache-2.0
// The kernel row avx2: float products with fused multiply-add on vectors.
#include "kernel/backends.h"

#if defined(__AVX2__)

#include "kernel/row.h"

static bool is_supported(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const ohmi_kernels ohmi_kernels_avx2 = {
    "avx2",      "AVX2: tiles of 4 x 24", is_supported,        row_workspace,
    row_forward, row_backward_data,       row_backward_weight,
};

#endif
