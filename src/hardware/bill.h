// SPDX-License-Identifier: Apache-2.0
// A run priced for one hardware: what cost.json, the tables and the plots show.
#ifndef OHMI_BILL_H
#define OHMI_BILL_H

#include <jansson.h>

#include "hardware/ledger.h"
#include "hardware/preset.h"
#include "hardware/price.h"
#include "learn/opened.h"

// What was counted of a run.
struct ohm_cost {
    ohmi_opened opened; // learner NULL = not of a run
    ohmi_tasks *tasks;  // with images; NULL = none were run
    ohmi_workload *work;
    char run[512], method[64];
    // what was programmed, kept until another mapping or sequence is asked for
    ohmi_moves moves;
    bool has_moves;
    struct { // that moves are for
        bool is_reset, has_backbone, has_own_arrays;
        int64_t columns, cell_bits;
        ohmi_coding coding;
        char switches[256];
    } moved;
    ohmi_wear *before; // writes of the chip's cells before; NULL = none
    bool keeps_wear;
};

struct ohm_bill {
    const ohm_cost *cost; // borrowed
    ohmi_hardware hardware;
    ohmi_area area;
    ohmi_price *tasks, *layers, *all_on;  // (n_tasks), (n_tasks, n_layers), (n_tasks)
    double *slowest_s, *all_on_slowest_s; // (n_tasks)
    ohmi_ledger_step *steps;              // (moves.n_steps)
    bool has_ledger;
};

// The hardware as it is for a run: what is not set comes from the run's mapping.
OHM_NODISCARD ohm_status ohmi_bill_hardware(ohmi_hardware *out, const ohm_cost *cost,
                                            const ohm_hardware *hardware, ohm_error *err);

// A bill without what only people look at: layers, all columns on, switches. For sweeps.
OHM_NODISCARD ohm_status ohmi_bill_point(ohm_bill **out, ohm_cost *cost,
                                         const ohm_hardware *hardware, ohm_error *err);

// The whole bill as a JSON tree, for json_decref; NULL when memory is out.
json_t *ohmi_bill_tree(const ohm_bill *bill);

#endif
