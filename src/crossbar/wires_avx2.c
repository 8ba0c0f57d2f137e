// SPDX-License-Identifier: Apache-2.0
// The elimination of wires_invert.h for CPUs with AVX2. Compiled without it (on other processors)
// this file holds no code.
#if defined(__AVX2__)

#include "crossbar/wires_invert.h"
#include "crossbar/wires_kernels.h"

static bool is_supported(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const ohmi_wires_kernels ohmi_wires_avx2 = {
    .name = "avx2", .is_supported = is_supported, .invert = invert};

#else
typedef int ohmi_no_code; // a file may not be empty
#endif
