// SPDX-License-Identifier: Apache-2.0
// The table of kernels of wires_kernel.h and the choice among them.
#include "crossbar/wires_kernel.h"

#include "crossbar/wires_kernels.h"

// best first
static const ohmi_wires_kernels *const kernels[] = {
#if defined(__x86_64__)
    &ohmi_wires_avx512,
    &ohmi_wires_avx2,
#endif
    &ohmi_wires_plain,
    NULL,
};

size_t ohmi_wires_work_count(int n, int ld) {
    return (size_t)OHMI_WIRES_BLOCK * 2 * (2 * (size_t)n + (size_t)ld);
}

const ohmi_wires_kernels *ohmi_wires_kernel(void) {
    int i = 0;
    while (!kernels[i]->is_supported()) {
        i++;
    }
    return kernels[i];
}

const ohmi_wires_kernels *const *ohmi_wires_all_kernels(void) {
    return kernels;
}
