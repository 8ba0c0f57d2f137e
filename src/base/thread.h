// SPDX-License-Identifier: Apache-2.0
// Fork-join parallel loops. One process-wide thread count; nested loops run serially.
#ifndef OHMI_THREAD_H
#define OHMI_THREAD_H

#include <stdint.h>

// A piece of work: indices begin <= i < end, run as thread 0 .. ohmi_threads()-1.
typedef void ohmi_work(void *context, int64_t begin, int64_t end, int thread);

// Sets and reads the number of threads (1 .. 256). Default: the CPUs this process
// may run on when it is first asked for.
void ohmi_set_threads(int n_threads);
int ohmi_threads(void);

// Calls work over 0 .. n-1 in blocks of `grain` indices (the last may be shorter); which thread
// runs a block is unspecified, so a result must not depend on it. Returns when all blocks are done.
void ohmi_parallel(int64_t n, int64_t grain, ohmi_work *work, void *context);

#endif
