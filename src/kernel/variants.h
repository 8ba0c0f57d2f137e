// SPDX-License-Identifier: Apache-2.0
// The rows avx512 and avx2 without their choice between algorithms, for tests and benchmarks:
// "direct" never uses winograd.h, "winograd" wherever that algorithm is possible.
#ifndef OHMI_VARIANTS_H
#define OHMI_VARIANTS_H

#include "kernel/backends.h"

#if OHMI_HAVE_X86_KERNELS
extern const ohmi_kernels ohmi_kernels_avx512_direct;
extern const ohmi_kernels ohmi_kernels_avx512_winograd;
extern const ohmi_kernels ohmi_kernels_avx2_direct;
extern const ohmi_kernels ohmi_kernels_avx2_winograd;
#endif

#endif
