// SPDX-License-Identifier: Apache-2.0
// `ohm_bench_data`: batches of the loader with shuffling, crops, flips and rounding, alone and
// while an XST 4-bit step of the network runs, in turn. The loader has one thread of its own, which
// works ahead while the step computes; what a step still waits for it is wait_share.
#include <string.h>

#include "base/c_locale.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "learn/bench_ways.h"

enum { ALONE, STEPS, N_WAYS };

static const char *const names[N_WAYS] = {"loader alone", "xst 4-bit step"};

// batches of the loader until its images are used up; seconds a batch
static double drain(ohmi_contestant *c, const ohmi_tasks *tasks) {
    int n = 0;
    const double start = ohmi_now_s();
    ohmi_loader_start(c->loader, 1, &tasks->task[1].train, 0, 0);
    for (;;) {
        ohmi_batch batch;
        ohmi_loader_next(c->loader, &batch);
        if (batch.n == 0) {
            break;
        }
        n++;
    }
    return (ohmi_now_s() - start) / n;
}

ohm_status ohm_bench_data(char **json, const ohm_bench_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_contestant *c = ohmi_alloc(N_WAYS, sizeof *c);
    ohmi_task *task = ohmi_alloc(OHMI_BENCH_TASKS, sizeof *task);
    ohmi_tasks tasks = {0};
    double warm;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *json = NULL;
    if (!c || !task) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the benchmark");
        goto done;
    }
    OHM_TRY(ohmi_bench_check(def, err));
    if (def->way && strcmp(def->way, names[ALONE]) != 0 && strcmp(def->way, names[STEPS]) != 0) {
        status = ohmi_bench_no_way(def->way, names, N_WAYS, err);
        goto done;
    }
    OHM_TRY(ohmi_bench_images(&tasks, task, 16 * (int64_t)def->batch, def, err));
    const bool has_steps = !def->way || strcmp(def->way, names[STEPS]) == 0;
    OHM_TRY(
        ohmi_contestant_make(&c[STEPS], def, "xst", "4", &tasks, ohm_communicator_alone(), err));
    OHM_TRY(ohmi_contestant_step(&c[STEPS], &tasks, &warm, err));

    // in turn: all batches alone, then a step
    c[STEPS].loader_s = 0;
    for (int r = 0; r < def->repeats; r++) {
        c[ALONE].seconds[r] = drain(&c[STEPS], &tasks);
        if (has_steps) {
            // the first batch after the loader was alone is not ahead of anything
            const double waited = c[STEPS].loader_s;
            OHM_TRY(ohmi_contestant_step(&c[STEPS], &tasks, &warm, err));
            c[STEPS].loader_s = waited;
            OHM_TRY(ohmi_contestant_step(&c[STEPS], &tasks, &c[STEPS].seconds[r], err));
        }
    }

    json_t *list = json_array();
    double total = 0;
    for (int way = 0; way < N_WAYS; way++) {
        if (way == STEPS ? !has_steps : def->way && has_steps) {
            continue;
        }
        for (int r = 0; way == STEPS && r < def->repeats; r++) {
            total += c[way].seconds[r];
        }
        c[way].median_s = ohmi_bench_median(c[way].seconds, def->repeats);
        json_array_append_new(list, json_pack("{s:s, s:f, s:f, s:f, s:f}", "name", names[way],
                                              "step_s", c[way].median_s, "step_min_s",
                                              c[way].seconds[0], "step_spread",
                                              ohmi_bench_spread(c[way].seconds, def->repeats),
                                              "images_per_s", def->batch / c[way].median_s));
    }
    json_t *root =
        json_pack("{s:i, s:s, s:o, s:s, s:s, s:f, s:i, s:i, s:i, s:o}", "schema", 1, "program",
                  "ohmwise", "machine", ohmi_bench_machine(), "model", def->model, "backend",
                  c[STEPS].learner->network->kernels->name, "expand", def->expand, "batch",
                  def->batch, "threads", ohmi_threads(), "repeats", def->repeats, "ways", list);
    if (root && total > 0) {
        json_object_set_new(root, "wait_share", json_real(c[STEPS].loader_s / total));
    }
    OHM_TRY(ohmi_bench_text(json, root, err));

done:
    for (int way = 0; c && way < N_WAYS; way++) {
        ohmi_contestant_drop(&c[way]);
    }
    ohmi_bench_drop_images(task);
    ohmi_free(task);
    ohmi_free(c);
    ohmi_c_locale_leave(&locale);
    return status;
}
