// SPDX-License-Identifier: Apache-2.0
// IDX files: 0, 0, type (8 = unsigned byte), number of dimensions, each size as a big-endian u32,
// then the data, row major. Source: the format's description on the MNIST page (LeCun et al.).
#include "file/idx.h"

#include <inttypes.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "file/packed.h"

ohm_status ohmi_idx_load(ohmi_view *view, const char *path, int n_dims, size_t limit,
                         ohm_error *err) {
    ohm_status status = OHM_OK;
    uint8_t *bytes = NULL;
    size_t size = 0, header = 4 + 4 * (size_t)n_dims;
    *view = (ohmi_view){.dtype = OHMI_U8, .n_dims = n_dims};
    OHM_TRY(ohmi_packed_read(&bytes, &size, path, limit + header, err));
    if (size < header || bytes[0] != 0 || bytes[1] != 0 || bytes[2] != 8 || bytes[3] != n_dims) {
        status = ohmi_fail(err, OHM_ERR_FORMAT,
                           "'%s' is not an IDX file of bytes with %d dimensions", path, n_dims);
        goto done;
    }

    // sizes, and whether the data is exactly that long
    for (int d = 0; d < n_dims; d++) {
        const uint8_t *b = bytes + 4 + 4 * d;
        view->shape[d] =
            (int64_t)((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]);
    }
    int64_t count = ohmi_view_count(view);
    if (count < 0 || (uint64_t)count != size - header) {
        status =
            ohmi_fail(err, OHM_ERR_FORMAT, "'%s' holds %zu bytes of data, its header says %" PRId64,
                      path, size - header, count);
        goto done;
    }

    // the data moves to the front of the block
    memmove(bytes, bytes + header, size - header);
    view->data = bytes;
    bytes = NULL;

done:
    if (status < 0) {
        ohmi_place(err, path, 0, 0);
        *view = (ohmi_view){0};
    }
    ohmi_free(bytes);
    return status;
}
