// SPDX-License-Identifier: Apache-2.0
// Running a task's network on a chip: the products of its forward pass. Vectors (an output pixel of
// an image, images side by side) are computed in blocks; for each row tile the inputs of a block
// are gathered, multiplied bit by bit (product.h), and added where the column is on:
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
    uint8_t *x;       // (n_rows, block)
    uint64_t *vector; // (block)
    int32_t *t;       // (n_slots, block)
    int32_t *y;       // (n_k, block)
    int32_t *inputs;  // (n_k, block) sums of inputs of the columns that are on
    int32_t *sum_x;   // (block) sums of a tile's inputs
    int32_t *trial;   // (n_k, block) outputs of converters that are tried
    void *products;
} workspace;

static size_t round_up(size_t n) {
    return (n + 63) / 64 * 64;
}

// bytes of a workspace; at: filled when base is given
static size_t lay_out(workspace *at, uint8_t *base, const ohmi_chip *chip,
                      const ohmi_chip_task *task) {
    size_t rows = 0, slots = 0, n_k = 0, products = 0;
    for (int l = 0; l < chip->placed->n_layers; l++) {
        const ohmi_packed_layer *packed = &task->layers[l];
        n_k = (size_t)packed->n_k > n_k ? (size_t)packed->n_k : n_k;
        for (int64_t row = 0; row < packed->n_tiles; row++) {
            // collecting sums takes each bit-line for a slot of its own
            const ohmi_row_tile *t = &packed->tiles[row].tile;
            const size_t wide = (size_t)(t->n_panels * t->lines) * OHMI_PANEL;
            const size_t work = task->products->workspace(t, OHMI_BLOCK);
            rows = (size_t)t->n_rows > rows ? (size_t)t->n_rows : rows;
            slots = wide > slots ? wide : slots;
            products = work > products ? work : products;
        }
    }
    const size_t sizes[] = {OHMI_BLOCK * rows,      OHMI_BLOCK * sizeof(uint64_t),
                            OHMI_BLOCK * slots * 4, OHMI_BLOCK * n_k * 4,
                            OHMI_BLOCK * n_k * 4,   OHMI_BLOCK * 4,
                            OHMI_BLOCK * n_k * 4,   round_up(products)};
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

// the inputs of a block of vectors for one tile: to (n_rows, block)
static void gather(uint8_t *to, const run_job *j, const ohmi_packed_tile *packed, int64_t begin,
                   int64_t end) {
    const ohmi_conv *o = j->shape;
    for (int64_t v = begin, next; v < end; v = next) {
        // images of one pixel lie together
        const int64_t pixel = v / j->n, image = v % j->n;
        next = (pixel + 1) * j->n < end ? (pixel + 1) * j->n : end;
        const int64_t top = pixel / o->q * o->stride - o->pad;
        const int64_t left = pixel % o->q * o->stride - o->pad;
        uint8_t *row = to + (v - begin);
        for (int s = 0; s < packed->n_segments; s++) {
            const ohmi_segment *at = &packed->segments[s];
            const int64_t y = top + at->dy, x = left + at->dx;
            const bool is_outside = y < 0 || y >= o->h || x < 0 || x >= o->w;
            const uint8_t *from = j->task->map + ((y * o->w + x) * o->c + at->c) * j->n + image;
            for (int c = 0; c < at->n; c++, row += OHMI_BLOCK) {
                if (is_outside) {
                    memset(row, 0, (size_t)(next - v));
                } else {
                    memcpy(row, from + c * j->n, (size_t)(next - v));
                }
            }
        }
    }
}

// the sum of each vector's inputs
static void sum_inputs(int32_t *sum, const uint8_t *x, int64_t n_rows, int64_t n, bool is_signed) {
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (int64_t row = 0; row < n_rows; row++, x += OHMI_BLOCK) {
        for (int64_t v = 0; v < n; v++) {
            sum[v] += is_signed ? (int32_t)(int8_t)x[v] : (int32_t)x[v];
        }
    }
}

// y += (t - minus) factor, n of them; minus may be NULL
static void add_codes(int32_t *y, const int32_t *t, const int32_t *minus, int32_t factor,
                      int64_t n) {
    for (int64_t v = 0; v < n; v++) {
        y[v] += (t[v] - (minus ? minus[v] : 0)) * factor;
    }
}

static void add_values(float *y, const float *t, const float *minus, float factor, int64_t n) {
    for (int64_t v = 0; v < n; v++) {
        y[v] += (t[v] - (minus ? minus[v] : 0)) * factor;
    }
}

// adds a tile's T to the outputs of n vectors where columns are on, times the factors of the mask
static void add_tile(const run_job *j, const workspace *at, const ohmi_packed_tile *packed,
                     int32_t *y, int32_t *inputs, int64_t n) {
    const ohmi_packed_layer *layer = j->packed;
    const int64_t n_words = (j->placed->per_array + 63) / 64;
    int64_t slot = 0;
    for (int64_t b = 0; b < packed->n_blocks; b++) {
        const ohmi_tile_block *block = &packed->blocks[b];
        const int32_t *minus =
            block->offset_slot >= 0 ? at->t + block->offset_slot * OHMI_BLOCK : NULL;
        for (int64_t i = 0; i < block->n_k; i++) {
            if (!(packed->on[b * n_words + i / 64] >> (i % 64) & 1)) {
                continue;
            }
            const int64_t to = (block->first_k - layer->first_k + i) * OHMI_BLOCK;
            const int32_t *t = at->t + slot * OHMI_BLOCK;
            const int32_t factor = packed->factor ? packed->factor[slot] : 1;
            if (layer->is_value) {
                add_values((float *)y + to, (const float *)t, (const float *)minus, (float)factor,
                           n);
            } else {
                add_codes(y + to, t, minus, factor, n);
            }
            if (inputs) {
                add_codes(inputs + to, at->sum_x, NULL, factor, n);
            }
            slot++;
        }
    }
}

// counts the sums of all bit-lines of a tile, bit by bit, for one vector of COLLECT; at->x (n_rows,
// block) has the inputs of the block and is used up
static void collect(const run_job *j, const workspace *at, const ohmi_packed_tile *packed,
                    int64_t begin, int64_t n, int thread) {
    const ohmi_histogram *h = j->task->histogram;
    int64_t *count = h->count + thread * h->n_bins + h->first[j->layer];
    const int64_t most = h->first[j->layer + 1] - h->first[j->layer] - 1;
    const ohmi_adc ideal = ohmi_adc_ideal();
    const int32_t one = 1;
    const int lines = packed->tile.lines;

    // another one in each sample, so that all places of an image have their turn
    int64_t n_taken = 0;
    for (int64_t first = 0; first < n; first += OHMI_SAMPLE) {
        const int64_t end = first + OHMI_SAMPLE < n ? first + OHMI_SAMPLE : n;
        for (int64_t v = first + (begin + first) / OHMI_SAMPLE % COLLECT; v < end; v += COLLECT) {
            for (int64_t row = 0; row < packed->tile.n_rows; row++) {
                at->x[row * OHMI_BLOCK + n_taken] = at->x[row * OHMI_BLOCK + v];
            }
            n_taken++;
        }
    }

    // each bit-line is a slot by itself, and each bit an input by itself
    ohmi_row_tile single = packed->tile;
    single.n_panels *= lines;
    single.lines = 1;
    single.worth = &one;
    single.adc = &ideal;
    single.code8 = NULL;
    single.planes = 1;
    single.is_signed = false;
    single.is_value = single.real != NULL;
    single.n_slots = single.n_panels * OHMI_PANEL;
    for (int bit = 0; bit < packed->tile.planes; bit++) {
        for (int64_t i = 0; bit > 0 && i < packed->tile.n_rows * OHMI_BLOCK; i++) {
            at->x[i] = (uint8_t)(at->x[i] >> 1);
        }
        j->task->products->run(at->t, at->x, OHMI_BLOCK, at->vector, n_taken, &single,
                               at->products);
        for (int64_t slot = 0; slot < single.n_slots; slot++) {
            const int64_t of = slot / OHMI_PANEL / lines * OHMI_PANEL + slot % OHMI_PANEL;
            const int32_t *t = at->t + slot * OHMI_BLOCK;
            for (int64_t v = 0; of < packed->tile.n_slots && v < n_taken; v++) {
                const double sum = single.is_value ? (double)((const float *)t)[v] : (double)t[v];
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
        for (int64_t k = 0; k < n_k; k++) {
            const int64_t from = k * OHMI_BLOCK + v - begin;
            const float sum =
                j->packed->is_value ? ((const float *)at->y)[from] : (float)at->y[from];
            y[k] = step * sum;
            if (has_inputs) {
                y[k] -= offset * (float)at->inputs[from];
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

// one tile of a block of n vectors: multiplies its inputs, and adds to the outputs y (n_k, block);
// inputs (n_k, block), or NULL where offsets are not counted digitally; vector (n): their numbers
static void run_tile(const run_job *j, const workspace *at, const ohmi_packed_tile *packed,
                     int32_t *y, int32_t *inputs, const uint64_t *vector, int64_t begin,
                     int64_t n) {
    const ohmi_row_tile *tile = &packed->tile;
    gather(at->x, j, packed, begin, begin + n);
    j->task->products->run(at->t, at->x, OHMI_BLOCK, vector, n, tile, at->products);
    if (inputs) {
        sum_inputs(at->sum_x, at->x, tile->n_rows, n, j->packed->is_signed);
    }
    add_tile(j, at, packed, y, inputs, n);
}

// which of the samples of a forward pass is tried: one of `stride` each; -1 = it is not
static int64_t place_of_trial(int64_t sample, int64_t n_samples) {
    const int64_t stride = n_samples > OHMI_TRIED ? n_samples / OHMI_TRIED : 1,
                  group = sample / stride;
    const uint32_t mixed = (uint32_t)group * 2654435761u >> 16;
    return sample % stride == (int64_t)mixed % stride ? group : -1;
}

// the outputs of n vectors of a block, the first its number `first`, with all converters that are
// tried on the layer, against at->y
static void try_converters(const run_job *j, const workspace *at, int64_t begin, int64_t first,
                           int64_t n, int64_t place) {
    const ohmi_trials *all = j->task->trials;
    const int64_t n_k = j->packed->n_k;
    const float unit = j->packed->is_value ? 1.0f : unit_of(j->chip->adc[j->layer]);
    for (int i = all->first[j->layer]; i < all->first[j->layer + 1]; i++) {
        const ohmi_trial *trial = &all->trials[i];
        ohmi_packed_layer layer = *j->packed;
        run_job other = *j;
        other.packed = &layer;
        layer.is_value = trial->adc[0].kind == OHMI_ADC_GIVEN;
        memset(at->trial, 0, (size_t)(n_k * OHMI_BLOCK) * sizeof *at->trial);
        for (int64_t row = 0; row < layer.n_tiles; row++) {
            ohmi_packed_tile packed = j->packed->tiles[row];
            if (packed.n_on == 0) {
                continue;
            }
            packed.tile.adc = trial->adc;
            packed.tile.worth = trial->worth;
            packed.tile.code8 = packed.tile.real ? NULL : trial->code8;
            packed.tile.is_value = layer.is_value;
            run_tile(&other, at, &packed, at->trial, NULL, at->vector + first, begin + first, n);
        }
        const float step = layer.is_value ? 1.0f : unit_of(trial->adc);
        double square = 0;
        for (int64_t at_y = 0; at_y < n * n_k; at_y++) {
            const int64_t k = at_y % n_k * OHMI_BLOCK + at_y / n_k, of = k + first;
            const float was = j->packed->is_value ? ((float *)at->y)[of] : unit * (float)at->y[of];
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
    memset(at.y, 0, (size_t)(OHMI_BLOCK * layer->n_k) * sizeof *at.y);
    if (has_inputs) {
        memset(at.inputs, 0, (size_t)(OHMI_BLOCK * layer->n_k) * sizeof *at.inputs);
    }
    for (int64_t v = begin; v < end; v++) {
        at.vector[v - begin] = (uint64_t)((j->image + v % j->n) * n_pixels + v / j->n);
    }
    for (int64_t row = 0; row < layer->n_tiles; row++) {
        const ohmi_packed_tile *packed = &layer->tiles[row];
        if (packed->n_on == 0) {
            continue;
        }
        run_tile(j, &at, packed, at.y, has_inputs ? at.inputs : NULL, at.vector, begin, n);
        if (j->task->histogram) {
            collect(j, &at, packed, begin, n, thread);
        }
    }
    for (int64_t first = 0; j->task->trials && first < n; first += OHMI_SAMPLE) {
        const int64_t n_samples = (n_pixels * j->n + OHMI_SAMPLE - 1) / OHMI_SAMPLE;
        const int64_t place = place_of_trial((begin + first) / OHMI_SAMPLE, n_samples);
        if (place >= 0) {
            const int64_t rest = n - first;
            try_converters(j, &at, begin, first, rest < OHMI_SAMPLE ? rest : OHMI_SAMPLE, place);
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
            uint8_t *to = j->task->map + pixel * o->c * j->n + image;
            for (int64_t c = 0; c < o->c; c++) {
                to[c * j->n] = (uint8_t)(int32_t)x[c];
            }
        }
    }
}

// vectors of a block: as many as there is room for, fewer where threads would have nothing to do
static int64_t block_of(int64_t n_vectors) {
    const int64_t share = n_vectors / (2 * ohmi_threads()) / OHMI_SAMPLE * OHMI_SAMPLE;
    return share < OHMI_SAMPLE ? OHMI_SAMPLE : share < OHMI_BLOCK ? share : OHMI_BLOCK;
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
    ohmi_parallel(n_vectors, block_of(n_vectors), block_work, &j);
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
