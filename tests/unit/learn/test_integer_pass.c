// SPDX-License-Identifier: Apache-2.0
// The forward pass in integers against the one in floats, on every backend that has both: logits
// with the same bytes, for networks with and without residual sums, all schemes, short batches; and
// what it must decline. (test_integer_network.c holds it against a network written a second time.)
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/memory.h"
#include "network/integer_pass.h"
#include "unit/learn/tiny_learning.h"

enum { MOST_LOGITS = 64 };

// a learner that has learned one task with a backend; NULL when the backend is not for here
static const ohmi_integer_kernels *begin(tiny_learning *l, const char *backend,
                                         const char *const *more) {
    const ohmi_kernels *kernels = ohmi_kernels_find(backend);
    const char *all[16] = {"backend", backend, "train.epochs", "1"};
    int n = 4;
    for (; more && more[n - 4]; n++) {
        all[n] = more[n - 4];
    }
    if (!kernels || !ohmi_integer_for(kernels)) {
        return NULL;
    }
    tiny_begin(l, all);
    tiny_learn(l, 0, NULL, NULL, NULL);
    return ohmi_integer_for(kernels);
}

// a batch of the test images of task 0
static ohmi_loader *batch_of(tiny_learning *l, ohmi_batch *batch) {
    ohmi_loader *loader = NULL;
    const ohmi_loader_def def = {.seed = 1,
                                 .batch = (int)l->values->train.batch,
                                 .input_step = ohmi_input_step(l->values),
                                 .input_max = 127};
    assert_int_equal(ohmi_loader_new(&loader, &l->tasks, &def, NULL), OHM_OK);
    ohmi_loader_start(loader, 0, &l->tasks.task[0].test, 0, 0);
    ohmi_loader_next(loader, batch);
    return loader;
}

static bool is_ready(ohmi_network *network) {
    bool ready = false;
    assert_int_equal(ohmi_integer_prepare(&ready, network, NULL), OHM_OK);
    return ready;
}

// both passes over both batches of the test images, the second of which is short
static void compare_passes(const char *backend, const char *const *more) {
    tiny_learning l;
    float by_float[MOST_LOGITS], by_integers[MOST_LOGITS];
    int n_batches = 0;
    if (!begin(&l, backend, more)) {
        return;
    }
    ohmi_network *network = l.learner->network;
    ohmi_learner_activate(l.learner, 0, true);
    ohmi_batch batch;
    ohmi_loader *loader = batch_of(&l, &batch);
    for (; batch.n > 0; ohmi_loader_next(loader, &batch), n_batches++) {
        const size_t row = (size_t)network->task->n_classes;
        ohmi_network_forward(network, batch.x, batch.n, OHMI_MODE_INFER, 0);
        for (int i = 0; i < batch.n; i++) {
            memcpy(by_float + (size_t)i * row, network->logits + i * network->logits_pad,
                   row * sizeof(float));
        }
        assert_true(is_ready(network));
        memset(network->logits, 0, (size_t)network->n_pad * sizeof(float));
        ohmi_integer_forward(network, batch.x, batch.n);
        for (int i = 0; i < batch.n; i++) {
            memcpy(by_integers + (size_t)i * row, network->logits + i * network->logits_pad,
                   row * sizeof(float));
        }
        assert_memory_equal(by_float, by_integers, (size_t)batch.n * row * sizeof(float));
        assert_true(by_float[0] < by_float[row] || by_float[0] > by_float[row]);
    }
    assert_int_equal(n_batches, 2);
    ohmi_loader_free(&loader);
    tiny_end(&l);
}

static const char *const g_backends[] = {"amx", "avx512", "avx2"};

static void same_logits(void **state) {
    (void)state;
    static const char *const more[][9] = {
        {NULL},
        {"quantise.weight_scheme", "apot", "quantise.activation_scheme", "apot", NULL},
        {"quantise.weight_bits", "2", "quantise.activation_bits", "3", NULL},
        {"network.model", "resnet20", "network.expand", "0.25", NULL},
        {"network.model", "vgg8", "network.expand", "0.05", NULL},
        {"network.model", "resnet50", "network.expand", "0.1", "array.rows", "72", NULL},
        {"method", "xst-element", NULL},
    };
    for (size_t b = 0; b < 3; b++) {
        for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
            compare_passes(g_backends[b], more[i]);
        }
    }
}

// weights that change are packed anew, and it is the packed ones that are used
static void follows_the_weights(void **state) {
    (void)state;
    tiny_learning l;
    if (!begin(&l, "auto", NULL)) {
        return;
    }
    ohmi_network *network = l.learner->network;
    ohmi_batch batch;
    ohmi_loader *loader = batch_of(&l, &batch);
    ohmi_learner_activate(l.learner, 0, true);
    assert_true(is_ready(network));
    ohmi_integer_forward(network, batch.x, batch.n);
    const float before = network->logits[0];
    const int64_t blocks = (int64_t)ohmi_live_blocks();
    for (int layer = 0; layer < network->n_layers; layer++) {
        for (int64_t i = 0; i < network->layers[layer].n_weights; i++) {
            network->layers[layer].w_eff[i] *= -1.0f;
        }
    }
    ohmi_integer_forward(network, batch.x, batch.n);
    assert_true(network->logits[0] == before);
    assert_true(is_ready(network));
    assert_int_equal(ohmi_live_blocks(), blocks); // memory is taken once
    ohmi_integer_forward(network, batch.x, batch.n);
    assert_false(network->logits[0] == before);
    ohmi_loader_free(&loader);
    tiny_end(&l);
}

// nothing but whole numbers in reach, finite maps and set clips
static void declines(void **state) {
    (void)state;
    tiny_learning l;
    if (!begin(&l, "auto", NULL)) {
        return;
    }
    ohmi_network *network = l.learner->network;
    ohmi_learner_activate(l.learner, 0, false);
    assert_false(is_ready(network));
    ohmi_learner_activate(l.learner, 0, true);
    assert_true(is_ready(network));
    ohmi_task_parameters *task = network->task;
    const struct {
        float *number, bad;
    } cases[] = {{&network->layers[1].w_eff[7], 0.5f},
                 {&network->layers[1].w_eff[7], 128},
                 {&network->layers[1].w_eff[7], -128},
                 {&network->layers[1].w_eff[7], NAN},
                 {&network->layers[1].w_eff[7], INFINITY},
                 {&task->trainable[network->nodes[2].gamma], NAN},
                 {&task->trainable[network->nodes[2].beta], 1e30f},
                 {&task->trainable[network->nodes[2].clip], 0},
                 {&task->trainable[network->nodes[2].clip], -1},
                 {&task->trainable[network->nodes[2].clip], NAN},
                 {&task->statistics[network->nodes[2].mean], INFINITY},
                 {&task->statistics[network->nodes[2].variance], NAN},
                 {&task->trainable[network->head_offset], INFINITY},
                 {&task->trainable[network->head_offset], NAN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const float kept = *cases[i].number;
        *cases[i].number = cases[i].bad;
        assert_false(is_ready(network));
        *cases[i].number = kept;
        assert_true(is_ready(network));
    }
    tiny_end(&l);
    tiny_begin(&l, NULL); // on the plain loops
    tiny_learn(&l, 0, NULL, NULL, NULL);
    ohmi_learner_activate(l.learner, 0, true);
    assert_false(is_ready(l.learner->network));
    tiny_end(&l);
}

// each allocation that fails is reported, and the next try works
static void short_of_memory(void **state) {
    (void)state;
    tiny_learning l;
    bool ready = false;
    ohm_error err = {0};
    if (!begin(&l, "auto", NULL)) {
        return;
    }
    ohmi_learner_activate(l.learner, 0, true);
    const int64_t blocks = (int64_t)ohmi_live_blocks();
    int n_failed = 0;
    for (int k = 0;; k++) {
        ohmi_fail_allocation(k);
        const ohm_status status = ohmi_integer_prepare(&ready, l.learner->network, &err);
        ohmi_fail_allocation(-1);
        if (status == OHM_OK) {
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
        assert_false(ready);
        assert_int_equal(ohmi_live_blocks(), blocks);
        n_failed++;
    }
    assert_int_equal(n_failed, 5);
    assert_true(ready);
    tiny_end(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_logits),
        cmocka_unit_test(follows_the_weights),
        cmocka_unit_test(declines),
        cmocka_unit_test(short_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
