// SPDX-License-Identifier: Apache-2.0
// The section of a comparison's page on training on crossbars: accuracy, energy, time and lifetime
// against the part of the rows that was left out, and how many times less each takes than plain
// training.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "report/compare.h"
#include "report/figures.h"
#include "report/insitu_figures.h"
#include "report/result_figures.h"
#include "report/svg.h"

enum { N_COLOURS = 4 };

// keys that say what is left out, and how much
static const char *const thresholds[] = {
    "insitu.activation=",   "insitu.activation_ratio=", "insitu.error=",    "insitu.error_ratio=",
    "insitu.budget_value=", "insitu.weight=",           "insitu.baseline=", NULL};
static void write_table(ohmi_text *out, const ohm_comparison *c, const ohmi_spread *lines,
                        const bool *is_there) {
    ohmi_text_add(out, "<div class=\"scroll\"><table class=\"list\"><thead><tr><th>line</th>"
                       "<th class=\"n\">rows left out, %</th><th class=\"n\">accuracy, %</th>"
                       "<th class=\"n\">points to plain</th><th class=\"n\">interval</th>"
                       "<th class=\"n\">energy</th><th class=\"n\">times less</th>"
                       "<th class=\"n\">time</th><th class=\"n\">times less</th>"
                       "<th class=\"n\">lifetime, epochs</th><th class=\"n\">times more</th>"
                       "</tr></thead><tbody>");
    for (int k = 0; k < c->n_lines; ++k) {
        const ohmi_spread *line = &lines[(int64_t)k * OHMI_N_INSITU];
        if (!is_there[k]) {
            continue;
        }
        ohmi_text_add(out, "<tr><th scope=\"row\">");
        ohmi_text_html(out, c->lines[k].title);
        ohmi_text_add(out, "</th>");
        ohmi_cell_percent(out, line[OHMI_INSITU_LEFT].mean, 1);
        ohmi_cell_percent(out, line[OHMI_INSITU_ACCURACY].mean, 2);
        ohmi_cell_percent(out, line[OHMI_INSITU_POINTS].mean, 2);
        ohmi_cell_percent(out, line[OHMI_INSITU_POINTS].interval, 2);
        ohmi_cell_quantity(out, line[OHMI_INSITU_ENERGY].mean, "J");
        ohmi_cell_number(out, line[OHMI_INSITU_ENERGY_TIMES].mean, 2);
        ohmi_cell_quantity(out, line[OHMI_INSITU_TIME].mean, "s");
        ohmi_cell_number(out, line[OHMI_INSITU_TIME_TIMES].mean, 2);
        ohmi_cell_number(out, line[OHMI_INSITU_LIFETIME].mean, 0);
        ohmi_cell_number(out, line[OHMI_INSITU_LIFETIME_TIMES].mean, 2);
        ohmi_text_add(out, "</tr>");
    }
    ohmi_text_add(out, "</tbody></table></div>");
}

// Families: lines that differ in thresholds only are a curve. family (n_lines): whose a line is, -1
// = nobody's, as plain training is. Returns how many there are.
static int make_families(int *family, const ohm_comparison *c, const bool *is_there) {
    int n = 0;
    for (int k = 0; k < c->n_lines; ++k) {
        family[k] = -1;
        if (!is_there[k] || json_is_true(json_object_get(
                                ohmi_insitu_summary(&c->runs[c->lines[k].first]), "plain"))) {
            continue;
        }
        const char *config = c->runs[c->lines[k].first].config;
        for (int j = 0; j < k && family[k] < 0; ++j) {
            if (family[j] >= 0 &&
                ohmi_insitu_differ_only_in(c->runs[c->lines[j].first].config, config, thresholds)) {
                family[k] = family[j];
            }
        }
        family[k] = family[k] < 0 ? n++ : family[k];
    }
    return n;
}

// what the curves of families show; each over the part of the rows left out
typedef struct {
    const ohm_comparison *c;
    const ohmi_spread *lines; // (n_lines, OHMI_N_INSITU)
    const int *family;        // (n_lines)
    int n_families;
    double *x, *y; // (n_lines) scratch
} curves;

// the points of a family, by what is left out
static int points_of(const curves *s, int family, ohmi_insitu_figure what, double scale) {
    int n = 0;
    for (int k = 0; k < s->c->n_lines; ++k) {
        if (s->family[k] != family) {
            continue;
        }
        const double x = 100 * s->lines[(int64_t)k * OHMI_N_INSITU + OHMI_INSITU_LEFT].mean;
        int at = n++;
        for (; at > 0 && s->x[at - 1] > x; --at) {
            s->x[at] = s->x[at - 1];
            s->y[at] = s->y[at - 1];
        }
        s->x[at] = x;
        s->y[at] = scale * s->lines[(int64_t)k * OHMI_N_INSITU + what].mean;
    }
    return n;
}

static const char *name_of(const curves *s, int family) {
    for (int k = 0; k < s->c->n_lines; ++k) {
        if (s->family[k] == family) {
            return s->c->lines[k].title;
        }
    }
    return "";
}

static void write_panel(ohmi_text *out, const curves *s, ohmi_insitu_figure what,
                        const char *title) {
    const double scale = what == OHMI_INSITU_ACCURACY ? 100 : 1;
    double low = INFINITY, high = -INFINITY;
    for (int family = 0; family < s->n_families; ++family) {
        const int n = points_of(s, family, what, scale);
        for (int i = 0; i < n; ++i) {
            low = isfinite(s->y[i]) ? fmin(low, s->y[i]) : low;
            high = isfinite(s->y[i]) ? fmax(high, s->y[i]) : high;
        }
    }
    if (!(high >= low)) {
        return;
    }
    low = what == OHMI_INSITU_ACCURACY ? low : 0;
    const double step = ohmi_nice_step(high > low ? high - low : 1, 5);
    ohmi_text_printf(out, "<div class=\"panel\"><h3>%s</h3>", title);
    ohmi_plot plot = {.out = out,
                      .x_low = 0,
                      .x_high = 100,
                      .y_low = floor(low / step + 1e-9) * step,
                      .y_high = ceil(high / step - 1e-9) * step,
                      .left = 36,
                      .top = 6,
                      .box_width = 220,
                      .box_height = 120,
                      .width = 270,
                      .height = 146,
                      .y_scale = 1,
                      .y_decimals = ohmi_step_decimals(step),
                      .x_name = "rows left out, %:"};
    ohmi_plot_begin(&plot, title);
    for (int family = 0; family < s->n_families; ++family) {
        const int n = points_of(s, family, what, scale);
        ohmi_plot_points(&plot, family % N_COLOURS, name_of(s, family), s->x, s->y, n);
    }
    ohmi_plot_end(&plot);
    ohmi_text_add(out, "</div>");
}

static void write_curves(ohmi_text *out, const curves *s) {
    ohmi_text_add(out, "<div class=\"legend\">");
    for (int family = 0; family < s->n_families; ++family) {
        ohmi_text_printf(out, "<span><span class=\"sw s%d\"></span>", family % N_COLOURS);
        ohmi_text_html(out, name_of(s, family));
        ohmi_text_add(out, " and those like it</span>");
    }
    ohmi_text_add(out, "<span>horizontal: rows left out, %</span></div><div class=\"panels\">");
    write_panel(out, s, OHMI_INSITU_ACCURACY, "accuracy, %");
    write_panel(out, s, OHMI_INSITU_ENERGY_TIMES, "energy, times less");
    write_panel(out, s, OHMI_INSITU_TIME_TIMES, "time, times less");
    write_panel(out, s, OHMI_INSITU_LIFETIME_TIMES, "lifetime, times more");
    ohmi_text_add(out, "</div>");
}

ohm_status ohmi_compare_insitu(ohmi_text *out, const ohm_comparison *c, ohm_error *err) {
    ohm_status status = OHM_OK;
    bool has_any = false;
    for (int i = 0; i < c->n_runs; ++i) {
        has_any = has_any || ohmi_insitu_summary(&c->runs[i]);
    }
    if (!has_any) {
        return OHM_OK;
    }
    const size_t n = (size_t)c->n_lines;
    ohmi_spread *lines = ohmi_alloc(n * OHMI_N_INSITU, sizeof *lines);
    bool *is_there = ohmi_alloc(n, sizeof *is_there);
    int *family = ohmi_alloc(n, sizeof *family);
    double *x = ohmi_alloc(n, sizeof *x), *y = ohmi_alloc(n, sizeof *y);
    double *values = ohmi_alloc((size_t)c->n_runs, sizeof *values);
    if (!lines || !is_there || !family || !x || !y || !values) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the comparison");
        goto done;
    }
    for (int k = 0; k < c->n_lines; ++k) {
        is_there[k] = c->lines[k].n_runs > 0 &&
                      ohmi_insitu_line(&lines[(int64_t)k * OHMI_N_INSITU], c, k, values);
    }
    const curves s = {.c = c,
                      .lines = lines,
                      .family = family,
                      .n_families = make_families(family, c, is_there),
                      .x = x,
                      .y = y};
    ohmi_text_add(out,
                  "<section><h2>Training on crossbars</h2><p class=\"note\">A reconstruction "
                  "(<code>ohmwise insitu</code>). Ratios are to plain training, nothing left out: "
                  "the run's own, else a compared one of the same seed. Interval: half of the 95 % "
                  "interval of the mean over the seeds.</p>");
    write_table(out, c, lines, is_there);
    write_curves(out, &s);
    ohmi_text_add(out, "</section>");
done:
    ohmi_free(lines);
    ohmi_free(is_there);
    ohmi_free(family);
    ohmi_free(x);
    ohmi_free(y);
    ohmi_free(values);
    return status;
}
