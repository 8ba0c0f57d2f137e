// SPDX-License-Identifier: Apache-2.0
// `ohmwise insitu CONFIG [key=value ...] --out RUN`: trains on crossbars, and says what that takes.
#include "ohmwise/insitu.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "cli.h"
#include "run_results.h"
#include "training.h"

const ohmcli_command ohmcli_insitu_command = {
    .name = "insitu",
    .summary = "Train on crossbars, without the writes that do not matter",
    .operands = "CONFIG [key=value ...]",
    .min_operands = 1,
    .max_operands = -1,
    .example = "insitu insitu/fashion-mnist insitu.error=0.01 --out runs/insitu",
    .notes =
        "Learns as 'ohmwise learn' does, with weights and gradients in cells, and then once more\n"
        "plainly, nothing left out, in RUN/plain (insitu.baseline=false leaves that away). A\n"
        "reconstruction: of the published scheme only the abstract could be had.\n"
        "'ohmwise explain insitu' and 'machine' say which keys there are. A run that is there is\n"
        "resumed. Ctrl-C writes a checkpoint and exits with 75: the same command then goes on.",
    .options = ohmcli_training_options,
    .complete = OHMCLI_COMPLETE_CONFIG,
    .run = ohmcli_insitu,
};

static double inner_of(const json_t *object, const char *key, const char *inner) {
    return ohmcli_number(json_object_get(object, key), inner);
}

// A number, or a dash.
static void print_number(const char *format, double value) {
    if (isfinite(value)) {
        printf(format, value);
    } else {
        printf(" %14s", "-");
    }
}

// One row: the run, the plain one, and how many times less.
static void print_row(const char *name, double trained, double plain, double ratio) {
    printf("%-42s", name);
    print_number(" %14.6g", trained);
    print_number(" %14.6g", plain);
    if (isfinite(ratio)) {
        printf(" %9.2fx", ratio);
    }
    putchar('\n');
}

static void print_table(const json_t *results, const char *run) {
    static const char *const classes[] = {"activation", "error", "weight", "transposed"};
    const json_t *trained = json_object_get(results, "trained");
    const json_t *plain = json_object_get(results, "plain");
    const json_t *ratios = json_object_get(results, "ratios");
    char name[64];
    printf("%s%-42s %14s %14s %10s%s\n", ohmcli_bold(stdout), "", "trained", "plain", "ratio",
           ohmcli_plain(stdout));
    print_row("mean accuracy, %", 100 * ohmcli_number(trained, "mean_accuracy"),
              100 * ohmcli_number(plain, "mean_accuracy"), NAN);
    for (int i = 0; i < 4; i++) {
        const double a = inner_of(trained, "writes", classes[i]);
        const double b = inner_of(plain, "writes", classes[i]);
        snprintf(name, sizeof name, "cells written, %s", classes[i]);
        print_row(name, a, b, b / a);
    }
    print_row("writes of the most worn cell", inner_of(trained, "wear", "max_writes"),
              inner_of(plain, "wear", "max_writes"),
              inner_of(plain, "wear", "max_writes") / inner_of(trained, "wear", "max_writes"));
    print_row("energy, J", ohmcli_number(trained, "energy_j"), ohmcli_number(plain, "energy_j"),
              ohmcli_number(ratios, "energy"));
    print_row("time, s", ohmcli_number(trained, "time_s"), ohmcli_number(plain, "time_s"),
              ohmcli_number(ratios, "time"));
    print_row("lifetime, epochs", inner_of(trained, "lifetime", "epochs"),
              inner_of(plain, "lifetime", "epochs"), ohmcli_number(ratios, "lifetime"));
    const double gpu_j = inner_of(trained, "gpu", "energy_j");
    const double gpu_s = inner_of(trained, "gpu", "time_s");
    printf("a GPU: %.4g J, %.4g s (%.3g times the energy, %.3g times the time)\n", gpu_j, gpu_s,
           gpu_j / ohmcli_number(trained, "energy_j"), gpu_s / ohmcli_number(trained, "time_s"));
    printf("a reconstruction; all of it: %s/insitu.json, report: %s/report.html\n", run, run);
}

int ohmcli_insitu(int argc, char **argv) {
    static const ohmcli_training training = {&ohmcli_insitu_command, ohm_insitu, "insitu.json",
                                             print_table};
    return ohmcli_train(&training, argc, argv);
}
