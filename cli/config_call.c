// SPDX-License-Identifier: Apache-2.0
// The config of a call; see config_call.h.
#include "config_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

int ohmcli_set_keys(ohm_config *config, const ohmcli_call *call) {
    ohm_error err = {0};
    for (int i = 1; i < call->n_operands; i++) {
        char key[128];
        const char *value = NULL;
        if (!ohmcli_assignment(call, call->operands[i], key, sizeof key, &value)) {
            return OHMCLI_USAGE;
        }
        if (ohm_config_set(config, key, value, &err) < 0) {
            return ohmcli_error(&err);
        }
    }
    return OHMCLI_DONE;
}

int ohmcli_load_hardware(ohm_hardware *hardware, const ohmcli_call *call, const char *preset,
                         const char *option) {
    char path[4096];
    ohm_error err = {0};
    if (!ohmcli_find_preset(path, sizeof path, "hardware", preset)) {
        return OHMCLI_USAGE;
    }
    if (ohm_hardware_load(hardware, path, &err) < 0) {
        return ohmcli_error(&err);
    }
    const char *assignment = NULL;
    for (int i = 0; (assignment = option != NULL             ? ohmcli_value_at(call, option, i)
                                  : i + 1 < call->n_operands ? call->operands[i + 1]
                                                             : NULL) != NULL;
         i++) {
        char key[128];
        const char *value = NULL;
        if (!ohmcli_assignment(call, assignment, key, sizeof key, &value)) {
            return OHMCLI_USAGE;
        }
        if (ohm_hardware_set(hardware, key, value, &err) < 0) {
            return ohmcli_error(&err);
        }
    }
    return ohm_hardware_check(hardware, &err) < 0 ? ohmcli_error(&err) : OHMCLI_DONE;
}

// Sets a key from the environment; value NULL or empty = nothing there.
static int set_from_environment(ohm_config *config, const char *key, const char *value) {
    ohm_error err = {0};
    if (value != NULL && value[0] != '\0' &&
        ohm_config_set_environment(config, key, value, &err) < 0) {
        return ohmcli_error(&err);
    }
    return OHMCLI_DONE;
}

int ohmcli_fill_config(ohm_config *config, const ohmcli_call *call) {
    char path[4096];
    ohm_error err = {0};
    if (!ohmcli_find_config(path, sizeof path, call->operands[0])) {
        return OHMCLI_USAGE;
    }
    if (ohm_config_load(config, path, &err) < 0) {
        return ohmcli_error(&err);
    }
    int code = set_from_environment(config, "threads", getenv("OHM_THREADS"));
    if (code == OHMCLI_DONE) {
        code = set_from_environment(config, "backend", ohmcli_backend(call));
    }
    if (code == OHMCLI_DONE) {
        code = ohmcli_set_keys(config, call);
    }
    if (code == OHMCLI_DONE && ohmcli_has(call, "threads")) {
        if (ohm_config_set(config, "threads", ohmcli_value(call, "threads"), &err) < 0) {
            code = ohmcli_error(&err);
        }
    }
    return code;
}

// Whether a word of a command line needs quotes for a shell.
static bool is_plain(const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_";
    return word[0] != '\0' && word[strspn(word, plain)] == '\0';
}

char *ohmcli_join_command(int argc, char **argv) {
    size_t room = sizeof "ohmwise";
    for (int i = 0; i < argc; i++) {
        room += 4 * strlen(argv[i]) + 3; // each character as '\'', a blank and two quotes
    }
    char *text = malloc(room);
    if (text == NULL) {
        return NULL;
    }
    char *at = stpcpy(text, "ohmwise");
    for (int i = 0; i < argc; i++) {
        const bool plain = is_plain(argv[i]);
        at = stpcpy(at, plain ? " " : " '");
        for (const char *c = argv[i]; *c != '\0'; c++) {
            if (*c == '\'') {
                at = stpcpy(at, "'\\''");
            } else {
                *at++ = *c;
            }
        }
        at = stpcpy(at, plain ? "" : "'");
    }
    return text;
}
