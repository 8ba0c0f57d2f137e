// SPDX-License-Identifier: Apache-2.0
// The state of learning: memory, begin and end of a task, switching; see learner.h.
#include "learn/learner.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/thread.h"
#include "learn/adapt.h"
#include "learn/profile.h"
#include "learn/rider.h"
#include "learn/wear.h"

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
    const ohmi_grid *x = &learner->activation_grid;

    // weights at the highest level
    ohmi_grid highest = learner->weight_grid;
    highest.top *= learner->levels.factor[learner->levels.n - 1];
    for (int i = 0; i < network->n_layers; i++) {
        // the first layer has few inputs, in 8 bits, and no Winograd
        const ohmi_conv *o = &network->layers[i].shape;
        const bool is_winograd = i > 0 && o->r == 3 && o->s == 3 && o->stride == 1;
        const int64_t n_inputs = (int64_t)o->c * o->r * o->s;
        if (!(is_winograd ? ohmi_grid_is_exact(&highest, x, n_inputs)
                          : ohmi_grid_has_exact_sums(&highest, x, n_inputs))) {
            return network->layers[i].name;
        }
    }
    const bool is_exact = ohmi_grid_has_exact_sums(&head, x, network->head_inputs);
    return is_exact ? NULL : "head";
}

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the weights' owners and masks");
}

// one array of a layer, where it is wanted
typedef struct {
    void *to; // address of the pointer
    int64_t n;
    size_t size;
    bool is_wanted;
} block;

static ohm_status take_units(ohmi_units *units, const ohmi_layer *layer,
                             const ohmi_learner *learner, bool is_training, ohm_error *err) {
    const ohmi_config *config = learner->config;
    const ohmi_growth_traits *traits = learner->traits;
    const ohmi_conv *shape = &layer->shape;
    ohm_status status = OHM_OK;
    OHM_TRY(ohmi_layout_of(&units->layout, shape->k, shape->c, shape->r, shape->s, config,
                           config->method.unit, err));
    if (traits->has_copies) {
        OHM_TRY(ohmi_layout_of(&units->pes, shape->k, shape->c, shape->r, shape->s, config,
                               OHMI_UNIT_PE, err));
    }
    const int64_t n = units->layout.n_units, n_pes = units->pes.n_units;
    const int64_t n_weights = layer->n_weights;
    const bool has_power = learner->levels.n > 2 || learner->levels.is_linear;
    const bool copies = is_training && traits->has_copies;
    const bool goes_back = is_training && traits->goes_back;
    const bool is_adam = config->train.optimiser == OHMI_OPTIMISER_ADAM;
    const block blocks[] = {
        {&units->own, n, 1, true},
        {&units->on, n, 1, true},
        {&units->mask, n, sizeof(float), is_training},
        {&units->mask_mean, n, sizeof(float), is_training},
        {&units->mask_square, n, sizeof(float), is_training},
        {&units->power, n, sizeof(float), is_training && has_power},
        {&units->power_mean, n, sizeof(float), is_training && has_power},
        {&units->power_square, n, sizeof(float), is_training && has_power},
        {&units->score, n, sizeof(float), is_training},
        {&units->velocity, n_weights, sizeof(float), is_training},
        {&units->square, n_weights, sizeof(float), is_training && is_adam},
        {&units->copy_at, n_pes, sizeof(int64_t), traits->has_copies},
        {&units->chosen, n_pes, 1, copies},
        {&units->choice, n_pes, sizeof(float), copies},
        {&units->choice_mean, n_pes, sizeof(float), copies},
        {&units->choice_square, n_pes, sizeof(float), copies},
        {&units->fresh, n_weights, sizeof(float), copies},
        {&units->kept_own, n, 1, goes_back},
        {&units->kept_w, n_weights, sizeof(float), goes_back},
        {&units->kept_mask, n, sizeof(float), goes_back},
        {&units->kept_power, n, sizeof(float), goes_back && has_power},
    };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        if (blocks[i].is_wanted) {
            void *memory = ohmi_alloc((size_t)blocks[i].n, blocks[i].size);
            if (!memory) {
                status = no_memory(err);
                goto done;
            }
            memcpy(blocks[i].to, &memory, sizeof memory);
        }
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
    l->traits = ohmi_growth_traits_of(config->method.growth);
    ohmi_levels_init(&l->levels, &config->method.levels,
                     config->method.estimator == OHMI_ESTIMATOR_NEAREST);
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
    const bool goes_back = is_training && l->traits->goes_back;
    const bool has_backbone = config->method.start == OHMI_START_BACKBONE;
    if (has_backbone) {
        l->backbone_trainable = ohmi_alloc((size_t)l->network->head_offset, sizeof(float));
        l->backbone_statistics = ohmi_alloc((size_t)l->network->n_statistics, sizeof(float));
    }
    if (goes_back) {
        l->kept_trainable = ohmi_alloc((size_t)l->network->max_trainable, sizeof(float));
        l->kept_statistics = ohmi_alloc((size_t)l->network->n_statistics, sizeof(float));
    }
    if (!l->units || !l->learned || !l->matrix || !l->parameter_velocity || !l->parameter_square ||
        (goes_back && (!l->kept_trainable || !l->kept_statistics)) ||
        (has_backbone && (!l->backbone_trainable || !l->backbone_statistics))) {
        status = no_memory(err);
        goto done;
    }
    for (int i = 0; i < l->n_tasks * l->n_tasks; i++) {
        l->matrix[i] = NAN;
    }
    for (int i = 0; i < l->network->n_layers; i++) {
        OHM_TRY(take_units(&l->units[i], &l->network->layers[i], l, is_training, err));
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
        ohmi_profile_free(&u->profile);
        ohmi_free(u->spare);
        void *blocks[] = {u->own,           u->on,       u->mask,     u->mask_mean, u->mask_square,
                          u->score,         u->velocity, u->square,   u->power,     u->power_mean,
                          u->power_square,  u->copy_at,  u->chosen,   u->choice,    u->choice_mean,
                          u->choice_square, u->fresh,    u->kept_own, u->kept_w,    u->kept_mask,
                          u->kept_power};
        for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
            ohmi_free(blocks[b]);
        }
    }
    for (int t = 0; l->learned && t < l->n_tasks; t++) {
        ohmi_learned *task = &l->learned[t];
        for (int i = 0; i < n_layers; i++) {
            ohmi_free(task->bits ? task->bits[i] : NULL);
            ohmi_free(task->chosen ? task->chosen[i] : NULL);
            ohmi_free(task->copies ? task->copies[i] : NULL);
        }
        ohmi_free(task->bits);
        ohmi_free(task->chosen);
        ohmi_free(task->copies);
        ohmi_free(task->n_copies);
        ohmi_task_parameters_free(&task->parameters);
    }
    ohmi_free(l->backbone_trainable);
    ohmi_free(l->backbone_statistics);
    ohmi_free(l->kept_trainable);
    ohmi_free(l->kept_statistics);
    ohmi_free(l->units);
    ohmi_free(l->learned);
    ohmi_free(l->matrix);
    ohmi_free(l->parameter_velocity);
    ohmi_free(l->parameter_square);
    ohmi_network_free(&l->network);
    ohmi_adapt_free(&l->adapt);
    ohmi_free(l);
    *learner = NULL;
}

// which PEs a task has copies of: none yet
static ohm_status make_copies(const ohmi_learner *learner, ohmi_learned *task, ohm_error *err) {
    const int n_layers = learner->network->n_layers;
    task->chosen = ohmi_alloc((size_t)n_layers, sizeof *task->chosen);
    task->copies = ohmi_alloc((size_t)n_layers, sizeof *task->copies);
    task->n_copies = ohmi_alloc((size_t)n_layers, sizeof *task->n_copies);
    bool failed = !task->chosen || !task->copies || !task->n_copies;
    for (int i = 0; !failed && i < n_layers; i++) {
        task->chosen[i] = ohmi_alloc((size_t)(learner->units[i].pes.n_units + 7) / 8, 1);
        failed = !task->chosen[i];
    }
    return failed ? no_memory(err) : OHM_OK;
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
        const int64_t n_units = learner->units[i].layout.n_units;
        task->bits[i] = ohmi_alloc((size_t)ohmi_levels_bytes(&learner->levels, n_units), 1);
        if (!task->bits[i]) {
            status = no_memory(err);
            goto done;
        }
    }
    if (task->bits && learner->traits->has_copies) {
        OHM_TRY(make_copies(learner, task, err));
    }
    status = task->bits ? OHM_OK : no_memory(err);
done:
    return status;
}

int64_t ohmi_budget(const ohmi_config *config, const ohmi_layout *layout, int t, int n_tasks,
                    int64_t n_free, bool is_first_layer) {
    const ohmi_claim kind = ohmi_growth_traits_of(config->method.growth)->claim;
    if (kind != OHMI_CLAIM_BUDGET) {
        return kind == OHMI_CLAIM_FREE ? n_free : 0;
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
        const int64_t height = ohmi_layout_height(&units->layout, u);
        for (int64_t row = 0; row < height; row++, w += units->layout.run) {
            for (int64_t i = 0; i < length; i++) {
                square += (double)w[i] * (double)w[i];
            }
        }
        count += (double)(length * height);
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
    const ohmi_layout *layout = &units->layout;
    const double density = (double)budget / (double)layout->n_units;
    if (!is_normed(network, layer_index)) {
        return PLAIN_DEVIATION / sqrt(density);
    }
    const double fan_in =
        (double)budget * (double)layout->run / (double)layout->n_groups / (double)layout->n_blocks;
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
    ohmi_profile_weigh(units);
    ohmi_wear_weigh(units);
    ohmi_choose_largest(units->on, units->score, layout->n_units, units->budget);
    units->made_for = 0; // `on` is scratch here

    // their weights, with the deviation taken before any of them counts as owned
    const bool is_zero = learner->traits->starts_at_zero && t > 0;
    const double deviation =
        is_zero ? 0 : initial_deviation(learner->network, layer_index, units, units->budget);
    for (int64_t u = 0; u < layout->n_units; u++) {
        if (!units->on[u]) {
            continue;
        }
        units->own[u] = (uint8_t)(t + 1);
        for (int64_t row = 0; !is_zero && row < ohmi_layout_height(layout, u); row++) {
            const int64_t offset = ohmi_layout_offset(layout, u) + row * layout->run;
            for (int64_t i = 0; i < ohmi_layout_length(layout, u); i++) {
                layer->w[offset + i] =
                    (float)deviation * ohmi_rng_normal(&draw, (uint32_t)(offset + i));
            }
        }
    }
}

void ohmi_learner_rest(ohmi_learner *learner) {
    const ohmi_network *network = learner->network;
    memset(learner->parameter_velocity, 0, (size_t)network->max_trainable * sizeof(float));
    memset(learner->parameter_square, 0, (size_t)network->max_trainable * sizeof(float));
    learner->position.mask_step = 0;
    for (int i = 0; i < network->n_layers; i++) {
        ohmi_units *units = &learner->units[i];
        const size_t n = (size_t)units->layout.n_units * sizeof(float);
        const size_t n_weights = (size_t)network->layers[i].n_weights * sizeof(float);
        memset(units->velocity, 0, n_weights);
        memset(units->mask_mean, 0, n);
        memset(units->mask_square, 0, n);
        if (units->square) {
            memset(units->square, 0, n_weights);
        }
        if (units->power) {
            memset(units->power_mean, 0, n);
            memset(units->power_square, 0, n);
        }
    }
}

ohm_status ohmi_learner_begin(ohmi_learner *learner, int t, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_network *network = learner->network;
    int64_t n_chosen = 0;
    OHM_TRY(ohmi_learner_make_task(learner, t, err));
    learner->phase = (ohmi_phase_state){0};
    ohmi_learner_rest(learner);
    if (learner->backbone_trainable) {
        ohmi_task_parameters *task = learner->learned[t].parameters;
        memcpy(task->trainable, learner->backbone_trainable,
               (size_t)network->head_offset * sizeof(float));
        memcpy(task->statistics, learner->backbone_statistics,
               (size_t)network->n_statistics * sizeof(float));
    }
    for (int i = 0; i < network->n_layers; i++) {
        ohmi_units *units = &learner->units[i];
        const size_t n = (size_t)units->layout.n_units;
        if (learner->traits->is_alone) {
            // each task from scratch with every weight: nothing of the task before is kept
            memset(units->own, 0, n);
            memset(network->layers[i].w, 0, (size_t)network->layers[i].n_weights * sizeof(float));
        }
        for (size_t u = 0; u < n; u++) {
            units->mask[u] = (float)learner->config->method.mask_init;
        }
        if (units->power) {
            memset(units->power, 0, n * sizeof(float));
        }
        claim(learner, t, i);
    }

    // copies, and which they are for good where nothing is chosen
    ohmi_copies_begin(learner);
    if (learner->traits->has_copies) {
        const int64_t n = ohmi_copies_room(learner, &n_chosen);
        if (n_chosen == 0 || n_chosen == n) {
            OHM_TRY(ohmi_copies_settle(learner, t, err));
        }
    }
done:
    return status;
}

void ohmi_learner_fit_steps(ohmi_learner *learner, int t) {
    if (!learner->is_quantised || learner->backbone_trainable ||
        (t > 0 && !learner->traits->is_alone)) {
        return;
    }
    for (int i = 0; i < learner->network->n_layers; i++) {
        ohmi_units *units = &learner->units[i];
        const double rms = owned_rms(&learner->network->layers[i], units);
        units->lsb = ohmi_grid_weight_step(&learner->weight_grid, rms > 0 ? (float)rms : 1.0f);
    }
}

void ohmi_learner_fit_backbone(ohmi_learner *learner, int layer) {
    ohmi_units *units = &learner->units[layer];
    const double rms = owned_rms(&learner->network->layers[layer], units);
    units->lsb = ohmi_grid_weight_step(&learner->weight_grid, rms > 0 ? (float)rms : 1.0f);
}

void ohmi_learner_finish(ohmi_learner *learner, int t) {
    ohmi_learned *task = &learner->learned[t];
    const ohmi_levels *levels = &learner->levels;
    if (learner->rider) {
        learner->rider->freeze(learner->rider->context, learner);
    }
    task->columns_new = task->columns_on = 0;
    ohmi_learner_prepare(learner, t, false);
    for (int i = 0; i < learner->network->n_layers; i++) {
        const ohmi_units *units = &learner->units[i];
        const int64_t n = units->layout.n_units;
        memset(task->bits[i], 0, (size_t)ohmi_levels_bytes(levels, n));
        for (int64_t u = 0; u < n; u++) {
            const bool is_copied = ohmi_is_copied(units, NULL, i, u);
            const uint8_t code = is_copied ? (uint8_t)levels->one : units->on[u];
            ohmi_levels_set(levels, task->bits[i], u, code);
            task->columns_new += is_copied || units->own[u] == t + 1;
            task->columns_on += code != 0;
        }
    }
    task->epochs = learner->position.epoch;
    task->ratio = learner->phase.ratio;
    ohmi_copies_gather(learner, t);
}
