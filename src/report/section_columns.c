// SPDX-License-Identifier: Apache-2.0
// Which crossbar columns the tasks own and use, layer by layer. With U the columns of a layer,
// new[t] those that task t owns, and on[t] those it uses, its own among them:
//
//     owned part          = new[t] / U
//     switched-on part    = (on[t] - new[t]) / (new[0] + ... + new[t-1])
//     free part           = 1 - sum of new / U
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/fail.h"
#include "base/memory.h"
#include "report/figures.h"
#include "report/heatmap.h"
#include "report/sections.h"

typedef struct {
    const char **rows;    // (n_layers)
    const char **columns; // (n_tasks)
    char (*names)[96];    // (n_layers)
    char (*notes)[64];    // (n_layers, n_tasks)
    const char **tips;    // (n_layers, n_tasks)
    double *values;       // (n_layers, n_tasks)
} tables;

static void tables_clear(tables *at) {
    ohmi_free(at->rows);
    ohmi_free(at->columns);
    ohmi_free(at->names);
    ohmi_free(at->notes);
    ohmi_free(at->tips);
    ohmi_free(at->values);
}

static ohm_status tables_init(tables *at, const ohmi_run *run, ohm_error *err) {
    const size_t n_layers = (size_t)run->n_layers;
    const size_t n_tasks = (size_t)run->n_tasks;
    at->rows = ohmi_alloc(n_layers, sizeof *at->rows);
    at->columns = ohmi_alloc(n_tasks, sizeof *at->columns);
    at->names = ohmi_alloc(n_layers, sizeof *at->names);
    at->notes = ohmi_alloc(n_layers * n_tasks, sizeof *at->notes);
    at->tips = ohmi_alloc(n_layers * n_tasks, sizeof *at->tips);
    at->values = ohmi_alloc(n_layers * n_tasks, sizeof *at->values);
    if (at->rows == NULL || at->columns == NULL || at->names == NULL || at->notes == NULL ||
        at->tips == NULL || at->values == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory left for the report");
    }
    for (size_t i = 0; i < n_layers; ++i) {
        snprintf(at->names[i], sizeof at->names[i], "%.90s", run->layers[i].name);
        at->rows[i] = at->names[i];
    }
    for (size_t j = 0; j < n_tasks; ++j) {
        at->columns[j] = run->tasks[j].name;
    }
    for (size_t i = 0; i < n_layers * n_tasks; ++i) {
        at->tips[i] = at->notes[i];
    }
    return OHM_OK;
}

static int64_t at_least_0(int64_t count) {
    return count < 0 ? 0 : count;
}

// One bar a layer: a segment a task in the order of learning, the rest is free.
static void write_stacks(ohmi_text *out, const ohmi_run *run) {
    ohmi_text_add(out,
                  "<div class=\"scroll\"><table class=\"list bars\"><caption>Owners of the "
                  "columns of each layer, in the order of learning</caption><thead><tr>"
                  "<th>layer</th><th class=\"opt\">weights K &times; C &times; R &times; S</th>"
                  "<th>all columns of the layer</th><th class=\"n\">columns</th>"
                  "<th class=\"n\">owned</th><th class=\"n\">free, %</th></tr></thead><tbody>");
    for (int i = 0; i < run->n_layers; ++i) {
        const ohmi_run_layer *layer = &run->layers[i];
        int64_t owned = 0;
        ohmi_text_add(out, "<tr><th scope=\"row\">");
        ohmi_text_html(out, layer->name);
        ohmi_text_add(out, "</th><td class=\"note opt\">");
        if (layer->k > 0) {
            ohmi_text_printf(out, "%" PRId64 "&times;%" PRId64 "&times;%" PRId64 "&times;%" PRId64,
                             layer->k, at_least_0(layer->c), at_least_0(layer->r),
                             at_least_0(layer->s));
        }
        ohmi_text_add(out, "</td><td class=\"bar\"><div class=\"stack\">");
        for (int task = 0; task < run->n_tasks; ++task) {
            const int64_t n_new = at_least_0(layer->units_new[task]);
            owned += n_new;
            if (n_new == 0 || layer->units_total <= 0) {
                continue;
            }
            const double place = run->n_tasks > 1 ? (double)task / (run->n_tasks - 1) : 0.5;
            ohmi_text_printf(out, "<i style=\"width:%.3f%%;background:#%06x\" title=\"",
                             100.0 * (double)n_new / (double)layer->units_total,
                             ohmi_ramp(0.05 + 0.9 * place));
            ohmi_text_printf(out, "%d ", task + 1);
            ohmi_text_html(out, run->tasks[task].name);
            ohmi_text_printf(out, ": %" PRId64 " columns\"></i>", n_new);
        }
        ohmi_text_add(out, "</div></td>");
        ohmi_cell_count(out, layer->units_total);
        ohmi_cell_count(out, owned);
        ohmi_cell_percent(out,
                          layer->units_total > 0 ? 1.0 - (double)owned / (double)layer->units_total
                                                 : (double)NAN,
                          1);
        ohmi_text_add(out, "</tr>");
    }
    ohmi_text_add(out, "</tbody></table></div><div class=\"legend\"><span>task 1</span>"
                       "<span class=\"ramp\">");
    for (int i = 0; i < 24; ++i) {
        ohmi_text_printf(out, "<i style=\"background:#%06x\"></i>",
                         ohmi_ramp(0.05 + 0.9 * i / 23.0));
    }
    ohmi_text_printf(out,
                     "</span><span>task %d</span><span><span class=\"sw free\"></span>free"
                     "</span></div>",
                     run->n_tasks);
}

// Writes a heat map over layers and tasks; nothing when it has no cell.
static void write_map(ohmi_text *out, const ohmi_run *run, const tables *at, const char *caption) {
    double high = 0.0;
    int n_cells = 0;
    for (int i = 0; i < run->n_layers * run->n_tasks; ++i) {
        if (isfinite(at->values[i])) {
            // the first task owns far more than the others, which shall stay distinguishable
            high = run->n_tasks > 2 && i % run->n_tasks == 0 ? high : fmax(high, at->values[i]);
            n_cells += 1;
        }
    }
    if (n_cells == 0) {
        return;
    }
    const ohmi_heatmap map = {
        .caption = caption,
        .row_title = "layer",
        .column_title = "task",
        .n_rows = run->n_layers,
        .n_columns = run->n_tasks,
        .row_names = at->rows,
        .column_names = at->columns,
        .values = at->values,
        .tips = at->tips,
        .low = 0.0,
        .high = fmin(1.0, fmax(0.01, ceil(high * 100.0 - 1e-9) / 100.0)),
        .scale = 100.0,
        .decimals = 1,
        .unit = " %",
    };
    ohmi_heatmap_write(out, &map);
}

static void fill_new(tables *at, const ohmi_run *run) {
    for (int i = 0; i < run->n_layers; ++i) {
        const ohmi_run_layer *layer = &run->layers[i];
        for (int task = 0; task < run->n_tasks; ++task) {
            const int cell = i * run->n_tasks + task;
            at->values[cell] = layer->units_total > 0 && layer->units_new[task] >= 0
                                   ? (double)layer->units_new[task] / (double)layer->units_total
                                   : (double)NAN;
            snprintf(at->notes[cell], sizeof at->notes[cell], " (%" PRId64 " of %" PRId64 ")",
                     layer->units_new[task], layer->units_total);
        }
    }
}

static void fill_on(tables *at, const ohmi_run *run) {
    for (int i = 0; i < run->n_layers; ++i) {
        const ohmi_run_layer *layer = &run->layers[i];
        int64_t earlier = 0;
        for (int task = 0; task < run->n_tasks; ++task) {
            const int cell = i * run->n_tasks + task;
            const int64_t on = layer->units_on[task] - at_least_0(layer->units_new[task]);
            at->values[cell] = earlier > 0 && on >= 0 ? (double)on / (double)earlier : (double)NAN;
            snprintf(at->notes[cell], sizeof at->notes[cell], " (%" PRId64 " of %" PRId64 ")",
                     at_least_0(on), earlier);
            earlier += at_least_0(layer->units_new[task]);
        }
    }
}

// The counts behind the heat maps, folded, or alone and open.
static void write_counts(ohmi_text *out, const ohmi_run *run, bool is_open) {
    ohmi_text_add(out, is_open ? "<details open>" : "<details>");
    ohmi_text_add(out, "<summary>Column counts by layer and task</summary>"
                       "<div class=\"scroll\"><table class=\"list\"><caption>new / used in all"
                       "</caption><thead><tr><th>layer</th><th class=\"n\">columns</th>");
    for (int task = 0; task < run->n_tasks; ++task) {
        ohmi_text_printf(out, "<th class=\"n\" scope=\"col\">%d</th>", task + 1);
    }
    ohmi_text_add(out, "</tr></thead><tbody>");
    for (int i = 0; i < run->n_layers; ++i) {
        const ohmi_run_layer *layer = &run->layers[i];
        ohmi_text_add(out, "<tr><th scope=\"row\">");
        ohmi_text_html(out, layer->name);
        ohmi_text_add(out, "</th>");
        ohmi_cell_count(out, layer->units_total);
        for (int task = 0; task < run->n_tasks; ++task) {
            ohmi_text_add(out, "<td class=\"n\">");
            ohmi_figure_count(out, layer->units_new[task]);
            ohmi_text_add(out, " / ");
            ohmi_figure_count(out, layer->units_on[task]);
            ohmi_text_add(out, "</td>");
        }
        ohmi_text_add(out, "</tr>");
    }
    ohmi_text_add(out, "</tbody></table></div></details>");
}

// Whether tasks own more columns than there are: then each has a network of its own.
static bool is_network_a_task(const ohmi_run *run) {
    for (int i = 0; i < run->n_layers; ++i) {
        int64_t owned = 0;
        for (int task = 0; task < run->n_tasks; ++task) {
            owned += at_least_0(run->layers[i].units_new[task]);
        }
        if (run->layers[i].units_total > 0 && owned > run->layers[i].units_total) {
            return true;
        }
    }
    return false;
}

ohm_status ohmi_section_columns(ohmi_text *out, const ohmi_run *run, ohm_error *err) {
    ohm_status status = OHM_OK;
    tables at = {0};
    if (run->n_layers == 0 || run->n_tasks == 0) {
        return OHM_OK;
    }
    OHM_TRY(tables_init(&at, run, err));
    ohmi_text_add(out, "<section><h2>Columns by layer</h2>");
    if (is_network_a_task(run)) {
        ohmi_text_add(out, "<p class=\"note\">Each task has a network of its own: no column is "
                           "shared.</p>");
        write_counts(out, run, true);
        ohmi_text_add(out, "</section>");
        goto done;
    }
    write_stacks(out, run);
    ohmi_text_add(out, "<div class=\"maps\">");
    fill_new(&at, run);
    write_map(out, run, &at, "New columns a task owns, in % of the columns of the layer");
    fill_on(&at, run);
    write_map(out, run, &at,
              "Columns of earlier tasks switched on for a task, in % of those there were");
    ohmi_text_add(out, "</div>");
    write_counts(out, run, false);
    ohmi_text_add(out, "</section>");
done:
    tables_clear(&at);
    return status;
}
