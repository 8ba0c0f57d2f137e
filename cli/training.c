// SPDX-License-Identifier: Apache-2.0
// Commands that train; see training.h.
#include "training.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "config_call.h"
#include "ohmwise/config.h"
#include "progress.h"
#include "ranks.h"
#include "run_results.h"
#include "stop.h"

const ohmcli_option ohmcli_training_options[] = {
    {.name = "out",
     .letter = 'o',
     .value = "RUN",
     .help = "the run folder; made, or resumed",
     .complete = OHMCLI_COMPLETE_FOLDER},
    {.name = "force", .help = "discard a run that is there"},
    OHMCLI_OPTION_DATA,
    OHMCLI_OPTION_THREADS,
    {.name = "dry-run", .letter = 'n', .help = "print the complete config and stop"},
    OHMCLI_OPTION_PROGRESS,
    {.name = "json", .help = "print the file of results instead of a table"},
    {0},
};

// What a finished run has to show for itself.
static int print_result(const ohmcli_training *training, const ohmcli_call *call, const char *run) {
    ohm_error err = {0};
    const int code = ohm_report_write(run, NULL, &err) < 0 ? ohmcli_error(&err) : OHMCLI_DONE;
    json_t *results = NULL;
    const int read = ohmcli_run_file(&results, run, training->file);
    if (read != OHMCLI_DONE) {
        return read;
    }
    if (ohmcli_has(call, "json")) {
        json_dumpf(results, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        training->print_table(results, run);
    }
    json_decref(results);
    return code;
}

// Trains with a config that is filled; command is for the manifest.
static int train(const ohmcli_training *training, ohm_config *config, const ohmcli_call *call,
                 const char *command) {
    ohmcli_progress progress;
    ohm_error err = {0};
    ohmcli_progress_init(&progress, call, ohmcli_stop_on_signals());
    const ohm_learn_def def = {
        .run_folder = ohmcli_value(call, "out"),
        .data_folder = ohmcli_data_folder(call),
        .command = command,
        .force = ohmcli_has(call, "force"),
        .sink = ohmcli_progress_event,
        .context = &progress,
        .communicator = ohmcli_ranks(),
    };
    const ohm_status status = training->train(config, &def, &err);
    ohmcli_progress_clear(&progress);
    if (status < 0) {
        return ohmcli_error(&err);
    }
    return ohmcli_ranks()->rank == 0 ? print_result(training, call, def.run_folder) : OHMCLI_DONE;
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

int ohmcli_train(const ohmcli_training *training, int argc, char **argv) {
    ohmcli_call call;
    ohm_config *config = NULL;
    ohm_error err = {0};
    char *command = ohmcli_join_command(argc, argv); // before parsing, which changes the order
    int code = ohmcli_parse(&call, training->command, argc, argv);
    if (code >= 0) {
        free(command);
        return code;
    }
    if (!ohmcli_has(&call, "out") && !ohmcli_has(&call, "dry-run")) {
        code = ohmcli_usage(training->command, "where to? give --out RUN");
    } else if (command == NULL) {
        code = ohmcli_fail(OHMCLI_FAILED, "out of memory");
    } else if (ohm_config_new(&config, &err) < 0) {
        code = ohmcli_error(&err);
    } else {
        code = ohmcli_fill_config(config, &call);
    }
    if (code == OHMCLI_DONE) {
        code = ohmcli_has(&call, "dry-run") ? print_config(config)
                                            : train(training, config, &call, command);
    }
    ohm_config_free(&config);
    free(command);
    return code;
}
