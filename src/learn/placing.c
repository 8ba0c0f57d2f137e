// SPDX-License-Identifier: Apache-2.0
// A learned run on arrays; see placing.h.
#include "learn/placing.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

// the owner of a run of n weights from the first
static uint8_t owner_of_run(const ohmi_units *units, int64_t first, int64_t n) {
    uint8_t owner = OHMI_OWNER_FREE;
    for (int64_t i = first; i < first + n; i++) {
        const uint8_t own = units->own[ohmi_layout_unit_at(&units->layout, i)];
        if (own != OHMI_OWNER_FREE && owner != OHMI_OWNER_FREE && own != owner) {
            return OHMI_OWNER_SHARED;
        }
        owner = own != OHMI_OWNER_FREE ? own : owner;
    }
    return owner;
}

// whether some task has a copy of one of n weights from the first
static bool is_copied_run(const ohmi_learner *learner, int l, int64_t first, int64_t n) {
    const ohmi_units *units = &learner->units[l];
    for (int t = 0; t < (int)learner->position.task; t++) {
        for (int64_t i = first; i < first + n; i++) {
            const int64_t u = ohmi_layout_unit_at(&units->layout, i);
            if (ohmi_is_copied(units, &learner->learned[t], l, u)) {
                return true;
            }
        }
    }
    return false;
}

// the columns of a layer and their owners; own is for ohmi_free
static ohm_status describe(ohmi_place_layer *out, uint8_t **own, const ohmi_learner *learner, int l,
                           int64_t rows, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_layer *layer = &learner->network->layers[l];
    const ohmi_units *units = &learner->units[l];
    const ohmi_conv *shape = &layer->shape;
    *out = (ohmi_place_layer){.name = layer->name,
                              .k = shape->k,
                              .c = shape->c,
                              .r = shape->r,
                              .s = shape->s,
                              .layout = units->layout,
                              .own = units->own,
                              .weight_top = (int)learner->weight_grid.top};
    const bool is_cut = learner->config->method.unit != OHMI_UNIT_COLUMN;
    if (is_cut) {
        // the mask's factor of a single weight is in its code
        out->weight_top *= (int)learner->levels.factor[learner->levels.n - 1];
        const int64_t taps = (int64_t)shape->r * shape->s;
        OHM_TRY(ohmi_layout_cut(&out->layout, shape->k, shape->c, shape->r, shape->s,
                                rows > taps ? rows : taps, OHMI_UNIT_COLUMN, err));
    }
    if (!is_cut && !learner->traits->has_copies) {
        goto done;
    }
    *own = ohmi_alloc((size_t)out->layout.n_units, 1);
    if (!*own) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the owners of columns");
        goto done;
    }

    // a free column that some task has a copy of is not free
    for (int64_t u = 0; u < out->layout.n_units; u++) {
        const int64_t first = ohmi_layout_offset(&out->layout, u);
        const int64_t n = ohmi_layout_length(&out->layout, u);
        (*own)[u] = owner_of_run(units, first, n);
        if ((*own)[u] == OHMI_OWNER_FREE && is_copied_run(learner, l, first, n)) {
            (*own)[u] = OHMI_OWNER_SHARED;
        }
    }
    out->own = *own;
done:
    return status;
}

int64_t ohmi_learner_head_first(const ohmi_learner *learner, int t) {
    int64_t first = 0;
    for (int i = 0; i < t; i++) {
        first += learner->learned[i].parameters ? learner->learned[i].parameters->n_classes : 0;
    }
    return first;
}

// the classifiers of all learned tasks as one layer
static ohm_status describe_heads(ohmi_place_layer *out, uint8_t **own, const ohmi_learner *learner,
                                 int64_t rows, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int n_learned = (int)learner->position.task;
    *out = (ohmi_place_layer){.name = "head",
                              .k = ohmi_learner_head_first(learner, n_learned),
                              .c = learner->network->head_inputs,
                              .r = 1,
                              .s = 1,
                              .weight_top = (int)learner->head_top,
                              .is_head = true};
    OHM_TRY(ohmi_layout_cut(&out->layout, out->k, out->c, 1, 1, rows, OHMI_UNIT_COLUMN, err));
    *own = ohmi_alloc((size_t)out->layout.n_units, 1);
    if (!*own) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the owners of columns");
        goto done;
    }
    uint8_t *at = *own;
    for (int t = 0; t < n_learned; t++) {
        const int64_t n = learner->learned[t].parameters->n_classes * out->layout.n_groups;
        memset(at, t + 1, (size_t)n);
        at += n;
    }
    out->own = *own;
done:
    return status;
}

ohm_status ohmi_learner_place_levels(ohmi_placed **out, const ohmi_learner *learner,
                                     const ohmi_config *values, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int n_layers = learner->network->n_layers;
    const bool has_heads = values->array.heads == OHMI_HEADS_CROSSBAR;
    const ohmi_place_def def = {.rows = values->array.rows,
                                .columns = values->array.columns,
                                .cell_bits = (int)values->array.cell_bits,
                                .coding = values->array.weight_scheme};
    ohmi_place_layer *layers = ohmi_alloc((size_t)n_layers + 1, sizeof *layers);
    uint8_t **own = ohmi_alloc((size_t)n_layers + 1, sizeof *own);
    *out = NULL;
    if (!layers || !own) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to place %d layers", n_layers);
        goto done;
    }
    if (!learner->is_quantised) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "a run in float has no integers for cells");
        ohmi_hint(err, "learn with quantise.weight_bits=4 quantise.activation_bits=4");
        goto done;
    }
    if (learner->position.task < 1) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "the run has learned no task yet");
        goto done;
    }
    for (int l = 0; l < n_layers; l++) {
        OHM_TRY(describe(&layers[l], &own[l], learner, l, def.rows, err));
    }
    if (has_heads) {
        OHM_TRY(describe_heads(&layers[n_layers], &own[n_layers], learner, def.rows, err));
    }
    OHM_TRY(ohmi_place_new(out, layers, n_layers + has_heads, &def, err));
done:
    for (int l = 0; own && l <= n_layers; l++) {
        ohmi_free(own[l]);
    }
    ohmi_free(own);
    ohmi_free(layers);
    return status;
}

ohm_status ohmi_learner_place(ohmi_placed **out, const ohmi_learner *learner,
                              const ohmi_config *values, ohm_error *err) {
    if (learner->levels.n > 2) {
        *out = NULL;
        return ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                         "tasks of method '%s' have masks of more levels than on and off, which "
                         "select lines cannot say",
                         learner->config->method.preset);
    }
    return ohmi_learner_place_levels(out, learner, values, err);
}

// codes of one classifier, as the network rounds them (network/run.c)
static void head_codes(float *w, const ohmi_learner *learner, int t) {
    const ohmi_network *network = learner->network;
    const ohmi_task_parameters *task = learner->learned[t].parameters;
    const float *real = task->trainable + network->head_offset;
    const int64_t n = (int64_t)task->n_classes * network->head_inputs;
    float largest = 1e-20f;
    for (int64_t i = 0; i < n; i++) {
        largest = fabsf(real[i]) > largest ? fabsf(real[i]) : largest;
    }
    const float step = largest / learner->head_top;
    for (int64_t i = 0; i < n; i++) {
        w[i] = rintf(real[i] / step);
    }
}

void ohmi_learner_codes(float *w, const ohmi_learner *learner, const ohmi_placed *place,
                        int layer) {
    if (place->layers[layer].is_head) {
        for (int t = 0; t < (int)learner->position.task; t++) {
            head_codes(w + ohmi_learner_head_first(learner, t) * learner->network->head_inputs,
                       learner, t);
        }
        return;
    }
    const ohmi_layer *weights = &learner->network->layers[layer];
    ohmi_grid_round_weights(w, weights->w, weights->n_weights, learner->units[layer].lsb,
                            &learner->weight_grid);
}

bool ohmi_learner_is_rewritten(const ohmi_learner *learner) {
    const ohmi_unit unit = learner->config->method.unit;
    return unit == OHMI_UNIT_ELEMENT || (unit != OHMI_UNIT_COLUMN && learner->levels.n > 2) ||
           learner->traits->has_copies;
}

void ohmi_learner_task_codes(float *w, const ohmi_learner *learner, const ohmi_placed *place,
                             int layer, int t) {
    ohmi_learner_codes(w, learner, place, layer);
    if (place->layers[layer].is_head || !ohmi_learner_is_rewritten(learner)) {
        return;
    }
    if (learner->traits->has_copies) {
        ohmi_copies_round(w, learner, layer, t);
    }
    if (learner->config->method.unit == OHMI_UNIT_COLUMN) {
        return;
    }

    // a mask that no select line can say
    for (int64_t i = 0; i < learner->network->layers[layer].n_weights; i++) {
        const int64_t u = ohmi_layout_unit_at(&learner->units[layer].layout, i);
        w[i] *= ohmi_learner_factor(learner, layer, t, u);
    }
}

void ohmi_learner_column_bits(uint8_t *bits, const ohmi_learner *learner, const ohmi_placed *place,
                              int layer, int t) {
    const ohmi_placed_layer *placed = &place->layers[layer];
    const ohmi_layout *layout = &placed->layout;
    const size_t n_bytes = (size_t)((layout->n_units + 7) / 8);
    memset(bits, 0, n_bytes);
    if (!placed->is_head && learner->config->method.unit == OHMI_UNIT_COLUMN &&
        learner->levels.bits == 1 && !learner->traits->has_copies) {
        memcpy(bits, learner->learned[t].bits[layer], n_bytes);
        return;
    }
    for (int64_t u = 0; u < layout->n_units; u++) {
        bool is_on = placed->own[u] == t + 1;
        if (!placed->is_head) {
            // any of the column's weights
            const int64_t first = ohmi_layout_offset(layout, u);
            is_on = false;
            for (int64_t i = first; i < first + ohmi_layout_length(layout, u) && !is_on; i++) {
                const int64_t unit = ohmi_layout_unit_at(&learner->units[layer].layout, i);
                is_on = ohmi_learner_factor(learner, layer, t, unit) > 0;
            }
        }
        bits[u / 8] = (uint8_t)(bits[u / 8] | (is_on ? 1u << (u % 8) : 0u));
    }
}
