// SPDX-License-Identifier: Apache-2.0
// Writes a config as YAML (ohm_config_text): every key in table order, sections as maps, and behind
// each value where it came from. Scalars are quoted where a YAML 1.1 reader, which goes by looks
// and not by field, would take a text for something else.
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/fail.h"
#include "config/values.h"

enum { COMMENT_COLUMN = 40 };

// true for a word that every YAML reader takes for a text
static bool is_plain(const char *text) {
    static const char *const taken[] = {"y",   "n",    "yes",   "no",  "on",
                                        "off", "true", "false", "null"};
    if (!isalpha((unsigned char)text[0])) {
        return false;
    }
    for (const char *at = text; *at; at++) {
        if (!isalnum((unsigned char)*at) && !strchr("_-./", *at)) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        if (strcasecmp(text, taken[i]) == 0) {
            return false;
        }
    }
    return true;
}

// text in double quotes; control characters never get into a config
static void add_quoted(ohmi_text *out, const char *text) {
    ohmi_text_add(out, "\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            ohmi_text_add(out, "\\");
        }
        ohmi_text_bytes(out, text, 1);
    }
    ohmi_text_add(out, "\"");
}

void ohmi_yaml_add_text(ohmi_text *out, const char *text) {
    if (is_plain(text)) {
        ohmi_text_add(out, text);
    } else {
        add_quoted(out, text);
    }
}

static void add_origin(ohmi_text *out, const ohm_config *config, int i) {
    switch (config->origin[i]) {
    case OHMI_FROM_DEFAULT:
        ohmi_text_add(out, "default");
        break;
    case OHMI_FROM_PRESET:
        ohmi_text_printf(out, "preset %s", config->values.method.preset);
        break;
    case OHMI_FROM_FILE:
        ohmi_text_add(out, "file");
        break;
    case OHMI_FROM_COMMAND:
        ohmi_text_add(out, "command line");
        break;
    case OHMI_FROM_ENVIRONMENT:
        ohmi_text_add(out, "environment");
        break;
    }
}

ohm_status ohm_config_text(char **yaml, const ohm_config *config, ohm_error *err) {
    int n_fields, n_sections, section = 0;
    const ohmi_field *fields = ohmi_fields(&n_fields);
    const ohmi_section *sections = ohmi_sections(&n_sections);
    ohmi_text out = {0};
    *yaml = NULL;
    for (int i = 0; i < n_fields; i++) {
        // a section begins
        const int of = ohmi_section_of(&fields[i]);
        if (of != section) {
            ohmi_text_printf(&out, "%s:\n", sections[of].name);
            section = of;
        }

        // key: value  # origin
        const size_t start = out.size;
        const char *text = (const char *)&config->values + fields[i].offset;
        ohmi_text_printf(&out, "%s%s: ", of ? "  " : "", ohmi_field_leaf(&fields[i]));
        if (fields[i].type == OHMI_FIELD_TEXT) {
            ohmi_yaml_add_text(&out, text);
        } else {
            ohmi_field_add_text(&out, &fields[i], &config->values);
        }
        do {
            ohmi_text_add(&out, " ");
        } while (!out.failed && out.size - start < COMMENT_COLUMN);
        ohmi_text_add(&out, "# ");
        add_origin(&out, config, i);
        ohmi_text_add(&out, "\n");
    }
    if (out.failed) {
        ohmi_text_clear(&out);
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the text of a config");
    }
    *yaml = out.data;
    return OHM_OK;
}
