// SPDX-License-Identifier: Apache-2.0
// Beginning with the network of another run; see backbone.h.
#include "learn/backbone.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/sha256.h"
#include "learn/opened.h"
#include "network/trained.h"

// the same layers in the same order
static ohm_status check_layers(const ohmi_network *here, const ohmi_network *there,
                               const char *folder, ohm_error *err) {
    bool is_same = here->n_layers == there->n_layers;
    int at = 0;
    for (; is_same && at < here->n_layers; at++) {
        const ohmi_conv *a = &here->layers[at].shape, *b = &there->layers[at].shape;
        is_same = a->k == b->k && a->c == b->c && a->r == b->r && a->s == b->s;
    }
    if (is_same && here->n_statistics == there->n_statistics) {
        return OHM_OK;
    }
    ohm_status status = OHM_ERR_ARGUMENT;
    if (!is_same && at > 0) {
        const ohmi_conv *a = &here->layers[at - 1].shape, *b = &there->layers[at - 1].shape;
        status = ohmi_fail(err, OHM_ERR_ARGUMENT,
                           "layer '%s' of the backbone '%s' is %d x %d x %d x %d, here it is %d x "
                           "%d x %d x %d",
                           there->layers[at - 1].name, folder, b->k, b->c, b->r, b->s, a->k, a->c,
                           a->r, a->s);
    } else {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT,
                           "the backbone '%s' is a '%s' of %d layers, this "
                           "run a '%s' of %d",
                           folder, there->model, there->n_layers, here->model, here->n_layers);
    }
    ohmi_hint(err, "give 'network.model', 'network.expand' and 'network.expand_rule' the "
                   "backbone's values, and images of its channels and size");
    return status;
}

// batch norm, biases and clips behind each layer: without quantised activations there are no clips.
// Nodes are not compared: pools depend on the size of images, which an outline may not know
static void take_parameters(ohmi_learner *learner, const ohmi_network *there,
                            const ohmi_task_parameters *from) {
    const ohmi_network *here = learner->network;
    for (int l = 0; l < here->n_layers; l++) {
        const int to_node = ohmi_norm_of_layer(here->nodes, here->n_nodes, l);
        const int from_node = ohmi_norm_of_layer(there->nodes, there->n_nodes, l);
        if (to_node < 0 || from_node < 0) {
            continue;
        }
        const ohmi_node *a = &here->nodes[to_node], *b = &there->nodes[from_node];
        const struct {
            int64_t to, from;
            bool is_statistic;
        } parts[] = {{a->gamma, b->gamma, false},
                     {a->beta, b->beta, false},
                     {a->bias, b->bias, false},
                     {a->mean, b->mean, true},
                     {a->variance, b->variance, true}};
        for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
            if (parts[p].to >= 0 && parts[p].from >= 0) {
                float *to = parts[p].is_statistic ? learner->backbone_statistics
                                                  : learner->backbone_trainable;
                const float *source = parts[p].is_statistic ? from->statistics : from->trainable;
                memcpy(to + parts[p].to, source + parts[p].from, (size_t)a->c * sizeof *to);
            }
        }
        if (a->clip >= 0) {
            // 0 = found in the first step
            learner->backbone_trainable[a->clip] = b->clip >= 0 ? from->trainable[b->clip] : 0;
        }
    }
}

// whether weight i of a layer is on in the backbone's task
static bool is_on(const ohmi_opened *run, int layer, int t, int64_t i) {
    const ohmi_units *units = &run->learner->units[layer];
    const ohmi_learned *task = &run->learner->learned[t];
    const int64_t u = ohmi_layout_unit_at(&units->layout, i);
    return ohmi_levels_code(&run->learner->levels, task->bits[layer], u) != 0;
}

// weights, owners and step of a layer
static void take_layer(ohmi_learner *learner, const ohmi_opened *run, int layer, int t) {
    const ohmi_layer *from = &run->learner->network->layers[layer];
    ohmi_layer *to = &learner->network->layers[layer];
    ohmi_units *units = &learner->units[layer];
    const ohmi_config *here = learner->config, *there = run->values;
    for (int64_t i = 0; i < to->n_weights; i++) {
        to->w[i] = from->w_eff[i] * from->step;
        if (is_on(run, layer, t, i)) {
            units->own[ohmi_layout_unit_at(&units->layout, i)] = OHMI_OWN_BACKBONE;
        }
    }
    const bool is_same_grid = there->quantise.weight_bits == here->quantise.weight_bits &&
                              there->quantise.weight_scheme == here->quantise.weight_scheme;
    if (is_same_grid) {
        units->lsb = run->learner->units[layer].lsb;
    } else if (learner->is_quantised) {
        ohmi_learner_fit_backbone(learner, layer);
    }
}

static bool is_same_folder(const char *a, const char *b) {
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

ohm_status ohmi_backbone_read(ohmi_learner *learner, const char *run_folder, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_opened run = {0};
    const ohmi_config *config = learner->config;
    const char *folder = config->method.backbone;
    char path[1024];
    if (is_same_folder(folder, run_folder)) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT,
                           "the backbone '%s' is the folder of this run itself", folder);
        ohmi_hint(err, "name another folder with --out");
        goto done;
    }
    OHM_TRY(ohmi_opened_open(&run, folder, 1, "reference", err)); // nothing is run
    const int n_learned = (int)run.learner->position.task;
    if (n_learned == 0) {
        status =
            ohmi_fail(err, OHM_ERR_ARGUMENT, "the backbone '%s' has learned no task yet", folder);
        goto done;
    }
    const int t =
        config->method.backbone_task > 0 ? (int)config->method.backbone_task - 1 : n_learned - 1;
    OHM_TRY(ohmi_opened_check_task(&run, t, err));
    OHM_TRY(check_layers(learner->network, run.learner->network, folder, err));
    (void)snprintf(path, sizeof path, "%s/checkpoints/last.safetensors", folder);
    OHM_TRY(ohmi_sha256_file(learner->backbone_sha256, path, err));

    // its weights without rounding, and what its task had beside them
    ohmi_learner_reveal(run.learner, t);
    int64_t n_free = 0;
    for (int i = 0; i < learner->network->n_layers; i++) {
        take_layer(learner, &run, i, t);
        for (int64_t u = 0; u < learner->units[i].layout.n_units; u++) {
            n_free += learner->units[i].own[u] == 0;
        }
    }
    take_parameters(learner, run.learner->network, run.learner->learned[t].parameters);
    if (learner->traits->claim != OHMI_CLAIM_NONE && n_free == 0) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT,
                           "the backbone '%s' has no free unit, but this 'method.growth' takes its "
                           "new weights from there",
                           folder);
        ohmi_hint(err, "use growth none, all or choose, or a backbone that was pruned or sparse");
        goto done;
    }
done:
    ohmi_opened_close(&run);
    return status;
}
