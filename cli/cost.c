// SPDX-License-Identifier: Apache-2.0
// `ohmwise cost RUN`: what a run costs on crossbars, from the same mapping that gave its accuracy.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "config_call.h"
#include "ohmwise/config.h"
#include "ohmwise/cost.h"
#include "ohmwise/system.h"

static const ohmcli_option options[] = {
    {.name = "preset",
     .letter = 'p',
     .value = "PRESET",
     .help = "hardware: a preset or a file (xst-32nm)",
     .complete = OHMCLI_COMPLETE_HARDWARE},
    {.name = "images",
     .value = "N",
     .help = "test images of each task whose bits are counted (0: input.ones)"},
    {.name = "switches",
     .value = "SEQ",
     .help = "then switch between tasks, as 1,5,2 or 1-20 or 1-20x1000"},
    {.name = "wear-before",
     .value = "FILE",
     .help = "the chip was used before: writes of its cells",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "wear-after",
     .value = "FILE",
     .help = "write how often each cell was written, for adapt.wear",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "sweep",
     .value = "AXIS",
     .help = "a grid, as adc.bits=4,5 or 'cell.max=2 uS..20 uS:9'; repeatable"},
    {.name = "sheet", .help = "calibration sheet: the run under all presets of -p, or all"},
    {.name = "trace", .help = "RUN is a trace_command.sh of DNN+NeuroSim"},
    {.name = "rows", .value = "N", .help = "with --trace: word lines of an array (72)"},
    {.name = "out",
     .letter = 'o',
     .value = "DIR",
     .help = "folder for cost.json (RUN)",
     .complete = OHMCLI_COMPLETE_FOLDER},
    {.name = "csv",
     .value = "DIR",
     .help = "folder for cost_tasks, cost_layers, cost_programming as CSV",
     .complete = OHMCLI_COMPLETE_FOLDER},
    {.name = "print-preset", .help = "print the complete hardware as YAML, nothing else"},
    OHMCLI_OPTION_BACKEND,
    OHMCLI_OPTION_DATA,
    OHMCLI_OPTION_THREADS,
    OHMCLI_OPTION_JSON,
    {0},
};

const ohmcli_command ohmcli_cost_command = {
    .name = "cost",
    .summary = "Price a run: energy, time, area, programming, wear",
    .operands = "RUN [key=value ...]",
    .min_operands = 1,
    .max_operands = -1,
    .example = "cost runs/first --images 16 adc.count=72",
    .notes = "Keys are those of a hardware preset: docs/hardware.md, or 'ohmwise explain "
             "--hardware KEY'.",
    .options = options,
    .complete = OHMCLI_COMPLETE_FOLDER,
    .run = ohmcli_cost,
};

enum { MAX_AXES = 8, MAX_SETS = 16 };

// A preset with the keys of the command line over it. Returns an exit code; *out is for
// ohm_hardware_free.
static int read_hardware(ohm_hardware **out, const ohmcli_call *call, const char *preset) {
    ohm_error err = {0};
    return ohm_hardware_new(out, &err) < 0 ? ohmcli_error(&err)
                                           : ohmcli_load_hardware(*out, call, preset, NULL);
}

// All presets of hardware, or those that were named.
typedef struct {
    const ohmcli_call *call;
    ohm_hardware *sets[MAX_SETS];
    int n, code;
} ohmcli_sheet;

static void add_preset(void *context, const char *name) {
    ohmcli_sheet *sheet = context;
    if (sheet->code == OHMCLI_DONE && sheet->n < MAX_SETS &&
        ohmcli_is_preset_of(name, OHMCLI_COMPLETE_HARDWARE) &&
        strcmp(name, "hardware/xst-32nm") != 0) { // which stands first
        sheet->code = read_hardware(&sheet->sets[sheet->n++], sheet->call, name);
    }
}

static int print_text(char *text) {
    fputs(text, stdout);
    ohm_text_free(&text);
    return OHMCLI_DONE;
}

// A grid of points as CSV on stdout.
static int print_sweep(ohm_cost *cost, const ohm_hardware *hardware, const ohmcli_call *call) {
    const char *axes[MAX_AXES];
    int n_axes = 0;
    char *csv = NULL;
    ohm_error err = {0};
    for (const char *axis; (axis = ohmcli_value_at(call, "sweep", n_axes)) != NULL;) {
        if (n_axes == MAX_AXES) {
            return ohmcli_usage(&ohmcli_cost_command, "more than %d axes", (int)MAX_AXES);
        }
        axes[n_axes++] = axis;
    }
    if (ohm_cost_sweep(&csv, cost, hardware, axes, n_axes, &err) < 0) {
        return ohmcli_error(&err);
    }
    return print_text(csv);
}

// The run under several presets side by side.
static int print_sheet(ohm_cost *cost, const ohmcli_call *call) {
    ohmcli_sheet sheet = {.call = call};
    ohm_error err = {0};
    char *text = NULL;
    if (ohmcli_has(call, "preset")) {
        const char *preset;
        for (int i = 0; (preset = ohmcli_value_at(call, "preset", i)) != NULL && i < MAX_SETS &&
                        sheet.code == OHMCLI_DONE;
             i++) {
            sheet.code = read_hardware(&sheet.sets[sheet.n++], call, preset);
        }
    } else {
        sheet.code = read_hardware(&sheet.sets[sheet.n++], call, "xst-32nm");
        ohmcli_each_preset(add_preset, &sheet);
    }
    int code = sheet.code;
    if (code == OHMCLI_DONE) {
        code =
            ohm_cost_sheet(&text, cost, (const ohm_hardware *const *)sheet.sets, sheet.n, &err) < 0
                ? ohmcli_error(&err)
                : print_text(text);
    }
    for (int i = 0; i < sheet.n; i++) {
        ohm_hardware_free(&sheet.sets[i]);
    }
    return code;
}

// One bill: cost.json, CSV where asked for, and what goes to stdout.
static int print_bill(ohm_cost *cost, const ohm_hardware *hardware, const ohmcli_call *call) {
    const char *out = ohmcli_has(call, "out") ? ohmcli_value(call, "out") : call->operands[0];
    ohm_error err = {0};
    ohm_bill *bill = NULL;
    char *text = NULL;
    int code = OHMCLI_DONE;
    if (ohm_bill_new(&bill, cost, hardware, ohmcli_value(call, "switches"), &err) < 0 ||
        ohm_bill_save(bill, out, &err) < 0 ||
        (ohmcli_has(call, "csv") && ohm_bill_save_csv(bill, ohmcli_value(call, "csv"), &err) < 0) ||
        (ohmcli_has(call, "wear-after") &&
         ohm_bill_save_wear(bill, ohmcli_value(call, "wear-after"), &err) < 0)) {
        code = ohmcli_error(&err);
    } else if (ohmcli_has(call, "json")) {
        code = ohm_bill_json(&text, bill, &err) < 0 ? ohmcli_error(&err) : OHMCLI_DONE;
    } else {
        code = ohm_bill_text(&text, bill, &err) < 0 ? ohmcli_error(&err) : OHMCLI_DONE;
    }
    if (text != NULL) {
        print_text(text);
        if (ohmcli_has(call, "json")) {
            putchar('\n');
        }
    }
    ohm_bill_free(&bill);
    return code;
}

int ohmcli_cost(int argc, char **argv) {
    ohmcli_call call;
    int code = ohmcli_parse(&call, &ohmcli_cost_command, argc, argv);
    if (code >= 0) {
        return code;
    }
    int n_images = 0, rows = 72;
    ohm_hardware *hardware = NULL;
    ohm_cost *cost = NULL;
    ohm_error err = {0};
    if (!ohmcli_set_threads(&call) || !ohmcli_integer(&call, "rows", 1, 65536, &rows) ||
        !ohmcli_integer(&call, "images", 0, 1000000, &n_images)) {
        return OHMCLI_USAGE;
    }
    if (ohmcli_has(&call, "sweep") &&
        (ohmcli_has(&call, "json") || ohmcli_has(&call, "csv") || ohmcli_has(&call, "switches"))) {
        return ohmcli_usage(&ohmcli_cost_command,
                            "'--sweep' prints CSV and goes without --json, --csv, --switches");
    }
    if ((ohmcli_has(&call, "wear-before") || ohmcli_has(&call, "wear-after")) &&
        (ohmcli_has(&call, "sweep") || ohmcli_has(&call, "sheet") || ohmcli_has(&call, "trace"))) {
        return ohmcli_usage(&ohmcli_cost_command, "'--wear-before' and '--wear-after' are for one "
                                                  "bill of a run");
    }
    if (ohmcli_has(&call, "rows") && !ohmcli_has(&call, "trace")) {
        return ohmcli_usage(&ohmcli_cost_command, "'--rows' is for --trace; a run has its own");
    }
    if (ohmcli_has(&call, "trace") && !ohmcli_has(&call, "out") && !ohmcli_has(&call, "sweep") &&
        !ohmcli_has(&call, "sheet")) {
        return ohmcli_usage(&ohmcli_cost_command, "'--trace' needs a folder for cost.json: --out");
    }
    code = read_hardware(&hardware, &call,
                         ohmcli_has(&call, "preset") ? ohmcli_value(&call, "preset") : "xst-32nm");
    if (code == OHMCLI_DONE && ohmcli_has(&call, "print-preset")) {
        char *text = NULL;
        code = ohm_hardware_text(&text, hardware, &err) < 0 ? ohmcli_error(&err) : print_text(text);
        ohm_hardware_free(&hardware);
        return code;
    }
    const ohm_cost_def def = {
        .data_folder = ohmcli_data_folder(&call),
        .backend = ohmcli_backend(&call),
        .n_images = n_images,
        .wear_before = ohmcli_has(&call, "wear-before") ? ohmcli_value(&call, "wear-before") : NULL,
        .keeps_wear = ohmcli_has(&call, "wear-after"),
    };
    if (code == OHMCLI_DONE &&
        (ohmcli_has(&call, "trace") ? ohm_cost_new_trace(&cost, call.operands[0], rows, &err)
                                    : ohm_cost_new(&cost, call.operands[0], &def, &err)) < 0) {
        code = ohmcli_error(&err);
    }
    if (code == OHMCLI_DONE) {
        code = ohmcli_has(&call, "sheet")   ? print_sheet(cost, &call)
               : ohmcli_has(&call, "sweep") ? print_sweep(cost, hardware, &call)
                                            : print_bill(cost, hardware, &call);
    }
    ohm_cost_free(&cost);
    ohm_hardware_free(&hardware);
    return code;
}
