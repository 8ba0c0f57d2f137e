// SPDX-License-Identifier: Apache-2.0
// `ohmwise learn CONFIG [key=value ...] --out RUN`: learns the tasks one after another.
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "config_call.h"
#include "ohmwise/config.h"
#include "ohmwise/learn.h"
#include "progress.h"
#include "ranks.h"
#include "run_results.h"
#include "stop.h"

static const char *const when_choices[] = {"auto", "always", "never", NULL};

static const ohmcli_option options[] = {
    {.name = "out",
     .letter = 'o',
     .value = "RUN",
     .help = "the run folder; made, or resumed",
     .complete = OHMCLI_COMPLETE_FOLDER},
    {.name = "force", .help = "discard a run that is there"},
    OHMCLI_OPTION_DATA,
    OHMCLI_OPTION_THREADS,
    {.name = "dry-run", .letter = 'n', .help = "print the complete config and stop"},
    {.name = "progress",
     .value = "WHEN",
     .help = "the bar: auto, always or never",
     .choices = when_choices},
    {.name = "json", .help = "print metrics.json instead of a table"},
    {0},
};

const ohmcli_command ohmcli_learn_command = {
    .name = "learn",
    .summary = "Learn the tasks of a config, one after another",
    .operands = "CONFIG [key=value ...]",
    .min_operands = 1,
    .max_operands = -1,
    .example = "learn learn/fashion-mnist-xst train.epochs=2 --out runs/first",
    .notes = "CONFIG is a YAML file or the name of a preset; key=value changes any key of it\n"
             "('ohmwise explain' says which there are). A run that is there is resumed.\n"
             "Ctrl-C writes a checkpoint and exits with 75: the same command then goes on.\n"
             "Under mpirun each process learns a part of every batch (docs/parallel.md).",
    .options = options,
    .complete = OHMCLI_COMPLETE_CONFIG,
    .has_ranks = true,
    .run = ohmcli_learn,
};

// One line a task, and the means, from metrics.json.
static void print_table(const json_t *metrics, const char *run) {
    const json_t *tasks = json_object_get(metrics, "tasks");
    size_t i;
    const json_t *task;
    printf("%s%4s  %-32s %10s %10s %10s %10s %9s %9s%s\n", ohmcli_bold(stdout), "task", "name",
           "accuracy %", "new", "switched", "columns", "mask B", "seconds", ohmcli_plain(stdout));
    json_array_foreach(tasks, i, task) {
        printf("%4zu  %-32.32s %10.2f %10.0f %10.0f %10.0f %9.0f %9.1f\n", i + 1,
               json_string_value(json_object_get(task, "name")),
               100 * ohmcli_number(task, "accuracy"), ohmcli_number(task, "columns_new"),
               ohmcli_number(task, "columns_on") - ohmcli_number(task, "columns_new"),
               ohmcli_number(task, "columns_total"), ohmcli_number(task, "mask_bytes"),
               ohmcli_number(task, "train_seconds"));
    }
    const double forgetting = ohmcli_number(metrics, "forgetting");
    printf("mean accuracy %.2f %%, ", 100 * ohmcli_number(metrics, "mean_accuracy"));
    if (isfinite(forgetting)) {
        printf("forgetting %.4f points\n", 100 * forgetting);
    } else {
        printf("forgetting not measured\n");
    }
    printf("report: %s/report.html\n", run);
}

// What a finished run has to show for itself.
static int print_result(const ohmcli_call *call, const char *run) {
    ohm_error err = {0};
    const int code = ohm_report_write(run, NULL, &err) < 0 ? ohmcli_error(&err) : OHMCLI_DONE;
    json_t *metrics = NULL;
    const int read = ohmcli_run_metrics(&metrics, run);
    if (read != OHMCLI_DONE) {
        return read;
    }
    if (ohmcli_has(call, "json")) {
        json_dumpf(metrics, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_table(metrics, run);
    }
    json_decref(metrics);
    return code;
}

// Learns with a config that is filled; command is for the manifest.
static int learn(ohm_config *config, const ohmcli_call *call, const char *command) {
    ohmcli_progress progress;
    ohm_error err = {0};
    const char *choice = ohmcli_value(call, "progress");
    ohmcli_progress_init(&progress, choice != NULL ? choice : "auto", ohmcli_stop_on_signals());
    const ohm_learn_def def = {
        .run_folder = ohmcli_value(call, "out"),
        .data_folder = ohmcli_data_folder(call),
        .command = command,
        .force = ohmcli_has(call, "force"),
        .sink = ohmcli_progress_event,
        .context = &progress,
        .communicator = ohmcli_ranks(),
    };
    const ohm_status status = ohm_learn(config, &def, &err);
    ohmcli_progress_clear(&progress);
    if (status < 0) {
        return ohmcli_error(&err);
    }
    return ohmcli_ranks()->rank == 0 ? print_result(call, def.run_folder) : OHMCLI_DONE;
}

int ohmcli_learn(int argc, char **argv) {
    ohmcli_call call;
    ohm_config *config = NULL;
    ohm_error err = {0};
    char *command = ohmcli_join_command(argc, argv); // before parsing, which changes the order
    int code = ohmcli_parse(&call, &ohmcli_learn_command, argc, argv);
    if (code >= 0) {
        free(command);
        return code;
    }
    if (!ohmcli_has(&call, "out") && !ohmcli_has(&call, "dry-run")) {
        code = ohmcli_usage(&ohmcli_learn_command, "where to? give --out RUN");
    } else if (command == NULL) {
        code = ohmcli_fail(OHMCLI_FAILED, "out of memory");
    } else if (ohm_config_new(&config, &err) < 0) {
        code = ohmcli_error(&err);
    } else {
        code = ohmcli_fill_config(config, &call);
    }
    if (code == OHMCLI_DONE && ohmcli_has(&call, "dry-run")) {
        char *text = NULL;
        if (ohm_config_check(config, &err) < 0 || ohm_config_text(&text, config, &err) < 0) {
            code = ohmcli_error(&err);
        } else {
            fputs(text, stdout);
        }
        ohm_text_free(&text);
    } else if (code == OHMCLI_DONE) {
        code = learn(config, &call, command);
    }
    ohm_config_free(&config);
    free(command);
    return code;
}
