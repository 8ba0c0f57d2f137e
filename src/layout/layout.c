// SPDX-License-Identifier: Apache-2.0
// The partition of a layer's weights into units; equations in layout.h.
#include "layout/layout.h"

#include "base/fail.h"

ohm_status ohmi_layout_cut(ohmi_layout *out, int64_t k, int64_t c, int64_t r, int64_t s,
                           int64_t rows, ohmi_unit unit, ohm_error *err) {
    const int64_t taps = r * s;
    int64_t span = 1;

    if (unit != OHMI_UNIT_ELEMENT) {
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
    out->block = 1;
    out->n_blocks = k;
    return OHM_OK;
}

int64_t ohmi_layout_pe_outputs(const ohmi_config *config) {
    // as place.c counts: APoT's 10 needs 5 bits with its sign
    const int64_t cell_bits = config->array.cell_bits;
    const int64_t bits = config->quantise.weight_bits == 0 ? 4
                         : config->quantise.weight_scheme == OHMI_SCHEME_APOT
                             ? 5
                             : config->quantise.weight_bits;
    const bool is_pair = config->array.weight_scheme == OHMI_CODING_DIFFERENTIAL;
    const int64_t digits = is_pair ? bits - 1 : bits;
    const int64_t lines = (digits + cell_bits - 1) / cell_bits * (is_pair ? 2 : 1);
    const int64_t reserved = config->array.weight_scheme == OHMI_CODING_OFFSET ? lines : 0;
    const int64_t outputs = (config->array.columns - reserved) / lines;
    return outputs > 1 ? outputs : 1;
}

ohm_status ohmi_layout_of(ohmi_layout *out, int64_t k, int64_t c, int64_t r, int64_t s,
                          const ohmi_config *config, ohmi_unit unit, ohm_error *err) {
    ohm_status status = OHM_OK;
    OHM_TRY(ohmi_layout_cut(out, k, c, r, s, config->array.rows, unit, err));
    if (unit == OHMI_UNIT_PE) {
        out->block = ohmi_layout_pe_outputs(config);
        out->n_blocks = (k + out->block - 1) / out->block;
        out->n_units = out->n_blocks * out->n_groups;
    }
done:
    return status;
}
