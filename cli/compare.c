// SPDX-License-Identifier: Apache-2.0
// `ohmwise compare RUN RUN ...`: runs side by side, as a table, a page, CSV or Markdown.
#include <stdio.h>

#include "cli.h"
#include "comparison.h"

static const ohmcli_option options[] = {
    {.name = "out",
     .letter = 'o',
     .value = "PAGE",
     .help = "write an HTML page",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "csv",
     .value = "FILE",
     .help = "write a line a run and task",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "markdown", .help = "print Markdown tables instead"},
    {.name = "published",
     .value = "FILE",
     .help = "a published row to set beside; may be repeated",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "require", .value = "CONDITION", .help = "as 'mean_accuracy>=0.7'; may be repeated"},
    {0},
};

const ohmcli_command ohmcli_compare_command = {
    .name = "compare",
    .summary = "Set runs side by side: accuracy, forgetting, memory, time",
    .operands = "[NAME=]RUN ...",
    .min_operands = 1,
    .max_operands = -1,
    .example = "compare runs/xst-1 runs/xst-2 runs/dense-1 -o compared.html",
    .notes = "Runs that differ in their seed only are one line, with mean and sample standard\n"
             "deviation. Means are over the tasks that every run has learned. A CONDITION is a\n"
             "key of metrics.json, one of >= <= > < == != and a value; when a run does not\n"
             "meet one, the exit code is 4.",
    .options = options,
    .complete = OHMCLI_COMPLETE_FOLDER,
    .run = ohmcli_compare,
};

int ohmcli_compare(int argc, char **argv) {
    ohmcli_call call;
    int code = ohmcli_parse(&call, &ohmcli_compare_command, argc, argv);
    if (code >= 0) {
        return code;
    }
    ohm_comparison *comparison = NULL;
    code = ohmcli_comparison_read(&comparison, &call, call.operands, call.n_operands, NULL);
    if (code == OHMCLI_DONE) {
        code = ohmcli_require_understood(&call, comparison);
    }

    // what was asked for, then whether it is as it should be
    const char *page = ohmcli_value(&call, "out");
    const char *csv = ohmcli_value(&call, "csv");
    if (code == OHMCLI_DONE && page != NULL) {
        code = ohmcli_comparison_save(comparison, OHM_AS_HTML, page);
    }
    if (code == OHMCLI_DONE && csv != NULL) {
        code = ohmcli_comparison_save(comparison, OHM_AS_CSV, csv);
    }
    if (code == OHMCLI_DONE) {
        code = ohmcli_comparison_print(comparison, ohmcli_has(&call, "markdown") ? OHM_AS_MARKDOWN
                                                                                 : OHM_AS_TEXT);
    }
    if (code == OHMCLI_DONE) {
        code = ohmcli_require_met(&call, comparison);
    }
    ohm_comparison_free(&comparison);
    return code;
}
