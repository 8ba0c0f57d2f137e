// SPDX-License-Identifier: Apache-2.0
// Outlines of tasks; see outline.h.
//
// A checkpoint has no image size, but each layer's number of weights, and these depend on the map
// that a linear layer flattens and on the stem that a ResNet takes. So the sizes that the config
// suggests are tried first, then all others; the first network with the checkpoint's numbers is it.
#include "learn/outline.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "data/catalogue.h"
#include "learn/learner.h"
#include "network/build.h"

enum { MOST_SIDE = 1024 };

double ohmi_outline_width(const ohmi_config *config) {
    return config->network.expand_rule == OHMI_EXPAND_PARAMETERS ? sqrt(config->network.expand)
                                                                 : config->network.expand;
}

ohm_status ohmi_outline_new(ohmi_tasks **out, int n_tasks, const int *n_classes, int channels,
                            int height, int width, ohm_error *err) {
    ohmi_tasks *tasks = ohmi_alloc(1, sizeof *tasks);
    *out = NULL;
    if (tasks) {
        tasks->task = ohmi_alloc((size_t)n_tasks, sizeof *tasks->task);
    }
    if (!tasks || !tasks->task) {
        ohmi_free(tasks);
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for %d tasks", n_tasks);
    }
    tasks->n_tasks = n_tasks;
    tasks->channels = channels;
    tasks->height = height;
    tasks->width = width;
    for (int t = 0; t < n_tasks; t++) {
        ohmi_task *task = &tasks->task[t];
        task->n_classes = n_classes[t];
        (void)snprintf(task->name, sizeof task->name, "task %d", t + 1);
        for (int c = 0; c < channels && c < 4; c++) {
            task->deviation[c] = 1;
        }
    }
    *out = tasks;
    return OHM_OK;
}

// the number of elements of layers/NAME/w; -1 when there is none
static int64_t count_of(const ohmi_tensors *checkpoint, const char *name) {
    char text[96];
    (void)snprintf(text, sizeof text, "layers/%s/w", name);
    const ohmi_view *view = ohmi_tensors_find(checkpoint, text);
    return view ? ohmi_view_count(view) : -1;
}

// whether images of this geometry give the checkpoint's layers
static bool suits(ohmi_build *build, const ohmi_config *config, const ohmi_tensors *checkpoint,
                  int channels, int height, int width) {
    const ohmi_network_def def = {.model = config->network.model,
                                  .width = build->width,
                                  .channels = channels,
                                  .height = height,
                                  .width_pixels = width,
                                  .batch = 1};
    build->n_nodes = build->n_layers = 0;
    build->has_overflow = false;
    if (ohmi_model_build(build, &def, NULL) < 0) {
        return false;
    }
    for (int l = 0; l < build->n_layers; l++) {
        if (count_of(checkpoint, build->layers[l].name) != build->layers[l].n_weights) {
            return false;
        }
    }
    return true;
}

// finds the image size and the channels; build describes the network then
static ohm_status find_geometry(ohmi_build *build, const ohmi_config *config,
                                const ohmi_tensors *checkpoint, ohm_error *err) {
    int n_sets = 0;
    const ohm_data_set *sets = ohm_data_catalogue(&n_sets);
    char first[OHMI_TEXT];
    (void)snprintf(first, sizeof first, "%.*s", (int)strcspn(config->data.set, ","),
                   config->data.set);
    const int known = ohmi_catalogue_index(first);
    if (known >= 0 && known < n_sets && sets[known].height > 0 &&
        suits(build, config, checkpoint, sets[known].channels, sets[known].height,
              sets[known].width)) {
        return OHM_OK;
    }
    for (int channels = 1; channels <= 4; channels++) {
        const int side = (int)config->data.image_size;
        if (suits(build, config, checkpoint, channels, side, side)) {
            return OHM_OK;
        }
    }
    for (int side = 1; side <= MOST_SIDE; side++) {
        for (int channels = 1; channels <= 4; channels++) {
            if (suits(build, config, checkpoint, channels, side, side)) {
                return OHM_OK;
            }
        }
    }
    ohm_status status =
        ohmi_fail(err, OHM_ERR_FORMAT, "no image size gives a '%s' of the checkpoint's weights",
                  config->network.model);
    ohmi_hint(err, "the checkpoint is not of the config beside it, or is damaged");
    return status;
}

// task parameters before the classifier, as the network lays them out
static int64_t parameters_before_head(const ohmi_build *build, bool is_quantised) {
    int64_t n = 0;
    for (int i = 0; i < build->n_nodes; i++) {
        const ohmi_node *node = &build->nodes[i];
        if (node->kind == OHMI_NODE_NORM) {
            n += (node->has_batchnorm ? 2 : 0) * (int64_t)node->c;
            n += (node->has_bias ? 1 : 0) * (int64_t)node->c;
            n += node->is_quantised && is_quantised;
        }
    }
    return n;
}

ohm_status ohmi_outline_read(ohmi_tasks **out, const ohmi_config *config,
                             const ohmi_tensors *checkpoint, ohm_error *err) {
    ohm_status status = OHM_OK;
    int n_classes[OHMI_MAX_TASKS];
    ohmi_build *build = ohmi_alloc(1, sizeof *build);
    *out = NULL;
    if (!build) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a network");
        goto done;
    }
    build->width = ohmi_outline_width(config);
    build->batch = 1;
    OHM_TRY(find_geometry(build, config, checkpoint, err));

    // as many tasks as the matrix of accuracies has rows
    const ohmi_view *matrix = ohmi_tensors_find(checkpoint, "state/matrix");
    const int64_t count = matrix ? ohmi_view_count(matrix) : 0;
    int n_tasks = 1;
    while (n_tasks < OHMI_MAX_TASKS && (int64_t)n_tasks * n_tasks < count) {
        n_tasks++;
    }
    if ((int64_t)n_tasks * n_tasks != count) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'state/matrix' is not of 1 to %d tasks",
                           (int)OHMI_MAX_TASKS);
        goto done;
    }

    // the classifier is what a task's parameters have beside those of the layers
    const int64_t inputs = build->nodes[build->nodes[build->n_nodes - 1].input].c;
    const int64_t before = parameters_before_head(build, config->quantise.activation_bits > 0);
    for (int t = 0; t < n_tasks; t++) {
        char name[96];
        (void)snprintf(name, sizeof name, "tasks/%d/trainable", t);
        const ohmi_view *view = ohmi_tensors_find(checkpoint, name);
        const int64_t rest = view ? ohmi_view_count(view) - before : 2 * (inputs + 1);
        if (rest <= 0 || rest % (inputs + 1) != 0 || rest / (inputs + 1) > 1 << 24) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is not of a '%s'", name,
                               config->network.model);
            goto done;
        }
        n_classes[t] = (int)(rest / (inputs + 1));
    }
    const ohmi_node *image = &build->nodes[0];
    OHM_TRY(ohmi_outline_new(out, n_tasks, n_classes, image->c, image->h, image->w, err));

done:
    ohmi_free(build);
    return status;
}
