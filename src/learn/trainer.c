// SPDX-License-Identifier: Apache-2.0
// The main path of learning:
//
//   for each task: claim its budget -> train, phase by phase -> freeze -> evaluate -> checkpoint
//
// A run can be stopped at any moment: everything that decides what comes next is in the checkpoint
// (weights, moments, owners, masks, position; random draws depend on the position only), so a
// resumed run ends with the same bytes as one that was never stopped.
//
// A batch can be learned in parts (train.parts), by threads here and by other processes: each part
// runs all of this with a learner of its own, and all learners stay the same, since what is summed
// over images is summed over all parts (network/whole.h). Only the first part has a run folder and
// somebody to tell; what it decides, the others are told.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/c_locale.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/sha256.h"
#include "base/team.h"
#include "base/thread.h"
#include "config/access.h"
#include "data/loader.h"
#include "data/tasks.h"
#include "learn/adapt.h"
#include "learn/account.h"
#include "learn/backbone.h"
#include "learn/checkpoint.h"
#include "learn/evaluate.h"
#include "learn/learner.h"
#include "learn/optimiser.h"
#include "learn/phases.h"
#include "learn/rider.h"
#include "learn/run_folder.h"
#include "learn/step.h"
#include "learn/task_file.h"
#include "learn/profile.h"
#include "learn/wear.h"
#include "ohmwise/learn.h"

typedef struct {
    const ohm_learn_def *def;
    const ohmi_config *config;
    const ohm_communicator *parts; // of the batch; this is one of them
    bool is_first;                 // of the parts
    ohmi_learner *learner;
    ohmi_loader *loader;
    ohmi_run_folder run;
    const ohmi_rider *rider;     // NULL = none
    double checkpoint_s;         // when this process last saved
    double trained_s, n_trained; // of this process: time in steps, images
    bool is_identical;           // every earlier task gave the same logits again
} trainer;

// tells the caller; non-zero asks to stop
static int tell(const trainer *r, ohm_event_kind kind, const char *text) {
    const ohmi_position *p = &r->learner->position;
    const int t = (int)p->task < r->learner->n_tasks ? (int)p->task : r->learner->n_tasks - 1;
    ohm_event event = {.kind = kind,
                       .task = t,
                       .n_tasks = r->learner->n_tasks,
                       .task_name = r->learner->tasks->task[t].name,
                       .epoch = (int)p->epoch,
                       .n_epochs = (int)ohmi_epochs_of_task(r->learner, t),
                       .step = (int64_t)p->step,
                       .n_steps = ohmi_steps_of_task(r->learner, t),
                       .seconds_left = -1,
                       .text = text};
    if (!r->def->sink) {
        return 0;
    }
    if (p->n_seen > 0) {
        event.loss = p->loss_sum / p->n_seen;
        event.accuracy = p->n_right / p->n_seen;
    }
    if (r->trained_s > 0) {
        double images = 0;
        event.images_per_s = r->n_trained / r->trained_s;
        for (int i = t; i < r->learner->n_tasks; i++) {
            images +=
                (double)(r->learner->tasks->task[i].train.n * ohmi_epochs_of_task(r->learner, i));
        }
        images -= p->step * (double)r->config->train.batch;
        event.seconds_left = images > 0 ? images / event.images_per_s : 0;
    }
    return r->def->sink(r->def->context, &event);
}

static void note(trainer *r, const char *format, ...) OHM_PRINTF(2, 3);
static void note(trainer *r, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ohmi_run_log(&r->run, "%s", text);
    (void)tell(r, OHM_EVENT_NOTE, text);
}

// whether the first part was asked to stop, on all parts
static ohm_status ask_first(const trainer *r, bool *asked, ohm_error *err) {
    return r->parts->broadcast(r->parts->context, asked, sizeof *asked, 0, err);
}

// a checkpoint is never of a network that is lost, and never knows rows that the disk has not
static ohm_status save(trainer *r, ohm_error *err) {
    ohm_status status = OHM_OK;
    char path[1024];
    if (!r->is_first) {
        return OHM_OK;
    }
    if (!ohmi_learner_is_finite(r->learner)) {
        status = ohmi_diverged(r->learner, "a weight", err);
        goto done;
    }
    OHM_TRY(ohmi_run_sync_csv(&r->run, err));
    ohmi_run_file(path, &r->run, "checkpoints/last.safetensors");
    OHM_TRY(ohmi_checkpoint_save(r->learner, path, r->run.config_text, err));
    OHM_TRY(ohmi_run_save_times(&r->run, err));
    r->checkpoint_s = ohmi_now_s();
done:
    return status;
}

static ohm_status row(trainer *r, const char *split, const char *name, double value,
                      const char *unit, ohm_error *err) {
    ohmi_position *p = &r->learner->position;
    if (!r->is_first) {
        return OHM_OK;
    }
    return ohmi_run_row(&r->run, &p->csv_bytes, (int64_t)p->step, (int)p->epoch, (int)p->task + 1,
                        split, name, value, unit, err);
}

// a row of what a rider has counted
static ohm_status rider_row(void *context, const char *split, const char *name, double value,
                            const char *unit, ohm_error *err) {
    return row(context, split, name, value, unit, err);
}

// what a run ends with that was asked to stop and has saved
static ohm_status stopped(trainer *r, ohm_error *err) {
    const ohmi_position *p = &r->learner->position;
    ohmi_run_log(&r->run, "stopped in task %d, epoch %d", (int)p->task + 1, (int)p->epoch + 1);
    ohm_status status =
        ohmi_fail(err, OHM_ERR_INTERRUPTED, "stopped early, the checkpoint is written");
    ohmi_hint(err, "the same command goes on");
    return status;
}

// the rest of the current epoch, from the position
static ohm_status train_epoch(trainer *r, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_learner *l = r->learner;
    ohmi_position *p = &l->position;
    const int t = (int)p->task;
    ohmi_loader_start(r->loader, t, &l->tasks->task[t].train, (int)p->epoch, (int)p->batch);
    for (;;) {
        ohmi_batch batch;
        const double start = ohmi_now_s();
        ohmi_loader_next(r->loader, &batch);
        if (batch.n_whole == 0) {
            break;
        }
        OHM_TRY(ohmi_train_step(l, &batch, err));
        const double seconds = ohmi_now_s() - start;
        r->trained_s += seconds;
        r->n_trained += batch.n_whole;
        if (r->is_first) {
            r->run.train_seconds[t] += seconds;
        }

        // stop and save between two steps only
        bool asked = tell(r, OHM_EVENT_STEP, NULL) != 0;
        if (asked || ohmi_now_s() - r->checkpoint_s >= r->config->run.checkpoint_s) {
            OHM_TRY(save(r, err));
        }
        OHM_TRY(ask_first(r, &asked, err));
        if (asked) {
            status = stopped(r, err);
            goto done;
        }
    }
    const ohmi_phase *phase = ohmi_phase_now(l);
    const double lr =
        r->config->train.lr * phase->lr(r->config) *
        (phase->is_scheduled ? ohmi_schedule_factor(r->config, p->epoch - l->phase.first_epoch,
                                                    (double)ohmi_phase_epochs(l, t))
                             : 1);
    OHM_TRY(row(r, "train", "loss", p->n_seen > 0 ? p->loss_sum / p->n_seen : 0, "nat", err));
    OHM_TRY(row(r, "train", "accuracy", p->n_seen > 0 ? p->n_right / p->n_seen : 0, "1", err));
    OHM_TRY(row(r, "train", "lr", lr, "1", err));
    if (ohmi_n_phases(l) > 1) {
        OHM_TRY(row(r, "train", "phase", l->phase.phase, "1", err));
        OHM_TRY(row(r, "train", "round", l->phase.round, "1", err));
    }
    if (l->tasks->task[t].validation.n > 0) {
        ohmi_evaluation held_out;
        ohmi_learner_prepare(l, t, false);
        OHM_TRY(ohmi_measure_images(&held_out, l, t, &l->tasks->task[t].validation, l->is_quantised,
                                    NULL, err));
        OHM_TRY(row(r, "validation", "loss", held_out.loss, "nat", err));
        OHM_TRY(row(r, "validation", "accuracy", held_out.accuracy, "1", err));
    }
    if (r->rider) {
        OHM_TRY(r->rider->after_epoch(r->rider->context, l, rider_row, r, err));
    }
    (void)tell(r, OHM_EVENT_EPOCH, NULL);
    l->phase.train_accuracy = p->n_seen > 0 ? p->n_right / p->n_seen : 0;
    p->epoch += 1;
    p->batch = p->loss_sum = p->n_right = p->n_seen = 0;
done:
    return status;
}

// measures task j after task t is learned, and holds it against what it was
static ohm_status measure(trainer *r, int t, int j, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_learner *l = r->learner;
    ohmi_learned *learned = &l->learned[j];
    ohmi_evaluation e;
    OHM_TRY(ohmi_evaluate(&e, l, j, true, NULL, err));
    l->matrix[t * l->n_tasks + j] = e.accuracy;
    if (j == t) {
        ohmi_evaluation in_float = e;
        learned->accuracy = e.accuracy;
        learned->loss = e.loss;
        memcpy(learned->digest, e.digest, sizeof learned->digest);
        if (l->is_quantised) {
            learned->accuracy_integer = e.accuracy;
            OHM_TRY(ohmi_evaluate(&in_float, l, j, false, NULL, err));
        }
        learned->accuracy_float = in_float.accuracy;
    } else if (memcmp(learned->digest, e.digest, sizeof learned->digest) != 0) {
        r->is_identical = false;
        note(r, "task %d gives other logits after task %d was learned", j + 1, t + 1);
    }
done:
    return status;
}

static ohm_status finish_task(trainer *r, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_learner *l = r->learner;
    ohmi_position *p = &l->position;
    const int t = (int)p->task;
    const bool keeps_earlier = !l->traits->is_alone;
    ohmi_learner_finish(l, t);
    for (int j = 0; j <= t; j++) {
        if (j == t || (keeps_earlier && r->config->run.evaluate == OHMI_EVALUATE_ALL)) {
            OHM_TRY(measure(r, t, j, err));
            bool asked = tell(r, OHM_EVENT_MEASURED, NULL) != 0;
            OHM_TRY(ask_first(r, &asked, err));
            if (asked) {
                OHM_TRY(save(r, err));
                status = stopped(r, err);
                goto done;
            }
        }
    }
    OHM_TRY(row(r, "test", "loss", l->learned[t].loss, "nat", err));
    OHM_TRY(row(r, "test", "accuracy", l->learned[t].accuracy, "1", err));
    OHM_TRY(row(r, "test", "accuracy_float", l->learned[t].accuracy_float, "1", err));
    OHM_TRY(row(r, "test", "columns_new", l->learned[t].columns_new, "1", err));
    OHM_TRY(row(r, "test", "columns_on", l->learned[t].columns_on, "1", err));

    // tell before the position moves on
    if (r->def->sink) {
        const ohmi_task *task = &l->tasks->task[t];
        ohm_event event = {.kind = OHM_EVENT_TASK,
                           .task = t,
                           .n_tasks = l->n_tasks,
                           .task_name = task->name,
                           .epoch = (int)p->epoch,
                           .n_epochs = (int)p->epoch,
                           .seconds_left = -1,
                           .test_accuracy = l->learned[t].accuracy,
                           .train_seconds = r->run.train_seconds[t],
                           .columns_new = (int64_t)l->learned[t].columns_new,
                           .columns_on = (int64_t)l->learned[t].columns_on};
        for (int i = 0; i < l->network->n_layers; i++) {
            event.columns_total += l->units[i].layout.n_units;
        }
        event.mask_bytes = ohmi_account_of(l, t).mask_bytes;
        (void)r->def->sink(r->def->context, &event);
    }
    ohmi_run_log(&r->run, "task %d '%s' learned: accuracy %.4f", t + 1, l->tasks->task[t].name,
                 l->learned[t].accuracy);
    p->task += 1;
    p->epoch = p->batch = p->step = p->mask_step = p->is_started = 0;
    l->phase = (ohmi_phase_state){0};
    OHM_TRY(save(r, err));
    if (r->is_first) {
        OHM_TRY(ohmi_run_write_metrics(&r->run, l, r->is_identical, err));
    }
done:
    return status;
}

// what follows an epoch: the next one, round or phase
static ohm_status end_epoch(trainer *r, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_learner *l = r->learner;
    const ohmi_phase_state before = l->phase;
    const int t = (int)l->position.task;
    OHM_TRY(ohmi_phase_after_epoch(l, t, err));
    if (!ohmi_phases_are_over(l) &&
        (l->phase.first_epoch > before.first_epoch || l->phase.phase > before.phase)) {
        const ohmi_phase *phase = ohmi_phase_now(l);
        ohmi_run_log(&r->run, "task %d: %s, round %d", t + 1, phase->name, (int)l->phase.round + 1);
    }
done:
    return status;
}

static ohm_status learn_tasks(trainer *r, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_learner *l = r->learner;
    ohmi_position *p = &l->position;
    while ((int)p->task < l->n_tasks) {
        const int t = (int)p->task;
        if (p->is_started < 0.5) {
            OHM_TRY(ohmi_learner_begin(l, t, err));
            ohmi_phase_enter(l, t);
            p->is_started = 1;
            ohmi_run_log(&r->run, "task %d '%s' begins", t + 1, l->tasks->task[t].name);
        }
        while (!ohmi_phases_are_over(l)) {
            if (p->batch < 0.5) {
                ohmi_learner_fit_steps(l, t);
            }
            OHM_TRY(train_epoch(r, err));
            OHM_TRY(end_epoch(r, err));
        }
        OHM_TRY(finish_task(r, err));
    }
done:
    return status;
}

// a run that begins reads its backbone before its folder is touched; one that goes on has it
static ohm_status begin_with_backbone(ohmi_learner *learner, const ohm_learn_def *def,
                                      ohm_error *err) {
    char path[1024];
    struct stat info;
    (void)snprintf(path, sizeof path, "%.990s/checkpoints/last.safetensors", def->run_folder);
    const bool goes_on = !def->force && stat(path, &info) == 0;
    if (goes_on || learner->config->method.start != OHMI_START_BACKBONE) {
        return OHM_OK;
    }
    return ohmi_backbone_read(learner, def->run_folder, err);
}

// opens the run folder, or goes on from what is there; only the first part
static ohm_status open_run(trainer *r, const ohm_config *config, bool *has_checkpoint,
                           ohm_error *err) {
    ohm_status status = OHM_OK;
    char path[1024];
    OHM_TRY(begin_with_backbone(r->learner, r->def, err));
    if (r->rider) {
        OHM_TRY(r->rider->begin(r->rider->context, r->learner, err));
        r->learner->rider = r->rider;
    }
    OHM_TRY(ohmi_run_open(&r->run, r->def->run_folder, config, r->learner->n_tasks, r->def->force,
                          has_checkpoint, err));
    if (*has_checkpoint) {
        ohmi_run_file(path, &r->run, "checkpoints/last.safetensors");
        OHM_TRY(ohmi_checkpoint_load(r->learner, path, true, err));
    } else {
        OHM_TRY(ohmi_run_write_manifest(&r->run, r->learner, r->def->command, err));
    }
    ohmi_run_file(path, &r->run, "tasks.json");
    OHM_TRY(ohmi_task_file_write(path, r->learner->tasks, err));
    OHM_TRY(ohmi_run_open_csv(&r->run, (int64_t)r->learner->position.csv_bytes, err));
done:
    return status;
}

// the loader of this part of every batch
static ohm_status make_loader(trainer *r, ohm_error *err) {
    const ohmi_config *values = r->config;
    ohmi_loader_def loader = {.seed = values->seed,
                              .batch = (int)values->train.batch,
                              .part = r->parts->rank,
                              .n_parts = r->parts->size,
                              .shuffle = true,
                              .augment = values->data.augment,
                              .flip = values->data.flip,
                              .pad = (int)values->data.pad};
    if (values->data.crop == OHMI_CROP_RESIZED) {
        loader.crop_area = values->data.crop_area;
    }
    if (r->learner->is_quantised) {
        loader.input_step = ohmi_input_step(values);
        loader.input_max = (float)((1 << (values->quantise.input_bits - 1)) - 1);
    }
    return ohmi_loader_new(&r->loader, r->learner->tasks, &loader, err);
}

// what the parts of this process begin with
typedef struct {
    ohm_config *config;
    const ohm_learn_def *def;
    const ohmi_tasks *tasks;
    const ohmi_rider *rider;
} lesson;

static ohm_status begin(trainer *r, ohm_config *config, const ohmi_tasks *tasks,
                        bool *has_checkpoint, ohm_error *err) {
    ohm_status status = OHM_OK;
    OHM_TRY(ohm_communicator_agree(
        r->parts, ohmi_learner_new_part(&r->learner, r->config, tasks, r->parts, err), err));
    OHM_TRY(ohm_communicator_agree(
        r->parts, ohmi_adapt_read(&r->learner->adapt, r->config, r->learner->network, err), err));
    OHM_TRY(ohm_communicator_agree(r->parts, ohmi_profile_read(r->learner, err), err));
    OHM_TRY(ohm_communicator_agree(r->parts, ohmi_wear_spare(r->learner, err), err));
    if (r->learner->adapt) {
        r->learner->adapt->part = r->parts->rank;
    }
    if (r->is_first) {
        status = open_run(r, config, has_checkpoint, err);
    }
    OHM_TRY(ohm_communicator_agree(r->parts, status, err));
    OHM_TRY(ohmi_checkpoint_share(r->learner, r->parts, err));
    OHM_TRY(ohm_communicator_agree(r->parts, make_loader(r, err), err));
done:
    return status;
}

// learns as one of the parts of every batch
static ohm_status learn_part(void *context, const ohm_communicator *parts, ohm_error *err) {
    ohm_status status = OHM_OK;
    const lesson *common = context;
    ohm_learn_def def = *common->def;
    trainer r = {.def = &def,
                 .parts = parts,
                 .is_first = parts->rank == 0,
                 .is_identical = true,
                 .rider = common->rider};
    bool has_checkpoint = false;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    r.config = ohmi_config_values(common->config);
    def.sink = r.is_first ? def.sink : NULL;
    OHM_TRY(begin(&r, common->config, common->tasks, &has_checkpoint, err));
    ohmi_run_log(&r.run, "%s with %s, %d threads", has_checkpoint ? "resumed" : "started",
                 r.learner->network->kernels->name, ohmi_threads());
    if (parts->size > 1) {
        ohmi_run_log(&r.run, "a batch in %d parts on %d processes", parts->size,
                     common->def->communicator ? common->def->communicator->size : 1);
    }
    (void)tell(&r, OHM_EVENT_START, has_checkpoint ? "resumed" : "started");
    const char *inexact = ohmi_learner_inexact(r.learner);
    if (inexact && !has_checkpoint) {
        note(&r,
             "sums of '%s' can pass 2^24 with these bits: another backend may give other last "
             "bits of the logits",
             inexact);
    }
    r.checkpoint_s = ohmi_now_s();
    OHM_TRY(learn_tasks(&r, err));
    if (r.is_first) {
        // written with the last checkpoint, or, where a kill came between, now
        OHM_TRY(ohmi_run_save_times(&r.run, err));
        OHM_TRY(ohmi_run_write_metrics(&r.run, r.learner, r.is_identical, err));
    }
    ohmi_run_log(&r.run, "all tasks are learned");
    (void)tell(&r, OHM_EVENT_END, NULL);
done:
    if (status < 0 && err) {
        ohmi_run_log(&r.run, "ended: %s", err->message);
    }
    ohmi_loader_free(&r.loader);
    ohmi_run_close(&r.run);
    ohmi_learner_free(&r.learner);
    ohmi_c_locale_leave(&locale);
    return status;
}

// how many parts of a batch this process learns
static ohm_status count_parts(int *n, const ohmi_config *config, const ohm_communicator *processes,
                              ohm_error *err) {
    const int64_t parts = config->train.parts;
    *n = parts > 0 ? (int)parts / processes->size : 1;
    if (parts > 0 && parts % processes->size != 0) {
        ohm_status status = ohmi_fail(err, OHM_ERR_CONFIG,
                                      "%d processes cannot learn a batch in 'train.parts' = %d",
                                      processes->size, (int)parts);
        ohmi_hint(err, "start 1, 2, 4 .. %d of them", (int)parts);
        return status;
    }
    if (processes->size > config->train.batch) {
        return ohmi_fail(err, OHM_ERR_CONFIG, "%d processes for a 'train.batch' of %d images",
                         processes->size, (int)config->train.batch);
    }
    return OHM_OK;
}

// all processes must have the same config and data; each calls, whatever it has come to
static ohm_status check_same(const ohm_communicator *processes, const ohm_config *config,
                             const ohmi_tasks *tasks, ohm_error *err) {
    char *text = NULL;
    struct {
        char config[65], data[65];
    } own, first;
    ohmi_sha256 hash;
    memset(&own, 0, sizeof own);
    ohm_status status = ohm_config_text(&text, config, err);
    if (text) {
        ohmi_sha256_init(&hash);
        ohmi_sha256_add(&hash, text, strlen(text));
        ohmi_sha256_hex(&hash, own.config);
    }
    (void)snprintf(own.data, sizeof own.data, "%s", tasks->sha256);
    first = own;
    const ohm_status told =
        processes->broadcast(processes->context, &first, sizeof first, 0, status < 0 ? NULL : err);
    status = status < 0 ? status : told;
    if (status >= 0 && memcmp(&own, &first, sizeof own) != 0) {
        status = ohmi_fail(err, OHM_ERR_CONFIG, "other %s than on rank 0",
                           strcmp(own.config, first.config) != 0 ? "config" : "data");
    }
    ohm_text_free(&text);
    return status;
}

ohm_status ohm_learn(ohm_config *config, const ohm_learn_def *def, ohm_error *err) {
    return ohmi_learn_with(config, def, NULL, err);
}

ohm_status ohmi_learn_with(ohm_config *config, const ohm_learn_def *def, const ohmi_rider *rider,
                           ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_tasks *tasks = NULL;
    const ohm_communicator *processes =
        def->communicator ? def->communicator : ohm_communicator_alone();
    int n_parts = 1;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    OHM_TRY(ohm_communicator_agree(processes, ohm_config_check(config, err), err));
    const ohmi_config *values = ohmi_config_values(config);
    if (values->threads > 0) {
        ohmi_set_threads((int)values->threads);
    }
    OHM_TRY(count_parts(&n_parts, values, processes, err));
    OHM_TRY(ohm_communicator_agree(processes,
                                   ohmi_tasks_load(&tasks, values, def->data_folder, err), err));
    OHM_TRY(ohm_communicator_agree(processes, check_same(processes, config, tasks, err), err));
    if (rider && n_parts * processes->size > 1) {
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED, "'%s' learns no batch in parts", rider->name);
        ohmi_hint(err, "set 'train.parts' to 0 and start one process");
        goto done;
    }
    lesson common = {config, def, tasks, rider};
    status = n_parts > 1 ? ohmi_team_run(processes, n_parts, learn_part, &common, err)
                         : learn_part(&common, processes, err);
done:
    ohmi_tasks_free(&tasks);
    ohmi_c_locale_leave(&locale);
    return status;
}
