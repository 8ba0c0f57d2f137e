// SPDX-License-Identifier: Apache-2.0
// A network on a chip with ideal converters; see analogue.h.
//
// Wires couple the columns of an array, so the columns that a task switches off change what the
// others give: with wires, and where cells hold other codes for each task, arrays are made anew for
// each. Otherwise a chip's weights are made once and a task takes its columns of them.
#include "crossbar/analogue.h"

#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "base/fail.h"
#include "base/memory.h"
#include "learn/own_arrays.h"
#include "learn/placing.h"

struct ohmi_analogue {
    ohmi_learner *learner;
    const ohmi_config *values;
    ohmi_placed *place;
    ohmi_own_arrays arrays;
    ohmi_device own; // all effects of the values
    const ohmi_kernels *kernels;
    void *work;
    float **codes;    // per placed layer (K, C, R, S): as learned, or of the task
    float **w;        // per placed layer (K, C, R, S): as the chip has them
    double **shift;   // per placed layer (n_groups n_tiles, K): added whatever the inputs
    uint8_t **bits;   // per placed layer: columns that the task has on
    float **constant; // per placed layer (K): shift of the columns that are on
    ohmi_effective_def def;
    ohmi_effective_count count;
    bool is_by_task; // arrays are made for each task
    int task;
};

// kernels that keep the bits of weights which are no integers: the first that are not bfloat16
static const ohmi_kernels *float_kernels(const ohmi_kernels *wanted) {
    int n;
    const ohmi_kernels *const *all = ohmi_kernels_all(&n);
    if (strcmp(wanted->name, "amx") != 0) {
        return wanted;
    }
    for (int i = 0; i < n; i++) {
        if (strcmp(all[i]->name, "amx") != 0 && all[i]->is_supported()) {
            return all[i];
        }
    }
    return &ohmi_kernels_reference;
}

// adds what does not depend on the inputs to every sum of y
static void add_constant(float *y, const float *constant, const ohmi_conv *shape, int n) {
    for (int64_t pixel = 0; pixel < (int64_t)shape->p * shape->q; pixel++) {
        for (int64_t i = 0; i < n; i++) {
            float *row = y + (pixel * shape->n_pad + i) * shape->k_pad;
            for (int64_t k = 0; k < shape->k; k++) {
                row[k] += constant[k];
            }
        }
    }
}

static void product(void *context, float *y, const float *x, const ohmi_conv *shape, int layer,
                    int n) {
    ohmi_analogue *a = context;
    const ohmi_network *network = a->learner->network;
    const float *w = layer >= 0 ? network->layers[layer].w_eff : network->head_w;
    const float *constant = NULL;
    if (layer >= 0) {
        constant = a->constant[layer];
    } else if (a->place->n_layers > network->n_layers) {
        const int64_t first = ohmi_learner_head_first(a->learner, a->task);
        w = a->w[network->n_layers] + first * network->head_inputs;
        constant = a->constant[network->n_layers] + first;
    }
    a->kernels->forward(y, x, w, shape, a->work);
    if (constant) {
        add_constant(y, constant, shape, n);
    }
}

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the weights of a chip");
}

static bool take_layer(ohmi_analogue *a, int l) {
    const ohmi_placed_layer *layer = &a->place->layers[l];
    const size_t n = (size_t)(layer->k * layer->layout.run);
    const size_t n_parts = (size_t)(layer->layout.n_groups * layer->n_tiles);
    a->codes[l] = ohmi_alloc(n, sizeof(float));
    a->w[l] = ohmi_alloc(n, sizeof(float));
    a->shift[l] = ohmi_alloc(n_parts * (size_t)layer->k, sizeof(double));
    a->bits[l] = ohmi_alloc((size_t)(layer->layout.n_units + 7) / 8, 1);
    a->constant[l] = ohmi_alloc((size_t)layer->k, sizeof(float));
    return a->codes[l] && a->w[l] && a->shift[l] && a->bits[l] && a->constant[l];
}

ohm_status ohmi_analogue_new(ohmi_analogue **out, ohmi_learner *learner, const ohmi_config *values,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_analogue *a = ohmi_alloc(1, sizeof *a);
    *out = NULL;
    if (!a) {
        status = no_memory(err);
        goto done;
    }
    a->learner = learner;
    a->values = values;
    a->kernels = float_kernels(learner->network->kernels);
    OHM_TRY(ohmi_learner_place_levels(&a->place, learner, values, err));
    OHM_TRY(ohmi_own_arrays_init(&a->arrays, learner, a->place, values, err));
    const ohmi_place_def *arrays = &a->place->def;
    OHM_TRY(ohmi_device_init(&a->own, values, (int)arrays->rows, (int)arrays->columns,
                             1 << arrays->cell_bits, err));
    const size_t n_layers = (size_t)a->place->n_layers;
    a->codes = ohmi_alloc(n_layers, sizeof *a->codes);
    a->w = ohmi_alloc(n_layers, sizeof *a->w);
    a->shift = ohmi_alloc(n_layers, sizeof *a->shift);
    a->bits = ohmi_alloc(n_layers, sizeof *a->bits);
    a->constant = ohmi_alloc(n_layers, sizeof *a->constant);
    bool is_made = a->codes && a->w && a->shift && a->bits && a->constant;
    for (int l = 0; is_made && l < a->place->n_layers; l++) {
        is_made = take_layer(a, l);
    }

    // room for the kernel's work on any layer
    size_t room = 0;
    for (int l = 0; is_made && l <= learner->network->n_layers; l++) {
        ohmi_conv head = {.n = learner->network->batch,
                          .c = learner->network->head_inputs,
                          .k = learner->network->max_classes,
                          .h = 1,
                          .w = 1,
                          .r = 1,
                          .s = 1,
                          .stride = 1};
        ohmi_conv_complete(&head);
        const ohmi_conv *shape =
            l < learner->network->n_layers ? &learner->network->layers[l].shape : &head;
        const size_t size = a->kernels->workspace(shape);
        room = size > room ? size : room;
    }
    a->work = ohmi_alloc(room, 1);
    if (!is_made || !a->work) {
        status = no_memory(err);
        goto done;
    }
    a->def = (ohmi_effective_def){.place = a->place};
    a->task = -1;
    learner->network->product = product;
    learner->network->product_context = a;
    *out = a;
    a = NULL;
done:
    ohmi_analogue_free(&a);
    return status;
}

void ohmi_analogue_free(ohmi_analogue **analogue) {
    ohmi_analogue *a = *analogue;
    if (!a) {
        return;
    }
    if (a->learner->network->product_context == a) {
        a->learner->network->product = NULL;
        a->learner->network->product_context = NULL;
    }
    for (int l = 0; a->place && l < a->place->n_layers; l++) {
        ohmi_free(a->codes ? a->codes[l] : NULL);
        ohmi_free(a->w ? a->w[l] : NULL);
        ohmi_free(a->shift ? a->shift[l] : NULL);
        ohmi_free(a->bits ? a->bits[l] : NULL);
        ohmi_free(a->constant ? a->constant[l] : NULL);
    }
    ohmi_free(a->codes);
    ohmi_free(a->w);
    ohmi_free(a->shift);
    ohmi_free(a->bits);
    ohmi_free(a->constant);
    ohmi_free(a->work);
    ohmi_device_clear(&a->own);
    ohmi_own_arrays_clear(&a->arrays);
    ohmi_place_free(&a->place);
    ohmi_free(a);
    *analogue = NULL;
}

const ohmi_device *ohmi_analogue_device(const ohmi_analogue *analogue) {
    return &analogue->own;
}

const ohmi_placed *ohmi_analogue_place(const ohmi_analogue *analogue) {
    return analogue->place;
}

int64_t ohmi_analogue_arrays(const ohmi_analogue *analogue) {
    return analogue->arrays.n_arrays;
}

ohmi_effective_count ohmi_analogue_count(const ohmi_analogue *analogue) {
    return analogue->count;
}

// what the bits of a layer's inputs are worth together; images are signed, as two's complement,
// and -2^(b-1) + the sum of 2^i for i < b-1 is -1
static double input_sum(const ohmi_analogue *a, int layer) {
    const int64_t bits = a->learner->config->quantise.activation_bits;
    return layer == 0 ? -1.0 : (double)(((int64_t)1 << bits) - 1);
}

typedef struct {
    ohmi_analogue *analogue;
    int layer;
} gathering;

// the weights that the lines of an array make together
static void gather(void *context, const ohmi_effective_array *array) {
    const gathering *into = context;
    ohmi_analogue *a = into->analogue;
    const ohmi_placed_layer *layer = &a->place->layers[into->layer];
    const ohmi_place_array *at = &array->at;
    const int64_t columns = a->place->def.columns;
    const double n_inputs = input_sum(a, into->layer);
    int32_t worth[OHMI_MOST_LINES];
    ohmi_place_worth(worth, layer, a->place->def.cell_bits);
    for (int64_t o = 0; o < at->n_k; o++) {
        const int64_t k = at->first_k + o, u = k * layer->layout.n_groups + at->g;
        const int64_t line = layer->reserved + o * layer->lines;
        float *w = a->w[into->layer] + ohmi_layout_offset(&layer->layout, u) + at->first_weight;
        double shift = 0;
        if (layer->own[u] == OHMI_OWNER_FREE) {
            continue;
        }
        for (int64_t r = 0; r < at->n_rows; r++) {
            const float *real = array->real + r * columns;
            const float *delta = array->delta ? array->delta + r * columns : NULL;
            float sum = layer->reserved ? 0.0f : -(float)layer->offset;
            for (int d = 0; d < layer->lines; d++) {
                // of the offset column, the digits stand in front
                const float own = real[line + d] + (delta ? delta[line + d] : 0.0f);
                const float off = layer->reserved ? real[d] + (delta ? delta[d] : 0.0f) : 0.0f;
                sum += (float)worth[d] * (own - off);
            }
            w[r] = sum;
        }
        for (int d = 0; d < layer->lines; d++) {
            const float off = layer->reserved ? array->offset[d] : 0.0f;
            shift += worth[d] * (double)(array->offset[line + d] - off);
        }
        a->shift[into->layer][(at->g * layer->n_tiles + at->tile) * layer->k + k] =
            shift * n_inputs;
    }
}

// the arrays of one layer; bits: of its columns, for what depends on them
static ohm_status make_layer(ohmi_analogue *a, int l, const uint8_t *bits, ohm_error *err) {
    gathering into = {.analogue = a, .layer = l};
    a->def.bits = bits;
    return ohmi_effective_each(gather, &into, &a->count, a->codes[l], l, &a->def, err);
}

ohm_status ohmi_analogue_program(ohmi_analogue *a, const ohmi_device *device, uint64_t chip,
                                 uint32_t read, ohm_error *err) {
    ohm_status status = OHM_OK;
    a->def.device = device;
    a->def.chip = chip;
    a->def.read = read;
    a->def.repairs_stuck = a->values->repair.stuck;
    a->def.has_wires = ohmi_wires_of(&a->def.wires, a->values);
    a->is_by_task = a->def.has_wires || ohmi_learner_is_rewritten(a->learner);
    a->count = (ohmi_effective_count){0};
    a->task = -1;
    for (int l = 0; l < a->place->n_layers && !a->is_by_task; l++) {
        ohmi_learner_codes(a->codes[l], a->learner, a->place, l);
        OHM_TRY(make_layer(a, l, NULL, err));
    }
done:
    return status;
}

// the weights of a layer's columns that are on, where w is given, and the sum of their shifts. A
// classifier's outputs are its task's own: there is nothing to leave out
static void take_columns(ohmi_analogue *a, int l, float *w) {
    const ohmi_placed_layer *layer = &a->place->layers[l];
    const ohmi_layout *layout = &layer->layout;
    const ohmi_learner *learner = a->learner;
    const bool is_column = learner->config->method.unit == OHMI_UNIT_COLUMN;
    const bool has_levels = w && is_column && learner->levels.n > 2;
    for (int64_t k = 0; k < layer->k; k++) {
        double sum = 0;
        for (int64_t g = 0; g < layout->n_groups; g++) {
            const int64_t u = k * layout->n_groups + g, at = ohmi_layout_offset(layout, u);
            const size_t size = (size_t)ohmi_layout_length(layout, u) * sizeof *w;
            const bool is_on = ohmi_bit(a->bits[l], u);
            // behind the converters, a column's sum is multiplied with the level of its mask
            const float factor = has_levels ? ohmi_learner_factor(learner, l, a->task, u) : 1.0f;
            if (w && is_on) {
                memcpy(w + at, a->w[l] + at, size);
                for (int64_t i = 0; has_levels && i < ohmi_layout_length(layout, u); i++) {
                    w[at + i] *= factor;
                }
            } else if (w) {
                memset(w + at, 0, size);
            }
            for (int64_t tile = 0; is_on && tile < layer->n_tiles; tile++) {
                sum += (double)factor * a->shift[l][(g * layer->n_tiles + tile) * layer->k + k];
            }
        }
        a->constant[l][k] = (float)sum;
    }
}

ohm_status ohmi_analogue_switch(ohmi_analogue *a, int t, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_network *network = a->learner->network;
    ohmi_learner_activate(a->learner, t, true);
    a->task = t;
    a->def.numbers = ohmi_own_arrays_of(&a->arrays, t);
    a->count = a->is_by_task ? (ohmi_effective_count){0} : a->count;
    for (int l = 0; l < a->place->n_layers; l++) {
        const bool is_head = l >= network->n_layers;
        ohmi_learner_column_bits(a->bits[l], a->learner, a->place, l, t);
        if (a->is_by_task) {
            ohmi_learner_task_codes(a->codes[l], a->learner, a->place, l, t);
            OHM_TRY(make_layer(a, l, a->bits[l], err));
        }
        take_columns(a, l, is_head ? NULL : network->layers[l].w_eff);
    }
done:
    return status;
}
