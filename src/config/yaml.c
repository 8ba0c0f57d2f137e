// SPDX-License-Identifier: Apache-2.0
// Reads a YAML file over a config (ohm_config_load), event by event with libyaml.
//
// What is accepted: one document, a map of keys; sections as maps ("train: {lr: 1e-2}") or as
// dotted keys ("train.lr: 1e-2"); scalars of any quoting, typed by the field they are for, so that
// 1e-3 is a number and no a text where the field says so; lists for number lists, and for texts,
// where they are joined by commas (lists in lists by semicolons). What is refused, with its place:
// unknown and repeated keys, anchors, aliases, tags, further documents, values of another type.
#include <string.h>
#include <yaml.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "config/values.h"

enum { MOST_BYTES = 1 << 20 };

typedef struct {
    yaml_parser_t parser;
    yaml_event_t event; // the current one
    bool has_parser, has_event;
    const char *bytes, *path; // of the file
    size_t size;
    ohm_config config;                    // filled here, handed over when all is well
    int seen[OHMI_MOST_FIELDS];           // line where a field was set, 0 = not yet
    int seen_section[OHMI_MOST_SECTIONS]; // line where a section's map began, 0 = not yet
    ohm_error *err;
} reader;

// adds the place of the current event to an error
static ohm_status at_event(reader *r, ohm_status status) {
    ohmi_place(r->err, r->path, (int)r->event.start_mark.line + 1,
               (int)r->event.start_mark.column + 1);
    return status;
}

// a file that is not YAML; libyaml marks bad bytes by their offset, the rest by line and column
static ohm_status not_yaml(reader *r) {
    const yaml_parser_t *p = &r->parser;
    int line = (int)p->problem_mark.line + 1, column = (int)p->problem_mark.column + 1;
    if (p->error == YAML_MEMORY_ERROR) {
        return ohmi_fail(r->err, OHM_ERR_NO_MEMORY, "no memory for the config");
    }
    if (p->error == YAML_READER_ERROR) {
        line = column = 1;
        for (size_t i = 0; i < p->problem_offset && i < r->size; i++) {
            line += r->bytes[i] == '\n';
            column = r->bytes[i] == '\n' ? 1 : column + 1;
        }
    }
    ohm_status status = ohmi_fail(r->err, OHM_ERR_CONFIG, "not YAML: %s%s%s",
                                  p->problem ? p->problem : "unreadable", p->context ? " " : "",
                                  p->context ? p->context : "");
    ohmi_place(r->err, r->path, line, column);
    return status;
}

// moves to the next event; features that would hide where a value comes from are refused
static ohm_status next(reader *r) {
    if (r->has_event) {
        yaml_event_delete(&r->event);
        r->has_event = false;
    }
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        return not_yaml(r);
    }
    r->has_event = true;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (r->event.type) {
    case YAML_ALIAS_EVENT:
        anchor = r->event.data.alias.anchor;
        break;
    case YAML_SCALAR_EVENT:
        anchor = r->event.data.scalar.anchor;
        tag = r->event.data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = r->event.data.sequence_start.anchor;
        tag = r->event.data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = r->event.data.mapping_start.anchor;
        tag = r->event.data.mapping_start.tag;
        break;
    default:
        break;
    }
    if (anchor || tag) {
        ohm_status status = ohmi_fail(r->err, OHM_ERR_CONFIG, "%s are not allowed in a config",
                                      anchor ? "anchors and aliases" : "tags");
        ohmi_hint(r->err, "write the value out");
        return at_event(r, status);
    }
    return OHM_OK;
}

// the text of the current scalar, NULL when it holds a zero byte
static const char *scalar(const reader *r) {
    const char *text = (const char *)r->event.data.scalar.value;
    return strlen(text) == r->event.data.scalar.length ? text : NULL;
}

// true for the plain scalars that stand for no value at all
static bool is_null(const reader *r) {
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    bool found = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        found = found || strcmp((const char *)r->event.data.scalar.value, words[i]) == 0;
    }
    return found && r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static ohm_status wrong_type(reader *r, const ohmi_field *field, const char *what) {
    ohmi_text range = {0};
    ohm_status status =
        ohmi_fail(r->err, OHM_ERR_CONFIG, "'%s' does not take %s", field->key, what);
    ohmi_field_add_range(&range, field);
    ohmi_hint(r->err, "%s", range.data && !range.failed ? range.data : "");
    ohmi_text_clear(&range);
    return at_event(r, status);
}

// joins a list of scalars, and lists of them, into one text; leaves the end of the list as current
static ohm_status join_list(reader *r, ohmi_text *out, const ohmi_field *field) {
    ohm_status status = OHM_OK;
    const char separator = field->type == OHMI_FIELD_TEXT ? ';' : ',';
    int depth = 1;
    bool is_first = true;
    ohmi_text_add(out, "");
    while (depth > 0) {
        OHM_TRY(next(r));
        if (r->event.type == YAML_SEQUENCE_END_EVENT) {
            depth--;
            is_first = false;
        } else if (r->event.type == YAML_SEQUENCE_START_EVENT && depth == 1 && separator == ';') {
            if (!is_first) {
                ohmi_text_bytes(out, &separator, 1);
            }
            depth++;
            is_first = true;
        } else if (r->event.type == YAML_SCALAR_EVENT) {
            const char *text = scalar(r);
            if (!text || strpbrk(text, ",;") || is_null(r)) {
                status = wrong_type(r, field, "such an entry in a list");
                goto done;
            }
            ohmi_text_add(out, is_first ? "" : ",");
            ohmi_text_add(out, text);
            is_first = false;
        } else {
            status = wrong_type(r, field, "a map or list inside a list");
            goto done;
        }
    }
    if (out->failed) {
        status = ohmi_fail(r->err, OHM_ERR_NO_MEMORY, "no memory for '%s'", field->key);
    }
done:
    return status;
}

// the value of a field is the current event
static ohm_status read_value(reader *r, const ohmi_field *field, int key_line, int key_column) {
    ohm_status status = OHM_OK;
    ohmi_text joined = {0};
    int n_fields;
    const int index = (int)(field - ohmi_fields(&n_fields));
    const char *text = NULL;
    const int line = (int)r->event.start_mark.line + 1;
    const int column = (int)r->event.start_mark.column + 1;
    const bool takes_list =
        field->type == OHMI_FIELD_NUMBERS || (field->type == OHMI_FIELD_TEXT && !field->choices);

    // a key has one value in a file
    if (r->seen[index]) {
        status = ohmi_fail(r->err, OHM_ERR_CONFIG, "'%s' is set twice", field->key);
        ohmi_hint(r->err, "it was set in line %d before", r->seen[index]);
        ohmi_place(r->err, r->path, key_line, key_column);
        goto done;
    }
    r->seen[index] = key_line;

    // its text
    if (r->event.type == YAML_SCALAR_EVENT) {
        text = scalar(r);
        if (!text) {
            status = wrong_type(r, field, "a zero byte");
            goto done;
        }
        if (is_null(r)) {
            status = ohmi_fail(r->err, OHM_ERR_CONFIG, "'%s' has no value", field->key);
            ohmi_hint(r->err, "leave the line out for the default, %s",
                      field->default_text[0] ? field->default_text : "empty");
            status = at_event(r, status);
            goto done;
        }
    } else if (r->event.type == YAML_SEQUENCE_START_EVENT && takes_list) {
        OHM_TRY(join_list(r, &joined, field));
        text = joined.data;
    } else {
        status =
            wrong_type(r, field, r->event.type == YAML_MAPPING_START_EVENT ? "a map" : "a list");
        goto done;
    }

    // its value
    status = ohmi_field_set(&r->config.values, field, text, r->err);
    if (status < 0) {
        ohmi_place(r->err, r->path, line, column);
        goto done;
    }
    r->config.origin[index] = OHMI_FROM_FILE;
    r->config.line[index] = line;
    r->config.file_of[index] = r->config.file;
    r->config.column[index] = column;
done:
    ohmi_text_clear(&joined);
    return status;
}

// the keys of a map up to its end; section = "" at the top
static ohm_status read_map(reader *r, const char *section) {
    ohm_status status = OHM_OK;
    for (;;) {
        char key[128];
        OHM_TRY(next(r));
        if (r->event.type == YAML_MAPPING_END_EVENT) {
            break;
        }
        const char *word = r->event.type == YAML_SCALAR_EVENT ? scalar(r) : NULL;
        if (!word) {
            status = at_event(r, ohmi_fail(r->err, OHM_ERR_CONFIG, "a key must be a word"));
            goto done;
        }
        (void)snprintf(key, sizeof key, "%s%s%.90s", section, section[0] ? "." : "", word);
        const ohmi_field *field = ohmi_field_find(key);
        const int inner = section[0] ? -1 : ohmi_section_find(key[0] ? key : "?");
        const int line = (int)r->event.start_mark.line + 1;
        const int column = (int)r->event.start_mark.column + 1;
        if (!field && inner < 0) {
            status = at_event(r, ohmi_unknown_key(key, r->err));
            goto done;
        }
        OHM_TRY(next(r));

        // a section's map, or a value ("method" can be either)
        if (inner >= 0 && (!field || r->event.type == YAML_MAPPING_START_EVENT)) {
            if (r->event.type != YAML_MAPPING_START_EVENT) {
                status = ohmi_fail(r->err, OHM_ERR_CONFIG, "'%s' is a section, not a value", key);
                ohmi_hint(r->err, "write its keys under it, indented");
                status = at_event(r, status);
                goto done;
            }
            if (r->seen_section[inner]) {
                status = ohmi_fail(r->err, OHM_ERR_CONFIG, "the section '%s' is there twice", key);
                ohmi_hint(r->err, "it began in line %d before", r->seen_section[inner]);
                ohmi_place(r->err, r->path, line, column);
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

// the stream: nothing, or one document that is a map
static ohm_status read_stream(reader *r) {
    ohm_status status = OHM_OK;
    int n_documents = 0;
    OHM_TRY(next(r));
    while (r->event.type != YAML_STREAM_END_EVENT) {
        OHM_TRY(next(r));
        if (r->event.type != YAML_DOCUMENT_START_EVENT) {
            continue;
        }
        if (n_documents++ > 0) {
            status = at_event(
                r, ohmi_fail(r->err, OHM_ERR_CONFIG, "a config is one document, not several"));
            goto done;
        }
        OHM_TRY(next(r));
        if (r->event.type == YAML_MAPPING_START_EVENT) {
            OHM_TRY(read_map(r, ""));
        } else if (r->event.type != YAML_SCALAR_EVENT || !is_null(r)) {
            status = ohmi_fail(r->err, OHM_ERR_CONFIG, "a config is a map of keys and values");
            ohmi_hint(r->err, "write lines such as 'seed: 1'");
            status = at_event(r, status);
            goto done;
        }
    }
done:
    return status;
}

ohm_status ohm_config_load(ohm_config *config, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    char *bytes = NULL;
    reader *r = ohmi_alloc(1, sizeof *r);
    if (!r) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", path);
        goto done;
    }
    OHM_TRY(ohmi_read_file(&bytes, &r->size, path, MOST_BYTES, err));
    r->bytes = bytes;
    r->path = path;
    r->err = err;
    r->config = *config;
    ohmi_config_enter_file(&r->config, path);
    r->has_parser = yaml_parser_initialize(&r->parser) != 0;
    if (!r->has_parser) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", path);
        goto done;
    }
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)bytes, r->size);
    OHM_TRY(read_stream(r));
    *config = r->config;
done:
    if (r && r->has_event) {
        yaml_event_delete(&r->event);
    }
    if (r && r->has_parser) {
        yaml_parser_delete(&r->parser);
    }
    ohmi_free(r);
    ohmi_free(bytes);
    return status;
}
