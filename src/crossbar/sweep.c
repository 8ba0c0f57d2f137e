// SPDX-License-Identifier: Apache-2.0
// The settings of a simulation; see sweep.h.
#include "crossbar/sweep.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/access.h"
#include "config/fields.h"
#include "config/settings.h"
#include "config/values.h"
#include "crossbar/results.h"

// splits "key=value,value"; commas inside brackets belong to a list
ohm_status ohmi_sweep_split(ohmi_sweep *s, const char *text, ohm_error *err) {
    *s = (ohmi_sweep){.n = 1};
    if (!text) {
        return OHM_OK;
    }
    const char *equals = strchr(text, '=');
    const size_t size = equals ? (size_t)(equals - text) : 0;
    s->n = 0;
    if (!equals || size == 0 || size >= sizeof s->key || !equals[1]) {
        ohm_status status =
            ohmi_fail(err, OHM_ERR_ARGUMENT, "'%s' is not of the form key=value,value", text);
        ohmi_hint(err, "as fault.stuck_off=0,0.02,0.05");
        return status;
    }
    memcpy(s->key, text, size);
    s->text = ohmi_strdup(equals + 1);
    if (!s->text) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the points of a sweep");
    }
    int depth = 0;
    s->values[s->n++] = s->text;
    for (char *c = s->text; *c; c++) {
        depth += *c == '[' ? 1 : *c == ']' ? -1 : 0;
        if (*c == ',' && depth == 0) {
            if (s->n == OHMI_MOST_SETTINGS) {
                return ohmi_fail(err, OHM_ERR_ARGUMENT, "a sweep of more than %d points",
                                 (int)OHMI_MOST_SETTINGS);
            }
            *c = 0;
            s->values[s->n++] = c + 1;
        }
    }
    return OHM_OK;
}

// sets a key of arrays or devices
static ohm_status set_key(ohm_config *config, const char *key, const char *value, ohm_error *err) {
    if (ohmi_field_find(key) && !ohmi_results_is_device(key)) {
        ohm_status status =
            ohmi_fail(err, OHM_ERR_CONFIG,
                      "'%s' is what the run was learned with, a chip cannot change it", key);
        ohmi_hint(err,
                  "a simulation takes keys of array, adc, cell, chip, fault, variation, drift, "
                  "noise, converter, wire and repair");
        return status;
    }
    return ohm_config_set(config, key, value, err);
}

// the config of a setting: the run's, the settings, the value of the sweep
ohm_status ohmi_sweep_config(ohm_config **out, const ohmi_sweep *s, int setting,
                             const ohm_simulate_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohm_config *config = NULL;
    char path[1024], key[128];
    (void)snprintf(path, sizeof path, "%s/config.yaml", def->run_folder);
    OHM_TRY(ohm_config_new(&config, err));
    OHM_TRY(ohm_config_load(config, path, err));
    ohmi_config_forget_defaults(config, ohmi_results_sections);
    for (int i = 0; i < def->n_settings; i++) {
        const char *equals = strchr(def->settings[i], '=');
        if (!equals || equals == def->settings[i] ||
            (size_t)(equals - def->settings[i]) >= sizeof key) {
            status = ohmi_fail(err, OHM_ERR_ARGUMENT, "'%.80s' is not of the form key=value",
                               def->settings[i]);
            goto done;
        }
        (void)snprintf(key, sizeof key, "%.*s", (int)(equals - def->settings[i]), def->settings[i]);
        OHM_TRY(set_key(config, key, equals + 1, err));
    }
    if (s->text) {
        OHM_TRY(set_key(config, s->key, s->values[setting], err));
    }
    OHM_TRY(ohm_config_check(config, err));
    *out = config;
    config = NULL;
done:
    ohm_config_free(&config);
    return status;
}

void ohmi_sweep_clear(ohmi_sweep *s) {
    ohmi_free(s->text);
    *s = (ohmi_sweep){0};
}

// a setting in a line
void ohmi_sweep_label(char *label, size_t room, const ohmi_sweep *s, int setting,
                      const ohm_simulate_def *def) {
    ohmi_text text = {0};
    ohmi_text_add(&text, "");
    for (int i = 0; i < def->n_settings; i++) {
        ohmi_text_printf(&text, i ? " %s" : "%s", def->settings[i]);
    }
    if (s->text) {
        ohmi_text_printf(&text, "%s%s=%s", def->n_settings ? " " : "", s->key, s->values[setting]);
    }
    (void)snprintf(label, room, "%s", text.failed ? "" : text.data);
    if (label[0] == 0) {
        (void)snprintf(label, room, "no settings");
    } else {
        label[ohmi_text_cut(label, strlen(label))] = 0;
    }
    ohmi_text_clear(&text);
}
