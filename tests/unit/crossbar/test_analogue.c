// SPDX-License-Identifier: Apache-2.0
// A learned network on a chip. With nothing wrong: the integer network's logits, bit for bit, for
// every coding of weights and place of classifiers. With faults, wires and offsets: the sums of
// bit planes, lines and arrays, added up one by one in a second writing here, are those of the
// weights and constants that the network computes with. Repair; reads; masks under wires.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "crossbar/analogue.h"
#include "device_config.h"
#include "learn/placing.h"
#include "unit/learn/tiny_learning.h"

enum { MOST_LOGITS = TINY_TEST * 3 };

static tiny_learning tiny;
static float wanted[TINY_TASKS][MOST_LOGITS];

static int begin(void **state) {
    (void)state;
    static const char *const more[] = {"quantise.weight_bits", "4", NULL};
    tiny_begin(&tiny, more);
    for (int t = 0; t < TINY_TASKS; t++) {
        tiny_learn(&tiny, t, NULL, NULL, NULL);
    }
    for (int t = 0; t < TINY_TASKS; t++) {
        (void)tiny_logits(&tiny, t, true, wanted[t]);
    }
    return 0;
}

static int end(void **state) {
    (void)state;
    tiny_end(&tiny);
    return ohmi_live_blocks() != 0;
}

// The logits of a task on what is programmed.
static void logits_of(float *out, ohmi_analogue *analogue, int t) {
    ohmi_evaluation e;
    ohm_error err;
    if (ohmi_analogue_switch(analogue, t, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(
        ohmi_measure_images(&e, tiny.learner, t, &tiny.tasks.task[t].test, true, out, NULL),
        OHM_OK);
}

static ohmi_analogue *analogue_of(const ohm_config *config, uint64_t chip, uint32_t read) {
    ohmi_analogue *analogue = NULL;
    ohm_error err;
    if (ohmi_analogue_new(&analogue, tiny.learner, ohmi_config_values(config), &err) < 0 ||
        ohmi_analogue_program(analogue, ohmi_analogue_device(analogue), chip, read, &err) < 0) {
        fail_msg("%s", err.message);
    }
    return analogue;
}

static size_t bytes_of(int t) {
    return sizeof(float) * TINY_TEST * (size_t)tiny.tasks.task[t].n_classes;
}

static void test_exact(void **state) {
    (void)state;
    static const char *const settings[][3] = {
        {"array.weight_scheme=offset", "array.rows=27", "array.columns=12"},
        {"array.weight_scheme=offset_digital", "array.rows=27", "array.cell_bits=1"},
        {"array.weight_scheme=differential", "array.rows=10", "array.columns=30"},
        {"array.heads=digital", "array.rows=40", "array.cell_bits=4"},
    };
    static float out[MOST_LOGITS];
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        ohm_config *config = CONFIG(settings[i][0], settings[i][1], settings[i][2]);
        ohmi_analogue *analogue = analogue_of(config, 1, 0);
        for (int t = TINY_TASKS - 1; t >= 0; t--) {
            logits_of(out, analogue, t);
            assert_memory_equal(out, wanted[t], bytes_of(t));
        }
        assert_int_equal(ohmi_analogue_count(analogue).stuck, 0);
        ohmi_analogue_free(&analogue);
        ohm_config_free(&config);
    }
    // and the network is its own again
    (void)tiny_logits(&tiny, 0, true, out);
    assert_memory_equal(out, wanted[0], bytes_of(0));
}

// What a second writing needs of every array of a layer.
typedef struct {
    const ohmi_placed *place;
    float *real, *offset; // (arrays, rows, columns), (arrays, columns)
    int64_t first;
} copies;

static void copy(void *context, const ohmi_effective_array *array) {
    copies *c = context;
    const size_t rows = (size_t)c->place->def.rows, columns = (size_t)c->place->def.columns;
    const size_t i = (size_t)(array->array - c->first);
    memcpy(c->real + i * rows * columns, array->real, rows * columns * sizeof(float));
    memcpy(c->offset + i * columns, array->offset, columns * sizeof(float));
}

// y = sum over bit planes, lines and arrays of one output for an input of `bits` bits.
static double sum_lines(const copies *c, const ohmi_placed_layer *layer, const uint8_t *on,
                        int64_t k, const int32_t *x, int bits, bool is_signed) {
    const int64_t rows = c->place->def.rows, columns = c->place->def.columns;
    int32_t worth[OHMI_MOST_LINES];
    double y = 0;
    ohmi_place_worth(worth, layer, c->place->def.cell_bits);
    for (int64_t g = 0; g < layer->layout.n_groups; g++) {
        const int64_t u = k * layer->layout.n_groups + g;
        const int64_t length = ohmi_layout_length(&layer->layout, u);
        for (int64_t tile = 0; tile < layer->n_tiles && (on[u / 8] >> (u % 8) & 1); tile++) {
            const ohmi_place_spot spot = ohmi_place_column(layer, k, g, tile);
            const int64_t i = spot.array - c->first;
            for (int b = 0; b < bits; b++) {
                const double plane = (b == bits - 1 && is_signed ? -1.0 : 1.0) * (1 << b);
                double n_active = 0;
                for (int d = 0; d < layer->lines; d++) {
                    double own = (double)c->offset[i * columns + spot.first_line + d], off = 0;
                    off = layer->reserved ? (double)c->offset[i * columns + d] : 0;
                    for (int64_t r = 0; r < rows && tile * rows + r < length; r++) {
                        const int32_t v = x[g * layer->layout.span + tile * rows + r];
                        const int bit = (int)((uint32_t)v >> b & 1);
                        const float *real = c->real + (i * rows + r) * columns;
                        own += bit * (double)real[spot.first_line + d];
                        off += layer->reserved ? bit * (double)real[d] : 0;
                        n_active += d == 0 ? bit : 0;
                    }
                    y += plane * worth[d] * (own - off);
                }
                y -= layer->reserved ? 0 : plane * layer->offset * n_active;
            }
        }
    }
    return y;
}

static void test_second_writing(void **state) {
    (void)state;
    static const char *const codings[] = {"array.weight_scheme=offset",
                                          "array.weight_scheme=offset_digital",
                                          "array.weight_scheme=differential"};
    for (int i = 0; i < 3; i++) {
        ohm_config *config = CONFIG(
            codings[i], "array.rows=20", "array.columns=14", "fault.preset=chen2015",
            "variation.relative=0.1", "converter.dac_offset=10 mV", "converter.dac_gain=0.02",
            "converter.adc_offset=0.5", "converter.adc_gain=0.05", "wire.segment=3");
        ohmi_analogue *analogue = analogue_of(config, 11, 0);
        const int t = 2;
        assert_int_equal(ohmi_analogue_switch(analogue, t, NULL), OHM_OK);
        const ohmi_network *network = tiny.learner->network;
        for (int l = 0; l < 2; l++) {
            // the arrays again
            const ohmi_placed *place = ohmi_analogue_place(analogue);
            const ohmi_placed_layer *layer = &place->layers[l];
            const int64_t n = layer->k * layer->layout.run;
            const int bits = l == 0 ? 8 : 4;
            copies c = {.place = place, .first = layer->first_array};
            float *codes = calloc((size_t)n, sizeof *codes), *y = NULL;
            uint8_t *on = calloc((size_t)layer->layout.n_units, 1);
            c.real = calloc((size_t)(layer->n_arrays * 20 * 14), sizeof(float));
            c.offset = calloc((size_t)(layer->n_arrays * 14), sizeof(float));
            assert_true(codes && on && c.real && c.offset);
            ohmi_learner_codes(codes, tiny.learner, place, l);
            ohmi_learner_column_bits(on, tiny.learner, place, l, t);
            ohmi_effective_def def = {
                .place = place, .device = ohmi_analogue_device(analogue), .chip = 11, .bits = on};
            def.has_wires = ohmi_wires_of(&def.wires, ohmi_config_values(config));
            assert_true(def.has_wires);
            assert_int_equal(ohmi_effective_each(copy, &c, NULL, codes, l, &def, NULL), OHM_OK);

            // one pixel's inputs through the product that the network calls
            ohmi_conv shape = {.n = 1,
                               .c = (int)layer->layout.run,
                               .k = (int)layer->k,
                               .h = 1,
                               .w = 1,
                               .r = 1,
                               .s = 1,
                               .stride = 1};
            ohmi_conv_complete(&shape);
            float *x = aligned_alloc(64, sizeof(float) * (size_t)(shape.n_pad * shape.c_pad));
            int32_t *codes_in = calloc((size_t)layer->layout.run, sizeof *codes_in);
            y = aligned_alloc(64, sizeof(float) * (size_t)(shape.n_pad * shape.k_pad));
            assert_true(x && y && codes_in);
            memset(x, 0, sizeof(float) * (size_t)(shape.n_pad * shape.c_pad));
            for (int64_t v = 0; v < layer->layout.run; v++) {
                codes_in[v] = (int32_t)(v * 37 % 16) - (l == 0 ? (int32_t)(v * 11 % 100) : 0);
                x[v] = (float)codes_in[v];
            }
            network->product(network->product_context, y, x, &shape, l, 1);
            for (int64_t k = 0; k < layer->k; k++) {
                const double sum = sum_lines(&c, layer, on, k, codes_in, bits, l == 0);
                if (!(fabs((double)y[k] - sum) < 1e-3 + 1e-4 * fabs(sum))) {
                    fail_msg("coding %d, layer %d, output %d: %g is not %g", i, l, (int)k,
                             (double)y[k], sum);
                }
            }
            free(codes);
            free(on);
            free(c.real);
            free(c.offset);
            free(x);
            free(y);
            free(codes_in);
        }
        ohmi_analogue_free(&analogue);
        ohm_config_free(&config);
    }
}

static double distance(const float *a, const float *b, int t) {
    double most = 0;
    for (size_t i = 0; i < bytes_of(t) / sizeof *a; i++) {
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
    }
    return most;
}

// Repair of stuck cells brings the logits back; unrepaired ones are far from them.
static void test_repair(void **state) {
    (void)state;
    static float broken[MOST_LOGITS], repaired[MOST_LOGITS];
    ohm_config *config = CONFIG("array.rows=27", "fault.preset=chen2015");
    ohmi_analogue *analogue = analogue_of(config, 4, 0);
    logits_of(broken, analogue, 1);
    ohmi_analogue_free(&analogue);
    ohm_config_free(&config);
    config = CONFIG("array.rows=27", "fault.preset=chen2015", "repair.stuck=true");
    analogue = analogue_of(config, 4, 0);
    logits_of(repaired, analogue, 1);
    const ohmi_effective_count count = ohmi_analogue_count(analogue);
    assert_true(count.cells > 1000);

    // not every stuck cell is at another level than it should be, but more than half of them are
    const double part = (double)count.stuck / (double)count.cells;
    assert_true(part > 0.05 && part < 0.1079);
    ohmi_analogue_free(&analogue);
    ohm_config_free(&config);
    assert_true(distance(repaired, wanted[1], 1) < 1e-3);
    assert_true(distance(broken, wanted[1], 1) > 0.1);
}

// A chip is the same again whatever was done between, another is another, and so are reads.
static void test_chips(void **state) {
    (void)state;
    static float a[MOST_LOGITS], b[MOST_LOGITS];
    ohm_config *config = CONFIG("array.rows=27", "variation.relative=0.1", "noise.telegraph=0.5");
    ohmi_analogue *analogue = analogue_of(config, 4, 0);
    const ohmi_device *device = ohmi_analogue_device(analogue);
    logits_of(a, analogue, 0);
    static const struct {
        uint64_t chip;
        uint32_t read;
    } others[] = {{5, 0}, {4, 1}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            ohmi_analogue_program(analogue, device, others[i].chip, others[i].read, NULL), OHM_OK);
        logits_of(b, analogue, 0);
        assert_true(distance(a, b, 0) > 1e-3);
    }
    assert_int_equal(ohmi_analogue_program(analogue, device, 4, 0, NULL), OHM_OK);
    logits_of(b, analogue, 2);
    logits_of(b, analogue, 0);
    assert_memory_equal(a, b, bytes_of(0));
    ohmi_analogue_free(&analogue);
    ohm_config_free(&config);
}

// Wires that have almost no resistance change almost nothing; more of it takes more away.
static void test_wires_limit(void **state) {
    (void)state;
    static float out[MOST_LOGITS];
    static const char *const segments[] = {"wire.segment=1e-6", "wire.segment=1",
                                           "wire.segment=30"};
    double last = -1;
    for (int i = 0; i < 3; i++) {
        ohm_config *config = CONFIG("array.rows=27", segments[i]);
        ohmi_analogue *analogue = analogue_of(config, 1, 0);
        logits_of(out, analogue, 1);
        const double off = distance(out, wanted[1], 1);
        assert_true(i > 0 || off < 1e-3);
        assert_true(off > last);
        last = off;
        ohmi_analogue_free(&analogue);
        ohm_config_free(&config);
    }
}

// Masks of more levels than on and off: a column's sum times its level, exact as well.
static void test_levels(void **state) {
    (void)state;
    static const char *const more[] = {"method.levels", "[0, 0.5, 1, 2]", "train.mask_lr", "0.5",
                                       NULL};
    static float meant[MOST_LOGITS], out[MOST_LOGITS];
    tiny_learning l;
    tiny_begin(&l, more);
    tiny_learn(&l, 0, NULL, NULL, NULL);
    tiny_learn(&l, 1, NULL, NULL, NULL);
    (void)tiny_logits(&l, 1, true, meant);
    ohm_config *config = CONFIG("array.rows=27");
    ohmi_analogue *analogue = NULL;
    ohmi_evaluation e;
    assert_int_equal(ohmi_analogue_new(&analogue, l.learner, ohmi_config_values(config), NULL),
                     OHM_OK);
    assert_int_equal(ohmi_analogue_program(analogue, ohmi_analogue_device(analogue), 1, 0, NULL),
                     OHM_OK);
    assert_int_equal(ohmi_analogue_switch(analogue, 1, NULL), OHM_OK);
    assert_int_equal(ohmi_measure_images(&e, l.learner, 1, &l.tasks.task[1].test, true, out, NULL),
                     OHM_OK);
    assert_memory_equal(out, meant, bytes_of(1));
    ohmi_analogue_free(&analogue);
    ohm_config_free(&config);
    tiny_end(&l);
}

static void test_no_memory(void **state) {
    (void)state;
    ohm_config *config = CONFIG("array.rows=27");
    for (int k = 0; k < 200; k++) {
        ohmi_analogue *analogue = NULL;
        ohm_error err = {0};
        ohmi_fail_allocation(k);
        const ohm_status status =
            ohmi_analogue_new(&analogue, tiny.learner, ohmi_config_values(config), &err);
        ohmi_fail_allocation(-1);
        if (status == OHM_OK) {
            assert_true(k > 10);
            ohmi_analogue_free(&analogue);
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
        assert_null(tiny.learner->network->product);
    }
    ohm_config_free(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),       cmocka_unit_test(test_second_writing),
        cmocka_unit_test(test_repair),      cmocka_unit_test(test_chips),
        cmocka_unit_test(test_wires_limit), cmocka_unit_test(test_levels),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
