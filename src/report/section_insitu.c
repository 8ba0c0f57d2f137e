// SPDX-License-Identifier: Apache-2.0
// What training on crossbars took, beside plain training, where insitu.json says so: figures and
// ratios, cells written epoch by epoch, and how worn the cells of one array are.
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "report/result_figures.h"
#include "report/figures.h"
#include "report/heatmap.h"
#include "report/sections.h"
#include "report/svg.h"

enum { N_SERIES = 4, MOST_SIDE = 1024 };

static const char *const series_keys[N_SERIES] = {"writes_activation", "writes_error",
                                                  "writes_weight", "writes_transposed"};
static const char *const series_names[N_SERIES] = {"activation", "error", "weight", "transposed"};

static void write_row(ohmi_text *out, const char *name, double trained, double plain, double ratio,
                      const char *unit) {
    ohmi_text_printf(out, "<tr><th scope=\"row\">%s</th>", name);
    if (unit) {
        ohmi_cell_quantity(out, trained, unit);
        ohmi_cell_quantity(out, plain, unit);
    } else {
        ohmi_cell_number(out, trained, 0);
        ohmi_cell_number(out, plain, 0);
    }
    ohmi_cell_number(out, ratio, 2);
    ohmi_text_add(out, "</tr>");
}

static void write_figures(ohmi_text *out, const json_t *root) {
    const json_t *trained = json_object_get(root, "trained");
    const json_t *plain = json_object_get(root, "plain");
    const json_t *ratios = json_object_get(root, "ratios");
    ohmi_text_add(out, "<div class=\"scroll\"><table class=\"list\"><thead><tr><th></th>"
                       "<th class=\"n\">trained</th><th class=\"n\">plainly</th>"
                       "<th class=\"n\">times</th></tr></thead><tbody><tr><th scope=\"row\">"
                       "mean accuracy, %</th>");
    ohmi_cell_percent(out, ohmi_json_number(trained, "mean_accuracy"), 2);
    ohmi_cell_percent(out, ohmi_json_number(plain, "mean_accuracy"), 2);
    ohmi_text_add(out, "<td></td></tr>");
    for (int i = 0; i < N_SERIES; i++) {
        char name[64];
        const double a = ohmi_json_number(json_object_get(trained, "writes"), series_names[i]);
        const double b = ohmi_json_number(json_object_get(plain, "writes"), series_names[i]);
        (void)snprintf(name, sizeof name, "cells written, %s", series_names[i]);
        write_row(out, name, a, b, a > 0 ? b / a : NAN, NULL);
    }
    const double worn = ohmi_json_number(json_object_get(trained, "wear"), "max_writes");
    const double plain_worn = ohmi_json_number(json_object_get(plain, "wear"), "max_writes");
    write_row(out, "writes of the most worn cell", worn, plain_worn,
              worn > 0 ? plain_worn / worn : NAN, NULL);
    write_row(out, "energy", ohmi_json_number(trained, "energy_j"),
              ohmi_json_number(plain, "energy_j"), ohmi_json_number(ratios, "energy"), "J");
    write_row(out, "time", ohmi_json_number(trained, "time_s"), ohmi_json_number(plain, "time_s"),
              ohmi_json_number(ratios, "time"), "s");
    write_row(out, "lifetime, epochs",
              ohmi_json_number(json_object_get(trained, "lifetime"), "epochs"),
              ohmi_json_number(json_object_get(plain, "lifetime"), "epochs"),
              ohmi_json_number(ratios, "lifetime"), NULL);
    ohmi_text_add(out, "</tbody></table></div>");
}

// the values of a training's series into y (n), NAN where it has none
static void series_of(double *y, size_t n, const json_t *training, const char *key) {
    const json_t *values = json_object_get(json_object_get(training, "by_epoch"), key);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(values, i);
        y[i] = json_is_number(value) ? json_number_value(value) : (double)NAN;
    }
}

// cells of a class written over the epochs, beside plain training where there is one; a panel
static void write_epochs(ohmi_text *out, const json_t *trained, const json_t *plain, int class) {
    const json_t *epochs = json_object_get(trained, "by_epoch");
    const size_t n = json_array_size(json_object_get(epochs, series_keys[class]));
    double *y = n > 0 ? ohmi_alloc(2 * n, sizeof *y) : NULL;
    if (!y) {
        return;
    }
    series_of(y, n, trained, series_keys[class]);
    series_of(y + n, n, plain, series_keys[class]);
    double most = 0;
    for (size_t i = 0; i < 2 * n; i++) {
        most = isfinite(y[i]) ? fmax(most, y[i]) : most;
    }
    if (!(most > 0)) {
        ohmi_free(y);
        return;
    }
    const double scale = pow(10, -floor(log10(most)));
    const double step = ohmi_nice_step(most, 5);
    ohmi_text_printf(out, "<div class=\"panel\"><h3>%s, 10<sup>%.0f</sup> cells</h3>",
                     series_names[class], -log10(scale));
    ohmi_plot plot = {.out = out,
                      .x_low = 1,
                      .x_high = n > 1 ? (double)n : 2,
                      .y_low = 0,
                      .y_high = ceil(most / step - 1e-9) * step,
                      .left = 36,
                      .top = 6,
                      .box_width = 200,
                      .box_height = 110,
                      .width = 245,
                      .height = 136,
                      .y_scale = scale,
                      .y_decimals = ohmi_step_decimals(step * scale)};
    ohmi_plot_begin(&plot, "cells written in each epoch");
    ohmi_plot_line(&plot, 0, "trained", y, (int64_t)n, 1);
    if (json_is_object(plain)) {
        ohmi_plot_line(&plot, 1, "plainly", y + n, (int64_t)n, 1);
    }
    ohmi_plot_end(&plot);
    ohmi_text_add(out, "</div>");
    ohmi_free(y);
}

// the cells of an array, darker where they were written less; equal neighbours are one piece
static void write_wear(ohmi_text *out, const json_t *map) {
    enum { PIXELS = 5 };
    const json_t *rows = json_object_get(map, "writes"), *row, *cell;
    const size_t n_rows = json_array_size(rows),
                 n_columns = json_array_size(json_array_get(rows, 0));
    double most = 0;
    size_t r, c;
    json_array_foreach(rows, r, row) {
        json_array_foreach(row, c, cell) {
            most = fmax(most, json_number_value(cell));
        }
    }
    if (n_rows == 0 || n_columns == 0 || n_rows > MOST_SIDE || n_columns > MOST_SIDE) {
        return;
    }
    ohmi_text_add(out, "<h3>Writes of the cells of one array, ");
    ohmi_text_html(out, ohmi_json_text(map, "layer"));
    ohmi_text_printf(out,
                     "</h3><svg role=\"img\" width=\"%zu\" height=\"%zu\" viewBox=\"0 0 %zu "
                     "%zu\" aria-label=\"word lines by bit-lines, 0 to %.0f writes\">",
                     PIXELS * n_columns, PIXELS * n_rows, n_columns, n_rows, most);
    json_array_foreach(rows, r, row) {
        for (c = 0; c < n_columns;) {
            const double writes = json_number_value(json_array_get(row, c));
            size_t end = c + 1;
            while (end < n_columns &&
                   fabs(json_number_value(json_array_get(row, end)) - writes) < 0.5) {
                end++;
            }
            ohmi_text_printf(out, "<path style=\"fill:#%06x\" d=\"M%zu %zuh%zuv1h-%zuz\"/>",
                             ohmi_ramp(most > 0 ? writes / most : 0), c, r, end - c, end - c);
            c = end;
        }
    }
    ohmi_text_add(out, "</svg><div class=\"legend\"><span>0</span><span class=\"ramp\">");
    for (int i = 0; i < 24; i++) {
        ohmi_text_printf(out, "<i style=\"background:#%06x\"></i>", ohmi_ramp(i / 23.0));
    }
    ohmi_text_printf(out,
                     "</span><span>%.0f writes since the start; bit-lines of an offset column "
                     "are not counted</span></div>",
                     most);
}

void ohmi_section_insitu(ohmi_text *out, const ohmi_run *run) {
    if (!run->insitu) {
        return;
    }
    const json_t *trained = json_object_get(run->insitu, "trained");
    const json_t *plain = json_object_get(run->insitu, "plain");
    ohmi_text_add(out,
                  "<section><h2>Training on crossbars</h2><p class=\"note\">A reconstruction: ");
    ohmi_text_html(out, ohmi_json_text(run->insitu, "reconstruction"));
    ohmi_text_add(out, ".</p>");
    write_figures(out, run->insitu);
    ohmi_text_add(out, "<h3>Cells written in each epoch</h3><div class=\"legend\"><span>"
                       "<span class=\"sw s0\"></span>trained</span>");
    ohmi_text_add(out, json_is_object(plain)
                           ? "<span><span class=\"sw s1\"></span>plainly (dashed)</span>"
                           : "");
    ohmi_text_add(out, "<span>horizontal: epochs finished</span></div><div class=\"panels\">");
    for (int class = 0; class < N_SERIES; class ++) {
        write_epochs(out, trained, plain, class);
    }
    ohmi_text_add(out, "</div>");
    write_wear(out, json_object_get(trained, "wear_map"));
    ohmi_text_add(out, "</section>");
}
