// SPDX-License-Identifier: Apache-2.0
// The kernel row avx2: float products with fused multiply-add on vectors.
#include "kernel/backends.h"

#if defined(__AVX2__)

#include "kernel/direct.h"
#include "kernel/weight.h"

static bool is_supported(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static size_t workspace(const ohmi_conv *shape) {
    // the largest of the three, for each thread
    const size_t forward = direct_thread_bytes(shape, 0);
    const size_t backward = direct_thread_bytes(shape, 1);
    const size_t weight = (weight_thread_bytes(shape) + 63) / 64 * 64;
    size_t most = forward > backward ? forward : backward;
    most = most > weight ? most : weight;
    return most * (size_t)ohmi_threads();
}

const ohmi_kernels ohmi_kernels_avx2 = {
    "avx2",         "AVX2: tiles of 4 x 24", is_supported, workspace,
    direct_forward, direct_backward_data,    weight_run,
};

#endif
