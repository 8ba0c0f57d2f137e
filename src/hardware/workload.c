// SPDX-License-Identifier: Apache-2.0
// A run as work for the arrays; see workload.h.
//
// Codes, masks and places are those of learn/placing.h, from which the crossbars are programmed
// too; what is priced is what is simulated.
#include "hardware/workload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "base/fail.h"
#include "base/memory.h"
#include "data/loader.h"
#include "learn/placing.h"

static ohm_status no_memory(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the work of a run");
}

void ohmi_workload_free(ohmi_workload **work) {
    if (!work || !*work) {
        return;
    }
    ohmi_workload *w = *work;
    for (int t = 0; w->tasks && t < w->n_tasks; t++) {
        for (int l = 0; l < w->n_layers; l++) {
            ohmi_free(w->tasks[t].on ? w->tasks[t].on[l] : NULL);
            ohmi_free(w->tasks[t].shifts ? w->tasks[t].shifts[l] : NULL);
            ohmi_free(w->tasks[t].ones ? w->tasks[t].ones[l] : NULL);
        }
        ohmi_free(w->tasks[t].on);
        ohmi_free(w->tasks[t].shifts);
        ohmi_free(w->tasks[t].ones);
        ohmi_free(w->tasks[t].count);
    }
    for (int l = 0; w->codes && l < w->n_layers; l++) {
        ohmi_free(w->codes[l]);
    }
    ohmi_free(w->codes);
    ohmi_free(w->copied);
    ohmi_free(w->tasks);
    ohmi_free(w->layers);
    ohmi_place_free(&w->place);
    ohmi_free(w);
    *work = NULL;
}

// bits that hold the numbers 0 .. top
static int bits_of(double top) {
    int bits = 1;
    while (ldexp(1, bits) - 1 < top) {
        bits++;
    }
    return bits;
}

// places the layers, and the classifiers, on the arrays that hardware has
static ohm_status place(ohmi_placed **out, const ohmi_workload *work, int64_t columns,
                        int64_t cell_bits, ohmi_coding coding, ohm_error *err) {
    ohmi_config *values = ohmi_alloc(1, sizeof *values);
    if (!values) {
        return no_memory(err);
    }
    *values = *work->learner->config;
    values->array.columns = columns;
    values->array.cell_bits = cell_bits;
    values->array.weight_scheme = coding;
    // masks of several levels multiply a column's sum behind the converter: its cells are the same;
    // copies are written into the arrays of what they are copies of
    const ohm_status status = (work->is_element ? ohmi_learner_place : ohmi_learner_place_levels)(
        out, work->learner, values, err);
    ohmi_free(values);
    return status;
}

// codes of all owned weights of a layer; they do not depend on the arrays
static ohm_status read_codes(ohmi_workload *work, int l, ohm_error *err) {
    const ohmi_placed_layer *layer = &work->place->layers[l];
    const int64_t n = layer->k * layer->layout.run;
    float *codes = ohmi_alloc((size_t)n, sizeof *codes);
    work->codes[l] = ohmi_alloc((size_t)n, 1);
    if (!codes || !work->codes[l]) {
        ohmi_free(codes);
        return no_memory(err);
    }
    ohmi_learner_codes(codes, work->learner, work->place, l);
    for (int64_t i = 0; i < n; i++) {
        work->codes[l][i] = (int8_t)codes[i];
    }
    ohmi_free(codes);
    return OHM_OK;
}

// the columns a task uses
static ohm_status read_masks(ohmi_workload *work, int t, ohm_error *err) {
    ohmi_work_task *task = &work->tasks[t];
    task->on = ohmi_alloc((size_t)work->n_layers, sizeof *task->on);
    task->count = ohmi_alloc((size_t)work->n_layers, sizeof *task->count);
    for (int l = 0; task->on && l < work->n_layers; l++) {
        const int64_t n_columns = work->place->layers[l].layout.n_units;
        task->on[l] = ohmi_alloc((size_t)(n_columns + 7) / 8, 1);
        if (!task->on[l]) {
            return no_memory(err);
        }
        ohmi_learner_column_bits(task->on[l], work->learner, work->place, l, t);
    }
    return task->on && task->count ? OHM_OK : no_memory(err);
}

// shift-adds that the levels of a task's mask ask for: a level that is a power of two is one more
// addition behind the converter, shifted; level 1 is how the sum is taken anyway; any other level
// is an addition for each one of its digits
static ohm_status read_shifts(ohmi_work_task *task, const ohmi_workload *work, int t,
                              ohm_error *err) {
    const ohmi_learner *learner = work->learner;
    const ohmi_levels *levels = &learner->levels;
    if (levels->n <= 2 || work->is_element) {
        return OHM_OK;
    }
    task->shifts = ohmi_alloc((size_t)work->n_layers, sizeof *task->shifts);
    for (int l = 0; task->shifts && l < work->n_layers; l++) {
        const ohmi_placed_layer *layer = &work->place->layers[l];
        const ohmi_units *units = &learner->units[l];
        if (layer->is_head) {
            continue;
        }
        task->shifts[l] = ohmi_alloc((size_t)layer->layout.n_units, 1);
        if (!task->shifts[l]) {
            return no_memory(err);
        }
        for (int64_t u = 0; u < layer->layout.n_units; u++) {
            const int64_t unit =
                ohmi_layout_unit_at(&units->layout, ohmi_layout_offset(&layer->layout, u));
            const int code = ohmi_levels_code(levels, learner->learned[t].bits[l], unit);
            const bool is_plain =
                code == levels->one || ohmi_is_copied(units, &learner->learned[t], l, unit);
            const unsigned factor = (unsigned)levels->factor[code];
            task->shifts[l][u] = is_plain ? 0 : (uint8_t)__builtin_popcount(factor);
        }
    }
    return task->shifts ? OHM_OK : no_memory(err);
}

// PEs of which tasks have copies
static ohm_status count_copies(ohmi_workload *work, ohm_error *err) {
    work->copied = ohmi_alloc((size_t)work->n_layers, sizeof *work->copied);
    if (!work->copied) {
        return no_memory(err);
    }
    for (int l = 0; l < work->n_layers; l++) {
        const ohmi_layout *pes = &work->learner->units[l].pes;
        if (work->place->layers[l].is_head) {
            continue;
        }
        for (int t = 0; t < work->n_tasks; t++) {
            const uint8_t *chosen = work->learner->learned[t].chosen[l];
            for (int64_t p = 0; p < pes->n_units; p++) {
                work->copied[l] += ohmi_bit(chosen, p);
            }
        }
        work->n_copied += work->copied[l];
    }
    return OHM_OK;
}

// whether anything but pooling reads a node's values
static bool is_kept(const ohmi_node *nodes, int n_nodes, int node) {
    for (int i = node + 1; i < n_nodes; i++) {
        const ohmi_node *n = &nodes[i];
        if (n->residual == node ||
            (n->input == node && n->kind != OHMI_NODE_MAXPOOL && n->kind != OHMI_NODE_AVGPOOL)) {
            return true;
        }
    }
    return false;
}

// the layer that feeds a node
static int layer_before(const ohmi_node *nodes, int node) {
    while (node > 0 && nodes[node].kind != OHMI_NODE_CONV) {
        node = nodes[node].input;
    }
    return node > 0 ? nodes[node].layer : 0;
}

void ohmi_workload_nodes(ohmi_count_layer *layers, int64_t *largest_map, const ohmi_node *nodes,
                         int n_nodes, const ohmi_layer *convs, int image_bits, int input_bits) {
    for (int i = 0; i < n_nodes; i++) {
        const ohmi_node *node = &nodes[i];
        const int64_t values = (int64_t)node->c * node->h * node->w;
        ohmi_count_layer *layer = &layers[layer_before(nodes, i)];
        *largest_map =
            node->kind != OHMI_NODE_CONV && values > *largest_map ? values : *largest_map;
        switch (node->kind) {
        case OHMI_NODE_CONV: {
            const ohmi_conv *o = &convs[node->layer].shape;
            const bool is_image = nodes[node->input].kind == OHMI_NODE_INPUT;
            ohmi_count_layer *own = &layers[node->layer];
            (void)snprintf(own->name, sizeof own->name, "%s", convs[node->layer].name);
            own->vectors = (int64_t)o->p * o->q;
            own->planes = is_image ? image_bits : input_bits;
            break;
        }
        case OHMI_NODE_NORM:
            layer->relu_values += node->has_relu ? values : 0;
            layer->residual_values += node->residual >= 0 ? values : 0;
            layer->buffer_written += is_kept(nodes, n_nodes, i) ? values : 0;
            break;
        case OHMI_NODE_MAXPOOL:
            layer->pool_operations += values * (node->window * node->window - 1);
            layer->buffer_written += values;
            break;
        case OHMI_NODE_AVGPOOL: {
            const ohmi_node *input = &nodes[node->input];
            layer->pool_operations += values * ((int64_t)input->h * input->w - 1);
            layer->buffer_written += values;
            break;
        }
        case OHMI_NODE_HEAD:
        case OHMI_NODE_INPUT:
            break;
        }
    }
}

// the same for a run, with its classifiers
static void read_nodes(ohmi_workload *work) {
    const ohmi_network *network = work->learner->network;
    ohmi_workload_nodes(work->layers, &work->largest_map, network->nodes, network->n_nodes,
                        network->layers, (int)work->learner->config->quantise.input_bits,
                        (int)work->input_bits);
    // the classifiers, side by side
    for (int l = network->n_layers; l < work->n_layers; l++) {
        const ohmi_node *head = &network->nodes[network->n_nodes - 1];
        const ohmi_node *input = &network->nodes[head->input];
        (void)snprintf(work->layers[l].name, sizeof work->layers[l].name, "%s",
                       work->place->layers[l].name);
        work->layers[l].vectors = 1;
        // a mean over a map is taken as the sum that it is a part of
        const ohmi_node *before =
            &network->nodes[input->kind == OHMI_NODE_AVGPOOL ? input->input : 0];
        const double n_values =
            input->kind == OHMI_NODE_AVGPOOL ? (double)before->h * before->w : 1;
        work->head_scale = n_values;
        work->layers[l].planes = bits_of((double)work->learner->activation_grid.top * n_values);
    }
}

ohm_status ohmi_workload_new(ohmi_workload **out, const ohmi_learner *learner, int n_tasks,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_config *config = learner->config;
    ohmi_workload *work = ohmi_alloc(1, sizeof *work);
    *out = NULL;
    if (!work) {
        return no_memory(err);
    }
    work->learner = learner;
    work->n_tasks = n_tasks;
    work->is_element = config->method.unit == OHMI_UNIT_ELEMENT;
    work->is_alone = config->method.growth == OHMI_GROWTH_DENSE;
    work->has_copies = learner->traits->has_copies;
    work->input_bits = bits_of((double)learner->activation_grid.top);
    work->head_scale = 1;
    OHM_TRY(place(&work->place, work, config->array.columns, config->array.cell_bits,
                  config->array.weight_scheme, err));
    work->n_layers = work->place->n_layers;
    const size_t n_layers = (size_t)work->n_layers;
    work->layers = ohmi_alloc(n_layers, sizeof *work->layers);
    work->tasks = ohmi_alloc((size_t)n_tasks, sizeof *work->tasks);
    work->codes = ohmi_alloc(n_layers, sizeof *work->codes);
    if (!work->layers || !work->tasks || !work->codes) {
        status = no_memory(err);
        goto done;
    }
    read_nodes(work);
    for (int l = 0; l < work->n_layers; l++) {
        OHM_TRY(read_codes(work, l, err));
    }
    for (int t = 0; t < n_tasks; t++) {
        (void)snprintf(work->tasks[t].name, sizeof work->tasks[t].name, "%s",
                       learner->tasks->task[t].name);
        work->tasks[t].accuracy = learner->learned[t].accuracy;
        OHM_TRY(read_masks(work, t, err));
        OHM_TRY(read_shifts(&work->tasks[t], work, t, err));
    }
    if (work->has_copies) {
        OHM_TRY(count_copies(work, err));
    }
    *out = work;
    work = NULL;
done:
    ohmi_workload_free(&work);
    return status;
}

// the inputs of the classifier: codes, or the sums whose means they are
static void add_head_ones(double *ones, const ohmi_workload *work, const ohmi_network *network,
                          int n) {
    const ohmi_node *input = &network->nodes[network->nodes[network->n_nodes - 1].input];
    const float scale = (float)work->head_scale;
    const int planes = work->layers[network->n_layers].planes;
    for (int image = 0; image < n; image++) {
        for (int c = 0; c < network->head_inputs; c++) {
            const float code = rintf(input->value[(int64_t)image * input->c_pad + c] * scale);
            ohmi_count_ones(ones + c, &code, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, planes);
        }
    }
}

void ohmi_workload_add_ones(double *const *ones, const ohmi_workload *work,
                            const ohmi_network *network, int n) {
    for (int i = 0; i < network->n_nodes; i++) {
        const ohmi_node *node = &network->nodes[i];
        if (node->kind != OHMI_NODE_CONV) {
            continue;
        }
        const ohmi_node *input = &network->nodes[node->input];
        const ohmi_conv *o = &network->layers[node->layer].shape;
        const int64_t x_stride = (int64_t)network->n_pad * o->c_pad;
        for (int image = 0; image < n; image++) {
            ohmi_count_ones(ones[node->layer], input->value + (int64_t)image * o->c_pad, o->c, o->h,
                            o->w, x_stride, o->w * x_stride, o->r, o->s, o->stride, o->pad, o->p,
                            o->q, work->layers[node->layer].planes);
        }
    }
    if (work->n_layers > network->n_layers) {
        add_head_ones(ones[network->n_layers], work, network, n);
    }
}

ohm_status ohmi_workload_run(ohmi_workload *work, ohmi_learner *learner, const ohmi_tasks *tasks,
                             int t, int64_t n_images, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_loader *loader = NULL;
    ohmi_work_task *task = &work->tasks[t];
    const ohmi_config *config = learner->config;
    ohmi_images images = tasks->task[t].test;
    images.n = n_images < images.n ? n_images : images.n;
    if (images.n < 1) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "task '%s' has no test images", task->name);
        goto done;
    }
    if (!task->ones) {
        task->ones = ohmi_alloc((size_t)work->n_layers, sizeof *task->ones);
    }
    for (int l = 0; task->ones && l < work->n_layers; l++) {
        const size_t run = (size_t)work->place->layers[l].layout.run;
        ohmi_free(task->ones[l]);
        task->ones[l] = ohmi_alloc(run, sizeof **task->ones);
        if (!task->ones[l]) {
            status = no_memory(err);
            goto done;
        }
    }
    if (!task->ones) {
        status = no_memory(err);
        goto done;
    }

    // the integer path, batch by batch
    const ohmi_loader_def def = {
        .seed = config->seed,
        .batch = learner->network->batch,
        .input_step = ohmi_input_step(config),
        .input_max = (float)((1 << (config->quantise.input_bits - 1)) - 1),
    };
    ohmi_learner_activate(learner, t, true);
    OHM_TRY(ohmi_loader_new(&loader, tasks, &def, err));
    ohmi_loader_start(loader, t, &images, 0, 0);
    task->n_images = 0;
    for (;;) {
        ohmi_batch batch;
        ohmi_loader_next(loader, &batch);
        if (batch.n == 0) {
            break;
        }
        ohmi_network_forward(learner->network, batch.x, batch.n, OHMI_MODE_INFER, 0);
        ohmi_workload_add_ones(task->ones, work, learner->network, batch.n);
        task->n_images += batch.n;
    }
    for (int l = 0; l < work->n_layers; l++) {
        for (int64_t i = 0; i < work->place->layers[l].layout.run; i++) {
            task->ones[l][i] /= (double)task->n_images;
        }
    }
    work->columns = 0; // the counts are old
done:
    ohmi_loader_free(&loader);
    return status;
}

void ohmi_workload_codes(int8_t *codes, const ohmi_workload *work, int layer, int task) {
    const ohmi_placed_layer *l = &work->place->layers[layer];
    const int64_t n = l->k * l->layout.run;
    memcpy(codes, work->codes[layer], (size_t)n);
    if (work->is_element && !l->is_head) {
        const uint8_t *bits = work->learner->learned[task].bits[layer];
        for (int64_t i = 0; i < n; i++) {
            codes[i] = (int8_t)(ohmi_bit(bits, i) ? codes[i] : 0);
        }
    }
    if (work->has_copies && !l->is_head) {
        ohmi_copies_codes(codes, work->learner, layer, task);
    }
}

// the same layers on other arrays, where there is no run behind them
static ohm_status place_again(ohmi_placed **out, const ohmi_workload *work, int64_t columns,
                              int64_t cell_bits, ohmi_coding coding, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_place_def def = {.rows = work->place->def.rows,
                                .columns = columns,
                                .cell_bits = (int)cell_bits,
                                .coding = coding};
    ohmi_place_layer *layers = ohmi_alloc((size_t)work->n_layers, sizeof *layers);
    *out = NULL;
    if (!layers) {
        return no_memory(err);
    }
    for (int l = 0; l < work->n_layers; l++) {
        const ohmi_placed_layer *layer = &work->place->layers[l];
        layers[l] = (ohmi_place_layer){.name = layer->name,
                                       .k = layer->k,
                                       .c = layer->c,
                                       .r = layer->r,
                                       .s = layer->s,
                                       .layout = layer->layout,
                                       .own = layer->own,
                                       .weight_top = layer->weight_top};
    }
    OHM_TRY(ohmi_place_new(out, layers, work->n_layers, &def, err));
done:
    ohmi_free(layers);
    return status;
}

ohm_status ohmi_workload_count(ohmi_workload *work, const ohmi_hardware *hardware, ohm_error *err) {
    ohm_status status = OHM_OK;
    double *column_levels = NULL;
    int8_t *codes = NULL;
    const bool has_data = work->tasks[0].ones != NULL;
    const bool is_apart = work->is_element || work->has_copies; // codes differ from task to task
    if (work->columns == hardware->array.columns && work->cell_bits == hardware->cell.bits &&
        work->coding == hardware->cell.sign &&
        (has_data ||
         (work->input_ones <= hardware->input_ones && work->input_ones >= hardware->input_ones))) {
        return OHM_OK;
    }
    ohmi_placed *placed = NULL;
    OHM_TRY((work->learner ? place : place_again)(&placed, work, hardware->array.columns,
                                                  hardware->cell.bits, hardware->cell.sign, err));
    ohmi_place_free(&work->place);
    work->place = placed;
    for (int l = 0; l < work->n_layers; l++) {
        const ohmi_placed_layer *layer = &work->place->layers[l];
        ohmi_count_layer_of(&work->layers[l], layer);
        if (work->layers[l].tree_inputs > OHMI_MOST_TREE) {
            status =
                ohmi_fail(err, OHM_ERR_UNSUPPORTED, "'%s' has %lld row groups, at most %d",
                          layer->name, (long long)work->layers[l].tree_inputs, (int)OHMI_MOST_TREE);
            goto done;
        }
        ohmi_free(column_levels);
        ohmi_free(codes);
        column_levels = ohmi_alloc((size_t)layer->layout.n_units, sizeof *column_levels);
        codes = is_apart ? ohmi_alloc((size_t)(layer->k * layer->layout.run), 1) : NULL;
        if (!column_levels || (is_apart && !codes)) {
            status = no_memory(err);
            goto done;
        }
        for (int t = 0; t < work->n_tasks; t++) {
            ohmi_work_task *task = &work->tasks[t];
            if (is_apart) {
                ohmi_workload_codes(codes, work, l, t);
            }
            const ohmi_masked_layer masked = {.on = task->on[l],
                                              .codes = codes ? codes : work->codes[l],
                                              .shifts = task->shifts ? task->shifts[l] : NULL,
                                              .column_levels = column_levels};
            const ohmi_input_ones ones = {.ones = task->ones ? task->ones[l] : NULL,
                                          .part = hardware->input_ones};
            if (!ones.ones && (t == 0 || codes)) {
                ohmi_count_levels(column_levels, work->place, l, masked.codes);
            }
            ohmi_count_task(&task->count[l], &work->layers[l], work->place, l, &masked, &ones);
        }
    }
    work->columns = hardware->array.columns;
    work->cell_bits = hardware->cell.bits;
    work->coding = hardware->cell.sign;
    work->input_ones = hardware->input_ones;
done:
    ohmi_free(column_levels);
    ohmi_free(codes);
    return status;
}
