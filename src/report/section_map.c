// SPDX-License-Identifier: Apache-2.0
// The arrays that a run was placed on by `ohmwise map`: how full they are, layer by layer, and the
// picture of one of them, drawn from its cells in map.json.
#include "base/fail.h"
#include "crossbar/picture.h"
#include "report/figures.h"
#include "report/result_figures.h"
#include "report/sections.h"

static void write_whole(ohmi_text *out, const json_t *map) {
    const json_t *array = json_object_get(map, "array");
    ohmi_text_add(out, "<p>All tasks on ");
    ohmi_figure_count(out, ohmi_json_count(map, "arrays"));
    ohmi_text_add(out, " arrays of ");
    ohmi_figure_count(out, ohmi_json_count(array, "rows"));
    ohmi_text_add(out, " &times; ");
    ohmi_figure_count(out, ohmi_json_count(array, "columns"));
    ohmi_text_add(out, " cells of ");
    ohmi_figure_count(out, ohmi_json_count(array, "cell_bits"));
    ohmi_text_add(out, " bits, weights as <code>");
    ohmi_text_html(out, ohmi_json_text(array, "weight_scheme"));
    ohmi_text_add(out, "</code>: ");
    ohmi_figure_percent(out, ohmi_json_number(map, "part_weight"), 1);
    ohmi_text_add(out, " % of the cells hold weights, ");
    ohmi_figure_percent(out, ohmi_json_number(map, "part_owned"), 1);
    ohmi_text_add(out, " % weights that a task owns; ");
    ohmi_figure_percent(out, ohmi_json_number(map, "part_lines"), 1);
    ohmi_text_add(out, " % of the bit-lines are in use.</p>");
}

static void write_layers(ohmi_text *out, const json_t *layers) {
    size_t i;
    const json_t *row;
    ohmi_text_add(out, "<div class=\"scroll\"><table class=\"list\"><thead><tr><th>layer</th>"
                       "<th class=\"n\">columns</th><th class=\"n\">free</th>"
                       "<th class=\"n\">bit-lines each</th><th class=\"n\">arrays</th>"
                       "<th class=\"n\">columns an array</th><th class=\"n\">cells with weights, "
                       "%</th><th class=\"n\">owned, %</th></tr></thead><tbody>");
    json_array_foreach(layers, i, row) {
        ohmi_text_add(out, "<tr><th scope=\"row\">");
        ohmi_text_html(out, ohmi_json_text(row, "name"));
        ohmi_text_add(out, "</th>");
        ohmi_cell_count(out, ohmi_json_count(row, "columns"));
        ohmi_cell_count(out, ohmi_json_count(row, "columns_free"));
        ohmi_cell_count(out, ohmi_json_count(row, "lines_a_column"));
        ohmi_cell_count(out, ohmi_json_count(row, "arrays"));
        ohmi_cell_count(out, ohmi_json_count(row, "columns_an_array"));
        ohmi_cell_percent(out, ohmi_json_number(row, "part_weight"), 1);
        ohmi_cell_percent(out, ohmi_json_number(row, "part_owned"), 1);
        ohmi_text_add(out, "</tr>");
    }
    ohmi_text_add(out, "</tbody></table></div>");
}

// whose the columns and cells are; runs mapped before this was counted have none
static void write_owners(ohmi_text *out, const json_t *owners) {
    size_t i;
    const json_t *row;
    if (json_array_size(owners) == 0) {
        return;
    }
    ohmi_text_add(out, "<div class=\"scroll\"><table class=\"list\"><thead><tr><th>owner</th>"
                       "<th class=\"n\">columns</th><th class=\"n\">cells</th>"
                       "<th class=\"n\">of all cells, %</th>"
                       "<th class=\"n\">arrays with a column of it</th></tr></thead><tbody>");
    json_array_foreach(owners, i, row) {
        ohmi_text_add(out, "<tr><th scope=\"row\">");
        ohmi_text_html(out, ohmi_json_text(row, "owner"));
        ohmi_text_add(out, "</th>");
        ohmi_cell_count(out, ohmi_json_count(row, "columns"));
        ohmi_cell_count(out, ohmi_json_count(row, "cells"));
        ohmi_cell_percent(out, ohmi_json_number(row, "part"), 1);
        ohmi_cell_count(out, ohmi_json_count(row, "arrays"));
        ohmi_text_add(out, "</tr>");
    }
    ohmi_text_add(out, "</tbody></table></div>");
}

ohm_status ohmi_section_map(ohmi_text *out, const ohmi_run *run, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_picture picture = {0};
    const json_t *drawn = json_object_get(run->map, "picture");
    if (!run->map) {
        return OHM_OK;
    }
    ohmi_text_add(out, "<section><h2>Arrays</h2>");
    write_whole(out, run->map);
    write_layers(out, json_object_get(run->map, "layers"));
    write_owners(out, json_object_get(run->map, "owners"));
    if (json_is_object(drawn)) {
        status = ohmi_picture_read(&picture, drawn, err);
        if (status == OHM_ERR_FORMAT) {
            ohmi_text_add(out, "<p class=\"note\">The picture in <code>map.json</code> is "
                               "damaged.</p>");
            status = OHM_OK;
        } else if (status == OHM_OK) {
            ohmi_text_add(out, "<h3>Array ");
            ohmi_figure_count(out, picture.array);
            ohmi_text_add(out, ", ");
            ohmi_text_html(out, picture.layer);
            ohmi_text_add(out, "</h3><div class=\"scroll\">");
            ohmi_picture_draw(out, &picture);
            ohmi_text_add(out, "</div>");
        }
    }
    ohmi_text_add(out, "</section>");
    ohmi_picture_clear(&picture);
    return status;
}
