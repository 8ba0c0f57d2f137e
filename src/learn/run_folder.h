// SPDX-License-Identifier: Apache-2.0
// The files of a run folder that learning writes.
//
//   config.yaml          every key, with its origin; what a resumed run must agree with
//   manifest.json        version, compiler, CPU backend, digest of the data, seed
//   metrics.csv          step,epoch,task,split,name,value,unit; append only
//   metrics.json         results, rewritten after each task
//   layers.csv, accuracy_matrix.csv
//   log.txt              what happened when
//   timing.txt           training seconds by task (wall clock: kept out of the checkpoint)
#ifndef OHMI_RUN_FOLDER_H
#define OHMI_RUN_FOLDER_H

#include <stdio.h>

#include "learn/learner.h"
#include "ohmwise/config.h"

typedef struct {
    char path[900];    // the folder
    char *config_text; // resolved YAML, for ohm_text_free
    FILE *csv, *log;
    double *train_seconds; // (n_tasks)
    int n_tasks;
} ohmi_run_folder;

// Makes the folder, or opens one that is there. A folder with a run of another config is
// OHM_ERR_CONFIG naming the first line that differs, unless force, which discards it.
// *has_checkpoint says whether there is something to resume.
OHM_NODISCARD ohm_status ohmi_run_open(ohmi_run_folder *run, const char *path,
                                       const ohm_config *config, int n_tasks, int force,
                                       bool *has_checkpoint, ohm_error *err);
void ohmi_run_close(ohmi_run_folder *run);

// path/name into text (1024).
void ohmi_run_file(char *text, const ohmi_run_folder *run, const char *name);

// Cuts metrics.csv to size bytes (what the checkpoint knew) and opens it for appending.
OHM_NODISCARD ohm_status ohmi_run_open_csv(ohmi_run_folder *run, int64_t size, ohm_error *err);

// One row of metrics.csv; *size_bytes becomes the size of the file.
OHM_NODISCARD ohm_status ohmi_run_row(ohmi_run_folder *run, double *size_bytes, int64_t step,
                                      int epoch, int task, const char *split, const char *name,
                                      double value, const char *unit, ohm_error *err);

// Brings the rows so far to the disk.
OHM_NODISCARD ohm_status ohmi_run_sync_csv(ohmi_run_folder *run, ohm_error *err);

// One line of log.txt with the time of day; nothing where no folder is open.
void ohmi_run_log(ohmi_run_folder *run, const char *format, ...) OHM_PRINTF(2, 3);

// timing.txt; reading is forgiving: a missing file is zeros.
OHM_NODISCARD ohm_status ohmi_run_save_times(const ohmi_run_folder *run, ohm_error *err);

// manifest.json, at the start; metrics.json, layers.csv and accuracy_matrix.csv, after a task.
OHM_NODISCARD ohm_status ohmi_run_write_manifest(const ohmi_run_folder *run,
                                                 const ohmi_learner *learner, const char *command,
                                                 ohm_error *err);
OHM_NODISCARD ohm_status ohmi_run_write_metrics(const ohmi_run_folder *run,
                                                const ohmi_learner *learner, bool is_identical,
                                                ohm_error *err);

#endif
