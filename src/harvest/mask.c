// SPDX-License-Identifier: Apache-2.0
// Counting columns that are on, in tiles; see mask.h.
#include "harvest/mask.h"

#include <string.h>

#include "base/bits.h"
#include "base/fail.h"
#include "base/memory.h"

void ohmi_mask_free(ohmi_mask **mask) {
    if (mask && *mask) {
        ohmi_free((*mask)->sum);
        ohmi_free(*mask);
        *mask = NULL;
    }
}

ohm_status ohmi_mask_new(ohmi_mask **out, const uint8_t *on, int64_t n_groups, int64_t n_outputs,
                         int64_t unit, ohm_error *err) {
    ohmi_mask *mask = ohmi_alloc(1, sizeof *mask);
    *out = NULL;
    if (mask) {
        *mask =
            (ohmi_mask){.n_groups = n_groups,
                        .n_outputs = n_outputs,
                        .unit = unit,
                        .sum = ohmi_alloc((size_t)(n_groups * (n_outputs + 1)), sizeof(int32_t)),
                        .tree_part = 1};
    }
    if (!mask || !mask->sum) {
        ohmi_mask_free(&mask);
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the mask of a layer");
    }
    for (int64_t g = 0; g < n_groups; g++) {
        int32_t *sum = mask->sum + g * (n_outputs + 1);
        for (int64_t k = 0; k < n_outputs; k++) {
            sum[k + 1] = sum[k] + ohmi_bit(on, k * n_groups + g);
        }
        mask->columns_on += sum[n_outputs];
    }
    for (int64_t k = 0; k < n_outputs; k++) {
        bool is_on = false;
        for (int64_t g = 0; g < n_groups && !is_on; g++) {
            is_on = ohmi_bit(on, k * n_groups + g);
        }
        mask->outputs_on += is_on;
    }
    *out = mask;
    return OHM_OK;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t greatest(int64_t a, int64_t b) {
    return a > b ? a : b;
}

// where a tile that begins at output k ends
static int64_t end_of(const ohmi_mask *mask, const ohmi_extent *columns, int64_t k) {
    const int64_t block = k / mask->unit;
    return columns->units > 1
               ? least((block + columns->units) * mask->unit, mask->n_outputs)
               : least(least(k + columns->step, (block + 1) * mask->unit), mask->n_outputs);
}

// arrays of group g with a column on, among outputs from .. to - 1
static int64_t arrays_on(const ohmi_mask *mask, int64_t g, int64_t from, int64_t to) {
    int64_t n = 0;
    for (int64_t begin = from; begin < to;) {
        const int64_t end = least((begin / mask->unit + 1) * mask->unit, to);
        n += ohmi_mask_on(mask, g, begin, end) > 0;
        begin = end;
    }
    return n;
}

ohm_status ohmi_mask_windows(ohmi_mask_most *most, const ohmi_mask *mask, ohmi_extent columns,
                             const int64_t *groups, int n, ohm_error *err) {
    const int64_t n_groups = mask->n_groups;
    ohmi_mask_most *before = ohmi_alloc((size_t)n_groups + 1, sizeof *before);
    if (!before) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the mask of a layer");
    }
    memset(most, 0, (size_t)n * sizeof *most);
    // whole arrays begin where arrays do, parts of one anywhere
    const int64_t stride = columns.units > 1 ? mask->unit : 1;
    for (int64_t k = 0; k < mask->n_outputs; k += stride) {
        const int64_t end = end_of(mask, &columns, k);
        for (int64_t g = 0; g < n_groups; g++) {
            const int64_t on = ohmi_mask_on(mask, g, k, end);
            const int64_t arrays = columns.units > 1 ? arrays_on(mask, g, k, end) : on > 0;
            before[g + 1] = (ohmi_mask_most){before[g].columns + on, before[g].arrays + arrays,
                                             before[g].groups + (on > 0)};
        }
        for (int i = 0; i < n; i++) {
            const int64_t height = least(groups[i], n_groups);
            for (int64_t g = 0; g + height <= n_groups; g++) {
                const ohmi_mask_most *a = &before[g], *b = &before[g + height];
                most[i].columns = greatest(most[i].columns, b->columns - a->columns);
                most[i].arrays = greatest(most[i].arrays, b->arrays - a->arrays);
                most[i].groups = greatest(most[i].groups, b->groups - a->groups);
            }
        }
    }
    ohmi_free(before);
    return OHM_OK;
}

int64_t ohmi_mask_fullest(const ohmi_mask *mask, ohmi_extent columns) {
    int64_t most = 0;
    for (int64_t g = 0; g < mask->n_groups; g++) {
        const int64_t stride = columns.units > 1 ? mask->unit : 1;
        for (int64_t k = 0; k < mask->n_outputs; k += stride) {
            const int64_t end = columns.units > 1 ? least(k + mask->unit, mask->n_outputs)
                                                  : end_of(mask, &columns, k);
            most = greatest(most, ohmi_mask_on(mask, g, k, end));
        }
    }
    return most;
}

void ohmi_mask_add_up(ohmi_mask_sums *out, const ohmi_mask *mask, const ohmi_matrix *matrix,
                      const ohmi_tile *tile) {
    const int64_t span = matrix->rows.unit;
    *out = (ohmi_mask_sums){0};
    for (int64_t g = 0; g < mask->n_groups; g++) {
        const int64_t length = least(span, matrix->rows.total - g * span);
        const int64_t tiles =
            tile->rows.units > 1 ? 1 : (length + tile->rows.step - 1) / tile->rows.step;
        int64_t arrays = 0, live = 0;
        for (int64_t k = 0; k < mask->n_outputs;) {
            const int64_t end = end_of(mask, &tile->columns, k);
            arrays += arrays_on(mask, g, k, end);
            live += ohmi_mask_on(mask, g, k, end) > 0;
            k = end;
        }
        const double on = (double)ohmi_mask_on(mask, g, 0, mask->n_outputs);
        out->columns += (double)tiles * on;
        out->arrays += (double)(tiles * arrays);
        out->cells += (double)length * on;
        out->lines += (double)(length * arrays);
        out->inputs += (double)(length * live);
    }
}

double ohmi_mask_partial_sums(const ohmi_mask *mask, const ohmi_matrix *matrix, ohmi_extent rows) {
    const int64_t span = matrix->rows.unit;
    double sums = 0;
    for (int64_t k = 0; k < mask->n_outputs; k++) {
        int64_t tiles = 0;
        for (int64_t g = 0; g < mask->n_groups;) {
            const int64_t end = least(g + rows.units, mask->n_groups);
            const int64_t length = least(span, matrix->rows.total - g * span);
            bool is_on = false;
            for (; g < end; g++) {
                is_on = is_on || ohmi_mask_on(mask, g, k, k + 1) > 0;
            }
            if (is_on) {
                tiles += rows.units > 1 ? 1 : (length + rows.step - 1) / rows.step;
            }
        }
        sums += tiles > 1 ? (double)(tiles - 1) : 0;
    }
    return sums;
}
