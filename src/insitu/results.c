// SPDX-License-Identifier: Apache-2.0
// insitu.json; see results.h.
#include "insitu/results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/fail.h"

const char ohmi_insitu_reconstruction[] =
    "which writes are left out, granularities and thresholds, and the machine: of the paper "
    "(IEEE Trans. Computers 72(11), 2023) only the abstract could be had";

static const char *const class_names[OHMI_N_CLASSES] = {"activation", "error", "weight",
                                                        "transposed"};
static const char *const read_names[OHMI_N_READS] = {"forward", "backward", "gradient"};

static json_t *real(double v) {
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *whole(double v) {
    return json_integer((json_int_t)v);
}

static void set(json_t *object, const char *key, json_t *value) {
    (void)json_object_set_new(object, key, value);
}

// numbers by name
static json_t *by_name(const double *v, const char *const *names, int n, bool is_count) {
    json_t *object = json_object();
    for (int i = 0; i < n; i++) {
        set(object, names[i], is_count ? whole(v[i]) : real(v[i]));
    }
    return object;
}

static void add_counts(json_t *to, const ohmi_insitu_counts *n) {
    set(to, "writes", by_name(n->writes, class_names, OHMI_N_CLASSES, true));
    set(to, "pulses", by_name(n->pulses, class_names, OHMI_N_CLASSES, true));
    set(to, "rows_written", by_name(n->rows, class_names, OHMI_N_CLASSES, true));
    set(to, "pulses_in_turn", by_name(n->serial, class_names, OHMI_N_CLASSES, true));
    set(to, "reads", by_name(n->reads, read_names, OHMI_N_READS, true));
    set(to, "vectors", by_name(n->vectors, read_names, OHMI_N_READS, true));
    set(to, "rows_kept", whole(n->rows_kept));
    set(to, "rows_left_out", whole(n->rows_left));
    set(to, "errors_left_out", whole(n->errors_left));
}

static json_t *layer_of(const ohmi_insitu_chip *chip, const ohmi_config *config, int i) {
    const ohmi_placed_layer *place = &chip->place->layers[i];
    const ohmi_rows *rows = chip->rows[i];
    json_t *layer = json_object();
    double most, mean;
    set(layer, "name", json_string(place->name));
    set(layer, "arrays", whole((double)place->n_arrays));
    set(layer, "copies", whole(ohmi_insitu_copies(rows, config)));
    set(layer, "threshold_activation", real(rows->state[OHMI_ROWS_ACTIVATION]));
    set(layer, "threshold_error", real(rows->state[OHMI_ROWS_ERROR]));
    set(layer, "gradient_rows", whole((double)rows->n_rows));
    set(layer, "gradient_row_cells", whole((double)rows->row_cells));
    add_counts(layer, &chip->counts[i]);
    ohmi_cells_wear(chip->cells[i], &most, &mean);
    set(layer, "most_writes_weight", whole(most));
    set(layer, "mean_writes_weight", real(mean));
    ohmi_rows_wear(rows, &most, &mean);
    set(layer, "most_writes_operand", whole(most));
    set(layer, "mean_writes_operand", real(mean));
    return layer;
}

// writes of the cells of the array of weights that has the most worn one
static json_t *wear_map(const ohmi_insitu_chip *chip) {
    const ohmi_cells *worn = chip->cells[0];
    int64_t place = 0;
    uint32_t most = 0;
    for (int i = 0; i < chip->n_layers; i++) {
        const ohmi_cells *c = chip->cells[i];
        const int64_t n = c->place->layout.k * c->place->layout.run * c->place->lines;
        for (int64_t at = 0; at < n; at++) {
            if (c->wear[at] > most) {
                most = c->wear[at];
                worn = c;
                place = at / c->place->lines;
            }
        }
    }
    const ohmi_placed_layer *placed = worn->place;
    const int64_t run = placed->layout.run, k = place / run, weight = place % run;
    const int64_t g = weight / placed->layout.span;
    const int64_t tile = weight % placed->layout.span / worn->rows;
    const ohmi_place_spot spot = ohmi_place_column(placed, k, g, tile);
    const ohmi_place_array at = ohmi_place_array_at(chip->place, spot.array);
    json_t *map = json_object(), *grid = json_array();
    for (int64_t row = 0; row < at.n_rows; row++) {
        json_t *line = json_array();
        for (int64_t bit_line = 0; bit_line < at.n_lines; bit_line++) {
            int64_t output;
            int digit;
            ohmi_place_line(&output, &digit, placed, &at, bit_line);
            const int64_t w = output * run + g * placed->layout.span + at.first_weight + row;
            const uint32_t n = output < 0 ? 0 : worn->wear[w * placed->lines + digit];
            (void)json_array_append_new(line, json_integer((json_int_t)n));
        }
        (void)json_array_append_new(grid, line);
    }
    set(map, "layer", json_string(placed->name));
    set(map, "array", whole((double)spot.array));
    set(map, "rows", whole((double)at.n_rows));
    set(map, "columns", whole((double)at.n_lines));
    set(map, "writes", grid);
    return map;
}

// the constants that were priced with
static json_t *machine_of(const ohmi_config *config) {
    json_t *machine = json_object();
    set(machine, "read_energy_j", real(config->machine.read_j));
    set(machine, "read_time_s", real(config->machine.read_s));
    set(machine, "write_energy_j", real(config->machine.write_j));
    set(machine, "write_time_s", real(config->machine.write_s));
    set(machine, "endurance_writes", real(config->machine.endurance));
    set(machine, "gpu_power_w", real(config->machine.gpu_w));
    set(machine, "gpu_rate_flop_hz", real(config->machine.gpu_flop_hz));
    set(machine, "vectors", whole((double)config->machine.vectors));
    return machine;
}

// whether nothing is left out: what ratios are to
static bool is_plain(const ohmi_config *config) {
    return !config->insitu.compare && config->insitu.budget == OHMI_BUDGET_NONE &&
           config->insitu.activation <= 0 && config->insitu.activation_ratio <= 0 &&
           config->insitu.error <= 0 && config->insitu.error_ratio <= 0 &&
           config->insitu.weight <= 0;
}

json_t *ohmi_insitu_training(const ohmi_insitu_chip *chip, const ohmi_config *config,
                             const char *folder) {
    char path[1024];
    ohmi_insitu_price price;
    (void)snprintf(path, sizeof path, "%.990s/metrics.json", folder);
    json_t *metrics = json_load_file(path, 0, NULL);
    if (!metrics) {
        return NULL;
    }
    ohmi_insitu_price_of(&price, chip, config);
    json_t *root = json_object(), *layers = json_array(), *accuracy = json_array(), *task;
    size_t t;
    json_array_foreach(json_object_get(metrics, "tasks"), t, task) {
        (void)json_array_append(accuracy, json_object_get(task, "accuracy"));
    }
    (void)json_object_set(root, "mean_accuracy", json_object_get(metrics, "mean_accuracy"));
    set(root, "accuracy", accuracy);
    set(root, "plain", json_boolean(is_plain(config)));
    set(root, "epochs", whole(price.epochs));
    set(root, "images", whole(price.images));
    set(root, "batches", whole(chip->counts[0].batches));
    add_counts(root, &price.all);
    set(root, "energy_j", real(price.energy_j));
    set(root, "energy_write_j", by_name(price.write_j, class_names, OHMI_N_CLASSES, false));
    set(root, "energy_read_j", by_name(price.read_j, read_names, OHMI_N_READS, false));
    set(root, "time_s", real(price.time_s));
    set(root, "time_pipeline_s", real(price.pipeline_s));
    set(root, "time_update_s", real(price.update_s));
    set(root, "cycle_s", real(price.cycle_s));
    set(root, "cycle_layer", json_string(chip->place->layers[price.slowest_layer].name));
    set(root, "cycle_stage", json_string(price.slowest_stage));
    json_t *wear = json_object();
    set(wear, "max_writes", whole(fmax(price.most_weight, price.most_operand)));
    set(wear, "max_writes_weight", whole(price.most_weight));
    set(wear, "mean_writes_weight", real(price.mean_weight));
    set(wear, "max_writes_operand", whole(price.most_operand));
    set(wear, "mean_writes_operand", real(price.mean_operand));
    set(root, "wear", wear);
    json_t *life = json_object();
    set(life, "endurance_writes", real(config->machine.endurance));
    set(life, "epochs", real(price.lifetime_epochs));
    set(life, "seconds", real(price.lifetime_s));
    set(life, "epochs_weight", real(config->machine.endurance * price.epochs / price.most_weight));
    set(life, "epochs_operand",
        real(config->machine.endurance * price.epochs / price.most_operand));
    set(root, "lifetime", life);
    json_t *gpu = json_object();
    set(gpu, "energy_j", real(price.gpu_j));
    set(gpu, "time_s", real(price.gpu_s));
    set(root, "gpu", gpu);
    set(root, "machine", machine_of(config));
    for (int i = 0; i < chip->n_layers; i++) {
        (void)json_array_append_new(layers, layer_of(chip, config, i));
    }
    set(root, "by_epoch", ohmi_insitu_epochs(folder));
    set(root, "layers", layers);
    set(root, "wear_map", wear_map(chip));
    json_decref(metrics);
    return root;
}

static double number(const json_t *root, const char *key, const char *inner) {
    const json_t *value = json_object_get(root, key);
    value = inner ? json_object_get(value, inner) : value;
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static double sum_of(const json_t *root, const char *key) {
    const char *name;
    json_t *value;
    double sum = 0;
    json_object_foreach(json_object_get(root, key), name, value) {
        sum += json_number_value(value);
    }
    return sum;
}

// how many times less the first takes than the second
static json_t *ratios_of(const json_t *trained, const json_t *plain) {
    json_t *ratios = json_object();
    set(ratios, "energy",
        real(number(plain, "energy_j", NULL) / number(trained, "energy_j", NULL)));
    set(ratios, "time", real(number(plain, "time_s", NULL) / number(trained, "time_s", NULL)));
    set(ratios, "lifetime",
        real(number(trained, "lifetime", "epochs") / number(plain, "lifetime", "epochs")));
    set(ratios, "writes", real(sum_of(plain, "writes") / sum_of(trained, "writes")));
    set(ratios, "pulses", real(sum_of(plain, "pulses") / sum_of(trained, "pulses")));
    set(ratios, "accuracy_points",
        real(100 *
             (number(trained, "mean_accuracy", NULL) - number(plain, "mean_accuracy", NULL))));
    set(ratios, "gpu_energy",
        real(number(trained, "gpu", "energy_j") / number(trained, "energy_j", NULL)));
    set(ratios, "gpu_time",
        real(number(trained, "gpu", "time_s") / number(trained, "time_s", NULL)));
    return ratios;
}

static ohm_status write_json(const char *folder, const char *name, const json_t *root,
                             ohm_error *err) {
    char path[1024];
    (void)snprintf(path, sizeof path, "%.980s/%s", folder, name);
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    ohm_status status = text ? ohmi_write_file(path, text, strlen(text), err)
                             : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", path);
    free(text);
    return status;
}

ohm_status ohmi_insitu_write(const char *folder, json_t *trained, json_t *plain, ohm_error *err) {
    ohm_status status = OHM_OK;
    char path[1024];
    json_t *root = json_object();
    json_t *ratios = plain ? ratios_of(trained, plain) : json_null();
    (void)snprintf(path, sizeof path, "%.990s/metrics.json", folder);
    json_t *metrics = json_load_file(path, 0, NULL);
    set(root, "schema", json_integer(1));
    set(root, "reconstruction", json_string(ohmi_insitu_reconstruction));
    (void)json_object_set(root, "trained", trained);
    set(root, "plain", plain ? json_incref(plain) : json_null());
    (void)json_object_set(root, "ratios", ratios);
    if (!metrics) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is missing or is no JSON", path);
        goto done;
    }
    OHM_TRY(write_json(folder, "insitu.json", root, err));

    // what a reader of the run must know; a method that is a reconstruction itself stays one
    json_t *there = json_object_get(metrics, "reconstruction");
    char text[512];
    (void)snprintf(text, sizeof text, "%s%s%s",
                   json_is_string(there) ? json_string_value(there) : "",
                   json_is_string(there) ? "; " : "", ohmi_insitu_reconstruction);
    set(metrics, "reconstruction", json_string(text));
    json_t *summary = json_object();
    static const char *const keys[] = {"plain",     "energy_j",      "time_s", "writes",  "pulses",
                                       "rows_kept", "rows_left_out", "wear",   "lifetime"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        (void)json_object_set(summary, keys[i], json_object_get(trained, keys[i]));
    }
    (void)json_object_set(summary, "ratios", ratios);
    set(metrics, "insitu", summary);
    OHM_TRY(write_json(folder, "metrics.json", metrics, err));
done:
    json_decref(metrics);
    json_decref(ratios);
    json_decref(root);
    json_decref(trained);
    json_decref(plain);
    return status;
}
