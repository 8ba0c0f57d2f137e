// SPDX-License-Identifier: Apache-2.0
// `ohmwise harvest CONFIG [key=value ...] --out RUN`: inference on harvested power.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "config_call.h"
#include "ohmwise/harvest.h"
#include "ranks.h"
#include "stop.h"

static const ohmcli_option options[] = {
    {.name = "out",
     .letter = 'o',
     .value = "RUN",
     .help = "folder for harvest.json, CSV files and harvest.html",
     .complete = OHMCLI_COMPLETE_FOLDER},
    {.name = "preset",
     .letter = 'p',
     .value = "PRESET",
     .help = "hardware: a preset or a file (xst-32nm)",
     .complete = OHMCLI_COMPLETE_HARDWARE},
    {.name = "hardware",
     .value = "KEY=VALUE",
     .help = "a key of the hardware, as adc.bits=4; repeatable"},
    {.name = "power",
     .value = "PRESET",
     .help = "traces: a preset of power/ or a file, over CONFIG",
     .complete = OHMCLI_COMPLETE_POWER},
    {.name = "verify",
     .value = "N",
     .help = "CONFIG is a learned run: really run N images tile by tile"},
    OHMCLI_OPTION_DATA,
    {.name = "traces", .help = "print what the traces are like, and stop"},
    {.name = "modes", .help = "print the modes of all layers, and stop"},
    OHMCLI_OPTION_THREADS,
    OHMCLI_OPTION_JSON,
    {0},
};

const ohmcli_command ohmcli_harvest_command = {
    .name = "harvest",
    .summary = "Run networks on harvested power (reconstruction of ResiRCA)",
    .operands = "CONFIG [key=value ...]",
    .min_operands = 1,
    .max_operands = -1,
    .example = "harvest harvest/first --out runs/harvest power.of_threshold=0.5",
    .notes =
        "CONFIG is a YAML file or a preset; its keys are of the sections power, wifi, piezo,\n"
        "thermal, solar, harvest, storage ('ohmwise explain harvest'), and network, array,\n"
        "adc, quantise. Lists in power.traces, harvest.networks, harvest.schedulers and\n"
        "harvest.predictors are all combined. docs/harvest.md has the model, which is a\n"
        "reconstruction: the paper's component powers could not be had.\n"
        "A run that is stopped (Ctrl-C, SIGTERM) keeps the cases that are done in RUN, and the\n"
        "same command goes on from there.\n"
        "Under mpirun the cases are spread over the processes (docs/parallel.md).",
    .options = options,
    .complete = OHMCLI_COMPLETE_HARVEST,
    .has_ranks = true,
    .run = ohmcli_harvest,
};

// File, preset of traces, command line: the later wins.
static int fill_config(ohm_config *config, const ohmcli_call *call) {
    char path[4096];
    ohm_error err = {0};
    const char *power = ohmcli_value(call, "power");
    if (!ohmcli_find_config(path, sizeof path, call->operands[0])) {
        return OHMCLI_USAGE;
    }
    if (ohm_config_load(config, path, &err) < 0) {
        return ohmcli_error(&err);
    }
    if (power != NULL && !ohmcli_find_preset(path, sizeof path, "power", power)) {
        return OHMCLI_USAGE;
    }
    if (power != NULL && ohm_config_load(config, path, &err) < 0) {
        return ohmcli_error(&err);
    }
    return ohmcli_set_keys(config, call);
}

static int is_stopped(void *context) {
    (void)context;
    return *ohmcli_stop_on_signals() != 0;
}

static void show_progress(void *context, int64_t done, int64_t all) {
    const bool *is_terminal = context;
    if (*is_terminal && ohmcli_verbosity() >= 0) {
        fprintf(stderr, "\r%lld of %lld cases%s", (long long)done, (long long)all,
                done == all ? "\n" : "");
    }
}

static int print_text(ohm_status status, char *text, const ohm_error *err) {
    if (status < 0) {
        return ohmcli_error(err);
    }
    fputs(text, stdout);
    if (text[0] == '{') {
        putchar('\n');
    }
    ohm_text_free(&text);
    return OHMCLI_DONE;
}

// Runs all cases, writes the folder, prints the table.
static int run_cases(ohm_harvest *harvest, const ohmcli_call *call) {
    ohm_error err = {0};
    char *text = NULL;
    bool is_terminal = isatty(STDERR_FILENO) != 0;
    const char *out = ohmcli_value(call, "out");
    char kept[4096];
    snprintf(kept, sizeof kept, "%s/harvest.kept", out != NULL ? out : "");
    (void)ohmcli_stop_on_signals();
    const ohm_harvest_def def = {.communicator = ohmcli_ranks(),
                                 .context = &is_terminal,
                                 .is_stopped = is_stopped,
                                 .progress = show_progress,
                                 .keep_path = out != NULL ? kept : NULL,
                                 .data_folder = ohmcli_data_folder(call),
                                 .backend = ohmcli_backend(call)};
    if (ohm_harvest_run(harvest, &def, &err) < 0) {
        return ohmcli_error(&err);
    }
    if (ohmcli_ranks()->rank > 0) {
        return OHMCLI_DONE;
    }
    if (out != NULL &&
        (ohm_harvest_save(harvest, out, &err) < 0 || ohm_harvest_report(out, NULL, &err) < 0)) {
        return ohmcli_error(&err);
    }
    const ohm_status status = ohmcli_has(call, "json") ? ohm_harvest_json(&text, harvest, &err)
                                                       : ohm_harvest_text(&text, harvest, &err);
    return print_text(status, text, &err);
}

// A run computed tile by tile while the power fails.
static int verify(const ohmcli_call *call) {
    static const char *const others[] = {"out", "preset", "hardware", "power", "traces", "modes"};
    ohm_error err = {0};
    char *text = NULL;
    int n_images = 1;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (ohmcli_has(call, others[i])) {
            return ohmcli_usage(&ohmcli_harvest_command, "'--verify' and '--%s' cannot go together",
                                others[i]);
        }
    }
    if (call->n_operands > 1) {
        return ohmcli_usage(&ohmcli_harvest_command, "'--verify' takes no keys: a run has its own");
    }
    if (!ohmcli_integer(call, "verify", 1, 1000000, &n_images)) {
        return OHMCLI_USAGE;
    }
    const ohm_verify_def def = {.data_folder = ohmcli_data_folder(call),
                                .backend = ohmcli_backend(call),
                                .n_images = n_images,
                                .mean_words = 1000,
                                .seed = 1};
    const ohm_status status = ohm_harvest_verify(&text, call->operands[0], &def, &err);
    return print_text(status, text, &err);
}

int ohmcli_harvest(int argc, char **argv) {
    ohmcli_call call;
    const int done = ohmcli_parse(&call, &ohmcli_harvest_command, argc, argv);
    if (done >= 0) {
        return done;
    }
    ohm_config *config = NULL;
    ohm_hardware *hardware = NULL;
    ohm_harvest *harvest = NULL;
    ohm_error err = {0};
    const bool is_look = ohmcli_has(&call, "traces") || ohmcli_has(&call, "modes");
    if (!ohmcli_set_threads(&call)) {
        return OHMCLI_USAGE;
    }
    if (ohmcli_has(&call, "traces") && ohmcli_has(&call, "modes")) {
        return ohmcli_usage(&ohmcli_harvest_command, "'--traces' and '--modes' cannot go together");
    }
    if (is_look && ohmcli_has(&call, "out")) {
        return ohmcli_usage(&ohmcli_harvest_command,
                            "'--traces' and '--modes' run nothing: no --out");
    }
    if (!is_look && !ohmcli_has(&call, "verify") && !ohmcli_has(&call, "out") &&
        !ohmcli_has(&call, "json")) {
        return ohmcli_usage(&ohmcli_harvest_command, "where to? give --out RUN (or --json)");
    }
    if (ohmcli_has(&call, "verify")) {
        return verify(&call);
    }
    int code = OHMCLI_DONE;
    if (ohm_config_new(&config, &err) < 0 || ohm_hardware_new(&hardware, &err) < 0) {
        code = ohmcli_error(&err);
    }
    if (code == OHMCLI_DONE) {
        code = fill_config(config, &call);
    }
    if (code == OHMCLI_DONE) {
        const char *preset = ohmcli_value(&call, "preset");
        code =
            ohmcli_load_hardware(hardware, &call, preset != NULL ? preset : "xst-32nm", "hardware");
    }
    if (code == OHMCLI_DONE && ohm_harvest_new(&harvest, config, hardware, &err) < 0) {
        code = ohmcli_error(&err);
    }
    if (code == OHMCLI_DONE && is_look) {
        char *text = NULL;
        const int is_json = ohmcli_has(&call, "json");
        const ohm_status status = ohmcli_has(&call, "traces")
                                      ? ohm_harvest_traces(&text, harvest, is_json, &err)
                                      : ohm_harvest_modes(&text, harvest, is_json, &err);
        code = print_text(status, text, &err);
    } else if (code == OHMCLI_DONE) {
        code = run_cases(harvest, &call);
    }
    ohm_harvest_free(&harvest);
    ohm_hardware_free(&hardware);
    ohm_config_free(&config);
    return code;
}
