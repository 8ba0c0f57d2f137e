// SPDX-License-Identifier: Apache-2.0
// The sections of a report page, in the order of the page. Each writes one <section>, or nothing
// when the run has nothing to show there.
#ifndef OHMI_REPORT_SECTIONS_H
#define OHMI_REPORT_SECTIONS_H

#include "report/run_files.h"

// Accuracy by task, and of every task after each task.
OHM_NODISCARD ohm_status ohmi_section_accuracy(ohmi_text *out, const ohmi_run *run, ohm_error *err);
// Columns owned and switched on, by task and layer.
OHM_NODISCARD ohm_status ohmi_section_columns(ohmi_text *out, const ohmi_run *run, ohm_error *err);
// Energy, programming, area and lifetime, where the run was priced.
void ohmi_section_cost(ohmi_text *out, const ohmi_run *run);
// What training on crossbars took, where it was trained so.
void ohmi_section_insitu(ohmi_text *out, const ohmi_run *run);
// Training time by task.
void ohmi_section_time(ohmi_text *out, const ohmi_run *run);
// Loss and accuracy over the epochs of each task.
void ohmi_section_curves(ohmi_text *out, const ohmi_run *run);

// The arrays that the run was placed on.
OHM_NODISCARD ohm_status ohmi_section_map(ohmi_text *out, const ohmi_run *run, ohm_error *err);
// Accuracy on chips, as `ohmwise simulate` found it.
OHM_NODISCARD ohm_status ohmi_section_simulate(ohmi_text *out, const ohmi_run *run, ohm_error *err);

#endif
