// SPDX-License-Identifier: Apache-2.0
// `ohmwise report RUN [-o FILE]`: one self-contained HTML page of a run.
#include <stdio.h>

#include "cli.h"
#include "ohmwise/learn.h"

static const ohmcli_option options[] = {
    {.name = "out",
     .letter = 'o',
     .value = "FILE",
     .help = "the page; else RUN/report.html",
     .complete = OHMCLI_COMPLETE_FILE},
    {0},
};

const ohmcli_command ohmcli_report_command = {
    .name = "report",
    .summary = "Write the HTML page of a run",
    .operands = "RUN",
    .min_operands = 1,
    .max_operands = 1,
    .example = "report runs/first -o first.html",
    .options = options,
    .complete = OHMCLI_COMPLETE_FOLDER,
    .run = ohmcli_report,
};

int ohmcli_report(int argc, char **argv) {
    ohmcli_call call;
    const int done = ohmcli_parse(&call, &ohmcli_report_command, argc, argv);
    if (done >= 0) {
        return done;
    }
    ohm_error err = {0};
    const char *path = ohmcli_value(&call, "out");
    if (ohm_report_write(call.operands[0], path, &err) < 0) {
        return ohmcli_error(&err);
    }
    if (path != NULL) {
        printf("%s\n", path);
    } else {
        printf("%s/report.html\n", call.operands[0]);
    }
    return OHMCLI_DONE;
}
