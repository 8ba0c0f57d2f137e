// SPDX-License-Identifier: Apache-2.0
// Quantities with units; see quantity.h.
//
// Prefixes: a f p n u m (none) k M G T = 1e-18 .. 1e12; of an area they are squared (um2 = 1e-12
// m2). K, the kelvin, takes none; s also comes as min, h, d, y (365.25 d).
#include "config/quantity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "config/values.h"

static const struct {
    const char *name;
    int power; // of ten
} prefixes[] = {{"a", -18}, {"f", -15}, {"p", -12}, {"n", -9}, {"u", -6}, {"m", -3},
                {"", 0},    {"k", 3},   {"M", 6},   {"G", 9},  {"T", 12}};
enum { N_PREFIXES = (int)(sizeof prefixes / sizeof *prefixes) };

static const struct {
    const char *name;
    double seconds;
} times[] = {{"min", 60}, {"h", 3600}, {"d", 86400}, {"y", 365.25 * 86400}};

// 10^power, exact up to 22
static double ten(int power) {
    double value = 1;
    for (int i = 0; i < power; i++) {
        value *= 10;
    }
    return value;
}

// value * 10^power, rounded once
static double scaled(double value, int power) {
    return power < 0 ? value / ten(-power) : value * ten(power);
}

// how often the prefix counts: twice in an area
static int fold_of(const char *unit) {
    return strcmp(unit, "m2") == 0 ? 2 : 1;
}

static bool takes_prefix(const char *unit) {
    return strcmp(unit, "K") != 0;
}

// applies the written unit to a value; false when it is not one of the field's
static bool apply_unit(double *value, const char *unit, const char *written) {
    for (int i = 0; i < N_PREFIXES; i++) {
        const size_t size = strlen(prefixes[i].name);
        if (strncmp(written, prefixes[i].name, size) == 0 && strcmp(written + size, unit) == 0 &&
            (size == 0 || takes_prefix(unit))) {
            *value = scaled(*value, fold_of(unit) * prefixes[i].power);
            return true;
        }
    }
    for (size_t i = 0; strcmp(unit, "s") == 0 && i < sizeof times / sizeof *times; i++) {
        if (strcmp(written, times[i].name) == 0) {
            *value *= times[i].seconds;
            return true;
        }
    }
    return false;
}

ohm_status ohmi_quantity_read(double *value, const ohmi_field *field, const char *text,
                              ohm_error *err) {
    char unit[16], shown[OHMI_SHOWN];
    const char *at = text + strspn(text, " \t");
    double read = 0;
    if (!ohmi_scan_number(&read, &at)) {
        return ohmi_bad_value(field, text, "not a number with a unit", err);
    }
    at += strspn(at, " \t");
    size_t size = strlen(at);
    while (size > 0 && (at[size - 1] == ' ' || at[size - 1] == '\t')) {
        size--;
    }
    (void)snprintf(unit, sizeof unit, "%.*s", (int)(size < 15 ? size : 15), at);
    const char *prefix = fold_of(field->unit) == 2 ? "u" : takes_prefix(field->unit) ? "n" : "";
    if (size == 0) {
        ohm_status status = ohmi_fail(err, OHM_ERR_CONFIG, "'%s' is '%s', which has no unit",
                                      field->key, ohmi_shown(shown, text));
        ohmi_hint(err, "write %s, with any SI prefix, as '1 %s%s'", field->unit, prefix,
                  field->unit);
        return status;
    }
    if (size > 15 || !apply_unit(&read, field->unit, unit)) {
        ohm_status status = ohmi_fail(err, OHM_ERR_CONFIG, "'%s' does not take the unit '%s'",
                                      field->key, ohmi_shown(shown, at));
        ohmi_hint(err, "write %s, with any SI prefix, as '1 %s%s'", field->unit, prefix,
                  field->unit);
        return status;
    }
    const bool is_zero = field->has_zero && read <= 0 && read >= 0;
    if (!isfinite(read) || (!is_zero && (read < field->min || read > field->max))) {
        return ohmi_bad_value(field, text,
                              read < 0 && field->min >= 0 ? "negative" : "out of range", err);
    }
    *value = read + 0.0; // -0 becomes 0
    return OHM_OK;
}

void ohmi_quantity_add_text(ohmi_text *out, double value, const char *unit) {
    const int fold = fold_of(unit);
    int best = 0;
    while (prefixes[best].power != 0) {
        best++;
    }
    for (int i = 0; takes_prefix(unit) && value > 0 && i < N_PREFIXES; i++) {
        const double mantissa = scaled(value, -fold * prefixes[i].power);
        if (mantissa >= 1 && mantissa < (fold == 2 ? 1e6 : 1e3)) {
            best = i;
            break;
        }
    }
    // the fewest digits that come back as the same double
    const int power = fold * prefixes[best].power;
    char text[40];
    ohmi_c_locale numbers = ohmi_c_locale_enter();
    bool is_exact = false;
    for (int digits = 1; digits <= 17 && !is_exact; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, scaled(value, -power));
        is_exact = scaled(strtod(text, NULL), power) == value;
    }
    // 500, not 5e+02
    if (is_exact && strchr(text, 'e') && fabs(scaled(value, -power)) < 1e6 &&
        fabs(scaled(value, -power)) >= 1) {
        (void)snprintf(text, sizeof text, "%.0f", scaled(value, -power));
    }
    // two roundings can miss it: then without a prefix
    if (!is_exact) {
        (void)snprintf(text, sizeof text, "%.17g", value);
    }
    ohmi_c_locale_leave(&numbers);
    ohmi_text_printf(out, "%s %s%s", text, is_exact ? prefixes[best].name : "", unit);
}

void ohmi_quantity_add_rounded(ohmi_text *out, double value, const char *unit, int width) {
    char text[48];
    int best = N_PREFIXES - 1;
    while (best > 0 && fabs(value) < scaled(1, prefixes[best].power)) {
        best--;
    }
    if (!isfinite(value)) {
        (void)snprintf(text, sizeof text, "%s", isnan(value) ? "-" : "unlimited");
    } else if (fabs(value) <= 0) {
        (void)snprintf(text, sizeof text, "0 %s", unit);
    } else {
        (void)snprintf(text, sizeof text, "%.4g %s%s", scaled(value, -prefixes[best].power),
                       prefixes[best].name, unit);
    }
    ohmi_text_printf(out, "%*s", width, text);
}
