// SPDX-License-Identifier: Apache-2.0
// The page of `ohmwise harvest`: throughput and utilisation by scheduler, ratios over the baseline
// beside the published ones, and for each trace and network power and mode over time. It is made of
// harvest.json alone, which is checked as any file from outside.
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"
#include "ohmwise/harvest.h"
#include "report/figures.h"
#include "report/page_style.h"
#include "report/result_figures.h"
#include "report/svg.h"

enum { MOST_POINTS = 10000 };
#define MOST_BYTES ((size_t)512 << 20) // of harvest.json

static void cell_bar(ohmi_text *out, double part) {
    ohmi_text_printf(out,
                     "<td class=\"bar\"><div class=\"track\"><b style=\"width:%.3f%%\"></b></div>"
                     "</td>",
                     isfinite(part) ? 100 * fmin(fmax(part, 0), 1) : 0);
}

static bool is_same(const json_t *a, const json_t *b, const char *key) {
    return strcmp(ohmi_json_text(a, key), ohmi_json_text(b, key)) == 0;
}

// a row of a table, with the cells that say which case it is
static void begin_row(ohmi_text *out, const json_t *result) {
    static const char *const keys[] = {"network", "scheduler", "predictor"};
    ohmi_text_add(out, "<tr><th scope=\"row\">");
    ohmi_text_html(out, ohmi_json_text(result, "trace"));
    ohmi_text_add(out, "</th>");
    ohmi_cell_number(out, ohmi_json_number(result, "seed"), 0);
    for (int k = 0; k < 3; k++) {
        ohmi_text_add(out, "<td>");
        ohmi_text_html(out, ohmi_json_text(result, keys[k]));
        ohmi_text_add(out, "</td>");
    }
}

// The most images a second of the results of one trace and network.
static double most_images(const json_t *results, const json_t *of) {
    double most = 0;
    size_t i;
    const json_t *result;
    json_array_foreach(results, i, result) {
        if (is_same(result, of, "trace") && is_same(result, of, "network")) {
            most = fmax(most, ohmi_json_number(result, "inferences_per_s"));
        }
    }
    return most;
}

static void write_results(ohmi_text *out, const json_t *results) {
    size_t i;
    const json_t *result;
    ohmi_text_add(out,
                  "<section><h2>Throughput and utilisation</h2><p class=\"note\">Bars of images: "
                  "over the most of the same trace and network. Bound: of what any schedule of "
                  "the same modes could finish. Used: of the harvested energy; a node without "
                  "a capacitor loses the rest.</p><div class=\"scroll\"><table class=\"list "
                  "bars\"><thead><tr><th>trace</th><th class=\"n\">seed</th><th>network</th>"
                  "<th>scheduler</th><th>power foreseen</th><th>images a second</th>"
                  "<th class=\"n\">images/s</th><th class=\"n\">bound, %</th>"
                  "<th>energy used</th><th class=\"n\">used, %</th><th class=\"n\">on, %</th>"
                  "<th class=\"n\">MAC/J</th><th class=\"n\">median latency</th></tr></thead>"
                  "<tbody>");
    json_array_foreach(results, i, result) {
        const double rate = ohmi_json_number(result, "inferences_per_s");
        const double most = most_images(results, result);
        begin_row(out, result);
        cell_bar(out, most > 0 ? rate / most : 0);
        ohmi_text_printf(out, "<td class=\"n\">%.4g</td>", isfinite(rate) ? rate : 0.0);
        ohmi_cell_percent(out, ohmi_json_number(result, "share_of_bound"), 1);
        cell_bar(out, ohmi_json_number(result, "utilisation"));
        ohmi_cell_percent(out, ohmi_json_number(result, "utilisation"), 1);
        ohmi_cell_percent(out, ohmi_json_number(result, "on_share"), 1);
        ohmi_text_printf(out, "<td class=\"n\">%.3g</td>",
                         ohmi_json_number(result, "macs_per_harvested_j"));
        ohmi_cell_quantity(out, ohmi_json_number(json_object_get(result, "latency"), "median_s"),
                           "s");
        ohmi_text_add(out, "</tr>");
    }
    ohmi_text_add(out, "</tbody></table></div></section>");
}

// What was measured of a run with fewer of its columns, and how many images were done with them.
static void write_levels(ohmi_text *out, const json_t *root) {
    const json_t *networks = json_object_get(root, "networks"), *network, *level;
    const json_t *results = json_object_get(root, "results"), *result, *images;
    size_t n_levels = 0, n, v, i;
    json_array_foreach(networks, n, network) {
        n_levels += json_array_size(json_object_get(network, "levels"));
    }
    if (n_levels == 0) {
        return;
    }
    ohmi_text_add(
        out, "<section><h2>Fewer columns while power is short</h2><p class=\"note\">Accuracy: "
             "measured with the integer network on the task's test images. Energy and time: of "
             "an image with all that is on at once.</p><div class=\"scroll\"><table "
             "class=\"list\"><thead><tr><th>network</th><th class=\"n\">task</th>"
             "<th class=\"n\">of its columns, %</th><th class=\"n\">columns</th>"
             "<th class=\"n\">accuracy, %</th><th class=\"n\">images</th>"
             "<th class=\"n\">energy</th><th class=\"n\">time</th></tr></thead><tbody>");
    json_array_foreach(networks, n, network) {
        json_array_foreach(json_object_get(network, "levels"), v, level) {
            ohmi_text_add(out, "<tr><th scope=\"row\">");
            ohmi_text_html(out, ohmi_json_text(network, "name"));
            ohmi_text_add(out, "</th>");
            ohmi_cell_number(out, ohmi_json_number(network, "task"), 0);
            ohmi_cell_percent(out, ohmi_json_number(level, "part"), 1);
            ohmi_cell_number(out, ohmi_json_number(level, "columns_on"), 0);
            ohmi_cell_percent(out, ohmi_json_number(level, "accuracy"), 2);
            ohmi_cell_number(out, ohmi_json_number(level, "images"), 0);
            ohmi_cell_quantity(out, ohmi_json_number(level, "full_image_j"), "J");
            ohmi_cell_quantity(out, ohmi_json_number(level, "full_image_s"), "s");
            ohmi_text_add(out, "</tr>");
        }
    }
    ohmi_text_add(out, "</tbody></table></div><div class=\"scroll\"><table class=\"list\"><thead>"
                       "<tr><th>trace</th><th class=\"n\">seed</th><th>network</th>"
                       "<th>scheduler</th><th>power foreseen</th><th class=\"n\">images/s</th>"
                       "<th class=\"n\">mean accuracy, %</th><th class=\"n\">images by level</th>"
                       "</tr></thead><tbody>");
    json_array_foreach(results, i, result) {
        begin_row(out, result);
        ohmi_text_printf(out, "<td class=\"n\">%.4g</td>",
                         ohmi_json_number(result, "inferences_per_s"));
        ohmi_cell_percent(out, ohmi_json_number(result, "accuracy"), 2);
        ohmi_text_add(out, "<td class=\"n\">");
        json_array_foreach(json_object_get(result, "at_level"), v, images) {
            ohmi_text_printf(out, "%s%lld", v > 0 ? ", " : "",
                             (long long)json_integer_value(images));
        }
        ohmi_text_add(out, "</td></tr>");
    }
    ohmi_text_add(out, "</tbody></table></div></section>");
}

static void write_ratios(ohmi_text *out, const json_t *root) {
    const json_t *ratios = json_object_get(root, "ratios"), *ratio;
    const json_t *published = json_object_get(root, "published");
    size_t i;
    if (json_array_size(ratios) == 0) {
        return;
    }
    ohmi_text_printf(
        out,
        "<section><h2>Against the baseline</h2><p class=\"note\">Multiply-accumulates "
        "done over those of <code>full</code> on the same power, and these over the "
        "energy used; mean and deviation over the seeds. Published for ResiSchedule, on "
        "average: %.3g times the throughput, %.3g times the energy efficiency. – : the "
        "baseline finished no image.</p><div class=\"scroll\"><table class=\"list\">"
        "<thead><tr><th>trace</th><th>network</th><th>scheduler</th>"
        "<th>power foreseen</th><th class=\"n\">throughput</th>"
        "<th class=\"n\">deviation</th><th class=\"n\">efficiency</th>"
        "<th class=\"n\">deviation</th><th class=\"n\">efficiency over volatile</th>"
        "<th class=\"n\">seeds</th></tr></thead><tbody>",
        ohmi_json_number(published, "throughput_over_baseline"),
        ohmi_json_number(published, "efficiency_over_baseline"));
    json_array_foreach(ratios, i, ratio) {
        static const char *const keys[] = {"trace", "network", "scheduler", "predictor"};
        ohmi_text_add(out, "<tr>");
        for (int k = 0; k < 4; k++) {
            ohmi_text_add(out, "<td>");
            ohmi_text_html(out, ohmi_json_text(ratio, keys[k]));
            ohmi_text_add(out, "</td>");
        }
        ohmi_cell_number(out, ohmi_json_number(ratio, "throughput_over_full"), 2);
        ohmi_cell_number(out, ohmi_json_number(ratio, "throughput_deviation"), 2);
        ohmi_cell_number(out, ohmi_json_number(ratio, "efficiency_over_full"), 2);
        ohmi_cell_number(out, ohmi_json_number(ratio, "efficiency_deviation"), 2);
        ohmi_cell_number(out, ohmi_json_number(ratio, "efficiency_over_volatile"), 2);
        ohmi_cell_number(out, ohmi_json_number(ratio, "seeds"), 0);
        ohmi_text_add(out, "</tr>");
    }
    ohmi_text_add(out, "</tbody></table></div></section>");
}

// A curve of the timeline; n = 0 when it is not there.
static int read_curve(double *y, const json_t *timeline, const char *key) {
    const json_t *values = json_object_get(timeline, key);
    const size_t n = json_array_size(values);
    if (n > MOST_POINTS) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(values, i);
        y[i] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    return (int)n;
}

// One or two curves on one scale.
static void write_panel(ohmi_text *out, const char *title, const double *a, const double *b, int n,
                        double scale) {
    double high = 0;
    for (int i = 0; i < n; i++) {
        high = isfinite(a[i]) ? fmax(high, a[i]) : high;
        high = b && isfinite(b[i]) ? fmax(high, b[i]) : high;
    }
    const double step = ohmi_nice_step(high > 0 ? high : 1, 5);
    high = fmax(ceil(high / step - 1e-9) * step, step);
    ohmi_plot plot = {
        .out = out,
        .x_low = 0,
        .x_high = n - 1,
        .y_low = 0,
        .y_high = high,
        .left = 44,
        .top = 6,
        .box_width = 180,
        .box_height = 92,
        .width = 232,
        .height = 116,
        .y_scale = scale,
        .y_decimals = ohmi_step_decimals(step * scale),
        .x_name = "point",
    };
    ohmi_text_printf(out, "<div class=\"panel\"><h3>%s</h3>", title);
    ohmi_plot_begin(&plot, title);
    ohmi_plot_line(&plot, 0, b ? "harvested" : "on", a, n, 0);
    if (b) {
        ohmi_plot_line(&plot, 1, "used", b, n, 0);
    }
    ohmi_plot_end(&plot);
    ohmi_text_add(out, "</div>");
}

// The factor that brings the largest value to 1 .. 1000, and the unit's prefix.
static double prefix_of(const char **prefix, const double *y, int n) {
    double high = 0, scale = 1;
    static const char *const prefixes[] = {"", "m", "&micro;", "n", "p"};
    int i = 0;
    for (int p = 0; p < n; p++) {
        high = isfinite(y[p]) ? fmax(high, y[p]) : high;
    }
    for (; high > 0 && high * scale < 1 && i < 4; i++) {
        scale *= 1000;
    }
    *prefix = prefixes[i];
    return scale;
}

static void write_timeline(ohmi_text *out, const json_t *result, double *room) {
    double *harvested = room, *used = room + MOST_POINTS, *cells = room + (size_t)2 * MOST_POINTS;
    const json_t *timeline = json_object_get(result, "timeline");
    const int n = read_curve(harvested, timeline, "harvested_w");
    char title[128];
    const char *prefix;
    if (n < 2 || read_curve(used, timeline, "used_w") != n ||
        read_curve(cells, timeline, "cells_on") != n) {
        return;
    }
    ohmi_text_add(out, "<h3>");
    ohmi_text_html(out, ohmi_json_text(result, "trace"));
    ohmi_text_add(out, " · ");
    ohmi_text_html(out, ohmi_json_text(result, "network"));
    ohmi_text_add(out, " · ");
    ohmi_text_html(out, ohmi_json_text(result, "scheduler"));
    ohmi_text_add(out, " · ");
    ohmi_text_html(out, ohmi_json_text(result, "predictor"));
    ohmi_text_add(out, ", points of ");
    ohmi_figure_quantity(out, ohmi_json_number(timeline, "step_s"), "s");
    ohmi_text_add(out, "</h3><div class=\"panels\">");
    const double scale = prefix_of(&prefix, harvested, n);
    (void)snprintf(title, sizeof title, "power, %sW", prefix);
    write_panel(out, title, harvested, used, n, scale);
    write_panel(out, "cells driven at once", cells, NULL, n, 1);
    ohmi_text_add(out, "</div>");
}

static void write_timelines(ohmi_text *out, const json_t *results, double *room) {
    size_t i;
    const json_t *result;
    ohmi_text_add(out,
                  "<section><h2>Power and mode over time</h2><div class=\"legend\"><span><span "
                  "class=\"sw s0\"></span>harvested</span><span><span class=\"sw s1\"></span>"
                  "used (dashed)</span><span>of the first seed; cells driven at once: mean over "
                  "a point of rows x columns x copies that are on</span></div>");
    json_array_foreach(results, i, result) {
        write_timeline(out, result, room);
    }
    ohmi_text_add(out, "</section>");
}

static void write_traces(ohmi_text *out, const json_t *traces) {
    size_t i;
    const json_t *trace;
    ohmi_text_add(out,
                  "<section><h2>Traces</h2><p class=\"note\">As generated or read, before they "
                  "are scaled for a network.</p><div class=\"scroll\"><table class=\"list\">"
                  "<thead><tr><th>trace</th><th class=\"n\">seed</th><th class=\"n\">samples"
                  "</th><th class=\"n\">length</th><th class=\"n\">mean</th><th class=\"n\">"
                  "peak</th><th class=\"n\">duty, %</th><th class=\"n\">correlation</th></tr>"
                  "</thead><tbody>");
    json_array_foreach(traces, i, trace) {
        ohmi_text_add(out, "<tr><th scope=\"row\">");
        ohmi_text_html(out, ohmi_json_text(trace, "name"));
        ohmi_text_add(out, "</th>");
        ohmi_cell_number(out, ohmi_json_number(trace, "seed"), 0);
        ohmi_cell_number(out, ohmi_json_number(trace, "samples"), 0);
        ohmi_cell_quantity(out, ohmi_json_number(trace, "duration_s"), "s");
        ohmi_cell_quantity(out, ohmi_json_number(trace, "mean_w"), "W");
        ohmi_cell_quantity(out, ohmi_json_number(trace, "peak_w"), "W");
        ohmi_cell_percent(out, ohmi_json_number(trace, "duty"), 1);
        ohmi_cell_quantity(out, ohmi_json_number(trace, "correlation_s"), "s");
        ohmi_text_add(out, "</tr>");
    }
    ohmi_text_add(out, "</tbody></table></div></section>");
}

ohm_status ohm_harvest_report(const char *folder, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    char source[1024], target[1024];
    char *bytes = NULL;
    size_t size = 0;
    ohmi_text page = {0};
    json_t *root = NULL;
    json_error_t error;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    double *room = ohmi_alloc((size_t)3 * MOST_POINTS, sizeof *room);
    if (!room) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the page");
        goto done;
    }
    if (snprintf(source, sizeof source, "%s/harvest.json", folder) >= (int)sizeof source ||
        snprintf(target, sizeof target, path ? "%s" : "%s/harvest.html", path ? path : folder) >=
            (int)sizeof target) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "the path of the page is too long");
        goto done;
    }
    OHM_TRY(ohmi_read_file(&bytes, &size, source, MOST_BYTES, err));
    root = json_loadb(bytes, size, 0, &error);
    if (!json_is_object(root) || !json_is_array(json_object_get(root, "results"))) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "not the results of 'ohmwise harvest': %s",
                           root ? "no list of results" : error.text);
        ohmi_place(err, source, root ? 0 : error.line, root ? 0 : error.column);
        goto done;
    }
    ohmi_page_begin(&page, ohmi_json_text(root, "name"));
    ohmi_text_add(&page, "<header><h1>");
    ohmi_text_html(&page, ohmi_json_text(root, "name"));
    ohmi_text_add(&page, "</h1><div class=\"sub\">harvested power · hardware ");
    ohmi_text_html(&page, ohmi_json_text(root, "preset"));
    ohmi_text_add(&page, "</div></header>\n<main><div class=\"warn\"><p>A ");
    ohmi_text_html(&page, ohmi_json_text(root, "note"));
    ohmi_text_add(&page, ".</p></div>");
    write_results(&page, json_object_get(root, "results"));
    write_levels(&page, root);
    write_ratios(&page, root);
    write_timelines(&page, json_object_get(root, "results"), room);
    write_traces(&page, json_object_get(root, "traces"));
    ohmi_page_end(&page, "from harvest.json of the folder.");
    if (page.failed) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the page");
        goto done;
    }
    OHM_TRY(ohmi_write_file(target, page.data, page.size, err));
done:
    ohmi_c_locale_leave(&locale);
    ohmi_free(room);
    ohmi_free(bytes);
    json_decref(root);
    ohmi_text_clear(&page);
    return status;
}
