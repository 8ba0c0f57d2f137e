// SPDX-License-Identifier: Apache-2.0
// For tests of devices: a config of defaults with some keys set, and one array.
#ifndef OHMTEST_DEVICE_CONFIG_H
#define OHMTEST_DEVICE_CONFIG_H

#include <stdio.h>
#include <string.h>

#include "config/access.h"
#include "crossbar/device.h"
#include "ohmwise/config.h"

// A checked config with "key=value" of the NULL-terminated list; for ohm_config_free.
static inline ohm_config *config_with(const char *const *settings) {
    ohm_config *config = NULL;
    ohm_error err = {0};
    assert_int_equal(ohm_config_new(&config, &err), OHM_OK);
    for (int i = 0; settings && settings[i]; i++) {
        char key[64];
        const char *equals = strchr(settings[i], '=');
        snprintf(key, sizeof key, "%.*s", (int)(equals - settings[i]), settings[i]);
        if (ohm_config_set(config, key, equals + 1, &err) < 0) {
            fail_msg("%s", err.message);
        }
    }
    if (ohm_config_check(config, &err) < 0) {
        fail_msg("%s", err.message);
    }
    return config;
}

#define CONFIG(...) config_with((const char *const[]){__VA_ARGS__, NULL})

// A device of arrays of rows x columns cells of four levels.
static inline void device_of(ohmi_device *device, const ohm_config *config, int rows, int columns) {
    ohm_error err = {0};
    if (ohmi_device_init(device, ohmi_config_values(config), rows, columns, 4, &err) < 0) {
        fail_msg("%s", err.message);
    }
}

#endif
