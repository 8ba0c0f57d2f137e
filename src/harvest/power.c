// SPDX-License-Identifier: Apache-2.0
// Traces of harvested power made of parts; see power.h.
#include "harvest/power.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"

enum { MOST_PARTS = 16 };

typedef struct {
    ohmi_power_csv *csv;       // or
    ohmi_generator *generator; // one of the two
    double factor;
} part;

struct ohmi_power {
    const ohmi_config *config;
    part parts[MOST_PARTS]; // (n_parts)
    int n_parts;
    int at;         // the part that is being read
    int64_t sample; // of its generator
    double scale;
};

void ohmi_power_free(ohmi_power **power) {
    if (power && *power) {
        for (int i = 0; i < (*power)->n_parts; i++) {
            ohmi_power_csv_close(&(*power)->parts[i].csv);
            ohmi_free((*power)->parts[i].generator);
        }
        ohmi_free(*power);
        *power = NULL;
    }
}

// takes "* factor" off the end of a part's name
static ohm_status take_factor(double *factor, char *name, ohm_error *err) {
    char *star = strrchr(name, '*');
    *factor = 1;
    if (!star) {
        return OHM_OK;
    }
    char *end;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *factor = strtod(star + 1, &end);
    ohmi_c_locale_leave(&locale);
    if (end == star + 1 || end[strspn(end, " ")] || !(*factor >= 0 && *factor <= 1e12)) {
        ohm_status status = ohmi_fail(err, OHM_ERR_CONFIG, "'%s' is no factor of a trace", star);
        ohmi_hint(err, "write it as 'wifi*0.5', with a factor of 0 to 1e12");
        return status;
    }
    *star = 0;
    return OHM_OK;
}

static ohm_status open_part(ohmi_power *power, char *name, uint64_t seed, ohm_error *err) {
    ohm_status status = OHM_OK;
    const char *const *names = ohmi_generator_names();
    part *p = &power->parts[power->n_parts];
    OHM_TRY(take_factor(&p->factor, name, err));
    name += strspn(name, " ");
    for (size_t size = strlen(name); size > 0 && name[size - 1] == ' '; size--) {
        name[size - 1] = 0;
    }
    if (name[0] == 0) {
        status = ohmi_fail(err, OHM_ERR_CONFIG, "'power.traces' has a part without a name");
        ohmi_hint(err, "traces are joined by ',', parts of one by '+'");
        goto done;
    }
    int kind = 0;
    while (names[kind] && strcmp(names[kind], name) != 0) {
        kind++;
    }
    if (names[kind]) {
        p->generator = ohmi_generator_new(kind, power->config, seed, power->n_parts);
        if (!p->generator) {
            status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a trace");
            goto done;
        }
    } else {
        OHM_TRY(ohmi_power_csv_open(&p->csv, name, err));
    }
    power->n_parts++;
done:
    return status;
}

ohm_status ohmi_power_open(ohmi_power **out, const char *trace, const ohmi_config *config,
                           uint64_t seed, ohm_error *err) {
    ohm_status status = OHM_OK;
    char text[4096];
    ohmi_power *power = ohmi_alloc(1, sizeof *power);
    *out = NULL;
    if (!power) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a trace");
        goto done;
    }
    power->config = config;
    power->scale = 1;
    (void)snprintf(text, sizeof text, "%s", trace);
    for (char *at = text; at;) {
        char *plus = strchr(at, '+');
        if (plus) {
            *plus = 0;
        }
        if (power->n_parts == MOST_PARTS) {
            status = ohmi_fail(err, OHM_ERR_CONFIG, "'%s' has more than %d parts", trace,
                               (int)MOST_PARTS);
            goto done;
        }
        OHM_TRY(open_part(power, at, seed, err));
        at = plus ? plus + 1 : NULL;
    }
    *out = power;
    power = NULL;
done:
    ohmi_power_free(&power);
    return status;
}

void ohmi_power_scale(ohmi_power *power, double factor) {
    power->scale = factor;
}

ohm_status ohmi_power_rewind(ohmi_power *power, ohm_error *err) {
    ohm_status status = OHM_OK;
    power->at = 0;
    power->sample = 0;
    for (int i = 0; i < power->n_parts; i++) {
        if (power->parts[i].csv) {
            OHM_TRY(ohmi_power_csv_rewind(power->parts[i].csv, err));
        } else {
            ohmi_generator_rewind(power->parts[i].generator);
        }
    }
done:
    return status;
}

// samples of a generator; 0 at its end
static int generate(ohmi_interval *segments, ohmi_power *power, const part *p) {
    double power_w[OHMI_SEGMENTS];
    const double step_s = power->config->power.step_s;
    const int64_t whole = (int64_t)ceil(power->config->power.length_s / step_s - 1e-9);
    const int64_t left = whole - power->sample;
    const int n = left < OHMI_SEGMENTS ? (int)left : OHMI_SEGMENTS;
    ohmi_generator_fill(power_w, p->generator, n);
    for (int i = 0; i < n; i++) {
        segments[i] = (ohmi_interval){step_s, power_w[i]};
    }
    power->sample += n;
    return n;
}

ohm_status ohmi_power_read(ohmi_interval *segments, int *n, ohmi_power *power, ohm_error *err) {
    ohm_status status = OHM_OK;
    *n = 0;
    while (*n == 0 && power->at < power->n_parts) {
        const part *p = &power->parts[power->at];
        if (p->csv) {
            OHM_TRY(ohmi_power_csv_read(segments, n, p->csv, err));
        } else {
            *n = generate(segments, power, p);
        }
        const double factor = p->factor * power->scale;
        for (int i = 0; i < *n; i++) {
            segments[i].power_w *= factor;
        }
        if (*n == 0) {
            power->at++;
            power->sample = 0;
        }
    }
done:
    return status;
}
