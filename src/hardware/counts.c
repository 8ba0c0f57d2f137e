// SPDX-License-Identifier: Apache-2.0
// Counting what happens on the arrays; see counts.h. All counts are linear in the ones of the
// inputs, so a column needs one product of its level sums with the ones of its rows, whatever the
// number of vectors, planes and images behind them.
#include "hardware/counts.h"
#include "base/bits.h"

#include <string.h>

void ohmi_count_layer_of(ohmi_count_layer *out, const ohmi_placed_layer *layer) {
    out->arrays = layer->n_arrays;
    out->tree_inputs = layer->layout.n_groups * layer->n_tiles;
    out->outputs = layer->k;
    memset(out->adders_built, 0, sizeof out->adders_built);
    int64_t n = out->tree_inputs;
    for (int stage = 0; n > 1; stage++) {
        out->adders_built[stage] = n / 2 * layer->k;
        n = (n + 1) / 2;
    }
}

// the weights of tile `tile` of a column, from its first
static int64_t tile_length(const ohmi_placed_layer *layer, int64_t u, int64_t tile, int64_t rows) {
    const int64_t rest = ohmi_layout_length(&layer->layout, u) - tile * rows;
    return rest < 0 ? 0 : rest < rows ? rest : rows;
}

// adders that switch in the trees of all outputs
static void count_adders(ohmi_count *out, const ohmi_placed_layer *layer, const uint8_t *on,
                         int64_t rows) {
    const int64_t n_groups = layer->layout.n_groups, n_tiles = layer->n_tiles;
    const int64_t n = n_groups * n_tiles;
    for (int64_t k = 0; k < layer->k; k++) {
        // the inputs of the tree, one bit each
        uint64_t live[OHMI_MOST_TREE / 64];
        memset(live, 0, (size_t)(n + 63) / 64 * sizeof *live);
        for (int64_t i = 0; i < n; i++) {
            const int64_t u = k * n_groups + i / n_tiles;
            if (ohmi_bit(on, u) && tile_length(layer, u, i % n_tiles, rows) > 0) {
                live[i / 64] |= UINT64_C(1) << (i % 64);
            }
        }
        // stage by stage; a value without a neighbour goes on as it is
        int64_t width = n;
        for (int stage = 0; width > 1; stage++) {
            for (int64_t i = 0; i < width; i += 2) {
                const bool has_pair = i + 1 < width;
                const bool a = live[i / 64] >> (i % 64) & 1;
                const bool b = has_pair && (live[(i + 1) / 64] >> ((i + 1) % 64) & 1);
                const uint64_t bit = UINT64_C(1) << (i / 2 % 64);
                out->adders[stage] += has_pair && (a || b);
                live[i / 128] = a || b ? live[i / 128] | bit : live[i / 128] & ~bit;
            }
            width = (width + 1) / 2;
        }
    }
}

// levels of a code's cells together
static int level_sum(const ohmi_placed_layer *layer, int cell_bits, int code) {
    uint8_t digit[OHMI_MOST_LINES];
    int sum = 0;
    ohmi_place_digits(digit, layer, cell_bits, code);
    for (int d = 0; d < layer->lines; d++) {
        sum += digit[d];
    }
    return sum;
}

// level sums of all codes, table[code + 128]
static void level_table(uint8_t table[256], const ohmi_placed_layer *layer, int cell_bits) {
    memset(table, 0, 256);
    for (int code = -layer->weight_top; code <= layer->weight_top; code++) {
        table[code + 128] = (uint8_t)level_sum(layer, cell_bits, code);
    }
}

void ohmi_count_levels(double *column_levels, const ohmi_placed *place, int layer,
                       const int8_t *codes) {
    const ohmi_placed_layer *l = &place->layers[layer];
    uint8_t table[256];
    level_table(table, l, place->def.cell_bits);
    for (int64_t u = 0; u < l->layout.n_units; u++) {
        const int8_t *w = codes + ohmi_layout_offset(&l->layout, u);
        const int64_t length = ohmi_layout_length(&l->layout, u);
        int64_t sum = 0;
        for (int64_t i = 0; i < length; i++) {
            sum += table[w[i] + 128];
        }
        column_levels[u] = (double)sum;
    }
}

// ones of a column's rows, and of these times the levels of its cells
static void read_column(double *n_ones, double *levels, const ohmi_placed_layer *l, int64_t u,
                        const uint8_t *table, const ohmi_masked_layer *task,
                        const ohmi_input_ones *ones, double full) {
    const int64_t length = ohmi_layout_length(&l->layout, u);
    if (!ones->ones) {
        *n_ones = ones->part * full * (double)length;
        *levels = ones->part * full * task->column_levels[u];
        return;
    }
    const int64_t first = u % l->layout.n_groups * l->layout.span;
    const int8_t *w = task->codes + ohmi_layout_offset(&l->layout, u);
    double sum = 0, weighted = 0;
    for (int64_t i = 0; i < length; i++) {
        sum += ones->ones[first + i];
        weighted += ones->ones[first + i] * (double)table[w[i] + 128];
    }
    *n_ones = sum;
    *levels = weighted;
}

void ohmi_count_task(ohmi_count *out, const ohmi_count_layer *counted, const ohmi_placed *place,
                     int layer, const ohmi_masked_layer *task, const ohmi_input_ones *ones) {
    const ohmi_placed_layer *l = &place->layers[layer];
    const int64_t rows = place->def.rows, n_groups = l->layout.n_groups;
    const double full = (double)counted->vectors * counted->planes;
    const bool has_offset = l->reserved > 0;
    uint8_t table[256];
    level_table(table, l, place->def.cell_bits);
    const int offset_levels = has_offset ? level_sum(l, place->def.cell_bits, 0) : 0;
    *out = (ohmi_count){0};
    for (int64_t g = 0; g < n_groups; g++) {
        // the rows of this group and what they see
        const int64_t length = ohmi_layout_length(&l->layout, g);
        const int64_t n_tiles = (length + rows - 1) / rows;
        double group_ones = ones->part * full * (double)length;
        if (ones->ones) {
            group_ones = 0;
            for (int64_t i = 0; i < length; i++) {
                group_ones += ones->ones[g * l->layout.span + i];
            }
        }
        bool is_needed = false;
        for (int64_t block = 0; block < l->n_blocks; block++) {
            const int64_t end =
                (block + 1) * l->per_array < l->k ? (block + 1) * l->per_array : l->k;
            int64_t n_on = 0;
            for (int64_t k = block * l->per_array; k < end; k++) {
                const int64_t u = k * n_groups + g;
                if (!ohmi_bit(task->on, u)) {
                    continue;
                }
                double n_ones, levels;
                read_column(&n_ones, &levels, l, u, table, task, ones, full);
                out->cells_read += n_ones * l->lines;
                out->levels_read += levels;
                out->weights_on += length;
                out->shifts += task->shifts ? task->shifts[u] * n_tiles : 0;
                n_on++;
            }
            if (n_on == 0) {
                continue;
            }
            // the array works: its rows, its on columns, its offset column
            const int64_t lines = n_on * l->lines + l->reserved;
            is_needed = true;
            out->columns_on += n_on;
            out->arrays_read += n_tiles;
            out->lines_on += lines * n_tiles;
            out->lines_of_weights += n_on * l->lines * n_tiles;
            out->most_lines = lines > out->most_lines ? lines : out->most_lines;
            out->joins += (n_on + has_offset) * n_tiles;
            out->lines_driven += length;
            out->rows_driven += group_ones;
            out->cells_read += group_ones * l->reserved;
            out->levels_read += group_ones * offset_levels;
        }
        out->rows_read += is_needed ? length : 0;
    }
    count_adders(out, l, task->on, rows);
}

void ohmi_count_ones(double *ones, const float *x, int64_t c, int64_t h, int64_t w,
                     int64_t x_stride, int64_t y_stride, int64_t r, int64_t s, int64_t stride,
                     int64_t pad, int64_t p, int64_t q, int planes) {
    // each input is met by filter tap (r, s) when it lies under it for some output
    const uint32_t bits = planes >= 32 ? UINT32_MAX : (UINT32_C(1) << planes) - 1;
    for (int64_t i = 0; i < r; i++) {
        for (int64_t j = 0; j < s; j++) {
            for (int64_t a = 0; a < p; a++) {
                const int64_t y = a * stride + i - pad;
                if (y < 0 || y >= h) {
                    continue;
                }
                for (int64_t b = 0; b < q; b++) {
                    const int64_t at = b * stride + j - pad;
                    if (at < 0 || at >= w) {
                        continue;
                    }
                    const float *value = x + y * y_stride + at * x_stride;
                    for (int64_t k = 0; k < c; k++) {
                        const uint32_t code = (uint32_t)(int32_t)value[k] & bits;
                        ones[(k * r + i) * s + j] += (double)__builtin_popcount(code);
                    }
                }
            }
        }
    }
}
