// SPDX-License-Identifier: Apache-2.0
// Checkpoints; the list of tensors is in checkpoint.h. One list of views serves writing and
// reading.
#include "learn/checkpoint.h"

#include <math.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/fail.h"
#include "base/memory.h"
#include "file/safetensors.h"
#include "learn/phases.h"
#include "learn/rider.h"

// numbers of an ohmi_learned before the digest, in order, as stored in state/results
enum { N_RESULTS = 6 + 4 };
enum { N_SPENT = 2 }; // numbers of an ohmi_learned in state/spent
enum { N_PHASE = sizeof(ohmi_phase_state) / sizeof(double) };
_Static_assert(sizeof(ohmi_phase_state) % sizeof(double) == 0, "phases are plain doubles");
enum { N_POSITION = sizeof(ohmi_position) / sizeof(double) };
_Static_assert(sizeof(ohmi_position) % sizeof(double) == 0, "positions are plain doubles");

typedef struct {
    ohmi_view *views;
    int n, room;
    double *results; // (n_tasks, N_RESULTS)
    double *spent;   // (n_tasks, N_SPENT)
    float *kept_lsb; // (n_layers)
    float *lsb;      // (n_layers)
} list;

static void add(list *l, ohmi_dtype dtype, void *data, int64_t count, const char *format,
                const char *name, int index) {
    char text[96];
    (void)snprintf(text, sizeof text, format, name, index);
    l->views[l->n++] = ohmi_view_of(text, dtype, data, 1, count, 0, 0, 0);
}

static void add_task(list *l, const ohmi_learner *learner, int t) {
    const ohmi_learned *task = &learner->learned[t];
    char text[96];
    (void)snprintf(text, sizeof text, "tasks/%d/trainable", t);
    l->views[l->n++] = ohmi_view_of(text, OHMI_F32, task->parameters->trainable, 1,
                                    task->parameters->n_trainable, 0, 0, 0);
    (void)snprintf(text, sizeof text, "tasks/%d/statistics", t);
    l->views[l->n++] = ohmi_view_of(text, OHMI_F32, task->parameters->statistics, 1,
                                    task->parameters->n_statistics, 0, 0, 0);
    for (int i = 0; i < learner->network->n_layers; i++) {
        const ohmi_units *units = &learner->units[i];
        const char *name = learner->network->layers[i].name;
        (void)snprintf(text, sizeof text, "tasks/%d/bits/%s", t, name);
        l->views[l->n++] =
            ohmi_view_of(text, OHMI_U8, task->bits[i], 1,
                         ohmi_levels_bytes(&learner->levels, units->layout.n_units), 0, 0, 0);
        if (task->chosen) {
            (void)snprintf(text, sizeof text, "tasks/%d/chosen/%s", t, name);
            l->views[l->n++] = ohmi_view_of(text, OHMI_U8, task->chosen[i], 1,
                                            (units->pes.n_units + 7) / 8, 0, 0, 0);
        }
    }
}

// own weights of the finished tasks; their number follows from the chosen PEs
static void add_copies(list *l, const ohmi_learner *learner) {
    for (int t = 0; t < (int)learner->position.task && learner->traits->has_copies; t++) {
        const ohmi_learned *task = &learner->learned[t];
        for (int i = 0; i < learner->network->n_layers; i++) {
            char text[96];
            (void)snprintf(text, sizeof text, "tasks/%d/copies/%s", t,
                           learner->network->layers[i].name);
            if (task->n_copies[i] > 0) {
                l->views[l->n++] =
                    ohmi_view_of(text, OHMI_F32, task->copies[i], 1, task->n_copies[i], 0, 0, 0);
            }
        }
    }
}

// tasks that have parameters: the finished ones and the one in training
static int n_tasks_begun(const ohmi_learner *learner) {
    return (int)learner->position.task + (learner->position.is_started > 0 ? 1 : 0);
}

static void results_copy(const ohmi_learner *learner, list *l, bool to_results) {
    for (int t = 0; t < learner->n_tasks; t++) {
        ohmi_learned *task = &learner->learned[t];
        double *const member[N_RESULTS] = {
            &task->accuracy,    &task->accuracy_float, &task->accuracy_integer, &task->loss,
            &task->columns_new, &task->columns_on,     &task->digest[0],        &task->digest[1],
            &task->digest[2],   &task->digest[3]};
        for (int i = 0; i < N_RESULTS; i++) {
            double *stored = &l->results[t * N_RESULTS + i];
            *(to_results ? stored : member[i]) = *(to_results ? member[i] : stored);
        }
        double *const spent[N_SPENT] = {&task->epochs, &task->ratio};
        for (int i = 0; i < N_SPENT; i++) {
            double *stored = &l->spent[t * N_SPENT + i];
            *(to_results ? stored : spent[i]) = *(to_results ? spent[i] : stored);
        }
    }
}

static ohm_status list_new(list *l, const ohmi_learner *learner, ohm_error *err) {
    const int n_layers = learner->network->n_layers;
    l->n = 0;
    l->room = 24 + n_layers * 20 + learner->n_tasks * (3 * n_layers + 2);
    l->room += learner->rider ? learner->rider->views(learner->rider->context, NULL) : 0;
    l->views = ohmi_alloc((size_t)l->room, sizeof *l->views);
    l->results = ohmi_alloc((size_t)learner->n_tasks * N_RESULTS, sizeof(double));
    l->spent = ohmi_alloc((size_t)learner->n_tasks * N_SPENT, sizeof(double));
    l->lsb = ohmi_alloc((size_t)n_layers, sizeof(float));
    l->kept_lsb = ohmi_alloc((size_t)n_layers, sizeof(float));
    if (!l->views || !l->results || !l->spent || !l->lsb || !l->kept_lsb) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a checkpoint");
    }
    return OHM_OK;
}

static void list_free(list *l) {
    ohmi_free(l->views);
    ohmi_free(l->results);
    ohmi_free(l->spent);
    ohmi_free(l->lsb);
    ohmi_free(l->kept_lsb);
}

// an array of a layer, where there is one
static void add_layer(list *l, const ohmi_layer *layer, const char *what, ohmi_dtype dtype,
                      void *data, int64_t count) {
    char text[96];
    if (data) {
        (void)snprintf(text, sizeof text, "layers/%.60s/%s", layer->name, what);
        l->views[l->n++] = ohmi_view_of(text, dtype, data, 1, count, 0, 0, 0);
    }
}

// whether there is a kept state that training may return to
static bool has_kept(const ohmi_learner *learner) {
    return learner->traits->goes_back && learner->phase.phase > 0;
}

// what only the training of a task needs of a layer
static void add_training(list *l, const ohmi_learner *learner, int i) {
    const ohmi_layer *layer = &learner->network->layers[i];
    const ohmi_units *u = &learner->units[i];
    const int64_t n = u->layout.n_units, n_pes = u->pes.n_units, n_weights = layer->n_weights;
    add_layer(l, layer, "velocity", OHMI_F32, u->velocity, n_weights);
    add_layer(l, layer, "square", OHMI_F32, u->square, n_weights);
    add_layer(l, layer, "mask", OHMI_F32, u->mask, n);
    add_layer(l, layer, "mask_mean", OHMI_F32, u->mask_mean, n);
    add_layer(l, layer, "mask_square", OHMI_F32, u->mask_square, n);
    add_layer(l, layer, "power", OHMI_F32, u->power, n);
    add_layer(l, layer, "power_mean", OHMI_F32, u->power_mean, n);
    add_layer(l, layer, "power_square", OHMI_F32, u->power_square, n);
    add_layer(l, layer, "fresh", OHMI_F32, u->fresh, n_weights);
    add_layer(l, layer, "chosen", OHMI_U8, u->chosen, n_pes);
    add_layer(l, layer, "choice", OHMI_F32, u->choice, n_pes);
    add_layer(l, layer, "choice_mean", OHMI_F32, u->choice_mean, n_pes);
    add_layer(l, layer, "choice_square", OHMI_F32, u->choice_square, n_pes);
    if (has_kept(learner)) {
        add_layer(l, layer, "kept_w", OHMI_F32, u->kept_w, n_weights);
        add_layer(l, layer, "kept_own", OHMI_U8, u->kept_own, n);
        add_layer(l, layer, "kept_mask", OHMI_F32, u->kept_mask, n);
        add_layer(l, layer, "kept_power", OHMI_F32, u->kept_power, n);
    }
}

// everything but position and results, which a reader needs first
static void add_all(list *l, const ohmi_learner *learner, bool with_training) {
    const ohmi_network *network = learner->network;
    if (learner->rider && with_training) {
        l->n += learner->rider->views(learner->rider->context, l->views + l->n);
    }
    const bool in_training = learner->position.is_started > 0 && with_training;
    for (int i = 0; i < network->n_layers; i++) {
        const ohmi_layer *layer = &network->layers[i];
        add_layer(l, layer, "w", OHMI_F32, layer->w, layer->n_weights);
        add_layer(l, layer, "own", OHMI_U8, learner->units[i].own,
                  learner->units[i].layout.n_units);
        if (in_training) {
            add_training(l, learner, i);
        }
    }
    add(l, OHMI_F32, l->lsb, network->n_layers, "layers/lsb", "", 0);
    for (int t = 0; t < n_tasks_begun(learner); t++) {
        add_task(l, learner, t);
    }
    if (learner->backbone_trainable) {
        add(l, OHMI_F32, learner->backbone_trainable, network->head_offset, "backbone/trainable",
            "", 0);
        add(l, OHMI_F32, learner->backbone_statistics, network->n_statistics, "backbone/statistics",
            "", 0);
    }
    if (in_training) {
        add(l, OHMI_F32, learner->parameter_velocity, network->max_trainable,
            "state/parameter_velocity", "", 0);
        add(l, OHMI_F32, learner->parameter_square, network->max_trainable,
            "state/parameter_square", "", 0);
    }
    if (in_training && has_kept(learner)) {
        add(l, OHMI_F32, learner->kept_trainable, network->max_trainable, "state/kept_trainable",
            "", 0);
        add(l, OHMI_F32, learner->kept_statistics, network->n_statistics, "state/kept_statistics",
            "", 0);
        add(l, OHMI_F32, l->kept_lsb, network->n_layers, "layers/kept_lsb", "", 0);
    }
}

static void add_state(list *l, const ohmi_learner *learner) {
    const int64_t n_tasks = learner->n_tasks;
    // the reader writes through these views; the writer only reads
    add(l, OHMI_F64, (void *)(uintptr_t)&learner->position, N_POSITION, "state/position", "", 0);
    add(l, OHMI_F64, l->results, n_tasks * N_RESULTS, "state/results", "", 0);
    add(l, OHMI_F64, learner->matrix, n_tasks * n_tasks, "state/matrix", "", 0);
}

// what checkpoints of before there were phases have not
static void add_phase(list *l, const ohmi_learner *learner) {
    add(l, OHMI_F64, (void *)(uintptr_t)&learner->phase, N_PHASE, "state/phase", "", 0);
    add(l, OHMI_F64, l->spent, (int64_t)learner->n_tasks * N_SPENT, "state/spent", "", 0);
}

// part of a tensor in the checksum: CRC-32 of its name and data
static uint32_t crc_of(const ohmi_view *view) {
    const size_t bytes = (size_t)ohmi_view_count(view) * ohmi_dtype_size(view->dtype);
    const uLong crc = crc32_z(0, (const Bytef *)view->name, strlen(view->name));
    return (uint32_t)(bytes > 0 ? crc32_z(crc, view->data, bytes) : crc);
}

// a file whose numbers are not those that were written is refused; files of before there was a
// checksum are read
static ohm_status check_sum(const ohmi_tensors *file, const char *path, ohm_error *err) {
    const char *wanted = ohmi_tensors_metadata(file, "crc32");
    char found[16];
    uint32_t sum = 0;
    for (int i = 0; wanted && i < ohmi_tensors_count(file); i++) {
        sum += crc_of(ohmi_tensors_at(file, i));
    }
    (void)snprintf(found, sizeof found, "%08" PRIx32, sum);
    if (!wanted || strcmp(wanted, found) == 0) {
        return OHM_OK;
    }
    ohm_status status =
        ohmi_fail(err, OHM_ERR_FORMAT, "the checkpoint is damaged: its checksum is %s, not %.8s",
                  found, wanted);
    ohmi_place(err, path, 0, 0);
    ohmi_hint(err, "bring back a copy, or start again with --force");
    return status;
}

ohm_status ohmi_checkpoint_save(const ohmi_learner *learner, const char *path,
                                const char *config_text, ohm_error *err) {
    ohm_status status = OHM_OK;
    list l = {0};
    OHM_TRY(list_new(&l, learner, err));
    for (int i = 0; i < learner->network->n_layers; i++) {
        l.lsb[i] = learner->units[i].lsb;
        l.kept_lsb[i] = learner->units[i].kept_lsb;
    }
    results_copy(learner, &l, true);
    add_state(&l, learner);
    add_phase(&l, learner);
    add_all(&l, learner, true);
    add_copies(&l, learner);
    char crc[16];
    uint32_t sum = 0;
    for (int i = 0; i < l.n; i++) {
        sum += crc_of(&l.views[i]);
    }
    (void)snprintf(crc, sizeof crc, "%08" PRIx32, sum);
    const char *const rider = learner->rider ? "rider" : NULL; // the last pair, or none
    const char *const metadata[] = {"config", config_text,
                                    "crc32",  crc,
                                    "model",  learner->network->model,
                                    "schema", "1",
                                    rider,    learner->rider ? learner->rider->name : NULL,
                                    NULL};
    OHM_TRY(ohmi_tensors_save(path, l.views, l.n, metadata, err));

done:
    list_free(&l);
    return status;
}

// training goes on with what it began with
static ohm_status check_rider(const ohmi_learner *learner, const ohmi_tensors *file,
                              const char *path, ohm_error *err) {
    const char *there = ohmi_tensors_metadata(file, "rider");
    const char *wanted = learner->rider ? learner->rider->name : NULL;
    if (there == wanted || (there && wanted && strcmp(there, wanted) == 0)) {
        return OHM_OK;
    }
    ohm_status status = ohmi_fail(err, OHM_ERR_CONFIG, "the run that is there was begun by '%.40s'",
                                  there ? there : "learn");
    ohmi_place(err, path, 0, 0);
    ohmi_hint(err,
              "go on with 'ohmwise %.40s', name another folder with --out, or discard the run "
              "with --force",
              there ? there : "learn");
    return status;
}

static ohm_status read_views(const ohmi_tensors *file, const list *l, int first, const char *path,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    for (int i = first; i < l->n; i++) {
        const ohmi_view *v = &l->views[i];
        OHM_TRY(ohmi_tensors_read(file, v->name, v->dtype, v->shape[0], v->data, err));
    }
done:
    if (status < 0) {
        ohmi_place(err, path, 0, 0);
        ohmi_hint(err, "the checkpoint is of another run or is damaged; bring it back, or start "
                       "again with --force");
    }
    return status;
}

// a whole number from 0 to most
static bool is_count(double v, double most) {
    return v >= 0 && v <= most && rint(v) == v;
}

// positions a run cannot have would index outside of the tasks
static ohm_status check_position(const ohmi_learner *learner, const char *path, ohm_error *err) {
    const ohmi_position *p = &learner->position;
    const double most_begun = learner->n_tasks - p->is_started;
    const bool is_sane = is_count(p->is_started, 1) && is_count(p->task, most_begun) &&
                         is_count(p->epoch, 1e6) && is_count(p->batch, 1e9) &&
                         is_count(p->step, 1e15) && is_count(p->mask_step, 1e15) &&
                         is_count(p->csv_bytes, 1e15);
    if (is_sane) {
        return OHM_OK;
    }
    ohm_status status = ohmi_fail(err, OHM_ERR_FORMAT, "'state/position' is not of this run");
    ohmi_place(err, path, 0, 0);
    return status;
}

// the parameters of the tasks that the position says were begun, where they are not there yet
static ohm_status make_tasks(ohmi_learner *learner, ohm_error *err) {
    ohm_status status = OHM_OK;
    for (int t = 0; t < n_tasks_begun(learner); t++) {
        if (!learner->learned[t].parameters) {
            OHM_TRY(ohmi_learner_make_task(learner, t, err));
        }
    }
done:
    return status;
}

// likewise for phases
static ohm_status check_phase(const ohmi_learner *learner, const char *path, ohm_error *err) {
    const ohmi_phase_state *p = &learner->phase;
    const bool is_sane = is_count(p->phase, ohmi_n_phases(learner)) &&
                         is_count(p->round, OHMI_LIST - 1) && is_count(p->is_begun, 1) &&
                         is_count(p->first_epoch, learner->position.epoch) &&
                         is_count(p->first_step, learner->position.step) &&
                         is_count(p->is_met, 1) && is_count(p->n_bad, 1e9);
    if (is_sane) {
        return OHM_OK;
    }
    ohm_status status = ohmi_fail(err, OHM_ERR_FORMAT, "'state/phase' is not of this run");
    ohmi_place(err, path, 0, 0);
    return status;
}

// phases and what was spent; of a checkpoint without, what it must have been
static ohm_status read_phase(ohmi_learner *learner, list *l, const ohmi_tensors *file,
                             const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int first = l->n;
    if (!ohmi_tensors_find(file, "state/phase")) {
        for (int t = 0; t < (int)learner->position.task; t++) {
            l->spent[t * N_SPENT] = (double)learner->config->train.epochs;
        }
        learner->phase.is_begun = learner->position.is_started;
        goto done;
    }
    add_phase(l, learner);
    OHM_TRY(read_views(file, l, first, path, err));
    OHM_TRY(check_phase(learner, path, err));
done:
    return status;
}

// room for the own weights of the first n tasks, whose number the chosen PEs say
static ohm_status make_copies(ohmi_learner *learner, int n, ohm_error *err) {
    ohm_status status = OHM_OK;
    for (int t = 0; t < n && learner->traits->has_copies; t++) {
        OHM_TRY(ohmi_copies_make(learner, t, err));
    }
done:
    return status;
}

static ohm_status read_copies(ohmi_learner *learner, list *l, const ohmi_tensors *file,
                              bool with_training, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int first = l->n;
    const int n_tasks = with_training ? n_tasks_begun(learner) : (int)learner->position.task;
    OHM_TRY(make_copies(learner, n_tasks, err));
    add_copies(l, learner);
    OHM_TRY(read_views(file, l, first, path, err));
done:
    return status;
}

// what follows from the tensors
static void take_up(ohmi_learner *learner, const list *l) {
    for (int i = 0; i < learner->network->n_layers; i++) {
        learner->units[i].lsb = l->lsb[i];
        learner->units[i].kept_lsb = l->kept_lsb[i];
        learner->units[i].budget = 0;
        for (int64_t u = 0; u < learner->units[i].layout.n_units; u++) {
            learner->units[i].budget += learner->units[i].own[u] == (int)learner->position.task + 1;
        }
    }
}

ohm_status ohmi_checkpoint_load(ohmi_learner *learner, const char *path, bool with_training,
                                ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_tensors *file = NULL;
    list l = {0};
    OHM_TRY(ohmi_tensors_open(&file, path, err));
    OHM_TRY(check_sum(file, path, err));
    if (with_training) {
        OHM_TRY(check_rider(learner, file, path, err));
    }
    OHM_TRY(list_new(&l, learner, err));

    // where training stood says which tasks the file has
    add_state(&l, learner);
    OHM_TRY(read_views(file, &l, 0, path, err));
    OHM_TRY(check_position(learner, path, err));
    OHM_TRY(make_tasks(learner, err));
    OHM_TRY(read_phase(learner, &l, file, path, err));
    results_copy(learner, &l, false);
    const int first = l.n;
    add_all(&l, learner, with_training);
    OHM_TRY(read_views(file, &l, first, path, err));
    OHM_TRY(read_copies(learner, &l, file, with_training, path, err));
    take_up(learner, &l);

done:
    ohmi_tensors_close(&file);
    list_free(&l);
    return status;
}

// the views from first on, of rank 0
static ohm_status send_views(const list *l, int first, const ohm_communicator *c, ohm_error *err) {
    ohm_status status = OHM_OK;
    for (int i = first; i < l->n; i++) {
        const ohmi_view *v = &l->views[i];
        const size_t bytes = (size_t)ohmi_view_count(v) * ohmi_dtype_size(v->dtype);
        OHM_TRY(c->broadcast(c->context, v->data, bytes, 0, err));
    }
done:
    return status;
}

ohm_status ohmi_checkpoint_share(ohmi_learner *learner, const ohm_communicator *communicator,
                                 ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohm_communicator *c = communicator;
    list l = {0};
    if (c->size == 1) {
        return OHM_OK;
    }
    OHM_TRY(ohm_communicator_agree(c, list_new(&l, learner, err), err));
    for (int i = 0; i < learner->network->n_layers; i++) {
        l.lsb[i] = learner->units[i].lsb;
        l.kept_lsb[i] = learner->units[i].kept_lsb;
    }
    results_copy(learner, &l, true);

    // where training stands says which tasks there are
    add_state(&l, learner);
    add_phase(&l, learner);
    OHM_TRY(send_views(&l, 0, c, err));
    OHM_TRY(ohm_communicator_agree(c, make_tasks(learner, err), err));
    results_copy(learner, &l, false);
    int first = l.n;
    add_all(&l, learner, true);
    OHM_TRY(send_views(&l, first, c, err));

    // the chosen PEs say how many own weights tasks have
    OHM_TRY(ohm_communicator_agree(c, make_copies(learner, n_tasks_begun(learner), err), err));
    first = l.n;
    add_copies(&l, learner);
    OHM_TRY(send_views(&l, first, c, err));
    take_up(learner, &l);
done:
    list_free(&l);
    return status;
}
