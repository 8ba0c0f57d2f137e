// SPDX-License-Identifier: Apache-2.0
// From counts to joules, seconds and square metres.
//
//   energy   sum over components of (actions counted) x (energy of an action), and leakage x time
//   time     of a vector: planes (switch + rounds x max(conversion, read) + shift-add) + joining +
//            adder tree + activation, or reading its inputs from the buffer where that takes
//            longer; rounds = most bit lines on in an array / converters. A layer's vectors follow
//            each other, its arrays work side by side; layers follow each other, or overlap
//            (pipelined: one image every time the slowest layer is through)
//   area     arrays, adder trees of all outputs, activations, pooling, global buffer
// A column that is off has no bit line charged, no conversion, no cell current; what stays on for
// an array that is read at all: switch matrix, mask buffer, offset column; adders with one input
// on.
#ifndef OHMI_PRICE_H
#define OHMI_PRICE_H

#include "hardware/workload.h"

// The components, and what all of them leak.
enum { OHMI_LEAKAGE = OHMI_N_PARTS, OHMI_N_PRICES };
const char *ohmi_price_name(int part);

typedef struct {
    double energy_j[OHMI_N_PRICES];
    double latency_s;
    double operations; // 2 x multiply-accumulates of weights that are on
} ohmi_price;

typedef struct {
    double part_m2[OHMI_N_PARTS];
    double total_m2, leakage_w;
    int64_t arrays;
    double buffer_bits;
    double mask_bytes; // of a task: a bit a column, or a weight
} ohmi_area;

void ohmi_price_area(ohmi_area *out, const ohmi_workload *work, const ohmi_hardware *hardware);

// One layer in a task, from its counts; leakage_w: of the layer's time.
void ohmi_price_layer(ohmi_price *out, const ohmi_workload *work, int layer,
                      const ohmi_count *count, const ohmi_hardware *hardware,
                      const ohmi_area *area);

// A task: sum of its layers; *slowest_s is the time of the slowest layer.
void ohmi_price_task(ohmi_price *out, double *slowest_s, const ohmi_workload *work,
                     const ohmi_count *counts, const ohmi_hardware *hardware,
                     const ohmi_area *area);

double ohmi_price_total_j(const ohmi_price *price);

// Bits of a column's, or weight's, mask; width of an adder of a layer's first stage, bits;
// full-adder bits of adders by stage, which are a bit wider each stage.
int64_t ohmi_price_mask_bits(const ohmi_workload *work);
double ohmi_price_first_bits(const ohmi_hardware *h, const ohmi_workload *work, int l);
double ohmi_price_adder_bits(const int64_t adders[OHMI_MOST_STAGES], double first);

// The counts of a layer with all its columns on, owned or not.
OHM_NODISCARD ohm_status ohmi_price_all_on(ohmi_count *counts, const ohmi_workload *work,
                                           const ohmi_hardware *hardware, int task, ohm_error *err);

#endif
