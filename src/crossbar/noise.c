// SPDX-License-Identifier: Apache-2.0
// Thermal and shot noise of a column's current, drawn anew at every conversion. A cell of
// conductance G with V across it adds, over a bandwidth f, a variance of
//
//     f (4 k T G + 2 q V G)       A^2: Johnson-Nyquist, and shot noise of the current V G
//
// (as PytorX, DAC 2019, has them). Cells that are not driven add nothing. Both terms are
// proportional to G, so the variance of a column is that of its summed conductance; in units of
// V times the level step Gs,
//
//     variance = f (4 k T + 2 q V) / (V^2 Gs)  *  sum over driven rows of G / Gs
#include "crossbar/device.h"

// CODATA 2018, exact
static const double boltzmann = 1.380649e-23;            // J/K
static const double elementary_charge = 1.602176634e-19; // C

static bool noise_is_on(const ohmi_device *device) {
    return device->config->noise.bandwidth_hz > 0;
}

static void noise_describe(ohmi_text *out, const ohmi_device *device) {
    const ohmi_config *c = device->config;
    ohmi_text_printf(out, "over %g Hz at %g K and %g V", c->noise.bandwidth_hz,
                     c->noise.temperature_k, c->cell.read_v);
}

float ohmi_noise_variance(const ohmi_device *device) {
    const ohmi_config *c = device->config;
    const double v = c->cell.read_v;
    return (float)(c->noise.bandwidth_hz *
                   (4 * boltzmann * c->noise.temperature_k + 2 * elementary_charge * v) /
                   (v * v * (double)device->cell.step));
}

static void noise_periphery(ohmi_periphery *periphery, const ohmi_site *site,
                            const ohmi_device *device) {
    (void)site;
    periphery->variance = ohmi_noise_variance(device);
}

const ohmi_effect ohmi_effect_noise = {.name = "thermal and shot noise",
                                       .section = "noise",
                                       .is_on = noise_is_on,
                                       .describe = noise_describe,
                                       .periphery = noise_periphery};
