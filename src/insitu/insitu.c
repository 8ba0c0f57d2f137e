// SPDX-License-Identifier: Apache-2.0
// ohm_insitu: a run trained on crossbars, then the same trained plainly.
//
// Plainly is: every row of the gradient operand is programmed, every cell of what is written is
// erased and set, all weights of the task in training after every batch; nothing is thresholded.
#include "ohmwise/insitu.h"

#include <stdio.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "config/access.h"
#include "config/values.h"
#include "insitu/chip.h"
#include "insitu/results.h"

// trains into a folder; *out = what it took, for json_decref
static ohm_status train(json_t **out, const ohm_config *config, const ohm_learn_def *def,
                        ohm_error *err) {
    ohm_status status = OHM_OK;
    ohm_config own = *config;
    ohmi_insitu_chip chip = {0};
    const ohmi_rider rider = ohmi_insitu_rider(&chip);
    OHM_TRY(ohmi_learn_with(&own, def, &rider, err));
    *out = ohmi_insitu_training(&chip, ohmi_config_values(&own), def->run_folder);
    if (!*out) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%.900s' has no metrics.json", def->run_folder);
        goto done;
    }
    OHM_TRY(ohmi_insitu_bill(def->run_folder, *out, ohmi_config_values(&own), err));
done:
    ohmi_insitu_chip_clear(&chip);
    return status;
}

static void set_plain(ohm_config *config) {
    config->values.insitu.compare = false;
    config->values.insitu.activation = 0;
    config->values.insitu.error = 0;
    config->values.insitu.activation_ratio = 0;
    config->values.insitu.error_ratio = 0;
    config->values.insitu.budget = OHMI_BUDGET_NONE;
    config->values.insitu.weight = 0;
    config->values.insitu.drop_errors = false;
    config->values.insitu.weight_unit = OHMI_WRITE_ARRAY;
}

ohm_status ohm_insitu(ohm_config *config, const ohm_learn_def *def, ohm_error *err) {
    ohm_status status = OHM_OK;
    json_t *trained = NULL, *plain = NULL;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    OHM_TRY(train(&trained, config, def, err));
    if (ohmi_config_values(config)->insitu.baseline) {
        char folder[1024];
        ohm_config own = *config;
        ohm_learn_def other = *def;
        set_plain(&own);
        const int n = snprintf(folder, sizeof folder, "%s/plain", def->run_folder);
        if (n < 0 || (size_t)n >= sizeof folder) {
            status = ohmi_fail(err, OHM_ERR_ARGUMENT, "the name of the run folder is too long");
            goto done;
        }
        other.run_folder = folder;
        if (def->sink) {
            const ohm_event event = {.kind = OHM_EVENT_NOTE,
                                     .seconds_left = -1,
                                     .text = "now the same, trained plainly"};
            (void)def->sink(def->context, &event);
        }
        OHM_TRY(train(&plain, &own, &other, err));
    }
    status = ohmi_insitu_write(def->run_folder, trained, plain, err);
    trained = plain = NULL;
done:
    json_decref(trained);
    json_decref(plain);
    ohmi_c_locale_leave(&locale);
    return status;
}
