// SPDX-License-Identifier: Apache-2.0
// The node against what must hold: never more energy than there is, nothing lost or counted twice,
// mechanisms that do not harm, the bound, and a plain simulation step by step.
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "harvest/bound.h"
#include "harvest/node.h"
#include <jansson.h>
#include "ohmwise/harvest.h"
#include "small_machine.h"

enum { FULL, TILING, DUPLICATION, RESISCHEDULE, ADAPTIVE };
enum { ORACLE, LAST, AVERAGE };

static double uniform(uint32_t seed, uint32_t *draw) {
    const ohmi_rng rng = {seed, OHMI_RNG_TEST, 0, 1};
    return (double)ohmi_rng_uniform(&rng, (*draw)++);
}

// power that comes and goes: levels over several decades around the network's needs, lengths too
static double random_trace(ohmi_interval *segments, int n, uint32_t seed, double around_w) {
    uint32_t draw = 0;
    double duration_s = 0;
    for (int i = 0; i < n; i++) {
        const double level = uniform(seed, &draw);
        segments[i].duration_s = 1e-6 * pow(10, 3 * uniform(seed, &draw));
        segments[i].power_w = level < 0.3 ? 0 : around_w * pow(10, 3 * uniform(seed, &draw) - 2.5);
        duration_s += segments[i].duration_s;
    }
    return duration_s;
}

static ohmi_node_def def_of(const small_machine *s, int scheduler, int predictor) {
    return (ohmi_node_def){.machine = s->machine,
                           .modes = s->modes,
                           .scheduler = &ohmi_schedulers[scheduler],
                           .predictor = &ohmi_predictors[predictor],
                           .slot_s = 1e-4,
                           .margin = 1,
                           .window = 4,
                           .depth =
                               ohmi_schedulers[scheduler].is_pipelined ? s->machine->n_layers : 1,
                           .storage_efficiency = 0.8};
}

static void run(ohmi_node_result *out, const ohmi_node_def *def, const ohmi_interval *segments,
                int n) {
    ohmi_node_state *node = NULL;
    ohm_error err;
    assert_int_equal(ohmi_node_new(&node, def, &err), OHM_OK);
    const int64_t count = ohmi_allocation_count();
    ohmi_node_run(node, segments, n);
    assert_int_equal(ohmi_allocation_count(), count);
    ohmi_node_finish(out, node);
    ohmi_node_free(&node);
}

static double full_power(const small_machine *s) {
    double most = 0;
    for (int l = 0; l < s->machine->n_layers; l++) {
        most = fmax(most, s->modes[l].full.power_w[0]);
    }
    return most + s->machine->base_w;
}

// one image after another, step by step, with cursors that go one tile at a time: the oracle of
// the schedulers without a pipeline
static void run_plainly(ohmi_node_result *out, const small_machine *s, int scheduler,
                        const ohmi_interval *segments, int n) {
    const ohmi_machine *m = s->machine;
    ohmi_cursor cursor = {0};
    int layer = 0;
    const ohmi_activation *under_way = NULL;
    double left_s = 0;
    *out = (ohmi_node_result){0};
    for (int i = 0; i < n; i++) {
        double time_s = segments[i].duration_s;
        const double power_w = segments[i].power_w - m->base_w;
        while (time_s > 0) {
            const ohmi_front *front = ohmi_schedulers[scheduler].front(&s->modes[layer]);
            if (under_way && under_way->power_w > power_w) {
                under_way = NULL;
                out->failed++;
            }
            if (!under_way) {
                const int at = ohmi_front_at(front, power_w);
                if (at < 0) {
                    break;
                }
                under_way = &front->modes[at];
                left_s = under_way->step_s;
            }
            if (left_s > time_s) {
                left_s -= time_s;
                break;
            }
            time_s -= left_s;
            out->steps++;
            const ohmi_matrix *matrix = &m->layers[layer].matrix;
            for (int64_t t = 0; t < under_way->copies && cursor.vector < matrix->vectors; t++) {
                ohmi_cursor_advance(&cursor, matrix, &under_way->tile, 1);
            }
            under_way = NULL;
            if (cursor.vector == matrix->vectors) {
                out->macs += m->layers[layer].cells;
                out->passes++;
                cursor = (ohmi_cursor){0};
                layer = (layer + 1) % m->n_layers;
                out->inferences += layer == 0;
            }
        }
    }
    out->macs += ohmi_cursor_cells(&cursor, &m->layers[layer].matrix);
}

static void test_step_by_step(void **state) {
    (void)state;
    enum { N = 400 };
    static ohmi_interval segments[N];
    small_machine s;
    small_machine_new(&s, "lenet@28x1", (const char *const[]){"harvest.spare", "1", NULL});
    for (uint32_t seed = 1; seed <= 4; seed++) {
        (void)random_trace(segments, N, seed, full_power(&s));
        for (int scheduler = FULL; scheduler <= DUPLICATION; scheduler++) {
            ohmi_node_result plain, node;
            const ohmi_node_def def = def_of(&s, scheduler, ORACLE);
            run_plainly(&plain, &s, scheduler, segments, N);
            run(&node, &def, segments, N);
            // a step that ends with its segment may fall to either side of the end
            if (llabs(plain.steps - node.steps) > N / 20 ||
                fabs(plain.macs - node.macs) > 1e-3 * plain.macs ||
                llabs(plain.failed - node.failed) > N / 20) {
                fail_msg("%s, seed %u: %lld steps, %g MACs, %lld lost; plainly %lld, %g, %lld",
                         ohmi_schedulers[scheduler].name, seed, (long long)node.steps, node.macs,
                         (long long)node.failed, (long long)plain.steps, plain.macs,
                         (long long)plain.failed);
            }
            assert_true(node.macs > 0 || scheduler == FULL);
        }
    }
    small_machine_free(&s);
}

// used <= harvested in every slot, of every scheduler with every predictor; nothing above the bound
static void test_energy_and_bound(void **state) {
    (void)state;
    enum { N = 600, POINTS = 500 };
    static ohmi_interval segments[N];
    static ohmi_node_point points[POINTS];
    small_machine s;
    ohm_error err;
    small_machine_new(&s, "lenet@28x1",
                      (const char *const[]){"harvest.static_power", "1 uW", "harvest.wake_time",
                                            "5e-6", "harvest.wake_power", "20 uW", NULL});
    ohmi_power_statistics *power = ohmi_alloc(1, sizeof *power);
    for (uint32_t seed = 1; seed <= 6; seed++) {
        const double duration_s =
            random_trace(segments, N, seed, full_power(&s) * pow(10, seed - 3.0));
        // one bin a segment would do; here by octaves, as ohmi_power_measure has it
        memset(power, 0, sizeof *power);
        for (int i = 0; i < N; i++) {
            const int bin =
                segments[i].power_w > 0
                    ? (int)fmin(fmax(64 * (log2(segments[i].power_w) + 44), 1), OHMI_POWER_BINS - 1)
                    : 0;
            power->bin_s[bin] += segments[i].duration_s;
            power->bin_j[bin] += segments[i].duration_s * segments[i].power_w;
        }
        double bound;
        assert_int_equal(
            ohmi_bound_images(&bound, s.modes, s.machine->n_layers, power, false, &err), OHM_OK);
        for (int scheduler = 0; scheduler < OHMI_N_SCHEDULERS; scheduler++) {
            for (int predictor = 0; predictor < OHMI_N_PREDICTORS; predictor++) {
                ohmi_node_result r;
                ohmi_node_def def = def_of(&s, scheduler, predictor);
                memset(points, 0, sizeof points);
                def.points = points;
                def.n_points = POINTS;
                def.duration_s = duration_s;
                run(&r, &def, segments, N);
                double used_j = 0, harvested_j = 0;
                int64_t finished = 0;
                for (int p = 0; p < POINTS; p++) {
                    assert_true(points[p].used_j <= points[p].harvested_j * (1 + 1e-9) + 1e-18);
                    used_j += points[p].used_j;
                    harvested_j += points[p].harvested_j;
                    finished += points[p].finished;
                }
                assert_true(fabs(used_j - r.used_j) <= 1e-9 * r.used_j);
                assert_true(fabs(harvested_j - r.harvested_j) <= 1e-9 * r.harvested_j);
                assert_int_equal(finished, r.inferences);
                assert_true(r.wasted_j <= r.used_j && r.on_s <= r.duration_s * (1 + 1e-12));
                assert_true((double)r.inferences <= bound * (1 + 1e-9));
                // all of an image's layers, and of those in work no more than a layer each
                assert_true(r.passes >= r.inferences * s.machine->n_layers);
                assert_true(r.passes <= (r.inferences + def.depth) * s.machine->n_layers);
                assert_true(r.macs >= (double)r.inferences * s.machine->macs * (1 - 1e-12));
            }
        }
    }
    ohmi_free(power);
    small_machine_free(&s);
}

// at steady power above the baseline's need there is nothing to adapt to
static void test_steady(void **state) {
    (void)state;
    small_machine s;
    small_machine_new(&s, "lenet@28x1",
                      (const char *const[]){"harvest.spare", "0", "harvest.copies", "1", NULL});
    double image_s = 0;
    for (int l = 0; l < s.machine->n_layers; l++) {
        image_s += s.modes[l].full.modes[0].layer_s;
    }
    const ohmi_interval steady = {100.5 * image_s, 1.001 * full_power(&s)};
    for (int predictor = 0; predictor < OHMI_N_PREDICTORS; predictor++) {
        for (int scheduler = FULL; scheduler <= DUPLICATION; scheduler++) {
            ohmi_node_result r;
            ohmi_node_def def = def_of(&s, scheduler, predictor);
            def.slot_s = image_s / 100;
            run(&r, &def, &steady, 1);
            assert_int_equal(r.inferences, 100);
            assert_int_equal(r.failed, 0);
        }
    }
    // below it the baseline does nothing, tiles still do; above their least power only
    ohmi_interval low = {100 * image_s, 0.5 * full_power(&s)};
    ohmi_node_result r;
    ohmi_node_def def = def_of(&s, FULL, ORACLE);
    run(&r, &def, &low, 1);
    assert_int_equal(r.inferences, 0);
    def = def_of(&s, TILING, ORACLE);
    run(&r, &def, &low, 1);
    assert_in_range(r.inferences, 10, 99);
    low.power_w = 0;
    for (int l = 0; l < s.machine->n_layers; l++) {
        low.power_w = fmax(low.power_w, s.modes[l].tiled.power_w[0] + s.machine->base_w);
    }
    low.duration_s = 1e5 * image_s;
    run(&r, &def, &low, 1);
    assert_true(r.inferences > 0);
    low.power_w *= 0.999;
    run(&r, &def, &low, 1);
    assert_int_equal(r.inferences, 0);
    small_machine_free(&s);

    // with one layer there is no pipeline either: all four agree
    small_machine_new(&s, "lenet@28x1",
                      (const char *const[]){"harvest.spare", "0", "harvest.copies", "1", NULL});
    s.machine->n_layers = 1;
    const ohmi_interval one = {50.5 * s.modes[0].full.modes[0].layer_s,
                               2 * s.modes[0].full.power_w[0] + s.machine->base_w};
    for (int scheduler = 0; scheduler < OHMI_N_SCHEDULERS; scheduler++) {
        def = def_of(&s, scheduler, ORACLE);
        def.depth = 1;
        run(&r, &def, &one, 1);
        assert_int_equal(r.inferences, 50);
    }
    s.machine->n_layers = (int)s.machine->work->n_layers;
    small_machine_free(&s);
}

// the power fails 10 000 times, at any moment: what was done stays done, what was not is not
// counted
static void test_failures(void **state) {
    (void)state;
    enum { N = 20000 };
    ohmi_interval *segments = ohmi_alloc(N, sizeof *segments);
    small_machine s;
    small_machine_new(&s, "lenet@28x1", NULL);
    uint32_t draw = 0;
    for (int i = 0; i < N; i++) {
        segments[i].duration_s = 1e-6 * (0.05 + 5 * uniform(11, &draw));
        segments[i].power_w = i % 2 ? 0 : full_power(&s) * pow(10, 2 * uniform(11, &draw) - 1.5);
    }
    for (int scheduler = TILING; scheduler <= ADAPTIVE; scheduler++) {
        ohmi_node_result r;
        const ohmi_node_def def = def_of(&s, scheduler, ORACLE);
        run(&r, &def, segments, N);
        assert_in_range(r.failures, N / 2 - 100, N / 2);
        assert_in_range(r.failed, N / 4, N / 2 * s.machine->n_layers);
        assert_true(r.inferences > 0);
        // cells done = those of the layers done and of what is under way
        double whole = 0;
        for (int l = 0; l < s.machine->n_layers; l++) {
            whole += s.machine->layers[l].cells;
        }
        assert_true(whole == s.machine->macs);
        assert_true(r.macs >= (double)r.inferences * whole &&
                    r.macs <= (double)(r.inferences + def.depth) * whole);
        assert_true(r.used_j <= r.harvested_j);
    }
    ohmi_free(segments);
    small_machine_free(&s);
}

// a capacitor carries energy over pauses; conversions only lose
static void test_storage(void **state) {
    (void)state;
    enum { N = 200 };
    ohmi_interval segments[N];
    small_machine s;
    small_machine_new(&s, "lenet@28x1", NULL);
    const double full_w = full_power(&s);
    for (int i = 0; i < N; i++) {
        segments[i] = (ohmi_interval){1e-3, i % 4 == 0 ? 0.9 * full_w : 0};
    }
    ohmi_node_result without, with;
    ohmi_node_def def = def_of(&s, FULL, ORACLE);
    run(&without, &def, segments, N);
    assert_int_equal(without.inferences, 0);
    def.storage_j = full_w * 2e-4;
    run(&with, &def, segments, N);
    assert_true(with.inferences > 0);
    assert_true(with.used_j + with.stored_j <= with.harvested_j);
    assert_true(with.stored_j <= def.storage_j);
    // all the time at a tenth of it, charged to the full and drained again
    def.storage_w = full_w;
    run(&with, &def, segments, N);
    assert_int_equal(with.inferences, 0);
    small_machine_free(&s);
}

// what is volatile is lost with the power: images only get through where it lasts
static void test_volatile(void **state) {
    (void)state;
    enum { N = 100 };
    ohmi_interval segments[N];
    small_machine s;
    small_machine_new(&s, "lenet@28x1", NULL);
    double image_s = 0, image_j = 0;
    for (int l = 0; l < s.machine->n_layers; l++) {
        const ohmi_activation *full = &s.modes[l].full.modes[0];
        image_s += full->layer_s;
        image_j += full->tile_j * (double)(full->tiles * s.machine->layers[l].matrix.vectors);
    }
    // 0.9 of an image, 49 times: 44 images go through with what was done kept, none without
    for (int i = 0; i < N; i++) {
        segments[i] = (ohmi_interval){0.9 * image_s, i % 2 ? 0 : 2 * full_power(&s)};
    }
    ohmi_node_result kept, lost;
    ohmi_node_def def = def_of(&s, FULL, ORACLE);
    run(&kept, &def, segments, N);
    def.scheduler = &ohmi_schedulers[ohmi_scheduler_find("volatile")];
    run(&lost, &def, segments, N);
    assert_true(kept.inferences >= 40 && kept.lost == 0);
    assert_int_equal(lost.inferences, 0);
    assert_int_equal(lost.lost, N / 2);
    assert_int_equal(lost.passes, 0);
    assert_true(fabs(lost.macs) <= 1e-9 * kept.macs);
    // what was used was used for nothing
    assert_true(lost.used_j > 0.1 * kept.used_j && lost.used_j <= lost.harvested_j);
    assert_true(fabs(lost.wasted_j + s.machine->base_w * lost.on_s - lost.used_j) <=
                1e-9 * lost.used_j);

    // 2.5 images each time: two get through, half of one is lost
    for (int i = 0; i < N; i += 2) {
        segments[i].duration_s = 2.5 * image_s;
    }
    run(&lost, &def, segments, N);
    assert_int_equal(lost.inferences, N);
    assert_int_equal(lost.lost, N / 2);
    assert_int_equal(lost.passes, N * s.machine->n_layers);
    assert_true(fabs(lost.macs - N * s.machine->macs) <= 1e-9 * lost.macs);
    assert_true(fabs(lost.used_j - lost.wasted_j - s.machine->base_w * lost.on_s - N * image_j) <=
                1e-6 * lost.used_j);
    small_machine_free(&s);
}

// waking takes its time, each time
static void test_waking(void **state) {
    (void)state;
    enum { N = 100 };
    ohmi_interval segments[N];
    small_machine s;
    small_machine_new(
        &s, "lenet@28x1",
        (const char *const[]){"harvest.wake_time", "1e-5", "harvest.wake_power", "1 uW", NULL});
    for (int i = 0; i < N; i++) {
        segments[i] = (ohmi_interval){2e-5, i % 2 ? 0 : 2 * full_power(&s)};
    }
    ohmi_node_result slow, quick;
    const ohmi_node_def def = def_of(&s, TILING, ORACLE);
    run(&slow, &def, segments, N);
    s.machine->wake_s = 0;
    run(&quick, &def, segments, N);
    assert_true(slow.macs < 0.7 * quick.macs && slow.macs > 0.3 * quick.macs);
    assert_true(fabs(slow.on_s - quick.on_s) < 1e-9);
    small_machine_free(&s);
}

// by an oracle, more mechanisms never do less; a predictor never does more than the oracle knows
static void test_mechanisms(void **state) {
    (void)state;
    small_machine s = {0};
    ohm_error err;
    ohm_harvest *h = NULL;
    char *json = NULL;
    small_config(&s, (const char *const[]){"power.traces",
                                           "wifi,piezo,thermal,solar",
                                           "power.length",
                                           "0.3",
                                           "power.step",
                                           "1e-4",
                                           "wifi.on",
                                           "2e-3",
                                           "wifi.off",
                                           "3e-3",
                                           "wifi.fading",
                                           "1e-3",
                                           "piezo.rate",
                                           "50 Hz",
                                           "piezo.decay",
                                           "2e-3",
                                           "thermal.time",
                                           "0.02",
                                           "solar.day",
                                           "0.4",
                                           "solar.cloud_time",
                                           "0.01",
                                           "harvest.networks",
                                           "lenet@28x1,small@16",
                                           "harvest.predictors",
                                           "oracle,last,average",
                                           "harvest.seeds",
                                           "2",
                                           "harvest.slot",
                                           "1e-4",
                                           "power.of_threshold",
                                           "0.6",
                                           "harvest.points",
                                           "20",
                                           NULL});
    if (ohm_harvest_new(&h, s.config, s.hardware, &err) < 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(ohm_harvest_cases(h), 8 * 2 * 4 * 3);
    assert_int_equal(ohm_harvest_text(&json, h, &err), OHM_ERR_ARGUMENT);
    assert_int_equal(ohm_harvest_run(h, NULL, &err), OHM_OK);
    assert_int_equal(ohm_harvest_json(&json, h, &err), OHM_OK);
    json_t *root = json_loads(json, 0, NULL);
    ohm_text_free(&json);
    const json_t *results = json_object_get(root, "results"), *result;
    size_t i;
    json_int_t before = -1;
    double macs_before = 0;
    json_array_foreach(results, i, result) {
        const json_int_t images = json_integer_value(json_object_get(result, "inferences"));
        const double macs = json_number_value(json_object_get(result, "macs"));
        const char *scheduler = json_string_value(json_object_get(result, "scheduler"));
        const char *predictor = json_string_value(json_object_get(result, "predictor"));
        if (strcmp(predictor, "oracle") == 0) {
            assert_true(strcmp(scheduler, "full") == 0 || images > before ||
                        (images == before && macs >= macs_before));
            before = images;
            macs_before = macs;
        }
        assert_true((double)images <=
                    json_number_value(json_object_get(result, "bound_inferences")));
        assert_true(json_number_value(json_object_get(result, "used_j")) <=
                    json_number_value(json_object_get(result, "harvested_j")));
    }
    assert_true(before > 0);
    json_decref(root);
    ohm_harvest_free(&h);
    small_machine_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step_by_step), cmocka_unit_test(test_energy_and_bound),
        cmocka_unit_test(test_steady),       cmocka_unit_test(test_failures),
        cmocka_unit_test(test_storage),      cmocka_unit_test(test_volatile),
        cmocka_unit_test(test_waking),       cmocka_unit_test(test_mechanisms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
