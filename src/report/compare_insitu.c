// SPDX-License-Identifier: Apache-2.0
// What training on crossbars took, side by side, as a table for a terminal and as Markdown.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "report/insitu_figures.h"

static bool has_any(const ohm_comparison *c) {
    bool has = false;
    for (int i = 0; i < c->n_runs; ++i) {
        has = has || ohmi_insitu_summary(&c->runs[i]);
    }
    return has;
}

// one number of a row: a plain one, or none
typedef void number_writer(ohmi_text *out, int width, int decimals, double value);

static void text_number(ohmi_text *out, int width, int decimals, double value) {
    if (isfinite(value)) {
        ohmi_text_printf(out, " %*.*f", width, decimals, value);
    } else {
        ohmi_text_printf(out, " %*s", width, "-");
    }
}

static void markdown_number(ohmi_text *out, int width, int decimals, double value) {
    (void)width;
    if (isfinite(value)) {
        ohmi_text_printf(out, " %.*f |", decimals, value);
    } else {
        ohmi_text_add(out, " |");
    }
}

// the columns of both tables
static const struct {
    ohmi_insitu_figure what;
    const char *title, *long_title;
    int width, decimals;
    double scale;
    bool is_deviation;
} columns[] = {
    {OHMI_INSITU_LEFT, "left %", "rows left out, %", 6, 1, 100, false},
    {OHMI_INSITU_ACCURACY, "accuracy %", "accuracy, %", 10, 2, 100, false},
    {OHMI_INSITU_POINTS, "points", "points to plain", 6, 2, 100, false},
    {OHMI_INSITU_POINTS, "sd", "deviation", 5, 2, 100, true},
    {OHMI_INSITU_ENERGY, "energy J", "energy, J", 9, 4, 1, false},
    {OHMI_INSITU_ENERGY_TIMES, "less", "times less", 6, 2, 1, false},
    {OHMI_INSITU_TIME, "time s", "time, s", 9, 5, 1, false},
    {OHMI_INSITU_TIME_TIMES, "less", "times less", 6, 2, 1, false},
    {OHMI_INSITU_LIFETIME, "life epochs", "lifetime, epochs", 11, 0, 1, false},
    {OHMI_INSITU_LIFETIME_TIMES, "more", "times more", 6, 2, 1, false},
};
enum { N_TABLE = sizeof columns / sizeof *columns };

static void write_row(ohmi_text *out, const ohmi_spread line[OHMI_N_INSITU],
                      number_writer *number) {
    for (int i = 0; i < N_TABLE; ++i) {
        const ohmi_spread *spread = &line[columns[i].what];
        number(out, columns[i].width, columns[i].decimals,
               columns[i].scale * (columns[i].is_deviation ? spread->deviation : spread->mean));
    }
}

void ohmi_compare_insitu_text(ohmi_text *out, const ohm_comparison *c) {
    int width = 4;
    if (!has_any(c)) {
        return;
    }
    double *values = ohmi_alloc((size_t)c->n_runs, sizeof *values);
    if (!values) {
        out->failed = true;
        return;
    }
    for (int k = 0; k < c->n_lines; ++k) {
        const int length = (int)strlen(c->lines[k].title);
        width = length > width ? length : width;
    }
    width = width > 60 ? 60 : width;
    ohmi_text_printf(out, "\n%-*s", width, "line");
    for (int i = 0; i < N_TABLE; ++i) {
        ohmi_text_printf(out, " %*s", columns[i].width, columns[i].title);
    }
    ohmi_text_add(out, "\n");
    for (int k = 0; k < c->n_lines; ++k) {
        ohmi_spread line[OHMI_N_INSITU];
        if (ohmi_insitu_line(line, c, k, values)) {
            ohmi_text_printf(out, "%-*.*s", width, width, c->lines[k].title);
            write_row(out, line, text_number);
            ohmi_text_add(out, "\n");
        }
    }
    ohmi_text_add(out, "trained on crossbars; less and more: times, to plain training\n");
    ohmi_free(values);
}

void ohmi_compare_insitu_markdown(ohmi_text *out, const ohm_comparison *c) {
    if (!has_any(c)) {
        return;
    }
    double *values = ohmi_alloc((size_t)c->n_runs, sizeof *values);
    if (!values) {
        out->failed = true;
        return;
    }
    ohmi_text_add(out, "\n| trained on crossbars |");
    for (int i = 0; i < N_TABLE; ++i) {
        ohmi_text_printf(out, " %s |", columns[i].long_title);
    }
    ohmi_text_add(out, "\n| --- |");
    for (int i = 0; i < N_TABLE; ++i) {
        ohmi_text_add(out, " ---: |");
    }
    ohmi_text_add(out, "\n");
    for (int k = 0; k < c->n_lines; ++k) {
        ohmi_spread line[OHMI_N_INSITU];
        if (ohmi_insitu_line(line, c, k, values)) {
            ohmi_text_add(out, "| ");
            for (const char *at = c->lines[k].title; *at; ++at) {
                ohmi_text_add(out, *at == '|' || *at == '\\' ? "\\" : "");
                ohmi_text_bytes(out, *at == '\n' || *at == '\r' ? " " : at, 1);
            }
            ohmi_text_add(out, " |");
            write_row(out, line, markdown_number);
            ohmi_text_add(out, "\n");
        }
    }
    ohmi_free(values);
}
