// SPDX-License-Identifier: Apache-2.0
// Opening and resuming a run folder, its log and its metrics.csv; see run_folder.h.
#include "learn/run_folder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"

static const char csv_header[] = "step,epoch,task,split,name,value,unit\n";

void ohmi_run_file(char *text, const ohmi_run_folder *run, const char *name) {
    (void)snprintf(text, 1024, "%s/%s", run->path, name);
}

static ohm_status io_error(ohm_error *err, const char *what, const char *path) {
    const bool is_full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    ohm_status status =
        ohmi_fail(err, OHM_ERR_IO, "cannot %s '%s': %s", what, path, strerror(errno));
    if (is_full) {
        ohmi_hint(err, "make room and give the same command again: it goes on where it was saved");
    }
    return status;
}

// A line of a config without its comment and blanks around it.
typedef struct {
    const char *text;
    int size, number; // bytes; 1-based line of the file
} config_line;

// whether a line may differ: where a run is computed, how often it is saved and what it is priced
// with does not change what it computes
static bool may_differ(const config_line *line) {
    // the last ones are the section machine's, which prices what was counted
    static const char *const keys[] = {
        "threads:",    "checkpoint:", "read_energy:", "read_time:", "write_energy:",
        "write_time:", "endurance:",  "gpu_power:",   "gpu_rate:",  "vectors:"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const size_t size = strlen(keys[i]);
        if ((size_t)line->size >= size && memcmp(line->text, keys[i], size) == 0) {
            return true;
        }
    }
    return false;
}

// where the comment of a line begins, or its end; a # inside quotes is text
static const char *comment_of(const char *line, const char *end) {
    char quote = 0;
    for (const char *c = line; c < end; c++) {
        if (quote) {
            quote = *c == quote ? 0 : quote;
        } else if (*c == '"' || *c == '\'') {
            quote = *c;
        } else if (*c == '#' && (c == line || c[-1] == ' ')) {
            return c;
        }
    }
    return end;
}

// the next line with something in it that must agree; false at the end
static bool next_line(const char **at, config_line *line) {
    while (**at) {
        const char *end = *at + strcspn(*at, "\n");
        const char *last = comment_of(*at, end);
        const char *first = *at + strspn(*at, " ");
        while (last > first && last[-1] == ' ') {
            last--;
        }
        *at = *end ? end + 1 : end;
        *line = (config_line){first, last > first ? (int)(last - first) : 0, line->number + 1};
        if (line->size > 0 && !may_differ(line)) {
            return true;
        }
    }
    line->size = 0;
    return false;
}

// compares two configs line by line
static ohm_status compare(const char *there, const char *wanted, const char *path, ohm_error *err) {
    config_line a = {.text = ""}, b = {.text = ""};
    for (;;) {
        const bool has_a = next_line(&there, &a), has_b = next_line(&wanted, &b);
        if (!has_a && !has_b) {
            return OHM_OK;
        }
        if (a.size != b.size || memcmp(a.text, b.text, (size_t)a.size) != 0) {
            ohm_status status =
                ohmi_fail(err, OHM_ERR_CONFIG, "the run that is there has '%.*s', this one '%.*s'",
                          a.size < 180 ? a.size : 180, a.text, b.size < 180 ? b.size : 180, b.text);
            ohmi_place(err, path, a.number, 0);
            ohmi_hint(err, "name another folder with --out, or discard the run with --force");
            return status;
        }
    }
}

// opens the log and takes the run for this process, until that ends in whatever way
static ohm_status take(ohmi_run_folder *run, ohm_error *err) {
    char file[1024];
    ohmi_run_file(file, run, "log.txt");
    run->log = fopen(file, "a");
    if (!run->log) {
        return io_error(err, "write", file);
    }
    // file systems without locks are taken on trust
    if (flock(fileno(run->log), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        ohm_status status = ohmi_fail(err, OHM_ERR_IO, "another process learns in '%s'", run->path);
        ohmi_hint(err, "wait for it, or name another folder with --out");
        return status;
    }
    return OHM_OK;
}

// removes the results of an earlier run, none of which may pass for the new one's
static ohm_status discard_results(const ohmi_run_folder *run, ohm_error *err) {
    static const char *const names[] = {
        "checkpoints/last.safetensors", "metrics.csv", "metrics.json", "layers.csv",
        "accuracy_matrix.csv",          "timing.txt",  "report.html",  "tasks.json"};
    char file[1024];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ohmi_run_file(file, run, names[i]);
        if (remove(file) != 0 && errno != ENOENT) {
            return io_error(err, "remove", file);
        }
    }
    return OHM_OK;
}

ohm_status ohmi_run_open(ohmi_run_folder *run, const char *path, const ohm_config *config,
                         int n_tasks, int force, bool *has_checkpoint, ohm_error *err) {
    ohm_status status = OHM_OK;
    char file[1024], *there = NULL;
    size_t size;
    struct stat info;

    memset(run, 0, sizeof *run);
    *has_checkpoint = false;
    if (strlen(path) >= sizeof run->path) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "the name of the run folder is too long");
        goto done;
    }
    (void)snprintf(run->path, sizeof run->path, "%s", path);
    run->n_tasks = n_tasks;
    run->train_seconds = ohmi_alloc((size_t)n_tasks, sizeof(double));
    if (!run->train_seconds) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the run");
        goto done;
    }
    OHM_TRY(ohm_config_text(&run->config_text, config, err));
    ohmi_run_file(file, run, "checkpoints");
    OHM_TRY(ohmi_make_folder(file, err));

    OHM_TRY(take(run, err));

    // a run that is there is resumed, discarded, or refused
    ohmi_run_file(file, run, "config.yaml");
    const bool is_there = stat(file, &info) == 0;
    if (is_there && !force) {
        OHM_TRY(ohmi_read_file(&there, &size, file, 1 << 20, err));
        OHM_TRY(compare(there, run->config_text, file, err));
    }
    ohmi_run_file(file, run, "checkpoints/last.safetensors");
    const bool has_file = stat(file, &info) == 0;
    ohmi_run_file(file, run, "metrics.json");
    const bool has_results = stat(file, &info) == 0;
    *has_checkpoint = has_file && is_there && !force;
    if (!force && ((has_file && !is_there) || (has_results && !has_file))) {
        // what was learned is worth more than a guess
        status = ohmi_fail(err, OHM_ERR_CONFIG, "'%s' has results but no %s", path,
                           has_file ? "config.yaml" : "checkpoints/last.safetensors");
        ohmi_hint(err, "put the file back, name another folder with --out, or discard the run with "
                       "--force");
        goto done;
    }
    if (!*has_checkpoint && (has_file || is_there)) {
        OHM_TRY(discard_results(run, err));
    }
    if (force && ftruncate(fileno(run->log), 0) != 0) {
        ohmi_run_file(file, run, "log.txt");
        status = io_error(err, "cut", file);
        goto done;
    }
    if (!is_there || force) {
        ohmi_run_file(file, run, "config.yaml");
        OHM_TRY(ohmi_write_file(file, run->config_text, strlen(run->config_text), err));
    }

    // seconds of the tasks so far
    ohmi_run_file(file, run, "timing.txt");
    FILE *times = *has_checkpoint ? fopen(file, "r") : NULL;
    for (int t = 0; times && t < n_tasks; t++) {
        if (fscanf(times, "%lf", &run->train_seconds[t]) != 1) {
            break;
        }
    }
    if (times) {
        (void)fclose(times);
    }

done:
    ohmi_free(there);
    if (status < 0) {
        ohmi_run_close(run);
    }
    return status;
}

void ohmi_run_close(ohmi_run_folder *run) {
    if (run->csv) {
        (void)fclose(run->csv);
    }
    if (run->log) {
        (void)fclose(run->log);
    }
    ohm_text_free(&run->config_text);
    ohmi_free(run->train_seconds);
    memset(run, 0, sizeof *run);
}

ohm_status ohmi_run_open_csv(ohmi_run_folder *run, int64_t size, ohm_error *err) {
    char file[1024];
    ohmi_run_file(file, run, "metrics.csv");
    run->csv = fopen(file, "a");
    if (!run->csv) {
        return io_error(err, "write", file);
    }
    struct stat info;
    if (fstat(fileno(run->csv), &info) != 0 || info.st_size < size) {
        ohm_status status =
            ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is shorter than the checkpoint says", file);
        ohmi_hint(err, "bring the whole file back, or learn into another folder");
        return status;
    }
    if (ftruncate(fileno(run->csv), size) != 0) {
        return io_error(err, "cut", file);
    }
    if (size == 0 && (fputs(csv_header, run->csv) == EOF || fflush(run->csv) == EOF)) {
        return io_error(err, "write", file);
    }
    return OHM_OK;
}

ohm_status ohmi_run_row(ohmi_run_folder *run, double *size_bytes, int64_t step, int epoch, int task,
                        const char *split, const char *name, double value, const char *unit,
                        ohm_error *err) {
    struct stat info;
    const int n = fprintf(run->csv, "%lld,%d,%d,%s,%s,%.9g,%s\n", (long long)step, epoch, task,
                          split, name, value, unit);
    if (n < 0 || fflush(run->csv) == EOF || fstat(fileno(run->csv), &info) != 0) {
        char file[1024];
        ohmi_run_file(file, run, "metrics.csv");
        return io_error(err, "write", file);
    }
    *size_bytes = (double)info.st_size;
    return OHM_OK;
}

ohm_status ohmi_run_sync_csv(ohmi_run_folder *run, ohm_error *err) {
    if (fsync(fileno(run->csv)) != 0 && errno != EINVAL) {
        char file[1024];
        ohmi_run_file(file, run, "metrics.csv");
        return io_error(err, "write", file);
    }
    return OHM_OK;
}

void ohmi_run_log(ohmi_run_folder *run, const char *format, ...) {
    char stamp[32];
    const time_t now = time(NULL);
    struct tm broken;
    va_list args;
    if (!run->log) {
        return;
    }
    gmtime_r(&now, &broken);
    (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &broken);
    (void)fprintf(run->log, "%s ", stamp);
    va_start(args, format);
    (void)vfprintf(run->log, format, args);
    va_end(args);
    (void)fputc('\n', run->log);
    (void)fflush(run->log);
}

ohm_status ohmi_run_save_times(const ohmi_run_folder *run, ohm_error *err) {
    ohmi_text text = {0};
    char file[1024];
    for (int t = 0; t < run->n_tasks; t++) {
        ohmi_text_printf(&text, "%.3f\n", run->train_seconds[t]);
    }
    ohmi_run_file(file, run, "timing.txt");
    ohm_status status = text.failed ? ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", file)
                                    : ohmi_write_file(file, text.data, text.size, err);
    ohmi_text_clear(&text);
    return status;
}
