// SPDX-License-Identifier: Apache-2.0
// Monte Carlo of a learned run on chips:
//
//   for each point (settings) -> each chip -> each read -> each task: accuracy
//
// What is finished is in the file of results after every read, and is not done again. Chips differ
// by seed only, so that reads are items of work which any rank can do (docs/parallel.md): all ranks
// have the run and make the same list of points, rank 0 alone reads and writes the file. It enters
// what was measured in the order of the list, so that the bytes do not depend on the ranks.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "base/text.h"
#include "config/access.h"
#include "crossbar/engine.h"
#include "crossbar/errors.h"
#include "crossbar/profiling.h"
#include "crossbar/results.h"
#include "crossbar/sweep.h"
#include "learn/checkpoint.h"
#include "learn/evaluate.h"
#include "ohmwise/simulate.h"

// reads between two that are saved, where there are several ranks
enum { READS_A_RANK = 4 };

// One setting of all effects, or of one of them.
typedef struct {
    int setting;      // index of the sweep's value
    int effect;       // the one that is on; -1 = all
    const char *only; // its name, or NULL
    char label[512];
    int n_reads;
    json_t *effects; // in words
    int64_t n_arrays;
} point;

// A read of a chip that is not in the results yet.
typedef struct {
    int point, chip, read;
} item;

typedef struct {
    const ohm_simulate_def *def;
    const ohm_communicator *ranks;
    ohm_config *config; // the run's
    ohmi_tasks *tasks;
    ohmi_learner *learner;
    ohmi_results results;
    int *chosen; // (n_chosen) tasks, 0-based
    int n_chosen;
    double *accuracy; // (n_chosen) of a read
    ohmi_sweep sweep;
    ohm_config **configs; // (sweep.n)
    point *points;        // (n_points)
    int n_points;
    item *items;                 // (n_items)
    int64_t n_items, first_item; // of the batch that is done now
    ohmi_engine *engine;         // of one setting, engine_of
    int engine_of;
    double start_s, n_done, n_all; // measurements of a task, of this rank
    ohmi_errors *errors;           // of the layers' sums; NULL = not asked for
    bool is_stopped;
} simulation;

static ohm_status load_run(simulation *s, ohm_error *err) {
    ohm_status status = OHM_OK;
    char path[1024], images[32];
    (void)snprintf(path, sizeof path, "%s/config.yaml", s->def->run_folder);
    OHM_TRY(ohm_config_new(&s->config, err));
    OHM_TRY(ohm_config_load(s->config, path, err));
    if (s->def->n_images > 0) {
        (void)snprintf(images, sizeof images, "%lld", (long long)s->def->n_images);
        OHM_TRY(ohm_config_set(s->config, "data.test_limit", images, err));
    }
    OHM_TRY(ohm_config_check(s->config, err));
    const ohmi_config *values = ohmi_config_values(s->config);
    OHM_TRY(ohmi_tasks_load(&s->tasks, values, s->def->data_folder, err));
    OHM_TRY(ohmi_learner_new(&s->learner, values, s->tasks, s->def->backend, false, err));
    (void)snprintf(path, sizeof path, "%s/checkpoints/last.safetensors", s->def->run_folder);
    OHM_TRY(ohmi_checkpoint_load(s->learner, path, false, err));
done:
    return status;
}

// which tasks: those asked for, else all that are learned and kept
static ohm_status choose_tasks(simulation *s, ohm_error *err) {
    const int n_learned = (int)s->learner->position.task;
    const bool is_alone = ohmi_config_values(s->config)->method.growth == OHMI_GROWTH_DENSE;
    const int first = is_alone && n_learned > 0 ? n_learned - 1 : 0;
    if (n_learned == 0) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "'%s' has learned no task yet", s->def->run_folder);
    }
    s->n_chosen = s->def->tasks ? s->def->n_tasks : n_learned - first;
    s->chosen = ohmi_alloc((size_t)s->n_chosen, sizeof *s->chosen);
    s->accuracy = ohmi_alloc((size_t)s->n_chosen, sizeof *s->accuracy);
    if (!s->chosen || !s->accuracy) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for %d tasks", s->n_chosen);
    }
    for (int i = 0; i < s->n_chosen; i++) {
        s->chosen[i] = s->def->tasks ? s->def->tasks[i] : first + i;
        if (s->chosen[i] < first || s->chosen[i] >= n_learned) {
            return ohmi_fail(err, OHM_ERR_ARGUMENT,
                             "task %d cannot be simulated, '%s' has tasks %d to %d",
                             s->chosen[i] + 1, s->def->run_folder, first + 1, n_learned);
        }
    }
    return OHM_OK;
}

// what the integer network reaches on the same images
static ohm_status add_reference(simulation *s, ohm_error *err) {
    ohm_status status = OHM_OK;
    json_t *tasks = json_array();
    bool ok = tasks != NULL;
    for (int i = 0; ok && i < s->n_chosen; i++) {
        ohmi_evaluation e;
        const ohmi_task *task = &s->tasks->task[s->chosen[i]];
        OHM_TRY(ohmi_evaluate(&e, s->learner, s->chosen[i], true, NULL, err));
        json_t *row =
            json_pack("{s:i, s:s, s:I, s:f}", "task", s->chosen[i] + 1, "name", task->name,
                      "images", (json_int_t)task->test.n, "accuracy", e.accuracy);
        ok = row && json_array_append_new(tasks, row) == 0;
    }
    ok = ok && json_object_set(s->results.root, "integer", tasks) == 0;
    status = ok ? OHM_OK : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for results");
done:
    json_decref(tasks);
    return status;
}

// tells the caller; non-zero asks to stop
static int tell(simulation *s, const item *at, int task, double mean) {
    const point *p = &s->points[at->point];
    s->n_done += 1;
    if (!s->def->sink) {
        return 0;
    }
    const double seconds = ohmi_now_s() - s->start_s, part = s->n_done * s->ranks->size / s->n_all;
    const ohm_simulate_event event = {
        .label = p->label,
        .point = at->point,
        .n_points = s->n_points,
        .chip = at->chip,
        .n_chips = s->def->n_chips,
        .read = at->read,
        .n_reads = p->n_reads,
        .task = task,
        .n_tasks = s->n_chosen,
        .accuracy = mean,
        .part = part < 1 ? part : 1,
        .seconds_left = part < 1 ? seconds * (1 - part) / part : 0,
    };
    return s->def->sink(s->def->context, &event);
}

// the engine of a setting
static ohm_status use_engine(simulation *s, int setting, ohm_error *err) {
    if (s->engine && s->engine_of == setting) {
        return OHM_OK;
    }
    ohmi_engine_free(&s->engine);
    s->engine_of = setting;
    return ohmi_engine_new(&s->engine, s->learner, ohmi_config_values(s->configs[setting]), err);
}

// the effects of a point
static ohmi_device device_of(const simulation *s, const point *p) {
    ohmi_device device = *ohmi_engine_device(s->engine); // borrows what the engine has
    if (p->effect >= 0) {
        ohmi_device_only(&device, p->effect);
    }
    return device;
}

// the seed of a chip of a point
static uint64_t seed_of(const simulation *s, const item *at) {
    const ohm_config *config = s->configs[s->points[at->point].setting];
    return (uint64_t)ohmi_config_values(config)->chip.seed + (uint64_t)at->chip;
}

// all tasks on one read of one chip: accuracy (n_chosen); nothing more once asked to stop
static ohm_status measure_read(simulation *s, const item *at, double *accuracy, ohm_error *err) {
    ohm_status status = OHM_OK;
    const point *p = &s->points[at->point];
    double sum = 0;
    OHM_TRY(use_engine(s, p->setting, err));
    const ohmi_device device = device_of(s, p);
    OHM_TRY(ohmi_engine_program(s->engine, &device, seed_of(s, at), (uint32_t)at->read, err));
    for (int i = 0; i < s->n_chosen && !s->is_stopped; i++) {
        const int t = s->chosen[i];
        ohmi_evaluation e;
        if (s->errors) {
            ohmi_errors_meant(s->errors, t);
        }
        OHM_TRY(ohmi_engine_switch(s->engine, t, err));
        if (s->errors) {
            ohmi_errors_watch(s->errors);
        }
        const ohm_status measured =
            ohmi_measure_images(&e, s->learner, t, &s->tasks->task[t].test, true, NULL, err);
        if (s->errors) {
            ohmi_errors_leave(s->errors);
        }
        OHM_TRY(measured);
        accuracy[i] = e.accuracy;
        sum += e.accuracy;
        s->is_stopped = tell(s, at, i, sum / (i + 1)) != 0;
    }
done:
    return status;
}

// An item of work. Its result: whether it is done, accuracies (n_chosen), errors of layers
static ohm_status work(void *context, int64_t i, void *result, ohm_error *err) {
    ohm_status status = OHM_OK;
    simulation *s = context;
    double *numbers = result;
    OHM_TRY(measure_read(s, &s->items[s->first_item + i], numbers + 1, err));
    numbers[0] = s->is_stopped ? 0 : 1;
    if (s->errors) {
        ohmi_errors_take(s->errors, numbers + 1 + s->n_chosen);
    }
done:
    return status;
}

static int is_stopped(void *context) {
    const simulation *s = context;
    return s->is_stopped;
}

static ohmi_results_key key_of(const simulation *s, const point *p) {
    return (ohmi_results_key){.config = s->configs[p->setting],
                              .label = p->label,
                              .only = p->only,
                              .tasks = s->chosen,
                              .n_tasks = s->n_chosen,
                              .n_images = s->def->n_images};
}

// enters what was measured of one item into the results
static bool enter(simulation *s, const item *at, const double *numbers) {
    const point *p = &s->points[at->point];
    const ohmi_results_key key = key_of(s, p);
    json_t *of = ohmi_results_point(&s->results, &key);
    return of && json_object_set(of, "effects", p->effects) == 0 &&
           json_object_set_new(of, "arrays", json_integer(p->n_arrays)) == 0 &&
           ohmi_results_add(of, seed_of(s, at), at->read, numbers + 1, s->n_chosen) &&
           ohmi_results_sum_up(of, s->learner, s->chosen, s->n_chosen);
}

// whether the results have the read before one, which the first does not need
static bool has_read_before(simulation *s, const item *at) {
    const int read = at->read - 1;
    const ohmi_results_key key = key_of(s, &s->points[at->point]);
    const json_t *of = read < 0 ? NULL : ohmi_results_seek(&s->results, &key);
    return read < 0 ||
           (of && ohmi_results_find(s->accuracy, of, seed_of(s, at), read, s->n_chosen));
}

// rank 0 enters a batch and saves it; reads of a chip that was left in the middle are dropped
static ohm_status enter_batch(simulation *s, const double *results, int64_t n, size_t stride,
                              ohm_error *err) {
    ohm_status status = OHM_OK;
    for (int64_t i = 0; i < n && s->ranks->rank == 0; i++) {
        const item *at = &s->items[s->first_item + i];
        const double *numbers = results + (size_t)i * stride;
        if (!(numbers[0] > 0) || !has_read_before(s, at)) {
            continue;
        }
        if (!enter(s, at, numbers)) {
            status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for results");
            goto done;
        }
        if (s->errors) {
            ohmi_errors_add(s->errors, numbers + 1 + s->n_chosen);
        }
    }
    if (s->ranks->rank == 0) {
        OHM_TRY(ohmi_results_save(&s->results, err));
    }
done:
    return ohm_communicator_agree(s->ranks, status, err);
}

// all items, in batches that are saved
static ohm_status run_items(simulation *s, ohm_error *err) {
    ohm_status status = OHM_OK;
    const size_t n_errors = s->errors ? ohmi_errors_size(s->errors) : 0;
    const size_t stride = 1 + (size_t)s->n_chosen + n_errors;
    const int64_t most = s->ranks->size > 1 ? (int64_t)READS_A_RANK * s->ranks->size : 1;
    double *results = ohmi_alloc((size_t)most * stride, sizeof *results);
    status = results ? OHM_OK : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for results");
    OHM_TRY(ohm_communicator_agree(s->ranks, status, err));
    s->n_all = (double)s->n_items * s->n_chosen;
    s->start_s = ohmi_now_s();
    for (s->first_item = 0; s->first_item < s->n_items; s->first_item += most) {
        const int64_t rest = s->n_items - s->first_item, n = rest < most ? rest : most;
        const ohm_items_def def = {.n_items = n,
                                   .result_bytes = stride * sizeof *results,
                                   .results = results,
                                   .context = s,
                                   .work = work,
                                   .is_stopped = is_stopped};
        memset(results, 0, (size_t)most * stride * sizeof *results);
        const ohm_status ran = ohm_items_run(s->ranks, &def, err);
        bool is_whole = ran != OHM_ERR_INTERRUPTED;
        for (int64_t i = 0; i < n; i++) {
            is_whole = is_whole && results[(size_t)i * stride] > 0;
        }
        if (ran < 0 && ran != OHM_ERR_INTERRUPTED) {
            status = ran;
            goto done;
        }
        OHM_TRY(enter_batch(s, results, n, stride, err));
        if (!is_whole) {
            status = ohmi_fail(err, OHM_ERR_INTERRUPTED,
                               "stopped early, what is finished is in '%s'", s->results.path);
            ohmi_hint(err, "the same command goes on");
            goto done;
        }
    }
done:
    ohmi_free(results);
    return status;
}

// what a point is about beside its settings: effects, arrays
static ohm_status describe_point(simulation *s, point *p, ohm_error *err) {
    const ohmi_device device = device_of(s, p);
    ohmi_text text = {0};
    p->effects = json_array();
    ohmi_text_add(&text, "");
    ohmi_device_describe(&text, &device);
    bool ok = p->effects && !text.failed;
    for (char *line = text.data, *next; ok && *line; line = next) {
        next = strchr(line, '\n');
        *next++ = 0;
        ok = json_array_append_new(p->effects, json_string(line)) == 0;
    }
    p->n_arrays = ohmi_engine_arrays(s->engine);
    p->n_reads = ohmi_device_differs_by_read(&device) ? s->def->n_reads : 1;
    ohmi_text_clear(&text);
    return ok ? OHM_OK : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for results");
}

// the points of a setting: all effects together, then each that is on by itself
static ohm_status list_setting(simulation *s, int setting, ohm_error *err) {
    ohm_status status = OHM_OK;
    char label[256];
    int n_effects;
    const ohmi_effect *const *effects = ohmi_effects(&n_effects);
    OHM_TRY(use_engine(s, setting, err));
    ohmi_sweep_label(label, sizeof label, &s->sweep, setting, s->def);
    const ohmi_device *device = ohmi_engine_device(s->engine);
    if (s->def->profile_path && s->ranks->rank == 0) {
        const uint64_t seed = (uint64_t)ohmi_config_values(s->configs[setting])->chip.seed;
        OHM_TRY(ohmi_profiling_save(s->def->profile_path, ohmi_engine_place(s->engine), device,
                                    seed, err));
    }
    if (s->def->errors_path && !s->errors) {
        OHM_TRY(ohmi_errors_new(&s->errors, s->learner, ohmi_engine_place(s->engine), err));
    }
    for (int e = -1; e < (s->def->by_effect ? n_effects : 0); e++) {
        if (e >= 0 && !device->is_on[e]) {
            continue;
        }
        point *p = &s->points[s->n_points++];
        p->setting = setting;
        p->effect = e;
        p->only = e >= 0 ? effects[e]->name : NULL;
        (void)snprintf(p->label, sizeof p->label, e >= 0 ? "%s, %s only" : "%s", label, p->only);
        OHM_TRY(describe_point(s, p, err));
    }
done:
    return status;
}

static ohm_status list_points(simulation *s, ohm_error *err) {
    ohm_status status = OHM_OK;
    int n_effects;
    (void)ohmi_effects(&n_effects);
    s->points = ohmi_alloc((size_t)s->sweep.n * (size_t)(n_effects + 1), sizeof *s->points);
    if (!s->points) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the points of a simulation");
        goto done;
    }
    for (int i = 0; i < s->sweep.n; i++) {
        OHM_TRY(list_setting(s, i, err));
    }
done:
    ohmi_engine_free(&s->engine); // the network is its own again
    return status;
}

// the reads that are not in the results, which rank 0 has
static ohm_status list_items(simulation *s, ohm_error *err) {
    ohm_status status = OHM_OK;
    int64_t most = 0;
    for (int p = 0; p < s->n_points; p++) {
        most += (int64_t)s->def->n_chips * s->points[p].n_reads;
    }
    s->items = ohmi_alloc((size_t)most, sizeof *s->items);
    status = s->items
                 ? OHM_OK
                 : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for %lld reads", (long long)most);
    OHM_TRY(ohm_communicator_agree(s->ranks, status, err));
    for (int p = 0; p < s->n_points && s->ranks->rank == 0; p++) {
        const ohmi_results_key key = key_of(s, &s->points[p]);
        const json_t *of = ohmi_results_seek(&s->results, &key);
        for (int c = 0; c < s->def->n_chips; c++) {
            for (int read = 0; read < s->points[p].n_reads; read++) {
                const item at = {p, c, read};
                if (!of ||
                    !ohmi_results_find(s->accuracy, of, seed_of(s, &at), read, s->n_chosen)) {
                    s->items[s->n_items++] = at;
                }
            }
        }
    }
    OHM_TRY(s->ranks->broadcast(s->ranks->context, &s->n_items, sizeof s->n_items, 0, err));
    OHM_TRY(s->ranks->broadcast(s->ranks->context, s->items, (size_t)s->n_items * sizeof *s->items,
                                0, err));
done:
    return status;
}

// every setting's config holds before anything is computed
static ohm_status make_configs(simulation *s, ohm_error *err) {
    ohm_status status = OHM_OK;
    s->configs = ohmi_alloc((size_t)s->sweep.n, sizeof *s->configs);
    if (!s->configs) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the points of a sweep");
        goto done;
    }
    for (int i = 0; i < s->sweep.n; i++) {
        OHM_TRY(ohmi_sweep_config(&s->configs[i], &s->sweep, i, s->def, err));
    }
done:
    return status;
}

// the run and what is asked of it, on every rank
static ohm_status prepare(simulation *s, char digest[65], ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohm_simulate_def *def = s->def;
    char path[1024];
    if (!def->run_folder || def->n_chips < 1 || def->n_reads < 1 || def->n_images < 0) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "a simulation of no run, no chip or no read");
        goto done;
    }
    OHM_TRY(ohmi_sweep_split(&s->sweep, def->sweep, err));
    OHM_TRY(make_configs(s, err));
    OHM_TRY(load_run(s, err));
    OHM_TRY(choose_tasks(s, err));
    (void)snprintf(path, sizeof path, "%s/checkpoints/last.safetensors", def->run_folder);
    OHM_TRY(ohmi_sha256_file(digest, path, err));
    OHM_TRY(list_points(s, err));
done:
    return status;
}

// all ranks must have the same run and results, and the work on them is rank 0's
static ohm_status open_results(simulation *s, const char digest[65], ohm_error *err) {
    ohm_status status = OHM_OK;
    char first[65], path[1024];
    memcpy(first, digest, sizeof first);
    OHM_TRY(s->ranks->broadcast(s->ranks->context, first, sizeof first, 0, err));
    if (strcmp(first, digest) != 0) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "'%s' is in another state than on rank 0",
                         s->def->run_folder);
    }
    (void)snprintf(path, sizeof path, "%s/simulate.json", s->def->run_folder);
    (void)snprintf(s->results.path, sizeof s->results.path, "%s",
                   s->def->path ? s->def->path : path);
    if (s->ranks->rank == 0) {
        OHM_TRY(ohmi_results_open(&s->results, s->def->path ? s->def->path : path,
                                  ohmi_config_values(s->config)->name, digest, s->def->force, err));
        OHM_TRY(add_reference(s, err));
    }
done:
    return status;
}

static void clear(simulation *s) {
    for (int i = 0; i < s->n_points; i++) {
        json_decref(s->points[i].effects);
    }
    for (int i = 0; s->configs && i < s->sweep.n; i++) {
        ohm_config_free(&s->configs[i]);
    }
    ohmi_engine_free(&s->engine);
    ohmi_errors_free(&s->errors);
    ohmi_results_close(&s->results);
    ohmi_learner_free(&s->learner);
    ohmi_tasks_free(&s->tasks);
    ohm_config_free(&s->config);
    ohmi_free(s->configs);
    ohmi_free(s->points);
    ohmi_free(s->items);
    ohmi_free(s->chosen);
    ohmi_free(s->accuracy);
    ohmi_sweep_clear(&s->sweep);
}

ohm_status ohm_simulate(const ohm_simulate_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    simulation s = {.def = def};
    char digest[65] = "";
    ohmi_c_locale locale = ohmi_c_locale_enter();
    s.ranks = def->communicator ? def->communicator : ohm_communicator_alone();
    OHM_TRY(ohm_communicator_agree(s.ranks, prepare(&s, digest, err), err));
    OHM_TRY(ohm_communicator_agree(s.ranks, open_results(&s, digest, err), err));
    OHM_TRY(list_items(&s, err));
    OHM_TRY(run_items(&s, err));

    // results that had everything are written too: what the integer network reaches may be new
    status = s.ranks->rank == 0 ? ohmi_results_save(&s.results, err) : OHM_OK;
    if (status >= 0 && s.errors && s.ranks->rank == 0) {
        status = ohmi_errors_save(s.errors, def->errors_path, err);
    }
    OHM_TRY(ohm_communicator_agree(s.ranks, status, err));
done:
    clear(&s);
    ohmi_c_locale_leave(&locale);
    return status;
}
