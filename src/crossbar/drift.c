// SPDX-License-Identifier: Apache-2.0
// Drift of conductances after programming, a power law of time:
//
//     G(t) = G(t0) (t / t0)^-nu      t > t0;  nu = drift.nu + drift.spread z, z ~ N(0, 1) of a cell
//
// The form is the usual one of resistive memories (for phase change: Le Gallo and Sebastian, J.
// Phys. D 53, 213002, 2020); exponents must be measured for a device. Every cell has its own, fixed
// for the chip, so that a later time continues the same drift.
#include <math.h>

#include "crossbar/device.h"

static bool drift_is_on(const ohmi_device *device) {
    const ohmi_config *c = device->config;
    const bool moves = c->drift.nu > 0 || c->drift.nu < 0 || c->drift.spread > 0;
    return moves && c->drift.time_s > c->drift.reference_s;
}

static void drift_describe(ohmi_text *out, const ohmi_device *device) {
    const ohmi_config *c = device->config;
    ohmi_text_printf(out, "%g s after programming, nu %g +- %g", c->drift.time_s, c->drift.nu,
                     c->drift.spread);
}

static void drift_program(float *g, const uint8_t *level, const ohmi_site *site,
                          const ohmi_device *device) {
    const ohmi_rng rng = ohmi_site_stream(site, OHMI_RNG_DRIFT, 0);
    const ohmi_config *config = device->config;
    const double age = log(config->drift.time_s / config->drift.reference_s);
    (void)level;
    for (int r = 0; r < site->rows; r++) {
        for (int c = 0; c < site->columns; c++) {
            double nu = config->drift.nu;
            if (config->drift.spread > 0) {
                nu += config->drift.spread * (double)ohmi_rng_normal(&rng, ohmi_site_cell(r, c));
            }
            g[(int64_t)r * site->columns + c] *= (float)exp(-nu * age);
        }
    }
}

const ohmi_effect ohmi_effect_drift = {.name = "drift",
                                       .section = "drift",
                                       .is_on = drift_is_on,
                                       .describe = drift_describe,
                                       .program = drift_program};
