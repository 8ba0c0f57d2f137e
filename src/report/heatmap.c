// SPDX-License-Identifier: Apache-2.0
// Heat maps of the report. The ramp is piecewise linear between nine colours sampled from viridis
// (S. van der Walt, N. Smith, matplotlib 2015).
#include "report/heatmap.h"

#include <math.h>

#define N_STOPS 9

static const unsigned stops[N_STOPS] = {0x440154, 0x472d7b, 0x3b528b, 0x2c728e, 0x21918c,
                                        0x28ae80, 0x5ec962, 0xaddc30, 0xfde725};

unsigned ohmi_ramp(double x) {
    const double place = (x > 0.0 ? (x < 1.0 ? x : 1.0) : 0.0) * (N_STOPS - 1);
    const int i = place >= N_STOPS - 1 ? N_STOPS - 2 : (int)place;
    const double part = place - i;
    unsigned colour = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        const double a = (stops[i] >> shift) & 255u;
        const double b = (stops[i + 1] >> shift) & 255u;
        colour |= (unsigned)(a + (b - a) * part + 0.5) << shift;
    }
    return colour;
}

// Relative luminance of sRGB (IEC 61966-2-1); 0.179 is where both contrasts are equal (WCAG 2).
int ohmi_ramp_is_dark(unsigned colour) {
    static const double weights[3] = {0.2126, 0.7152, 0.0722};
    double luminance = 0.0;
    for (int i = 0; i < 3; ++i) {
        const double v = ((colour >> (16 - 8 * i)) & 255u) / 255.0;
        luminance += weights[i] * (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
    }
    return luminance < 0.179;
}

static void write_legend(ohmi_text *out, const ohmi_heatmap *map) {
    ohmi_text_printf(out, "<div class=\"legend\"><span>%.*f%s</span><span class=\"ramp\">",
                     map->decimals, map->low * map->scale, map->unit);
    for (int i = 0; i < 24; ++i) {
        ohmi_text_printf(out, "<i style=\"background:#%06x\"></i>", ohmi_ramp(i / 23.0));
    }
    int is_clamped = 0;
    for (int i = 0; i < map->n_rows * map->n_columns; ++i) {
        is_clamped |= isfinite(map->values[i]) && map->values[i] > map->high;
    }
    ohmi_text_printf(out, "</span><span>%.*f%s%s</span></div>", map->decimals,
                     map->high * map->scale, map->unit, is_clamped ? " and more" : "");
}

void ohmi_heatmap_write(ohmi_text *out, const ohmi_heatmap *map) {
    // headings: tasks are numbered, their names are in the tooltips and in the first table
    ohmi_text_add(out, "<div class=\"map\"><h3>");
    ohmi_text_html(out, map->caption);
    ohmi_text_add(out, "</h3><div class=\"scroll\"><table class=\"heat\" aria-label=\"");
    ohmi_text_html(out, map->caption);
    ohmi_text_add(out, "\"><thead><tr><th scope=\"col\">");
    ohmi_text_html(out, map->row_title);
    ohmi_text_printf(out, "</th><th scope=\"colgroup\" colspan=\"%d\">", map->n_columns);
    ohmi_text_html(out, map->column_title);
    ohmi_text_add(out, "</th></tr><tr><td></td>");
    for (int j = 0; j < map->n_columns; ++j) {
        ohmi_text_add(out, "<th scope=\"col\" title=\"");
        ohmi_text_html(out, map->column_names[j]);
        ohmi_text_printf(out, "\">%d</th>", j + 1);
    }
    ohmi_text_add(out, "</tr></thead><tbody>");

    // cells: colour, number, and a tooltip that names row and column
    const double range = map->high > map->low ? map->high - map->low : 1.0;
    for (int i = 0; i < map->n_rows; ++i) {
        ohmi_text_add(out, "<tr><th scope=\"row\">");
        ohmi_text_html(out, map->row_names[i]);
        ohmi_text_add(out, "</th>");
        for (int j = 0; j < map->n_columns; ++j) {
            const double value = map->values[i * map->n_columns + j];
            if (!isfinite(value)) {
                ohmi_text_add(out, "<td></td>");
                continue;
            }
            const unsigned colour = ohmi_ramp((value - map->low) / range);
            ohmi_text_printf(out, "<td class=\"%s\" style=\"background:#%06x\" title=\"",
                             ohmi_ramp_is_dark(colour) ? "w" : "b", colour);
            ohmi_text_html(out, map->row_names[i]);
            ohmi_text_add(out, " · ");
            ohmi_text_html(out, map->column_names[j]);
            ohmi_text_printf(out, ": %.*f%s", map->decimals + 1, value * map->scale, map->unit);
            if (map->tips != NULL) {
                ohmi_text_html(out, map->tips[i * map->n_columns + j]);
            }
            ohmi_text_printf(out, "\">%.*f</td>", map->decimals, value * map->scale);
        }
        ohmi_text_add(out, "</tr>");
    }
    ohmi_text_add(out, "</tbody></table></div>");
    write_legend(out, map);
    ohmi_text_add(out, "</div>");
}
