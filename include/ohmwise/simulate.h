// SPDX-License-Identifier: Apache-2.0
// A learned run on chips that are not what they should be: accuracy of every task over many chips
// and reads (Monte Carlo), one setting after another.
#ifndef OHMWISE_SIMULATE_H
#define OHMWISE_SIMULATE_H

#include <stdint.h>

#include "ohmwise/communicator.h"
#include "ohmwise/status.h"

// A task has been measured on a chip.
typedef struct {
    const char *label;         // of the point, as "fault.stuck_off=0.02"; valid during the call
    int point, n_points;       // 0-based
    int chip, n_chips;         // 0-based
    int read, n_reads;         // 0-based
    int task, n_tasks;         // 0-based, of those that are simulated
    double accuracy;           // mean of the tasks of this read so far, fraction
    double part, seconds_left; // of all the work, 0 .. 1, and what is left; of several ranks about
} ohm_simulate_event;

// Called from the thread that simulates. Return non-zero to stop: what is finished is kept, and
// ohm_simulate returns OHM_ERR_INTERRUPTED.
typedef int ohm_simulate_sink(void *context, const ohm_simulate_event *event);

typedef struct {
    const char *run_folder;      // of ohm_learn; only read, unless path is NULL
    const char *path;            // file of the results; NULL = run_folder/simulate.json
    const char *profile_path;    // file for the faults of the first chip, or NULL
    const char *errors_path;     // file for the errors of layers (docs/simulate.md), or NULL
    const char *data_folder;     // may be NULL
    const char *backend;         // NULL = the run's
    const char *const *settings; // (n_settings) "key=value" of the sections of arrays and devices,
    int n_settings;              // over those of the run's config
    const char *sweep;           // "key=value,value,...": a point for each; NULL = one point
    int n_chips;                 // >= 1; seeds chip.seed, chip.seed + 1, ...
    int n_reads;                 // >= 1; one where nothing differs from read to read
    int64_t n_images;            // test images a task at most, of all classes alike; 0 = all
    const int *tasks;            // (n_tasks) 0-based; NULL = all that are learned
    int n_tasks;                 //
    int by_effect;               // non-zero: also each effect by itself
    int force;                   // non-zero: discard results that are there
    ohm_simulate_sink *sink;     // may be NULL; hears of what this rank does
    void *context;
    const ohm_communicator *communicator; // processes that share the work; NULL = this one alone
} ohm_simulate_def;

// Simulates, and writes the results (docs/simulate.md) after every chip, whole or not at all. What
// a file of the same run holds is kept: points of other settings stay, chips that are there are not
// done again, further ones are added. Accuracies do not depend on the number of threads.
// Of several ranks each does reads of chips, whoever is free the next, and rank 0 writes; the bytes
// do not depend on the number of ranks. With them the file is written after every few reads a rank.
// Errors: OHM_ERR_CONFIG for keys that belong to learning, with a hint; OHM_ERR_ARGUMENT for a run
// in float, tasks that are not learned, or results of another state of the run without force.
OHM_API OHM_NODISCARD ohm_status ohm_simulate(const ohm_simulate_def *def, ohm_error *err);

#endif
