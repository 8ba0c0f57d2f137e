// SPDX-License-Identifier: Apache-2.0
// The table of effects in the order in which they act, and what walks over it; see device.h.
#include "base/fail.h"
#include "base/memory.h"
#include "crossbar/device.h"
#include "crossbar/fault.h"

static const ohmi_effect *const effects[] = {
    &ohmi_effect_levels, &ohmi_effect_variation, &ohmi_effect_drift,
    &ohmi_effect_stuck,  &ohmi_effect_open,      &ohmi_effect_telegraph,
    &ohmi_effect_noise,  &ohmi_effect_dac,       &ohmi_effect_adc,
};

#define N_EFFECTS ((int)(sizeof effects / sizeof *effects))
_Static_assert(N_EFFECTS <= (int)OHMI_MOST_EFFECTS, "OHMI_MOST_EFFECTS is too small");

const ohmi_effect *const *ohmi_effects(int *n) {
    *n = N_EFFECTS;
    return effects;
}

ohm_status ohmi_device_init(ohmi_device *device, const ohmi_config *config, int rows, int columns,
                            int n_levels, ohm_error *err) {
    ohm_status status = OHM_OK;
    *device = (ohmi_device){.config = config, .rows = rows, .columns = columns};
    OHM_TRY(ohmi_cell_init(&device->cell, config, n_levels, err));
    if (config->fault.map[0]) {
        OHM_TRY(ohmi_fault_read_map(device, err));
    }
    ohmi_device_only(device, -1);
done:
    if (status < 0) {
        ohmi_device_clear(device);
    }
    return status;
}

void ohmi_device_clear(ohmi_device *device) {
    ohmi_free(device->map.data);
    *device = (ohmi_device){0};
}

void ohmi_device_only(ohmi_device *device, int row) {
    for (int i = 0; i < N_EFFECTS; i++) {
        device->is_on[i] = (row < 0 || row == i) && effects[i]->is_on(device);
    }
}

bool ohmi_device_has(const ohmi_device *device, const ohmi_effect *effect) {
    bool has = false;
    for (int i = 0; i < N_EFFECTS; i++) {
        has = has || (effects[i] == effect && device->is_on[i]);
    }
    return has;
}

bool ohmi_device_differs_by_read(const ohmi_device *device) {
    return ohmi_device_has(device, &ohmi_effect_telegraph) ||
           ohmi_device_has(device, &ohmi_effect_noise);
}

void ohmi_device_program(float *g, const uint8_t *level, const ohmi_site *site,
                         const ohmi_device *device) {
    ohmi_cell_conductance(g, level, (int64_t)site->rows * site->columns, &device->cell);
    for (int i = 0; i < N_EFFECTS; i++) {
        if (device->is_on[i] && effects[i]->program) {
            effects[i]->program(g, level, site, device);
        }
    }
}

void ohmi_device_read(float *g, const ohmi_site *site, const ohmi_device *device, uint32_t read) {
    for (int i = 0; i < N_EFFECTS; i++) {
        if (device->is_on[i] && effects[i]->read) {
            effects[i]->read(g, site, device, read);
        }
    }
}

void ohmi_device_periphery(ohmi_periphery *periphery, const ohmi_site *site,
                           const ohmi_device *device) {
    for (int r = 0; r < site->rows; r++) {
        periphery->row_gain[r] = 1;
        periphery->row_offset[r] = 0;
    }
    for (int c = 0; c < site->columns; c++) {
        periphery->column_gain[c] = 1;
        periphery->column_offset[c] = 0;
    }
    periphery->variance = 0;
    for (int i = 0; i < N_EFFECTS; i++) {
        if (device->is_on[i] && effects[i]->periphery) {
            effects[i]->periphery(periphery, site, device);
        }
    }
}

void ohmi_device_describe(ohmi_text *out, const ohmi_device *device) {
    for (int i = 0; i < N_EFFECTS; i++) {
        if (device->is_on[i]) {
            ohmi_text_printf(out, "%s: ", effects[i]->name);
            effects[i]->describe(out, device);
            ohmi_text_add(out, "\n");
        }
    }
}
