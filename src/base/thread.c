// SPDX-License-Identifier: Apache-2.0
// Fork-join parallel loops over a pool of POSIX threads; see thread.h.
//
// Blocks are handed out by an atomic counter, to the caller as well. A loop has a gate: while it is
// open, workers step in and take blocks; when no block is left the caller closes it and waits only
// for those inside. A worker that comes too late, because other programs had the cores, is not
// waited for. A worker that has run out of work looks for more for some microseconds, since the
// next loop of a training step comes at once, and then sleeps: on a busy machine waiting threads
// must not take the cores from working ones. A loop inside a loop, or from a second thread while
// the pool is busy, runs in the calling thread.
#include "base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "ohmwise/system.h"

enum { MAX_THREADS = 256, SPINS = 4000 };

static atomic_int n_chosen; // 0 = not asked for yet

// the loop being run; written by the caller while nobody is inside
static struct {
    ohmi_work *work;
    void *context;
    int64_t n, grain, n_blocks;
} loop;
static atomic_llong next_block;

// gate: number of the loop << 32 | whether it is open << 31 | workers inside
#define GATE_OPEN ((uint64_t)1 << 31)
#define GATE_INSIDE (GATE_OPEN - 1)
static _Atomic uint64_t gate;

static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER; // held by the thread that runs a loop
static pthread_mutex_t sleep_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;  // a gate has opened
static pthread_cond_t spare = PTHREAD_COND_INITIALIZER; // more threads are wanted than before
static atomic_int n_wanted;                             // threads of the loop, the caller too
static int n_workers;                                   // started so far; under busy
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

// Workspaces are sized once, a part for each thread: the count stays as it was first found, also
// where the process may later use more CPUs.
int ohmi_threads(void) {
    int n = atomic_load(&n_chosen);
    if (n == 0) {
        const int found = cpus();
        n = atomic_compare_exchange_strong(&n_chosen, &n, found) ? found : n;
    }
    return n;
}

void ohm_set_threads(int n_threads) {
    ohmi_set_threads(n_threads > 0 ? n_threads : cpus());
}

// takes blocks until there are none
static void run_blocks(int thread) {
    for (;;) {
        const int64_t block = atomic_fetch_add(&next_block, 1);
        if (block >= loop.n_blocks) {
            return;
        }
        const int64_t begin = block * loop.grain;
        const int64_t end = loop.n - begin < loop.grain ? loop.n : begin + loop.grain;
        loop.work(loop.context, begin, end, thread);
    }
}

static void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// true when a loop that this worker has not seen yet can be stepped into
static bool is_for(int thread, uint32_t seen) {
    const uint64_t now = atomic_load(&gate);
    return (now & GATE_OPEN) && (uint32_t)(now >> 32) != seen && thread < atomic_load(&n_wanted);
}

// looks for a loop, then sleeps until there is one
static void wait_for_loop(int thread, uint32_t seen) {
    for (int spin = 0; spin < SPINS; spin++) {
        if (is_for(thread, seen)) {
            return;
        }
        pause_briefly();
    }
    pthread_mutex_lock(&sleep_lock);
    while (!is_for(thread, seen)) {
        pthread_cond_wait(thread < atomic_load(&n_wanted) ? &wake : &spare, &sleep_lock);
    }
    pthread_mutex_unlock(&sleep_lock);
}

static void *worker(void *argument) {
    const int thread = (int)(intptr_t)argument;
    uint32_t seen = 0; // loops are counted from 1
    is_inside = true;
    for (;;) {
        wait_for_loop(thread, seen);

        // step in, unless the gate has been closed meanwhile
        uint64_t now = atomic_load(&gate);
        while ((now & GATE_OPEN) && !atomic_compare_exchange_weak(&gate, &now, now + 1)) {
        }
        if (!(now & GATE_OPEN)) {
            continue;
        }
        seen = (uint32_t)(now >> 32);
        if (thread < atomic_load(&n_wanted)) {
            run_blocks(thread);
        }
        atomic_fetch_sub(&gate, 1);
    }
    return NULL;
}

// a child process has the memory of the pool but none of its workers: it begins anew
static void after_fork_in_child(void) {
    (void)pthread_mutex_init(&busy, NULL);
    (void)pthread_mutex_init(&sleep_lock, NULL);
    (void)pthread_cond_init(&wake, NULL);
    (void)pthread_cond_init(&spare, NULL);
    atomic_store(&gate, 0);
    n_workers = 0;
    is_inside = false;
}

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void watch_forks(void) {
    (void)pthread_atfork(NULL, NULL, after_fork_in_child);
}

// has at least n workers, or as many as the system gives; the caller holds busy
static void start_workers(int n) {
    (void)pthread_once(&fork_once, watch_forks);
    while (n_workers < n && n_workers + 1 < MAX_THREADS) {
        pthread_t id;
        pthread_attr_t attributes;
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
    for (int64_t begin = 0; begin < n;) {
        const int64_t end = n - begin < grain ? n : begin + grain;
        work(context, begin, end, 0);
        begin = end;
    }
}

void ohmi_parallel(int64_t n, int64_t grain, ohmi_work *work, void *context) {
    const int64_t step = grain < 1 ? 1 : grain;
    const int64_t n_blocks = n < 1 ? 0 : (n - 1) / step + 1;
    const int n_threads = ohmi_threads();
    if (n_blocks < 2 || n_threads < 2 || is_inside || pthread_mutex_trylock(&busy) != 0) {
        run_serially(n, step, work, context);
        return;
    }

    // open the gate of a new loop
    start_workers(n_threads - 1);
    loop.work = work;
    loop.context = context;
    loop.n = n;
    loop.grain = step;
    loop.n_blocks = n_blocks;
    atomic_store(&next_block, 0);
    const bool is_more = n_threads > atomic_exchange(&n_wanted, n_threads);
    const uint32_t number = (uint32_t)(atomic_load(&gate) >> 32) + 1;
    atomic_store(&gate, (uint64_t)(number ? number : 1) << 32 | GATE_OPEN);
    pthread_mutex_lock(&sleep_lock);
    pthread_cond_broadcast(&wake);
    if (is_more) {
        pthread_cond_broadcast(&spare);
    }
    pthread_mutex_unlock(&sleep_lock);

    // take part, close the gate, wait for those inside
    is_inside = true;
    run_blocks(0);
    is_inside = false;
    atomic_fetch_and(&gate, ~GATE_OPEN);
    for (int spin = 0; (atomic_load(&gate) & GATE_INSIDE) > 0; spin++) {
        if (spin < SPINS) {
            pause_briefly();
        } else {
            sched_yield();
        }
    }
    pthread_mutex_unlock(&busy);
}
