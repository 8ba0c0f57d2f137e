// SPDX-License-Identifier: Apache-2.0
// What training on crossbars took, of runs that are compared, and how many times less that is than
// plain training: a run's own, else that of a compared run of the same seed which left nothing out
// and whose config differs from the run's in the section insitu only.
#ifndef OHMI_REPORT_INSITU_FIGURES_H
#define OHMI_REPORT_INSITU_FIGURES_H

#include <jansson.h>

#include "base/text.h"
#include "report/compare.h"
#include "report/spread.h"

typedef enum {
    OHMI_INSITU_LEFT,     // part of the rows left out
    OHMI_INSITU_ACCURACY, // fraction
    OHMI_INSITU_POINTS,   // of it to plain training, fraction
    OHMI_INSITU_ENERGY,   // J
    OHMI_INSITU_ENERGY_TIMES,
    OHMI_INSITU_TIME, // s
    OHMI_INSITU_TIME_TIMES,
    OHMI_INSITU_LIFETIME, // epochs
    OHMI_INSITU_LIFETIME_TIMES,
    OHMI_N_INSITU
} ohmi_insitu_figure;

// What metrics.json says of a run's training on crossbars; NULL where it was not trained so.
const json_t *ohmi_insitu_summary(const ohmi_compared_run *r);

// Whether two configs, lines of the same keys in the same order, are alike but for keys that begin
// with one of prefixes (ends with NULL). NULL is like nothing.
bool ohmi_insitu_differ_only_in(const char *a, const char *b, const char *const *prefixes);

// The means over the runs of a line; false where none was trained so. values (n_runs): scratch.
bool ohmi_insitu_line(ohmi_spread line[OHMI_N_INSITU], const ohm_comparison *c, int k,
                      double *values);

#endif
