// SPDX-License-Identifier: Apache-2.0
// `ohmwise report RUN ... [-o FILE]`: one self-contained HTML page of a run, or of several runs
// side by side.
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "comparison.h"
#include "ohmwise/harvest.h"
#include "ohmwise/learn.h"

static const ohmcli_option options[] = {
    {.name = "out",
     .letter = 'o',
     .value = "FILE",
     .help = "the page; for one run else RUN/report.html (or harvest.html)",
     .complete = OHMCLI_COMPLETE_FILE},
    {0},
};

const ohmcli_command ohmcli_report_command = {
    .name = "report",
    .summary = "Write the HTML page of a run, or of several side by side",
    .operands = "RUN ...",
    .min_operands = 1,
    .max_operands = -1,
    .example = "report runs/first -o first.html",
    .options = options,
    .complete = OHMCLI_COMPLETE_FOLDER,
    .run = ohmcli_report,
};

// The page of `ohmwise compare`.
static int report_several(const ohmcli_call *call) {
    const char *path = ohmcli_value(call, "out");
    ohm_comparison *comparison = NULL;
    if (path == NULL) {
        return ohmcli_usage(&ohmcli_report_command, "where to? give --out FILE for several runs");
    }
    int code = ohmcli_comparison_read(&comparison, call, call->operands, call->n_operands, NULL);
    if (code == OHMCLI_DONE) {
        code = ohmcli_comparison_save(comparison, OHM_AS_HTML, path);
    }
    if (code == OHMCLI_DONE) {
        printf("%s\n", path);
    }
    ohm_comparison_free(&comparison);
    return code;
}

// Whether a folder is of `ohmwise harvest`, and not of a learned run.
static bool is_harvest(const char *folder) {
    char own[4096], learned[4096];
    return snprintf(own, sizeof own, "%s/harvest.json", folder) < (int)sizeof own &&
           snprintf(learned, sizeof learned, "%s/metrics.json", folder) < (int)sizeof learned &&
           access(own, F_OK) == 0 && access(learned, F_OK) != 0;
}

int ohmcli_report(int argc, char **argv) {
    ohmcli_call call;
    const int done = ohmcli_parse(&call, &ohmcli_report_command, argc, argv);
    if (done >= 0) {
        return done;
    }
    if (call.n_operands > 1) {
        return report_several(&call);
    }
    ohm_error err = {0};
    const char *path = ohmcli_value(&call, "out");
    if (is_harvest(call.operands[0])) {
        if (ohm_harvest_report(call.operands[0], path, &err) < 0) {
            return ohmcli_error(&err);
        }
        printf("%s%s\n", path != NULL ? path : call.operands[0],
               path != NULL ? "" : "/harvest.html");
        return OHMCLI_DONE;
    }
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
