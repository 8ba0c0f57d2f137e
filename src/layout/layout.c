// SPDX-License-Identifier: Apache-2.0
// The partition of a layer's weights into units; equations in layout.h.
#include "layout/layout.h"

#include "base/fail.h"

ohm_status ohmi_layout_cut(ohmi_layout *out, int64_t k, int64_t c, int64_t r, int64_t s,
                           int64_t rows, ohmi_unit unit, ohm_error *err) {
    const int64_t taps = r * s;
    int64_t span = 1;

    if (unit == OHMI_UNIT_COLUMN) {
        // as many whole input channels as the word lines hold
        const int64_t channels = rows / taps;
        if (channels < 1) {
            ohm_status status = ohmi_fail(err, OHM_ERR_CONFIG,
                                          "a %lld x %lld filter does not fit arrays of %lld rows",
                                          (long long)r, (long long)s, (long long)rows);
            ohmi_hint(err, "set 'array.rows' to %lld or more", (long long)taps);
            return status;
        }
        span = (channels < c ? channels : c) * taps;
    }
    out->k = k;
    out->run = c * taps;
    out->span = span;
    out->n_groups = (out->run + span - 1) / span;
    out->n_units = k * out->n_groups;
    return OHM_OK;
}
