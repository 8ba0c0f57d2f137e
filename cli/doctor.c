// SPDX-License-Identifier: Apache-2.0
// `ohmwise doctor`: what this build and this machine can do.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "ohmwise/config.h"
#include "ohmwise/system.h"
#include "ranks.h"

static const ohmcli_option options[] = {
    OHMCLI_OPTION_DATA,
    OHMCLI_OPTION_JSON,
    {0},
};

const ohmcli_command ohmcli_doctor_command = {
    .name = "doctor",
    .summary = "Say what this build and this machine can do",
    .operands = "",
    .example = "doctor",
    .options = options,
    .run = ohmcli_doctor,
};

// Prints a value in words on the current line.
static void print_value(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_STRING:
        fputs(json_string_value(value), stdout);
        break;
    case JSON_INTEGER:
        printf("%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        printf("%g", json_real_value(value));
        break;
    case JSON_TRUE:
        fputs("yes", stdout);
        break;
    case JSON_FALSE:
        fputs("no", stdout);
        break;
    case JSON_NULL:
        fputs("-", stdout);
        break;
    case JSON_ARRAY:
        for (size_t i = 0; i < json_array_size(value); i++) {
            fputs(i > 0 ? " " : "", stdout);
            print_value(json_array_get(value, i));
        }
        break;
    case JSON_OBJECT: {
        void *at = json_object_iter((json_t *)value);
        for (bool first = true; at != NULL; first = false) {
            printf("%s%s ", first ? "" : ", ", json_object_iter_key(at));
            print_value(json_object_iter_value(at));
            at = json_object_iter_next((json_t *)value, at);
        }
        break;
    }
    }
}

// Prints a row of a list: its name in a column, then what it is and is not, then its texts.
static void print_row(json_t *row) {
    const char *key;
    json_t *value;
    const char *separator = "";
    printf("  %-13s ", json_string_value(json_object_get(row, "name")));
    json_object_foreach(row, key, value) {
        if (strcmp(key, "name") == 0) {
            continue;
        }
        fputs(separator, stdout);
        if (json_is_boolean(value)) {
            printf("%s%s", json_is_true(value) ? "" : "not ", key);
        } else {
            print_value(value);
        }
        separator = ", ";
    }
    putchar('\n');
}

// One heading a member of the document; lists of objects get a line each.
static void print_document(json_t *document) {
    const char *key;
    json_t *value;
    json_object_foreach(document, key, value) {
        const bool is_rows = json_is_array(value) && json_is_object(json_array_get(value, 0));
        if (!is_rows && !json_is_object(value)) {
            printf("%s%-12s%s ", ohmcli_bold(stdout), key, ohmcli_plain(stdout));
            print_value(value);
            putchar('\n');
            continue;
        }
        printf("%s%s%s\n", ohmcli_bold(stdout), key, ohmcli_plain(stdout));
        if (is_rows) {
            for (size_t i = 0; i < json_array_size(value); i++) {
                print_row(json_array_get(value, i));
            }
            continue;
        }
        const char *inner;
        json_t *part;
        json_object_foreach(value, inner, part) {
            printf("  %-12s ", inner);
            print_value(part);
            putchar('\n');
        }
    }
}

// What the program has and the library has not: MPI, beside the other libraries.
static void add_program(json_t *document) {
    json_array_append_new(json_object_get(document, "libraries"),
                          json_pack("{s:s, s:s?}", "name", "mpi", "version", ohmcli_mpi_version()));
}

int ohmcli_doctor(int argc, char **argv) {
    ohmcli_call call;
    const int done = ohmcli_parse(&call, &ohmcli_doctor_command, argc, argv);
    if (done >= 0) {
        return done;
    }
    char *text = NULL;
    ohm_error err = {0};
    json_error_t error;
    const char *folder = ohmcli_data_folder(&call);
    if (ohm_doctor(&text, folder, &err) < 0) {
        return ohmcli_error(&err);
    }
    int code = OHMCLI_DONE;
    json_t *document = json_loads(text, 0, &error);
    if (document == NULL) {
        code = ohmcli_fail(OHMCLI_INTERNAL, "the description is no JSON: %s", error.text);
    } else {
        add_program(document);
        if (ohmcli_has(&call, "json")) {
            json_dumpf(document, stdout, JSON_INDENT(2));
            putchar('\n');
        } else {
            print_document(document);
        }
    }
    json_decref(document);
    ohm_text_free(&text);
    return code;
}
