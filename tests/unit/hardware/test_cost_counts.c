// SPDX-License-Identifier: Apache-2.0
// Counts add up: an independent slow count, bit by bit over every array, vector, plane, row and
// column of every layer, equals the fast one exactly; prices are sums of their parts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "unit/hardware/priced_run.h"

enum { N_IMAGES = 16 };

typedef struct {
    int64_t rows, cells, levels, conversions, switches, joins, columns;
} slow_count;

// the value of an input that weight i of an output meets at an output position
static int input_at(const ohmi_network *network, const ohmi_node *conv, int image, int64_t i,
                    int64_t p, int64_t q) {
    const ohmi_conv *o = &network->layers[conv->layer].shape;
    const ohmi_node *input = &network->nodes[conv->input];
    const int64_t c = i / (o->r * o->s), y = p * o->stride + i / o->s % o->r - o->pad,
                  x = q * o->stride + i % o->s - o->pad;
    if (y < 0 || y >= o->h || x < 0 || x >= o->w) {
        return 0;
    }
    return (int)input->value[((y * o->w + x) * network->n_pad + image) * o->c_pad + c];
}

// one array in one vector: its word lines, select lines and levels
static void count_array(slow_count *n, const ohmi_placed *place, const ohmi_place_array *at,
                        const uint8_t *select, const uint8_t *level, const int *inputs,
                        int planes) {
    const ohmi_placed_layer *layer = &place->layers[at->layer];
    int64_t lines = 0, weights = 0;
    for (int64_t line = 0; line < place->def.columns; line++) {
        const bool is_on = select[line / 8] >> (line % 8) & 1;
        lines += is_on;
        weights += is_on && line >= layer->reserved;
    }
    if (weights == 0) {
        return; // the array is not read
    }
    for (int plane = 0; plane < planes; plane++) {
        n->switches++;
        n->conversions += lines;
        n->joins += lines / layer->lines;
        for (int64_t row = 0; row < at->n_rows; row++) {
            if (!(inputs[row] >> plane & 1)) {
                continue;
            }
            n->rows++;
            for (int64_t line = 0; line < place->def.columns; line++) {
                if (select[line / 8] >> (line % 8) & 1) {
                    n->cells++;
                    n->levels += level[row * place->def.columns + line];
                }
            }
        }
    }
}

// a layer in a task, over the images that the network holds
static void count_layer(slow_count *n, const ohm_cost *cost, int t, int node, int n_images) {
    const ohmi_workload *work = cost->work;
    const ohmi_placed *place = work->place;
    const ohmi_network *network = cost->opened.learner->network;
    const ohmi_node *conv = &network->nodes[node];
    const ohmi_conv *o = &network->layers[conv->layer].shape;
    const ohmi_placed_layer *layer = &place->layers[conv->layer];
    const int64_t n_weights = layer->k * layer->layout.run;
    int8_t *codes = malloc((size_t)n_weights);
    float *w = malloc((size_t)n_weights * sizeof *w);
    uint8_t *level = malloc((size_t)(place->def.rows * place->def.columns));
    uint8_t select[64];
    int inputs[128];
    assert_true(codes && w && level && place->def.rows <= 128);
    ohmi_workload_codes(codes, work, conv->layer, t);
    for (int64_t i = 0; i < n_weights; i++) {
        w[i] = (float)codes[i];
    }
    for (int64_t a = layer->first_array; a < layer->first_array + layer->n_arrays; a++) {
        const ohmi_place_array at = ohmi_place_array_at(place, a);
        ohmi_place_levels(level, place, a, w);
        ohmi_place_select(select, place, a, work->tasks[t].on[conv->layer]);
        for (int image = 0; image < n_images; image++) {
            for (int64_t p = 0; p < o->p; p++) {
                for (int64_t q = 0; q < o->q; q++) {
                    for (int64_t row = 0; row < at.n_rows; row++) {
                        inputs[row] =
                            input_at(network, conv, image,
                                     at.g * layer->layout.span + at.first_weight + row, p, q);
                    }
                    count_array(n, place, &at, select, level, inputs,
                                work->layers[conv->layer].planes);
                }
            }
        }
    }
    for (int64_t u = 0; u < layer->layout.n_units; u++) {
        n->columns += work->tasks[t].on[conv->layer][u / 8] >> (u % 8) & 1;
    }
    free(codes);
    free(w);
    free(level);
}

static void compare(const char *run, const char *const *more) {
    ohm_cost *cost = priced_open(run, N_IMAGES);
    ohm_bill *bill = priced_bill(cost, "circuit-32nm", NULL, more);
    ohmi_learner *learner = cost->opened.learner;
    const ohmi_network *network = learner->network;
    int64_t n_on = 0;
    for (int t = 0; t < TINY_TASKS; t++) {
        // the same images once more
        ohmi_loader *loader = NULL;
        ohmi_batch batch;
        ohm_error err = {0};
        ohmi_images images = cost->tasks->task[t].test;
        images.n = N_IMAGES;
        const ohmi_loader_def def = {.seed = learner->config->seed,
                                     .batch = N_IMAGES,
                                     .input_step = ohmi_input_step(learner->config),
                                     .input_max = 127};
        ohmi_learner_activate(learner, t, true);
        assert_int_equal(ohmi_loader_new(&loader, cost->tasks, &def, &err), OHM_OK);
        ohmi_loader_start(loader, t, &images, 0, 0);
        ohmi_loader_next(loader, &batch);
        assert_int_equal(batch.n, N_IMAGES);
        ohmi_network_forward(learner->network, batch.x, batch.n, OHMI_MODE_INFER, 0);
        for (int i = 0; i < network->n_nodes; i++) {
            if (network->nodes[i].kind != OHMI_NODE_CONV) {
                continue;
            }
            slow_count slow = {0};
            const int l = network->nodes[i].layer;
            const ohmi_count *fast = &cost->work->tasks[t].count[l];
            const ohmi_count_layer *layer = &cost->work->layers[l];
            const int64_t reads = layer->vectors * layer->planes * N_IMAGES;
            count_layer(&slow, cost, t, i, N_IMAGES);
            assert_int_equal(slow.rows, (int64_t)(fast->rows_driven * N_IMAGES));
            assert_int_equal(slow.cells, (int64_t)(fast->cells_read * N_IMAGES));
            assert_int_equal(slow.levels, (int64_t)(fast->levels_read * N_IMAGES));
            assert_int_equal(slow.conversions, fast->lines_on * reads);
            assert_int_equal(slow.switches, fast->arrays_read * reads);
            assert_int_equal(slow.joins, fast->joins * reads);
            assert_int_equal(slow.columns, fast->columns_on);
            // nothing is rounded away in the mean over images
            assert_true(fast->cells_read * N_IMAGES == floor(fast->cells_read * N_IMAGES));
            n_on += slow.cells;
        }
        ohmi_loader_free(&loader);
    }
    assert_true(n_on > 0);
    ohm_bill_free(&bill);
    ohm_cost_free(&cost);
}

static void test_slow_count(void **state) {
    (void)state;
    compare("xst", NULL);
    compare("xst-element", NULL);
    compare("xst", (const char *const[]){"cell.sign", "differential", "cell.bits", "1",
                                         "array.columns", "31", NULL});
    compare("xst", (const char *const[]){"cell.sign", "offset_digital", "cell.bits", "3", NULL});
}

// a tree of n inputs, by its definition: one level after another
static int64_t tree_adders(const bool *on, int n, int64_t by_stage[OHMI_MOST_STAGES]) {
    bool level[64];
    int64_t sum = 0;
    memcpy(level, on, (size_t)n * sizeof *on);
    for (int stage = 0; n > 1; stage++) {
        int m = 0;
        for (int i = 0; i < n; i += 2) {
            const bool pair = i + 1 < n, any = level[i] || (pair && level[i + 1]);
            by_stage[stage] += pair && any;
            sum += pair && any;
            level[m++] = any;
        }
        n = m;
    }
    return sum;
}

static void test_adder_trees(void **state) {
    (void)state;
    ohm_cost *cost = priced_open("xst", 0);
    ohm_bill *bill = priced_bill(cost, "xst-32nm", NULL, NULL);
    const ohmi_workload *work = cost->work;
    for (int l = 0; l < work->n_layers; l++) {
        const ohmi_placed_layer *layer = &work->place->layers[l];
        const int n = (int)(layer->layout.n_groups * layer->n_tiles);
        int64_t by_stage[OHMI_MOST_STAGES] = {0};
        assert_true(n <= 64);
        for (int64_t k = 0; k < layer->k; k++) {
            bool on[64];
            for (int g = 0; g < n; g++) {
                const int64_t u = k * layer->layout.n_groups + g / layer->n_tiles;
                on[g] = work->tasks[1].on[l][u / 8] >> (u % 8) & 1;
            }
            tree_adders(on, n, by_stage);
        }
        if (layer->n_tiles == 1) {
            assert_memory_equal(by_stage, work->tasks[1].count[l].adders, sizeof by_stage);
        }
    }
    ohm_bill_free(&bill);
    ohm_cost_free(&cost);
}

// totals are sums of components and of layers; off columns cost nothing; readings switch as said
static void test_prices_add_up(void **state) {
    (void)state;
    ohm_cost *cost = priced_open("xst", 0);
    ohm_bill *bill = priced_bill(cost, "xst-32nm", NULL, NULL);
    const ohmi_workload *work = cost->work;
    double task_j[TINY_TASKS];
    for (int t = 0; t < TINY_TASKS; t++) {
        double sum = 0, latency_s = 0;
        for (int l = 0; l < work->n_layers; l++) {
            const ohmi_price *price = &bill->layers[t * work->n_layers + l];
            sum += ohmi_price_total_j(price);
            latency_s += price->latency_s;
            assert_true(price->latency_s <= bill->slowest_s[t]);
        }
        task_j[t] = ohmi_price_total_j(&bill->tasks[t]);
        assert_true(fabs(sum - task_j[t]) <= 1e-12 * sum);
        assert_true(fabs(latency_s - bill->tasks[t].latency_s) <= 1e-12 * latency_s);
        assert_true(task_j[t] > 0 && task_j[t] < ohmi_price_total_j(&bill->all_on[t]));
    }
    double area_m2 = 0;
    for (int p = 0; p < OHMI_N_PARTS; p++) {
        area_m2 += bill->area.part_m2[p];
    }
    assert_true(fabs(area_m2 - bill->area.total_m2) <= 1e-12 * area_m2);
    const double plane_j = bill->tasks[0].energy_j[OHMI_PART_ADC];
    ohm_bill_free(&bill);

    // energies for all planes together: images of 8 bits, activations of 4
    bill = priced_bill(cost, "xst-32nm", NULL,
                       (const char *const[]){"array.energy_per", "vector", NULL});
    const double vector_j = bill->tasks[0].energy_j[OHMI_PART_ADC];
    assert_true(plane_j >= 3.999 * vector_j && plane_j <= 8.001 * vector_j);
    ohm_bill_free(&bill);

    // energy is linear in the table
    bill = priced_bill(cost, "xst-32nm", NULL,
                       (const char *const[]){"adc.energy", "230.5556 fJ", NULL});
    assert_true(fabs(bill->tasks[0].energy_j[OHMI_PART_ADC] - 2 * plane_j) <= 1e-9 * plane_j);
    ohm_bill_free(&bill);

    // no column on: nothing
    for (int l = 0; l < work->n_layers; l++) {
        memset(work->tasks[0].on[l], 0, (size_t)(work->place->layers[l].layout.n_units + 7) / 8);
    }
    cost->work->columns = 0;
    cost->has_moves = false;
    bill = priced_bill(cost, "circuit-32nm", NULL, NULL);
    for (int p = OHMI_PART_CELL; p <= OHMI_PART_ADDER; p++) {
        assert_true(bill->tasks[0].energy_j[p] <= 0);
        assert_true(bill->tasks[1].energy_j[p] > 0);
    }
    ohm_bill_free(&bill);
    ohm_cost_free(&cost);
}

// what is assumed where no data are run is what data with that part of ones would give
static void test_assumed_ones(void **state) {
    (void)state;
    ohm_cost *cost = priced_open("xst", 0), *counted = priced_open("xst", 4);
    const char *const all[] = {"input.ones", "1", NULL}, *const half[] = {"input.ones", "0.5",
                                                                          NULL};
    ohm_bill *bill = priced_bill(cost, "circuit-32nm", NULL, all);
    const double all_j = bill->tasks[2].energy_j[OHMI_PART_CELL];
    const double all_rows = cost->work->tasks[2].count[1].rows_driven;
    ohm_bill_free(&bill);
    bill = priced_bill(cost, "circuit-32nm", NULL, half);
    assert_true(fabs(2 * bill->tasks[2].energy_j[OHMI_PART_CELL] - all_j) <= 1e-9 * all_j);
    ohm_bill_free(&bill);
    bill = priced_bill(counted, "circuit-32nm", NULL, NULL);
    assert_true(bill->tasks[2].energy_j[OHMI_PART_CELL] < all_j);
    assert_true(counted->work->tasks[2].count[1].rows_driven < all_rows);
    assert_int_equal(counted->work->tasks[2].n_images, 4);
    ohm_bill_free(&bill);
    ohm_cost_free(&cost);
    ohm_cost_free(&counted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_count),
        cmocka_unit_test(test_adder_trees),
        cmocka_unit_test(test_prices_add_up),
        cmocka_unit_test(test_assumed_ones),
    };
    return cmocka_run_group_tests(tests, priced_begin, scratch_end);
}
