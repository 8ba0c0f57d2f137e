// SPDX-License-Identifier: Apache-2.0
// Many hardware points of one run (ohm_cost_sweep): counts are kept from point to point, so that a
// point costs a sum over tasks and layers.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"
#include "hardware/bill.h"

enum { MOST_AXES = 8, MOST_VALUES = 100000, MOST_POINTS = 1000000 };

typedef struct {
    char key[64];
    char (*values)[64]; // (n)
    int n;
} axis;

static ohm_status bad_axis(const char *text, const char *what, ohm_error *err) {
    ohm_status status = ohmi_fail(err, OHM_ERR_ARGUMENT, "'%.80s' %s", text, what);
    ohmi_hint(err, "write KEY=A,B,C or KEY=A..B:N or KEY=A..B:Nlog, as cell.max=2 uS..20 uS:10");
    return status;
}

// "2 uS..20 uS:10log": the ends as the key reads them
static ohm_status read_range(axis *out, const char *text, const char *range, ohm_error *err) {
    const ohmi_table *table = ohmi_hardware_table();
    const ohmi_field *field = ohmi_table_find(table, out->key);
    const char *dots = strstr(range, ".."), *colon = strrchr(range, ':');
    char ends[2][64], *rest;
    if (!colon || colon < dots || dots - range > 63 || colon - dots - 2 > 63) {
        return bad_axis(text, "is no range", err);
    }
    (void)snprintf(ends[0], sizeof ends[0], "%.*s", (int)(dots - range), range);
    (void)snprintf(ends[1], sizeof ends[1], "%.*s", (int)(colon - dots - 2), dots + 2);
    const long n = strtol(colon + 1, &rest, 10);
    const bool is_log = strcmp(rest, "log") == 0;
    if (n < 2 || n > MOST_VALUES || (*rest && !is_log)) {
        return bad_axis(text, "does not say 2 to 100000 values", err);
    }
    if (field->type != OHMI_FIELD_NUMBER && field->type != OHMI_FIELD_QUANTITY) {
        return bad_axis(text, "is a range of what is no real number; list its values", err);
    }
    ohmi_hardware ends_of[2] = {0};
    double end[2];
    for (int i = 0; i < 2; i++) {
        const ohm_status status = ohmi_field_set(&ends_of[i], field, ends[i], err);
        if (status < 0) {
            return status;
        }
        memcpy(&end[i], (const char *)&ends_of[i] + field->offset, sizeof end[i]);
    }
    if (is_log && (end[0] <= 0 || end[1] <= 0)) {
        return bad_axis(text, "has no ratio between its ends", err);
    }
    out->values = ohmi_alloc((size_t)n, sizeof *out->values);
    if (!out->values) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for an axis");
    }
    for (int i = 0; i < n; i++) {
        const double part = (double)i / (double)(n - 1);
        const double value =
            is_log ? end[0] * pow(end[1] / end[0], part) : end[0] + (end[1] - end[0]) * part;
        ohmi_c_locale numbers = ohmi_c_locale_enter();
        (void)snprintf(out->values[i], sizeof *out->values, "%.10g%s%s", value,
                       field->type == OHMI_FIELD_QUANTITY ? " " : "",
                       field->type == OHMI_FIELD_QUANTITY ? field->unit : "");
        ohmi_c_locale_leave(&numbers);
    }
    out->n = (int)n;
    return OHM_OK;
}

static ohm_status read_axis(axis *out, const char *text, ohm_error *err) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || equals - text > 63 || !equals[1]) {
        return bad_axis(text, "is no axis", err);
    }
    (void)snprintf(out->key, sizeof out->key, "%.*s", (int)(equals - text), text);
    if (!ohmi_table_find(ohmi_hardware_table(), out->key)) {
        return ohmi_table_unknown(ohmi_hardware_table(), out->key, err);
    }
    if (strstr(equals, "..")) {
        return read_range(out, text, equals + 1, err);
    }
    int n = 1;
    for (const char *at = equals + 1; *at; at++) {
        n += *at == ',';
    }
    out->values = n <= MOST_VALUES ? ohmi_alloc((size_t)n, sizeof *out->values) : NULL;
    if (!out->values) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for an axis");
    }
    for (const char *at = equals + 1; out->n < n; out->n++) {
        const size_t size = strcspn(at, ",");
        if (size == 0 || size > 63) {
            return bad_axis(text, "has an empty value, or one that is too long", err);
        }
        (void)snprintf(out->values[out->n], sizeof *out->values, "%.*s", (int)size, at);
        at += size + 1;
    }
    return OHM_OK;
}

// one line: the values of the axes, then what the run costs there
static ohm_status add_point(ohmi_text *out, ohm_cost *cost, const ohm_hardware *point,
                            ohm_error *err) {
    ohm_status status = OHM_OK;
    ohm_bill *bill = NULL;
    double mean_j = 0, mean_s = 0, programming_j = 0, operations = 0;
    OHM_TRY(ohmi_bill_point(&bill, cost, point, err));
    const int n = cost->work->n_tasks;
    for (int t = 0; t < n; t++) {
        mean_j += ohmi_price_total_j(&bill->tasks[t]) / n;
        mean_s += bill->tasks[t].latency_s / n;
        operations += bill->tasks[t].operations / n;
    }
    for (int s = 0; bill->has_ledger && s < cost->moves.n_learned; s++) {
        programming_j += ohmi_ledger_total_j(&bill->steps[s], &bill->hardware);
    }
    ohmi_text_printf(out, "%.10g,%.10g,%.10g,%.10g,%.10g,%.10g,%.10g\n", bill->area.total_m2,
                     ohmi_price_total_j(&bill->tasks[0]), mean_j, mean_s, mean_j / mean_s,
                     programming_j, operations / mean_j * 1e-12);
done:
    ohm_bill_free(&bill);
    return status;
}

ohm_status ohm_cost_sweep(char **csv, ohm_cost *cost, const ohm_hardware *hardware,
                          const char *const *axes, int n_axes, ohm_error *err) {
    ohm_status status = OHM_OK;
    axis read[MOST_AXES] = {0};
    ohmi_text out = {0};
    int64_t n_points = 1;
    *csv = NULL;
    ohmi_c_locale numbers = ohmi_c_locale_enter();
    if (n_axes < 1 || n_axes > MOST_AXES) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "%d axes, allowed are 1 to %d", n_axes,
                           (int)MOST_AXES);
        goto done;
    }
    for (int i = 0; i < n_axes; i++) {
        OHM_TRY(read_axis(&read[i], axes[i], err));
        n_points *= read[i].n;
        if (n_points > MOST_POINTS) {
            status = ohmi_fail(err, OHM_ERR_ARGUMENT, "the axes have more than %d points together",
                               (int)MOST_POINTS);
            goto done;
        }
        ohmi_text_printf(&out, "%s,", read[i].key);
    }
    ohmi_text_add(&out, "area_m2,task1_energy_j,mean_energy_j,mean_latency_s,mean_power_w,"
                        "programming_j,tops_per_watt\n");
    for (int64_t p = 0; p < n_points; p++) {
        ohm_hardware point = *hardware;
        int64_t rest = p, below = n_points;
        for (int i = 0; i < n_axes; i++) {
            below /= read[i].n;
            const char *value = read[i].values[rest / below];
            rest %= below;
            OHM_TRY(ohm_hardware_set(&point, read[i].key, value, err));
            ohmi_text_printf(&out, "%s,", value);
        }
        OHM_TRY(add_point(&out, cost, &point, err));
    }
    if (out.failed) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the points of a sweep");
        goto done;
    }
    *csv = out.data;
    out = (ohmi_text){0};
done:
    ohmi_c_locale_leave(&numbers);
    for (int i = 0; i < MOST_AXES; i++) {
        ohmi_free(read[i].values);
    }
    ohmi_text_clear(&out);
    return status;
}
