// SPDX-License-Identifier: Apache-2.0
// What a run costs on crossbars: area, energy and time of an inference, programming, wear.
//
//     ohm_hardware_new -> ohm_hardware_load, _set -> ohm_cost_new -> ohm_cost_save, _text -> free
//
// An ohm_cost holds the counts of a run; pricing them again for other hardware costs next to
// nothing. Objects are used by one thread at a time.
#ifndef OHMWISE_COST_H
#define OHMWISE_COST_H

#include <stdbool.h>
#include <stdint.h>

#include "ohmwise/status.h"
#include "ohmwise/system.h"

typedef struct ohm_hardware ohm_hardware; // opaque: a component table and how it is used
typedef struct ohm_cost ohm_cost;         // opaque: what was counted of a run

// Makes hardware of defaults, without a component table. Free with ohm_hardware_free.
OHM_API OHM_NODISCARD ohm_status ohm_hardware_new(ohm_hardware **out, ohm_error *err);
OHM_API void ohm_hardware_free(ohm_hardware **hardware);

// Reads a preset (YAML) over the values there. Unknown keys, values without their unit, negative
// or out of range: OHM_ERR_CONFIG with file, line and column.
OHM_API OHM_NODISCARD ohm_status ohm_hardware_load(ohm_hardware *hardware, const char *path,
                                                   ohm_error *err);
// Sets one key from text, as "adc.energy" and "0.12 pJ".
OHM_API OHM_NODISCARD ohm_status ohm_hardware_set(ohm_hardware *hardware, const char *key,
                                                  const char *value, ohm_error *err);
// Checks that every row of the component table is there and that values go together.
OHM_API OHM_NODISCARD ohm_status ohm_hardware_check(const ohm_hardware *hardware, ohm_error *err);

// The complete table as YAML, estimated rows too, which ohm_hardware_load reads back. For
// ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_hardware_text(char **yaml, const ohm_hardware *hardware,
                                                   ohm_error *err);
// Explains a key or section, or all keys for NULL; all keys as Markdown. For ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_hardware_explain(char **text, const char *key, ohm_error *err);
OHM_API OHM_NODISCARD ohm_status ohm_hardware_explain_markdown(char **text, ohm_error *err);
// All keys in table order, NULL-terminated; constant, owned by the library.
OHM_API const char *const *ohm_hardware_keys(void);

typedef struct {
    const char *data_folder; // the user's data folder; may be NULL
    const char *backend;     // kernels to run images with; NULL = the run's
    int64_t n_images;        // test images of each task whose input bits are counted; 0 = none: a
                             // part of the bits is taken to be 1 (input.ones), and no data are read
    const char *wear_before; // file of the writes that the chip's cells have had before, as
                             // ohm_bill_save_wear writes it; NULL = a new chip
    bool keeps_wear;         // ohm_bill_save_wear is wanted; takes 4 bytes a cell
} ohm_cost_def;

// Reads a run and, where images are asked for, runs them. The method must be quantised. Free with
// ohm_cost_free.
OHM_API OHM_NODISCARD ohm_status ohm_cost_new(ohm_cost **out, const char *run_folder,
                                              const ohm_cost_def *def, ohm_error *err);
OHM_API void ohm_cost_free(ohm_cost **cost);

// Reads a trace of DNN+NeuroSim V1.x: its trace_command.sh, with the network, weights and bits of
// the inputs that it names (paths from where the program runs, else from the script's folder or the
// one above). It is priced as one task with all columns on, without a ledger. rows: of an array.
OHM_API OHM_NODISCARD ohm_status ohm_cost_new_trace(ohm_cost **out, const char *script, int rows,
                                                    ohm_error *err);

typedef struct ohm_bill ohm_bill; // opaque, constant: a run priced for one hardware

// Prices a run. switches: tasks that the chip is switched to after it has learned all, as "1,5,2",
// "1-20" or "1-20x1000"; NULL = each task in turn, again and again, for the lifetime alone. The
// cost is borrowed until the bill is freed and must not be priced again before. Free with
// ohm_bill_free.
OHM_API OHM_NODISCARD ohm_status ohm_bill_new(ohm_bill **out, ohm_cost *cost,
                                              const ohm_hardware *hardware, const char *switches,
                                              ohm_error *err);
OHM_API void ohm_bill_free(ohm_bill **bill);

// The bill as a table for a terminal, and as one JSON document (docs/cost.md). For ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_bill_text(char **text, const ohm_bill *bill, ohm_error *err);
OHM_API OHM_NODISCARD ohm_status ohm_bill_json(char **text, const ohm_bill *bill, ohm_error *err);
// Writes cost.json into a folder, whole or not at all; a folder that is not there is made.
OHM_API OHM_NODISCARD ohm_status ohm_bill_save(const ohm_bill *bill, const char *folder,
                                               ohm_error *err);
// Writes cost_tasks.csv, cost_layers.csv and cost_programming.csv into a folder, likewise.
OHM_API OHM_NODISCARD ohm_status ohm_bill_save_csv(const ohm_bill *bill, const char *folder,
                                                   ohm_error *err);

// Writes how often each cell of the chip has been written, before (wear_before), while learning and
// in the switches asked for, and once more where it is erased at last: what a run that learns on
// this chip after it spares (adapt.wear), and wear_before of its cost. Without keeps_wear, or for
// tasks with networks or arrays of their own, an error.
OHM_API OHM_NODISCARD ohm_status ohm_bill_save_wear(const ohm_bill *bill, const char *path,
                                                    ohm_error *err);

// Prices a run at every point of a grid. axes (n_axes): "adc.bits=4,5,6" or "cell.max=2 uS..20
// uS:10" (10 values in equal steps; :10log in equal ratios). The result is CSV: the keys, then
// area_m2, task1_energy_j, mean_energy_j, mean_latency_s, mean_power_w, programming_j,
// tops_per_watt. At most 1e6 points.
OHM_API OHM_NODISCARD ohm_status ohm_cost_sweep(char **csv, ohm_cost *cost,
                                                const ohm_hardware *hardware,
                                                const char *const *axes, int n_axes,
                                                ohm_error *err);

// The calibration sheet: the same counts priced with several sets of assumptions side by side, and
// which of their constants make the difference to the first. hardware, (n_hardware) at least one.
// Text for ohm_text_free.
OHM_API OHM_NODISCARD ohm_status ohm_cost_sheet(char **text, ohm_cost *cost,
                                                const ohm_hardware *const *hardware, int n_hardware,
                                                ohm_error *err);

// Times pricing one image with the bits it really has, on a learned XST network: forward pass,
// ones, counts, prices; as the benchmarks of ohmwise/system.h.
OHM_API OHM_NODISCARD ohm_status ohm_bench_cost(char **json, const ohm_bench_def *def,
                                                ohm_error *err);

#endif
