// SPDX-License-Identifier: Apache-2.0
// A chip: its arrays, what their cells hold and what was put there instead; see chip.h. How a task
// runs on it is in chip_run.c, where converters take their ranges in calibrate.c.
#include "crossbar/chip.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "crossbar/chip_task.h"
#include "file/npy.h"
#include "learn/placing.h"

// sums of a bit-line are kept in 16 bits
enum { MOST_SUM = 65535 };

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the chip");
}

// bits that hold 0 .. top
static int bits_of(int top) {
    int bits = 1;
    while ((1 << bits) - 1 < top) {
        bits++;
    }
    return bits;
}

// the parts of the range that given levels stand at
static ohm_status load_given(ohmi_chip *chip, ohm_error *err) {
    ohm_status status = OHM_OK;
    const char *path = chip->values->adc.levels;
    const int64_t n = (int64_t)1 << chip->values->adc.bits;
    ohmi_view view = {0};
    OHM_TRY(ohmi_npy_load(&view, path, err));
    if (view.dtype != OHMI_F32 || view.n_dims != 1 || view.shape[0] != n) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "not a list of %lld float32 numbers", (long long)n);
        ohmi_hint(err, "one for each code of 'adc.bits': %d", (int)chip->values->adc.bits);
        ohmi_place(err, path, 0, 0);
        goto done;
    }
    const float *part = view.data;
    for (int64_t i = 0; i < n; i++) {
        if (!(part[i] >= 0 && part[i] <= 1) || (i > 0 && !(part[i] > part[i - 1]))) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "number %lld does not rise from 0 to 1",
                               (long long)i + 1);
            ohmi_place(err, path, 0, 0);
            goto done;
        }
    }
    chip->given = view.data;
    view.data = NULL;
done:
    ohmi_free(view.data);
    return status;
}

ohm_status ohmi_chip_range(ohmi_chip *chip, int layer, double low, double high, ohm_error *err) {
    const int bits = (int)chip->values->adc.bits, n = 1 << bits;
    ohmi_adc adc = ohmi_adc_linear(low, high, bits);
    if (chip->given && !chip->adc_values[layer]) {
        chip->adc_values[layer] = ohmi_alloc((size_t)n, sizeof(float));
        if (!chip->adc_values[layer]) {
            return no_memory(err);
        }
    }
    for (int i = 0; chip->given && i < n; i++) {
        chip->adc_values[layer][i] = (float)(low + (high - low) * (double)chip->given[i]);
    }
    if (chip->given) {
        adc = ohmi_adc_given(chip->adc_values[layer], n);
    }
    ohmi_chip_converters(chip, layer, &adc);
    return OHM_OK;
}

void ohmi_chip_converters(ohmi_chip *chip, int layer, const ohmi_adc *adc) {
    for (int d = 0; d < OHMI_MOST_LINES; d++) {
        chip->adc[layer][d] = *adc;
    }
}

int64_t ohmi_chip_most(const ohmi_chip *chip, int layer) {
    const ohmi_placed_layer *placed = &chip->placed->layers[layer];
    const int64_t rows = chip->placed->def.rows;
    return (placed->layout.span < rows ? placed->layout.span : rows) *
           ((1 << chip->placed->def.cell_bits) - 1);
}

// converters before any calibration
static ohm_status init_converters(ohmi_chip *chip, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int max_level = (1 << chip->placed->def.cell_bits) - 1;
    const ohmi_adc ideal = ohmi_adc_ideal();
    if (chip->values->adc.levels[0] && chip->values->adc.range != OHMI_ADC_IDEAL) {
        OHM_TRY(load_given(chip, err));
    }
    for (int l = 0; l < chip->placed->n_layers; l++) {
        if (ohmi_chip_most(chip, l) > MOST_SUM) {
            status = ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                               "%lld rows of %d-bit cells sum up to more than %d level steps",
                               (long long)chip->placed->def.rows, chip->placed->def.cell_bits,
                               (int)MOST_SUM);
            ohmi_hint(err, "set 'array.rows' to %d or less", (int)MOST_SUM / max_level);
            goto done;
        }
        ohmi_chip_converters(chip, l, &ideal);
        if (chip->values->adc.range == OHMI_ADC_FULL) {
            OHM_TRY(ohmi_chip_range(chip, l, 0, (double)(chip->placed->def.rows * max_level), err));
        }
    }
done:
    return status;
}

// the step of each classifier's codes, as the network takes it (network/run.c)
static void fit_heads(ohmi_chip *chip) {
    const ohmi_learner *learner = chip->learner;
    for (int t = 0; t < (int)learner->position.task; t++) {
        const ohmi_task_parameters *task = learner->learned[t].parameters;
        const float *w = task->trainable + learner->network->head_offset;
        float largest = 1e-20f;
        for (int64_t i = 0; i < (int64_t)task->n_classes * learner->network->head_inputs; i++) {
            largest = fabsf(w[i]) > largest ? fabsf(w[i]) : largest;
        }
        chip->head_step[t] = largest / learner->head_top;
    }
}

ohm_status ohmi_chip_new(ohmi_chip **out, const ohmi_learner *learner, const ohmi_config *values,
                         ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_chip *chip = ohmi_alloc(1, sizeof *chip);
    *out = NULL;
    if (!chip) {
        status = no_memory(err);
        goto done;
    }
    chip->learner = learner;
    chip->values = values;
    chip->backend = "auto";
    OHM_TRY(ohmi_learner_place_levels(&chip->placed, learner, values, err));
    OHM_TRY(ohmi_own_arrays_init(&chip->own, learner, chip->placed, values, err));
    const size_t n_layers = (size_t)chip->placed->n_layers;
    chip->arrays = ohmi_alloc((size_t)chip->placed->n_arrays, sizeof *chip->arrays);
    chip->head_step = ohmi_alloc((size_t)learner->n_tasks, sizeof *chip->head_step);
    chip->adc = ohmi_alloc(n_layers, sizeof *chip->adc);
    chip->adc_values = ohmi_alloc(n_layers, sizeof *chip->adc_values);
    chip->correction = ohmi_alloc(n_layers, sizeof *chip->correction);
    if (!chip->arrays || !chip->head_step || !chip->adc || !chip->adc_values || !chip->correction) {
        status = no_memory(err);
        goto done;
    }
    chip->planes = bits_of((int)learner->activation_grid.top);
    chip->input_planes = (int)learner->config->quantise.input_bits;
    fit_heads(chip);
    OHM_TRY(init_converters(chip, err));
    *out = chip;
    chip = NULL;
done:
    ohmi_chip_free(&chip);
    return status;
}

void ohmi_chip_reset(ohmi_chip *chip) {
    for (int64_t a = 0; chip->arrays && chip->placed && a < chip->placed->n_arrays; a++) {
        ohmi_free(chip->arrays[a].real);
        ohmi_free(chip->arrays[a].offset);
        chip->arrays[a] = (ohmi_chip_array){0};
    }
    for (int l = 0; chip->correction && chip->placed && l < chip->placed->n_layers; l++) {
        ohmi_free(chip->correction[l]);
        chip->correction[l] = NULL;
    }
    chip->noise = (ohmi_chip_noise){0};
}

void ohmi_chip_free(ohmi_chip **chip) {
    if (chip && *chip) {
        ohmi_chip *c = *chip;
        ohmi_chip_task_free(&c->active);
        ohmi_chip_reset(c);
        for (int l = 0; c->adc_values && c->placed && l < c->placed->n_layers; l++) {
            ohmi_free(c->adc_values[l]);
        }
        ohmi_placed *placed = c->placed;
        ohmi_own_arrays_clear(&c->own);
        ohmi_free(c->arrays);
        ohmi_free(c->head_step);
        ohmi_free(c->adc);
        ohmi_free(c->adc_values);
        ohmi_free(c->given);
        ohmi_free(c->correction);
        ohmi_place_free(&placed);
        ohmi_free(c);
        *chip = NULL;
    }
}

void ohmi_chip_codes(float *w, const ohmi_chip *chip, int layer, int64_t unit, int64_t first,
                     int64_t n) {
    const ohmi_learner *learner = chip->learner;
    const ohmi_placed_layer *placed = &chip->placed->layers[layer];
    const int64_t at = ohmi_layout_offset(&placed->layout, unit) + first;
    if (!placed->is_head) {
        ohmi_grid_round_weights(w, learner->network->layers[layer].w + at, n,
                                learner->units[layer].lsb, &learner->weight_grid);
        return;
    }

    // the classifier of the task that owns the column
    const int t = placed->own[unit] - 1;
    const float *real = learner->learned[t].parameters->trainable + learner->network->head_offset -
                        ohmi_learner_head_first(learner, t) * placed->layout.run;
    for (int64_t i = 0; i < n; i++) {
        w[i] = rintf(real[at + i] / chip->head_step[t]);
    }
}

void ohmi_chip_levels(uint8_t *level, const ohmi_chip *chip, int64_t array) {
    const ohmi_placed *placed = chip->placed;
    const ohmi_place_array at = ohmi_place_array_at(placed, array);
    const ohmi_placed_layer *layer = &placed->layers[at.layer];
    const int64_t columns = placed->def.columns;
    uint8_t digit[OHMI_MOST_LINES];
    float w[256];
    memset(level, 0, (size_t)(placed->def.rows * columns));
    ohmi_place_digits(digit, layer, placed->def.cell_bits, 0);
    for (int64_t row = 0; row < at.n_rows && layer->reserved > 0; row++) {
        memcpy(level + row * columns, digit, (size_t)layer->reserved);
    }
    for (int64_t i = 0; i < at.n_k; i++) {
        const int64_t unit = (at.first_k + i) * layer->layout.n_groups + at.g;
        uint8_t *to = level + layer->reserved + i * layer->lines;
        for (int64_t row = 0; row < at.n_rows && layer->own[unit] != OHMI_OWNER_FREE; row++) {
            if (row % 256 == 0) {
                const int64_t rest = at.n_rows - row;
                ohmi_chip_codes(w, chip, at.layer, unit, at.first_weight + row,
                                rest < 256 ? rest : 256);
            }
            ohmi_place_digits(digit, layer, placed->def.cell_bits, (int)w[row % 256]);
            memcpy(to + row * columns, digit, (size_t)layer->lines);
        }
    }
}

static ohm_status check_still(const ohmi_chip *chip, ohm_error *err) {
    return chip->active ? ohmi_fail(err, OHM_ERR_ARGUMENT, "cells cannot change while a task runs")
                        : OHM_OK;
}

static ohm_status copy_floats(float **to, const float *from, int64_t n, ohm_error *err) {
    if (!from) {
        ohmi_free(*to);
        *to = NULL;
        return OHM_OK;
    }
    if (!*to) {
        *to = ohmi_alloc((size_t)n, sizeof **to);
    }
    if (!*to) {
        return no_memory(err);
    }
    memcpy(*to, from, (size_t)n * sizeof **to);
    return OHM_OK;
}

static bool is_zero(const float *values, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (values[i] < 0 || values[i] > 0) {
            return false;
        }
    }
    return true;
}

// whether all are whole levels, 0 .. most
static bool is_whole(const float *real, int64_t n, int most) {
    for (int64_t i = 0; i < n; i++) {
        const float whole = rintf(real[i]);
        if (real[i] < whole || real[i] > whole || whole < 0 || whole > (float)most) {
            return false;
        }
    }
    return true;
}

ohm_status ohmi_chip_set(ohmi_chip *chip, int64_t array, const float *real, const float *offset,
                         ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_place_def *def = &chip->placed->def;
    OHM_TRY(check_still(chip, err));
    const bool has_offset = offset && !is_zero(offset, def->columns);
    OHM_TRY(copy_floats(&chip->arrays[array].real, real, def->rows * def->columns, err));
    OHM_TRY(
        copy_floats(&chip->arrays[array].offset, has_offset ? offset : NULL, def->columns, err));
    chip->arrays[array].is_whole =
        real && is_whole(real, def->rows * def->columns, (1 << def->cell_bits) - 1);
done:
    return status;
}

ohm_status ohmi_chip_correct(ohmi_chip *chip, int64_t array, const float *delta, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_place_array at = ohmi_place_array_at(chip->placed, array);
    const ohmi_placed_layer *layer = &chip->placed->layers[at.layer];
    const int64_t columns = chip->placed->def.columns;
    int32_t worth[OHMI_MOST_LINES];
    OHM_TRY(check_still(chip, err));
    float **sums = &chip->correction[at.layer];
    if (!*sums) {
        *sums = ohmi_alloc((size_t)(layer->k * layer->layout.run), sizeof **sums);
    }
    if (!*sums) {
        status = no_memory(err);
        goto done;
    }

    // a cell of the offset column counts against every weight of its row
    ohmi_place_worth(worth, layer, chip->placed->def.cell_bits);
    for (int64_t row = 0; row < at.n_rows; row++) {
        const float *cell = delta + row * columns;
        float offset = 0;
        for (int d = 0; d < layer->reserved; d++) {
            offset += (float)worth[d] * cell[d];
        }
        for (int64_t i = 0; i < at.n_k; i++) {
            const int64_t unit = (at.first_k + i) * layer->layout.n_groups + at.g;
            const float *own = cell + layer->reserved + i * layer->lines;
            float sum = -offset;
            for (int d = 0; d < layer->lines; d++) {
                sum += (float)worth[d] * own[d];
            }
            (*sums)[ohmi_layout_offset(&layer->layout, unit) + at.first_weight + row] += sum;
        }
    }
done:
    return status;
}

void ohmi_chip_rewind(ohmi_chip *chip, int64_t image) {
    chip->next_image = image;
}
