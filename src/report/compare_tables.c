// SPDX-License-Identifier: Apache-2.0
// A comparison as a table for a terminal, as Markdown, and as CSV.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/compare.h"
#include "report/figures.h"

// ---- for a terminal ----

static void plain_number(ohmi_text *out, int width, int decimals, double value) {
    if (isfinite(value)) {
        ohmi_text_printf(out, " %*.*f", width, decimals, value);
    } else {
        ohmi_text_printf(out, " %*s", width, "-");
    }
}

void ohmi_compare_text(ohmi_text *out, const ohm_comparison *c) {
    int width = 4;
    for (int k = 0; k < c->n_lines; ++k) {
        const int length = (int)strlen(c->lines[k].title);
        width = length > width ? length : width;
    }
    width = width > 60 ? 60 : width;
    ohmi_text_printf(out, "%-*s %5s %5s %10s %6s %10s %11s %8s %9s %8s %9s\n", width, "line",
                     "seeds", "tasks", "accuracy %", "sd", "unrounded", "forgetting", "mask B",
                     "beside B", "epochs", "seconds");
    for (int k = 0; k < c->n_lines; ++k) {
        const ohmi_line *line = &c->lines[k];
        const ohmi_spread *of = line->of;
        ohmi_text_printf(out, "%-*.*s", width, width, line->title);
        if (line->n_runs > 0) {
            ohmi_text_printf(out, " %5d", line->n_runs);
        } else {
            ohmi_text_printf(out, " %5s", "-");
        }
        ohmi_text_printf(out, " %5d", line->n_tasks);
        plain_number(out, 10, 2, 100.0 * of[OHMI_SHARED].mean);
        plain_number(out, 6, 2, 100.0 * of[OHMI_SHARED].deviation);
        plain_number(out, 10, 2, 100.0 * of[OHMI_SHARED_FLOAT].mean);
        plain_number(out, 11, 4, 100.0 * of[OHMI_FORGETTING].mean);
        plain_number(out, 8, 0, of[OHMI_MASK].mean);
        plain_number(out, 9, 0, of[OHMI_BESIDE].mean);
        plain_number(out, 8, 0, of[OHMI_EPOCHS].mean);
        plain_number(out, 9, 1, of[OHMI_SECONDS].mean);
        ohmi_text_add(out, "\n");
    }
    if (c->n_shared > 0) {
        ohmi_text_printf(out, "accuracy, epochs, seconds: of tasks 1 to %d, which all have\n",
                         c->n_shared);
    } else {
        ohmi_text_add(out, "no task is the same in all, so their means are not compared\n");
    }
    for (int i = 0; i < c->n_remarks; ++i) {
        ohmi_text_printf(out, "%s\n", c->remarks[i]);
    }
    ohmi_compare_insitu_text(out, c);
}

// ---- Markdown ----

// Text in a cell: no line breaks, no cell borders.
static void cell_text(ohmi_text *out, const char *text) {
    for (; *text != '\0'; ++text) {
        if (*text == '|' || *text == '\\') {
            ohmi_text_add(out, "\\");
        }
        ohmi_text_bytes(out, *text == '\n' || *text == '\r' ? " " : text, 1);
    }
}

// "71.8", or with several seeds "71.8 ± 0.5"; nothing where there is nothing.
static void cell_spread(ohmi_text *out, const ohmi_spread *spread, double scale, int decimals) {
    ohmi_text_add(out, " ");
    if (isfinite(spread->mean)) {
        ohmi_text_printf(out, "%.*f", decimals, scale * spread->mean);
        // counts that do not vary need no words about it
        if (isfinite(spread->deviation) && (decimals > 0 || spread->deviation > 0.0)) {
            ohmi_text_printf(out, " ± %.*f", decimals, scale * spread->deviation);
        }
    }
    ohmi_text_add(out, " |");
}

// Calls the columns of the first table one after another: each line, and where it is quantised the
// same weights without rounding. row: which numbers.
enum { ROW_TITLE, ROW_RULE, ROW_TASK, ROW_OWN, ROW_SHARED };

static void markdown_row(ohmi_text *out, const ohm_comparison *c, int row, int task) {
    for (int k = 0; k < c->n_lines; ++k) {
        const ohmi_line *line = &c->lines[k];
        for (int as_float = 0; as_float <= (line->quantised ? 1 : 0); ++as_float) {
            const ohmi_spread *tasks = as_float ? line->accuracy_float : line->accuracy;
            const ohmi_spread none = ohmi_spread_of(NULL, 0);
            switch (row) {
            case ROW_TITLE:
                ohmi_text_add(out, " ");
                cell_text(out, line->title);
                ohmi_text_add(out, as_float ? ", not rounded |" : " |");
                break;
            case ROW_RULE:
                ohmi_text_add(out, " ---: |");
                break;
            case ROW_TASK:
                cell_spread(out, task < line->n_tasks ? &tasks[task] : &none, 100.0, 1);
                break;
            case ROW_OWN:
                cell_spread(out, &line->of[as_float ? OHMI_OWN_FLOAT : OHMI_OWN], 100.0, 2);
                break;
            default:
                cell_spread(out, &line->of[as_float ? OHMI_SHARED_FLOAT : OHMI_SHARED], 100.0, 2);
                break;
            }
        }
    }
    ohmi_text_add(out, "\n");
}

static void markdown_costs(ohmi_text *out, const ohm_comparison *c) {
    ohmi_text_printf(out,
                     "\n| | seeds | tasks | epochs, tasks 1 to %d | training, s, tasks 1 to %d | "
                     "forgetting, points | mask of a task, bytes | beside it, bytes |\n"
                     "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
                     c->n_shared, c->n_shared);
    for (int k = 0; k < c->n_lines; ++k) {
        const ohmi_line *line = &c->lines[k];
        if (line->n_runs == 0) {
            continue;
        }
        ohmi_text_add(out, "| ");
        cell_text(out, line->title);
        ohmi_text_printf(out, " | %d | %d |", line->n_runs, line->n_tasks);
        cell_spread(out, &line->of[OHMI_EPOCHS], 1.0, 0);
        cell_spread(out, &line->of[OHMI_SECONDS], 1.0, 1);
        cell_spread(out, &line->of[OHMI_FORGETTING], 100.0, 4);
        cell_spread(out, &line->of[OHMI_MASK], 1.0, 0);
        cell_spread(out, &line->of[OHMI_BESIDE], 1.0, 0);
        ohmi_text_add(out, "\n");
    }
}

static void markdown_facts(ohmi_text *out, const ohm_comparison *c) {
    ohmi_text_add(out, "\n");
    for (int k = 0; k < c->n_lines; ++k) {
        const ohmi_line *line = &c->lines[k];
        ohmi_text_add(out, "- ");
        cell_text(out, line->title);
        if (line->n_runs == 0) {
            ohmi_text_add(out, ": ");
            cell_text(out, line->source);
            ohmi_text_add(out, line->caveat[0] != '\0' ? ". " : "");
            cell_text(out, line->caveat);
            ohmi_text_add(out, ".\n");
            continue;
        }
        ohmi_text_printf(out, ": %d tasks of %" PRId64, line->n_tasks, line->low_epochs);
        if (line->high_epochs > line->low_epochs) {
            ohmi_text_printf(out, " to %" PRId64, line->high_epochs);
        }
        ohmi_text_add(out, " epochs, seed");
        bool is_first = true;
        for (int i = 0; i < c->n_runs; ++i) {
            if (c->runs[i].line == k && c->runs[i].run.seed >= 0) {
                ohmi_text_printf(out, "%s%" PRId64, is_first ? line->n_runs > 1 ? "s " : " " : ", ",
                                 c->runs[i].run.seed);
                is_first = false;
            }
        }
        ohmi_text_add(out, is_first ? " unknown, forgetting " : ", forgetting ");
        if (isfinite(line->of[OHMI_FORGETTING].mean)) {
            ohmi_text_printf(out, "%.6f", line->of[OHMI_FORGETTING].mean);
        } else {
            ohmi_text_add(out, "not measured");
        }
        ohmi_text_printf(out, ", logits of earlier tasks %s\n",
                         line->identical == 1   ? "identical"
                         : line->identical == 0 ? "NOT identical"
                                                : "not measured again");
    }
    if (c->n_shared > 0) {
        ohmi_text_printf(out,
                         "- Only tasks 1 to %d, which all have, may be compared. Accuracies in "
                         "percent, of the last epoch.\n",
                         c->n_shared);
    } else {
        ohmi_text_add(out, "- No task is the same in all: nothing may be compared.\n");
    }
    ohmi_text_add(out, "- ±: sample standard deviation over the seeds.\n");
    for (int i = 0; i < c->n_remarks; ++i) {
        ohmi_text_add(out, "- ");
        cell_text(out, c->remarks[i]);
        ohmi_text_add(out, ".\n");
    }
}

void ohmi_compare_markdown(ohmi_text *out, const ohm_comparison *c) {
    ohmi_text_add(out, "| task |");
    markdown_row(out, c, ROW_TITLE, 0);
    ohmi_text_add(out, "| --- |");
    markdown_row(out, c, ROW_RULE, 0);
    for (int t = 0; t < c->n_tasks; ++t) {
        ohmi_text_printf(out, "| %d ", t + 1);
        cell_text(out, c->names[t] != NULL ? c->names[t] : "(not the same in all)");
        ohmi_text_add(out, " |");
        markdown_row(out, c, ROW_TASK, t);
    }
    ohmi_text_add(out, "| **mean of its tasks** |");
    markdown_row(out, c, ROW_OWN, 0);
    if (c->n_shared > 0) {
        ohmi_text_printf(out, "| **mean of tasks 1 to %d** |", c->n_shared);
        markdown_row(out, c, ROW_SHARED, 0);
    }
    markdown_costs(out, c);
    ohmi_compare_insitu_markdown(out, c);
    markdown_facts(out, c);
}

// ---- CSV ----

static void csv_text(ohmi_text *out, const char *text) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        ohmi_text_add(out, text);
        return;
    }
    ohmi_text_add(out, "\"");
    for (; *text != '\0'; ++text) {
        ohmi_text_add(out, *text == '"' ? "\"" : "");
        ohmi_text_bytes(out, text, 1);
    }
    ohmi_text_add(out, "\"");
}

static void csv_number(ohmi_text *out, double value) {
    ohmi_text_add(out, ",");
    if (isfinite(value)) {
        ohmi_text_printf(out, "%.10g", value);
    }
}

static void csv_count(ohmi_text *out, int64_t count) {
    ohmi_text_add(out, ",");
    if (count >= 0) {
        ohmi_text_printf(out, "%" PRId64, count);
    }
}

static void csv_run(ohmi_text *out, const ohm_comparison *c, const ohmi_compared_run *r) {
    for (int t = 0; t < r->run.n_tasks; ++t) {
        const ohmi_run_task *task = &r->run.tasks[t];
        csv_text(out, c->lines[r->line].title);
        ohmi_text_add(out, ",");
        csv_text(out, r->path);
        csv_count(out, r->run.seed);
        csv_count(out, t + 1);
        ohmi_text_add(out, ",");
        csv_text(out, task->name);
        csv_number(out, task->accuracy);
        csv_number(out, task->accuracy_float);
        csv_number(out, task->accuracy_integer);
        csv_number(out, task->loss);
        csv_count(out, task->epochs);
        csv_number(out, task->train_seconds);
        csv_count(out, task->columns_new);
        csv_count(out, task->columns_on);
        csv_count(out, task->columns_total);
        csv_count(out, task->mask_bytes);
        csv_number(out, r->beside_bytes);
        ohmi_text_add(out, "\n");
    }
}

void ohmi_compare_csv(ohmi_text *out, const ohm_comparison *c) {
    ohmi_text_add(out, "line,run,seed,task,name,accuracy,accuracy_float,accuracy_integer,loss,"
                       "epochs,train_seconds,columns_new,columns_on,columns_total,mask_bytes,"
                       "beside_bytes\n");
    for (int k = 0; k < c->n_lines; ++k) {
        for (int i = 0; i < c->n_runs; ++i) {
            if (c->runs[i].line == k) {
                csv_run(out, c, &c->runs[i]);
            }
        }
        for (int t = 0; c->lines[k].first < 0 && t < c->lines[k].n_tasks; ++t) {
            csv_text(out, c->lines[k].title);
            ohmi_text_printf(out, ",,,%d,", t + 1);
            csv_text(out, t < c->n_tasks && c->names[t] != NULL ? c->names[t] : "");
            csv_number(out, c->lines[k].accuracy[t].mean);
            ohmi_text_add(out, ",,,,,,,,,,\n");
        }
    }
}
