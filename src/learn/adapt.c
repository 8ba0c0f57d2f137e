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
#include "learn/phases.h"
#include "learn/step.h"

typedef struct {
    const ohmi_learner *learner;
    const ohmi_adapt_layer *of;
    const float *w; // codes (K, run)
    float *d;       // (K, run)
    double factor;
    ohmi_rng own, common;
    int layer; // -1 = the classifier
    int64_t run;
} weight_job;

// four normal numbers (Box-Muller)
static void draw(float z[4], const ohmi_rng *rng, int64_t index) {
    uint32_t bits[4];
    ohmi_rng_bits(bits, rng, (uint32_t)index);
    for (int pair = 0; pair < 2; pair++) {
        const float u = ((float)(bits[2 * pair] >> 9) + 0.5f) * 0x1p-23f;
        const float v = ((float)(bits[2 * pair + 1] >> 9) + 0.5f) * 0x1p-23f;
        const float radius = sqrtf(-2.0f * logf(u));
        z[2 * pair] = radius * cosf(6.2831853f * v);
        z[2 * pair + 1] = radius * sinf(6.2831853f * v);
    }
}

// what the masks make of the errors of an output's weights
static void apply_mask(float *d, const weight_job *j, int64_t k) {
    const ohmi_units *units = &j->learner->units[j->layer];
    const ohmi_levels *levels = &j->learner->levels;
    for (int64_t i = 0; i < j->run; i++) {
        const int64_t u = ohmi_layout_unit_at(&units->layout, k * j->run + i);
        const bool is_copied = ohmi_is_copied(units, NULL, j->layer, u);
        d[i] *= levels->factor[is_copied ? levels->one : units->on[u]];
    }
}

// d of the outputs begin .. end-1
static void weights_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const weight_job *j = context;
    const float gain = (float)(j->factor * j->of->gain), shift = (float)(j->factor * j->of->shift);
    const float own = (float)(j->factor * j->of->own), common = (float)(j->factor * j->of->common);
    const int64_t n_fours = (j->run + 3) / 4;
    for (int64_t k = begin; k < end; k++) {
        const float *w = j->w + k * j->run;
        float *d = j->d + k * j->run;
        for (int64_t four = 0; four < n_fours; four++) {
            float z[4] = {0}, z_common[4] = {0};
            if (own > 0) {
                draw(z, &j->own, k * n_fours + four);
            }
            if (common > 0) {
                draw(z_common, &j->common, k / j->of->outputs * n_fours + four);
            }
            for (int64_t i = 4 * four; i < 4 * four + 4 && i < j->run; i++) {
                d[i] = shift + own * z[i % 4] + common * z_common[i % 4];
            }
        }
        if (j->layer >= 0) {
            apply_mask(d, j, k);
        }
        for (int64_t i = 0; i < j->run; i++) {
            d[i] += gain * w[i];
        }
    }
}

// whether the errors of this task have begun
static bool has_begun(const ohmi_learner *learner) {
    const int t = (int)learner->position.task;
    return learner->position.step >=
           learner->config->adapt.begin * (double)ohmi_steps_of_task(learner, t);
}

typedef struct {
    float *y;
    const float *errors;
    const ohmi_conv *shape;
    int n;
} add_job;

static void add_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const add_job *j = context;
    for (int64_t row = begin * j->n; row < end * j->n; row++) {
        const int64_t at = (row / j->n * j->shape->n_pad + row % j->n) * j->shape->k_pad;
        for (int64_t k = 0; k < j->shape->k; k++) {
            j->y[at + k] += j->errors[at + k];
        }
    }
}

// the network's hook: adds the errors of a layer to its sums
static void disturb(void *context, float *y, const float *x, const ohmi_conv *shape, int layer,
                    int n) {
    const ohmi_learner *learner = context;
    const ohmi_network *network = learner->network;
    const ohmi_adapt *adapt = learner->adapt;
    const int t = (int)learner->position.task;
    const bool has_own = t < adapt->n_tasks && adapt->tasks[t];
    const ohmi_adapt_layer *layers = has_own ? adapt->tasks[t] : adapt->layers;
    const ohmi_adapt_layer *of = &layers[layer >= 0 ? layer : adapt->n_layers];
    const double factor = learner->config->adapt.scale;
    const bool is_any = of->own > 0 || of->common > 0 || fabs(of->gain) > 0 || fabs(of->shift) > 0;
    if (!is_any || !(factor > 0)) {
        return;
    }
    const int at = layer >= 0 ? layer : adapt->n_layers;
    weight_job weights = {.learner = learner,
                          .of = of,
                          .w = layer >= 0 ? network->layers[layer].w_eff : network->head_w,
                          .d = adapt->d,
                          .factor = factor,
                          .layer = layer,
                          .run = (int64_t)shape->c * shape->r * shape->s};
    weights.own = weights.common =
        (ohmi_rng){.seed = (uint64_t)learner->config->seed,
                   .purpose = OHMI_RNG_NIA,
                   .task = (uint32_t)learner->position.task + 1000u * (uint32_t)adapt->part,
                   .place = (uint32_t)at + 1000u * (uint32_t)learner->position.step};
    weights.common.purpose = OHMI_RNG_NIA_COMMON;
    ohmi_parallel(shape->k, 1 + 16384 / weights.run, weights_work, &weights);
    network->kernels->forward(adapt->errors, x, adapt->d, shape, network->work);
    add_job add = {.y = y, .errors = adapt->errors, .shape = shape, .n = n};
    ohmi_parallel((int64_t)shape->p * shape->q, 1, add_work, &add);
}

void ohmi_adapt_enter(ohmi_learner *learner) {
    if (learner->adapt && has_begun(learner)) {
        learner->network->disturb = disturb;
        learner->network->disturb_context = learner;
        learner->network->holds_statistics = true;
    }
}

void ohmi_adapt_leave(ohmi_learner *learner) {
    if (learner->adapt) {
        learner->network->disturb = NULL;
        learner->network->disturb_context = NULL;
        learner->network->holds_statistics = false;
    }
}

static bool read_number(double *value, const json_t *object, const char *key, double low,
                        double high) {
    const json_t *number = json_object_get(object, key);
    *value = json_number_value(number);
    return json_is_number(number) && *value >= low && *value <= high;
}

static bool read_layer(ohmi_adapt_layer *layer, const json_t *object, const char *wanted) {
    const char *name = json_string_value(json_object_get(object, "name"));
    double outputs;
    const bool ok = name && strcmp(name, wanted) == 0 &&
                    read_number(&layer->gain, object, "gain", -100, 100) &&
                    read_number(&layer->shift, object, "shift", -1000, 1000) &&
                    read_number(&layer->own, object, "own", 0, 1000) &&
                    read_number(&layer->common, object, "common", 0, 1000) &&
                    read_number(&outputs, object, "outputs", 1, 1e9);
    layer->outputs = ok ? (int64_t)outputs : 1;
    return ok;
}

static ohmi_adapt *make(const ohmi_network *network) {
    ohmi_adapt *a = ohmi_alloc(1, sizeof *a);
    size_t n_weights = (size_t)network->max_classes * (size_t)network->head_inputs;
    size_t n_sums = (size_t)network->n_pad * (size_t)(network->max_classes + 16);
    if (!a) {
        return NULL;
    }
    for (int l = 0; l < network->n_layers; l++) {
        const ohmi_conv *o = &network->layers[l].shape;
        const size_t sums = (size_t)o->p * (size_t)o->q * (size_t)o->n_pad * (size_t)o->k_pad;
        const size_t weights = (size_t)network->layers[l].n_weights;
        n_weights = weights > n_weights ? weights : n_weights;
        n_sums = sums > n_sums ? sums : n_sums;
    }
    a->n_layers = network->n_layers;
    a->layers = ohmi_alloc((size_t)a->n_layers + 1, sizeof *a->layers);
    a->d = ohmi_alloc(n_weights, sizeof *a->d);
    a->errors = ohmi_alloc(n_sums, sizeof *a->errors);
    if (!a->layers || !a->d || !a->errors) {
        ohmi_adapt_free(&a);
    }
    return a;
}

// the layers of a network, the classifier last
static ohm_status read_layers(ohmi_adapt_layer *to, const json_t *layers,
                              const ohmi_network *network, ohm_error *err) {
    if (json_array_size(layers) != (size_t)network->n_layers + 1) {
        const ohm_status status =
            ohmi_fail(err, OHM_ERR_FORMAT,
                      "'adapt.noise' has no errors of %d layers and the classifier: other layers",
                      network->n_layers);
        ohmi_hint(err, "ohmwise simulate RUN --errors FILE writes one, of a run of this network");
        return status;
    }
    for (int l = 0; l <= network->n_layers; l++) {
        const char *wanted = l < network->n_layers ? network->layers[l].name : "head";
        if (!read_layer(&to[l], json_array_get(layers, (size_t)l), wanted)) {
            const ohm_status status =
                ohmi_fail(err, OHM_ERR_FORMAT,
                          "layer %d of 'adapt.noise' is not '%s' with 'gain', 'shift', 'own', "
                          "'common' and 'outputs'",
                          l + 1, wanted);
            ohmi_hint(err, "ohmwise simulate RUN --errors FILE writes them");
            return status;
        }
    }
    return OHM_OK;
}

// the layers of single tasks, where the file has any
static ohm_status read_tasks(ohmi_adapt *a, const json_t *tasks, const ohmi_network *network,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    size_t i;
    const json_t *task;
    a->n_tasks = OHMI_MAX_TASKS;
    a->tasks = ohmi_alloc(OHMI_MAX_TASKS, sizeof *a->tasks);
    if (!a->tasks) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the errors of layers");
    }
    json_array_foreach(tasks, i, task) {
        const json_int_t t = json_integer_value(json_object_get(task, "task"));
        if (t < 1 || t > a->n_tasks || a->tasks[t - 1]) {
            status = ohmi_fail(err, OHM_ERR_FORMAT,
                               "entry %zu of 'tasks' in 'adapt.noise' is of no task", i + 1);
            goto done;
        }
        a->tasks[t - 1] = ohmi_alloc((size_t)network->n_layers + 1, sizeof **a->tasks);
        if (!a->tasks[t - 1]) {
            status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the errors of layers");
            goto done;
        }
        OHM_TRY(read_layers(a->tasks[t - 1], json_object_get(task, "layers"), network, err));
    }
done:
    return status;
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
    a = make(network);
    if (!a) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the errors of layers");
        goto done;
    }
    root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        status = ohmi_fail(err, OHM_ERR_IO, "'adapt.noise' cannot be read: %s", error.text);
        ohmi_hint(err, "ohmwise simulate RUN --errors FILE writes one, of a run of this network");
        goto done;
    }
    OHM_TRY(read_layers(a->layers, json_object_get(root, "layers"), network, err));
    OHM_TRY(read_tasks(a, json_object_get(root, "tasks"), network, err));
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
        for (int t = 0; (*adapt)->tasks && t < (*adapt)->n_tasks; t++) {
            ohmi_free((*adapt)->tasks[t]);
        }
        ohmi_free((*adapt)->tasks);
        ohmi_free((*adapt)->layers);
        ohmi_free((*adapt)->d);
        ohmi_free((*adapt)->errors);
        ohmi_free(*adapt);
        *adapt = NULL;
    }
}
