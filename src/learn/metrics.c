// SPDX-License-Identifier: Apache-2.0
// manifest.json, metrics.json, layers.csv and accuracy_matrix.csv of a run.
//
//   forgetting       = mean over the tasks that were measured again after the last one learned, so
//                      over all but that one, of (accuracy when learned - accuracy now); null when
//                      none was
//   logits_identical = whether every task gave the same test logits, bit for bit, whenever it was
//                      measured again after a later one; null when none was
//   mask_bytes, weights_new, weight_bytes, norm_bytes, head_bytes   as in account.h
//   epochs           = all that the task was trained for, over its phases and rounds
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/processor.h"
#include "base/text.h"
#include "base/thread.h"
#include "learn/account.h"
#include "learn/run_folder.h"
#include "ohmwise/system.h"

static json_t *number(double v) {
    return isfinite(v) ? json_real(v) : json_null();
}

static ohm_status write_json(const ohmi_run_folder *run, const char *name, json_t *root,
                             ohm_error *err) {
    char file[1024];
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(10)) : NULL;
    ohmi_run_file(file, run, name);
    ohm_status status = text ? ohmi_write_file(file, text, strlen(text), err)
                             : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", file);
    free(text);
    json_decref(root);
    return status;
}

static int64_t units_total(const ohmi_learner *learner) {
    int64_t n = 0;
    for (int i = 0; i < learner->network->n_layers; i++) {
        n += learner->units[i].layout.n_units;
    }
    return n;
}

ohm_status ohmi_run_write_manifest(const ohmi_run_folder *run, const ohmi_learner *learner,
                                   const char *command, ohm_error *err) {
    struct utsname machine;
    ohmi_processor processor;
    char started[32], system[256] = "unknown";
    const time_t now = time(NULL);
    struct tm broken;
    gmtime_r(&now, &broken);
    (void)strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &broken);
    if (uname(&machine) == 0) {
        (void)snprintf(system, sizeof system, "%.60s %.80s %.60s", machine.sysname, machine.release,
                       machine.machine);
    }
    ohmi_processor_read(&processor);
    const ohmi_kernels *kernels = learner->network->kernels;
    json_t *typed = command ? json_string(command) : NULL; // none when it is not UTF-8
    json_t *root = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:s, s:s, s:s, s:o}", "schema", 1,
        "version", ohm_version(), "compiler", __VERSION__, "system", system, "cpu",
        processor.name[0] ? processor.name : "unknown", "cpu_flags", processor.flags, "backend",
        kernels->name, "kernels", kernels->description, "threads", ohmi_threads(), "seed",
        (json_int_t)learner->config->seed, "dataset", learner->tasks->source, "dataset_sha256",
        learner->tasks->sha256, "started", started, "command", typed ? typed : json_string(""));
    if (root && learner->backbone_sha256[0]) {
        json_object_set_new(root, "backbone_sha256", json_string(learner->backbone_sha256));
    }
    return write_json(run, "manifest.json", root, err);
}

static json_t *task_json(const ohmi_run_folder *run, const ohmi_learner *learner, int t) {
    const ohmi_learned *l = &learner->learned[t];
    const ohmi_task *task = &learner->tasks->task[t];
    const ohmi_account a = ohmi_account_of(learner, t);
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
        "s:f}",
        "name", task->name, "accuracy", number(l->accuracy), "accuracy_float",
        number(l->accuracy_float), "accuracy_integer", number(l->accuracy_integer), "loss",
        number(l->loss), "train_seconds", number(run->train_seconds[t]), "epochs",
        (json_int_t)l->epochs, "n_classes", task->n_classes, "n_test", (json_int_t)task->test.n,
        "columns_new", (json_int_t)l->columns_new, "columns_on", (json_int_t)l->columns_on,
        "columns_total", (json_int_t)units_total(learner), "mask_bytes", (json_int_t)a.mask_bytes,
        "weights_new", (json_int_t)a.weights_new, "weight_bytes", (json_int_t)a.weight_bytes,
        "norm_bytes", (json_int_t)a.norm_bytes, "head_bytes", (json_int_t)a.head_bytes,
        "pruned_ratio", l->ratio);
}

static json_t *layer_json(const ohmi_learner *learner, int i, int n_learned) {
    const ohmi_layer *layer = &learner->network->layers[i];
    json_t *tasks = json_array();
    for (int t = 0; t < n_learned; t++) {
        int64_t n_new, n_on;
        ohmi_account_units(learner, i, t, &n_new, &n_on);
        json_array_append_new(
            tasks, json_pack("{s:I, s:I}", "new", (json_int_t)n_new, "on", (json_int_t)n_on));
    }
    const ohmi_conv *shape = &layer->shape;
    return json_pack("{s:s, s:s, s:I, s:i, s:i, s:i, s:i, s:o}", "name", layer->name, "kind",
                     shape->r == 1 && shape->h == 1 ? "linear" : "conv", "units_total",
                     (json_int_t)learner->units[i].layout.n_units, "k", shape->k, "c", shape->c,
                     "r", shape->r, "s", shape->s, "tasks", tasks);
}

// layers.csv and accuracy_matrix.csv
static ohm_status write_tables(const ohmi_run_folder *run, const ohmi_learner *learner,
                               int n_learned, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_text text = {0};
    char file[1024];
    ohmi_text_add(&text, "layer,task,units_total,units_new,units_on\n");
    for (int i = 0; i < learner->network->n_layers; i++) {
        for (int t = 0; t < n_learned; t++) {
            int64_t n_new, n_on;
            ohmi_account_units(learner, i, t, &n_new, &n_on);
            ohmi_text_printf(&text, "%s,%d,%lld,%lld,%lld\n", learner->network->layers[i].name,
                             t + 1, (long long)learner->units[i].layout.n_units, (long long)n_new,
                             (long long)n_on);
        }
    }
    ohmi_run_file(file, run, "layers.csv");
    OHM_TRY(text.failed ? ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", file)
                        : ohmi_write_file(file, text.data, text.size, err));
    ohmi_text_clear(&text);
    ohmi_text_add(&text, "after_task");
    for (int t = 0; t < learner->n_tasks; t++) {
        ohmi_text_printf(&text, ",task_%d", t + 1);
    }
    for (int row = 0; row < n_learned; row++) {
        ohmi_text_printf(&text, "\n%d", row + 1);
        for (int t = 0; t < learner->n_tasks; t++) {
            const double a = learner->matrix[row * learner->n_tasks + t];
            ohmi_text_add(&text, ",");
            if (isfinite(a)) {
                ohmi_text_printf(&text, "%.6f", a);
            }
        }
    }
    ohmi_text_add(&text, "\n");
    ohmi_run_file(file, run, "accuracy_matrix.csv");
    OHM_TRY(text.failed ? ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", file)
                        : ohmi_write_file(file, text.data, text.size, err));
done:
    ohmi_text_clear(&text);
    return status;
}

// what metrics.json says so far; a run that goes on must not forget what it found before
static bool was_identical(const ohmi_run_folder *run) {
    char file[1024];
    ohmi_run_file(file, run, "metrics.json");
    json_t *before = json_load_file(file, 0, NULL);
    const bool was = !json_is_false(json_object_get(before, "logits_identical"));
    json_decref(before);
    return was;
}

ohm_status ohmi_run_write_metrics(const ohmi_run_folder *run, const ohmi_learner *learner,
                                  bool is_identical, ohm_error *err) {
    const int n_learned = (int)learner->position.task, n = learner->n_tasks;
    json_t *tasks = json_array(), *matrix = json_array(), *layers = json_array();
    double mean = 0, forgetting = 0, seconds = 0;
    int n_measured = 0;
    bool has_later = false;
    int64_t n_parameters = 0;

    // tasks, matrix, layers
    for (int t = 0; t < n_learned; t++) {
        json_t *row = json_array();
        json_array_append_new(tasks, task_json(run, learner, t));
        for (int j = 0; j < n; j++) {
            json_array_append_new(row, number(learner->matrix[t * n + j]));
            has_later = has_later || (j < t && isfinite(learner->matrix[t * n + j]));
        }
        json_array_append_new(matrix, row);
        mean += learner->learned[t].accuracy / n_learned;
        seconds += run->train_seconds[t];
        const double now = learner->matrix[(n_learned - 1) * n + t];
        if (t < n_learned - 1 && isfinite(now)) {
            forgetting += learner->matrix[t * n + t] - now;
            n_measured++;
        }
    }
    for (int i = 0; i < learner->network->n_layers; i++) {
        n_parameters += learner->network->layers[i].n_weights;
        json_array_append_new(layers, layer_json(learner, i, n_learned));
    }
    const ohmi_method *method = ohmi_method_find(learner->config->method.preset);
    json_t *root = json_pack(
        "{s:i, s:s, s:s, s:o, s:I, s:s, s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, "
        "s:o}",
        "schema", 1, "name", learner->config->name, "method", learner->config->method.preset,
        "reconstruction",
        method && method->reconstruction ? json_string(method->reconstruction) : json_null(),
        "seed", (json_int_t)learner->config->seed, "model", learner->network->model, "dataset",
        learner->config->data.set, "quantised", (int)learner->is_quantised, "finished",
        n_learned == n, "tasks", tasks, "mean_accuracy", number(n_learned ? mean : NAN),
        "accuracy_matrix", matrix, "forgetting", number(n_measured ? forgetting / n_measured : NAN),
        "logits_identical",
        has_later ? json_boolean(is_identical && was_identical(run)) : json_null(), "parameters",
        (json_int_t)n_parameters, "columns_total", (json_int_t)units_total(learner), "layers",
        layers, "train_seconds_total", number(seconds));
    ohm_status status = OHM_OK;
    if (json_array_size(json_object_get(root, "tasks")) != (size_t)n_learned) {
        json_decref(root);
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for metrics.json");
        goto done;
    }
    OHM_TRY(write_json(run, "metrics.json", root, err));
    OHM_TRY(write_tables(run, learner, n_learned, err));
done:
    return status;
}
