// SPDX-License-Identifier: Apache-2.0
// `ohm_bench_cost`: how long pricing one image takes, from its pixels to joules: the forward pass,
// the ones of every input bit plane, the counts of every array, the prices.
#include <jansson.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "hardware/bill.h"
#include "learn/bench_ways.h"

// what is timed, by part
typedef struct {
    double forward_s[OHMI_BENCH_REPEATS], ones_s[OHMI_BENCH_REPEATS];
    double count_s[OHMI_BENCH_REPEATS], price_s[OHMI_BENCH_REPEATS];
    double whole_s[OHMI_BENCH_REPEATS];
} times;

// one image of the second task
static ohm_status price_image(times *t, int repeat, ohmi_price *price, ohmi_workload *work,
                              ohmi_learner *learner, const float *x, const ohmi_hardware *h,
                              ohm_error *err) {
    ohm_status status = OHM_OK;
    const double start = ohmi_now_s();
    ohmi_network_forward(learner->network, x, 1, OHMI_MODE_INFER, 0);
    const double forward = ohmi_now_s();
    ohmi_work_task *task = &work->tasks[1];
    for (int l = 0; l < work->n_layers; l++) {
        for (int64_t i = 0; i < work->place->layers[l].layout.run; i++) {
            task->ones[l][i] = 0;
        }
    }
    ohmi_workload_add_ones(task->ones, work, learner->network, 1);
    const double ones = ohmi_now_s();
    for (int l = 0; l < work->n_layers; l++) {
        const ohmi_masked_layer masked = {.on = task->on[l], .codes = work->codes[l]};
        ohmi_count_task(&task->count[l], &work->layers[l], work->place, l, &masked,
                        &(ohmi_input_ones){.ones = task->ones[l]});
    }
    const double counted = ohmi_now_s();
    ohmi_area area;
    double slowest_s;
    ohmi_price_area(&area, work, h);
    ohmi_price_task(price, &slowest_s, work, task->count, h, &area);
    const double end = ohmi_now_s();
    if (ohmi_price_total_j(price) <= 0) {
        status = ohmi_fail(err, OHM_ERR_NUMERIC, "the image costs nothing");
    }
    t->forward_s[repeat] = forward - start;
    t->ones_s[repeat] = ones - forward;
    t->count_s[repeat] = counted - ones;
    t->price_s[repeat] = end - counted;
    t->whole_s[repeat] = end - start;
    return status;
}

static ohm_status make_ones(ohmi_workload *work, ohm_error *err) {
    ohmi_work_task *task = &work->tasks[1];
    task->ones = ohmi_alloc((size_t)work->n_layers, sizeof *task->ones);
    for (int l = 0; task->ones && l < work->n_layers; l++) {
        task->ones[l] = ohmi_alloc((size_t)work->place->layers[l].layout.run, sizeof **task->ones);
        if (!task->ones[l]) {
            return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the benchmark");
        }
    }
    return task->ones ? OHM_OK : ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the benchmark");
}

ohm_status ohm_bench_cost(char **json, const ohm_bench_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    enum { IMAGES = 32 };
    ohmi_task *task = ohmi_alloc(OHMI_BENCH_TASKS, sizeof *task);
    ohmi_contestant *c = ohmi_alloc(1, sizeof *c);
    times *t = ohmi_alloc(1, sizeof *t);
    ohmi_tasks tasks = {0};
    ohmi_workload *work = NULL;
    ohm_hardware *hardware = NULL;
    ohmi_hardware h;
    ohmi_price price = {0};
    ohmi_batch batch;
    double seconds;
    *json = NULL;
    if (!task || !c || !t) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the benchmark");
        goto done;
    }
    OHM_TRY(ohmi_bench_check(def, err));
    if (def->way) {
        status = ohmi_bench_no_way(def->way, NULL, 0, err);
        goto done;
    }

    // a learned network of 4-bit codes on columns, and a machine whose parts are all estimated
    OHM_TRY(ohmi_bench_images(&tasks, task, IMAGES, def, err));
    OHM_TRY(ohmi_contestant_make(c, def, "xst", "4", &tasks, ohm_communicator_alone(), err));
    OHM_TRY(ohmi_contestant_step(c, &tasks, &seconds, err));
    ohmi_learner_finish(c->learner, 1);
    ohmi_learner_activate(c->learner, 1, true);
    c->learner->position.task = 2;
    OHM_TRY(ohm_hardware_new(&hardware, err));
    OHM_TRY(ohm_hardware_set(hardware, "components", "estimate", err));
    OHM_TRY(ohmi_hardware_resolve(&h, hardware, err));
    OHM_TRY(ohmi_workload_new(&work, c->learner, 2, err));
    OHM_TRY(ohmi_workload_count(work, &h, err));
    OHM_TRY(make_ones(work, err));
    ohmi_loader_start(c->loader, 1, &tasks.task[1].train, 0, 0);
    ohmi_loader_next(c->loader, &batch);
    for (int i = 0; i < def->repeats; i++) {
        OHM_TRY(price_image(t, i, &price, work, c->learner, batch.x, &h, err));
    }

    const int n = def->repeats;
    const double whole_s = ohmi_bench_median(t->whole_s, n);
    json_t *root = json_pack(
        "{s:i, s:s, s:o, s:s, s:f, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "schema", 1,
        "program", "ohmwise", "machine", ohmi_bench_machine(), "model", def->model, "expand",
        def->expand, "threads", ohmi_threads(), "repeats", n, "image_s", whole_s, "image_spread",
        ohmi_bench_spread(t->whole_s, n), "forward_s", ohmi_bench_median(t->forward_s, n), "ones_s",
        ohmi_bench_median(t->ones_s, n), "count_s", ohmi_bench_median(t->count_s, n), "price_s",
        ohmi_bench_median(t->price_s, n), "energy_j", ohmi_price_total_j(&price), "latency_s",
        price.latency_s);
    OHM_TRY(ohmi_bench_text(json, root, err));
done:
    ohmi_workload_free(&work);
    ohm_hardware_free(&hardware);
    if (c) {
        ohmi_contestant_drop(c);
    }
    if (task) {
        ohmi_bench_drop_images(task);
    }
    ohmi_free(task);
    ohmi_free(c);
    ohmi_free(t);
    return status;
}
