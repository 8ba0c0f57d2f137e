// SPDX-License-Identifier: Apache-2.0
// `ohm_harvest_verify`: a learned run really computed tile by tile while the power fails, beside
// the integer network.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "base/memory.h"
#include "config/settings.h"
#include "config/values.h"
#include "harvest/tiled.h"
#include "learn/checkpoint.h"
#include "learn/evaluate.h"
#include "ohmwise/harvest.h"

typedef struct {
    ohm_config *config, *chip_config; // as it was learned; with ideal converters
    ohmi_tasks *tasks;
    ohmi_learner *learner;
    ohmi_chip *chip;
    ohmi_tiled *tiled;
    float *expected, *found; // logits (n_images, classes)
} subject;

static ohm_status open_run(subject *s, const char *folder, const ohm_verify_def *def,
                           ohm_error *err) {
    ohm_status status = OHM_OK;
    char path[1024], config_path[1024];
    static const char *const sections[] = {"array", "adc", NULL};
    static const char *const ideal[] = {"adc.range=ideal"};
    (void)snprintf(config_path, sizeof config_path, "%s/config.yaml", folder);
    OHM_TRY(ohm_config_new(&s->config, err));
    OHM_TRY(ohm_config_load(s->config, config_path, err));
    OHM_TRY(ohm_config_check(s->config, err));
    const ohmi_config *values = &s->config->values;
    OHM_TRY(ohmi_tasks_load(&s->tasks, values, def->data_folder, err));
    OHM_TRY(ohmi_learner_new(&s->learner, values, s->tasks, def->backend, false, err));
    (void)snprintf(path, sizeof path, "%s/checkpoints/last.safetensors", folder);
    OHM_TRY(ohmi_checkpoint_load(s->learner, path, false, err));
    const int n_learned = (int)s->learner->position.task;
    if (!s->learner->is_quantised || n_learned < 1) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT, "'%s' %s", folder,
                           n_learned < 1 ? "has learned no task yet" : "was learned in float");
        ohmi_hint(err, "learn with quantise.weight_bits=4 quantise.activation_bits=4");
        goto done;
    }
    OHM_TRY(ohm_config_new(&s->chip_config, err));
    OHM_TRY(ohm_config_load(s->chip_config, config_path, err));
    OHM_TRY(ohmi_config_settle(s->chip_config, ideal, 1, sections, err));
    OHM_TRY(ohmi_chip_new(&s->chip, s->learner, &s->chip_config->values, err));
done:
    return status;
}

static void close_run(subject *s) {
    ohmi_tiled_free(&s->tiled);
    ohmi_chip_free(&s->chip);
    ohmi_learner_free(&s->learner);
    ohmi_tasks_free(&s->tasks);
    ohm_config_free(&s->config);
    ohm_config_free(&s->chip_config);
    ohmi_free(s->expected);
    ohmi_free(s->found);
}

ohm_status ohm_harvest_verify(char **json, const char *run_folder, const ohm_verify_def *def,
                              ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    subject s = {0};
    ohmi_evaluation e;
    ohmi_tiled_counts counts;
    char *dump = NULL;
    json_t *root = NULL;
    *json = NULL;
    if (def->n_images < 1 || def->mean_words < 1) {
        status = ohmi_fail(err, OHM_ERR_ARGUMENT,
                           "there must be an image, and words between "
                           "failures");
        goto done;
    }
    OHM_TRY(open_run(&s, run_folder, def, err));
    const int t = (int)s.learner->position.task - 1;
    ohmi_images images = s.tasks->task[t].test;
    images.n = def->n_images < images.n ? def->n_images : images.n;
    const size_t n_logits = (size_t)images.n * (size_t)s.tasks->task[t].n_classes;
    s.expected = ohmi_alloc(n_logits, sizeof *s.expected);
    s.found = ohmi_alloc(n_logits, sizeof *s.found);
    if (!s.expected || !s.found) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the logits");
        goto done;
    }
    // the integer network, then its products tile by tile
    ohmi_learner_activate(s.learner, t, true);
    OHM_TRY(ohmi_measure_images(&e, s.learner, t, &images, true, s.expected, err));
    OHM_TRY(ohmi_chip_activate(s.chip, s.learner, t, err));
    OHM_TRY(ohmi_tiled_new(&s.tiled, s.chip, def->seed, def->mean_words, err));
    OHM_TRY(ohmi_measure_images(&e, s.learner, t, &images, true, s.found, err));
    ohmi_tiled_counts_of(&counts, s.tiled);
    ohmi_tiled_free(&s.tiled);
    ohmi_chip_deactivate(s.chip, s.learner);
    const bool is_same = memcmp(s.expected, s.found, n_logits * sizeof *s.found) == 0;
    const bool is_once = counts.cells >= counts.macs && counts.cells <= counts.macs;
    root = json_pack("{s:i, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:b, s:b}", "schema", 1,
                     "run", run_folder, "task", t + 1, "images", (json_int_t)images.n, "steps",
                     (json_int_t)counts.steps, "steps_lost", (json_int_t)counts.lost,
                     "power_failures", (json_int_t)counts.failures, "failures_while_keeping",
                     (json_int_t)counts.failures_keeping, "macs", counts.macs, "macs_kept",
                     counts.cells, "counted_once", is_once, "identical", is_same);
    dump = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    *json = dump ? ohmi_strdup(dump) : NULL;
    if (!*json) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the result");
        goto done;
    }
    if (!is_same || !is_once) {
        status = ohmi_fail(err, OHM_ERR_CHECK, "tiles under failing power %s",
                           is_same ? "were not counted once" : "gave other logits");
        goto done;
    }
done:
    if (status < 0) {
        ohm_text_free(json);
    }
    free(dump);
    json_decref(root);
    close_run(&s);
    ohmi_c_locale_leave(&locale);
    return status;
}
