// SPDX-License-Identifier: Apache-2.0
// The table of kernel backends, best first, and the derived sizes of a convolution.
#include "kernel/kernel.h"

#include <string.h>

#include "kernel/backends.h"

static const ohmi_kernels *const g_rows[] = {
#if OHMI_HAVE_X86_KERNELS
    &ohmi_kernels_amx,       &ohmi_kernels_avx512, &ohmi_kernels_avx2,
#endif
#if defined(OHM_WITH_ONEDNN)
    &ohmi_kernels_onednn,
#endif
    &ohmi_kernels_reference,
};

static int round_up_16(int count) {
    return (count + 15) / 16 * 16;
}

void ohmi_conv_complete(ohmi_conv *shape) {
    // output map, then the sizes in memory
    shape->p = (shape->h + 2 * shape->pad - shape->r) / shape->stride + 1;
    shape->q = (shape->w + 2 * shape->pad - shape->s) / shape->stride + 1;
    shape->n_pad = round_up_16(shape->n);
    shape->c_pad = round_up_16(shape->c);
    shape->k_pad = round_up_16(shape->k);
}

const ohmi_kernels *const *ohmi_kernels_all(int *count) {
    *count = (int)(sizeof g_rows / sizeof g_rows[0]);
    return g_rows;
}

const ohmi_kernels *ohmi_kernels_find(const char *name) {
    // rows are ordered best first, so that "auto" is the first that this machine supports
    int count = 0;
    const ohmi_kernels *const *rows = ohmi_kernels_all(&count);
    for (int i = 0; i < count; i++) {
        const bool is_named = strcmp(name, "auto") == 0 || strcmp(name, rows[i]->name) == 0;
        if (is_named && rows[i]->is_supported()) {
            return rows[i];
        }
    }
    return NULL;
}
