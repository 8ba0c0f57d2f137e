// SPDX-License-Identifier: Apache-2.0
// For tests of harvested power: a config, hardware, a network on it and its modes.
#ifndef OHMTEST_SMALL_MACHINE_H
#define OHMTEST_SMALL_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "config/values.h"
#include "harvest/modes.h"

typedef struct {
    ohm_config *config;
    ohm_hardware *hardware;
    ohmi_machine *machine;
    ohmi_layer_modes *modes;
} small_machine;

// settings: "key", "value", ..., NULL
static inline void small_config(small_machine *s, const char *const *settings) {
    ohm_error err;
    assert_int_equal(ohm_config_new(&s->config, &err), OHM_OK);
    assert_int_equal(ohm_config_set(s->config, "network.expand", "1", &err), OHM_OK);
    for (int i = 0; settings && settings[i]; i += 2) {
        if (ohm_config_set(s->config, settings[i], settings[i + 1], &err) < 0) {
            fail_msg("%s", err.message);
        }
    }
    assert_int_equal(ohm_config_check(s->config, &err), OHM_OK);
    assert_int_equal(ohm_hardware_new(&s->hardware, &err), OHM_OK);
    if (ohm_hardware_load(s->hardware, OHM_SOURCE_FOLDER "/presets/hardware/xst-32nm.yaml", &err) <
        0) {
        fail_msg("%s", err.message);
    }
}

static inline void small_machine_new(small_machine *s, const char *network,
                                     const char *const *settings) {
    ohm_error err;
    *s = (small_machine){0};
    small_config(s, settings);
    if (ohmi_machine_new(&s->machine, network, &s->config->values, s->hardware, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(ohmi_modes_new(&s->modes, s->machine, &err), OHM_OK);
}

static inline void small_machine_free(small_machine *s) {
    ohmi_modes_free(&s->modes, s->machine ? s->machine->n_layers : 0);
    ohmi_machine_free(&s->machine);
    ohm_hardware_free(&s->hardware);
    ohm_config_free(&s->config);
    assert_int_equal(ohmi_live_blocks(), 0);
}

#endif
