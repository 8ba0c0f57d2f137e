// SPDX-License-Identifier: Apache-2.0
// Learns tasks with the library instead of the program: a config from a file, two keys set from
// code, progress by a callback, results by evaluation, the report.
//
//     learn CONFIG.yaml RUN
//
// Built with the project as build/<preset>/example_learn; against an installed library:
//
//     cc learn.c $(pkg-config --cflags --libs ohmwise) -o learn
#include <ohmwise/config.h>
#include <ohmwise/learn.h>
#include <ohmwise/system.h>
#include <stdio.h>

enum { MAX_TASKS = 64 };

// Called from ohm_learn; context is what ohm_learn_def has. Non-zero would stop the run.
static int say(void *context, const ohm_event *event) {
    FILE *out = context;
    if (event->kind == OHM_EVENT_TASK) {
        fprintf(out, "task %d of %d, %s: %.2f %% of its test images, %lld columns of its own\n",
                event->task + 1, event->n_tasks, event->task_name, 100 * event->test_accuracy,
                (long long)event->columns_new);
    }
    return 0;
}

// Learns, and measures every task again once all are learned.
static ohm_status learn(const char *config_path, const char *run, ohm_error *err) {
    ohm_config *config = NULL;
    ohm_eval_result results[MAX_TASKS];
    int n_results = 0;
    ohm_status status = ohm_config_new(&config, err);

    // what to learn: a file, and keys as on the command line
    if (status >= 0) {
        status = ohm_config_load(config, config_path, err);
    }
    if (status >= 0) {
        status = ohm_config_set(config, "name", "an example", err);
    }
    if (status >= 0) {
        status = ohm_config_set(config, "quantise.weight_bits", "4", err);
    }

    // learn; a run that is there goes on
    const ohm_learn_def def = {.run_folder = run, .sink = say, .context = stdout};
    if (status >= 0) {
        status = ohm_learn(config, &def, err);
    }

    // every task once more, on the integers that a crossbar computes with
    const ohm_eval_def eval = {.task = -1, .path = OHM_ON_INTEGER};
    if (status >= 0) {
        status = ohm_eval(results, MAX_TASKS, &n_results, run, &eval, err);
    }
    for (int i = 0; status >= 0 && i < n_results; i++) {
        printf("%s at the end: %.2f %%\n", results[i].name, 100 * results[i].accuracy);
    }
    if (status >= 0) {
        status = ohm_report_write(run, NULL, err);
    }
    ohm_config_free(&config);
    return status;
}

int main(int argc, char **argv) {
    ohm_error err = {0};
    char text[1024];
    if (argc != 3) {
        fprintf(stderr, "usage: learn CONFIG.yaml RUN\n");
        return 2;
    }
    printf("Ohmwise %s\n", ohm_version());
    if (learn(argv[1], argv[2], &err) < 0) {
        ohm_error_text(&err, text, sizeof text);
        fprintf(stderr, "learn: %s\n", text);
        return 1;
    }
    printf("report: %s/report.html\n", argv[2]);
    return 0;
}
