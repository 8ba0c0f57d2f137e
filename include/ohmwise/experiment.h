// SPDX-License-Identifier: Apache-2.0
// Experiments: many runs from one file. An experiment names a base config, settings for all runs, a
// grid (a list of values for each of some keys), named points (settings each) and seeds; there is
// one run for each point, each combination of the grid and each seed. docs/sweep.md has the file.
//
// Order of calls: load, any number of set, expand once, then at, agrees.
#ifndef OHMWISE_EXPERIMENT_H
#define OHMWISE_EXPERIMENT_H

#include <stdint.h>

#include "ohmwise/status.h"

typedef struct ohm_experiment ohm_experiment; // opaque; one thread at a time

typedef struct {
    const char *name;   // of the point, the same for all its seeds: "xst-weight_bits-4"
    const char *folder; // of the run: the name, '-' and the seed
    int64_t seed;
    const char *const *settings; // (n_settings) "key=value" over the base, name and seed among them
    int n_settings;
} ohm_experiment_run;

// Reads an experiment. Unknown keys, values of another type or out of range, keys set twice and
// repeated seeds are OHM_ERR_CONFIG with file, line and column. Free with ohm_experiment_free.
OHM_API OHM_NODISCARD ohm_status ohm_experiment_load(ohm_experiment **out, const char *path,
                                                     ohm_error *err);
OHM_API void ohm_experiment_free(ohm_experiment **experiment);

// Its title; the file's name when it has none. Owned by the experiment.
OHM_API const char *ohm_experiment_name(const ohm_experiment *experiment);
// The base config as the file names it: a path or the name of a preset. Owned by the experiment.
OHM_API const char *ohm_experiment_base(const ohm_experiment *experiment);
// The command that makes a run: "learn" or "insitu". Owned by the experiment.
OHM_API const char *ohm_experiment_command(const ohm_experiment *experiment);

// Sets a key of all runs (command-line override of 'settings'); a key that the grid or a point sets
// is refused.
OHM_API OHM_NODISCARD ohm_status ohm_experiment_set(ohm_experiment *experiment, const char *key,
                                                    const char *value, ohm_error *err);

// Makes all runs and checks each against the base config in base_path. before: key, value, ...,
// NULL, laid over the base and under the settings; may be NULL. Two runs that are the same are
// OHM_ERR_CONFIG.
OHM_API OHM_NODISCARD ohm_status ohm_experiment_expand(ohm_experiment *experiment,
                                                       const char *base_path,
                                                       const char *const *before, ohm_error *err);

OHM_API int ohm_experiment_count(const ohm_experiment *experiment);
// The i-th run, by points, grid (last key fastest) and seeds. Owned by the experiment.
OHM_API const ohm_experiment_run *ohm_experiment_at(const ohm_experiment *experiment, int i);

// Fails with OHM_ERR_CONFIG and the key when the run folder holds a run of another config than run
// i; where there is no config.yaml, all is well. Threads and checkpoint intervals may differ.
OHM_API OHM_NODISCARD ohm_status ohm_experiment_agrees(const ohm_experiment *experiment, int i,
                                                       const char *run_folder, ohm_error *err);

#endif
