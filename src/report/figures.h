// SPDX-License-Identifier: Apache-2.0
// How numbers are written for people: percent, counts in groups of three, times, sizes.
#ifndef OHMI_REPORT_FIGURES_H
#define OHMI_REPORT_FIGURES_H

#include <stdint.h>

#include "base/text.h"

// All write a dash when there is no number: NAN, or a count below 0.
void ohmi_figure_percent(ohmi_text *out, double fraction, int decimals); // "71.84"
void ohmi_figure_count(ohmi_text *out, int64_t count);                   // "11 530"
void ohmi_figure_seconds(ohmi_text *out, double seconds);                // "2 h 05 min"
void ohmi_figure_bytes(ohmi_text *out, int64_t bytes);                   // "14.1 KiB"
void ohmi_figure_number(ohmi_text *out, double value, int decimals);
// A table cell with a right-aligned number in it.
void ohmi_cell_percent(ohmi_text *out, double fraction, int decimals);
void ohmi_cell_count(ohmi_text *out, int64_t count);
void ohmi_cell_number(ohmi_text *out, double value, int decimals);

#endif
