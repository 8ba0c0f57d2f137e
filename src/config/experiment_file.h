// SPDX-License-Identifier: Apache-2.0
// What an experiment file says, before its runs are made (experiment.c).
#ifndef OHMI_EXPERIMENT_FILE_H
#define OHMI_EXPERIMENT_FILE_H

#include "config/fields.h"
#include "ohmwise/status.h"

enum { OHMI_EXPERIMENT_NAME = 64 }; // room of a name

typedef struct {
    const ohmi_field *field;
    char *text;       // as ohmi_field_set reads it
    int line, column; // of the value; 0 = from the command line
} ohmi_setting;

typedef struct {
    ohmi_setting *items; // (n)
    int n;
} ohmi_settings;

// A named set of settings.
typedef struct {
    char name[OHMI_EXPERIMENT_NAME];
    int line, column; // of the name
    ohmi_settings settings;
} ohmi_point;

// A key of the grid; all its values have that field.
typedef struct {
    const ohmi_field *field;
    ohmi_settings values;
} ohmi_axis;

typedef struct {
    char path[512];
    char name[OHMI_EXPERIMENT_NAME];
    char base[512];
    char command[16];       // that makes a run: learn or insitu
    ohmi_settings settings; // of all runs
    ohmi_axis *axes;        // (n_axes)
    int n_axes;
    ohmi_point *points; // (n_points)
    int n_points;
    int64_t *seeds; // (n_seeds)
    int n_seeds;
} ohmi_experiment_file;

// Reads a file into a zeroed struct; on failure the struct still wants its clear.
OHM_NODISCARD ohm_status ohmi_experiment_read(ohmi_experiment_file *file, const char *path,
                                              ohm_error *err);
void ohmi_experiment_clear(ohmi_experiment_file *file);

// Appends a setting after checking its value alone; text is copied.
OHM_NODISCARD ohm_status ohmi_settings_add(ohmi_settings *list, const ohmi_field *field,
                                           const char *text, int line, int column, ohm_error *err);
// The setting of a field; NULL when there is none.
ohmi_setting *ohmi_settings_find(const ohmi_settings *list, const ohmi_field *field);
// Fails for the keys that an experiment sets itself, name and seed.
OHM_NODISCARD ohm_status ohmi_experiment_may_set(const ohmi_field *field, ohm_error *err);

#endif
