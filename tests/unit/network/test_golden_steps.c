// SPDX-License-Identifier: Apache-2.0
// One whole training step of the library's models against PyTorch's, on every kernel row with
// float32 inputs. Those with bfloat16 inputs are not held to it: through batch norms of 6 values
// rounding noise grows to the size of the gradients (measured); tests/unit/kernel has them.
//
// Tolerance, of the largest number of a tensor: the files' gradients are within 3e-6 of those in
// double, and ours sum in another order.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/network/golden_step.h"

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

static void vgg8(void **state) {
    (void)state;
    step_of("vgg8");
}

static void vgg16_bn(void **state) {
    (void)state;
    step_of("vgg16_bn");
}

static void resnet20(void **state) {
    (void)state;
    step_of("resnet20");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vgg8),
        cmocka_unit_test(vgg16_bn),
        cmocka_unit_test(resnet20),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
