// SPDX-License-Identifier: Apache-2.0
// `ohmwise help [COMMAND|environment|exit-codes]`.
#include <stdio.h>
#include <string.h>

#include "cli.h"

const ohmcli_command ohmcli_help_row = {
    .name = "help",
    .summary = "Explain a command, the environment or the exit codes",
    .operands = "[COMMAND | environment | exit-codes]",
    .max_operands = 1,
    .example = "help learn",
    .complete = OHMCLI_COMPLETE_COMMAND,
    .run = ohmcli_help_command,
};

static const char environment[] =
    "OHM_DATA_DIR      data sets; else $XDG_CACHE_HOME/ohmwise/data, else ~/.cache/ohmwise/data\n"
    "OHM_PRESET_PATH   folders of presets, separated by colons, searched first\n"
    "OHM_THREADS       threads, 0 = the CPUs this process may use; --threads and threads= win\n"
    "OHM_BACKEND       kernels of learn, eval and bench; --backend and backend= win\n"
    "NO_COLOR          any value: no colours\n";

static const char exit_codes[] =
    "0    done\n"
    "1    failed while running: files, memory, network\n"
    "2    wrong usage, or an error in the config\n"
    "3    an input file does not hold what it should\n"
    "4    a check that was asked for did not hold\n"
    "5    not built in, or not on this machine\n"
    "6    numbers went out of bounds: the training diverged\n"
    "70   a bug of ohmwise, please report it\n"
    "75   stopped early as asked, checkpoint written: run the same command again to go on\n"
    "128+N  ended by signal N\n";

static void overview(void) {
    printf("Example: ohmwise learn learn/fashion-mnist-xst --out runs/first\n\n"
           "Ohmwise teaches one convolutional network many tasks, one after another, on ReRAM\n"
           "crossbars, without ever forgetting one.\n\n");
    for (const ohmcli_command *const *row = ohmcli_commands(); *row != NULL; row++) {
        printf("  %-12s %s\n", (*row)->name, (*row)->summary);
    }
    printf(
        "\n'ohmwise help COMMAND' explains a command, 'ohmwise help environment' the variables,\n"
        "'ohmwise help exit-codes' what a script can see. 'ohmwise --version' says which.\n");
}

// context: the kind that is wanted.
static void print_preset(void *context, const char *name) {
    const ohmcli_offer *offer = context;
    if (ohmcli_is_preset_of(name, *offer)) {
        printf("  %s\n", name);
    }
}

int ohmcli_help_command(int argc, char **argv) {
    ohmcli_call call;
    const int done = ohmcli_parse(&call, &ohmcli_help_row, argc, argv);
    if (done >= 0) {
        return done;
    }
    if (call.n_operands == 0) {
        overview();
        return OHMCLI_DONE;
    }
    const char *topic = call.operands[0];
    if (strcmp(topic, "environment") == 0) {
        fputs(environment, stdout);
        return OHMCLI_DONE;
    }
    if (strcmp(topic, "exit-codes") == 0) {
        fputs(exit_codes, stdout);
        return OHMCLI_DONE;
    }
    const ohmcli_command *command = ohmcli_command_find(topic);
    if (command != NULL) {
        ohmcli_help(command);
        ohmcli_offer offer =
            command == &ohmcli_cost_command ? OHMCLI_COMPLETE_HARDWARE : command->complete;
        if (command == &ohmcli_cost_command || command == &ohmcli_sweep_command ||
            command == &ohmcli_learn_command || command == &ohmcli_insitu_command ||
            command == &ohmcli_harvest_command) {
            printf("\nPresets:\n");
            ohmcli_each_preset(print_preset, &offer);
        }
        return OHMCLI_DONE;
    }

    // the topics, to say which was meant
    const char *names[32] = {"environment", "exit-codes"};
    int n = 2;
    for (const ohmcli_command *const *row = ohmcli_commands(); *row != NULL && n < 32; row++) {
        names[n++] = (*row)->name;
    }
    const char *nearest = ohmcli_nearest(topic, names, n);
    if (nearest != NULL) {
        return ohmcli_usage(&ohmcli_help_row, "no topic '%s', did you mean '%s'?", topic, nearest);
    }
    return ohmcli_usage(&ohmcli_help_row, "no topic '%s'", topic);
}
