// SPDX-License-Identifier: Apache-2.0
// The memory of the rows of gradients: which cells they have, and room to count a batch.
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "insitu/rows.h"

static int digits_of(int bits, int cell_bits) {
    return (bits + cell_bits - 1) / cell_bits;
}

static int bits_of(float top) {
    int bits = 1;
    while ((float)((1 << bits) - 1) < top) {
        bits++;
    }
    return bits;
}

ohm_status ohmi_rows_new(ohmi_rows **out, const ohmi_learner *learner, int layer,
                         const ohmi_placed_layer *place, bool has_sign, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_config *config = learner->config;
    ohmi_rows *r = ohmi_alloc(1, sizeof *r);
    *out = NULL;
    if (!r) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the rows of gradients");
        goto done;
    }
    r->learner = learner;
    r->place = place;
    r->layer = layer;
    r->shape = learner->network->layers[layer].shape;
    r->has_sign = has_sign;
    r->input_top = has_sign ? (float)((1 << (config->quantise.input_bits - 1)) - 1)
                            : learner->activation_grid.top;
    r->error_bits = config->insitu.error_bits > 0 ? (int)config->insitu.error_bits : 16;
    r->cell_bits = (int)config->array.cell_bits;
    r->array_rows = config->array.rows;
    r->state[OHMI_ROWS_RATIO] = config->insitu.error_ratio;
    r->input_cells = digits_of(bits_of(r->input_top), r->cell_bits) * (has_sign ? 2 : 1);
    r->error_cells = digits_of(r->error_bits - 1, r->cell_bits) * 2;
    const ohmi_conv *o = &r->shape;
    const int64_t places = (int64_t)o->p * o->q;
    const bool is_error = config->insitu.operand == OHMI_OPERAND_ERROR;
    r->row_cells =
        is_error ? (int64_t)o->k * r->error_cells : (int64_t)o->c * o->r * o->s * r->input_cells;
    r->n_rows = config->insitu.rows == OHMI_ROWS_FIXED
                    ? places
                    : (places + r->array_rows - 1) / r->array_rows * r->array_rows;
    r->held = ohmi_alloc((size_t)(r->n_rows * r->row_cells), 1);
    r->wear = ohmi_alloc((size_t)(r->n_rows * r->row_cells), sizeof *r->wear);
    r->uses = ohmi_alloc((size_t)o->h * (size_t)o->w, sizeof *r->uses);
    if (!r->held || !r->wear || !r->uses) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the gradient arrays of '%s'",
                           place->name);
        goto done;
    }
    for (int p = 0; p < o->p; p++) {
        for (int q = 0; q < o->q; q++) {
            for (int tap = 0; tap < o->r * o->s; tap++) {
                const int h = p * o->stride + tap / o->s - o->pad;
                const int w = q * o->stride + tap % o->s - o->pad;
                if (h >= 0 && h < o->h && w >= 0 && w < o->w) {
                    r->uses[h * o->w + w]++;
                }
            }
        }
    }
    *out = r;
    r = NULL;
done:
    ohmi_rows_free(&r);
    return status;
}

void ohmi_rows_free(ohmi_rows **rows) {
    if (*rows) {
        ohmi_free((*rows)->held);
        ohmi_free((*rows)->wear);
        ohmi_free((*rows)->uses);
        ohmi_free(*rows);
        *rows = NULL;
    }
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

ohm_status ohmi_rows_room_make(ohmi_rows_room *room, ohmi_rows *const *rows, int n_layers,
                               ohm_error *err) {
    int64_t levels = 1, pixels = 1, places = 1, positions = 1, dy = 1, cells = 1, groups = 1,
            outputs = 1, arrays = 1, sums = 1;
    memset(room, 0, sizeof *room);
    for (int i = 0; i < n_layers; i++) {
        const ohmi_conv *o = &rows[i]->shape;
        const int64_t input = (int64_t)o->h * o->w * o->n, output = (int64_t)o->p * o->q;
        levels = larger(levels, input * o->c * rows[i]->input_cells);
        pixels = larger(pixels, input);
        places = larger(places, larger(output, (int64_t)o->h * o->w));
        positions = larger(positions, output * o->n);
        dy = larger(dy, output * o->n_pad * o->k_pad);
        cells = larger(cells, rows[i]->row_cells);
        groups = larger(groups, rows[i]->place->layout.n_groups);
        outputs = larger(outputs, o->k);
        sums = larger(sums, (int64_t)o->p * o->q * 2 * o->k);
        arrays = larger(arrays, (rows[i]->n_rows + rows[i]->array_rows - 1) / rows[i]->array_rows);
    }
    room->n_threads = ohmi_threads();
    const size_t n_threads = (size_t)room->n_threads;
    room->levels = ohmi_alloc((size_t)levels, 1);
    room->pixel_most = ohmi_alloc((size_t)pixels, sizeof(float));
    room->pixel_ones = ohmi_alloc((size_t)pixels, sizeof(int32_t));
    room->row_most = ohmi_alloc((size_t)positions, sizeof(float));
    room->error_most = ohmi_alloc((size_t)positions, sizeof(float));
    room->error_ones = ohmi_alloc((size_t)positions, sizeof(int32_t));
    room->pixel_square = ohmi_alloc((size_t)pixels, sizeof(float));
    room->row_square = ohmi_alloc((size_t)positions, sizeof(float));
    room->error_square = ohmi_alloc((size_t)positions, sizeof(float));
    room->place_sums = ohmi_alloc((size_t)sums, sizeof(double));
    room->shift = ohmi_alloc((size_t)outputs, sizeof(float));
    room->weight = ohmi_alloc((size_t)positions, sizeof(float));
    room->is_kept = ohmi_alloc((size_t)positions, 1);
    room->order = ohmi_alloc((size_t)positions, sizeof(int32_t));
    room->dy = ohmi_alloc((size_t)dy, sizeof(float));
    room->rows = ohmi_alloc(n_threads * (size_t)cells, 1);
    room->group_ones = ohmi_alloc(n_threads * (size_t)groups, sizeof(int64_t));
    room->output_ones = ohmi_alloc(n_threads * (size_t)outputs, sizeof(int64_t));
    room->part = ohmi_alloc((size_t)arrays, sizeof *room->part);
    room->chunk_most = ohmi_alloc((size_t)places, sizeof(float));
    if (!room->levels || !room->pixel_most || !room->pixel_ones || !room->row_most ||
        !room->error_most || !room->error_ones || !room->place_sums || !room->shift ||
        !room->weight || !room->pixel_square || !room->row_square || !room->error_square ||
        !room->is_kept || !room->order || !room->dy || !room->rows || !room->group_ones ||
        !room->output_ones || !room->part || !room->chunk_most) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to count what a batch writes");
    }
    return OHM_OK;
}

void ohmi_rows_room_clear(ohmi_rows_room *room) {
    void *blocks[] = {room->levels,     room->pixel_most,   room->pixel_ones, room->row_most,
                      room->error_most, room->error_ones,   room->place_sums, room->shift,
                      room->weight,     room->pixel_square, room->row_square, room->error_square,
                      room->is_kept,    room->order,        room->dy,         room->rows,
                      room->group_ones, room->output_ones,  room->part,       room->chunk_most};
    for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
        ohmi_free(blocks[b]);
    }
    memset(room, 0, sizeof *room);
}
