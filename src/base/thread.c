// SPDX-License-Identifier: Apache-2.0
// Fork-join parallel loops over OpenMP; see thread.h.
#include "base/thread.h"

#include <omp.h>
#include <stdatomic.h>

#include "ohmwise/system.h"

static atomic_int n_chosen; // 0 = not set

// CPUs this process may run on (OpenMP reads the affinity mask)
static int cpus(void) {
    const int n = omp_get_num_procs();
    return n < 1 ? 1 : (n > 256 ? 256 : n);
}

void ohmi_set_threads(int n_threads) {
    atomic_store(&n_chosen, n_threads < 1 ? 1 : (n_threads > 256 ? 256 : n_threads));
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

void ohmi_parallel(int64_t n, int64_t grain, ohmi_work *work, void *context) {
    const int64_t step = grain < 1 ? 1 : grain;
    const int64_t n_blocks = (n + step - 1) / step;
    const int n_threads = ohmi_threads();
    if (n_blocks < 2 || n_threads < 2 || omp_in_parallel()) {
        for (int64_t block = 0; block < n_blocks; block++) {
            const int64_t end = (block + 1) * step;
            work(context, block * step, end < n ? end : n, 0);
        }
        return;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_threads)
    for (int64_t block = 0; block < n_blocks; block++) {
        const int64_t end = (block + 1) * step;
        work(context, block * step, end < n ? end : n, omp_get_thread_num());
    }
}
