// SPDX-License-Identifier: Apache-2.0
// The ranges of converters from data: training images of every learned task go through the chip
// with ideal converters; of the column sums of a layer, over all tasks, bit-lines and bits of an
// input, the range is from the least to the largest, or without the part `adc.clip` at either end.
// One input vector of eight is counted. Fitted ranges begin with these, and are chosen among others
// when the same images go through the chip once more (ranges.h).
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "crossbar/chip_task.h"
#include "crossbar/ranges.h"
#include "learn/evaluate.h"

static ohm_status histogram_new(ohmi_histogram *h, const ohmi_chip *chip, ohm_error *err) {
    const int n_layers = chip->placed->n_layers;
    h->first = ohmi_alloc((size_t)n_layers + 1, sizeof *h->first);
    for (int l = 0; h->first && l < n_layers; l++) {
        h->first[l + 1] = h->first[l] + ohmi_chip_most(chip, l) + 1;
        h->n_bins = h->first[l + 1];
    }
    h->count = ohmi_alloc((size_t)ohmi_threads() * (size_t)h->n_bins, sizeof *h->count);
    if (!h->first || !h->count) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to calibrate converters");
    }
    return OHM_OK;
}

// the sums of a layer but for `clip` of them at either end
static void range_of(double *low, double *high, const int64_t *count, int64_t n, double clip) {
    int64_t total = 0, below = 0, above = 0, first = 0, last = n - 1;
    for (int64_t i = 0; i < n; i++) {
        total += count[i];
    }
    const int64_t most = (int64_t)(clip * (double)total);
    while (first < n - 1 && below + count[first] <= most) {
        below += count[first++];
    }
    while (last > first && above + count[last] <= most) {
        above += count[last--];
    }
    *low = (double)first;
    *high = last > first ? (double)last : (double)first + 1;
}

typedef struct {
    ohmi_chip *chip;
    ohmi_learner *learner;
    ohmi_chip_writer *write; // of a task's cells; NULL: they are as they are
    void *context;           // of write
} sender;

// sends one task's images through the chip, which counts the sums, or tries converters
static ohm_status send_task(const sender *s, int t, ohmi_histogram *h, ohmi_trials *trials,
                            ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_chip *chip = s->chip;
    ohmi_learner *learner = s->learner;
    ohmi_evaluation e;
    ohmi_images images = learner->tasks->task[t].train;
    images.n = images.n < chip->values->adc.images ? images.n : chip->values->adc.images;
    if (images.n < 1) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "there are no training images to calibrate with");
    }
    if (s->write) {
        OHM_TRY(s->write(s->context, t, err));
    }
    OHM_TRY(ohmi_chip_activate(chip, learner, t, err));
    chip->active->histogram = h;
    chip->active->trials = trials;
    OHM_TRY(ohmi_measure_images(&e, learner, t, &images, true, NULL, err));
done:
    ohmi_chip_deactivate(chip, learner);
    return status;
}

static ohm_status send_tasks(const sender *s, ohmi_histogram *h, ohmi_trials *trials,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    // a network a task: only the last one's weights are there
    const int n_learned = (int)s->learner->position.task;
    for (int t = s->learner->traits->is_alone ? n_learned - 1 : 0; t < n_learned; t++) {
        OHM_TRY(send_task(s, t, h, trials, err));
    }
    s->chip->conversions = s->chip->next_image = 0;
done:
    return status;
}

// what each layer gave: low, high (n_layers)
static void take_ranges(double *low, double *high, const ohmi_histogram *h, const ohmi_chip *chip) {
    for (int thread = 1; thread < ohmi_threads(); thread++) {
        for (int64_t i = 0; i < h->n_bins; i++) {
            h->count[i] += h->count[thread * h->n_bins + i];
        }
    }
    for (int l = 0; l < chip->placed->n_layers; l++) {
        range_of(&low[l], &high[l], h->count + h->first[l], h->first[l + 1] - h->first[l],
                 chip->values->adc.clip);
    }
}

ohm_status ohmi_chip_calibrate(ohmi_chip *chip, ohmi_learner *learner, ohmi_chip_writer *write,
                               void *context, ohm_error *err) {
    ohm_status status = OHM_OK;
    const sender s = {chip, learner, write, context};
    ohmi_histogram h = {0};
    ohmi_trials trials = {0};
    const int n_layers = chip->placed->n_layers;
    const ohmi_adc ideal = ohmi_adc_ideal();
    const ohmi_adc_range range = chip->values->adc.range;
    double *low = NULL, *high = NULL;
    if (range != OHMI_ADC_CALIBRATED && range != OHMI_ADC_FITTED) {
        return OHM_OK;
    }
    OHM_TRY(histogram_new(&h, chip, err));
    low = ohmi_alloc((size_t)n_layers, sizeof *low);
    high = ohmi_alloc((size_t)n_layers, sizeof *high);
    if (!low || !high) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to calibrate converters");
        goto done;
    }
    for (int l = 0; l < n_layers; l++) {
        ohmi_chip_converters(chip, l, &ideal);
    }
    OHM_TRY(send_tasks(&s, &h, NULL, err));
    take_ranges(low, high, &h, chip);
    if (range == OHMI_ADC_FITTED) {
        OHM_TRY(ohmi_trials_init(&trials, chip, low, high, err));
        OHM_TRY(send_tasks(&s, NULL, &trials, err));
    }
    for (int l = 0; l < n_layers; l++) {
        OHM_TRY(range == OHMI_ADC_FITTED ? ohmi_trials_choose(&trials, chip, l, err)
                                         : ohmi_chip_range(chip, l, low[l], high[l], err));
    }
done:
    ohmi_trials_clear(&trials);
    ohmi_free(h.count);
    ohmi_free(h.first);
    ohmi_free(low);
    ohmi_free(high);
    return status;
}
