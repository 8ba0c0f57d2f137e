// SPDX-License-Identifier: Apache-2.0
// Loss and accuracy over the epochs: one small chart a task, all on one scale, so that tasks
// compare by eye. The numbers follow as a folded table.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "report/figures.h"
#include "report/sections.h"
#include "report/svg.h"

#define MAX_ROWS 24 // of the table, a task

// The range of the train and test curves of all tasks. Returns the number of finite values.
static int64_t find_range(double *low, double *high, const ohmi_run *run, int train_curve) {
    int64_t n = 0;
    *low = INFINITY;
    *high = -INFINITY;
    for (int i = 0; i < run->n_tasks; ++i) {
        const ohmi_run_curves *curves = &run->curves[i];
        const double *y = curves->values + train_curve * curves->n_epochs;
        for (int64_t j = 0; j < 2 * curves->n_epochs; ++j) {
            if (isfinite(y[j])) {
                *low = fmin(*low, y[j]);
                *high = fmax(*high, y[j]);
                n += 1;
            }
        }
    }
    return n;
}

static int has_values(const ohmi_run_curves *curves, int curve) {
    for (int64_t j = 0; j < curves->n_epochs; ++j) {
        if (isfinite(curves->values[curve * curves->n_epochs + j])) {
            return 1;
        }
    }
    return 0;
}

// Writes the panels of one quantity: train_curve and the test curve after it.
static void write_panels(ohmi_text *out, const ohmi_run *run, int train_curve, const char *title,
                         double scale) {
    double low = 0.0;
    double high = 0.0;
    int any[2] = {0, 0};
    if (find_range(&low, &high, run, train_curve) == 0) {
        return;
    }
    for (int i = 0; i < run->n_tasks; ++i) {
        any[0] |= has_values(&run->curves[i], train_curve);
        any[1] |= has_values(&run->curves[i], train_curve + 1);
    }

    // one scale for all panels; losses start at zero
    const double step = ohmi_nice_step(high - (scale == 1.0 ? 0.0 : low), 5);
    low = scale == 1.0 ? fmin(0.0, low) : floor(low / step + 1e-9) * step;
    high = fmax(ceil(high / step - 1e-9) * step, low + step);
    ohmi_text_printf(out, "<section><h2>%s</h2><div class=\"legend\">", title);
    if (any[0]) {
        ohmi_text_add(out, "<span><span class=\"sw s0\"></span>train</span>");
    }
    if (any[1]) {
        ohmi_text_add(out, "<span><span class=\"sw s1\"></span>test (dashed; a lone dot where only "
                           "the end was measured)</span>");
    }
    ohmi_text_add(out, "<span>same scale in all panels; horizontal: epochs finished</span></div>"
                       "<div class=\"panels\">");
    for (int i = 0; i < run->n_tasks; ++i) {
        const ohmi_run_curves *curves = &run->curves[i];
        if (curves->n_epochs == 0) {
            continue;
        }
        char label[300];
        snprintf(label, sizeof label,
                 "%s, task %d, epochs %" PRId64 " to %" PRId64
                 "; the numbers are in the table below",
                 title, i + 1, curves->first_epoch, curves->first_epoch + curves->n_epochs - 1);
        ohmi_text_printf(out, "<div class=\"panel\"><h3>%d ", i + 1);
        ohmi_text_html(out, run->tasks[i].name);
        ohmi_text_add(out, "</h3>");
        ohmi_plot plot = {
            .out = out,
            .x_low = (double)curves->first_epoch,
            .x_high = (double)(curves->first_epoch + curves->n_epochs - 1),
            .y_low = low,
            .y_high = high,
            .left = 32.0,
            .top = 6.0,
            .box_width = 180.0,
            .box_height = 92.0,
            .width = 220.0,
            .height = 116.0,
            .y_scale = scale,
            .y_decimals = ohmi_step_decimals(step * scale),
        };
        ohmi_plot_begin(&plot, label);
        for (int k = 0; k < 2; ++k) {
            if (any[k]) {
                ohmi_plot_line(&plot, k, k == 0 ? "train" : "test",
                               curves->values + (train_curve + k) * curves->n_epochs,
                               curves->n_epochs, (double)curves->first_epoch);
            }
        }
        ohmi_plot_end(&plot);
        ohmi_text_add(out, "</div>");
    }
    ohmi_text_add(out, "</div></section>");
}

// The values of the curves; long runs are thinned, the last epoch always stays.
static void write_table(ohmi_text *out, const ohmi_run *run) {
    ohmi_text_add(out, "<details><summary>Values of the curves</summary><p class=\"note\">Of many "
                       "epochs only some are listed; all are in <code>metrics.csv</code>.</p>"
                       "<div class=\"scroll\"><table class=\"list\"><thead><tr>"
                       "<th class=\"n\">task</th><th class=\"n\">epochs finished</th>"
                       "<th class=\"n\">loss, train</th><th class=\"n\">loss, test</th>"
                       "<th class=\"n\">accuracy, train, %</th>"
                       "<th class=\"n\">accuracy, test, %</th></tr></thead><tbody>");
    for (int i = 0; i < run->n_tasks; ++i) {
        const ohmi_run_curves *curves = &run->curves[i];
        const int64_t n = curves->n_epochs;
        const int64_t stride = n > MAX_ROWS ? (n + MAX_ROWS - 1) / MAX_ROWS : 1;
        for (int64_t j = 0; j < n; ++j) {
            if (j % stride != 0 && j != n - 1) {
                continue;
            }
            ohmi_text_printf(out, "<tr><td class=\"n\">%d</td><td class=\"n\">%" PRId64 "</td>",
                             i + 1, curves->first_epoch + j);
            ohmi_cell_number(out, curves->values[OHMI_CURVE_LOSS_TRAIN * n + j], 4);
            ohmi_cell_number(out, curves->values[OHMI_CURVE_LOSS_TEST * n + j], 4);
            ohmi_cell_percent(out, curves->values[OHMI_CURVE_ACCURACY_TRAIN * n + j], 2);
            ohmi_cell_percent(out, curves->values[OHMI_CURVE_ACCURACY_TEST * n + j], 2);
            ohmi_text_add(out, "</tr>");
        }
    }
    ohmi_text_add(out, "</tbody></table></div></details>");
}

void ohmi_section_curves(ohmi_text *out, const ohmi_run *run) {
    int n_tasks = 0;
    for (int i = 0; i < run->n_tasks; ++i) {
        n_tasks += run->curves[i].n_epochs > 0 ? 1 : 0;
    }
    if (n_tasks == 0) {
        return;
    }
    write_panels(out, run, OHMI_CURVE_ACCURACY_TRAIN, "Accuracy over the epochs, %", 100.0);
    write_panels(out, run, OHMI_CURVE_LOSS_TRAIN, "Loss over the epochs", 1.0);
    write_table(out, run);
}
