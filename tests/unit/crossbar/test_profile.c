// SPDX-License-Identifier: Apache-2.0
// Learning around a chip's faults: the weights that a learner multiplies with under a profile are
// those that the chip has, for every coding; columns that are claimed are less damaged than those
// that are not, each without the other; profiles of other networks and damaged ones are refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "crossbar/analogue.h"
#include "crossbar/profiling.h"
#include "device_config.h"
#include "learn/profile.h"
#include "scratch.h"
#include "unit/learn/tiny_learning.h"

// Two tasks learned, with a profile that is read when there is one.
static void begin(tiny_learning *l, const char *profile) {
    char path[600];
    snprintf(path, sizeof path, "%s", profile ? scratch_path(profile) : "");
    const char *const more[] = {"adapt.profile", path, "method.density_first", "0.35", NULL};
    tiny_begin(l, profile ? more : NULL);
}

// The profile of chip 6 with faults, of a learner that has learned.
static ohmi_analogue *save_profile(tiny_learning *l, const ohm_config *config) {
    ohmi_analogue *analogue = NULL;
    ohm_error err;
    if (ohmi_analogue_new(&analogue, l->learner, ohmi_config_values(config), &err) < 0 ||
        ohmi_profiling_save(scratch_path("profile"), ohmi_analogue_place(analogue),
                            ohmi_analogue_device(analogue), 6, &err) < 0) {
        fail_msg("%s", err.message);
    }
    return analogue;
}

static void test_weights(void **state) {
    (void)state;
    static const char *const settings[][3] = {
        {"array.weight_scheme=offset", "array.columns=16", "fault.open_rows=0.02"},
        {"array.weight_scheme=offset_digital", "array.cell_bits=1", "fault.open_columns=0.02"},
        {"array.weight_scheme=differential", "array.rows=10", "fault.cluster=1"},
    };
    tiny_learning l;
    begin(&l, NULL);
    tiny_learn(&l, 0, NULL, NULL, NULL);
    tiny_learn(&l, 1, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        ohm_config *config = CONFIG("array.rows=27", "fault.preset=chen2015", settings[i][0],
                                    settings[i][1], settings[i][2]);
        ohmi_analogue *analogue = save_profile(&l, config);
        assert_int_equal(
            ohmi_analogue_program(analogue, ohmi_analogue_device(analogue), 6, 0, NULL), OHM_OK);
        assert_int_equal(ohmi_analogue_switch(analogue, 1, NULL), OHM_OK);
        const ohmi_network *network = l.learner->network;
        float *chip[2];
        for (int n = 0; n < 2; n++) {
            const size_t size = (size_t)network->layers[n].n_weights * sizeof(float);
            chip[n] = malloc(size);
            assert_non_null(chip[n]);
            memcpy(chip[n], network->layers[n].w_eff, size);
        }
        ohmi_analogue_free(&analogue);

        // the same learner, which now knows of the chip
        ohm_config *with =
            tiny_config((const char *const[]){"adapt.profile", scratch_path("profile"), NULL});
        const ohmi_config *before = l.learner->config;
        l.learner->config = ohmi_config_values(with);
        assert_int_equal(ohmi_profile_read(l.learner, NULL), OHM_OK);
        ohmi_learner_activate(l.learner, 1, true);
        int n_off = 0;
        for (int n = 0; n < 2; n++) {
            for (int64_t w = 0; w < network->layers[n].n_weights; w++) {
                assert_true(fabs((double)(chip[n][w] - network->layers[n].w_eff[w])) < 1e-3);
                const float code = rintf(network->layers[n].w_eff[w]);
                n_off += code < -7 || code > 7;
            }
            free(chip[n]);
        }
        assert_true(n_off > 0); // codes that only faults can give
        for (int n = 0; n < network->n_layers; n++) {
            ohmi_profile_free(&l.learner->units[n].profile);
        }
        l.learner->config = before;
        ohm_config_free(&with);
        ohm_config_free(&config);
    }
    tiny_end(&l);
}

static void test_choice(void **state) {
    (void)state;
    tiny_learning l;
    begin(&l, NULL);
    tiny_learn(&l, 0, NULL, NULL, NULL);
    ohm_config *config = CONFIG("array.rows=27", "fault.preset=chen2015", "fault.cluster=2");
    ohmi_analogue *analogue = save_profile(&l, config);
    ohmi_analogue_free(&analogue);
    ohm_config_free(&config);
    tiny_end(&l);

    begin(&l, "profile");
    assert_int_equal(ohmi_profile_read(l.learner, NULL), OHM_OK);
    tiny_learn(&l, 0, NULL, NULL, NULL);
    double owned = 0, free = 0;
    int64_t n_owned = 0, n_free = 0;
    for (int n = 1; n < l.learner->network->n_layers; n++) {
        const ohmi_units *units = &l.learner->units[n];
        for (int64_t u = 0; u < units->layout.n_units; u++) {
            assert_true(units->profile->health[u] >= 0 && units->profile->health[u] <= 1);
            *(units->own[u] ? &owned : &free) += (double)units->profile->health[u];
            *(units->own[u] ? &n_owned : &n_free) += 1;
        }
    }
    assert_true(owned / (double)n_owned > free / (double)n_free + 0.02);
    tiny_end(&l);
}

// columns alone: weights are as they were meant, and other columns are chosen
static void test_columns_alone(void **state) {
    (void)state;
    const char *const avoid[] = {"4", "0"};
    int64_t n_other = 0;
    tiny_learning plain, l;
    const char *const blind[] = {"method.density_first", "0.35", NULL};
    tiny_begin(&plain, blind);
    tiny_learn(&plain, 0, NULL, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        const char *const more[] = {
            "adapt.profile", scratch_path("profile"), "adapt.around", "false", "adapt.avoid",
            avoid[i],        "method.density_first",  "0.35",         NULL};
        tiny_begin(&l, more);
        assert_int_equal(ohmi_profile_read(l.learner, NULL), OHM_OK);
        tiny_learn(&l, 0, NULL, NULL, NULL);
        ohmi_learner_activate(l.learner, 0, true);
        for (int n = 0; n < l.learner->network->n_layers; n++) {
            const ohmi_units *units = &l.learner->units[n], *other = &plain.learner->units[n];
            const ohmi_layer *layer = &l.learner->network->layers[n];
            for (int64_t w = 0; w < layer->n_weights; w++) {
                assert_true(fabsf(layer->w_eff[w]) <= (float)l.learner->weight_grid.top);
            }
            for (int64_t u = 0; u < units->layout.n_units; u++) {
                n_other += i == 0 && units->own[u] != other->own[u];
                assert_true(i == 0 || units->own[u] == other->own[u]);
            }
            if (i == 1) { // the profile does nothing
                assert_memory_equal(layer->w, plain.learner->network->layers[n].w,
                                    (size_t)layer->n_weights * sizeof(float));
            }
        }
        tiny_end(&l);
    }
    assert_true(n_other > 0);
    tiny_end(&plain);
}

static void test_refused(void **state) {
    (void)state;
    ohm_error err;
    tiny_learning l;
    scratch_write("damaged", "no tensors", 10);
    begin(&l, "damaged");
    assert_int_equal(ohmi_profile_read(l.learner, &err), OHM_ERR_FORMAT);
    assert_non_null(strstr(err.path, "damaged"));
    tiny_end(&l);

    // of another network
    const char *const more[] = {"adapt.profile", scratch_path("profile"), "network.expand", "1",
                                NULL};
    tiny_begin(&l, more);
    assert_int_equal(ohmi_profile_read(l.learner, &err), OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "adapt.profile"));
    tiny_end(&l);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_columns_alone),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
