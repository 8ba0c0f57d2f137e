// SPDX-License-Identifier: Apache-2.0
// The rows of the table of wires_kernel.h.
#ifndef OHMI_WIRES_KERNELS_H
#define OHMI_WIRES_KERNELS_H

#include "crossbar/wires_kernel.h"

extern const ohmi_wires_kernels ohmi_wires_plain;
#if defined(__x86_64__)
extern const ohmi_wires_kernels ohmi_wires_avx2;
extern const ohmi_wires_kernels ohmi_wires_avx512;
#endif

#endif
