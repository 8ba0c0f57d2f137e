// SPDX-License-Identifier: Apache-2.0
// Fork-join parallel loops over a pool of POSIX threads; see thread.h.
//
// Blocks are handed out by an atomic counter, to the caller as well. A worker that has run out of
// work looks for more for some microseconds, since the next loop of a training step comes at once,
// and then sleeps: on a busy machine waiting threads must not take the cores from working ones. A
// loop inside a loop, or from a second thread while the pool is busy, runs in the calling thread.
#include "base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "ohmwise/system.h"

enum { MAX_THREADS = 256, SPINS = 4000 };

static atomic_int n_chosen; // 0 = as many as CPUs

// the loop being run; written by the caller before the generation moves on
static struct {
    ohmi_work *work;
    void *context;
    int64_t n, grain, n_blocks;
    int n_threads;
} loop;

static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER; // held by the thread that runs a loop
static pthread_mutex_t sleep_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static unsigned born[MAX_THREADS]; // generation at which a worker started
static int n_workers;              // started so far; under busy
static atomic_llong next_block;
static atomic_uint generation; // odd and even alike: a new number is a new loop
static atomic_int n_running;   // workers that have not finished the loop
static _Thread_local bool is_inside;

static int cpus(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    const int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 1 ? 1 : (n > MAX_THREADS ? MAX_THREADS : n);
}

void ohmi_set_threads(int n_threads) {
    atomic_store(&n_chosen,
                 n_threads < 1 ? 1 : (n_threads > MAX_THREADS ? MAX_THREADS : n_threads));
}

int ohmi_threads(void) {
    const int n = atomic_load(&n_chosen);
    return n > 0 ? n : cpus();
}

void ohm_set_threads(int n_threads) {
    if (n_threads > 0) {
        ohmi_set_threads(n_threads);
    } else {
        atomic_store(&n_chosen, 0);
    }
}

// takes blocks until there are none
static void run_blocks(int thread) {
    for (;;) {
        const int64_t block = atomic_fetch_add(&next_block, 1);
        if (block >= loop.n_blocks) {
            return;
        }
        const int64_t end = (block + 1) * loop.grain;
        loop.work(loop.context, block * loop.grain, end < loop.n ? end : loop.n, thread);
    }
}

static void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void *worker(void *argument) {
    const int thread = (int)(intptr_t)argument;
    unsigned seen = born[thread];
    is_inside = true;
    for (;;) {
        // look for a new loop, then sleep until there is one
        unsigned now = atomic_load(&generation);
        for (int spin = 0; now == seen && spin < SPINS; spin++) {
            pause_briefly();
            now = atomic_load(&generation);
        }
        if (now == seen) {
            pthread_mutex_lock(&sleep_lock);
            while ((now = atomic_load(&generation)) == seen) {
                pthread_cond_wait(&wake, &sleep_lock);
            }
            pthread_mutex_unlock(&sleep_lock);
        }
        seen = now;
        if (thread < loop.n_threads) {
            run_blocks(thread);
        }
        atomic_fetch_sub(&n_running, 1);
    }
    return NULL;
}

// has at least n workers, or as many as the system gives; the caller holds busy
static void start_workers(int n) {
    while (n_workers < n && n_workers + 1 < MAX_THREADS) {
        pthread_t id;
        pthread_attr_t attributes;
        born[n_workers + 1] = atomic_load(&generation);
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        const int failed =
            pthread_create(&id, &attributes, worker, (void *)(intptr_t)(n_workers + 1));
        pthread_attr_destroy(&attributes);
        if (failed) {
            return;
        }
        n_workers++;
    }
}

static void run_serially(int64_t n, int64_t grain, ohmi_work *work, void *context) {
    for (int64_t begin = 0; begin < n; begin += grain) {
        work(context, begin, n - begin < grain ? n : begin + grain, 0);
    }
}

void ohmi_parallel(int64_t n, int64_t grain, ohmi_work *work, void *context) {
    const int64_t step = grain < 1 ? 1 : grain;
    const int64_t n_blocks = n / step + (n % step != 0);
    const int n_threads = ohmi_threads();
    if (n_blocks < 2 || n_threads < 2 || is_inside || pthread_mutex_trylock(&busy) != 0) {
        run_serially(n, step, work, context);
        return;
    }

    // announce the loop
    start_workers(n_threads - 1);
    loop.work = work;
    loop.context = context;
    loop.n = n;
    loop.grain = step;
    loop.n_blocks = n_blocks;
    loop.n_threads = n_threads;
    atomic_store(&next_block, 0);
    atomic_store(&n_running, n_workers);
    pthread_mutex_lock(&sleep_lock);
    atomic_fetch_add(&generation, 1);
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&sleep_lock);

    // take part, then wait for the others
    is_inside = true;
    run_blocks(0);
    is_inside = false;
    for (int spin = 0; atomic_load(&n_running) > 0; spin++) {
        if (spin < SPINS) {
            pause_briefly();
        } else {
            sched_yield();
        }
    }
    pthread_mutex_unlock(&busy);
}
