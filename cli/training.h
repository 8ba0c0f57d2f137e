// SPDX-License-Identifier: Apache-2.0
// What `learn` and `insitu` have in common: a config, a run folder, progress, a stop that can be
// resumed, and a page and a table at the end.
#ifndef OHMCLI_TRAINING_H
#define OHMCLI_TRAINING_H

#include <jansson.h>

#include "ohmwise/learn.h"
#include "options.h"

typedef struct {
    const ohmcli_command *command; // its options are ohmcli_training_options
    ohm_status (*train)(ohm_config *config, const ohm_learn_def *def, ohm_error *err);
    const char *file; // of the results, in the run folder
    void (*print_table)(const json_t *results, const char *run);
} ohmcli_training;

// Ends with a NULL name.
extern const ohmcli_option ohmcli_training_options[];

// Parses argv and trains. Returns an exit code.
int ohmcli_train(const ohmcli_training *training, int argc, char **argv);

#endif
