// SPDX-License-Identifier: Apache-2.0
// Which computation, and the cells of a chip for the one that goes bit by bit; see engine.h.
#include "crossbar/engine.h"

#include <pthread.h>

#include "base/fail.h"
#include "base/memory.h"
#include "crossbar/analogue.h"
#include "crossbar/chip.h"
#include "learn/placing.h"

struct ohmi_engine {
    ohmi_learner *learner;
    const ohmi_config *values;
    ohmi_analogue *analogue; // one of the two
    ohmi_chip *chip;
    ohmi_device device; // of the chip
    ohmi_effective_def def;
    ohmi_effective_count count;
    bool is_rewritten;    // cells hold other codes for each task
    bool is_calibrated;   // on a chip with nothing wrong
    pthread_mutex_t lock; // of the chip, while arrays are put into it
    ohm_status status;    // of the first array that could not be
    ohm_error err;
};

// the chip's arrays are what they should be
static bool is_exact(const ohmi_engine *e) {
    int n_effects;
    bool is_any_on = e->def.has_wires;
    (void)ohmi_effects(&n_effects);
    for (int i = 0; i < n_effects; i++) {
        is_any_on = is_any_on || e->def.device->is_on[i];
    }
    return !is_any_on;
}

ohm_status ohmi_engine_new(ohmi_engine **out, ohmi_learner *learner, const ohmi_config *values,
                           ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_engine *e = ohmi_alloc(1, sizeof *e);
    *out = NULL;
    if (!e) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a chip");
        goto done;
    }
    e->learner = learner;
    e->values = values;
    (void)pthread_mutex_init(&e->lock, NULL);
    if (values->adc.range == OHMI_ADC_IDEAL && !(values->noise.bandwidth_hz > 0)) {
        OHM_TRY(ohmi_analogue_new(&e->analogue, learner, values, err));
    } else {
        OHM_TRY(ohmi_chip_new(&e->chip, learner, values, err));
        const ohmi_place_def *arrays = &e->chip->placed->def;
        OHM_TRY(ohmi_device_init(&e->device, values, (int)arrays->rows, (int)arrays->columns,
                                 1 << arrays->cell_bits, err));
        e->def =
            (ohmi_effective_def){.place = e->chip->placed, .repairs_stuck = values->repair.stuck};
        e->def.has_wires = ohmi_wires_of(&e->def.wires, values);
        e->is_rewritten = ohmi_learner_is_rewritten(learner);
    }
    *out = e;
    e = NULL;
done:
    ohmi_engine_free(&e);
    return status;
}

void ohmi_engine_free(ohmi_engine **engine) {
    ohmi_engine *e = *engine;
    if (!e) {
        return;
    }
    if (e->chip) {
        ohmi_chip_deactivate(e->chip, e->learner);
    }
    ohmi_analogue_free(&e->analogue);
    ohmi_chip_free(&e->chip);
    ohmi_device_clear(&e->device);
    (void)pthread_mutex_destroy(&e->lock);
    ohmi_free(e);
    *engine = NULL;
}

const ohmi_device *ohmi_engine_device(const ohmi_engine *engine) {
    return engine->analogue ? ohmi_analogue_device(engine->analogue) : &engine->device;
}

const ohmi_placed *ohmi_engine_place(const ohmi_engine *engine) {
    return engine->analogue ? ohmi_analogue_place(engine->analogue) : engine->chip->placed;
}

int64_t ohmi_engine_arrays(const ohmi_engine *engine) {
    return engine->analogue ? ohmi_analogue_arrays(engine->analogue) : engine->chip->own.n_arrays;
}

ohmi_effective_count ohmi_engine_count(const ohmi_engine *engine) {
    return engine->analogue ? ohmi_analogue_count(engine->analogue) : engine->count;
}

// puts an array into the chip
static void put(void *context, const ohmi_effective_array *array) {
    ohmi_engine *e = context;
    (void)pthread_mutex_lock(&e->lock);
    if (e->status >= 0) {
        e->status = ohmi_chip_set(e->chip, array->array, array->real, array->offset, &e->err);
    }
    if (e->status >= 0 && array->delta) {
        e->status = ohmi_chip_correct(e->chip, array->array, array->delta, &e->err);
    }
    (void)pthread_mutex_unlock(&e->lock);
}

// all arrays anew; t >= 0: as a task finds them, whose mask wires feel, and what is written for it
static ohm_status make_arrays(ohmi_engine *e, int t, ohm_error *err) {
    ohm_status status = OHM_OK;
    float *codes = NULL;
    uint8_t *bits = NULL;
    ohmi_chip_reset(e->chip);
    e->count = (ohmi_effective_count){0};
    for (int l = 0; l < e->chip->placed->n_layers && !is_exact(e); l++) {
        const ohmi_placed_layer *layer = &e->chip->placed->layers[l];
        ohmi_free(codes);
        ohmi_free(bits);
        codes = ohmi_alloc((size_t)(layer->k * layer->layout.run), sizeof *codes);
        bits = ohmi_alloc((size_t)(layer->layout.n_units + 7) / 8, 1);
        if (!codes || !bits) {
            status =
                ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the arrays of '%s'", layer->name);
            goto done;
        }
        if (t < 0) {
            ohmi_learner_codes(codes, e->learner, e->chip->placed, l);
        } else {
            ohmi_learner_task_codes(codes, e->learner, e->chip->placed, l, t);
            ohmi_learner_column_bits(bits, e->learner, e->chip->placed, l, t);
        }
        e->def.bits = t >= 0 ? bits : NULL;
        e->def.numbers = t >= 0 ? ohmi_own_arrays_of(&e->chip->own, t) : NULL;
        e->status = OHM_OK;
        OHM_TRY(ohmi_effective_each(put, e, &e->count, codes, l, &e->def, err));
        if (e->status < 0) {
            status = e->status;
            if (err) {
                *err = e->err;
            }
            goto done;
        }
    }
done:
    e->def.bits = NULL;
    ohmi_free(codes);
    ohmi_free(bits);
    return status;
}

static ohm_status write_task(void *context, int t, ohm_error *err) {
    return make_arrays(context, t, err);
}

// the noise of conversions: its variance is proportional to the current, of which the lowest level
// of each driven cell is a part
static void make_noise(ohmi_engine *e) {
    const ohmi_cell *cell = &e->def.device->cell;
    const float variance = ohmi_device_has(e->def.device, &ohmi_effect_noise)
                               ? ohmi_noise_variance(e->def.device)
                               : 0.0f;
    e->chip->noise = (ohmi_chip_noise){.noise_sum = variance,
                                       .noise_active = variance * cell->siemens[0] / cell->step,
                                       .seed = e->def.chip,
                                       .read = e->def.read};
}

ohm_status ohmi_engine_program(ohmi_engine *e, const ohmi_device *device, uint64_t chip,
                               uint32_t read, ohm_error *err) {
    ohm_status status = OHM_OK;
    if (e->analogue) {
        return ohmi_analogue_program(e->analogue, device, chip, read, err);
    }
    e->def.device = device;
    e->def.chip = chip;
    e->def.read = read;
    ohmi_chip_deactivate(e->chip, e->learner);
    if (!e->is_calibrated && !e->values->repair.range) {
        OHM_TRY(ohmi_chip_calibrate(e->chip, e->learner, NULL, NULL, err)); // exact cells as yet
        e->is_calibrated = true;
    }
    if (!e->is_rewritten && (!e->def.has_wires || e->values->repair.range)) {
        OHM_TRY(make_arrays(e, -1, err));
    }
    if (e->values->repair.range) {
        OHM_TRY(
            ohmi_chip_calibrate(e->chip, e->learner, e->is_rewritten ? write_task : NULL, e, err));
    }
    make_noise(e);
done:
    return status;
}

ohm_status ohmi_engine_switch(ohmi_engine *e, int t, ohm_error *err) {
    ohm_status status = OHM_OK;
    if (e->analogue) {
        return ohmi_analogue_switch(e->analogue, t, err);
    }
    ohmi_chip_deactivate(e->chip, e->learner);
    if (e->def.has_wires || e->is_rewritten) {
        OHM_TRY(make_arrays(e, t, err));
        make_noise(e);
    }
    OHM_TRY(ohmi_chip_activate(e->chip, e->learner, t, err));
    ohmi_chip_rewind(e->chip, 0);
done:
    return status;
}
