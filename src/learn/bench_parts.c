// SPDX-License-Identifier: Apache-2.0
// `ohm_bench_parts`: what learning a batch in parts costs and gains. The same XST 4-bit step, in
// turn:
//
//   1 thread                one learner, one thread
//   N threads               one learner, its loops over N threads
//   N parts                 N learners of a part each, a thread each, in one process
//   N processes             likewise, a process each: where there are several, N is their number,
//                           else that of the threads; while rank 0 runs the other ways they wait
//
// All by the clock of rank 0. `times_faster` is the median of 1 thread over that of the way. cpu_s
// is the least processor time of a step, of all threads and processes together, loaders and waiting
// included: what other programs on the machine disturb least; `times_cpu` is it over that of 1
// thread.
#include <stdio.h>

#include "base/c_locale.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/team.h"
#include "base/thread.h"
#include "learn/bench_ways.h"

enum { ONE_THREAD, THREADS, PARTS, PROCESSES, N_WAYS };

typedef struct {
    const ohm_bench_def *def;
    const ohm_communicator *processes;
    const ohmi_tasks *tasks;
    ohmi_contestant *whole;  // of the first two ways
    ohmi_contestant *part;   // (n) of this process' parts; made at their first step
    ohmi_contestant *remote; // the part of this process among all
    int n;
    double part_s; // of the last step in parts
} bench;

// of one step, or the least of several
typedef struct {
    double wall_s, cpu_s;
} cost;

static ohm_status part_step(void *context, const ohm_communicator *parts, ohm_error *err) {
    bench *b = context;
    ohm_status status = OHM_OK;
    ohmi_contestant *c = &b->part[parts->rank];
    double seconds;
    if (!c->loader) {
        OHM_TRY(ohmi_contestant_make(c, b->def, "xst", "4", b->tasks, parts, err));
    }
    c->learner->network->whole.parts = parts; // every team has its own
    OHM_TRY(parts->barrier(parts->context, err));
    const double start = ohmi_now_s();
    OHM_TRY(ohmi_contestant_step(c, b->tasks, &seconds, err));
    OHM_TRY(parts->barrier(parts->context, err));
    if (parts->rank == 0) {
        b->part_s = ohmi_now_s() - start;
    }
done:
    return status;
}

// the ways of one process, which rank 0 goes; costs: by way
static ohm_status local_steps(bench *b, cost *costs, ohm_error *err) {
    ohm_status status = OHM_OK;
    for (int way = ONE_THREAD; way <= THREADS; way++) {
        ohmi_set_threads(way == ONE_THREAD ? 1 : b->n);
        const double cpu = ohmi_process_s();
        OHM_TRY(ohmi_contestant_step(b->whole, b->tasks, &costs[way].wall_s, err));
        costs[way].cpu_s = ohmi_process_s() - cpu;
    }
    const double cpu = ohmi_process_s();
    OHM_TRY(ohmi_team_run(ohm_communicator_alone(), b->n, part_step, b, err));
    costs[PARTS] = (cost){b->part_s, ohmi_process_s() - cpu};
done:
    return status;
}

// one step of every way
static ohm_status steps(bench *b, cost *costs, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohm_communicator *all = b->processes;
    double own;
    if (all->rank == 0) {
        status = local_steps(b, costs, err);
    }
    OHM_TRY(ohm_communicator_agree(all, status, err));
    if (all->size > 1) {
        ohmi_set_threads(1);
        const double start = ohmi_now_s(), cpu = ohmi_process_s();
        OHM_TRY(ohmi_contestant_step(b->remote, b->tasks, &own, err));
        OHM_TRY(all->barrier(all->context, err));
        costs[PROCESSES] = (cost){ohmi_now_s() - start, ohmi_process_s() - cpu};
        OHM_TRY(all->sum_double(all->context, &costs[PROCESSES].cpu_s, 1, err));
    }
done:
    return status;
}

static json_t *ways_json(double (*seconds)[OHMI_BENCH_REPEATS], const cost *least, const bench *b) {
    json_t *list = json_array();
    double first = 0;
    for (int way = 0; way < (b->processes->size > 1 ? N_WAYS : PROCESSES); way++) {
        char name[32];
        static const char *const things[] = {"thread", "threads", "parts", "processes"};
        (void)snprintf(name, sizeof name, "%d %s", way == ONE_THREAD ? 1 : b->n, things[way]);
        const double median = ohmi_bench_median(seconds[way], b->def->repeats);
        first = way == ONE_THREAD ? median : first;
        json_array_append_new(
            list,
            json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "name", name, "step_s", median,
                      "step_min_s", seconds[way][0], "step_spread",
                      ohmi_bench_spread(seconds[way], b->def->repeats), "images_per_s",
                      b->def->batch / median, "times_faster", first / median, "cpu_s",
                      least[way].cpu_s, "times_cpu", least[way].cpu_s / least[ONE_THREAD].cpu_s));
    }
    return list;
}

// all learners of this process: on rank 0 those of its own ways too
static ohm_status make_learners(bench *b, ohm_error *err) {
    ohm_status status = OHM_OK;
    if (b->processes->size > 1) {
        ohmi_set_threads(1);
        OHM_TRY(ohmi_contestant_make(b->remote, b->def, "xst", "4", b->tasks, b->processes, err));
    }
    if (b->processes->rank == 0) {
        ohmi_set_threads(b->n); // workspaces are for that many
        OHM_TRY(ohmi_contestant_make(b->whole, b->def, "xst", "4", b->tasks,
                                     ohm_communicator_alone(), err));
    }
done:
    return ohm_communicator_agree(b->processes, status, err);
}

ohm_status ohm_bench_parts(char **json, const ohm_bench_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int n_threads = ohmi_threads();
    ohmi_tasks tasks = {0};
    bench b = {.def = def, .tasks = &tasks};
    b.processes = def->communicator ? def->communicator : ohm_communicator_alone();
    b.n = b.processes->size > 1 ? b.processes->size : n_threads > 1 ? n_threads : 2;
    cost costs[N_WAYS] = {{0}}, least[N_WAYS];
    double(*all)[OHMI_BENCH_REPEATS] = ohmi_alloc(N_WAYS, sizeof *all);
    ohmi_contestant *c = ohmi_alloc((size_t)b.n + 2, sizeof *c);
    ohmi_task *task = ohmi_alloc(OHMI_BENCH_TASKS, sizeof *task);
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *json = NULL;
    if (!all || !c || !task) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the benchmark");
        goto done;
    }
    b.whole = &c[b.n];
    b.remote = &c[b.n + 1];
    b.part = c;
    OHM_TRY(ohmi_bench_check(def, err));
    if (def->batch < b.n || def->way) {
        status = def->way ? ohmi_fail(err, OHM_ERR_ARGUMENT, "'parts' times all its ways in turn")
                          : ohmi_fail(err, OHM_ERR_ARGUMENT, "%d parts of a batch of %d images",
                                      b.n, def->batch);
        goto done;
    }
    OHM_TRY(ohmi_bench_images(&tasks, task, 16 * (int64_t)def->batch, def, err));
    OHM_TRY(make_learners(&b, err));

    // two steps of each to warm up, then the ways in turn
    for (int r = -2; r < def->repeats; r++) {
        OHM_TRY(steps(&b, costs, err));
        for (int way = 0; way < N_WAYS && r >= 0; way++) {
            all[way][r] = costs[way].wall_s;
            if (r == 0 || costs[way].cpu_s < least[way].cpu_s) {
                least[way] = costs[way];
            }
        }
    }
    if (b.processes->rank == 0) {
        OHM_TRY(ohmi_bench_text(
            json,
            json_pack("{s:i, s:s, s:o, s:s, s:s, s:f, s:i, s:i, s:i, s:i, s:o}", "schema", 1,
                      "program", "ohmwise", "machine", ohmi_bench_machine(), "model", def->model,
                      "backend", b.whole->learner->network->kernels->name, "expand", def->expand,
                      "batch", def->batch, "threads", n_threads, "processes", b.processes->size,
                      "repeats", def->repeats, "ways", ways_json(all, least, &b)),
            err));
    }
done:
    for (int i = 0; c && i < b.n + 2; i++) {
        ohmi_contestant_drop(&c[i]);
    }
    ohmi_set_threads(n_threads);
    ohmi_bench_drop_images(task);
    ohmi_free(task);
    ohmi_free(c);
    ohmi_free(all);
    ohmi_c_locale_leave(&locale);
    return status;
}
