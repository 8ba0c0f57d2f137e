// SPDX-License-Identifier: Apache-2.0
// Parses command lines by table, prints help from the same table.
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

const char *const ohmcli_when_choices[] = {"auto", "always", "never", NULL};

static const ohmcli_option common_options[] = {
    {.name = "quiet", .letter = 'q', .help = "say nothing but results and errors"},
    {.name = "verbose", .letter = 'v', .help = "say more"},
    {.name = "color",
     .value = "WHEN",
     .help = "auto, always or never",
     .choices = ohmcli_when_choices},
    {.name = "help", .letter = 'h', .help = "this text"},
    {0},
};

const ohmcli_option *ohmcli_common_options(void) {
    return common_options;
}

int ohmcli_usage(const ohmcli_command *command, const char *format, ...) {
    const char *space = command != NULL ? " " : "";
    const char *name = command != NULL ? command->name : "";
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%sohmwise%s%s:%s ", ohmcli_red(stderr), space, name, ohmcli_plain(stderr));
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "; see 'ohmwise help%s%s'\n", space, name);
    return OHMCLI_USAGE;
}

// Edits between two words: insert, delete, replace. Long words count as far apart. The library has
// the same for keys, but nothing public: words are no matter of networks.
static int edit_distance(const char *a, const char *b) {
    enum { LONGEST = 63 };
    const size_t n_a = strlen(a);
    const size_t n_b = strlen(b);
    if (n_a > LONGEST || n_b > LONGEST) {
        return LONGEST;
    }

    // row i of the table of distances between beginnings, kept in place
    int row[LONGEST + 1];
    for (size_t j = 0; j <= n_b; j++) {
        row[j] = (int)j;
    }
    for (size_t i = 1; i <= n_a; i++) {
        int corner = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= n_b; j++) {
            const int above = row[j];
            int best = corner + (a[i - 1] == b[j - 1] ? 0 : 1);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
            corner = above;
        }
    }
    return row[n_b];
}

const char *ohmcli_nearest(const char *word, const char *const *words, int n) {
    const char *nearest = NULL;
    int least = 1 + (int)strlen(word) / 3;
    for (int i = 0; i < n; i++) {
        const int distance = edit_distance(word, words[i]);
        if (distance <= least && (nearest == NULL || distance < least)) {
            nearest = words[i];
            least = distance;
        }
    }
    return nearest;
}

// Lists the command's options and the common ones.
static void collect_options(ohmcli_call *call) {
    const ohmcli_option *const tables[] = {call->command->options, common_options};
    for (int t = 0; t < 2; t++) {
        for (const ohmcli_option *option = tables[t]; option != NULL && option->name != NULL;
             option++) {
            if (call->n_options < OHMCLI_MAX_OPTIONS) {
                call->options[call->n_options++] = option;
            }
        }
    }
}

// The index of a long option of which `name` (length characters) is the whole or the only possible
// beginning; -1 after a usage error was said.
static int find_long(const ohmcli_call *call, const char *name, size_t length) {
    int found = -1;
    int n_found = 0;
    for (int i = 0; i < call->n_options; i++) {
        if (strncmp(call->options[i]->name, name, length) == 0) {
            if (call->options[i]->name[length] == '\0') {
                return i;
            }
            found = i;
            n_found++;
        }
    }
    if (n_found == 1 && length > 0) {
        return found;
    }
    if (n_found > 1 && length > 0) {
        ohmcli_usage(call->command, "option '--%.*s' may mean several", (int)length, name);
        return -1;
    }

    // say which name was probably meant
    char word[64];
    const char *names[OHMCLI_MAX_OPTIONS];
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    for (int i = 0; i < call->n_options; i++) {
        names[i] = call->options[i]->name;
    }
    const char *nearest = ohmcli_nearest(word, names, call->n_options);
    if (nearest != NULL) {
        ohmcli_usage(call->command, "unknown option '--%s', did you mean '--%s'?", word, nearest);
    } else {
        ohmcli_usage(call->command, "unknown option '--%s'", word);
    }
    return -1;
}

static int find_letter(const ohmcli_call *call, char letter) {
    for (int i = 0; i < call->n_options; i++) {
        if (call->options[i]->letter == letter) {
            return i;
        }
    }
    ohmcli_usage(call->command, "unknown option '-%c'",
                 isprint((unsigned char)letter) ? letter : '?');
    return -1;
}

// Keeps a value after checking it against the choices. False after a usage error was said.
static bool keep_value(ohmcli_call *call, int index, const char *value) {
    const ohmcli_option *option = call->options[index];
    if (option->choices != NULL) {
        int n = 0;
        bool known = false;
        for (; option->choices[n] != NULL; n++) {
            known = known || strcmp(option->choices[n], value) == 0;
        }
        if (!known) {
            const char *nearest = ohmcli_nearest(value, option->choices, n);
            if (nearest != NULL) {
                ohmcli_usage(call->command, "'--%s' cannot be '%s', did you mean '%s'?",
                             option->name, value, nearest);
            } else {
                ohmcli_usage(call->command, "'--%s' cannot be '%s', allowed are: %s", option->name,
                             value, option->help);
            }
            return false;
        }
    }
    call->values[index] = value;
    if (option->value != NULL) {
        if (call->n_given == OHMCLI_MAX_GIVEN) {
            ohmcli_usage(call->command, "more than %d options", OHMCLI_MAX_GIVEN);
            return false;
        }
        call->given[call->n_given].option = option;
        call->given[call->n_given++].value = value;
    }
    return true;
}

// Reads the option at argv[*at]. False after a usage error was said.
static bool parse_long(ohmcli_call *call, int argc, char **argv, int *at) {
    const char *name = argv[*at] + 2;
    const size_t length = strcspn(name, "=");
    const int index = find_long(call, name, length);
    if (index < 0) {
        return false;
    }
    const ohmcli_option *option = call->options[index];
    if (option->value == NULL) {
        if (name[length] == '=') {
            ohmcli_usage(call->command, "option '--%s' takes no value", option->name);
            return false;
        }
        return keep_value(call, index, "");
    }
    if (name[length] == '=') {
        return keep_value(call, index, name + length + 1);
    }
    if (*at + 1 >= argc) {
        ohmcli_usage(call->command, "option '--%s' needs a value: %s", option->name, option->value);
        return false;
    }
    *at += 1;
    return keep_value(call, index, argv[*at]);
}

static bool parse_letters(ohmcli_call *call, int argc, char **argv, int *at) {
    for (const char *letter = argv[*at] + 1; *letter != '\0'; letter++) {
        const int index = find_letter(call, *letter);
        if (index < 0) {
            return false;
        }
        if (call->options[index]->value == NULL) {
            call->values[index] = "";
            continue;
        }

        // the rest of the word, or the next word, is the value
        if (letter[1] != '\0') {
            return keep_value(call, index, letter + 1);
        }
        if (*at + 1 >= argc) {
            ohmcli_usage(call->command, "option '-%c' needs a value: %s", *letter,
                         call->options[index]->value);
            return false;
        }
        *at += 1;
        return keep_value(call, index, argv[*at]);
    }
    return true;
}

int ohmcli_parse(ohmcli_call *call, const ohmcli_command *command, int argc, char **argv) {
    *call = (ohmcli_call){.command = command, .operands = argv + 1};
    collect_options(call);

    // options are read away, operands move to the front
    bool only_operands = false;
    for (int at = 1; at < argc; at++) {
        char *word = argv[at];
        if (only_operands || word[0] != '-' || word[1] == '\0') {
            call->operands[call->n_operands++] = word;
        } else if (strcmp(word, "--") == 0) {
            only_operands = true;
        } else if (!(word[1] == '-' ? parse_long(call, argc, argv, &at)
                                    : parse_letters(call, argc, argv, &at))) {
            return OHMCLI_USAGE;
        }
    }

    // what every command understands
    if (ohmcli_has(call, "color")) {
        ohmcli_set_color(ohmcli_value(call, "color"));
    }
    if (ohmcli_has(call, "quiet")) {
        ohmcli_set_verbosity(-1);
    } else if (ohmcli_has(call, "verbose")) {
        ohmcli_set_verbosity(1);
    }
    if (ohmcli_has(call, "help")) {
        ohmcli_help(command);
        return ohmcli_finish(OHMCLI_DONE);
    }

    if (call->n_operands < command->min_operands) {
        return ohmcli_usage(command, "missing operand: %s", command->operands);
    }
    if (command->max_operands >= 0 && call->n_operands > command->max_operands) {
        return ohmcli_usage(command, "'%s' is one operand too many",
                            call->operands[command->max_operands]);
    }
    return -1;
}

const char *ohmcli_value(const ohmcli_call *call, const char *name) {
    for (int i = 0; i < call->n_options; i++) {
        if (strcmp(call->options[i]->name, name) == 0) {
            return call->values[i];
        }
    }
    return NULL;
}

bool ohmcli_has(const ohmcli_call *call, const char *name) {
    return ohmcli_value(call, name) != NULL;
}

const char *ohmcli_value_at(const ohmcli_call *call, const char *name, int i) {
    for (int g = 0; g < call->n_given; g++) {
        if (strcmp(call->given[g].option->name, name) == 0 && i-- == 0) {
            return call->given[g].value;
        }
    }
    return NULL;
}

bool ohmcli_integer(const ohmcli_call *call, const char *name, int low, int high, int *out) {
    const char *text = ohmcli_value(call, name);
    if (text == NULL) {
        return true;
    }
    char *end = NULL;
    errno = 0;
    const long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < low || value > high) {
        ohmcli_usage(call->command, "'--%s' is '%s', allowed are whole numbers from %d to %d", name,
                     text, low, high);
        return false;
    }
    *out = (int)value;
    return true;
}

bool ohmcli_real(const ohmcli_call *call, const char *name, double low, double high, double *out) {
    const char *text = ohmcli_value(call, name);
    if (text == NULL) {
        return true;
    }
    char *end = NULL;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value < low || value > high) {
        ohmcli_usage(call->command, "'--%s' is '%s', allowed are numbers from %g to %g", name, text,
                     low, high);
        return false;
    }
    *out = value;
    return true;
}

bool ohmcli_assignment(const ohmcli_call *call, const char *assignment, char *key,
                       size_t size_bytes, const char **value) {
    const char *equals = strchr(assignment, '=');
    const size_t length = equals != NULL ? (size_t)(equals - assignment) : 0;
    if (length == 0 || length >= size_bytes) {
        ohmcli_usage(call->command, "'%.100s' is not of the form key=value", assignment);
        return false;
    }
    snprintf(key, size_bytes, "%.*s", (int)length, assignment);
    *value = equals + 1;
    return true;
}

static void print_option(const ohmcli_option *option) {
    char left[64];
    char letter[8] = "    ";
    if (option->letter != 0) {
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    }
    snprintf(left, sizeof left, "  %s--%s%s%s", letter, option->name,
             option->value != NULL ? " " : "", option->value != NULL ? option->value : "");
    printf("%-30s %s\n", left, option->help);
}

void ohmcli_help(const ohmcli_command *command) {
    printf("Example: ohmwise %s\n\n", command->example);
    printf("Usage: ohmwise %s%s%s [options]\n\n%s.\n\n", command->name,
           command->operands[0] != '\0' ? " " : "", command->operands, command->summary);
    for (const ohmcli_option *option = command->options; option != NULL && option->name != NULL;
         option++) {
        print_option(option);
    }
    for (const ohmcli_option *option = common_options; option->name != NULL; option++) {
        print_option(option);
    }
    if (command->notes != NULL) {
        printf("\n%s\n", command->notes);
    }
}
