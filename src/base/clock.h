// SPDX-License-Identifier: Apache-2.0
// Seconds, to measure how long something took: of the clock that never jumps, and of the processor,
// which others that keep it busy do not lengthen.
#ifndef OHMI_CLOCK_H
#define OHMI_CLOCK_H

#include <time.h>

static inline double ohmi_clock_s(clockid_t clock) {
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline double ohmi_now_s(void) {
    return ohmi_clock_s(CLOCK_MONOTONIC);
}

// of all threads of this process
static inline double ohmi_process_s(void) {
    return ohmi_clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

// of this thread
static inline double ohmi_thread_s(void) {
    return ohmi_clock_s(CLOCK_THREAD_CPUTIME_ID);
}

#endif
