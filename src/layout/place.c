// SPDX-License-Identifier: Apache-2.0
// Placing a network on crossbar arrays; equations in place.h.
#include "layout/place.h"

#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "base/fail.h"
#include "base/memory.h"

static int64_t ceiling(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

// how the codes of a layer become cells
static void code_layer(ohmi_placed_layer *layer, const ohmi_place_def *def) {
    int bits = 1;
    while ((1 << (bits - 1)) - 1 < layer->weight_top) {
        bits++;
    }
    layer->weight_bits = bits;
    if (def->coding == OHMI_CODING_DIFFERENTIAL) {
        layer->n_digits = (int)ceiling(bits - 1 > 0 ? bits - 1 : 1, def->cell_bits);
        layer->lines = 2 * layer->n_digits;
    } else {
        layer->offset = (1 << (bits - 1)) - 1;
        layer->n_digits = (int)ceiling(bits, def->cell_bits);
        layer->lines = layer->n_digits;
    }
    layer->reserved = def->coding == OHMI_CODING_OFFSET ? layer->lines : 0;
}

static ohm_status place_layer(ohmi_placed_layer *out, const ohmi_place_layer *in,
                              const ohmi_place_def *def, int64_t first_array, ohm_error *err) {
    const size_t n_columns = (size_t)in->layout.n_units;
    (void)snprintf(out->name, sizeof out->name, "%s", in->name);
    out->k = in->k;
    out->c = in->c;
    out->r = in->r;
    out->s = in->s;
    out->layout = in->layout;
    out->weight_top = in->weight_top;
    out->is_head = in->is_head;
    out->own = ohmi_alloc(n_columns, 1);
    if (!out->own) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the owners of columns");
    }
    memcpy(out->own, in->own, n_columns);

    // what fits an array
    code_layer(out, def);
    out->per_array = (def->columns - out->reserved) / out->lines;
    if (out->per_array < 1) {
        const int needed = out->reserved + out->lines;
        ohm_status status = ohmi_fail(
            err, OHM_ERR_CONFIG, "a weight of '%s' takes %d bit-lines%s, but arrays have %lld",
            in->name, out->lines, out->reserved ? " and as many for the offset column" : "",
            (long long)def->columns);
        ohmi_hint(err, "set 'array.columns' to %d or more", needed);
        return status;
    }
    out->n_tiles = ceiling(out->layout.span, def->rows);
    out->n_blocks = ceiling(out->k, out->per_array);
    out->first_array = first_array;
    out->n_arrays = out->layout.n_groups * out->n_tiles * out->n_blocks;
    return OHM_OK;
}

ohm_status ohmi_place_new(ohmi_placed **out, const ohmi_place_layer *layers, int n_layers,
                          const ohmi_place_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_placed *place = ohmi_alloc(1, sizeof *place);
    *out = NULL;
    if (place) {
        place->layers = ohmi_alloc((size_t)n_layers, sizeof *place->layers);
    }
    if (!place || !place->layers) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to place %d layers", n_layers);
        goto done;
    }
    place->def = *def;
    place->n_layers = n_layers;
    for (int l = 0; l < n_layers; l++) {
        OHM_TRY(place_layer(&place->layers[l], &layers[l], def, place->n_arrays, err));
        place->n_arrays += place->layers[l].n_arrays;
    }
    *out = place;
    place = NULL;
done:
    ohmi_place_free(&place);
    return status;
}

void ohmi_place_free(ohmi_placed **place) {
    if (place && *place) {
        for (int l = 0; (*place)->layers && l < (*place)->n_layers; l++) {
            ohmi_free((*place)->layers[l].own);
        }
        ohmi_free((*place)->layers);
        ohmi_free(*place);
        *place = NULL;
    }
}

ohmi_place_array ohmi_place_array_at(const ohmi_placed *place, int64_t array) {
    // the last layer that begins at or before it
    int l = 0;
    while (l + 1 < place->n_layers && place->layers[l + 1].first_array <= array) {
        l++;
    }
    const ohmi_placed_layer *layer = &place->layers[l];
    const int64_t index = array - layer->first_array;
    ohmi_place_array at = {.layer = l,
                           .block = index % layer->n_blocks,
                           .tile = index / layer->n_blocks % layer->n_tiles,
                           .g = index / layer->n_blocks / layer->n_tiles};
    at.first_k = at.block * layer->per_array;
    at.n_k = layer->k - at.first_k < layer->per_array ? layer->k - at.first_k : layer->per_array;

    // the last group is shorter; with several tiles it may even leave the last of them empty
    const int64_t length = ohmi_layout_length(&layer->layout, at.g);
    at.first_weight = at.tile * place->def.rows;
    const int64_t rest = length - at.first_weight;
    at.n_rows = rest < 0 ? 0 : rest < place->def.rows ? rest : place->def.rows;
    at.n_lines = layer->reserved + at.n_k * layer->lines;
    return at;
}

ohmi_place_spot ohmi_place_column(const ohmi_placed_layer *layer, int64_t k, int64_t g,
                                  int64_t tile) {
    const int64_t block = k / layer->per_array;
    return (ohmi_place_spot){.array = layer->first_array +
                                      (g * layer->n_tiles + tile) * layer->n_blocks + block,
                             .first_line = layer->reserved + k % layer->per_array * layer->lines};
}

void ohmi_place_line(int64_t *k, int *digit, const ohmi_placed_layer *layer,
                     const ohmi_place_array *at, int64_t line) {
    *digit = 0;
    if (line >= at->n_lines) {
        *k = -2;
    } else if (line < layer->reserved) {
        *k = -1;
        *digit = (int)line;
    } else {
        *k = at->first_k + (line - layer->reserved) / layer->lines;
        *digit = (int)((line - layer->reserved) % layer->lines);
    }
}

void ohmi_place_digits(uint8_t *digit, const ohmi_placed_layer *layer, int cell_bits, int w) {
    const int mask = (1 << cell_bits) - 1;
    if (layer->lines > layer->n_digits) {
        const int positive = w > 0 ? w : 0, negative = w < 0 ? -w : 0;
        for (int d = 0; d < layer->n_digits; d++) {
            digit[d] = (uint8_t)(positive >> (d * cell_bits) & mask);
            digit[layer->n_digits + d] = (uint8_t)(negative >> (d * cell_bits) & mask);
        }
        return;
    }
    const int u = w + layer->offset;
    for (int d = 0; d < layer->n_digits; d++) {
        digit[d] = (uint8_t)(u >> (d * cell_bits) & mask);
    }
}

void ohmi_place_worth(int32_t *worth, const ohmi_placed_layer *layer, int cell_bits) {
    for (int d = 0; d < layer->lines; d++) {
        const bool is_negative = d >= layer->n_digits;
        const int32_t power = (int32_t)1 << (d % layer->n_digits * cell_bits);
        worth[d] = is_negative ? -power : power;
    }
}

int ohmi_place_code(const uint8_t *digit, const ohmi_placed_layer *layer, int cell_bits) {
    int32_t worth[OHMI_MOST_LINES];
    ohmi_place_worth(worth, layer, cell_bits);
    int code = -layer->offset;
    for (int d = 0; d < layer->lines; d++) {
        code += (int)digit[d] * (int)worth[d];
    }
    return code;
}

void ohmi_place_levels(uint8_t *level, const ohmi_placed *place, int64_t array, const float *w) {
    const ohmi_place_array at = ohmi_place_array_at(place, array);
    const ohmi_placed_layer *layer = &place->layers[at.layer];
    const int64_t columns = place->def.columns;
    uint8_t digit[OHMI_MOST_LINES];
    memset(level, 0, (size_t)(place->def.rows * columns));

    // the offset column
    if (layer->reserved > 0) {
        ohmi_place_digits(digit, layer, place->def.cell_bits, 0);
        for (int64_t row = 0; row < at.n_rows; row++) {
            memcpy(level + row * columns, digit, (size_t)layer->reserved);
        }
    }

    // the columns that a task owns
    for (int64_t i = 0; i < at.n_k; i++) {
        const int64_t unit = (at.first_k + i) * layer->layout.n_groups + at.g;
        if (layer->own[unit] == OHMI_OWNER_FREE) {
            continue;
        }
        const float *column = w + ohmi_layout_offset(&layer->layout, unit) + at.first_weight;
        for (int64_t row = 0; row < at.n_rows; row++) {
            ohmi_place_digits(digit, layer, place->def.cell_bits, (int)column[row]);
            memcpy(level + row * columns + layer->reserved + i * layer->lines, digit,
                   (size_t)layer->lines);
        }
    }
}

void ohmi_place_select(uint8_t *select, const ohmi_placed *place, int64_t array,
                       const uint8_t *bits) {
    const ohmi_place_array at = ohmi_place_array_at(place, array);
    const ohmi_placed_layer *layer = &place->layers[at.layer];
    memset(select, 0, (size_t)((place->def.columns + 7) / 8));
    for (int64_t line = 0; line < at.n_lines; line++) {
        int64_t k;
        int digit;
        ohmi_place_line(&k, &digit, layer, &at, line);
        const int64_t unit = k * layer->layout.n_groups + at.g;
        const bool is_on = k < 0 || ohmi_bit(bits, unit);
        select[line / 8] = (uint8_t)(select[line / 8] | (is_on ? 1u << (line % 8) : 0u));
    }
}

static void add_layer(ohmi_place_count *count, const ohmi_placed *place,
                      const ohmi_placed_layer *layer) {
    const int64_t groups = layer->layout.n_groups;
    count->arrays += layer->n_arrays;
    count->cells += layer->n_arrays * place->def.rows * place->def.columns;
    count->columns += layer->layout.n_units;
    count->lines_used +=
        groups * layer->n_tiles * (layer->n_blocks * layer->reserved + layer->k * layer->lines);
    for (int64_t g = 0; g < groups; g++) {
        const int64_t length = ohmi_layout_length(&layer->layout, g);
        count->cells_offset += length * layer->n_blocks * layer->reserved;
        count->cells_weight += length * layer->k * layer->lines;
        for (int64_t k = 0; k < layer->k; k++) {
            const uint8_t owner = layer->own[k * groups + g];
            count->columns_of[owner]++;
            count->cells_owned += owner != OHMI_OWNER_FREE ? length * layer->lines : 0;
        }
    }
}

void ohmi_place_total(ohmi_place_count *count, const ohmi_placed *place, int layer) {
    memset(count, 0, sizeof *count);
    for (int l = 0; l < place->n_layers; l++) {
        if (layer < 0 || layer == l) {
            add_layer(count, place, &place->layers[l]);
        }
    }
}
