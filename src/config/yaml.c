// SPDX-License-Identifier: Apache-2.0
// Reads a YAML file over the values of a table, a config (ohm_config_load) or another, event by
// event with libyaml.
//
// What is accepted: one document, a map of keys; sections as maps ("train: {lr: 1e-2}") or as
// dotted keys ("train.lr: 1e-2"); scalars of any quoting, typed by the field they are for, so that
// 1e-3 is a number and no a text where the field says so; lists for number lists, and for texts,
// where they are joined by commas (lists in lists by semicolons). What is refused, with its place:
// unknown and repeated keys, anchors, aliases, tags, further documents, values of another type.
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "config/values.h"
#include "config/yaml_events.h"

typedef struct {
    ohmi_yaml y;
    const ohmi_table *table;
    void *values;
    ohmi_mark *marks;                     // (n_fields) line 0 = not set yet
    int seen_section[OHMI_MOST_SECTIONS]; // line where a section's map began, 0 = not yet
} reader;

// "method: xst" is short for "method.preset: xst"
static const ohmi_field *find(const reader *r, const char *key) {
    return r->table == ohmi_config_table() ? ohmi_field_find(key) : ohmi_table_find(r->table, key);
}

// the value of a field is the current event
static ohm_status read_value(reader *r, const ohmi_field *field, int key_line, int key_column) {
    ohm_status status = OHM_OK;
    ohmi_text text = {0};
    ohmi_mark *mark = &r->marks[field - r->table->fields];
    const int line = (int)r->y.event.start_mark.line + 1;
    const int column = (int)r->y.event.start_mark.column + 1;

    // a key has one value in a file
    if (mark->key_line) {
        status = ohmi_fail(r->y.err, OHM_ERR_CONFIG, "'%s' is set twice", field->key);
        ohmi_hint(r->y.err, "it was set in line %d before", mark->key_line);
        ohmi_place(r->y.err, r->y.path, key_line, key_column);
        goto done;
    }
    *mark = (ohmi_mark){line, column, key_line};

    // its value
    OHM_TRY(ohmi_yaml_value(&r->y, &text, field));
    status = ohmi_field_set(r->values, field, text.data, r->y.err);
    if (status < 0) {
        ohmi_place(r->y.err, r->y.path, line, column);
    }
done:
    ohmi_text_clear(&text);
    return status;
}

// the keys of a map up to its end; section = "" at the top
static ohm_status read_map(reader *r, const char *section) {
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
        const ohmi_field *field = find(r, key);
        const int inner = section[0] ? -1 : ohmi_table_section(r->table, key[0] ? key : "?");
        const int line = (int)r->y.event.start_mark.line + 1;
        const int column = (int)r->y.event.start_mark.column + 1;
        if (!field && inner < 0) {
            status = ohmi_yaml_at(&r->y, ohmi_table_unknown(r->table, key, r->y.err));
            goto done;
        }
        OHM_TRY(ohmi_yaml_next(&r->y));

        // a section's map, or a value ("method" can be either)
        if (inner >= 0 && (!field || r->y.event.type == YAML_MAPPING_START_EVENT)) {
            if (r->y.event.type != YAML_MAPPING_START_EVENT) {
                status = ohmi_fail(r->y.err, OHM_ERR_CONFIG, "'%s' is a section, not a value", key);
                ohmi_hint(r->y.err, "write its keys under it, indented");
                status = ohmi_yaml_at(&r->y, status);
                goto done;
            }
            if (r->seen_section[inner]) {
                status =
                    ohmi_fail(r->y.err, OHM_ERR_CONFIG, "the section '%s' is there twice", key);
                ohmi_hint(r->y.err, "it began in line %d before", r->seen_section[inner]);
                ohmi_place(r->y.err, r->y.path, line, column);
                goto done;
            }
            r->seen_section[inner] = line;
            OHM_TRY(read_map(r, key));
        } else {
            OHM_TRY(read_value(r, field, line, column));
        }
    }
done:
    return status;
}

static ohm_status read_top(void *context) {
    return read_map(context, "");
}

ohm_status ohmi_table_load(void *values, ohmi_mark *marks, const ohmi_table *table,
                           const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    reader r = {.table = table, .values = values, .marks = marks};
    OHM_TRY(ohmi_yaml_open(&r.y, path, err));
    OHM_TRY(ohmi_yaml_document(&r.y, read_top, &r));
done:
    ohmi_yaml_close(&r.y);
    return status;
}

ohm_status ohm_config_load(ohm_config *config, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_mark marks[OHMI_MOST_FIELDS] = {0};
    int n_fields;
    (void)ohmi_fields(&n_fields);

    // filled aside, handed over when all is well
    ohm_config *read = ohmi_alloc(1, sizeof *read);
    if (!read) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", path);
        goto done;
    }
    *read = *config;
    ohmi_config_enter_file(read, path);
    OHM_TRY(ohmi_table_load(&read->values, marks, ohmi_config_table(), path, err));
    for (int i = 0; i < n_fields; i++) {
        if (marks[i].line) {
            read->origin[i] = OHMI_FROM_FILE;
            read->line[i] = marks[i].line;
            read->column[i] = marks[i].column;
            read->file_of[i] = read->file;
        }
    }
    *config = *read;
done:
    ohmi_free(read);
    return status;
}
