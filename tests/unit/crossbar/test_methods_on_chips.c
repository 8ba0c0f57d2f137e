// SPDX-License-Identifier: Apache-2.0
// Every method on a chip: with nothing wrong the integer network's logits, bit for bit, by both
// computations, all codings; with faults the same sums by both; what is correct stays corrected.
// Own copies of PEs: in the PEs' arrays, or in arrays of their own, whose faults are their task's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/memory.h"
#include "crossbar/chip.h"
#include "crossbar/engine.h"
#include "device_config.h"
#include "file/npy.h"
#include "learn/placing.h"
#include "unit/learn/tiny_backbone.h"

enum { ROOM = TINY_TEST * 3, N_LEARNED = 2, MOST_SUMS = 1 << 17 };

// A method, and what it begins with.
typedef struct {
    const char *backbone; // NULL = from scratch
    const char *more[9];
} method;

static const method methods[] = {
    {NULL, {"method", "xst"}},
    {NULL, {"method", "xst-element"}},
    {NULL, {"method", "dense"}},
    {NULL, {"method", "packnet"}},
    {NULL, {"method", "cpg"}},
    {"dense", {"method", "finetune"}},
    {"dense", {"method", "piggyback"}},
    {"dense", {"method", "xbm"}},
    {"dense", {"method", "xma"}},
    {"dense", {"method", "xma2", "method.choose_ratio", "0.4"}},
    // free columns that are copied; copies of single weights' masks; levels of PEs
    {"xst", {"method", "finetune"}},
    {"dense", {"method", "xma2", "method.unit", "element", "method.choose_ratio", "0.4"}},
    {"dense", {"method", "xma", "method.unit", "pe"}},
};
enum { N_METHODS = sizeof methods / sizeof *methods };

static tiny_learning learned[N_METHODS];
static float wanted[N_METHODS][N_LEARNED][ROOM];

// a backbone and two tasks of every method
static int set_up(void **state) {
    static const char *const backbones[] = {"dense", "xst"};
    if (scratch_begin(state) != 0) {
        return 1;
    }
    for (int b = 0; b < 2; b++) {
        const char *const more[] = {"method", backbones[b], "train.epochs", "1", NULL};
        tiny_learning l;
        make_backbone(&l, backbones[b], 1, more);
        tiny_end(&l);
    }
    for (int m = 0; m < N_METHODS; m++) {
        const char *more[16] = {"train.epochs", "1"};
        for (int i = 0; i < 9 && methods[m].more[i]; i++) {
            more[2 + i] = methods[m].more[i];
        }
        if (methods[m].backbone) {
            begin_with(&learned[m], methods[m].backbone, more);
        } else {
            tiny_begin(&learned[m], more);
        }
        for (int t = 0; t < N_LEARNED; t++) {
            tiny_learn(&learned[m], t, NULL, NULL, NULL);
        }
        for (int t = learned[m].learner->traits->is_alone; t < N_LEARNED; t++) {
            (void)tiny_logits(&learned[m], t, true, wanted[m][t]);
        }
    }
    return 0;
}

static int tear_down(void **state) {
    for (int m = 0; m < N_METHODS; m++) {
        tiny_end(&learned[m]);
    }
    return scratch_end(state) != 0 || ohmi_live_blocks() != 0;
}

static size_t bytes_of(int m, int t) {
    return sizeof(float) * TINY_TEST * (size_t)learned[m].tasks.task[t].n_classes;
}

// The first task whose weights are still there.
static int first_task(int m) {
    return learned[m].learner->traits->is_alone ? N_LEARNED - 1 : 0;
}

static ohmi_engine *engine_of(int m, const ohm_config *config) {
    ohmi_engine *engine = NULL;
    ohm_error err = {0};
    if (ohmi_engine_new(&engine, learned[m].learner, ohmi_config_values(config), &err) < 0 ||
        ohmi_engine_program(engine, ohmi_engine_device(engine), 5, 0, &err) < 0) {
        fail_msg("method %d: %s", m, err.message);
    }
    return engine;
}

static void logits_on(float *out, ohmi_engine *engine, int m, int t) {
    ohmi_evaluation e;
    ohm_error err = {0};
    const ohmi_images *images = &learned[m].tasks.task[t].test;
    if (ohmi_engine_switch(engine, t, &err) < 0 ||
        ohmi_measure_images(&e, learned[m].learner, t, images, true, out, &err) < 0) {
        fail_msg("method %d: %s", m, err.message);
    }
}

// whether all images have the same logits: of PEs, a mask may leave out a whole layer
static bool is_blind(int m, int t) {
    const int n = learned[m].tasks.task[t].n_classes;
    const size_t rest = (size_t)((TINY_TEST - 1) * n) * sizeof(float);
    return memcmp(wanted[m][t], wanted[m][t] + n, rest) == 0;
}

static bool is_exact(ohmi_engine *engine, int m, int t) {
    static float out[ROOM];
    logits_on(out, engine, m, t);
    return memcmp(out, wanted[m][t], bytes_of(m, t)) == 0;
}

// arrays of a chip for a run that was learned with 27 x 72
static ohm_config *arrays(const char *a, const char *b, const char *c) {
    return CONFIG("array.rows=27", a, b, c);
}

static void test_exact(void **state) {
    (void)state;
    static const char *const codings[][2] = {
        {"array.weight_scheme=offset", "array.columns=72"},
        {"array.weight_scheme=differential", "array.cell_bits=1"},
        {"array.weight_scheme=offset_digital", "array.columns=30"},
        {"array.weight_scheme=offset", "array.copies=arrays"},
    };
    for (int m = 0; m < N_METHODS; m++) {
        for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
            // the last: where a mask of levels widens single weights, an array is no PE
            const bool is_wide = i == 3 && m == 11;
            ohm_config *config = arrays(codings[i][0], codings[i][1], "adc.range=ideal");
            ohmi_engine *engine = is_wide ? NULL : engine_of(m, config);
            ohmi_chip *chip = NULL;
            ohm_error err = {0};
            if (is_wide) {
                assert_int_equal(
                    ohmi_engine_new(&engine, learned[m].learner, ohmi_config_values(config), &err),
                    OHM_ERR_UNSUPPORTED);
                ohm_config_free(&config);
                continue;
            }
            for (int t = N_LEARNED - 1; t >= first_task(m); t--) {
                if (!is_exact(engine, m, t)) {
                    fail_msg("method %d, coding %d, task %d: other logits", m, (int)i, t);
                }
            }
            ohmi_engine_free(&engine);

            // and bit by bit
            if (ohmi_chip_new(&chip, learned[m].learner, ohmi_config_values(config), &err) < 0) {
                fail_msg("method %d: %s", m, err.message);
            }
            for (int t = first_task(m); t < N_LEARNED; t++) {
                static float out[ROOM];
                ohmi_evaluation e;
                assert_int_equal(ohmi_chip_activate(chip, learned[m].learner, t, &err), OHM_OK);
                assert_int_equal(ohmi_measure_images(&e, learned[m].learner, t,
                                                     &learned[m].tasks.task[t].test, true, out,
                                                     &err),
                                 OHM_OK);
                ohmi_chip_deactivate(chip, learned[m].learner);
                assert_memory_equal(out, wanted[m][t], bytes_of(m, t));
            }
            ohmi_chip_free(&chip);
            ohm_config_free(&config);
        }
    }
}

// The sums of the first layer of the last batch; count of them.
static int64_t first_sums(float *out, int m) {
    const ohmi_network *network = learned[m].learner->network;
    const ohmi_node *node = &network->nodes[1];
    const int64_t n = (int64_t)node->h * node->w * network->n_pad * node->c_pad;
    assert_true(node->kind == OHMI_NODE_CONV && n <= MOST_SUMS);
    memcpy(out, node->value, (size_t)n * sizeof *out);
    return n;
}

// a task's first sums on a chip with faults: bit by bit, and at once
static void compare(int m, int t, bool repaired) {
    static float out[ROOM], at_once[MOST_SUMS], bitwise[MOST_SUMS];
    const char *repair = repaired ? "repair.stuck=true" : "repair.stuck=false";
    ohm_config *config = CONFIG("array.rows=27", "adc.range=ideal", "fault.preset=chen2015",
                                "array.heads=digital", repair);
    ohm_config *bits = CONFIG("array.rows=27", "adc.range=full", "adc.bits=16",
                              "fault.preset=chen2015", "array.heads=digital", repair);
    ohmi_engine *engine = engine_of(m, config);
    assert_true(m == 12 || !is_blind(m, t));
    if (is_exact(engine, m, t) && !repaired && !is_blind(m, t)) {
        fail_msg("method %d: faults change nothing", m);
    }
    const int64_t n = first_sums(at_once, m);
    ohmi_engine_free(&engine);
    engine = engine_of(m, bits);
    logits_on(out, engine, m, t);
    (void)first_sums(bitwise, m);
    ohmi_engine_free(&engine);
    double square = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        const double a = (double)at_once[i], b = (double)bitwise[i];
        square += (a - b) * (a - b);
        size += a * a;
    }
    if (!(size > 0) || !(square < 1e-6 * size)) {
        fail_msg("method %d: %g of the sums between the two", m, sqrt(square / size));
    }
    ohm_config_free(&config);
    ohm_config_free(&bits);
}

static void test_faults(void **state) {
    (void)state;
    for (int m = 0; m < N_METHODS; m++) {
        for (int t = first_task(m); t < N_LEARNED; t++) {
            compare(m, t, false);
            compare(m, t, true);
        }
    }
}

// corrected cells are as they were meant, to rounding
static void test_correction(void **state) {
    (void)state;
    static float out[ROOM];
    for (int m = 0; m < N_METHODS; m++) {
        ohm_config *config =
            arrays("adc.range=ideal", "fault.preset=chen2015", "repair.stuck=true");
        ohmi_engine *engine = engine_of(m, config);
        for (int t = first_task(m); t < N_LEARNED; t++) {
            logits_on(out, engine, m, t);
            for (size_t i = 0; i < bytes_of(m, t) / sizeof *out; i++) {
                assert_float_equal(out[i], wanted[m][t][i], 1e-2);
            }
            assert_true(ohmi_engine_count(engine).stuck > 0);
        }
        ohmi_engine_free(&engine);
        ohm_config_free(&config);
    }
}

// ranges from a chip as it is, whose cells are written for each task
static void test_ranges(void **state) {
    (void)state;
    static float out[ROOM], again[ROOM];
    static const int some[] = {1, 5, 9};
    for (int i = 0; i < 3; i++) {
        ohm_config *config = CONFIG("array.rows=27", "adc.range=calibrated", "adc.bits=10",
                                    "fault.stuck_on=0.01", "repair.range=true");
        ohmi_engine *engine = engine_of(some[i], config);
        logits_on(out, engine, some[i], 1);
        logits_on(again, engine, some[i], 0);
        logits_on(again, engine, some[i], 1);
        assert_memory_equal(out, again, bytes_of(some[i], 1));
        assert_memory_not_equal(out, wanted[some[i]][1], bytes_of(some[i], 1));
        ohmi_engine_free(&engine);
        ohm_config_free(&config);
    }
}

// PEs of which a task has copies
static int64_t copies_of(int m, int t) {
    int64_t n = 0;
    for (int l = 0; l < learned[m].learner->network->n_layers; l++) {
        const ohmi_layout *pes = &learned[m].learner->units[l].pes;
        for (int64_t p = 0; p < pes->n_units; p++) {
            n += ohmi_bit(learned[m].learner->learned[t].chosen[l], p);
        }
    }
    return n;
}

// A map of a chip's faults: arrays of the network (who = -1), or of a task's copies, hold nothing.
static void save_map(const char *path, const ohmi_own_arrays *own, int who) {
    const int64_t size = 27 * 72;
    uint8_t *kind = calloc((size_t)own->n_arrays, (size_t)size);
    assert_non_null(kind);
    for (int64_t a = 0; a < own->n_arrays; a++) {
        int t;
        (void)ohmi_own_arrays_find(&t, own, a);
        memset(kind + a * size, t == who ? 2 : 0, (size_t)size);
    }
    const ohmi_view view = ohmi_view_of("map", OHMI_U8, kind, 3, own->n_arrays, 27, 72, 0);
    assert_int_equal(ohmi_npy_save(path, &view, NULL), OHM_OK);
    free(kind);
}

// whether a task is exact on a chip with the faults of the map
static bool survives(int m, int t, const char *copies) {
    char map[700], where[64];
    snprintf(map, sizeof map, "fault.map=%s", scratch_path("map.npy"));
    snprintf(where, sizeof where, "array.copies=%s", copies);
    ohm_config *config =
        CONFIG("array.rows=27", "adc.range=ideal", "array.heads=digital", map, where);
    ohmi_engine *engine = engine_of(m, config);
    const bool exact = is_exact(engine, m, t);
    ohmi_engine_free(&engine);
    ohm_config_free(&config);
    return exact;
}

static void test_own_arrays(void **state) {
    (void)state;
    static const int with_copies[] = {5, 9, 10};
    for (int i = 0; i < 3; i++) {
        const int m = with_copies[i];
        const int64_t first = copies_of(m, 0), second = copies_of(m, 1);
        ohm_config *config = CONFIG("array.rows=27", "array.heads=digital", "array.copies=arrays");
        ohmi_placed *place = NULL;
        ohmi_own_arrays own = {0};
        const ohmi_config *values = ohmi_config_values(config);
        assert_int_equal(ohmi_learner_place_levels(&place, learned[m].learner, values, NULL),
                         OHM_OK);
        assert_int_equal(ohmi_own_arrays_init(&own, learned[m].learner, place, values, NULL),
                         OHM_OK);
        const int64_t n = place->n_arrays, all = own.n_arrays;
        assert_true(first > 0 && second > 0 && (m == 9 || first == n));
        assert_int_equal(all, n + first + second);

        // each number is one array's, of one task
        int64_t n_of[2] = {0};
        for (int64_t a = 0; a < all; a++) {
            int t;
            const int64_t in = ohmi_own_arrays_find(&t, &own, a);
            assert_true(in >= 0 && in < n);
            assert_int_equal(t < 0 ? in : own.of[t * n + in], a);
            n_of[t == 1] += t >= 0;
        }
        assert_int_equal(n_of[0], first);
        assert_int_equal(n_of[1], second);
        ohmi_place_count count, base;
        ohmi_place_total(&base, place, -1);
        count = base;
        ohmi_own_arrays_add(&count, &own, place, -1);
        assert_int_equal(count.arrays, all);
        assert_int_equal(count.cells, all * 27 * 72);
        assert_int_equal(count.columns_of[OHMI_OWNER_SHARED], 0);
        int64_t columns = 0;
        for (int o = 0; o < 256; o++) {
            columns += count.columns_of[o];
        }
        assert_int_equal(columns, count.columns);
        assert_int_equal(count.columns_of[1] == base.columns, m != 9);

        // who suffers when whose arrays hold nothing
        for (int who = -1; who < 2; who++) {
            save_map(scratch_path("map.npy"), &own, who);
            for (int t = 0; t < 2; t++) {
                const bool is_hurt = who == t || (who < 0 && m == 9);
                assert_int_equal(survives(m, t, "arrays"), !is_hurt);
            }
        }
        save_map(scratch_path("map.npy"), &(ohmi_own_arrays){.n_arrays = n}, -1);
        assert_false(survives(m, 0, "rewrite") || survives(m, 1, "rewrite"));
        ohmi_own_arrays_clear(&own);
        ohmi_place_free(&place);
        ohm_config_free(&config);
    }
    // arrays of another shape are no PEs
    ohm_config *config = CONFIG("array.rows=27", "array.columns=30", "array.copies=arrays");
    ohmi_chip *chip = NULL;
    ohm_error err = {0};
    assert_int_equal(ohmi_chip_new(&chip, learned[5].learner, ohmi_config_values(config), &err),
                     OHM_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "an array is a PE as learned"));
    assert_null(chip);
    ohm_config_free(&config);
}

// no allocation may fail unseen
static void test_no_memory(void **state) {
    (void)state;
    ohm_config *config = CONFIG("array.rows=27", "array.copies=arrays", "adc.range=ideal");
    const long blocks = (long)ohmi_live_blocks();
    for (int k = 1;; k++) {
        ohmi_engine *engine = NULL;
        ohmi_fail_allocation(k);
        const ohm_status status =
            ohmi_engine_new(&engine, learned[9].learner, ohmi_config_values(config), NULL);
        ohmi_fail_allocation(0);
        ohmi_engine_free(&engine);
        assert_int_equal(ohmi_live_blocks(), blocks);
        if (status == OHM_OK) {
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
    }
    ohm_config_free(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),      cmocka_unit_test(test_faults),
        cmocka_unit_test(test_correction), cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_own_arrays), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
