// SPDX-License-Identifier: Apache-2.0
// A Keras layers model as TensorFlow.js keeps it: filters turned round, biases and another epsilon
// folded into batch norm, channels blue first; and model.json changed in hostile ways. Golden
// files: tools/make_import_golden.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "imported.h"

static char text[1 << 18]; // model.json as it is
static size_t text_size;

static int begin(void **state) {
    FILE *file = fopen(golden_file("import-keras/model.json"), "rb");
    text_size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) {
        fclose(file);
    }
    return text_size == 0 || scratch_begin(state);
}

static ohm_status import(const char *file, const char *model, const char *run, ohm_error *err) {
    ohm_import_result result;
    const char *const folder = scratch_path(run);
    const ohm_import_def def = {.run_folder = folder, .model = model, .input = OHM_INPUT_CAFFE};
    return ohm_import(&result, file, &def, err);
}

static void answers_as_the_network_it_was_made_of(void **state) {
    (void)state;
    ohm_error err = {0};
    ohm_import_result result;
    opened_run run;
    const ohm_import_def def = {.run_folder = scratch_path("run"), .model = "resnet50_v1"};
    if (ohm_import(&result, golden_file("import-keras/model.json"), &def, &err) != OHM_OK) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(result.format, "tfjs");
    assert_int_equal(result.n_classes, 7);
    assert_int_equal(result.image_size, 72);
    run_open(&run, "run");
    const double worst = run_difference(&run, "resnet50_v1");
    print_message("resnet50_v1: logits within %.3g of PyTorch's\n", worst);
    assert_true(worst < 1e-4);

    // Keras' colours: mean of red, green, blue in parts of 255
    assert_int_equal(run.values.data.mean.n, 3);
    assert_true(fabs(run.values.data.mean.v[0] - 123.68 / 255) < 1e-12);
    assert_true(fabs(run.values.data.deviation.v[2] - 1 / 255.0) < 1e-12);
    run_close(&run);
}

// the model with the n-th `from` of its text made `to`, with or without its weights beside it
static const char *changed(const char *from, const char *to, int n, bool with_weights) {
    const char *at = text;
    for (int i = 0;; i++) {
        at = strstr(at, from);
        assert_non_null(at);
        if (i == n) {
            break;
        }
        at++;
    }
    const size_t before = (size_t)(at - text), after = before + strlen(from);
    char *other = malloc(text_size + strlen(to));
    memcpy(other, text, before);
    memcpy(other + before, to, strlen(to));
    memcpy(other + before + strlen(to), text + after, text_size - after);
    scratch_write("model.json", other, text_size - strlen(from) + strlen(to));
    free(other);
    for (int i = 1; i <= 2; i++) {
        char name[64];
        static char bytes[1 << 17];
        snprintf(name, sizeof name, "import-keras/group1-shard%dof2.bin", i);
        FILE *file = fopen(golden_file(name), "rb");
        const size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        snprintf(name, sizeof name, "group1-shard%dof2.bin", i);
        if (with_weights) {
            scratch_write(name, bytes, size);
        } else {
            remove(scratch_path(name));
        }
    }
    return scratch_path("model.json");
}

static void refuses_by_name(void **state) {
    (void)state;
    static const struct {
        const char *from, *to;
        int n;
        ohm_status status;
        const char *message;
    } of[] = {
        {"\"Conv2D\"", "\"Conv3D\"", 1, OHM_ERR_UNSUPPORTED, "'block10_1'"},
        {"\"activation\":\"relu\"", "\"activation\":\"tanh\"", 2, OHM_ERR_UNSUPPORTED,
         "activation"},
        {"\"activation\":\"relu\"", "\"activation\":\"linear\"", 2, OHM_ERR_FORMAT,
         "nothing for 'norm"},
        {"\"kernel_size\":[3,3]", "\"kernel_size\":[3,1]", 0, OHM_ERR_UNSUPPORTED, "no square"},
        {"\"strides\":[2,2]", "\"strides\":[1,1]", 0, OHM_ERR_FORMAT, "'conv1'"},
        {"\"strides\":[2,2]", "\"strides\":[0,0]", 0, OHM_ERR_UNSUPPORTED, "'conv1'"},
        {"\"dilation_rate\":[1,1]", "\"dilation_rate\":[2,2]", 3, OHM_ERR_UNSUPPORTED, "dilated"},
        {"\"padding\":[[3,3],[3,3]]", "\"padding\":[[3,2],[3,2]]", 0, OHM_ERR_UNSUPPORTED,
         "'conv1_pad'"},
        {"\"padding\":[[3,3],[3,3]]", "\"padding\":[[2,2],[2,2]]", 0, OHM_ERR_FORMAT, "'conv1'"},
        {"\"epsilon\":1.001e-05", "\"epsilon\":-1", 0, OHM_ERR_UNSUPPORTED, "epsilon"},
        {"\"conv1/kernel\"", "\"conv1/core\"", 0, OHM_ERR_FORMAT, "no weight 'conv1/kernel'"},
        {"\"shape\":[7,7,3,2]", "\"shape\":[7,7,2,3]", 0, OHM_ERR_ARGUMENT, "2 channels"},
        {"\"shape\":[7,7,3,2]", "\"shape\":[7,7,3,3]", 0, OHM_ERR_FORMAT, "bytes"},
        {"\"shape\":[7,7,3,2]", "\"shape\":[7,7,3,-2]", 0, OHM_ERR_FORMAT, "'conv1/kernel'"},
        {"\"shape\":[7,7,3,2]", "\"shape\":[4000000000,4000000000,3,2]", 0, OHM_ERR_FORMAT,
         "'conv1/kernel'"},
        {"\"float32\"", "\"float16\"", 2, OHM_ERR_FORMAT, "not plain float32"},
        {"\"group1-shard1of2.bin\"", "\"../group1-shard1of2.bin\"", 0, OHM_ERR_FORMAT,
         "no plain name"},
        {"\"group1-shard1of2.bin\",", "", 0, OHM_ERR_FORMAT, "bytes"},
        {"[\"conv1_pad\",0,0,{}]", "[\"pool1\",0,0,{}]", 0, OHM_ERR_UNSUPPORTED, "no earlier"},
        {"[\"block10_3_bn\",0,0,{}],", "", 0, OHM_ERR_UNSUPPORTED, "number of inputs"},
        {"\"output_layers\":[[\"predictions\"", "\"output_layers\":[[\"avg_pool\"", 0,
         OHM_ERR_FORMAT, "not its classifier"},
        {"\"class_name\":\"Model\"", "\"class_name\":\"Sequential\"", 0, OHM_ERR_FORMAT,
         "functional"},
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        ohm_error err = {0};
        const char *path = changed(of[i].from, of[i].to, of[i].n, true);
        const ohm_status status = import(path, "resnet50_v1", "refused", &err);
        if (status != of[i].status || !strstr(err.message, of[i].message)) {
            fail_msg("%s -> %s: %d '%s', expected %d '%s'", of[i].from, of[i].to, status,
                     err.message, of[i].status, of[i].message);
        }
        assert_false(scratch_has("refused"));
    }

    // the same text as it is, its weights gone, and another model
    ohm_error err = {0};
    assert_int_equal(import(changed("{", "{", 0, true), "resnet50", "refused", &err),
                     OHM_ERR_FORMAT);
    assert_non_null(strstr(err.hint, "resnet50_v1"));
    assert_int_equal(import(changed("{", "{", 0, false), "resnet50_v1", "refused", &err),
                     OHM_ERR_IO);
    assert_false(scratch_has("refused"));
}

static void refuses_every_cut(void **state) {
    (void)state;
    for (size_t cut = 1; cut < text_size; cut += text_size / 40) {
        ohm_error err = {0};
        scratch_write("model.json", text, cut);
        assert_int_equal(import(scratch_path("model.json"), "resnet50_v1", "refused", &err),
                         OHM_ERR_FORMAT);
        assert_true(err.line > 0 || cut == 1);
    }
    assert_false(scratch_has("refused"));
}

static void survives_lack_of_memory(void **state) {
    (void)state;
    const int64_t before = ohmi_live_blocks();
    int64_t k = 0;
    for (;; k = k * 9 / 8 + 1) {
        ohm_error err = {0};
        ohmi_fail_allocation(k);
        const ohm_status status =
            import(golden_file("import-keras/model.json"), "resnet50_v1", "scarce", &err);
        ohmi_fail_allocation(-1);
        assert_int_equal(ohmi_live_blocks(), before);
        scratch_remove(scratch_path("scarce"));
        if (status == OHM_OK) {
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
    }
    assert_true(k > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_the_network_it_was_made_of),
        cmocka_unit_test(refuses_by_name),
        cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, begin, scratch_end);
}
