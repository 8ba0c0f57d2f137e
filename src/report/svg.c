// SPDX-License-Identifier: Apache-2.0
// The line charts of the report. Pixel of a data point, y growing downwards:
//
//     px = left + (x - x_low)  / (x_high - x_low) * box_width
//     py = top  + (y_high - y) / (y_high - y_low) * box_height
#include "report/svg.h"

#include <math.h>
#include <stdbool.h>

#define MAX_POINTS 400 // of a line; more are thinned, which no eye sees at this size

double ohmi_nice_step(double range, int n_steps) {
    if (!(range > 0.0) || !isfinite(range) || n_steps < 1) {
        return 1.0;
    }
    const double raw = range / n_steps;
    const double power = pow(10.0, floor(log10(raw)));
    const double part = raw / power; // 1 <= part < 10
    const double slack = 1.0 + 1e-9;
    return power * (part <= slack         ? 1.0
                    : part <= 2.0 * slack ? 2.0
                    : part <= 5.0 * slack ? 5.0
                                          : 10.0);
}

int ohmi_step_decimals(double step) {
    const double digits = -floor(log10(step) + 1e-9);
    return digits < 0.0 ? 0 : digits > 6.0 ? 6 : (int)digits;
}

static double pixel_x(const ohmi_plot *plot, double x) {
    return plot->left + (x - plot->x_low) / (plot->x_high - plot->x_low) * plot->box_width;
}

static double pixel_y(const ohmi_plot *plot, double y) {
    return plot->top + (plot->y_high - y) / (plot->y_high - plot->y_low) * plot->box_height;
}

void ohmi_plot_begin(ohmi_plot *plot, const char *label) {
    ohmi_text *out = plot->out;

    // an empty range would divide by zero
    if (!(plot->x_high > plot->x_low)) {
        plot->x_low -= 0.5;
        plot->x_high = plot->x_low + 1.0;
    }
    if (!(plot->y_high > plot->y_low)) {
        plot->y_high = plot->y_low + 1.0;
    }

    // what a pointer needs to turn a pixel back into a value is kept in data-map
    ohmi_text_printf(out,
                     "<svg class=\"plot\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\"",
                     plot->width, plot->height, plot->width, plot->height);
    ohmi_text_printf(out, " data-map=\"%.2f %.2f %.6g %.6g %.2f %.2f %.6g %.6g\"", plot->left,
                     plot->left + plot->box_width, plot->x_low, plot->x_high, plot->top,
                     plot->top + plot->box_height, plot->y_high * plot->y_scale,
                     plot->y_low * plot->y_scale);
    if (plot->x_name != NULL) {
        ohmi_text_printf(out, " data-x=\"%s\"", plot->x_name);
    }
    if (label == NULL) {
        ohmi_text_add(out, " aria-hidden=\"true\">");
    } else {
        ohmi_text_add(out, " role=\"img\" aria-label=\"");
        ohmi_text_html(out, label);
        ohmi_text_add(out, "\">");
    }

    // horizontal grid with labels at the left
    const double step = ohmi_nice_step(plot->y_high - plot->y_low, 5);
    const double right = plot->left + plot->box_width;
    for (int i = 0; i <= 10; ++i) {
        const double y = (ceil(plot->y_low / step - 1e-9) + i) * step;
        if (y > plot->y_high + 1e-9 * step) {
            break;
        }
        const double py = pixel_y(plot, y);
        ohmi_text_printf(out,
                         "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>"
                         "<text class=\"ty\" x=\"%.1f\" y=\"%.1f\">%.*f</text>",
                         plot->left, py, right, plot->left - 4.0, py + 3.5, plot->y_decimals,
                         fabs(y) < 1e-9 * step ? 0.0 : y * plot->y_scale);
    }

    // ends of the x axis
    const double bottom = plot->top + plot->box_height;
    ohmi_text_printf(out, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>", plot->left, bottom,
                     right);
    const double x_step = ohmi_nice_step(plot->x_high - plot->x_low, 4);
    const double x_tick = x_step < 1.0 ? 1.0 : x_step;
    for (int i = 0; i <= 10; ++i) {
        const double x = (ceil(plot->x_low / x_tick - 1e-9) + i) * x_tick;
        if (x > plot->x_high + 1e-9 * x_tick) {
            break;
        }
        ohmi_text_printf(out,
                         "<path class=\"axis\" d=\"M%.1f %.1fv3\"/>"
                         "<text class=\"tx\" x=\"%.1f\" y=\"%.1f\">%.0f</text>",
                         pixel_x(plot, x), bottom, pixel_x(plot, x), bottom + 14.0, x);
    }
}

void ohmi_plot_line(ohmi_plot *plot, int series, const char *name, const double *y, int64_t n,
                    double x_first) {
    ohmi_text *out = plot->out;
    const int64_t stride = n > MAX_POINTS ? (n + MAX_POINTS - 1) / MAX_POINTS : 1;
    int64_t n_points = 0;
    int64_t last = 0;
    int pen_is_down = 0;

    // the path; the last point is always kept, since it is the one that people quote
    ohmi_text_printf(out, "<path class=\"line s%d\" data-name=\"", series);
    ohmi_text_html(out, name);
    ohmi_text_add(out, "\" d=\"");
    for (int64_t i = 0; i < n; ++i) {
        if (i % stride != 0 && i != n - 1) {
            continue;
        }
        if (!isfinite(y[i])) {
            pen_is_down = 0;
            continue;
        }
        ohmi_text_printf(out, "%c%.1f %.2f", pen_is_down ? 'L' : 'M',
                         pixel_x(plot, x_first + (double)i), pixel_y(plot, y[i]));
        pen_is_down = 1;
        n_points += 1;
        last = i;
    }
    ohmi_text_add(out, "\"/>");
    if (n_points > 0) {
        ohmi_text_printf(out, "<circle class=\"dot s%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\"/>",
                         series, pixel_x(plot, x_first + (double)last), pixel_y(plot, y[last]));
    }
}

void ohmi_plot_points(ohmi_plot *plot, int series, const char *name, const double *x,
                      const double *y, int n) {
    ohmi_text *out = plot->out;
    bool pen_is_down = false;
    ohmi_text_printf(out, "<path class=\"line s%d\" data-name=\"", series);
    ohmi_text_html(out, name);
    ohmi_text_add(out, "\" d=\"");
    for (int i = 0; i < n; ++i) {
        const bool is_there = isfinite(x[i]) && isfinite(y[i]);
        if (is_there) {
            ohmi_text_printf(out, "%c%.1f %.2f", pen_is_down ? 'L' : 'M', pixel_x(plot, x[i]),
                             pixel_y(plot, y[i]));
        }
        pen_is_down = is_there;
    }
    ohmi_text_add(out, "\"/>");
    for (int i = 0; i < n; ++i) {
        if (isfinite(x[i]) && isfinite(y[i])) {
            ohmi_text_printf(out, "<circle class=\"dot s%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\"/>",
                             series, pixel_x(plot, x[i]), pixel_y(plot, y[i]));
        }
    }
}

void ohmi_plot_end(ohmi_plot *plot) {
    ohmi_text_add(plot->out, "<path class=\"cursor\" d=\"\"/></svg>");
}
