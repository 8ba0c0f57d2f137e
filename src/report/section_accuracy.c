// SPDX-License-Identifier: Apache-2.0
// How well each task is done: bars by task, the accuracy matrix, and the training times.
//
//     matrix[i][j] = accuracy of task j after task i was learned, j <= i
//     loss of a task j by later learning = matrix[j][j] - matrix[last][j]
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "report/figures.h"
#include "report/heatmap.h"
#include "report/sections.h"

// One bar of a track; NAN leaves it out. part is its length as a part of the track.
static void write_bar(ohmi_text *out, double part, const char *what) {
    if (!isfinite(part)) {
        return;
    }
    const double width = part < 0.0 ? 0.0 : part > 1.0 ? 1.0 : part;
    ohmi_text_printf(out, "<b style=\"width:%.3f%%\" title=\"%s %.2f %%\"></b>", width * 100.0,
                     what, part * 100.0);
}

static void write_task_heading(ohmi_text *out, int i, const char *name) {
    ohmi_text_printf(out, "<tr><td class=\"n\">%d</td><th scope=\"row\">", i + 1);
    ohmi_text_html(out, name);
    ohmi_text_add(out, "</th>");
}

// Bars of all tasks, with the numbers beside them: a table that is its own chart.
static void write_bars(ohmi_text *out, const ohmi_run *run) {
    double sums[3] = {0.0, 0.0, 0.0};
    ohmi_text_add(out,
                  "<div class=\"scroll\"><table class=\"list bars\"><thead><tr><th class=\"n\">"
                  "#</th><th>task</th><th>0 to 100 %</th>");
    ohmi_text_add(out, run->quantised
                           ? "<th class=\"n\">integer, %</th><th class=\"n\">float, %</th>"
                             "<th class=\"n\">diff.</th>"
                           : "<th class=\"n\">float, %</th>");
    ohmi_text_add(out, "</tr></thead><tbody>");
    for (int i = 0; i < run->n_tasks; ++i) {
        const ohmi_run_task *task = &run->tasks[i];
        const double as_float =
            isnan(task->accuracy_float) && !run->quantised ? task->accuracy : task->accuracy_float;
        write_task_heading(out, i, task->name);
        ohmi_text_add(out, "<td class=\"bar\"><div class=\"track\">");
        if (run->quantised) {
            write_bar(out, task->accuracy_integer, "integer");
            write_bar(out, as_float, "float");
        } else {
            write_bar(out, as_float, "float");
        }
        ohmi_text_add(out, "</div></td>");
        if (run->quantised) {
            ohmi_cell_percent(out, task->accuracy_integer, 2);
        }
        ohmi_cell_percent(out, as_float, 2);
        if (run->quantised) {
            ohmi_cell_percent(out, task->accuracy_integer - as_float, 2);
        }
        ohmi_text_add(out, "</tr>");
        sums[0] += task->accuracy_integer;
        sums[1] += as_float;
        sums[2] += task->accuracy_integer - as_float;
    }
    ohmi_text_add(out, "</tbody>");
    if (run->n_tasks > 1) {
        ohmi_text_add(out, "<tfoot><tr><td></td><th scope=\"row\">mean</th><td></td>");
        if (run->quantised) {
            ohmi_cell_percent(out, sums[0] / run->n_tasks, 2);
        }
        ohmi_cell_percent(out, sums[1] / run->n_tasks, 2);
        if (run->quantised) {
            ohmi_cell_percent(out, sums[2] / run->n_tasks, 2);
        }
        ohmi_text_add(out, "</tr></tfoot>");
    }
    ohmi_text_add(out, "</table></div>");
    if (run->quantised) {
        ohmi_text_add(out,
                      "<div class=\"legend\"><span><span class=\"sw s0\"></span>integer: low-bit "
                      "weights and activations, as the chip computes</span><span><span "
                      "class=\"sw s1\"></span>float: the same weights without rounding, "
                      "in the ranges they were trained in</span></div>");
    }
}

// Everything metrics.json says of the tasks, folded.
static void write_all_figures(ohmi_text *out, const ohmi_run *run) {
    ohmi_text_add(out,
                  "<details data-print><summary>All figures of the tasks</summary>"
                  "<div class=\"scroll\"><table class=\"list\"><thead><tr><th class=\"n\">#</th>"
                  "<th>task</th><th class=\"n\">classes</th><th class=\"n\">test images</th>"
                  "<th class=\"n\">accuracy, %</th><th class=\"n\">loss</th>"
                  "<th class=\"n\">epochs</th><th class=\"n\">training</th>"
                  "<th class=\"n\">columns new</th><th class=\"n\">used</th>"
                  "<th class=\"n\">of</th><th class=\"n\">mask, bytes</th></tr></thead><tbody>");
    for (int i = 0; i < run->n_tasks; ++i) {
        const ohmi_run_task *task = &run->tasks[i];
        write_task_heading(out, i, task->name);
        ohmi_cell_count(out, task->n_classes);
        ohmi_cell_count(out, task->n_test);
        ohmi_cell_percent(out, task->accuracy, 2);
        ohmi_cell_number(out, task->loss, 4);
        ohmi_cell_count(out, task->epochs);
        ohmi_text_add(out, "<td class=\"n\">");
        ohmi_figure_seconds(out, task->train_seconds);
        ohmi_text_add(out, "</td>");
        ohmi_cell_count(out, task->columns_new);
        ohmi_cell_count(out, task->columns_on);
        ohmi_cell_count(out, task->columns_total);
        ohmi_cell_count(out, task->mask_bytes);
        ohmi_text_add(out, "</tr>");
    }
    ohmi_text_add(out, "</tbody></table></div></details>");
}

// The matrix as a heat map. The ramp spans the measured values, rounded out to 5 %.
static ohm_status write_matrix(ohmi_text *out, const ohmi_run *run, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int n = run->n_tasks;
    const int m = run->n_columns;
    const char **columns = ohmi_alloc((size_t)m, sizeof *columns);
    const char **rows = ohmi_alloc((size_t)n, sizeof *rows);
    char(*names)[96] = ohmi_alloc((size_t)n, sizeof *names);
    double low = INFINITY;
    double high = -INFINITY;
    if (columns == NULL || rows == NULL || names == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the report");
        goto done;
    }
    for (int i = 0; i < n; ++i) {
        snprintf(names[i], sizeof names[i], "%d %.80s", i + 1, run->tasks[i].name);
        rows[i] = names[i];
    }
    for (int j = 0; j < m; ++j) {
        columns[j] = j < n ? run->tasks[j].name : "a task to come";
    }
    for (int i = 0; i < n * m; ++i) {
        if (isfinite(run->matrix[i])) {
            low = fmin(low, run->matrix[i]);
            high = fmax(high, run->matrix[i]);
        }
    }
    if (low > high) {
        goto done;
    }
    low = fmax(0.0, floor(low * 20.0 - 1e-9) / 20.0);
    high = fmin(1.0, ceil(high * 20.0 + 1e-9) / 20.0);
    ohmi_text_add(out, "<section><h2>Accuracy after each task</h2><p class=\"note\">");
    ohmi_text_add(out, run->has_later
                           ? "Reading down a column shows what later learning did to a task: equal "
                             "numbers mean that nothing was forgotten.</p>"
                           : "No task was measured again after a later one.</p>");
    const ohmi_heatmap map = {
        .caption =
            "Accuracy in % on the test images of a task (column) after learning a task (row)",
        .row_title = "after learning",
        .column_title = "task",
        .n_rows = n,
        .n_columns = m,
        .row_names = rows,
        .column_names = columns,
        .values = run->matrix,
        .low = low,
        .high = high,
        .scale = 100.0,
        .decimals = 1,
        .unit = " %",
    };
    ohmi_heatmap_write(out, &map);
    ohmi_text_add(out, "</section>");
done:
    ohmi_free(names);
    ohmi_free(rows);
    ohmi_free(columns);
    return status;
}

ohm_status ohmi_section_accuracy(ohmi_text *out, const ohmi_run *run, ohm_error *err) {
    if (run->n_tasks == 0) {
        return OHM_OK;
    }
    ohmi_text_add(out, "<section><h2>Accuracy by task</h2>");
    write_bars(out, run);
    write_all_figures(out, run);
    ohmi_text_add(out, "</section>");
    return run->n_columns > 0 ? write_matrix(out, run, err) : OHM_OK;
}

void ohmi_section_time(ohmi_text *out, const ohmi_run *run) {
    double longest = 0.0;
    for (int i = 0; i < run->n_tasks; ++i) {
        longest = fmax(longest, run->tasks[i].train_seconds);
    }
    if (!(longest > 0.0)) {
        return;
    }
    ohmi_text_add(out,
                  "<section><h2>Training time by task</h2><div class=\"scroll\"><table "
                  "class=\"list bars\"><thead><tr><th class=\"n\">#</th><th>task</th>"
                  "<th>0 to the longest</th><th class=\"n opt\">epochs</th>"
                  "<th class=\"n\">time</th><th class=\"n\">an epoch</th></tr></thead><tbody>");
    for (int i = 0; i < run->n_tasks; ++i) {
        const ohmi_run_task *task = &run->tasks[i];
        write_task_heading(out, i, task->name);
        ohmi_text_add(out, "<td class=\"bar\"><div class=\"track plain\">");
        if (isfinite(task->train_seconds)) {
            ohmi_text_printf(out, "<b style=\"width:%.3f%%\"></b>",
                             fmax(task->train_seconds, 0.0) / longest * 100.0);
        }
        ohmi_text_add(out, "</div></td>");
        ohmi_text_add(out, "<td class=\"n opt\">");
        ohmi_figure_count(out, task->epochs);
        ohmi_text_add(out, "</td><td class=\"n\">");
        ohmi_figure_seconds(out, task->train_seconds);
        ohmi_text_add(out, "</td><td class=\"n\">");
        ohmi_figure_seconds(out, task->epochs > 0 ? task->train_seconds / (double)task->epochs
                                                  : (double)NAN);
        ohmi_text_add(out, "</td></tr>");
    }
    ohmi_text_add(
        out,
        "</tbody><tfoot><tr><td></td><th scope=\"row\">all</th><td></td><td class=\"opt\"></td>"
        "<td class=\"n\">");
    ohmi_figure_seconds(out, run->train_seconds_total);
    ohmi_text_add(out, "</td><td></td></tr></tfoot></table></div></section>");
}
