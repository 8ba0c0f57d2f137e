// SPDX-License-Identifier: Apache-2.0
// The lists of phases, and walking along them; rules in phases.h.
#include "learn/phases.h"

#include <math.h>

#include "base/fail.h"
#include "learn/evaluate.h"
#include "learn/rider.h"

static const double pi = 3.14159265358979323846;

// Lengths and rates

static double all_epochs(const ohmi_learner *learner, int t) {
    (void)learner;
    (void)t;
    return 1;
}

static double choose_part(const ohmi_learner *learner, int t) {
    int64_t n_chosen = 0;
    const int64_t n = ohmi_copies_room(learner, &n_chosen);
    (void)t;
    return n_chosen > 0 && n_chosen < n ? learner->config->method.choose_part : 0;
}

static double prune_part(const ohmi_learner *learner, int t) {
    (void)t;
    return learner->config->method.prune_part;
}

static double retrain_part(const ohmi_learner *learner, int t) {
    (void)t;
    return learner->config->method.retrain_part;
}

static double later_retrain_part(const ohmi_learner *learner, int t) {
    return t > 0 ? learner->config->method.retrain_part : 0;
}

static double whole(const ohmi_config *config) {
    (void)config;
    return 1;
}

static double none(const ohmi_config *config) {
    (void)config;
    return 0;
}

static double retrain_lr(const ohmi_config *config) {
    return config->method.retrain_lr;
}

static double retrain_mask_lr(const ohmi_config *config) {
    return config->method.retrain_mask_lr;
}

// Drop and grow

// the part of the units that move at this step; 0 = an ordinary step
static double drop_fraction(const ohmi_learner *learner, int t) {
    const ohmi_config *config = learner->config;
    const double step = learner->position.step - learner->phase.first_step;
    const double end = config->method.grow_until * (double)ohmi_phase_steps(learner, t);
    if (step < 1 || step >= end || fmod(step, (double)config->method.grow_interval) > 0.5) {
        return 0;
    }
    return 0.5 * config->method.drop_fraction * (1.0 + cos(pi * step / end));
}

static bool drop_and_grow(ohmi_learner *learner, int t) {
    const double alpha = drop_fraction(learner, t);
    if (alpha > 0) {
        ohmi_learner_grow(learner, t, alpha);
    }
    return alpha > 0;
}

// Pruning

double ohmi_prune_curve(double from, double to, double p) {
    return to + (from - to) * (1 - p) * (1 - p) * (1 - p);
}

double ohmi_prune_room(int n_left) {
    const double part = rint(10.0 / (n_left + 1)) / 10;
    return 1 - (part > 0.1 ? part : 0.1);
}

static void prune_once(ohmi_learner *learner, int t) {
    learner->phase.ratio = learner->config->method.prune_ratio;
    ohmi_learner_prune(learner, t, learner->phase.ratio);
}

static void prune_along(ohmi_learner *learner, int t) {
    const ohmi_config *config = learner->config;
    const ohmi_numbers *ratios = &config->method.prune_ratios;
    const int round = (int)learner->phase.round;
    const double step = learner->position.step - learner->phase.first_step + 1;
    const double ramp = rint(config->method.prune_ramp * (double)ohmi_phase_steps(learner, t));
    const double last = ramp > 1 ? ramp : 1;
    const bool is_due = fmod(step, (double)config->method.prune_interval) < 0.5 || step >= last;
    if (step <= last && is_due) {
        const double from = round > 0 ? ratios->v[round - 1] : 0;
        ohmi_learner_prune(learner, t, ohmi_prune_curve(from, ratios->v[round], step / last));
    }
}

// accuracy of the task in training, as it would be kept, on images held out or on those of training
static ohm_status measure(double *accuracy, ohmi_learner *learner, int t, const ohmi_images *images,
                          ohm_error *err) {
    ohmi_evaluation e;
    if (learner->rider) {
        learner->rider->refresh(learner->rider->context, learner);
    }
    ohmi_learner_prepare(learner, t, false);
    const ohm_status status =
        ohmi_measure_images(&e, learner, t, images, learner->is_quantised, NULL, err);
    *accuracy = e.accuracy;
    return status;
}

static void move_to(ohmi_learner *learner, int phase, int round) {
    learner->phase.phase = phase;
    learner->phase.round = round;
    learner->phase.is_begun = 0;
}

// whether there is a round for which the rules ask
static bool has_round(const ohmi_learner *learner, int t, int round) {
    const ohmi_numbers *ratios = &learner->config->method.prune_ratios;
    const double room = ohmi_prune_room(learner->n_tasks - t - 1);
    return round < ratios->n && (learner->phase.is_met > 0.5 || ratios->v[round] <= room + 1e-9);
}

// images by which retraining judges itself
static const ohmi_images *judges(const ohmi_learner *learner, int t) {
    const ohmi_task *task = &learner->tasks->task[t];
    return task->validation.n > 0 ? &task->validation : &task->train;
}

// on to a round, or to what follows the last
static ohm_status next_round(ohmi_learner *learner, int t, int round, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int prune = 1, retrain = 2;
    if (has_round(learner, t, round)) {
        move_to(learner, prune, round);
        goto done;
    }
    ohmi_learner_go_back(learner, t);
    move_to(learner, retrain, 0);
    if (later_retrain_part(learner, t) > 0) {
        OHM_TRY(measure(&learner->phase.best, learner, t, judges(learner, t), err));
    }
done:
    return status;
}

static ohm_status set_goals(ohmi_learner *learner, int t, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_phase_state *state = &learner->phase;
    const ohmi_config *config = learner->config;
    const double train_goal = config->method.train_goal;
    double accuracy = 0;
    OHM_TRY(measure(&accuracy, learner, t, judges(learner, t), err));
    const bool has_goal = learner->tasks->task[t].validation.n > 0;
    state->goal = !has_goal ? train_goal : config->method.goal > 0 ? config->method.goal : accuracy;
    state->is_met = state->train_accuracy > train_goal && accuracy >= state->goal ? 1 : 0;
    state->ratio = 0;
    ohmi_learner_keep(learner, t);
    OHM_TRY(next_round(learner, t, 0, err));
done:
    return status;
}

static ohm_status judge_round(ohmi_learner *learner, int t, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_phase_state *state = &learner->phase;
    const ohmi_config *config = learner->config;
    const int round = (int)state->round;
    const bool is_met = state->is_met > 0.5;
    const bool goes_on = !is_met || state->train_accuracy > config->method.train_goal;
    double accuracy = 1;
    if (is_met && goes_on) {
        OHM_TRY(measure(&accuracy, learner, t, judges(learner, t), err));
    }
    if (goes_on && accuracy >= state->goal) {
        ohmi_learner_keep(learner, t);
        state->ratio = config->method.prune_ratios.v[round];
    }
    OHM_TRY(next_round(learner, t, goes_on ? round + 1 : config->method.prune_ratios.n, err));
done:
    return status;
}

static ohm_status judge_epoch(ohmi_learner *learner, int t, bool *is_over, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_phase_state *state = &learner->phase;
    const ohmi_config *config = learner->config;
    const double patience = rint(config->method.patience * (double)config->train.epochs);
    double accuracy = 0;
    OHM_TRY(measure(&accuracy, learner, t, judges(learner, t), err));
    if (accuracy > state->best) {
        state->best = accuracy;
        state->n_bad = 0;
        ohmi_learner_keep(learner, t);
    } else {
        state->n_bad += 1;
    }
    *is_over = state->n_bad >= (patience > 1 ? patience : 1);
done:
    return status;
}

static ohm_status take_best(ohmi_learner *learner, int t, ohm_error *err) {
    (void)err;
    ohmi_learner_go_back(learner, t);
    move_to(learner, ohmi_n_phases(learner), 0);
    return OHM_OK;
}

// Choosing PEs

static void score_pes(ohmi_learner *learner, int t) {
    const ohmi_config *config = learner->config;
    const ohmi_phase_state *state = &learner->phase;
    const double epochs = (double)ohmi_phase_epochs(learner, t);
    const double step = learner->position.step - state->first_step;
    const double epoch = step / (double)ohmi_steps_of_epoch(learner, t);
    ohmi_copies_score(learner, config->train.mask_lr * ohmi_mask_factor(config, epoch, epochs),
                      step + 1);
}

static bool score_and_step(ohmi_learner *learner, int t) {
    score_pes(learner, t);
    return false;
}

static ohm_status settle(ohmi_learner *learner, int t, ohm_error *err) {
    ohm_status status = OHM_OK;
    OHM_TRY(ohmi_copies_settle(learner, t, err));
    move_to(learner, (int)learner->phase.phase + 1, 0);
done:
    return status;
}

// The lists

#define TRAIN                                                                                      \
    .name = "train", .part = all_epochs, .lr = whole, .mask_lr = whole, .is_scheduled = true

static const ohmi_phase plain[] = {{TRAIN}};

static const ohmi_phase growing[] = {{TRAIN, .instead = drop_and_grow}};

static const ohmi_phase pruning_once[] = {
    {TRAIN},
    {.name = "retrain",
     .part = retrain_part,
     .lr = retrain_lr,
     .mask_lr = retrain_mask_lr,
     .begin = prune_once},
};

static const ohmi_phase pruning_gradually[] = {
    {TRAIN, .end = set_goals},
    {.name = "prune",
     .has_rounds = true,
     .part = prune_part,
     .lr = retrain_lr,
     .mask_lr = none,
     .after = prune_along,
     .end = judge_round},
    {.name = "retrain",
     .part = later_retrain_part,
     .lr = retrain_lr,
     .mask_lr = retrain_mask_lr,
     .after_epoch = judge_epoch,
     .end = take_best},
};

static const ohmi_phase choosing[] = {
    {.name = "choose",
     .part = choose_part,
     .lr = whole,
     .mask_lr = none,
     .is_scheduled = true,
     .before = ohmi_copies_draw,
     .instead = score_and_step,
     .end = settle},
    {TRAIN},
};

#define LIST(phases)                                                                               \
    { phases, (int)(sizeof(phases) / sizeof *(phases)) }

static const struct {
    const ohmi_phase *phases;
    int n;
} lists[OHMI_N_GROWTHS] = {
    [OHMI_GROWTH_NONE] = LIST(plain),
    [OHMI_GROWTH_DROP_AND_GROW] = LIST(growing),
    [OHMI_GROWTH_DENSE] = LIST(plain),
    [OHMI_GROWTH_ALL] = LIST(plain),
    [OHMI_GROWTH_PRUNE_ONCE] = LIST(pruning_once),
    [OHMI_GROWTH_PRUNE_GRADUALLY] = LIST(pruning_gradually),
    [OHMI_GROWTH_CHOOSE] = LIST(choosing),
};

// Walking

int ohmi_n_phases(const ohmi_learner *learner) {
    return lists[learner->config->method.growth].n;
}

static const ohmi_phase *phase_at(const ohmi_learner *learner, int i) {
    return &lists[learner->config->method.growth].phases[i];
}

const ohmi_phase *ohmi_phase_now(const ohmi_learner *learner) {
    return phase_at(learner, (int)learner->phase.phase);
}

bool ohmi_phases_are_over(const ohmi_learner *learner) {
    return (int)learner->phase.phase >= ohmi_n_phases(learner);
}

static int64_t epochs_of(const ohmi_learner *learner, int t, int i) {
    const double part = phase_at(learner, i)->part(learner, t);
    const int64_t n = llround(part * (double)learner->config->train.epochs);
    return part > 0 && n < 1 ? 1 : n;
}

int64_t ohmi_phase_epochs(const ohmi_learner *learner, int t) {
    return epochs_of(learner, t, (int)learner->phase.phase);
}

int64_t ohmi_steps_of_epoch(const ohmi_learner *learner, int t) {
    const int64_t batch = learner->config->train.batch;
    return (learner->tasks->task[t].train.n + batch - 1) / batch;
}

int64_t ohmi_phase_steps(const ohmi_learner *learner, int t) {
    return ohmi_steps_of_epoch(learner, t) * ohmi_phase_epochs(learner, t);
}

int64_t ohmi_epochs_of_task(const ohmi_learner *learner, int t) {
    int64_t n = 0;
    for (int i = 0; i < ohmi_n_phases(learner); i++) {
        const int64_t n_rounds = learner->config->method.prune_ratios.n;
        n += epochs_of(learner, t, i) * (phase_at(learner, i)->has_rounds ? n_rounds : 1);
    }
    return n;
}

void ohmi_phase_enter(ohmi_learner *learner, int t) {
    ohmi_phase_state *state = &learner->phase;
    while (!ohmi_phases_are_over(learner) && state->is_begun < 0.5) {
        if (ohmi_phase_epochs(learner, t) == 0) {
            state->phase += 1;
            continue;
        }
        const ohmi_phase *phase = ohmi_phase_now(learner);
        state->is_begun = 1;
        state->first_epoch = learner->position.epoch;
        state->first_step = learner->position.step;
        state->n_bad = 0;
        if (learner->position.step > 0) {
            ohmi_learner_rest(learner);
        }
        if (phase->begin) {
            phase->begin(learner, t);
        }
    }
}

ohm_status ohmi_phase_after_epoch(ohmi_learner *learner, int t, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_phase_state *state = &learner->phase;
    const ohmi_phase *phase = ohmi_phase_now(learner);
    bool is_over = false;
    if (phase->after_epoch) {
        OHM_TRY(phase->after_epoch(learner, t, &is_over, err));
    }
    const int64_t n_done = llround(learner->position.epoch - state->first_epoch);
    if (is_over || n_done >= ohmi_phase_epochs(learner, t)) {
        if (phase->end) {
            OHM_TRY(phase->end(learner, t, err));
        } else {
            move_to(learner, (int)state->phase + 1, 0);
        }
    }
    ohmi_phase_enter(learner, t);
done:
    return status;
}
