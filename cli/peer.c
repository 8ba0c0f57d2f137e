// SPDX-License-Identifier: Apache-2.0
// Running the peer of a benchmark; see peer.h.
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

enum { MAX_DOCUMENTS = 64 };

// Starts a program. Returns its process, -1 on failure; *out reads its stdout when that is wanted,
// else it is thrown away together with stderr.
static pid_t start(const char *const *arguments, FILE **out) {
    int pipe_ends[2] = {-1, -1};
    if (out != NULL && pipe(pipe_ends) != 0) {
        return -1;
    }
    fflush(stdout);
    fflush(stderr);
    const pid_t child = fork();
    if (child == 0) {
        const int sink = open("/dev/null", O_RDWR);
        dup2(out != NULL ? pipe_ends[1] : sink, STDOUT_FILENO);
        if (out == NULL) {
            dup2(sink, STDERR_FILENO);
        }
        if (out != NULL) {
            close(pipe_ends[0]);
            close(pipe_ends[1]);
        }
        execvp(arguments[0], (char *const *)arguments);
        _exit(127);
    }
    if (out != NULL) {
        close(pipe_ends[1]);
        *out = child > 0 ? fdopen(pipe_ends[0], "r") : NULL;
        if (*out == NULL) {
            close(pipe_ends[0]);
        }
    }
    return child;
}

// Waits for a program; true when it ended with 0.
static bool succeeded(pid_t child) {
    int status = 0;
    pid_t waited = -1;
    do {
        waited = waitpid(child, &status, 0);
    } while (waited < 0 && errno == EINTR);
    return waited == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

const char *ohmcli_peer_python(const char *module) {
    // Debian's own first: its packages of modules are for that one only
    static const char *const pythons[] = {"/usr/bin/python3", "python3"};
    char program[64];
    snprintf(program, sizeof program, "import %s", module);
    for (size_t i = 0; i < sizeof pythons / sizeof pythons[0]; i++) {
        const char *const arguments[] = {pythons[i], "-c", program, NULL};
        const pid_t child = start(arguments, NULL);
        if (child > 0 && succeeded(child)) {
            return pythons[i];
        }
    }
    return NULL;
}

json_t *ohmcli_peer_run(const char *const *arguments) {
    FILE *out = NULL;
    json_error_t error;
    const pid_t child = start(arguments, &out);
    if (child < 0 || out == NULL) {
        ohmcli_fail(OHMCLI_FAILED, "cannot run '%s': %s", arguments[0], strerror(errno));
        return NULL;
    }
    json_t *document = json_loadf(out, 0, &error);
    fclose(out);
    const bool good = succeeded(child);
    if (!good || document == NULL) {
        ohmcli_fail(OHMCLI_FAILED, "the peer '%s' failed%s%s", arguments[1],
                    good ? ", it printed no JSON: " : "", good ? error.text : "");
        json_decref(document);
        return NULL;
    }
    return document;
}

static int compare_numbers(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static json_t *median_of_numbers(json_t *const *documents, int n) {
    double values[MAX_DOCUMENTS];
    for (int i = 0; i < n; i++) {
        values[i] = json_number_value(documents[i]);
    }
    qsort(values, (size_t)n, sizeof values[0], compare_numbers);
    const double median = n % 2 == 1 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);

    // counts stay counts where all agree
    if (json_is_integer(documents[0]) && values[0] == values[n - 1]) {
        return json_incref(documents[0]);
    }
    return json_real(median);
}

json_t *ohmcli_peer_median(json_t *const *documents, int n) {
    json_t *parts[MAX_DOCUMENTS];
    n = n < MAX_DOCUMENTS ? n : MAX_DOCUMENTS;

    // documents that differ in form are not merged: the first one speaks
    for (int i = 1; i < n; i++) {
        const bool numbers = json_is_number(documents[0]) && json_is_number(documents[i]);
        if (!numbers && (json_typeof(documents[0]) != json_typeof(documents[i]) ||
                         json_array_size(documents[0]) != json_array_size(documents[i]))) {
            return json_incref(documents[0]);
        }
    }
    if (json_is_number(documents[0])) {
        return median_of_numbers(documents, n);
    }
    if (json_is_array(documents[0])) {
        json_t *list = json_array();
        for (size_t k = 0; k < json_array_size(documents[0]); k++) {
            for (int i = 0; i < n; i++) {
                parts[i] = json_array_get(documents[i], k);
            }
            json_array_append_new(list, ohmcli_peer_median(parts, n));
        }
        return list;
    }
    if (json_is_object(documents[0])) {
        json_t *object = json_object();
        const char *key;
        json_t *value;
        json_object_foreach(documents[0], key, value) {
            int n_parts = 0;
            for (int i = 0; i < n; i++) {
                json_t *part = json_object_get(documents[i], key);
                if (part != NULL) {
                    parts[n_parts++] = part;
                }
            }
            json_object_set_new(object, key, ohmcli_peer_median(parts, n_parts));
        }
        return object;
    }
    return json_incref(documents[0]);
}
