// SPDX-License-Identifier: Apache-2.0
// The profile of a chip; see profiling.h.
#include "crossbar/profiling.h"

#include <math.h>
#include <stdio.h>

#include "base/fail.h"
#include "base/memory.h"
#include "crossbar/fault.h"
#include "file/safetensors.h"

enum { MOST_LINES = 8 };

// the level that a stuck conductance is worth
static float level_of(float siemens, const ohmi_cell *cell) {
    float level;
    ohmi_cell_level(&level, &siemens, 1, cell);

    // a cell that is stuck at a level is exactly there
    return fabsf(level - rintf(level)) < 1e-4f ? rintf(level) : level;
}

// what the lines outside of each set count for each code
static void fill_partial(float *partial, const ohmi_placed_layer *layer, int cell_bits) {
    int32_t worth[OHMI_MOST_LINES];
    uint8_t digit[OHMI_MOST_LINES];
    const int top = layer->weight_top, width = 2 * top + 1;
    ohmi_place_worth(worth, layer, cell_bits);
    for (int code = -top; code <= top; code++) {
        ohmi_place_digits(digit, layer, cell_bits, code);
        for (int set = 0; set < 1 << layer->lines; set++) {
            float sum = 0;
            for (int d = 0; d < layer->lines; d++) {
                sum += set >> d & 1 ? 0.0f : (float)(worth[d] * digit[d]);
            }
            partial[set * width + code + top] = sum;
        }
    }
}

// the weights of one array
static void fill_array(uint8_t *stuck, float *value, const float *found, const ohmi_placed *place,
                       const ohmi_place_array *at, const ohmi_cell *cell) {
    const ohmi_placed_layer *layer = &place->layers[at->layer];
    const int cell_bits = place->def.cell_bits;
    int32_t worth[OHMI_MOST_LINES];
    uint8_t zero[OHMI_MOST_LINES];
    ohmi_place_worth(worth, layer, cell_bits);
    ohmi_place_digits(zero, layer, cell_bits, 0); // a code of 0 has the offset's digits
    for (int64_t r = 0; r < at->n_rows; r++) {
        const float *row = found + r * place->def.columns;
        float off = (float)layer->offset;
        for (int d = 0; d < layer->reserved; d++) {
            off += isnan(row[d]) ? 0.0f : (float)worth[d] * (level_of(row[d], cell) - zero[d]);
        }
        for (int64_t o = 0; o < at->n_k; o++) {
            const int64_t u = (at->first_k + o) * layer->layout.n_groups + at->g;
            const int64_t w = ohmi_layout_offset(&layer->layout, u) + at->first_weight + r;
            const float *line = row + layer->reserved + o * layer->lines;
            stuck[w] = 0;
            value[w] = -off;
            for (int d = 0; d < layer->lines; d++) {
                if (!isnan(line[d])) {
                    stuck[w] = (uint8_t)(stuck[w] | 1u << d);
                    value[w] += (float)worth[d] * level_of(line[d], cell);
                }
            }
        }
    }
}

ohm_status ohmi_profiling_save(const char *path, const ohmi_placed *place,
                               const ohmi_device *device, uint64_t chip, ohm_error *err) {
    ohm_status status = OHM_OK;
    const size_t n_views = 3 * (size_t)place->n_layers;
    int n_used = 0;
    ohmi_view *views = ohmi_alloc(n_views, sizeof *views);
    float *found = ohmi_alloc((size_t)(place->def.rows * place->def.columns), sizeof *found);
    bool is_made = views && found;
    for (int l = 0; is_made && l < place->n_layers; l++) {
        const ohmi_placed_layer *layer = &place->layers[l];
        const int width = 2 * layer->weight_top + 1;
        char name[96];
        if (layer->is_head) {
            continue;
        }
        if (layer->lines > MOST_LINES) {
            status = ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                               "a weight of '%s' has %d lines, profiles have at most %d",
                               layer->name, layer->lines, (int)MOST_LINES);
            ohmi_hint(err, "take cells of more bits: array.cell_bits");
            goto done;
        }
        const size_t n = (size_t)(layer->k * layer->layout.run);
        uint8_t *stuck = ohmi_alloc(n, 1);
        float *value = ohmi_alloc(n, sizeof *value);
        float *partial = ohmi_alloc((size_t)(width << layer->lines), sizeof *partial);
        (void)snprintf(name, sizeof name, "%s/partial", layer->name);
        views[n_used++] = ohmi_view_of(name, OHMI_F32, partial, 2, 1 << layer->lines, width, 0, 0);
        (void)snprintf(name, sizeof name, "%s/stuck", layer->name);
        views[n_used++] =
            ohmi_view_of(name, OHMI_U8, stuck, 4, layer->k, layer->c, layer->r, layer->s);
        (void)snprintf(name, sizeof name, "%s/value", layer->name);
        views[n_used++] =
            ohmi_view_of(name, OHMI_F32, value, 4, layer->k, layer->c, layer->r, layer->s);
        is_made = stuck && value && partial;
        for (int64_t a = 0; is_made && a < layer->n_arrays; a++) {
            const int64_t array = layer->first_array + a;
            const ohmi_place_array at = ohmi_place_array_at(place, array);
            const ohmi_site site = {chip, (uint32_t)array, (int)place->def.rows,
                                    (int)place->def.columns};
            ohmi_fault_find(found, &site, device);
            fill_array(stuck, value, found, place, &at, &device->cell);
        }
        if (is_made) {
            fill_partial(partial, layer, place->def.cell_bits);
        }
    }
    if (!is_made) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the profile of a chip");
        goto done;
    }
    const char *const metadata[] = {"schema", "1", NULL};
    OHM_TRY(ohmi_tensors_save(path, views, n_used, metadata, err));
done:
    for (int i = 0; i < n_used; i++) {
        ohmi_free(views[i].data);
    }
    ohmi_free(views);
    ohmi_free(found);
    return status;
}
