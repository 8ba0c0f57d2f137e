// SPDX-License-Identifier: Apache-2.0
// The program's surroundings: environment variables, folders, colours, how errors come out.
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "ohmwise/system.h"

enum { PATH_ROOM = 4096, PRESET_ROOM = 600 };

static struct {
    int verbosity;
    int color; // -1 auto, 0 never, 1 always
    char data_folder[PATH_ROOM];
} settings = {.color = -1};

// The value of a variable, or NULL when it is not set or empty.
static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

int ohmcli_verbosity(void) {
    return settings.verbosity;
}

void ohmcli_set_verbosity(int verbosity) {
    settings.verbosity = verbosity;
}

void ohmcli_set_color(const char *choice) {
    settings.color = strcmp(choice, "always") == 0 ? 1 : strcmp(choice, "never") == 0 ? 0 : -1;
}

bool ohmcli_color(FILE *stream) {
    if (settings.color >= 0) {
        return settings.color == 1;
    }
    const char *terminal = variable("TERM");
    return variable("NO_COLOR") == NULL && (terminal == NULL || strcmp(terminal, "dumb") != 0) &&
           isatty(fileno(stream)) != 0;
}

const char *ohmcli_bold(FILE *stream) {
    return ohmcli_color(stream) ? "\033[1m" : "";
}

const char *ohmcli_red(FILE *stream) {
    return ohmcli_color(stream) ? "\033[1;31m" : "";
}

const char *ohmcli_plain(FILE *stream) {
    return ohmcli_color(stream) ? "\033[0m" : "";
}

int ohmcli_exit_code(ohm_status status) {
    switch (status) {
    case OHM_OK:
        return OHMCLI_DONE;
    case OHM_ERR_NO_MEMORY:
    case OHM_ERR_IO:
        return OHMCLI_FAILED;
    case OHM_ERR_CONFIG:
    case OHM_ERR_ARGUMENT: // what a user asked for cannot be
        return OHMCLI_USAGE;
    case OHM_ERR_FORMAT:
        return OHMCLI_BAD_DATA;
    case OHM_ERR_CHECK:
        return OHMCLI_CHECK;
    case OHM_ERR_UNSUPPORTED:
        return OHMCLI_UNSUPPORTED;
    case OHM_ERR_NUMERIC:
        return OHMCLI_NUMERIC;
    case OHM_ERR_INTERRUPTED:
        return OHMCLI_STOPPED;
    }
    return status > 0 ? OHMCLI_DONE : OHMCLI_INTERNAL;
}

int ohmcli_error(const ohm_error *err) {
    char text[2048];
    ohm_error_text(err, text, sizeof text);
    return ohmcli_fail(ohmcli_exit_code(err->status), "%s", text);
}

int ohmcli_fail(int exit_code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "%sohmwise:%s ", ohmcli_red(stderr), ohmcli_plain(stderr));
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs(exit_code == OHMCLI_INTERNAL ? " (a bug of ohmwise, please report it)\n" : "\n", stderr);
    return exit_code;
}

int ohmcli_finish(int exit_code) {
    if ((fflush(stdout) != 0 || ferror(stdout)) && exit_code == OHMCLI_DONE) {
        return ohmcli_fail(OHMCLI_FAILED, "cannot write the result: %s", strerror(errno));
    }
    return exit_code;
}

const char *ohmcli_data_folder(const ohmcli_call *call) {
    const char *given = ohmcli_value(call, "data");
    if (given != NULL) {
        return given;
    }
    const char *own = variable("OHM_DATA_DIR");
    const char *cache = variable("XDG_CACHE_HOME");
    const char *home = variable("HOME");
    if (own != NULL) {
        return own;
    }
    if (cache != NULL) {
        snprintf(settings.data_folder, sizeof settings.data_folder, "%s/ohmwise/data", cache);
        return settings.data_folder;
    }
    if (home != NULL) {
        snprintf(settings.data_folder, sizeof settings.data_folder, "%s/.cache/ohmwise/data", home);
        return settings.data_folder;
    }
    return NULL;
}

const char *ohmcli_backend(const ohmcli_call *call) {
    const char *given = ohmcli_value(call, "backend");
    return given != NULL ? given : variable("OHM_BACKEND");
}

bool ohmcli_set_threads(const ohmcli_call *call) {
    int threads = 0;
    if (!ohmcli_integer(call, "threads", 0, 256, &threads)) {
        return false;
    }
    if (ohmcli_has(call, "threads")) {
        ohm_set_threads(threads);
    }
    return true;
}

double ohmcli_now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool is_file(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

// Writes the folder share/ohmwise beside the program's bin into path.
static bool installed_folder(char *path, size_t size_bytes) {
    const ssize_t length = readlink("/proc/self/exe", path, size_bytes - 1);
    if (length <= 0) {
        return false;
    }
    path[length] = '\0';
    for (int level = 0; level < 2; level++) {
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            return false;
        }
        *slash = '\0';
    }
    const size_t used = strlen(path);
    return snprintf(path + used, size_bytes - used, "/share/ohmwise") < (int)(size_bytes - used);
}

// Writes the index-th folder in which presets are looked up; false when there are no more. What is
// installed beside the program comes before the tree that it was built from.
static bool preset_folder(char *path, size_t size_bytes, int index) {
    const char *list = variable("OHM_PRESET_PATH");
    int at = 0;
    while (list != NULL) {
        const size_t length = strcspn(list, ":");
        if (at++ == index) {
            snprintf(path, size_bytes, "%.*s", (int)length, list);
            return true;
        }
        list = list[length] == ':' ? list + length + 1 : NULL;
    }
    if (index == at && installed_folder(path, size_bytes)) {
        const size_t used = strlen(path);
        snprintf(path + used, size_bytes - used, "/presets");
        return true;
    }
    if (index == at || index == at + 1) {
        snprintf(path, size_bytes, "%s", OHM_PRESET_FOLDER);
        return true;
    }
    return false;
}

bool ohmcli_find_companion(char *path, size_t size_bytes, const char *name) {
    char folder[PATH_ROOM];
    if (installed_folder(folder, sizeof folder)) {
        snprintf(path, size_bytes, "%s/%s", folder, name);
        if (is_file(path)) {
            return true;
        }
    }
    snprintf(path, size_bytes, "%s/../%s", OHM_PRESET_FOLDER, name);
    return is_file(path);
}

typedef struct {
    char (*names)[PRESET_ROOM]; // (room)
    int n, room;
} ohmcli_preset_list;

// Keeps a name; where memory is out, or the name is longer than names are, without it.
static void keep_preset(ohmcli_preset_list *list, const char *kind, const char *name, size_t n) {
    if (list->n == list->room) {
        const int room = list->room > 0 ? 2 * list->room : 16;
        void *grown = realloc(list->names, (size_t)room * sizeof *list->names);
        if (grown == NULL) {
            return;
        }
        list->names = grown;
        list->room = room;
    }
    const int length =
        snprintf(list->names[list->n], sizeof *list->names, "%s/%.*s", kind, (int)n, name);
    list->n += length < (int)sizeof *list->names;
}

// Walks one folder of presets: a folder a kind, a .yaml file a preset.
static void each_preset_in(const char *folder, ohmcli_preset_list *list) {
    DIR *kinds = opendir(folder);
    if (kinds == NULL) {
        return;
    }
    for (const struct dirent *kind = readdir(kinds); kind != NULL; kind = readdir(kinds)) {
        char path[PATH_ROOM];
        const int length = snprintf(path, sizeof path, "%s/%s", folder, kind->d_name);
        if (kind->d_name[0] == '.' || length >= (int)sizeof path) {
            continue;
        }
        DIR *files = opendir(path);
        if (files == NULL) {
            continue;
        }
        for (const struct dirent *file = readdir(files); file != NULL; file = readdir(files)) {
            const size_t n = strlen(file->d_name);
            if (n > 5 && strcmp(file->d_name + n - 5, ".yaml") == 0) {
                keep_preset(list, kind->d_name, file->d_name, n - 5);
            }
        }
        closedir(files);
    }
    closedir(kinds);
}

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

void ohmcli_each_preset(void (*use)(void *context, const char *name), void *context) {
    char folder[PATH_ROOM];
    ohmcli_preset_list list = {0};
    for (int i = 0; preset_folder(folder, sizeof folder, i); i++) {
        each_preset_in(folder, &list);
    }

    // in order, and each name once, however many folders have it
    if (list.n > 0) {
        qsort(list.names, (size_t)list.n, sizeof *list.names, by_name);
    }
    for (int i = 0; i < list.n; i++) {
        if (i == 0 || strcmp(list.names[i], list.names[i - 1]) != 0) {
            use(context, list.names[i]);
        }
    }
    free(list.names);
}

typedef struct {
    const char *wanted;
    char nearest[PRESET_ROOM]; // "" = none
} ohmcli_search;

bool ohmcli_is_preset_of(const char *name, ohmcli_offer offer) {
    static const struct {
        const char *folder;
        ohmcli_offer offer;
    } kinds[] = {{"experiments/", OHMCLI_COMPLETE_EXPERIMENT},
                 {"hardware/", OHMCLI_COMPLETE_HARDWARE},
                 {"harvest/", OHMCLI_COMPLETE_HARVEST},
                 {"power/", OHMCLI_COMPLETE_POWER}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strncmp(name, kinds[i].folder, strlen(kinds[i].folder)) == 0) {
            return offer == kinds[i].offer;
        }
    }
    return offer == OHMCLI_COMPLETE_CONFIG;
}

// Keeps a preset whose name, with or without its kind, is near the wanted one.
static void consider(void *context, const char *name) {
    ohmcli_search *search = context;
    const char *const words[] = {name, strchr(name, '/') + 1};
    char best[PRESET_ROOM];
    snprintf(best, sizeof best, "%s", search->nearest);
    const char *const pair[] = {best, name};
    if (ohmcli_nearest(search->wanted, words, 2) != NULL &&
        (best[0] == '\0' || ohmcli_nearest(search->wanted, pair, 2) == name)) {
        snprintf(search->nearest, sizeof search->nearest, "%s", name);
    }
}

bool ohmcli_find_config(char *path, size_t size_bytes, const char *name) {
    if (is_file(name)) {
        snprintf(path, size_bytes, "%s", name);
        return strlen(name) < size_bytes;
    }
    char folder[PATH_ROOM];
    for (int i = 0; preset_folder(folder, sizeof folder, i); i++) {
        static const char *const endings[] = {"", ".yaml"};
        for (int e = 0; e < 2; e++) {
            const int length = snprintf(path, size_bytes, "%s/%s%s", folder, name, endings[e]);
            if (length < (int)size_bytes && is_file(path)) {
                return true;
            }
        }
    }

    ohmcli_search search = {.wanted = name};
    ohmcli_each_preset(consider, &search);
    if (search.nearest[0] != '\0') {
        ohmcli_fail(OHMCLI_USAGE,
                    "no config '%s': neither a file nor a preset (did you mean '%s'?)", name,
                    search.nearest);
    } else {
        ohmcli_fail(OHMCLI_USAGE,
                    "no config '%s': neither a file nor a preset ('ohmwise help learn' lists them)",
                    name);
    }
    return false;
}

bool ohmcli_find_preset(char *path, size_t size_bytes, const char *folder, const char *name) {
    char whole[PATH_ROOM];
    const bool is_short = strpbrk(name, "/.") == NULL;
    snprintf(whole, sizeof whole, "%s%s%s", is_short ? folder : "", is_short ? "/" : "", name);
    return ohmcli_find_config(path, size_bytes, whole);
}
