// SPDX-License-Identifier: Apache-2.0
// The converters at the ends of the bit-lines; equations in adc.h.
#include "crossbar/adc.h"

#include <math.h>

ohmi_adc ohmi_adc_ideal(void) {
    return (ohmi_adc){.kind = OHMI_ADC_NONE, .step = 1, .inverse = 1, .multiple = 1};
}

ohmi_adc ohmi_adc_linear(double low, double high, int bits) {
    const int n_codes = 1 << bits;
    const double step = (high - low) / (n_codes - 1);
    ohmi_adc adc = {.kind = OHMI_ADC_LINEAR, .n_codes = n_codes, .low = low, .high = high};
    adc.step = (float)step;
    adc.inverse = (float)(1.0 / step);
    adc.multiple = 1;
    adc.q_low = (float)rint(low / step);
    adc.q_top = adc.q_low + (float)(n_codes - 1);
    return adc;
}

ohmi_adc ohmi_adc_given(const float *value, int n_codes) {
    return (ohmi_adc){.kind = OHMI_ADC_GIVEN,
                      .n_codes = n_codes,
                      .step = 1,
                      .inverse = 1,
                      .multiple = 1,
                      .value = value,
                      .low = (double)value[0],
                      .high = (double)value[n_codes - 1]};
}

float ohmi_adc_code(const ohmi_adc *adc, float sum) {
    const float q = fmaf(sum, adc->inverse, OHMI_ADC_MAGIC) - OHMI_ADC_MAGIC;
    return q < adc->q_low ? adc->q_low : q > adc->q_top ? adc->q_top : q;
}

// the given value nearest to a sum
static float nearest(const ohmi_adc *adc, float sum) {
    int low = 0, high = adc->n_codes - 1;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (sum <= 0.5f * (adc->value[middle] + adc->value[middle + 1])) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return adc->value[low];
}

float ohmi_adc_read(const ohmi_adc *adc, float sum) {
    switch (adc->kind) {
    case OHMI_ADC_LINEAR:
        return ohmi_adc_code(adc, sum) * adc->step;
    case OHMI_ADC_GIVEN:
        return nearest(adc, sum);
    case OHMI_ADC_NONE:
        break;
    }
    return sum;
}
