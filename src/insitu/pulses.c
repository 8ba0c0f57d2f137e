// SPDX-License-Identifier: Apache-2.0
// Pulses that are not ideal; equations in pulses.h.
#include "insitu/pulses.h"

#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/rng.h"

bool ohmi_pulses_are_wanted(const ohmi_config *config) {
    return config->insitu.curve_up < 0 || config->insitu.curve_up > 0 ||
           config->insitu.curve_down < 0 || config->insitu.curve_down > 0 ||
           config->insitu.curve_spread > 0 || config->insitu.pulse_noise > 0 ||
           config->fault.stuck_on > 0 || config->fault.stuck_off > 0;
}

// the stream of an effect in a layer
static ohmi_rng stream(const ohmi_pulses *p, ohmi_rng_purpose purpose, uint32_t write) {
    return (ohmi_rng){.seed = (uint64_t)p->config->chip.seed,
                      .purpose = purpose,
                      .task = write,
                      .place = (uint32_t)p->layer};
}

// the level that a cell is stuck at; -1 = it works
static float stuck_at(const ohmi_pulses *p, int64_t cell) {
    const ohmi_rng rng = stream(p, OHMI_RNG_STUCK_TRAINED, 0);
    const double on = p->config->fault.stuck_on, off = p->config->fault.stuck_off;
    if (on <= 0 && off <= 0) {
        return -1;
    }
    const double u = (double)ohmi_rng_uniform(&rng, (uint32_t)cell);
    return u < off ? 0.0f : u > 1 - on ? (float)p->top : -1.0f;
}

ohm_status ohmi_pulses_new(ohmi_pulses **out, const ohmi_config *config, int layer,
                           const ohmi_placed_layer *place, int cell_bits, const float *held,
                           int64_t n_weights, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_pulses *p = ohmi_alloc(1, sizeof *p);
    *out = NULL;
    if (p) {
        p->config = config;
        p->layer = layer;
        p->lines = place->lines;
        p->n_digits = place->n_digits;
        p->offset = place->offset;
        p->top = (1 << cell_bits) - 1;
        p->n_weights = n_weights;
        p->level = ohmi_alloc((size_t)(n_weights * place->lines), sizeof *p->level);
        p->value = ohmi_alloc((size_t)n_weights, sizeof *p->value);
    }
    if (!p || !p->level || !p->value) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the levels of cells");
        goto done;
    }
    ohmi_place_worth(p->worth, place, cell_bits);
    for (int64_t i = 0; i < n_weights; i++) {
        uint8_t digit[OHMI_MOST_LINES];
        ohmi_place_digits(digit, place, cell_bits, (int)held[i]);
        for (int64_t d = 0; d < p->lines; d++) {
            const float stuck = stuck_at(p, i * p->lines + d);
            p->level[i * p->lines + d] = stuck >= 0 ? stuck : (float)digit[d];
        }
        ohmi_pulses_settle(p, i);
    }
    *out = p;
    p = NULL;
done:
    ohmi_pulses_free(&p);
    return status;
}

void ohmi_pulses_free(ohmi_pulses **pulses) {
    if (*pulses) {
        ohmi_free((*pulses)->level);
        ohmi_free((*pulses)->value);
        ohmi_free(*pulses);
        *pulses = NULL;
    }
}

// where x more of all pulses take a cell that is at y of its range, with bend a
static double along(double y, double x, double a) {
    if (fabs(a) < 1e-6) {
        return y + x;
    }
    const double whole = 1 - exp(-a);
    return (1 - (1 - y * whole) * exp(-a * x)) / whole;
}

void ohmi_pulses_give(ohmi_pulses *p, int64_t weight, int64_t d, int n, uint32_t write) {
    const int64_t cell = weight * p->lines + d;
    if (n == 0 || stuck_at(p, cell) >= 0) {
        return;
    }
    const bool is_up = n > 0;
    const double part = (double)abs(n) / p->top;
    double bend = is_up ? p->config->insitu.curve_up : p->config->insitu.curve_down;
    if (p->config->insitu.curve_spread > 0) {
        const ohmi_rng rng = stream(p, is_up ? OHMI_RNG_CURVE_UP : OHMI_RNG_CURVE_DOWN, 0);
        bend += p->config->insitu.curve_spread * (double)ohmi_rng_normal(&rng, (uint32_t)cell);
    }
    const double at = (double)p->level[cell] / p->top;
    double y = is_up ? along(at, part, bend) : 1 - along(1 - at, part, bend);
    y = y < 0 ? 0 : y > 1 ? 1 : y;
    if (p->config->insitu.pulse_noise > 0) {
        const ohmi_rng rng = stream(p, OHMI_RNG_PULSE, write);
        y += p->config->insitu.pulse_noise * sqrt((double)abs(n)) / p->top *
             (double)ohmi_rng_normal(&rng, (uint32_t)cell);
        y = y < 0 ? 0 : y > 1 ? 1 : y;
    }
    p->level[cell] = (float)(y * p->top);
}

void ohmi_pulses_settle(ohmi_pulses *p, int64_t weight) {
    float sum = (float)-p->offset;
    for (int64_t d = 0; d < p->lines; d++) {
        sum += (float)p->worth[d] * p->level[weight * p->lines + d];
    }
    p->value[weight] = sum;
}
