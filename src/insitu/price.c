// SPDX-License-Identifier: Apache-2.0
// Energy, time and lifetime of a run on crossbars; equations in price.h.
#include "insitu/price.h"

#include <math.h>
#include <string.h>

// bits of an input's magnitude, which are driven one after another
static double bits_of(double top) {
    double bits = 1;
    while (pow(2, bits) - 1 < top) {
        bits++;
    }
    return bits;
}

double ohmi_insitu_copies(const ohmi_rows *rows, const ohmi_config *config) {
    const double vectors = (double)rows->shape.p * rows->shape.q;
    return config->machine.vectors > 0 ? ceil(vectors / (double)config->machine.vectors) : 1;
}

// the longest stage of a layer, of an image in the mean
static double stage_of(const char **name, const ohmi_rows *rows, const ohmi_insitu_counts *n,
                       const ohmi_config *config) {
    const double input_bits = bits_of((double)rows->input_top);
    const double error_bits = rows->error_bits - 1;
    const bool is_error = config->insitu.operand == OHMI_OPERAND_ERROR;
    const int operand = is_error ? OHMI_CLASS_ERROR : OHMI_CLASS_ACTIVATION;
    const double read_s = config->machine.read_s, copies = ohmi_insitu_copies(rows, config);
    const double stage_s[] = {
        n->vectors[OHMI_READ_FORWARD] / copies * input_bits * read_s,
        n->vectors[OHMI_READ_BACKWARD] / copies * error_bits * read_s,
        n->serial[operand] * config->machine.write_s +
            n->vectors[OHMI_READ_GRADIENT] * (is_error ? input_bits : error_bits) * read_s,
    };
    static const char *const names[] = {"forward", "backward", "gradient"};
    int longest = 0;
    for (int s = 1; s < 3; s++) {
        longest = stage_s[s] > stage_s[longest] ? s : longest;
    }
    *name = names[longest];
    return n->images > 0 ? stage_s[longest] / n->images : 0;
}

static void price_time(ohmi_insitu_price *out, const ohmi_insitu_chip *chip,
                       const ohmi_config *config) {
    for (int i = 0; i < chip->n_layers; i++) {
        const char *name;
        const double stage_s = stage_of(&name, chip->rows[i], &chip->counts[i], config);
        if (i == 0 || stage_s > out->cycle_s) {
            out->cycle_s = stage_s;
            out->slowest_layer = i;
            out->slowest_stage = name;
        }
    }
    const double batches = chip->counts[0].batches;
    out->pipeline_s = out->cycle_s * (out->images + batches * 2 * chip->n_layers);
    out->update_s = chip->state[OHMI_CHIP_UPDATE_SERIAL] * config->machine.write_s;
    out->time_s = out->pipeline_s + out->update_s;
}

// the most worn cell of each kind, and how long it lasts
static void price_wear(ohmi_insitu_price *out, const ohmi_insitu_chip *chip,
                       const ohmi_config *config) {
    double cells_weight = 0, cells_operand = 0;
    for (int i = 0; i < chip->n_layers; i++) {
        const ohmi_cells *c = chip->cells[i];
        const ohmi_rows *r = chip->rows[i];
        const double n_weight =
            (double)(c->place->layout.k * c->place->layout.run) * c->place->lines;
        const double n_operand = (double)(r->n_rows * r->row_cells);
        double most, mean;
        ohmi_cells_wear(c, &most, &mean);
        out->most_weight = fmax(out->most_weight, most);
        out->mean_weight += mean * n_weight;
        cells_weight += n_weight;
        ohmi_rows_wear(r, &most, &mean);
        out->most_operand = fmax(out->most_operand, most);
        out->mean_operand += mean * n_operand;
        cells_operand += n_operand;
    }
    out->mean_weight /= cells_weight;
    out->mean_operand /= cells_operand;
    const double most = fmax(out->most_weight, out->most_operand);
    out->lifetime_epochs =
        most > 0 && out->epochs > 0 ? config->machine.endurance / (most / out->epochs) : INFINITY;
    out->lifetime_s =
        out->epochs > 0 ? out->lifetime_epochs * (out->time_s / out->epochs) : INFINITY;
}

void ohmi_insitu_price_of(ohmi_insitu_price *out, const ohmi_insitu_chip *chip,
                          const ohmi_config *config) {
    memset(out, 0, sizeof *out);
    for (int i = 0; i < chip->n_layers; i++) {
        ohmi_insitu_add(&out->all, &chip->counts[i]);
    }
    out->images = chip->counts[0].images;
    out->epochs = chip->state[OHMI_CHIP_EPOCHS];
    for (int class = 0; class < OHMI_N_CLASSES; class ++) {
        for (int i = 0; i < chip->n_layers; i++) {
            const bool is_weight = class == OHMI_CLASS_WEIGHT || class == OHMI_CLASS_TRANSPOSED;
            out->write_j[class] += chip->counts[i].pulses[class] * config->machine.write_j *
                                   (is_weight ? ohmi_insitu_copies(chip->rows[i], config) : 1);
        }
        out->energy_j += out->write_j[class];
    }
    for (int kind = 0; kind < OHMI_N_READS; kind++) {
        out->read_j[kind] = out->all.reads[kind] * config->machine.read_j;
        out->energy_j += out->read_j[kind];
    }
    price_time(out, chip, config);
    price_wear(out, chip, config);
    out->gpu_s = 6 * chip->macs * out->images / config->machine.gpu_flop_hz;
    out->gpu_j = out->gpu_s * config->machine.gpu_w;
}
