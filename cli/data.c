// SPDX-License-Identifier: Apache-2.0
// `ohmwise data list|get|add|verify`: the data sets of this machine.
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "ohmwise/data.h"
#include "progress.h"
#include "stop.h"

static const char *const words[] = {"list", "get", "add", "verify", NULL};

static const ohmcli_option options[] = {
    {.name = "url",
     .value = "URL",
     .help = "get: download from here instead of the address of the catalogue"},
    {0},
};

const ohmcli_command ohmcli_data_command = {
    .name = "data",
    .summary = "List, download, add and verify data sets",
    .operands = "list | get SET | add SET FROM | verify SET",
    .min_operands = 1,
    .max_operands = 3,
    .example = "data get cifar100",
    .notes =
        "list    what there is, and where it lies on this machine (a line each, tab-separated)\n"
        "get     downloads a set into the user's data folder; goes on with a broken download\n"
        "add     takes a set from FROM at hand: a folder, or an archive of its files\n"
        "verify  reads every record of a set and compares its digests\n"
        "A set is looked for in the user's data folder, then where Debian's packages put it.",
    .options = options,
    .words = words,
    .complete = OHMCLI_COMPLETE_FILE,
    .run = ohmcli_data,
};

static int list_sets(const char *folder) {
    int count = 0;
    const ohm_data_set *sets = ohm_data_catalogue(&count);
    printf("name\ttitle\tclasses\ttrain\ttest\tplace\n");
    for (int i = 0; i < count; i++) {
        char place[4096];
        const bool found = ohm_data_find(place, sizeof place, sets[i].name, folder, NULL) >= 0;
        printf("%s\t%s\t%d\t%d\t%d\t%s\n", sets[i].name, sets[i].title, sets[i].n_classes,
               sets[i].n_train, sets[i].n_test, found ? place : "-");
    }
    return OHMCLI_DONE;
}

int ohmcli_data(int argc, char **argv) {
    ohmcli_call call;
    const int done = ohmcli_parse(&call, &ohmcli_data_command, argc, argv);
    if (done >= 0) {
        return done;
    }

    // the action decides how many operands there are
    const char *action = call.operands[0];
    const int n_words = (int)(sizeof words / sizeof words[0]) - 1;
    bool is_known = false;
    for (int i = 0; i < n_words; i++) {
        is_known = is_known || strcmp(action, words[i]) == 0;
    }
    if (!is_known) {
        const char *nearest = ohmcli_nearest(action, words, n_words);
        return nearest != NULL
                   ? ohmcli_usage(&ohmcli_data_command, "no action '%s', did you mean '%s'?",
                                  action, nearest)
                   : ohmcli_usage(&ohmcli_data_command,
                                  "no action '%s', there are: list, get, add, verify", action);
    }
    const bool is_list = strcmp(action, "list") == 0, is_add = strcmp(action, "add") == 0;
    const bool is_get = strcmp(action, "get") == 0;
    const int wanted = is_list ? 1 : is_add ? 3 : 2;
    if (call.n_operands != wanted) {
        return ohmcli_usage(&ohmcli_data_command, "'%s' takes %s", action,
                            is_list  ? "nothing more"
                            : is_add ? "a set and where its files are"
                                     : "one set");
    }
    if (ohmcli_has(&call, "url") && !is_get) {
        return ohmcli_usage(&ohmcli_data_command, "'--url' goes with 'get' only");
    }
    const char *folder = ohmcli_data_folder();
    if (is_list) {
        return list_sets(folder);
    }
    const char *name = call.operands[1];
    if (folder == NULL && (is_get || is_add)) {
        return ohmcli_fail(OHMCLI_USAGE, "there is no folder for data (set OHM_DATA_DIR)");
    }

    // do it, and say where the set lies then
    ohm_error err = {0};
    ohmcli_progress progress;
    ohmcli_progress_init(&progress, "auto", ohmcli_stop_on_signals());
    const ohm_status status = is_get   ? ohm_data_get(name, folder, ohmcli_value(&call, "url"),
                                                      ohmcli_progress_transfer, &progress, &err)
                              : is_add ? ohm_data_add(name, call.operands[2], folder,
                                                      ohmcli_progress_transfer, &progress, &err)
                                       : ohm_data_verify(name, folder, &err);
    ohmcli_progress_clear(&progress);
    if (status < 0) {
        return ohmcli_error(&err);
    }
    char place[4096];
    const bool found = ohm_data_find(place, sizeof place, name, folder, NULL) >= 0;
    printf("%s\t%s\n", name, found ? place : name); // a folder of the user's own lies where it is
    return OHMCLI_DONE;
}
