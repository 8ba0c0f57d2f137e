// SPDX-License-Identifier: Apache-2.0
// What a run on crossbars takes, from what it counted (counts.h) and the constants of the section
// machine. The schedule is PipeLayer's (Song et al., HPCA 2017): layers work side by side, each on
// another image; forward, backward and gradient arrays of a layer are stages of their own.
//
//   energy    sum of pulses x write energy + sum of cells read x read energy
//   stages    forward   vectors x input bits x read time                  a layer, of an image
//             backward  vectors x error bits x read time
//             gradient  pulses one after another x write time + vectors x bits x read time
//   cycle     the longest stage of all layers, in the mean of the images
//   time      cycle x (images + batches x 2 layers) + pulses of updates one after another x write
//             time (all arrays side by side, the slowest counts)
//   lifetime  endurance / (writes of the most worn cell / epochs)         epochs, and epochs x time
//   GPU       6 FLOP a multiply-accumulate (2 forward, 4 back) / rate;    power x time
//
// An image's vectors of a layer follow each other on one copy of its arrays, or on ceil(positions /
// machine.vectors) copies side by side, each of which is written. Counts are of one copy.
#ifndef OHMI_INSITU_PRICE_H
#define OHMI_INSITU_PRICE_H

#include "insitu/chip.h"

typedef struct {
    ohmi_insitu_counts all; // sum over layers
    double write_j[OHMI_N_CLASSES], read_j[OHMI_N_READS];
    double energy_j;
    double cycle_s, pipeline_s, update_s, time_s; // time = pipeline + update
    int slowest_layer;                            // whose stage is the cycle
    const char *slowest_stage;                    // "forward", "backward", "gradient"
    double epochs, images;
    double most_weight, mean_weight;   // writes of cells of weights; the transposed ones wear alike
    double most_operand, mean_operand; // of cells of gradient arrays
    double lifetime_epochs, lifetime_s;
    double gpu_j, gpu_s;
} ohmi_insitu_price;

// Copies of the arrays of a layer's weights.
double ohmi_insitu_copies(const ohmi_rows *rows, const ohmi_config *config);

void ohmi_insitu_price_of(ohmi_insitu_price *out, const ohmi_insitu_chip *chip,
                          const ohmi_config *config);

#endif
