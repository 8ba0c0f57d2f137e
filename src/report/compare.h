// SPDX-License-Identifier: Apache-2.0
// Runs side by side, as plain numbers for the page and the tables.
//
// A line is a method as it was set up: its runs differ in the seed only. Published rows are lines
// without runs. Only the first n_shared tasks, which every run has learned and which bear the same
// name in all, enter the means that are compared.
#ifndef OHMI_REPORT_COMPARE_H
#define OHMI_REPORT_COMPARE_H

#include "ohmwise/report.h"
#include "report/run_files.h"
#include "report/spread.h"

// What is shown of a line, one number a run.
typedef enum {
    OHMI_SHARED,       // mean accuracy over the shared tasks, fraction
    OHMI_SHARED_FLOAT, // the same of the weights that are not rounded; NAN in float runs
    OHMI_OWN,          // mean accuracy over all tasks that the run has learned, fraction
    OHMI_OWN_FLOAT,    // the same of the weights that are not rounded
    OHMI_FORGETTING,   // fraction
    OHMI_MASK,         // bytes of a mask, mean over the tasks
    OHMI_BESIDE,       // bytes kept for a task beside weights and mask: batch norm, head, clips
    OHMI_SECONDS,      // of training, the shared tasks together
    OHMI_EPOCHS,       // of the shared tasks together
    OHMI_N_QUANTITIES
} ohmi_quantity;

typedef struct {
    ohmi_run run;        // of metrics.json only
    char *path;          // as given
    char *given;         // its name, "" = none
    char *config;        // lines "key=value" but for name, seed, threads ...; NULL when unknown
    char digest[72];     // of the data set; "" when unknown
    double beside_bytes; // a task, mean; NAN when unknown
    int line;            // whose it is
} ohmi_compared_run;

typedef struct {
    char title[128];
    int first;          // its first run; -1 = published
    int n_runs;         // 0 = published
    int n_tasks;        // that any of its runs has learned
    bool quantised;     // it has a column that is not rounded
    int identical;      // logits of earlier tasks: 1 yes, 0 no, -1 not measured
    int64_t low_epochs; // of a task; -1 when unknown
    int64_t high_epochs;
    ohmi_spread *accuracy;       // (n_tasks) fraction
    ohmi_spread *accuracy_float; // (n_tasks)
    ohmi_spread of[OHMI_N_QUANTITIES];
    const char *source, *caveat; // of a published row; "" elsewhere
} ohmi_line;

struct ohm_comparison {
    ohmi_compared_run *runs; // (n_runs)
    int n_runs;
    ohmi_line *lines; // (n_lines) those with runs first
    int n_lines;
    json_t **published; // (n_published) own the strings of their lines
    int n_published;
    int n_tasks;        // the most that any line has
    int n_shared;       // tasks that all lines have
    const char **names; // (n_tasks) of the tasks; NULL where lines do not agree
    char **remarks;     // (n_remarks) plain text
    int n_remarks;
    char title[128];
};

// The forms, into a text; on a lack of memory out->failed is set.
void ohmi_compare_text(ohmi_text *out, const ohm_comparison *c);
void ohmi_compare_markdown(ohmi_text *out, const ohm_comparison *c);
void ohmi_compare_csv(ohmi_text *out, const ohm_comparison *c);
OHM_NODISCARD ohm_status ohmi_compare_page(ohmi_text *out, const ohm_comparison *c, ohm_error *err);

// What the runs cost on crossbars, where they were priced.
OHM_NODISCARD ohm_status ohmi_compare_cost(ohmi_text *out, const ohm_comparison *c, ohm_error *err);

// What training on crossbars took, where runs were trained so.
void ohmi_compare_insitu_text(ohmi_text *out, const ohm_comparison *c);
void ohmi_compare_insitu_markdown(ohmi_text *out, const ohm_comparison *c);
OHM_NODISCARD ohm_status ohmi_compare_insitu(ohmi_text *out, const ohm_comparison *c,
                                             ohm_error *err);

// Calls use for every key of the configs in which the lines differ, with a value a line (n_lines;
// NULL = unknown). The texts live during the call.
typedef void ohmi_difference(void *context, const char *key, const char *const *values);
OHM_NODISCARD ohm_status ohmi_compare_differences(const ohm_comparison *c, ohmi_difference *use,
                                                  void *context, ohm_error *err);

#endif
