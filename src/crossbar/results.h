// SPDX-License-Identifier: Apache-2.0
// The file of results of simulations: made, found again, added to; docs/simulate.md says what is in
// it. The bytes depend on what was simulated only.
#ifndef OHMI_RESULTS_H
#define OHMI_RESULTS_H

#include <jansson.h>

#include "config/config.h"
#include "learn/learner.h"
#include "ohmwise/config.h"
#include "ohmwise/status.h"

typedef struct {
    json_t *root;
    char path[1024];
} ohmi_results;

// What tells a point from others.
typedef struct {
    const ohm_config *config; // with all settings
    const char *label;        // for people
    const char *only;         // the one effect that is on; NULL = all
    const int *tasks;         // (n_tasks) 0-based
    int n_tasks;
    int64_t n_images; // a task at most, 0 = all
} ohmi_results_key;

// Opens a file, or begins one. checkpoint: digest of the run's state; a file of another is
// OHM_ERR_ARGUMENT unless force, which begins anew.
OHM_NODISCARD ohm_status ohmi_results_open(ohmi_results *results, const char *path, const char *run,
                                           const char *checkpoint, int force, ohm_error *err);
void ohmi_results_close(ohmi_results *results);

// The point of a key, or NULL. Borrowed.
json_t *ohmi_results_seek(const ohmi_results *results, const ohmi_results_key *key);
// The same, made when it is not there; NULL when memory is out. Borrowed.
json_t *ohmi_results_point(ohmi_results *results, const ohmi_results_key *key);

// The accuracies (n_tasks) of a read of a chip that a point has; false when it does not.
bool ohmi_results_find(double *accuracy, const json_t *point, uint64_t chip, int read, int n_tasks);

// Adds a read of a chip; chips and reads are kept in order. False when memory is out.
bool ohmi_results_add(json_t *point, uint64_t chip, int read, const double *accuracy, int n_tasks);

// Means and spreads of a point from its chips.
bool ohmi_results_sum_up(json_t *point, const ohmi_learner *learner, const int *tasks, int n_tasks);

// Writes the file.
OHM_NODISCARD ohm_status ohmi_results_save(const ohmi_results *results, ohm_error *err);

// Whether a section of a config belongs to arrays and devices, so that simulations may change it.
bool ohmi_results_is_device(const char *key);
extern const char *const ohmi_results_sections[]; // of these keys; ends with NULL

#endif
