// SPDX-License-Identifier: Apache-2.0
// One whole training step of two small nets against PyTorch's, on every float32 kernel row: a stack
// of convolutions with a linear layer, and residual blocks with and without a 1 x 1 shortcut.
//
// The nets are described here as tools/make_golden.py has them, so this program has its own
// ohmi_model_build in the place of the library's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "network/build.h"
#include "unit/network/golden_step.h"

static int vgg(ohmi_build *b, int at) {
    static const int channels[] = {8, 8, 0, 16, 16, 0, 16, 16, 0};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        at = channels[i]
                 ? ohmi_build_norm(b, ohmi_build_conv(b, at, channels[i], 3, 1, 1), -1, true)
                 : ohmi_build_maxpool(b, at, 2, 2, 0);
    }
    return ohmi_build_bias(b, ohmi_build_linear(b, at, 64));
}

static int resnet(ohmi_build *b, int at) {
    at = ohmi_build_norm(b, ohmi_build_conv(b, at, 8, 3, 1, 1), -1, true);
    int y = ohmi_build_norm(b, ohmi_build_conv(b, at, 8, 3, 1, 1), -1, true);
    at = ohmi_build_norm(b, ohmi_build_conv(b, y, 8, 3, 1, 1), at, true);
    const int shortcut = ohmi_build_norm(b, ohmi_build_conv(b, at, 16, 1, 2, 0), -1, false);
    y = ohmi_build_norm(b, ohmi_build_conv(b, at, 16, 3, 2, 1), -1, true);
    at = ohmi_build_norm(b, ohmi_build_conv(b, y, 16, 3, 1, 1), shortcut, true);
    return ohmi_build_quantise(b, ohmi_build_avgpool(b, at));
}

ohm_status ohmi_model_build(ohmi_build *build, const ohmi_network_def *def, ohm_error *err) {
    (void)err;
    const int at = ohmi_build_input(build, def->channels, def->height, def->width_pixels);
    ohmi_build_head(build, strcmp(def->model, "vgg") == 0 ? vgg(build, at) : resnet(build, at));
    return build->has_overflow ? OHM_ERR_CONFIG : OHM_OK;
}

static void step_of(const char *model) {
    int n_rows = 0;
    const ohmi_kernels *const *rows = ohmi_kernels_all(&n_rows);
    for (int r = 0; r < n_rows; r++) {
        if (rows[r]->is_supported() && strcmp(rows[r]->name, "amx") != 0) {
            golden_step g = {.model = model, .file = model, .kernels = rows[r], .tolerance = 1e-5};
            golden_check(&g);
            print_message("%s on %s: largest difference %.1e in %s\n", model, rows[r]->name,
                          g.worst, g.worst_at);
        }
    }
}

static void convolutions_and_a_linear_layer(void **state) {
    (void)state;
    step_of("vgg");
}

static void residual_blocks(void **state) {
    (void)state;
    step_of("resnet");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_and_a_linear_layer),
        cmocka_unit_test(residual_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
