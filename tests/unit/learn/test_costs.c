// SPDX-License-Identifier: Apache-2.0
// What learning costs: no memory is taken in a step, a task takes the same few blocks whichever it
// is, switching to a task costs less than one batch, the first task as little as the last.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <time.h>

#include "base/memory.h"
#include "base/thread.h"
#include "unit/learn/tiny_learning.h"

typedef struct {
    int64_t n_allocations, n_bytes, n_taken, n_steps;
} meter;

static int64_t heap_bytes(void) {
    const struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
}

static void start_meter(ohmi_learner *learner, int t, void *context) {
    meter *m = context;
    (void)learner;
    (void)t;
    m->n_allocations = ohmi_allocation_count();
    m->n_bytes = heap_bytes();
}

static void read_meter(ohmi_learner *learner, int t, void *context) {
    meter *m = context;
    (void)t;
    // the first step of a thread pool makes its threads
    if (learner->position.step > 1) {
        m->n_taken += ohmi_allocation_count() - m->n_allocations;
        m->n_taken += heap_bytes() != m->n_bytes;
        m->n_steps++;
    }
}

static void a_step_takes_no_memory(void **state) {
    (void)state;
    int n_rows = 0;
    const ohmi_kernels *const *rows = ohmi_kernels_all(&n_rows);
    for (int r = 0; r < n_rows; r++) {
        // oneDNN makes what it needs itself
        if (!rows[r]->is_supported() || strcmp(rows[r]->name, "onednn") == 0) {
            continue;
        }
        for (int kind = 0; kind < 2; kind++) {
            const char *const more[] = {"backend",
                                        rows[r]->name,
                                        "quantise.weight_bits",
                                        kind ? "0" : "4",
                                        "quantise.activation_bits",
                                        kind ? "0" : "4",
                                        "network.model",
                                        "resnet20",
                                        "network.expand",
                                        "0.25",
                                        NULL};
            tiny_learning l;
            meter m = {0};
            tiny_begin(&l, more);
            tiny_learn(&l, 0, start_meter, read_meter, &m);
            tiny_learn(&l, 1, start_meter, read_meter, &m);
            assert_int_equal(m.n_steps, 22);
            assert_int_equal(m.n_taken, 0);
            tiny_end(&l);
        }
    }
}

static void a_task_takes_the_same_memory_whichever_it_is(void **state) {
    (void)state;
    tiny_learning l;
    int64_t blocks[TINY_TASKS];
    tiny_begin(&l, NULL);
    const int64_t before_all = ohmi_live_blocks();
    for (int t = 0; t < TINY_TASKS; t++) {
        const int64_t before = ohmi_live_blocks();
        tiny_learn(&l, t, NULL, NULL, NULL);
        blocks[t] = ohmi_live_blocks() - before;
        // its parameters (3 blocks), its list of bits and the bits of each layer
        assert_int_equal(blocks[t], 4 + l.learner->network->n_layers);
    }
    // measuring leaves nothing behind
    for (int t = 0; t < TINY_TASKS; t++) {
        (void)tiny_logits(&l, t, true, NULL);
    }
    assert_int_equal(ohmi_live_blocks() - before_all, blocks[0] + blocks[1] + blocks[2]);
    tiny_end(&l);
    assert_true(ohmi_live_blocks() <= before_all);
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// the least of many measurements taken in turn
static void switching_costs_less_than_a_batch(void **state) {
    (void)state;
    static const char *const more[] = {
        "network.expand", "1", "train.batch", "32", "backend", "auto", "train.epochs", "1", NULL};
    tiny_learning l;
    double switches[TINY_TASKS] = {1e9, 1e9, 1e9}, forward = 1e9;
    const int n_threads = ohmi_threads();
    ohmi_set_threads(1);
    tiny_begin(&l, more);
    for (int t = 0; t < TINY_TASKS; t++) {
        tiny_learn(&l, t, NULL, NULL, NULL);
    }
    ohmi_batch batch;
    ohmi_loader_start(l.loader, 0, &l.tasks.task[0].train, 0, 0);
    ohmi_loader_next(l.loader, &batch);
    assert_int_equal(batch.n, 32);
    for (int round = 0; round < 200; round++) {
        for (int t = 0; t < TINY_TASKS; t++) {
            const double start = now_s();
            ohmi_learner_activate(l.learner, t, true);
            const double seconds = now_s() - start;
            switches[t] = seconds < switches[t] ? seconds : switches[t];
        }
        const double start = now_s();
        ohmi_network_forward(l.learner->network, batch.x, batch.n, OHMI_MODE_INFER, 0);
        const double seconds = now_s() - start;
        forward = seconds < forward ? seconds : forward;
    }
    ohmi_set_threads(n_threads);
    print_message("a switch takes %.2f of a batch of 32\n", switches[0] / forward);
    for (int t = 0; t < TINY_TASKS; t++) {
        assert_true(switches[t] < forward);
        assert_true(switches[t] < 3 * switches[0] && switches[0] < 3 * switches[t]);
    }
    tiny_end(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_takes_no_memory),
        cmocka_unit_test(a_task_takes_the_same_memory_whichever_it_is),
        cmocka_unit_test(switching_costs_less_than_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
