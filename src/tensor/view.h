// SPDX-License-Identifier: Apache-2.0
// A named view of an array in memory: what checkpoints and array files are made of.
#ifndef OHMI_VIEW_H
#define OHMI_VIEW_H

#include <stddef.h>
#include <stdint.h>

typedef enum { OHMI_F32, OHMI_F64, OHMI_U8, OHMI_I8, OHMI_I32, OHMI_I64, OHMI_BF16 } ohmi_dtype;

typedef struct {
    char name[96];
    ohmi_dtype dtype;
    int n_dims; // 0 .. 4
    int64_t shape[4];
    void *data; // row major; borrowed
} ohmi_view;

size_t ohmi_dtype_size(ohmi_dtype dtype);
// "F32", "U8" ... as safetensors spells them. Never NULL.
const char *ohmi_dtype_name(ohmi_dtype dtype);
// Product of the shape; -1 when it overflows or a dimension is negative.
int64_t ohmi_view_count(const ohmi_view *view);
// Fills a view; shape is the first n_dims of the trailing arguments (int64_t each, unused ones 0).
ohmi_view ohmi_view_of(const char *name, ohmi_dtype dtype, void *data, int n_dims, int64_t d0,
                       int64_t d1, int64_t d2, int64_t d3);

#endif
