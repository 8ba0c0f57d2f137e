// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files: versions 1 to 3 read, version 1 written; C order, little endian.
#ifndef OHMI_NPY_H
#define OHMI_NPY_H

#include "ohmwise/status.h"
#include "tensor/view.h"

// Writes one array, atomically.
OHM_NODISCARD ohm_status ohmi_npy_save(const char *path, const ohmi_view *view, ohm_error *err);

// Reads one array; view->data is a block for ohmi_free. At most 4 dimensions, C order.
OHM_NODISCARD ohm_status ohmi_npy_load(ohmi_view *view, const char *path, ohm_error *err);

#endif
