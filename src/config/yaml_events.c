// SPDX-License-Identifier: Apache-2.0
// YAML events with their places; see yaml_events.h.
#include "config/yaml_events.h"

#include <string.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "config/values.h"

enum { MOST_BYTES = 1 << 20 };

ohm_status ohmi_yaml_open(ohmi_yaml *y, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    *y = (ohmi_yaml){.path = path, .err = err};
    OHM_TRY(ohmi_read_file(&y->bytes, &y->size, path, MOST_BYTES, err));
    y->has_parser = yaml_parser_initialize(&y->parser) != 0;
    if (!y->has_parser) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", path);
        goto done;
    }
    yaml_parser_set_input_string(&y->parser, (const unsigned char *)y->bytes, y->size);
done:
    return status;
}

void ohmi_yaml_close(ohmi_yaml *y) {
    if (y->has_event) {
        yaml_event_delete(&y->event);
    }
    if (y->has_parser) {
        yaml_parser_delete(&y->parser);
    }
    ohmi_free(y->bytes);
    *y = (ohmi_yaml){0};
}

// adds the place of the current event to an error
ohm_status ohmi_yaml_at(ohmi_yaml *y, ohm_status status) {
    ohmi_place(y->err, y->path, (int)y->event.start_mark.line + 1,
               (int)y->event.start_mark.column + 1);
    return status;
}

// a file that is not YAML; libyaml marks bad bytes by their offset, the rest by line and column
static ohm_status not_yaml(ohmi_yaml *y) {
    const yaml_parser_t *p = &y->parser;
    int line = (int)p->problem_mark.line + 1, column = (int)p->problem_mark.column + 1;
    if (p->error == YAML_MEMORY_ERROR) {
        return ohmi_fail(y->err, OHM_ERR_NO_MEMORY, "no memory for the config");
    }
    if (p->error == YAML_READER_ERROR) {
        line = column = 1;
        for (size_t i = 0; i < p->problem_offset && i < y->size; i++) {
            line += y->bytes[i] == '\n';
            column = y->bytes[i] == '\n' ? 1 : column + 1;
        }
    }
    ohm_status status = ohmi_fail(y->err, OHM_ERR_CONFIG, "not YAML: %s%s%s",
                                  p->problem ? p->problem : "unreadable", p->context ? " " : "",
                                  p->context ? p->context : "");
    ohmi_place(y->err, y->path, line, column);
    return status;
}

// moves to the next event; features that would hide where a value comes from are refused
ohm_status ohmi_yaml_next(ohmi_yaml *y) {
    if (y->has_event) {
        yaml_event_delete(&y->event);
        y->has_event = false;
    }
    if (!yaml_parser_parse(&y->parser, &y->event)) {
        return not_yaml(y);
    }
    y->has_event = true;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (y->event.type) {
    case YAML_ALIAS_EVENT:
        anchor = y->event.data.alias.anchor;
        break;
    case YAML_SCALAR_EVENT:
        anchor = y->event.data.scalar.anchor;
        tag = y->event.data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = y->event.data.sequence_start.anchor;
        tag = y->event.data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = y->event.data.mapping_start.anchor;
        tag = y->event.data.mapping_start.tag;
        break;
    default:
        break;
    }
    if (anchor || tag) {
        ohm_status status = ohmi_fail(y->err, OHM_ERR_CONFIG, "%s are not allowed in a config",
                                      anchor ? "anchors and aliases" : "tags");
        ohmi_hint(y->err, "write the value out");
        return ohmi_yaml_at(y, status);
    }
    return OHM_OK;
}

// the text of the current scalar, NULL when it holds a zero byte
const char *ohmi_yaml_scalar(const ohmi_yaml *y) {
    const char *text = (const char *)y->event.data.scalar.value;
    return strlen(text) == y->event.data.scalar.length ? text : NULL;
}

// true for the plain scalars that stand for no value at all
bool ohmi_yaml_is_null(const ohmi_yaml *y) {
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    bool found = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        found = found || strcmp((const char *)y->event.data.scalar.value, words[i]) == 0;
    }
    return found && y->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static ohm_status wrong_type(ohmi_yaml *y, const ohmi_field *field, const char *what) {
    ohmi_text range = {0};
    ohm_status status =
        ohmi_fail(y->err, OHM_ERR_CONFIG, "'%s' does not take %s", field->key, what);
    ohmi_field_add_range(&range, field);
    ohmi_hint(y->err, "%s", range.data && !range.failed ? range.data : "");
    ohmi_text_clear(&range);
    return ohmi_yaml_at(y, status);
}

// joins a list of scalars, and lists of them, into one text; leaves the end of the list as current
static ohm_status join_list(ohmi_yaml *y, ohmi_text *out, const ohmi_field *field) {
    ohm_status status = OHM_OK;
    const char separator = field->type == OHMI_FIELD_TEXT ? ';' : ',';
    int depth = 1;
    bool is_first = true;
    ohmi_text_add(out, "");
    while (depth > 0) {
        OHM_TRY(ohmi_yaml_next(y));
        if (y->event.type == YAML_SEQUENCE_END_EVENT) {
            depth--;
            is_first = false;
        } else if (y->event.type == YAML_SEQUENCE_START_EVENT && depth == 1 && separator == ';') {
            if (!is_first) {
                ohmi_text_bytes(out, &separator, 1);
            }
            depth++;
            is_first = true;
        } else if (y->event.type == YAML_SCALAR_EVENT) {
            const char *text = ohmi_yaml_scalar(y);
            if (!text || strpbrk(text, ",;") || ohmi_yaml_is_null(y)) {
                status = wrong_type(y, field, "such an entry in a list");
                goto done;
            }
            ohmi_text_add(out, is_first ? "" : ",");
            ohmi_text_add(out, text);
            is_first = false;
        } else {
            status = wrong_type(y, field, "a map or list inside a list");
            goto done;
        }
    }
    if (out->failed) {
        status = ohmi_fail(y->err, OHM_ERR_NO_MEMORY, "no memory for '%s'", field->key);
    }
done:
    return status;
}

ohm_status ohmi_yaml_value(ohmi_yaml *y, ohmi_text *out, const ohmi_field *field) {
    ohm_status status = OHM_OK;
    const bool takes_list =
        field->type == OHMI_FIELD_NUMBERS || (field->type == OHMI_FIELD_TEXT && !field->choices);
    if (y->event.type == YAML_SCALAR_EVENT) {
        const char *text = ohmi_yaml_scalar(y);
        if (!text) {
            return wrong_type(y, field, "a zero byte");
        }
        if (ohmi_yaml_is_null(y)) {
            status = ohmi_fail(y->err, OHM_ERR_CONFIG, "'%s' has no value", field->key);
            if (field->default_text) {
                ohmi_hint(y->err, "leave the line out for the default, %s",
                          field->default_text[0] ? field->default_text : "empty");
            }
            return ohmi_yaml_at(y, status);
        }
        ohmi_text_add(out, text);
        return out->failed ? ohmi_fail(y->err, OHM_ERR_NO_MEMORY, "no memory for '%s'", field->key)
                           : OHM_OK;
    }
    if (y->event.type == YAML_SEQUENCE_START_EVENT && takes_list) {
        return join_list(y, out, field);
    }
    return wrong_type(y, field, y->event.type == YAML_MAPPING_START_EVENT ? "a map" : "a list");
}

// the stream: nothing, or one document that is a map
ohm_status ohmi_yaml_document(ohmi_yaml *y, ohmi_yaml_reader *read, void *context) {
    ohm_status status = OHM_OK;
    int n_documents = 0;
    OHM_TRY(ohmi_yaml_next(y));
    while (y->event.type != YAML_STREAM_END_EVENT) {
        OHM_TRY(ohmi_yaml_next(y));
        if (y->event.type != YAML_DOCUMENT_START_EVENT) {
            continue;
        }
        if (n_documents++ > 0) {
            status = ohmi_yaml_at(
                y, ohmi_fail(y->err, OHM_ERR_CONFIG, "a config is one document, not several"));
            goto done;
        }
        OHM_TRY(ohmi_yaml_next(y));
        if (y->event.type == YAML_MAPPING_START_EVENT) {
            OHM_TRY(read(context));
        } else if (y->event.type != YAML_SCALAR_EVENT || !ohmi_yaml_is_null(y)) {
            status = ohmi_fail(y->err, OHM_ERR_CONFIG, "a config is a map of keys and values");
            ohmi_hint(y->err, "write lines such as 'seed: 1'");
            status = ohmi_yaml_at(y, status);
            goto done;
        }
    }
done:
    return status;
}
