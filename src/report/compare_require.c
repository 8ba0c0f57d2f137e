// SPDX-License-Identifier: Apache-2.0
// Conditions on runs, as "mean_accuracy>=0.7": a key of metrics.json, an operator, a value.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "report/compare.h"

typedef enum { AT_LEAST, AT_MOST, EQUAL, NOT_EQUAL, ABOVE, BELOW, N_OPERATORS } operator_kind;

// the longer ones first, since they begin with the shorter ones
static const char *const operators[N_OPERATORS] = {">=", "<=", "==", "!=", ">", "<"};

typedef struct {
    char field[96];
    operator_kind kind;
    char value[96];
    double number; // NAN when the value is a word
} condition;

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

// Copies n characters without blanks around them; false when nothing is left or it does not fit.
static bool copy_trimmed(char *out, size_t size_bytes, const char *text, size_t n) {
    while (n > 0 && is_blank(text[0])) {
        text += 1;
        n -= 1;
    }
    while (n > 0 && is_blank(text[n - 1])) {
        n -= 1;
    }
    if (n == 0 || n >= size_bytes) {
        return false;
    }
    memcpy(out, text, n);
    out[n] = '\0';
    return true;
}

static ohm_status parse(condition *out, const char *text, ohm_error *err) {
    const size_t at = strcspn(text, "<>=!");
    int kind = 0;
    while (kind < N_OPERATORS &&
           strncmp(text + at, operators[kind], strlen(operators[kind])) != 0) {
        kind += 1;
    }
    const size_t skip = kind < N_OPERATORS ? strlen(operators[kind]) : 0;
    if (kind == N_OPERATORS || !copy_trimmed(out->field, sizeof out->field, text, at) ||
        !copy_trimmed(out->value, sizeof out->value, text + at + skip, strlen(text + at + skip))) {
        const ohm_status status =
            ohmi_fail(err, OHM_ERR_ARGUMENT, "'%.100s' is no condition", text);
        ohmi_hint(err, "write FIELD OPERATOR VALUE, as 'mean_accuracy>=0.7', with one of "
                       ">= <= > < == !=");
        return status;
    }
    out->kind = (operator_kind)kind;
    char *end = NULL;
    out->number = strtod(out->value, &end);
    if (*end != '\0' || !isfinite(out->number)) {
        out->number = (double)NAN;
        if (kind != EQUAL && kind != NOT_EQUAL) {
            const ohm_status status =
                ohmi_fail(err, OHM_ERR_ARGUMENT, "'%s' is no number, in the condition '%.100s'",
                          out->value, text);
            ohmi_hint(err, "words can only be asked for with == and !=");
            return status;
        }
    }
    return OHM_OK;
}

// The value of "key", "key.key" or "key[N].key" (N from 1); NULL when there is no such key, and for
// null as JSON has it.
static const json_t *look_up(const json_t *root, const char *field) {
    const json_t *at = root;
    while (at != NULL && *field != '\0') {
        char key[96];
        const size_t n = strcspn(field, ".[");
        (void)snprintf(key, sizeof key, "%.*s", (int)n, field);
        at = n > 0 ? json_object_get(at, key) : at;
        field += n;
        if (*field == '[') {
            char *end = NULL;
            const long index = strtol(field + 1, &end, 10);
            if (end == field + 1 || *end != ']' || index < 1) {
                return NULL;
            }
            at = json_array_get(at, (size_t)index - 1);
            field = end + 1;
        }
        if (*field == '.') {
            field += 1;
        }
    }
    return at;
}

static bool compare_numbers(double a, operator_kind kind, double b) {
    switch (kind) {
    case AT_LEAST:
        return a >= b;
    case AT_MOST:
        return a <= b;
    case EQUAL:
        return a == b;
    case NOT_EQUAL:
        return a != b;
    case ABOVE:
        return a > b;
    case BELOW:
        return a < b;
    case N_OPERATORS:
        break;
    }
    return false;
}

// Whether a run meets a condition; else what it has, as text. -1 when the two cannot be compared.
static int meets(const condition *wanted, const json_t *value, char *has, size_t size_bytes) {
    if (json_is_number(value)) {
        (void)snprintf(has, size_bytes, "%.6g", json_number_value(value));
        return isnan(wanted->number)
                   ? -1
                   : compare_numbers(json_number_value(value), wanted->kind, wanted->number);
    }
    const char *word = json_is_string(value)  ? json_string_value(value)
                       : json_is_true(value)  ? "true"
                       : json_is_false(value) ? "false"
                                              : NULL;
    (void)snprintf(has, size_bytes, "%.80s", word != NULL ? word : "");
    if (word == NULL || (wanted->kind != EQUAL && wanted->kind != NOT_EQUAL)) {
        return -1;
    }
    return (strcmp(word, wanted->value) == 0) == (wanted->kind == EQUAL);
}

ohm_status ohm_comparison_require(const ohm_comparison *comparison, const char *text,
                                  ohm_error *err) {
    ohm_status status = OHM_OK;
    condition wanted;
    char has[96];
    char first[256] = ""; // the first that does not meet it
    int n_unmet = 0;
    int n_known = 0;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    OHM_TRY(parse(&wanted, text, err));
    if (comparison == NULL) {
        goto done;
    }
    for (int i = 0; i < comparison->n_runs; ++i) {
        const ohmi_compared_run *r = &comparison->runs[i];
        const json_t *value = look_up(r->run.metrics, wanted.field);
        const bool is_null = value == NULL || json_is_null(value);
        const int met = is_null ? 0 : meets(&wanted, value, has, sizeof has);
        n_known += value != NULL ? 1 : 0;
        if (met < 0) {
            status = ohmi_fail(err, OHM_ERR_ARGUMENT,
                               "'%s' cannot be compared like that in '%.100s'", wanted.field, text);
            ohmi_hint(err, "numbers with numbers; words, true and false with == and !=");
            goto done;
        }
        if (met == 0) {
            n_unmet += 1;
            if (first[0] == '\0') {
                (void)snprintf(first, sizeof first, "'%.120s' has %s", r->path,
                               is_null ? "not measured it" : has);
            }
        }
    }
    if (n_known == 0) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "no run has the field '%s'", wanted.field);
        ohmi_hint(err, "a key of metrics.json, as mean_accuracy, forgetting, tasks[1].accuracy");
        goto done;
    }
    if (n_unmet > 0) {
        status = ohmi_fail(err, OHM_ERR_CHECK, "not met: '%.100s': %s", text, first);
        if (n_unmet > 1) {
            ohmi_hint(err, "and %d more of %d runs", n_unmet - 1, comparison->n_runs);
        }
    }
done:
    ohmi_c_locale_leave(&locale);
    return status;
}
