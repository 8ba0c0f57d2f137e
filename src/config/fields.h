// SPDX-License-Identifier: Apache-2.0
// Tables of keys. Parsing, checking, defaults, saving, explanations and completion read them. The
// keys of a config are one table: a new key is one row in fields.c and one member in config.h.
// Other files of keys and values (hardware presets) have tables of their own, over structs of their
// own.
#ifndef OHMI_FIELDS_H
#define OHMI_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

typedef enum {
    OHMI_FIELD_BOOL,    // true or false
    OHMI_FIELD_INTEGER, // int64_t
    OHMI_FIELD_NUMBER,  // double
    OHMI_FIELD_CHOICE,  // enum; the value is the index into choices
    OHMI_FIELD_TEXT,    // char[size]; one of choices where there are any
    OHMI_FIELD_NUMBERS, // ohmi_numbers
    // double with a unit that must be written, with any SI prefix: "84.93 um2", "8.3 pJ"; the field
    // says the unit without prefix, which is what the double counts
    OHMI_FIELD_QUANTITY,
} ohmi_field_type;

typedef struct {
    const char *key; // "train.lr"
    ohmi_field_type type;
    size_t offset, size;        // of the member in the struct of values, bytes
    const char *default_text;   // as the writer would spell it; NULL = a file must set it
    double min, max;            // of the value; of each number of a list; of a text's length
    bool has_zero;              // 0 is allowed beside min .. max
    const char *const *choices; // NULL-terminated names, or NULL
    const char *unit;           // "s", "part" ...; "" = none
    const char *meaning;        // a sentence without a full stop
    const char *source;         // where the default comes from
} ohmi_field;

typedef struct {
    const char *name;    // "train"; "" = the top level
    const char *meaning; // what its keys are about
} ohmi_section;

enum { OHMI_MOST_FIELDS = 256, OHMI_MOST_SECTIONS = 32 };

// A table of keys over one struct of values.
typedef struct {
    const char *name;             // what a file of it is called: "config"
    const ohmi_field *fields;     // (n_fields) a section's together
    const ohmi_section *sections; // (n_sections) the first is the top level
    int n_fields, n_sections;     // at most OHMI_MOST_FIELDS, OHMI_MOST_SECTIONS
    const char *help;             // hint where no key is near
} ohmi_table;

// The table of a config.
const ohmi_table *ohmi_config_table(void);

// As the functions without `table` below, which are for the table of a config.
const ohmi_field *ohmi_table_find(const ohmi_table *table, const char *key);
int ohmi_table_section(const ohmi_table *table, const char *name);
int ohmi_table_section_of(const ohmi_table *table, const ohmi_field *field);
const char *ohmi_table_nearest(const ohmi_table *table, const char *key);

// All fields in table order, a section's together; n_fields <= OHMI_MOST_FIELDS.
const ohmi_field *ohmi_fields(int *n_fields);
// All sections in table order; n_sections <= OHMI_MOST_SECTIONS.
const ohmi_section *ohmi_sections(int *n_sections);

// The field of a key, NULL when there is none. "method" is short for "method.preset".
const ohmi_field *ohmi_field_find(const char *key);
// The index of a section by name; -1 when there is none.
int ohmi_section_find(const char *name);
// The index of the section that a field belongs to.
int ohmi_section_of(const ohmi_field *field);
// The part of a field's key behind the section: "lr".
const char *ohmi_field_leaf(const ohmi_field *field);

// The key or section nearest to a misspelt one, NULL when none is near.
const char *ohmi_field_nearest(const char *key);
// The choice of a field nearest to a misspelt one, NULL when none is near.
const char *ohmi_choice_nearest(const ohmi_field *field, const char *text);

#endif
