// SPDX-License-Identifier: Apache-2.0
// `ohm_bench_insitu`: times training steps on crossbars beside those of `learn`, of the same
// network with 4 bits on random images, in turn, step by step:
//   learn      the step alone
//   insitu     with cells, rows and counts, the default thresholds
//   plain      likewise, nothing left out
#include <jansson.h>
#include <stdio.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"
#include "insitu/chip.h"
#include "learn/bench_ways.h"
#include "ohmwise/insitu.h"

enum { N_WAYS = 3 };

static const char *const names[N_WAYS] = {"learn", "insitu", "plain"};

// keys of the second way and of the third
static const char *const settings[N_WAYS][5][2] = {
    {{NULL, NULL}},
    {{NULL, NULL}},
    {{"insitu.compare", "false"},
     {"insitu.error", "0"},
     {"insitu.weight", "0"},
     {"insitu.weight_unit", "array"},
     {NULL, NULL}},
};

typedef struct {
    ohmi_contestant contestant[N_WAYS];
    ohmi_insitu_chip chip[N_WAYS];
    ohmi_rider rider[N_WAYS];
} contest;

static ohm_status make_way(contest *all, int way, const ohm_bench_def *def, const ohmi_tasks *tasks,
                           ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_contestant *c = &all->contestant[way];
    c->way = way;
    OHM_TRY(ohmi_contestant_make(c, def, "dense", "4", tasks, ohm_communicator_alone(), err));
    for (int i = 0; settings[way][i][0]; i++) {
        OHM_TRY(ohm_config_set(c->config, settings[way][i][0], settings[way][i][1], err));
    }
    if (way > 0) {
        all->rider[way] = ohmi_insitu_rider(&all->chip[way]);
        OHM_TRY(all->rider[way].begin(&all->chip[way], c->learner, err));
        c->learner->rider = &all->rider[way];
    }
done:
    return status;
}

static json_t *document(contest *all, const ohm_bench_def *def) {
    double ratio[N_WAYS][OHMI_BENCH_REPEATS];
    json_t *ways = json_array();
    const int n = def->repeats;

    // neighbours in time, before the times are sorted
    for (int way = 0; way < N_WAYS; way++) {
        for (int i = 0; i < n; i++) {
            ratio[way][i] = all->contestant[0].seconds[i] / all->contestant[way].seconds[i];
        }
    }
    for (int way = 0; way < N_WAYS; way++) {
        ohmi_contestant *c = &all->contestant[way];
        const double median_s = ohmi_bench_median(c->seconds, n);
        (void)json_array_append_new(
            ways, json_pack("{s:s, s:f, s:f, s:f, s:f, s:f}", "name", names[way], "step_s",
                            median_s, "step_min_s", c->seconds[0], "step_spread",
                            ohmi_bench_spread(c->seconds, n), "images_per_s", def->batch / median_s,
                            "part_of_learn", ohmi_bench_median(ratio[way], n)));
    }
    return json_pack("{s:i, s:s, s:o, s:s, s:f, s:i, s:i, s:s, s:o}", "schema", 1, "program",
                     "ohmwise", "machine", ohmi_bench_machine(), "model", def->model, "expand",
                     def->expand, "batch", def->batch, "repeats", n, "backend",
                     all->contestant[0].learner->network->kernels->name, "ways", ways);
}

ohm_status ohm_bench_insitu(char **json, const ohm_bench_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_tasks tasks;
    ohmi_task *task = ohmi_alloc(OHMI_BENCH_TASKS, sizeof *task);
    contest *all = ohmi_alloc(1, sizeof *all);
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *json = NULL;
    if (!task || !all) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the benchmark");
        goto done;
    }
    OHM_TRY(ohmi_bench_check(def, err));
    if (def->way) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "all ways of this benchmark take turns");
        goto done;
    }
    OHM_TRY(ohmi_bench_images(&tasks, task, 8 * (int64_t)def->batch, def, err));
    for (int way = 0; way < N_WAYS; way++) {
        OHM_TRY(make_way(all, way, def, &tasks, err));
    }

    // a step of each before they count, since the first writes all weights
    for (int i = -1; i < def->repeats; i++) {
        for (int way = 0; way < N_WAYS; way++) {
            double seconds;
            OHM_TRY(ohmi_contestant_step(&all->contestant[way], &tasks, &seconds, err));
            if (i >= 0) {
                all->contestant[way].seconds[i] = seconds;
            }
        }
    }
    status = ohmi_bench_text(json, document(all, def), err);
done:
    for (int way = 0; all && way < N_WAYS; way++) {
        ohmi_insitu_chip_clear(&all->chip[way]);
        ohmi_contestant_drop(&all->contestant[way]);
    }
    ohmi_bench_drop_images(task);
    ohmi_free(task);
    ohmi_free(all);
    ohmi_c_locale_leave(&locale);
    return status;
}
