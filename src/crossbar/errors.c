// SPDX-License-Identifier: Apache-2.0
// Statistics of the errors of layers; see errors.h.
#include "crossbar/errors.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"

typedef struct {
    double sum, square, size, n; // of e, e^2, y^2, and their number
} moments;

struct ohmi_errors {
    ohmi_learner *learner;
    float **meant;       // (n_layers) codes of the task (K, C, R, S)
    float *y;            // sums as meant, of the largest layer
    moments *of;         // (n_layers + 1), the classifier last
    ohmi_product *inner; // of the chip
    void *inner_context;
};

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the errors of layers");
}

ohm_status ohmi_errors_new(ohmi_errors **out, ohmi_learner *learner, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_network *network = learner->network;
    ohmi_errors *e = ohmi_alloc(1, sizeof *e);
    size_t room = (size_t)network->n_pad * (size_t)(network->max_classes + 16);
    *out = NULL;
    bool is_made = e != NULL;
    if (is_made) {
        e->learner = learner;
        e->meant = ohmi_alloc((size_t)network->n_layers, sizeof *e->meant);
        e->of = ohmi_alloc((size_t)network->n_layers + 1, sizeof *e->of);
        is_made = e->meant && e->of;
    }
    for (int l = 0; is_made && l < network->n_layers; l++) {
        const ohmi_conv *o = &network->layers[l].shape;
        const size_t size = (size_t)o->p * (size_t)o->q * (size_t)o->n_pad * (size_t)o->k_pad;
        room = size > room ? size : room;
        e->meant[l] = ohmi_alloc((size_t)network->layers[l].n_weights, sizeof(float));
        is_made = e->meant[l] != NULL;
    }
    if (is_made) {
        e->y = ohmi_alloc(room, sizeof *e->y);
        is_made = e->y != NULL;
    }
    if (!is_made) {
        status = no_memory(err);
        ohmi_errors_free(&e);
    }
    *out = e;
    return status;
}

void ohmi_errors_free(ohmi_errors **errors) {
    ohmi_errors *e = *errors;
    if (!e) {
        return;
    }
    for (int l = 0; e->meant && l < e->learner->network->n_layers; l++) {
        ohmi_free(e->meant[l]);
    }
    ohmi_free(e->meant);
    ohmi_free(e->of);
    ohmi_free(e->y);
    ohmi_free(e);
    *errors = NULL;
}

void ohmi_errors_meant(ohmi_errors *e, int t) {
    ohmi_network *network = e->learner->network;
    ohmi_learner_activate(e->learner, t, true);
    for (int l = 0; l < network->n_layers; l++) {
        memcpy(e->meant[l], network->layers[l].w_eff,
               (size_t)network->layers[l].n_weights * sizeof(float));
    }
}

static void product(void *context, float *y, const float *x, const ohmi_conv *shape, int layer,
                    int n) {
    ohmi_errors *e = context;
    const ohmi_network *network = e->learner->network;
    moments *of = &e->of[layer >= 0 ? layer : network->n_layers];
    e->inner(e->inner_context, y, x, shape, layer, n);
    network->kernels->forward(e->y, x, layer >= 0 ? e->meant[layer] : network->head_w, shape,
                              network->work);
    for (int64_t row = 0; row < (int64_t)shape->p * shape->q * n; row++) {
        const int64_t at = (row / n * shape->n_pad + row % n) * shape->k_pad;
        for (int64_t k = 0; k < shape->k; k++) {
            const double meant = (double)e->y[at + k], off = (double)y[at + k] - meant;
            of->sum += off;
            of->square += off * off;
            of->size += meant * meant;
        }
    }
    of->n += (double)shape->p * shape->q * n * shape->k;
}

void ohmi_errors_watch(ohmi_errors *e) {
    ohmi_network *network = e->learner->network;
    e->inner = network->product;
    e->inner_context = network->product_context;
    network->product = product;
    network->product_context = e;
}

void ohmi_errors_leave(ohmi_errors *e) {
    ohmi_network *network = e->learner->network;
    if (network->product_context == e) {
        network->product = e->inner;
        network->product_context = e->inner_context;
    }
}

ohm_status ohmi_errors_save(const ohmi_errors *e, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_network *network = e->learner->network;
    json_t *layers = json_array(), *root = json_pack("{s:i, s:O?}", "schema", 1, "layers", layers);
    char *text = NULL;
    if (!(e->of[0].n > 0)) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT,
                           "no chip was simulated, so there are no errors to write");
        ohmi_hint(err, "all of them are in the results already: give --force, or another --out");
        goto done;
    }
    bool ok = layers && root;
    for (int l = 0; ok && l <= network->n_layers; l++) {
        const moments *of = &e->of[l];
        const double size = fmax(sqrt(of->size / of->n), 1e-30), mean = of->sum / of->n;
        const double spread = sqrt(fmax(0, of->square / of->n - mean * mean));
        json_t *row = json_pack("{s:s, s:f, s:f}", "name",
                                l < network->n_layers ? network->layers[l].name : "head", "mean",
                                mean / size, "deviation", spread / size);
        ok = row && json_array_append_new(layers, row) == 0;
    }
    text = ok ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    if (!text) {
        status = no_memory(err);
        goto done;
    }
    OHM_TRY(ohmi_write_file(path, text, strlen(text), err));
done:
    free(text);
    json_decref(layers);
    json_decref(root);
    return status;
}
