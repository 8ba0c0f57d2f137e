// SPDX-License-Identifier: Apache-2.0
// The runs of an experiment (ohmwise/experiment.h): points times grid times seeds. Each run's
// config is made here as `learn` will make it (base, environment, settings) and checked, so that
// nothing starts before all of it can.
#include "ohmwise/experiment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/access.h"
#include "config/experiment_file.h"
#include "config/values.h"

enum { MOST_RUNS = 4096, MOST_SETTINGS = OHMI_MOST_FIELDS + 2, ROOM_NAME = 128 };

// What belongs to a run and is freed with it.
typedef struct {
    ohm_experiment_run seen; // what callers see
    char name[ROOM_NAME];
    char folder[ROOM_NAME + 32];
    char **settings; // (n_settings)
    char *config;    // every key but the name, a line each: equal texts are equal runs
    int line;        // of the point, 0 = none
} run;

struct ohm_experiment {
    ohmi_experiment_file file;
    char base_path[512];
    run *runs; // (n_runs)
    int n_runs;
};

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the experiment");
}

static void clear_runs(ohm_experiment *e) {
    for (int i = 0; i < e->n_runs; i++) {
        for (int s = 0; e->runs[i].settings && s < e->runs[i].seen.n_settings; s++) {
            ohmi_free(e->runs[i].settings[s]);
        }
        ohmi_free(e->runs[i].settings);
        ohmi_free(e->runs[i].config);
    }
    ohmi_free(e->runs);
    e->runs = NULL;
    e->n_runs = 0;
}

ohm_status ohm_experiment_load(ohm_experiment **out, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    *out = NULL;
    ohm_experiment *e = ohmi_alloc(1, sizeof *e);
    if (!e) {
        status = no_memory(err);
        goto done;
    }
    OHM_TRY(ohmi_experiment_read(&e->file, path, err));
    *out = e;
    e = NULL;
done:
    ohm_experiment_free(&e);
    return status;
}

void ohm_experiment_free(ohm_experiment **experiment) {
    if (experiment && *experiment) {
        clear_runs(*experiment);
        ohmi_experiment_clear(&(*experiment)->file);
        ohmi_free(*experiment);
        *experiment = NULL;
    }
}

const char *ohm_experiment_name(const ohm_experiment *experiment) {
    return experiment->file.name;
}

const char *ohm_experiment_base(const ohm_experiment *experiment) {
    return experiment->file.base;
}

const char *ohm_experiment_command(const ohm_experiment *experiment) {
    return experiment->file.command;
}

int ohm_experiment_count(const ohm_experiment *experiment) {
    return experiment->n_runs;
}

const ohm_experiment_run *ohm_experiment_at(const ohm_experiment *experiment, int i) {
    return &experiment->runs[i].seen;
}

ohm_status ohm_experiment_set(ohm_experiment *experiment, const char *key, const char *value,
                              ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_experiment_file *file = &experiment->file;
    const ohmi_field *field = ohmi_field_find(key);
    bool is_taken = false;
    if (!field) {
        return ohmi_unknown_key(key, err);
    }
    OHM_TRY(ohmi_experiment_may_set(field, err));
    for (int i = 0; i < file->n_axes; i++) {
        is_taken = is_taken || file->axes[i].field == field;
    }
    for (int i = 0; i < file->n_points; i++) {
        is_taken = is_taken || ohmi_settings_find(&file->points[i].settings, field);
    }
    if (is_taken) {
        status = ohmi_fail(err, OHM_ERR_CONFIG, "'%s' differs between the runs of the experiment",
                           field->key);
        ohmi_hint(err, "change it in '%s'", file->path);
        goto done;
    }

    // the new value takes the place of the file's
    OHM_TRY(ohmi_settings_add(&file->settings, field, value, 0, 0, err));
    ohmi_setting *before = ohmi_settings_find(&file->settings, field);
    ohmi_setting *last = &file->settings.items[file->settings.n - 1];
    if (before != last) {
        ohmi_free(before->text);
        *before = *last;
        file->settings.n -= 1;
    }
done:
    return status;
}

// Appends a piece of a name; what no name of a folder should have becomes '_'.
static void add_to_name(char *name, size_t size_bytes, const char *piece) {
    size_t n = strlen(name);
    for (; *piece && n + 1 < size_bytes; piece++) {
        const char c = *piece;
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '+' ||
                              c == '-';
        name[n++] = is_plain ? c : '_';
    }
    name[n] = '\0';
}

// What a key is called in a name: "lr" of "train.lr", "method" of "method.preset", whose short form
// that is.
static const char *short_name(const ohmi_field *field) {
    int n_sections;
    const char *section = ohmi_sections(&n_sections)[ohmi_section_of(field)].name;
    return section[0] && ohmi_field_find(section) == field ? section : ohmi_field_leaf(field);
}

// Adds "key=value" to the settings of a run.
static ohm_status keep(run *r, const char *key, const char *value, ohm_error *err) {
    ohmi_text text = {0};
    ohmi_text_add(&text, key);
    ohmi_text_add(&text, "=");
    ohmi_text_add(&text, value);
    if (text.failed) {
        ohmi_text_clear(&text);
        return no_memory(err);
    }
    r->settings[r->seen.n_settings++] = text.data;
    return OHM_OK;
}

// Every key but the name with its value; NULL when memory is out.
static char *config_text(const ohm_config *config) {
    static const char *const without[] = {"name", NULL};
    ohmi_text text = {0};
    ohmi_config_add_lines(&text, config, without);
    if (text.failed) {
        ohmi_text_clear(&text);
    }
    return text.data;
}

// Applies a setting to a run and to its config.
static ohm_status apply(run *r, ohm_config *config, const ohmi_setting *setting, const char *path,
                        ohm_error *err) {
    ohm_status status = OHM_OK;
    status = ohm_config_set(config, setting->field->key, setting->text, err);
    if (status < 0) {
        if (setting->line > 0) {
            ohmi_place(err, path, setting->line, setting->column);
        }
        goto done;
    }
    OHM_TRY(keep(r, setting->field->key, setting->text, err));
done:
    return status;
}

// Makes the run of a point (NULL = none), a combination of the grid and a seed. choice: the index
// of each key's value.
static ohm_status make_run(ohm_experiment *e, run *r, const ohm_config *base,
                           const ohmi_point *point, const int *choice, int64_t seed,
                           ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_experiment_file *file = &e->file;
    char number[32];
    ohm_config *config = ohmi_alloc(1, sizeof *config);
    r->settings = ohmi_alloc(MOST_SETTINGS, sizeof *r->settings);
    r->line = point ? point->line : 0;
    if (!config || !r->settings) {
        status = no_memory(err);
        goto done;
    }
    *config = *base;

    // settings of all, but for those that the point has too; then the point's; then the grid's
    for (int i = 0; i < file->settings.n; i++) {
        const ohmi_setting *setting = &file->settings.items[i];
        if (!point || !ohmi_settings_find(&point->settings, setting->field)) {
            OHM_TRY(apply(r, config, setting, file->path, err));
        }
    }
    for (int i = 0; point && i < point->settings.n; i++) {
        OHM_TRY(apply(r, config, &point->settings.items[i], file->path, err));
    }
    if (point || file->n_axes == 0) {
        add_to_name(r->name, sizeof r->name, point ? point->name : file->name);
    }
    for (int a = 0; a < file->n_axes; a++) {
        const ohmi_setting *setting = &file->axes[a].values.items[choice[a]];
        OHM_TRY(apply(r, config, setting, file->path, err));
        add_to_name(r->name, sizeof r->name, r->name[0] ? "-" : "");
        add_to_name(r->name, sizeof r->name, short_name(setting->field));
        add_to_name(r->name, sizeof r->name, "-");
        add_to_name(r->name, sizeof r->name, setting->text);
    }
    if (strlen(r->name) + 1 >= sizeof r->name) {
        status =
            ohmi_fail(err, OHM_ERR_CONFIG, "the name '%.40s...' of a run is too long", r->name);
        ohmi_hint(err, "list named points instead of so large a grid");
        ohmi_place(err, file->path, r->line, 0);
        goto done;
    }

    // whose run it is
    (void)snprintf(number, sizeof number, "%" PRId64, seed);
    (void)snprintf(r->folder, sizeof r->folder, "%s-%s", r->name, number);
    OHM_TRY(ohm_config_set(config, "name", r->name, err));
    OHM_TRY(keep(r, "name", r->name, err));
    OHM_TRY(ohm_config_set(config, "seed", number, err));
    OHM_TRY(keep(r, "seed", number, err));

    // what no single value can say
    status = ohm_config_check(config, err);
    if (status < 0) {
        if (err && !err->path[0]) {
            ohmi_place(err, file->path, r->line, 0);
        }
        if (err && !err->hint[0]) {
            ohmi_hint(err, "in the run '%s'", r->folder);
        }
        goto done;
    }
    r->config = config_text(config);
    if (!r->config) {
        status = no_memory(err);
    }
    r->seen.seed = seed;
done:
    ohmi_free(config);
    return status;
}

// The base with what lies over it.
static ohm_status load_base(ohm_config **out, const char *path, const char *const *before,
                            ohm_error *err) {
    ohm_status status = OHM_OK;
    ohm_config *config = NULL;
    OHM_TRY(ohm_config_new(&config, err));
    OHM_TRY(ohm_config_load(config, path, err));
    for (int i = 0; before && before[i]; i += 2) {
        OHM_TRY(ohm_config_set(config, before[i], before[i + 1], err));
    }
    *out = config;
    config = NULL;
done:
    ohm_config_free(&config);
    return status;
}

// Two runs must differ, and so must their folders.
static ohm_status check_different(const ohm_experiment *e, ohm_error *err) {
    for (int i = 0; i < e->n_runs; i++) {
        for (int j = 0; j < i; j++) {
            const run *a = &e->runs[j], *b = &e->runs[i];
            const bool is_same = strcmp(a->config, b->config) == 0;
            if (is_same || strcmp(a->folder, b->folder) == 0) {
                const ohm_status status =
                    is_same ? ohmi_fail(err, OHM_ERR_CONFIG, "the runs '%s' and '%s' are the same",
                                        a->folder, b->folder)
                            : ohmi_fail(err, OHM_ERR_CONFIG, "two different runs are called '%s'",
                                        b->folder);
                ohmi_hint(err, is_same ? "leave one out" : "list them as points with other names");
                ohmi_place(err, e->file.path, b->line, 0);
                return status;
            }
        }
    }
    return OHM_OK;
}

ohm_status ohm_experiment_expand(ohm_experiment *experiment, const char *base_path,
                                 const char *const *before, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_experiment_file *file = &experiment->file;
    const int n_points = file->n_points > 0 ? file->n_points : 1;
    ohm_config *base = NULL;
    int choice[OHMI_MOST_FIELDS] = {0};
    int64_t n_combinations = 1;
    clear_runs(experiment);
    OHM_TRY(load_base(&base, base_path, before, err));

    // how many there are
    for (int a = 0; a < file->n_axes && n_combinations <= MOST_RUNS; a++) {
        n_combinations *= file->axes[a].values.n;
    }
    const int64_t n_runs =
        n_combinations <= MOST_RUNS ? n_combinations * n_points * file->n_seeds : n_combinations;
    if (n_runs > MOST_RUNS) {
        status = ohmi_fail(err, OHM_ERR_CONFIG, "the experiment has more than %d runs", MOST_RUNS);
        ohmi_hint(err, "cut it into several files");
        ohmi_place(err, file->path, 0, 0);
        goto done;
    }
    experiment->runs = ohmi_alloc((size_t)n_runs, sizeof *experiment->runs);
    if (!experiment->runs) {
        status = no_memory(err);
        goto done;
    }

    // points, grid, seeds; the last of each runs fastest
    for (int p = 0; p < n_points; p++) {
        const ohmi_point *point = file->n_points > 0 ? &file->points[p] : NULL;
        for (int64_t c = 0; c < n_combinations; c++) {
            int64_t rest = c;
            for (int a = file->n_axes - 1; a >= 0; a--) {
                choice[a] = (int)(rest % file->axes[a].values.n);
                rest /= file->axes[a].values.n;
            }
            for (int s = 0; s < file->n_seeds; s++) {
                run *r = &experiment->runs[experiment->n_runs++];
                OHM_TRY(make_run(experiment, r, base, point, choice, file->seeds[s], err));
                r->seen.name = r->name;
                r->seen.folder = r->folder;
                r->seen.settings = (const char *const *)r->settings;
            }
        }
    }
    OHM_TRY(check_different(experiment, err));
done:
    ohm_config_free(&base);
    if (status < 0) {
        clear_runs(experiment);
    }
    return status;
}

// Whether a line of a config's text may differ between a run and its continuation.
static bool may_differ(const char *line) {
    static const char *const keys[] = {"threads=", "run.checkpoint="};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strncmp(line, keys[i], strlen(keys[i])) == 0) {
            return true;
        }
    }
    return false;
}

ohm_status ohm_experiment_agrees(const ohm_experiment *experiment, int i, const char *run_folder,
                                 ohm_error *err) {
    ohm_status status = OHM_OK;
    char path[1024];
    ohm_config *config = NULL;
    char *there = NULL;
    const int length = snprintf(path, sizeof path, "%s/config.yaml", run_folder);
    if (length < 0 || (size_t)length >= sizeof path || access(path, F_OK) != 0) {
        return OHM_OK;
    }
    OHM_TRY(load_base(&config, path, NULL, err));
    there = config_text(config);
    if (!there) {
        status = no_memory(err);
        goto done;
    }

    // the texts have the same keys in the same order
    const char *a = there, *b = experiment->runs[i].config;
    while (*a && *b) {
        const size_t n_a = strcspn(a, "\n"), n_b = strcspn(b, "\n");
        if (!may_differ(a) && (n_a != n_b || memcmp(a, b, n_a) != 0)) {
            status = ohmi_fail(err, OHM_ERR_CONFIG, "the run that is there has '%.*s', '%s' '%.*s'",
                               n_a < 120 ? (int)n_a : 120, a, experiment->runs[i].folder,
                               n_b < 120 ? (int)n_b : 120, b);
            ohmi_hint(err, "name another folder with --out, or remove the run that is there");
            ohmi_place(err, path, 0, 0);
            goto done;
        }
        a += n_a + (a[n_a] == '\n');
        b += n_b + (b[n_b] == '\n');
    }
done:
    ohmi_free(there);
    ohm_config_free(&config);
    return status;
}
