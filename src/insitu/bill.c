// SPDX-License-Identifier: Apache-2.0
// cost.json of a training on crossbars: the keys of `ohmwise cost` that training has too, in the
// same units. Inference has none here: `ohmwise cost` of the run prices that, and then writes a
// cost.json of its own.
//
// What a task took is the sum of its rows in metrics.csv (step,epoch,task,split,name,value,unit):
//
//     energy = sum of pulses x write energy x copies of weights' arrays + sum of reads x read
//     energy
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/fields.h"
#include "config/values.h"
#include "insitu/results.h"

// What a task took.
typedef struct {
    double write_j, read_j, cells, pulses, rows_left;
} sums;

typedef struct {
    const ohmi_config *config;
    const json_t *layers; // of the training
    sums *tasks;          // (n_tasks)
    size_t n_tasks;
} reader;

static double copies_of(const json_t *layers, const char *name) {
    const json_t *layer;
    size_t i;
    json_array_foreach(layers, i, layer) {
        const char *own = json_string_value(json_object_get(layer, "name"));
        if (own && strcmp(own, name) == 0) {
            return json_number_value(json_object_get(layer, "copies"));
        }
    }
    return 1;
}

static void add_row(void *context, long task, const char *split, const char *name, double value) {
    static const char layer_split[] = "insitu:";
    const reader *r = context;
    if (task < 1 || (size_t)task > r->n_tasks ||
        strncmp(split, layer_split, strlen(layer_split)) != 0) {
        return;
    }
    sums *s = &r->tasks[task - 1];
    const bool is_weight = strcmp(name, "pulses_weight") == 0;
    const bool is_transposed = strcmp(name, "pulses_transposed") == 0;
    if (strncmp(name, "pulses_", 7) == 0) {
        const double copies =
            is_weight || is_transposed ? copies_of(r->layers, split + strlen(layer_split)) : 1;
        s->pulses += value;
        s->write_j += value * copies * r->config->machine.write_j;
    } else if (strncmp(name, "writes_", 7) == 0) {
        s->cells += value;
    } else if (strcmp(name, "reads") == 0) {
        s->read_j += value * r->config->machine.read_j;
    } else if (strcmp(name, "rows_left") == 0) {
        s->rows_left += value;
    }
}

static void set(json_t *object, const char *key, json_t *value) {
    (void)json_object_set_new(object, key, value);
}

static json_t *programming(const reader *r, const json_t *tasks) {
    json_t *list = json_array(), *task;
    size_t t;
    json_array_foreach(tasks, t, task) {
        const sums *s = &r->tasks[t];
        json_t *row = json_object();
        set(row, "task", json_integer((json_int_t)t + 1));
        (void)json_object_set(row, "name", json_object_get(task, "name"));
        (void)json_object_set(row, "accuracy", json_object_get(task, "accuracy"));
        (void)json_object_set(row, "epochs", json_object_get(task, "epochs"));
        set(row, "energy_j", json_real(s->write_j + s->read_j));
        set(row, "energy_write_j", json_real(s->write_j));
        set(row, "energy_read_j", json_real(s->read_j));
        set(row, "cells_written", json_integer((json_int_t)s->cells));
        set(row, "pulses", json_integer((json_int_t)s->pulses));
        set(row, "rows_left_out", json_integer((json_int_t)s->rows_left));
        (void)json_array_append_new(list, row);
    }
    return list;
}

// every key of the sections that were priced with
static json_t *assumptions(const ohmi_config *config) {
    static const char *const sections[] = {"array.", "insitu.", "machine."};
    int n_fields;
    const ohmi_field *fields = ohmi_fields(&n_fields);
    json_t *root = json_object();
    for (int i = 0; i < n_fields; i++) {
        bool is_wanted = false;
        for (size_t s = 0; s < sizeof sections / sizeof *sections; s++) {
            is_wanted = is_wanted || strncmp(fields[i].key, sections[s], strlen(sections[s])) == 0;
        }
        if (is_wanted) {
            ohmi_text text = {0};
            ohmi_field_add_text(&text, &fields[i], config);
            set(root, fields[i].key, json_string(text.data ? text.data : ""));
            ohmi_text_clear(&text);
        }
    }
    return root;
}

// arrays of weights and their copies, and of gradients
static json_t *arrays_of(const json_t *layers, const ohmi_config *config, bool is_gradient) {
    const json_t *layer;
    size_t i;
    double n = 0;
    json_array_foreach(layers, i, layer) {
        const double copies = json_number_value(json_object_get(layer, "copies"));
        const double rows = json_number_value(json_object_get(layer, "gradient_rows"));
        const double cells = json_number_value(json_object_get(layer, "gradient_row_cells"));
        n += is_gradient ? ceil(rows / (double)config->array.rows) *
                               ceil(cells / (double)config->array.columns)
                         : copies * json_number_value(json_object_get(layer, "arrays"));
    }
    return json_integer((json_int_t)n);
}

ohm_status ohmi_insitu_bill(const char *folder, const json_t *training, const ohmi_config *config,
                            ohm_error *err) {
    ohm_status status = OHM_OK;
    char path[1024];
    (void)snprintf(path, sizeof path, "%.980s/metrics.json", folder);
    json_t *metrics = json_load_file(path, 0, NULL), *root = json_object();
    const json_t *tasks = json_object_get(metrics, "tasks");
    const json_t *layers = json_object_get(training, "layers");
    const json_t *life = json_object_get(training, "lifetime");
    char *text = NULL;
    reader r = {.config = config, .layers = layers, .n_tasks = json_array_size(tasks)};
    r.tasks = ohmi_alloc(r.n_tasks + 1, sizeof *r.tasks);
    if (!root || !r.tasks) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a bill");
        goto done;
    }
    ohmi_insitu_rows(folder, add_row, &r);
    set(root, "schema", json_integer(1));
    set(root, "kind", json_string("training"));
    set(root, "preset", json_string("machine"));
    set(root, "preset_source", json_string(ohmi_insitu_reconstruction));
    (void)json_object_set(root, "method", json_object_get(metrics, "method"));
    set(root, "arrays", arrays_of(layers, config, false));
    set(root, "arrays_gradient", arrays_of(layers, config, true));
    (void)json_object_set(root, "energy_j", json_object_get(training, "energy_j"));
    (void)json_object_set(root, "time_s", json_object_get(training, "time_s"));
    set(root, "programming", programming(&r, tasks));

    // the same words as of a chip that is programmed and switched
    json_t *wear = json_object(), *lifetime = json_object();
    const json_t *worn = json_object_get(training, "wear");
    (void)json_object_set(wear, "max_writes", json_object_get(worn, "max_writes"));
    (void)json_object_set(wear, "max_writes_weight", json_object_get(worn, "max_writes_weight"));
    (void)json_object_set(wear, "mean_writes_weight", json_object_get(worn, "mean_writes_weight"));
    set(root, "wear", wear);
    (void)json_object_set(lifetime, "seconds", json_object_get(life, "seconds"));
    (void)json_object_set(lifetime, "epochs", json_object_get(life, "epochs"));
    set(lifetime, "unlimited", json_boolean(!json_is_number(json_object_get(life, "epochs"))));
    (void)json_object_set(lifetime, "endurance_writes", json_object_get(life, "endurance_writes"));
    set(root, "lifetime", lifetime);
    set(root, "assumptions", assumptions(config));
    (void)snprintf(path, sizeof path, "%.980s/cost.json", folder);
    text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    status = text ? ohmi_write_file(path, text, strlen(text), err)
                  : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a bill");
done:
    free(text);
    ohmi_free(r.tasks);
    json_decref(root);
    json_decref(metrics);
    return status;
}
