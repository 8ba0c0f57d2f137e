// SPDX-License-Identifier: Apache-2.0
// `ohmwise completion bash|zsh|fish`: a script for the shell, made from the tables of the commands.
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "ohmwise/config.h"

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

const ohmcli_command ohmcli_completion_command = {
    .name = "completion",
    .summary = "Print what makes a shell complete ohmwise's command lines",
    .operands = "bash|zsh|fish",
    .min_operands = 1,
    .max_operands = 1,
    .example = "completion bash > ~/.local/share/bash-completion/completions/ohmwise",
    .words = shells,
    .run = ohmcli_completion,
};

// Prints the presets of one kind: context is which.
static void print_preset(void *context, const char *name) {
    const ohmcli_offer *offer = context;
    if (ohmcli_is_preset_of(name, *offer)) {
        printf(" %s", name);
    }
}

// Whether a config or an experiment comes first, and then its keys.
static bool is_config(ohmcli_offer offer) {
    return offer == OHMCLI_COMPLETE_CONFIG || offer == OHMCLI_COMPLETE_EXPERIMENT ||
           offer == OHMCLI_COMPLETE_HARVEST;
}

static bool is_preset(ohmcli_offer offer) {
    return offer == OHMCLI_COMPLETE_HARDWARE || offer == OHMCLI_COMPLETE_POWER;
}

// The words that a value or an operand may be, each after a blank.
static void print_words(const char *const *choices, ohmcli_offer offer) {
    for (int i = 0; choices != NULL && choices[i] != NULL; i++) {
        printf(" %s", choices[i]);
    }
    if (is_config(offer) || is_preset(offer)) {
        ohmcli_each_preset(print_preset, &offer);
    }
    if (is_config(offer) || offer == OHMCLI_COMPLETE_KEY) {
        const char *const *keys = ohm_config_keys();
        for (int i = 0; keys[i] != NULL; i++) {
            printf(is_config(offer) ? " %s=" : " %s", keys[i]);
        }
    }
    if (offer == OHMCLI_COMPLETE_COMMAND) {
        for (const ohmcli_command *const *row = ohmcli_commands(); *row != NULL; row++) {
            printf(" %s", (*row)->name);
        }
    }
}

static bool offers_files(ohmcli_offer offer) {
    return offer == OHMCLI_COMPLETE_FILE || is_preset(offer) || is_config(offer);
}

// Calls print with every option of a command, then with the common ones.
static void each_option(const ohmcli_command *command,
                        void (*print)(const ohmcli_command *, const ohmcli_option *)) {
    const ohmcli_option *const tables[] = {command->options, ohmcli_common_options()};
    for (int t = 0; t < 2; t++) {
        for (const ohmcli_option *option = tables[t]; option != NULL && option->name != NULL;
             option++) {
            print(command, option);
        }
    }
}

static void bash_option_name(const ohmcli_command *command, const ohmcli_option *option) {
    (void)command;
    printf(" --%s", option->name);
}

// A case for the word after an option that takes a value.
static void bash_option_value(const ohmcli_command *command, const ohmcli_option *option) {
    if (option->value == NULL) {
        return;
    }
    printf("    '%s --%s'", command->name, option->name);
    if (option->letter != 0) {
        printf("|'%s -%c'", command->name, option->letter);
    }
    printf(") words='");
    print_words(option->choices, option->complete);
    printf("'; files=%s ;;\n", offers_files(option->complete)               ? "-f"
                               : option->complete == OHMCLI_COMPLETE_FOLDER ? "-d"
                                                                            : "");
}

static void print_bash(void) {
    printf("# ohmwise completion for bash\n"
           "_ohmwise() {\n"
           "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
           "  local command=${COMP_WORDS[1]} words='' files=''\n"
           "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "    words='");
    print_words(NULL, OHMCLI_COMPLETE_COMMAND);
    printf(" --help --version'\n  else\n    case \"$command $before\" in\n");
    for (const ohmcli_command *const *row = ohmcli_commands(); *row != NULL; row++) {
        each_option(*row, bash_option_value);
    }
    printf("    *) case \"$command\" in\n");
    for (const ohmcli_command *const *row = ohmcli_commands(); *row != NULL; row++) {
        printf("      %s) words='", (*row)->name);
        print_words((*row)->words, (*row)->complete);
        each_option(*row, bash_option_name);
        printf("'; files=%s ;;\n", offers_files((*row)->complete)               ? "-f"
                                   : (*row)->complete == OHMCLI_COMPLETE_FOLDER ? "-d"
                                                                                : "");
    }
    printf("      esac ;;\n"
           "    esac\n"
           "  fi\n"
           "  mapfile -t COMPREPLY < <(compgen $files -W \"$words\" -- \"$word\")\n"
           "  [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n"
           "  return 0\n"
           "}\n"
           "complete -o filenames -F _ohmwise ohmwise\n");
}

// Text inside single quotes in a zsh specification: no quotes, brackets or colons.
static void print_clean(const char *text) {
    for (; *text != '\0'; text++) {
        putchar(strchr("'[]:", *text) != NULL ? ' ' : *text);
    }
}

static void zsh_option(const ohmcli_command *command, const ohmcli_option *option) {
    (void)command;
    printf("      '--%s[", option->name);
    print_clean(option->help);
    putchar(']');
    if (option->value != NULL) {
        putchar(':');
        print_clean(option->value);
        putchar(':');
        if (option->choices != NULL) {
            putchar('(');
            print_words(option->choices, option->complete);
            putchar(')');
        } else if (option->complete == OHMCLI_COMPLETE_FOLDER) {
            printf("_files -/");
        } else if (offers_files(option->complete)) {
            printf("_files");
        }
    }
    printf("' \\\n");
}

static void print_zsh(void) {
    printf("#compdef ohmwise\n"
           "_ohmwise() {\n"
           "  if (( CURRENT == 2 )); then\n"
           "    local -a commands=(\n");
    for (const ohmcli_command *const *row = ohmcli_commands(); *row != NULL; row++) {
        printf("      '%s:", (*row)->name);
        print_clean((*row)->summary);
        printf("'\n");
    }
    printf("    )\n"
           "    _describe command commands\n"
           "    return\n"
           "  fi\n"
           "  local command=${words[2]}\n"
           "  shift words\n"
           "  (( CURRENT-- ))\n"
           "  case $command in\n");
    for (const ohmcli_command *const *row = ohmcli_commands(); *row != NULL; row++) {
        printf("    %s) _arguments -s \\\n", (*row)->name);
        each_option(*row, zsh_option);
        if ((*row)->complete == OHMCLI_COMPLETE_FOLDER) {
            printf("      '*:folder:_files -/' ;;\n");
        } else if (is_config((*row)->complete)) {
            ohmcli_offer offer = (*row)->complete;
            printf("      '1:config:{ _files; compadd --");
            ohmcli_each_preset(print_preset, &offer);
            printf("; }' \\\n      '*:key:{ compadd -S \"\" --");
            const char *const *keys = ohm_config_keys();
            for (int i = 0; keys[i] != NULL; i++) {
                printf(" %s=", keys[i]);
            }
            printf("; }' ;;\n");
        } else {
            printf("      '*:operand:(");
            print_words((*row)->words, (*row)->complete);
            printf(")' ;;\n");
        }
    }
    printf("  esac\n}\ncompdef _ohmwise ohmwise\n");
}

// Text inside single quotes in fish.
static void print_fish_quoted(const char *text) {
    putchar('\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\') {
            putchar('\\');
        }
        putchar(*text);
    }
    putchar('\'');
}

static void fish_option(const ohmcli_command *command, const ohmcli_option *option) {
    printf("complete -c ohmwise -n '__fish_seen_subcommand_from %s' -l %s", command->name,
           option->name);
    if (option->letter != 0) {
        printf(" -s %c", option->letter);
    }
    if (option->value != NULL) {
        const bool files = offers_files(option->complete);
        printf(files ? " -r -F" : " -x");
        if (option->complete == OHMCLI_COMPLETE_FOLDER) {
            printf(" -a '(__fish_complete_directories)'");
        } else if (option->choices != NULL) {
            printf(" -a '");
            print_words(option->choices, option->complete);
            printf("'");
        }
    }
    printf(" -d ");
    print_fish_quoted(option->help);
    putchar('\n');
}

static void print_fish(void) {
    printf("# ohmwise completion for fish\ncomplete -c ohmwise -f\n");
    for (const ohmcli_command *const *row = ohmcli_commands(); *row != NULL; row++) {
        printf("complete -c ohmwise -n __fish_use_subcommand -a %s -d ", (*row)->name);
        print_fish_quoted((*row)->summary);
        printf("\ncomplete -c ohmwise -n '__fish_seen_subcommand_from %s'", (*row)->name);
        if ((*row)->complete == OHMCLI_COMPLETE_FOLDER) {
            printf(" -a '(__fish_complete_directories)'\n");
        } else {
            printf("%s -a '", offers_files((*row)->complete) ? " -F" : "");
            print_words((*row)->words, (*row)->complete);
            printf("'\n");
        }
        each_option(*row, fish_option);
    }
}

int ohmcli_completion(int argc, char **argv) {
    ohmcli_call call;
    const int done = ohmcli_parse(&call, &ohmcli_completion_command, argc, argv);
    if (done >= 0) {
        return done;
    }
    const char *shell = call.operands[0];
    if (strcmp(shell, "bash") == 0) {
        print_bash();
    } else if (strcmp(shell, "zsh") == 0) {
        print_zsh();
    } else if (strcmp(shell, "fish") == 0) {
        print_fish();
    } else {
        const char *nearest = ohmcli_nearest(shell, shells, 3);
        return ohmcli_usage(&ohmcli_completion_command,
                            nearest != NULL ? "no completion for '%s', did you mean '%s'?"
                                            : "no completion for '%s', only for bash, zsh and fish",
                            shell, nearest);
    }
    return OHMCLI_DONE;
}
