// SPDX-License-Identifier: Apache-2.0
// Results of a run; see run_results.h.
#include "run_results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

json_t *ohmcli_run_metrics(const char *run) {
    char path[4096];
    struct stat status;
    json_error_t error;
    snprintf(path, sizeof path, "%s/metrics.json", run);
    if (stat(path, &status) != 0) {
        ohmcli_fail(OHMCLI_FAILED,
                    "'%s' has no metrics.json: %s (is it a run, and has it learned a task?)", run,
                    strerror(errno));
        return NULL;
    }
    json_t *metrics = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (metrics == NULL || !json_is_array(json_object_get(metrics, "tasks"))) {
        if (metrics == NULL) {
            ohmcli_fail(OHMCLI_BAD_DATA, "%s:%d:%d: %s", path, error.line, error.column,
                        error.text);
        } else {
            ohmcli_fail(OHMCLI_BAD_DATA, "%s: 'tasks' is missing or is no list", path);
        }
        json_decref(metrics);
        return NULL;
    }
    return metrics;
}

int ohmcli_run_task(const char *run, const char *task) {
    char *end = NULL;
    const long number = strtol(task, &end, 10);
    json_t *metrics = ohmcli_run_metrics(run);
    if (metrics == NULL) {
        return -1;
    }
    const json_t *tasks = json_object_get(metrics, "tasks");
    const size_t n_tasks = json_array_size(tasks);
    int found = -1;

    // a number counts from 1; everything else is a name
    if (end != task && *end == '\0') {
        if (number >= 1 && (size_t)number <= n_tasks) {
            found = (int)number - 1;
        } else {
            ohmcli_fail(OHMCLI_USAGE, "'--task' is '%s', the run has learned tasks 1 to %zu", task,
                        n_tasks);
        }
        json_decref(metrics);
        return found;
    }
    const char **names = calloc(n_tasks + 1, sizeof *names);
    for (size_t i = 0; names != NULL && i < n_tasks; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(tasks, i), "name"));
        names[i] = name != NULL ? name : "";
        if (strcmp(names[i], task) == 0) {
            found = (int)i;
        }
    }
    if (found < 0 && names != NULL) {
        const char *nearest = ohmcli_nearest(task, names, (int)n_tasks);
        ohmcli_fail(OHMCLI_USAGE,
                    nearest != NULL ? "no task '%s' in '%s' (did you mean '%s'?)"
                                    : "no task '%s' in '%s'",
                    task, run, nearest);
    } else if (names == NULL) {
        ohmcli_fail(OHMCLI_FAILED, "out of memory");
    }
    free(names);
    json_decref(metrics);
    return found;
}
