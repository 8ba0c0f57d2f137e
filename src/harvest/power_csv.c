// SPDX-License-Identifier: Apache-2.0
// Measured power from a CSV file, read line by line:
//
//     time_s,power_uw          a head that names the units: time s, ms, us, ns, min, h;
//     0,12.5                   power W, mW, uW, nW (after '_', or in brackets: "power [mW]")
//     0.001,14.25              times rise; a power holds until the next time, the last one for as
//     0.004,0                  long as the one before it
//
// Empty lines and lines that begin with '#' are passed over; columns after the second are not read.
// What is refused, with its line: no or unknown units, fewer than two samples, times that do not
// rise, values that are no numbers, negative powers, lines without an end to them.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"
#include "config/values.h"
#include "harvest/power.h"

enum { LINE_ROOM = 1024 };
#define MOST_W 1e6  // a megawatt is no harvester
#define MOST_S 1e12 // of a time

struct ohmi_power_csv {
    FILE *file;
    char path[1024];
    char line[LINE_ROOM];
    int number;               // of the line
    double time_unit, w_unit; // s, W
    double time_s, power_w;   // of the last sample
    double step_s;            // before it
    int64_t n_samples;
    bool is_done;
};

static ohm_status wrong(ohmi_power_csv *c, ohm_error *err, int column, const char *what,
                        const char *hint) {
    char shown[OHMI_SHOWN];
    ohm_status status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s' %s", ohmi_shown(shown, c->line), what);
    ohmi_hint(err, "%s", hint);
    ohmi_place(err, c->path, c->number, column);
    return status;
}

// the next line that says something; *is_there = false at the end of the file
static ohm_status next_line(bool *is_there, ohmi_power_csv *c, ohm_error *err) {
    *is_there = false;
    while (!*is_there) {
        errno = 0;
        if (!fgets(c->line, sizeof c->line, c->file)) {
            if (ferror(c->file)) {
                ohm_status status =
                    ohmi_fail(err, OHM_ERR_IO, "cannot read the trace: %s", strerror(errno));
                ohmi_place(err, c->path, c->number, 0);
                return status;
            }
            return OHM_OK;
        }
        c->number++;
        const size_t size = strlen(c->line);
        const bool is_whole = size > 0 && c->line[size - 1] == '\n';
        if (!is_whole && !feof(c->file)) {
            c->line[40] = 0;
            return wrong(c, err, 0, "begins a line that is too long, or has a zero byte",
                         "a line is a time and a power, as '0.001,14.25'");
        }
        c->line[strcspn(c->line, "\r\n")] = 0;
        const char *at = c->line + strspn(c->line, " \t");
        *is_there = *at != 0 && *at != '#';
    }
    return OHM_OK;
}

// the factor of the unit at the end of a column's name; 0 = none that is known
static double unit_of(const char *name, size_t size, bool is_time) {
    static const struct {
        const char *name;
        bool is_time;
        double factor;
    } units[] = {{"s", true, 1},      {"ms", true, 1e-3}, {"us", true, 1e-6}, {"ns", true, 1e-9},
                 {"min", true, 60},   {"h", true, 3600},  {"W", false, 1},    {"mW", false, 1e-3},
                 {"uW", false, 1e-6}, {"nW", false, 1e-9}};
    size_t end = size;
    while (end > 0 && strchr(" \t\"'])", name[end - 1])) {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && !strchr("_ [(/", name[begin - 1])) {
        begin--;
    }
    for (size_t i = 0; begin > 0 && i < sizeof units / sizeof *units; i++) {
        if (units[i].is_time == is_time && strlen(units[i].name) == end - begin &&
            strncasecmp(units[i].name, name + begin, end - begin) == 0) {
            return units[i].factor;
        }
    }
    return 0;
}

static ohm_status read_head(ohmi_power_csv *c, ohm_error *err) {
    ohm_status status = OHM_OK;
    bool is_there;
    OHM_TRY(next_line(&is_there, c, err));
    if (!is_there) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "the trace is empty");
        ohmi_hint(err, "a head with units, as 'time_s,power_w', then a time and a power a line");
        ohmi_place(err, c->path, 0, 0);
        goto done;
    }
    const char *text = strncmp(c->line, "\xef\xbb\xbf", 3) == 0 ? c->line + 3 : c->line;
    const size_t first = strcspn(text, ",;\t");
    const char *second = text[first] ? text + first + 1 : "";
    c->time_unit = unit_of(text, first, true);
    c->w_unit = unit_of(second, strcspn(second, ",;\t"), false);
    if (c->time_unit <= 0 || c->w_unit <= 0) {
        status =
            wrong(c, err, 0, c->time_unit <= 0 ? "names no unit of time" : "names no unit of power",
                  "the first line is a head as 'time_s,power_w' or 'time [ms],power [uW]'");
        goto done;
    }
done:
    return status;
}

// a number that ends at a separator or the end; NULL when it is none
static const char *number(double *value, const char *at) {
    char *end;
    at += strspn(at, " \"");
    // strtod would take hexadecimal, "inf" and "nan" too
    if (!strchr("+-.0123456789", *at) || *at == 0 || at[strspn(at, "+-")] == 'i' ||
        at[strspn(at, "+-")] == 'n' || at[strspn(at, "+-0")] == 'x' ||
        at[strspn(at, "+-0")] == 'X') {
        return NULL;
    }
    *value = strtod(at, &end);
    const char *rest = end + strspn(end, " \"");
    return end != at && (*rest == 0 || strchr(",;\t", *rest)) ? rest : NULL;
}

static ohm_status read_sample(bool *is_there, double *time_s, double *power_w, ohmi_power_csv *c,
                              ohm_error *err) {
    ohm_status status = OHM_OK;
    OHM_TRY(next_line(is_there, c, err));
    if (!*is_there) {
        goto done;
    }
    const char *rest = number(time_s, c->line);
    if (!rest || *rest == 0) {
        status = wrong(c, err, 1, rest ? "has no second column" : "does not begin with a number",
                       "a line is a time and a power, as '0.001,14.25'");
        goto done;
    }
    if (!number(power_w, rest + 1)) {
        status = wrong(c, err, (int)(rest + 2 - c->line), "has a power that is no number",
                       "a line is a time and a power, as '0.001,14.25'");
        goto done;
    }
    *time_s *= c->time_unit;
    *power_w *= c->w_unit;
    if (!(fabs(*time_s) <= MOST_S)) {
        status = wrong(c, err, 1, "has a time out of range", "times lie within 1e12 s");
        goto done;
    }
    if (!(*power_w >= 0 && *power_w <= MOST_W)) {
        status = wrong(c, err, (int)(rest + 2 - c->line),
                       *power_w < 0 ? "has a negative power" : "has a power out of range",
                       "a harvester gives 0 W to 1 MW; set what is below 0 to 0 beforehand");
        goto done;
    }
done:
    return status;
}

// head and first sample
static ohm_status begin(ohmi_power_csv *c, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    bool is_there;
    c->number = 0;
    c->n_samples = 1;
    c->is_done = false;
    OHM_TRY(read_head(c, err));
    OHM_TRY(read_sample(&is_there, &c->time_s, &c->power_w, c, err));
    if (!is_there) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "the trace has no samples");
        ohmi_hint(err, "below the head, a time and a power a line; at least two");
        ohmi_place(err, c->path, 0, 0);
        goto done;
    }
done:
    ohmi_c_locale_leave(&locale);
    return status;
}

ohm_status ohmi_power_csv_open(ohmi_power_csv **out, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_power_csv *c = ohmi_alloc(1, sizeof *c);
    *out = NULL;
    if (!c) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a trace");
        goto done;
    }
    (void)snprintf(c->path, sizeof c->path, "%s", path);
    errno = 0;
    c->file = fopen(path, "r");
    if (!c->file) {
        status =
            ohmi_fail(err, OHM_ERR_IO, "cannot open the trace '%s': %s", path, strerror(errno));
        ohmi_hint(err, "a trace is a CSV file, or one of wifi, piezo, thermal, solar");
        goto done;
    }
    OHM_TRY(begin(c, err));
    *out = c;
    c = NULL;
done:
    ohmi_power_csv_close(&c);
    return status;
}

void ohmi_power_csv_close(ohmi_power_csv **csv) {
    if (csv && *csv) {
        if ((*csv)->file) {
            (void)fclose((*csv)->file);
        }
        ohmi_free(*csv);
        *csv = NULL;
    }
}

ohm_status ohmi_power_csv_rewind(ohmi_power_csv *c, ohm_error *err) {
    if (fseek(c->file, 0, SEEK_SET) != 0) {
        ohm_status status =
            ohmi_fail(err, OHM_ERR_IO, "cannot read the trace again: %s", strerror(errno));
        ohmi_hint(err, "a pipe can be read once only; write it into a file");
        ohmi_place(err, c->path, 0, 0);
        return status;
    }
    clearerr(c->file);
    return begin(c, err);
}

ohm_status ohmi_power_csv_read(ohmi_interval *segments, int *n, ohmi_power_csv *c, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *n = 0;
    while (*n < OHMI_SEGMENTS && !c->is_done) {
        bool is_there;
        double time_s, power_w;
        OHM_TRY(read_sample(&is_there, &time_s, &power_w, c, err));
        if (!is_there) {
            if (c->n_samples < 2) {
                status = ohmi_fail(err, OHM_ERR_FORMAT, "the trace has one sample only");
                ohmi_hint(err, "how long its power holds is not known; give at least two");
                ohmi_place(err, c->path, c->number, 0);
                goto done;
            }
            // the last power holds as long as the one before it
            c->is_done = true;
            segments[(*n)++] = (ohmi_interval){c->step_s, c->power_w};
            break;
        }
        if (!(time_s > c->time_s)) {
            status = wrong(c, err, 1, "is not later than the line before", "times must rise");
            goto done;
        }
        c->step_s = time_s - c->time_s;
        segments[(*n)++] = (ohmi_interval){c->step_s, c->power_w};
        c->time_s = time_s;
        c->power_w = power_w;
        c->n_samples++;
    }
done:
    ohmi_c_locale_leave(&locale);
    return status;
}
