// SPDX-License-Identifier: Apache-2.0
// The rows of the named methods; see methods.h.
//
//   xst          XST: crossbar columns chosen by drop-and-grow among the free ones, earlier columns
//                switched on or off by a learned mask (Zhang et al., DATE 2022)
//   xst-element  the same with single weights as the unit (XST's own ablation)
//   dense        the yardstick: each task from scratch, all weights its own; what a network a task
//                reaches, at the price of a network a task
#include "config/methods.h"

#include <stddef.h>
#include <string.h>

const char *const ohmi_method_keys[OHMI_METHOD_PARTS] = {
    "method.start", "method.unit", "method.levels", "method.estimator", "method.growth"};

const char *const ohmi_method_names[] = {"xst", "xst-element", "dense", NULL};

static const ohmi_method rows[] = {
    {"xst", {"scratch", "column", "[0, 1]", "gumbel", "drop_and_grow"}},
    {"xst-element", {"scratch", "element", "[0, 1]", "gumbel", "drop_and_grow"}},
    {"dense", {"scratch", "column", "[0, 1]", "none", "dense"}},
};

const ohmi_method *ohmi_method_find(const char *name) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}
