// SPDX-License-Identifier: Apache-2.0
// What is learned: the shared weights with their owners and masks, and what each task keeps.
//
// Every method is one formula (the levels of the scale are {0, 1} here): for task t and unit u of a
// layer
//
//     w_eff[u] = scale[u] Q(w[u])      scale[u] = 0            u is free, or owned by a later task
//                                              = mask_t[u]    owned by an earlier task
//                                              = 1            owned by t
//
// Invariants
//   1  own[u] changes from 0 to t while t is learned, and never again once t is finished
//   2  weights of free units are zero
//   3  per layer, the units of the task in training are its budget at every step
//   4  the step (LSB) of a layer never changes after the first task is finished
#ifndef OHMI_LEARNER_H
#define OHMI_LEARNER_H

#include "config/config.h"
#include "data/loader.h"
#include "data/tasks.h"
#include "layout/layout.h"
#include "network/network.h"
#include "quantise/grid.h"

enum { OHMI_MAX_TASKS = 254 };

// The units of one layer.
typedef struct {
    ohmi_layout layout;
    uint8_t *own;       // 0 = free, else 1-based task                     (n_units)
    uint8_t *on;        // scale of the active task; scratch of claims and growth (n_units)
    float *mask;        // real mask of the task in training               (n_units)
    float *mask_mean;   // Adam's first moment                             (n_units)
    float *mask_square; // Adam's second moment                          (n_units)
    float *score;       // scratch of growth                               (n_units)
    float *velocity;    // momentum of the weights, or Adam's first moment (n_weights)
    float *square;      // Adam's second moment; NULL with SGD             (n_weights)
    int64_t budget;     // units of the task in training
    float lsb;          // worth of one weight code, fixed with the first task
    int made_for;       // 1-based task in training whose weights w_eff holds; 0 = none
} ohmi_units;

// What is kept of a task, and what was measured when it was learned.
typedef struct {
    ohmi_task_parameters *parameters; // NULL before its turn
    uint8_t **bits; // per layer: scale of unit u = bit u % 8 of byte u / 8 ((n_units + 7) / 8)
    double accuracy, accuracy_float, accuracy_integer, loss; // on test; NaN when not measured
    double columns_new, columns_on;
    double digest[4]; // SHA-256 of the test logits when learned, as 4 x 52 bits
} ohmi_learned;

// Where training stands; plain numbers, so that a checkpoint is one array.
typedef struct {
    double task, epoch, batch;        // next batch to learn
    double step;                      // steps done in this task
    double mask_step;                 // Adam steps of the masks
    double loss_sum, n_right, n_seen; // of the epoch so far
    double csv_bytes;                 // size of metrics.csv
    double is_started;                // the task's units are claimed
} ohmi_position;

// Where the time of steps went, besides the network's own times; sums since the learner was made.
typedef struct {
    double mask_s;      // effective weights from weights and masks
    double loss_s;      // softmax, cross-entropy and their gradient
    double optimiser_s; // step of weights, masks and parameters
} ohmi_step_times;

typedef struct {
    const ohmi_config *config;
    const ohmi_tasks *tasks;
    ohmi_network *network;
    ohmi_grid weight_grid, activation_grid;
    ohmi_units *units;     // per layer
    ohmi_learned *learned; // per task
    double *matrix;        // accuracy after learning task i on task j, NaN = not measured (T, T)
    float *parameter_velocity; // of the task's trainable parameters      (max_trainable)
    float *parameter_square;   // Adam only
    ohmi_position position;
    ohmi_step_times times;
    float head_top; // largest weight code of the classifiers; 0 = float
    bool is_quantised;
    int n_tasks;
} ohmi_learner;

// The step of the network's input when quantised: 8 bits span about +-4 deviations.
float ohmi_input_step(const ohmi_config *config);

// The first layer, or "head", whose sums may round with the grids of a quantised network, so that
// other backends can give other last bits; NULL when all are exact.
const char *ohmi_learner_inexact(const ohmi_learner *learner);

OHM_NODISCARD ohm_status ohmi_learner_new(ohmi_learner **out, const ohmi_config *config,
                                          const ohmi_tasks *tasks, const char *backend,
                                          bool is_training, ohm_error *err);

// The same for one of the parts in which every batch is learned: rank `parts->rank` of them, each
// with a learner of its own. All learners make the same steps and are the same at any time.
// parts is borrowed.
OHM_NODISCARD ohm_status ohmi_learner_new_part(ohmi_learner **out, const ohmi_config *config,
                                               const ohmi_tasks *tasks,
                                               const ohm_communicator *parts, ohm_error *err);
void ohmi_learner_free(ohmi_learner **learner);

// Begins task t (0-based): claims its budget of units, initial weights, masks all on, parameters.
OHM_NODISCARD ohm_status ohmi_learner_begin(ohmi_learner *learner, int t, ohm_error *err);

// Makes the parameters and bits of a task, empty (a checkpoint fills them).
OHM_NODISCARD ohm_status ohmi_learner_make_task(ohmi_learner *learner, int t, ohm_error *err);

// Fixes the steps of the layers for the first task, from the weights it owns (at each epoch).
void ohmi_learner_fit_steps(ohmi_learner *learner, int t);

// Keeps the scales of the task in training as its bits, and its counts.
void ohmi_learner_finish(ohmi_learner *learner, int t);

// Switches the network to a finished task: w_eff from its bits, its parameters bound.
// quantised = false: the same weights and activations without rounding, clipped where they were.
void ohmi_learner_activate(ohmi_learner *learner, int t, bool quantised);

// w_eff for the task in training, from own and mask; only what has changed since the last call.
// with_noise: masks with the noise of this step, where the method has any; without, as they will be
// kept.
void ohmi_learner_prepare(ohmi_learner *learner, int t, bool with_noise);

// One step of the weights and masks of task t after a backward pass. lr: of the weights;
// mask_lr = 0 leaves the masks. skip_weights on a step of growth.
void ohmi_learner_update(ohmi_learner *learner, int t, double lr, double mask_lr,
                         bool skip_weights);

// Drop and grow on every layer (growth.c). alpha: part of the task's units that move.
void ohmi_learner_grow(ohmi_learner *learner, int t, double alpha);

// The units a task may own in a layer (paper: 0.3, then 0.7 / (T - 1)).
int64_t ohmi_budget(const ohmi_config *config, const ohmi_layout *layout, int t, int n_tasks,
                    int64_t n_free, bool is_first_layer);

// Picks the k largest of the candidates (score >= 0; negative = no candidate): sets chosen[u] = 1,
// others 0; equals in order of u. k may exceed the candidates. n: units.
void ohmi_choose_largest(uint8_t *chosen, const float *score, int64_t n, int64_t k);

#endif
