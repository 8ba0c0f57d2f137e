// SPDX-License-Identifier: Apache-2.0
// The life of an ohm_config: made of defaults, set key by key, freed. See ohmwise/config.h; files
// are read in yaml.c, written in write.c, checked in check.c, explained in explain.c.
#include "ohmwise/config.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "config/access.h"
#include "config/values.h"

_Static_assert(sizeof(ohmi_split) == sizeof(int), "choices are stored as int");

ohm_status ohm_config_new(ohm_config **out, ohm_error *err) {
    ohm_status status = OHM_OK;
    int n_fields;
    const ohmi_field *fields = ohmi_fields(&n_fields);
    ohm_config *config = ohmi_alloc(1, sizeof *config);
    *out = NULL;
    if (!config) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a config");
        goto done;
    }
    for (int i = 0; i < n_fields; i++) {
        OHM_TRY(ohmi_field_set(&config->values, &fields[i], fields[i].default_text, err));
    }
    *out = config;
    config = NULL;
done:
    ohmi_free(config);
    return status;
}

void ohm_config_free(ohm_config **config) {
    if (config) {
        ohmi_free(*config);
        *config = NULL;
    }
}

ohm_status ohmi_config_set_from(ohm_config *config, const char *key, const char *value,
                                ohmi_origin origin, ohm_error *err) {
    int n_fields;
    const ohmi_field *field = ohmi_field_find(key);
    if (!field) {
        // a section by itself takes no value
        return ohmi_unknown_key(key, err);
    }
    const ohm_status status = ohmi_field_set(&config->values, field, value, err);
    if (status >= 0) {
        config->origin[field - ohmi_fields(&n_fields)] = origin;
    }
    return status;
}

ohm_status ohm_config_set(ohm_config *config, const char *key, const char *value, ohm_error *err) {
    return ohmi_config_set_from(config, key, value, OHMI_FROM_COMMAND, err);
}

ohm_status ohm_config_set_environment(ohm_config *config, const char *key, const char *value,
                                      ohm_error *err) {
    return ohmi_config_set_from(config, key, value, OHMI_FROM_ENVIRONMENT, err);
}

void ohmi_config_enter_file(ohm_config *config, const char *path) {
    int n_fields, n_users[OHMI_MOST_FILES] = {0};
    (void)ohmi_fields(&n_fields);
    for (int i = 0; i < n_fields; i++) {
        n_users[config->file_of[i]] += config->origin[i] == OHMI_FROM_FILE;
    }

    // a place that no field refers to, else the one after the last
    int at = 0;
    while (at < OHMI_MOST_FILES && n_users[at] > 0) {
        at++;
    }
    if (at == OHMI_MOST_FILES) {
        at = (config->file + 1) % OHMI_MOST_FILES;
        for (int i = 0; i < n_fields; i++) {
            if (config->file_of[i] == at) {
                config->line[i] = config->column[i] = 0;
            }
        }
    }
    (void)snprintf(config->files[at], sizeof config->files[at], "%s", path);
    config->file = at;
}

const ohmi_config *ohmi_config_values(const ohm_config *config) {
    return &config->values;
}

void ohmi_config_add_lines(ohmi_text *out, const ohm_config *config, const char *const *without) {
    int n_fields;
    const ohmi_field *fields = ohmi_fields(&n_fields);
    for (int i = 0; i < n_fields; i++) {
        bool is_left_out = false;
        for (int w = 0; without && without[w]; w++) {
            is_left_out = is_left_out || strcmp(without[w], fields[i].key) == 0;
        }
        if (!is_left_out) {
            ohmi_text_add(out, fields[i].key);
            ohmi_text_add(out, "=");
            ohmi_field_add_text(out, &fields[i], &config->values);
            ohmi_text_add(out, "\n");
        }
    }
}

// the names of the table, filled once
static const char *keys[OHMI_MOST_FIELDS + 1];
static pthread_once_t keys_once = PTHREAD_ONCE_INIT;

static void fill_keys(void) {
    int n_fields;
    const ohmi_field *fields = ohmi_fields(&n_fields);
    for (int i = 0; i < n_fields; i++) {
        keys[i] = fields[i].key;
    }
}

const char *const *ohm_config_keys(void) {
    (void)pthread_once(&keys_once, fill_keys);
    return keys;
}

void ohm_text_free(char **text) {
    if (text) {
        ohmi_free(*text);
        *text = NULL;
    }
}
