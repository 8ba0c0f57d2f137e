// SPDX-License-Identifier: Apache-2.0
// Random telegraph noise: a charge that a trap of a cell catches or lets go changes its current.
// With chance p the trap is in its other state at a read, and then
//
//     G' = G + G d / (G - d)      d = b G + a
//
// (PytorX, DAC 2019, and the constants of its published code: a = 1.662e-7 S, b = 0.0015, p = 0.5.)
// A trap is far slower than a read of a column, so its state holds for one read of the chip, which
// is one pass over the images. Cells that conduct less than 2 d are left alone: the form is one for
// changes that are smaller than what is changed.
#include "crossbar/device.h"

static bool telegraph_is_on(const ohmi_device *device) {
    return device->config->noise.telegraph > 0;
}

static void telegraph_describe(ohmi_text *out, const ohmi_device *device) {
    const ohmi_config *c = device->config;
    ohmi_text_printf(out, "%g %% of the cells at a read, a = %g S, b = %g",
                     100 * c->noise.telegraph, c->noise.telegraph_siemens,
                     c->noise.telegraph_relative);
}

static void telegraph_read(float *g, const ohmi_site *site, const ohmi_device *device,
                           uint32_t read) {
    const ohmi_rng rng = ohmi_site_stream(site, OHMI_RNG_TELEGRAPH, read);
    const ohmi_config *config = device->config;
    const float a = (float)config->noise.telegraph_siemens;
    const float b = (float)config->noise.telegraph_relative;
    for (int r = 0; r < site->rows; r++) {
        for (int c = 0; c < site->columns; c++) {
            const int64_t i = (int64_t)r * site->columns + c;
            const float change = b * g[i] + a;
            const bool is_trapped =
                (double)ohmi_rng_uniform(&rng, ohmi_site_cell(r, c)) < config->noise.telegraph;
            if (is_trapped && g[i] >= 2 * change) {
                g[i] += g[i] * change / (g[i] - change);
            }
        }
    }
}

const ohmi_effect ohmi_effect_telegraph = {.name = "telegraph noise",
                                           .section = "noise",
                                           .is_on = telegraph_is_on,
                                           .describe = telegraph_describe,
                                           .read = telegraph_read};
