// SPDX-License-Identifier: Apache-2.0
// The elimination of wires_invert.h for CPUs with AVX-512. Compiled without it (on other
// processors) this file holds no code.
#if defined(__AVX512F__)

#include "crossbar/wires_invert.h"
#include "crossbar/wires_kernels.h"

static bool is_supported(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
}

const ohmi_wires_kernels ohmi_wires_avx512 = {
    .name = "avx512", .is_supported = is_supported, .invert = invert};

#else
typedef int ohmi_no_code; // a file may not be empty
#endif
