// SPDX-License-Identifier: Apache-2.0
// Comparisons for the commands; see comparison.h.
#include "comparison.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ohmwise/config.h"

// Cuts NAME=RUN, unless there is a file of that very name. Returns the run; *name is NULL without.
static char *cut_name(const char **name, char *operand) {
    char *equals = strchr(operand, '=');
    *name = NULL;
    if (equals == NULL || equals == operand || equals[1] == '\0' || access(operand, F_OK) == 0) {
        return operand;
    }
    *equals = '\0';
    *name = operand;
    return equals + 1;
}

int ohmcli_comparison_read(ohm_comparison **out, const ohmcli_call *call, char **operands, int n,
                           const char *title) {
    const char *published[OHMCLI_MAX_GIVEN];
    const char **paths = calloc((size_t)n, sizeof *paths);
    const char **names = calloc((size_t)n, sizeof *names);
    ohm_error err = {0};
    int code = OHMCLI_DONE;
    *out = NULL;
    if (paths == NULL || names == NULL) {
        code = ohmcli_fail(OHMCLI_FAILED, "out of memory");
    } else {
        for (int i = 0; i < n; i++) {
            paths[i] = cut_name(&names[i], operands[i]);
        }
        ohm_compare_def def = {
            .runs = paths, .names = names, .n_runs = n, .published = published, .title = title};
        const char *file = ohmcli_value_at(call, "published", 0);
        while (file != NULL) {
            published[def.n_published++] = file;
            file = ohmcli_value_at(call, "published", def.n_published);
        }
        if (ohm_comparison_new(out, &def, &err) < 0) {
            code = ohmcli_error(&err);
        }
    }
    free(paths);
    free(names);
    return code;
}

int ohmcli_require_understood(const ohmcli_call *call, const ohm_comparison *comparison) {
    const char *condition = NULL;
    for (int i = 0; (condition = ohmcli_value_at(call, "require", i)) != NULL; i++) {
        ohm_error err = {0};
        const ohm_status status = ohm_comparison_require(comparison, condition, &err);
        if (status < 0 && status != OHM_ERR_CHECK) {
            return ohmcli_error(&err);
        }
    }
    return OHMCLI_DONE;
}

int ohmcli_require_met(const ohmcli_call *call, const ohm_comparison *comparison) {
    const char *condition = NULL;
    int code = OHMCLI_DONE;
    for (int i = 0; (condition = ohmcli_value_at(call, "require", i)) != NULL; i++) {
        ohm_error err = {0};
        if (ohm_comparison_require(comparison, condition, &err) < 0) {
            code = ohmcli_error(&err);
        }
    }
    return code;
}

int ohmcli_comparison_print(const ohm_comparison *comparison, ohm_comparison_form form) {
    char *text = NULL;
    ohm_error err = {0};
    if (ohm_comparison_text(&text, comparison, form, &err) < 0) {
        return ohmcli_error(&err);
    }
    fputs(text, stdout);
    ohm_text_free(&text);
    return OHMCLI_DONE;
}

int ohmcli_comparison_save(const ohm_comparison *comparison, ohm_comparison_form form,
                           const char *path) {
    ohm_error err = {0};
    return ohm_comparison_save(comparison, form, path, &err) < 0 ? ohmcli_error(&err) : OHMCLI_DONE;
}
