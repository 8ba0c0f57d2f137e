// SPDX-License-Identifier: Apache-2.0
// Settings over the config of a finished run; see settings.h.
#include "config/settings.h"

#include <string.h>

#include "base/fail.h"
#include "config/values.h"

bool ohmi_config_is_within(const char *key, const char *const *sections) {
    for (int i = 0; sections[i]; i++) {
        const size_t size = strlen(sections[i]);
        if (strncmp(key, sections[i], size) == 0 && key[size] == '.') {
            return true;
        }
    }
    return false;
}

static ohm_status settle(ohm_config *config, const char *setting, const char *const *sections,
                         ohm_error *err) {
    char key[128], shown[OHMI_SHOWN];
    const char *equals = strchr(setting, '=');
    const size_t size = equals ? (size_t)(equals - setting) : 0;
    if (size == 0 || size >= sizeof key) {
        return ohmi_fail(err, OHM_ERR_CONFIG, "'%s' is not of the form key=value",
                         ohmi_shown(shown, setting));
    }
    memcpy(key, setting, size);
    key[size] = 0;
    if (ohmi_field_find(key) && !ohmi_config_is_within(key, sections)) {
        ohm_status status =
            ohmi_fail(err, OHM_ERR_CONFIG,
                      "'%s' is what the run was learned with, here it cannot be set", key);
        ohmi_text list = {0};
        for (int i = 0; sections[i]; i++) {
            ohmi_text_printf(&list, "%s%s", i ? ", " : "", sections[i]);
        }
        ohmi_hint(err, "there are keys of the sections %s", list.data ? list.data : "");
        ohmi_text_clear(&list);
        return status;
    }
    return ohm_config_set(config, key, equals + 1, err);
}

void ohmi_config_forget_defaults(ohm_config *config, const char *const *sections) {
    int n_fields;
    const ohmi_field *fields = ohmi_fields(&n_fields);
    for (int i = 0; i < n_fields; i++) {
        ohmi_text text = {0};
        ohmi_text_add(&text, "");
        ohmi_field_add_text(&text, &fields[i], &config->values);
        if (!text.failed && fields[i].default_text &&
            ohmi_config_is_within(fields[i].key, sections) &&
            strcmp(text.data, fields[i].default_text) == 0) {
            config->origin[i] = OHMI_FROM_DEFAULT;
        }
        ohmi_text_clear(&text);
    }
}

ohm_status ohmi_config_settle(ohm_config *config, const char *const *settings, int n_settings,
                              const char *const *sections, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_config_forget_defaults(config, sections);
    for (int i = 0; i < n_settings; i++) {
        OHM_TRY(settle(config, settings[i], sections, err));
    }
    OHM_TRY(ohm_config_check(config, err));
done:
    return status;
}
