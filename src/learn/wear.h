// SPDX-License-Identifier: Apache-2.0
// How often the cells of a chip have been written in what it did before, and choosing columns so
// that they wear alike. `ohmwise cost RUN --wear-after FILE` writes it for a network's layers; a
// chip that is to learn anew reads it:
//
//     spare of a unit = (1 + n)^-adapt.spare      n = mean over its cells of their writes
//
// Columns that a task claims, keeps and grows are chosen by their score times that. Within a run no
// free column has been written yet, since a task is programmed when it is learned: only what the
// chip did before tells free columns apart. The idea is this project's own.
//
// The file has for each layer LAYER/writes (n_weights, lines), float32: of the cells of weight i in
// the order of the weights in memory. Cells of offset columns are not in it (docs/cost.md).
#ifndef OHMI_WEAR_H
#define OHMI_WEAR_H

#include "learn/learner.h"

typedef struct {
    char name[64];
    int64_t n;     // weights
    int64_t lines; // cells of a weight
    float *writes; // (n, lines)
} ohmi_wear_layer;

typedef struct {
    ohmi_wear_layer *layers; // (n_layers)
    int n_layers;
} ohmi_wear;

// Room for layers; names, n and lines are the caller's to fill, and writes from ohmi_alloc. Free
// with ohmi_wear_free.
OHM_NODISCARD ohm_status ohmi_wear_new(ohmi_wear **out, int n_layers, ohm_error *err);
void ohmi_wear_free(ohmi_wear **wear);

// Reads and writes a file. What is no such file, or has numbers that are none: OHM_ERR_FORMAT.
OHM_NODISCARD ohm_status ohmi_wear_read(ohmi_wear **out, const char *path, ohm_error *err);
OHM_NODISCARD ohm_status ohmi_wear_save(const char *path, const ohmi_wear *wear, ohm_error *err);

// A layer by name, NULL when there is none.
const ohmi_wear_layer *ohmi_wear_find(const ohmi_wear *wear, const char *name);

// Reads adapt.wear into units->spare; nothing where the config has none. Files of other networks
// are OHM_ERR_FORMAT.
OHM_NODISCARD ohm_status ohmi_wear_spare(ohmi_learner *learner, ohm_error *err);
// Weighs units->score by spare; scores below 0 stay. Nothing where there is none.
void ohmi_wear_weigh(ohmi_units *units);

#endif
