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
#include "config/access.h"
#include "learn/checkpoint.h"
#include "learn/outline.h"
#include "network/names.h"
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

// Writes the bound task's network with PyTorch's names.
static ohm_status write_tensors(const char *path, const ohmi_learner *learner, int t,
                                ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_network *network = learner->network;
    ohmi_task_parameters *task = network->task;
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

    char number[16], weight_bits[24], activation_bits[24];
    const ohmi_config *config = learner->config;
    (void)snprintf(number, sizeof number, "%d", t + 1);
    (void)snprintf(weight_bits, sizeof weight_bits, "%" PRId64, config->quantise.weight_bits);
    (void)snprintf(activation_bits, sizeof activation_bits, "%" PRId64,
                   config->quantise.activation_bits);
    const char *const metadata[] = {
        "format",      "pt",        "model",           network->model,  "task", number,
        "weight_bits", weight_bits, "activation_bits", activation_bits, NULL};
    OHM_TRY(ohmi_tensors_save(path, views, n, metadata, err));

done:
    ohmi_free(views);
    ohmi_free(zeros);
    return status;
}

// A learner with the run's weights, on an outline of its tasks: no data set is needed.
static ohm_status open_run(ohmi_learner **learner, ohmi_tasks **tasks, ohm_config **config,
                           ohmi_config *values, const char *run_folder, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_tensors *checkpoint = NULL;
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/config.yaml", run_folder);
    OHM_TRY(ohm_config_new(config, err));
    OHM_TRY(ohm_config_load(*config, path, err));
    OHM_TRY(ohm_config_check(*config, err));
    *values = *ohmi_config_values(*config);
    values->train.batch = 1; // nothing is run
    (void)snprintf(path, sizeof path, "%s/checkpoints/last.safetensors", run_folder);
    OHM_TRY(ohmi_tensors_open(&checkpoint, path, err));
    OHM_TRY(ohmi_outline_read(tasks, values, checkpoint, err));
    OHM_TRY(ohmi_learner_new(learner, values, *tasks, "reference", false, err));
    OHM_TRY(ohmi_checkpoint_load(*learner, path, false, err));
done:
    if (status == OHM_ERR_FORMAT && err && !err->path[0]) {
        ohmi_place(err, path, 0, 0);
    }
    ohmi_tensors_close(&checkpoint);
    return status;
}

ohm_status ohm_export(const char *path, const char *run_folder, const ohm_export_def *def,
                      ohm_error *err) {
    ohm_status status = OHM_OK;
    ohm_config *config = NULL;
    ohmi_tasks *tasks = NULL;
    ohmi_learner *learner = NULL;
    ohmi_config *values = ohmi_alloc(1, sizeof *values);
    ohmi_c_locale locale = ohmi_c_locale_enter();
    if (!values) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a config");
        goto done;
    }
    OHM_TRY(open_run(&learner, &tasks, &config, values, run_folder, err));
    const int n_learned = (int)learner->position.task;
    if (def->task < 0 || def->task >= n_learned) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "task %d is not learned yet, %d of %d tasks are",
                           def->task + 1, n_learned, learner->n_tasks);
        goto done;
    }
    if (values->method.growth == OHMI_GROWTH_DENSE && def->task != n_learned - 1) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT,
                           "method 'dense' keeps the weights of its last task only, which is %d",
                           n_learned);
        goto done;
    }
    ohmi_learner_activate(learner, def->task, learner->is_quantised);
    make_real(learner->network);
    OHM_TRY(write_tensors(path, learner, def->task, err));

done:
    ohmi_learner_free(&learner);
    ohmi_tasks_free(&tasks);
    ohm_config_free(&config);
    ohmi_free(values);
    ohmi_c_locale_leave(&locale);
    return status;
}
