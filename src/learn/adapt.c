// SPDX-License-Identifier: Apache-2.0
// Noise injected in training; see adapt.h.
#include "learn/adapt.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/thread.h"

typedef struct {
    float *y; // (p, q, n_pad, k_pad)
    const ohmi_conv *shape;
    ohmi_rng rng;
    float shift, spread;
    int n;
} job;

// adds the noise of pixels begin .. end-1: four normal numbers of each block (Box-Muller)
static void add_noise(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const int64_t k = j->shape->k, n_blocks = (k + 3) / 4;
    for (int64_t row = begin * j->n; row < end * j->n; row++) {
        float *y = j->y + (row / j->n * j->shape->n_pad + row % j->n) * j->shape->k_pad;
        for (int64_t b = 0; b < n_blocks; b++) {
            uint32_t bits[4];
            float z[4];
            ohmi_rng_bits(bits, &j->rng, (uint32_t)(row * n_blocks + b));
            for (int pair = 0; pair < 2; pair++) {
                const float u = ((float)(bits[2 * pair] >> 9) + 0.5f) * 0x1p-23f;
                const float v = ((float)(bits[2 * pair + 1] >> 9) + 0.5f) * 0x1p-23f;
                const float radius = sqrtf(-2.0f * logf(u));
                z[2 * pair] = radius * cosf(6.2831853f * v);
                z[2 * pair + 1] = radius * sinf(6.2831853f * v);
            }
            for (int64_t i = 4 * b; i < 4 * b + 4 && i < k; i++) {
                y[i] += j->shift + j->spread * z[i % 4];
            }
        }
    }
}

// root mean square of the sums of n images
static double size_of(const float *y, const ohmi_conv *shape, int n) {
    double square = 0;
    for (int64_t pixel = 0; pixel < (int64_t)shape->p * shape->q; pixel++) {
        for (int64_t i = 0; i < n; i++) {
            const float *row = y + (pixel * shape->n_pad + i) * shape->k_pad;
            float sum = 0;
            for (int64_t k = 0; k < shape->k; k++) {
                sum += row[k] * row[k];
            }
            square += (double)sum;
        }
    }
    return sqrt(square / ((double)shape->p * shape->q * n * shape->k));
}

static void product(void *context, float *y, const float *x, const ohmi_conv *shape, int layer,
                    int n) {
    const ohmi_learner *learner = context;
    const ohmi_adapt *adapt = learner->adapt;
    ohmi_network *network = learner->network;
    const float *w = layer >= 0 ? network->layers[layer].w_eff : network->head_w;
    const int at = layer >= 0 ? layer : adapt->n_layers;
    network->kernels->forward(y, x, w, shape, network->work);
    if (adapt->deviation[at] > 0 || adapt->mean[at] > 0 || adapt->mean[at] < 0) {
        const double size = size_of(y, shape, n) * learner->config->adapt.scale;
        job j = {.y = y,
                 .shape = shape,
                 .shift = (float)(size * adapt->mean[at]),
                 .spread = (float)(size * adapt->deviation[at]),
                 .n = n};
        j.rng = (ohmi_rng){.seed = (uint64_t)learner->config->seed,
                           .purpose = OHMI_RNG_NIA,
                           .task = (uint32_t)learner->position.task + 1000u * (uint32_t)adapt->part,
                           .place = (uint32_t)at + 1000u * (uint32_t)learner->position.step};
        ohmi_parallel((int64_t)shape->p * shape->q, 1, add_noise, &j);
    }
}

void ohmi_adapt_enter(ohmi_learner *learner) {
    if (learner->adapt) {
        learner->network->product = product;
        learner->network->product_context = learner;
    }
}

void ohmi_adapt_leave(ohmi_learner *learner) {
    if (learner->adapt) {
        learner->network->product = NULL;
        learner->network->product_context = NULL;
    }
}

static bool read_number(double *value, const json_t *object, const char *key, double low,
                        double high) {
    const json_t *number = json_object_get(object, key);
    *value = json_number_value(number);
    return json_is_number(number) && *value >= low && *value <= high;
}

ohm_status ohmi_adapt_read(ohmi_adapt **out, const ohmi_config *config, const ohmi_network *network,
                           ohm_error *err) {
    ohm_status status = OHM_OK;
    const char *path = config->adapt.noise;
    json_t *root = NULL;
    json_error_t error;
    ohmi_adapt *a = NULL;
    *out = NULL;
    if (!path[0]) {
        return OHM_OK;
    }
    a = ohmi_alloc(1, sizeof *a);
    if (a) {
        a->n_layers = network->n_layers;
        a->mean = ohmi_alloc((size_t)a->n_layers + 1, sizeof *a->mean);
        a->deviation = ohmi_alloc((size_t)a->n_layers + 1, sizeof *a->deviation);
    }
    if (!a || !a->mean || !a->deviation) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the errors of layers");
        goto done;
    }
    root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    const json_t *layers = json_object_get(root, "layers");
    if (!root || json_array_size(layers) != (size_t)a->n_layers + 1) {
        status = ohmi_fail(err, root ? OHM_ERR_FORMAT : OHM_ERR_IO,
                           "'adapt.noise' has no errors of %d layers and the classifier: %s",
                           a->n_layers, root ? "other layers" : error.text);
        ohmi_hint(err, "ohmwise simulate RUN --errors FILE writes one, of a run of this network");
        goto done;
    }
    for (int l = 0; l <= a->n_layers; l++) {
        const json_t *layer = json_array_get(layers, (size_t)l);
        const char *name = json_string_value(json_object_get(layer, "name"));
        const char *wanted = l < a->n_layers ? network->layers[l].name : "head";
        if (!name || strcmp(name, wanted) != 0 ||
            !read_number(&a->mean[l], layer, "mean", -100, 100) ||
            !read_number(&a->deviation[l], layer, "deviation", 0, 100)) {
            status = ohmi_fail(err, OHM_ERR_FORMAT,
                               "layer %d of 'adapt.noise' is not '%s' with 'mean' (-100 .. 100) "
                               "and 'deviation' (0 .. 100)",
                               l + 1, wanted);
            goto done;
        }
    }
    *out = a;
    a = NULL;
done:
    if (status < 0 && status != OHM_ERR_NO_MEMORY) {
        ohmi_place(err, path, 0, 0);
    }
    json_decref(root);
    ohmi_adapt_free(&a);
    return status;
}

void ohmi_adapt_free(ohmi_adapt **adapt) {
    if (*adapt) {
        ohmi_free((*adapt)->mean);
        ohmi_free((*adapt)->deviation);
        ohmi_free(*adapt);
        *adapt = NULL;
    }
}
