// SPDX-License-Identifier: Apache-2.0
// The program: finds the subcommand in one table and runs it.
//
// Exit codes: 0 done, 1 failed while running, 2 usage or config, 3 bad input data, 4 a check did
// not hold, 5 not built in or not on this machine, 6 not a number, 70 a bug, 75 stopped early with
// the checkpoint written, 128+N ended by signal N.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ohmwise/system.h"
#include "ranks.h"

static const ohmcli_command *const commands[] = {
    &ohmcli_learn_command,      &ohmcli_eval_command,     &ohmcli_map_command,
    &ohmcli_simulate_command,   &ohmcli_classify_command, &ohmcli_report_command,
    &ohmcli_compare_command,    &ohmcli_cost_command,     &ohmcli_harvest_command,
    &ohmcli_sweep_command,      &ohmcli_insitu_command,   &ohmcli_array_command,
    &ohmcli_data_command,       &ohmcli_import_command,   &ohmcli_export_command,
    &ohmcli_explain_command,    &ohmcli_doctor_command,   &ohmcli_bench_command,
    &ohmcli_completion_command, &ohmcli_help_row,         NULL,
};

const ohmcli_command *const *ohmcli_commands(void) {
    return commands;
}

const ohmcli_command *ohmcli_command_find(const char *name) {
    for (int i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

// Says that there is no such command, and which was probably meant.
static int unknown_command(const char *name) {
    const char *names[sizeof commands / sizeof commands[0]];
    int n = 0;
    for (; commands[n] != NULL; n++) {
        names[n] = commands[n]->name;
    }
    const char *nearest = ohmcli_nearest(name, names, n);
    if (nearest != NULL) {
        return ohmcli_usage(NULL, "unknown command '%s', did you mean '%s'?", name, nearest);
    }
    return ohmcli_usage(NULL, "unknown command '%s'", name);
}

// Threads for the commands that take no --threads: $OHM_THREADS, else all CPUs.
static int set_threads_from_environment(void) {
    const char *text = getenv("OHM_THREADS");
    if (text == NULL || text[0] == '\0') {
        return OHMCLI_DONE;
    }
    char *end = NULL;
    const long n = strtol(text, &end, 10);
    if (end == text || *end != '\0' || n < 0 || n > 256) {
        return ohmcli_usage(NULL, "OHM_THREADS is '%s', allowed are whole numbers from 0 to 256",
                            text);
    }
    ohm_set_threads((int)n);
    return OHMCLI_DONE;
}

int main(int argc, char **argv) {
    // a closed pipe and a limit on the size of files are write errors like any other, not a death
    // without a word
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);

    if (argc < 2) {
        return ohmcli_usage(NULL, "which command?");
    }
    const char *first = argv[1];
    if (strcmp(first, "--version") == 0) {
        printf("ohmwise %s\n", ohm_version());
        return ohmcli_finish(OHMCLI_DONE);
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
        first = "help";
    } else if (first[0] == '-') {
        return ohmcli_usage(NULL, "unknown option '%s' before the command", first);
    }
    const ohmcli_command *command = ohmcli_command_find(first);
    if (command == NULL) {
        return unknown_command(first);
    }
    int code = ohmcli_ranks_begin(command);
    if (code != OHMCLI_DONE) {
        return code > 0 ? code : OHMCLI_DONE;
    }
    code = set_threads_from_environment();
    if (code == OHMCLI_DONE) {
        argv[1] = (char *)command->name;
        code = ohmcli_finish(command->run(argc - 1, argv + 1));
    }
    return ohmcli_ranks_end(code);
}
