// SPDX-License-Identifier: Apache-2.0
// The tables of schedulers and predictors; see schedule.h.
#include "harvest/schedule.h"

#include <string.h>

static const ohmi_front *full(const ohmi_layer_modes *modes) {
    return &modes->full;
}

static const ohmi_front *tiled(const ohmi_layer_modes *modes) {
    return &modes->tiled;
}

static const ohmi_front *copied(const ohmi_layer_modes *modes) {
    return &modes->copied;
}

const ohmi_scheduler ohmi_schedulers[OHMI_N_SCHEDULERS] = {
    {"full", "whole layers or nothing", 1, false, false, false, full},
    {"tiling", "parts of layers", 2, false, false, false, tiled},
    {"duplication", "parts of layers, and copies of them", 3, false, false, false, copied},
    {"resischedule", "the same, several layers at once", 4, true, false, false, copied},
    {"adaptive", "the same, fewer columns while power is short", 5, true, true, false, copied},
    {"volatile", "full, and a failure of the power loses the image", 0, false, false, true, full},
};

static double predict_last(const ohmi_past *past) {
    return past->last_w;
}

static double predict_average(const ohmi_past *past) {
    double sum = 0;
    for (int i = 0; i < past->n; i++) {
        sum += past->mean_w[i];
    }
    return past->n > 0 ? sum / past->n : 0;
}

const ohmi_predictor ohmi_predictors[OHMI_N_PREDICTORS] = {
    {"oracle", "the power is known", true, NULL},
    {"last", "as at the end of the slot before", false, predict_last},
    {"average", "mean of the slots before", false, predict_average},
};

int ohmi_scheduler_find(const char *name) {
    for (int i = 0; i < OHMI_N_SCHEDULERS; i++) {
        if (strcmp(ohmi_schedulers[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

int ohmi_predictor_find(const char *name) {
    for (int i = 0; i < OHMI_N_PREDICTORS; i++) {
        if (strcmp(ohmi_predictors[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}
