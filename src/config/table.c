// SPDX-License-Identifier: Apache-2.0
// Finding keys, sections and choices in a table of keys, and what was meant by a misspelt one.
#include <limits.h>
#include <string.h>

#include "base/text.h"
#include "config/fields.h"

const ohmi_field *ohmi_table_find(const ohmi_table *table, const char *key) {
    for (int i = 0; i < table->n_fields; i++) {
        if (strcmp(table->fields[i].key, key) == 0) {
            return &table->fields[i];
        }
    }
    return NULL;
}

int ohmi_table_section(const ohmi_table *table, const char *name) {
    for (int i = 0; i < table->n_sections; i++) {
        if (strcmp(table->sections[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

int ohmi_table_section_of(const ohmi_table *table, const ohmi_field *field) {
    const char *dot = strchr(field->key, '.');
    const size_t size = dot ? (size_t)(dot - field->key) : 0;
    int found = 0;
    for (int i = 0; i < table->n_sections; i++) {
        const char *name = table->sections[i].name;
        if (strlen(name) == size && strncmp(name, field->key, size) == 0) {
            found = i;
        }
    }
    return found;
}

const char *ohmi_field_leaf(const ohmi_field *field) {
    const char *dot = strchr(field->key, '.');
    return dot ? dot + 1 : field->key;
}

// words are near when about a third of the letters differ at most
static int most_edits(const char *word) {
    const int size = (int)strnlen(word, 64);
    return size < 6 ? 2 : size / 3;
}

const char *ohmi_table_nearest(const ohmi_table *table, const char *key) {
    const char *nearest = NULL;
    int best = most_edits(key) + 1;
    for (int i = 0; i < table->n_fields; i++) {
        // the whole key, or its last part when the section was forgotten or is another one
        const ohmi_field *field = &table->fields[i];
        const char *dot = strrchr(key, '.');
        const char *leaf = dot ? dot + 1 : key;
        const int whole = ohmi_edit_distance(key, field->key);
        int part = ohmi_edit_distance(leaf, ohmi_field_leaf(field));
        part = part <= (int)strnlen(leaf, 64) / 3 ? part + (dot ? 1 : 0) : INT_MAX;
        const int distance = whole < part ? whole : part;
        if (distance < best) {
            best = distance;
            nearest = field->key;
        }
    }
    for (int i = 1; i < table->n_sections; i++) {
        const int distance = ohmi_edit_distance(key, table->sections[i].name);
        if (distance < best) {
            best = distance;
            nearest = table->sections[i].name;
        }
    }
    return nearest;
}

const char *ohmi_choice_nearest(const ohmi_field *field, const char *text) {
    const char *nearest = NULL;
    int best = most_edits(text) + 1;
    for (int i = 0; field->choices && field->choices[i]; i++) {
        const int distance = ohmi_edit_distance(text, field->choices[i]);
        if (distance < best) {
            best = distance;
            nearest = field->choices[i];
        }
    }
    return nearest;
}
