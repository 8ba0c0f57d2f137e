// SPDX-License-Identifier: Apache-2.0
// What the subcommands share: where things lie, how errors and colours come out, exit codes.
//
// Results go to stdout; progress, errors and remarks go to stderr. Only the program reads the
// environment; the library never does.
#ifndef OHMCLI_CLI_H
#define OHMCLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "ohmwise/status.h"
#include "options.h"

enum {
    OHMCLI_DONE = 0,
    OHMCLI_FAILED = 1,      // while running: files, memory
    OHMCLI_USAGE = 2,       // command line or config
    OHMCLI_BAD_DATA = 3,    // an input file does not hold what it should
    OHMCLI_CHECK = 4,       // a check that was asked for did not hold
    OHMCLI_UNSUPPORTED = 5, // not built in, or not on this machine
    OHMCLI_NUMERIC = 6,     // not a number, diverged
    OHMCLI_INTERNAL = 70,   // a bug
    OHMCLI_STOPPED = 75,    // stopped early, checkpoint written: run again to go on
};

// The exit code of a status.
int ohmcli_exit_code(ohm_status status);

// Says "ohmwise: PLACE: MESSAGE (HINT)" on stderr and returns the exit code.
int ohmcli_error(const ohm_error *err);
// The same for a message of the program's own.
int ohmcli_fail(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The folder of data sets: --data where a command has that option and it was given, else
// $OHM_DATA_DIR, else $XDG_CACHE_HOME/ohmwise/data, else $HOME/.cache/ohmwise/data; NULL when none
// of them is set. Owned by the program.
const char *ohmcli_data_folder(const ohmcli_call *call);

// Finds the file of CONFIG: a path, or else the name of a preset ("learn/fashion-mnist-xst", with
// or without .yaml) in the folders of $OHM_PRESET_PATH, of the installation, of the source tree.
// False after an error was said.
bool ohmcli_find_config(char *path, size_t size_bytes, const char *name);
// The same of a preset in a folder, as "xst-32nm" of "hardware"; a name with '/' or '.' is whole.
bool ohmcli_find_preset(char *path, size_t size_bytes, const char *folder, const char *name);

// Calls use with the name of every preset there is, as "learn/cifar100-xst", in order; those
// of "experiments/" are for sweep, those of "harvest/" and "power/" for harvest, those of
// "hardware/" for cost, all others are configs.
void ohmcli_each_preset(void (*use)(void *context, const char *name), void *context);
// Whether a preset is one of what is offered: experiments, hardware, or configs.
bool ohmcli_is_preset_of(const char *name, ohmcli_offer offer);

// Finds a file that comes with the program, as "tools/peer_torch.py". False when there is none.
bool ohmcli_find_companion(char *path, size_t size_bytes, const char *name);

// The kernels that a command is to use: --backend where it has that option and it was given, else
// $OHM_BACKEND, else NULL.
const char *ohmcli_backend(const ohmcli_call *call);

// Takes --threads, where it was given, for all that follows. False after an error was said.
bool ohmcli_set_threads(const ohmcli_call *call);

// Seconds of a clock that only runs forward.
double ohmcli_now_s(void);

// What --quiet, --verbose and --color said: verbosity is -1, 0 or 1.
int ohmcli_verbosity(void);
void ohmcli_set_verbosity(int verbosity);
// choice: "auto", "always" or "never".
void ohmcli_set_color(const char *choice);
// Whether to write colours to a stream: --color, else a terminal without NO_COLOR and TERM=dumb.
bool ohmcli_color(FILE *stream);
// SGR codes when a stream takes colours, "" otherwise.
const char *ohmcli_bold(FILE *stream);
const char *ohmcli_red(FILE *stream);
const char *ohmcli_plain(FILE *stream);

// Flushes stdout; a full disk or a closed pipe is a failure that must be seen.
int ohmcli_finish(int exit_code);

// The subcommands, in the order of the help; ends with NULL.
const ohmcli_command *const *ohmcli_commands(void);
const ohmcli_command *ohmcli_command_find(const char *name);

// One file each. argv[0] is the name of the command.
int ohmcli_learn(int argc, char **argv);
int ohmcli_eval(int argc, char **argv);
int ohmcli_classify(int argc, char **argv);
int ohmcli_simulate(int argc, char **argv);
int ohmcli_map(int argc, char **argv);
int ohmcli_report(int argc, char **argv);
int ohmcli_compare(int argc, char **argv);
int ohmcli_cost(int argc, char **argv);
int ohmcli_harvest(int argc, char **argv);
int ohmcli_sweep(int argc, char **argv);
int ohmcli_insitu(int argc, char **argv);
int ohmcli_array(int argc, char **argv);
int ohmcli_data(int argc, char **argv);
int ohmcli_explain(int argc, char **argv);
int ohmcli_doctor(int argc, char **argv);
int ohmcli_bench(int argc, char **argv);
int ohmcli_import(int argc, char **argv);
int ohmcli_export(int argc, char **argv);
int ohmcli_completion(int argc, char **argv);
int ohmcli_help_command(int argc, char **argv);

extern const ohmcli_command ohmcli_learn_command;
extern const ohmcli_command ohmcli_eval_command;
extern const ohmcli_command ohmcli_classify_command;
extern const ohmcli_command ohmcli_simulate_command;
extern const ohmcli_command ohmcli_map_command;
extern const ohmcli_command ohmcli_report_command;
extern const ohmcli_command ohmcli_compare_command;
extern const ohmcli_command ohmcli_cost_command;
extern const ohmcli_command ohmcli_harvest_command;
extern const ohmcli_command ohmcli_sweep_command;
extern const ohmcli_command ohmcli_insitu_command;
extern const ohmcli_command ohmcli_array_command;
extern const ohmcli_command ohmcli_data_command;
extern const ohmcli_command ohmcli_explain_command;
extern const ohmcli_command ohmcli_doctor_command;
extern const ohmcli_command ohmcli_bench_command;
extern const ohmcli_command ohmcli_import_command;
extern const ohmcli_command ohmcli_export_command;
extern const ohmcli_command ohmcli_completion_command;
extern const ohmcli_command ohmcli_help_row;

#endif
