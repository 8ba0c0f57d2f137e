// SPDX-License-Identifier: Apache-2.0
// The arrays of a run, riding along with its trainer; see chip.h.
#include "insitu/chip.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

static const char *const class_names[OHMI_N_CLASSES] = {"activation", "error", "weight",
                                                        "transposed"};

// the node whose value a convolution takes, behind pools
static const ohmi_node *source_of(const ohmi_network *network, const ohmi_node *conv) {
    const ohmi_node *node = &network->nodes[conv->input];
    while (node->kind == OHMI_NODE_MAXPOOL) {
        node = &network->nodes[node->input];
    }
    return node;
}

// what cells cannot hold is refused
static ohm_status check(const ohmi_learner *learner, ohm_error *err) {
    ohm_status status = OHM_OK;
    if (!learner->is_quantised) {
        status = ohmi_fail(err, OHM_ERR_CONFIG, "a run in float has no integers for cells");
        ohmi_hint(err, "set quantise.weight_bits=4 quantise.activation_bits=4");
    } else if (learner->traits->has_copies) {
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                           "tasks of method '%s' have weights of their own, for which these arrays "
                           "have no place",
                           learner->config->method.preset);
        ohmi_hint(err, "train with a method whose weights exist once, as xst, packnet or dense");
    } else if (learner->adapt || learner->config->adapt.profile[0]) {
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                           "'adapt' is for chips that are programmed once, not trained on");
        ohmi_hint(err, "leave out 'adapt.noise' and 'adapt.profile'");
    }
    return status;
}

// places the layers on arrays, columns as long as those have word lines
static ohm_status place(ohmi_insitu_chip *chip, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_learner *learner = chip->learner;
    const ohmi_config *config = learner->config;
    const ohmi_place_def def = {.rows = config->array.rows,
                                .columns = config->array.columns,
                                .cell_bits = (int)config->array.cell_bits,
                                .coding = config->array.weight_scheme};
    ohmi_place_layer *layers = ohmi_alloc((size_t)chip->n_layers, sizeof *layers);
    uint8_t *nobody = NULL;
    int64_t most = 1;
    if (!layers) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to place the layers");
        goto done;
    }
    for (int i = 0; i < chip->n_layers; i++) {
        const ohmi_layer *layer = &learner->network->layers[i];
        const ohmi_conv *o = &layer->shape;
        const int64_t taps = (int64_t)o->r * o->s;
        layers[i] = (ohmi_place_layer){.name = layer->name,
                                       .k = o->k,
                                       .c = o->c,
                                       .r = o->r,
                                       .s = o->s,
                                       .weight_top = (int)learner->weight_grid.top};
        OHM_TRY(ohmi_layout_cut(&layers[i].layout, o->k, o->c, o->r, o->s,
                                def.rows > taps ? def.rows : taps, OHMI_UNIT_COLUMN, err));
        most = layers[i].layout.n_units > most ? layers[i].layout.n_units : most;
        chip->macs += (double)o->p * o->q * (double)layer->n_weights;
    }
    nobody = ohmi_alloc((size_t)most, 1);
    if (!nobody) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to place the layers");
        goto done;
    }
    for (int i = 0; i < chip->n_layers; i++) {
        layers[i].own = nobody;
    }
    OHM_TRY(ohmi_place_new(&chip->place, layers, chip->n_layers, &def, err));
done:
    ohmi_free(layers);
    ohmi_free(nobody);
    return status;
}

// what a batch programs and reads, for the network's backward pass
static const float *errors(void *context, float *dy, const float *x, const ohmi_conv *shape,
                           int layer, int n) {
    ohmi_insitu_chip *chip = context;
    (void)shape;
    return ohmi_rows_errors(chip->rows[layer], &chip->room, dy, x, n, &chip->counts[layer]);
}

static ohm_status begin(void *context, ohmi_learner *learner, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_insitu_chip *chip = context;
    ohmi_network *network = learner->network;
    chip->learner = learner;
    chip->n_layers = network->n_layers;
    chip->state[OHMI_CHIP_KEEP] = 1 - learner->config->insitu.error_ratio;
    const size_t n = (size_t)chip->n_layers;
    OHM_TRY(check(learner, err));
    OHM_TRY(place(chip, err));
    chip->cells = ohmi_alloc(n, sizeof *chip->cells);
    chip->rows = ohmi_alloc(n, sizeof *chip->rows);
    chip->counts = ohmi_alloc(n, sizeof *chip->counts);
    chip->before = ohmi_alloc(n, sizeof *chip->before);
    if (!chip->cells || !chip->rows || !chip->counts || !chip->before) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the arrays of a run");
        goto done;
    }
    for (int i = 0; i < network->n_nodes; i++) {
        const ohmi_node *node = &network->nodes[i];
        if (node->kind != OHMI_NODE_CONV) {
            continue;
        }
        const ohmi_node *source = source_of(network, node);
        const bool is_image = source->kind == OHMI_NODE_INPUT;
        if (!is_image && !(source->kind == OHMI_NODE_NORM && source->is_quantised)) {
            status =
                ohmi_fail(err, OHM_ERR_UNSUPPORTED,
                          "the inputs of '%s' are no integers that cells could hold", node->name);
            goto done;
        }
        const ohmi_placed_layer *placed = &chip->place->layers[node->layer];
        OHM_TRY(
            ohmi_rows_new(&chip->rows[node->layer], learner, node->layer, placed, is_image, err));
        OHM_TRY(ohmi_cells_new(&chip->cells[node->layer], learner, node->layer, placed,
                               chip->place->def.rows, chip->place->def.cell_bits, !is_image, err));
        const ohmi_cells *cells = chip->cells[node->layer];
        learner->units[node->layer].cells = cells->pulses ? cells->pulses->value : cells->held;
        learner->has_loose_cells = cells->pulses != NULL;
    }
    OHM_TRY(ohmi_rows_room_make(&chip->room, chip->rows, chip->n_layers, err));
    network->error_hook = errors;
    network->error_context = chip;
done:
    return status;
}

static void add_view(ohmi_view *views, int *n, const char *layer, const char *what,
                     ohmi_dtype dtype, void *data, int64_t count) {
    char name[96];
    if (views) {
        (void)snprintf(name, sizeof name, "insitu/%.60s/%s", layer, what);
        views[*n] = ohmi_view_of(name, dtype, data, 1, count, 0, 0, 0);
    }
    *n += 1;
}

static int views_of(void *context, ohmi_view *views) {
    ohmi_insitu_chip *chip = context;
    int n = 0;
    for (int i = 0; i < chip->n_layers; i++) {
        const char *name = chip->place->layers[i].name;
        const ohmi_cells *c = chip->cells[i];
        const ohmi_rows *r = chip->rows[i];
        const int64_t n_weights = c->place->layout.k * c->place->layout.run;
        const int64_t n_units = chip->learner->units[i].layout.n_units;
        const int64_t n_cells = r->n_rows * r->row_cells;
        add_view(views, &n, name, "held", OHMI_F32, c->held, n_weights);
        add_view(views, &n, name, "owner", OHMI_U8, c->owner, n_units);
        add_view(views, &n, name, "wear", OHMI_I32, c->wear, n_weights * c->place->lines);
        if (c->pulses) {
            add_view(views, &n, name, "level", OHMI_F32, c->pulses->level,
                     n_weights * c->place->lines);
            add_view(views, &n, name, "value", OHMI_F32, c->pulses->value, n_weights);
        }
        add_view(views, &n, name, "rows_held", OHMI_U8, r->held, n_cells);
        add_view(views, &n, name, "rows_wear", OHMI_I32, r->wear, n_cells);
        add_view(views, &n, name, "rows_state", OHMI_F64, chip->rows[i]->state, OHMI_N_ROWS_STATE);
        add_view(views, &n, name, "counts", OHMI_F64, &chip->counts[i], OHMI_N_COUNTS);
        add_view(views, &n, name, "before", OHMI_F64, &chip->before[i], OHMI_N_COUNTS);
    }
    add_view(views, &n, "all", "state", OHMI_F64, chip->state, OHMI_N_CHIP_STATE);
    return n;
}

// writes what is due, all arrays side by side
static void write_all(ohmi_insitu_chip *chip, bool is_update) {
    double slowest = 0;
    for (int i = 0; i < chip->n_layers; i++) {
        const ohmi_insitu_counts was = chip->counts[i];
        ohmi_cells_write(chip->cells[i], is_update, &chip->counts[i]);
        for (int class = OHMI_CLASS_WEIGHT; class <= OHMI_CLASS_TRANSPOSED; class ++) {
            const double serial = chip->counts[i].serial[class] - was.serial[class];
            slowest = serial > slowest ? serial : slowest;
        }
    }
    chip->state[OHMI_CHIP_UPDATE_SERIAL] += slowest;
}

// columns may be new, steps of codes may have changed, a phase may have gone back
static void refresh(void *context, ohmi_learner *learner) {
    (void)learner;
    write_all(context, false);
}

// what has been spent an image since the budget was last looked at, in the budget's unit
static double spent(ohmi_insitu_chip *chip, const ohmi_config *config) {
    ohmi_insitu_counts all = {0};
    double pulses = 0, reads = 0, writes = 0, most = 0;
    for (int i = 0; i < chip->n_layers; i++) {
        double worn, mean;
        ohmi_insitu_add(&all, &chip->counts[i]);
        ohmi_rows_wear(chip->rows[i], &worn, &mean);
        most = worn > most ? worn : most;
        ohmi_cells_wear(chip->cells[i], &worn, &mean);
        most = worn > most ? worn : most;
    }
    for (int class = 0; class < OHMI_N_CLASSES; class ++) {
        pulses += all.pulses[class];
        writes += all.writes[class];
    }
    for (int kind = 0; kind < OHMI_N_READS; kind++) {
        reads += all.reads[kind];
    }
    double *then = chip->state;
    const double images = chip->counts[0].images - then[OHMI_CHIP_IMAGES];
    const double in_energy = (pulses - then[OHMI_CHIP_PULSES]) * config->machine.write_j +
                             (reads - then[OHMI_CHIP_READS]) * config->machine.read_j;
    const double in_writes = writes - then[OHMI_CHIP_WRITES];
    const double in_wear = most - then[OHMI_CHIP_MOST];
    then[OHMI_CHIP_IMAGES] = chip->counts[0].images;
    then[OHMI_CHIP_PULSES] = pulses;
    then[OHMI_CHIP_READS] = reads;
    then[OHMI_CHIP_WRITES] = writes;
    then[OHMI_CHIP_MOST] = most;
    return (config->insitu.budget == OHMI_BUDGET_ENERGY   ? in_energy
            : config->insitu.budget == OHMI_BUDGET_WRITES ? in_writes
                                                          : in_wear) /
           images;
}

// a part of the rows that meets the budget, from what the last part took
static void follow_budget(ohmi_insitu_chip *chip, const ohmi_learner *learner) {
    const ohmi_config *config = learner->config;
    const int t = (int)learner->position.task;
    double budget = config->insitu.budget_value;
    if (config->insitu.budget == OHMI_BUDGET_LIFETIME) {
        // writes of the most worn cell an image
        budget = config->machine.endurance / budget / (double)learner->tasks->task[t].train.n;
    }
    const double measured = spent(chip, config);
    double keep = chip->state[OHMI_CHIP_KEEP] * (measured > 0 ? budget / measured : 1);
    keep = keep < 0.01 ? 0.01 : keep > 1 ? 1 : keep;
    chip->state[OHMI_CHIP_KEEP] = keep;
    for (int i = 0; i < chip->n_layers; i++) {
        chip->rows[i]->state[OHMI_ROWS_RATIO] = 1 - keep;
    }
}

static void after_step(void *context, ohmi_learner *learner) {
    ohmi_insitu_chip *chip = context;
    const ohmi_config *config = learner->config;
    write_all(chip, true);
    if (config->insitu.budget != OHMI_BUDGET_NONE &&
        llround(chip->counts[0].batches) % config->insitu.every == 0) {
        follow_budget(chip, learner);
    }
}

// the rows of one layer, or of all together
static ohm_status count_rows(const ohmi_insitu_counts *now, const ohmi_insitu_counts *then,
                             const char *split, ohmi_rider_row *row, void *context,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    char name[48];
    for (int class = 0; class < OHMI_N_CLASSES; class ++) {
        (void)snprintf(name, sizeof name, "writes_%s", class_names[class]);
        OHM_TRY(row(context, split, name, now->writes[class] - then->writes[class], "cells", err));
        (void)snprintf(name, sizeof name, "pulses_%s", class_names[class]);
        OHM_TRY(row(context, split, name, now->pulses[class] - then->pulses[class], "1", err));
    }
    double reads = 0;
    for (int kind = 0; kind < OHMI_N_READS; kind++) {
        reads += now->reads[kind] - then->reads[kind];
    }
    OHM_TRY(row(context, split, "reads", reads, "cells", err));
    OHM_TRY(row(context, split, "rows_kept", now->rows_kept - then->rows_kept, "rows", err));
    OHM_TRY(row(context, split, "rows_left", now->rows_left - then->rows_left, "rows", err));
done:
    return status;
}

static ohm_status after_epoch(void *context, ohmi_learner *learner, ohmi_rider_row *row,
                              void *row_context, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_insitu_chip *chip = context;
    ohmi_insitu_counts now = {0}, then = {0};
    (void)learner;
    double most_weight = 0, most_operand = 0;
    for (int i = 0; i < chip->n_layers; i++) {
        double most, mean;
        char split[80];
        (void)snprintf(split, sizeof split, "insitu:%.60s", chip->place->layers[i].name);
        OHM_TRY(count_rows(&chip->counts[i], &chip->before[i], split, row, row_context, err));
        ohmi_cells_wear(chip->cells[i], &most, &mean);
        most_weight = most > most_weight ? most : most_weight;
        OHM_TRY(row(row_context, split, "most_writes_weight", most, "1", err));
        ohmi_rows_wear(chip->rows[i], &most, &mean);
        most_operand = most > most_operand ? most : most_operand;
        OHM_TRY(row(row_context, split, "most_writes_operand", most, "1", err));
        ohmi_insitu_add(&now, &chip->counts[i]);
        ohmi_insitu_add(&then, &chip->before[i]);
    }
    OHM_TRY(count_rows(&now, &then, "insitu", row, row_context, err));
    OHM_TRY(row(row_context, "insitu", "most_writes_weight", most_weight, "1", err));
    OHM_TRY(row(row_context, "insitu", "most_writes_operand", most_operand, "1", err));
    memcpy(chip->before, chip->counts, (size_t)chip->n_layers * sizeof *chip->before);
    chip->state[OHMI_CHIP_EPOCHS] += 1;
done:
    return status;
}

static void freeze(void *context, ohmi_learner *learner) {
    const ohmi_insitu_chip *chip = context;
    (void)learner;
    write_all(context, false);
    for (int i = 0; i < chip->n_layers; i++) {
        ohmi_cells_settle(chip->cells[i]);
    }
}

ohmi_rider ohmi_insitu_rider(ohmi_insitu_chip *chip) {
    return (ohmi_rider){.name = "insitu",
                        .context = chip,
                        .begin = begin,
                        .views = views_of,
                        .refresh = refresh,
                        .after_step = after_step,
                        .after_epoch = after_epoch,
                        .freeze = freeze};
}

void ohmi_insitu_chip_clear(ohmi_insitu_chip *chip) {
    for (int i = 0; i < chip->n_layers; i++) {
        if (chip->cells) {
            ohmi_cells_free(&chip->cells[i]);
        }
        if (chip->rows) {
            ohmi_rows_free(&chip->rows[i]);
        }
    }
    ohmi_free(chip->cells);
    ohmi_free(chip->rows);
    ohmi_free(chip->counts);
    ohmi_free(chip->before);
    ohmi_rows_room_clear(&chip->room);
    ohmi_place_free(&chip->place);
    memset(chip, 0, sizeof *chip);
}
