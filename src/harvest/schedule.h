// SPDX-License-Identifier: Apache-2.0
// Schedulers and predictors, each a row of a table.
//
// A scheduler says which modes of a layer may be taken, and whether images follow each other
// through the layers at the same time. At every decision it goes through the images in work, the
// oldest first, and gives each the fastest mode of its layer that the power left over allows:
//
//     full          all of a layer, one copy, or nothing: the baseline, which knows nothing of
//                   power that comes and goes
//     tiling        parts of a layer
//     duplication   parts of a layer, several copies of it
//     resischedule  the same, and what the oldest image leaves over goes to the next ones, each in
//                   another layer: sets of layers that work as a pipeline
//     adaptive      the same, and an image is begun with fewer columns while power is short
//                   (levels.h)
//     volatile      as full, but nothing outlives a failure of the power: the image under way
//                   begins anew. A baseline whose partial sums lie in volatile memory
//
// Since the oldest image has the first choice, an image is never later by what later ones do; they
// live on power that would be lost. ResiSchedule's own search could not be had (a reconstruction).
//
// A predictor says, at the beginning of a slot, what power to plan with.
#ifndef OHMI_SCHEDULE_H
#define OHMI_SCHEDULE_H

#include "harvest/modes.h"

typedef struct {
    const char *name, *what;
    int mechanisms; // those of schedulers with fewer are among its own
    bool is_pipelined, has_levels, is_volatile;
    const ohmi_front *(*front)(const ohmi_layer_modes *modes);
} ohmi_scheduler;

enum { OHMI_N_SCHEDULERS = 6 };
extern const ohmi_scheduler ohmi_schedulers[OHMI_N_SCHEDULERS];

// What a predictor knows: means of the slots that are over, the latest last, and the power at the
// end of the last.
typedef struct {
    double mean_w[64]; // (window) a ring
    int window, n, at; // filled, where the next goes
    double last_w;
} ohmi_past;

typedef struct {
    const char *name, *what;
    bool knows; // the power itself, at every moment
    double (*predict_w)(const ohmi_past *past);
} ohmi_predictor;

enum { OHMI_N_PREDICTORS = 3 };
extern const ohmi_predictor ohmi_predictors[OHMI_N_PREDICTORS];

// The row of a name; -1 when there is none.
int ohmi_scheduler_find(const char *name);
int ohmi_predictor_find(const char *name);

#endif
