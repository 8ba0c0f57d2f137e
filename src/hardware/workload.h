// SPDX-License-Identifier: Apache-2.0
// A network and its tasks as work for the arrays: placed, with codes, masks, owners and counts.
// Made of a run (workload.c) or of traces of another simulator (trace.c).
#ifndef OHMI_WORKLOAD_H
#define OHMI_WORKLOAD_H

#include "hardware/counts.h"
#include "hardware/keys.h"
#include "learn/learner.h"

typedef struct {
    char name[128];
    double accuracy;   // fraction; NaN = not measured
    uint8_t **on;      // (n_layers) columns: bit u % 8 of byte u / 8      ((n_columns + 7) / 8)
    uint8_t **shifts;  // (n_layers) of ohmi_masked_layer; NULL = none
    double **ones;     // (n_layers) see ohmi_input_ones, mean over images (c r s); NULL = no data
    int64_t n_images;  // that the ones are the mean of
    ohmi_count *count; // (n_layers)
} ohmi_work_task;

typedef struct {
    ohmi_placed *place;
    int n_layers, n_tasks;
    ohmi_count_layer *layers;    // (n_layers)
    ohmi_work_task *tasks;       // (n_tasks)
    int8_t **codes;              // (n_layers) of the owned weights             (k, c r s)
    const ohmi_learner *learner; // borrowed; NULL = not of a run
    bool is_element, is_alone;   // units are weights; each task has a network of its own
    bool has_copies;             // tasks have copies of PEs
    int64_t n_copied;            // of all tasks together
    int64_t *copied;             // (n_layers) of those; NULL = none
    int64_t input_bits;          // planes of an activation
    int64_t largest_map;         // values of the largest feature map
    double head_scale;           // what a classifier's input counts, as a sum over a map
    // the mapping that the counts are for
    int64_t columns, cell_bits;
    ohmi_coding coding;
    double input_ones;
} ohmi_workload;

// Reads codes, owners and masks of a run's first n_tasks tasks (all learned). The learner is
// borrowed until the clear. Free with ohmi_workload_free.
OHM_NODISCARD ohm_status ohmi_workload_new(ohmi_workload **out, const ohmi_learner *learner,
                                           int n_tasks, ohm_error *err);
void ohmi_workload_free(ohmi_workload **work);

// What a network's nodes say of its layers (n_convs, as nodes number them): name, vectors, planes
// of the inputs (image_bits for the image's), and of what follows each layer activations, pooling
// and what is kept. layers: zeroed. *largest_map grows to the values of the largest feature map.
void ohmi_workload_nodes(ohmi_count_layer *layers, int64_t *largest_map, const ohmi_node *nodes,
                         int n_nodes, const ohmi_layer *convs, int image_bits, int input_bits);

// Runs images of a task (0-based) and keeps the ones of every layer's inputs: at most n_images of
// its test set; tasks: those of the learner with their images.
OHM_NODISCARD ohm_status ohmi_workload_run(ohmi_workload *work, ohmi_learner *learner,
                                           const ohmi_tasks *tasks, int task, int64_t n_images,
                                           ohm_error *err);
// Adds the ones of the batch that the learner's network holds, for n images, to ones (n_layers).
void ohmi_workload_add_ones(double *const *ones, const ohmi_workload *work,
                            const ohmi_network *network, int n);

// Places and counts anew where hardware asks for other arrays, cells or inputs than the counts are
// for.
OHM_NODISCARD ohm_status ohmi_workload_count(ohmi_workload *work, const ohmi_hardware *hardware,
                                             ohm_error *err);

// The codes of task t (0-based) in a layer as they are with its mask, (k, c r s).
void ohmi_workload_codes(int8_t *codes, const ohmi_workload *work, int layer, int task);

#endif
