// SPDX-License-Identifier: Apache-2.0
// Running a task's network on a chip: the products of its forward pass. Vectors (an output pixel of
// an image) are computed in blocks; for each row tile the inputs of a block are gathered,
// multiplied bit by bit (product.h), and added where the column is on:
//
//     y[k] = step (sum over tiles of T[k] - T[offset column]) - z sum over tiles of sum of x
//
// with z = 0 unless offsets are counted digitally, and step of a code of linear converters.
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "crossbar/chip_task.h"
#include "crossbar/ranges.h"
#include "learn/placing.h"

// one vector of so many is counted when converters are calibrated
enum { COLLECT = 8 };

typedef struct {
    ohmi_chip *chip;
    ohmi_chip_task *task;
    const ohmi_placed_layer *placed;
    const ohmi_packed_layer *packed;
    const ohmi_conv *shape;
    const float *x;
    float *y;
    const float *added; // correction's sums, as y; NULL = none
    int n;              // images
    int64_t image;      // number of the first
    int layer;
} run_job;

// the parts of a thread's workspace
typedef struct {
    uint8_t *x;       // (block, stride)
    uint64_t *vector; // (block)
    int32_t *t;       // (block, width)
    int32_t *y;       // (block, n_k)
    int32_t *inputs;  // (block, n_k) sums of inputs of the columns that are on
    int32_t *zeros;   // (largest block of outputs)
    int32_t *trial;   // (block, n_k) outputs of converters that are tried
    void *products;
} workspace;

static size_t round_up(size_t n) {
    return (n + 63) / 64 * 64;
}

// bytes of a workspace; at: filled when base is given
static size_t lay_out(workspace *at, uint8_t *base, const ohmi_chip *chip,
                      const ohmi_chip_task *task) {
    size_t stride = 0, width = 0, n_k = 0, products = 0, zeros = 0;
    for (int l = 0; l < chip->placed->n_layers; l++) {
        const ohmi_packed_layer *packed = &task->layers[l];
        const size_t per_array = (size_t)chip->placed->layers[l].per_array;
        n_k = (size_t)packed->n_k > n_k ? (size_t)packed->n_k : n_k;
        zeros = per_array > zeros ? per_array : zeros;
        for (int64_t row = 0; row < packed->n_tiles; row++) {
            // collecting sums takes each bit-line for a slot of its own
            const ohmi_row_tile *t = &packed->tiles[row].tile;
            const size_t its = (size_t)ohmi_product_stride(t->n_rows);
            const size_t wide = (size_t)(t->n_panels * t->lines) * OHMI_PANEL;
            const size_t work = task->products->workspace(t, OHMI_BLOCK);
            stride = its > stride ? its : stride;
            width = wide > width ? wide : width;
            products = work > products ? work : products;
        }
    }
    const size_t sizes[] = {
        round_up(OHMI_BLOCK * stride),    round_up(OHMI_BLOCK * sizeof(uint64_t)),
        round_up(OHMI_BLOCK * width * 4), round_up(OHMI_BLOCK * n_k * 4),
        round_up(OHMI_BLOCK * n_k * 4),   round_up(zeros * 4),
        round_up(OHMI_BLOCK * n_k * 4),   round_up(products)};
    uint8_t *part[8] = {0};
    size_t total = 0;
    for (int i = 0; i < 8; i++) {
        part[i] = base ? base + total : NULL;
        total += sizes[i];
    }
    if (at && base) {
        *at = (workspace){part[0],         (void *)part[1], (void *)part[2], (void *)part[3],
                          (void *)part[4], (void *)part[5], (void *)part[6], part[7]};
    }
    return total;
}

// the inputs of a block of vectors for one tile; what to holds beyond the rows stays
static void gather(uint8_t *to, const run_job *j, const ohmi_packed_tile *packed, int64_t begin,
                   int64_t end) {
    const ohmi_conv *o = j->shape;
    const int64_t stride = ohmi_product_stride(packed->tile.n_rows);
    for (int64_t v = begin; v < end; v++) {
        const int64_t pixel = v / j->n, image = v % j->n;
        const int64_t top = pixel / o->q * o->stride - o->pad;
        const int64_t left = pixel % o->q * o->stride - o->pad;
        uint8_t *row = to + (v - begin) * stride;
        for (int s = 0; s < packed->n_segments; s++) {
            const ohmi_segment *at = &packed->segments[s];
            const int64_t y = top + at->dy, x = left + at->dx;
            if (y < 0 || y >= o->h || x < 0 || x >= o->w) {
                memset(row, 0, (size_t)at->n);
            } else {
                memcpy(row, j->task->map + ((y * o->w + x) * j->n + image) * o->c + at->c,
                       (size_t)at->n);
            }
            row += at->n;
        }
    }
}

// the sum of one vector's inputs
static int32_t sum_of_inputs(const uint8_t *x, int64_t n, bool is_signed) {
    int32_t sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += is_signed ? (int32_t)(int8_t)x[i] : (int32_t)x[i];
    }
    return sum;
}

// a tile's T of one vector and its inputs' sum, times the factors of the mask
static void apply_factors(const run_job *j, const ohmi_packed_tile *packed, int32_t *t,
                          int32_t *inputs, int32_t sum_x) {
    const int64_t n_words = (j->placed->per_array + 63) / 64;
    int64_t slot = 0;
    for (int64_t b = 0; b < packed->n_blocks; b++) {
        const ohmi_tile_block *block = &packed->blocks[b];
        const int64_t at = block->first_k - j->packed->first_k;
        for (int64_t i = 0; i < block->n_k; i++) {
            if (!(packed->on[b * n_words + i / 64] >> (i % 64) & 1)) {
                continue;
            }
            const int32_t factor = packed->factor[slot];
            if (j->packed->is_value) {
                float *value = (float *)t;
                const float minus = block->offset_slot >= 0 ? value[block->offset_slot] : 0;
                value[slot] = (value[slot] - minus) * (float)factor;
            } else {
                const int32_t minus = block->offset_slot >= 0 ? t[block->offset_slot] : 0;
                t[slot] = (t[slot] - minus) * factor;
            }
            if (inputs) {
                inputs[at + i] += sum_x * factor;
            }
            slot++;
        }
    }
}

// adds a tile's T to the outputs of one vector
static void add_tile(const run_job *j, const ohmi_packed_tile *packed, int32_t *y, int32_t *inputs,
                     const int32_t *t, const int32_t *zeros, int32_t sum_x) {
    const ohmi_packed_layer *layer = j->packed;
    const int64_t n_words = (j->placed->per_array + 63) / 64;
    const int32_t *from = t;
    for (int64_t b = 0; b < packed->n_blocks; b++) {
        const ohmi_tile_block *block = &packed->blocks[b];
        const uint64_t *on = packed->on + b * n_words;
        const int64_t at = block->first_k - layer->first_k;
        const int64_t offset_slot = packed->factor ? -1 : block->offset_slot; // taken off before
        if (layer->is_value) {
            const float *value = (const float *)from;
            const float minus = offset_slot >= 0 ? ((const float *)t)[offset_slot] : 0;
            for (int64_t i = 0; i < block->n_k; i++) {
                if (on[i / 64] >> (i % 64) & 1) {
                    ((float *)y)[at + i] += *value++ - minus;
                    from++;
                }
            }
        } else {
            const int32_t minus = offset_slot >= 0 ? t[offset_slot] : 0;
            j->task->products->add_on(y + at, from, on, block->n_k, minus);
            for (int64_t w = 0; w < n_words; w++) {
                from += __builtin_popcountll(on[w]);
            }
        }
        if (inputs && !packed->factor) {
            j->task->products->add_on(inputs + at, zeros, on, block->n_k, -sum_x);
        }
    }
}

// counts the sums of all bit-lines of a tile, bit by bit, for one vector of COLLECT; at->x (n,
// stride) has the inputs of the block and is used up
static void collect(const run_job *j, const workspace *at, const ohmi_packed_tile *packed,
                    int64_t begin, int64_t n, int thread) {
    const ohmi_histogram *h = j->task->histogram;
    int64_t *count = h->count + thread * h->n_bins + h->first[j->layer];
    const int64_t most = h->first[j->layer + 1] - h->first[j->layer] - 1;
    const ohmi_adc ideal = ohmi_adc_ideal();
    const int32_t one = 1;
    const int64_t stride = ohmi_product_stride(packed->tile.n_rows);
    const int lines = packed->tile.lines;

    // another one in each block, so that all places of an image have their turn
    int64_t n_taken = 0;
    for (int64_t v = begin / OHMI_BLOCK % COLLECT; v < n; v += COLLECT) {
        memmove(at->x + n_taken++ * stride, at->x + v * stride, (size_t)stride);
    }

    // each bit-line is a slot by itself, and each bit an input by itself
    ohmi_row_tile single = packed->tile;
    single.n_panels *= lines;
    single.lines = 1;
    single.worth = &one;
    single.adc = &ideal;
    single.code = NULL;
    single.code8 = NULL;
    single.planes = 1;
    single.is_signed = false;
    single.is_value = single.real != NULL;
    for (int bit = 0; bit < packed->tile.planes; bit++) {
        for (int64_t i = 0; bit > 0 && i < n_taken * stride; i++) {
            at->x[i] = (uint8_t)(at->x[i] >> 1);
        }
        j->task->products->run(at->t, at->x, at->vector, n_taken, &single, at->products);
        for (int64_t panel = 0; panel < n_taken * single.n_panels; panel++) {
            const int32_t *t = at->t + panel * OHMI_PANEL;
            const int64_t first = panel % single.n_panels / lines * OHMI_PANEL;
            for (int64_t i = 0; i < OHMI_PANEL && first + i < single.n_slots; i++) {
                const double sum = single.is_value ? (double)((const float *)t)[i] : (double)t[i];
                count[sum < 0 ? 0 : sum > (double)most ? most : (int64_t)sum]++;
            }
        }
    }
}

// what a code is worth in level steps
static float unit_of(const ohmi_adc *adc) {
    return adc->step / (float)adc->multiple;
}

// writes the outputs of a block as the network wants them
static void write_out(const run_job *j, const workspace *at, int64_t begin, int64_t end,
                      bool has_inputs) {
    const ohmi_conv *o = j->shape;
    const int64_t n_k = j->packed->n_k;
    const float step = j->packed->is_value ? 1.0f : unit_of(j->chip->adc[j->layer]);
    const float offset = (float)j->placed->offset;
    for (int64_t v = begin; v < end; v++) {
        const int64_t pixel = v / j->n, image = v % j->n;
        float *y = j->y + (pixel * o->n_pad + image) * o->k_pad;
        const float *added = j->added ? j->added + (y - j->y) : NULL;
        const int32_t *from = at->y + (v - begin) * n_k;
        const int32_t *inputs = at->inputs + (v - begin) * n_k;
        for (int64_t k = 0; k < n_k; k++) {
            const float sum = j->packed->is_value ? ((const float *)from)[k] : (float)from[k];
            y[k] = step * sum;
            if (has_inputs) {
                y[k] -= offset * (float)inputs[k];
            }
            if (added) {
                y[k] += added[k];
            }
        }
        memset(y + n_k, 0, (size_t)(o->k_pad - n_k) * sizeof *y);
        if (image == j->n - 1) {
            memset(y + o->k_pad, 0, (size_t)((o->n_pad - j->n) * o->k_pad) * sizeof *y);
        }
    }
}

// one tile of a block of n vectors: gathers its inputs, multiplies, and adds to the outputs y (n,
// n_k); inputs (n, n_k), or NULL where offsets are not counted digitally
static void run_tile(const run_job *j, const workspace *at, const ohmi_packed_tile *packed,
                     int32_t *y, int32_t *inputs, int64_t begin, int64_t n) {
    const ohmi_packed_layer *layer = j->packed;
    const ohmi_row_tile *tile = &packed->tile;
    const int64_t stride = ohmi_product_stride(tile->n_rows);
    const int64_t width = tile->n_panels * OHMI_PANEL;
    memset(at->x, 0, (size_t)(n * stride));
    gather(at->x, j, packed, begin, begin + n);
    j->task->products->run(at->t, at->x, at->vector, n, tile, at->products);
    for (int64_t v = 0; v < n; v++) {
        const int32_t sum_x =
            inputs ? sum_of_inputs(at->x + v * stride, tile->n_rows, layer->is_signed) : 0;
        int32_t *of = inputs ? inputs + v * layer->n_k : NULL;
        if (packed->factor) {
            apply_factors(j, packed, at->t + v * width, of, sum_x);
        }
        add_tile(j, packed, y + v * layer->n_k, of, at->t + v * width, at->zeros, sum_x);
    }
}

// which of the blocks of a forward pass is tried: one of `stride` each; -1 = it is not
static int64_t place_of_trial(int64_t block, int64_t n_blocks) {
    const int64_t stride = n_blocks > OHMI_TRIED ? n_blocks / OHMI_TRIED : 1,
                  group = block / stride;
    const uint32_t mixed = (uint32_t)group * 2654435761u >> 16;
    return block % stride == (int64_t)mixed % stride ? group : -1;
}

// the outputs of a block with all converters that are tried on the layer, against at->y
static void try_converters(const run_job *j, const workspace *at, int64_t begin, int64_t n,
                           int64_t place) {
    const ohmi_trials *all = j->task->trials;
    const int64_t n_y = n * j->packed->n_k;
    const float unit = j->packed->is_value ? 1.0f : unit_of(j->chip->adc[j->layer]);
    for (int i = all->first[j->layer]; i < all->first[j->layer + 1]; i++) {
        const ohmi_trial *trial = &all->trials[i];
        ohmi_packed_layer layer = *j->packed;
        run_job other = *j;
        other.packed = &layer;
        layer.is_value = trial->adc[0].kind == OHMI_ADC_GIVEN;
        memset(at->trial, 0, (size_t)n_y * sizeof *at->trial);
        for (int64_t row = 0; row < layer.n_tiles; row++) {
            ohmi_packed_tile packed = j->packed->tiles[row];
            if (packed.n_on == 0) {
                continue;
            }
            packed.tile.adc = trial->adc;
            packed.tile.worth = trial->worth;
            packed.tile.code = packed.tile.real ? NULL : trial->code;
            packed.tile.code8 = packed.tile.real ? NULL : trial->code8;
            packed.tile.is_value = layer.is_value;
            run_tile(&other, at, &packed, at->trial, NULL, begin, n);
        }
        const float step = layer.is_value ? 1.0f : unit_of(trial->adc);
        double square = 0;
        for (int64_t k = 0; k < n_y; k++) {
            const float was = j->packed->is_value ? ((float *)at->y)[k] : unit * (float)at->y[k];
            const float is = layer.is_value ? ((float *)at->trial)[k] : step * (float)at->trial[k];
            square += (double)(is - was) * (double)(is - was);
        }
        all->square[place * all->most + i - all->first[j->layer]] = square;
    }
}

static void block_work(void *context, int64_t begin, int64_t end, int thread) {
    const run_job *j = context;
    const ohmi_packed_layer *layer = j->packed;
    const int64_t n_pixels = (int64_t)j->shape->p * j->shape->q, n = end - begin;
    const bool has_inputs = j->placed->offset > 0 && j->placed->reserved == 0;
    workspace at;
    lay_out(&at, j->task->work + (size_t)thread * j->task->work_bytes, j->chip, j->task);
    memset(at.y, 0, (size_t)(n * layer->n_k) * sizeof *at.y);
    memset(at.inputs, 0, (size_t)(n * layer->n_k) * sizeof *at.inputs);
    for (int64_t v = begin; v < end; v++) {
        at.vector[v - begin] = (uint64_t)((j->image + v % j->n) * n_pixels + v / j->n);
    }
    for (int64_t row = 0; row < layer->n_tiles; row++) {
        const ohmi_packed_tile *packed = &layer->tiles[row];
        if (packed->n_on == 0) {
            continue;
        }
        run_tile(j, &at, packed, at.y, has_inputs ? at.inputs : NULL, begin, n);
        if (j->task->histogram) {
            collect(j, &at, packed, begin, n, thread);
        }
    }
    if (j->task->trials) {
        const int64_t n_blocks = (n_pixels * j->n + OHMI_BLOCK - 1) / OHMI_BLOCK;
        const int64_t place = place_of_trial(begin / OHMI_BLOCK, n_blocks);
        if (place >= 0) {
            try_converters(j, &at, begin, n, place);
        }
    }
    write_out(j, &at, begin, end, has_inputs);
}

// inputs as bytes: codes, or two's complement of those with a sign
static void map_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const run_job *j = context;
    const ohmi_conv *o = j->shape;
    for (int64_t pixel = begin; pixel < end; pixel++) {
        for (int64_t image = 0; image < j->n; image++) {
            const float *x = j->x + (pixel * o->n_pad + image) * o->c_pad;
            uint8_t *to = j->task->map + (pixel * j->n + image) * o->c;
            for (int64_t c = 0; c < o->c; c++) {
                to[c] = (uint8_t)(int32_t)x[c];
            }
        }
    }
}

// the network's hook: y = what the chip gives for x
static void product(void *context, float *y, const float *x, const ohmi_conv *shape, int layer,
                    int n) {
    ohmi_chip *chip = context;
    ohmi_chip_task *task = chip->active;
    ohmi_network *network = chip->learner->network;
    const bool is_head = layer < 0;
    const int placed = is_head ? network->n_layers : layer;
    if (placed >= chip->placed->n_layers) {
        // a classifier beside the arrays
        network->kernels->forward(y, x, network->head_w, shape, network->work);
        return;
    }
    run_job j = {.chip = chip,
                 .task = task,
                 .placed = &chip->placed->layers[placed],
                 .packed = &task->layers[placed],
                 .shape = shape,
                 .x = x,
                 .y = y,
                 .n = n,
                 .layer = placed};
    if (j.packed->is_signed) {
        task->image = chip->next_image;
        chip->next_image += n;
    }
    j.image = task->image;
    if (j.packed->correction) {
        network->kernels->forward(task->added, x, j.packed->correction, shape, network->work);
        j.added = task->added;
    }
    ohmi_parallel((int64_t)shape->h * shape->w, 1 + 4096 / ((int64_t)shape->c * n), map_work, &j);
    const int64_t n_vectors = (int64_t)shape->p * shape->q * n;
    if (task->trials) {
        ohmi_trials_begin(task->trials, chip, placed);
    }
    ohmi_parallel(n_vectors, OHMI_BLOCK, block_work, &j);
    if (task->trials) {
        ohmi_trials_end(task->trials, placed);
    }
    chip->conversions += n_vectors * j.packed->conversions;
}

void ohmi_chip_task_free(ohmi_chip_task **task) {
    if (task && *task) {
        for (int l = 0; (*task)->layers && l < (*task)->n_layers; l++) {
            ohmi_chip_unpack(&(*task)->layers[l]);
        }
        ohmi_free((*task)->layers);
        ohmi_free((*task)->work);
        ohmi_free((*task)->map);
        ohmi_free((*task)->added);
        ohmi_free(*task);
        *task = NULL;
    }
}

// packs all layers of a task; returns through *has_correction whether any has one
static ohm_status pack_layers(ohmi_chip_task *task, const ohmi_chip *chip, int t,
                              bool *has_correction, ohm_error *err) {
    ohm_status status = OHM_OK;
    uint8_t *bits = NULL;
    for (int l = 0; l < chip->placed->n_layers; l++) {
        const size_t n_units = (size_t)chip->placed->layers[l].layout.n_units;
        ohmi_free(bits);
        bits = ohmi_alloc((n_units + 7) / 8, 1);
        if (!bits) {
            status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the mask of a task");
            goto done;
        }
        ohmi_learner_column_bits(bits, chip->learner, chip->placed, l, t);
        OHM_TRY(ohmi_chip_pack(&task->layers[l], chip, bits, l, t, err));
        *has_correction = *has_correction || task->layers[l].correction;
    }
done:
    ohmi_free(bits);
    return status;
}

// memory for one forward pass
static ohm_status take_memory(ohmi_chip_task *task, const ohmi_chip *chip, bool has_correction,
                              ohm_error *err) {
    const ohmi_network *network = chip->learner->network;
    size_t map = (size_t)network->head_inputs,
           added = (size_t)network->n_pad * (size_t)network->logits_pad;
    for (int l = 0; l < network->n_layers; l++) {
        const ohmi_conv *o = &network->layers[l].shape;
        const size_t in = (size_t)o->h * (size_t)o->w * (size_t)o->c;
        const size_t out = (size_t)o->p * (size_t)o->q * (size_t)o->n_pad * (size_t)o->k_pad;
        map = in > map ? in : map;
        added = out > added ? out : added;
    }
    task->n_threads = ohmi_threads();
    task->work_bytes = lay_out(NULL, NULL, chip, task);
    task->work = ohmi_alloc((size_t)task->n_threads, task->work_bytes);
    task->map = ohmi_alloc(map * (size_t)network->batch, 1);
    task->added = has_correction ? ohmi_alloc(added, sizeof *task->added) : NULL;
    if (!task->work || !task->map || (has_correction && !task->added)) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to run a task on the chip");
    }
    return OHM_OK;
}

ohm_status ohmi_chip_activate(ohmi_chip *chip, ohmi_learner *learner, int t, ohm_error *err) {
    ohm_status status = OHM_OK;
    bool has_correction = false;
    ohmi_chip_deactivate(chip, learner);
    ohmi_learner_activate(learner, t, true);
    ohmi_chip_task *task = ohmi_alloc(1, sizeof *task);
    if (task) {
        task->n_layers = chip->placed->n_layers;
        task->layers = ohmi_alloc((size_t)task->n_layers, sizeof *task->layers);
    }
    if (!task || !task->layers) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to run a task on the chip");
        goto done;
    }
    task->t = t;
    task->products = ohmi_products_find(chip->backend);
    if (!task->products) {
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED, "products '%s' are not available here",
                           chip->backend);
        goto done;
    }
    OHM_TRY(pack_layers(task, chip, t, &has_correction, err));
    OHM_TRY(take_memory(task, chip, has_correction, err));
    learner->network->product = product;
    learner->network->product_context = chip;
    chip->active = task;
    task = NULL;
done:
    ohmi_chip_task_free(&task);
    return status;
}

void ohmi_chip_deactivate(ohmi_chip *chip, ohmi_learner *learner) {
    if (chip->active) {
        learner->network->product = NULL;
        learner->network->product_context = NULL;
        ohmi_chip_task_free(&chip->active);
    }
}
