// SPDX-License-Identifier: Apache-2.0
// Named views of arrays; see view.h.
#include "tensor/view.h"

#include <stdio.h>

static const struct {
    size_t size;
    const char *name;
} types[] = {[OHMI_F32] = {4, "F32"},  [OHMI_F64] = {8, "F64"}, [OHMI_U8] = {1, "U8"},
             [OHMI_I8] = {1, "I8"},    [OHMI_I32] = {4, "I32"}, [OHMI_I64] = {8, "I64"},
             [OHMI_BF16] = {2, "BF16"}};

size_t ohmi_dtype_size(ohmi_dtype dtype) {
    return types[dtype].size;
}

const char *ohmi_dtype_name(ohmi_dtype dtype) {
    return types[dtype].name;
}

int64_t ohmi_view_count(const ohmi_view *view) {
    int64_t count = 1;
    for (int d = 0; d < view->n_dims; d++) {
        if (view->shape[d] < 0 || __builtin_mul_overflow(count, view->shape[d], &count)) {
            return -1;
        }
    }
    return count;
}

ohmi_view ohmi_view_of(const char *name, ohmi_dtype dtype, void *data, int n_dims, int64_t d0,
                       int64_t d1, int64_t d2, int64_t d3) {
    ohmi_view view = {.dtype = dtype, .n_dims = n_dims, .shape = {d0, d1, d2, d3}, .data = data};
    (void)snprintf(view.name, sizeof view.name, "%s", name);
    return view;
}
