// SPDX-License-Identifier: Apache-2.0
// Writing and reading tasks.json; see task_file.h.
#include "learn/task_file.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"
#include "learn/learner.h"
#include "learn/outline.h"

enum { MOST_SIDE = 1 << 16, MOST_CHANNELS = 4, MOST_CLASSES = 1 << 24 };
#define FILE_LIMIT ((size_t)256 << 20) // bytes

static json_t *numbers(const float *v, int n) {
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(list, json_real((double)v[i]));
    }
    return list;
}

ohm_status ohmi_task_file_write(const char *path, const ohmi_tasks *tasks, ohm_error *err) {
    ohm_status status = OHM_OK;
    json_t *list = json_array();
    for (int t = 0; t < tasks->n_tasks; t++) {
        const ohmi_task *task = &tasks->task[t];
        json_t *classes = json_array();
        for (int k = 0; k < task->n_classes; k++) {
            char number[24];
            (void)snprintf(number, sizeof number, "%d", k);
            json_array_append_new(classes,
                                  json_string(task->class_names ? task->class_names[k] : number));
        }
        json_array_append_new(list,
                              json_pack("{s:s, s:o, s:o, s:o}", "name", task->name, "classes",
                                        classes, "mean", numbers(task->mean, tasks->channels),
                                        "deviation", numbers(task->deviation, tasks->channels)));
    }
    json_t *root = json_pack("{s:i, s:i, s:i, s:i, s:o}", "schema", 1, "height", tasks->height,
                             "width", tasks->width, "channels", tasks->channels, "tasks", list);

    // ten digits bring a float32 back
    char *text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(10)) : NULL;
    if (!text || json_array_size(list) != (size_t)tasks->n_tasks) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", path);
        goto done;
    }
    OHM_TRY(ohmi_write_file(path, text, strlen(text), err));
done:
    free(text);
    json_decref(root);
    return status;
}

static ohm_status broken(ohm_error *err, const char *what) {
    return ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is missing or not what tasks.json has", what);
}

// A whole number of an object, low .. high.
static bool read_int(int *out, const json_t *object, const char *key, int low, int high) {
    const json_t *value = json_object_get(object, key);
    const json_int_t v = json_integer_value(value);
    *out = json_is_integer(value) && v >= low && v <= high ? (int)v : 0;
    return json_is_integer(value) && v >= low && v <= high;
}

// A list of n numbers from low on.
static bool read_numbers(float *out, const json_t *list, int n, double low) {
    for (int i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, (size_t)i);
        const double v = json_number_value(value);
        if (!json_is_number(value) || !isfinite(v) || v < low || fabs(v) > 1e6) {
            return false;
        }
        out[i] = (float)v;
    }
    return json_array_size(list) == (size_t)n;
}

static ohm_status read_task(ohmi_task *task, const json_t *object, int channels, ohm_error *err) {
    const json_t *classes = json_object_get(object, "classes");
    const char *name = json_string_value(json_object_get(object, "name"));
    if (!name || !ohmi_text_is_clean(name)) {
        return broken(err, "name");
    }
    (void)snprintf(task->name, sizeof task->name, "%.*s",
                   (int)ohmi_text_cut(name, sizeof task->name - 1), name);
    if (!read_numbers(task->mean, json_object_get(object, "mean"), channels, -1e6) ||
        !read_numbers(task->deviation, json_object_get(object, "deviation"), channels, 1e-6)) {
        return broken(err, "mean, deviation");
    }
    task->class_names = ohmi_alloc((size_t)task->n_classes, sizeof *task->class_names);
    if (!task->class_names) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the classes of a task");
    }
    for (int k = 0; k < task->n_classes; k++) {
        const char *of = json_string_value(json_array_get(classes, (size_t)k));
        if (!of || !ohmi_text_is_clean(of)) {
            return broken(err, "classes");
        }
        (void)snprintf(task->class_names[k], sizeof task->class_names[k], "%.*s",
                       (int)ohmi_text_cut(of, sizeof task->class_names[k] - 1), of);
    }
    return OHM_OK;
}

ohm_status ohmi_task_file_read(ohmi_tasks **out, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    char *bytes = NULL;
    size_t size = 0;
    int n_classes[OHMI_MAX_TASKS], schema, height, width, channels;
    json_t *root = NULL;
    json_error_t place = {.line = 0};
    *out = NULL;
    OHM_TRY(ohmi_read_file(&bytes, &size, path, FILE_LIMIT, err));
    root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &place);
    if (!root) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "not valid JSON: %s", place.text);
        goto done;
    }
    if (!read_int(&schema, root, "schema", 1, 1) ||
        !read_int(&height, root, "height", 1, MOST_SIDE) ||
        !read_int(&width, root, "width", 1, MOST_SIDE) ||
        !read_int(&channels, root, "channels", 1, MOST_CHANNELS)) {
        status = broken(err, "schema, height, width, channels");
        goto done;
    }
    const json_t *list = json_object_get(root, "tasks");
    const size_t n = json_array_size(list);
    if (n < 1 || n > OHMI_MAX_TASKS) {
        status = broken(err, "tasks");
        goto done;
    }
    for (size_t t = 0; t < n; t++) {
        const size_t count = json_array_size(json_object_get(json_array_get(list, t), "classes"));
        if (count < 1 || count > MOST_CLASSES) {
            status = broken(err, "classes");
            goto done;
        }
        n_classes[t] = (int)count;
    }
    OHM_TRY(ohmi_outline_new(out, (int)n, n_classes, channels, height, width, err));
    for (size_t t = 0; t < n; t++) {
        OHM_TRY(read_task(&(*out)->task[t], json_array_get(list, t), channels, err));
    }
done:
    if (status < 0) {
        ohmi_tasks_free(out);
        if (status == OHM_ERR_FORMAT) {
            ohmi_place(err, path, place.line > 0 ? place.line : 0, 0);
        }
    }
    json_decref(root);
    ohmi_free(bytes);
    return status;
}
