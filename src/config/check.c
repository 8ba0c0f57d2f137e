// SPDX-License-Identifier: Apache-2.0
// What no single field can say of a config: the parts of a named method, and combinations
// (ohm_config_check).
#include <math.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/fail.h"
#include "config/methods.h"
#include "config/values.h"

// index of a key that is known to be in the table
static int index_of(const char *key) {
    int n_fields;
    return (int)(ohmi_field_find(key) - ohmi_fields(&n_fields));
}

// adds a hint and, when the field came from a file, its place to an error
static ohm_status blame(ohm_error *err, ohm_status status, const ohm_config *config,
                        const char *key, const char *hint) {
    const int i = index_of(key);
    ohmi_hint(err, "%s", hint);
    if (config->origin[i] == OHMI_FROM_FILE && config->line[i] > 0) {
        ohmi_place(err, config->files[config->file_of[i]], config->line[i], config->column[i]);
    }
    return status;
}

// parts that the user did not set come from the named method
static ohm_status resolve_method(ohm_config *config, ohm_error *err) {
    ohm_status status = OHM_OK;
    int n_fields;
    const ohmi_field *fields = ohmi_fields(&n_fields);
    const ohmi_method *method = ohmi_method_find(config->values.method.preset);
    if (!method) {
        status =
            ohmi_fail(err, OHM_ERR_CONFIG, "unknown method '%s'", config->values.method.preset);
        goto done;
    }
    for (int p = 0; p < OHMI_METHOD_PARTS; p++) {
        const int i = index_of(ohmi_method_keys[p]);
        if (config->origin[i] == OHMI_FROM_DEFAULT || config->origin[i] == OHMI_FROM_PRESET) {
            OHM_TRY(ohmi_field_set(&config->values, &fields[i], method->parts[p], err));
            config->origin[i] = OHMI_FROM_PRESET;
        }
    }
done:
    return status;
}

// published rates of stuck cells, where the user set none: Chen et al. 2015
static ohm_status resolve_faults(ohm_config *config, ohm_error *err) {
    static const char *const keys[] = {"fault.stuck_on", "fault.stuck_off"};
    static const char *const rates[][2] = {{"0", "0"}, {"0.0175", "0.0904"}};
    ohm_status status = OHM_OK;
    int n_fields;
    const ohmi_field *fields = ohmi_fields(&n_fields);
    for (int k = 0; k < 2; k++) {
        const int i = index_of(keys[k]);
        if (config->origin[i] == OHMI_FROM_DEFAULT || config->origin[i] == OHMI_FROM_PRESET) {
            OHM_TRY(ohmi_field_set(&config->values, &fields[i],
                                   rates[config->values.fault.preset][k], err));
            config->origin[i] = config->values.fault.preset == OHMI_FAULTS_NONE ? OHMI_FROM_DEFAULT
                                                                                : OHMI_FROM_PRESET;
        }
    }
done:
    return status;
}

static ohm_status check_device(const ohm_config *config, ohm_error *err) {
    const ohmi_config *v = &config->values;
    if (v->cell.levels[0] == 0 && v->cell.max_siemens <= v->cell.min_siemens) {
        return blame(err,
                     ohmi_fail(err, OHM_ERR_CONFIG,
                               "'cell.max' is %g S, not more than 'cell.min', which is %g S",
                               v->cell.max_siemens, v->cell.min_siemens),
                     config, "cell.max", "levels rise from 'cell.min' to 'cell.max'");
    }
    if (v->fault.stuck_on + v->fault.stuck_off > 1 + 1e-9) {
        return blame(err,
                     ohmi_fail(err, OHM_ERR_CONFIG,
                               "'fault.stuck_on' + 'fault.stuck_off' is %g, more than all cells",
                               v->fault.stuck_on + v->fault.stuck_off),
                     config, "fault.stuck_off", "their sum is at most 1");
    }
    if (v->fault.map[0] && (v->fault.stuck_on > 0 || v->fault.stuck_off > 0)) {
        return blame(
            err,
            ohmi_fail(err, OHM_ERR_CONFIG, "'fault.map' is set, and so are rates of stuck cells"),
            config, "fault.map",
            "a measured map stands for itself: set 'fault.stuck_on' and "
            "'fault.stuck_off' to 0, or leave out the map");
    }
    return OHM_OK;
}

// 2^-8 .. 2^8
static bool is_power_of_two(double v) {
    int exponent = 0;
    return v > 0 && frexp(v, &exponent) == 0.5;
}

// 0 and 1 among rising levels; powers of two unless a factor is rounded to them
static ohm_status check_levels(const ohm_config *config, ohm_error *err) {
    const ohmi_config *v = &config->values;
    const ohmi_numbers *levels = &v->method.levels;
    const bool takes_any = v->method.estimator == OHMI_ESTIMATOR_NEAREST;
    bool has_one = false, is_rising = levels->n >= 2 && levels->v[0] == 0;
    for (int i = 1; i < levels->n; i++) {
        is_rising = is_rising && levels->v[i] > levels->v[i - 1];
        has_one = has_one || levels->v[i] == 1;
        if (rint(levels->v[i] * 256) != levels->v[i] * 256 ||
            (!takes_any && !is_power_of_two(levels->v[i]))) {
            return blame(err,
                         ohmi_fail(err, OHM_ERR_CONFIG, "'method.levels' has %g, which is no %s",
                                   levels->v[i],
                                   takes_any ? "multiple of 1/256" : "power of two from 1/256"),
                         config, "method.levels",
                         takes_any ? "write factors that integers can hold, as [0, 0.5, 1, 1.5]"
                                   : "write shifts, as [0, 0.5, 1, 2], or set 'method.estimator' "
                                     "to nearest");
        }
    }
    if (!is_rising || !has_one) {
        return blame(err,
                     ohmi_fail(err, OHM_ERR_CONFIG,
                               "'method.levels' does not rise from 0, with 1 among its numbers"),
                     config, "method.levels",
                     "0 is a unit that is off and 1 one that is as it was: [0, 1], [0, 0.5, 1, 2]");
    }
    if (levels->n > 2 && v->method.estimator == OHMI_ESTIMATOR_NONE) {
        return blame(err,
                     ohmi_fail(err, OHM_ERR_CONFIG,
                               "'method.levels' has %d levels, but 'method.estimator' is 'none'",
                               levels->n),
                     config, "method.levels", "choose an estimator that learns them, as gumbel");
    }
    return OHM_OK;
}

// a backbone where one is named and needed, and only there
static ohm_status check_start(const ohm_config *config, ohm_error *err) {
    const ohmi_config *v = &config->values;
    const bool has_backbone = v->method.start == OHMI_START_BACKBONE;
    if (has_backbone && !v->method.backbone[0]) {
        return blame(err,
                     ohmi_fail(err, OHM_ERR_CONFIG,
                               "'method.start' is 'backbone', but 'method.backbone' names no run"),
                     config, "method.start",
                     "set 'method.backbone' to the folder of a run, learned or imported");
    }
    if (!has_backbone && (v->method.backbone[0] || v->method.backbone_task > 0)) {
        const char *key = v->method.backbone[0] ? "method.backbone" : "method.backbone_task";
        return blame(
            err,
            ohmi_fail(err, OHM_ERR_CONFIG, "'%s' is set, but 'method.start' is 'scratch'", key),
            config, key, "set 'method.start' to backbone");
    }
    return OHM_OK;
}

// combinations of parts that have no meaning, the first that holds is told
static ohm_status check_method(const ohm_config *config, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_config *v = &config->values;
    const ohmi_growth growth = v->method.growth;
    const ohmi_growth_traits *traits = ohmi_growth_traits_of(growth);
    const bool is_scratch = v->method.start == OHMI_START_SCRATCH;
    const bool has_masks = v->method.estimator != OHMI_ESTIMATOR_NONE;
    const struct {
        bool is_wrong;
        const char *key, *message, *hint;
    } rules[] = {
        {is_scratch && growth == OHMI_GROWTH_NONE, "method.growth",
         "'method.growth' is 'none', so a network from scratch never learns",
         "use drop_and_grow or dense, or start from a backbone"},
        {is_scratch && growth == OHMI_GROWTH_ALL, "method.growth",
         "'method.growth' is 'all', but there is no backbone to copy",
         "use dense, or start from a backbone"},
        {is_scratch && growth == OHMI_GROWTH_CHOOSE, "method.growth",
         "'method.growth' is 'choose', but there is no backbone whose PEs could be chosen",
         "start from a backbone"},
        {!is_scratch && traits->is_alone, "method.growth",
         "'method.growth' is 'dense', so nothing is left of a backbone",
         "use all for an own copy of the backbone a task"},
        {traits->is_alone && has_masks, "method.estimator",
         "'method.growth' is 'dense', so there are no earlier weights to mask",
         "set 'method.estimator' to none"},
        {traits->copies_all && has_masks, "method.estimator",
         "'method.growth' is 'all', so there are no weights of the backbone left to mask",
         "set 'method.estimator' to none"},
    };
    OHM_TRY(check_start(config, err));
    OHM_TRY(check_levels(config, err));
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].is_wrong) {
            status = blame(err, ohmi_fail(err, OHM_ERR_CONFIG, "%s", rules[i].message), config,
                           rules[i].key, rules[i].hint);
            goto done;
        }
    }
    if (traits->claim == OHMI_CLAIM_BUDGET &&
        v->method.density_first + v->method.density_rest > 1 + 1e-9) {
        status = blame(err,
                       ohmi_fail(err, OHM_ERR_CONFIG,
                                 "'method.density_first' + 'method.density_rest' is %g, more than "
                                 "the whole network",
                                 v->method.density_first + v->method.density_rest),
                       config, "method.density_rest", "their sum is at most 1");
        goto done;
    }
    if (v->method.goal > 0 && !(v->data.validation > 0)) {
        status = blame(err,
                       ohmi_fail(err, OHM_ERR_CONFIG,
                                 "'method.goal' is set, but no images are held out to measure it"),
                       config, "method.goal", "set 'data.validation', as 0.1");
        goto done;
    }
done:
    return status;
}

static ohm_status check_bits(const ohm_config *config, ohm_error *err) {
    const ohmi_config *v = &config->values;
    if ((v->quantise.weight_bits == 0) != (v->quantise.activation_bits == 0)) {
        return blame(err,
                     ohmi_fail(err, OHM_ERR_CONFIG,
                               "only one of 'quantise.weight_bits' and 'quantise.activation_bits' "
                               "is 0"),
                     config,
                     v->quantise.weight_bits ? "quantise.activation_bits" : "quantise.weight_bits",
                     "both 0 = float, or both 2 .. 8");
    }
    const struct {
        ohmi_scheme scheme;
        int64_t bits;
        const char *key;
    } grids[] = {
        {v->quantise.weight_scheme, v->quantise.weight_bits, "quantise.weight_scheme"},
        {v->quantise.activation_scheme, v->quantise.activation_bits, "quantise.activation_scheme"},
    };
    for (int i = 0; i < 2; i++) {
        if (grids[i].scheme == OHMI_SCHEME_APOT && grids[i].bits != 0 && grids[i].bits != 4) {
            return blame(err,
                         ohmi_fail(err, OHM_ERR_CONFIG, "'%s' is 'apot' with %d bits", grids[i].key,
                                   (int)grids[i].bits),
                         config, grids[i].key, "apot has a grid for 4 bits only");
        }
    }
    return OHM_OK;
}

static ohm_status check_rising(const ohm_config *config, const ohmi_numbers *list, const char *key,
                               ohm_error *err) {
    for (int i = 1; i < list->n; i++) {
        if (list->v[i] <= list->v[i - 1]) {
            return blame(err, ohmi_fail(err, OHM_ERR_CONFIG, "'%s' does not rise", key), config,
                         key, "write parts from small to large, as [0.5, 0.8]");
        }
    }
    return OHM_OK;
}

static ohm_status check_insitu(const ohm_config *config, ohm_error *err) {
    if (config->values.insitu.drop_errors && config->values.insitu.size != OHMI_SIZE_ERROR) {
        return blame(err,
                     ohmi_fail(err, OHM_ERR_CONFIG,
                               "'insitu.drop_errors' goes by errors, but 'insitu.size' by more"),
                     config, "insitu.drop_errors",
                     "set insitu.size=error, or let all errors go back");
    }
    return OHM_OK;
}

static ohm_status check_train_and_data(const ohm_config *config, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_config *v = &config->values;
    OHM_TRY(check_rising(config, &v->train.milestones, "train.milestones", err));
    OHM_TRY(check_rising(config, &v->train.mask_milestones, "train.mask_milestones", err));
    OHM_TRY(check_rising(config, &v->method.prune_ratios, "method.prune_ratios", err));
    if (v->train.warmup > (double)v->train.epochs) {
        status = blame(
            err, ohmi_fail(err, OHM_ERR_CONFIG, "'train.warmup' is longer than 'train.epochs'"),
            config, "train.warmup", "shorten it");
        goto done;
    }
    if ((v->train.parts & (v->train.parts - 1)) != 0 || v->train.parts > v->train.batch) {
        status = blame(err,
                       ohmi_fail(err, OHM_ERR_CONFIG, "'train.parts' is %d with a batch of %d",
                                 (int)v->train.parts, (int)v->train.batch),
                       config, "train.parts", "allowed are 0, 1, 2, 4, 8 .. 256, up to the batch");
        goto done;
    }
    if (v->data.classes[0] && v->data.split != OHMI_SPLIT_CLASSES) {
        status = blame(err,
                       ohmi_fail(err, OHM_ERR_CONFIG,
                                 "'data.classes' is set, but 'data.split' does not use it"),
                       config, "data.classes", "set 'data.split' to classes");
        goto done;
    }
    if (v->data.resize > 0 && v->data.resize < v->data.image_size) {
        status = blame(err,
                       ohmi_fail(err, OHM_ERR_CONFIG,
                                 "'data.resize' is smaller than 'data.image_size', which is cut "
                                 "of it"),
                       config, "data.resize", "make it larger, or 0");
        goto done;
    }
    if (strchr(v->data.set, ',') && v->data.split != OHMI_SPLIT_SETS) {
        status = blame(err,
                       ohmi_fail(err, OHM_ERR_CONFIG,
                                 "'data.set' names several sets, but 'data.split' takes one"),
                       config, "data.set", "set 'data.split' to sets");
        goto done;
    }
done:
    return status;
}

ohm_status ohm_config_check(ohm_config *config, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_c_locale locale = ohmi_c_locale_enter();
    OHM_TRY(resolve_method(config, err));
    OHM_TRY(check_method(config, err));
    OHM_TRY(check_bits(config, err));
    OHM_TRY(check_train_and_data(config, err));
    OHM_TRY(check_insitu(config, err));
    OHM_TRY(resolve_faults(config, err));
    OHM_TRY(check_device(config, err));
done:
    ohmi_c_locale_leave(&locale);
    return status;
}
