// SPDX-License-Identifier: Apache-2.0
// ONNX out and in again: a network that is exported and imported answers with the same bits, and as
// PyTorch did (golden files: tools/make_import_golden.py); the file's operations; no memory; no
// room.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "file/onnx.h"
#include "imported.h"

static const struct {
    const char *model, *file;
    int side;
    ohm_input input;
    const char *answers;
} golden[] = {
    {"vgg16_bn", "import-vgg16_bn.safetensors", 32, OHM_INPUT_DATA, "vgg16_bn"},
    {"resnet18", "import-resnet18.safetensors", 32, OHM_INPUT_DATA, "resnet18"},
    {"resnet50", "import-resnet50.safetensors", 72, OHM_INPUT_DATA, "resnet50"},
    {"resnet50_v1", "import-keras/model.json", 72, OHM_INPUT_CAFFE, "resnet50_v1"},
};

static void import(const char *file, const char *run, int i, ohm_input input) {
    ohm_error err = {0};
    ohm_import_result result;
    const ohm_import_def def = {.run_folder = scratch_path(run),
                                .model = golden[i].model,
                                .image_size = golden[i].side,
                                .input = input,
                                .force = 1};
    if (ohm_import(&result, file, &def, &err) < 0) {
        fail_msg("%s: %s", file, err.message);
    }
    assert_int_equal(result.image_size, golden[i].side);
}

static void export(const char *run, const char *file, ohm_export_format format) {
    ohm_error err = {0};
    const ohm_export_def def = {.task = 0, .format = format};
    char path[600];
    snprintf(path, sizeof path, "%s", scratch_path(file));
    if (ohm_export(path, scratch_path(run), &def, &err) < 0) {
        fail_msg("%s: %s", run, err.message);
    }
}

// the bytes of a file of the scratch folder
static size_t read_scratch(const char *name, char **bytes) {
    FILE *file = fopen(scratch_path(name), "rb");
    assert_non_null(file);
    *bytes = malloc(1 << 20);
    const size_t n = fread(*bytes, 1, 1 << 20, file);
    fclose(file);
    return n;
}

static void assert_same_bytes(const char *a, const char *b) {
    char *first, *second;
    const size_t n = read_scratch(a, &first), m = read_scratch(b, &second);
    assert_true(n > 1000);
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n);
    free(first);
    free(second);
}

static void test_out_and_in(void **state) {
    (void)state;
    for (int i = 0; i < (int)(sizeof golden / sizeof *golden); i++) {
        opened_run run;
        import(golden_file(golden[i].file), "first", i, golden[i].input);
        export("first", "first.onnx", OHM_EXPORT_ONNX);
        import(scratch_path("first.onnx"), "second", i, OHM_INPUT_DATA);

        // the same weights, so the same bits; and PyTorch's answers
        export("first", "first.safetensors", OHM_EXPORT_SAFETENSORS);
        export("second", "second.safetensors", OHM_EXPORT_SAFETENSORS);
        export("second", "second.onnx", OHM_EXPORT_ONNX);
        assert_same_bytes("first.safetensors", "second.safetensors");
        assert_same_bytes("first.onnx", "second.onnx");
        run_open(&run, "second");
        const double worst = run_difference(&run, golden[i].answers);
        print_message("%s through ONNX: logits within %.3g of PyTorch's\n", golden[i].model, worst);
        assert_true(worst < 1e-4);
        run_close(&run);
    }
}

// What the graph says, read back.
static void test_graph(void **state) {
    (void)state;
    ohm_error err = {0};
    ohmi_graph graph;
    int n_of[OHMI_OP_SOFTMAX + 1] = {0};
    import(golden_file(golden[2].file), "run", 2, OHM_INPUT_DATA);
    export("run", "run.onnx", OHM_EXPORT_ONNX);
    assert_int_equal(ohmi_onnx_load(&graph, scratch_path("run.onnx"), &err), OHM_OK);
    for (int i = 0; i < graph.n_ops; i++) {
        n_of[graph.op[i].kind]++;
    }
    assert_int_equal(n_of[OHMI_OP_CONV], 53);
    assert_int_equal(n_of[OHMI_OP_NORM], 53);
    assert_int_equal(n_of[OHMI_OP_ADD], 16);
    assert_int_equal(n_of[OHMI_OP_RELU], 49);
    assert_int_equal(n_of[OHMI_OP_MAXPOOL], 1);
    assert_int_equal(n_of[OHMI_OP_AVGPOOL], 1);
    assert_int_equal(n_of[OHMI_OP_LINEAR], 1);
    assert_int_equal(graph.channels, 3);
    assert_int_equal(graph.height, 72);
    assert_int_equal(graph.width, 72);
    assert_string_equal(graph.op[1].weight.name, "conv1.weight");
    assert_int_equal(graph.op[1].stride, 2);
    assert_int_equal(graph.op[1].pad, 3);
    assert_string_equal(graph.op[graph.output].weight.name, "fc.weight");
    ohmi_graph_free(&graph);
}

static void test_refusals(void **state) {
    (void)state;
    ohm_error err = {0};
    import(golden_file(golden[1].file), "run", 1, OHM_INPUT_DATA);
    const ohm_export_def def = {.task = 0, .format = OHM_EXPORT_ONNX};
    assert_int_equal(ohm_export("/proc/no/run.onnx", scratch_path("run"), &def, &err), OHM_ERR_IO);
    assert_true(err.message[0] != '\0');

    // whatever allocation fails: an error, nothing leaked, nothing written
    const int64_t live = ohmi_live_blocks();
    int64_t n_failed = 0;
    for (int64_t k = 0;; k += k < 40 ? 1 : 17) {
        char path[600], run[600];
        snprintf(path, sizeof path, "%s", scratch_path("none.onnx"));
        snprintf(run, sizeof run, "%s", scratch_path("run"));
        ohmi_fail_allocation(k);
        const ohm_status status = ohm_export(path, run, &def, &err);
        ohmi_fail_allocation(-1);
        assert_int_equal(ohmi_live_blocks(), live);
        if (status == OHM_OK) {
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
        assert_false(scratch_has("none.onnx"));
        n_failed++;
    }
    assert_true(n_failed > 20);
    assert_true(scratch_has("none.onnx"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_and_in),
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
