// SPDX-License-Identifier: Apache-2.0
// `ohm_eval`: the tasks of a run folder on their test images, in float, in integers, or on a chip.
#include <stdio.h>

#include "base/c_locale.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "config/access.h"
#include "config/settings.h"
#include "crossbar/chip.h"
#include "file/npy.h"
#include "learn/checkpoint.h"
#include "learn/evaluate.h"
#include "ohmwise/learn.h"

// a run, and the chip that it is evaluated on
typedef struct {
    ohm_config *config;      // as it was learned
    ohm_config *chip_config; // with the settings
    ohmi_tasks *tasks;
    ohmi_learner *learner;
    ohmi_chip *chip; // NULL = not on a chip
} subject;

// one task, its logits written when asked for
static ohm_status eval_task(ohm_eval_result *result, const subject *s, int t,
                            const ohm_eval_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_learner *learner = s->learner;
    const int64_t before = s->chip ? s->chip->conversions : 0;
    const ohmi_task *task = &learner->tasks->task[t];
    ohmi_evaluation e;
    float *logits = NULL;
    if (def->logits_path) {
        logits = ohmi_alloc((size_t)task->test.n * (size_t)task->n_classes, sizeof *logits);
        if (!logits) {
            status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the logits");
            goto done;
        }
    }
    if (s->chip) {
        const double start = ohmi_now_s();
        OHM_TRY(ohmi_chip_activate(s->chip, learner, t, err));
        const double switch_seconds = ohmi_now_s() - start;
        status = ohmi_measure_images(&e, learner, t, &task->test, true, logits, err);
        ohmi_chip_deactivate(s->chip, learner);
        OHM_TRY(status);
        e.switch_seconds = switch_seconds;
    } else {
        OHM_TRY(ohmi_evaluate(&e, learner, t, def->path == OHM_ON_INTEGER, logits, err));
    }
    if (logits) {
        const ohmi_view view =
            ohmi_view_of("logits", OHMI_F32, logits, 2, task->test.n, task->n_classes, 0, 0);
        OHM_TRY(ohmi_npy_save(def->logits_path, &view, err));
    }
    *result = (ohm_eval_result){.task = t,
                                .n_images = task->test.n,
                                .accuracy = e.accuracy,
                                .seconds = e.seconds,
                                .switch_seconds = e.switch_seconds,
                                .conversions = s->chip ? s->chip->conversions - before : 0};
    (void)snprintf(result->name, sizeof result->name, "%s", task->name);
done:
    ohmi_free(logits);
    return status;
}

// the arrays and converters of an evaluation: the run's, with the settings over them
static ohm_status open_chip(subject *s, const char *config_path, const ohm_eval_def *def,
                            ohm_error *err) {
    ohm_status status = OHM_OK;
    static const char *const sections[] = {"array", "adc", NULL};
    OHM_TRY(ohm_config_new(&s->chip_config, err));
    OHM_TRY(ohm_config_load(s->chip_config, config_path, err));
    OHM_TRY(ohmi_config_settle(s->chip_config, def->settings, def->n_settings, sections, err));
    OHM_TRY(ohmi_chip_new(&s->chip, s->learner, ohmi_config_values(s->chip_config), err));
    OHM_TRY(ohmi_chip_calibrate(s->chip, s->learner, NULL, NULL, err));
done:
    return status;
}

ohm_status ohm_eval(ohm_eval_result *results, int max_results, int *n_results,
                    const char *run_folder, const ohm_eval_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    subject s = {0};
    char path[1024];
    char config_path[1024];
    ohmi_c_locale locale = ohmi_c_locale_enter();
    *n_results = 0;

    // the run as it was configured
    (void)snprintf(config_path, sizeof config_path, "%s/config.yaml", run_folder);
    OHM_TRY(ohm_config_new(&s.config, err));
    OHM_TRY(ohm_config_load(s.config, config_path, err));
    OHM_TRY(ohm_config_check(s.config, err));
    const ohmi_config *values = ohmi_config_values(s.config);
    OHM_TRY(ohmi_tasks_load(&s.tasks, values, def->data_folder, err));
    OHM_TRY(ohmi_learner_new(&s.learner, values, s.tasks, def->backend, false, err));
    (void)snprintf(path, sizeof path, "%s/checkpoints/last.safetensors", run_folder);
    OHM_TRY(ohmi_checkpoint_load(s.learner, path, false, err));
    const ohmi_learner *learner = s.learner;
    const int n_learned = (int)learner->position.task;

    // what was asked for must be there
    if (def->path != OHM_ON_CROSSBAR && def->n_settings > 0) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "settings are for the crossbar");
        ohmi_hint(err, "use --on crossbar");
        goto done;
    }
    if (def->path != OHM_ON_FLOAT && !learner->is_quantised) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "'%s' was learned in float", run_folder);
        ohmi_hint(err, "use --on float, or learn with quantise.weight_bits=4");
        goto done;
    }
    if (n_learned == 0) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "'%s' has learned no task yet", run_folder);
        goto done;
    }
    if (def->task >= n_learned) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "task %d is not learned yet, %d of %d tasks are",
                           def->task + 1, n_learned, learner->n_tasks);
        goto done;
    }
    const bool is_alone = learner->traits->is_alone;
    const int first = def->task >= 0 ? def->task : (is_alone ? n_learned - 1 : 0);
    const int last = def->task >= 0 ? def->task : n_learned - 1;
    if (is_alone && first != n_learned - 1) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT,
                           "method 'dense' keeps the weights of its last task only, which is %d",
                           n_learned);
        goto done;
    }
    if (last - first >= max_results) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "there is room for %d results, but %d tasks",
                           max_results, last - first + 1);
        goto done;
    }
    if (def->logits_path && first != last) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "logits are written for one task at a time");
        ohmi_hint(err, "name it with --task");
        goto done;
    }
    if (def->path == OHM_ON_CROSSBAR) {
        OHM_TRY(open_chip(&s, config_path, def, err));
    }
    for (int t = first; t <= last; t++) {
        OHM_TRY(eval_task(&results[*n_results], &s, t, def, err));
        ++*n_results;
    }

done:
    ohmi_chip_free(&s.chip);
    ohmi_learner_free(&s.learner);
    ohmi_tasks_free(&s.tasks);
    ohm_config_free(&s.config);
    ohm_config_free(&s.chip_config);
    ohmi_c_locale_leave(&locale);
    return status;
}
