// SPDX-License-Identifier: Apache-2.0
// Leaving out columns of a run, pricing and measuring what is left; see levels.h.
#include "harvest/levels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "learn/checkpoint.h"
#include "learn/evaluate.h"

// a run opened with its images
typedef struct {
    ohm_config *config;
    ohmi_tasks *tasks;
    ohmi_learner *learner;
    int task;
    float **score;   // (n_layers) of columns, -1 = off           (n_units)
    int64_t *n_on;   // (n_layers) columns that the task has on
    uint8_t *chosen; // scratch                                   (most units)
    float *codes;    // scratch                                   (most weights)
    int64_t columns_on;
} subject;

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the levels of a run");
}

static ohm_status open_run(subject *s, const char *folder, const ohmi_config *config,
                           const char *data_folder, const char *backend, ohm_error *err) {
    ohm_status status = OHM_OK;
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/config.yaml", folder);
    OHM_TRY(ohm_config_new(&s->config, err));
    OHM_TRY(ohm_config_load(s->config, path, err));
    OHM_TRY(ohm_config_check(s->config, err));
    const ohmi_config *values = &s->config->values;
    if (values->method.unit != OHMI_UNIT_COLUMN) {
        status =
            ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                      "'adaptive' leaves out columns, but '%s' was learned with masks of other "
                      "units",
                      folder);
        goto done;
    }
    OHM_TRY(ohmi_tasks_load(&s->tasks, values, data_folder, err));
    OHM_TRY(ohmi_learner_new(&s->learner, values, s->tasks, backend, false, err));
    (void)snprintf(path, sizeof path, "%s/checkpoints/last.safetensors", folder);
    OHM_TRY(ohmi_checkpoint_load(s->learner, path, false, err));
    if (s->learner->traits->has_copies) {
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                           "'adaptive' leaves out columns, but tasks of '%s' have weights of their "
                           "own",
                           folder);
        goto done;
    }
    const ohmi_opened run = {.learner = s->learner};
    OHM_TRY(ohmi_machine_task(&s->task, &run, config, err));
done:
    return status;
}

static void close_run(subject *s) {
    const int n_layers = s->learner ? s->learner->network->n_layers : 0;
    for (int l = 0; s->score && l < n_layers; l++) {
        ohmi_free(s->score[l]);
    }
    ohmi_free(s->score);
    ohmi_free(s->n_on);
    ohmi_free(s->chosen);
    ohmi_free(s->codes);
    ohmi_learner_free(&s->learner);
    ohmi_tasks_free(&s->tasks);
    ohm_config_free(&s->config);
}

// scores of all columns that the task has on
static ohm_status score_columns(subject *s, ohm_error *err) {
    const ohmi_learner *learner = s->learner;
    const int n_layers = learner->network->n_layers;
    int64_t most_units = 1, most_weights = 1;
    for (int l = 0; l < n_layers; l++) {
        const ohmi_layout *layout = &learner->units[l].layout;
        most_units = layout->n_units > most_units ? layout->n_units : most_units;
        most_weights =
            layout->k * layout->run > most_weights ? layout->k * layout->run : most_weights;
    }
    s->score = ohmi_alloc((size_t)n_layers, sizeof *s->score);
    s->n_on = ohmi_alloc((size_t)n_layers, sizeof *s->n_on);
    s->chosen = ohmi_alloc((size_t)most_units, 1);
    s->codes = ohmi_alloc((size_t)most_weights, sizeof *s->codes);
    if (!s->score || !s->n_on || !s->chosen || !s->codes) {
        return no_memory(err);
    }
    for (int l = 0; l < n_layers; l++) {
        const ohmi_layout *layout = &learner->units[l].layout;
        const ohmi_layer *layer = &learner->network->layers[l];
        const uint8_t *bits = learner->learned[s->task].bits[l];
        s->score[l] = ohmi_alloc((size_t)layout->n_units, sizeof *s->score[l]);
        if (!s->score[l]) {
            return no_memory(err);
        }
        ohmi_grid_round_weights(s->codes, layer->w, layer->n_weights, learner->units[l].lsb,
                                &learner->weight_grid);
        for (int64_t u = 0; u < layout->n_units; u++) {
            const uint8_t code = ohmi_levels_code(&learner->levels, bits, u);
            const float *w = s->codes + ohmi_layout_offset(layout, u);
            float sum = 0; // whole numbers: exact
            for (int64_t i = 0; i < ohmi_layout_length(layout, u); i++) {
                sum += fabsf(w[i]);
            }
            s->score[l][u] = code > 0 ? learner->levels.factor[code] * sum : -1;
            s->n_on[l] += code > 0;
        }
    }
    return OHM_OK;
}

// leaves the best columns of each layer in the task's mask
static void leave(subject *s, double part) {
    const ohmi_learner *learner = s->learner;
    const ohmi_levels *levels = &learner->levels;
    s->columns_on = 0;
    for (int l = 0; l < learner->network->n_layers; l++) {
        const ohmi_units *units = &learner->units[l];
        const int64_t n_units = units->layout.n_units;
        uint8_t *bits = learner->learned[s->task].bits[l];
        // a part of them, rounded up but for what rounding of the part itself gives
        const int64_t n = (int64_t)ceil(part * (double)s->n_on[l] * (1 - 1e-12));
        ohmi_choose_largest(s->chosen, s->score[l], n_units, n);
        for (int64_t u = 0; u < n_units; u++) {
            s->columns_on += s->chosen[u];
            // codes of those left out become 0, bit by bit
            for (int64_t b = u * levels->bits; !s->chosen[u] && b < (u + 1) * levels->bits; b++) {
                bits[b / 8] = (uint8_t)(bits[b / 8] & ~(1u << (b % 8)));
            }
        }
    }
}

// Batch norm's means and variances with the columns that are left: the mean over training batches,
// without augmentation.
static ohm_status take_statistics(subject *s, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_config *config = s->learner->config;
    ohmi_loader *loader = NULL;
    ohmi_batch batch;
    const ohmi_loader_def def = {
        .seed = config->seed,
        .batch = s->learner->network->batch,
        .shuffle = true,
        .input_step = ohmi_input_step(config),
        .input_max = (float)((1 << (config->quantise.input_bits - 1)) - 1),
    };
    ohmi_learner_activate(s->learner, s->task, true);
    OHM_TRY(ohmi_loader_new(&loader, s->tasks, &def, err));
    ohmi_loader_start(loader, s->task, &s->tasks->task[s->task].train, 0, 0);
    for (int i = 0; i < OHMI_LEVEL_BATCHES; i++) {
        ohmi_loader_next(loader, &batch);
        if (batch.n == 0) {
            break;
        }
        // a momentum of 1 / (i + 1) makes the running values the mean so far
        ohmi_network_forward(s->learner->network, batch.x, batch.n, OHMI_MODE_TRAIN,
                             1.0f / (float)(i + 1));
    }
done:
    ohmi_loader_free(&loader);
    return status;
}

// the accuracy with the columns that are left
static ohm_status measure(ohmi_level *level, subject *s, int64_t n_images, ohm_error *err) {
    ohmi_evaluation e;
    ohmi_images images = s->tasks->task[s->task].test;
    images.n = n_images > 0 && n_images < images.n ? n_images : images.n;
    ohmi_learner_activate(s->learner, s->task, true);
    const ohm_status status =
        ohmi_measure_images(&e, s->learner, s->task, &images, true, NULL, err);
    level->accuracy = e.accuracy;
    level->n_images = images.n;
    return status;
}

static int by_power(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

// the hulls over all levels: of each layer the points of all of them
static ohm_status join_hulls(ohmi_level_set *set, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int n_layers = set->level[0].machine->n_layers;
    set->any = ohmi_alloc((size_t)n_layers, sizeof *set->any);
    if (!set->any) {
        return no_memory(err);
    }
    for (int l = 0; l < n_layers; l++) {
        const ohmi_hull *hulls[OHMI_MOST_LEVELS];
        for (int v = 0; v < set->n; v++) {
            hulls[v] = &set->level[v].modes[l].hull;
        }
        OHM_TRY(ohmi_hull_join(&set->any[l].hull, hulls, set->n, err));
    }
done:
    return status;
}

void ohmi_level_set_free(ohmi_level_set **set) {
    if (!set || !*set) {
        return;
    }
    ohmi_level_set *s = *set;
    const int n_layers = s->level[0].machine ? s->level[0].machine->n_layers : 0;
    ohmi_modes_free(&s->any, n_layers);
    for (int v = 0; v < s->n; v++) {
        ohmi_modes_free(&s->level[v].modes, n_layers);
        ohmi_machine_free(&s->level[v].machine);
    }
    ohmi_free(s);
    *set = NULL;
}

ohm_status ohmi_level_set_new(ohmi_level_set **out, const char *folder, const ohmi_config *config,
                              const ohm_hardware *hardware, const char *data_folder,
                              const char *backend, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_numbers *parts = &config->harvest.levels;
    subject s = {0};
    ohmi_level_set *set = ohmi_alloc(1, sizeof *set);
    *out = NULL;
    if (!set) {
        status = no_memory(err);
        goto done;
    }
    OHM_TRY(open_run(&s, folder, config, data_folder, backend, err));
    OHM_TRY(score_columns(&s, err));
    for (int v = 0; v < parts->n; v++) {
        ohmi_level *level = &set->level[v];
        set->n = v + 1;
        leave(&s, parts->v[v]);
        level->part = parts->v[v];
        level->columns_on = s.columns_on;
        OHM_TRY(
            ohmi_machine_of_run(&level->machine, folder, s.learner, s.task, config, hardware, err));
        OHM_TRY(ohmi_modes_new(&level->modes, level->machine, err));
        if (v > 0) {
            OHM_TRY(take_statistics(&s, err));
        }
        OHM_TRY(measure(level, &s, config->harvest.level_images, err));
    }
    OHM_TRY(join_hulls(set, err));
    *out = set;
    set = NULL;
done:
    ohmi_level_set_free(&set);
    close_run(&s);
    return status;
}

double ohmi_image_s(const ohmi_machine *machine, const ohmi_layer_modes *modes, double power_w) {
    double image_s = 0;
    for (int l = 0; l < machine->n_layers; l++) {
        const ohmi_front *front = &modes[l].copied;
        const int at = ohmi_front_at(front, power_w - machine->base_w);
        image_s += at >= 0 ? front->modes[at].layer_s : INFINITY;
    }
    return image_s;
}

ohm_status ohmi_level_powers(double *from_w, const ohmi_level_set *set, double limit_s,
                             ohm_error *err) {
    const ohmi_machine *machine = set->level[0].machine;
    for (int v = 0; v < set->n; v++) {
        // the time changes at the powers of modes only
        const ohmi_layer_modes *modes = set->level[v].modes;
        int64_t n = 0;
        for (int l = 0; l < machine->n_layers; l++) {
            n += modes[l].copied.n;
        }
        double *powers_w = ohmi_alloc((size_t)n, sizeof *powers_w);
        if (!powers_w) {
            return no_memory(err);
        }
        n = 0;
        for (int l = 0; l < machine->n_layers; l++) {
            for (int i = 0; i < modes[l].copied.n; i++) {
                // a rounding error more, so that what is left of it is enough for the mode
                powers_w[n++] = (machine->base_w + modes[l].copied.power_w[i]) * (1 + 1e-12);
            }
        }
        qsort(powers_w, (size_t)n, sizeof *powers_w, by_power);
        // the least of them with which the time is short enough
        int64_t low = 0, high = n;
        while (low < high) {
            const int64_t middle = low + (high - low) / 2;
            const double image_s = ohmi_image_s(set->level[v].machine, modes, powers_w[middle]);
            if (isfinite(image_s) && image_s <= limit_s) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        from_w[v] = low < n ? powers_w[low] : INFINITY;
        ohmi_free(powers_w);
    }
    return OHM_OK;
}
