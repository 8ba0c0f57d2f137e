// SPDX-License-Identifier: Apache-2.0
// Reading metrics.csv: step,epoch,task,split,name,value,unit, one value a line. Two passes: the
// first finds the epochs of each task, the second sums the values of an epoch.
//
//     curve[task][epoch] = sum of the values logged in the epoch / their number
//
// Tasks count from 1. A row carries the epochs finished when it was written: the train rows of an
// epoch are written just before it counts as finished, test rows after it. Curves are drawn over
// the epochs finished, so train rows move up by one.
#include "report/curves.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

#define N_FIELDS 7
#define MAX_EPOCHS 100000
#define MAX_PLACES (1 << 20) // epochs of all tasks together; a place has four curves

static const char *const field_names[N_FIELDS] = {"step", "epoch", "task", "split",
                                                  "name", "value", "unit"};

typedef struct {
    int64_t epoch;
    int task;
    int curve; // OHMI_CURVE_..., -1 = of no interest here
    double value;
} row;

// One end of the text that is being read line by line.
typedef struct {
    char *next;
    int64_t line;
} cursor;

// Cuts the next line into its fields, in place; quotes are not used in this file. Returns the
// number of fields, 0 at an empty line, -1 at the end of the text.
static int next_line(cursor *at, char *fields[N_FIELDS]) {
    if (at->next == NULL || *at->next == '\0') {
        return -1;
    }
    char *line = at->next;
    char *end = strchr(line, '\n');
    at->next = end == NULL ? NULL : end + 1;
    at->line += 1;
    if (end != NULL) {
        *end = '\0';
    }
    line[strcspn(line, "\r")] = '\0';
    if (*line == '\0') {
        return 0;
    }
    int n = 0;
    for (char *field = line; field != NULL; ++n) {
        char *comma = strchr(field, ',');
        if (comma != NULL) {
            *comma = '\0';
        }
        if (n < N_FIELDS) {
            fields[n] = field;
        }
        field = comma == NULL ? NULL : comma + 1;
    }
    return n;
}

// A task is named by its number from 1, or by its name.
static int find_task(const ohmi_run *run, const char *text) {
    char *end = NULL;
    const long number = strtol(text, &end, 10);
    if (end != text && *end == '\0') {
        return number >= 1 && number <= run->n_tasks ? (int)number - 1 : -1;
    }
    for (int i = 0; i < run->n_tasks; ++i) {
        if (strcmp(run->tasks[i].name, text) == 0) {
            return i;
        }
    }
    return -1;
}

static int find_curve(const char *split, const char *name) {
    const bool is_train = strcmp(split, "train") == 0;
    if (!is_train && strcmp(split, "test") != 0) {
        return -1;
    }
    if (strcmp(name, "loss") == 0) {
        return is_train ? OHMI_CURVE_LOSS_TRAIN : OHMI_CURVE_LOSS_TEST;
    }
    if (strcmp(name, "accuracy") == 0) {
        return is_train ? OHMI_CURVE_ACCURACY_TRAIN : OHMI_CURVE_ACCURACY_TEST;
    }
    return -1;
}

// Returns 1 when the fields make a row. A task that metrics.json does not have yet (a run that is
// going on) gives task -1.
static int read_row(row *out, const ohmi_run *run, char *const fields[N_FIELDS], int n_fields) {
    if (n_fields != N_FIELDS) {
        return 0;
    }
    char *end_epoch = NULL;
    char *end_value = NULL;
    out->epoch = strtoll(fields[1], &end_epoch, 10);
    out->value = strtod(fields[5], &end_value);
    if (end_epoch == fields[1] || *end_epoch != '\0' || out->epoch < 0 || out->epoch > MAX_EPOCHS ||
        end_value == fields[5] || *end_value != '\0') {
        return 0;
    }
    out->task = find_task(run, fields[2]);
    out->curve = find_curve(fields[3], fields[4]);
    out->epoch += strcmp(fields[3], "train") == 0 ? 1 : 0;
    if (strcmp(fields[6], "%") == 0 || strcmp(fields[6], "percent") == 0) {
        out->value /= 100.0;
    }
    return 1;
}

static void add_row(ohmi_run *run, int32_t *const *counts, const row *r) {
    ohmi_run_curves *curves = &run->curves[r->task];
    const int64_t i = r->curve * curves->n_epochs + (r->epoch - curves->first_epoch);
    curves->values[i] = counts[r->task][i] == 0 ? r->value : curves->values[i] + r->value;
    counts[r->task][i] += 1;
}

ohm_status ohmi_curves_read(ohmi_run *run, char *csv, ohm_error *err) {
    ohm_status status = OHM_OK;
    const size_t size = strlen(csv);
    int32_t **counts = NULL; // (n_tasks) of (OHMI_N_CURVES, n_epochs)
    char *copy = ohmi_alloc(size + 1, 1);
    char *fields[N_FIELDS] = {0};
    row r = {0};
    int64_t n_bad = 0;
    int64_t first_bad = 0;

    counts = ohmi_alloc((size_t)run->n_tasks, sizeof *counts);
    if (copy == NULL || counts == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the curves");
        goto done;
    }
    memcpy(copy, csv, size + 1);

    // the header must be ours
    cursor at = {csv, 0};
    int n = next_line(&at, fields);
    bool is_ours = n == N_FIELDS;
    for (int i = 0; is_ours && i < N_FIELDS; ++i) {
        is_ours = strcmp(fields[i], field_names[i]) == 0;
    }
    if (!is_ours) {
        ohmi_text_add(&run->remarks,
                      "<li><code>metrics.csv</code> has another header than expected, so there "
                      "are no curves.</li>");
        goto done;
    }

    // pass 1: the range of epochs of each task
    while ((n = next_line(&at, fields)) >= 0) {
        if (n > 0 && !read_row(&r, run, fields, n)) {
            first_bad = n_bad == 0 ? at.line : first_bad;
            n_bad += 1;
        } else if (n > 0 && r.task >= 0 && r.curve >= 0) {
            ohmi_run_curves *curves = &run->curves[r.task];
            const int64_t end = curves->first_epoch + curves->n_epochs;
            if (curves->n_epochs == 0) {
                curves->first_epoch = r.epoch;
                curves->n_epochs = 1;
            } else if (r.epoch < curves->first_epoch) {
                curves->n_epochs = end - r.epoch;
                curves->first_epoch = r.epoch;
            } else if (r.epoch >= end) {
                curves->n_epochs = r.epoch - curves->first_epoch + 1;
            }
        }
    }

    // a file of two lines a task can span any number of epochs
    int64_t n_places = 0;
    for (int i = 0; i < run->n_tasks; ++i) {
        n_places += run->curves[i].n_epochs;
    }
    if (n_places > MAX_PLACES) {
        for (int i = 0; i < run->n_tasks; ++i) {
            run->curves[i].n_epochs = 0;
        }
        ohmi_text_printf(&run->remarks,
                         "<li><code>metrics.csv</code> spans %" PRId64
                         " epochs of all tasks together, too many for curves (at most %d).</li>",
                         n_places, MAX_PLACES);
        goto done;
    }
    for (int i = 0; i < run->n_tasks; ++i) {
        const size_t n_values = (size_t)(OHMI_N_CURVES * run->curves[i].n_epochs);
        run->curves[i].values = ohmi_alloc(n_values, sizeof(double));
        counts[i] = ohmi_alloc(n_values, sizeof(int32_t));
        if (run->curves[i].values == NULL || counts[i] == NULL) {
            status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the curves");
            goto done;
        }
    }

    // pass 2 over the text as it was: sums, then means
    memcpy(csv, copy, size);
    at = (cursor){csv, 0};
    (void)next_line(&at, fields);
    while ((n = next_line(&at, fields)) >= 0) {
        if (n > 0 && read_row(&r, run, fields, n) && r.task >= 0 && r.curve >= 0) {
            add_row(run, counts, &r);
        }
    }
    for (int i = 0; i < run->n_tasks; ++i) {
        for (int64_t j = 0; j < OHMI_N_CURVES * run->curves[i].n_epochs; ++j) {
            double *value = &run->curves[i].values[j];
            *value = counts[i][j] == 0 ? (double)NAN : *value / counts[i][j];
        }
    }
    if (n_bad > 0) {
        ohmi_text_printf(&run->remarks,
                         "<li><code>metrics.csv</code>: %" PRId64
                         " line(s) cannot be read and are left out, the first at line %" PRId64
                         ".</li>",
                         n_bad, first_bad);
    }
done:
    for (int i = 0; counts != NULL && i < run->n_tasks; ++i) {
        ohmi_free(counts[i]);
    }
    ohmi_free(counts);
    ohmi_free(copy);
    return status;
}
