// SPDX-License-Identifier: Apache-2.0
// The rows of the kernel table that only some CPUs or builds have; kernel.c lists them.
#ifndef OHMI_BACKENDS_H
#define OHMI_BACKENDS_H

#include "kernel/kernel.h"

#if defined(__x86_64__)
#define OHMI_HAVE_X86_KERNELS 1
extern const ohmi_kernels ohmi_kernels_amx;
extern const ohmi_kernels ohmi_kernels_avx512;
extern const ohmi_kernels ohmi_kernels_avx2;
#else
#define OHMI_HAVE_X86_KERNELS 0
#endif

#if defined(OHM_WITH_ONEDNN)
extern const ohmi_kernels ohmi_kernels_onednn;
#endif

#endif
