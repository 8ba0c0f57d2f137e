// SPDX-License-Identifier: Apache-2.0
// The inside of an ohm_config: its values, and of each value where it came from.
#ifndef OHMI_VALUES_H
#define OHMI_VALUES_H

#include "base/text.h"
#include "config/config.h"
#include "config/fields.h"
#include "ohmwise/config.h"

typedef enum {
    OHMI_FROM_DEFAULT,
    OHMI_FROM_PRESET, // part of a named method
    OHMI_FROM_FILE,
    OHMI_FROM_COMMAND, // ohm_config_set
    OHMI_FROM_ENVIRONMENT,
} ohmi_origin;

enum { OHMI_MOST_FILES = 8 };

struct ohm_config {
    ohmi_config values;
    ohmi_origin origin[OHMI_MOST_FIELDS]; // by index of the field
    int line[OHMI_MOST_FIELDS];           // 1-based, where origin is a file
    int column[OHMI_MOST_FIELDS];         // likewise
    int file_of[OHMI_MOST_FIELDS];        // likewise: index into files
    char files[OHMI_MOST_FILES][512];     // paths of files loaded
    int file;                             // index of the one loaded last
};

// Enters a file that is about to be loaded and makes it the last. When there are too many, fields
// of an older file lose their places.
void ohmi_config_enter_file(ohm_config *config, const char *path);
// Sets a key as ohm_config_set does, from elsewhere.
OHM_NODISCARD ohm_status ohmi_config_set_from(ohm_config *config, const char *key,
                                              const char *value, ohmi_origin origin,
                                              ohm_error *err);

// Sets a field from text: "1e-2", "60 s", "[0.5, 0.8]". On failure the value is as it was.
// values: the struct of the field's table.
OHM_NODISCARD ohm_status ohmi_field_set(void *values, const ohmi_field *field, const char *text,
                                        ohm_error *err);
// Appends a field's value as ohmi_field_set reads it, in the shortest form that is exact.
void ohmi_field_add_text(ohmi_text *out, const ohmi_field *field, const void *values);
// Appends a number in the shortest form that reads back as itself and that YAML 1.1 readers take
// for a number ("4.0e-05").
void ohmi_number_add_text(ohmi_text *out, double value);
// Appends what a field takes: "a number, 0 .. 10", "one of step, cosine".
void ohmi_field_add_range(ohmi_text *out, const ohmi_field *field);

// Appends a text as a YAML scalar, quoted where a reader would take it for something else.
void ohmi_yaml_add_text(ohmi_text *out, const char *text);

// Fails with "unknown key 'x'" and the nearest name as hint; of a config, of any table.
ohm_status ohmi_unknown_key(const char *key, ohm_error *err);
ohm_status ohmi_table_unknown(const ohmi_table *table, const char *key, ohm_error *err);

// Where a file sets a field: 1-based; line 0 = it does not.
typedef struct {
    int line, column; // of the value
    int key_line;
} ohmi_mark;

// Reads a YAML file over the values of a table (yaml.c), and where each is set into marks
// (n_fields, zeroed by the caller). On failure the values may be half read: read into a copy.
OHM_NODISCARD ohm_status ohmi_table_load(void *values, ohmi_mark *marks, const ohmi_table *table,
                                         const char *path, ohm_error *err);
// Explains a key, a section, or all keys for NULL, as text; all keys as Markdown. For
// ohm_text_free.
OHM_NODISCARD ohm_status ohmi_table_explain(char **text, const ohmi_table *table, const char *key,
                                            ohm_error *err);
OHM_NODISCARD ohm_status ohmi_table_markdown(char **text, const ohmi_table *table, ohm_error *err);
// Fills the values of a table with their defaults; those without a default text stay.
OHM_NODISCARD ohm_status ohmi_table_defaults(void *values, const ohmi_table *table, ohm_error *err);

// Copies text for an error message: control characters become '?', long text is cut.
enum { OHMI_SHOWN = 72 };
const char *ohmi_shown(char out[OHMI_SHOWN], const char *text);

#endif
