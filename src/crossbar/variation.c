// SPDX-License-Identifier: Apache-2.0
// Programming variation: how far a conductance lies from what was meant, fixed once programmed.
//
//   levels     G + s(level) z                  s(level): measured, beside the levels of a file
//   absolute   G + s z                         s: variation.absolute, siemens
//   relative   G (1 + s z)   or   G exp(s z)   s: variation.relative
//
// z ~ N(0, 1) of the cell, one stream each. A conductance is never below 0.
#include <math.h>

#include "crossbar/device.h"

static float not_negative(float g) {
    return g > 0 ? g : 0.0f;
}

static bool levels_is_on(const ohmi_device *device) {
    return device->cell.has_deviation;
}

static void levels_describe(ohmi_text *out, const ohmi_device *device) {
    ohmi_text_printf(out, "as measured in %s", device->config->cell.levels);
}

static void levels_program(float *g, const uint8_t *level, const ohmi_site *site,
                           const ohmi_device *device) {
    const ohmi_rng rng = ohmi_site_stream(site, OHMI_RNG_PROGRAM_LEVEL, 0);
    for (int r = 0; r < site->rows; r++) {
        for (int c = 0; c < site->columns; c++) {
            const int64_t i = (int64_t)r * site->columns + c;
            const float z = ohmi_rng_normal(&rng, ohmi_site_cell(r, c));
            g[i] = not_negative(g[i] + device->cell.deviation[level[i]] * z);
        }
    }
}

static bool variation_is_on(const ohmi_device *device) {
    return device->config->variation.absolute_siemens > 0 || device->config->variation.relative > 0;
}

static void variation_describe(ohmi_text *out, const ohmi_device *device) {
    const ohmi_config *c = device->config;
    if (c->variation.absolute_siemens > 0) {
        ohmi_text_printf(out, "%g S", c->variation.absolute_siemens);
    }
    if (c->variation.relative > 0) {
        ohmi_text_printf(out, "%s%g %%, %s", c->variation.absolute_siemens > 0 ? " and " : "",
                         100 * c->variation.relative,
                         c->variation.shape == OHMI_VARIATION_LOGNORMAL ? "lognormal" : "normal");
    }
}

static void variation_program(float *g, const uint8_t *level, const ohmi_site *site,
                              const ohmi_device *device) {
    const ohmi_rng absolute = ohmi_site_stream(site, OHMI_RNG_PROGRAM, 0);
    const ohmi_rng relative = ohmi_site_stream(site, OHMI_RNG_PROGRAM_PART, 0);
    const ohmi_config *config = device->config;
    const float siemens = (float)config->variation.absolute_siemens;
    const float part = (float)config->variation.relative;
    const bool is_lognormal = config->variation.shape == OHMI_VARIATION_LOGNORMAL;
    (void)level;
    for (int r = 0; r < site->rows; r++) {
        for (int c = 0; c < site->columns; c++) {
            const int64_t i = (int64_t)r * site->columns + c;
            const uint32_t cell = ohmi_site_cell(r, c);
            const float meant = g[i];
            if (part > 0) {
                const float z = part * ohmi_rng_normal(&relative, cell);
                g[i] = is_lognormal ? meant * expf(z) : meant + meant * z;
            }
            if (siemens > 0) {
                g[i] += siemens * ohmi_rng_normal(&absolute, cell);
            }
            g[i] = not_negative(g[i]);
        }
    }
}

const ohmi_effect ohmi_effect_levels = {.name = "spread of levels",
                                        .section = "cell",
                                        .is_on = levels_is_on,
                                        .describe = levels_describe,
                                        .program = levels_program};

const ohmi_effect ohmi_effect_variation = {.name = "variation",
                                           .section = "variation",
                                           .is_on = variation_is_on,
                                           .describe = variation_describe,
                                           .program = variation_program};
