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
#include "learn/placing.h"

// Sums of products of e, y and s: of a sum with itself, or of one and its neighbour.
typedef struct {
    double ee, ey, es, yy, ys, ss, q;
} products;

// Plain numbers, so that those of ranks can be added.
typedef struct {
    double n, e;
    products one, two;
} moments;

// What a layer's outputs are made of.
typedef struct {
    int64_t run, outputs; // weights of an output, outputs of an array
    float *meant;         // codes of the task (K, run)
    float *level;         // of a weight's mask: 0 = off, 1 = on (K, run); NULL: as square
    float *square;        // level^2                             (K, run)
    float *pair; // levels of a weight and of output k + 1's, multiplied; 0 in another array
} parts;

struct ohmi_errors {
    ohmi_learner *learner;
    parts *of_layer;                 // (n_layers + 1), the classifier last
    float *y, *s, *q, *q2, *squares; // of the largest layer: sums; squares of inputs
    int task;                        // that is meant now
    int64_t head_first;              // of the task, among the outputs of all classifiers
    moments *of;                     // (n_tasks, n_layers + 1) since the last take
    moments *total;                  // of what was added
    ohmi_product *inner;             // of the chip
    void *inner_context;
};

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the errors of layers");
}

static size_t largest(size_t a, size_t b) {
    return a > b ? a : b;
}

static bool make_parts(parts *p, int64_t k, int64_t run, int64_t outputs, bool has_levels) {
    const size_t n = (size_t)(k * run);
    *p = (parts){.run = run, .outputs = outputs};
    p->meant = ohmi_alloc(n, sizeof(float));
    p->level = has_levels ? ohmi_alloc(n, sizeof(float)) : NULL;
    p->square = ohmi_alloc(n, sizeof(float));
    p->pair = ohmi_alloc(n, sizeof(float));
    return p->meant && p->square && p->pair && (p->level || !has_levels);
}

ohm_status ohmi_errors_new(ohmi_errors **out, ohmi_learner *learner, const ohmi_placed *place,
                           ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_network *network = learner->network;
    const int n_layers = network->n_layers;
    ohmi_errors *e = ohmi_alloc(1, sizeof *e);
    size_t sums = (size_t)network->n_pad * (size_t)(network->max_classes + 16);
    size_t inputs = (size_t)network->n_pad * (size_t)(network->head_inputs + 16);
    *out = NULL;
    bool is_made = e != NULL;
    if (is_made) {
        e->learner = learner;
        e->of_layer = ohmi_alloc((size_t)n_layers + 1, sizeof *e->of_layer);
        const size_t n_moments = (size_t)learner->n_tasks * ((size_t)n_layers + 1);
        e->of = ohmi_alloc(n_moments, sizeof *e->of);
        e->total = ohmi_alloc(n_moments, sizeof *e->total);
        is_made = e->of_layer && e->of && e->total;
    }
    for (int l = 0; is_made && l < n_layers; l++) {
        const ohmi_conv *o = &network->layers[l].shape;
        sums = largest(sums, (size_t)o->p * (size_t)o->q * (size_t)o->n_pad * (size_t)o->k_pad);
        inputs = largest(inputs, (size_t)o->h * (size_t)o->w * (size_t)o->n_pad * (size_t)o->c_pad);
        is_made = make_parts(&e->of_layer[l], o->k, network->layers[l].n_weights / o->k,
                             place->layers[l].per_array, learner->levels.n > 2);
    }
    if (is_made) {
        const bool has_heads = place->n_layers > n_layers;
        e->y = ohmi_alloc(sums, sizeof *e->y);
        e->s = ohmi_alloc(sums, sizeof *e->s);
        e->q = ohmi_alloc(sums, sizeof *e->q);
        e->q2 = ohmi_alloc(sums, sizeof *e->q2);
        e->squares = ohmi_alloc(inputs, sizeof *e->squares);
        is_made =
            make_parts(&e->of_layer[n_layers], network->max_classes, network->head_inputs,
                       has_heads ? place->layers[n_layers].per_array : network->max_classes, false);
        is_made = is_made && e->y && e->s && e->q && e->q2 && e->squares;
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
    for (int l = 0; e->of_layer && l <= e->learner->network->n_layers; l++) {
        ohmi_free(e->of_layer[l].meant);
        ohmi_free(e->of_layer[l].level);
        ohmi_free(e->of_layer[l].square);
        ohmi_free(e->of_layer[l].pair);
    }
    ohmi_free(e->of_layer);
    ohmi_free(e->of);
    ohmi_free(e->total);
    ohmi_free(e->y);
    ohmi_free(e->s);
    ohmi_free(e->q);
    ohmi_free(e->q2);
    ohmi_free(e->squares);
    ohmi_free(e);
    *errors = NULL;
}

// what masks multiply the weights of a layer with
static float level_at(const ohmi_learner *learner, int layer, int t, int64_t i) {
    const int64_t u = ohmi_layout_unit_at(&learner->units[layer].layout, i);
    return ohmi_learner_factor(learner, layer, t, u);
}

void ohmi_errors_meant(ohmi_errors *e, int t) {
    const ohmi_learner *learner = e->learner;
    ohmi_network *network = learner->network;
    ohmi_learner_activate(e->learner, t, true);
    e->task = t;
    e->head_first = ohmi_learner_head_first(learner, t);
    for (int l = 0; l <= network->n_layers; l++) {
        const parts *p = &e->of_layer[l];
        const bool is_head = l == network->n_layers;
        const int64_t k = is_head ? network->max_classes : network->layers[l].shape.k;
        const int64_t first = is_head ? e->head_first : 0, n = k * p->run;
        float *level = p->level ? p->level : p->square;
        if (!is_head) {
            memcpy(p->meant, network->layers[l].w_eff, (size_t)n * sizeof(float));
        }
        for (int64_t i = 0; i < n; i++) {
            level[i] = is_head ? 1.0f : level_at(learner, l, t, i);
        }
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = first + i / p->run;
            const bool has_next = i + p->run < n && (at + 1) % p->outputs != 0;
            p->pair[i] = has_next ? level[i] * level[i + p->run] : 0.0f;
            p->square[i] = level[i] * level[i];
        }
    }
}

// adds what two sums have in common
static void add_products(products *to, const double a[3], const double b[3], double q) {
    to->ee += a[0] * b[0];
    to->ey += 0.5 * (a[0] * b[1] + a[1] * b[0]);
    to->es += 0.5 * (a[0] * b[2] + a[2] * b[0]);
    to->yy += a[1] * b[1];
    to->ys += 0.5 * (a[1] * b[2] + a[2] * b[1]);
    to->ss += a[2] * b[2];
    to->q += q;
}

static void product(void *context, float *y, const float *x, const ohmi_conv *shape, int layer,
                    int n) {
    ohmi_errors *e = context;
    const ohmi_network *network = e->learner->network;
    const int at_layer = layer >= 0 ? layer : network->n_layers;
    const parts *p = &e->of_layer[at_layer];
    const ohmi_kernels *kernels = network->kernels;
    moments *of = &e->of[e->task * (network->n_layers + 1) + at_layer];
    e->inner(e->inner_context, y, x, shape, layer, n);
    kernels->forward(e->y, x, layer >= 0 ? p->meant : network->head_w, shape, network->work);
    kernels->forward(e->s, x, p->level ? p->level : p->square, shape, network->work);
    const int64_t n_inputs = (int64_t)shape->h * shape->w * shape->n_pad * shape->c_pad;
    for (int64_t i = 0; i < n_inputs; i++) {
        e->squares[i] = x[i] * x[i];
    }
    kernels->forward(e->q, e->squares, p->square, shape, network->work);
    kernels->forward(e->q2, e->squares, p->pair, shape, network->work);
    for (int64_t row = 0; row < (int64_t)shape->p * shape->q * n; row++) {
        const int64_t at = (row / n * shape->n_pad + row % n) * shape->k_pad;
        double next[3] = {0};
        for (int64_t k = shape->k - 1; k >= 0; k--) {
            const double meant = (double)e->y[at + k];
            const double own[3] = {(double)y[at + k] - meant, meant, (double)e->s[at + k]};
            add_products(&of->one, own, own, (double)e->q[at + k]);
            const int64_t number = (layer >= 0 ? 0 : e->head_first) + k;
            if (k + 1 < shape->k && (number + 1) % p->outputs != 0) {
                add_products(&of->two, own, next, (double)e->q2[at + k]);
            }
            memcpy(next, own, sizeof next);
            of->e += own[0];
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

size_t ohmi_errors_size(const ohmi_errors *e) {
    const size_t n_layers = (size_t)e->learner->network->n_layers + 1;
    return (size_t)e->learner->n_tasks * n_layers * sizeof *e->of / sizeof(double);
}

void ohmi_errors_take(ohmi_errors *e, double *numbers) {
    const size_t size = ohmi_errors_size(e) * sizeof *numbers;
    memcpy(numbers, e->of, size);
    memset(e->of, 0, size);
}

void ohmi_errors_add(ohmi_errors *e, const double *numbers) {
    double *to = (double *)e->total;
    for (size_t i = 0; i < ohmi_errors_size(e); i++) {
        to[i] += numbers[i];
    }
}

// sum of rest rest' with gain g and shift m
static double rest_of(const products *p, double g, double m) {
    return p->ee - 2 * g * p->ey - 2 * m * p->es + g * g * p->yy + 2 * g * m * p->ys +
           m * m * p->ss;
}

// a layer's row of the file; NULL when memory is out
static json_t *row_of(const moments *of, const char *name, int64_t outputs) {
    const products *one = &of->one;
    const double size = fmax(sqrt(one->yy / of->n), 1e-30), mean = of->e / of->n;
    const double spread = sqrt(fmax(0, one->ee / of->n - mean * mean));

    // least squares; of sums that are all alike, a gain alone
    double gain = one->yy > 0 ? one->ey / one->yy : 0, shift = 0;
    const double determinant = one->yy * one->ss - one->ys * one->ys;
    if (determinant > 1e-9 * one->yy * one->ss) {
        gain = (one->ey * one->ss - one->es * one->ys) / determinant;
        shift = (one->es * one->yy - one->ey * one->ys) / determinant;
    }
    const double all = one->q > 0 ? fmax(0, rest_of(one, gain, shift) / one->q) : 0;
    const double shared = of->two.q > 0 ? rest_of(&of->two, gain, shift) / of->two.q : 0;
    const double common = fmin(fmax(0, shared), all);
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "name", name, "mean", mean / size,
                     "deviation", spread / size, "gain", gain, "shift", shift, "own",
                     sqrt(all - common), "common", sqrt(common), "outputs", (json_int_t)outputs);
}

// all layers of the moments (n_layers + 1); NULL when memory is out
static json_t *layers_of(const ohmi_errors *e, const moments *of) {
    const ohmi_network *network = e->learner->network;
    json_t *layers = json_array();
    bool ok = layers != NULL;
    for (int l = 0; ok && l <= network->n_layers; l++) {
        json_t *row = row_of(&of[l], l < network->n_layers ? network->layers[l].name : "head",
                             e->of_layer[l].outputs);
        ok = row && json_array_append_new(layers, row) == 0;
    }
    if (!ok) {
        json_decref(layers);
        layers = NULL;
    }
    return layers;
}

// the sums of all tasks, (n_layers + 1); for ohmi_free
static moments *sum_tasks(const ohmi_errors *e) {
    const size_t n_layers = (size_t)e->learner->network->n_layers + 1;
    const size_t n_numbers = n_layers * sizeof(moments) / sizeof(double);
    moments *sums = ohmi_alloc(n_layers, sizeof *sums);
    for (size_t i = 0; sums && i < (size_t)e->learner->n_tasks * n_numbers; i++) {
        ((double *)sums)[i % n_numbers] += ((const double *)e->total)[i];
    }
    return sums;
}

ohm_status ohmi_errors_save(const ohmi_errors *e, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int n_layers = e->learner->network->n_layers + 1;
    moments *sums = sum_tasks(e);
    json_t *tasks = json_array(), *root = NULL;
    char *text = NULL;
    bool ok = sums && tasks;
    if (sums && !(sums[0].n > 0)) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT,
                           "no chip was simulated, so there are no errors to write");
        ohmi_hint(err, "all of them are in the results already: give --force, or another --out");
        goto done;
    }
    for (int t = 0; ok && t < e->learner->n_tasks; t++) {
        const moments *of = e->total + (int64_t)t * n_layers;
        if (of[0].n > 0) {
            ok = json_array_append_new(tasks, json_pack("{s:i, s:o}", "task", t + 1, "layers",
                                                        layers_of(e, of))) == 0;
        }
    }
    root =
        ok ? json_pack("{s:i, s:o, s:O}", "schema", 3, "layers", layers_of(e, sums), "tasks", tasks)
           : NULL;
    text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    if (!text) {
        status = no_memory(err);
        goto done;
    }
    OHM_TRY(ohmi_write_file(path, text, strlen(text), err));
done:
    free(text);
    ohmi_free(sums);
    json_decref(tasks);
    json_decref(root);
    return status;
}
