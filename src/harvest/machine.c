// SPDX-License-Identifier: Apache-2.0
// Networks on arrays with prices of their tiles; see machine.h.
#include "harvest/machine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/memory.h"
#include "config/values.h"
#include "hardware/price.h"
#include "learn/opened.h"
#include "learn/outline.h"
#include "network/build.h"

// what is known of a network before its layers are
typedef struct {
    ohmi_network_def def;
    ohmi_config config;
    int classes;
} described;

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a network on harvested power");
}

void ohmi_machine_free(ohmi_machine **machine) {
    if (machine && *machine) {
        for (int l = 0; (*machine)->layers && l < (*machine)->n_layers; l++) {
            ohmi_mask_free(&(*machine)->layers[l].mask);
        }
        ohmi_free((*machine)->layers);
        ohmi_workload_free(&(*machine)->work);
        ohmi_free(*machine);
        *machine = NULL;
    }
}

// "model@pixels x channels"
static ohm_status describe_model(described *out, char *model, size_t room, const char *network,
                                 ohm_error *err) {
    const char *at = strchr(network, '@');
    const size_t size = at ? (size_t)(at - network) : strlen(network);
    int pixels = 32, channels = 3, end = 0;
    (void)snprintf(model, room, "%.*s", (int)(size < room - 1 ? size : room - 1), network);
    if (at && (sscanf(at, "@%5dx%4d%n", &pixels, &channels, &end) != 2 || at[end])) {
        channels = 3;
        end = 0;
        if (sscanf(at, "@%5d%n", &pixels, &end) != 1 || at[end]) {
            pixels = 0;
        }
    }
    if (pixels < 1 || pixels > 1024 || channels < 1 || channels > 1024) {
        ohm_status status =
            ohmi_fail(err, OHM_ERR_CONFIG, "'%s' has no image size of 1 to 1024", network);
        ohmi_hint(err, "write a model as 'lenet@28x1': pixels of a side, then channels");
        return status;
    }
    out->def.channels = channels;
    out->def.height = out->def.width_pixels = pixels;
    out->classes = (int)out->config.harvest.classes;
    return OHM_OK;
}

static ohm_status describe(described *out, char *model, size_t room, const char *network,
                           const ohmi_config *config, ohm_error *err) {
    ohm_status status = OHM_OK;
    out->config = *config;
    OHM_TRY(describe_model(out, model, room, network, err));
    const ohmi_config *c = &out->config;
    if (c->quantise.weight_bits < 1 || c->quantise.activation_bits < 1) {
        status =
            ohmi_fail(err, OHM_ERR_CONFIG, "'%s' is in float, but arrays hold integers", network);
        ohmi_hint(err, "set quantise.weight_bits=4 quantise.activation_bits=4, or learn with them");
        goto done;
    }
    out->def.model = model;
    out->def.width = ohmi_outline_width(c);
    out->def.batch = 1;
done:
    return status;
}

// bits that hold the numbers 0 .. top
static int bits_of(double top) {
    int bits = 1;
    while (ldexp(1, bits) - 1 < top) {
        bits++;
    }
    return bits;
}

// the classifier as one more layer, as in workload.c
static void describe_head(ohmi_count_layer *counted, ohmi_place_layer *layer,
                          const ohmi_build *build, const described *d, double top, int weight_top) {
    const ohmi_node *head = &build->nodes[build->n_nodes - 1];
    const ohmi_node *input = &build->nodes[head->input];
    const ohmi_node *mean = input->kind == OHMI_NODE_AVGPOOL ? input : &build->nodes[input->input];
    const bool is_mean = mean->kind == OHMI_NODE_AVGPOOL;
    const ohmi_node *map = &build->nodes[is_mean ? mean->input : 0];
    *layer = (ohmi_place_layer){.name = "head",
                                .k = d->classes,
                                .c = input->c,
                                .r = 1,
                                .s = 1,
                                .weight_top = weight_top,
                                .is_head = true};
    (void)snprintf(counted->name, sizeof counted->name, "head");
    counted->vectors = 1;
    counted->planes =
        bits_of(top * (is_mean && input == mean ? (double)map->h * (double)map->w : 1));
}

// places all layers, every column of them in use
static ohm_status place(ohmi_workload *work, const ohmi_build *build, const described *d,
                        const ohmi_hardware *h, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_config *c = &d->config;
    ohmi_grid weights, activations;
    uint8_t *own = NULL;
    const int n = build->n_layers + 1;
    ohmi_place_layer *layers = ohmi_alloc((size_t)n, sizeof *layers);
    work->n_layers = n;
    work->layers = ohmi_alloc((size_t)n, sizeof *work->layers);
    if (!layers || !work->layers) {
        status = no_memory(err);
        goto done;
    }
    OHM_TRY(
        ohmi_grid_weights(&weights, c->quantise.weight_scheme, (int)c->quantise.weight_bits, err));
    OHM_TRY(ohmi_grid_activations(&activations, c->quantise.activation_scheme,
                                  (int)c->quantise.activation_bits, err));
    work->input_bits = bits_of((double)activations.top);
    work->head_scale = 1;
    ohmi_workload_nodes(work->layers, &work->largest_map, build->nodes, build->n_nodes,
                        build->layers, (int)c->quantise.input_bits, (int)work->input_bits);
    const int64_t head_bits = c->quantise.head_bits > 0 ? c->quantise.head_bits : 8;
    int64_t most = 1;
    for (int l = 0; l < n; l++) {
        if (l < build->n_layers) {
            const ohmi_conv *o = &build->layers[l].shape;
            layers[l] = (ohmi_place_layer){.name = build->layers[l].name,
                                           .k = o->k,
                                           .c = o->c,
                                           .r = o->r,
                                           .s = o->s,
                                           .weight_top = (int)weights.top};
        } else {
            describe_head(&work->layers[l], &layers[l], build, d, (double)activations.top,
                          (1 << (head_bits - 1)) - 1);
        }
        OHM_TRY(ohmi_layout_cut(&layers[l].layout, layers[l].k, layers[l].c, layers[l].r,
                                layers[l].s, c->array.rows, OHMI_UNIT_COLUMN, err));
        most = layers[l].layout.n_units > most ? layers[l].layout.n_units : most;
    }
    own = ohmi_alloc((size_t)most, 1);
    if (!own) {
        status = no_memory(err);
        goto done;
    }
    memset(own, 1, (size_t)most);
    for (int l = 0; l < n; l++) {
        layers[l].own = own;
    }
    const ohmi_place_def def = {.rows = h->rows,
                                .columns = h->array.columns,
                                .cell_bits = (int)h->cell.bits,
                                .coding = h->cell.sign};
    OHM_TRY(ohmi_place_new(&work->place, layers, n, &def, err));
    for (int l = 0; l < n; l++) {
        ohmi_count_layer_of(&work->layers[l], &work->place->layers[l]);
    }
done:
    ohmi_free(layers);
    ohmi_free(own);
    return status;
}

// prices of a layer's tiles from the component table
static void price_layer(ohmi_machine_layer *out, const ohmi_machine *m, int l,
                        const ohmi_area *area, const ohmi_config *c) {
    const ohmi_hardware *h = &m->hardware;
    const ohmi_component *part = h->part;
    const ohmi_placed_layer *placed = &m->work->place->layers[l];
    const ohmi_count_layer *counted = &m->work->layers[l];
    ohmi_tile_price *p = &out->price;
    const double planes = counted->planes, ones = planes * h->input_ones;
    const double reads = h->array.energy_per == OHMI_PER_PLANE ? planes : 1;
    const double columns = (double)h->array.columns;
    const double mask_bits = (double)ohmi_price_mask_bits(m->work);

    // an H-tree from the buffer to an array is about as long as the chip's side, as in price.c
    const double wire_j =
        h->wire_share * sqrt(area->total_m2) / 1e-3 * part[OHMI_PART_INTERCONNECT].energy_j;
    const double bit_j = part[OHMI_PART_BUFFER].energy_j + wire_j;
    const double siemens = h->cell.min_siemens + 0.5 * (h->cell.max_siemens - h->cell.min_siemens);
    *p = (ohmi_tile_price){
        .planes = counted->planes,
        .lines = placed->lines,
        .reserved = placed->reserved,
        .most_converters = h->adc.count > 0 ? h->adc.count : h->array.columns,
        .row_j = ones * h->line.row_j,
        .line_j = reads * (h->line.column_j + part[OHMI_PART_ADC].energy_j +
                           part[OHMI_PART_SHIFT_INPUT].energy_j),
        .join_j = reads * part[OHMI_PART_SHIFT_WEIGHT].energy_j,
        .array_j = reads * part[OHMI_PART_SWITCH].energy_j +
                   columns * mask_bits * part[OHMI_PART_MASK].energy_j,
        .input_j = planes * bit_j,
        .adder_j = part[OHMI_PART_ADDER].energy_j,
        .first_bits = ohmi_price_first_bits(h, m->work, l),
        .array_leak_w =
            (double)h->rows * columns * part[OHMI_PART_CELL].leakage_w +
            part[OHMI_PART_SWITCH].leakage_w +
            (double)(h->adc.count > 0 ? h->adc.count : h->array.columns) *
                part[OHMI_PART_ADC].leakage_w +
            columns * (part[OHMI_PART_SHIFT_INPUT].leakage_w + part[OHMI_PART_MASK].leakage_w) +
            floor(columns / placed->lines) * part[OHMI_PART_SHIFT_WEIGHT].leakage_w +
            part[OHMI_PART_INTERCONNECT].leakage_w,
        .plane_s = part[OHMI_PART_SWITCH].delay_s + part[OHMI_PART_SHIFT_INPUT].delay_s,
        .convert_s = fmax(part[OHMI_PART_ADC].delay_s, h->cell.read_s),
        .fixed_s = part[OHMI_PART_SHIFT_WEIGHT].delay_s + part[OHMI_PART_RELU].delay_s +
                   part[OHMI_PART_POOL].delay_s,
        .adder_s = part[OHMI_PART_ADDER].delay_s,
        .buffer_s = part[OHMI_PART_BUFFER].delay_s,
        .buffer_width = (double)h->buffer_width,
        .checkpoint_s = c->harvest.checkpoint_s,
    };
    if (h->cell.energy == OHMI_CELLS_APART) {
        p->cell_j = ones * h->cell.read_v * h->cell.read_v * h->cell.read_s * siemens /
                    (1 + siemens * h->cell.access_ohm);
    }
    // a partial sum has the width of the last stage's result
    p->psum_bits = p->first_bits + ceil(log2((double)counted->tree_inputs + 1));
    p->partial_j = p->psum_bits * (2 * bit_j + c->harvest.checkpoint_j);
    p->out_leak_w = p->psum_bits * part[OHMI_PART_ADDER].leakage_w;
    const double kept =
        (double)(counted->buffer_written + counted->residual_values) * (double)m->work->input_bits;
    p->tail_j = ((double)counted->relu_values * part[OHMI_PART_RELU].energy_j +
                 (double)counted->pool_operations * part[OHMI_PART_POOL].energy_j + kept * bit_j) /
                out->cells;
    if (!c->harvest.gating) {
        p->array_leak_w = p->out_leak_w = 0; // all of it leaks all the time
    }
}

// What a task leaves of a layer. Energies that its codes and the levels of its mask decide are
// those of price.h, spread evenly.
static ohm_status mask_layer(ohmi_machine_layer *out, const ohmi_machine *m, int l,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_component *part = m->hardware.part;
    const ohmi_placed_layer *placed = &m->work->place->layers[l];
    const ohmi_count_layer *counted = &m->work->layers[l];
    const ohmi_work_task *task = &m->work->tasks[m->task];
    const ohmi_count *count = &task->count[l];
    const double vectors = (double)counted->vectors;
    ohmi_area area;
    ohmi_price price;
    OHM_TRY(ohmi_mask_new(&out->mask, task->on[l], placed->layout.n_groups, placed->k,
                          placed->per_array, err));
    ohmi_tile_price *p = &out->price;
    const double built = ohmi_price_adder_bits(counted->adders_built, p->first_bits);
    if (built > 0) {
        out->mask->tree_part = ohmi_price_adder_bits(count->adders, p->first_bits) / built;
    }
    out->macs = (double)count->weights_on * vectors;
    // the cells' energy is what all rows of all columns that are on take
    ohmi_price_area(&area, m->work, &m->hardware);
    ohmi_price_layer(&price, m->work, l, count, &m->hardware, &area);
    const double driven = vectors * ((double)placed->lines * (double)count->weights_on +
                                     (double)placed->reserved * (double)count->lines_driven);
    p->cell_j = driven > 0 ? price.energy_j[OHMI_PART_CELL] / driven : 0;
    if (count->shifts > 0) {
        p->tail_j +=
            (double)count->shifts * vectors * part[OHMI_PART_SHIFT_WEIGHT].energy_j / out->cells;
        p->fixed_s += part[OHMI_PART_SHIFT_WEIGHT].delay_s;
    }
done:
    return status;
}

// how long a layer takes with all of it on
static double full_s(const ohmi_machine_layer *layer) {
    const ohmi_matrix *m = &layer->matrix;
    const ohmi_tile_size size = {
        .n_rows = m->rows.total,
        .row_arrays = (m->rows.total + m->rows.unit - 1) / m->rows.unit,
        .n_columns = m->columns.total,
        .column_arrays = (m->columns.total + m->columns.unit - 1) / m->columns.unit,
        .array_columns = m->columns.total < m->columns.unit ? m->columns.total : m->columns.unit,
        .converters = layer->price.most_converters};
    return ceil((double)m->vectors / (double)layer->copies) *
           ohmi_tile_time_s(&layer->price, &size);
}

// deals out the arrays that are left
static void deal_copies(ohmi_machine *m, int64_t most) {
    int64_t spare = m->all_arrays - m->arrays;
    for (;;) {
        int slowest = -1;
        for (int l = 0; l < m->n_layers; l++) {
            const ohmi_machine_layer *layer = &m->layers[l];
            const bool can = layer->arrays <= spare && layer->copies < most &&
                             layer->copies < layer->matrix.vectors;
            if (can && (slowest < 0 || full_s(layer) > full_s(&m->layers[slowest]))) {
                slowest = l;
            }
        }
        if (slowest < 0) {
            break;
        }
        m->layers[slowest].copies++;
        spare -= m->layers[slowest].arrays;
    }
}

static ohm_status fill_layers(ohmi_machine *m, const ohmi_config *c, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_area area;
    ohmi_price_area(&area, m->work, &m->hardware);
    m->n_layers = m->work->n_layers;
    m->layers = ohmi_alloc((size_t)m->n_layers, sizeof *m->layers);
    if (!m->layers) {
        status = no_memory(err);
        goto done;
    }
    for (int l = 0; l < m->n_layers; l++) {
        const ohmi_placed_layer *placed = &m->work->place->layers[l];
        ohmi_machine_layer *layer = &m->layers[l];
        if (placed->n_tiles > 1) {
            status = ohmi_fail(err, OHM_ERR_CONFIG,
                               "columns of %lld weights do not fit arrays of %lld rows",
                               (long long)placed->layout.span, (long long)m->hardware.rows);
            goto done;
        }
        memcpy(layer->name, m->work->layers[l].name, sizeof layer->name);
        layer->matrix = (ohmi_matrix){.rows = {placed->layout.run, placed->layout.span},
                                      .columns = {placed->k, placed->per_array},
                                      .vectors = m->work->layers[l].vectors};
        layer->arrays = placed->n_arrays;
        layer->copies = 1;
        layer->cells =
            (double)placed->layout.run * (double)placed->k * (double)m->work->layers[l].vectors;
        layer->macs = layer->cells;
        price_layer(layer, m, l, &area, c);
        if (m->task >= 0) {
            OHM_TRY(mask_layer(layer, m, l, err));
        }
        m->arrays += layer->arrays;
        m->macs += layer->macs;
    }
    m->base_w = c->harvest.static_w +
                (c->harvest.gating ? area.buffer_bits * m->hardware.part[OHMI_PART_BUFFER].leakage_w
                                   : area.leakage_w);
    m->wake_s = c->harvest.wake_s;
    m->wake_w = c->harvest.wake_w;
    m->all_arrays = c->harvest.arrays > 0
                        ? c->harvest.arrays
                        : m->arrays + (int64_t)floor((double)m->arrays * c->harvest.spare);
    if (m->all_arrays < m->arrays) {
        status = ohmi_fail(err, OHM_ERR_CONFIG, "'%s' takes %lld arrays, but there are %lld",
                           m->name, (long long)m->arrays, (long long)m->all_arrays);
        ohmi_hint(err, "'harvest.arrays=0' has as many as the network takes, and spare ones");
        goto done;
    }
    deal_copies(m, c->harvest.copies);
done:
    return status;
}

ohm_status ohmi_machine_task(int *task, const ohmi_opened *run, const ohmi_config *config,
                             ohm_error *err) {
    const int n_learned = (int)run->learner->position.task;
    *task = config->harvest.task > 0 ? (int)config->harvest.task - 1 : n_learned - 1;
    if (n_learned < 1) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "the run has learned no task yet");
    }
    return ohmi_opened_check_task(run, *task, err);
}

ohm_status ohmi_machine_of_run(ohmi_machine **out, const char *name, const ohmi_learner *learner,
                               int task, const ohmi_config *config, const ohm_hardware *hardware,
                               ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_machine *m = ohmi_alloc(1, sizeof *m);
    *out = NULL;
    if (!m) {
        status = no_memory(err);
        goto done;
    }
    m->task = task;
    (void)snprintf(m->name, sizeof m->name, "%s", name);
    OHM_TRY(ohmi_hardware_for(&m->hardware, hardware, learner->config, err));
    OHM_TRY(ohmi_workload_new(&m->work, learner, task + 1, err));
    OHM_TRY(ohmi_workload_count(m->work, &m->hardware, err));
    OHM_TRY(fill_layers(m, config, err));
    m->work->learner = NULL; // it may be closed
    *out = m;
    m = NULL;
done:
    ohmi_machine_free(&m);
    return status;
}

// of a run's folder
static ohm_status open_run(ohmi_machine **out, const char *folder, const ohmi_config *config,
                           const ohm_hardware *hardware, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_opened run = {0};
    int task;
    OHM_TRY(ohmi_opened_open(&run, folder, 1, "reference", err));
    OHM_TRY(ohmi_machine_task(&task, &run, config, err));
    OHM_TRY(ohmi_machine_of_run(out, folder, run.learner, task, config, hardware, err));
done:
    ohmi_opened_close(&run);
    return status;
}

ohm_status ohmi_machine_new(ohmi_machine **out, const char *network, const ohmi_config *config,
                            const ohm_hardware *hardware, ohm_error *err) {
    ohm_status status = OHM_OK;
    char model[OHMI_TEXT];
    struct stat info;
    if (stat(network, &info) == 0 && S_ISDIR(info.st_mode)) {
        return open_run(out, network, config, hardware, err);
    }
    ohmi_machine *m = ohmi_alloc(1, sizeof *m);
    ohmi_build *build = ohmi_alloc(1, sizeof *build);
    described *d = ohmi_alloc(1, sizeof *d);
    *out = NULL;
    if (!m || !build || !d) {
        status = no_memory(err);
        goto done;
    }
    m->task = -1;
    m->work = ohmi_alloc(1, sizeof *m->work);
    if (!m->work) {
        status = no_memory(err);
        goto done;
    }
    (void)snprintf(m->name, sizeof m->name, "%s", network);
    OHM_TRY(describe(d, model, sizeof model, network, config, err));
    build->batch = 1;
    build->width = d->def.width;
    OHM_TRY(ohmi_model_build(build, &d->def, err));
    OHM_TRY(ohmi_hardware_for(&m->hardware, hardware, &d->config, err));
    OHM_TRY(place(m->work, build, d, &m->hardware, err));
    OHM_TRY(fill_layers(m, &d->config, err));
    *out = m;
    m = NULL;
done:
    ohmi_machine_free(&m);
    ohmi_free(build);
    ohmi_free(d);
    return status;
}
