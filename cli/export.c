// SPDX-License-Identifier: Apache-2.0
// `ohmwise export RUN FILE --task N`: one task's network for other programs.
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "ohmwise/exchange.h"
#include "run_results.h"

// in the order of ohm_export_format
static const char *const format_choices[] = {"safetensors", "onnx", NULL};

static const ohmcli_option options[] = {
    {.name = "task", .value = "TASK", .help = "its number from 1, or its name; else the only one"},
    {.name = "format",
     .value = "FORMAT",
     .help = "of the file; else as its name ends",
     .choices = format_choices},
    {0},
};

const ohmcli_command ohmcli_export_command = {
    .name = "export",
    .summary = "Write one task's network for other programs",
    .operands = "RUN FILE",
    .min_operands = 2,
    .max_operands = 2,
    .example = "export runs/first first.safetensors --task 1",
    .notes = "Formats: safetensors, the tensors alone, and onnx, a graph that ONNX Runtime and\n"
             "others run. The weights have the task's masks applied and are named as PyTorch's\n"
             "models name them; in a quantised run they are rounded, activations are not.",
    .options = options,
    .complete = OHMCLI_COMPLETE_FOLDER,
    .run = ohmcli_export,
};

int ohmcli_export(int argc, char **argv) {
    ohmcli_call call;
    int code = ohmcli_parse(&call, &ohmcli_export_command, argc, argv);
    if (code >= 0) {
        return code;
    }
    ohm_error err = {0};
    const char *run = call.operands[0], *file = call.operands[1];
    const char *task = ohmcli_value(&call, "task"), *format = ohmcli_value(&call, "format");
    ohm_export_def def = {.task = 0, .format = OHM_EXPORT_SAFETENSORS};
    const char *dot = strrchr(file, '.');
    const char *wanted = format != NULL ? format : dot != NULL ? dot + 1 : "";
    int chosen = 0;
    while (format_choices[chosen] != NULL && strcmp(format_choices[chosen], wanted) != 0) {
        chosen++;
    }
    if (format_choices[chosen] == NULL) {
        return ohmcli_usage(&ohmcli_export_command,
                            "'%s' ends neither in .safetensors nor in .onnx, give --format", file);
    }
    def.format = (ohm_export_format)chosen;
    if (task == NULL) {
        json_t *metrics = NULL;
        code = ohmcli_run_metrics(&metrics, run);
        const size_t n = json_array_size(json_object_get(metrics, "tasks"));
        json_decref(metrics);
        if (n > 1) {
            return ohmcli_usage(&ohmcli_export_command, "'%s' has %zu tasks, give --task", run, n);
        }
    } else {
        code = ohmcli_run_task(&def.task, run, task);
    }
    if (code != OHMCLI_DONE) {
        return code;
    }
    if (ohm_export(file, run, &def, &err) < 0) {
        return ohmcli_error(&err);
    }
    printf("%s\n", file);
    return OHMCLI_DONE;
}
