// SPDX-License-Identifier: Apache-2.0
// Parallel loops: every index exactly once whatever the sizes and the thread count, loops in loops,
// loops from several threads at once, many small loops, and a child process after a fork.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"
#include "ohmwise/system.h"

enum { MOST = 5000 };

// What a loop has seen; `hits` is not atomic on purpose: each index belongs to one block.
typedef struct {
    int hits[MOST];
    int64_t n, grain;
    atomic_int n_calls, n_wrong;
    int n_threads;
} watched;

static void watch(void *context, int64_t begin, int64_t end, int thread) {
    watched *w = context;
    const int64_t size = end - begin;
    const int is_last = end == w->n;
    atomic_fetch_add(&w->n_calls, 1);
    if (begin < 0 || end > w->n || begin % w->grain != 0 || size < 1 || size > w->grain ||
        (!is_last && size != w->grain) || thread < 0 || thread >= w->n_threads) {
        atomic_fetch_add(&w->n_wrong, 1);
        return;
    }
    for (int64_t i = begin; i < end; i++) {
        w->hits[i]++;
    }
}

// Runs one loop and checks it.
static void check_loop(int64_t n, int64_t grain) {
    static watched w;
    memset(&w, 0, sizeof w);
    w.n = n;
    w.grain = grain < 1 ? 1 : grain;
    w.n_threads = ohmi_threads();
    ohmi_parallel(n, grain, watch, &w);
    if (w.n_wrong > 0) {
        fail_msg("%d wrong blocks of a loop over %lld by %lld with %d threads", w.n_wrong,
                 (long long)n, (long long)grain, w.n_threads);
    }
    assert_int_equal(w.n_calls, n < 1 ? 0 : (n - 1) / w.grain + 1);
    for (int64_t i = 0; i < MOST; i++) {
        assert_int_equal(w.hits[i], i < n);
    }
}

static void test_every_index_once(void **state) {
    (void)state;
    static const int threads[] = {1, 2, 3, 8, 2, 16, 1, 4};
    static const int64_t sizes[] = {0, 1, 2, 3, 7, 64, 1000, MOST};
    static const int64_t grains[] = {0, 1, 2, 3, 64, 999, 5000, 100000};
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        ohmi_set_threads(threads[t]);
        assert_int_equal(ohmi_threads(), threads[t]);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            for (size_t g = 0; g < sizeof grains / sizeof *grains; g++) {
                check_loop(sizes[s], grains[g]);
            }
        }
    }
    ohmi_set_threads(4);
    check_loop(-5, 3);
    check_loop(100, INT64_MAX);
}

static void test_counts(void **state) {
    (void)state;
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    ohmi_set_threads(0);
    assert_int_equal(ohmi_threads(), 1);
    ohmi_set_threads(100000);
    assert_int_equal(ohmi_threads(), 256);
    ohm_set_threads(3);
    assert_int_equal(ohmi_threads(), 3);

    // 0 = the CPUs this process may use
    ohm_set_threads(0);
    const int all = CPU_COUNT(&set) < 256 ? CPU_COUNT(&set) : 256;
    assert_int_equal(ohmi_threads(), all);

    // the count is asked for once: it does not follow the CPUs, whatever is sized by it
    cpu_set_t one;
    CPU_ZERO(&one);
    for (size_t i = 0; CPU_COUNT(&one) == 0; i++) {
        if (CPU_ISSET(i, &set)) {
            CPU_SET(i, &one);
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(ohmi_threads(), all);
    ohm_set_threads(0);
    assert_int_equal(ohmi_threads(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof set, &set), 0);
    assert_int_equal(ohmi_threads(), 1);
    ohm_set_threads(0);
    assert_int_equal(ohmi_threads(), all);
}

// A loop whose blocks wait until `wanted` threads are inside at once (or a while has passed).
typedef struct {
    atomic_int inside, most;
    int wanted;
} meeting;

static void meet(void *context, int64_t begin, int64_t end, int thread) {
    meeting *m = context;
    (void)begin;
    (void)end;
    (void)thread;
    const int now = atomic_fetch_add(&m->inside, 1) + 1;
    for (int most = atomic_load(&m->most); now > most;) {
        if (atomic_compare_exchange_weak(&m->most, &most, now)) {
            break;
        }
    }
    for (int i = 0; i < 2000 && atomic_load(&m->most) < m->wanted; i++) {
        usleep(1000);
    }
    atomic_fetch_sub(&m->inside, 1);
}

// Threads that are asked for really run side by side, also after there were fewer.
static void test_side_by_side(void **state) {
    (void)state;
    static const int threads[] = {2, 5, 3};
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        meeting m = {.wanted = threads[t]};
        ohmi_set_threads(threads[t]);
        ohmi_parallel(3 * threads[t], 1, meet, &m);
        assert_int_equal(m.most, threads[t]);
    }
}

// Loops in loops: the inner ones run in the calling thread, and all of it.
typedef struct {
    atomic_int hits[40][30];
    atomic_int n_inner_elsewhere;
} nested;

typedef struct {
    nested *n;
    int64_t row;
    pthread_t caller;
} inner_context;

static void inner(void *context, int64_t begin, int64_t end, int thread) {
    const inner_context *in = context;
    if (!pthread_equal(in->caller, pthread_self()) || thread != 0) {
        atomic_fetch_add(&in->n->n_inner_elsewhere, 1);
    }
    for (int64_t i = begin; i < end; i++) {
        atomic_fetch_add(&in->n->hits[in->row][i], 1);
    }
}

static void outer(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        inner_context in = {context, i, pthread_self()};
        ohmi_parallel(30, 4, inner, &in);
    }
}

static void test_nested(void **state) {
    (void)state;
    static nested n;
    ohmi_set_threads(4);
    for (int round = 0; round < 50; round++) {
        memset(&n, 0, sizeof n);
        ohmi_parallel(40, 3, outer, &n);
        assert_int_equal(n.n_inner_elsewhere, 0);
        for (int i = 0; i < 40; i++) {
            for (int j = 0; j < 30; j++) {
                assert_int_equal(n.hits[i][j], 1);
            }
        }
    }
}

// Sums a range; the order of additions of integers does not matter.
static void add(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    int64_t sum = 0;
    for (int64_t i = begin; i < end; i++) {
        sum += i;
    }
    atomic_fetch_add((atomic_llong *)context, sum);
}

// 20000 loops of a few blocks each; the thread count changes on the way.
static void test_many_small(void **state) {
    (void)state;
    for (int i = 0; i < 20000; i++) {
        if (i % 1000 == 0) {
            ohmi_set_threads(1 + i / 1000 % 4);
        }
        atomic_llong sum = 0;
        const int64_t n = 2 + i % 17;
        ohmi_parallel(n, 1 + i % 3, add, &sum);
        assert_int_equal(sum, n * (n - 1) / 2);
    }
}

// A pause longer than the workers look around for: they sleep, and wake again.
static void test_after_sleep(void **state) {
    (void)state;
    ohmi_set_threads(3);
    for (int i = 0; i < 20; i++) {
        atomic_llong sum = 0;
        usleep(3000);
        ohmi_parallel(1000, 10, add, &sum);
        assert_int_equal(sum, 999 * 1000 / 2);
    }
}

static void *many_loops(void *context) {
    atomic_int *n_wrong = context;
    for (int i = 0; i < 500; i++) {
        atomic_llong sum = 0;
        ohmi_parallel(100, 7, add, &sum);
        atomic_fetch_add(n_wrong, sum != 4950);
    }
    return NULL;
}

// Loops from several threads at once: one has the pool, the others run theirs alone.
static void test_from_threads(void **state) {
    (void)state;
    pthread_t threads[4];
    atomic_int n_wrong = 0;
    ohmi_set_threads(3);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, many_loops, &n_wrong), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(n_wrong, 0);
}

// A child process has the memory of its parent's pool, but none of its threads.
static void test_fork(void **state) {
    (void)state;
#if defined(__SANITIZE_THREAD__)
    skip(); // ThreadSanitizer cannot start threads in a child
#endif
    ohmi_set_threads(3);
    check_loop(1000, 10);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        atomic_llong sum = 0;
        alarm(20); // a child that hangs dies
        for (int i = 0; i < 10; i++) {
            ohmi_parallel(1000, 10, add, &sum);
        }
        _exit(sum == 10 * (999 * 1000 / 2) ? 0 : 1);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
    check_loop(1000, 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_index_once), cmocka_unit_test(test_counts),
        cmocka_unit_test(test_side_by_side),     cmocka_unit_test(test_nested),
        cmocka_unit_test(test_many_small),       cmocka_unit_test(test_after_sleep),
        cmocka_unit_test(test_from_threads),     cmocka_unit_test(test_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
