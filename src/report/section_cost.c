// SPDX-License-Identifier: Apache-2.0
// What `ohmwise cost` found: energy of an inference by task and component, programming by task,
// area, lifetime. Whatever cost.json lacks is left out.
#include <math.h>
#include <string.h>

#include "report/result_figures.h"
#include "report/figures.h"
#include "report/sections.h"

static const struct {
    const char *title, *colour;
    const char *keys[4]; // components that are shown as one
} groups[] = {
    {"converters", "#0072b2", {"adc"}},
    {"shift-add", "#56b4e9", {"shift_input", "shift_weight"}},
    {"cells", "#009e73", {"cell"}},
    {"lines and switch matrices", "#d98200", {"line", "switch"}},
    {"adder trees", "#cc79a7", {"adder"}},
    {"buffers and interconnect", "#8a6d00", {"buffer", "mask", "interconnect"}},
    {"activations and pooling", "#a0522d", {"relu", "pool"}},
    {"leakage", "#808890", {"leakage"}},
};
enum { N_GROUPS = (int)(sizeof groups / sizeof *groups) };

// the part of a group in an object of components
static double group_of(const json_t *components, int group) {
    double sum = 0;
    for (int i = 0; i < 4 && groups[group].keys[i]; i++) {
        const double value = ohmi_json_number(components, groups[group].keys[i]);
        sum += isfinite(value) ? value : 0;
    }
    return sum;
}

// a bar of coloured parts; whole = the length of the track
static void write_parts(ohmi_text *out, const json_t *components, double whole) {
    ohmi_text_add(out, "<td class=\"bar\"><div class=\"track\" style=\"white-space:nowrap;"
                       "font-size:0\">");
    for (int g = 0; g < N_GROUPS; g++) {
        const double part = whole > 0 ? group_of(components, g) / whole : 0;
        if (part > 0) {
            ohmi_text_printf(out,
                             "<b style=\"display:inline-block;height:9px;width:%.3f%%;"
                             "background:%s\" title=\"%s ",
                             100 * part, groups[g].colour, groups[g].title);
            ohmi_figure_quantity(out, part * whole, "J");
            ohmi_text_add(out, "\"></b>");
        }
    }
    ohmi_text_add(out, "</div></td>");
}

static void write_legend(ohmi_text *out) {
    ohmi_text_add(out, "<div class=\"legend\">");
    for (int g = 0; g < N_GROUPS; g++) {
        ohmi_text_printf(out, "<span><span class=\"sw\" style=\"background:%s\"></span>%s</span>",
                         groups[g].colour, groups[g].title);
    }
    ohmi_text_add(out, "</div>");
}

static void write_inference(ohmi_text *out, const json_t *tasks) {
    double most = 0;
    size_t i;
    const json_t *task;
    json_array_foreach(tasks, i, task) {
        most = fmax(most, ohmi_json_number(task, "energy_j"));
    }
    ohmi_text_add(out,
                  "<h3>Inference</h3><div class=\"scroll\"><table class=\"list bars\"><thead><tr>"
                  "<th class=\"n\">#</th><th>task</th><th>energy by component</th>"
                  "<th class=\"n\">energy</th><th class=\"n\">times less</th>"
                  "<th class=\"n\">time</th><th class=\"n opt\">TOPS/W</th></tr></thead><tbody>");
    json_array_foreach(tasks, i, task) {
        ohmi_text_printf(out, "<tr><td class=\"n\">%zu</td><th scope=\"row\">", i + 1);
        ohmi_text_html(out, ohmi_json_text(task, "name"));
        ohmi_text_add(out, "</th>");
        write_parts(out, json_object_get(task, "energy_by_component"), most);
        ohmi_cell_quantity(out, ohmi_json_number(task, "energy_j"), "J");
        ohmi_cell_number(out, ohmi_json_number(task, "times_less_than_all_on"), 2);
        ohmi_cell_quantity(out, ohmi_json_number(task, "latency_s"), "s");
        ohmi_text_add(out, "<td class=\"n opt\">");
        ohmi_figure_number(out, ohmi_json_number(task, "tops_per_watt"), 1);
        ohmi_text_add(out, "</td></tr>");
    }
    ohmi_text_add(out, "</tbody></table></div>");
    write_legend(out);
    ohmi_text_add(out, "<p class=\"note\">times less: than the same network with all its columns "
                       "on; time: layer after layer.</p>");
}

// set above, reset below, in one track
static void write_programming(ohmi_text *out, const json_t *tasks) {
    double most = 0;
    size_t i;
    const json_t *task;
    json_array_foreach(tasks, i, task) {
        most = fmax(most, fmax(ohmi_json_number(task, "energy_set_j"),
                               ohmi_json_number(task, "energy_reset_j")));
    }
    ohmi_text_add(out,
                  "<h3>Programming</h3><div class=\"scroll\"><table class=\"list bars\"><thead><tr>"
                  "<th class=\"n\">#</th><th>task</th><th>set and reset energy</th>"
                  "<th class=\"n\">set</th><th class=\"n\">reset</th><th class=\"n\">cells set</th>"
                  "<th class=\"n\">cells reset</th><th class=\"n opt\">time</th></tr></thead>"
                  "<tbody>");
    json_array_foreach(tasks, i, task) {
        const double set_j = ohmi_json_number(task, "energy_set_j");
        const double reset_j = ohmi_json_number(task, "energy_reset_j");
        ohmi_text_printf(out, "<tr><td class=\"n\">%zu</td><th scope=\"row\">", i + 1);
        ohmi_text_html(out, ohmi_json_text(task, "name"));
        ohmi_text_printf(out,
                         "</th><td class=\"bar\"><div class=\"track\"><b style=\"width:%.3f%%\">"
                         "</b><b style=\"width:%.3f%%\"></b></div></td>",
                         most > 0 && isfinite(set_j) ? 100 * set_j / most : 0,
                         most > 0 && isfinite(reset_j) ? 100 * reset_j / most : 0);
        ohmi_cell_quantity(out, set_j, "J");
        ohmi_cell_quantity(out, reset_j, "J");
        ohmi_cell_number(out, ohmi_json_number(task, "cells_set"), 0);
        ohmi_cell_number(out, ohmi_json_number(task, "cells_reset"), 0);
        ohmi_text_add(out, "<td class=\"n opt\">");
        ohmi_figure_quantity(out, ohmi_json_number(task, "time_s"), "s");
        ohmi_text_add(out, "</td></tr>");
    }
    ohmi_text_add(out, "</tbody></table></div><div class=\"legend\"><span><span class=\"sw s0\">"
                       "</span>set</span><span><span class=\"sw s1\"></span>reset</span></div>");
}

static void write_components(ohmi_text *out, const json_t *cost) {
    const json_t *area = json_object_get(cost, "area_by_component");
    const double whole = ohmi_json_number(cost, "area_m2");
    const char *name;
    json_t *value;
    ohmi_text_add(out, "<h3>Area</h3><div class=\"scroll\"><table class=\"list bars\"><thead><tr>"
                       "<th>component</th><th>part</th><th class=\"n\">mm&sup2;</th></tr></thead>"
                       "<tbody>");
    json_object_foreach((json_t *)(uintptr_t)area, name, value) {
        const double m2 = json_number_value(value);
        ohmi_text_add(out, "<tr><th scope=\"row\">");
        ohmi_text_html(out, name);
        ohmi_text_printf(out,
                         "</th><td class=\"bar\"><div class=\"track\"><b style=\"width:%.3f%%\">"
                         "</b></div></td>",
                         whole > 0 ? 100 * m2 / whole : 0);
        ohmi_cell_number(out, 1e6 * m2, 4);
        ohmi_text_add(out, "</tr>");
    }
    ohmi_text_add(out, "</tbody></table></div>");
}

// years by endurance (rows) and interval (columns), from the curve of the file
static void write_lifetime(ohmi_text *out, const json_t *lifetime) {
    const json_t *curve = json_object_get(lifetime, "curve"), *point;
    double endurance = NAN;
    size_t i;
    ohmi_text_add(out, "<h3>Lifetime</h3>");
    if (json_is_true(json_object_get(lifetime, "unlimited"))) {
        ohmi_text_add(out, "<p class=\"note\">Changing the task writes no cell, so switches do not "
                           "wear the chip.</p>");
        return;
    }
    ohmi_text_add(out, "<p class=\"note\">Years until the most worn cell has had its writes; time "
                       "between two changes of task across.</p><div class=\"scroll\"><table "
                       "class=\"list\"><thead><tr><th>writes a cell stands</th>");
    json_array_foreach(curve, i, point) {
        const double here = ohmi_json_number(point, "endurance_writes");
        if (i > 0 && here != ohmi_json_number(json_array_get(curve, i - 1), "endurance_writes")) {
            break;
        }
        ohmi_text_add(out, "<th class=\"n\">");
        ohmi_figure_quantity(out, ohmi_json_number(point, "switch_every_s"), "s");
        ohmi_text_add(out, "</th>");
    }
    ohmi_text_add(out, "</tr></thead><tbody>");
    json_array_foreach(curve, i, point) {
        const double here = ohmi_json_number(point, "endurance_writes");
        if (here != endurance) {
            ohmi_text_printf(out, "%s<tr><th scope=\"row\">%.0e</th>", i > 0 ? "</tr>" : "", here);
            endurance = here;
        }
        const double years = ohmi_json_number(point, "seconds") / (365.25 * 86400);
        if (isfinite(years)) {
            ohmi_text_printf(out, "<td class=\"n\">%.3g</td>", years);
        } else {
            ohmi_text_add(out, "<td class=\"n\">–</td>");
        }
    }
    ohmi_text_add(out, "</tr></tbody></table></div>");
}

void ohmi_section_cost(ohmi_text *out, const ohmi_run *run) {
    const json_t *cost = run->cost;
    if (!cost || strcmp(ohmi_json_text(cost, "kind"), "training") == 0) {
        return; // what training took has a section of its own
    }
    ohmi_text_add(out, "<section><h2>Cost on crossbars</h2><p class=\"note\">Preset ");
    ohmi_text_html(out, ohmi_json_text(cost, "preset"));
    ohmi_text_add(out, ": ");
    ohmi_figure_count(out, (int64_t)ohmi_json_count(cost, "arrays"));
    ohmi_text_add(out, " arrays, ");
    ohmi_figure_number(out, 1e6 * ohmi_json_number(cost, "area_m2"), 1);
    ohmi_text_add(out, " mm&sup2;; mean energy of an inference ");
    ohmi_figure_quantity(out, ohmi_json_number(cost, "mean_energy_j"), "J");
    ohmi_text_add(out, ", ");
    ohmi_figure_number(out, ohmi_json_number(cost, "mean_times_less_than_all_on"), 2);
    ohmi_text_add(out, " times less than with all columns on. Bits of the inputs: ");
    ohmi_text_html(out, ohmi_json_text(cost, "inputs"));
    ohmi_text_add(out, ".</p>");
    write_inference(out, json_object_get(cost, "inference"));
    if (json_array_size(json_object_get(cost, "programming")) > 0) {
        write_programming(out, json_object_get(cost, "programming"));
        write_lifetime(out, json_object_get(cost, "lifetime"));
    }
    write_components(out, cost);
    ohmi_text_add(out, "</section>");
}
