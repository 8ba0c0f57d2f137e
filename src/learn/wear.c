// SPDX-License-Identifier: Apache-2.0
// Writes that cells have had; see wear.h.
#include "learn/wear.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "file/safetensors.h"

enum { MOST_CELLS = 16 }; // of a weight, as layout/place.h

static const char ending[] = "/writes";

ohm_status ohmi_wear_new(ohmi_wear **out, int n_layers, ohm_error *err) {
    ohmi_wear *wear = ohmi_alloc(1, sizeof *wear);
    *out = wear;
    if (wear) {
        wear->layers = ohmi_alloc((size_t)n_layers + 1, sizeof *wear->layers);
        wear->n_layers = n_layers;
    }
    if (!wear || !wear->layers) {
        ohmi_wear_free(out);
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the writes of cells");
    }
    return OHM_OK;
}

void ohmi_wear_free(ohmi_wear **wear) {
    if (!wear || !*wear) {
        return;
    }
    for (int l = 0; (*wear)->layers && l < (*wear)->n_layers; l++) {
        ohmi_free((*wear)->layers[l].writes);
    }
    ohmi_free((*wear)->layers);
    ohmi_free(*wear);
    *wear = NULL;
}

// one tensor as a layer
static ohm_status read_layer(ohmi_wear_layer *out, const ohmi_tensors *file, const ohmi_view *view,
                             ohm_error *err) {
    const size_t length = strlen(view->name), tail = sizeof ending - 1;
    bool is_good = view->dtype == OHMI_F32 && view->n_dims == 2 && length > tail &&
                   length - tail < sizeof out->name &&
                   strcmp(view->name + length - tail, ending) == 0 && view->shape[0] > 0 &&
                   view->shape[1] > 0 && view->shape[1] <= MOST_CELLS;
    if (!is_good) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is no number of writes a cell", view->name);
    }
    (void)snprintf(out->name, sizeof out->name, "%.*s", (int)(length - tail), view->name);
    out->n = view->shape[0];
    out->lines = view->shape[1];
    out->writes = ohmi_alloc((size_t)(out->n * out->lines), sizeof *out->writes);
    if (!out->writes) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the writes of cells");
    }
    const ohm_status status =
        ohmi_tensors_read(file, view->name, OHMI_F32, out->n * out->lines, out->writes, err);
    for (int64_t i = 0; status >= 0 && i < out->n * out->lines; i++) {
        if (!isfinite(out->writes[i]) || out->writes[i] < 0) {
            return ohmi_fail(err, OHM_ERR_FORMAT, "'%s' has a number of writes that is none",
                             view->name);
        }
    }
    return status;
}

ohm_status ohmi_wear_read(ohmi_wear **out, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_tensors *file = NULL;
    ohmi_wear *wear = NULL;
    *out = NULL;
    OHM_TRY(ohmi_tensors_open(&file, path, err));
    OHM_TRY(ohmi_wear_new(&wear, ohmi_tensors_count(file), err));
    for (int l = 0; l < wear->n_layers; l++) {
        OHM_TRY(read_layer(&wear->layers[l], file, ohmi_tensors_at(file, l), err));
    }
    *out = wear;
    wear = NULL;
done:
    if (status < 0 && err && !err->path[0]) {
        ohmi_place(err, path, 0, 0);
        ohmi_hint(err, "ohmwise cost RUN --wear-after FILE writes one");
    }
    ohmi_wear_free(&wear);
    ohmi_tensors_close(&file);
    return status;
}

ohm_status ohmi_wear_save(const char *path, const ohmi_wear *wear, ohm_error *err) {
    static const char *const metadata[] = {"schema", "1", NULL};
    ohmi_view *views = ohmi_alloc((size_t)wear->n_layers, sizeof *views);
    if (!views) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the writes of cells");
    }
    for (int l = 0; l < wear->n_layers; l++) {
        const ohmi_wear_layer *layer = &wear->layers[l];
        char name[96];
        (void)snprintf(name, sizeof name, "%s%s", layer->name, ending);
        views[l] = ohmi_view_of(name, OHMI_F32, layer->writes, 2, layer->n, layer->lines, 0, 0);
    }
    const ohm_status status = ohmi_tensors_save(path, views, wear->n_layers, metadata, err);
    ohmi_free(views);
    return status;
}

const ohmi_wear_layer *ohmi_wear_find(const ohmi_wear *wear, const char *name) {
    for (int l = 0; l < wear->n_layers; l++) {
        if (strcmp(wear->layers[l].name, name) == 0) {
            return &wear->layers[l];
        }
    }
    return NULL;
}

// (1 + mean writes of a unit's cells)^-exponent
static void find_spare(ohmi_units *units, const ohmi_wear_layer *wear, double exponent) {
    const ohmi_layout *layout = &units->layout;
    for (int64_t u = 0; u < layout->n_units; u++) {
        const int64_t n_cells = ohmi_layout_length(layout, u) * wear->lines;
        const int64_t height = ohmi_layout_height(layout, u);
        double sum = 0;
        for (int64_t row = 0; row < height; row++) {
            const int64_t first = ohmi_layout_offset(layout, u) + row * layout->run;
            for (int64_t i = 0; i < n_cells; i++) {
                sum += (double)wear->writes[first * wear->lines + i];
            }
        }
        units->spare[u] = (float)pow(1 + sum / (double)(n_cells * height), -exponent);
    }
}

ohm_status ohmi_wear_spare(ohmi_learner *learner, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_wear *wear = NULL;
    const ohmi_config *config = learner->config;
    if (!config->adapt.wear[0]) {
        return OHM_OK;
    }
    OHM_TRY(ohmi_wear_read(&wear, config->adapt.wear, err));
    for (int l = 0; l < learner->network->n_layers; l++) {
        ohmi_units *units = &learner->units[l];
        const ohmi_layer *layer = &learner->network->layers[l];
        const ohmi_wear_layer *found = ohmi_wear_find(wear, layer->name);
        if (!found || found->n != layer->n_weights) {
            status = ohmi_fail(err, OHM_ERR_FORMAT,
                               "'adapt.wear' has no '%s' of %lld weights, as this network has",
                               layer->name, (long long)layer->n_weights);
            ohmi_hint(err, "the file is of one chip with this network on it");
            ohmi_place(err, config->adapt.wear, 0, 0);
            goto done;
        }
        units->spare = ohmi_alloc((size_t)units->layout.n_units, sizeof *units->spare);
        if (!units->spare) {
            status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the writes of cells");
            goto done;
        }
        find_spare(units, found, config->adapt.spare);
    }
done:
    ohmi_wear_free(&wear);
    return status;
}

void ohmi_wear_weigh(ohmi_units *units) {
    for (int64_t u = 0; units->spare && u < units->layout.n_units; u++) {
        units->score[u] *= units->score[u] >= 0 ? units->spare[u] : 1.0f;
    }
}
