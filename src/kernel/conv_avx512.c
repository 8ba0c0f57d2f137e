// SPDX-License-Identifier: Apache-2.0
// The kernel row avx512: float products with fused multiply-add on vectors.
#include "kernel/backends.h"

#if defined(__AVX512F__)

#include "kernel/row.h"

static bool is_supported(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
}

const ohmi_kernels ohmi_kernels_avx512 = {
    "avx512",    "AVX-512: tiles of 8 x 48", is_supported,        row_workspace,
    row_forward, row_backward_data,          row_backward_weight,
};

#endif
