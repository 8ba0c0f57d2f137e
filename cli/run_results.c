// SPDX-License-Identifier: Apache-2.0
// Results of a run; see run_results.h.
#include "run_results.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

int ohmcli_run_file(json_t **out, const char *run, const char *file) {
    char path[4096];
    struct stat status;
    json_error_t error;
    *out = NULL;
    snprintf(path, sizeof path, "%s/%s", run, file);
    if (stat(path, &status) != 0) {
        return ohmcli_fail(OHMCLI_FAILED,
                           "'%s' has no %s: %s (is it a run, and has it learned a task?)", run,
                           file, strerror(errno));
    }
    *out = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (*out == NULL) {
        return ohmcli_fail(OHMCLI_BAD_DATA, "%s:%d:%d: %s", path, error.line, error.column,
                           error.text);
    }
    return OHMCLI_DONE;
}

int ohmcli_run_metrics(json_t **metrics, const char *run) {
    const int code = ohmcli_run_file(metrics, run, "metrics.json");
    if (code == OHMCLI_DONE && !json_is_array(json_object_get(*metrics, "tasks"))) {
        json_decref(*metrics);
        *metrics = NULL;
        return ohmcli_fail(OHMCLI_BAD_DATA, "%s/metrics.json: 'tasks' is missing or is no list",
                           run);
    }
    return code;
}

// The index of a task by its name.
static int find_name(int *index, const char *run, const json_t *tasks, const char *task) {
    const size_t n_tasks = json_array_size(tasks);
    const char **names = calloc(n_tasks + 1, sizeof *names);
    int found = -1;
    if (names == NULL) {
        return ohmcli_fail(OHMCLI_FAILED, "out of memory");
    }
    for (size_t i = 0; i < n_tasks; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(tasks, i), "name"));
        names[i] = name != NULL ? name : "";
        if (strcmp(names[i], task) == 0) {
            found = (int)i;
        }
    }
    const char *nearest = found < 0 ? ohmcli_nearest(task, names, (int)n_tasks) : NULL;
    int code = OHMCLI_DONE;
    if (nearest != NULL) {
        code = ohmcli_fail(OHMCLI_USAGE, "no task '%s' in '%s' (did you mean '%s'?)", task, run,
                           nearest);
    } else if (found < 0) {
        code = ohmcli_fail(OHMCLI_USAGE, "no task '%s' in '%s'", task, run);
    } else {
        *index = found;
    }
    free(names);
    return code;
}

int ohmcli_run_task(int *index, const char *run, const char *task) {
    char *end = NULL;
    json_t *metrics = NULL;
    const long number = strtol(task, &end, 10);
    int code = ohmcli_run_metrics(&metrics, run);
    if (code != OHMCLI_DONE) {
        return code;
    }

    // a number counts from 1; everything else is a name
    const json_t *tasks = json_object_get(metrics, "tasks");
    const size_t n_tasks = json_array_size(tasks);
    if (end == task || *end != '\0') {
        code = find_name(index, run, tasks, task);
    } else if (number >= 1 && (size_t)number <= n_tasks) {
        *index = (int)number - 1;
    } else {
        code = ohmcli_fail(OHMCLI_USAGE, "'--task' is '%s', the run has learned tasks 1 to %zu",
                           task, n_tasks);
    }
    json_decref(metrics);
    return code;
}

double ohmcli_number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}
