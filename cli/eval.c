// SPDX-License-Identifier: Apache-2.0
// `ohmwise eval RUN`: measures the tasks of a run on their whole test sets.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ohmwise/learn.h"
#include "ohmwise/system.h"
#include "run_results.h"

static const char *const path_choices[] = {"float", "integer", "crossbar", NULL};

static const ohmcli_option options[] = {
    {.name = "task", .value = "TASK", .help = "one task: its number from 1, or its name"},
    {.name = "on",
     .value = "PATH",
     .help = "float, integer or crossbar; else as the run is quantised",
     .choices = path_choices},
    {.name = "logits",
     .value = "F.npy",
     .help = "write the logits (images x classes) of one task",
     .complete = OHMCLI_COMPLETE_FILE},
    OHMCLI_OPTION_BACKEND,
    OHMCLI_OPTION_DATA,
    OHMCLI_OPTION_THREADS,
    OHMCLI_OPTION_JSON,
    {0},
};

const ohmcli_command ohmcli_eval_command = {
    .name = "eval",
    .summary = "Measure what a run has learned",
    .operands = "RUN [key=value ...]",
    .min_operands = 1,
    .max_operands = -1,
    .example = "eval runs/first --task 1 --logits first.npy",
    .notes =
        "On the crossbar, inputs go bit by bit through arrays whose column sums are converted;\n"
        "key=value sets keys of the sections array and adc: adc.range=ideal gives the logits\n"
        "of --on integer, bit for bit, whatever the arrays. See 'ohmwise explain adc'.",
    .options = options,
    .complete = OHMCLI_COMPLETE_FOLDER,
    .run = ohmcli_eval,
};

enum { MAX_TASKS = 1024 };

static double mean_accuracy(const ohm_eval_result *results, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += results[i].accuracy;
    }
    return n > 0 ? sum / n : 0;
}

static void print_table(const ohm_eval_result *results, int n) {
    printf("%s%4s  %-32s %10s %10s %10s %12s%s\n", ohmcli_bold(stdout), "task", "name",
           "accuracy %", "images", "seconds", "switch s", ohmcli_plain(stdout));
    for (int i = 0; i < n; i++) {
        printf("%4d  %-32.32s %10.2f %10lld %10.3f %12.6f\n", results[i].task + 1, results[i].name,
               100 * results[i].accuracy, (long long)results[i].n_images, results[i].seconds,
               results[i].switch_seconds);
    }
    if (n > 1) {
        printf("mean accuracy %.2f %%\n", 100 * mean_accuracy(results, n));
    }
    int64_t conversions = 0;
    double seconds = 0;
    for (int i = 0; i < n; i++) {
        conversions += results[i].conversions;
        seconds += results[i].seconds;
    }
    if (conversions > 0) {
        printf("%.3f G conversions, %.2f G/s\n", 1e-9 * (double)conversions,
               1e-9 * (double)conversions / (seconds > 0 ? seconds : 1));
    }
}

static int print_json(const ohm_eval_result *results, int n, const char *run, const char *path) {
    json_t *tasks = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(
            tasks, json_pack("{s:i, s:s, s:f, s:I, s:f, s:f, s:I}", "task", results[i].task + 1,
                             "name", results[i].name, "accuracy", results[i].accuracy, "images",
                             (json_int_t)results[i].n_images, "seconds", results[i].seconds,
                             "switch_seconds", results[i].switch_seconds, "conversions",
                             (json_int_t)results[i].conversions));
    }
    json_t *root = json_pack("{s:i, s:s, s:s, s:o, s:f}", "schema", 1, "run", run, "on", path,
                             "tasks", tasks, "mean_accuracy", mean_accuracy(results, n));
    if (root == NULL) {
        return ohmcli_fail(OHMCLI_FAILED, "out of memory");
    }
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
    return OHMCLI_DONE;
}

// The path the run is meant for: integer where it is quantised. Returns an exit code.
static int path_of(const char **path, const char *run) {
    json_t *metrics = NULL;
    const int code = ohmcli_run_metrics(&metrics, run);
    *path = json_is_true(json_object_get(metrics, "quantised")) ? "integer" : "float";
    json_decref(metrics);
    return code;
}

int ohmcli_eval(int argc, char **argv) {
    ohmcli_call call;
    int code = ohmcli_parse(&call, &ohmcli_eval_command, argc, argv);
    if (code >= 0) {
        return code;
    }
    const char *run = call.operands[0];
    const char *on = ohmcli_value(&call, "on");
    ohm_eval_def def = {
        .task = -1,
        .data_folder = ohmcli_data_folder(&call),
        .backend = ohmcli_backend(&call),
        .logits_path = ohmcli_value(&call, "logits"),
        .settings = (const char *const *)(call.operands + 1),
        .n_settings = call.n_operands - 1,
    };
    if (!ohmcli_set_threads(&call)) {
        return OHMCLI_USAGE;
    }
    if (on == NULL) {
        code = path_of(&on, run);
        if (code != OHMCLI_DONE) {
            return code;
        }
    }
    def.path = strcmp(on, "integer") == 0    ? OHM_ON_INTEGER
               : strcmp(on, "crossbar") == 0 ? OHM_ON_CROSSBAR
                                             : OHM_ON_FLOAT;
    if (ohmcli_has(&call, "task")) {
        code = ohmcli_run_task(&def.task, run, ohmcli_value(&call, "task"));
        if (code != OHMCLI_DONE) {
            return code;
        }
    } else if (def.logits_path != NULL) {
        return ohmcli_usage(&ohmcli_eval_command, "'--logits' needs one task, give --task");
    }

    ohm_error err = {0};
    int n_results = 0;
    ohm_eval_result *results = calloc(MAX_TASKS, sizeof *results);
    if (results == NULL) {
        return ohmcli_fail(OHMCLI_FAILED, "out of memory");
    }
    if (ohm_eval(results, MAX_TASKS, &n_results, run, &def, &err) < 0) {
        code = ohmcli_error(&err);
    } else if (ohmcli_has(&call, "json")) {
        code = print_json(results, n_results, run, on);
    } else {
        print_table(results, n_results);
        code = OHMCLI_DONE;
    }
    free(results);
    return code;
}
