// SPDX-License-Identifier: Apache-2.0
// A run as work for the arrays; see workload.h.
//
// A column is on in a task when the task's mask says so; of an element-wise method when one of its
// weights is on. Codes are those of all owned weights: Q(w) / step, as the network multiplies with.
#include "hardware/workload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "data/loader.h"
#include "learn/evaluate.h"

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
            ohmi_free(w->tasks[t].ones ? w->tasks[t].ones[l] : NULL);
        }
        ohmi_free(w->tasks[t].on);
        ohmi_free(w->tasks[t].ones);
        ohmi_free(w->tasks[t].count);
    }
    for (int l = 0; l < w->n_layers; l++) {
        ohmi_free(w->codes ? w->codes[l] : NULL);
        ohmi_free(w->own ? w->own[l] : NULL);
    }
    ohmi_free(w->codes);
    ohmi_free(w->own);
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

// codes of all owned weights, and owners
static ohm_status read_layer(ohmi_workload *work, int l, ohm_error *err) {
    const ohmi_learner *learner = work->learner;
    const ohmi_layer *layer = &learner->network->layers[l];
    const ohmi_units *units = &learner->units[l];
    const ohmi_layout *layout = &units->layout;
    work->codes[l] = ohmi_alloc((size_t)layer->n_weights, 1);
    work->own[l] = ohmi_alloc((size_t)layout->n_units, 1);
    float *row = ohmi_alloc((size_t)layout->run, sizeof *row);
    if (!work->codes[l] || !work->own[l] || !row) {
        ohmi_free(row);
        return no_memory(err);
    }
    memcpy(work->own[l], units->own, (size_t)layout->n_units);
    for (int64_t k = 0; k < layout->k; k++) {
        int8_t *codes = work->codes[l] + k * layout->run;
        ohmi_grid_round_weights(row, layer->w + k * layout->run, layout->run, units->lsb,
                                &learner->weight_grid);
        for (int64_t g = 0; g < layout->n_groups; g++) {
            const int64_t u = k * layout->n_groups + g;
            const int64_t length = ohmi_layout_length(layout, u);
            for (int64_t i = g * layout->span; i < g * layout->span + length; i++) {
                codes[i] = (int8_t)(units->own[u] ? row[i] : 0.0f);
            }
        }
    }
    ohmi_free(row);
    return OHM_OK;
}

// the columns a task uses
static ohm_status read_masks(ohmi_workload *work, int t, ohm_error *err) {
    const ohmi_learner *learner = work->learner;
    ohmi_work_task *task = &work->tasks[t];
    task->on = ohmi_alloc((size_t)work->n_layers, sizeof *task->on);
    task->count = ohmi_alloc((size_t)work->n_layers, sizeof *task->count);
    if (!task->on || !task->count) {
        return no_memory(err);
    }
    for (int l = 0; l < work->n_layers; l++) {
        const ohmi_conv *o = &learner->network->layers[l].shape;
        const uint8_t *bits = learner->learned[t].bits[l];
        ohmi_layout columns;
        const ohm_status status = ohmi_layout_cut(
            &columns, o->k, o->c, o->r, o->s, learner->config->array.rows, OHMI_UNIT_COLUMN, err);
        if (status < 0) {
            return status;
        }
        const size_t size = (size_t)(columns.n_units + 7) / 8;
        task->on[l] = ohmi_alloc(size, 1);
        if (!task->on[l]) {
            return no_memory(err);
        }
        if (!work->is_element) {
            memcpy(task->on[l], bits, size);
            continue;
        }
        for (int64_t u = 0; u < columns.n_units; u++) {
            const int64_t first = ohmi_layout_offset(&columns, u);
            const int64_t length = ohmi_layout_length(&columns, u);
            bool is_on = false;
            for (int64_t i = first; i < first + length && !is_on; i++) {
                is_on = bits[i / 8] >> (i % 8) & 1;
            }
            task->on[l][u / 8] |= (uint8_t)(is_on << (u % 8));
        }
    }
    return OHM_OK;
}

// whether anything but pooling reads a node's values
static bool is_kept(const ohmi_network *network, int node) {
    for (int i = node + 1; i < network->n_nodes; i++) {
        const ohmi_node *n = &network->nodes[i];
        if (n->residual == node ||
            (n->input == node && n->kind != OHMI_NODE_MAXPOOL && n->kind != OHMI_NODE_AVGPOOL)) {
            return true;
        }
    }
    return false;
}

// the layer that feeds a node
static int layer_before(const ohmi_network *network, int node) {
    while (node > 0 && network->nodes[node].kind != OHMI_NODE_CONV) {
        node = network->nodes[node].input;
    }
    return node > 0 ? network->nodes[node].layer : 0;
}

// what follows each layer: activations, pooling, what is kept
static void read_nodes(ohmi_workload *work) {
    const ohmi_network *network = work->learner->network;
    for (int i = 0; i < network->n_nodes; i++) {
        const ohmi_node *node = &network->nodes[i];
        const int64_t values = (int64_t)node->c * node->h * node->w;
        ohmi_count_layer *layer = &work->layers[layer_before(network, i)];
        work->largest_map =
            node->kind != OHMI_NODE_CONV && values > work->largest_map ? values : work->largest_map;
        switch (node->kind) {
        case OHMI_NODE_CONV: {
            const ohmi_conv *o = &network->layers[node->layer].shape;
            const bool is_image = network->nodes[node->input].kind == OHMI_NODE_INPUT;
            ohmi_count_layer *own = &work->layers[node->layer];
            (void)snprintf(own->name, sizeof own->name, "%s", network->layers[node->layer].name);
            own->vectors = (int64_t)o->p * o->q;
            own->planes =
                is_image ? (int)work->learner->config->quantise.input_bits : (int)work->input_bits;
            break;
        }
        case OHMI_NODE_NORM:
            layer->relu_values += node->has_relu ? values : 0;
            layer->residual_values += node->residual >= 0 ? values : 0;
            layer->buffer_written += is_kept(network, i) ? values : 0;
            break;
        case OHMI_NODE_MAXPOOL:
            layer->pool_operations += values * (node->window * node->window - 1);
            layer->buffer_written += values;
            break;
        case OHMI_NODE_AVGPOOL: {
            const ohmi_node *input = &network->nodes[node->input];
            layer->pool_operations += values * ((int64_t)input->h * input->w - 1);
            layer->buffer_written += values;
            break;
        }
        case OHMI_NODE_INPUT:
        case OHMI_NODE_HEAD:
            break;
        }
    }
}

ohm_status ohmi_workload_new(ohmi_workload **out, const ohmi_learner *learner, int n_tasks,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_workload *work = ohmi_alloc(1, sizeof *work);
    *out = NULL;
    if (!work) {
        return no_memory(err);
    }
    work->learner = learner;
    work->n_layers = learner->network->n_layers;
    work->n_tasks = n_tasks;
    work->is_element = learner->config->method.unit == OHMI_UNIT_ELEMENT;
    work->is_alone = learner->config->method.growth == OHMI_GROWTH_DENSE;
    if (!learner->is_quantised) {
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                           "the run was learned in float: there are no codes to put into cells");
        ohmi_hint(err, "learn with quantise.weight_bits=4 quantise.activation_bits=4");
        goto done;
    }
    const size_t n_layers = (size_t)work->n_layers;
    work->input_bits = bits_of((double)learner->activation_grid.top);
    work->layers = ohmi_alloc(n_layers, sizeof *work->layers);
    work->tasks = ohmi_alloc((size_t)n_tasks, sizeof *work->tasks);
    work->codes = ohmi_alloc(n_layers, sizeof *work->codes);
    work->own = ohmi_alloc(n_layers, sizeof *work->own);
    if (!work->layers || !work->tasks || !work->codes || !work->own) {
        status = no_memory(err);
        goto done;
    }
    read_nodes(work);
    for (int l = 0; l < work->n_layers; l++) {
        OHM_TRY(read_layer(work, l, err));
    }
    for (int t = 0; t < n_tasks; t++) {
        (void)snprintf(work->tasks[t].name, sizeof work->tasks[t].name, "%s",
                       learner->tasks->task[t].name);
        work->tasks[t].accuracy = learner->learned[t].accuracy;
        OHM_TRY(read_masks(work, t, err));
    }
    *out = work;
    work = NULL;
done:
    ohmi_workload_free(&work);
    return status;
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
}

ohm_status ohmi_workload_run(ohmi_workload *work, ohmi_learner *learner, int t, int64_t n_images,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_loader *loader = NULL;
    ohmi_work_task *task = &work->tasks[t];
    const ohmi_config *config = learner->config;
    ohmi_images images = learner->tasks->task[t].test;
    images.n = n_images < images.n ? n_images : images.n;
    if (images.n < 1) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "task '%s' has no test images", task->name);
        goto done;
    }
    if (!task->ones) {
        task->ones = ohmi_alloc((size_t)work->n_layers, sizeof *task->ones);
    }
    for (int l = 0; task->ones && l < work->n_layers; l++) {
        const size_t run = (size_t)learner->units[l].layout.run;
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
    OHM_TRY(ohmi_loader_new(&loader, learner->tasks, &def, err));
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
        for (int64_t i = 0; i < learner->units[l].layout.run; i++) {
            task->ones[l][i] /= (double)task->n_images;
        }
    }
    work->columns = 0; // the counts are old
done:
    ohmi_loader_free(&loader);
    return status;
}

void ohmi_workload_codes(int8_t *codes, const ohmi_workload *work, int layer, int task) {
    const ohmi_learner *learner = work->learner;
    const ohmi_placed_layer *l = &work->place->layers[layer];
    const int64_t n = l->k * l->layout.run;
    memcpy(codes, work->codes[layer], (size_t)n);
    if (work->is_element) {
        const uint8_t *bits = learner->learned[task].bits[layer];
        for (int64_t i = 0; i < n; i++) {
            codes[i] = (int8_t)(bits[i / 8] >> (i % 8) & 1 ? codes[i] : 0);
        }
    }
}

// places the layers on the arrays that hardware has
static ohm_status place(ohmi_workload *work, const ohmi_hardware *hardware, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_network *network = work->learner->network;
    const ohmi_place_def def = {.rows = work->learner->config->array.rows,
                                .columns = hardware->array.columns,
                                .cell_bits = (int)hardware->cell.bits,
                                .coding = hardware->cell.sign};
    uint8_t *owners = NULL;
    ohmi_place_layer *layers = ohmi_alloc((size_t)work->n_layers, sizeof *layers);
    int64_t most = 0;
    for (int l = 0; l < work->n_layers; l++) {
        const int64_t n_weights = network->layers[l].n_weights;
        most = n_weights > most ? n_weights : most;
    }
    owners = ohmi_alloc((size_t)most, 1); // owners do not matter to what is counted here
    if (!layers || !owners) {
        status = no_memory(err);
        goto done;
    }
    for (int l = 0; l < work->n_layers; l++) {
        const ohmi_conv *o = &network->layers[l].shape;
        layers[l] = (ohmi_place_layer){
            .name = network->layers[l].name,
            .k = o->k,
            .c = o->c,
            .r = o->r,
            .s = o->s,
            .own = owners,
            .weight_top = (int)work->learner->weight_grid.top,
        };
        OHM_TRY(ohmi_layout_cut(&layers[l].layout, o->k, o->c, o->r, o->s, def.rows,
                                OHMI_UNIT_COLUMN, err));
    }
    ohmi_place_free(&work->place);
    OHM_TRY(ohmi_place_new(&work->place, layers, work->n_layers, &def, err));
done:
    ohmi_free(layers);
    ohmi_free(owners);
    return status;
}

ohm_status ohmi_workload_count(ohmi_workload *work, const ohmi_hardware *hardware, ohm_error *err) {
    ohm_status status = OHM_OK;
    double *column_levels = NULL;
    int8_t *codes = NULL;
    const bool has_data = work->tasks[0].ones != NULL;
    if (work->columns == hardware->array.columns && work->cell_bits == hardware->cell.bits &&
        work->coding == hardware->cell.sign &&
        (has_data ||
         (work->input_ones <= hardware->input_ones && work->input_ones >= hardware->input_ones))) {
        return OHM_OK;
    }
    if (work->learner) {
        OHM_TRY(place(work, hardware, err));
    }
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
        codes = work->is_element ? ohmi_alloc((size_t)(layer->k * layer->layout.run), 1) : NULL;
        if (!column_levels || (work->is_element && !codes)) {
            status = no_memory(err);
            goto done;
        }
        for (int t = 0; t < work->n_tasks; t++) {
            ohmi_work_task *task = &work->tasks[t];
            if (work->is_element) {
                ohmi_workload_codes(codes, work, l, t);
            }
            const ohmi_masked_layer masked = {.on = task->on[l],
                                              .codes = codes ? codes : work->codes[l],
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
