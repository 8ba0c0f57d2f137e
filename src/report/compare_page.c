// SPDX-License-Identifier: Apache-2.0
// The page of runs side by side: one line a method, its accuracy by task, what it costs, in which
// keys the lines differ, which runs they are of. Like the page of a run it needs nothing but
// itself.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "report/compare.h"
#include "report/figures.h"
#include "report/heatmap.h"
#include "report/page_style.h"
#include "report/svg.h"

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the comparison");
}

static void write_head(ohmi_text *out, const ohm_comparison *c) {
    ohmi_page_begin(out, c->title);
    ohmi_text_add(out, "<header><h1>");
    ohmi_text_html(out, c->title);
    ohmi_text_printf(out, "</h1><div class=\"sub\">%d run%s in %d line%s", c->n_runs,
                     c->n_runs == 1 ? "" : "s", c->n_lines - c->n_published,
                     c->n_lines - c->n_published == 1 ? "" : "s");
    if (c->n_published > 0) {
        ohmi_text_printf(out, " · %d published", c->n_published);
    }
    ohmi_text_add(out, "</div></header>\n<main>");
    if (c->n_remarks > 0) {
        ohmi_text_add(out, "<div class=\"warn\"><ul>");
        for (int i = 0; i < c->n_remarks; ++i) {
            ohmi_text_add(out, "<li>");
            ohmi_text_html(out, c->remarks[i]);
            ohmi_text_add(out, ".</li>");
        }
        ohmi_text_add(out, "</ul></div>");
    }
}

static void row_heading(ohmi_text *out, const char *title) {
    ohmi_text_add(out, "<tr><th scope=\"row\">");
    ohmi_text_html(out, title);
    ohmi_text_add(out, "</th>");
}

// A bar whose length is part of the track; NAN leaves it out.
static void write_bar(ohmi_text *out, double part) {
    if (isfinite(part)) {
        ohmi_text_printf(out, "<b style=\"width:%.3f%%\"></b>", 100.0 * fmin(fmax(part, 0.0), 1.0));
    }
}

// The mean accuracy of each line: a table that is its own chart.
static void write_accuracy(ohmi_text *out, const ohm_comparison *c) {
    ohmi_text_add(out, "<section><h2>Mean accuracy</h2><p class=\"note\">");
    if (c->n_shared == 0) {
        ohmi_text_add(out, "No task is the same in all lines, so nothing is compared here.</p>"
                           "</section>");
        return;
    }
    ohmi_text_printf(out,
                     "Over tasks 1 to %d, which every run has learned; others do not enter the "
                     "compared means. Accuracies are of the last epoch, on the path that is meant "
                     "for use: integer where a line is quantised, else float. Deviation: of the "
                     "sample, over the seeds; interval: half of the 95 %% interval of the mean "
                     "(Student's t).</p>",
                     c->n_shared);
    if (c->n_published > 0) {
        ohmi_text_add(out, "<p class=\"note\">Published rows are as their authors measured them; "
                           "what to mind with them stands at the end of the page.</p>");
    }
    ohmi_text_add(out,
                  "<div class=\"scroll\"><table class=\"list bars\"><thead><tr><th>line</th>"
                  "<th>0 to 100 %</th><th class=\"n\">mean, %</th><th class=\"n\">deviation</th>"
                  "<th class=\"n\">interval</th><th class=\"n\">seeds</th>"
                  "<th class=\"n\">not rounded, %</th><th class=\"n opt\">forgetting, points</th>"
                  "</tr></thead><tbody>");
    for (int k = 0; k < c->n_lines; ++k) {
        const ohmi_line *line = &c->lines[k];
        const ohmi_spread *mean = &line->of[OHMI_SHARED];
        row_heading(out, line->title);
        ohmi_text_add(out, "<td class=\"bar\"><div class=\"track\">");
        write_bar(out, mean->mean);
        ohmi_text_add(out, "</div></td>");
        ohmi_cell_percent(out, mean->mean, 2);
        ohmi_cell_percent(out, mean->deviation, 2);
        ohmi_cell_percent(out, mean->interval, 2);
        ohmi_cell_count(out, line->n_runs > 0 ? line->n_runs : -1);
        ohmi_cell_percent(out, line->of[OHMI_SHARED_FLOAT].mean, 2);
        ohmi_text_add(out, "<td class=\"n opt\">");
        ohmi_figure_percent(out, line->of[OHMI_FORGETTING].mean, 4);
        ohmi_text_add(out, "</td></tr>");
    }
    ohmi_text_add(out, "</tbody></table></div></section>");
}

// The range of all accuracies by task, rounded out to 5 %. False when there is none.
static bool accuracy_range(const ohm_comparison *c, double *low, double *high) {
    *low = INFINITY;
    *high = -INFINITY;
    for (int k = 0; k < c->n_lines; ++k) {
        for (int t = 0; t < c->lines[k].n_tasks; ++t) {
            *low = fmin(*low, c->lines[k].accuracy[t].mean);
            *high = fmax(*high, c->lines[k].accuracy[t].mean);
        }
    }
    if (*low > *high) {
        return false;
    }
    *low = fmax(0.0, floor(*low * 20.0 - 1e-9) / 20.0);
    *high = fmin(1.0, ceil(*high * 20.0 + 1e-9) / 20.0);
    *high = *high > *low ? *high : *low + 0.05;
    return true;
}

// A line a row, a task a column; values (n_lines, n_tasks).
static ohm_status write_heatmap(ohmi_text *out, const ohm_comparison *c, const double *values,
                                double low, double high, ohm_error *err) {
    enum { ROOM = 48 };
    ohm_status status = OHM_OK;
    const size_t n_cells = (size_t)c->n_lines * (size_t)c->n_tasks;
    const char **rows = ohmi_alloc((size_t)c->n_lines, sizeof *rows);
    const char **columns = ohmi_alloc((size_t)c->n_tasks, sizeof *columns);
    char(*texts)[ROOM] = ohmi_alloc(n_cells, sizeof *texts);
    const char **tips = ohmi_alloc(n_cells, sizeof *tips);
    if (rows == NULL || columns == NULL || texts == NULL || tips == NULL) {
        status = no_memory(err);
        goto done;
    }
    for (int k = 0; k < c->n_lines; ++k) {
        rows[k] = c->lines[k].title;
        for (int t = 0; t < c->n_tasks; ++t) {
            const int i = k * c->n_tasks + t;
            const ohmi_spread *spread = t < c->lines[k].n_tasks ? &c->lines[k].accuracy[t] : NULL;
            if (spread != NULL && spread->n > 1) {
                snprintf(texts[i], ROOM, " ± %.2f, %d seeds", 100.0 * spread->deviation, spread->n);
            }
            tips[i] = texts[i];
        }
    }
    for (int t = 0; t < c->n_tasks; ++t) {
        columns[t] = c->names[t] == NULL      ? "not the same task in all lines"
                     : c->names[t][0] == '\0' ? "unnamed"
                                              : c->names[t];
    }
    const ohmi_heatmap map = {
        .caption = "Accuracy in % on the test images of a task (column), mean over the seeds",
        .row_title = "line",
        .column_title = "task",
        .n_rows = c->n_lines,
        .n_columns = c->n_tasks,
        .row_names = rows,
        .column_names = columns,
        .values = values,
        .tips = tips,
        .low = low,
        .high = high,
        .scale = 100.0,
        .decimals = 1,
        .unit = " %",
    };
    ohmi_heatmap_write(out, &map);
done:
    ohmi_free(tips);
    ohmi_free(texts);
    ohmi_free(columns);
    ohmi_free(rows);
    return status;
}

// A chart a line on one scale, each over the mean of all lines. values (n_lines, n_tasks), means
// (n_tasks).
static void write_panels(ohmi_text *out, const ohm_comparison *c, const double *values,
                         const double *means, double low, double high) {
    const double step = ohmi_nice_step(high - low, 5);
    ohmi_text_add(out, "<div class=\"legend\"><span><span class=\"sw s0\"></span>this line</span>"
                       "<span><span class=\"sw s1\"></span>mean of all lines (dashed)</span>"
                       "<span>accuracy, %; horizontal: tasks; same scale in all panels</span>"
                       "</div><div class=\"panels\">");
    for (int k = 0; k < c->n_lines; ++k) {
        char label[320];
        snprintf(label, sizeof label,
                 "Accuracy by task of %.120s; the numbers are in the table above",
                 c->lines[k].title);
        ohmi_text_add(out, "<div class=\"panel\"><h3>");
        ohmi_text_html(out, c->lines[k].title);
        ohmi_text_add(out, "</h3>");
        ohmi_plot plot = {
            .out = out,
            .x_low = 1.0,
            .x_high = (double)c->n_tasks,
            .y_low = low,
            .y_high = high,
            .left = 32.0,
            .top = 6.0,
            .box_width = 180.0,
            .box_height = 92.0,
            .width = 220.0,
            .height = 116.0,
            .y_scale = 100.0,
            .y_decimals = ohmi_step_decimals(step * 100.0),
            .x_name = "task",
        };
        ohmi_plot_begin(&plot, label);
        if (c->n_lines > 1) {
            ohmi_plot_line(&plot, 1, "mean of all", means, c->n_tasks, 1.0);
        }
        ohmi_plot_line(&plot, 0, "this line", values + (int64_t)k * c->n_tasks, c->n_tasks, 1.0);
        ohmi_plot_end(&plot);
        ohmi_text_add(out, "</div>");
    }
    ohmi_text_add(out, "</div>");
}

static ohm_status write_tasks(ohmi_text *out, const ohm_comparison *c, ohm_error *err) {
    ohm_status status = OHM_OK;
    double low = 0.0;
    double high = 1.0;
    double *values = ohmi_alloc((size_t)c->n_lines * (size_t)c->n_tasks, sizeof *values);
    double *means = ohmi_alloc((size_t)c->n_tasks, sizeof *means);
    if (values == NULL || means == NULL) {
        status = no_memory(err);
        goto done;
    }
    for (int t = 0; t < c->n_tasks; ++t) {
        int n = 0;
        for (int k = 0; k < c->n_lines; ++k) {
            const bool has = t < c->lines[k].n_tasks;
            const double value = has ? c->lines[k].accuracy[t].mean : (double)NAN;
            values[k * c->n_tasks + t] = value;
            means[t] += has ? value : 0.0;
            n += has ? 1 : 0;
        }
        means[t] = n > 0 ? means[t] / n : (double)NAN;
    }
    if (!accuracy_range(c, &low, &high)) {
        goto done;
    }
    ohmi_text_add(out, "<section><h2>Accuracy by task</h2>");
    OHM_TRY(write_heatmap(out, c, values, low, high, err));
    if (c->n_tasks > 1) {
        write_panels(out, c, values, means, low, high);
    }
    ohmi_text_add(out, "</section>");
done:
    ohmi_free(means);
    ohmi_free(values);
    return status;
}

// What a line costs: time, epochs, bytes a task.
static void write_costs(ohmi_text *out, const ohm_comparison *c) {
    double longest = 0.0;
    double shortest = INFINITY;
    for (int k = 0; k < c->n_lines; ++k) {
        const double seconds = c->lines[k].of[OHMI_SECONDS].mean;
        if (isfinite(seconds)) {
            longest = fmax(longest, seconds);
            shortest = fmin(shortest, seconds);
        }
    }
    ohmi_text_add(out, "<section><h2>Training time and memory</h2><p class=\"note\">");
    ohmi_text_printf(
        out,
        "Time and epochs: of tasks 1 to %d together, mean over the seeds; times are of "
        "the machine and load they were measured on. Beside: what is kept for a task "
        "besides weights and mask (batch norm, classifier, activation clips).</p>",
        c->n_shared);
    ohmi_text_add(out,
                  "<div class=\"scroll\"><table class=\"list bars\"><thead><tr><th>line</th>"
                  "<th>0 to the longest time</th><th class=\"n\">time</th><th class=\"n\">of the "
                  "shortest</th><th class=\"n\">epochs</th><th class=\"n\">mask of a task</th>"
                  "<th class=\"n\">beside</th></tr></thead><tbody>");
    for (int k = 0; k < c->n_lines; ++k) {
        const ohmi_line *line = &c->lines[k];
        const double seconds = line->of[OHMI_SECONDS].mean;
        const double mask = line->of[OHMI_MASK].mean;
        const double beside = line->of[OHMI_BESIDE].mean;
        if (line->n_runs == 0) {
            continue;
        }
        row_heading(out, line->title);
        ohmi_text_add(out, "<td class=\"bar\"><div class=\"track plain\">");
        write_bar(out, longest > 0.0 ? seconds / longest : (double)NAN);
        ohmi_text_add(out, "</div></td><td class=\"n\">");
        ohmi_figure_seconds(out, seconds);
        ohmi_text_add(out, "</td>");
        ohmi_cell_number(out, shortest > 0.0 ? seconds / shortest : (double)NAN, 2);
        ohmi_cell_number(out, line->of[OHMI_EPOCHS].mean, 0);
        ohmi_text_add(out, "<td class=\"n\">");
        ohmi_figure_bytes(out, isfinite(mask) ? (int64_t)(mask + 0.5) : -1);
        ohmi_text_add(out, "</td><td class=\"n\">");
        ohmi_figure_bytes(out, isfinite(beside) ? (int64_t)(beside + 0.5) : -1);
        ohmi_text_add(out, "</td></tr>");
    }
    ohmi_text_add(out, "</tbody></table></div></section>");
}

typedef struct {
    ohmi_text *out;
    const ohm_comparison *c;
    int n; // keys so far
} difference_table;

static void write_difference(void *context, const char *key, const char *const *values) {
    difference_table *table = context;
    ohmi_text *out = table->out;
    const ohm_comparison *c = table->c;
    if (table->n++ == 0) {
        ohmi_text_add(out, "<div class=\"scroll\"><table class=\"list\"><thead><tr><th>key</th>");
        for (int k = 0; k < c->n_lines - c->n_published; ++k) {
            ohmi_text_add(out, "<th>");
            ohmi_text_html(out, c->lines[k].title);
            ohmi_text_add(out, "</th>");
        }
        ohmi_text_add(out, "</tr></thead><tbody>");
    }
    row_heading(out, key);
    for (int k = 0; k < c->n_lines - c->n_published; ++k) {
        ohmi_text_add(out, "<td><code>");
        ohmi_text_html(out, values[k] != NULL ? values[k] : "?");
        ohmi_text_add(out, "</code></td>");
    }
    ohmi_text_add(out, "</tr>");
}

static ohm_status write_differences(ohmi_text *out, const ohm_comparison *c, ohm_error *err) {
    ohm_status status = OHM_OK;
    difference_table table = {out, c, 0};
    ohmi_text_add(out, "<section><h2>In what the lines differ</h2>");
    OHM_TRY(ohmi_compare_differences(c, write_difference, &table, err));
    ohmi_text_add(out, table.n > 0
                           ? "</tbody></table></div>"
                           : "<p class=\"note\">In no key of their configs, as far as those are "
                             "known.</p>");
    ohmi_text_add(out, "</section>");
done:
    return status;
}

// Which runs the lines are of, and where published rows are from.
static void write_runs(ohmi_text *out, const ohm_comparison *c) {
    ohmi_text_add(out,
                  "<section><h2>The runs</h2><div class=\"scroll\"><table class=\"list\"><thead>"
                  "<tr><th>line</th><th>run</th><th>method</th><th>network</th><th>data</th>"
                  "<th class=\"n\">seed</th><th class=\"n\">tasks</th><th class=\"n\">mean, %</th>"
                  "<th class=\"n\">training</th><th>earlier logits</th></tr></thead><tbody>");
    for (int k = 0; k < c->n_lines; ++k) {
        for (int i = 0; i < c->n_runs; ++i) {
            const ohmi_compared_run *r = &c->runs[i];
            if (r->line != k) {
                continue;
            }
            const char *const words[] = {r->path, r->run.method, r->run.model, r->run.dataset};
            row_heading(out, c->lines[k].title);
            for (int w = 0; w < 4; ++w) {
                ohmi_text_add(out, w == 0 ? "<td><code>" : "<td>");
                ohmi_text_html(out, words[w]);
                ohmi_text_add(out, w == 0 ? "</code></td>" : "</td>");
            }
            ohmi_cell_count(out, r->run.seed);
            ohmi_cell_count(out, r->run.n_tasks);
            ohmi_cell_percent(out, r->run.mean_accuracy, 2);
            ohmi_text_add(out, "<td class=\"n\">");
            ohmi_figure_seconds(out, r->run.train_seconds_total);
            ohmi_text_printf(out, "</td><td>%s</td></tr>",
                             r->run.logits_identical == 1   ? "identical"
                             : r->run.logits_identical == 0 ? "changed"
                                                            : "not measured");
        }
    }
    ohmi_text_add(out, "</tbody></table></div>");
    for (int k = c->n_lines - c->n_published; k < c->n_lines; ++k) {
        ohmi_text_add(out, "<p><strong>");
        ohmi_text_html(out, c->lines[k].title);
        ohmi_text_add(out, "</strong>: ");
        ohmi_text_html(out, c->lines[k].source);
        ohmi_text_add(out, c->lines[k].caveat[0] != '\0' ? ". " : "");
        ohmi_text_html(out, c->lines[k].caveat);
        ohmi_text_add(out, ".</p>");
    }
    ohmi_text_add(out, "</section>");
}

ohm_status ohmi_compare_page(ohmi_text *out, const ohm_comparison *c, ohm_error *err) {
    ohm_status status = OHM_OK;
    write_head(out, c);
    write_accuracy(out, c);
    OHM_TRY(write_tasks(out, c, err));
    write_costs(out, c);
    OHM_TRY(ohmi_compare_cost(out, c, err));
    OHM_TRY(ohmi_compare_insitu(out, c, err));
    OHM_TRY(write_differences(out, c, err));
    write_runs(out, c);
    ohmi_page_end(out, "from the files of the runs. Runs of one line differ in their seed only.");
done:
    return status;
}
