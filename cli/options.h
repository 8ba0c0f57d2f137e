// SPDX-License-Identifier: Apache-2.0
// Command lines: one table a command, from which parsing, help and completion all come.
//
//     static const ohmcli_option options[] = {
//         {.name = "out", .letter = 'o', .value = "RUN", ...}, {0}};
//     const ohmcli_command ohmcli_learn_command = {.name = "learn", .options = options, ...};
//
//     int ohmcli_learn(int argc, char **argv) {
//         ohmcli_call call;
//         const int done = ohmcli_parse(&call, &ohmcli_learn_command, argc, argv);
//         if (done >= 0) { return done; }     // help was printed, or the usage was wrong
//         const char *out = ohmcli_value(&call, "out");
//
// GNU rules: --name VALUE, --name=VALUE, a unique beginning of a name, -oVALUE, -qv, `--` ends the
// options, options and operands in any order, of an option given twice the last one counts.
// Every command also has --help, --quiet, --verbose and --color.
#ifndef OHMCLI_OPTIONS_H
#define OHMCLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OHMCLI_MAX_OPTIONS = 32, // of a command, with the ones that all have
    OHMCLI_MAX_GIVEN = 64,   // of a command line
};

// What a shell may offer for a value or an operand.
typedef enum {
    OHMCLI_COMPLETE_NOTHING,
    OHMCLI_COMPLETE_FILE,
    OHMCLI_COMPLETE_FOLDER,
    OHMCLI_COMPLETE_CONFIG,     // presets and YAML files, then key=
    OHMCLI_COMPLETE_EXPERIMENT, // presets of experiments and YAML files, then key=
    OHMCLI_COMPLETE_HARDWARE,   // presets of hardware and YAML files
    OHMCLI_COMPLETE_HARVEST,    // configs of harvested power and YAML files, then key=
    OHMCLI_COMPLETE_POWER,      // presets of traces of power and YAML files
    OHMCLI_COMPLETE_KEY,        // keys of a config
    OHMCLI_COMPLETE_COMMAND,    // names of commands
} ohmcli_offer;

typedef struct {
    const char *name;           // without the dashes; NULL ends a table
    char letter;                // short form, 0 = none
    const char *value;          // what to call the value in help; NULL = a flag
    const char *help;           // one line
    const char *const *choices; // the allowed values, NULL-terminated; NULL = any
    ohmcli_offer complete;      // of the value
} ohmcli_option;

// Options that several commands have; ohmcli_backend, ohmcli_data_folder and ohmcli_set_threads
// take what they were given.
#define OHMCLI_OPTION_BACKEND                                                                      \
    { .name = "backend", .value = "NAME", .help = "kernels; 'ohmwise doctor' lists them" }
#define OHMCLI_OPTION_DATA                                                                         \
    {                                                                                              \
        .name = "data", .value = "DIR", .help = "folder of data sets",                             \
        .complete = OHMCLI_COMPLETE_FOLDER                                                         \
    }
#define OHMCLI_OPTION_THREADS                                                                      \
    { .name = "threads", .letter = 'j', .value = "N", .help = "threads, 0 = all CPUs" }
#define OHMCLI_OPTION_PROGRESS                                                                     \
    {                                                                                              \
        .name = "progress", .value = "WHEN", .help = "the bar: auto, always or never",             \
        .choices = ohmcli_when_choices                                                             \
    }
#define OHMCLI_OPTION_JSON                                                                         \
    { .name = "json", .help = "print one JSON document" }

// auto, always, never
extern const char *const ohmcli_when_choices[];

typedef struct ohmcli_command {
    const char *name;
    const char *summary;               // one line
    const char *operands;              // "CONFIG [key=value ...]", or "" for none
    int min_operands, max_operands;    // max < 0 = any number
    const char *example;               // one command line, without "ohmwise"
    const char *notes;                 // further help; may be NULL
    const ohmcli_option *options;      // ends with a NULL name; may be NULL
    const char *const *words;          // choices of the first operand, or NULL
    ohmcli_offer complete;             // of the operands
    bool has_ranks;                    // processes that mpirun starts do it together
    int (*run)(int argc, char **argv); // argv[0] is the command's name; returns an exit code
} ohmcli_command;

typedef struct {
    const ohmcli_command *command;
    const ohmcli_option *options[OHMCLI_MAX_OPTIONS]; // (n_options) the command's, then the common
    const char *values[OHMCLI_MAX_OPTIONS];           // (n_options) NULL = not given; flags: ""
    int n_options;
    struct {
        const ohmcli_option *option;
        const char *value;
    } given[OHMCLI_MAX_GIVEN]; // (n_given) every option with a value, in the order given
    int n_given;
    char **operands; // (n_operands) in the order given; borrowed from argv
    int n_operands;
} ohmcli_call;

// Parses argv, whose order it changes. Returns -1 to go on, else the exit code: 0 after --help, 2
// after wrong usage, which it has said on stderr.
int ohmcli_parse(ohmcli_call *call, const ohmcli_command *command, int argc, char **argv);

// The value of an option ("" for a flag), or NULL when it was not given.
const char *ohmcli_value(const ohmcli_call *call, const char *name);
bool ohmcli_has(const ohmcli_call *call, const char *name);
// Every value of an option that may be given several times: the i-th, NULL beyond the last.
const char *ohmcli_value_at(const ohmcli_call *call, const char *name, int i);

// The value of an option as a number within low .. high; *out is untouched when it was not given.
// False after a usage error was said.
bool ohmcli_integer(const ohmcli_call *call, const char *name, int low, int high, int *out);
bool ohmcli_real(const ohmcli_call *call, const char *name, double low, double high, double *out);

// Splits "key=value" into key (size_bytes) and the value, which is part of the assignment. False
// after a usage error was said.
bool ohmcli_assignment(const ohmcli_call *call, const char *assignment, char *key,
                       size_t size_bytes, const char **value);

// Says "ohmwise learn: MESSAGE; see 'ohmwise help learn'" on stderr and returns 2.
int ohmcli_usage(const ohmcli_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Prints the help of a command on stdout.
void ohmcli_help(const ohmcli_command *command);

// The options that every command has; ends with a NULL name.
const ohmcli_option *ohmcli_common_options(void);

// Of n words the one nearest to a mistyped one, or NULL when none is near.
const char *ohmcli_nearest(const char *word, const char *const *words, int n);

#endif
