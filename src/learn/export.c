// SPDX-License-Identifier: Apache-2.0
// `ohm_export`: one task's network of a run, as others can use it.
//
// Weights are what the task multiplies with: real weight = w_eff * step, which is 0 where the task
// has a unit masked. In a quantised run that is the rounded weight; the rounding of activations is
// no weight and stays behind, so the exported network is the run's up to that.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"
#include "file/onnx.h"
#include "learn/opened.h"
#include "network/names.h"
#include "network/to_graph.h"
#include "network/trained.h"
#include "ohmwise/exchange.h"

// Turns the effective weights of the active task into real ones, in place.
static void make_real(ohmi_network *network) {
    for (int l = 0; l < network->n_layers; l++) {
        ohmi_layer *layer = &network->layers[l];
        for (int64_t i = 0; i < layer->n_weights && layer->step != 1.0f; i++) {
            layer->w_eff[i] *= layer->step;
        }
        layer->step = 1;
    }
}

static ohmi_view named(const char *stem, const char *part, float *data, int n_dims, int64_t d0,
                       int64_t d1, int64_t d2, int64_t d3) {
    char name[96];
    (void)snprintf(name, sizeof name, "%s.%s", stem, part);
    return ohmi_view_of(name, OHMI_F32, data, n_dims, d0, d1, d2, d3);
}

// The tensors of one layer with what is behind it; returns how many. zeros: (k).
static int add_layer(ohmi_view *views, const ohmi_network *network, int l, float *zeros) {
    const ohmi_layer *layer = &network->layers[l];
    const ohmi_conv *shape = &layer->shape;
    const ohmi_node *node =
        &network->nodes[ohmi_norm_of_layer(network->nodes, network->n_nodes, l)];
    const ohmi_task_parameters *task = network->task;
    const bool is_linear = strncmp(layer->name, "linear", 6) == 0;
    const int64_t k = shape->k;
    ohmi_names names;
    int n = 0;
    ohmi_names_of(&names, network->model, l);
    views[n++] =
        is_linear ? named(names.layer, "weight", layer->w_eff, 2, k,
                          layer->n_weights / (k > 0 ? k : 1), 0, 0)
                  : named(names.layer, "weight", layer->w_eff, 4, k, shape->c, shape->r, shape->s);
    if (!node->has_batchnorm) {
        views[n++] = named(names.layer, "bias", task->trainable + node->bias, 1, k, 0, 0, 0);
        return n;
    }
    if (ohmi_names_have_bias(network->model)) {
        views[n++] = named(names.layer, "bias", zeros, 1, k, 0, 0, 0);
    }
    views[n++] = named(names.norm, "weight", task->trainable + node->gamma, 1, k, 0, 0, 0);
    views[n++] = named(names.norm, "bias", task->trainable + node->beta, 1, k, 0, 0, 0);
    views[n++] = named(names.norm, "running_mean", task->statistics + node->mean, 1, k, 0, 0, 0);
    views[n++] = named(names.norm, "running_var", task->statistics + node->variance, 1, k, 0, 0, 0);
    return n;
}

enum { METADATA = 4 }; // pairs

typedef struct {
    char number[16], weight_bits[24], activation_bits[24];
} metadata_text;

// What is written beside the tensors: key, value, ..., NULL, in pairs (2 METADATA + 1).
static void describe(const char **pairs, metadata_text *of, const ohmi_learner *learner, int t) {
    const ohmi_config *config = learner->config;
    (void)snprintf(of->number, sizeof of->number, "%d", t + 1);
    (void)snprintf(of->weight_bits, sizeof of->weight_bits, "%" PRId64,
                   config->quantise.weight_bits);
    (void)snprintf(of->activation_bits, sizeof of->activation_bits, "%" PRId64,
                   config->quantise.activation_bits);
    const char *const all[2 * METADATA + 1] = {
        "model",           learner->network->model, "task",
        of->number,        "weight_bits",           of->weight_bits,
        "activation_bits", of->activation_bits,     NULL};
    memcpy(pairs, all, sizeof all);
}

// Writes the bound task's network with PyTorch's names.
static ohm_status write_tensors(const char *path, const ohmi_learner *learner, int t,
                                ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_network *network = learner->network;
    ohmi_task_parameters *task = network->task;
    const char *pairs[2 * METADATA + 3];
    metadata_text of;
    int64_t widest = 1;
    for (int l = 0; l < network->n_layers; l++) {
        widest = network->layers[l].shape.k > widest ? network->layers[l].shape.k : widest;
    }
    ohmi_view *views = ohmi_alloc((size_t)network->n_layers * 6 + 2, sizeof *views);
    float *zeros = ohmi_alloc((size_t)widest, sizeof *zeros);
    if (!views || !zeros) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to write '%s'", path);
        goto done;
    }
    int n = 0;
    for (int l = 0; l < network->n_layers; l++) {
        n += add_layer(views + n, network, l, zeros);
    }
    const char *head = ohmi_names_head(network->model);
    float *weight = task->trainable + network->head_offset;
    float *bias = weight + (int64_t)task->n_classes * network->head_inputs;
    views[n++] = named(head, "weight", weight, 2, task->n_classes, network->head_inputs, 0, 0);
    views[n++] = named(head, "bias", bias, 1, task->n_classes, 0, 0, 0);

    // "pt": PyTorch's names, as its loaders ask for
    pairs[0] = "format";
    pairs[1] = "pt";
    describe(pairs + 2, &of, learner, t);
    OHM_TRY(ohmi_tensors_save(path, views, n, pairs, err));

done:
    ohmi_free(views);
    ohmi_free(zeros);
    return status;
}

// Writes the bound task's network as an ONNX graph.
static ohm_status write_graph(const char *path, const ohmi_learner *learner, int t,
                              ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_graph graph = {0};
    const char *pairs[2 * METADATA + 1];
    metadata_text of;
    OHM_TRY(ohmi_network_to_graph(&graph, learner->network, err));
    describe(pairs, &of, learner, t);
    OHM_TRY(ohmi_onnx_save(path, &graph, learner->network->model, pairs, err));
done:
    ohmi_graph_free(&graph);
    return status;
}

ohm_status ohm_export(const char *path, const char *run_folder, const ohm_export_def *def,
                      ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_opened run = {0};
    ohmi_c_locale locale = ohmi_c_locale_enter();
    OHM_TRY(ohmi_opened_open(&run, run_folder, 1, "reference", err)); // nothing is run
    OHM_TRY(ohmi_opened_check_task(&run, def->task, err));
    ohmi_learner_activate(run.learner, def->task, run.learner->is_quantised);
    make_real(run.learner->network);
    OHM_TRY(def->format == OHM_EXPORT_ONNX ? write_graph(path, run.learner, def->task, err)
                                           : write_tensors(path, run.learner, def->task, err));

done:
    ohmi_opened_close(&run);
    ohmi_c_locale_leave(&locale);
    return status;
}
