// SPDX-License-Identifier: Apache-2.0
// `ohmwise learn CONFIG [key=value ...] --out RUN`: learns the tasks one after another.
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "cli.h"
#include "run_results.h"
#include "training.h"

const ohmcli_command ohmcli_learn_command = {
    .name = "learn",
    .summary = "Learn the tasks of a config, one after another",
    .operands = "CONFIG [key=value ...]",
    .min_operands = 1,
    .max_operands = -1,
    .example = "learn learn/fashion-mnist-xst train.epochs=2 --out runs/first",
    .notes = "CONFIG is a YAML file or the name of a preset; key=value changes any key of it\n"
             "('ohmwise explain' says which there are). A run that is there is resumed.\n"
             "Ctrl-C writes a checkpoint and exits with 75: the same command then goes on.\n"
             "Under mpirun each process learns a part of every batch (docs/parallel.md).",
    .options = ohmcli_training_options,
    .complete = OHMCLI_COMPLETE_CONFIG,
    .has_ranks = true,
    .run = ohmcli_learn,
};

// One line a task, and the means, from metrics.json.
static void print_table(const json_t *metrics, const char *run) {
    const json_t *tasks = json_object_get(metrics, "tasks");
    size_t i;
    const json_t *task;
    printf("%s%4s  %-32s %10s %10s %10s %10s %9s %9s%s\n", ohmcli_bold(stdout), "task", "name",
           "accuracy %", "new", "switched", "columns", "mask B", "seconds", ohmcli_plain(stdout));
    json_array_foreach(tasks, i, task) {
        printf("%4zu  %-32.32s %10.2f %10.0f %10.0f %10.0f %9.0f %9.1f\n", i + 1,
               json_string_value(json_object_get(task, "name")),
               100 * ohmcli_number(task, "accuracy"), ohmcli_number(task, "columns_new"),
               ohmcli_number(task, "columns_on") - ohmcli_number(task, "columns_new"),
               ohmcli_number(task, "columns_total"), ohmcli_number(task, "mask_bytes"),
               ohmcli_number(task, "train_seconds"));
    }
    const double forgetting = ohmcli_number(metrics, "forgetting");
    printf("mean accuracy %.2f %%, ", 100 * ohmcli_number(metrics, "mean_accuracy"));
    if (isfinite(forgetting)) {
        printf("forgetting %.4f points\n", 100 * forgetting);
    } else {
        printf("forgetting not measured\n");
    }
    printf("report: %s/report.html\n", run);
}

int ohmcli_learn(int argc, char **argv) {
    static const ohmcli_training training = {&ohmcli_learn_command, ohm_learn, "metrics.json",
                                             print_table};
    return ohmcli_train(&training, argc, argv);
}
