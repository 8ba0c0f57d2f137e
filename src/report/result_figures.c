// SPDX-License-Identifier: Apache-2.0
// Numbers of results for pages; see result_figures.h.
#include "report/result_figures.h"

#include <math.h>

double ohmi_json_number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

long long ohmi_json_count(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (long long)json_integer_value(value) : -1;
}

const char *ohmi_json_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

void ohmi_figure_quantity(ohmi_text *out, double value, const char *unit) {
    static const struct {
        const char *name;
        double factor;
    } prefixes[] = {{"M", 1e6},  {"k", 1e3},  {"", 1},      {"m", 1e-3},
                    {"µ", 1e-6}, {"n", 1e-9}, {"p", 1e-12}, {"f", 1e-15}};
    const size_t n = sizeof prefixes / sizeof *prefixes;
    if (!isfinite(value)) {
        ohmi_text_add(out, "–");
    } else if (fabs(value) <= 0) {
        ohmi_text_printf(out, "0 %s", unit);
    } else {
        size_t i = 0;
        while (i < n - 1 && fabs(value) < prefixes[i].factor) {
            i++;
        }
        ohmi_text_printf(out, "%.4g %s%s", value / prefixes[i].factor, prefixes[i].name, unit);
    }
}

void ohmi_cell_quantity(ohmi_text *out, double value, const char *unit) {
    ohmi_text_add(out, "<td class=\"n\">");
    ohmi_figure_quantity(out, value, unit);
    ohmi_text_add(out, "</td>");
}
