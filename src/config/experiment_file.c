// SPDX-License-Identifier: Apache-2.0
// Reads an experiment file: a map of name, base, command, settings, grid, points, seeds. Every
// value is checked by the field it is for as soon as it is read, so that an error has its line and
// column.
#include "config/experiment_file.h"

#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "config/values.h"
#include "config/yaml_events.h"

enum { MOST_VALUES = 1000 }; // of a key of the grid, of seeds, of points

typedef struct {
    ohmi_yaml y;
    ohmi_experiment_file *file;
    int seen[7]; // line where a top-level key was, 0 = not yet
} reader;

static const char *const top_keys[] = {"name",   "base",  "settings", "grid",
                                       "points", "seeds", "command"};
enum { NAME, BASE, SETTINGS, GRID, POINTS, SEEDS, COMMAND };

// Grows a list of n items by a zeroed one and returns its block; NULL when memory is out, and then
// the list is as it was.
static void *grow(void *items, int n, size_t item_bytes) {
    const size_t old = (size_t)n * item_bytes;
    char *grown = ohmi_realloc(items, old, old + item_bytes);
    if (grown) {
        memset(grown + old, 0, item_bytes);
    }
    return grown;
}

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the experiment");
}

ohmi_setting *ohmi_settings_find(const ohmi_settings *list, const ohmi_field *field) {
    for (int i = 0; i < list->n; i++) {
        if (list->items[i].field == field) {
            return &list->items[i];
        }
    }
    return NULL;
}

ohm_status ohmi_settings_add(ohmi_settings *list, const ohmi_field *field, const char *text,
                             int line, int column, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_config *scratch = ohmi_alloc(1, sizeof *scratch);
    char *copy = ohmi_strdup(text);
    if (!scratch || !copy) {
        status = no_memory(err);
        goto done;
    }
    OHM_TRY(ohmi_field_set(scratch, field, text, err));
    ohmi_setting *items = grow(list->items, list->n, sizeof *items);
    if (!items) {
        status = no_memory(err);
        goto done;
    }
    list->items = items;
    items[list->n++] = (ohmi_setting){field, copy, line, column};
    copy = NULL;
done:
    ohmi_free(copy);
    ohmi_free(scratch);
    return status;
}

ohm_status ohmi_experiment_may_set(const ohmi_field *field, ohm_error *err) {
    ohm_status status = OHM_OK;
    if (strcmp(field->key, "seed") == 0) {
        status = ohmi_fail(err, OHM_ERR_CONFIG, "'seed' is not set in an experiment");
        ohmi_hint(err, "list the seeds, as 'seeds: [1, 2, 3]'");
    } else if (strcmp(field->key, "name") == 0) {
        status = ohmi_fail(err, OHM_ERR_CONFIG, "'name' is not set in an experiment");
        ohmi_hint(err, "a run is named after its point");
    }
    return status;
}

// Fails when the current event is not of a type.
static ohm_status expect(reader *r, yaml_event_type_t type, const char *key, const char *what,
                         const char *hint) {
    if (r->y.event.type == type) {
        return OHM_OK;
    }
    const ohm_status status = ohmi_fail(r->y.err, OHM_ERR_CONFIG, "'%s' must be %s", key, what);
    ohmi_hint(r->y.err, "%s", hint);
    return ohmi_yaml_at(&r->y, status);
}

// A name becomes part of the name of a folder.
static ohm_status check_name(reader *r, const char *what, const char *name) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._+-";
    char shown[OHMI_SHOWN];
    if (name && name[0] && name[0] != '.' && name[0] != '-' &&
        strspn(name, allowed) == strlen(name) && strlen(name) < OHMI_EXPERIMENT_NAME) {
        return OHM_OK;
    }
    const ohm_status status = ohmi_fail(r->y.err, OHM_ERR_CONFIG, "'%s' is no name for %s",
                                        ohmi_shown(shown, name ? name : ""), what);
    ohmi_hint(r->y.err, "letters, digits, '.', '_', '+' and '-', at most %d of them",
              OHMI_EXPERIMENT_NAME - 1);
    return ohmi_yaml_at(&r->y, status);
}

// The text of a scalar that must be there.
static ohm_status read_text(reader *r, const char *key, char *out, size_t size_bytes) {
    ohm_status status = OHM_OK;
    OHM_TRY(expect(r, YAML_SCALAR_EVENT, key, "one text", "write it behind the colon"));
    const char *text = ohmi_yaml_scalar(&r->y);
    if (!text || ohmi_yaml_is_null(&r->y) || strlen(text) >= size_bytes) {
        status = ohmi_yaml_at(
            &r->y, ohmi_fail(r->y.err, OHM_ERR_CONFIG, "'%s' has no value that can be used", key));
        goto done;
    }
    memcpy(out, text, strlen(text) + 1);
done:
    return status;
}

// Calls use(r, context, field) at each value of a map of keys, up to the map's end; sections may
// be maps in it. section = "" outside of one.
typedef ohm_status value_reader(reader *r, void *context, const ohmi_field *field);

static ohm_status read_keys(reader *r, const char *section, value_reader *use, void *context) {
    ohm_status status = OHM_OK;
    for (;;) {
        char key[128];
        OHM_TRY(ohmi_yaml_next(&r->y));
        if (r->y.event.type == YAML_MAPPING_END_EVENT) {
            break;
        }
        const char *word = r->y.event.type == YAML_SCALAR_EVENT ? ohmi_yaml_scalar(&r->y) : NULL;
        if (!word) {
            status =
                ohmi_yaml_at(&r->y, ohmi_fail(r->y.err, OHM_ERR_CONFIG, "a key must be a word"));
            goto done;
        }
        (void)snprintf(key, sizeof key, "%s%s%.90s", section, section[0] ? "." : "", word);
        const ohmi_field *field = ohmi_field_find(key);
        const bool is_section = !section[0] && key[0] && ohmi_section_find(key) >= 0;
        if (!field && !is_section) {
            status = ohmi_yaml_at(&r->y, ohmi_unknown_key(key, r->y.err));
            goto done;
        }
        if (field) {
            status = ohmi_experiment_may_set(field, r->y.err);
            if (status < 0) {
                (void)ohmi_yaml_at(&r->y, status);
                goto done;
            }
        }
        OHM_TRY(ohmi_yaml_next(&r->y));
        if (is_section && (!field || r->y.event.type == YAML_MAPPING_START_EVENT)) {
            OHM_TRY(expect(r, YAML_MAPPING_START_EVENT, key, "a map: it is a section",
                           "write its keys under it, indented"));
            OHM_TRY(read_keys(r, key, use, context));
        } else {
            OHM_TRY(use(r, context, field));
        }
    }
done:
    return status;
}

// Adds the value at the current event to a list.
static ohm_status read_value(reader *r, ohmi_settings *list, const ohmi_field *field) {
    ohm_status status = OHM_OK;
    ohmi_text text = {0};
    const int line = (int)r->y.event.start_mark.line + 1;
    const int column = (int)r->y.event.start_mark.column + 1;
    OHM_TRY(ohmi_yaml_value(&r->y, &text, field));
    status = ohmi_settings_add(list, field, text.data, line, column, r->y.err);
    if (status < 0) {
        ohmi_place(r->y.err, r->y.path, line, column);
    }
done:
    ohmi_text_clear(&text);
    return status;
}

static ohm_status set_twice(reader *r, const ohmi_field *field, int line) {
    const ohm_status status = ohmi_fail(r->y.err, OHM_ERR_CONFIG, "'%s' is set twice", field->key);
    ohmi_hint(r->y.err, "it was set in line %d before", line);
    return ohmi_yaml_at(&r->y, status);
}

static ohm_status read_setting(reader *r, void *context, const ohmi_field *field) {
    ohmi_settings *list = context;
    const ohmi_setting *before = ohmi_settings_find(list, field);
    return before ? set_twice(r, field, before->line) : read_value(r, list, field);
}

// A key of the grid and its list of values.
static ohm_status read_axis(reader *r, void *context, const ohmi_field *field) {
    ohm_status status = OHM_OK;
    ohmi_experiment_file *file = context;
    for (int i = 0; i < file->n_axes; i++) {
        if (file->axes[i].field == field) {
            return set_twice(r, field, file->axes[i].values.items[0].line);
        }
    }
    OHM_TRY(expect(r, YAML_SEQUENCE_START_EVENT, field->key, "a list of values in the grid",
                   "write it as [a, b]; what has one value belongs into 'settings'"));
    ohmi_axis *axes = grow(file->axes, file->n_axes, sizeof *axes);
    if (!axes) {
        status = no_memory(r->y.err);
        goto done;
    }
    file->axes = axes;
    ohmi_axis *axis = &axes[file->n_axes++];
    axis->field = field;
    for (;;) {
        OHM_TRY(ohmi_yaml_next(&r->y));
        if (r->y.event.type == YAML_SEQUENCE_END_EVENT) {
            break;
        }
        if (axis->values.n >= MOST_VALUES) {
            status = ohmi_yaml_at(&r->y, ohmi_fail(r->y.err, OHM_ERR_CONFIG,
                                                   "'%s' has more than %d values", field->key,
                                                   MOST_VALUES));
            goto done;
        }
        OHM_TRY(read_value(r, &axis->values, field));
    }
    if (axis->values.n == 0) {
        status = ohmi_yaml_at(
            &r->y, ohmi_fail(r->y.err, OHM_ERR_CONFIG, "'%s' has no values", field->key));
    }
done:
    return status;
}

// A map of names; each names a map of settings.
static ohm_status read_points(reader *r) {
    ohm_status status = OHM_OK;
    ohmi_experiment_file *file = r->file;
    for (;;) {
        OHM_TRY(ohmi_yaml_next(&r->y));
        if (r->y.event.type == YAML_MAPPING_END_EVENT) {
            break;
        }
        const char *name = r->y.event.type == YAML_SCALAR_EVENT ? ohmi_yaml_scalar(&r->y) : NULL;
        OHM_TRY(check_name(r, "a point", name));
        for (int i = 0; i < file->n_points; i++) {
            if (strcmp(file->points[i].name, name) == 0) {
                status = ohmi_fail(r->y.err, OHM_ERR_CONFIG, "the point '%s' is there twice", name);
                ohmi_hint(r->y.err, "it was in line %d before", file->points[i].line);
                (void)ohmi_yaml_at(&r->y, status);
                goto done;
            }
        }
        if (file->n_points >= MOST_VALUES) {
            status = ohmi_yaml_at(&r->y, ohmi_fail(r->y.err, OHM_ERR_CONFIG,
                                                   "there are more than %d points", MOST_VALUES));
            goto done;
        }
        ohmi_point *points = grow(file->points, file->n_points, sizeof *points);
        if (!points) {
            status = no_memory(r->y.err);
            goto done;
        }
        file->points = points;
        ohmi_point *point = &points[file->n_points++];
        (void)snprintf(point->name, sizeof point->name, "%s", name);
        point->line = (int)r->y.event.start_mark.line + 1;
        point->column = (int)r->y.event.start_mark.column + 1;
        OHM_TRY(ohmi_yaml_next(&r->y));
        OHM_TRY(expect(r, YAML_MAPPING_START_EVENT, point->name, "a map of settings",
                       "write it as '{method: xst}', or '{}' for the base as it is"));
        OHM_TRY(read_keys(r, "", read_setting, &point->settings));
    }
done:
    return status;
}

// One seed at the current event.
static ohm_status read_seed(reader *r) {
    ohm_status status = OHM_OK;
    ohmi_experiment_file *file = r->file;
    const ohmi_field *field = ohmi_field_find("seed");
    ohmi_config *scratch = ohmi_alloc(1, sizeof *scratch);
    ohmi_text text = {0};
    if (!scratch) {
        status = no_memory(r->y.err);
        goto done;
    }
    OHM_TRY(ohmi_yaml_value(&r->y, &text, field));
    status = ohmi_field_set(scratch, field, text.data, r->y.err);
    if (status < 0) {
        (void)ohmi_yaml_at(&r->y, status);
        goto done;
    }
    for (int i = 0; i < file->n_seeds; i++) {
        if (file->seeds[i] == scratch->seed) {
            status = ohmi_yaml_at(&r->y, ohmi_fail(r->y.err, OHM_ERR_CONFIG,
                                                   "the seed '%s' is there twice", text.data));
            goto done;
        }
    }
    if (file->n_seeds >= MOST_VALUES) {
        status = ohmi_yaml_at(&r->y, ohmi_fail(r->y.err, OHM_ERR_CONFIG,
                                               "there are more than %d seeds", MOST_VALUES));
        goto done;
    }
    int64_t *seeds = grow(file->seeds, file->n_seeds, sizeof *seeds);
    if (!seeds) {
        status = no_memory(r->y.err);
        goto done;
    }
    file->seeds = seeds;
    seeds[file->n_seeds++] = scratch->seed;
done:
    ohmi_text_clear(&text);
    ohmi_free(scratch);
    return status;
}

static ohm_status read_seeds(reader *r) {
    ohm_status status = OHM_OK;
    OHM_TRY(expect(r, YAML_SEQUENCE_START_EVENT, "seeds", "a list of whole numbers",
                   "write it as [1, 2, 3]"));
    for (;;) {
        OHM_TRY(ohmi_yaml_next(&r->y));
        if (r->y.event.type == YAML_SEQUENCE_END_EVENT) {
            break;
        }
        OHM_TRY(read_seed(r));
    }
    if (r->file->n_seeds == 0) {
        status = ohmi_yaml_at(&r->y, ohmi_fail(r->y.err, OHM_ERR_CONFIG, "'seeds' has no values"));
    }
done:
    return status;
}

// What makes the runs.
static ohm_status read_command(reader *r) {
    ohm_status status = OHM_OK;
    char word[sizeof r->file->command];
    OHM_TRY(read_text(r, "command", word, sizeof word));
    if (strcmp(word, "learn") != 0 && strcmp(word, "insitu") != 0) {
        status = ohmi_fail(r->y.err, OHM_ERR_CONFIG, "'command' is '%s'", word);
        ohmi_hint(r->y.err, "allowed are learn and insitu");
        (void)ohmi_yaml_at(&r->y, status);
        goto done;
    }
    memcpy(r->file->command, word, sizeof word);
done:
    return status;
}

// The value of a top-level key is the current event.
static ohm_status read_part(reader *r, int part) {
    ohm_status status = OHM_OK;
    ohmi_experiment_file *file = r->file;
    switch (part) {
    case NAME:
        OHM_TRY(read_text(r, "name", file->name, sizeof file->name));
        return check_name(r, "an experiment", file->name);
    case BASE:
        return read_text(r, "base", file->base, sizeof file->base);
    case SEEDS:
        return read_seeds(r);
    case COMMAND:
        return read_command(r);
    default:
        break;
    }
    OHM_TRY(expect(r, YAML_MAPPING_START_EVENT, top_keys[part], "a map",
                   part == POINTS ? "write lines 'NAME: {key: value}' under it"
                                  : "write its keys under it, indented"));
    if (part == POINTS) {
        return read_points(r);
    }
    return part == GRID ? read_keys(r, "", read_axis, file)
                        : read_keys(r, "", read_setting, &file->settings);
done:
    return status;
}

// The place of a key in top_keys; -1 after an error.
static int find_part(reader *r) {
    enum { N = sizeof top_keys / sizeof *top_keys };
    char shown[OHMI_SHOWN];
    const char *word = r->y.event.type == YAML_SCALAR_EVENT ? ohmi_yaml_scalar(&r->y) : NULL;
    const char *nearest = NULL;
    int least = 3;
    for (int i = 0; word && i < N; i++) {
        const int distance = ohmi_edit_distance(word, top_keys[i]);
        if (distance == 0) {
            return i;
        }
        if (distance < least) {
            least = distance;
            nearest = top_keys[i];
        }
    }
    const ohm_status status = ohmi_fail(r->y.err, OHM_ERR_CONFIG, "unknown key '%s'",
                                        ohmi_shown(shown, word ? word : ""));
    if (nearest) {
        ohmi_hint(r->y.err, "did you mean '%s'?", nearest);
    } else {
        ohmi_hint(r->y.err, "an experiment has name, base, command, settings, grid, points and "
                            "seeds; keys of a config belong into settings, grid and points");
    }
    (void)ohmi_yaml_at(&r->y, status);
    return -1;
}

static ohm_status read_top(void *context) {
    ohm_status status = OHM_OK;
    reader *r = context;
    for (;;) {
        OHM_TRY(ohmi_yaml_next(&r->y));
        if (r->y.event.type == YAML_MAPPING_END_EVENT) {
            break;
        }
        const int part = find_part(r);
        if (part < 0) {
            return OHM_ERR_CONFIG;
        }
        if (r->seen[part]) {
            status = ohmi_fail(r->y.err, OHM_ERR_CONFIG, "'%s' is there twice", top_keys[part]);
            ohmi_hint(r->y.err, "it was in line %d before", r->seen[part]);
            (void)ohmi_yaml_at(&r->y, status);
            goto done;
        }
        r->seen[part] = (int)r->y.event.start_mark.line + 1;
        OHM_TRY(ohmi_yaml_next(&r->y));
        OHM_TRY(read_part(r, part));
    }
done:
    return status;
}

// A key of the grid is nowhere else: its value would not be known.
static ohm_status check_grid(const ohmi_experiment_file *file, ohm_error *err) {
    for (int a = 0; a < file->n_axes; a++) {
        const ohmi_field *field = file->axes[a].field;
        const ohmi_setting *other = ohmi_settings_find(&file->settings, field);
        for (int p = 0; p < file->n_points && !other; p++) {
            other = ohmi_settings_find(&file->points[p].settings, field);
        }
        if (other) {
            const ohm_status status =
                ohmi_fail(err, OHM_ERR_CONFIG, "'%s' is set here and in the grid", field->key);
            ohmi_hint(err, "the grid has it in line %d", file->axes[a].values.items[0].line);
            ohmi_place(err, file->path, other->line, other->column);
            return status;
        }
    }
    return OHM_OK;
}

ohm_status ohmi_experiment_read(ohmi_experiment_file *file, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    reader r = {.file = file};
    (void)snprintf(file->path, sizeof file->path, "%s", path);
    (void)snprintf(file->command, sizeof file->command, "learn");
    OHM_TRY(ohmi_yaml_open(&r.y, path, err));
    OHM_TRY(ohmi_yaml_document(&r.y, read_top, &r));
    if (!r.seen[BASE]) {
        status = ohmi_fail(err, OHM_ERR_CONFIG, "the experiment has no 'base'");
        ohmi_hint(err, "name a config or a preset, as 'base: learn/cifar100-xst'");
        ohmi_place(err, path, 0, 0);
        goto done;
    }
    if (!r.seen[SEEDS]) {
        status = ohmi_fail(err, OHM_ERR_CONFIG, "the experiment has no 'seeds'");
        ohmi_hint(err, "list at least one, as 'seeds: [1]'");
        ohmi_place(err, path, 0, 0);
        goto done;
    }
    if (!file->name[0]) {
        const char *slash = strrchr(path, '/');
        const char *leaf = slash ? slash + 1 : path;
        const char *dot = strrchr(leaf, '.');
        (void)snprintf(file->name, sizeof file->name, "%.*s",
                       dot && dot > leaf ? (int)(dot - leaf) : (int)strlen(leaf), leaf);
    }
    OHM_TRY(check_grid(file, err));
done:
    ohmi_yaml_close(&r.y);
    return status;
}

static void clear_settings(ohmi_settings *list) {
    for (int i = 0; i < list->n; i++) {
        ohmi_free(list->items[i].text);
    }
    ohmi_free(list->items);
}

void ohmi_experiment_clear(ohmi_experiment_file *file) {
    clear_settings(&file->settings);
    for (int i = 0; i < file->n_axes; i++) {
        clear_settings(&file->axes[i].values);
    }
    for (int i = 0; i < file->n_points; i++) {
        clear_settings(&file->points[i].settings);
    }
    ohmi_free(file->axes);
    ohmi_free(file->points);
    ohmi_free(file->seeds);
    memset(file, 0, sizeof *file);
}
