// SPDX-License-Identifier: Apache-2.0
// Tensors of a network trained elsewhere: found by name, checked, folded into ours; see trained.h.
#include "network/trained.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "network/names.h"

#define EPSILON 1e-5     // of our batch norm, and PyTorch's default
enum { POOL_AREA = 49 }; // of the 7 x 7 pool before the classifier of torchvision's VGG

int ohmi_norm_of_layer(const ohmi_node *nodes, int n_nodes, int l) {
    for (int i = 0; i < n_nodes; i++) {
        if (nodes[i].kind == OHMI_NODE_NORM && nodes[nodes[i].input].layer == l) {
            return i;
        }
    }
    return -1;
}

// By name

// Takes the tensor stem.part and marks it as used; false when there is none.
static bool take(ohmi_view *out, bool *is_used, const ohmi_tensors *tensors, const char *stem,
                 const char *part) {
    char name[sizeof out->name];
    (void)snprintf(name, sizeof name, "%s.%s", stem, part);
    for (int i = 0; i < ohmi_tensors_count(tensors); i++) {
        if (strcmp(ohmi_tensors_at(tensors, i)->name, name) == 0) {
            *out = *ohmi_tensors_at(tensors, i);
            is_used[i] = true;
            return true;
        }
    }
    return false;
}

static ohm_status missing(const char *stem, const char *part, const char *model, ohm_error *err) {
    ohm_status status = ohmi_fail(
        err, OHM_ERR_FORMAT, "there is no tensor '%s.%s', which '%s' needs", stem, part, model);
    ohmi_hint(err, "tensors are named as in torchvision's models; is the file of this model?");
    return status;
}

// One layer with what is behind it.
static ohm_status take_layer(ohmi_trained_layer *out, bool *is_used, const ohmi_tensors *tensors,
                             const char *model, int l, ohm_error *err) {
    ohmi_names names;
    ohmi_names_of(&names, model, l);
    out->epsilon = EPSILON;
    if (!take(&out->weight, is_used, tensors, names.layer, "weight")) {
        return missing(names.layer, "weight", model, err);
    }
    const bool has_bias = take(&out->bias, is_used, tensors, names.layer, "bias");
    if (!names.norm[0]) {
        return has_bias ? OHM_OK : missing(names.layer, "bias", model, err);
    }
    const struct {
        ohmi_view *view;
        const char *part;
    } parts[] = {{&out->gamma, "weight"},
                 {&out->beta, "bias"},
                 {&out->mean, "running_mean"},
                 {&out->variance, "running_var"}};
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        if (!take(parts[p].view, is_used, tensors, names.norm, parts[p].part)) {
            return missing(names.norm, parts[p].part, model, err);
        }
    }
    return OHM_OK;
}

// PyTorch's counters of batches say nothing about the network
static bool is_counter(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && strcmp(dot, ".num_batches_tracked") == 0;
}

ohm_status ohmi_trained_from_tensors(ohmi_trained *out, const ohmi_tensors *tensors,
                                     const char *model, ohm_error *err) {
    ohm_status status = OHM_OK;
    const char *head = ohmi_names_head(model);
    const int n_layers = ohmi_names_count(model), n_tensors = ohmi_tensors_count(tensors);
    bool *is_used = ohmi_alloc((size_t)n_tensors, sizeof *is_used);
    *out = (ohmi_trained){.n_layers = n_layers};
    out->layer = ohmi_alloc((size_t)n_layers, sizeof *out->layer);
    if (!is_used || !out->layer) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the list of tensors");
        goto done;
    }
    if (!take(&out->head_weight, is_used, tensors, head, "weight")) {
        status = missing(head, "weight", model, err);
        goto done;
    }
    if (!take(&out->head_bias, is_used, tensors, head, "bias")) {
        status = missing(head, "bias", model, err);
        goto done;
    }
    for (int l = 0; l < n_layers; l++) {
        OHM_TRY(take_layer(&out->layer[l], is_used, tensors, model, l, err));
    }

    // what the model has no place for would be lost
    for (int i = 0; i < n_tensors; i++) {
        const char *name = ohmi_tensors_at(tensors, i)->name;
        if (!is_used[i] && !is_counter(name)) {
            status =
                ohmi_fail(err, OHM_ERR_FORMAT, "'%s' has no place for tensor '%s'", model, name);
            ohmi_hint(err, "is the file of another model?");
            goto done;
        }
    }

done:
    ohmi_free(is_used);
    if (status < 0) {
        ohmi_trained_free(out);
    }
    return status;
}

void ohmi_trained_free(ohmi_trained *trained) {
    ohmi_free(trained->layer);
    *trained = (ohmi_trained){0};
}

// Shapes

typedef struct {
    char text[100];
} shape_text;

static shape_text shape_of(int n_dims, const int64_t *shape) {
    shape_text out = {""};
    size_t used = 0;
    for (int d = 0; d < n_dims && used < sizeof out.text; d++) {
        used += (size_t)snprintf(out.text + used, sizeof out.text - used, "%s%" PRId64,
                                 d ? " x " : "", shape[d]);
    }
    return out;
}

static bool has_shape(const ohmi_view *view, int n_dims, const int64_t *shape) {
    return view->n_dims == n_dims &&
           memcmp(view->shape, shape, (size_t)n_dims * sizeof *shape) == 0;
}

static ohm_status check_view(const ohmi_view *view, int n_dims, const int64_t *shape,
                             const ohmi_build *build, const char *model, ohm_error *err) {
    if (view->dtype != OHMI_F32 && view->dtype != OHMI_F64 && view->dtype != OHMI_BF16) {
        return ohmi_fail(err, OHM_ERR_FORMAT,
                         "tensor '%s' is of type %s, weights are F32, F64 or "
                         "BF16",
                         view->name, ohmi_dtype_name(view->dtype));
    }
    if (has_shape(view, n_dims, shape)) {
        return OHM_OK;
    }
    ohm_status status =
        ohmi_fail(err, OHM_ERR_FORMAT, "tensor '%s' has shape %s, '%s' on %d x %d pixels needs %s",
                  view->name, shape_of(view->n_dims, view->shape).text, model, build->nodes[0].h,
                  build->nodes[0].w, shape_of(n_dims, shape).text);
    ohmi_hint(err, "another --model, or another --image-size?");
    return status;
}

// whether a linear layer over a 1 x 1 map was trained behind a 7 x 7 pool
static bool is_pooled(const ohmi_view *weight, const ohmi_conv *shape) {
    return shape->h == 1 && shape->w == 1 && shape->r == 1 && weight->n_dims == 2 &&
           weight->shape[1] == (int64_t)POOL_AREA * shape->c;
}

ohm_status ohmi_trained_check(const ohmi_trained *trained, const ohmi_build *build,
                              const char *model, ohm_error *err) {
    ohm_status status = OHM_OK;
    if (trained->n_layers != build->n_layers) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "the network has %d layers, '%s' has %d",
                           trained->n_layers, model, build->n_layers);
        goto done;
    }
    for (int l = 0; l < build->n_layers; l++) {
        const ohmi_trained_layer *layer = &trained->layer[l];
        const ohmi_conv *conv = &build->layers[l].shape;
        const int64_t k = conv->k, area = (int64_t)conv->r * conv->s;
        const int64_t full[4] = {k, conv->c, conv->r, conv->s};
        const int64_t flat[2] = {k, conv->c * area}, pooled[2] = {k, (int64_t)POOL_AREA * conv->c};
        const bool is_flat = layer->weight.n_dims == 2 && conv->r == conv->h && conv->s == conv->w;
        OHM_TRY(check_view(&layer->weight, is_flat ? 2 : 4,
                           !is_flat                          ? full
                           : is_pooled(&layer->weight, conv) ? pooled
                                                             : flat,
                           build, model, err));
        const ohmi_view *const vectors[] = {&layer->bias, &layer->gamma, &layer->beta, &layer->mean,
                                            &layer->variance};
        for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
            if (vectors[i]->data) {
                OHM_TRY(check_view(vectors[i], 1, &k, build, model, err));
            }
        }
    }
    const int64_t inputs = build->nodes[build->nodes[build->n_nodes - 1].input].c;
    const int64_t head[2] = {trained->head_weight.shape[0], inputs};
    OHM_TRY(check_view(&trained->head_weight, 2, head, build, model, err));
    if (trained->head_bias.data) {
        OHM_TRY(check_view(&trained->head_bias, 1, head, build, model, err));
    }
done:
    return status;
}

// Numbers

// Element i of a view as a double.
static double number_at(const ohmi_view *view, int64_t i) {
    if (view->dtype == OHMI_F64) {
        return ((const double *)view->data)[i];
    }
    float value;
    if (view->dtype == OHMI_BF16) {
        const uint32_t bits = (uint32_t)((const uint16_t *)view->data)[i] << 16;
        memcpy(&value, &bits, sizeof value);
    } else {
        value = ((const float *)view->data)[i];
    }
    return (double)value;
}

// Copies a view into floats, which must be finite. No view: all of them `otherwise`.
static ohm_status copy(float *out, const ohmi_view *view, int64_t n, float otherwise,
                       ohm_error *err) {
    for (int64_t i = 0; i < n; i++) {
        out[i] = view->data ? (float)number_at(view, i) : otherwise;
        if (!isfinite(out[i])) {
            return ohmi_fail(err, OHM_ERR_FORMAT, "tensor '%s' has a number that is not finite",
                             view->name);
        }
    }
    return OHM_OK;
}

// The linear layer behind a 7 x 7 pool of a 1 x 1 map: sums over the pool.
static ohm_status copy_pooled(float *out, const ohmi_view *view, int64_t n, ohm_error *err) {
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t p = 0; p < POOL_AREA; p++) {
            sum += number_at(view, i * POOL_AREA + p);
        }
        out[i] = (float)sum;
        if (!isfinite(out[i])) {
            return ohmi_fail(err, OHM_ERR_FORMAT, "tensor '%s' has a number that is not finite",
                             view->name);
        }
    }
    return OHM_OK;
}

// Batch norm with what is folded into it.
static ohm_status fill_norm(ohmi_task_parameters *task, const ohmi_node *node,
                            const ohmi_trained_layer *layer, ohm_error *err) {
    ohm_status status = OHM_OK;
    float *gamma = task->trainable + node->gamma, *beta = task->trainable + node->beta;
    float *mean = task->statistics + node->mean, *variance = task->statistics + node->variance;
    if (!layer->mean.data) {
        OHM_TRY(copy(beta, &layer->bias, node->c, 0, err));
        for (int c = 0; c < node->c; c++) {
            gamma[c] = 1;
            mean[c] = 0;
            variance[c] = (float)(1 - EPSILON);
        }
        goto done;
    }
    OHM_TRY(copy(gamma, &layer->gamma, node->c, 1, err));
    OHM_TRY(copy(beta, &layer->beta, node->c, 0, err));
    OHM_TRY(copy(mean, &layer->mean, node->c, 0, err));
    OHM_TRY(copy(variance, &layer->variance, node->c, 0, err));
    for (int c = 0; c < node->c; c++) {
        if (variance[c] < 0 || (double)variance[c] + layer->epsilon <= 0) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "tensor '%s' has variance %g in channel %d",
                               layer->variance.name, (double)variance[c], c);
            goto done;
        }
        if (layer->epsilon < EPSILON || layer->epsilon > EPSILON) {
            variance[c] = (float)(number_at(&layer->variance, c) + (layer->epsilon - EPSILON));
        }
        if (layer->bias.data) {
            mean[c] = (float)(number_at(&layer->mean, c) - number_at(&layer->bias, c));
        }
        if (!isfinite(mean[c])) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "tensor '%s' has a number that is not finite",
                               layer->bias.name);
            goto done;
        }
    }
done:
    return status;
}

// Exchanges the first and the last of three input channels.
static void turn_channels(ohmi_layer *layer) {
    const int64_t area = (int64_t)layer->shape.r * layer->shape.s;
    for (int64_t k = 0; k < layer->shape.k; k++) {
        float *first = layer->w + k * 3 * area, *last = first + 2 * area;
        for (int64_t i = 0; i < area; i++) {
            const float value = first[i];
            first[i] = last[i];
            last[i] = value;
        }
    }
}

ohm_status ohmi_trained_fill(ohmi_network *network, ohmi_task_parameters *task,
                             const ohmi_trained *trained, ohm_error *err) {
    ohm_status status = OHM_OK;
    for (int l = 0; l < network->n_layers; l++) {
        const ohmi_trained_layer *from = &trained->layer[l];
        ohmi_layer *layer = &network->layers[l];
        if (is_pooled(&from->weight, &layer->shape)) {
            OHM_TRY(copy_pooled(layer->w, &from->weight, layer->n_weights, err));
        } else {
            OHM_TRY(copy(layer->w, &from->weight, layer->n_weights, 0, err));
        }
        const ohmi_node *node =
            &network->nodes[ohmi_norm_of_layer(network->nodes, network->n_nodes, l)];
        if (node->has_batchnorm) {
            OHM_TRY(fill_norm(task, node, from, err));
        } else {
            OHM_TRY(copy(task->trainable + node->bias, &from->bias, node->c, 0, err));
        }
    }
    if (trained->is_bgr && network->layers[0].shape.c == 3) {
        turn_channels(&network->layers[0]);
    }
    float *head = task->trainable + network->head_offset;
    const int64_t n_head = (int64_t)task->n_classes * network->head_inputs;
    OHM_TRY(copy(head, &trained->head_weight, n_head, 0, err));
    OHM_TRY(copy(head + n_head, &trained->head_bias, task->n_classes, 0, err));
done:
    return status;
}
