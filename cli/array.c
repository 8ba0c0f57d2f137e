// SPDX-License-Identifier: Apache-2.0
// `ohmwise array`: one array of one's own, with the resistance of its wires.
#include "ohmwise/array.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ohmwise/system.h"

static const char *const side_choices[] = {"left", "right", NULL};
static const char *const end_choices[] = {"bottom", "top", NULL};
static const char *const cell_choices[] = {"passive", "1t1r", NULL};

static const ohmcli_option options[] = {
    {.name = "conductance",
     .letter = 'g',
     .value = "G.npy",
     .help = "cells in siemens, rows x columns, float32 or float64",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "voltage",
     .value = "V.npy",
     .help = "of the rows in volt, rows or vectors x rows (1 V each)",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "wire-ohm",
     .letter = 'w',
     .value = "WORD,BIT",
     .help = "resistance between neighbouring cells on word and bit lines"},
    {.name = "source-ohm", .value = "OHM", .help = "driver to word line (one segment of it)"},
    {.name = "sense-ohm", .value = "OHM", .help = "bit line to its 0 V (one segment of it)"},
    {.name = "drive",
     .value = "SIDE",
     .help = "where the drivers are: left (beside column 0) or right",
     .choices = side_choices},
    {.name = "sense",
     .value = "END",
     .help = "where currents are measured: bottom (below the last row) or top",
     .choices = end_choices},
    {.name = "cells",
     .value = "KIND",
     .help = "passive, or 1t1r: a row at 0 V is disconnected",
     .choices = cell_choices},
    {.name = "out",
     .letter = 'o',
     .value = "I.npy",
     .help = "write the currents in ampere, columns or vectors x columns",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "effective",
     .value = "FILE.npy",
     .help = "write the matrix with current = voltage * matrix",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "netlist",
     .value = "FILE.cir",
     .help = "write the array for SPICE, with the first vector",
     .complete = OHMCLI_COMPLETE_FILE},
    {.name = "estimate", .value = "SWEEPS", .help = "a quick estimate, with a bound of its error"},
    {.name = "check",
     .value = "N",
     .help = "solve all node voltages of the first N vectors and compare"},
    OHMCLI_OPTION_THREADS,
    OHMCLI_OPTION_JSON,
    {0},
};

const ohmcli_command ohmcli_array_command = {
    .name = "array",
    .summary = "Solve one array with the resistance of its wires, exactly",
    .operands = "",
    .min_operands = 0,
    .max_operands = 0,
    .example = "array -g G.npy --voltage V.npy --wire-ohm 2.5,2.5 --out I.npy",
    .notes = "Resistances are in ohm; 0 is a wire without any. docs/wires.md has the equations.",
    .options = options,
    .run = ohmcli_array,
};

// "WORD,BIT"; false after a usage error was said.
static bool parse_wire(const ohmcli_call *call, ohm_wires *wires) {
    const char *text = ohmcli_value(call, "wire-ohm");
    char *end = NULL;
    bool good = false;
    if (text != NULL) {
        wires->word_ohm = strtod(text, &end);
        if (end != text && *end == ',') {
            const char *second = end + 1;
            wires->bit_ohm = strtod(second, &end);
            good = end != second && *end == '\0' && wires->word_ohm >= 0 && wires->bit_ohm >= 0;
        }
    }
    if (!good) {
        ohmcli_usage(call->command,
                     "'--wire-ohm' is '%s', allowed are two resistances in ohm, as 2.5,2.5",
                     text != NULL ? text : "");
    }
    return good;
}

static bool is_choice(const ohmcli_call *call, const char *name, const char *choice) {
    const char *value = ohmcli_value(call, name);
    return value != NULL && strcmp(value, choice) == 0;
}

static int print_json(const ohm_array_result *r, const ohm_array_def *def) {
    const ohm_wires *w = &def->wires;
    json_t *check = r->n_checked == 0 ? json_null()
                                      : json_pack("{s:i, s:f, s:f}", "vectors", r->n_checked,
                                                  "kirchhoff_residual", r->kirchhoff_residual,
                                                  "difference", r->check_difference);
    json_t *root = json_pack(
        "{s:i, s:i, s:i, s:I, s:s, s:{s:f, s:f, s:f, s:f}, s:{s:f, s:f}, s:f, s:f, s:f, s:o, s:o}",
        "schema", 1, "rows", r->rows, "columns", r->columns, "vectors", (json_int_t)r->n_vectors,
        "cells", cell_choices[def->cells == OHM_CELLS_1T1R], "wires", "word_ohm", w->word_ohm,
        "bit_ohm", w->bit_ohm, "source_ohm", w->source_ohm < 0 ? w->word_ohm : w->source_ohm,
        "sense_ohm", w->sense_ohm < 0 ? w->bit_ohm : w->sense_ohm, "conductance", "least_siemens",
        r->least_siemens, "most_siemens", r->most_siemens, "mean_error", r->mean_error,
        "most_error", r->most_error, "solve_s", r->solve_s, "error_bound",
        def->n_sweeps > 0 ? json_real(r->error_bound) : json_null(), "check", check);
    if (root == NULL) {
        return ohmcli_fail(OHMCLI_FAILED, "out of memory");
    }
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
    return OHMCLI_DONE;
}

static void print_table(const ohm_array_result *r, const ohm_array_def *def) {
    printf("array            %d rows x %d columns, %g to %g siemens\n", r->rows, r->columns,
           r->least_siemens, r->most_siemens);
    printf("vectors          %lld\n", (long long)r->n_vectors);
    printf("wires take away  %.4g %% of the currents on average, %.4g %% of the largest at most\n",
           100 * r->mean_error, 100 * r->most_error);
    printf("%s        %.4g s\n", def->n_sweeps > 0 ? "estimated in" : "solved in   ", r->solve_s);
    if (def->n_sweeps > 0) {
        printf("bound of errors  %.4g %% of the largest current\n", 100 * r->error_bound);
    }
    if (r->n_checked > 0) {
        printf("check            %d vectors: Kirchhoff residual %.2g, currents differ by %.2g\n",
               r->n_checked, r->kirchhoff_residual, r->check_difference);
    }
}

int ohmcli_array(int argc, char **argv) {
    ohmcli_call call;
    const int done = ohmcli_parse(&call, &ohmcli_array_command, argc, argv);
    if (done >= 0) {
        return done;
    }
    ohm_array_def def = {
        .conductance_path = ohmcli_value(&call, "conductance"),
        .voltage_path = ohmcli_value(&call, "voltage"),
        .current_path = ohmcli_value(&call, "out"),
        .effective_path = ohmcli_value(&call, "effective"),
        .netlist_path = ohmcli_value(&call, "netlist"),
        .wires = {.source_ohm = -1,
                  .sense_ohm = -1,
                  .drive_right = is_choice(&call, "drive", "right"),
                  .sense_top = is_choice(&call, "sense", "top")},
        .cells = is_choice(&call, "cells", "1t1r") ? OHM_CELLS_1T1R : OHM_CELLS_PASSIVE,
    };
    if (def.conductance_path == NULL) {
        return ohmcli_usage(&ohmcli_array_command, "which array? Give --conductance G.npy");
    }
    if (!parse_wire(&call, &def.wires) ||
        !ohmcli_real(&call, "source-ohm", 0, 1e40, &def.wires.source_ohm) ||
        !ohmcli_real(&call, "sense-ohm", 0, 1e40, &def.wires.sense_ohm) ||
        !ohmcli_integer(&call, "estimate", 1, 1000, &def.n_sweeps) ||
        !ohmcli_integer(&call, "check", 0, 1000000, &def.n_check) || !ohmcli_set_threads(&call)) {
        return OHMCLI_USAGE;
    }

    ohm_error err = {0};
    ohm_array_result result;
    if (ohm_array_run(&result, &def, &err) < 0) {
        return ohmcli_error(&err);
    }
    if (result.most_siemens > 1 && ohmcli_verbosity() >= 0) {
        fprintf(stderr, "remark: cells of up to %g siemens: is '%s' in ohm?\n", result.most_siemens,
                def.conductance_path);
    }
    if (ohmcli_has(&call, "json")) {
        return print_json(&result, &def);
    }
    print_table(&result, &def);
    return OHMCLI_DONE;
}
