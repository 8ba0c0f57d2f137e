// SPDX-License-Identifier: Apache-2.0
// What runs cost on crossbars side by side: programming energy by task of every line (the figure 4
// of XST), and accuracy against energy. Of a line with several seeds the first run that was priced
// stands for all.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "report/compare.h"
#include "report/result_figures.h"
#include "report/figures.h"
#include "report/heatmap.h"
#include "report/svg.h"

// the bill of a line; NULL when none of its runs was priced
static const json_t *cost_of(const ohm_comparison *c, int line) {
    for (int i = 0; i < c->n_runs; ++i) {
        const json_t *cost = c->runs[i].run.cost;
        const bool is_training = strcmp(ohmi_json_text(cost, "kind"), "training") == 0;
        if (c->runs[i].line == line && cost && !is_training) {
            return cost;
        }
    }
    return NULL;
}

static void write_table(ohmi_text *out, const ohm_comparison *c) {
    ohmi_text_add(out,
                  "<div class=\"scroll\"><table class=\"list\"><thead><tr><th>line</th>"
                  "<th>preset</th><th class=\"n\">mean energy</th><th class=\"n\">times less</th>"
                  "<th class=\"n\">mean time</th><th class=\"n\">area, mm&sup2;</th>"
                  "<th class=\"n\">programming</th><th class=\"n\">reset</th>"
                  "<th class=\"n\">most writes</th></tr></thead><tbody>");
    for (int k = 0; k < c->n_lines; ++k) {
        const json_t *cost = cost_of(c, k), *step;
        double energy_j = 0, reset_j = 0;
        size_t i;
        if (!cost) {
            continue;
        }
        json_array_foreach(json_object_get(cost, "programming"), i, step) {
            energy_j += ohmi_json_number(step, "energy_j");
            reset_j += ohmi_json_number(step, "energy_reset_j");
        }
        ohmi_text_add(out, "<tr><th scope=\"row\">");
        ohmi_text_html(out, c->lines[k].title);
        ohmi_text_add(out, "</th><td>");
        ohmi_text_html(out, ohmi_json_text(cost, "preset"));
        ohmi_text_add(out, "</td>");
        ohmi_cell_quantity(out, ohmi_json_number(cost, "mean_energy_j"), "J");
        ohmi_cell_number(out, ohmi_json_number(cost, "mean_times_less_than_all_on"), 2);
        ohmi_cell_quantity(out, ohmi_json_number(cost, "mean_latency_s"), "s");
        ohmi_cell_number(out, 1e6 * ohmi_json_number(cost, "area_m2"), 1);
        ohmi_cell_quantity(out, energy_j, "J");
        ohmi_cell_quantity(out, reset_j, "J");
        ohmi_cell_number(out, ohmi_json_number(json_object_get(cost, "wear"), "max_writes"), 0);
        ohmi_text_add(out, "</tr>");
    }
    ohmi_text_add(out, "</tbody></table></div>");
}

// lines against tasks, microjoules
static ohm_status write_programming(ohmi_text *out, const ohm_comparison *c, ohm_error *err) {
    ohm_status status = OHM_OK;
    double high = 0;
    int n_rows = 0;
    const char **rows = ohmi_alloc((size_t)c->n_lines, sizeof *rows);
    const char **columns = ohmi_alloc((size_t)c->n_tasks, sizeof *columns);
    double *values = ohmi_alloc((size_t)c->n_lines * (size_t)c->n_tasks, sizeof *values);
    if (!rows || !columns || !values) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the comparison");
        goto done;
    }
    for (int k = 0; k < c->n_lines; ++k) {
        const json_t *steps = json_object_get(cost_of(c, k), "programming");
        if (json_array_size(steps) == 0) {
            continue;
        }
        for (int t = 0; t < c->n_tasks; ++t) {
            const double joules = ohmi_json_number(json_array_get(steps, (size_t)t), "energy_j");
            values[n_rows * c->n_tasks + t] = 1e6 * joules;
            high = isfinite(joules) ? fmax(high, 1e6 * joules) : high;
        }
        rows[n_rows++] = c->lines[k].title;
    }
    for (int t = 0; t < c->n_tasks; ++t) {
        columns[t] = c->names[t] ? c->names[t] : "not the same task in all lines";
    }
    if (n_rows > 0 && high > 0) {
        const ohmi_heatmap map = {
            .caption = "Energy in µJ of programming the chip for a task (column)",
            .row_title = "line",
            .column_title = "task",
            .n_rows = n_rows,
            .n_columns = c->n_tasks,
            .row_names = rows,
            .column_names = columns,
            .values = values,
            .low = 0,
            .high = high,
            .scale = 1,
            .decimals = high < 100 ? 2 : 0,
            .unit = " µJ",
        };
        ohmi_heatmap_write(out, &map);
    }
done:
    ohmi_free(rows);
    ohmi_free(columns);
    ohmi_free(values);
    return status;
}

// a dot a line: accuracy over energy
static void write_scatter(ohmi_text *out, const ohm_comparison *c) {
    enum { WIDTH = 520, HEIGHT = 230, LEFT = 44, TOP = 10, BOX_W = 320, BOX_H = 180 };
    double most = 0;
    int n_dots = 0;
    for (int k = 0; k < c->n_lines; ++k) {
        const double joules = ohmi_json_number(cost_of(c, k), "mean_energy_j");
        most = isfinite(joules) ? fmax(most, joules) : most;
        n_dots += isfinite(joules) && isfinite(c->lines[k].of[OHMI_OWN].mean);
    }
    if (n_dots == 0 || most <= 0) {
        return;
    }
    ohmi_text_printf(out,
                     "<h3>Accuracy against energy</h3><svg class=\"plot wide\" viewBox=\"0 0 %d "
                     "%d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"mean accuracy "
                     "against mean energy of an inference; the numbers are in the tables\">",
                     WIDTH, HEIGHT, WIDTH, HEIGHT);
    for (int percent = 0; percent <= 100; percent += 20) {
        const double y = TOP + BOX_H * (1 - percent / 100.0);
        ohmi_text_printf(out,
                         "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"ty\" x=\"%d\" "
                         "y=\"%.1f\">%d</text>",
                         LEFT, y, LEFT + BOX_W, LEFT - 4, y + 3.5, percent);
    }
    const double scale_j = ohmi_nice_step(most * 1.1, 4);
    for (int i = 0; i * scale_j <= most * 1.1; ++i) {
        const double x = LEFT + BOX_W * i * scale_j / (most * 1.1);
        ohmi_text_printf(out,
                         "<path class=\"axis\" d=\"M%.1f %dv3\"/><text class=\"tx\" x=\"%.1f\" "
                         "y=\"%d\">",
                         x, TOP + BOX_H, x, TOP + BOX_H + 15);
        ohmi_figure_quantity(out, i * scale_j, "J");
        ohmi_text_add(out, "</text>");
    }
    ohmi_text_printf(out, "<path class=\"axis\" d=\"M%d %dH%d\"/>", LEFT, TOP + BOX_H,
                     LEFT + BOX_W);
    for (int k = 0; k < c->n_lines; ++k) {
        const double joules = ohmi_json_number(cost_of(c, k), "mean_energy_j");
        const double accuracy = c->lines[k].of[OHMI_OWN].mean;
        if (isfinite(joules) && isfinite(accuracy)) {
            const double x = LEFT + BOX_W * joules / (most * 1.1), y = TOP + BOX_H * (1 - accuracy);
            ohmi_text_printf(out,
                             "<circle class=\"dot s0\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/><text "
                             "x=\"%.1f\" y=\"%.1f\">",
                             x, y, x + 8, y + 4);
            ohmi_text_html(out, c->lines[k].title);
            ohmi_text_add(out, "</text>");
        }
    }
    ohmi_text_add(out,
                  "</svg><p class=\"note\">Vertical: mean accuracy over all tasks of the line, "
                  "%; horizontal: mean energy of an inference.</p>");
}

ohm_status ohmi_compare_cost(ohmi_text *out, const ohm_comparison *c, ohm_error *err) {
    ohm_status status = OHM_OK;
    bool has_cost = false;
    for (int k = 0; k < c->n_lines; ++k) {
        has_cost = has_cost || cost_of(c, k);
    }
    if (!has_cost) {
        return OHM_OK;
    }
    ohmi_text_add(out, "<section><h2>Cost on crossbars</h2><p class=\"note\">Of the runs that "
                       "<code>ohmwise cost</code> has priced; of a line with several seeds the "
                       "first. Lines are comparable where their presets are.</p>");
    write_table(out, c);
    OHM_TRY(write_programming(out, c, err));
    write_scatter(out, c);
    ohmi_text_add(out, "</section>");
done:
    return status;
}
