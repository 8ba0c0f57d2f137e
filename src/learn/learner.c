// SPDX-License-Identifier: Apache-2.0
// The state of learning: memory, begin and end of a task, switching; see learner.h.
#include "learn/learner.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/thread.h"

// initial deviation of weights that no batch norm follows, the linear layers of a VGG: N(0, 0.01)
// as in torchvision's VGG, after which CPG's network is made; with He's the first losses are tens
// of nats and many units die
#define PLAIN_DEVIATION 0.01

float ohmi_input_step(const ohmi_config *config) {
    // images are normalised per task, so +-4 deviations hold what pixels can be (0 .. 1)
    const int64_t bits = config->quantise.input_bits;
    return config->quantise.weight_bits ? 4.0f / (float)(1 << (bits - 1)) : 1.0f;
}

static double network_width(const ohmi_config *config) {
    // CPG's "1.5x" is of the parameters: widths times the square root
    return config->network.expand_rule == OHMI_EXPAND_PARAMETERS ? sqrt(config->network.expand)
                                                                 : config->network.expand;
}

const char *ohmi_learner_inexact(const ohmi_learner *learner) {
    const ohmi_grid head = {.top = learner->head_top};
    const ohmi_network *network = learner->network;
    for (int i = 0; i < network->n_layers; i++) {
        // the first layer has few inputs, in 8 bits, and no Winograd
        const ohmi_conv *o = &network->layers[i].shape;
        const bool is_winograd = i > 0 && o->r == 3 && o->s == 3 && o->stride == 1;
        const int64_t n_inputs = (int64_t)o->c * o->r * o->s;
        const ohmi_grid *w = &learner->weight_grid, *x = &learner->activation_grid;
        if (!(is_winograd ? ohmi_grid_is_exact(w, x, n_inputs)
                          : ohmi_grid_has_exact_sums(w, x, n_inputs))) {
            return network->layers[i].name;
        }
    }
    const bool is_exact =
        ohmi_grid_has_exact_sums(&head, &learner->activation_grid, network->head_inputs);
    return is_exact ? NULL : "head";
}

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the weights' owners and masks");
}

static ohm_status take_units(ohmi_units *units, const ohmi_layer *layer, const ohmi_config *config,
                             bool is_training, ohm_error *err) {
    const ohmi_conv *shape = &layer->shape;
    ohm_status status = OHM_OK;
    OHM_TRY(ohmi_layout_cut(&units->layout, shape->k, shape->c, shape->r, shape->s,
                            config->array.rows, config->method.unit, err));
    const size_t n = (size_t)units->layout.n_units, n_weights = (size_t)layer->n_weights;
    units->own = ohmi_alloc(n, 1);
    units->on = ohmi_alloc(n, 1);
    bool failed = !units->own || !units->on;
    if (is_training) {
        float **const per_unit[] = {&units->mask, &units->mask_mean, &units->mask_square,
                                    &units->score};
        for (size_t i = 0; i < sizeof per_unit / sizeof *per_unit; i++) {
            *per_unit[i] = ohmi_alloc(n, sizeof(float));
            failed = failed || !*per_unit[i];
        }
        units->velocity = ohmi_alloc(n_weights, sizeof(float));
        failed = failed || !units->velocity;
        if (config->train.optimiser == OHMI_OPTIMISER_ADAM) {
            units->square = ohmi_alloc(n_weights, sizeof(float));
            failed = failed || !units->square;
        }
    }
    if (failed) {
        status = no_memory(err);
    }
done:
    return status;
}

// a learner of batches of n images
static ohm_status make_learner(ohmi_learner **out, const ohmi_config *config,
                               const ohmi_tasks *tasks, const char *backend, bool is_training,
                               int n_images, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_learner *l = ohmi_alloc(1, sizeof *l);
    const char *name = backend ? backend : config->backend;
    *out = NULL;
    if (!l) {
        status = no_memory(err);
        goto done;
    }
    if (tasks->n_tasks > OHMI_MAX_TASKS) {
        status = ohmi_fail(err, OHM_ERR_CONFIG, "%d tasks, at most %d are supported",
                           tasks->n_tasks, (int)OHMI_MAX_TASKS);
        goto done;
    }
    l->config = config;
    l->tasks = tasks;
    l->n_tasks = tasks->n_tasks;
    l->is_quantised = config->quantise.weight_bits > 0;
    OHM_TRY(ohmi_grid_weights(&l->weight_grid, config->quantise.weight_scheme,
                              (int)config->quantise.weight_bits, err));
    OHM_TRY(ohmi_grid_activations(&l->activation_grid, config->quantise.activation_scheme,
                                  (int)config->quantise.activation_bits, err));

    // the network for the task with most classes
    ohmi_network_def def = {.model = config->network.model,
                            .width = network_width(config),
                            .channels = tasks->channels,
                            .height = tasks->height,
                            .width_pixels = tasks->width,
                            .batch = n_images,
                            .is_training = is_training,
                            .kernels = ohmi_kernels_find(name),
                            .activation_grid = l->activation_grid,
                            .head_bits = l->is_quantised ? (int)config->quantise.head_bits : 0,
                            .input_step = ohmi_input_step(config)};
    if (!def.kernels) {
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED, "backend '%s' is not available here", name);
        ohmi_hint(err, "'ohmwise doctor' lists the backends of this machine");
        goto done;
    }
    for (int t = 0; t < tasks->n_tasks; t++) {
        def.max_classes =
            tasks->task[t].n_classes > def.max_classes ? tasks->task[t].n_classes : def.max_classes;
    }
    OHM_TRY(ohmi_network_new(&l->network, &def, err));
    l->head_top = l->network->head_top;

    // units and tasks
    l->units = ohmi_alloc((size_t)l->network->n_layers, sizeof *l->units);
    l->learned = ohmi_alloc((size_t)l->n_tasks, sizeof *l->learned);
    l->matrix = ohmi_alloc((size_t)(l->n_tasks * l->n_tasks), sizeof *l->matrix);
    l->parameter_velocity = ohmi_alloc((size_t)l->network->max_trainable, sizeof(float));
    l->parameter_square = ohmi_alloc((size_t)l->network->max_trainable, sizeof(float));
    if (!l->units || !l->learned || !l->matrix || !l->parameter_velocity || !l->parameter_square) {
        status = no_memory(err);
        goto done;
    }
    for (int i = 0; i < l->n_tasks * l->n_tasks; i++) {
        l->matrix[i] = NAN;
    }
    for (int i = 0; i < l->network->n_layers; i++) {
        OHM_TRY(take_units(&l->units[i], &l->network->layers[i], config, is_training, err));
    }
    *out = l;
    l = NULL;

done:
    ohmi_learner_free(&l);
    return status;
}

ohm_status ohmi_learner_new(ohmi_learner **out, const ohmi_config *config, const ohmi_tasks *tasks,
                            const char *backend, bool is_training, ohm_error *err) {
    return make_learner(out, config, tasks, backend, is_training, (int)config->train.batch, err);
}

ohm_status ohmi_learner_new_part(ohmi_learner **out, const ohmi_config *config,
                                 const ohmi_tasks *tasks, const ohm_communicator *parts,
                                 ohm_error *err) {
    const int batch = (int)config->train.batch, n = parts->size;
    const ohm_status status =
        make_learner(out, config, tasks, NULL, true, (batch + n - 1) / n, err);
    if (status >= 0 && n > 1) {
        (*out)->network->whole.parts = parts;
    }
    return status;
}

void ohmi_learner_free(ohmi_learner **learner) {
    ohmi_learner *l = *learner;
    if (!l) {
        return;
    }
    const int n_layers = l->network ? l->network->n_layers : 0;
    for (int i = 0; l->units && i < n_layers; i++) {
        ohmi_units *u = &l->units[i];
        void *blocks[] = {u->own,         u->on,    u->mask,     u->mask_mean,
                          u->mask_square, u->score, u->velocity, u->square};
        for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
            ohmi_free(blocks[b]);
        }
    }
    for (int t = 0; l->learned && t < l->n_tasks; t++) {
        for (int i = 0; l->learned[t].bits && i < n_layers; i++) {
            ohmi_free(l->learned[t].bits[i]);
        }
        ohmi_free(l->learned[t].bits);
        ohmi_task_parameters_free(&l->learned[t].parameters);
    }
    ohmi_free(l->units);
    ohmi_free(l->learned);
    ohmi_free(l->matrix);
    ohmi_free(l->parameter_velocity);
    ohmi_free(l->parameter_square);
    ohmi_network_free(&l->network);
    ohmi_free(l);
    *learner = NULL;
}

ohm_status ohmi_learner_make_task(ohmi_learner *learner, int t, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_learned *task = &learner->learned[t];
    const int n_layers = learner->network->n_layers;
    task->accuracy = task->accuracy_float = task->accuracy_integer = task->loss = NAN;
    OHM_TRY(ohmi_task_parameters_new(&task->parameters, learner->network,
                                     learner->tasks->task[t].n_classes,
                                     (uint64_t)learner->config->seed, t, err));
    task->bits = ohmi_alloc((size_t)n_layers, sizeof *task->bits);
    for (int i = 0; task->bits && i < n_layers; i++) {
        task->bits[i] = ohmi_alloc((size_t)(learner->units[i].layout.n_units + 7) / 8, 1);
        if (!task->bits[i]) {
            status = no_memory(err);
            goto done;
        }
    }
    status = task->bits ? OHM_OK : no_memory(err);
done:
    return status;
}

int64_t ohmi_budget(const ohmi_config *config, const ohmi_layout *layout, int t, int n_tasks,
                    int64_t n_free, bool is_first_layer) {
    if (config->method.growth == OHMI_GROWTH_DENSE) {
        return n_free;
    }
    if (is_first_layer && config->method.first_layer_dense) {
        return t == 0 ? n_free : 0;
    }
    const double density =
        t == 0 ? config->method.density_first : config->method.density_rest / (double)(n_tasks - 1);
    int64_t budget = llround(density * (double)layout->n_units);
    budget = budget < 1 ? 1 : budget;
    return budget < n_free ? budget : n_free;
}

// sum of squares of the weights a set of owners has, and their number
static double owned_rms(const ohmi_layer *layer, const ohmi_units *units) {
    double square = 0, count = 0;
    for (int64_t u = 0; u < units->layout.n_units; u++) {
        if (units->own[u] == 0) {
            continue;
        }
        const float *w = layer->w + ohmi_layout_offset(&units->layout, u);
        const int64_t length = ohmi_layout_length(&units->layout, u);
        for (int64_t i = 0; i < length; i++) {
            square += (double)w[i] * (double)w[i];
        }
        count += (double)length;
    }
    return count > 0 ? sqrt(square / count) : 0;
}

// whether batch norm follows a layer, so that the size of its weights does not matter forward
static bool is_normed(const ohmi_network *network, int layer_index) {
    for (int i = 0; i < network->n_nodes; i++) {
        const ohmi_node *node = &network->nodes[i];
        if (node->kind == OHMI_NODE_NORM && node->has_batchnorm &&
            network->nodes[node->input].layer == layer_index) {
            return true;
        }
    }
    return false;
}

// deviation of the initial weights: He's, with the fan-in counted on what is active; where no batch
// norm follows a small one, of the same variance of a sum at any density; later tasks start at the
// size of the weights that are there, which the layer's fixed step suits
static double initial_deviation(const ohmi_network *network, int layer_index,
                                const ohmi_units *units, int64_t budget) {
    const double there = owned_rms(&network->layers[layer_index], units);
    if (there > 0) {
        return there;
    }
    const double density = (double)budget / (double)units->layout.n_units;
    if (!is_normed(network, layer_index)) {
        return PLAIN_DEVIATION / sqrt(density);
    }
    const double fan_in = (double)budget * (double)units->layout.run /
                          (double)units->layout.n_groups / (double)units->layout.k;
    return sqrt(2.0 / (fan_in > 1 ? fan_in : 1));
}

static void claim(ohmi_learner *learner, int t, int layer_index) {
    ohmi_units *units = &learner->units[layer_index];
    ohmi_layer *layer = &learner->network->layers[layer_index];
    const ohmi_layout *layout = &units->layout;
    const uint64_t seed = (uint64_t)learner->config->seed;
    const ohmi_rng order = {.seed = seed,
                            .purpose = OHMI_RNG_CLAIM,
                            .task = (uint32_t)t,
                            .place = (uint32_t)layer_index};
    const ohmi_rng draw = {.seed = seed,
                           .purpose = OHMI_RNG_INIT,
                           .task = (uint32_t)t,
                           .place = (uint32_t)layer_index};

    // the free units in random order, the first `budget` of them
    int64_t n_free = 0;
    for (int64_t u = 0; u < layout->n_units; u++) {
        n_free += units->own[u] == 0;
        units->score[u] = units->own[u] ? -1.0f : ohmi_rng_uniform(&order, (uint32_t)u);
    }
    units->budget =
        ohmi_budget(learner->config, layout, t, learner->n_tasks, n_free, layer_index == 0);
    ohmi_choose_largest(units->on, units->score, layout->n_units, units->budget);
    units->made_for = 0; // `on` is scratch here

    // their weights, with the deviation taken before any of them counts as owned
    const double deviation = initial_deviation(learner->network, layer_index, units, units->budget);
    for (int64_t u = 0; u < layout->n_units; u++) {
        if (!units->on[u]) {
            continue;
        }
        units->own[u] = (uint8_t)(t + 1);
        const int64_t offset = ohmi_layout_offset(layout, u);
        for (int64_t i = 0; i < ohmi_layout_length(layout, u); i++) {
            layer->w[offset + i] =
                (float)deviation * ohmi_rng_normal(&draw, (uint32_t)(offset + i));
        }
    }
}

ohm_status ohmi_learner_begin(ohmi_learner *learner, int t, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_network *network = learner->network;
    const bool is_alone = learner->config->method.growth == OHMI_GROWTH_DENSE;
    OHM_TRY(ohmi_learner_make_task(learner, t, err));
    memset(learner->parameter_velocity, 0, (size_t)network->max_trainable * sizeof(float));
    memset(learner->parameter_square, 0, (size_t)network->max_trainable * sizeof(float));
    for (int i = 0; i < network->n_layers; i++) {
        ohmi_units *units = &learner->units[i];
        const size_t n = (size_t)units->layout.n_units,
                     n_weights = (size_t)network->layers[i].n_weights;
        if (is_alone) {
            // each task from scratch with every weight: nothing of the task before is kept
            memset(units->own, 0, n);
            memset(network->layers[i].w, 0, n_weights * sizeof(float));
        }
        memset(units->velocity, 0, n_weights * sizeof(float));
        memset(units->mask_mean, 0, n * sizeof(float));
        memset(units->mask_square, 0, n * sizeof(float));
        if (units->square) {
            memset(units->square, 0, n_weights * sizeof(float));
        }
        for (size_t u = 0; u < n; u++) {
            units->mask[u] = (float)learner->config->method.mask_init;
        }
        claim(learner, t, i);
    }
done:
    return status;
}

void ohmi_learner_fit_steps(ohmi_learner *learner, int t) {
    if (!learner->is_quantised || (t > 0 && learner->config->method.growth != OHMI_GROWTH_DENSE)) {
        return;
    }
    for (int i = 0; i < learner->network->n_layers; i++) {
        ohmi_units *units = &learner->units[i];
        const double rms = owned_rms(&learner->network->layers[i], units);
        units->lsb = ohmi_grid_weight_step(&learner->weight_grid, rms > 0 ? (float)rms : 1.0f);
    }
}

void ohmi_learner_finish(ohmi_learner *learner, int t) {
    ohmi_learned *task = &learner->learned[t];
    task->columns_new = task->columns_on = 0;
    ohmi_learner_prepare(learner, t, false);
    for (int i = 0; i < learner->network->n_layers; i++) {
        const ohmi_units *units = &learner->units[i];
        memset(task->bits[i], 0, (size_t)(units->layout.n_units + 7) / 8);
        for (int64_t u = 0; u < units->layout.n_units; u++) {
            task->bits[i][u / 8] |= (uint8_t)(units->on[u] << (u % 8));
            task->columns_new += units->own[u] == t + 1;
            task->columns_on += units->on[u];
        }
    }
}
