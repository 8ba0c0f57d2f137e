// SPDX-License-Identifier: Apache-2.0
// Reading the files of a run folder: metrics.json, manifest.json, config.yaml, log.txt. The curves
// of metrics.csv are read in curves.c.
#include "report/run_files.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "report/curves.h"

#define LIMIT_JSON ((size_t)64 << 20)
#define LIMIT_TEXT ((size_t)16 << 20)
#define LIMIT_CSV ((size_t)512 << 20)
#define MAX_TASKS 1000
#define MAX_LAYERS 10000

// The place in metrics.json that is being read, for messages.
typedef struct {
    const char *path;
    ohm_error *err;
} reader;

static ohm_status broken(const reader *in, const char *where, const char *key, const char *wanted) {
    const ohm_status status =
        ohmi_fail(in->err, OHM_ERR_FORMAT, "'%s%s' must be %s", where, key, wanted);
    ohmi_hint(in->err, "metrics.json is written by a run; restore it or run the last task again");
    ohmi_place(in->err, in->path, 0, 0);
    return status;
}

// Looks up a member; null counts as absent. Returns OHM_OK with *out NULL when it is not there.
static ohm_status member(json_t **out, const reader *in, const json_t *object, const char *where,
                         const char *key, bool required, const char *wanted) {
    json_t *value = json_object_get(object, key);
    *out = json_is_null(value) ? NULL : value;
    if (required && *out == NULL) {
        return broken(in, where, key, wanted);
    }
    return OHM_OK;
}

static ohm_status read_number(double *out, const reader *in, const json_t *object,
                              const char *where, const char *key) {
    json_t *value = NULL;
    ohm_status status = member(&value, in, object, where, key, false, "a number");
    *out = NAN;
    if (status == OHM_OK && value != NULL) {
        if (!json_is_number(value)) {
            return broken(in, where, key, "a number or null");
        }
        *out = json_number_value(value);
    }
    return status;
}

static ohm_status read_count(int64_t *out, const reader *in, const json_t *object,
                             const char *where, const char *key) {
    double value = NAN;
    const ohm_status status = read_number(&value, in, object, where, key);
    *out = -1;
    if (status == OHM_OK && !isnan(value)) {
        if (!(value >= 0.0) || value > 9.0e15) {
            return broken(in, where, key, "a number of at least 0");
        }
        *out = (int64_t)value;
    }
    return status;
}

static ohm_status read_string(const char **out, const reader *in, const json_t *object,
                              const char *where, const char *key, bool required) {
    json_t *value = NULL;
    ohm_status status = member(&value, in, object, where, key, required, "a string");
    *out = "";
    if (status == OHM_OK && value != NULL) {
        if (!json_is_string(value)) {
            return broken(in, where, key, "a string");
        }
        *out = json_string_value(value);
    }
    return status;
}

// Reads true or false; `absent` when it is not there.
static ohm_status read_flag(int *out, const reader *in, const json_t *object, const char *key,
                            int absent) {
    json_t *value = NULL;
    ohm_status status = member(&value, in, object, "", key, false, "true or false");
    *out = absent;
    if (status == OHM_OK && value != NULL) {
        if (!json_is_boolean(value)) {
            return broken(in, "", key, "true or false");
        }
        *out = json_is_true(value) ? 1 : 0;
    }
    return status;
}

static ohm_status read_task(ohmi_run_task *task, const reader *in, const json_t *object, int i) {
    ohm_status status = OHM_OK;
    char where[64];
    snprintf(where, sizeof where, "tasks[%d].", i);
    if (!json_is_object(object)) {
        snprintf(where, sizeof where, "tasks[%d]", i);
        return broken(in, where, "", "an object");
    }
    OHM_TRY(read_string(&task->name, in, object, where, "name", true));
    OHM_TRY(read_number(&task->accuracy, in, object, where, "accuracy"));
    OHM_TRY(read_number(&task->accuracy_float, in, object, where, "accuracy_float"));
    OHM_TRY(read_number(&task->accuracy_integer, in, object, where, "accuracy_integer"));
    OHM_TRY(read_number(&task->train_seconds, in, object, where, "train_seconds"));
    OHM_TRY(read_number(&task->loss, in, object, where, "loss"));
    OHM_TRY(read_count(&task->epochs, in, object, where, "epochs"));
    OHM_TRY(read_count(&task->n_classes, in, object, where, "n_classes"));
    OHM_TRY(read_count(&task->n_test, in, object, where, "n_test"));
    OHM_TRY(read_count(&task->columns_new, in, object, where, "columns_new"));
    OHM_TRY(read_count(&task->columns_on, in, object, where, "columns_on"));
    OHM_TRY(read_count(&task->columns_total, in, object, where, "columns_total"));
    OHM_TRY(read_count(&task->mask_bytes, in, object, where, "mask_bytes"));
    // null = not measured, as of a network that was imported
    if (json_object_get(object, "accuracy") == NULL) {
        return broken(in, where, "accuracy", "a number or null");
    }
done:
    return status;
}

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the report");
}

static ohm_status read_tasks(ohmi_run *run, const reader *in) {
    ohm_status status = OHM_OK;
    const json_t *list = json_object_get(run->metrics, "tasks");
    if (!json_is_array(list) || json_array_size(list) > MAX_TASKS) {
        return broken(in, "", "tasks", "an array of at most 1000 tasks");
    }
    run->n_tasks = (int)json_array_size(list);
    run->tasks = ohmi_alloc((size_t)run->n_tasks, sizeof *run->tasks);
    run->curves = ohmi_alloc((size_t)run->n_tasks, sizeof *run->curves);
    if (run->tasks == NULL || run->curves == NULL) {
        return no_memory(in->err);
    }
    for (int i = 0; i < run->n_tasks; ++i) {
        OHM_TRY(read_task(&run->tasks[i], in, json_array_get(list, (size_t)i), i));
    }
done:
    return status;
}

static ohm_status read_matrix(ohmi_run *run, const reader *in) {
    const json_t *list = json_object_get(run->metrics, "accuracy_matrix");
    if (list == NULL || json_is_null(list)) {
        return OHM_OK;
    }
    if (!json_is_array(list) || json_array_size(list) > (size_t)run->n_tasks) {
        return broken(in, "", "accuracy_matrix", "an array with at most one row a task");
    }

    // the widest row decides; shorter rows end in cells that were not measured
    const int n_rows = (int)json_array_size(list);
    for (int i = 0; i < n_rows; ++i) {
        const json_t *row = json_array_get(list, (size_t)i);
        if (!json_is_array(row) || json_array_size(row) > MAX_TASKS) {
            return broken(in, "", "accuracy_matrix", "an array of arrays of at most 1000 numbers");
        }
        if ((int)json_array_size(row) > run->n_columns) {
            run->n_columns = (int)json_array_size(row);
        }
    }
    const size_t n_cells = (size_t)run->n_tasks * (size_t)run->n_columns;
    run->matrix = ohmi_alloc(n_cells, sizeof *run->matrix);
    if (run->matrix == NULL) {
        return no_memory(in->err);
    }
    for (size_t i = 0; i < n_cells; ++i) {
        run->matrix[i] = NAN;
    }
    for (int i = 0; i < n_rows; ++i) {
        const json_t *row = json_array_get(list, (size_t)i);
        for (int j = 0; j < (int)json_array_size(row); ++j) {
            const json_t *cell = json_array_get(row, (size_t)j);
            if (json_is_number(cell)) {
                run->matrix[i * run->n_columns + j] = json_number_value(cell);
                run->has_later = run->has_later || j < i;
            } else if (!json_is_null(cell)) {
                return broken(in, "", "accuracy_matrix", "made of numbers and null");
            }
        }
    }
    return OHM_OK;
}

static ohm_status read_layer(ohmi_run_layer *layer, const reader *in, const json_t *object, int i,
                             int n_tasks) {
    ohm_status status = OHM_OK;
    char where[96];
    snprintf(where, sizeof where, "layers[%d].", i);
    OHM_TRY(read_string(&layer->name, in, object, where, "name", true));
    OHM_TRY(read_string(&layer->kind, in, object, where, "kind", false));
    OHM_TRY(read_count(&layer->units_total, in, object, where, "units_total"));
    OHM_TRY(read_count(&layer->k, in, object, where, "k"));
    OHM_TRY(read_count(&layer->c, in, object, where, "c"));
    OHM_TRY(read_count(&layer->r, in, object, where, "r"));
    OHM_TRY(read_count(&layer->s, in, object, where, "s"));

    // one entry a learned task
    const json_t *list = json_object_get(object, "tasks");
    if (!json_is_array(list) || json_array_size(list) != (size_t)n_tasks) {
        return broken(in, where, "tasks", "an array with one entry a task");
    }
    layer->units_new = ohmi_alloc((size_t)n_tasks, sizeof *layer->units_new);
    layer->units_on = ohmi_alloc((size_t)n_tasks, sizeof *layer->units_on);
    if (layer->units_new == NULL || layer->units_on == NULL) {
        return no_memory(in->err);
    }
    for (int task = 0; task < n_tasks; ++task) {
        const json_t *entry = json_array_get(list, (size_t)task);
        snprintf(where, sizeof where, "layers[%d].tasks[%d].", i, task);
        OHM_TRY(read_count(&layer->units_new[task], in, entry, where, "new"));
        OHM_TRY(read_count(&layer->units_on[task], in, entry, where, "on"));
    }
done:
    return status;
}

static ohm_status read_layers(ohmi_run *run, const reader *in) {
    ohm_status status = OHM_OK;
    const json_t *list = json_object_get(run->metrics, "layers");
    if (list == NULL || json_is_null(list)) {
        return OHM_OK;
    }
    if (!json_is_array(list) || json_array_size(list) > MAX_LAYERS) {
        return broken(in, "", "layers", "an array of at most 10000 layers");
    }
    run->layers = ohmi_alloc(json_array_size(list), sizeof *run->layers);
    if (run->layers == NULL) {
        return no_memory(in->err);
    }
    run->n_layers = (int)json_array_size(list);
    for (int i = 0; i < run->n_layers; ++i) {
        OHM_TRY(read_layer(&run->layers[i], in, json_array_get(list, (size_t)i), i, run->n_tasks));
    }
done:
    return status;
}

ohm_status ohmi_run_read_metrics(ohmi_run *run, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    const reader in = {path, err};
    char *bytes = NULL;
    size_t size = 0;
    int flag = 0;

    OHM_TRY(ohmi_read_file(&bytes, &size, path, LIMIT_JSON, err));
    json_error_t place;
    run->metrics = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &place);
    if (run->metrics == NULL) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "not valid JSON: %s", place.text);
        ohmi_hint(err, "metrics.json is written by a run; restore it or run the last task again");
        ohmi_place(err, path, place.line, place.column);
        goto done;
    }
    int64_t schema = 0;
    if (!json_is_object(run->metrics)) {
        status = broken(&in, "metrics", "", "an object");
        goto done;
    }
    OHM_TRY(read_count(&schema, &in, run->metrics, "", "schema"));
    if (schema != 1) {
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED, "'schema' of the metrics must be 1");
        ohmi_hint(err, "the run was written by another version of Ohmwise");
        ohmi_place(err, path, 0, 0);
        goto done;
    }

    // the run as a whole
    OHM_TRY(read_string(&run->name, &in, run->metrics, "", "name", true));
    OHM_TRY(read_string(&run->method, &in, run->metrics, "", "method", false));
    OHM_TRY(read_string(&run->reconstruction, &in, run->metrics, "", "reconstruction", false));
    OHM_TRY(read_string(&run->model, &in, run->metrics, "", "model", false));
    OHM_TRY(read_string(&run->dataset, &in, run->metrics, "", "dataset", false));
    OHM_TRY(read_count(&run->seed, &in, run->metrics, "", "seed"));
    OHM_TRY(read_count(&run->parameters, &in, run->metrics, "", "parameters"));
    OHM_TRY(read_count(&run->columns_total, &in, run->metrics, "", "columns_total"));
    OHM_TRY(read_number(&run->mean_accuracy, &in, run->metrics, "", "mean_accuracy"));
    OHM_TRY(read_number(&run->forgetting, &in, run->metrics, "", "forgetting"));
    OHM_TRY(read_number(&run->train_seconds_total, &in, run->metrics, "", "train_seconds_total"));
    OHM_TRY(read_flag(&flag, &in, run->metrics, "quantised", 0));
    run->quantised = flag != 0;
    OHM_TRY(read_flag(&flag, &in, run->metrics, "finished", 0));
    run->finished = flag != 0;
    OHM_TRY(read_flag(&run->logits_identical, &in, run->metrics, "logits_identical", -1));

    // its parts
    OHM_TRY(read_tasks(run, &in));
    OHM_TRY(read_matrix(run, &in));
    OHM_TRY(read_layers(run, &in));
done:
    ohmi_free(bytes);
    return status;
}

// Reads a file that may be missing or unreadable: then a remark is left and *bytes stays NULL.
// Fails only when memory is out.
static ohm_status read_optional(char **bytes, size_t *size, ohmi_run *run, const char *folder,
                                const char *name, size_t limit, ohm_error *err) {
    char path[1024];
    ohm_error own = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const ohm_status status = ohmi_read_file(bytes, size, path, limit, &own);
    if (status == OHM_ERR_NO_MEMORY) {
        return no_memory(err);
    }
    if (status < 0) {
        *bytes = NULL;
        *size = 0;
        ohmi_text_printf(&run->remarks, "<li><code>%s</code> is missing or cannot be read.</li>",
                         name);
    } else if (*size == 0) {
        ohmi_text_printf(&run->remarks, "<li><code>%s</code> is empty.</li>", name);
    }
    return OHM_OK;
}

static ohm_status read_manifest(ohmi_run *run, const char *folder, ohm_error *err) {
    char *bytes = NULL;
    size_t size = 0;
    json_error_t place;
    const ohm_status status =
        read_optional(&bytes, &size, run, folder, "manifest.json", LIMIT_JSON, err);
    if (size > 0) {
        run->manifest = json_loadb(bytes, size, 0, &place);
        if (!json_is_object(run->manifest)) {
            ohmi_text_printf(&run->remarks,
                             "<li><code>manifest.json</code> is not a JSON object (line %d).</li>",
                             run->manifest == NULL ? place.line : 1);
            json_decref(run->manifest);
            run->manifest = NULL;
        }
    }
    ohmi_free(bytes);
    return status;
}

// A JSON document that most runs have not. Where it has no list `part`, or is no object when that
// is NULL, it is not used and `complaint` is remarked.
static ohm_status read_extra(json_t **out, ohmi_run *run, const char *folder, const char *name,
                             const char *part, const char *complaint, ohm_error *err) {
    char *bytes = NULL;
    char path[1100];
    size_t size = 0;
    struct stat info;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    if (stat(path, &info) != 0) {
        return OHM_OK;
    }
    const ohm_status status = read_optional(&bytes, &size, run, folder, name, LIMIT_JSON, err);
    if (size > 0) {
        json_t *document = json_loadb(bytes, size, 0, NULL);
        if (part ? json_is_array(json_object_get(document, part)) : json_is_object(document)) {
            *out = document;
        } else {
            ohmi_text_printf(&run->remarks, "<li><code>%s</code> %s.</li>", name, complaint);
            json_decref(document);
        }
    }
    ohmi_free(bytes);
    return status;
}

ohm_status ohmi_run_read_cost(ohmi_run *run, const char *folder, ohm_error *err) {
    return read_extra(&run->cost, run, folder, "cost.json", NULL,
                      "is not a JSON object; <code>ohmwise cost</code> writes it anew", err);
}

ohm_status ohmi_run_read(ohmi_run *run, const char *folder, ohm_error *err) {
    ohm_status status = OHM_OK;
    char path[1024];
    char *csv = NULL;
    size_t size = 0;

    // 32 bytes are room for the longest name of a file
    const int length = snprintf(path, sizeof path - 32, "%s", folder);
    if (length < 0 || (size_t)length >= sizeof path - 32) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "the path of the run folder is too long");
    }
    snprintf(path + length, sizeof path - (size_t)length, "/metrics.json");
    OHM_TRY(ohmi_run_read_metrics(run, path, err));
    OHM_TRY(read_optional(&csv, &size, run, folder, "metrics.csv", LIMIT_CSV, err));
    if (size > 0) {
        OHM_TRY(ohmi_curves_read(run, csv, err));
    }
    OHM_TRY(read_optional(&run->config, &size, run, folder, "config.yaml", LIMIT_TEXT, err));
    OHM_TRY(read_manifest(run, folder, err));
    OHM_TRY(read_extra(&run->map, run, folder, "map.json", "layers", "holds no layers", err));
    OHM_TRY(ohmi_run_read_cost(run, folder, err));
    OHM_TRY(read_extra(&run->insitu, run, folder, "insitu.json", NULL,
                       "is not a JSON object; the same command writes it anew", err));
    OHM_TRY(read_extra(&run->simulation, run, folder, "simulate.json", "points",
                       "holds no points of simulations", err));
    OHM_TRY(read_optional(&run->log, &size, run, folder, "log.txt", LIMIT_TEXT, err));
    if (run->remarks.failed) {
        status = no_memory(err);
    }
done:
    ohmi_free(csv);
    if (status < 0) {
        ohmi_run_clear(run);
    }
    return status;
}

void ohmi_run_clear(ohmi_run *run) {
    for (int i = 0; run->layers != NULL && i < run->n_layers; ++i) {
        ohmi_free(run->layers[i].units_new);
        ohmi_free(run->layers[i].units_on);
    }
    for (int i = 0; run->curves != NULL && i < run->n_tasks; ++i) {
        ohmi_free(run->curves[i].values);
    }
    ohmi_free(run->layers);
    ohmi_free(run->curves);
    ohmi_free(run->tasks);
    ohmi_free(run->matrix);
    ohmi_free(run->config);
    ohmi_free(run->log);
    ohmi_text_clear(&run->remarks);
    json_decref(run->metrics);
    json_decref(run->manifest);
    json_decref(run->map);
    json_decref(run->cost);
    json_decref(run->simulation);
    json_decref(run->insitu);
    memset(run, 0, sizeof *run);
}
