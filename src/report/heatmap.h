// SPDX-License-Identifier: Apache-2.0
// Heat maps as HTML tables: the number stands in every cell, so the table is its own alternative
// for screen readers, printers and copy and paste. Colours from a viridis-like ramp, whose
// lightness grows steadily, so that it also reads in grey and by colour-blind people.
#ifndef OHMI_REPORT_HEATMAP_H
#define OHMI_REPORT_HEATMAP_H

#include "base/text.h"

typedef struct {
    const char *caption;      // plain text
    const char *row_title;    // over the row headings
    const char *column_title; // over the column headings
    int n_rows, n_columns;
    const char *const *row_names;    // (n_rows)
    const char *const *column_names; // (n_columns), said in the tooltips; headings are numbers 1 ..
    const double *values;            // (n_rows, n_columns), NAN = empty cell
    const char *const *tips;         // (n_rows, n_columns) added to a tooltip; may be NULL
    double low, high;                // range of the ramp
    double scale;                    // shown number = value * scale
    int decimals;
    const char *unit; // after a number in tooltips and the legend, as " %"
} ohmi_heatmap;

// The colour of x in 0 .. 1 (clamped) as 0xRRGGBB; light at 1.
unsigned ohmi_ramp(double x);
// 1 when white letters read better than black ones on that colour.
int ohmi_ramp_is_dark(unsigned colour);
void ohmi_heatmap_write(ohmi_text *out, const ohmi_heatmap *map);

#endif
