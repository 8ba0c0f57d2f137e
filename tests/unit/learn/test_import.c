// SPDX-License-Identifier: Apache-2.0
// Networks from PyTorch: their answers as a run, the way out and in again, and files that are
// refused by name with nothing written. Golden files: tools/make_import_golden.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "imported.h"

static ohm_status import(const char *file, const char *model, const char *run, ohm_error *err) {
    ohm_import_result result;
    const char *const folder = scratch_path(run);
    const ohm_import_def def = {.run_folder = folder, .model = model, .input = OHM_INPUT_DATA};
    return ohm_import(&result, file, &def, err);
}

static void answers_as_pytorch(void **state) {
    (void)state;
    static const struct {
        const char *model;
        double width;
        int side;
    } of[] = {{"vgg16_bn", 1 / 64.0, 32}, {"resnet18", 1 / 16.0, 32}, {"resnet50", 1 / 32.0, 72}};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        char file[64];
        ohm_error err = {0};
        ohm_import_result result;
        opened_run run;
        snprintf(file, sizeof file, "import-%s.safetensors", of[i].model);
        const ohm_import_def def = {.run_folder = scratch_path(of[i].model),
                                    .model = of[i].model,
                                    .image_size = of[i].side,
                                    .input = OHM_INPUT_DATA};
        if (ohm_import(&result, golden_file(file), &def, &err) != OHM_OK) {
            fail_msg("%s: %s", of[i].model, err.message);
        }
        assert_string_equal(result.format, "safetensors");
        assert_int_equal(result.n_classes, 7);
        assert_int_equal(result.image_size, of[i].side);
        assert_true(result.width >= of[i].width && result.width < of[i].width * 1.02);
        run_open(&run, of[i].model);
        const double worst = run_difference(&run, of[i].model);
        print_message("%s: logits within %.3g of PyTorch's\n", of[i].model, worst);
        assert_true(worst < 1e-4);

        // all of the network is the task's
        for (int l = 0; l < run.learner->network->n_layers; l++) {
            for (int64_t u = 0; u < run.learner->units[l].layout.n_units; u++) {
                assert_int_equal(run.learner->units[l].own[u], 1);
            }
        }
        assert_int_equal((int)run.learner->position.task, 1);
        run_close(&run);
    }
}

// every tensor of a is in b with the same bytes
static void same_tensors(const char *a_path, const char *b_path) {
    ohm_error err = {0};
    ohmi_tensors *a = NULL, *b = NULL;
    assert_int_equal(ohmi_tensors_open(&a, a_path, &err), OHM_OK);
    assert_int_equal(ohmi_tensors_open(&b, b_path, &err), OHM_OK);
    int n_same = 0;
    for (int i = 0; i < ohmi_tensors_count(a); i++) {
        const ohmi_view *v = ohmi_tensors_at(a, i), *w = ohmi_tensors_find(b, v->name);
        if (strstr(v->name, "num_batches_tracked")) {
            continue;
        }
        if (!w || w->n_dims != v->n_dims ||
            memcmp(w->shape, v->shape, (size_t)v->n_dims * sizeof *v->shape) != 0 ||
            memcmp(w->data, v->data, (size_t)ohmi_view_count(v) * sizeof(float)) != 0) {
            fail_msg("'%s' is not the same", v->name);
        }
        n_same++;
    }
    assert_true(n_same > 20);
    ohmi_tensors_close(&a);
    ohmi_tensors_close(&b);
}

static void exports_what_it_imported(void **state) {
    (void)state;
    ohm_error err = {0};
    const ohm_export_def def = {.task = 0, .format = OHM_EXPORT_SAFETENSORS};

    // PyTorch's file comes out again; torchvision's VGG has biases that batch norm takes in, so
    // there the second time round is the same
    assert_int_equal(import(golden_file("import-resnet18.safetensors"), "resnet18", "a", &err),
                     OHM_OK);
    assert_int_equal(ohm_export(scratch_path("a.safetensors"), scratch_path("a"), &def, &err),
                     OHM_OK);
    same_tensors(golden_file("import-resnet18.safetensors"), scratch_path("a.safetensors"));
    const ohm_import_def vgg = {
        .run_folder = scratch_path("b"), .model = "vgg16_bn", .image_size = 32};
    ohm_import_result result;
    assert_int_equal(ohm_import(&result, golden_file("import-vgg16_bn.safetensors"), &vgg, &err),
                     OHM_OK);
    assert_int_equal(ohm_export(scratch_path("b.safetensors"), scratch_path("b"), &def, &err),
                     OHM_OK);
    assert_int_equal(import(scratch_path("b.safetensors"), "vgg16_bn", "c", &err), OHM_OK);
    assert_int_equal(ohm_export(scratch_path("c.safetensors"), scratch_path("c"), &def, &err),
                     OHM_OK);
    same_tensors(scratch_path("b.safetensors"), scratch_path("c.safetensors"));

    // tasks that are not there
    const ohm_export_def second = {.task = 1};
    assert_int_equal(ohm_export(scratch_path("d.safetensors"), scratch_path("a"), &second, &err),
                     OHM_ERR_ARGUMENT);
    assert_false(scratch_has("d.safetensors"));
}

// A copy of the golden ResNet-18 with one change.
typedef enum { LEAVE_OUT, ADD_ONE, TURN, SPOIL, NEGATE, RETYPE } change;

static void write_changed(const char *path, const char *name, change what) {
    ohm_error err = {0};
    ohmi_tensors *golden = NULL;
    assert_int_equal(ohmi_tensors_open(&golden, golden_file("import-resnet18.safetensors"), &err),
                     OHM_OK);
    const int n = ohmi_tensors_count(golden);
    ohmi_view *views = calloc((size_t)n + 1, sizeof *views);
    float *copy = NULL;
    int n_views = 0;
    for (int i = 0; i < n; i++) {
        ohmi_view v = *ohmi_tensors_at(golden, i);
        if (strcmp(v.name, name) != 0) {
            views[n_views++] = v;
            continue;
        }
        const size_t bytes = (size_t)ohmi_view_count(&v) * sizeof(float);
        copy = malloc(bytes);
        memcpy(copy, v.data, bytes);
        v.data = copy;
        if (what == TURN) {
            const int64_t first = v.shape[0];
            v.shape[0] = v.shape[1];
            v.shape[1] = first;
        } else if (what == SPOIL) {
            copy[1] = NAN;
        } else if (what == NEGATE) {
            copy[1] = -1;
        } else if (what == RETYPE) {
            v.dtype = OHMI_I32;
        }
        if (what != LEAVE_OUT) {
            views[n_views++] = v;
        }
    }
    if (what == ADD_ONE) {
        views[n_views++] = ohmi_view_of(name, OHMI_F32, views[0].data, 1, 1, 0, 0, 0);
    }
    assert_int_equal(ohmi_tensors_save(path, views, n_views, NULL, &err), OHM_OK);
    free(views);
    free(copy);
    ohmi_tensors_close(&golden);
}

static void refuses_by_name(void **state) {
    (void)state;
    static const struct {
        const char *name;
        change what;
        const char *message;
    } of[] = {
        {"layer2.0.conv2.weight", LEAVE_OUT, "no tensor 'layer2.0.conv2.weight'"},
        {"layer3.1.bn1.running_var", LEAVE_OUT, "no tensor 'layer3.1.bn1.running_var'"},
        {"fc.bias", LEAVE_OUT, "no tensor 'fc.bias'"},
        {"layer5.0.conv1.weight", ADD_ONE, "no place for tensor 'layer5.0.conv1.weight'"},
        {"layer2.0.conv1.weight", TURN, "'layer2.0.conv1.weight' has shape 4 x 8 x 3 x 3"},
        {"layer4.1.bn2.weight", SPOIL, "'layer4.1.bn2.weight' has a number that is not finite"},
        {"layer1.0.conv1.weight", SPOIL, "'layer1.0.conv1.weight' has a number that is not"},
        {"bn1.running_var", NEGATE, "'bn1.running_var' has variance -1"},
        {"bn1.running_mean", RETYPE, "'bn1.running_mean' is of type I32"},
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        ohm_error err = {0};
        const char *path = scratch_path("changed.safetensors");
        write_changed(path, of[i].name, of[i].what);
        assert_int_equal(import(path, "resnet18", "refused", &err), OHM_ERR_FORMAT);
        if (!strstr(err.message, of[i].message) || strcmp(err.path, path) != 0) {
            fail_msg("'%s' at '%s', expected '%s'", err.message, err.path, of[i].message);
        }
        assert_false(scratch_has("refused"));
    }
}

static void refuses_other_models_and_files(void **state) {
    (void)state;
    ohm_error err = {0};
    const char *golden = golden_file("import-resnet18.safetensors");
    assert_int_equal(import(golden, "resnet50", "refused", &err), OHM_ERR_FORMAT);
    assert_int_equal(import(golden, "vgg16_bn", "refused", &err), OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "classifier.6.weight"));
    assert_int_equal(import(golden, "resnet1", "refused", &err), OHM_ERR_CONFIG);
    assert_int_equal(import(scratch_path("nothing"), "resnet18", "refused", &err), OHM_ERR_IO);

    // no file of weights, an empty one, and every cut of a real one's beginning
    scratch_write("text", "hello", 5);
    assert_int_equal(import(scratch_path("text"), "resnet18", "refused", &err), OHM_ERR_FORMAT);
    scratch_write("empty", "", 0);
    assert_int_equal(import(scratch_path("empty"), "resnet18", "refused", &err), OHM_ERR_FORMAT);
    static char bytes[1 << 18];
    FILE *file = fopen(golden, "rb");
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t cut = 1; cut < size; cut = cut * 3 / 2 + 1) {
        scratch_write("cut", bytes, cut);
        assert_int_equal(import(scratch_path("cut"), "resnet18", "refused", &err), OHM_ERR_FORMAT);
    }
    assert_false(scratch_has("refused"));

    // a run that is there stays as it is
    assert_int_equal(import(golden, "resnet18", "taken", &err), OHM_OK);
    assert_int_equal(import(golden, "resnet18", "taken", &err), OHM_ERR_ARGUMENT);
    opened_run run;
    run_open(&run, "taken");
    assert_true(run_difference(&run, "resnet18") < 1e-4);
    run_close(&run);
}

static void survives_lack_of_memory(void **state) {
    (void)state;
    const char *golden = golden_file("import-resnet18.safetensors");
    const int64_t before = ohmi_live_blocks();
    ohm_error err = {0};
    int64_t k = 0;
    for (;; k = k * 9 / 8 + 1) {
        ohmi_fail_allocation(k);
        const ohm_status status = import(golden, "resnet18", "scarce", &err);
        ohmi_fail_allocation(-1);
        assert_int_equal(ohmi_live_blocks(), before);
        scratch_remove(scratch_path("scarce"));
        if (status == OHM_OK) {
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
    }
    assert_true(k > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_pytorch),      cmocka_unit_test(exports_what_it_imported),
        cmocka_unit_test(refuses_by_name),         cmocka_unit_test(refuses_other_models_and_files),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
