// SPDX-License-Identifier: Apache-2.0
// The errors that chips make in the sums of each layer: what noise injection adaption trains with
// (learn/adapt.h). Of each product of a chip, for the inputs that it got,
//
//     e = y' - y      y': the chip's sums, y: the integer network's
//     mean = average e / r      deviation = sqrt(average e^2 - (average e)^2) / r
//     r = sqrt(average y^2)
//
// over all images, tasks, reads and chips of a simulation.
#ifndef OHMI_ERRORS_H
#define OHMI_ERRORS_H

#include "learn/learner.h"

typedef struct ohmi_errors ohmi_errors;

// The learner's network must outlive it.
OHM_NODISCARD ohm_status ohmi_errors_new(ohmi_errors **out, ohmi_learner *learner, ohm_error *err);
void ohmi_errors_free(ohmi_errors **errors);

// Keeps what a task's weights are meant to be; before the chip is switched to it.
void ohmi_errors_meant(ohmi_errors *errors, int t);
// Watches the products that the network has now, and gives them back.
void ohmi_errors_watch(ohmi_errors *errors);
void ohmi_errors_leave(ohmi_errors *errors);

// Writes the file: schema, and layers with name, mean, deviation, the classifier last. Nothing
// watched is OHM_ERR_ARGUMENT.
OHM_NODISCARD ohm_status ohmi_errors_save(const ohmi_errors *errors, const char *path,
                                          ohm_error *err);

#endif
