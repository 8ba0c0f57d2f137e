// SPDX-License-Identifier: Apache-2.0
// CIFAR's record files. A record is its label bytes (CIFAR-100: coarse, then fine), then the red,
// the green and the blue plane of 32 x 32 bytes, row major.
// Source: https://www.cs.toronto.edu/~kriz/cifar.html, "binary version".
#include "file/cifar.h"

#include <inttypes.h>

#include "base/fail.h"
#include "base/memory.h"
#include "file/packed.h"

ohm_status ohmi_cifar_load(uint8_t *pixels, int32_t *labels, int32_t *coarse, const char *path,
                           int64_t n, int n_label_bytes, int n_classes, int n_coarse,
                           ohm_error *err) {
    ohm_status status = OHM_OK;
    const size_t record = (size_t)n_label_bytes + OHMI_CIFAR_PIXELS;
    const size_t plane = (size_t)OHMI_CIFAR_SIDE * OHMI_CIFAR_SIDE;
    uint8_t *bytes = NULL;
    size_t size = 0;
    OHM_TRY(ohmi_packed_read(&bytes, &size, path, (size_t)n * record, err));
    if (size != (size_t)n * record) {
        status =
            ohmi_fail(err, OHM_ERR_FORMAT, "'%s' holds %zu bytes, %" PRId64 " records need %zu",
                      path, size, n, (size_t)n * record);
        goto done;
    }

    for (int64_t i = 0; i < n; i++) {
        const uint8_t *from = bytes + (size_t)i * record;
        int label = from[n_label_bytes - 1], group = n_label_bytes > 1 ? from[0] : 0;
        if (label >= n_classes || (n_label_bytes > 1 && group >= n_coarse)) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "record %" PRId64 " of '%s' has label %d (%d)",
                               i, path, label, group);
            ohmi_hint(err, "labels are below %d (%d)", n_classes, n_coarse);
            goto done;
        }
        labels[i] = label;
        if (coarse != NULL) {
            coarse[i] = group;
        }

        // planes to interleaved
        const uint8_t *red = from + n_label_bytes, *green = red + plane, *blue = green + plane;
        uint8_t *to = pixels + (size_t)i * OHMI_CIFAR_PIXELS;
        for (size_t j = 0; j < plane; j++) {
            to[3 * j] = red[j];
            to[3 * j + 1] = green[j];
            to[3 * j + 2] = blue[j];
        }
    }

done:
    if (status < 0) {
        ohmi_place(err, path, 0, 0);
    }
    ohmi_free(bytes);
    return status;
}
