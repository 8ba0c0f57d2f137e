// SPDX-License-Identifier: Apache-2.0
// The errors that chips make in the sums of each layer: what noise injection adaption trains with
// (learn/adapt.h). Of each product of a chip, for the inputs x that it got,
//
//     e[k] = y'[k] - y[k]       y': the chip's sums, y: the integer network's
//     mean = average e / r      deviation = sqrt(average e^2 - (average e)^2) / r
//     r = sqrt(average y^2)
//
// over all images, reads and chips of a simulation, of each task and of all tasks together: how
// much a mask leaves on is what wires feel. As errors of weights: with s[k] the sum
// of the inputs of the weights that are on, q[k] that of their squares, q2[k] the same where k and
// k + 1 are on in the same row and array,
//
//     e = gain y + shift s + rest               gain, shift: least squares over all sums
//     own^2 + common^2 = sum rest^2 / sum q
//     common^2 = max(0, sum rest[k] rest[k + 1] / sum q2)
//
// If the chip's weights were (1 + gain) w + shift + own z + common z' (independent z of each
// weight, z' of the row of an array), these would be their moments. Squares and products of levels
// stand in q where masks have more than on and off.
#ifndef OHMI_ERRORS_H
#define OHMI_ERRORS_H

#include "layout/place.h"
#include "learn/learner.h"

typedef struct ohmi_errors ohmi_errors;

// The learner's network must outlive it, place is not kept.
OHM_NODISCARD ohm_status ohmi_errors_new(ohmi_errors **out, ohmi_learner *learner,
                                         const ohmi_placed *place, ohm_error *err);
void ohmi_errors_free(ohmi_errors **errors);

// Keeps what a task's weights are meant to be; before the chip is switched to it.
void ohmi_errors_meant(ohmi_errors *errors, int t);
// Watches the products that the network has now, and gives them back.
void ohmi_errors_watch(ohmi_errors *errors);
void ohmi_errors_leave(ohmi_errors *errors);

// What was watched since the last call, ohmi_errors_size numbers, to be added to the statistics
// here or on another rank: the file is made of what was added.
size_t ohmi_errors_size(const ohmi_errors *errors);
void ohmi_errors_take(ohmi_errors *errors, double *numbers);
void ohmi_errors_add(ohmi_errors *errors, const double *numbers);

// Writes the file: schema, and layers with name and what is above, the classifier last, of all
// tasks together; tasks, the same of each that was added. Nothing added is OHM_ERR_ARGUMENT.
OHM_NODISCARD ohm_status ohmi_errors_save(const ohmi_errors *errors, const char *path,
                                          ohm_error *err);

#endif
