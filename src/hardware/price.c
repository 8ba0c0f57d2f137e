// SPDX-License-Identifier: Apache-2.0
// Prices of what was counted; see price.h.
#include "hardware/price.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "learn/account.h"

const char *ohmi_price_name(int part) {
    return part == OHMI_LEAKAGE ? "leakage" : ohmi_part_names[part];
}

// bits that the levels of a mask add to a sum: those of the largest level over the finest
static int level_bits(const ohmi_workload *work, const ohmi_placed_layer *layer) {
    const ohmi_levels *levels = work->learner ? &work->learner->levels : NULL;
    int bits = 0;
    while (levels && levels->n > 2 && !work->is_element && !layer->is_head &&
           (float)(1 << bits) < levels->factor[levels->n - 1]) {
        bits++;
    }
    return bits;
}

int64_t ohmi_price_mask_bits(const ohmi_workload *work) {
    return work->learner ? work->learner->levels.bits : 1;
}

double ohmi_price_first_bits(const ohmi_hardware *h, const ohmi_workload *work, int l) {
    const ohmi_placed_layer *layer = &work->place->layers[l];
    const double plain = h->adder_first_bits > 0
                             ? (double)h->adder_first_bits
                             : (double)(h->adc.bits + work->layers[l].planes + layer->n_digits + 1);
    return plain + level_bits(work, layer);
}

double ohmi_price_adder_bits(const int64_t adders[OHMI_MOST_STAGES], double first) {
    double bits = 0;
    for (int stage = 0; stage < OHMI_MOST_STAGES; stage++) {
        bits += (double)adders[stage] * (first + stage);
    }
    return bits;
}

static int n_stages(const ohmi_count_layer *layer) {
    int n = 0;
    while (n < OHMI_MOST_STAGES && layer->adders_built[n] > 0) {
        n++;
    }
    return n;
}

static double converters(const ohmi_hardware *h) {
    return h->adc.count > 0 ? (double)h->adc.count : (double)h->array.columns;
}

void ohmi_price_area(ohmi_area *out, const ohmi_workload *work, const ohmi_hardware *h) {
    const ohmi_component *part = h->part;
    double units[OHMI_N_PARTS] = {0};
    *out = (ohmi_area){0};
    for (int l = 0; l < work->n_layers; l++) {
        const ohmi_placed_layer *layer = &work->place->layers[l];
        const ohmi_count_layer *counted = &work->layers[l];
        const bool has_more = work->copied && h->program.copies == OHMI_COPIES_ARRAYS;
        const int64_t n_arrays = layer->n_arrays + (has_more ? work->copied[l] : 0);
        const double arrays = (double)n_arrays;
        out->arrays += n_arrays;
        // a bit, or a level, a column or a weight; classifiers have no mask
        const int64_t masked =
            work->is_element ? layer->k * layer->layout.run : layer->layout.n_units;
        out->mask_bytes +=
            layer->is_head ? 0 : (double)((masked * ohmi_price_mask_bits(work) + 7) / 8);
        units[OHMI_PART_CELL] += arrays * (double)(work->place->def.rows * h->array.columns);
        units[OHMI_PART_SWITCH] += arrays;
        units[OHMI_PART_ADC] += arrays * converters(h);
        units[OHMI_PART_SHIFT_INPUT] += arrays * (double)h->array.columns;
        units[OHMI_PART_SHIFT_WEIGHT] += arrays * (double)(h->array.columns / layer->lines);
        units[OHMI_PART_MASK] += arrays * (double)(h->array.columns * ohmi_price_mask_bits(work));
        units[OHMI_PART_INTERCONNECT] += arrays;
        units[OHMI_PART_ADDER] +=
            ohmi_price_adder_bits(counted->adders_built, ohmi_price_first_bits(h, work, l));
        units[OHMI_PART_RELU] += counted->relu_values > 0 ? (double)counted->outputs : 0;
        units[OHMI_PART_POOL] += counted->pool_operations > 0 ? (double)counted->outputs : 0;
    }
    // of a task in the mean, where what is copied needs no mask
    for (int t = 0; work->has_copies && t < work->n_tasks; t++) {
        out->mask_bytes = (t > 0 ? out->mask_bytes : 0) +
                          (double)ohmi_account_of(work->learner, t).mask_bytes / work->n_tasks;
    }
    out->buffer_bits = h->buffer_bits > 0 ? (double)h->buffer_bits
                                          : (double)work->largest_map * (double)work->input_bits;
    units[OHMI_PART_BUFFER] = out->buffer_bits;
    for (int p = 0; p < OHMI_N_PARTS; p++) {
        out->part_m2[p] = units[p] * part[p].area_m2;
        out->total_m2 += out->part_m2[p];
        out->leakage_w += units[p] * part[p].leakage_w;
    }
}

// the time of one vector
static double vector_s(const ohmi_count_layer *layer, const ohmi_count *n, const ohmi_hardware *h,
                       double first) {
    const ohmi_component *part = h->part;
    if (n->arrays_read == 0) {
        return 0;
    }
    const double rounds = ceil((double)n->most_lines / converters(h));
    const double convert_s =
        part[OHMI_PART_ADC].delay_s > h->cell.read_s ? part[OHMI_PART_ADC].delay_s : h->cell.read_s;
    const double plane_s =
        part[OHMI_PART_SWITCH].delay_s + rounds * convert_s + part[OHMI_PART_SHIFT_INPUT].delay_s;
    // carries ripple through the first stage, then one more bit a stage
    const double stages = n_stages(layer);
    const double tree_s =
        stages > 0 ? (first + 2 * (stages - 1)) * part[OHMI_PART_ADDER].delay_s : 0;
    const double joins = n->shifts > 0 ? 2 : 1;
    const double work_s = layer->planes * plane_s + joins * part[OHMI_PART_SHIFT_WEIGHT].delay_s +
                          tree_s + part[OHMI_PART_RELU].delay_s + part[OHMI_PART_POOL].delay_s;
    const double load_s = ceil((double)n->rows_read * layer->planes / (double)h->buffer_width) *
                          part[OHMI_PART_BUFFER].delay_s;
    return work_s > load_s ? work_s : load_s;
}

void ohmi_price_layer(ohmi_price *out, const ohmi_workload *work, int l, const ohmi_count *n,
                      const ohmi_hardware *h, const ohmi_area *area) {
    const ohmi_component *part = h->part;
    const ohmi_count_layer *layer = &work->layers[l];
    const double vectors = (double)layer->vectors, planes = layer->planes;
    const double reads = h->array.energy_per == OHMI_PER_PLANE ? vectors * planes : vectors;
    const double first = ohmi_price_first_bits(h, work, l);
    double actions[OHMI_N_PARTS] = {0};
    *out = (ohmi_price){0};

    // the cells' currents: V^2 G t of every cell that conducts, its transistor in series
    const double step =
        (h->cell.max_siemens - h->cell.min_siemens) / ((double)(1 << h->cell.bits) - 1);
    const double siemens = h->cell.min_siemens * n->cells_read + step * n->levels_read;
    if (h->cell.energy == OHMI_CELLS_APART && n->cells_read > 0) {
        const double mean = siemens / n->cells_read;
        out->energy_j[OHMI_PART_CELL] = h->cell.read_v * h->cell.read_v * h->cell.read_s * siemens /
                                        (1 + mean * h->cell.access_ohm);
    }
    out->energy_j[OHMI_PART_LINE] =
        n->rows_driven * h->line.row_j + (double)n->lines_on * reads * h->line.column_j;

    // all others: actions times energy
    actions[OHMI_PART_SWITCH] = (double)n->arrays_read * reads;
    actions[OHMI_PART_ADC] = (double)n->lines_on * reads;
    actions[OHMI_PART_SHIFT_INPUT] = (double)n->lines_on * reads;
    // the planes' sums joined, and once a vector what levels of the mask shift
    actions[OHMI_PART_SHIFT_WEIGHT] = (double)n->joins * reads + (double)n->shifts * vectors;
    actions[OHMI_PART_MASK] =
        (double)(n->arrays_read * h->array.columns * ohmi_price_mask_bits(work)) * vectors;
    actions[OHMI_PART_ADDER] = ohmi_price_adder_bits(n->adders, first) * vectors;
    const double moved =
        (double)n->rows_read * planes * vectors +
        (double)(layer->buffer_written + layer->residual_values) * (double)work->input_bits;
    actions[OHMI_PART_BUFFER] = moved;
    actions[OHMI_PART_RELU] = (double)layer->relu_values;
    actions[OHMI_PART_POOL] = (double)layer->pool_operations;
    // an H-tree from the buffer to an array is about as long as the chip's side
    actions[OHMI_PART_INTERCONNECT] = h->wire_share * moved * sqrt(area->total_m2) / 1e-3;
    for (int p = OHMI_PART_SWITCH; p < OHMI_N_PARTS; p++) {
        out->energy_j[p] = actions[p] * part[p].energy_j;
    }
    out->latency_s = vectors * vector_s(layer, n, h, first);
    out->latency_s += n->arrays_read > 0 ? h->wire_share * sqrt(area->total_m2) / 1e-3 *
                                               part[OHMI_PART_INTERCONNECT].delay_s
                                         : 0;
    out->energy_j[OHMI_LEAKAGE] = area->leakage_w * out->latency_s;
    out->operations = 2 * (double)n->weights_on * vectors;
}

void ohmi_price_task(ohmi_price *out, double *slowest_s, const ohmi_workload *work,
                     const ohmi_count *counts, const ohmi_hardware *h, const ohmi_area *area) {
    *out = (ohmi_price){0};
    *slowest_s = 0;
    for (int l = 0; l < work->n_layers; l++) {
        ohmi_price layer;
        ohmi_price_layer(&layer, work, l, &counts[l], h, area);
        for (int p = 0; p < OHMI_N_PRICES; p++) {
            out->energy_j[p] += layer.energy_j[p];
        }
        out->latency_s += layer.latency_s;
        out->operations += layer.operations;
        *slowest_s = layer.latency_s > *slowest_s ? layer.latency_s : *slowest_s;
    }
}

double ohmi_price_total_j(const ohmi_price *price) {
    double sum = 0;
    for (int p = 0; p < OHMI_N_PRICES; p++) {
        sum += price->energy_j[p];
    }
    return sum;
}

ohm_status ohmi_price_all_on(ohmi_count *counts, const ohmi_workload *work, const ohmi_hardware *h,
                             int task, ohm_error *err) {
    ohm_status status = OHM_OK;
    uint8_t *on = NULL;
    int8_t *codes = NULL;
    double *levels = NULL;
    for (int l = 0; l < work->n_layers; l++) {
        const ohmi_placed_layer *layer = &work->place->layers[l];
        const size_t n_columns = (size_t)layer->layout.n_units;
        ohmi_free(on);
        ohmi_free(levels);
        on = ohmi_alloc((n_columns + 7) / 8, 1);
        levels = ohmi_alloc(n_columns, sizeof *levels);
        ohmi_free(codes);
        codes = ohmi_alloc((size_t)(layer->k * layer->layout.run), 1);
        if (!on || !levels || !codes) {
            status =
                ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the columns of '%s'", layer->name);
            goto done;
        }
        memset(on, 0xff, (n_columns + 7) / 8);
        // all weights of all owners, but where the task has copies
        memcpy(codes, work->codes[l], (size_t)(layer->k * layer->layout.run));
        if (work->has_copies && !layer->is_head) {
            ohmi_copies_codes(codes, work->learner, l, task);
        }
        const double *ones = work->tasks[task].ones ? work->tasks[task].ones[l] : NULL;
        if (!ones) {
            ohmi_count_levels(levels, work->place, l, codes);
        }
        ohmi_count_task(&counts[l], &work->layers[l], work->place, l,
                        &(ohmi_masked_layer){.on = on, .codes = codes, .column_levels = levels},
                        &(ohmi_input_ones){ones, h->input_ones});
    }
done:
    ohmi_free(on);
    ohmi_free(codes);
    ohmi_free(levels);
    return status;
}
