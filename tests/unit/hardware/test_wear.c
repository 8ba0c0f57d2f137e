// SPDX-License-Identifier: Apache-2.0
// Wear: a chip that learns one set of tasks after another wears more evenly when columns are chosen
// by what their cells have been through; a chip that is new, or told apart by nothing, learns as
// one without the option, bit for bit; files of other chips and damaged ones are refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/memory.h"
#include "file/safetensors.h"
#include "learn/wear.h"
#include "unit/hardware/priced_run.h"

enum { LIVES = 4 };

typedef struct {
    double most, mean;
} worn;

// A chip that learns, is erased, learns again: LIVES times, with other seeds.
static worn live(const char *method, const char *spare, const char *file) {
    worn out = {0};
    for (int life = 0; life < LIVES; life++) {
        char run[64], seed[8];
        snprintf(run, sizeof run, "%s-%s-%d", method, spare, life);
        snprintf(seed, sizeof seed, "%d", life + 1);
        const char *const more[] = {"seed",
                                    seed,
                                    "method.density_first",
                                    "0.25",
                                    "method.density_rest",
                                    "0.25",
                                    "array.heads",
                                    "digital",
                                    "adapt.spare",
                                    spare,
                                    life > 0 ? "adapt.wear" : NULL,
                                    scratch_path(file),
                                    NULL};
        ohm_error err = {0};
        assert_true(priced_learn(run, method, more));
        ohm_cost *cost = priced_open_kept(run, 0, life > 0 ? file : NULL);
        ohm_bill *bill = priced_bill(cost, "xst-32nm", NULL, NULL);
        if (ohm_bill_save_wear(bill, scratch_path(file), &err) < 0) {
            fail_msg("%s", err.message);
        }
        out = (worn){cost->moves.most_learned, cost->moves.mean_learned};
        ohm_bill_free(&bill);
        ohm_cost_free(&cost);
    }
    return out;
}

static void test_level(void **state) {
    (void)state;
    static const char *const methods[] = {"xst", "xst-element"};
    for (int m = 0; m < 2; m++) {
        const worn blind = live(methods[m], "0", "blind");
        const worn level = live(methods[m], "8", "level");
        print_message("%s: most and mean writes %.3g and %.3g without, %.3g and %.3g with\n",
                      methods[m], blind.most, blind.mean, level.most, level.mean);
        assert_true(level.most / level.mean < blind.most / blind.mean);
        assert_true(m > 0 || level.most < blind.most);
    }
}

// what one learner knows of its units and weights
static void same(const tiny_learning *a, const tiny_learning *b) {
    for (int l = 0; l < a->learner->network->n_layers; l++) {
        const ohmi_layer *layer = &a->learner->network->layers[l];
        assert_memory_equal(a->learner->units[l].own, b->learner->units[l].own,
                            (size_t)a->learner->units[l].layout.n_units);
        assert_memory_equal(layer->w, b->learner->network->layers[l].w,
                            (size_t)layer->n_weights * sizeof(float));
    }
}

// a file with the same number of writes for all cells of a learner's network
static void save_even(const ohmi_learner *learner, const char *file, float writes) {
    ohmi_wear *wear = NULL;
    assert_int_equal(ohmi_wear_new(&wear, learner->network->n_layers, NULL), OHM_OK);
    for (int l = 0; l < wear->n_layers; l++) {
        ohmi_wear_layer *to = &wear->layers[l];
        snprintf(to->name, sizeof to->name, "%s", learner->network->layers[l].name);
        to->n = learner->network->layers[l].n_weights;
        to->lines = 2;
        to->writes = ohmi_alloc((size_t)to->n * 2, sizeof(float));
        assert_non_null(to->writes);
        for (int64_t i = 0; i < to->n * 2; i++) {
            to->writes[i] = writes;
        }
    }
    assert_int_equal(ohmi_wear_save(scratch_path(file), wear, NULL), OHM_OK);
    ohmi_wear_free(&wear);
}

// an unworn chip is as none, also one that is worn evenly (2^-4 changes no order and no rounding)
static void test_new(void **state) {
    (void)state;
    tiny_learning plain, even;
    tiny_begin(&plain, NULL);
    for (int t = 0; t < 2; t++) {
        tiny_learn(&plain, t, NULL, NULL, NULL);
    }
    for (int i = 0; i < 2; i++) {
        save_even(plain.learner, "even", (float)i);
        tiny_begin(&even, (const char *const[]){"adapt.wear", scratch_path("even"), NULL});
        assert_int_equal(ohmi_wear_spare(even.learner, NULL), OHM_OK);
        assert_non_null(even.learner->units[0].spare);
        for (int t = 0; t < 2; t++) {
            tiny_learn(&even, t, NULL, NULL, NULL);
        }
        same(&plain, &even);
        tiny_end(&even);
    }
    tiny_end(&plain);
}

// a unit whose cells are worn is chosen last; none is when there are enough others
static void test_choice(void **state) {
    (void)state;
    tiny_learning l;
    ohmi_wear *wear = NULL;
    tiny_begin(&l, NULL);
    save_even(l.learner, "some", 0);
    assert_int_equal(ohmi_wear_read(&wear, scratch_path("some"), NULL), OHM_OK);
    // every second unit of each layer has been written three times
    for (int n = 0; n < wear->n_layers; n++) {
        const ohmi_layout *layout = &l.learner->units[n].layout;
        for (int64_t i = 0; i < wear->layers[n].n; i++) {
            const bool is_worn = ohmi_layout_unit_at(layout, i) % 2;
            wear->layers[n].writes[2 * i] = wear->layers[n].writes[2 * i + 1] = is_worn ? 3 : 0;
        }
    }
    assert_int_equal(ohmi_wear_save(scratch_path("some"), wear, NULL), OHM_OK);
    ohmi_wear_free(&wear);
    tiny_end(&l);
    tiny_begin(&l, (const char *const[]){"adapt.wear", scratch_path("some"), "adapt.spare", "20",
                                         "method.density_first", "0.3", NULL});
    assert_int_equal(ohmi_wear_spare(l.learner, NULL), OHM_OK);
    tiny_learn(&l, 0, NULL, NULL, NULL);
    for (int n = 0; n < l.learner->network->n_layers; n++) {
        const ohmi_units *units = &l.learner->units[n];
        int64_t n_worn = 0, n_owned = 0;
        for (int64_t u = 0; u < units->layout.n_units; u++) {
            const double spare = u % 2 ? pow(4, -20) : 1;
            assert_true(fabs((double)units->spare[u] - spare) <= 1e-6 * spare);
            n_owned += units->own[u] == 1;
            n_worn += units->own[u] == 1 && u % 2;
        }
        // growth by gradients may find fresh units without any
        assert_true(n_owned > 0 && 4 * n_worn < n_owned + 4);
    }
    tiny_end(&l);
}

static void refuse(const char *file, const char *what) {
    ohmi_wear *wear = NULL;
    ohm_error err = {0};
    assert_int_equal(ohmi_wear_read(&wear, scratch_path(file), &err), OHM_ERR_FORMAT);
    assert_null(wear);
    if (!strstr(err.message, what)) {
        fail_msg("'%s' does not say '%s'", err.message, what);
    }
}

static void test_files(void **state) {
    (void)state;
    tiny_learning l;
    ohmi_wear *wear = NULL;
    ohm_error err = {0};
    tiny_begin(&l, NULL);
    save_even(l.learner, "good", 1);
    save_even(l.learner, "bad", -1);
    refuse("bad", "number of writes that is none");
    save_even(l.learner, "bad", NAN);
    refuse("bad", "number of writes that is none");
    tiny_end(&l);
    float x[6] = {0};
    ohmi_view views[] = {ohmi_view_of("conv1/written", OHMI_F32, x, 2, 3, 2, 0, 0),
                         ohmi_view_of("conv1/writes", OHMI_F32, x, 1, 6, 0, 0, 0),
                         ohmi_view_of("conv1/writes", OHMI_I32, x, 2, 3, 2, 0, 0)};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ohmi_tensors_save(scratch_path("other"), &views[i], 1, NULL, NULL),
                         OHM_OK);
        refuse("other", "is no number of writes a cell");
    }
    scratch_write("short", "abc", 3);
    assert_true(ohmi_wear_read(&wear, scratch_path("short"), &err) < 0);

    // another network
    views[0] = ohmi_view_of("conv1/writes", OHMI_F32, x, 2, 3, 2, 0, 0);
    assert_int_equal(ohmi_tensors_save(scratch_path("other"), views, 1, NULL, NULL), OHM_OK);
    tiny_begin(&l, (const char *const[]){"adapt.wear", scratch_path("other"), NULL});
    assert_int_equal(ohmi_wear_spare(l.learner, &err), OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "as this network has"));
    tiny_end(&l);
    ohm_cost *cost = priced_open_kept("xst", 0, "other");
    ohm_hardware *hardware = priced_hardware("xst-32nm", NULL);
    ohm_bill *bill = NULL;
    assert_int_equal(ohm_bill_new(&bill, cost, hardware, NULL, &err), OHM_ERR_FORMAT);
    ohm_cost_free(&cost);

    // writes that were not kept cannot be saved
    cost = priced_open("xst", 0);
    assert_int_equal(ohm_bill_new(&bill, cost, hardware, NULL, &err), OHM_OK);
    assert_int_equal(ohm_bill_save_wear(bill, scratch_path("none"), &err), OHM_ERR_ARGUMENT);
    ohm_bill_free(&bill);
    ohm_cost_free(&cost);
    ohm_hardware_free(&hardware);
}

// what the chip did before stands behind what it does now, cell by cell; erasing counts
static void test_lives(void **state) {
    (void)state;
    ohm_error err = {0};
    ohmi_wear *first = NULL, *second = NULL;
    for (int life = 0; life < 2; life++) {
        ohm_cost *cost = priced_open_kept("xst", 0, life ? "first" : NULL);
        ohm_bill *bill = priced_bill(cost, "xst-32nm", "1-3x10", NULL);
        assert_int_equal(ohm_bill_save_wear(bill, scratch_path(life ? "second" : "first"), &err),
                         OHM_OK);
        // programmed, erased, programmed
        assert_true(fabs(cost->moves.most_learned - (life ? 3 : 1)) < 1e-9);
        ohm_bill_free(&bill);
        ohm_cost_free(&cost);
    }
    assert_int_equal(ohmi_wear_read(&first, scratch_path("first"), NULL), OHM_OK);
    assert_int_equal(ohmi_wear_read(&second, scratch_path("second"), NULL), OHM_OK);
    int64_t n_written = 0;
    for (int l = 0; l < first->n_layers; l++) {
        const ohmi_wear_layer *a = &first->layers[l], *b = ohmi_wear_find(second, a->name);
        assert_non_null(b);
        for (int64_t i = 0; i < a->n * a->lines; i++) {
            assert_true(a->writes[i] <= 0 || fabs((double)a->writes[i] - 2) < 1e-6);
            assert_true(fabs((double)b->writes[i] - 2 * (double)a->writes[i]) < 1e-6);
            n_written += a->writes[i] > 0;
        }
    }
    assert_true(n_written > 0);
    ohmi_wear_free(&first);
    ohmi_wear_free(&second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_level), cmocka_unit_test(test_new),   cmocka_unit_test(test_choice),
        cmocka_unit_test(test_files), cmocka_unit_test(test_lives),
    };
    return cmocka_run_group_tests(tests, priced_begin, scratch_end);
}
