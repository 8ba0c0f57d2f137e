// SPDX-License-Identifier: Apache-2.0
// The rows of the named methods, and of the kinds of growth; see methods.h. Equations, settings and
// their sources: docs/methods.md.
#include "config/methods.h"

#include <stddef.h>
#include <string.h>

const char *const ohmi_method_keys[OHMI_METHOD_PARTS] = {
    "method.start", "method.unit", "method.levels", "method.estimator", "method.growth"};

const char *const ohmi_method_names[] = {"xst",       "xst-element", "dense", "finetune",
                                         "piggyback", "packnet",     "cpg",   "xbm",
                                         "xma",       "xma2",        NULL};

#define SHIFTS "[0, 0.5, 1, 2]"

// name, {start, unit, levels, estimator, growth}, meaning, source, what is reconstructed
static const ohmi_method rows[] = {
    {"xst",
     {"scratch", "column", "[0, 1]", "gumbel", "drop_and_grow"},
     "columns chosen by drop-and-grow among the free ones, earlier columns on or off by a learned "
     "mask",
     "Zhang et al., DATE 2022",
     NULL},
    {"xst-element",
     {"scratch", "element", "[0, 1]", "gumbel", "drop_and_grow"},
     "the same with single weights as the unit",
     "Zhang et al., DATE 2022",
     NULL},
    {"dense",
     {"scratch", "column", "[0, 1]", "none", "dense"},
     "the yardstick: each task from scratch, all weights its own",
     "own choice",
     NULL},
    {"finetune",
     {"backbone", "column", "[0, 1]", "none", "all"},
     "an own copy of all of the backbone's weights, trained on",
     "the usual practice",
     NULL},
    {"piggyback",
     {"backbone", "element", "[0, 1]", "threshold", "none"},
     "a mask over the backbone's single weights",
     "Mallya et al., ECCV 2018",
     NULL},
    {"packnet",
     {"scratch", "element", "[0, 1]", "none", "prune_once"},
     "all free weights, the smallest given back at once, the rest retrained; earlier weights all "
     "on",
     "Mallya and Lazebnik, CVPR 2018",
     NULL},
    {"cpg",
     {"scratch", "element", "[0, 1]", "threshold", "prune_gradually"},
     "all free weights and a mask over earlier ones, then rounds of pruning, then retraining",
     "Hung et al., NeurIPS 2019",
     NULL},
    {"xbm",
     {"backbone", "column", "[0, 1]", "gumbel", "none"},
     "a mask over the backbone's columns",
     "Zhang et al., ASP-DAC 2022",
     NULL},
    {"xma",
     {"backbone", "column", SHIFTS, "gumbel", "none"},
     "a mask of shifts over the backbone's columns",
     "Zhang et al., DAC 2022",
     "levels and estimator: of the paper only the abstract could be had"},
    {"xma2",
     {"backbone", "column", SHIFTS, "gumbel", "choose"},
     "new weights for the PEs that matter most, a mask of shifts over the columns of the others",
     "Zhang et al., Frontiers in Electronics 3:1032485, 2022",
     "how PEs are chosen and all numbers: of the paper only the abstract could be had"},
};
_Static_assert(sizeof rows / sizeof *rows + 1 ==
                   sizeof ohmi_method_names / sizeof *ohmi_method_names,
               "each method has a name in the list");

static const ohmi_growth_traits traits[OHMI_N_GROWTHS] = {
    [OHMI_GROWTH_NONE] = {.claim = OHMI_CLAIM_NONE},
    [OHMI_GROWTH_DROP_AND_GROW] = {.claim = OHMI_CLAIM_BUDGET},
    [OHMI_GROWTH_DENSE] = {.claim = OHMI_CLAIM_FREE, .is_alone = true},
    [OHMI_GROWTH_ALL] = {.claim = OHMI_CLAIM_NONE, .has_copies = true, .copies_all = true},
    [OHMI_GROWTH_PRUNE_ONCE] = {.claim = OHMI_CLAIM_FREE, .starts_at_zero = true},
    [OHMI_GROWTH_PRUNE_GRADUALLY] = {.claim = OHMI_CLAIM_FREE,
                                     .starts_at_zero = true,
                                     .goes_back = true},
    [OHMI_GROWTH_CHOOSE] = {.claim = OHMI_CLAIM_NONE, .has_copies = true},
};

const ohmi_method *ohmi_method_find(const char *name) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

const ohmi_growth_traits *ohmi_growth_traits_of(ohmi_growth growth) {
    return &traits[growth];
}
