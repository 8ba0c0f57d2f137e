// SPDX-License-Identifier: Apache-2.0
// A learned run's masks as levels of power: the same task with fewer of its columns on.
//
// Level v keeps, in each layer but the classifier, the part harvest.levels[v] of the columns that
// the task has on (rounded up), those with the largest
//
//     score = level of the mask x sum over the column of |weight code|
//
// so each level's columns are among those of the level before. What is left takes less power and
// less time, by the same prices (machine.h). All columns are the run as it was learned. Each other
// level has batch norm's means and variances taken anew, over some of the task's training batches;
// scales, clips and the classifier stay as they were learned. The accuracy of each level is
// measured with the integer network on the task's test images.
//
// When an image is begun, the first level is taken whose time for an image, if the foreseen power
// stays as it is, is at most harvest.level_time:
//
//     T_v(p) = sum over layers of the fastest mode's time with power p,    from_w = min{p: T_v(p)
//     <= limit}
#ifndef OHMI_LEVELS_OF_RUN_H
#define OHMI_LEVELS_OF_RUN_H

#include "harvest/node.h"

enum { OHMI_LEVEL_BATCHES = 16 }; // that statistics are taken over; own choice

typedef struct {
    double part;     // of the columns that the task has on
    double accuracy; // on its test images, integer network
    int64_t n_images;
    int64_t columns_on; // without the classifier's
    ohmi_machine *machine;
    ohmi_layer_modes *modes; // (machine->n_layers)
} ohmi_level;

typedef struct {
    int n;
    ohmi_level level[OHMI_MOST_LEVELS];
    ohmi_layer_modes *any; // (n_layers) hulls over all levels, for the bound; nothing else in them
} ohmi_level_set;

// Reads a run, leaves out columns, prices and measures. config: sections harvest and what
// ohmi_machine_new takes. OHM_ERR_UNSUPPORTED where the run's masks are not of columns. Free with
// ohmi_level_set_free.
OHM_NODISCARD ohm_status ohmi_level_set_new(ohmi_level_set **out, const char *folder,
                                            const ohmi_config *config, const ohm_hardware *hardware,
                                            const char *data_folder, const char *backend,
                                            ohm_error *err);
void ohmi_level_set_free(ohmi_level_set **set);

// from_w of all levels, (set->n), for images that are to be through in limit_s: infinity asks for
// no more than that every layer works.
OHM_NODISCARD ohm_status ohmi_level_powers(double *from_w, const ohmi_level_set *set,
                                           double limit_s, ohm_error *err);
// Time of an image with a power, s; infinite where a layer does not work with it.
double ohmi_image_s(const ohmi_machine *machine, const ohmi_layer_modes *modes, double power_w);

#endif
