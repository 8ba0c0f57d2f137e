// SPDX-License-Identifier: Apache-2.0
// ONNX graphs that torch.onnx exported, with batch norm as it is and folded into convolutions; and
// the same files cut and changed. Golden files: tools/make_import_golden.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "imported.h"

static char bytes[1 << 18]; // a golden file
static size_t n_bytes;

static void read_golden(const char *name) {
    FILE *file = fopen(golden_file(name), "rb");
    assert_non_null(file);
    n_bytes = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
}

static ohm_status import(const char *file, const char *model, const char *run, ohm_error *err) {
    ohm_import_result result;
    const char *const folder = scratch_path(run);
    const ohm_import_def def = {.run_folder = folder, .model = model, .input = OHM_INPUT_DATA};
    return ohm_import(&result, file, &def, err);
}

static void answers_as_pytorch(void **state) {
    (void)state;
    static const char *const models[] = {"resnet18", "resnet50"};
    for (int i = 0; i < 2; i++) {
        char file[64];
        ohm_error err = {0};
        opened_run run;
        snprintf(file, sizeof file, "import-%s.onnx", models[i]);
        if (import(golden_file(file), models[i], models[i], &err) != OHM_OK) {
            fail_msg("%s: %s", file, err.message);
        }
        run_open(&run, models[i]);
        const double worst = run_difference(&run, models[i]);
        print_message("%s: logits within %.3g of PyTorch's\n", file, worst);
        assert_true(worst < 1e-4);
        run_close(&run);
    }
}

// the golden file with the n-th `from` made `to`, of the same length
static const char *changed(const char *from, const char *to, int n) {
    static char other[sizeof bytes];
    memcpy(other, bytes, n_bytes);
    const size_t length = strlen(from);
    assert_int_equal(length, strlen(to));
    for (size_t i = 0; i + length <= n_bytes; i++) {
        if (memcmp(other + i, from, length) == 0 && n-- == 0) {
            memcpy(other + i, to, length);
            scratch_write("changed.onnx", other, n_bytes);
            return scratch_path("changed.onnx");
        }
    }
    fail_msg("there is no '%s'", from);
    return NULL;
}

static void refuses_by_name(void **state) {
    (void)state;
    static const struct {
        const char *from, *to;
        int n;
        ohm_status status;
        const char *message, *hint;
    } of[] = {
        {"Relu", "Tanh", 2, OHM_ERR_UNSUPPORTED, "that kind is not read", "'Tanh'"},
        {"strides", "stridez", 5, OHM_ERR_FORMAT, "does not fit", "--model"},
        {"group", "grout", 0, OHM_OK, "", ""},
        {"dilations", "kilations", 0, OHM_OK, "", ""},
        {"kernel_shape", "kernel_shapf", 0, OHM_OK, "", ""},
        {"fc.weight", "fc.weighs", 0, OHM_ERR_UNSUPPORTED, "no tensor of the file", "'Gemm'"},
    };
    read_golden("import-resnet18.onnx");
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        ohm_error err = {0};
        const char *path = changed(of[i].from, of[i].to, of[i].n);
        const ohm_status status = import(path, "resnet18", "changed", &err);
        if (status != of[i].status || !strstr(err.message, of[i].message) ||
            !strstr(err.hint, of[i].hint)) {
            fail_msg("%s -> %s: %d '%s' (%s)", of[i].from, of[i].to, status, err.message, err.hint);
        }
        assert_int_equal(scratch_has("changed"), status == OHM_OK);
        scratch_remove(scratch_path("changed"));
    }
    ohm_error err = {0};
    assert_int_equal(import(golden_file("import-resnet18.onnx"), "resnet20", "changed", &err),
                     OHM_ERR_FORMAT);
    assert_int_equal(import(golden_file("import-resnet50.onnx"), "resnet50_v1", "changed", &err),
                     OHM_ERR_FORMAT);
    assert_false(scratch_has("changed"));
}

static void refuses_cuts_and_survives_flips(void **state) {
    (void)state;
    read_golden("import-resnet50.onnx");
    for (size_t cut = 1; cut < n_bytes; cut += n_bytes / 60) {
        ohm_error err = {0};
        scratch_write("cut.onnx", bytes, cut);
        assert_int_not_equal(import(scratch_path("cut.onnx"), "resnet50", "cut", &err), OHM_OK);
        assert_false(scratch_has("cut"));
    }

    // one byte of the nodes, which come first, made another: refused, or a network like any other
    int n_refused = 0;
    for (uint32_t i = 0; i < 200; i++) {
        const ohmi_rng rng = {.seed = 5, .purpose = OHMI_RNG_TEST};
        uint32_t draw[4];
        ohm_error err = {0};
        ohmi_rng_bits(draw, &rng, i);
        const size_t at = draw[0] % 24000;
        const char was = bytes[at];
        bytes[at] = (char)(was ^ (char)(1 << (draw[1] % 8)));
        scratch_write("flipped.onnx", bytes, n_bytes);
        bytes[at] = was;
        const int64_t before = ohmi_live_blocks();
        const ohm_status status = import(scratch_path("flipped.onnx"), "resnet50", "flipped", &err);
        assert_int_equal(ohmi_live_blocks(), before);
        assert_int_equal(scratch_has("flipped"), status == OHM_OK);
        n_refused += status != OHM_OK;
        scratch_remove(scratch_path("flipped"));
    }
    assert_true(n_refused > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_pytorch),
        cmocka_unit_test(refuses_by_name),
        cmocka_unit_test(refuses_cuts_and_survives_flips),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
