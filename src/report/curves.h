// SPDX-License-Identifier: Apache-2.0
// The loss and accuracy curves of metrics.csv.
#ifndef OHMI_REPORT_CURVES_H
#define OHMI_REPORT_CURVES_H

#include "report/run_files.h"

// Fills run->curves (n_tasks) from the text of metrics.csv, terminated by a zero byte, which is
// changed while it is read. Lines that cannot be read are left out and counted in a remark. Fails
// only when memory is out.
OHM_NODISCARD ohm_status ohmi_curves_read(ohmi_run *run, char *csv, ohm_error *err);

#endif
