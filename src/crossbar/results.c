// SPDX-License-Identifier: Apache-2.0
// Results of simulations as JSON; see results.h.
//
//   mean       over chips of the mean over reads and tasks
//   deviation  the sample's, over chips; sqrt(sum (m_i - mean)^2 / (n - 1)); null for one chip
//   reads      mean over chips of the same over their reads; null for one read
#include "crossbar/results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/access.h"
#include "config/fields.h"
#include "config/settings.h"
#include "config/values.h"

const char *const ohmi_results_sections[] = {"array",     "adc",       "cell",   "chip",
                                             "fault",     "variation", "drift",  "noise",
                                             "converter", "wire",      "repair", NULL};

bool ohmi_results_is_device(const char *key) {
    return ohmi_config_is_within(key, ohmi_results_sections);
}

ohm_status ohmi_results_open(ohmi_results *results, const char *path, const char *run,
                             const char *checkpoint, int force, ohm_error *err) {
    ohm_status status = OHM_OK;
    struct stat info;
    json_error_t error;
    *results = (ohmi_results){0};
    if (snprintf(results->path, sizeof results->path, "%s", path) >= (int)sizeof results->path) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "the path of the results is too long");
    }
    if (!force && stat(path, &info) == 0) {
        results->root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
        const char *of = json_string_value(json_object_get(results->root, "checkpoint_sha256"));
        if (!results->root || !of || !json_is_array(json_object_get(results->root, "points"))) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "not a file of simulations: %s",
                               results->root ? "keys are missing" : error.text);
            ohmi_hint(err, "--force begins anew");
            ohmi_place(err, path, results->root ? 0 : error.line, results->root ? 0 : error.column);
            goto done;
        }
        if (strcmp(of, checkpoint) != 0) {
            status =
                ohmi_fail(err, OHM_ERR_ARGUMENT, "the results are of another state of '%s'", run);
            ohmi_hint(err, "--force discards them; --out FILE keeps both");
            ohmi_place(err, path, 0, 0);
            goto done;
        }
        return OHM_OK;
    }
    results->root = json_pack("{s:i, s:s, s:s, s:[]}", "schema", 1, "run", run, "checkpoint_sha256",
                              checkpoint, "points");
    if (!results->root) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for results");
    }
done:
    if (status < 0) {
        ohmi_results_close(results);
    }
    return status;
}

void ohmi_results_close(ohmi_results *results) {
    json_decref(results->root);
    results->root = NULL;
}

// the keys of arrays and devices that are not at their defaults; seeds are in the chips
static json_t *settings_of(const ohm_config *config) {
    json_t *settings = json_object();
    int n_fields;
    const ohmi_field *fields = ohmi_fields(&n_fields);
    for (int i = 0; settings && i < n_fields; i++) {
        ohmi_text text = {0};
        if (!ohmi_results_is_device(fields[i].key) || strcmp(fields[i].key, "chip.seed") == 0) {
            continue;
        }
        ohmi_text_add(&text, "");
        ohmi_field_add_text(&text, &fields[i], ohmi_config_values(config));
        const bool is_set = text.failed || strcmp(text.data, fields[i].default_text) != 0;
        if (text.failed ||
            (is_set && json_object_set_new(settings, fields[i].key, json_string(text.data)) != 0)) {
            json_decref(settings);
            settings = NULL;
        }
        ohmi_text_clear(&text);
    }
    return settings;
}

// what tells a point from others, as it is in the file; NULL when memory is out
static json_t *identity_of(const ohmi_results_key *key) {
    json_t *tasks = json_array(), *settings = settings_of(key->config);
    json_t *only = key->only ? json_string(key->only) : json_null();
    bool failed = !tasks || !settings || !only;
    for (int t = 0; t < key->n_tasks && !failed; t++) {
        failed = json_array_append_new(tasks, json_integer(key->tasks[t] + 1)) != 0;
    }
    json_t *identity = failed
                           ? NULL
                           : json_pack("{s:O, s:O, s:O, s:I}", "only", only, "settings", settings,
                                       "task_numbers", tasks, "images", (json_int_t)key->n_images);
    json_decref(tasks);
    json_decref(settings);
    json_decref(only);
    return identity;
}

// the point with an identity, or NULL
static json_t *point_of(const ohmi_results *results, json_t *identity) {
    json_t *points = json_object_get(results->root, "points"), *point, *value, *found = NULL;
    const char *key;
    size_t i;
    json_array_foreach(points, i, point) {
        bool is_same = true;
        json_object_foreach(identity, key, value) {
            is_same = is_same && json_equal(json_object_get(point, key), value);
        }
        found = is_same ? point : found;
    }
    return found;
}

json_t *ohmi_results_seek(const ohmi_results *results, const ohmi_results_key *key) {
    json_t *identity = identity_of(key);
    json_t *found = identity ? point_of(results, identity) : NULL;
    json_decref(identity);
    return found;
}

json_t *ohmi_results_point(ohmi_results *results, const ohmi_results_key *key) {
    json_t *identity = identity_of(key);
    json_t *found = identity ? point_of(results, identity) : NULL;
    if (!found && identity) {
        found = json_pack("{s:s}", "label", key->label);
        bool ok = found && json_object_update(found, identity) == 0 &&
                  json_object_set_new(found, "chips", json_array()) == 0;
        ok = json_array_append_new(json_object_get(results->root, "points"), found) == 0 && ok;
        found = ok ? found : NULL;
    }
    json_decref(identity);
    return found;
}

// a chip of a point by its seed, or where it belongs
static json_t *chip_of(const json_t *point, uint64_t seed, size_t *at) {
    json_t *chips = json_object_get(point, "chips"), *chip;
    size_t i;
    *at = json_array_size(chips);
    json_array_foreach(chips, i, chip) {
        const uint64_t of = (uint64_t)json_integer_value(json_object_get(chip, "seed"));
        if (of == seed) {
            return chip;
        }
        *at = of > seed && i < *at ? i : *at;
    }
    return NULL;
}

bool ohmi_results_find(double *accuracy, const json_t *point, uint64_t chip, int read,
                       int n_tasks) {
    size_t at;
    const json_t *reads = json_object_get(chip_of(point, chip, &at), "reads");
    const json_t *of = json_array_get(reads, (size_t)read);
    if (json_array_size(of) != (size_t)n_tasks) {
        return false;
    }
    for (int t = 0; t < n_tasks; t++) {
        const json_t *value = json_array_get(of, (size_t)t);
        if (!json_is_number(value)) {
            return false;
        }
        accuracy[t] = json_number_value(value);
    }
    return true;
}

bool ohmi_results_add(json_t *point, uint64_t chip, int read, const double *accuracy, int n_tasks) {
    size_t at;
    json_t *of = chip_of(point, chip, &at), *values = json_array();
    bool ok = values != NULL;
    for (int t = 0; ok && t < n_tasks; t++) {
        ok = json_array_append_new(values, json_real(accuracy[t])) == 0;
    }
    if (ok && !of) {
        of = json_pack("{s:I, s:[]}", "seed", (json_int_t)chip, "reads");
        ok = of && json_array_insert_new(json_object_get(point, "chips"), at, of) == 0;
    }

    // reads come in order; one that was damaged is put in its place
    json_t *reads = json_object_get(of, "reads");
    if (ok && (size_t)read < json_array_size(reads)) {
        ok = json_array_set(reads, (size_t)read, values) == 0;
    } else {
        ok = ok && json_array_append(reads, values) == 0;
    }
    json_decref(values);
    return ok;
}

typedef struct {
    double mean, deviation, least, most;
    int n;
} spread;

// mean, the sample's deviation, and range of values (n)
static spread spread_of(const double *values, int n) {
    spread s = {.n = n, .least = INFINITY, .most = -INFINITY, .deviation = NAN};
    for (int i = 0; i < n; i++) {
        s.mean += values[i] / n;
        s.least = fmin(s.least, values[i]);
        s.most = fmax(s.most, values[i]);
    }
    double square = 0;
    if (n > 0 && !(s.most > s.least)) {
        s.mean = s.least; // equal values have no deviation, not even one of rounding
    }
    for (int i = 0; i < n; i++) {
        square += (values[i] - s.mean) * (values[i] - s.mean);
    }
    s.deviation = n > 1 ? sqrt(square / (n - 1)) : NAN;
    return s;
}

static json_t *number_or_null(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

// sets mean, deviation, least, most of an object
static bool put_spread(json_t *object, const spread *s) {
    return json_object_set_new(object, "mean", number_or_null(s->mean)) == 0 &&
           json_object_set_new(object, "deviation", number_or_null(s->deviation)) == 0 &&
           json_object_set_new(object, "least", number_or_null(s->least)) == 0 &&
           json_object_set_new(object, "most", number_or_null(s->most)) == 0;
}

// the mean of a chip over its reads, of one task, or of all (t < 0); and the deviation over reads
static double chip_mean(double *deviation, const json_t *chip, int t, int n_tasks) {
    const json_t *reads = json_object_get(chip, "reads");
    const int n = (int)json_array_size(reads);
    double sum = 0, square = 0;
    for (int r = 0; r < n; r++) {
        const json_t *of = json_array_get(reads, (size_t)r);
        double value = 0;
        for (int i = 0; i < n_tasks; i++) {
            const double a = json_number_value(json_array_get(of, (size_t)i));
            value += t < 0 ? a / n_tasks : i == t ? a : 0;
        }
        sum += value;
        square += value * value;
    }
    const double mean = n > 0 ? sum / n : NAN;
    *deviation = n > 1 ? sqrt(fmax(0, (square - n * mean * mean) / (n - 1))) : NAN;
    return mean;
}

bool ohmi_results_sum_up(json_t *point, const ohmi_learner *learner, const int *tasks,
                         int n_tasks) {
    const json_t *chips = json_object_get(point, "chips");
    const int n = (int)json_array_size(chips);
    double *values = ohmi_alloc((size_t)n + 1, sizeof *values), by_read = 0;
    json_t *rows = json_array();
    bool ok = values && rows;
    for (int t = -1; ok && t < n_tasks; t++) {
        for (int c = 0; c < n; c++) {
            double deviation;
            values[c] = chip_mean(&deviation, json_array_get(chips, (size_t)c), t, n_tasks);
            by_read += t < 0 ? deviation / n : 0;
        }
        const spread s = spread_of(values, n);
        if (t < 0) {
            ok = put_spread(point, &s);
        } else {
            json_t *row = json_pack("{s:s}", "name", learner->tasks->task[tasks[t]].name);
            ok = row && put_spread(row, &s);
            ok = json_array_append_new(rows, row) == 0 && ok;
        }
    }
    ok = ok && json_object_set_new(point, "reads_deviation", number_or_null(by_read)) == 0 &&
         json_object_set(point, "tasks", rows) == 0;
    json_decref(rows);
    ohmi_free(values);
    return ok;
}

ohm_status ohmi_results_save(const ohmi_results *results, ohm_error *err) {
    char *text = json_dumps(results->root, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    if (!text) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for results");
    }
    const ohm_status status = ohmi_write_file(results->path, text, strlen(text), err);
    free(text);
    return status;
}
