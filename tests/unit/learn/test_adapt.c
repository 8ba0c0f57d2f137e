// SPDX-License-Identifier: Apache-2.0
// Errors injected in training: gain and shift against plain sums, the sizes of what is drawn, what
// outputs of an array have in common; another chip at each step, the same at the same one; when
// they begin, and what batch norm does then; none outside of training; files that are not what they
// should be.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "learn/adapt.h"
#include "scratch.h"
#include "unit/learn/tiny_learning.h"

static const ohmi_adapt_layer nothing = {.outputs = 4};

// A list of the errors of a network's layers; the first with these, the others with none.
static void write_layers(FILE *file, const ohmi_network *network, const ohmi_adapt_layer *first) {
    fprintf(file, "[");
    for (int l = 0; l <= network->n_layers; l++) {
        const ohmi_adapt_layer *of = l ? &nothing : first;
        fprintf(file,
                "%s{\"name\": \"%s\", \"gain\": %g, \"shift\": %g, \"own\": %g, \"common\": %g, "
                "\"outputs\": %lld}",
                l ? ", " : "", l < network->n_layers ? network->layers[l].name : "head", of->gain,
                of->shift, of->own, of->common, (long long)of->outputs);
    }
    fprintf(file, "]");
}

// Writes a file of errors, where task > 0 also of a task by itself.
static void write_tasks(const ohmi_network *network, const ohmi_adapt_layer *first, int task,
                        const ohmi_adapt_layer *of_task) {
    FILE *file = fopen(scratch_path("errors.json"), "w");
    assert_non_null(file);
    fprintf(file, "{\"schema\": 3, \"layers\": ");
    write_layers(file, network, first);
    if (task > 0) {
        fprintf(file, ", \"tasks\": [{\"task\": %d, \"layers\": ", task);
        write_layers(file, network, of_task);
        fprintf(file, "}]");
    }
    fprintf(file, "}");
    assert_int_equal(fclose(file), 0);
}

static void write_errors(const ohmi_network *network, const ohmi_adapt_layer *first) {
    write_tasks(network, first, 0, NULL);
}

static void begin(tiny_learning *l, const ohmi_adapt_layer *first, const char *from) {
    char path[600];
    snprintf(path, sizeof path, "%s", scratch_path("errors.json"));
    const char *const more[] = {
        "adapt.noise",         path,  "adapt.begin", from, "method.density_first", "0.9",
        "method.density_rest", "0.1", NULL};
    tiny_begin(l, more);
    write_errors(l->learner->network, first);
    assert_int_equal(ohmi_adapt_read(&l->learner->adapt, l->values, l->learner->network, NULL),
                     OHM_OK);
    assert_non_null(l->learner->adapt);
    assert_int_equal(ohmi_learner_begin(l->learner, 0, NULL), OHM_OK);
    ohmi_learner_fit_steps(l->learner, 0);
    ohmi_learner_prepare(l->learner, 0, true);
}

enum { MOST_SUMS = 1 << 17 };

typedef struct {
    float y[MOST_SUMS];       // (pixels, images, outputs)
    float inputs[MOST_SUMS];  // sums of the inputs of weights that are on, for each of y
    float squares[MOST_SUMS]; // of their squares
    int64_t n;
    int n_outputs;
} layer_sums;

// The sums of inputs over the weights of an output that are on, at a pixel.
static void add_inputs(float *sum, float *square, const ohmi_learner *learner, const float *x,
                       int pixel, int image, int k) {
    const ohmi_conv *o = &learner->network->layers[0].shape;
    const ohmi_units *units = &learner->units[0];
    *sum = *square = 0;
    for (int i = 0; i < o->c * o->r * o->s; i++) {
        const int row = pixel / o->q * o->stride - o->pad + i / o->s % o->r;
        const int column = pixel % o->q * o->stride - o->pad + i % o->s;
        const int64_t u = ohmi_layout_unit_at(&units->layout, (int64_t)k * o->c * o->r * o->s + i);
        if (units->on[u] && row >= 0 && row < o->h && column >= 0 && column < o->w) {
            const float v =
                x[((row * o->w + column) * o->n_pad + image) * o->c_pad + i / (o->r * o->s)];
            *sum += v;
            *square += v * v;
        }
    }
}

// Forward pass of the first batch; the sums of the first layer.
static void sums_of(layer_sums *out, tiny_learning *l, bool with_noise, ohmi_mode mode) {
    const ohmi_network *network = l->learner->network;
    const ohmi_node *node = &network->nodes[1];
    const ohmi_conv *o = &network->layers[0].shape;
    ohmi_batch batch;
    out->n = 0;
    out->n_outputs = o->k;
    ohmi_loader_start(l->loader, 0, &l->tasks.task[0].train, 0, 0);
    ohmi_loader_next(l->loader, &batch);
    if (with_noise) {
        ohmi_adapt_enter(l->learner);
    }
    ohmi_network_forward(l->learner->network, batch.x, batch.n, mode, 0.1f);
    ohmi_adapt_leave(l->learner);
    assert_null(network->disturb);
    for (int pixel = 0; pixel < o->p * o->q; pixel++) {
        for (int i = 0; i < batch.n; i++) {
            for (int k = 0; k < o->k; k++) {
                assert_true(out->n < MOST_SUMS);
                add_inputs(&out->inputs[out->n], &out->squares[out->n], l->learner, batch.x, pixel,
                           i, k);
                out->y[out->n++] = node->value[(pixel * o->n_pad + i) * o->k_pad + k];
            }
        }
    }
}

static layer_sums plain, noisy, other;

static void test_gain_and_shift(void **state) {
    (void)state;
    tiny_learning l;
    begin(&l, &(ohmi_adapt_layer){.gain = -0.25, .shift = 0.5, .outputs = 4}, "0");
    sums_of(&plain, &l, false, OHMI_MODE_TRAIN);
    sums_of(&noisy, &l, true, OHMI_MODE_TRAIN);
    double size = 0, inputs = 0;
    for (int64_t i = 0; i < plain.n; i++) {
        const float expected = 0.75f * plain.y[i] + 0.5f * plain.inputs[i];
        assert_float_equal(noisy.y[i], expected, 1e-3);
        size += fabs((double)plain.y[i]);
        inputs += fabs((double)plain.inputs[i]);
    }
    assert_true(size > 1 && inputs > 1);
    tiny_end(&l);
}

// What is drawn has the size that the file says, over many steps; each step has its own.
static void test_sizes(void **state) {
    (void)state;
    enum { STEPS = 40 };
    tiny_learning l;
    double square = 0, expected = 0, product = 0;
    begin(&l, &(ohmi_adapt_layer){.own = 0.6, .common = 0.8, .outputs = 4}, "0");
    sums_of(&plain, &l, false, OHMI_MODE_TRAIN);
    for (int step = 0; step < STEPS; step++) {
        memcpy(&other, &noisy, sizeof other);
        l.learner->position.step = step;
        sums_of(&noisy, &l, true, OHMI_MODE_TRAIN);
        for (int64_t i = 0; i < plain.n; i++) {
            const double off = (double)noisy.y[i] - (double)plain.y[i];
            square += off * off;
            expected += (double)plain.squares[i];
            product += step ? off * ((double)other.y[i] - (double)plain.y[i]) : 0;
        }
    }
    assert_true(fabs(square / expected - 1) < 0.15);
    assert_true(fabs(product / expected) < 0.15);

    // the same step again
    sums_of(&other, &l, true, OHMI_MODE_TRAIN);
    assert_memory_equal(noisy.y, other.y, (size_t)noisy.n * sizeof *noisy.y);
    tiny_end(&l);
}

// Outputs of one array have the common part in common, others have another.
static void test_common(void **state) {
    (void)state;
    tiny_learning l;
    int n_same = 0, n_other = 0;
    begin(&l, &(ohmi_adapt_layer){.common = 0.5, .outputs = 4}, "0");
    sums_of(&plain, &l, false, OHMI_MODE_TRAIN);
    sums_of(&noisy, &l, true, OHMI_MODE_TRAIN);
    const int n_k = plain.n_outputs;
    for (int64_t i = 0; i < plain.n; i++) {
        const int k = (int)(i % n_k);
        for (int j = k + 1; j < n_k; j++) {
            const int64_t at = i + j - k;
            const double a = (double)noisy.y[i] - (double)plain.y[i];
            const double b = (double)noisy.y[at] - (double)plain.y[at];
            if (!(plain.squares[i] > 0) || !(plain.squares[at] > 0)) {
                continue;
            }
            if (k / 4 == j / 4) {
                assert_float_equal(a, b, 1e-3);
                n_same++;
            } else {
                n_other += fabs(a - b) > 1e-2;
            }
        }
    }
    assert_true(n_same > 100 && n_other > 100);
    tiny_end(&l);
}

// Errors come with training only, from their beginning on, and then batch norm keeps its statistics
// and uses them.
static void test_where(void **state) {
    (void)state;
    tiny_learning l;
    float kept[64];
    begin(&l, &(ohmi_adapt_layer){.shift = 1, .own = 0.5, .outputs = 4}, "0.5");
    const ohmi_node *node = &l.learner->network->nodes[2];
    const ohmi_task_parameters *task = l.learner->learned[0].parameters;
    assert_true(node->c <= 32 && node->has_batchnorm);
    sums_of(&plain, &l, false, OHMI_MODE_INFER);

    // before: as without
    sums_of(&noisy, &l, true, OHMI_MODE_TRAIN);
    assert_memory_equal(plain.y, noisy.y, (size_t)plain.n * sizeof *plain.y);
    memcpy(kept, task->statistics + node->mean, (size_t)node->c * sizeof *kept);
    memcpy(kept + 32, task->statistics + node->variance, (size_t)node->c * sizeof *kept);
    double size = 0;
    for (int i = 0; i < node->c; i++) {
        size += fabs((double)kept[i]);
    }
    assert_true(size > 0);

    // from the beginning on
    l.learner->position.step = 0.5 * (double)ohmi_steps_of_task(l.learner, 0);
    sums_of(&noisy, &l, true, OHMI_MODE_TRAIN);
    assert_memory_not_equal(plain.y, noisy.y, (size_t)plain.n * sizeof *plain.y);
    assert_memory_equal(kept, task->statistics + node->mean, (size_t)node->c * sizeof *kept);
    assert_memory_equal(kept + 32, task->statistics + node->variance,
                        (size_t)node->c * sizeof *kept);
    for (int i = 0; i < node->c; i++) {
        assert_float_equal(node->centre[i], kept[i], 0);
    }

    // a network that is measured is as it was meant
    sums_of(&noisy, &l, false, OHMI_MODE_INFER);
    assert_memory_equal(plain.y, noisy.y, (size_t)plain.n * sizeof *plain.y);
    tiny_end(&l);
}

// Training with errors that never begin is training without; with some it is another, and repeats
// itself.
static void test_training(void **state) {
    (void)state;
    static float logits[4][TINY_TEST * 3];
    static const char *const from[] = {"1", "1", "0.25", "0.25"};
    for (int i = 0; i < 4; i++) {
        tiny_learning l;
        char path[600];
        const ohmi_adapt_layer first = {.own = 0.3, .outputs = 4};
        snprintf(path, sizeof path, "%s", scratch_path("errors.json"));
        const char *const more[] = {"adapt.noise", path, "adapt.begin", from[i], NULL};
        tiny_begin(&l, i == 0 ? NULL : more);
        write_errors(l.learner->network, &first);
        assert_int_equal(ohmi_adapt_read(&l.learner->adapt, l.values, l.learner->network, NULL),
                         OHM_OK);
        assert_true((l.learner->adapt == NULL) == (i == 0));
        tiny_learn(&l, 0, NULL, NULL, NULL);
        (void)tiny_logits(&l, 0, true, logits[i]);
        tiny_end(&l);
    }
    const size_t size = TINY_TEST * 2 * sizeof(float);
    assert_memory_equal(logits[0], logits[1], size);
    assert_memory_equal(logits[2], logits[3], size);
    assert_memory_not_equal(logits[0], logits[2], size);
}

// A task's own errors stand in the place of those of all tasks, and are no other task's.
static void test_tasks(void **state) {
    (void)state;
    static float logits[5][TINY_TEST * 3];
    const ohmi_adapt_layer some = {.own = 0.3, .outputs = 4};
    const struct {
        const ohmi_adapt_layer *all;
        int task;
        const ohmi_adapt_layer *own;
    } files[] = {{&nothing, 0, NULL},
                 {&some, 0, NULL},
                 {&some, 1, &nothing},
                 {&nothing, 1, &some},
                 {&some, 2, &nothing}};
    static const int same_as[] = {0, 1, 0, 1, 1};
    char path[600];
    snprintf(path, sizeof path, "%s", scratch_path("errors.json"));
    const char *const more[] = {"adapt.noise", path, "adapt.begin", "0.25", NULL};
    for (int i = 0; i < 5; i++) {
        tiny_learning l;
        tiny_begin(&l, more);
        write_tasks(l.learner->network, files[i].all, files[i].task, files[i].own);
        assert_int_equal(ohmi_adapt_read(&l.learner->adapt, l.values, l.learner->network, NULL),
                         OHM_OK);
        tiny_learn(&l, 0, NULL, NULL, NULL);
        (void)tiny_logits(&l, 0, true, logits[i]);
        tiny_end(&l);
    }
    const size_t size = TINY_TEST * 2 * sizeof(float);
    assert_memory_not_equal(logits[0], logits[1], size);
    for (int i = 2; i < 5; i++) {
        assert_memory_equal(logits[i], logits[same_as[i]], size);
    }
}

static void test_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "[]",
                                        "{\"layers\": 3}",
                                        "{\"layers\": []}",
                                        "{\"layers\": [{\"name\": \"head\"}]}",
                                        "not json"};
    tiny_learning l;
    ohm_error err;
    begin(&l, &nothing, "0");
    ohmi_adapt_free(&l.learner->adapt);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        scratch_write("errors.json", texts[i], strlen(texts[i]));
        assert_true(ohmi_adapt_read(&l.learner->adapt, l.values, l.learner->network, &err) < 0);
        assert_null(l.learner->adapt);
        assert_non_null(strstr(err.path, "errors.json"));
        assert_non_null(strstr(err.message, "adapt.noise"));
    }
    write_errors(l.learner->network, &(ohmi_adapt_layer){.own = -1, .outputs = 4});
    assert_int_equal(ohmi_adapt_read(&l.learner->adapt, l.values, l.learner->network, &err),
                     OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "layer 1"));
    static const char *const tasks[] = {"[{}]", "[{\"task\": 0}]", "[{\"task\": 1}]", "[3]",
                                        "[{\"task\": 999, \"layers\": []}]"};
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        FILE *file = fopen(scratch_path("errors.json"), "w");
        assert_non_null(file);
        fprintf(file, "{\"layers\": ");
        write_layers(file, l.learner->network, &nothing);
        fprintf(file, ", \"tasks\": %s}", tasks[i]);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(ohmi_adapt_read(&l.learner->adapt, l.values, l.learner->network, &err),
                         OHM_ERR_FORMAT);
        assert_null(l.learner->adapt);
    }
    tiny_end(&l);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gain_and_shift), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_common),         cmocka_unit_test(test_where),
        cmocka_unit_test(test_training),       cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
