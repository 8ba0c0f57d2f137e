// SPDX-License-Identifier: Apache-2.0
// Names of layers as PyTorch's models have them; see names.h.
#include "network/names.h"

#include <stdio.h>
#include <string.h>

enum { MOST_CONVS = 13, MOST_STAGES = 4 };

// a plain stack: places in `features` and `classifier`
typedef struct {
    const char *model;
    int n_convs, conv[MOST_CONVS];
    int n_linear, linear[2];
    bool linear_has_norm;
    const char *head;
} stack_names;

static const stack_names stacks[] = {
    {"vgg16_bn",
     13,
     {0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40},
     2,
     {0, 3},
     false,
     "classifier.6"},
    {"vgg8", 6, {0, 3, 7, 10, 14, 17}, 1, {0}, true, "classifier.3"},
    {"lenet", 2, {0, 4}, 2, {0, 3}, true, "classifier.6"},
    {"small", 3, {0, 4, 8}, 1, {0}, true, "classifier.3"},
};

// residual blocks by stage
typedef struct {
    const char *model;
    int n_stages, blocks[MOST_STAGES];
    int convs; // of a block, without its shortcut
} residual_names;

static const residual_names residuals[] = {
    {"resnet18", 4, {2, 2, 2, 2}, 2},
    {"resnet20", 3, {3, 3, 3}, 2},
    {"resnet50", 4, {3, 4, 6, 3}, 3},
    {"resnet50_v1", 4, {3, 4, 6, 3}, 3},
};

static const stack_names *find_stack(const char *model) {
    for (size_t i = 0; i < sizeof stacks / sizeof *stacks; i++) {
        if (strcmp(stacks[i].model, model) == 0) {
            return &stacks[i];
        }
    }
    return NULL;
}

static const residual_names *find_residual(const char *model) {
    for (size_t i = 0; i < sizeof residuals / sizeof *residuals; i++) {
        if (strcmp(residuals[i].model, model) == 0) {
            return &residuals[i];
        }
    }
    return NULL;
}

// whether a block's shortcut is a convolution: where the shape changes
static bool has_shortcut(const residual_names *of, int stage, int block) {
    return block == 0 && (stage > 0 || of->convs == 3);
}

static void name_stack(ohmi_names *names, const stack_names *of, int i) {
    if (i < of->n_convs) {
        (void)snprintf(names->layer, OHMI_NAME, "features.%d", of->conv[i]);
        (void)snprintf(names->norm, OHMI_NAME, "features.%d", of->conv[i] + 1);
        return;
    }
    const int at = of->linear[i - of->n_convs];
    (void)snprintf(names->layer, OHMI_NAME, "classifier.%d", at);
    if (of->linear_has_norm) {
        (void)snprintf(names->norm, OHMI_NAME, "classifier.%d", at + 1);
    }
}

// walks the blocks until layer i is met; returns the number of layers when it is not
static int name_residual(ohmi_names *names, const residual_names *of, int i) {
    int at = 0;
    if (i == at++) {
        (void)snprintf(names->layer, OHMI_NAME, "conv1");
        (void)snprintf(names->norm, OHMI_NAME, "bn1");
    }
    for (int stage = 0; stage < of->n_stages; stage++) {
        for (int block = 0; block < of->blocks[stage]; block++) {
            if (has_shortcut(of, stage, block) && i == at++) {
                (void)snprintf(names->layer, OHMI_NAME, "layer%d.%d.downsample.0", stage + 1,
                               block);
                (void)snprintf(names->norm, OHMI_NAME, "layer%d.%d.downsample.1", stage + 1, block);
            }
            for (int conv = 1; conv <= of->convs; conv++) {
                if (i == at++) {
                    (void)snprintf(names->layer, OHMI_NAME, "layer%d.%d.conv%d", stage + 1, block,
                                   conv);
                    (void)snprintf(names->norm, OHMI_NAME, "layer%d.%d.bn%d", stage + 1, block,
                                   conv);
                }
            }
        }
    }
    return at;
}

int ohmi_names_count(const char *model) {
    const stack_names *stack = find_stack(model);
    const residual_names *residual = find_residual(model);
    ohmi_names unused = {0};
    return stack      ? stack->n_convs + stack->n_linear
           : residual ? name_residual(&unused, residual, -1)
                      : 0;
}

void ohmi_names_of(ohmi_names *names, const char *model, int i) {
    const stack_names *stack = find_stack(model);
    const residual_names *residual = find_residual(model);
    *names = (ohmi_names){.layer = "", .norm = ""};
    if (stack && i < stack->n_convs + stack->n_linear) {
        name_stack(names, stack, i);
    } else if (residual) {
        (void)name_residual(names, residual, i);
    }
}

const char *ohmi_names_head(const char *model) {
    const stack_names *stack = find_stack(model);
    return stack ? stack->head : "fc";
}

bool ohmi_names_have_bias(const char *model) {
    return strcmp(model, "vgg16_bn") == 0;
}
