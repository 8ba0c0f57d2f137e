// SPDX-License-Identifier: Apache-2.0
// Writes report.html of a run: one page that needs nothing but itself. It opens from the disk by a
// double click, asks no network (a content security policy forbids it), and shows everything
// without JavaScript. Every number on it comes from the files of the run folder, and text from
// those files is escaped.
#include "ohmwise/learn.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/c_locale.h"
#include "base/fail.h"
#include "report/figures.h"
#include "report/page_style.h"
#include "report/run_files.h"
#include "report/sections.h"

#define MAX_LOG_LINES 400

static void write_head(ohmi_text *out, const ohmi_run *run) {
    ohmi_page_begin(out, run->name);
    ohmi_text_add(out, "<header><h1>");
    ohmi_text_html(out, run->name[0] != '\0' ? run->name : "unnamed run");
    ohmi_text_add(out, "</h1><div class=\"sub\">");

    // what was learned how, in one line
    const char *const parts[3] = {run->method, run->model, run->dataset};
    static const char *const titles[3] = {"method", "network", "data"};
    for (int i = 0; i < 3; ++i) {
        if (parts[i][0] != '\0') {
            ohmi_text_printf(out, "%s ", titles[i]);
            ohmi_text_html(out, parts[i]);
            ohmi_text_add(out, " · ");
        }
    }
    if (run->seed >= 0) {
        ohmi_text_printf(out, "seed %" PRId64 " · ", run->seed);
    }
    ohmi_text_add(out, run->quantised ? "quantised" : "float");
    const char *started = json_string_value(json_object_get(run->manifest, "started"));
    if (started != NULL) {
        ohmi_text_add(out, " · started ");
        ohmi_text_html(out, started);
    }
    ohmi_text_add(out, "</div></header>\n<main>");
}

static void write_remarks(ohmi_text *out, const ohmi_run *run) {
    int n_measured = 0;
    for (int i = 0; i < run->n_tasks; ++i) {
        n_measured += isfinite(run->tasks[i].accuracy) ? 1 : 0;
    }
    if (n_measured < run->n_tasks) {
        ohmi_text_printf(out,
                         "<div class=\"warn\"><p>%s: the network was not learned here. "
                         "<code>ohmwise eval</code> measures it on its data set.</p></div>",
                         n_measured == 0 ? "Nothing was measured" : "Not all tasks were measured");
    }
    if (run->reconstruction[0] != '\0') {
        ohmi_text_add(out, "<div class=\"warn\"><p>A reconstruction of ");
        ohmi_text_html(out, run->method);
        ohmi_text_add(out, ": ");
        ohmi_text_html(out, run->reconstruction);
        ohmi_text_add(out, ".</p></div>");
    }
    if (!run->finished) {
        ohmi_text_printf(out,
                         "<div class=\"warn\"><p>This run is not finished: the page shows "
                         "the %d task(s) learned so far.</p></div>",
                         run->n_tasks);
    }
    if (run->remarks.size > 0) {
        ohmi_text_add(out, "<div class=\"warn\"><ul>");
        ohmi_text_add(out, run->remarks.data);
        ohmi_text_add(out, "</ul></div>");
    }
}

// Opens and closes one key figure.
static void key_begin(ohmi_text *out, const char *title) {
    ohmi_text_printf(out, "<div><dt>%s</dt><dd>", title);
}

static void key_end(ohmi_text *out, const char *more) {
    ohmi_text_add(out, "</dd>");
    if (more[0] != '\0') {
        ohmi_text_printf(out, "<dd class=\"more\">%s</dd>", more);
    }
    ohmi_text_add(out, "</div>");
}

static void write_key_figures(ohmi_text *out, const ohmi_run *run) {
    int64_t columns = 0;
    int64_t mask_bytes = 0;
    int64_t largest_mask = 0;
    for (int i = 0; i < run->n_tasks; ++i) {
        const ohmi_run_task *task = &run->tasks[i];
        columns += task->columns_new > 0 ? task->columns_new : 0;
        mask_bytes += task->mask_bytes > 0 ? task->mask_bytes : 0;
        largest_mask = task->mask_bytes > largest_mask ? task->mask_bytes : largest_mask;
    }
    ohmi_text_add(out, "<dl class=\"key\">");
    key_begin(out, "Mean accuracy");
    ohmi_figure_percent(out, run->mean_accuracy, 2);
    ohmi_text_add(out, " <small>%</small>");
    key_end(out, "of the tasks, each on its own test images");
    if (run->has_later && isfinite(run->forgetting)) {
        key_begin(out, "Forgetting");
        ohmi_figure_percent(out, run->forgetting, 2);
        ohmi_text_add(out, " <small>points</small>");
    } else {
        ohmi_text_add(out, "<div><dt>Forgetting</dt><dd class=\"words\">not measured");
    }
    key_end(out, !run->has_later              ? "no task was measured again after a later one"
                 : run->logits_identical == 1 ? "logits of earlier tasks unchanged, bit for bit"
                 : run->logits_identical == 0 ? "logits of earlier tasks have changed"
                                              : "logits of earlier tasks were not compared");
    key_begin(out, "Tasks");
    ohmi_figure_count(out, run->n_tasks);
    key_end(out, run->finished ? "all learned" : "learned so far");
    key_begin(out, "Columns owned");
    ohmi_figure_count(out, columns);
    ohmi_text_add(out, "</dd><dd class=\"more\">");
    if (columns > run->columns_total && run->columns_total > 0) {
        ohmi_figure_count(out, run->columns_total);
        ohmi_text_add(out, " a network, a network a task");
    } else if (run->columns_total > 0) {
        ohmi_text_add(out, "of ");
        ohmi_figure_count(out, run->columns_total);
        ohmi_text_add(out, ", ");
        ohmi_figure_percent(out, (double)columns / (double)run->columns_total, 1);
        ohmi_text_add(out, columns < run->columns_total ? " %; the rest is free" : " %");
    }
    key_end(out, "");
    key_begin(out, "Mask of a task");
    ohmi_figure_bytes(out, run->n_tasks > 0 ? mask_bytes / run->n_tasks : -1);
    if (run->n_tasks > 0 && largest_mask * run->n_tasks != mask_bytes) {
        ohmi_text_add(out, "</dd><dd class=\"more\">mean; the largest ");
        ohmi_figure_bytes(out, largest_mask);
        key_end(out, "");
    } else {
        key_end(out, "the same for each");
    }
    key_begin(out, "Training time");
    ohmi_figure_seconds(out, run->train_seconds_total);
    key_end(out, "all tasks");
    key_begin(out, "Parameters");
    ohmi_figure_count(out, run->parameters);
    key_end(out, "of the network");
    ohmi_text_add(out, "</dl>");
}

// A scalar of a JSON file as escaped text.
static void write_scalar(ohmi_text *out, const json_t *value) {
    if (json_is_string(value)) {
        ohmi_text_html(out, json_string_value(value));
    } else if (json_is_integer(value)) {
        ohmi_text_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        ohmi_text_printf(out, "%.10g", json_real_value(value));
    } else {
        ohmi_text_add(out, json_is_true(value)    ? "yes"
                           : json_is_false(value) ? "no"
                           : json_is_null(value)  ? "–"
                                                  : "(nested)");
    }
}

static void write_pairs(ohmi_text *out, json_t *object) {
    const char *key = NULL;
    json_t *value = NULL;
    ohmi_text_add(out, "<div class=\"scroll\"><table class=\"list\"><tbody>");
    json_object_foreach(object, key, value) {
        ohmi_text_add(out, "<tr><th scope=\"row\">");
        ohmi_text_html(out, key);
        ohmi_text_add(out, "</th><td><code>");
        write_scalar(out, value);
        ohmi_text_add(out, "</code></td></tr>");
    }
    ohmi_text_add(out, "</tbody></table></div>");
}

// The end of the log; where the work was cut or warned is usually there.
static void write_log(ohmi_text *out, const char *log) {
    const char *start = log + strlen(log);
    int n_lines = 0;
    while (start > log && n_lines <= MAX_LOG_LINES) {
        start -= 1;
        n_lines += *start == '\n' && start[1] != '\0' ? 1 : 0;
    }
    start += *start == '\n' ? 1 : 0;
    ohmi_text_printf(out, "<details><summary>Log%s</summary><pre>",
                     start > log ? " (its last lines)" : "");
    ohmi_text_html(out, start);
    ohmi_text_add(out, "</pre></details>");
}

static void write_files(ohmi_text *out, const ohmi_run *run) {
    ohmi_text_add(out, "<section><h2>How this run was made</h2>");
    if (run->config != NULL) {
        ohmi_text_add(out, "<details data-print><summary>Config</summary><pre>");
        ohmi_text_html(out, run->config);
        ohmi_text_add(out, "</pre></details>");
    }
    if (run->manifest != NULL) {
        ohmi_text_add(out, "<details data-print><summary>Manifest: program, machine, data"
                           "</summary>");
        write_pairs(out, run->manifest);
        ohmi_text_add(out, "</details>");
    }
    if (run->log != NULL && run->log[0] != '\0') {
        write_log(out, run->log);
    }
    if (run->config == NULL && run->manifest == NULL && run->log == NULL) {
        ohmi_text_add(out, "<p class=\"note\">Neither config, manifest nor log are in the run "
                           "folder.</p>");
    }
    ohmi_text_add(out, "</section>");
}

static ohm_status write_page(ohmi_text *out, const ohmi_run *run, ohm_error *err) {
    ohm_status status = OHM_OK;
    write_head(out, run);
    write_remarks(out, run);
    write_key_figures(out, run);
    OHM_TRY(ohmi_section_accuracy(out, run, err));
    OHM_TRY(ohmi_section_columns(out, run, err));
    OHM_TRY(ohmi_section_map(out, run, err));
    OHM_TRY(ohmi_section_simulate(out, run, err));
    ohmi_section_insitu(out, run);
    ohmi_section_cost(out, run);
    ohmi_section_time(out, run);
    ohmi_section_curves(out, run);
    write_files(out, run);
    ohmi_page_end(out, "from the files of the run folder. Tasks are numbered in the order of "
                       "learning.");
    if (out->failed) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the report");
    }
done:
    return status;
}

ohm_status ohm_report_write(const char *run_folder, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_run run = {0};
    ohmi_text page = {0};
    char target[1024];
    if (run_folder == NULL) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "no run folder given");
    }
    const int length = snprintf(target, sizeof target, path == NULL ? "%s/report.html" : "%s",
                                path == NULL ? run_folder : path);
    if (length < 0 || (size_t)length >= sizeof target) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "the path of the report is too long");
    }

    // a host program may have set a decimal comma, which neither CSV nor CSS understands
    ohmi_c_locale locale = ohmi_c_locale_enter();
    OHM_TRY(ohmi_run_read(&run, run_folder, err));
    OHM_TRY(write_page(&page, &run, err));
    OHM_TRY(ohmi_write_file(target, page.data, page.size, err));
done:
    ohmi_c_locale_leave(&locale);
    ohmi_text_clear(&page);
    ohmi_run_clear(&run);
    return status;
}
