// SPDX-License-Identifier: Apache-2.0
// IDX files of unsigned bytes, as MNIST and its kin come, plain or packed.
#ifndef OHMI_IDX_H
#define OHMI_IDX_H

#include "ohmwise/status.h"
#include "tensor/view.h"

// Reads one array of bytes of exactly n_dims dimensions (1 .. 4); view->data is a block for
// ohmi_free. A file of more than `limit` data bytes is refused.
OHM_NODISCARD ohm_status ohmi_idx_load(ohmi_view *view, const char *path, int n_dims, size_t limit,
                                       ohm_error *err);

#endif
