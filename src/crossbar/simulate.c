// SPDX-License-Identifier: Apache-2.0
// Monte Carlo of a learned run on chips:
//
//   for each point (settings) -> each chip -> each read -> each task: accuracy
//
// What is finished is in the file of results after every read, and is not done again. Chips differ
// by seed only, so that parts of the work can be done elsewhere and later.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "base/text.h"
#include "config/access.h"
#include "config/fields.h"
#include "config/values.h"
#include "crossbar/engine.h"
#include "crossbar/errors.h"
#include "crossbar/profiling.h"
#include "crossbar/results.h"
#include "learn/checkpoint.h"
#include "learn/evaluate.h"
#include "ohmwise/simulate.h"

enum { MOST_POINTS = 256 };

typedef struct {
    const ohm_simulate_def *def;
    ohm_config *config; // the run's
    ohmi_tasks *tasks;
    ohmi_learner *learner;
    ohmi_results results;
    int *chosen; // (n_chosen) tasks, 0-based
    int n_chosen;
    double *accuracy; // (n_chosen) of a read
    char sweep_key[64];
    char *sweep_values[MOST_POINTS]; // (n_points) into sweep_text
    char *sweep_text;
    int n_points;
    int n_rows; // points of one setting: all effects together, and each by itself
    double start_s, n_done, n_all; // measurements of a task
    ohmi_errors *errors;           // of the layers' sums; NULL = not asked for
} simulation;

// splits "key=value,value"; commas inside brackets belong to a list
static ohm_status split_sweep(simulation *s, ohm_error *err) {
    const char *text = s->def->sweep;
    s->n_points = 1;
    if (!text) {
        return OHM_OK;
    }
    const char *equals = strchr(text, '=');
    const size_t size = equals ? (size_t)(equals - text) : 0;
    s->n_points = 0;
    if (!equals || size == 0 || size >= sizeof s->sweep_key || !equals[1]) {
        ohm_status status =
            ohmi_fail(err, OHM_ERR_ARGUMENT, "'%s' is not of the form key=value,value", text);
        ohmi_hint(err, "as fault.stuck_off=0,0.02,0.05");
        return status;
    }
    memcpy(s->sweep_key, text, size);
    s->sweep_text = ohmi_strdup(equals + 1);
    if (!s->sweep_text) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the points of a sweep");
    }
    int depth = 0;
    s->sweep_values[s->n_points++] = s->sweep_text;
    for (char *c = s->sweep_text; *c; c++) {
        depth += *c == '[' ? 1 : *c == ']' ? -1 : 0;
        if (*c == ',' && depth == 0) {
            if (s->n_points == MOST_POINTS) {
                return ohmi_fail(err, OHM_ERR_ARGUMENT, "a sweep of more than %d points",
                                 (int)MOST_POINTS);
            }
            *c = 0;
            s->sweep_values[s->n_points++] = c + 1;
        }
    }
    return OHM_OK;
}

// sets a key of arrays or devices
static ohm_status set_key(ohm_config *config, const char *key, const char *value, ohm_error *err) {
    if (ohmi_field_find(key) && !ohmi_results_is_device(key)) {
        ohm_status status =
            ohmi_fail(err, OHM_ERR_CONFIG,
                      "'%s' is what the run was learned with, a chip cannot change it", key);
        ohmi_hint(err,
                  "a simulation takes keys of array, adc, cell, chip, fault, variation, drift, "
                  "noise, converter, wire and repair");
        return status;
    }
    return ohm_config_set(config, key, value, err);
}

// a run's config names every key: what is at its default there counts as not set
static void forget_defaults(ohm_config *config) {
    int n_fields;
    const ohmi_field *fields = ohmi_fields(&n_fields);
    for (int i = 0; i < n_fields; i++) {
        ohmi_text text = {0};
        ohmi_text_add(&text, "");
        ohmi_field_add_text(&text, &fields[i], &config->values);
        if (!text.failed && fields[i].default_text &&
            strcmp(text.data, fields[i].default_text) == 0 &&
            ohmi_results_is_device(fields[i].key)) {
            config->origin[i] = OHMI_FROM_DEFAULT;
        }
        ohmi_text_clear(&text);
    }
}

// the config of a point: the run's, the settings, the value of the sweep
static ohm_status point_config(ohm_config **out, const simulation *s, int point, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohm_config *config = NULL;
    char path[1024], key[128];
    (void)snprintf(path, sizeof path, "%s/config.yaml", s->def->run_folder);
    OHM_TRY(ohm_config_new(&config, err));
    OHM_TRY(ohm_config_load(config, path, err));
    forget_defaults(config);
    for (int i = 0; i < s->def->n_settings; i++) {
        const char *equals = strchr(s->def->settings[i], '=');
        if (!equals || equals == s->def->settings[i] ||
            (size_t)(equals - s->def->settings[i]) >= sizeof key) {
            status = ohmi_fail(err, OHM_ERR_ARGUMENT, "'%.80s' is not of the form key=value",
                               s->def->settings[i]);
            goto done;
        }
        (void)snprintf(key, sizeof key, "%.*s", (int)(equals - s->def->settings[i]),
                       s->def->settings[i]);
        OHM_TRY(set_key(config, key, equals + 1, err));
    }
    if (s->def->sweep) {
        OHM_TRY(set_key(config, s->sweep_key, s->sweep_values[point], err));
    }
    OHM_TRY(ohm_config_check(config, err));
    *out = config;
    config = NULL;
done:
    ohm_config_free(&config);
    return status;
}

static ohm_status load_run(simulation *s, ohm_error *err) {
    ohm_status status = OHM_OK;
    char path[1024], images[32];
    (void)snprintf(path, sizeof path, "%s/config.yaml", s->def->run_folder);
    OHM_TRY(ohm_config_new(&s->config, err));
    OHM_TRY(ohm_config_load(s->config, path, err));
    if (s->def->n_images > 0) {
        (void)snprintf(images, sizeof images, "%lld", (long long)s->def->n_images);
        OHM_TRY(ohm_config_set(s->config, "data.test_limit", images, err));
    }
    OHM_TRY(ohm_config_check(s->config, err));
    const ohmi_config *values = ohmi_config_values(s->config);
    OHM_TRY(ohmi_tasks_load(&s->tasks, values, s->def->data_folder, err));
    OHM_TRY(ohmi_learner_new(&s->learner, values, s->tasks, s->def->backend, false, err));
    (void)snprintf(path, sizeof path, "%s/checkpoints/last.safetensors", s->def->run_folder);
    OHM_TRY(ohmi_checkpoint_load(s->learner, path, false, err));
done:
    return status;
}

// which tasks: those asked for, else all that are learned and kept
static ohm_status choose_tasks(simulation *s, ohm_error *err) {
    const int n_learned = (int)s->learner->position.task;
    const bool is_alone = ohmi_config_values(s->config)->method.growth == OHMI_GROWTH_DENSE;
    const int first = is_alone && n_learned > 0 ? n_learned - 1 : 0;
    if (n_learned == 0) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "'%s' has learned no task yet", s->def->run_folder);
    }
    s->n_chosen = s->def->tasks ? s->def->n_tasks : n_learned - first;
    s->chosen = ohmi_alloc((size_t)s->n_chosen, sizeof *s->chosen);
    s->accuracy = ohmi_alloc((size_t)s->n_chosen, sizeof *s->accuracy);
    if (!s->chosen || !s->accuracy) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for %d tasks", s->n_chosen);
    }
    for (int i = 0; i < s->n_chosen; i++) {
        s->chosen[i] = s->def->tasks ? s->def->tasks[i] : first + i;
        if (s->chosen[i] < first || s->chosen[i] >= n_learned) {
            return ohmi_fail(err, OHM_ERR_ARGUMENT,
                             "task %d cannot be simulated, '%s' has tasks %d to %d",
                             s->chosen[i] + 1, s->def->run_folder, first + 1, n_learned);
        }
    }
    return OHM_OK;
}

// what the integer network reaches on the same images
static ohm_status add_reference(simulation *s, ohm_error *err) {
    ohm_status status = OHM_OK;
    json_t *tasks = json_array();
    bool ok = tasks != NULL;
    for (int i = 0; ok && i < s->n_chosen; i++) {
        ohmi_evaluation e;
        const ohmi_task *task = &s->tasks->task[s->chosen[i]];
        OHM_TRY(ohmi_evaluate(&e, s->learner, s->chosen[i], true, NULL, err));
        json_t *row =
            json_pack("{s:i, s:s, s:I, s:f}", "task", s->chosen[i] + 1, "name", task->name,
                      "images", (json_int_t)task->test.n, "accuracy", e.accuracy);
        ok = row && json_array_append_new(tasks, row) == 0;
    }
    ok = ok && json_object_set(s->results.root, "integer", tasks) == 0;
    status = ok ? OHM_OK : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for results");
done:
    json_decref(tasks);
    return status;
}

typedef struct {
    const char *label;
    int point, chip, read, n_reads;
} place;

// tells the caller; non-zero asks to stop
static int tell(simulation *s, const place *at, int task, double mean) {
    s->n_done += 1;
    if (!s->def->sink) {
        return 0;
    }
    const double seconds = ohmi_now_s() - s->start_s;
    const ohm_simulate_event event = {
        .label = at->label,
        .point = at->point,
        .n_points = s->n_points * s->n_rows,
        .chip = at->chip,
        .n_chips = s->def->n_chips,
        .read = at->read,
        .n_reads = at->n_reads,
        .task = task,
        .n_tasks = s->n_chosen,
        .accuracy = mean,
        .part = s->n_done / s->n_all,
        .seconds_left = seconds * (s->n_all - s->n_done) / s->n_done,
    };
    return s->def->sink(s->def->context, &event);
}

// all tasks on one read of one chip
static ohm_status measure_read(simulation *s, ohmi_engine *engine, const ohmi_device *device,
                               uint64_t seed, const place *at, ohm_error *err) {
    ohm_status status = OHM_OK;
    double sum = 0;
    OHM_TRY(ohmi_engine_program(engine, device, seed, (uint32_t)at->read, err));
    for (int i = 0; i < s->n_chosen; i++) {
        const int t = s->chosen[i];
        ohmi_evaluation e;
        if (s->errors) {
            ohmi_errors_meant(s->errors, t);
        }
        OHM_TRY(ohmi_engine_switch(engine, t, err));
        if (s->errors) {
            ohmi_errors_watch(s->errors);
        }
        const ohm_status measured =
            ohmi_measure_images(&e, s->learner, t, &s->tasks->task[t].test, true, NULL, err);
        if (s->errors) {
            ohmi_errors_leave(s->errors);
        }
        OHM_TRY(measured);
        s->accuracy[i] = e.accuracy;
        sum += e.accuracy;
        if (tell(s, at, i, sum / (i + 1)) != 0) {
            status = ohmi_fail(err, OHM_ERR_INTERRUPTED,
                               "stopped early, what is finished is in '%s'", s->results.path);
            ohmi_hint(err, "the same command goes on");
            goto done;
        }
    }
done:
    return status;
}

// what a point is about beside its settings: effects, arrays, repair
static ohm_status describe_point(json_t *point, const ohmi_device *device,
                                 const ohmi_engine *engine, ohm_error *err) {
    ohmi_text text = {0};
    json_t *effects = json_array();
    ohmi_text_add(&text, "");
    ohmi_device_describe(&text, device);
    bool ok = effects && !text.failed;
    for (char *line = text.data, *next; ok && *line; line = next) {
        next = strchr(line, '\n');
        *next++ = 0;
        ok = json_array_append_new(effects, json_string(line)) == 0;
    }
    ok = ok && json_object_set(point, "effects", effects) == 0;
    ok = ok && json_object_set_new(point, "arrays",
                                   json_integer(ohmi_engine_place(engine)->n_arrays)) == 0;
    json_decref(effects);
    ohmi_text_clear(&text);
    return ok ? OHM_OK : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for results");
}

// one setting with the effects of `row` on, all of them for row < 0
static ohm_status run_point(simulation *s, const ohm_config *config, const char *label, int number,
                            ohmi_engine *engine, const ohmi_device *device, const char *only,
                            ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_config *values = ohmi_config_values(config);
    const int n_reads = ohmi_device_differs_by_read(device) ? s->def->n_reads : 1;
    json_t *point =
        ohmi_results_point(&s->results, &(ohmi_results_key){.config = config,
                                                            .label = label,
                                                            .only = only,
                                                            .tasks = s->chosen,
                                                            .n_tasks = s->n_chosen,
                                                            .n_images = s->def->n_images});
    if (!point) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for results");
        goto done;
    }
    OHM_TRY(describe_point(point, device, engine, err));
    s->n_all -= (double)(s->def->n_reads - n_reads) * s->def->n_chips * s->n_chosen;
    for (int c = 0; c < s->def->n_chips; c++) {
        const uint64_t seed = (uint64_t)values->chip.seed + (uint64_t)c;
        for (int read = 0; read < n_reads; read++) {
            const place at = {label, number, c, read, n_reads};
            if (ohmi_results_find(s->accuracy, point, seed, read, s->n_chosen)) {
                s->n_all -= s->n_chosen;
                continue;
            }
            OHM_TRY(measure_read(s, engine, device, seed, &at, err));
            if (!ohmi_results_add(point, seed, read, s->accuracy, s->n_chosen) ||
                !ohmi_results_sum_up(point, s->learner, s->chosen, s->n_chosen)) {
                status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for results");
                goto done;
            }
            OHM_TRY(ohmi_results_save(&s->results, err));
        }
    }
done:
    return status;
}

// the settings of a point in a line
static void label_point(char *label, size_t room, const simulation *s, int point) {
    ohmi_text text = {0};
    ohmi_text_add(&text, "");
    for (int i = 0; i < s->def->n_settings; i++) {
        ohmi_text_printf(&text, i ? " %s" : "%s", s->def->settings[i]);
    }
    if (s->def->sweep) {
        ohmi_text_printf(&text, "%s%s=%s", s->def->n_settings ? " " : "", s->sweep_key,
                         s->sweep_values[point]);
    }
    (void)snprintf(label, room, "%s", text.failed ? "" : text.data);
    if (label[0] == 0) {
        (void)snprintf(label, room, "no settings");
    } else {
        label[ohmi_text_cut(label, strlen(label))] = 0;
    }
    ohmi_text_clear(&text);
}

// all points of one value of the sweep
static ohm_status run_settings(simulation *s, int point, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohm_config *config = NULL;
    ohmi_engine *engine = NULL;
    char label[256];
    int n_effects, number = point * s->n_rows;
    const ohmi_effect *const *effects = ohmi_effects(&n_effects);
    OHM_TRY(point_config(&config, s, point, err));
    OHM_TRY(ohmi_engine_new(&engine, s->learner, ohmi_config_values(config), err));
    ohmi_device device = *ohmi_engine_device(engine); // borrows what the engine has
    label_point(label, sizeof label, s, point);
    if (s->def->profile_path) {
        OHM_TRY(ohmi_profiling_save(s->def->profile_path, ohmi_engine_place(engine), &device,
                                    (uint64_t)ohmi_config_values(config)->chip.seed, err));
    }
    OHM_TRY(run_point(s, config, label, number++, engine, &device, NULL, err));
    for (int row = 0; row < n_effects && s->def->by_effect; row++) {
        const bool is_on = ohmi_engine_device(engine)->is_on[row];
        char name[512];
        ohmi_device_only(&device, row);
        (void)snprintf(name, sizeof name, "%s, %s only", label, effects[row]->name);
        if (is_on) {
            OHM_TRY(run_point(s, config, name, number++, engine, &device, effects[row]->name, err));
        } else {
            s->n_all -= (double)s->def->n_reads * s->def->n_chips * s->n_chosen;
        }
    }
done:
    ohmi_engine_free(&engine);
    ohm_config_free(&config);
    return status;
}

ohm_status ohm_simulate(const ohm_simulate_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    simulation s = {.def = def, .n_rows = 1};
    char path[1024], digest[65];
    int n_effects;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    (void)ohmi_effects(&n_effects);
    if (!def->run_folder || def->n_chips < 1 || def->n_reads < 1 || def->n_images < 0) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "a simulation of no run, no chip or no read");
        goto done;
    }
    OHM_TRY(split_sweep(&s, err));

    // every point's settings hold before anything is computed
    for (int p = 0; p < s.n_points; p++) {
        ohm_config *config = NULL;
        OHM_TRY(point_config(&config, &s, p, err));
        ohm_config_free(&config);
    }
    OHM_TRY(load_run(&s, err));
    OHM_TRY(choose_tasks(&s, err));
    (void)snprintf(path, sizeof path, "%s/checkpoints/last.safetensors", def->run_folder);
    OHM_TRY(ohmi_sha256_file(digest, path, err));
    (void)snprintf(path, sizeof path, "%s/simulate.json", def->run_folder);
    OHM_TRY(ohmi_results_open(&s.results, def->path ? def->path : path,
                              ohmi_config_values(s.config)->name, digest, def->force, err));
    OHM_TRY(add_reference(&s, err));
    if (def->errors_path) {
        OHM_TRY(ohmi_errors_new(&s.errors, s.learner, err));
    }
    s.n_rows = def->by_effect ? n_effects + 1 : 1;
    s.n_all = (double)s.n_points * s.n_rows * def->n_chips * def->n_reads * s.n_chosen;
    s.start_s = ohmi_now_s();
    for (int p = 0; p < s.n_points; p++) {
        OHM_TRY(run_settings(&s, p, err));
    }
    OHM_TRY(ohmi_results_save(&s.results, err));
    if (s.errors) {
        OHM_TRY(ohmi_errors_save(s.errors, def->errors_path, err));
    }
done:
    ohmi_errors_free(&s.errors);
    ohmi_results_close(&s.results);
    ohmi_learner_free(&s.learner);
    ohmi_tasks_free(&s.tasks);
    ohm_config_free(&s.config);
    ohmi_free(s.chosen);
    ohmi_free(s.accuracy);
    ohmi_free(s.sweep_text);
    ohmi_c_locale_leave(&locale);
    return status;
}
