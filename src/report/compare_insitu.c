// SPDX-License-Identifier: Apache-2.0
// What training on crossbars took, side by side: accuracy, energy, time and lifetime against the
// part of the rows that was left out, and how many times less each takes than plain training.
//
// Plain training is the run's own, else that of a compared run of the same seed which left nothing
// out and whose config differs in what is left out only.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "report/compare.h"
#include "report/figures.h"
#include "report/result_figures.h"
#include "report/svg.h"

enum { N_COLOURS = 4 };

// Of a run, or the mean of a line's.
typedef enum {
    LEFT,     // part of the rows left out
    ACCURACY, // fraction
    POINTS,   // of it to plain training, fraction
    ENERGY,   // J
    ENERGY_TIMES,
    TIME, // s
    TIME_TIMES,
    LIFETIME, // epochs
    LIFETIME_TIMES,
    N_FIGURES
} figure;

// keys that say what is left out, and how much
static const char *const thresholds[] = {
    "insitu.activation=",   "insitu.activation_ratio=", "insitu.error=",    "insitu.error_ratio=",
    "insitu.budget_value=", "insitu.weight=",           "insitu.baseline=", NULL};
static const char *const all_of_insitu[] = {"insitu.", NULL};

static bool begins_with_one_of(const char *line, const char *const *prefixes) {
    for (int i = 0; prefixes[i]; ++i) {
        if (strncmp(line, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

// Whether two configs, lines of the same keys in the same order, are alike but for some keys.
static bool differ_only_in(const char *a, const char *b, const char *const *prefixes) {
    while (a && b && *a && *b) {
        const size_t n_a = strcspn(a, "\n"), n_b = strcspn(b, "\n");
        if ((n_a != n_b || memcmp(a, b, n_a) != 0) && !begins_with_one_of(a, prefixes)) {
            return false;
        }
        a += n_a + (a[n_a] != '\0');
        b += n_b + (b[n_b] != '\0');
    }
    return a && b && !*a && !*b;
}

static const json_t *summary_of(const ohmi_compared_run *r) {
    return json_object_get(r->run.metrics, "insitu");
}

// the compared run that was trained as this one, with nothing left out
static const ohmi_compared_run *plain_of(const ohm_comparison *c, const ohmi_compared_run *r) {
    for (int i = 0; i < c->n_runs; ++i) {
        const ohmi_compared_run *p = &c->runs[i];
        if (json_is_true(json_object_get(summary_of(p), "plain")) && p->run.seed == r->run.seed &&
            strcmp(p->digest, r->digest) == 0 &&
            differ_only_in(p->config, r->config, all_of_insitu)) {
            return p;
        }
    }
    return NULL;
}

static void fill_run(double figures[N_FIGURES], const ohm_comparison *c,
                     const ohmi_compared_run *r) {
    const json_t *own = summary_of(r), *ratios = json_object_get(own, "ratios");
    const double kept = ohmi_json_number(own, "rows_kept");
    const double left = ohmi_json_number(own, "rows_left_out");
    figures[LEFT] = left / (kept + left);
    figures[ACCURACY] = r->run.mean_accuracy;
    figures[ENERGY] = ohmi_json_number(own, "energy_j");
    figures[TIME] = ohmi_json_number(own, "time_s");
    figures[LIFETIME] = ohmi_json_number(json_object_get(own, "lifetime"), "epochs");
    if (json_is_object(ratios)) {
        figures[POINTS] = ohmi_json_number(ratios, "accuracy_points") / 100;
        figures[ENERGY_TIMES] = ohmi_json_number(ratios, "energy");
        figures[TIME_TIMES] = ohmi_json_number(ratios, "time");
        figures[LIFETIME_TIMES] = ohmi_json_number(ratios, "lifetime");
        return;
    }
    const ohmi_compared_run *plain = plain_of(c, r);
    const json_t *other = plain ? summary_of(plain) : NULL;
    figures[POINTS] = plain ? r->run.mean_accuracy - plain->run.mean_accuracy : (double)NAN;
    figures[ENERGY_TIMES] = ohmi_json_number(other, "energy_j") / figures[ENERGY];
    figures[TIME_TIMES] = ohmi_json_number(other, "time_s") / figures[TIME];
    figures[LIFETIME_TIMES] =
        figures[LIFETIME] / ohmi_json_number(json_object_get(other, "lifetime"), "epochs");
}

// the means of a line; false where none of its runs was trained so. values (n_runs) is for use here
static bool fill_line(ohmi_spread line[N_FIGURES], const ohm_comparison *c, int k, double *values) {
    int n = 0;
    for (int f = 0; f < N_FIGURES; ++f) {
        n = 0;
        for (int i = 0; i < c->n_runs; ++i) {
            if (c->runs[i].line == k && summary_of(&c->runs[i])) {
                double figures[N_FIGURES];
                fill_run(figures, c, &c->runs[i]);
                values[n++] = figures[f];
            }
        }
        line[f] = ohmi_spread_of(values, n);
    }
    return n > 0;
}

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
        const ohmi_spread *line = &lines[(int64_t)k * N_FIGURES];
        if (!is_there[k]) {
            continue;
        }
        ohmi_text_add(out, "<tr><th scope=\"row\">");
        ohmi_text_html(out, c->lines[k].title);
        ohmi_text_add(out, "</th>");
        ohmi_cell_percent(out, line[LEFT].mean, 1);
        ohmi_cell_percent(out, line[ACCURACY].mean, 2);
        ohmi_cell_percent(out, line[POINTS].mean, 2);
        ohmi_cell_percent(out, line[POINTS].interval, 2);
        ohmi_cell_quantity(out, line[ENERGY].mean, "J");
        ohmi_cell_number(out, line[ENERGY_TIMES].mean, 2);
        ohmi_cell_quantity(out, line[TIME].mean, "s");
        ohmi_cell_number(out, line[TIME_TIMES].mean, 2);
        ohmi_cell_number(out, line[LIFETIME].mean, 0);
        ohmi_cell_number(out, line[LIFETIME_TIMES].mean, 2);
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
        if (!is_there[k] ||
            json_is_true(json_object_get(summary_of(&c->runs[c->lines[k].first]), "plain"))) {
            continue;
        }
        const char *config = c->runs[c->lines[k].first].config;
        for (int j = 0; j < k && family[k] < 0; ++j) {
            if (family[j] >= 0 &&
                differ_only_in(c->runs[c->lines[j].first].config, config, thresholds)) {
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
    const ohmi_spread *lines; // (n_lines, N_FIGURES)
    const int *family;        // (n_lines)
    int n_families;
    double *x, *y; // (n_lines) scratch
} curves;

// the points of a family, by what is left out
static int points_of(const curves *s, int family, figure what, double scale) {
    int n = 0;
    for (int k = 0; k < s->c->n_lines; ++k) {
        if (s->family[k] != family) {
            continue;
        }
        const double x = 100 * s->lines[(int64_t)k * N_FIGURES + LEFT].mean;
        int at = n++;
        for (; at > 0 && s->x[at - 1] > x; --at) {
            s->x[at] = s->x[at - 1];
            s->y[at] = s->y[at - 1];
        }
        s->x[at] = x;
        s->y[at] = scale * s->lines[(int64_t)k * N_FIGURES + what].mean;
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

static void write_panel(ohmi_text *out, const curves *s, figure what, const char *title) {
    const double scale = what == ACCURACY ? 100 : 1;
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
    low = what == ACCURACY ? low : 0;
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
    write_panel(out, s, ACCURACY, "accuracy, %");
    write_panel(out, s, ENERGY_TIMES, "energy, times less");
    write_panel(out, s, TIME_TIMES, "time, times less");
    write_panel(out, s, LIFETIME_TIMES, "lifetime, times more");
    ohmi_text_add(out, "</div>");
}

ohm_status ohmi_compare_insitu(ohmi_text *out, const ohm_comparison *c, ohm_error *err) {
    ohm_status status = OHM_OK;
    bool has_any = false;
    for (int i = 0; i < c->n_runs; ++i) {
        has_any = has_any || summary_of(&c->runs[i]);
    }
    if (!has_any) {
        return OHM_OK;
    }
    const size_t n = (size_t)c->n_lines;
    ohmi_spread *lines = ohmi_alloc(n * N_FIGURES, sizeof *lines);
    bool *is_there = ohmi_alloc(n, sizeof *is_there);
    int *family = ohmi_alloc(n, sizeof *family);
    double *x = ohmi_alloc(n, sizeof *x), *y = ohmi_alloc(n, sizeof *y);
    double *values = ohmi_alloc((size_t)c->n_runs, sizeof *values);
    if (!lines || !is_there || !family || !x || !y || !values) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the comparison");
        goto done;
    }
    for (int k = 0; k < c->n_lines; ++k) {
        is_there[k] =
            c->lines[k].n_runs > 0 && fill_line(&lines[(int64_t)k * N_FIGURES], c, k, values);
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
