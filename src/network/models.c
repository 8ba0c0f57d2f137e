// SPDX-License-Identifier: Apache-2.0
// The models, as lists of nodes.
//
//   vgg16_bn  CPG's (Hung et al., NeurIPS 2019): convolutions
//             64 64 M 128 128 M 256 x3 M 512 x3 M 512 x3 M,
//             3 x 3, pad 1, batch norm, ReLU; then linear 512 -> 4096 -> 4096 with bias and ReLU;
//             head. Pools that would see a map smaller than 2 x 2 are left out (28 x 28 images).
//   vgg8      128 128 M 256 256 M 512 512 M, linear 1024 (the network of the NeuroSim studies)
//   resnet20  He et al., CVPR 2016, section 4.2: 16, 3 blocks each of 16 32 64, shortcut by 1 x 1
//   resnet18, resnet50   section 4.1; images up to 64 pixels: a 3 x 3 stem without pooling;
//                        resnet50 halves the map in the 3 x 3 convolution of a block, as
//                        torchvision has it
//   resnet50_v1          the same, halving the map in the first 1 x 1 convolution, as the paper
//                        and Keras have it
//   lenet     LeCun et al., Proc. IEEE 86(11), 1998, LeNet-5's sizes: 6 M 16 M, 5 x 5, linear 120,
//   84,
//             with batch norm and ReLU; images below 32 pixels, and maps below 5, are padded by
//             2
//   small     16 M 32 M 32 M, linear 64: for tests and demonstrations
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "network/build.h"

// channels of a plain stack; 0 = max pool
static int stack(ohmi_build *build, int at, const int *channels, int n) {
    for (int i = 0; i < n; i++) {
        if (channels[i] == 0) {
            at = ohmi_build_maxpool(build, at, 2, 2, 0);
        } else {
            at = ohmi_build_conv(build, at, channels[i], 3, 1, 1);
            at = ohmi_build_norm(build, at, -1, true);
        }
    }
    return at;
}

static int vgg16_bn(ohmi_build *build, int at) {
    static const int channels[] = {64, 64,  0,   128, 128, 0,   256, 256, 256,
                                   0,  512, 512, 512, 0,   512, 512, 512, 0};
    at = stack(build, at, channels, (int)(sizeof channels / sizeof *channels));
    at = ohmi_build_bias(build, ohmi_build_linear(build, at, 4096));
    return ohmi_build_bias(build, ohmi_build_linear(build, at, 4096));
}

static int vgg8(ohmi_build *build, int at) {
    static const int channels[] = {128, 128, 0, 256, 256, 0, 512, 512, 0};
    at = stack(build, at, channels, (int)(sizeof channels / sizeof *channels));
    return ohmi_build_norm(build, ohmi_build_linear(build, at, 1024), -1, true);
}

static int lenet(ohmi_build *build, int at) {
    static const int channels[] = {6, 16}, outputs[] = {120, 84};
    for (int i = 0; i < 2; i++) {
        const int pad = build->nodes[at].h < (i == 0 ? 32 : 5) ? 2 : 0;
        at = ohmi_build_conv(build, at, channels[i], 5, 1, pad);
        at = ohmi_build_maxpool(build, ohmi_build_norm(build, at, -1, true), 2, 2, 0);
    }
    for (int i = 0; i < 2; i++) {
        at = ohmi_build_norm(build, ohmi_build_linear(build, at, outputs[i]), -1, true);
    }
    return at;
}

static int small(ohmi_build *build, int at) {
    static const int channels[] = {16, 0, 32, 0, 32, 0};
    at = stack(build, at, channels, (int)(sizeof channels / sizeof *channels));
    return ohmi_build_norm(build, ohmi_build_linear(build, at, 64), -1, true);
}

// two 3 x 3 convolutions; the shortcut is a 1 x 1 convolution where the shape changes
static int basic_block(ohmi_build *build, int at, int channels, int stride, bool same_width) {
    int shortcut = at;
    if (stride != 1 || !same_width) {
        shortcut =
            ohmi_build_norm(build, ohmi_build_conv(build, at, channels, 1, stride, 0), -1, false);
    }
    int y = ohmi_build_norm(build, ohmi_build_conv(build, at, channels, 3, stride, 1), -1, true);
    y = ohmi_build_conv(build, y, channels, 3, 1, 1);
    return ohmi_build_norm(build, y, shortcut, true);
}

typedef enum { BASIC, BOTTLENECK, BOTTLENECK_V1 } block_kind;

// 1 x 1 down, 3 x 3, 1 x 1 up to 4 times the channels; the stride is in the 3 x 3, or first
static int bottleneck(ohmi_build *build, int at, int channels, int stride, bool same_width,
                      bool strides_first) {
    const int first = strides_first ? stride : 1, second = strides_first ? 1 : stride;
    int shortcut = at;
    if (stride != 1 || !same_width) {
        shortcut = ohmi_build_norm(build, ohmi_build_conv(build, at, 4 * channels, 1, stride, 0),
                                   -1, false);
    }
    int y = ohmi_build_norm(build, ohmi_build_conv(build, at, channels, 1, first, 0), -1, true);
    y = ohmi_build_norm(build, ohmi_build_conv(build, y, channels, 3, second, 1), -1, true);
    y = ohmi_build_conv(build, y, 4 * channels, 1, 1, 0);
    return ohmi_build_norm(build, y, shortcut, true);
}

static int residual(ohmi_build *build, int at, int stem, int first, const int *blocks, int n_stages,
                    block_kind kind) {
    // stem
    if (build->nodes[at].h > 64) {
        at = ohmi_build_norm(build, ohmi_build_conv(build, at, stem, 7, 2, 3), -1, true);
        at = ohmi_build_maxpool(build, at, 3, 2, 1);
    } else {
        at = ohmi_build_norm(build, ohmi_build_conv(build, at, stem, 3, 1, 1), -1, true);
    }

    // stages, each with twice the channels on half the map
    for (int stage = 0; stage < n_stages; stage++) {
        const int channels = first << stage;
        for (int block = 0; block < blocks[stage]; block++) {
            const int stride = stage > 0 && block == 0 ? 2 : 1;
            const bool same = block > 0 || (stage == 0 && kind == BASIC);
            at = kind == BASIC
                     ? basic_block(build, at, channels, stride, same)
                     : bottleneck(build, at, channels, stride, same, kind == BOTTLENECK_V1);
        }
    }
    return ohmi_build_quantise(build, ohmi_build_avgpool(build, at));
}

static int resnet18(ohmi_build *build, int at) {
    static const int blocks[] = {2, 2, 2, 2};
    return residual(build, at, 64, 64, blocks, 4, BASIC);
}

static int resnet20(ohmi_build *build, int at) {
    static const int blocks[] = {3, 3, 3};
    return residual(build, at, 16, 16, blocks, 3, BASIC);
}

static int resnet50(ohmi_build *build, int at) {
    static const int blocks[] = {3, 4, 6, 3};
    return residual(build, at, 64, 64, blocks, 4, BOTTLENECK);
}

static int resnet50_v1(ohmi_build *build, int at) {
    static const int blocks[] = {3, 4, 6, 3};
    return residual(build, at, 64, 64, blocks, 4, BOTTLENECK_V1);
}

static const struct {
    const char *name;
    int (*body)(ohmi_build *build, int at);
} models[] = {{"vgg16_bn", vgg16_bn}, {"vgg8", vgg8},         {"resnet18", resnet18},
              {"resnet20", resnet20}, {"resnet50", resnet50}, {"resnet50_v1", resnet50_v1},
              {"lenet", lenet},       {"small", small}};

enum { N_MODELS = sizeof models / sizeof *models };

const char *const *ohmi_network_models(void) {
    static const char *const names[] = {"vgg16_bn",    "vgg8",  "resnet18", "resnet20", "resnet50",
                                        "resnet50_v1", "lenet", "small",    NULL};
    return names;
}

ohm_status ohmi_model_build(ohmi_build *build, const ohmi_network_def *def, ohm_error *err) {
    int nearest = 0, nearest_distance = 1000;
    for (int i = 0; i < N_MODELS; i++) {
        if (strcmp(models[i].name, def->model) == 0) {
            const int at = ohmi_build_input(build, def->channels, def->height, def->width_pixels);
            ohmi_build_head(build, models[i].body(build, at));
            if (build->has_overflow) {
                ohm_status status =
                    ohmi_fail(err, OHM_ERR_CONFIG, "'%s' does not fit images of %d x %d pixels",
                              def->model, def->height, def->width_pixels);
                ohmi_hint(err, "use a smaller model or larger images");
                return status;
            }
            return OHM_OK;
        }
        const int distance = ohmi_edit_distance(models[i].name, def->model);
        if (distance < nearest_distance) {
            nearest = i;
            nearest_distance = distance;
        }
    }
    ohm_status status =
        ohmi_fail(err, OHM_ERR_CONFIG, "'network.model' is '%s', which is unknown", def->model);
    ohmi_hint(err,
              "did you mean '%s'? known are vgg16_bn, vgg8, resnet18, resnet20, resnet50, "
              "resnet50_v1, lenet, small",
              models[nearest].name);
    return status;
}
