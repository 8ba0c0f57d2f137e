// SPDX-License-Identifier: Apache-2.0
// Explains keys for people: as text for a terminal, as Markdown for the docs. All of it comes from
// a table of keys (fields.h).
#include <string.h>

#include "base/fail.h"
#include "config/methods.h"
#include "config/values.h"

enum { WIDTH = 78, INDENT = 11 };

// "  meaning  " and the text behind it, wrapped at WIDTH with a hanging indent
static void add_wrapped(ohmi_text *out, const char *label, const char *text) {
    size_t column = INDENT;
    ohmi_text_printf(out, "  %-9s", label);
    while (*text) {
        const size_t word = strcspn(text, " ");
        if (column > INDENT && column + 1 + word > WIDTH) {
            ohmi_text_printf(out, "\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > INDENT) {
            ohmi_text_add(out, " ");
            column++;
        }
        ohmi_text_bytes(out, text, word);
        column += word;
        text += word + (text[word] == ' ');
    }
    ohmi_text_add(out, "\n");
}

// the units a field takes, its own first
static const char *unit_of(const ohmi_field *field) {
    if (strcmp(field->unit, "s") == 0) {
        return field->type == OHMI_FIELD_QUANTITY ? "s (or ps, ns, us, d, y ...), to be written"
                                                  : "s (or ms, min, h, d)";
    }
    if (strcmp(field->unit, "part") == 0) {
        return "part (or %)";
    }
    if (field->type == OHMI_FIELD_QUANTITY) {
        return strcmp(field->unit, "m2") == 0  ? "m2 (or um2, mm2 ...), to be written"
               : strcmp(field->unit, "J") == 0 ? "J (or fJ, pJ, nJ ...), to be written"
               : strcmp(field->unit, "W") == 0 ? "W (or nW, uW, mW ...), to be written"
                                               : field->unit;
    }
    return field->unit[0] ? field->unit : "none";
}

// the default as people read it
static const char *default_of(const ohmi_field *field) {
    return !field->default_text     ? "none: it must be set"
           : field->default_text[0] ? field->default_text
                                    : "(empty)";
}

static void add_field(ohmi_text *out, const ohmi_field *field) {
    ohmi_text range = {0};
    ohmi_field_add_range(&range, field);
    ohmi_text_printf(out, "%s\n", field->key);
    add_wrapped(out, "meaning", field->meaning);
    add_wrapped(out, "takes", range.data ? range.data : "");
    add_wrapped(out, "unit", unit_of(field));
    add_wrapped(out, "default", default_of(field));
    add_wrapped(out, "source", field->source);
    out->failed |= range.failed;
    ohmi_text_clear(&range);
}

// the named methods, each with what of it is reconstructed
static void add_methods(ohmi_text *out) {
    for (int i = 0; ohmi_method_names[i]; i++) {
        const ohmi_method *method = ohmi_method_find(ohmi_method_names[i]);
        ohmi_text line = {0};
        ohmi_text_printf(&line, "%s (%s)", method->meaning, method->source);
        if (method->reconstruction) {
            ohmi_text_printf(&line, "; a reconstruction: %s", method->reconstruction);
        }
        ohmi_text_printf(out, "  %s: %s, %s, levels %s, %s, %s\n", method->name, method->parts[0],
                         method->parts[1], method->parts[2], method->parts[3], method->parts[4]);
        add_wrapped(out, "", line.data ? line.data : "");
        out->failed |= line.failed;
        ohmi_text_clear(&line);
    }
}

static ohm_status hand_over(char **text, ohmi_text *out, ohm_error *err) {
    if (out->failed) {
        ohmi_text_clear(out);
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for an explanation");
    }
    *text = out->data;
    return OHM_OK;
}

ohm_status ohmi_table_explain(char **text, const ohmi_table *table, const char *key,
                              ohm_error *err) {
    int last = -1, n_shown = 0;
    const int n_fields = table->n_fields;
    const ohmi_field *fields = table->fields;
    const ohmi_section *sections = table->sections;
    const int section = key && key[0] ? ohmi_table_section(table, key) : -1;
    ohmi_text out = {0};
    *text = NULL;
    for (int i = 0; i < n_fields; i++) {
        const int of = ohmi_table_section_of(table, &fields[i]);
        if (key && of != section && strcmp(fields[i].key, key) != 0) {
            continue;
        }
        // sections have a heading when they are shown whole
        if (of != last && (!key || of == section)) {
            ohmi_text_printf(&out, "%s# %s%s%s\n\n", n_shown ? "\n" : "", sections[of].name,
                             sections[of].name[0] ? ": " : "", sections[of].meaning);
        } else if (n_shown) {
            ohmi_text_add(&out, "\n");
        }
        last = of;
        n_shown++;
        add_field(&out, &fields[i]);
        if (strcmp(fields[i].key, "method.preset") == 0) {
            add_methods(&out);
        }
    }
    if (n_shown == 0) {
        ohmi_text_clear(&out);
        return ohmi_table_unknown(table, key, err);
    }
    return hand_over(text, &out, err);
}

// text in a cell of a table
static void add_cell(ohmi_text *out, const char *text) {
    ohmi_text_add(out, " ");
    for (; *text; text++) {
        ohmi_text_add(out,
                      *text == '|' || *text == '*' || *text == '_' || *text == '<' ? "\\" : "");
        ohmi_text_bytes(out, text, 1);
    }
    ohmi_text_add(out, " |");
}

ohm_status ohmi_table_markdown(char **text, const ohmi_table *table, ohm_error *err) {
    int last = -1;
    const int n_fields = table->n_fields;
    const ohmi_field *fields = table->fields;
    const ohmi_section *sections = table->sections;
    ohmi_text out = {0}, range = {0};
    *text = NULL;
    ohmi_text_printf(&out, "# Keys of a %s\n", table->name);
    for (int i = 0; i < n_fields; i++) {
        const int of = ohmi_table_section_of(table, &fields[i]);
        if (of != last) {
            ohmi_text_printf(&out,
                             "\n## %s\n\nAbout: %s.\n\n"
                             "| key | meaning | takes | unit | default | source |\n"
                             "|---|---|---|---|---|---|\n",
                             of ? sections[of].name : "Top level", sections[of].meaning);
            last = of;
        }
        ohmi_text_clear(&range);
        ohmi_field_add_range(&range, &fields[i]);
        out.failed |= range.failed;
        ohmi_text_printf(&out, "| `%s` |", fields[i].key);
        add_cell(&out, fields[i].meaning);
        add_cell(&out, range.data ? range.data : "");
        add_cell(&out, unit_of(&fields[i]));
        add_cell(&out, default_of(&fields[i]));
        add_cell(&out, fields[i].source);
        ohmi_text_add(&out, "\n");
    }
    ohmi_text_clear(&range);
    return hand_over(text, &out, err);
}

ohm_status ohm_config_explain(char **text, const char *key, ohm_error *err) {
    return ohmi_table_explain(text, ohmi_config_table(), key, err);
}

ohm_status ohm_config_explain_markdown(char **text, ohm_error *err) {
    return ohmi_table_markdown(text, ohmi_config_table(), err);
}
