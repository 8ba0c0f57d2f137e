// SPDX-License-Identifier: Apache-2.0
// What `ohmwise simulate` found on chips: a table of all points, and a chart for every key of which
// three values or more were simulated with all else alike: mean over chips, and the standard
// deviation as whiskers, against the integer network.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "config/fields.h"
#include "report/figures.h"
#include "report/result_figures.h"
#include "report/sections.h"

enum { MOST_POINTS = 512, MOST_SHOWN = 24 };

// One point of a chart.
typedef struct {
    double x, mean, deviation;
    const char *text; // of the value; borrowed
} spot;

typedef struct {
    const json_t *points;
    double integer; // mean accuracy of the integer network, NAN = unknown
    bool *is_used;  // (n_points) in a chart of the key at hand
    spot *spots;    // (MOST_SHOWN)
    ohmi_text *out;
} page;

// the value of a key at a point, as text: its setting, else the default
static const char *value_of(const json_t *point, const char *key) {
    const char *text = json_string_value(json_object_get(json_object_get(point, "settings"), key));
    const ohmi_field *field = ohmi_field_find(key);
    return text ? text : field ? field->default_text : NULL;
}

static bool is_number(const char *text, double *value) {
    char *end = NULL;
    *value = text ? strtod(text, &end) : NAN;
    return text && end != text && *end == 0 && isfinite(*value);
}

// whether two points differ in a key at most
static bool are_alike(const json_t *a, const json_t *b, const char *key) {
    static const char *const same[] = {"only", "images", "task_numbers"};
    for (int i = 0; i < 3; i++) {
        if (!json_equal(json_object_get(a, same[i]), json_object_get(b, same[i]))) {
            return false;
        }
    }
    json_t *left = json_copy(json_object_get(a, "settings"));
    json_t *right = json_copy(json_object_get(b, "settings"));
    (void)json_object_del(left, key);
    (void)json_object_del(right, key);
    const bool is_same = left && right && json_equal(left, right);
    json_decref(left);
    json_decref(right);
    return is_same;
}

static int by_x(const void *a, const void *b) {
    const spot *left = a, *right = b;
    return left->x < right->x ? -1 : left->x > right->x;
}

// the points that differ from point `first` in a key only; 0 when they make no chart
static int collect(page *p, size_t first, const char *key) {
    const json_t *base = json_array_get(p->points, first), *point;
    int n = 0;
    size_t i;
    json_array_foreach(p->points, i, point) {
        spot s = {.text = value_of(point, key),
                  .mean = ohmi_json_number(point, "mean"),
                  .deviation = ohmi_json_number(point, "deviation")};
        if (i >= MOST_POINTS || p->is_used[i] || n == MOST_SHOWN || !isfinite(s.mean) ||
            !is_number(s.text, &s.x) || !are_alike(base, point, key)) {
            continue;
        }
        p->is_used[i] = true;
        p->spots[n++] = s;
    }
    qsort(p->spots, (size_t)n, sizeof *p->spots, by_x);
    return n < 3 ? 0 : n;
}

static double pixel_y(double accuracy) {
    return 10 + (1 - accuracy) * 130;
}

// one chart; values of the key at equal distances, since they often are powers
static void write_chart(page *p, const char *key, const json_t *base, int n) {
    ohmi_text *out = p->out;
    const double left = 40, width = 320, step = width / n;
    const char *name;
    const json_t *value;
    ohmi_text_add(out, "<div class=\"panel\"><h3>");
    ohmi_text_html(out, key);
    ohmi_text_add(out, "</h3><p class=\"note\">");
    json_object_foreach((json_t *)(uintptr_t)json_object_get(base, "settings"), name, value) {
        if (strcmp(name, key) != 0) {
            ohmi_text_html(out, name);
            ohmi_text_add(out, "=");
            ohmi_text_html(out, json_string_value(value));
            ohmi_text_add(out, " ");
        }
    }
    if (json_is_string(json_object_get(base, "only"))) {
        ohmi_text_html(out, json_string_value(json_object_get(base, "only")));
        ohmi_text_add(out, " only");
    }
    ohmi_text_add(out,
                  "</p><svg class=\"plot wide\" viewBox=\"0 0 370 168\" width=\"370\" "
                  "height=\"168\" role=\"img\" aria-label=\"mean accuracy in percent against ");
    ohmi_text_html(out, key);
    ohmi_text_add(out, "; the numbers are in the table\">");
    for (int tick = 0; tick <= 4; tick++) {
        const double y = pixel_y(0.25 * tick);
        ohmi_text_printf(out,
                         "<path class=\"grid\" d=\"M%.1f %.1fh%.1f\"/>"
                         "<text class=\"ty\" x=\"%.1f\" y=\"%.1f\">%d</text>",
                         left, y, width, left - 4, y + 3.5, 25 * tick);
    }
    if (isfinite(p->integer)) {
        ohmi_text_printf(out, "<path class=\"line s1\" d=\"M%.1f %.2fh%.1f\"/>", left,
                         pixel_y(p->integer), width);
    }

    // whiskers, the line, dots and their values
    ohmi_text_add(out, "<path class=\"line s0\" d=\"");
    for (int i = 0; i < n; i++) {
        ohmi_text_printf(out, "%c%.1f %.2f", i ? 'L' : 'M', left + (i + 0.5) * step,
                         pixel_y(p->spots[i].mean));
    }
    ohmi_text_add(out, "\"/>");
    for (int i = 0; i < n; i++) {
        const spot *s = &p->spots[i];
        const double x = left + (i + 0.5) * step;
        if (isfinite(s->deviation)) {
            ohmi_text_printf(out, "<path class=\"axis\" d=\"M%.1f %.2fV%.2f\"/>", x,
                             pixel_y(fmin(1, s->mean + s->deviation)),
                             pixel_y(fmax(0, s->mean - s->deviation)));
        }
        ohmi_text_printf(out,
                         "<circle class=\"dot s0\" cx=\"%.1f\" cy=\"%.2f\" r=\"2.6\"/>"
                         "<text class=\"tx\" x=\"%.1f\" y=\"%.1f\">%g</text>",
                         x, pixel_y(s->mean), x, n > 9 && i % 2 ? 164.0 : 154.0, s->x);
    }
    ohmi_text_add(out, "</svg></div>");
}

// charts of one key
static void write_charts(page *p, const char *key, bool *is_begun) {
    const size_t n_points = json_array_size(p->points);
    memset(p->is_used, 0, MOST_POINTS * sizeof *p->is_used);
    for (size_t i = 0; i < n_points && i < MOST_POINTS; i++) {
        if (p->is_used[i]) {
            continue;
        }
        const int n = collect(p, i, key);
        p->is_used[i] = true;
        if (n > 0) {
            if (!*is_begun) {
                ohmi_text_add(p->out,
                              "<div class=\"legend\"><span><span class=\"sw s0\"></span>mean over "
                              "chips and tasks, %; whiskers: standard deviation over chips</span>"
                              "<span><span class=\"sw s1\"></span>integer network (dashed)</span>"
                              "</div><div class=\"panels\">");
                *is_begun = true;
            }
            write_chart(p, key, json_array_get(p->points, i), n);
        }
    }
}

static void write_table(page *p) {
    ohmi_text *out = p->out;
    const json_t *point, *effect;
    size_t i, e;
    ohmi_text_add(out, "<details open><summary>All points</summary><div class=\"scroll\">"
                       "<table class=\"list\"><thead><tr><th>settings</th><th>effects</th>"
                       "<th class=\"n\">chips</th><th class=\"n\">mean, %</th>"
                       "<th class=\"n\">+-</th><th class=\"n\">least</th><th class=\"n\">most</th>"
                       "</tr></thead><tbody>");
    json_array_foreach(p->points, i, point) {
        const char *label = json_string_value(json_object_get(point, "label"));
        ohmi_text_add(out, "<tr><td>");
        ohmi_text_html(out, label ? label : "");
        ohmi_text_add(out, "</td><td>");
        json_array_foreach(json_object_get(point, "effects"), e, effect) {
            ohmi_text_add(out, e > 0 ? "; " : "");
            ohmi_text_html(out, json_is_string(effect) ? json_string_value(effect) : "");
        }
        ohmi_text_add(out, "</td>");
        ohmi_cell_count(out, (int64_t)json_array_size(json_object_get(point, "chips")));
        ohmi_cell_percent(out, ohmi_json_number(point, "mean"), 2);
        ohmi_cell_percent(out, ohmi_json_number(point, "deviation"), 2);
        ohmi_cell_percent(out, ohmi_json_number(point, "least"), 2);
        ohmi_cell_percent(out, ohmi_json_number(point, "most"), 2);
        ohmi_text_add(out, "</tr>");
    }
    ohmi_text_add(out, "</tbody></table></div></details>");
}

ohm_status ohmi_section_simulate(ohmi_text *out, const ohmi_run *run, ohm_error *err) {
    ohm_status status = OHM_OK;
    page p = {.points = json_object_get(run->simulation, "points"), .out = out, .integer = NAN};
    const json_t *integer = json_object_get(run->simulation, "integer"), *row;
    bool is_begun = false;
    size_t i;
    int n_fields;
    if (json_array_size(p.points) == 0) {
        return OHM_OK;
    }
    p.is_used = ohmi_alloc(MOST_POINTS, sizeof *p.is_used);
    p.spots = ohmi_alloc(MOST_SHOWN, sizeof *p.spots);
    if (!p.is_used || !p.spots) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the report");
        goto done;
    }
    double sum = 0;
    json_array_foreach(integer, i, row) {
        sum += ohmi_json_number(row, "accuracy");
    }
    p.integer = i > 0 ? sum / (double)i : NAN;
    ohmi_text_add(out, "<section><h2>On chips</h2>");
    ohmi_text_add(out, "<p class=\"note\">The integer network, with nothing wrong, reaches ");
    ohmi_figure_percent(out, p.integer, 2);
    ohmi_text_add(out, " % on the images that were simulated last.</p>");
    const ohmi_field *fields = ohmi_fields(&n_fields);
    for (int f = 0; f < n_fields; f++) {
        write_charts(&p, fields[f].key, &is_begun);
    }
    ohmi_text_add(out, is_begun ? "</div>" : "");
    write_table(&p);
    ohmi_text_add(out, "</section>");
done:
    ohmi_free(p.is_used);
    ohmi_free(p.spots);
    return status;
}
