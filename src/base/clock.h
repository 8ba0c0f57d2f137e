// SPDX-License-Identifier: Apache-2.0
// Seconds of the clock that never jumps, to measure how long something took.
#ifndef OHMI_CLOCK_H
#define OHMI_CLOCK_H

#include <time.h>

static inline double ohmi_now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
