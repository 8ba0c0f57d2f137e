// SPDX-License-Identifier: Apache-2.0
// `ohmwise classify RUN IMAGE...`: what a run's network takes pictures for.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ohmwise/learn.h"
#include "ohmwise/system.h"
#include "run_results.h"

static const char *const path_choices[] = {"float", "integer", NULL};

static const ohmcli_option options[] = {
    {.name = "task", .value = "TASK", .help = "its number from 1, or its name; else the only one"},
    {.name = "top", .value = "N", .help = "classes an image, most probable first (5)"},
    {.name = "on",
     .value = "PATH",
     .help = "float or integer; else as the run is quantised",
     .choices = path_choices},
    OHMCLI_OPTION_BACKEND,
    OHMCLI_OPTION_THREADS,
    OHMCLI_OPTION_JSON,
    {0},
};

const ohmcli_command ohmcli_classify_command = {
    .name = "classify",
    .summary = "Say what a run takes pictures for",
    .operands = "RUN IMAGE [IMAGE ...]",
    .min_operands = 2,
    .max_operands = -1,
    .example = "classify runs/resnet50-imagenet dog.jpg --top 3",
    .notes = "Images are JPEG or PNG files; of each the square in the middle is taken, at the\n"
             "network's size. No data set is needed.",
    .options = options,
    .complete = OHMCLI_COMPLETE_FILE,
    .run = ohmcli_classify,
};

enum { MOST_TOP = 1000 };

static void print_lines(const ohm_guess *guesses, char *const *images, int n, int top) {
    for (int i = 0; i < n; i++) {
        printf("%s%s%s\n", ohmcli_bold(stdout), images[i], ohmcli_plain(stdout));
        for (int g = 0; g < top && guesses[i * top + g].class_index >= 0; g++) {
            const ohm_guess *guess = &guesses[i * top + g];
            printf("%8.2f %%  %s\n", 100 * guess->probability, guess->name);
        }
    }
}

static int print_json(const ohm_guess *guesses, char *const *images, int n, int top,
                      const char *run, int task, const char *on) {
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        json_t *classes = json_array();
        for (int g = 0; g < top && guesses[i * top + g].class_index >= 0; g++) {
            const ohm_guess *guess = &guesses[i * top + g];
            json_array_append_new(classes,
                                  json_pack("{s:i, s:s, s:f}", "class", guess->class_index, "name",
                                            guess->name, "probability", guess->probability));
        }
        // a file's name may be any bytes, JSON's texts are UTF-8
        json_t *name = json_string(images[i]);
        json_array_append_new(list,
                              json_pack("{s:o, s:o}", "image", name != NULL ? name : json_null(),
                                        "guesses", classes));
    }
    json_t *root = json_pack("{s:i, s:s, s:i, s:s, s:o}", "schema", 1, "run", run, "task", task + 1,
                             "on", on, "images", list);
    if (root == NULL) {
        return ohmcli_fail(OHMCLI_FAILED, "out of memory");
    }
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(root);
    return OHMCLI_DONE;
}

// The task and the path that are meant where the command line does not say. Returns an exit code.
static int find_defaults(int *task, const char **on, const ohmcli_call *call) {
    json_t *metrics = NULL;
    const char *run = call->operands[0];
    int code = ohmcli_run_metrics(&metrics, run);
    const size_t n = json_array_size(json_object_get(metrics, "tasks"));
    const char *meant = json_is_true(json_object_get(metrics, "quantised")) ? "integer" : "float";
    json_decref(metrics);
    if (code != OHMCLI_DONE) {
        return code;
    }
    *on = ohmcli_has(call, "on") ? ohmcli_value(call, "on") : meant;
    if (ohmcli_has(call, "task")) {
        code = ohmcli_run_task(task, run, ohmcli_value(call, "task"));
    } else if (n > 1) {
        code = ohmcli_usage(&ohmcli_classify_command, "'%s' has %zu tasks, give --task", run, n);
    }
    return code;
}

int ohmcli_classify(int argc, char **argv) {
    ohmcli_call call;
    int code = ohmcli_parse(&call, &ohmcli_classify_command, argc, argv);
    if (code >= 0) {
        return code;
    }
    const char *run = call.operands[0];
    const char *on = NULL;
    char **images = call.operands + 1;
    const int n = call.n_operands - 1;
    ohm_classify_def def = {.task = 0, .top = 5, .backend = ohmcli_backend(&call)};
    if (!ohmcli_set_threads(&call) || !ohmcli_integer(&call, "top", 1, MOST_TOP, &def.top)) {
        return OHMCLI_USAGE;
    }
    code = find_defaults(&def.task, &on, &call);
    if (code != OHMCLI_DONE) {
        return code;
    }
    def.path = strcmp(on, "integer") == 0 ? OHM_ON_INTEGER : OHM_ON_FLOAT;

    ohm_error err = {0};
    ohm_guess *guesses = calloc((size_t)n * (size_t)def.top, sizeof *guesses);
    if (guesses == NULL) {
        return ohmcli_fail(OHMCLI_FAILED, "out of memory");
    }
    if (ohm_classify(guesses, (const char *const *)images, n, run, &def, &err) < 0) {
        code = ohmcli_error(&err);
    } else if (ohmcli_has(&call, "json")) {
        code = print_json(guesses, images, n, def.top, run, def.task, on);
    } else {
        print_lines(guesses, images, n, def.top);
    }
    free(guesses);
    return code;
}
