// SPDX-License-Identifier: Apache-2.0
// Learned runs on harvested power: masks are priced as `ohmwise cost` prices them, levels of a mask
// are measured, and images are begun at them by the power there is.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "unit/hardware/priced_run.h"

#include "base/bits.h"
#include "base/rng.h"
#include "config/values.h"
#include "harvest/cases.h"

typedef struct {
    ohm_config *config;
    ohm_hardware *hardware;
    int64_t blocks; // before
} setting;

static bool is_near(double a, double b, double part) {
    return fabs(a - b) <= part * fabs(b);
}

// more: key, value, ..., NULL
static void begin(setting *s, const char *const *more) {
    ohm_error err;
    *s = (setting){.blocks = ohmi_live_blocks()};
    assert_int_equal(ohm_config_new(&s->config, &err), OHM_OK);
    for (; more && *more; more += 2) {
        if (ohm_config_set(s->config, more[0], more[1], &err) < 0) {
            fail_msg("%s", err.message);
        }
    }
    assert_int_equal(ohm_config_check(s->config, &err), OHM_OK);
    assert_int_equal(ohm_hardware_new(&s->hardware, &err), OHM_OK);
    if (ohm_hardware_load(s->hardware, OHM_SOURCE_FOLDER "/presets/hardware/xst-32nm.yaml", &err) <
        0) {
        fail_msg("%s", err.message);
    }
}

static void end(setting *s) {
    ohm_hardware_free(&s->hardware);
    ohm_config_free(&s->config);
    assert_int_equal(ohmi_live_blocks(), s->blocks);
}

// energy of an image with all that is on at once, as `ohmwise cost` has it for the task
static void test_energy_is_the_cost(void **state) {
    (void)state;
    static const char *const runs[] = {"xst", "xst-element"};
    for (int r = 0; r < 2; r++) {
        double before_j = 0;
        for (int task = 1; task <= TINY_TASKS; task++) {
            setting s;
            char number[8];
            ohmi_machine *m = NULL;
            ohmi_layer_modes *modes = NULL;
            ohm_error err = {0};
            (void)snprintf(number, sizeof number, "%d", task);
            begin(&s,
                  (const char *const[]){"harvest.gating", "false", "harvest.task", number, NULL});
            if (ohmi_machine_new(&m, scratch_path(runs[r]), &s.config->values, s.hardware, &err) <
                0) {
                fail_msg("%s", err.message);
            }
            assert_int_equal(ohmi_modes_new(&modes, m, &err), OHM_OK);

            ohm_cost *cost = priced_open(runs[r], 0);
            ohm_bill *bill = NULL;
            assert_int_equal(ohm_bill_new(&bill, cost, s.hardware, NULL, &err), OHM_OK);
            double image_j = 0, most_j = 0, expected_s = 0, image_s = 0;
            for (int l = 0; l < m->n_layers; l++) {
                const ohmi_activation *full = &modes[l].full.modes[0];
                const ohmi_price *price = &bill->layers[(task - 1) * m->n_layers + l];
                image_j += full->tile_j * (double)(full->tiles * m->layers[l].matrix.vectors);
                image_s += full->layer_s;
                expected_s += price->latency_s;
                // what a step takes at most covers what it takes in the mean
                assert_true(full->tile_j <= full->power_w * full->step_s * (1 + 1e-12));
                most_j = fmax(most_j, full->power_w * full->step_s / full->tile_j);
            }
            const ohmi_price *price = &bill->tasks[task - 1];
            const double expected_j = ohmi_price_total_j(price) - price->energy_j[OHMI_LEAKAGE];
            if (!is_near(image_j, expected_j, 1e-9)) {
                fail_msg("%s, task %d: %.12g J, but cost says %.12g J", runs[r], task, image_j,
                         expected_j);
            }
            assert_true(is_near(image_s, expected_s, 1e-9));
            assert_true(is_near(2 * m->macs, price->operations, 1e-12));
            assert_true(image_j < ohmi_price_total_j(&bill->all_on[task - 1]));
            assert_true(fabs(image_j - before_j) > 0); // tasks differ
            before_j = image_j;
            ohm_bill_free(&bill);
            ohm_cost_free(&cost);
            ohmi_modes_free(&modes, m->n_layers);
            ohmi_machine_free(&m);
            end(&s);
        }
    }
}

// what a mask leaves of tiles, against counting columns one by one
static void test_windows(void **state) {
    (void)state;
    enum { GROUPS = 5, OUTPUTS = 23, UNIT = 7, SPAN = 6 };
    const ohmi_matrix m = {
        .rows = {GROUPS * SPAN - 2, SPAN}, .columns = {OUTPUTS, UNIT}, .vectors = 1};
    for (uint32_t seed = 1; seed <= 40; seed++) {
        uint8_t on[(GROUPS * OUTPUTS + 7) / 8] = {0};
        ohmi_mask *mask = NULL;
        ohm_error err;
        for (int u = 0; u < GROUPS * OUTPUTS; u++) {
            const ohmi_rng rng = {seed, OHMI_RNG_TEST, 0, 0};
            uint32_t bits[4];
            ohmi_rng_bits(bits, &rng, (uint32_t)u);
            on[u / 8] |= (uint8_t)((bits[0] % 10 < seed % 11) << (u % 8));
        }
        assert_int_equal(ohmi_mask_new(&mask, on, GROUPS, OUTPUTS, UNIT, &err), OHM_OK);
        const ohmi_extent rows[] = {
            {6, 5, 0, 0}, {6, 2, 0, 0}, {6, 1, 0, 0}, {4, 1, 0, 0}, {1, 1, 0, 0}};
        const ohmi_extent columns[] = {
            {7, 4, 0, 0}, {7, 3, 0, 0}, {7, 1, 0, 0}, {3, 1, 0, 0}, {1, 1, 0, 0}};
        for (int r = 0; r < 5; r++) {
            for (int c = 0; c < 5; c++) {
                const ohmi_tile tile = {rows[r], columns[c]};
                ohmi_mask_most most, seen = {0};
                ohmi_mask_sums sums, added = {0};
                assert_int_equal(
                    ohmi_mask_windows(&most, mask, columns[c], &rows[r].units, 1, &err), OHM_OK);
                ohmi_mask_add_up(&sums, mask, &m, &tile);
                const int64_t fullest = ohmi_mask_fullest(mask, columns[c]);
                double partial[OUTPUTS] = {0};
                // tile by tile, column by column
                ohmi_cursor cursor = {0};
                while (cursor.vector == 0) {
                    const ohmi_rectangle at = ohmi_cursor_next(&cursor, &m, &tile);
                    ohmi_mask_most one = {0};
                    bool is_live[OUTPUTS] = {0};
                    for (int64_t g = at.row / SPAN; g <= (at.row + at.n_rows - 1) / SPAN; g++) {
                        const int64_t first = g * SPAN > at.row ? g * SPAN : at.row;
                        const int64_t last = (g + 1) * SPAN < at.row + at.n_rows
                                                 ? (g + 1) * SPAN
                                                 : at.row + at.n_rows;
                        int64_t in_array[OUTPUTS] = {0}, all = 0, arrays = 0;
                        for (int64_t k = at.column; k < at.column + at.n_columns; k++) {
                            const bool is_on = ohmi_bit(on, k * GROUPS + g);
                            is_live[k] = is_live[k] || is_on;
                            all += is_on;
                            arrays += is_on && in_array[k / UNIT]++ == 0;
                        }
                        for (int b = 0; b < OUTPUTS; b++) {
                            assert_true(in_array[b] <= fullest);
                        }
                        one.columns += all;
                        one.arrays += arrays;
                        one.groups += all > 0;
                        added.columns += (double)all;
                        added.arrays += (double)arrays;
                        added.cells += (double)(all * (last - first));
                        added.lines += (double)(arrays * (last - first));
                        added.inputs += all > 0 ? (double)(last - first) : 0;
                    }
                    for (int k = 0; k < OUTPUTS; k++) {
                        partial[k] += is_live[k];
                    }
                    seen.columns = one.columns > seen.columns ? one.columns : seen.columns;
                    seen.arrays = one.arrays > seen.arrays ? one.arrays : seen.arrays;
                    seen.groups = one.groups > seen.groups ? one.groups : seen.groups;
                    ohmi_cursor_advance(&cursor, &m, &tile, 1);
                }
                // aligned tiles are among all that there may be
                assert_true(seen.columns <= most.columns && seen.arrays <= most.arrays &&
                            seen.groups <= most.groups);
                assert_true(most.columns <= mask->columns_on);
                assert_memory_equal(&sums, &added, sizeof sums);
                double expected = 0;
                for (int k = 0; k < OUTPUTS; k++) {
                    expected += partial[k] > 1 ? partial[k] - 1 : 0;
                }
                assert_true(
                    is_near(ohmi_mask_partial_sums(mask, &m, rows[r]) + 1, expected + 1, 1e-12));
            }
        }
        ohmi_mask_free(&mask);
    }
}

// the first level is the run as it was learned; each other has fewer columns, takes less, and is
// measured
static void test_level_set(void **state) {
    (void)state;
    setting s;
    ohm_error err = {0};
    ohmi_level_set *set = NULL;
    begin(&s,
          (const char *const[]){"harvest.levels", "[1, 0.8, 0.5, 0.1]", "harvest.task", "2", NULL});
    if (ohmi_level_set_new(&set, scratch_path("xst"), &s.config->values, s.hardware, NULL, NULL,
                           &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(set->n, 4);
    ohm_cost *cost = priced_open("xst", 0);
    assert_true(
        is_near(set->level[0].accuracy, cost->opened.learner->learned[1].accuracy_integer, 1e-12));
    ohm_cost_free(&cost);
    double from_w[4], before_j = INFINITY;
    for (int v = 0; v < 4; v++) {
        const ohmi_level *level = &set->level[v];
        double image_j = 0;
        for (int l = 0; l < level->machine->n_layers; l++) {
            const ohmi_activation *full = &level->modes[l].full.modes[0];
            image_j +=
                full->tile_j * (double)(full->tiles * level->machine->layers[l].matrix.vectors);
            assert_true(level->machine->layers[l].copies ==
                        set->level[0].machine->layers[l].copies);
            // the hull of all lies over each
            const ohmi_hull *hull = &level->modes[l].hull, *any = &set->any[l].hull;
            assert_true(any->rate_hz[any->n - 1] >= hull->rate_hz[hull->n - 1]);
        }
        assert_true(image_j < before_j);
        before_j = image_j;
        assert_true(level->accuracy >= 0 && level->accuracy <= 1);
        assert_true(v == 0 || level->columns_on < set->level[v - 1].columns_on);
        // with nothing but the classifier's bias little can be right; all columns are better
        assert_int_equal(level->n_images, TINY_TEST);
    }
    assert_true(set->level[3].accuracy <= set->level[0].accuracy);

    // fewer columns are through in the same time with less power, and a shorter time asks for more
    const double limit_s = 3 * ohmi_image_s(set->level[0].machine, set->level[0].modes, INFINITY);
    assert_int_equal(ohmi_level_powers(from_w, set, limit_s, &err), OHM_OK);
    for (int v = 0; v < 4; v++) {
        assert_true(isfinite(from_w[v]) && (v == 0 || from_w[v] < from_w[v - 1]));
        assert_true(ohmi_image_s(set->level[v].machine, set->level[v].modes, from_w[v]) <= limit_s);
        assert_true(ohmi_image_s(set->level[v].machine, set->level[v].modes, 0.999 * from_w[v]) >
                    limit_s);
    }
    double all_w[4];
    assert_int_equal(ohmi_level_powers(all_w, set, INFINITY, &err), OHM_OK);
    assert_true(all_w[0] <= from_w[0]);
    ohmi_level_set_free(&set);

    // elements are no columns
    assert_int_equal(ohmi_level_set_new(&set, scratch_path("xst-element"), &s.config->values,
                                        s.hardware, NULL, NULL, &err),
                     OHM_ERR_UNSUPPORTED);
    assert_null(set);
    end(&s);
}

// with levels never fewer images under an oracle, energy within what was harvested, and the
// accuracy that of the levels they were done at
static void test_adaptive(void **state) {
    (void)state;
    setting s;
    ohm_error err = {0};
    ohm_harvest *h = NULL;
    char *json = NULL;
    begin(&s, (const char *const[]){"power.traces",
                                    "wifi,thermal",
                                    "power.length",
                                    "0.05",
                                    "power.step",
                                    "1e-4",
                                    "wifi.on",
                                    "2e-3",
                                    "wifi.off",
                                    "3e-3",
                                    "wifi.fading",
                                    "1e-3",
                                    "thermal.time",
                                    "5e-3",
                                    "harvest.networks",
                                    scratch_path("xst"),
                                    "harvest.schedulers",
                                    "full,resischedule,adaptive,volatile",
                                    "harvest.predictors",
                                    "oracle,last",
                                    "harvest.slot",
                                    "1e-4",
                                    "power.of_threshold",
                                    "0.2",
                                    "harvest.points",
                                    "20",
                                    NULL});
    if (ohm_harvest_new(&h, s.config, s.hardware, &err) < 0 || ohm_harvest_run(h, NULL, &err) < 0) {
        fail_msg("%s", err.message);
    }
    const ohmi_level_set *set = h->networks[0].levels;
    int64_t at_lower = 0;
    for (int64_t i = 0; i < ohm_harvest_cases(h); i++) {
        const ohmi_case at = ohmi_case_at(h, i);
        const ohmi_case_result *result = ohmi_case_result_of(h, &at);
        const ohmi_node_result *r = &result->node;
        int64_t images = 0;
        double right = 0;
        for (int v = 0; v < set->n; v++) {
            images += r->at_level[v];
            right += (double)r->at_level[v] * set->level[v].accuracy;
        }
        assert_int_equal(images, r->inferences);
        assert_true(r->used_j <= r->harvested_j);
        assert_true((double)r->inferences <= result->bound * (1 + 1e-9));
        if (h->schedulers[at.scheduler] != ohmi_scheduler_find("adaptive")) {
            assert_int_equal(r->at_level[0], r->inferences);
        } else if (at.predictor == 0) {
            ohmi_case other = at;
            other.scheduler = 1;
            assert_true(r->inferences >= ohmi_case_result_of(h, &other)->node.inferences);
            at_lower += r->inferences - r->at_level[0];
            // mean of what was measured
            assert_true(right <= (double)r->inferences && right >= 0);
        }
    }
    assert_true(at_lower > 0);
    assert_int_equal(ohm_harvest_json(&json, h, &err), OHM_OK);
    json_t *root = json_loads(json, 0, NULL);
    const json_t *network = json_array_get(json_object_get(root, "networks"), 0);
    assert_int_equal(json_integer_value(json_object_get(network, "task")), TINY_TASKS);
    assert_int_equal(json_array_size(json_object_get(network, "levels")), 4);
    const json_t *result;
    size_t i;
    json_array_foreach(json_object_get(root, "results"), i, result) {
        const json_t *images = json_object_get(result, "at_level");
        double right = 0, n = 0;
        for (size_t v = 0; v < 4; v++) {
            const double of = json_number_value(json_array_get(images, v));
            right += of * set->level[v].accuracy;
            n += of;
        }
        const json_t *accuracy = json_object_get(result, "accuracy");
        assert_true(n > 0 ? is_near(json_number_value(accuracy), right / n, 1e-8)
                          : json_is_null(accuracy));
    }
    json_decref(root);
    ohm_text_free(&json);
    ohm_harvest_free(&h);
    end(&s);

    // no run, no levels; levels that do not fall
    begin(&s, (const char *const[]){"harvest.networks", "lenet@28x1", "harvest.schedulers",
                                    "adaptive", "power.length", "0.01", NULL});
    assert_int_equal(ohm_harvest_new(&h, s.config, s.hardware, &err), OHM_ERR_CONFIG);
    assert_non_null(strstr(err.message, "needs a learned run"));
    assert_int_equal(ohm_config_set(s.config, "harvest.levels", "[1, 0.5, 0.5]", &err), OHM_OK);
    assert_int_equal(ohm_harvest_new(&h, s.config, s.hardware, &err), OHM_ERR_CONFIG);
    assert_non_null(strstr(err.message, "must fall from 1"));
    end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_energy_is_the_cost),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_level_set),
        cmocka_unit_test(test_adaptive),
    };
    return cmocka_run_group_tests(tests, priced_begin, scratch_end);
}
