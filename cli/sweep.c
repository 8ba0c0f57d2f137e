// SPDX-License-Identifier: Apache-2.0
// `ohmwise sweep EXPERIMENT [key=value ...] --out FOLDER`: many runs from one file, then compared.
//
// Everything is checked before the first run starts. Each run is a process of its own (`learn`, or
// `insitu` where the file says so) in
// a folder of its own; runs that are finished are passed over, others go on from their checkpoint.
// Under mpirun each rank runs one at a time, whoever is free the next.
#include <errno.h>
#include <fnmatch.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "cli.h"
#include "comparison.h"
#include "ohmwise/config.h"
#include "ohmwise/experiment.h"
#include "progress.h"
#include "ranks.h"
#include "stop.h"

enum { PATH_ROOM = 4096, FIXED_WORDS = 16 };

static const ohmcli_option options[] = {
    {.name = "out",
     .letter = 'o',
     .value = "FOLDER",
     .help = "a run folder a run in it, and comparison.html, .csv, .md",
     .complete = OHMCLI_COMPLETE_FOLDER},
    {.name = "jobs", .letter = 'j', .value = "N", .help = "runs at once, 1 unless given"},
    {.name = "threads", .value = "N", .help = "threads a run; else its share of the CPUs"},
    {.name = "only", .value = "PATTERN", .help = "only runs of that name, as 'xst-*'"},
    {.name = "list", .letter = 'n', .help = "print the runs and stop"},
    OHMCLI_OPTION_DATA,
    {.name = "published",
     .value = "FILE",
     .help = "a published row to set beside; may be repeated",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "require",
     .value = "CONDITION",
     .help = "of the finished runs, as for compare; may be repeated"},
    {0},
};

const ohmcli_command ohmcli_sweep_command = {
    .name = "sweep",
    .summary = "Learn all runs of an experiment and compare them",
    .operands = "EXPERIMENT [key=value ...]",
    .min_operands = 1,
    .max_operands = -1,
    .example = "sweep experiments/fashion-mnist-units --out runs/units --jobs 2",
    .notes = "EXPERIMENT is a YAML file (docs/sweep.md) or the name of a preset. The same command\n"
             "goes on with a sweep that was stopped; what is finished is not learned again.\n"
             "A run that fails does not stop the others; its exit code is the sweep's.\n"
             "Under mpirun every process runs one at a time (docs/parallel.md).",
    .options = options,
    .complete = OHMCLI_COMPLETE_EXPERIMENT,
    .has_ranks = true,
    .run = ohmcli_sweep,
};

// A run of the sweep and what it is started with.
typedef struct {
    const ohm_experiment_run *run;
    char path[PATH_ROOM];
    bool is_wanted; // by --only
    bool is_finished;
    bool is_begun;
    const char **words; // its command line; ends with NULL
} point;

typedef struct {
    const ohmcli_call *call;
    ohm_experiment *experiment;
    char base[PATH_ROOM]; // file of the base config
    point *points;        // (n)
    int n;
    ohmcli_job *jobs; // (n_jobs)
    int *of_job;      // (n_jobs) index of the point
    int n_jobs;
    int n_done; // runs that are finished, for the progress
    int at_once;
    bool is_stopped;  // a rank was asked to stop
    char threads[16]; // of a run
} sweep;

// ---- what is to be done ----

// The file of the base config: beside the experiment, else as learn looks it up.
static bool find_base(sweep *s, const char *experiment_path) {
    const char *base = ohm_experiment_base(s->experiment);
    const char *slash = strrchr(experiment_path, '/');
    if (base[0] != '/' && slash != NULL) {
        const int length = snprintf(s->base, sizeof s->base, "%.*s%s",
                                    (int)(slash + 1 - experiment_path), experiment_path, base);
        if (length < (int)sizeof s->base && access(s->base, R_OK) == 0) {
            return true;
        }
    }
    return ohmcli_find_config(s->base, sizeof s->base, base);
}

// "key=value" for all runs.
static int set_key(sweep *s, const char *assignment) {
    char key[128];
    ohm_error err = {0};
    const char *value = NULL;
    if (!ohmcli_assignment(s->call, assignment, key, sizeof key, &value)) {
        return OHMCLI_USAGE;
    }
    return ohm_experiment_set(s->experiment, key, value, &err) < 0 ? ohmcli_error(&err)
                                                                   : OHMCLI_DONE;
}

// Experiment, command line, base config, environment: the runs.
static int make_runs(sweep *s) {
    char path[PATH_ROOM];
    ohm_error err = {0};
    if (!ohmcli_find_config(path, sizeof path, s->call->operands[0])) {
        return OHMCLI_USAGE;
    }
    if (ohm_experiment_load(&s->experiment, path, &err) < 0) {
        return ohmcli_error(&err);
    }
    for (int i = 1; i < s->call->n_operands; i++) {
        const int code = set_key(s, s->call->operands[i]);
        if (code != OHMCLI_DONE) {
            return code;
        }
    }
    if (!find_base(s, path)) {
        return OHMCLI_USAGE;
    }
    const char *backend = getenv("OHM_BACKEND");
    const char *const before[] = {"backend", backend, NULL};
    if (ohm_experiment_expand(s->experiment, s->base,
                              backend != NULL && backend[0] != '\0' ? before : NULL, &err) < 0) {
        return ohmcli_error(&err);
    }
    s->n = ohm_experiment_count(s->experiment);
    s->points = calloc((size_t)s->n, sizeof *s->points);
    s->jobs = calloc((size_t)s->n, sizeof *s->jobs);
    s->of_job = calloc((size_t)s->n, sizeof *s->of_job);
    return s->points == NULL || s->jobs == NULL || s->of_job == NULL
               ? ohmcli_fail(OHMCLI_FAILED, "out of memory")
               : OHMCLI_DONE;
}

// Whether metrics.json says that all tasks are learned; one that is cut or foreign does not. What
// `insitu` makes is finished when it is also priced, after its plain training.
static bool is_finished(const sweep *s, const char *run) {
    const bool is_insitu = strcmp(ohm_experiment_command(s->experiment), "insitu") == 0;
    char path[PATH_ROOM + 16];
    snprintf(path, sizeof path, "%s/metrics.json", run);
    json_t *metrics = json_load_file(path, 0, NULL);
    const bool is = json_is_true(json_object_get(metrics, "finished")) &&
                    (!is_insitu || json_is_object(json_object_get(metrics, "insitu")));
    json_decref(metrics);
    return is;
}

// Which runs are wanted, and what is there of them.
static int look(sweep *s) {
    const char *pattern = ohmcli_value(s->call, "only");
    const char *folder = ohmcli_value(s->call, "out");
    int n_wanted = 0;
    for (int i = 0; i < s->n; i++) {
        point *p = &s->points[i];
        p->run = ohm_experiment_at(s->experiment, i);
        p->is_wanted = pattern == NULL || fnmatch(pattern, p->run->folder, 0) == 0;
        n_wanted += p->is_wanted ? 1 : 0;
        if (folder == NULL) {
            continue;
        }
        ohm_error err = {0};
        const int length = snprintf(p->path, sizeof p->path, "%s/%s", folder, p->run->folder);
        if (length >= (int)sizeof p->path) {
            return ohmcli_usage(&ohmcli_sweep_command, "the path of the runs is too long");
        }
        // what another experiment left there must not be taken for this one's
        if (ohm_experiment_agrees(s->experiment, i, p->path, &err) < 0) {
            return ohmcli_error(&err);
        }
        p->is_begun = access(p->path, F_OK) == 0;
        p->is_finished = p->is_begun && is_finished(s, p->path);
    }
    if (n_wanted == 0) {
        return ohmcli_usage(&ohmcli_sweep_command, "no run is called like '%s'; --list shows them",
                            pattern);
    }
    return OHMCLI_DONE;
}

static int print_list(const sweep *s) {
    int width = 4;
    for (int i = 0; i < s->n; i++) {
        const int length = (int)strlen(s->points[i].run->folder);
        width = s->points[i].is_wanted && length > width ? length : width;
    }
    printf("%s%-*s  %-8s  %s%s\n", ohmcli_bold(stdout), width, "run", "state", "settings",
           ohmcli_plain(stdout));
    for (int i = 0; i < s->n; i++) {
        const point *p = &s->points[i];
        if (!p->is_wanted) {
            continue;
        }
        printf("%-*s  %-8s ", width, p->run->folder,
               p->is_finished ? "finished"
               : p->is_begun  ? "begun"
                              : "new");
        for (int k = 0; k < p->run->n_settings; k++) {
            if (strncmp(p->run->settings[k], "name=", 5) != 0) {
                printf(" %s", p->run->settings[k]);
            }
        }
        putchar('\n');
    }
    return OHMCLI_DONE;
}

// ---- running ----

// How many threads a run gets: --threads, else its part of $OHM_THREADS or of the CPUs.
static int share_threads(sweep *s) {
    int threads = 0;
    if (!ohmcli_integer(s->call, "threads", 1, 256, &threads)) {
        return OHMCLI_USAGE;
    }
    if (threads == 0) {
        const char *text = getenv("OHM_THREADS"); // main has checked it
        cpu_set_t set;
        int cpus = text != NULL ? atoi(text) : 0;
        if (cpus < 1) {
            cpus = ohmcli_ranks_cpus();
        }
        if (cpus < 1) {
            cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
        }
        threads = cpus / s->at_once > 1 ? cpus / s->at_once : 1;
    }
    snprintf(s->threads, sizeof s->threads, "%d", threads < 256 ? threads : 256);
    return OHMCLI_DONE;
}

// The command line of a run.
static bool compose(sweep *s, point *p, bool is_shown) {
    p->words = calloc((size_t)p->run->n_settings + FIXED_WORDS, sizeof *p->words);
    if (p->words == NULL) {
        return false;
    }
    int n = 0;
    p->words[n++] = "ohmwise";
    p->words[n++] = ohm_experiment_command(s->experiment);
    p->words[n++] = "--out";
    p->words[n++] = p->path;
    p->words[n++] = "--threads";
    p->words[n++] = s->threads;
    if (ohmcli_has(s->call, "data")) {
        p->words[n++] = "--data";
        p->words[n++] = ohmcli_value(s->call, "data");
    }
    if (!is_shown) {
        p->words[n++] = "--quiet";
    }
    p->words[n++] = "--";
    p->words[n++] = s->base;
    for (int i = 0; i < p->run->n_settings; i++) {
        p->words[n++] = p->run->settings[i];
    }
    return true;
}

static const point *point_of(const sweep *s, const ohmcli_job *job) {
    return &s->points[s->of_job[job - s->jobs]];
}

static void started(void *context, const ohmcli_job *job) {
    const sweep *s = context;
    const point *p = point_of(s, job);
    if (ohmcli_verbosity() >= 0) {
        const ohm_communicator *ranks = ohmcli_ranks();
        char where[32] = "";
        if (ranks->size > 1) {
            snprintf(where, sizeof where, " on rank %d", ranks->rank);
        }
        fprintf(stderr, "%s%s%s: run %d of %d%s%s\n", ohmcli_bold(stderr), p->run->folder,
                ohmcli_plain(stderr), (int)(p - s->points) + 1, s->n, where,
                p->is_begun ? ", goes on" : "");
    }
}

static void ended(void *context, const ohmcli_job *job) {
    sweep *s = context;
    point *p = &s->points[s->of_job[job - s->jobs]];
    char time[48];
    char line[2048];

    // errors of a child whose stderr is not shown
    while (job->said != NULL && fgets(line, sizeof line, job->said) != NULL) {
        fprintf(stderr, "%s: %s%s", p->run->folder, line, strchr(line, '\n') != NULL ? "" : "\n");
    }
    ohmcli_duration(time, sizeof time, job->seconds);
    p->is_finished = job->exit_code == OHMCLI_DONE && is_finished(s, p->path);
    s->n_done += p->is_finished ? 1 : 0;
    if (!p->is_finished && job->exit_code != OHMCLI_STOPPED) {
        ohmcli_fail(job->exit_code, "the run '%s' failed with exit code %d", p->run->folder,
                    job->exit_code);
    } else if (ohmcli_verbosity() >= 0 && ohmcli_ranks()->size > 1) {
        fprintf(stderr, "%s %s after %s\n", p->run->folder,
                p->is_finished ? "is finished" : "is stopped, its checkpoint written,", time);
    } else if (ohmcli_verbosity() >= 0) {
        fprintf(stderr, "%s %s after %s; %d of %d runs are finished\n", p->run->folder,
                p->is_finished ? "is finished" : "is stopped, its checkpoint written,", time,
                s->n_done, s->n);
    }
}

// What rank 0 has seen in the folders counts: others may look when the first runs have begun.
static int see_as_first(sweep *s) {
    const ohm_communicator *c = ohmcli_ranks();
    ohm_error err = {0};
    ohm_status status = OHM_OK;
    for (int i = 0; i < s->n && status >= 0; i++) {
        bool seen[] = {s->points[i].is_finished, s->points[i].is_begun};
        status = c->broadcast(c->context, seen, sizeof seen, 0, &err);
        s->points[i].is_finished = seen[0];
        s->points[i].is_begun = seen[1];
    }
    return status < 0 ? ohmcli_error(&err) : OHMCLI_DONE;
}

// How a run ended that some rank has begun.
typedef struct {
    bool is_begun;
    int exit_code;
} ending;

// One run, as an item of work; one that fails does not keep the others from being done.
static ohm_status run_one(void *context, int64_t item, void *result, ohm_error *err) {
    sweep *s = context;
    ohmcli_job *job = &s->jobs[item];
    const ohmcli_children_def def = {
        .at_once = 1, .context = s, .started = started, .ended = ended};
    (void)err;
    s->is_stopped = ohmcli_children_run(job, 1, &def) || s->is_stopped;
    const ending end = {.is_begun = job->exit_code >= 0, .exit_code = job->exit_code};
    memcpy(result, &end, sizeof end);
    return OHM_OK;
}

static int is_stopped(void *context) {
    const sweep *s = context;
    return s->is_stopped || *ohmcli_stop_on_signals() != 0;
}

// Runs all jobs over the ranks; afterwards every rank knows how each ended. *stopped: before its
// end.
static int run_over_ranks(sweep *s, bool *stopped) {
    ohm_error err = {0};
    ending *endings = calloc((size_t)s->n_jobs + 1, sizeof *endings);
    if (endings == NULL) {
        return ohmcli_fail(OHMCLI_FAILED, "out of memory");
    }
    const ohm_items_def def = {.n_items = s->n_jobs,
                               .result_bytes = sizeof *endings,
                               .results = endings,
                               .context = s,
                               .work = run_one,
                               .is_stopped = is_stopped};
    ohmcli_ranks_speak();
    const ohm_status status = ohm_items_run(ohmcli_ranks(), &def, &err);
    *stopped = status == OHM_ERR_INTERRUPTED;
    for (int i = 0; i < s->n_jobs; i++) {
        point *p = &s->points[s->of_job[i]];
        s->jobs[i].exit_code = endings[i].is_begun ? endings[i].exit_code : -1;
        *stopped = *stopped || s->jobs[i].exit_code == OHMCLI_STOPPED;
        p->is_finished = s->jobs[i].exit_code == OHMCLI_DONE && is_finished(s, p->path);
    }
    s->n_done = 0;
    for (int i = 0; i < s->n; i++) {
        s->n_done += s->points[i].is_finished ? 1 : 0;
    }
    free(endings);
    return status < 0 && !*stopped ? ohmcli_error(&err) : OHMCLI_DONE;
}

// Runs what there is to learn here, or on all ranks.
static int run_jobs(sweep *s, bool is_shown, bool *stopped) {
    if (ohmcli_ranks()->size > 1) {
        return run_over_ranks(s, stopped);
    }
    const ohmcli_children_def def = {.at_once = s->at_once,
                                     .is_shown = is_shown,
                                     .context = s,
                                     .started = started,
                                     .ended = ended};
    *stopped = ohmcli_children_run(s->jobs, s->n_jobs, &def);
    return OHMCLI_DONE;
}

// Learns what is not finished. Returns an exit code.
static int learn(sweep *s) {
    const int n_ranks = ohmcli_ranks()->size;
    const bool is_shown = s->at_once == 1 && n_ranks == 1 && ohmcli_verbosity() >= 0;
    int code = share_threads(s);
    if (code == OHMCLI_DONE && n_ranks > 1) {
        code = see_as_first(s);
    }
    for (int i = 0; i < s->n && code == OHMCLI_DONE; i++) {
        point *p = &s->points[i];
        s->n_done += p->is_finished ? 1 : 0;
        if (p->is_wanted && !p->is_finished) {
            if (!compose(s, p, is_shown)) {
                return ohmcli_fail(OHMCLI_FAILED, "out of memory");
            }
            s->of_job[s->n_jobs] = i;
            s->jobs[s->n_jobs++].argv = (char *const *)p->words;
        }
    }
    if (code != OHMCLI_DONE) {
        return code;
    }
    if (ohmcli_verbosity() >= 0) {
        fprintf(stderr,
                "%s: %d runs, %d of them finished, %d to learn, %d at once, %s thread%s "
                "each\n",
                ohm_experiment_name(s->experiment), s->n, s->n_done, s->n_jobs,
                n_ranks > 1 ? n_ranks : s->at_once, s->threads,
                strcmp(s->threads, "1") == 0 ? "" : "s");
    }
    bool stopped = false;
    code = run_jobs(s, is_shown, &stopped);

    // the first that failed says how the sweep ended, unless it was stopped before its end
    bool is_whole = true;
    for (int i = 0; i < s->n_jobs; i++) {
        const int of = s->jobs[i].exit_code;
        is_whole = is_whole && of == OHMCLI_DONE;
        code = code == OHMCLI_DONE && of > 0 ? of : code;
    }
    if (stopped && !is_whole) {
        if (ohmcli_ranks()->rank > 0) {
            return OHMCLI_STOPPED; // rank 0 says it
        }
        return ohmcli_fail(OHMCLI_STOPPED,
                           "stopped: %d of %d runs are finished; the same command "
                           "goes on",
                           s->n_done, s->n);
    }
    return code;
}

// ---- the comparison ----

// Compares what is finished, also of runs that --only leaves out.
static int compare(const sweep *s, const char *folder) {
    static const struct {
        const char *name;
        ohm_comparison_form form;
    } files[] = {{"html", OHM_AS_HTML}, {"csv", OHM_AS_CSV}, {"md", OHM_AS_MARKDOWN}};
    char path[PATH_ROOM];
    ohm_comparison *comparison = NULL;
    char **runs = calloc((size_t)s->n, sizeof *runs);
    int n = 0;
    int code = OHMCLI_DONE;
    if (runs == NULL) {
        return ohmcli_fail(OHMCLI_FAILED, "out of memory");
    }
    for (int i = 0; i < s->n; i++) {
        if (s->points[i].is_finished) {
            runs[n++] = s->points[i].path;
        }
    }
    if (n == 0) {
        free(runs);
        return OHMCLI_DONE; // no run is finished: the reasons were said
    }
    code =
        ohmcli_comparison_read(&comparison, s->call, runs, n, ohm_experiment_name(s->experiment));
    if (code == OHMCLI_DONE) {
        code = ohmcli_require_understood(s->call, comparison);
    }
    for (size_t f = 0; f < sizeof files / sizeof *files && code == OHMCLI_DONE; f++) {
        if (snprintf(path, sizeof path, "%s/comparison.%s", folder, files[f].name) <
            (int)sizeof path) {
            code = ohmcli_comparison_save(comparison, files[f].form, path);
        }
    }
    if (code == OHMCLI_DONE) {
        code = ohmcli_comparison_print(comparison, OHM_AS_TEXT);
        printf("comparison: %s/comparison.html\n", folder);
    }
    if (code == OHMCLI_DONE) {
        code = ohmcli_require_met(s->call, comparison);
    }
    ohm_comparison_free(&comparison);
    free(runs);
    return code;
}

static int run_sweep(sweep *s) {
    const char *folder = ohmcli_value(s->call, "out");
    const bool only_list = ohmcli_has(s->call, "list");
    s->at_once = 1;
    if (!ohmcli_integer(s->call, "jobs", 1, 256, &s->at_once)) {
        return OHMCLI_USAGE;
    }
    if (s->at_once > 1 && ohmcli_ranks()->size > 1) {
        return ohmcli_usage(&ohmcli_sweep_command,
                            "--jobs is for one process; here the %d ranks run one each",
                            ohmcli_ranks()->size);
    }
    if (folder == NULL && !only_list) {
        return ohmcli_usage(&ohmcli_sweep_command, "where to? give --out FOLDER");
    }

    // hours later would be late to hear of these
    int code = ohmcli_require_understood(s->call, NULL);
    const char *file = NULL;
    for (int i = 0; (file = ohmcli_value_at(s->call, "published", i)) != NULL; i++) {
        if (access(file, R_OK) != 0) {
            return ohmcli_fail(OHMCLI_FAILED, "cannot read '%s': %s", file, strerror(errno));
        }
    }
    if (code == OHMCLI_DONE) {
        code = make_runs(s);
    }
    if (code == OHMCLI_DONE) {
        code = look(s);
    }
    if (code != OHMCLI_DONE || only_list) {
        return code != OHMCLI_DONE ? code : print_list(s);
    }
    const int learned = learn(s);
    if (learned == OHMCLI_STOPPED) {
        return learned;
    }
    const ohm_communicator *ranks = ohmcli_ranks();
    code = ranks->rank == 0 ? compare(s, folder) : OHMCLI_DONE;
    code = learned != OHMCLI_DONE ? learned : code;

    // all ranks end as rank 0 does, when it is done
    ohm_error err = {0};
    if (ranks->broadcast(ranks->context, &code, sizeof code, 0, &err) < 0) {
        return ohmcli_error(&err);
    }
    return code;
}

int ohmcli_sweep(int argc, char **argv) {
    ohmcli_call call;
    const int done = ohmcli_parse(&call, &ohmcli_sweep_command, argc, argv);
    if (done >= 0) {
        return done;
    }
    sweep s = {.call = &call};
    const int code = run_sweep(&s);
    for (int i = 0; s.points != NULL && i < s.n; i++) {
        free(s.points[i].words);
    }
    free(s.points);
    free(s.jobs);
    free(s.of_job);
    ohm_experiment_free(&s.experiment);
    return code;
}
