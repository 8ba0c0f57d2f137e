// SPDX-License-Identifier: Apache-2.0
// Errors of converters, fixed for a chip: the driver of a row (DAC) and the converter of a column
// (ADC) each have a gain of 1 + s z and an offset of s z, z ~ N(0, 1), one stream each. How they
// act on a sum is said in device.h.
#include "crossbar/device.h"

static bool dac_is_on(const ohmi_device *device) {
    return device->config->converter.dac_gain > 0 || device->config->converter.dac_offset_v > 0;
}

static void dac_describe(ohmi_text *out, const ohmi_device *device) {
    ohmi_text_printf(out, "gain +- %g %%, offset +- %g V", 100 * device->config->converter.dac_gain,
                     device->config->converter.dac_offset_v);
}

// v[i] = middle + spread z for i < n
static void draw(float *v, int n, double middle, double spread, const ohmi_rng *rng) {
    for (int i = 0; i < n && spread > 0; i++) {
        v[i] = (float)(middle + spread * (double)ohmi_rng_normal(rng, (uint32_t)i));
    }
}

static void dac_periphery(ohmi_periphery *periphery, const ohmi_site *site,
                          const ohmi_device *device) {
    const ohmi_config *c = device->config;
    const ohmi_rng gain = ohmi_site_stream(site, OHMI_RNG_DAC_GAIN, 0);
    const ohmi_rng offset = ohmi_site_stream(site, OHMI_RNG_DAC_OFFSET, 0);
    draw(periphery->row_gain, site->rows, 1, c->converter.dac_gain, &gain);
    draw(periphery->row_offset, site->rows, 0, c->converter.dac_offset_v / c->cell.read_v, &offset);
}

static bool adc_is_on(const ohmi_device *device) {
    return device->config->converter.adc_gain > 0 || device->config->converter.adc_offset > 0;
}

static void adc_describe(ohmi_text *out, const ohmi_device *device) {
    ohmi_text_printf(out, "gain +- %g %%, offset +- %g level steps",
                     100 * device->config->converter.adc_gain,
                     device->config->converter.adc_offset);
}

static void adc_periphery(ohmi_periphery *periphery, const ohmi_site *site,
                          const ohmi_device *device) {
    const ohmi_config *c = device->config;
    const ohmi_rng gain = ohmi_site_stream(site, OHMI_RNG_ADC_GAIN, 0);
    const ohmi_rng offset = ohmi_site_stream(site, OHMI_RNG_ADC_OFFSET, 0);
    draw(periphery->column_gain, site->columns, 1, c->converter.adc_gain, &gain);
    draw(periphery->column_offset, site->columns, 0, c->converter.adc_offset, &offset);
}

const ohmi_effect ohmi_effect_dac = {.name = "errors of the drivers",
                                     .section = "converter",
                                     .is_on = dac_is_on,
                                     .describe = dac_describe,
                                     .periphery = dac_periphery};

const ohmi_effect ohmi_effect_adc = {.name = "errors of the converters",
                                     .section = "converter",
                                     .is_on = adc_is_on,
                                     .describe = adc_describe,
                                     .periphery = adc_periphery};
