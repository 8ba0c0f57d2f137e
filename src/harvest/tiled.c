// SPDX-License-Identifier: Apache-2.0
// Products tile by tile under failing power; see tiled.h.
#include "harvest/tiled.h"

#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/rng.h"
#include "crossbar/chip_task.h"

// what survives
typedef struct {
    ohmi_cursor cursor;
    int32_t *partial; // sums of the vector in work                       (columns)
    int32_t *sums;    // of the vectors that are done                     (vectors, columns)
    struct {
        bool is_valid;
        ohmi_rectangle tile;
        ohmi_cursor next;
        int32_t *values; // (columns)
    } record;
} kept_memory;

struct ohmi_tiled {
    ohmi_chip *chip;
    uint64_t seed;
    int64_t mean, until; // the power fails in so many reads and writes; 0 = never
    uint32_t drawn;
    ohmi_tiled_counts counts;
    kept_memory memory;
    ohmi_tile tile;  // volatile, as the rest
    uint8_t *x;      // a vector's inputs, by the matrix' rows            (rows)
    uint8_t *driven; // those of one array that are driven               (rows, 64)
    int32_t *t;      // what the array gives                             (slots, 64)
    int32_t *values; // of a tile                                        (columns)
    void *work;
};

static int64_t draw(ohmi_tiled *t, int64_t n) {
    const ohmi_rng rng = {t->seed, OHMI_RNG_POWER, 0, UINT32_MAX};
    uint32_t bits[4];
    ohmi_rng_bits(bits, &rng, t->drawn++);
    return (int64_t)(bits[0] % (uint64_t)n);
}

// one more read or write; false = the power fails in it
static bool is_powered(ohmi_tiled *t) {
    if (t->mean == 0 || --t->until > 0) {
        return true;
    }
    t->until = 1 + draw(t, 2 * t->mean - 1);
    t->counts.failures++;
    return false;
}

static ohmi_extent draw_extent(ohmi_tiled *t, const ohmi_axis *axis) {
    const int64_t arrays = (axis->total + axis->unit - 1) / axis->unit;
    if (arrays > 1 && draw(t, 2) == 0) {
        return (ohmi_extent){.step = axis->unit, .units = 2 + draw(t, arrays - 1)};
    }
    return (ohmi_extent){.step = 1 + draw(t, axis->unit < axis->total ? axis->unit : axis->total),
                         .units = 1};
}

// other power, other tiles
static void change_mode(ohmi_tiled *t, const ohmi_matrix *m) {
    t->tile.rows = draw_extent(t, &m->rows);
    t->tile.columns = draw_extent(t, &m->columns);
}

// what the columns of a tile get from one row of arrays, onto values; false = the power failed
static bool read_arrays(ohmi_tiled *t, const ohmi_packed_layer *layer,
                        const ohmi_placed_layer *placed, int64_t g, const ohmi_rectangle *tile) {
    const ohmi_packed_tile *packed = &layer->tiles[g];
    const ohmi_row_tile *row_tile = &packed->tile;
    const int64_t first = g * placed->layout.span, words = (placed->per_array + 63) / 64;
    int32_t sum_x = 0;

    // the driven rows' inputs; all others stay at 0
    const int64_t stride = ohmi_product_stride(1);
    memset(t->driven, 0, (size_t)(row_tile->n_rows * stride));
    for (int64_t row = 0; row < row_tile->n_rows; row++) {
        const int64_t at = first + packed->row_of[row];
        if (at >= tile->row && at < tile->row + tile->n_rows) {
            t->driven[row * stride] = t->x[at];
            sum_x += layer->is_signed ? (int32_t)(int8_t)t->x[at] : (int32_t)t->x[at];
        }
    }
    t->chip->active->products->run(t->t, t->driven, stride, NULL, 1, row_tile, t->work);

    // the columns of the tile that are on, less what their offset column gives
    const bool is_digital = placed->offset > 0 && placed->reserved == 0;
    int64_t slot = 0;
    for (int64_t b = 0; b < packed->n_blocks; b++) {
        const ohmi_tile_block *block = &packed->blocks[b];
        int32_t minus = block->offset_slot >= 0 ? t->t[block->offset_slot * stride] : 0;
        minus += is_digital ? placed->offset * sum_x : 0;
        bool is_read = false;
        for (int64_t i = 0; i < block->n_k; i++) {
            if (!(packed->on[b * words + i / 64] >> (i % 64) & 1)) {
                continue;
            }
            const int64_t column = block->first_k + i - layer->first_k - tile->column;
            if (column >= 0 && column < tile->n_columns) {
                t->values[column] += t->t[slot * stride] - minus;
                is_read = true;
            }
            slot++;
        }
        if (is_read && !is_powered(t)) {
            return false;
        }
    }
    return true;
}

// copies a valid record to its places; may be repeated. False = the power failed
static bool apply_record(ohmi_tiled *t, const ohmi_matrix *m) {
    kept_memory *memory = &t->memory;
    const ohmi_rectangle *tile = &memory->record.tile;
    const bool is_done = tile->row + tile->n_rows == m->rows.total;
    for (int64_t i = 0; i < tile->n_columns; i++) {
        if (!is_powered(t)) {
            return false;
        }
        int32_t *to = is_done ? memory->sums + tile->vector * m->columns.total : memory->partial;
        to[tile->column + i] = memory->record.values[i];
    }
    // the cursor has several words: it may be torn
    memory->cursor.vector = memory->record.next.vector;
    if (!is_powered(t)) {
        return false;
    }
    memory->cursor = memory->record.next;
    if (!is_powered(t)) {
        return false;
    }
    memory->record.is_valid = false;
    t->counts.steps++;
    t->counts.cells += (double)tile->n_rows * (double)tile->n_columns;
    return true;
}

// one step, from what is kept to what is kept; false = the power failed
static bool step(ohmi_tiled *t, const ohmi_packed_layer *layer, const ohmi_placed_layer *placed,
                 const ohmi_matrix *m) {
    kept_memory *memory = &t->memory;
    const ohmi_rectangle tile = ohmi_cursor_next(&memory->cursor, m, &t->tile);
    for (int64_t i = 0; i < tile.n_columns; i++) {
        t->values[i] = tile.row > 0 ? memory->partial[tile.column + i] : 0;
    }
    const int64_t last = (tile.row + tile.n_rows - 1) / m->rows.unit;
    for (int64_t g = tile.row / m->rows.unit; g <= last; g++) {
        if (layer->tiles[g].n_on > 0 && !read_arrays(t, layer, placed, g, &tile)) {
            t->counts.lost++;
            return false;
        }
    }
    // keep it
    for (int64_t i = 0; i < tile.n_columns; i++) {
        if (!is_powered(t)) {
            t->counts.lost++;
            t->counts.failures_keeping++;
            return false;
        }
        memory->record.values[i] = t->values[i];
    }
    memory->record.tile = tile;
    memory->record.next = memory->cursor;
    ohmi_cursor_advance(&memory->record.next, m, &t->tile, 1);
    if (!is_powered(t)) {
        t->counts.lost++;
        t->counts.failures_keeping++;
        return false;
    }
    memory->record.is_valid = true;
    if (!apply_record(t, m)) {
        t->counts.failures_keeping++;
        return false;
    }
    return true;
}

// the inputs of a vector, by the rows of the matrix: channel, then filter row and column
static void gather(ohmi_tiled *t, const float *x, const ohmi_conv *o, int64_t pixel,
                   int64_t image) {
    const int64_t top = pixel / o->q * o->stride - o->pad, left = pixel % o->q * o->stride - o->pad;
    int64_t row = 0;
    for (int64_t c = 0; c < o->c; c++) {
        for (int64_t r = 0; r < o->r; r++) {
            for (int64_t s = 0; s < o->s; s++, row++) {
                const int64_t h = top + r, w = left + s;
                const bool is_inside = h >= 0 && h < o->h && w >= 0 && w < o->w;
                const int64_t at = ((h * o->w + w) * o->n_pad + image) * o->c_pad + c;
                t->x[row] = is_inside ? (uint8_t)(int32_t)x[at] : 0;
            }
        }
    }
}

// the network's hook
static void product(void *context, float *y, const float *x, const ohmi_conv *o, int layer, int n) {
    ohmi_tiled *t = context;
    ohmi_network *network = t->chip->learner->network;
    const int index = layer < 0 ? network->n_layers : layer;
    if (index >= t->chip->placed->n_layers) {
        network->kernels->forward(y, x, network->head_w, o, network->work);
        return;
    }
    const ohmi_placed_layer *placed = &t->chip->placed->layers[index];
    const ohmi_packed_layer *packed = &t->chip->active->layers[index];
    const int64_t n_pixels = (int64_t)o->p * o->q;
    const ohmi_matrix m = {.rows = {placed->layout.run, placed->layout.span},
                           .columns = {packed->n_k, placed->per_array},
                           .vectors = n_pixels};
    memset(y, 0, (size_t)(n_pixels * o->n_pad * o->k_pad) * sizeof *y);
    t->counts.macs += (double)m.rows.total * (double)m.columns.total * (double)(n_pixels * n);
    for (int64_t image = 0; image < n; image++) {
        kept_memory *memory = &t->memory;
        int64_t gathered = -1;
        memory->cursor = (ohmi_cursor){0};
        change_mode(t, &m);
        while (memory->cursor.vector < m.vectors) {
            if (gathered != memory->cursor.vector) {
                gather(t, x, o, memory->cursor.vector, image);
                gathered = memory->cursor.vector;
            }
            if (!step(t, packed, placed, &m)) {
                // power is back: what was being kept is finished first, however often that fails
                while (memory->record.is_valid && !apply_record(t, &m)) {
                    t->counts.failures_keeping++;
                }
                gathered = -1;
                change_mode(t, &m);
            } else if (draw(t, 16) == 0) {
                change_mode(t, &m);
            }
        }
        for (int64_t pixel = 0; pixel < n_pixels; pixel++) {
            float *to = y + (pixel * o->n_pad + image) * o->k_pad;
            for (int64_t k = 0; k < m.columns.total; k++) {
                to[k] = (float)memory->sums[pixel * m.columns.total + k];
            }
        }
    }
}

static size_t larger(size_t a, int64_t b) {
    return (size_t)b > a ? (size_t)b : a;
}

ohm_status ohmi_tiled_new(ohmi_tiled **out, ohmi_chip *chip, uint64_t seed, int64_t mean,
                          ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_chip_task *task = chip->active;
    ohmi_network *network = chip->learner->network;
    size_t rows = 0, columns = 0, sums = 0, inputs = 0, slots = 0, work = 0;
    ohmi_tiled *t = ohmi_alloc(1, sizeof *t);
    *out = NULL;
    if (!t) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for tiles");
    }
    t->chip = chip;
    t->seed = seed;
    t->mean = mean;
    t->until = mean > 0 ? 1 + draw(t, 2 * mean - 1) : 0;
    for (int l = 0; l < chip->placed->n_layers; l++) {
        const ohmi_placed_layer *placed = &chip->placed->layers[l];
        const ohmi_packed_layer *packed = &task->layers[l];
        const int64_t vectors =
            l < network->n_layers ? (int64_t)network->layers[l].shape.p * network->layers[l].shape.q
                                  : 1;
        if (chip->adc[l][0].kind != OHMI_ADC_NONE || packed->is_value || placed->n_tiles > 1) {
            status = ohmi_fail(err, OHM_ERR_ARGUMENT,
                               "tiles add up exactly only with ideal converters and whole columns");
            ohmi_hint(err, "set adc.range=ideal, and array.rows as the run was learned with");
            goto done;
        }
        rows = larger(rows, placed->layout.run);
        columns = larger(columns, packed->n_k);
        sums = larger(sums, vectors * packed->n_k);
        for (int64_t g = 0; g < packed->n_tiles; g++) {
            const ohmi_packed_tile *tile = &packed->tiles[g];
            if (tile->factor) {
                status = ohmi_fail(err, OHM_ERR_ARGUMENT, "masks of several levels are not tiled");
                goto done;
            }
            inputs = larger(inputs, tile->tile.n_rows * ohmi_product_stride(1));
            slots = larger(slots, tile->tile.n_slots * ohmi_product_stride(1));
            work = larger(work, (int64_t)task->products->workspace(&tile->tile, 1));
        }
    }
    t->memory.partial = ohmi_alloc(columns, sizeof(int32_t));
    t->memory.sums = ohmi_alloc(sums, sizeof(int32_t));
    t->memory.record.values = ohmi_alloc(columns, sizeof(int32_t));
    t->x = ohmi_alloc(rows, 1);
    t->driven = ohmi_alloc(inputs, 1);
    t->t = ohmi_alloc(slots, sizeof(int32_t));
    t->values = ohmi_alloc(columns, sizeof(int32_t));
    t->work = ohmi_alloc(work, 1);
    if (!t->memory.partial || !t->memory.sums || !t->memory.record.values || !t->x || !t->driven ||
        !t->t || !t->values || !t->work) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for tiles");
        goto done;
    }
    network->product = product;
    network->product_context = t;
    *out = t;
    t = NULL;
done:
    ohmi_tiled_free(&t);
    return status;
}

void ohmi_tiled_counts_of(ohmi_tiled_counts *out, const ohmi_tiled *tiled) {
    *out = tiled->counts;
}

void ohmi_tiled_free(ohmi_tiled **tiled) {
    if (!tiled || !*tiled) {
        return;
    }
    ohmi_tiled *t = *tiled;
    ohmi_network *network = t->chip->learner->network;
    if (network->product_context == t) {
        network->product = NULL;
        network->product_context = NULL;
    }
    ohmi_free(t->memory.partial);
    ohmi_free(t->memory.sums);
    ohmi_free(t->memory.record.values);
    ohmi_free(t->x);
    ohmi_free(t->driven);
    ohmi_free(t->t);
    ohmi_free(t->values);
    ohmi_free(t->work);
    ohmi_free(t);
    *tiled = NULL;
}
