// SPDX-License-Identifier: Apache-2.0
// Values of a config from and to text; see values.h.
//
// A number is [+-] digits [. digits] [e [+-] digits], then, with or without blanks, a unit: the
// field's own word ("bits", "epochs"), or
//   s        ms, s, min, h, d
//   part     %
//   S        mS, uS, nS        V: mV        Hz: kHz, MHz, GHz
//   counts   k = 1000, M = 1000000
// Quantities, whose unit must be written, are read in quantity.c.
// Numbers are read and written with a point whatever the locale of the process.
#include "config/values.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "config/quantity.h"

const char *ohmi_shown(char out[OHMI_SHOWN], const char *text) {
    size_t size = 0;
    while (text[size] && size < OHMI_SHOWN - 4) {
        const unsigned char byte = (unsigned char)text[size];
        out[size++] = (char)(byte < 0x20 || byte == 0x7f ? '?' : byte);
    }
    if (text[size]) {
        size = ohmi_text_cut(text, size);
        memcpy(out + size, "...", 4);
    } else {
        out[size] = 0;
    }
    return out;
}

void ohmi_number_add_text(ohmi_text *out, double value) {
    char text[40], *exponent;
    ohmi_c_locale numbers = ohmi_c_locale_enter();
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    // whole numbers that people count with are written out
    if (value == rint(value) && fabs(value) < 1e16) {
        (void)snprintf(text, sizeof text, "%.0f", value);
    }
    ohmi_c_locale_leave(&numbers);

    // YAML 1.1 takes 4e-05 for a word, 4.0e-05 for a number
    exponent = strchr(text, 'e');
    if (exponent && !strchr(text, '.')) {
        ohmi_text_bytes(out, text, (size_t)(exponent - text));
        ohmi_text_add(out, ".0");
        ohmi_text_add(out, exponent);
    } else {
        ohmi_text_add(out, text);
    }
}

static const char *skip_blanks(const char *at) {
    while (*at == ' ' || *at == '\t') {
        at++;
    }
    return at;
}

// reads a number and moves at behind it; false when there is none
bool ohmi_scan_number(double *value, const char **at) {
    const char *end = *at;
    char copy[64];
    int n_digits = 0;
    end += *end == '+' || *end == '-';
    for (; isdigit((unsigned char)*end); end++) {
        n_digits++;
    }
    if (*end == '.') {
        for (end++; isdigit((unsigned char)*end); end++) {
            n_digits++;
        }
    }
    if (n_digits == 0) {
        return false;
    }
    if (*end == 'e' || *end == 'E') {
        const char *power = end + 1;
        power += *power == '+' || *power == '-';
        if (isdigit((unsigned char)*power)) {
            for (end = power; isdigit((unsigned char)*end); end++) {
            }
        }
    }
    const size_t size = (size_t)(end - *at);
    if (size >= sizeof copy) {
        return false;
    }
    memcpy(copy, *at, size);
    copy[size] = 0;
    ohmi_c_locale numbers = ohmi_c_locale_enter();
    *value = strtod(copy, NULL);
    ohmi_c_locale_leave(&numbers);
    *at = end;
    return true;
}

// the factor of a unit; 0 when the field does not take it
static double factor_of_unit(const ohmi_field *field, const char *unit, size_t size) {
    static const struct {
        const char *of, *unit;
        double factor;
    } units[] = {{"s", "ms", 1e-3},  {"s", "s", 1},       {"s", "min", 60},   {"s", "h", 3600},
                 {"s", "d", 86400},  {"part", "%", 0.01}, {"S", "mS", 1e-3},  {"S", "uS", 1e-6},
                 {"S", "nS", 1e-9},  {"V", "mV", 1e-3},   {"Hz", "kHz", 1e3}, {"Hz", "MHz", 1e6},
                 {"Hz", "GHz", 1e9}, {"*", "k", 1e3},     {"*", "K", 1e3},    {"*", "M", 1000000}};
    if (size == 0 || (strlen(field->unit) == size && strncmp(field->unit, unit, size) == 0)) {
        return 1;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        const bool is_for = units[i].of[0] == '*' ? field->type == OHMI_FIELD_INTEGER
                                                  : strcmp(units[i].of, field->unit) == 0;
        if (is_for && strlen(units[i].unit) == size && strncmp(units[i].unit, unit, size) == 0) {
            return units[i].factor;
        }
    }
    return 0;
}

static void add_limits(ohmi_text *out, const ohmi_field *field) {
    if (field->has_zero) {
        ohmi_text_add(out, "0, or ");
    }
    ohmi_number_add_text(out, field->min);
    ohmi_text_add(out, " .. ");
    ohmi_number_add_text(out, field->max);
}

void ohmi_field_add_range(ohmi_text *out, const ohmi_field *field) {
    switch (field->type) {
    case OHMI_FIELD_BOOL:
        ohmi_text_add(out, "true or false");
        return;
    case OHMI_FIELD_INTEGER:
        ohmi_text_add(out, "whole number, ");
        add_limits(out, field);
        return;
    case OHMI_FIELD_NUMBER:
        ohmi_text_add(out, "number, ");
        add_limits(out, field);
        return;
    case OHMI_FIELD_NUMBERS:
        ohmi_text_printf(out, "list of at most %d numbers, each ", OHMI_LIST);
        add_limits(out, field);
        return;
    case OHMI_FIELD_QUANTITY:
        ohmi_text_add(out, "quantity, ");
        if (field->has_zero) {
            ohmi_text_printf(out, "0 %s, or ", field->unit);
        }
        ohmi_quantity_add_text(out, field->min, field->unit);
        ohmi_text_add(out, " .. ");
        ohmi_quantity_add_text(out, field->max, field->unit);
        return;
    case OHMI_FIELD_CHOICE:
        break;
    case OHMI_FIELD_TEXT:
        if (!field->choices) {
            ohmi_text_printf(out, "text of %.0f to %.0f bytes", field->min, field->max);
            return;
        }
        break;
    }
    ohmi_text_add(out, "one of ");
    for (int i = 0; field->choices[i]; i++) {
        ohmi_text_printf(out, i ? ", %s" : "%s", field->choices[i]);
    }
}

// "'train.lr' is 'abc'" with what it takes as hint
ohm_status ohmi_bad_value(const ohmi_field *field, const char *text, const char *what,
                          ohm_error *err) {
    char shown[OHMI_SHOWN];
    ohmi_text range = {0};
    ohm_status status = ohmi_fail(err, OHM_ERR_CONFIG, "'%s' is '%s', which is %s", field->key,
                                  ohmi_shown(shown, text), what);
    ohmi_field_add_range(&range, field);
    ohmi_hint(err, "%s", range.data && !range.failed ? range.data : "");
    ohmi_text_clear(&range);
    return status;
}

static bool in_range(const ohmi_field *field, double value) {
    return (field->has_zero && value == 0) || (value >= field->min && value <= field->max);
}

// one number with its unit, up to the end of text
static ohm_status read_number(double *value, const ohmi_field *field, const char *text,
                              ohm_error *err) {
    const char *at = skip_blanks(text);
    if (!ohmi_scan_number(value, &at)) {
        return ohmi_bad_value(field, text, "not a number", err);
    }
    at = skip_blanks(at);
    size_t size = strlen(at);
    while (size > 0 && (at[size - 1] == ' ' || at[size - 1] == '\t')) {
        size--;
    }
    const double factor = factor_of_unit(field, at, size);
    if (factor == 0) {
        char shown[OHMI_SHOWN];
        ohm_status status = ohmi_fail(err, OHM_ERR_CONFIG, "'%s' does not take the unit '%s'",
                                      field->key, ohmi_shown(shown, at));
        ohmi_hint(err, "%s",
                  strcmp(field->unit, "s") == 0       ? "units are ms, s, min, h, d"
                  : strcmp(field->unit, "part") == 0  ? "write 0.3 or 30 %"
                  : field->type == OHMI_FIELD_INTEGER ? "write 2000 or 2k"
                                                      : "write a plain number");
        return status;
    }
    // division keeps 30 % the same number as 0.3
    *value = factor == 0.01 ? *value / 100.0 : factor == 1e-3 ? *value / 1000.0 : *value * factor;
    if (field->type == OHMI_FIELD_INTEGER && *value != rint(*value)) {
        return ohmi_bad_value(field, text, "not a whole number", err);
    }
    if (!in_range(field, *value)) {
        return ohmi_bad_value(field, text, "out of range", err);
    }
    *value += 0.0; // -0 becomes 0
    return OHM_OK;
}

static ohm_status set_numbers(ohmi_numbers *list, const ohmi_field *field, const char *text,
                              ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_numbers read = {.n = 0};
    const char *at = skip_blanks(text);

    // brackets are optional, but come in pairs
    const bool has_bracket = *at == '[';
    at += has_bracket;
    size_t size = strlen(at);
    while (size > 0 && (at[size - 1] == ' ' || at[size - 1] == '\t')) {
        size--;
    }
    if ((size > 0 && at[size - 1] == ']') != has_bracket) {
        status = ohmi_bad_value(field, text, "not a list of numbers", err);
        goto done;
    }
    size -= has_bracket;

    // numbers between commas; nothing at all is the empty list
    const char *end = at + size;
    at = skip_blanks(at);
    while (at < end || read.n > 0) {
        char item[64];
        const char *comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
        const size_t item_size = at < end ? (size_t)((comma ? comma : end) - at) : 0;
        if (item_size >= sizeof item || read.n == OHMI_LIST) {
            status = ohmi_bad_value(field, text, "too long", err);
            goto done;
        }
        memcpy(item, at, item_size);
        item[item_size] = 0;
        OHM_TRY(read_number(&read.v[read.n], field, item, err));
        read.n++;
        if (!comma) {
            break;
        }
        at = comma + 1;
    }
    *list = read;
done:
    return status;
}

static ohm_status set_text(char *member, const ohmi_field *field, const char *text,
                           ohm_error *err) {
    const size_t size = strlen(text);
    if (size >= field->size || !in_range(field, (double)size)) {
        return ohmi_bad_value(field, text, size ? "too long" : "empty", err);
    }
    if (!ohmi_text_is_clean(text)) {
        return ohmi_bad_value(field, text, "not plain UTF-8 text", err);
    }
    // the rest is zeroed, so that equal configs have equal bytes
    memset(member, 0, field->size);
    memcpy(member, text, size);
    return OHM_OK;
}

// the index of a choice; -1 with err filled
static int choice_of(const ohmi_field *field, const char *text, ohm_error *err) {
    for (int i = 0; field->choices[i]; i++) {
        if (strcmp(field->choices[i], text) == 0) {
            return i;
        }
    }
    const char *nearest = ohmi_choice_nearest(field, text);
    (void)ohmi_bad_value(field, text, "unknown", err);
    if (nearest && err) {
        char range[sizeof err->hint];
        (void)snprintf(range, sizeof range, "%s", err->hint);
        ohmi_hint(err, "did you mean '%s'? %.180s", nearest, range);
    }
    return -1;
}

static ohm_status set_bool(bool *member, const ohmi_field *field, const char *text,
                           ohm_error *err) {
    static const char *const words[][2] = {{"false", "true"}, {"no", "yes"}, {"off", "on"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        for (int value = 0; value < 2; value++) {
            if (strcasecmp(text, words[i][value]) == 0) {
                *member = value;
                return OHM_OK;
            }
        }
    }
    return ohmi_bad_value(field, text, "not a truth value", err);
}

ohm_status ohmi_field_set(void *values, const ohmi_field *field, const char *text, ohm_error *err) {
    ohm_status status = OHM_OK;
    void *member = (char *)values + field->offset;
    double value = 0;
    switch (field->type) {
    case OHMI_FIELD_BOOL:
        OHM_TRY(set_bool(member, field, text, err));
        break;
    case OHMI_FIELD_INTEGER:
        OHM_TRY(read_number(&value, field, text, err));
        *(int64_t *)member = (int64_t)value;
        break;
    case OHMI_FIELD_NUMBER:
        OHM_TRY(read_number(&value, field, text, err));
        *(double *)member = value;
        break;
    case OHMI_FIELD_CHOICE: {
        // all enums of the config have the size of an int
        const int index = choice_of(field, text, err);
        if (index < 0) {
            return OHM_ERR_CONFIG;
        }
        memcpy(member, &index, sizeof index);
        break;
    }
    case OHMI_FIELD_TEXT:
        if (field->choices && choice_of(field, text, err) < 0) {
            return OHM_ERR_CONFIG;
        }
        OHM_TRY(set_text(member, field, text, err));
        break;
    case OHMI_FIELD_NUMBERS:
        OHM_TRY(set_numbers(member, field, text, err));
        break;
    case OHMI_FIELD_QUANTITY:
        OHM_TRY(ohmi_quantity_read(member, field, text, err));
        break;
    }
done:
    return status;
}

void ohmi_field_add_text(ohmi_text *out, const ohmi_field *field, const void *values) {
    const void *member = (const char *)values + field->offset;
    switch (field->type) {
    case OHMI_FIELD_BOOL:
        ohmi_text_add(out, *(const bool *)member ? "true" : "false");
        break;
    case OHMI_FIELD_INTEGER:
        ohmi_text_printf(out, "%lld", (long long)*(const int64_t *)member);
        break;
    case OHMI_FIELD_NUMBER:
        ohmi_number_add_text(out, *(const double *)member);
        break;
    case OHMI_FIELD_CHOICE: {
        int index;
        memcpy(&index, member, sizeof index);
        ohmi_text_add(out, field->choices[index]);
        break;
    }
    case OHMI_FIELD_TEXT:
        ohmi_text_add(out, member);
        break;
    case OHMI_FIELD_NUMBERS: {
        const ohmi_numbers *list = member;
        ohmi_text_add(out, "[");
        for (int i = 0; i < list->n; i++) {
            ohmi_text_add(out, i ? ", " : "");
            ohmi_number_add_text(out, list->v[i]);
        }
        ohmi_text_add(out, "]");
        break;
    }
    case OHMI_FIELD_QUANTITY:
        ohmi_quantity_add_text(out, *(const double *)member, field->unit);
        break;
    }
}

ohm_status ohmi_table_unknown(const ohmi_table *table, const char *key, ohm_error *err) {
    char shown[OHMI_SHOWN];
    const char *nearest = ohmi_table_nearest(table, key);
    ohm_status status = ohmi_fail(err, OHM_ERR_CONFIG, "unknown key '%s'", ohmi_shown(shown, key));
    if (nearest) {
        ohmi_hint(err, "did you mean '%s'?", nearest);
    } else {
        ohmi_hint(err, "%s", table->help);
    }
    return status;
}

ohm_status ohmi_unknown_key(const char *key, ohm_error *err) {
    return ohmi_table_unknown(ohmi_config_table(), key, err);
}

ohm_status ohmi_table_defaults(void *values, const ohmi_table *table, ohm_error *err) {
    ohm_status status = OHM_OK;
    for (int i = 0; i < table->n_fields; i++) {
        const ohmi_field *field = &table->fields[i];
        if (field->default_text) {
            OHM_TRY(ohmi_field_set(values, field, field->default_text, err));
        }
    }
done:
    return status;
}
