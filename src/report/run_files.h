// SPDX-License-Identifier: Apache-2.0
// What the files of a run folder say, checked, as plain numbers for the report.
//
// metrics.json must be there and be whole. The others may be missing or cut short (a run may still
// be going on): then a remark says so and the page goes without.
// A number that is null or absent is NAN; a count that is absent is -1.
#ifndef OHMI_REPORT_RUN_FILES_H
#define OHMI_REPORT_RUN_FILES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "ohmwise/status.h"

typedef struct {
    const char *name;        // borrowed from the JSON tree
    double accuracy;         // fraction, on the path the run is meant for
    double accuracy_float;   // fraction
    double accuracy_integer; // fraction
    double train_seconds;
    double loss;
    int64_t epochs, n_classes, n_test;
    int64_t columns_new;   // columns the task owns
    int64_t columns_on;    // columns it uses: its own and those of earlier tasks switched on
    int64_t columns_total; // of the network
    int64_t mask_bytes;
} ohmi_run_task;

typedef struct {
    const char *name, *kind;
    int64_t units_total, k, c, r, s;
    int64_t *units_new; // (n_tasks)
    int64_t *units_on;  // (n_tasks) used: own and switched on
} ohmi_run_layer;

// Curves of a task; means of all values that metrics.csv has of an epoch.
enum {
    OHMI_CURVE_LOSS_TRAIN,
    OHMI_CURVE_LOSS_TEST,
    OHMI_CURVE_ACCURACY_TRAIN,
    OHMI_CURVE_ACCURACY_TEST,
    OHMI_N_CURVES
};

typedef struct {
    int64_t first_epoch; // epochs finished at the first value
    int64_t n_epochs;    // 0 = nothing logged
    double *values;      // (OHMI_N_CURVES, n_epochs), NAN where nothing was logged
} ohmi_run_curves;

typedef struct {
    json_t *metrics;    // owns the strings
    json_t *cost;       // cost.json of `ohmwise cost`; NULL when missing
    json_t *manifest;   // NULL when missing
    json_t *simulation; // simulate.json; NULL when missing
    json_t *map;        // map.json; NULL when missing
    json_t *insitu;     // insitu.json; NULL when missing
    char *config;       // text; NULL when missing
    char *log;          // text; NULL when missing
    ohmi_text remarks;  // HTML list items: what is missing or could not be read

    const char *name, *method, *model, *dataset;
    const char *reconstruction; // what of the method is not from its source; "" = nothing
    int64_t seed, parameters, columns_total;
    bool quantised, finished;
    int logits_identical; // 1, 0, or -1 when it was not checked
    double mean_accuracy, forgetting, train_seconds_total;

    int n_tasks;
    ohmi_run_task *tasks;    // (n_tasks)
    ohmi_run_curves *curves; // (n_tasks)
    int n_columns;           // of the matrix
    bool has_later;          // any task was measured again after a later one
    double *matrix;          // (n_tasks, n_columns), NAN where not measured
    int n_layers;
    ohmi_run_layer *layers; // (n_layers)
} ohmi_run;

// Reads a run folder into a zeroed struct. On failure the struct is cleared.
OHM_NODISCARD ohm_status ohmi_run_read(ohmi_run *run, const char *folder, ohm_error *err);
// Reads only a metrics.json into a zeroed struct, which wants its clear even on failure.
OHM_NODISCARD ohm_status ohmi_run_read_metrics(ohmi_run *run, const char *path, ohm_error *err);
// Reads cost.json of a run folder, where there is one; a broken one is a remark.
OHM_NODISCARD ohm_status ohmi_run_read_cost(ohmi_run *run, const char *folder, ohm_error *err);
void ohmi_run_clear(ohmi_run *run);

#endif
