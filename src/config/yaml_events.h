// SPDX-License-Identifier: Apache-2.0
// A YAML file, event by event with libyaml, for the readers of configs and of experiments: every
// error has its place, and anchors, aliases and tags, which hide where a value comes from, are
// refused.
//
//     ohmi_yaml y;
//     OHM_TRY(ohmi_yaml_open(&y, path, err));
//     OHM_TRY(ohmi_yaml_document(&y, read_top, context));   // read_top reads up to the map's end
//     done: ohmi_yaml_close(&y);
#ifndef OHMI_YAML_EVENTS_H
#define OHMI_YAML_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "base/text.h"
#include "config/fields.h"

typedef struct {
    yaml_parser_t parser;
    yaml_event_t event; // the current one
    bool has_parser, has_event;
    char *bytes;      // (size) of the file
    const char *path; // borrowed
    size_t size;
    ohm_error *err;
} ohmi_yaml;

// Reads what is inside the map whose start is the current event, up to and with its end.
typedef ohm_status ohmi_yaml_reader(void *context);

// Reads a file of at most 1 MiB; path and err are borrowed until the close.
OHM_NODISCARD ohm_status ohmi_yaml_open(ohmi_yaml *y, const char *path, ohm_error *err);
// Harmless on a zeroed struct and after a failed open.
void ohmi_yaml_close(ohmi_yaml *y);

// Calls read for the one document of the stream, a map; not at all for an empty one.
OHM_NODISCARD ohm_status ohmi_yaml_document(ohmi_yaml *y, ohmi_yaml_reader *read, void *context);

// Moves to the next event.
OHM_NODISCARD ohm_status ohmi_yaml_next(ohmi_yaml *y);
// Adds the place of the current event to an error, and returns its status.
ohm_status ohmi_yaml_at(ohmi_yaml *y, ohm_status status);
// The text of the current scalar; NULL when it holds a zero byte.
const char *ohmi_yaml_scalar(const ohmi_yaml *y);
// Whether the current scalar stands for no value at all.
bool ohmi_yaml_is_null(const ohmi_yaml *y);
// Adds the value that begins with the current event as the text that ohmi_field_set reads: a
// scalar, or a list joined by commas (lists in it by semicolons) where the field takes one.
OHM_NODISCARD ohm_status ohmi_yaml_value(ohmi_yaml *y, ohmi_text *out, const ohmi_field *field);

#endif
