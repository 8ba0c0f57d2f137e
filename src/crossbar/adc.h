// SPDX-License-Identifier: Apache-2.0
// The converters at the ends of the bit-lines. A column sum S, in level steps, becomes
//
//     ideal    S
//     linear   q step,  q = min(max(rint(S / step), q_low), q_low + 2^bits - 1)
//     given    value[i] of the code i whose value is nearest to S (of two the lower)
//
// with the range low .. high and step = (high - low) / (2^bits - 1), q_low = rint(low / step): zero
// is always a code, so that a column that gives nothing counts nothing. Ranges:
//
//     full        0 .. rows (2^cell_bits - 1), all that a column of ideal cells can give
//     calibrated  the least to the largest sum that a layer gave on training images, or quantiles
//     fitted      that of a list of ranges whose errors in the layer's outputs are least (ranges.h)
//
// (calibrated as TorchInference_RRAM; full as NeuroSim's reference levels; fitted is this
// project's). The digits of a weight may have converters of different steps, whole multiples of the
// finest one of the layer, so that codes are shifted and added as whole numbers. The quotient is
// one fused operation, fma(S, 1 / step, 3 * 2^22), whose rounding is the rint: |q| < 2^22.
#ifndef OHMI_ADC_H
#define OHMI_ADC_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "ohmwise/status.h"

enum { OHMI_ADC_CODES = 65536 };
#define OHMI_ADC_MAGIC 12582912.0f // 3 * 2^22: a sum with it is rounded to an integer

typedef enum { OHMI_ADC_NONE, OHMI_ADC_LINEAR, OHMI_ADC_GIVEN } ohmi_adc_kind;

// The converters of one layer; plain values, nothing to free (levels belong to the chip).
typedef struct {
    ohmi_adc_kind kind;
    int n_codes;         // 2^bits; 0 when ideal
    float step, inverse; // linear: of a code in level steps; 1 when ideal
    int multiple;        // step in parts of the layer's finest one
    float q_low, q_top;  // linear
    const float *value;  // given: (n_codes) rising, level steps
    double low, high;    // the range, for people
} ohmi_adc;

ohmi_adc ohmi_adc_ideal(void);
// low < high, bits 1 .. 16.
ohmi_adc ohmi_adc_linear(double low, double high, int bits);
// value (n_codes), borrowed.
ohmi_adc ohmi_adc_given(const float *value, int n_codes);

// The code q of a sum, linear converters: a whole number.
float ohmi_adc_code(const ohmi_adc *adc, float sum);
// What the digital side takes for the sum.
float ohmi_adc_read(const ohmi_adc *adc, float sum);

#endif
