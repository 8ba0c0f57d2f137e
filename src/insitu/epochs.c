// SPDX-License-Identifier: Apache-2.0
// The rows of metrics.csv, and what was counted epoch by epoch
// (step,epoch,task,split,name,value,unit).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/memory.h"
#include "insitu/results.h"

enum { N_COLUMNS = 7, MOST_BYTES = 1 << 30 };

// cuts a line at its commas; false where it is no row
static bool split_line(char *column[N_COLUMNS], char *line) {
    for (int i = 0; i < N_COLUMNS; i++) {
        char *comma = strchr(line, ',');
        column[i] = line;
        if (i + 1 < N_COLUMNS) {
            if (!comma) {
                return false;
            }
            *comma = 0;
            line = comma + 1;
        }
    }
    return true;
}

void ohmi_insitu_rows(const char *folder, ohmi_insitu_row *use, void *context) {
    char path[1024], *text = NULL;
    size_t size;
    (void)snprintf(path, sizeof path, "%.990s/metrics.csv", folder);
    if (ohmi_read_file(&text, &size, path, MOST_BYTES, NULL) < 0) {
        return;
    }
    for (char *line = text; line && *line;) {
        char *end = strchr(line, '\n'), *column[N_COLUMNS];
        if (end) {
            *end = 0;
        }
        if (split_line(column, line)) {
            use(context, strtol(column[2], NULL, 10), column[3], column[4],
                strtod(column[5], NULL));
        }
        line = end ? end + 1 : NULL;
    }
    ohmi_free(text);
}

static void add_value(void *context, long task, const char *split, const char *name, double value) {
    json_t *series = context;
    (void)task;
    if (strcmp(split, "insitu") == 0) {
        json_t *values = json_object_get(series, name);
        if (!values) {
            values = json_array();
            (void)json_object_set_new(series, name, values);
        }
        (void)json_array_append_new(values, json_real(value));
    }
}

json_t *ohmi_insitu_epochs(const char *folder) {
    json_t *series = json_object();
    ohmi_insitu_rows(folder, add_value, series);
    return series;
}
