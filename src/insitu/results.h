// SPDX-License-Identifier: Apache-2.0
// insitu.json: what training on crossbars took; every key is described in docs/insitu.md.
#ifndef OHMI_INSITU_RESULTS_H
#define OHMI_INSITU_RESULTS_H

#include <jansson.h>

#include "insitu/price.h"

// What is said of everything that comes from here.
extern const char ohmi_insitu_reconstruction[];

// One training. Reads the accuracies of folder/metrics.json. For json_decref; NULL when memory is
// out or the file cannot be read.
json_t *ohmi_insitu_training(const ohmi_insitu_chip *chip, const ohmi_config *config,
                             const char *folder);

// Numbers of every epoch by name, from the rows "insitu" of folder/metrics.csv. For json_decref.
json_t *ohmi_insitu_epochs(const char *folder);

// Calls use for every row of folder/metrics.csv; of a file that cannot be read for none.
typedef void ohmi_insitu_row(void *context, long task, const char *split, const char *name,
                             double value);
void ohmi_insitu_rows(const char *folder, ohmi_insitu_row *use, void *context);

// Writes folder/cost.json: the training as a bill (docs/cost.md).
OHM_NODISCARD ohm_status ohmi_insitu_bill(const char *folder, const json_t *training,
                                          const ohmi_config *config, ohm_error *err);

// Writes folder/insitu.json, and enters what it is and its ratios into folder/metrics.json.
// plain: NULL = there is none. Takes both.
OHM_NODISCARD ohm_status ohmi_insitu_write(const char *folder, json_t *trained, json_t *plain,
                                           ohm_error *err);

#endif
