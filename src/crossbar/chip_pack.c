// SPDX-License-Identifier: Apache-2.0
// Packing the columns that a task has on, tile by tile; see chip_task.h.
#include <string.h>

#include "base/bits.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "crossbar/chip_task.h"
#include "learn/placing.h"

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the columns of a task");
}

// words of a block's bits
static int64_t words_of(const ohmi_placed_layer *placed) {
    return (placed->per_array + 63) / 64;
}

// rows by tap, then channel, and their segments
static ohm_status order_rows(ohmi_packed_tile *out, const ohmi_placed_layer *placed, int64_t base,
                             int64_t n_rows, ohm_error *err) {
    const int64_t taps = placed->r * placed->s;
    out->row_of = ohmi_alloc((size_t)n_rows, sizeof *out->row_of);
    out->segments = ohmi_alloc((size_t)taps, sizeof *out->segments);
    if (!out->row_of || !out->segments) {
        return no_memory(err);
    }
    int64_t row = 0;
    for (int64_t tap = 0; tap < taps; tap++) {
        // channels whose weight at this tap is base .. base + n_rows - 1
        const int64_t from = base - tap, to = base + n_rows - 1 - tap;
        const int64_t first = from <= 0 ? 0 : (from + taps - 1) / taps;
        const int64_t last = to < 0 ? -1 : to / taps;
        if (last < first) {
            continue;
        }
        out->segments[out->n_segments++] =
            (ohmi_segment){(int32_t)(tap / placed->s), (int32_t)(tap % placed->s), (int32_t)first,
                           (int32_t)(last - first + 1)};
        for (int64_t c = first; c <= last; c++) {
            out->row_of[row++] = (int32_t)(c * taps + tap - base);
        }
    }
    return OHM_OK;
}

// which columns are on, array by array
static ohm_status choose_slots(ohmi_packed_tile *out, const ohmi_packed_layer *layer,
                               const ohmi_placed_layer *placed, const uint8_t *bits, int64_t g,
                               ohm_error *err) {
    const int64_t n_words = words_of(placed);
    out->blocks = ohmi_alloc((size_t)placed->n_blocks, sizeof *out->blocks);
    out->on = ohmi_alloc((size_t)(placed->n_blocks * n_words), sizeof *out->on);
    if (!out->blocks || !out->on) {
        return no_memory(err);
    }
    for (int64_t block = 0; block < placed->n_blocks; block++) {
        // its outputs among those that are computed
        const int64_t from = block * placed->per_array, to = from + placed->per_array;
        const int64_t most = layer->first_k + layer->n_k;
        const int64_t first = from > layer->first_k ? from : layer->first_k;
        const int64_t end = to < most ? to : most;
        ohmi_tile_block at = {.first_k = first, .n_k = end - first, .offset_slot = -1};
        uint64_t *on = out->on + out->n_blocks * n_words;
        int64_t n_on = 0;
        memset(on, 0, (size_t)n_words * sizeof *on);
        for (int64_t i = 0; i < at.n_k; i++) {
            if (ohmi_bit(bits, (first + i) * placed->layout.n_groups + g)) {
                on[i / 64] |= (uint64_t)1 << (i % 64);
                n_on++;
            }
        }
        if (n_on > 0) {
            out->blocks[out->n_blocks++] = at;
            out->n_on += n_on;
        }
    }

    // the offset columns of their arrays behind them
    for (int64_t b = 0; b < out->n_blocks && placed->reserved > 0; b++) {
        out->blocks[b].offset_slot = out->n_on + b;
    }
    out->tile.n_slots = out->n_on + (placed->reserved > 0 ? out->n_blocks : 0);
    return OHM_OK;
}

// the array of a block of a tile
static int64_t array_of(const ohmi_placed_layer *placed, int64_t tile, const ohmi_tile_block *at) {
    return placed->first_array + tile * placed->n_blocks + at->first_k / placed->per_array;
}

// memory of a tile's cells
static ohm_status take_cells(ohmi_packed_tile *out, const ohmi_chip *chip,
                             const ohmi_placed_layer *placed, int64_t tile, ohm_error *err) {
    ohmi_row_tile *t = &out->tile;
    const bool has_noise = chip->noise.noise_sum > 0 || chip->noise.noise_active > 0;
    bool is_real = has_noise, has_offset = false;
    for (int64_t b = 0; b < out->n_blocks; b++) {
        const ohmi_chip_array *array = &chip->arrays[array_of(placed, tile, &out->blocks[b])];
        is_real = is_real || (array->real && !array->is_whole) || array->offset;
        has_offset = has_offset || array->offset;
    }
    t->n_panels = (t->n_slots + OHMI_PANEL - 1) / OHMI_PANEL;
    const size_t n_lines = (size_t)(t->n_panels * t->lines);
    void *cells, *offset = NULL, *id = NULL;
    if (is_real) {
        cells = ohmi_alloc(n_lines * (size_t)t->n_rows * OHMI_PANEL, sizeof(float));
        t->real = cells;
    } else {
        cells = ohmi_alloc(n_lines * 4 * (size_t)t->n_quads, OHMI_PANEL);
        t->cells = cells;
    }
    bool failed = !cells;
    if (has_offset) {
        offset = ohmi_alloc(n_lines * OHMI_PANEL, sizeof(float));
        t->offset = offset;
        failed = failed || !offset;
    }
    if (has_noise) {
        id = ohmi_alloc(n_lines * OHMI_PANEL, sizeof(uint32_t));
        t->id = id;
        t->noise = &chip->noise;
        failed = failed || !id;
    }
    return failed ? no_memory(err) : OHM_OK;
}

typedef struct {
    ohmi_packed_layer *out;
    const ohmi_chip *chip;
    const ohmi_placed_layer *placed;
    int layer, t;
    float *codes; // scratch (threads, span)
} pack_job;

// what the mask of task t multiplies the codes of a column with; single weights have a factor each,
// which is in their codes then
static int32_t factor_of(const ohmi_learner *learner, const ohmi_placed_layer *placed, int layer,
                         int64_t unit, int t) {
    const bool is_column = learner->config->method.unit == OHMI_UNIT_COLUMN;
    return placed->is_head || !is_column ? 1
                                         : (int32_t)ohmi_learner_factor(learner, layer, t, unit);
}

// factors of the columns that are on, where they are not all 1
static ohm_status take_factors(ohmi_packed_tile *out, const ohmi_learner *learner,
                               const ohmi_placed_layer *placed, int layer, int64_t g, int t,
                               ohm_error *err) {
    const int64_t n_words = words_of(placed);
    if (learner->levels.n == 2 && (int32_t)learner->levels.factor[learner->levels.one] == 1) {
        return OHM_OK;
    }
    out->factor = ohmi_alloc((size_t)out->n_on, sizeof *out->factor);
    if (!out->factor) {
        return no_memory(err);
    }
    int64_t slot = 0;
    for (int64_t b = 0; b < out->n_blocks; b++) {
        for (int64_t i = 0; i < out->blocks[b].n_k; i++) {
            if (out->on[b * n_words + i / 64] >> (i % 64) & 1) {
                const int64_t unit = (out->blocks[b].first_k + i) * placed->layout.n_groups + g;
                out->factor[slot++] = factor_of(learner, placed, layer, unit, t);
            }
        }
    }
    return OHM_OK;
}

// codes of a part of a column as they are programmed: w_eff without the mask's factor
static void column_codes(float *w, const pack_job *j, int64_t unit, int64_t first, int64_t n) {
    const ohmi_learner *learner = j->chip->learner;
    if (j->placed->is_head) {
        ohmi_chip_codes(w, j->chip, j->layer, unit, first, n);
        return;
    }
    const float *w_eff = learner->network->layers[j->layer].w_eff +
                         ohmi_layout_offset(&j->placed->layout, unit) + first;
    const float factor = (float)factor_of(learner, j->placed, j->layer, unit, j->t);
    for (int64_t i = 0; i < n; i++) {
        w[i] = w_eff[i] / factor;
    }
}

// puts one slot's cells into the panels; k < 0: the offset column of the block's array
static void pack_slot(const pack_job *j, ohmi_packed_tile *packed, int64_t tile, int64_t slot,
                      const ohmi_tile_block *block, int64_t k, float *w) {
    const ohmi_placed_layer *placed = j->placed;
    ohmi_row_tile *t = &packed->tile;
    const int64_t g = tile / placed->n_tiles, columns = j->chip->placed->def.columns;
    const int64_t array = array_of(placed, tile, block);
    const ohmi_chip_array *there = &j->chip->arrays[array];
    const int64_t first_line = k < 0 ? 0 : placed->reserved + k % placed->per_array * placed->lines;
    const int64_t first = tile % placed->n_tiles * j->chip->placed->def.rows;
    if (!there->real) {
        memset(w, 0, (size_t)t->n_rows * sizeof *w);
        if (k >= 0) {
            column_codes(w, j, k * placed->layout.n_groups + g, first, t->n_rows);
        }
    }
    const int64_t panel = slot / OHMI_PANEL, lane = slot % OHMI_PANEL;
    uint8_t digit[OHMI_MOST_LINES];
    for (int64_t row = 0; row < t->n_rows; row++) {
        const int64_t at = packed->row_of[row];
        if (!there->real) {
            ohmi_place_digits(digit, placed, j->chip->placed->def.cell_bits, (int)w[at]);
        }
        for (int d = 0; d < t->lines; d++) {
            const int64_t line = panel * t->lines + d;
            if (t->real) {
                float *real = (float *)(uintptr_t)t->real;
                real[(line * t->n_rows + row) * OHMI_PANEL + lane] =
                    there->real ? there->real[at * columns + first_line + d] : (float)digit[d];
            } else {
                uint8_t *cells = (uint8_t *)(uintptr_t)t->cells;
                cells[(line * 4 * t->n_quads + row) * OHMI_PANEL + lane] =
                    there->real ? (uint8_t)there->real[at * columns + first_line + d] : digit[d];
            }
        }
    }
    for (int d = 0; d < t->lines; d++) {
        const int64_t at = (panel * t->lines + d) * OHMI_PANEL + lane;
        if (t->offset && there->offset) {
            ((float *)(uintptr_t)t->offset)[at] = there->offset[first_line + d];
        }
        if (t->id) {
            ((uint32_t *)(uintptr_t)t->id)[at] = (uint32_t)(array * columns + first_line + d);
        }
    }
}

static void pack_work(void *context, int64_t begin, int64_t end, int thread) {
    const pack_job *j = context;
    float *w = j->codes + thread * j->placed->layout.span;
    for (int64_t tile = begin; tile < end; tile++) {
        ohmi_packed_tile *packed = &j->out->tiles[tile];
        int64_t slot = 0;
        for (int64_t b = 0; b < packed->n_blocks; b++) {
            const ohmi_tile_block *block = &packed->blocks[b];
            const uint64_t *on = packed->on + b * words_of(j->placed);
            for (int64_t i = 0; i < block->n_k; i++) {
                if (on[i / 64] >> (i % 64) & 1) {
                    pack_slot(j, packed, tile, slot++, block, block->first_k + i, w);
                }
            }
            if (block->offset_slot >= 0) {
                pack_slot(j, packed, tile, block->offset_slot, block, -1, w);
            }
        }
    }
}

// the correction of the columns that are on
static ohm_status pack_correction(ohmi_packed_layer *out, const ohmi_chip *chip,
                                  const ohmi_placed_layer *placed, const uint8_t *bits, int layer,
                                  int t, ohm_error *err) {
    const float *all = chip->correction[layer];
    if (!all) {
        return OHM_OK;
    }
    const int64_t run = placed->layout.run, groups = placed->layout.n_groups;
    out->correction = ohmi_alloc((size_t)(out->n_k * run), sizeof *out->correction);
    if (!out->correction) {
        return no_memory(err);
    }
    for (int64_t i = 0; i < out->n_k; i++) {
        for (int64_t g = 0; g < groups; g++) {
            const int64_t unit = (out->first_k + i) * groups + g;
            // what is added to a column's sum is multiplied with its level too
            const int64_t at = ohmi_layout_offset(&placed->layout, unit);
            const float factor = (float)factor_of(chip->learner, placed, layer, unit, t);
            float *to = out->correction + i * run + g * placed->layout.span;
            for (int64_t w = 0; w < ohmi_layout_length(&placed->layout, unit); w++) {
                to[w] = ohmi_bit(bits, unit) ? factor * all[at + w] : 0.0f;
            }
        }
    }
    return OHM_OK;
}

// the codes of all sums that exact cells can give
static void tabulate(ohmi_packed_layer *out, const ohmi_adc *adc, int lines, int64_t n_sums) {
    const bool fits = ohmi_product_tabulate(out->code8, adc, lines, n_sums);
    for (int64_t row = 0; row < out->n_tiles; row++) {
        ohmi_row_tile *t = &out->tiles[row].tile;
        t->code8 = t->real || !fits ? NULL : out->code8;
    }
}

ohm_status ohmi_chip_pack(ohmi_packed_layer *out, const ohmi_chip *chip, const uint8_t *bits,
                          int layer, int t, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_learner *learner = chip->learner;
    const ohmi_placed_layer *placed = &chip->placed->layers[layer];
    const ohmi_adc *adc = chip->adc[layer];
    const int64_t n_sums = ohmi_chip_most(chip, layer) + 1;
    const int cell_bits = chip->placed->def.cell_bits;
    float *codes = NULL;
    *out = (ohmi_packed_layer){.n_k = placed->k, .planes = chip->planes};
    if (placed->is_head) {
        out->n_k = learner->learned[t].parameters->n_classes;
        out->first_k = ohmi_learner_head_first(learner, t);
    }
    for (int i = 0; i < learner->network->n_nodes && !placed->is_head; i++) {
        const ohmi_node *node = &learner->network->nodes[i];
        out->is_signed = out->is_signed ||
                         (node->kind == OHMI_NODE_CONV && node->layer == layer && node->input == 0);
    }
    out->planes = out->is_signed ? chip->input_planes : chip->planes;
    ohmi_place_worth(out->worth, placed, cell_bits);
    for (int d = 0; d < placed->lines; d++) {
        out->worth[d] *= adc[d].multiple;
    }
    out->n_tiles = placed->layout.n_groups * placed->n_tiles;
    out->tiles = ohmi_alloc((size_t)out->n_tiles, sizeof *out->tiles);
    if (!out->tiles) {
        status = no_memory(err);
        goto done;
    }

    // which rows and columns, then their cells
    for (int64_t row = 0; row < out->n_tiles; row++) {
        ohmi_packed_tile *packed = &out->tiles[row];
        const int64_t g = row / placed->n_tiles, part = row % placed->n_tiles;
        const int64_t rows = chip->placed->def.rows;
        const int64_t rest =
            ohmi_layout_length(&placed->layout, g) - part * rows; // unit g: of output 0
        ohmi_row_tile *tile = &packed->tile;
        tile->n_rows = rest < 0 ? 0 : rest < rows ? rest : rows;
        tile->n_quads = (tile->n_rows + 3) / 4;
        tile->lines = placed->lines;
        tile->max_level = (1 << cell_bits) - 1;
        tile->worth = out->worth;
        tile->adc = adc;
        tile->planes = out->planes;
        tile->is_signed = out->is_signed;
        if (tile->n_rows == 0) {
            continue;
        }
        OHM_TRY(
            order_rows(packed, placed, g * placed->layout.span + part * rows, tile->n_rows, err));
        OHM_TRY(choose_slots(packed, out, placed, bits, g, err));
        OHM_TRY(take_factors(packed, learner, placed, layer, g, t, err));
        OHM_TRY(take_cells(packed, chip, placed, row, err));
        out->is_value = out->is_value || ohmi_product_is_value(tile->real != NULL, adc);
        out->conversions += tile->n_slots * tile->lines * out->planes;
    }
    pack_job j = {.out = out, .chip = chip, .placed = placed, .layer = layer, .t = t};
    codes = ohmi_alloc((size_t)ohmi_threads() * (size_t)placed->layout.span, sizeof *codes);
    if (!codes) {
        status = no_memory(err);
        goto done;
    }
    j.codes = codes;
    ohmi_parallel(out->n_tiles, 1, pack_work, &j);
    if (adc->kind == OHMI_ADC_LINEAR) {
        tabulate(out, adc, placed->lines, n_sums);
    }
    for (int64_t row = 0; row < out->n_tiles; row++) {
        out->tiles[row].tile.is_value = out->is_value;
    }
    OHM_TRY(pack_correction(out, chip, placed, bits, layer, t, err));
done:
    ohmi_free(codes);
    return status;
}

void ohmi_chip_unpack(ohmi_packed_layer *layer) {
    for (int64_t row = 0; layer->tiles && row < layer->n_tiles; row++) {
        ohmi_packed_tile *packed = &layer->tiles[row];
        ohmi_free((void *)(uintptr_t)packed->tile.cells);
        ohmi_free((void *)(uintptr_t)packed->tile.real);
        ohmi_free((void *)(uintptr_t)packed->tile.offset);
        ohmi_free((void *)(uintptr_t)packed->tile.id);
        ohmi_free(packed->segments);
        ohmi_free(packed->blocks);
        ohmi_free(packed->on);
        ohmi_free(packed->factor);
        ohmi_free(packed->row_of);
    }
    ohmi_free(layer->tiles);
    ohmi_free(layer->correction);
    *layer = (ohmi_packed_layer){0};
}
