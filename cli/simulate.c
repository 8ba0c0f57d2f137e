// SPDX-License-Identifier: Apache-2.0
// `ohmwise simulate RUN [key=value ...]`: accuracy on chips that are not what they should be.
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "ohmwise/simulate.h"
#include "ohmwise/system.h"
#include "progress.h"
#include "ranks.h"
#include "run_results.h"
#include "stop.h"

static const ohmcli_option options[] = {
    {.name = "chips", .letter = 'c', .value = "N", .help = "chips, each drawn anew (default 3)"},
    {.name = "reads",
     .letter = 'r',
     .value = "M",
     .help = "reads of each chip, where reads differ (default 1)"},
    {.name = "sweep",
     .letter = 's',
     .value = "KEY=V,V",
     .help = "a point for each value, as fault.stuck_off=0,0.02,0.05"},
    {.name = "by-effect", .help = "also each effect that is on, by itself"},
    {.name = "images", .letter = 'i', .value = "N", .help = "test images a task, 0 = all"},
    {.name = "task", .value = "TASK", .help = "a task by number or name; may be given again"},
    {.name = "out",
     .letter = 'o',
     .value = "FILE",
     .help = "file of the results; else RUN/simulate.json",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "errors",
     .value = "FILE",
     .help = "write the errors of each layer's sums, for adapt.noise of learn",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "profile",
     .value = "FILE",
     .help = "write the faults of the first chip, for adapt.profile of learn",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "force", .help = "discard results that are there"},
    OHMCLI_OPTION_BACKEND,
    OHMCLI_OPTION_DATA,
    OHMCLI_OPTION_THREADS,
    OHMCLI_OPTION_PROGRESS,
    {.name = "json", .help = "print the results as one JSON document"},
    {0},
};

const ohmcli_command ohmcli_simulate_command = {
    .name = "simulate",
    .summary = "Run what was learned on faulty, noisy, drifting chips",
    .operands = "RUN [key=value ...]",
    .min_operands = 1,
    .max_operands = -1,
    .example = "simulate runs/first fault.preset=chen2015 repair.stuck=true --chips 5",
    .notes =
        "key=value sets keys of arrays and devices ('ohmwise explain fault', variation, drift,\n"
        "noise, converter, wire, repair, cell, array, adc); all effects are off unless set.\n"
        "Chips that the file of results has are not done again: the same command goes on, and\n"
        "more --chips add to it. Under mpirun the processes share chips and reads.",
    .options = options,
    .complete = OHMCLI_COMPLETE_FOLDER,
    .has_ranks = true,
    .run = ohmcli_simulate,
};

enum { MOST_TASKS = 254 };

typedef struct {
    volatile sig_atomic_t *stop;
    bool is_bar, is_quiet, has_line;
    double drawn_s;
} watcher;

// Redraws a line on a terminal; elsewhere a line a read.
static int watch(void *context, const ohm_simulate_event *event) {
    watcher *w = context;
    const bool is_last = event->task + 1 == event->n_tasks;
    char left[32];
    ohmcli_duration(left, sizeof left, event->seconds_left > 0 ? event->seconds_left : 0);
    if (w->is_quiet) {
        return *w->stop != 0;
    }
    if (w->is_bar && (is_last || ohmcli_now_s() - w->drawn_s > 0.1)) {
        fprintf(stderr,
                "\r%3.0f %%  %s, chip %d/%d, read %d/%d, task %d/%d: %.2f %%, %s left\033[K",
                100 * event->part, event->label, event->chip + 1, event->n_chips, event->read + 1,
                event->n_reads, event->task + 1, event->n_tasks, 100 * event->accuracy, left);
        fflush(stderr);
        w->has_line = true;
        w->drawn_s = ohmcli_now_s();
    } else if (!w->is_bar && is_last) {
        fprintf(stderr, "%s, chip %d/%d, read %d/%d: %.2f %%\n", event->label, event->chip + 1,
                event->n_chips, event->read + 1, event->n_reads, 100 * event->accuracy);
    }
    return *w->stop != 0;
}

// A number as percent, or a dash.
static void print_percent(double value) {
    if (isfinite(value)) {
        printf(" %9.2f", 100 * value);
    } else {
        printf(" %9s", "-");
    }
}

static void print_table(const json_t *results, const char *path) {
    const json_t *integer = json_object_get(results, "integer");
    const json_t *points = json_object_get(results, "points"), *point, *row, *effect;
    double sum = 0;
    size_t i, e;
    json_array_foreach(integer, i, row) {
        sum += ohmcli_number(row, "accuracy") / (double)json_array_size(integer);
    }
    printf("%s%-56s %5s %9s %9s %9s %9s%s\n", ohmcli_bold(stdout), "accuracy in %", "chips", "mean",
           "+-", "least", "most", ohmcli_plain(stdout));
    printf("%-56s %5s", "integer network, nothing wrong", "-");
    print_percent(sum);
    putchar('\n');
    json_array_foreach(points, i, point) {
        printf("%-56.56s %5zu", json_string_value(json_object_get(point, "label")),
               json_array_size(json_object_get(point, "chips")));
        print_percent(ohmcli_number(point, "mean"));
        print_percent(ohmcli_number(point, "deviation"));
        print_percent(ohmcli_number(point, "least"));
        print_percent(ohmcli_number(point, "most"));
        putchar('\n');
        json_array_foreach(json_object_get(point, "effects"), e, effect) {
            printf("    %s\n", json_string_value(effect));
        }
    }
    printf("+- is the standard deviation over chips; all of it: %s\n", path);
}

// Prints the file of results.
static int print_results(const ohmcli_call *call, const char *path) {
    json_error_t error;
    json_t *results = json_load_file(path, 0, &error);
    if (results == NULL) {
        return ohmcli_fail(OHMCLI_FAILED, "%s: %s", path, error.text);
    }
    if (ohmcli_has(call, "json")) {
        json_dumpf(results, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_table(results, path);
    }
    json_decref(results);
    return OHMCLI_DONE;
}

// The tasks that were asked for. Returns an exit code.
static int read_tasks(int *tasks, int *n_tasks, const ohmcli_call *call, const char *run) {
    for (int i = 0;; i++) {
        const char *name = ohmcli_value_at(call, "task", i);
        if (name == NULL) {
            return OHMCLI_DONE;
        }
        if (i == MOST_TASKS) {
            return ohmcli_usage(&ohmcli_simulate_command, "more than %d tasks", (int)MOST_TASKS);
        }
        const int code = ohmcli_run_task(&tasks[i], run, name);
        if (code != OHMCLI_DONE) {
            return code;
        }
        *n_tasks = i + 1;
    }
}

int ohmcli_simulate(int argc, char **argv) {
    ohmcli_call call;
    int code = ohmcli_parse(&call, &ohmcli_simulate_command, argc, argv);
    if (code >= 0) {
        return code;
    }
    int chips = 3, reads = 1, images = 0, n_tasks = 0, tasks[MOST_TASKS];
    const char *run = call.operands[0];
    if (!ohmcli_integer(&call, "chips", 1, 1000000, &chips) ||
        !ohmcli_integer(&call, "reads", 1, 1000000, &reads) ||
        !ohmcli_integer(&call, "images", 0, 1 << 30, &images) || !ohmcli_set_threads(&call)) {
        return OHMCLI_USAGE;
    }
    for (int i = 1; i < call.n_operands; i++) {
        char key[128];
        const char *value = NULL;
        if (!ohmcli_assignment(&call, call.operands[i], key, sizeof key, &value)) {
            return OHMCLI_USAGE;
        }
    }
    code = read_tasks(tasks, &n_tasks, &call, run);
    if (code != OHMCLI_DONE) {
        return code;
    }
    char path[4096];
    const char *out = ohmcli_value(&call, "out");
    snprintf(path, sizeof path, out ? "%s" : "%s/simulate.json", out ? out : run);

    ohmcli_progress progress;
    ohmcli_progress_init(&progress, &call, ohmcli_stop_on_signals());
    watcher w = {.stop = progress.stop, .is_bar = progress.is_bar, .is_quiet = progress.is_quiet};
    ohm_error err = {0};
    const ohm_simulate_def def = {
        .run_folder = run,
        .path = path,
        .profile_path = ohmcli_value(&call, "profile"),
        .errors_path = ohmcli_value(&call, "errors"),
        .data_folder = ohmcli_data_folder(&call),
        .backend = ohmcli_backend(&call),
        .settings = (const char *const *)(call.operands + 1),
        .n_settings = call.n_operands - 1,
        .sweep = ohmcli_value(&call, "sweep"),
        .n_chips = chips,
        .n_reads = reads,
        .n_images = images,
        .tasks = n_tasks > 0 ? tasks : NULL,
        .n_tasks = n_tasks,
        .by_effect = ohmcli_has(&call, "by-effect"),
        .force = ohmcli_has(&call, "force"),
        .sink = watch,
        .context = &w,
        .communicator = ohmcli_ranks(),
    };
    const ohm_status status = ohm_simulate(&def, &err);
    if (w.has_line) {
        fputs("\r\033[K", stderr);
    }
    if (status < 0) {
        return ohmcli_error(&err);
    }
    return ohmcli_ranks()->rank == 0 ? print_results(&call, path) : OHMCLI_DONE;
}
