// SPDX-License-Identifier: Apache-2.0
// Modes of layers: their prices against those of `ohmwise cost` and against tiles added up one by
// one, the front against modes drawn at random.
#include <math.h>

#include "base/rng.h"
#include "hardware/price.h"
#include "small_machine.h"

static bool is_near(double a, double b, double part) {
    return fabs(a - b) <= part * fabs(b);
}

// the whole layer, priced as ohmwise cost prices it with all columns on
static void test_full_is_the_price(void **state) {
    (void)state;
    small_machine s;
    small_machine_new(&s, "vgg8@16", (const char *const[]){"harvest.gating", "false", NULL});
    ohmi_machine *m = s.machine;
    ohmi_area area;
    ohmi_price_area(&area, m->work, &m->hardware);
    for (int l = 0; l < m->n_layers; l++) {
        const ohmi_placed_layer *placed = &m->work->place->layers[l];
        const int64_t n = placed->layout.n_units;
        uint8_t *on = ohmi_alloc((size_t)(n + 7) / 8, 1);
        double *levels = ohmi_alloc((size_t)n, sizeof *levels);
        for (int64_t u = 0; u < n; u++) {
            on[u / 8] |= (uint8_t)(1 << (u % 8));
        }
        ohmi_count count;
        ohmi_price price;
        ohmi_count_task(&count, &m->work->layers[l], m->work->place, l,
                        &(ohmi_masked_layer){.on = on, .column_levels = levels},
                        &(ohmi_input_ones){NULL, m->hardware.input_ones});
        ohmi_price_layer(&price, m->work, l, &count, &m->hardware, &area);
        const ohmi_activation *full = &s.modes[l].full.modes[0];
        const double layer_j = full->tile_j * (double)(full->tiles * m->layers[l].matrix.vectors);
        const double expected_j = ohmi_price_total_j(&price) - price.energy_j[OHMI_LEAKAGE];
        if (!is_near(layer_j, expected_j, 1e-9)) {
            fail_msg("%s: %g J, but cost says %g J", m->layers[l].name, layer_j, expected_j);
        }
        assert_true(is_near(full->layer_s, price.latency_s, 1e-9));
        assert_int_equal(full->tiles, 1);
        assert_int_equal(full->copies, 1);
        ohmi_free(on);
        ohmi_free(levels);
    }
    assert_true(is_near(m->base_w, area.leakage_w, 1e-12));
    small_machine_free(&s);
}

// the mean energy of a mode's tiles is that of its tiles added up; none takes more than the mode
// says
static void test_sums(void **state) {
    (void)state;
    small_machine s;
    small_machine_new(&s, "lenet@28x1", NULL);
    for (int l = 0; l < s.machine->n_layers; l++) {
        const ohmi_machine_layer *layer = &s.machine->layers[l];
        const ohmi_matrix *m = &layer->matrix;
        const ohmi_front *front = &s.modes[l].copied;
        for (int i = 0; i < front->n; i += 1 + front->n / 12) {
            const ohmi_activation *mode = &front->modes[i];
            ohmi_cursor c = {0};
            double sum_j = 0, most_j = 0;
            int64_t n = 0;
            const bool is_partial =
                ohmi_extent_tiles(&m->rows, mode->tile.rows, 0, m->rows.total) > 1;
            while (c.vector == 0) {
                const ohmi_rectangle r = ohmi_cursor_next(&c, m, &mode->tile);
                ohmi_tile_size size = {
                    .n_rows = r.n_rows,
                    .row_arrays = (r.row + r.n_rows - 1) / m->rows.unit - r.row / m->rows.unit + 1,
                    .n_columns = r.n_columns,
                    .column_arrays = (r.column + r.n_columns - 1) / m->columns.unit -
                                     r.column / m->columns.unit + 1,
                    .array_columns = r.n_columns < m->columns.unit ? r.n_columns : m->columns.unit,
                    .converters = mode->converters,
                    .is_partial = is_partial && r.row > 0};
                // what is added to a partial sum is counted where it is added
                const double tile_j = ohmi_tile_energy_j(&layer->price, &size);
                sum_j += tile_j;
                most_j = fmax(most_j, tile_j);
                assert_true(ohmi_tile_time_s(&layer->price, &size) <= mode->step_s * (1 + 1e-12));
                ohmi_cursor_advance(&c, m, &mode->tile, 1);
                n++;
            }
            assert_int_equal(n, mode->tiles);
            const double leak_w = s.machine->layers[l].price.array_leak_w > 0
                                      ? mode->power_w - (double)mode->copies * most_j / mode->step_s
                                      : 0;
            const double mean_j = mode->tile_j;
            assert_true(mean_j * (double)mode->copies <=
                        mode->power_w * mode->step_s * (1 + 1e-12));
            // without leakage
            assert_true(sum_j / (double)n <= mean_j * (1 + 1e-9));
            assert_true(mean_j - sum_j / (double)n <=
                        (leak_w + 1e-12 * mode->power_w) * mode->step_s * (1 + 1e-6) +
                            1e-9 * mean_j);
        }
    }
    small_machine_free(&s);
}

// nothing beats the front: modes drawn at random are slower or take more
static void test_front(void **state) {
    (void)state;
    small_machine s;
    small_machine_new(&s, "resnet20@16", (const char *const[]){"harvest.spare", "1", NULL});
    for (int l = 0; l < s.machine->n_layers; l++) {
        const ohmi_machine_layer *layer = &s.machine->layers[l];
        const ohmi_matrix *m = &layer->matrix;
        const ohmi_front *front = &s.modes[l].copied, *tiled = &s.modes[l].tiled;
        for (int i = 1; i < front->n; i++) {
            assert_true(front->power_w[i] > front->power_w[i - 1]);
            assert_true(front->modes[i].layer_s < front->modes[i - 1].layer_s);
        }
        assert_true(tiled->power_w[0] < s.modes[l].full.power_w[0]);
        assert_true(front->power_w[0] == tiled->power_w[0]);
        assert_int_equal(ohmi_front_at(front, front->power_w[0] * 0.999), -1);
        assert_int_equal(ohmi_front_at(front, front->power_w[0]), 0);
        assert_int_equal(ohmi_front_at(front, INFINITY), front->n - 1);
        for (uint32_t i = 0; i < 300; i++) {
            const ohmi_rng rng = {7, OHMI_RNG_TEST, 0, (uint32_t)l};
            uint32_t bits[4];
            ohmi_rng_bits(bits, &rng, i);
            const int64_t rows = 1 + (int64_t)(bits[0] % (uint64_t)m->rows.unit);
            const int64_t columns = 1 + (int64_t)(bits[1] % (uint64_t)m->columns.unit);
            const int64_t copies = 1 + (int64_t)(bits[2] % (uint64_t)layer->copies);
            const int64_t n_converters =
                1 + (int64_t)(bits[3] % (uint64_t)layer->price.most_converters);
            const ohmi_tile tile = {
                {.step = rows < m->rows.total ? rows : m->rows.total, .units = 1},
                {.step = columns < m->columns.total ? columns : m->columns.total, .units = 1}};
            const ohmi_tile_size size = {.n_rows = tile.rows.step,
                                         .row_arrays = 1,
                                         .n_columns = tile.columns.step,
                                         .column_arrays = 1,
                                         .array_columns = tile.columns.step,
                                         .converters = n_converters,
                                         .is_partial = tile.rows.step < m->rows.total};
            const double step_s = ohmi_tile_time_s(&layer->price, &size);
            const double power_w =
                (double)copies * (ohmi_tile_energy_j(&layer->price, &size) / step_s +
                                  ohmi_tile_leak_w(&layer->price, &size));
            const double layer_s =
                ceil((double)(m->vectors * ohmi_tile_count(m, &tile)) / (double)copies) * step_s;
            const int at = ohmi_front_at(front, power_w * (1 + 1e-12));
            if (at < 0 || front->modes[at].layer_s > layer_s * (1 + 1e-9)) {
                fail_msg("%s: %lld x %lld, %lld converters, %lld copies beat the front",
                         layer->name, (long long)rows, (long long)columns, (long long)n_converters,
                         (long long)copies);
            }
        }
        // the hull lies above every mode
        for (int i = 0; i < front->n; i++) {
            const ohmi_activation *mode = &front->modes[i];
            const ohmi_hull *hull = &s.modes[l].hull;
            const double rate = (double)mode->copies * mode->cells / mode->step_s / layer->cells;
            int h = 1;
            while (h < hull->n && hull->power_w[h] < mode->power_w) {
                h++;
            }
            const double most =
                h == hull->n ? hull->rate_hz[h - 1]
                             : hull->rate_hz[h - 1] + (hull->rate_hz[h] - hull->rate_hz[h - 1]) *
                                                          (mode->power_w - hull->power_w[h - 1]) /
                                                          (hull->power_w[h] - hull->power_w[h - 1]);
            assert_true(rate <= most * (1 + 1e-9));
            assert_true(rate * mode->layer_s >= 1 - 1e-9);
        }
    }
    small_machine_free(&s);
}

// copies go to the layers that take longest, within the arrays there are
static void test_copies(void **state) {
    (void)state;
    small_machine s;
    small_machine_new(&s, "lenet@28x1", (const char *const[]){"harvest.spare", "2", NULL});
    int64_t arrays = 0, copies = 0;
    for (int l = 0; l < s.machine->n_layers; l++) {
        const ohmi_machine_layer *layer = &s.machine->layers[l];
        assert_true(layer->copies <= layer->matrix.vectors);
        arrays += layer->arrays * layer->copies;
        copies += layer->copies - 1;
    }
    assert_true(arrays <= s.machine->all_arrays);
    assert_true(copies > 0);
    assert_true(s.machine->layers[0].copies > 1);
    small_machine_free(&s);

    // as many arrays as the network takes, and fewer
    small_machine_new(&s, "lenet@28x1", (const char *const[]){"harvest.spare", "0", NULL});
    for (int l = 0; l < s.machine->n_layers; l++) {
        assert_int_equal(s.machine->layers[l].copies, 1);
    }
    small_machine_free(&s);
    ohm_error err;
    s = (small_machine){0};
    small_config(&s, (const char *const[]){"harvest.arrays", "1", NULL});
    assert_int_equal(
        ohmi_machine_new(&s.machine, "lenet@28x1", &s.config->values, s.hardware, &err),
        OHM_ERR_CONFIG);
    assert_non_null(strstr(err.message, "arrays, but there are 1"));
    static const char *const wrong[] = {"lenet@",      "lenet@0x1", "lenet@28x",
                                        "lenet@28x1x", "lenit",     "lenet@99999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(
            ohmi_machine_new(&s.machine, wrong[i], &s.config->values, s.hardware, &err),
            OHM_ERR_CONFIG);
    }
    small_machine_free(&s);
}

// every allocation may fail
static void test_memory(void **state) {
    (void)state;
    small_machine s = {0};
    ohm_error err;
    small_config(&s, NULL);
    const int64_t before = ohmi_live_blocks();
    for (int64_t k = 0;; k++) {
        ohmi_fail_allocation(k);
        ohm_status status =
            ohmi_machine_new(&s.machine, "lenet@28x1", &s.config->values, s.hardware, &err);
        if (status == OHM_OK) {
            status = ohmi_modes_new(&s.modes, s.machine, &err);
            ohmi_fail_allocation(-1);
            ohmi_modes_free(&s.modes, s.machine->n_layers);
            ohmi_machine_free(&s.machine);
        }
        ohmi_fail_allocation(-1);
        assert_int_equal(ohmi_live_blocks(), before);
        if (status == OHM_OK) {
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
    }
    small_machine_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_is_the_price),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_front),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
