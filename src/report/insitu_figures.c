// SPDX-License-Identifier: Apache-2.0
// What training on crossbars took, run by run and line by line; see insitu_figures.h.
#include "report/insitu_figures.h"

#include <math.h>
#include <string.h>

#include "report/result_figures.h"

static const char *const all_of_insitu[] = {"insitu.", NULL};

static bool begins_with_one_of(const char *line, const char *const *prefixes) {
    for (int i = 0; prefixes[i]; ++i) {
        if (strncmp(line, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

bool ohmi_insitu_differ_only_in(const char *a, const char *b, const char *const *prefixes) {
    while (a && b && *a && *b) {
        const size_t n_a = strcspn(a, "\n"), n_b = strcspn(b, "\n");
        if ((n_a != n_b || memcmp(a, b, n_a) != 0) && !begins_with_one_of(a, prefixes)) {
            return false;
        }
        a += n_a + (a[n_a] != '\0');
        b += n_b + (b[n_b] != '\0');
    }
    return a && b && !*a && !*b;
}

const json_t *ohmi_insitu_summary(const ohmi_compared_run *r) {
    return json_object_get(r->run.metrics, "insitu");
}

// the compared run that was trained as this one, with nothing left out
static const ohmi_compared_run *plain_of(const ohm_comparison *c, const ohmi_compared_run *r) {
    for (int i = 0; i < c->n_runs; ++i) {
        const ohmi_compared_run *p = &c->runs[i];
        if (json_is_true(json_object_get(ohmi_insitu_summary(p), "plain")) &&
            p->run.seed == r->run.seed && strcmp(p->digest, r->digest) == 0 &&
            ohmi_insitu_differ_only_in(p->config, r->config, all_of_insitu)) {
            return p;
        }
    }
    return NULL;
}

static void fill_run(double figures[OHMI_N_INSITU], const ohm_comparison *c,
                     const ohmi_compared_run *r) {
    const json_t *own = ohmi_insitu_summary(r), *ratios = json_object_get(own, "ratios");
    const double kept = ohmi_json_number(own, "rows_kept");
    const double left = ohmi_json_number(own, "rows_left_out");
    figures[OHMI_INSITU_LEFT] = left / (kept + left);
    figures[OHMI_INSITU_ACCURACY] = r->run.mean_accuracy;
    figures[OHMI_INSITU_ENERGY] = ohmi_json_number(own, "energy_j");
    figures[OHMI_INSITU_TIME] = ohmi_json_number(own, "time_s");
    figures[OHMI_INSITU_LIFETIME] = ohmi_json_number(json_object_get(own, "lifetime"), "epochs");
    if (json_is_object(ratios)) {
        figures[OHMI_INSITU_POINTS] = ohmi_json_number(ratios, "accuracy_points") / 100;
        figures[OHMI_INSITU_ENERGY_TIMES] = ohmi_json_number(ratios, "energy");
        figures[OHMI_INSITU_TIME_TIMES] = ohmi_json_number(ratios, "time");
        figures[OHMI_INSITU_LIFETIME_TIMES] = ohmi_json_number(ratios, "lifetime");
        return;
    }
    const ohmi_compared_run *plain = plain_of(c, r);
    const json_t *other = plain ? ohmi_insitu_summary(plain) : NULL;
    figures[OHMI_INSITU_POINTS] =
        plain ? r->run.mean_accuracy - plain->run.mean_accuracy : (double)NAN;
    figures[OHMI_INSITU_ENERGY_TIMES] =
        ohmi_json_number(other, "energy_j") / figures[OHMI_INSITU_ENERGY];
    figures[OHMI_INSITU_TIME_TIMES] = ohmi_json_number(other, "time_s") / figures[OHMI_INSITU_TIME];
    figures[OHMI_INSITU_LIFETIME_TIMES] =
        figures[OHMI_INSITU_LIFETIME] /
        ohmi_json_number(json_object_get(other, "lifetime"), "epochs");
}

bool ohmi_insitu_line(ohmi_spread line[OHMI_N_INSITU], const ohm_comparison *c, int k,
                      double *values) {
    int n = 0;
    for (int f = 0; f < OHMI_N_INSITU; ++f) {
        n = 0;
        for (int i = 0; i < c->n_runs; ++i) {
            if (c->runs[i].line == k && ohmi_insitu_summary(&c->runs[i])) {
                double figures[OHMI_N_INSITU];
                fill_run(figures, c, &c->runs[i]);
                values[n++] = figures[f];
            }
        }
        line[f] = ohmi_spread_of(values, n);
    }
    return n > 0;
}
