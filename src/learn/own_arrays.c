// SPDX-License-Identifier: Apache-2.0
// Arrays of tasks' own copies of PEs; see own_arrays.h.
#include "learn/own_arrays.h"

#include <string.h>

#include "base/bits.h"
#include "base/fail.h"
#include "base/memory.h"

// an array of every layer is one PE of it, as the run was learned with
static ohm_status check_shapes(const ohmi_learner *learner, const ohmi_placed *place,
                               ohm_error *err) {
    for (int l = 0; l < place->n_layers; l++) {
        const ohmi_placed_layer *layer = &place->layers[l];
        if (layer->is_head) {
            continue;
        }
        const ohmi_layout *pes = &learner->units[l].pes;
        if (layer->per_array != pes->block || layer->n_tiles > 1 ||
            layer->layout.n_groups != pes->n_groups) {
            const ohm_status status = ohmi_fail(
                err, OHM_ERR_UNSUPPORTED,
                "copies have arrays of their own only where an array is a PE as learned, and '%s' "
                "has %lld outputs an array instead of %lld",
                layer->name, (long long)layer->per_array, (long long)pes->block);
            ohmi_hint(err, "leave array.rows, columns, cell_bits and weight_scheme as the run has "
                           "them, or set array.copies=rewrite");
            return status;
        }
    }
    return OHM_OK;
}

ohm_status ohmi_own_arrays_init(ohmi_own_arrays *out, const ohmi_learner *learner,
                                const ohmi_placed *place, const ohmi_config *values,
                                ohm_error *err) {
    ohm_status status = OHM_OK;
    const int n_tasks = (int)learner->position.task;
    *out = (ohmi_own_arrays){
        .n_arrays = place->n_arrays, .n_placed = place->n_arrays, .n_tasks = n_tasks};
    if (!learner->traits->has_copies || values->array.copies != OHMI_COPIES_ARRAYS) {
        return OHM_OK;
    }
    OHM_TRY(check_shapes(learner, place, err));
    out->of = ohmi_alloc((size_t)n_tasks * (size_t)place->n_arrays, sizeof *out->of);
    if (!out->of) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the arrays of copies");
        goto done;
    }
    for (int64_t i = 0; i < n_tasks * place->n_arrays; i++) {
        out->of[i] = i % place->n_arrays;
    }
    for (int l = 0; l < place->n_layers; l++) {
        const ohmi_placed_layer *layer = &place->layers[l];
        for (int t = 0; t < n_tasks && !layer->is_head; t++) {
            const uint8_t *chosen = learner->learned[t].chosen[l];
            for (int64_t p = 0; p < learner->units[l].pes.n_units; p++) {
                // PE (block, g) is array (g, 0, block)
                const int64_t groups = layer->layout.n_groups;
                const int64_t array =
                    layer->first_array + p % groups * layer->n_blocks + p / groups;
                if (ohmi_bit(chosen, p)) {
                    out->of[t * place->n_arrays + array] = out->n_arrays++;
                }
            }
        }
    }
done:
    return status;
}

void ohmi_own_arrays_clear(ohmi_own_arrays *own) {
    ohmi_free(own->of);
    *own = (ohmi_own_arrays){0};
}

int64_t ohmi_own_arrays_find(int *t, const ohmi_own_arrays *own, int64_t number) {
    *t = -1;
    for (int64_t i = 0; own->of && number >= own->n_placed && i < own->n_tasks * own->n_placed;
         i++) {
        if (own->of[i] == number) {
            *t = (int)(i / own->n_placed);
            return i % own->n_placed;
        }
    }
    return number;
}

// free columns of the network's arrays, which no task writes here
static void free_columns(ohmi_place_count *count, const ohmi_placed_layer *layer) {
    const ohmi_layout *layout = &layer->layout;
    for (int64_t u = 0; u < layout->n_units; u++) {
        if (layer->own[u] == OHMI_OWNER_SHARED) {
            count->columns_of[OHMI_OWNER_SHARED]--;
            count->columns_of[OHMI_OWNER_FREE]++;
            count->cells_owned -= ohmi_layout_length(layout, u) * layer->lines;
        }
    }
}

void ohmi_own_arrays_add(ohmi_place_count *count, const ohmi_own_arrays *own,
                         const ohmi_placed *place, int layer) {
    for (int l = 0; own->of && l < place->n_layers; l++) {
        if (layer < 0 || layer == l) {
            free_columns(count, &place->layers[l]);
        }
    }
    for (int64_t i = 0; own->of && i < own->n_tasks * own->n_placed; i++) {
        const int64_t array = i % own->n_placed;
        const ohmi_place_array at = ohmi_place_array_at(place, array);
        const ohmi_placed_layer *of = &place->layers[at.layer];
        if (own->of[i] == array || (layer >= 0 && at.layer != layer)) {
            continue;
        }
        count->arrays++;
        count->cells += place->def.rows * place->def.columns;
        count->columns += at.n_k;
        count->columns_of[i / own->n_placed + 1] += at.n_k;
        count->lines_used += at.n_lines;
        count->cells_offset += at.n_rows * of->reserved;
        count->cells_weight += at.n_rows * at.n_k * of->lines;
        count->cells_owned += at.n_rows * at.n_k * of->lines;
    }
}
