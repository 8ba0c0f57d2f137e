// SPDX-License-Identifier: Apache-2.0
// Opening a run folder for use; see opened.h.
#include "learn/opened.h"

#include <stdio.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/memory.h"
#include "config/access.h"
#include "learn/checkpoint.h"
#include "learn/outline.h"
#include "learn/task_file.h"

ohm_status ohmi_opened_open(ohmi_opened *run, const char *folder, int batch, const char *backend,
                            ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_tensors *checkpoint = NULL;
    char path[1024];
    *run = (ohmi_opened){.values = ohmi_alloc(1, sizeof *run->values)};
    if (!run->values) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for a config");
        goto done;
    }
    (void)snprintf(path, sizeof path, "%s/config.yaml", folder);
    OHM_TRY(ohm_config_new(&run->config, err));
    OHM_TRY(ohm_config_load(run->config, path, err));
    OHM_TRY(ohm_config_check(run->config, err));
    *run->values = *ohmi_config_values(run->config);
    run->values->train.batch = batch;

    // what the tasks are
    (void)snprintf(path, sizeof path, "%s/tasks.json", folder);
    run->has_task_file = access(path, F_OK) == 0;
    if (run->has_task_file) {
        OHM_TRY(ohmi_task_file_read(&run->tasks, path, err));
    }
    (void)snprintf(path, sizeof path, "%s/checkpoints/last.safetensors", folder);
    OHM_TRY(ohmi_tensors_open(&checkpoint, path, err));
    if (!run->has_task_file) {
        OHM_TRY(ohmi_outline_read(&run->tasks, run->values, checkpoint, err));
    }
    OHM_TRY(ohmi_learner_new(&run->learner, run->values, run->tasks, backend, false, err));
    OHM_TRY(ohmi_checkpoint_load(run->learner, path, false, err));
done:
    if (status == OHM_ERR_FORMAT && err && !err->path[0]) {
        ohmi_place(err, path, 0, 0);
    }
    ohmi_tensors_close(&checkpoint);
    return status;
}

void ohmi_opened_close(ohmi_opened *run) {
    ohmi_learner_free(&run->learner);
    ohmi_tasks_free(&run->tasks);
    ohm_config_free(&run->config);
    ohmi_free(run->values);
    *run = (ohmi_opened){0};
}

ohm_status ohmi_opened_check_task(const ohmi_opened *run, int task, ohm_error *err) {
    const int n_learned = (int)run->learner->position.task;
    if (task < 0 || task >= n_learned) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "task %d is not learned yet, %d of %d tasks are",
                         task + 1, n_learned, run->learner->n_tasks);
    }
    if (run->learner->traits->is_alone && task != n_learned - 1) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT,
                         "method 'dense' keeps the weights of its last task only, which is %d",
                         n_learned);
    }
    return OHM_OK;
}
