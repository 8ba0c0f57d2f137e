// SPDX-License-Identifier: Apache-2.0
// What is learned: the shared weights with their owners and masks, and what each task keeps.
//
// Every method is one formula: for task t and unit u of a layer
//
//     w_eff[u] = scale[u] Q(w[u])      scale[u] = 0            u is free, or owned by a later task
//                                              = mask_t[u]    owned by an earlier task or the
//                                              backbone = 1            owned by t
//              = Q(copy_t[u])                                 u is in a PE of which t has a copy
//
// scale is one of method.levels; `on` and the bits of a task hold the index of the level.
//
// Invariants
//   1  own[u] changes from 0 to t (and back, where a method prunes) while t is learned, and never
//      again once t is finished
//   2  weights of free units are zero
//   3  per layer, the units of the task in training are its budget at every step
//   4  the step (LSB) of a layer never changes after the first task is finished
#ifndef OHMI_LEARNER_H
#define OHMI_LEARNER_H

#include "base/bits.h"
#include "config/config.h"
#include "config/methods.h"
#include "data/loader.h"
#include "data/tasks.h"
#include "base/rng.h"
#include "layout/layout.h"
#include "learn/optimiser.h"
#include "network/network.h"
#include "quantise/grid.h"
#include "quantise/levels.h"

enum {
    OHMI_MAX_TASKS = 252,
    OHMI_OWN_DROPPED = 253, // a mark inside of growth.c only
    OHMI_OWN_BACKBONE = 254 // owner of what the backbone brought
};

// Whether a unit with this owner is there before task t (0-based) begins.
static inline bool ohmi_is_earlier(uint8_t own, int t) {
    return own == OHMI_OWN_BACKBONE || (own > 0 && own <= t);
}

// The units of one layer.
typedef struct {
    ohmi_layout layout;
    uint8_t *own;       // 0 = free, 254 = the backbone, else 1-based task (n_units)
    uint8_t *on;        // code of the active task's scale; scratch of claims and growth (n_units)
    float *mask;        // real mask of the task in training               (n_units)
    float *mask_mean;   // Adam's first moment                             (n_units)
    float *mask_square; // Adam's second moment                          (n_units)
    float *score;       // scratch of growth                               (n_units)
    float *velocity;    // momentum of the weights, or Adam's first moment (n_weights)
    float *square;      // Adam's second moment; NULL with SGD             (n_weights)
    int64_t budget;     // units of the task in training
    struct ohmi_profile *profile; // faults of a chip to learn around (profile.h); NULL = none
    const float *cells; // codes that arrays hold, instead of those of w (n_weights); NULL = none
    float *spare; // how little its cells were written before (wear.h); NULL = all alike (n_units)
    float lsb;    // worth of one weight code, fixed with the first task
    int made_for; // 1-based task in training whose weights w_eff holds; 0 = none

    // with more levels than on and off: the real value whose rounding is the level, and its moments
    float *power, *power_mean, *power_square; // (n_units)

    // where tasks have copies of PEs
    ohmi_layout pes; // the partition into PEs
    uint8_t *chosen; // PEs of which the task in training has a copy (n_pes)
    float *choice, *choice_mean, *choice_square; // how much a PE matters, and moments (n_pes)
    float *fresh;     // weights of the copies of the task in training (n_weights)
    int64_t *copy_at; // scratch: where a PE's weights lie in a copy (n_pes)

    // where training may return to a state it had before: that state
    float *kept_w;                 // (n_weights)
    float *kept_mask, *kept_power; // (n_units); the second where there is a power
    uint8_t *kept_own;             // (n_units)
    float kept_lsb;
} ohmi_units;

// What is kept of a task, and what was measured when it was learned.
typedef struct {
    ohmi_task_parameters *parameters; // NULL before its turn
    uint8_t **bits;    // per layer: codes of the scales of the units (ohmi_levels_bytes)
    uint8_t **chosen;  // per layer: bit p = PE p is a copy ((n_pes + 7) / 8); NULL = no copies
    float **copies;    // per layer: weights of the chosen PEs, PE by PE, output by output
    int64_t *n_copies; // per layer: their number
    double accuracy, accuracy_float, accuracy_integer, loss; // on test; NaN when not measured
    double columns_new, columns_on;
    double digest[4]; // SHA-256 of the test logits when learned, as 4 x 52 bits
    double epochs;    // spent on it, all phases
    double ratio;     // of what it claimed, given back by pruning
} ohmi_learned;

// Where the phases of a task stand (phases.h); plain numbers, all zero when a task begins.
typedef struct {
    double phase, round;            // of the list of phases; of one that is repeated
    double is_begun;                // its beginning is done
    double first_epoch, first_step; // of the task, where it began
    double train_accuracy;          // of the epoch before
    double goal, is_met;            // accuracy to keep; whether training ever met its goals
    double best, n_bad;             // of retraining: best accuracy so far, epochs without a better
    double ratio;                   // part of the claimed units that the kept state has given back
} ohmi_phase_state;

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
    ohmi_phase_state phase;
    const ohmi_growth_traits *traits;
    ohmi_levels levels;
    float *backbone_trainable;  // batch norm, biases and clips that tasks begin with; NULL = none
                                //                                       (network->head_offset)
    float *backbone_statistics; //                                       (network->n_statistics)
    char backbone_sha256[65];   // of its checkpoint, "" = none was read by this process
    float *kept_trainable;      // parameters of the kept state           (max_trainable)
    float *kept_statistics;     //                                       (network->n_statistics)
    struct ohmi_adapt *adapt;   // noise injected in training (adapt.h); NULL = none
    const struct ohmi_rider *rider; // what goes along with training (rider.h); NULL = none
    ohmi_step_times times;
    float head_top; // largest weight code of the classifiers; 0 = float
    bool is_quantised;
    bool has_loose_cells; // what units' cells hold are no integers
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

// Forgets the moments of weights, masks and parameters, as a phase begins.
void ohmi_learner_rest(ohmi_learner *learner);

// Fixes the step of a layer from the weights that a backbone brought.
void ohmi_learner_fit_backbone(ohmi_learner *learner, int layer);

// Makes the parameters and bits of a task, empty (a checkpoint fills them).
OHM_NODISCARD ohm_status ohmi_learner_make_task(ohmi_learner *learner, int t, ohm_error *err);

// Fixes the steps of the layers for the first task, from the weights it owns (at each epoch).
void ohmi_learner_fit_steps(ohmi_learner *learner, int t);

// Keeps the scales of the task in training as its bits, and its counts.
void ohmi_learner_finish(ohmi_learner *learner, int t);

// Switches the network to a finished task: w_eff from its bits, its parameters bound.
// quantised = false: the same weights and activations without rounding, clipped where they were.
void ohmi_learner_activate(ohmi_learner *learner, int t, bool quantised);

// The weights of a finished task without rounding or clipping: w_eff times the layer's step.
void ohmi_learner_reveal(ohmi_learner *learner, int t);

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

// Gives back the smallest of the task's units, so that `ratio` of those it claimed are free
// (prune.c). Only where a task claims all free units.
void ohmi_learner_prune(ohmi_learner *learner, int t, double ratio);

// Keeps the state of the task in training, and returns to what was kept (prune.c).
void ohmi_learner_keep(ohmi_learner *learner, int t);
void ohmi_learner_go_back(ohmi_learner *learner, int t);

// units->score = the sum of the magnitudes of x (n_weights) over each unit that one of two owners
// has, -1 of others. noise (nullable): 1e-5 u is added, to break ties (growth.c).
void ohmi_score_units(ohmi_units *units, const float *x, uint8_t own, uint8_t or_own,
                      const ohmi_rng *noise);

// Takes a unit from its owner, or gives it to one, at zero with zero moments (growth.c).
void ohmi_clear_unit(ohmi_units *units, float *w, int64_t u);

// Own copies of PEs (copies.c); nothing happens where the method has none.
// Begin: the task's copies are the shared weights, of all PEs or of none. Draw: PEs by their
// scores, for one step. Score: one step of the scores. Settle: the best PEs for good, the others'
// weights as they are shared; makes room in what is kept of the task. Update: a step of the copied
// weights. Gather: into what is kept.
void ohmi_copies_begin(ohmi_learner *learner);
void ohmi_copies_draw(ohmi_learner *learner, int t);
void ohmi_copies_score(ohmi_learner *learner, double lr, double i);
OHM_NODISCARD ohm_status ohmi_copies_settle(ohmi_learner *learner, int t, ohm_error *err);
void ohmi_copies_update(ohmi_learner *learner, int layer, const ohmi_update *rule);
void ohmi_copies_gather(ohmi_learner *learner, int t);

// Room for the copies of a task whose chosen PEs are known.
OHM_NODISCARD ohm_status ohmi_copies_make(ohmi_learner *learner, int t, ohm_error *err);

// The copies' part of a layer's w_eff: of the task in training, or of a finished one.
void ohmi_copies_apply(ohmi_learner *learner, int layer, int t, bool from_bits,
                       const ohmi_grid *grid);

// The codes of a finished task's copies in a layer, over the codes of the shared weights that are
// there (n_weights).
void ohmi_copies_codes(int8_t *codes, const ohmi_learner *learner, int layer, int t);
void ohmi_copies_round(float *codes, const ohmi_learner *learner, int layer, int t);

// PEs of the network that a task may copy, and how many it does.
int64_t ohmi_copies_room(const ohmi_learner *learner, int64_t *n_chosen);

// Whether unit u is in a PE of which the task in training (learned = NULL) or a finished task has a
// copy.
static inline bool ohmi_is_copied(const ohmi_units *units, const ohmi_learned *learned, int layer,
                                  int64_t u) {
    if (!units->fresh && !(learned && learned->chosen)) {
        return false;
    }
    const int64_t pe = ohmi_layout_unit_at(&units->pes, ohmi_layout_offset(&units->layout, u));
    return learned ? learned->chosen && ohmi_bit(learned->chosen[layer], pe)
                   : units->chosen[pe] != 0;
}

// What task t multiplies the codes of unit u with: the factor of its level; of a copy's, level 1's.
static inline float ohmi_learner_factor(const ohmi_learner *learner, int layer, int t, int64_t u) {
    const ohmi_learned *task = &learner->learned[t];
    const ohmi_levels *levels = &learner->levels;
    return levels->factor[ohmi_is_copied(&learner->units[layer], task, layer, u)
                              ? levels->one
                              : ohmi_levels_code(levels, task->bits[layer], u)];
}

// The units a task may own in a layer (paper: 0.3, then 0.7 / (T - 1)).
int64_t ohmi_budget(const ohmi_config *config, const ohmi_layout *layout, int t, int n_tasks,
                    int64_t n_free, bool is_first_layer);

// Picks the k largest of the candidates (score >= 0; negative = no candidate): sets chosen[u] = 1,
// others 0; equals in order of u. k may exceed the candidates. n: units.
void ohmi_choose_largest(uint8_t *chosen, const float *score, int64_t n, int64_t k);

#endif
