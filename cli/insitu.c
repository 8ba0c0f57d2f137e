// SPDX-License-Identifier: Apache-2.0
// `ohmwise insitu CONFIG [key=value ...] --out RUN`: trains on crossbars, and says what that takes.
#include "ohmwise/insitu.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "config_call.h"
#include "progress.h"
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
    {.name = "json", .help = "print insitu.json instead of a table"},
    {0},
};

const ohmcli_command ohmcli_insitu_command = {
    .name = "insitu",
    .summary = "Train on crossbars, without the writes that do not matter",
    .operands = "CONFIG [key=value ...]",
    .min_operands = 1,
    .max_operands = -1,
    .example = "insitu insitu/fashion-mnist insitu.error=0.01 --out runs/insitu",
    .notes =
        "Learns as 'ohmwise learn' does, with weights and gradients in cells, and then once more\n"
        "plainly, nothing left out, in RUN/plain (insitu.baseline=false leaves that away). A\n"
        "reconstruction: of the published scheme only the abstract could be had.\n"
        "'ohmwise explain insitu' and 'machine' say which keys there are. A run that is there is\n"
        "resumed. Ctrl-C writes a checkpoint and exits with 75: the same command then goes on.",
    .options = options,
    .complete = OHMCLI_COMPLETE_CONFIG,
    .run = ohmcli_insitu,
};

static double inner_of(const json_t *object, const char *key, const char *inner) {
    return ohmcli_number(json_object_get(object, key), inner);
}

// A number, or a dash.
static void print_number(const char *format, double value) {
    if (isfinite(value)) {
        printf(format, value);
    } else {
        printf(" %14s", "-");
    }
}

// One row: the run, the plain one, and how many times less.
static void print_row(const char *name, double trained, double plain, double ratio) {
    printf("%-42s", name);
    print_number(" %14.6g", trained);
    print_number(" %14.6g", plain);
    if (isfinite(ratio)) {
        printf(" %9.2fx", ratio);
    }
    putchar('\n');
}

static void print_table(const json_t *results, const char *run) {
    static const char *const classes[] = {"activation", "error", "weight", "transposed"};
    const json_t *trained = json_object_get(results, "trained");
    const json_t *plain = json_object_get(results, "plain");
    const json_t *ratios = json_object_get(results, "ratios");
    char name[64];
    printf("%s%-42s %14s %14s %10s%s\n", ohmcli_bold(stdout), "", "trained", "plain", "ratio",
           ohmcli_plain(stdout));
    print_row("mean accuracy, %", 100 * ohmcli_number(trained, "mean_accuracy"),
              100 * ohmcli_number(plain, "mean_accuracy"), NAN);
    for (int i = 0; i < 4; i++) {
        const double a = inner_of(trained, "writes", classes[i]);
        const double b = inner_of(plain, "writes", classes[i]);
        snprintf(name, sizeof name, "cells written, %s", classes[i]);
        print_row(name, a, b, b / a);
    }
    print_row("writes of the most worn cell", inner_of(trained, "wear", "max_writes"),
              inner_of(plain, "wear", "max_writes"),
              inner_of(plain, "wear", "max_writes") / inner_of(trained, "wear", "max_writes"));
    print_row("energy, J", ohmcli_number(trained, "energy_j"), ohmcli_number(plain, "energy_j"),
              ohmcli_number(ratios, "energy"));
    print_row("time, s", ohmcli_number(trained, "time_s"), ohmcli_number(plain, "time_s"),
              ohmcli_number(ratios, "time"));
    print_row("lifetime, epochs", inner_of(trained, "lifetime", "epochs"),
              inner_of(plain, "lifetime", "epochs"), ohmcli_number(ratios, "lifetime"));
    const double gpu_j = inner_of(trained, "gpu", "energy_j");
    const double gpu_s = inner_of(trained, "gpu", "time_s");
    printf("a GPU: %.4g J, %.4g s (%.3g times the energy, %.3g times the time)\n", gpu_j, gpu_s,
           gpu_j / ohmcli_number(trained, "energy_j"), gpu_s / ohmcli_number(trained, "time_s"));
    printf("a reconstruction; all of it: %s/insitu.json, report: %s/report.html\n", run, run);
}

// What a finished run has to show for itself.
static int print_result(const ohmcli_call *call, const char *run) {
    ohm_error err = {0};
    const int code = ohm_report_write(run, NULL, &err) < 0 ? ohmcli_error(&err) : OHMCLI_DONE;
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof path, "%s/insitu.json", run);
    json_t *results = json_load_file(path, 0, &error);
    if (results == NULL) {
        return ohmcli_fail(OHMCLI_FAILED, "%s: %s", path, error.text);
    }
    if (ohmcli_has(call, "json")) {
        json_dumpf(results, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_table(results, run);
    }
    json_decref(results);
    return code;
}

// Trains with a config that is filled; command is for the manifest.
static int train(const ohm_config *config, const ohmcli_call *call, const char *command) {
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
    };
    const ohm_status status = ohm_insitu(config, &def, &err);
    ohmcli_progress_clear(&progress);
    return status < 0 ? ohmcli_error(&err) : print_result(call, def.run_folder);
}

// Prints a config without training.
static int print_config(ohm_config *config) {
    char *text = NULL;
    ohm_error err = {0};
    if (ohm_config_check(config, &err) < 0 || ohm_config_text(&text, config, &err) < 0) {
        return ohmcli_error(&err);
    }
    fputs(text, stdout);
    ohm_text_free(&text);
    return OHMCLI_DONE;
}

int ohmcli_insitu(int argc, char **argv) {
    ohmcli_call call;
    ohm_config *config = NULL;
    ohm_error err = {0};
    char *command = ohmcli_join_command(argc, argv); // before parsing, which changes the order
    int code = ohmcli_parse(&call, &ohmcli_insitu_command, argc, argv);
    if (code >= 0) {
        free(command);
        return code;
    }
    if (!ohmcli_has(&call, "out") && !ohmcli_has(&call, "dry-run")) {
        code = ohmcli_usage(&ohmcli_insitu_command, "where to? give --out RUN");
    } else if (command == NULL) {
        code = ohmcli_fail(OHMCLI_FAILED, "out of memory");
    } else if (ohm_config_new(&config, &err) < 0) {
        code = ohmcli_error(&err);
    } else {
        code = ohmcli_fill_config(config, &call);
    }
    if (code == OHMCLI_DONE) {
        code = ohmcli_has(&call, "dry-run") ? print_config(config) : train(config, &call, command);
    }
    ohm_config_free(&config);
    free(command);
    return code;
}
