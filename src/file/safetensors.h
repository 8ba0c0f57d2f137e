// SPDX-License-Identifier: Apache-2.0
// Reading and writing safetensors files: u64 header length, JSON header, raw little-endian data.
#ifndef OHMI_SAFETENSORS_H
#define OHMI_SAFETENSORS_H

#include "ohmwise/status.h"
#include "tensor/view.h"

typedef struct ohmi_tensors ohmi_tensors; // an open file

// Writes views (n_views) and metadata: pairs key, value, ..., NULL (nullable). Atomic, synced.
// The bytes depend on the arguments only.
OHM_NODISCARD ohm_status ohmi_tensors_save(const char *path, const ohmi_view *views, int n_views,
                                           const char *const *metadata, ohm_error *err);

// Maps and checks a file: every size, range and overlap; nothing in it is trusted.
OHM_NODISCARD ohm_status ohmi_tensors_open(ohmi_tensors **out, const char *path, ohm_error *err);
void ohmi_tensors_close(ohmi_tensors **tensors);

int ohmi_tensors_count(const ohmi_tensors *tensors);
// The i-th tensor, in order of the file's offsets; data is borrowed and read-only.
const ohmi_view *ohmi_tensors_at(const ohmi_tensors *tensors, int i);
// By name; NULL when there is none.
const ohmi_view *ohmi_tensors_find(const ohmi_tensors *tensors, const char *name);
// Metadata value; NULL when there is none.
const char *ohmi_tensors_metadata(const ohmi_tensors *tensors, const char *key);
// Copies a tensor that must have exactly that name, type and number of elements into data.
OHM_NODISCARD ohm_status ohmi_tensors_read(const ohmi_tensors *tensors, const char *name,
                                           ohmi_dtype dtype, int64_t count, void *data,
                                           ohm_error *err);

#endif
