// SPDX-License-Identifier: Apache-2.0
// Runs side by side: what `ohmwise compare` shows. (The page of one run is ohm_report_write in
// ohmwise/learn.h.)
#ifndef OHMWISE_REPORT_H
#define OHMWISE_REPORT_H

#include "ohmwise/status.h"

typedef struct ohm_comparison ohm_comparison; // opaque; constant once made

typedef struct {
    const char *const *runs;      // (n_runs) run folders, or files like metrics.json
    const char *const *names;     // (n_runs) what to call them; an entry, or the whole, may be NULL
    int n_runs;                   // 1 .. 4096
    const char *const *published; // (n_published) files as docs/results/cpg-cifar100.json
    int n_published;
    const char *title; // of the page; may be NULL
} ohm_compare_def;

typedef enum {
    OHM_AS_TEXT,     // a table for a terminal, a line a method
    OHM_AS_MARKDOWN, // tables: a line a task, a line a method, and what must be said beside them
    OHM_AS_CSV,      // a line a run and task
    OHM_AS_HTML,     // one page that needs nothing but itself
} ohm_comparison_form;

// Reads the runs. Runs of one config that differ in nothing but the seed (and threads, checkpoint
// interval, name) are one line with mean and sample standard deviation. Free with
// ohm_comparison_free.
OHM_API OHM_NODISCARD ohm_status ohm_comparison_new(ohm_comparison **out,
                                                    const ohm_compare_def *def, ohm_error *err);
OHM_API void ohm_comparison_free(ohm_comparison **comparison);

// Composes one of the forms; release the text with ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_comparison_text(char **text, const ohm_comparison *comparison,
                                                     ohm_comparison_form form, ohm_error *err);

// Writes one of the forms into a file, whole or not at all.
OHM_API OHM_NODISCARD ohm_status ohm_comparison_save(const ohm_comparison *comparison,
                                                     ohm_comparison_form form, const char *path,
                                                     ohm_error *err);

// Checks a condition on every run: FIELD OPERATOR VALUE, as "mean_accuracy>=0.7". FIELD is a key of
// metrics.json ("tasks[3].accuracy" for one of task 3), OPERATOR one of >= <= > < == !=, VALUE a
// number, true, false or a word. OHM_ERR_CHECK names the first run that does not meet it, or where
// the field is null; OHM_ERR_ARGUMENT when the condition cannot be understood or no run has such a
// field.
// comparison NULL: only whether the condition can be understood.
OHM_API OHM_NODISCARD ohm_status ohm_comparison_require(const ohm_comparison *comparison,
                                                        const char *condition, ohm_error *err);

#endif
