// SPDX-License-Identifier: Apache-2.0
// A small SVG writer: one line chart with a grid, axes and any number of lines, as an <svg> element
// inside a page whose style sheet gives the colours (classes grid, axis, line, s0, s1, ...).
#ifndef OHMI_REPORT_SVG_H
#define OHMI_REPORT_SVG_H

#include <stdint.h>

#include "base/text.h"

typedef struct {
    ohmi_text *out;
    double x_low, x_high, y_low, y_high;     // data range of the plot box
    double left, top, box_width, box_height; // the plot box, px
    double width, height;                    // of the whole picture, px
    double y_scale;                          // shown value = y * y_scale, as 100 for percent
    int y_decimals;                          // of the labels on the y axis
    const char *x_name;                      // of a step on the x axis; NULL = "after epoch"
} ohmi_plot;

// A step of 1, 2 or 5 times a power of ten that cuts range into at most n_steps parts.
double ohmi_nice_step(double range, int n_steps);
// A number as a label: the decimals that tell multiples of step apart, 0 .. 6.
int ohmi_step_decimals(double step);

// Opens the picture and draws the grid. label (nullable: then hidden from screen readers) says what
// the picture shows.
void ohmi_plot_begin(ohmi_plot *plot, const char *label);
// Draws n points as a line of class s<series>; NAN makes a gap, a lone point is drawn as a dot.
void ohmi_plot_line(ohmi_plot *plot, int series, const char *name, const double *y, int64_t n,
                    double x_first);
// Draws n points (x, y), x rising, as such a line with a dot at each.
void ohmi_plot_points(ohmi_plot *plot, int series, const char *name, const double *x,
                      const double *y, int n);
void ohmi_plot_end(ohmi_plot *plot);

#endif
