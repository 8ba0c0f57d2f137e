// SPDX-License-Identifier: Apache-2.0
// Fitting the ranges of converters; see ranges.h.
#include "crossbar/ranges.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

enum { SCALES = 21, RATIOS = 3, MOST_MULTIPLE = 16, MOST_TRIALS = (SCALES + 1) * RATIOS };

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to fit the ranges of converters");
}

// where a range of a length begins that holds low .. high with room to spare: towards 0, since
// images that were not seen may give less
static double begin_of(double low, double high, double length) {
    const double spare = low + length - high;
    return spare > 0 ? fmax(fmin(low, 0), low - spare) : low;
}

// one trial: steps of s at the most significant digit, ratio between digits
static void add_trial(ohmi_trials *trials, const ohmi_chip *chip, int layer, double low,
                      double high, double s, int ratio) {
    const ohmi_placed_layer *placed = &chip->placed->layers[layer];
    const int bits = (int)chip->values->adc.bits, n_codes = 1 << bits;
    ohmi_trial *trial = &trials->trials[trials->first[layer + 1]++];
    ohmi_place_worth(trial->worth, placed, chip->placed->def.cell_bits);
    trial->low = begin_of(low, high, s * (n_codes - 1));
    trial->high = trial->low + s * (n_codes - 1);
    for (int d = 0; d < placed->lines; d++) {
        int multiple = 1;
        for (int j = placed->n_digits - 1; j > d % placed->n_digits; j--) {
            multiple = multiple * ratio < MOST_MULTIPLE ? multiple * ratio : MOST_MULTIPLE;
        }
        const double length = multiple * s * (n_codes - 1);
        const double first = begin_of(low, high, length);
        trial->adc[d] = ohmi_adc_linear(first, first + length, bits);
        trial->adc[d].multiple = multiple;
        trial->worth[d] *= multiple;
    }
}

// the list of a layer
static void add_layer(ohmi_trials *trials, const ohmi_chip *chip, int layer, double low,
                      double high) {
    const double s0 = (high - low) / (double)((1 << chip->values->adc.bits) - 1);
    const bool has_ratios = !chip->given && chip->placed->layers[layer].n_digits > 1;
    trials->first[layer + 1] = trials->first[layer];
    for (int ratio = 1; ratio <= (has_ratios ? 4 : 1); ratio *= 2) {
        for (int i = 0; i < SCALES; i++) {
            const double s = s0 * exp2(-0.25 * i);
            if (i == 0 || s >= 1) {
                add_trial(trials, chip, layer, low, high, s, ratio);
            }
        }
        add_trial(trials, chip, layer, low, high, 1, ratio);
    }
}

ohm_status ohmi_trials_init(ohmi_trials *trials, const ohmi_chip *chip, const double *low,
                            const double *high, ohm_error *err) {
    const int n_layers = chip->placed->n_layers;
    const size_t n_codes = (size_t)1 << chip->values->adc.bits;
    size_t most_lines = 0;
    *trials = (ohmi_trials){.most = MOST_TRIALS};
    for (int l = 0; l < n_layers; l++) {
        const size_t lines = (size_t)chip->placed->layers[l].lines;
        most_lines = lines > most_lines ? lines : most_lines;
    }
    trials->trials = ohmi_alloc((size_t)n_layers * MOST_TRIALS, sizeof *trials->trials);
    trials->first = ohmi_alloc((size_t)n_layers + 1, sizeof *trials->first);
    trials->square = ohmi_alloc((size_t)OHMI_MOST_TRIED * MOST_TRIALS, sizeof *trials->square);
    trials->code8 = ohmi_alloc(most_lines * 256 * MOST_TRIALS, 1);
    trials->value = ohmi_alloc(chip->given ? n_codes * MOST_TRIALS : 0, sizeof *trials->value);
    if (!trials->trials || !trials->first || !trials->square || !trials->code8 || !trials->value) {
        return no_memory(err);
    }
    for (int l = 0; l < n_layers; l++) {
        add_layer(trials, chip, l, low[l], high[l]);
    }
    return OHM_OK;
}

void ohmi_trials_clear(ohmi_trials *trials) {
    ohmi_free(trials->trials);
    ohmi_free(trials->first);
    ohmi_free(trials->square);
    ohmi_free(trials->code8);
    ohmi_free(trials->value);
    *trials = (ohmi_trials){0};
}

void ohmi_trials_begin(ohmi_trials *trials, const ohmi_chip *chip, int layer) {
    const int lines = chip->placed->layers[layer].lines;
    const int64_t n_sums = ohmi_chip_most(chip, layer) + 1;
    const int n_codes = 1 << chip->values->adc.bits;
    memset(trials->square, 0, (size_t)(OHMI_MOST_TRIED * trials->most) * sizeof *trials->square);
    for (int i = trials->first[layer]; i < trials->first[layer + 1]; i++) {
        ohmi_trial *trial = &trials->trials[i];
        const int64_t at = i - trials->first[layer];
        if (chip->given) {
            float *value = trials->value + at * n_codes;
            for (int c = 0; c < n_codes; c++) {
                value[c] =
                    (float)(trial->low + (trial->high - trial->low) * (double)chip->given[c]);
            }
            for (int d = 0; d < lines; d++) {
                trial->adc[d] = ohmi_adc_given(value, n_codes);
            }
            continue;
        }
        uint8_t *code8 = trials->code8 + at * lines * 256;
        trial->code8 = ohmi_product_tabulate(code8, trial->adc, lines, n_sums) ? code8 : NULL;
    }
}

void ohmi_trials_end(ohmi_trials *trials, int layer) {
    // in the order of blocks, so that threads change nothing
    for (int block = 0; block < OHMI_MOST_TRIED; block++) {
        for (int i = trials->first[layer]; i < trials->first[layer + 1]; i++) {
            trials->trials[i].square +=
                trials->square[block * trials->most + i - trials->first[layer]];
        }
    }
}

ohm_status ohmi_trials_choose(const ohmi_trials *trials, ohmi_chip *chip, int layer,
                              ohm_error *err) {
    const ohmi_trial *best = &trials->trials[trials->first[layer]];
    for (int i = trials->first[layer]; i < trials->first[layer + 1]; i++) {
        best = trials->trials[i].square < best->square ? &trials->trials[i] : best;
    }
    if (chip->given) {
        return ohmi_chip_range(chip, layer, best->low, best->high, err);
    }
    for (int d = 0; d < chip->placed->layers[layer].lines; d++) {
        chip->adc[layer][d] = best->adc[d];
    }
    return OHM_OK;
}
