// SPDX-License-Identifier: Apache-2.0
// Measured peaks; see peaks.h.
#include "kernel/peaks.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/simd.h"
#include "base/thread.h"

static const ohmi_peak *const g_peaks[] = {
#if defined(__x86_64__)
    &ohmi_peak_avx512, &ohmi_peak_vnni,          &ohmi_peak_avx2, &ohmi_peak_maddubs,
#endif
    &ohmi_peak_plain,  &ohmi_peak_plain_integer,
};

const ohmi_peak *const *ohmi_peaks_all(int *count) {
    *count = (int)(sizeof g_peaks / sizeof g_peaks[0]);
    return g_peaks;
}

const ohmi_peak *ohmi_peaks_find(bool is_integer) {
    int count = 0;
    const ohmi_peak *const *peaks = ohmi_peaks_all(&count);
    for (int i = 0; i < count; i++) {
        if (peaks[i]->is_integer == is_integer && peaks[i]->is_supported()) {
            return peaks[i];
        }
    }
    return NULL;
}

double ohmi_peak_products(const ohmi_peak *peak, int n_tries) {
    // about 5 ms a try: long beside the clock, short beside a turn of the scheduler
    int64_t n = 1000;
    float sink = 0;
    double best = 0;
    for (int i = 0; i < n_tries + 8; i++) {
        const double start = ohmi_thread_s();
        const int64_t products = peak->run(n, &sink);
        const double seconds = ohmi_thread_s() - start;
        if (seconds < 2e-3) {
            n *= 4;
            continue;
        }
        const double rate = (double)products / seconds;
        best = rate > best ? rate : best;
    }
    // a sum that is never this large, which the compiler does not know
    return sink > 1e30F ? 0 : best;
}

typedef struct {
    float *a;
    const float *b, *c;
    double sums[256];
} stream;

enum { GRAIN = 1 << 16 };

OHMI_SIMD static float sum_of(const float *a, int64_t n) {
    float sum[64] = {0};
    for (int64_t i = 0; i + 64 <= n; i += 64) {
        for (int lane = 0; lane < 64; lane++) {
            sum[lane] += a[i + lane];
        }
    }
    for (int lane = 1; lane < 64; lane++) {
        sum[0] += sum[lane];
    }
    return sum[0];
}

static void read_work(void *context, int64_t begin, int64_t end, int thread) {
    stream *s = context;
    s->sums[thread] += (double)sum_of(s->b + begin, end - begin);
}

OHMI_SIMD static void triad(float *a, const float *b, const float *c, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        a[i] = b[i] + 3.0F * c[i];
    }
}

static void triad_work(void *context, int64_t begin, int64_t end, int thread) {
    const stream *s = context;
    (void)thread;
    triad(s->a + begin, s->b + begin, s->c + begin, end - begin);
}

double ohmi_peak_read(const float *a, int64_t n, int n_tries) {
    stream s = {.b = a};
    double best = 0;
    for (int i = 0; i < n_tries; i++) {
        const double start = ohmi_process_s();
        ohmi_parallel(n, GRAIN, read_work, &s);
        const double rate = (double)n * sizeof(float) * ohmi_threads() / (ohmi_process_s() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

double ohmi_peak_triad(float *a, const float *b, const float *c, int64_t n, int n_tries) {
    stream s = {.a = a, .b = b, .c = c};
    double best = 0;
    for (int i = 0; i < n_tries; i++) {
        const double start = ohmi_process_s();
        ohmi_parallel(n, GRAIN, triad_work, &s);
        // the store's line is read before it is written: four lines a round
        const double rate =
            4.0 * (double)n * sizeof(float) * ohmi_threads() / (ohmi_process_s() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

static bool is_always(void) {
    return true;
}

enum { CHAINS = 16 };

static int64_t run_plain(int64_t n, float *sink) {
    float sum[CHAINS];
    const float x = 1.0F - *sink * 1e-20F;
    for (int i = 0; i < CHAINS; i++) {
        sum[i] = (float)i;
    }
    for (int64_t round = 0; round < n; round++) {
        for (int i = 0; i < CHAINS; i++) {
            sum[i] = sum[i] * x + x;
        }
    }
    for (int i = 0; i < CHAINS; i++) {
        *sink += sum[i] * 1e-30F;
    }
    return n * CHAINS;
}

static int64_t run_plain_integer(int64_t n, float *sink) {
    uint32_t sum[CHAINS];
    const uint32_t x = *sink > 1e30F ? 3 : 1;
    for (int i = 0; i < CHAINS; i++) {
        sum[i] = (uint32_t)i;
    }
    for (int64_t round = 0; round < n; round++) {
        for (int i = 0; i < CHAINS; i++) {
            sum[i] = sum[i] * x + (uint32_t)i;
        }
    }
    for (int i = 0; i < CHAINS; i++) {
        *sink += (float)(sum[i] & 1U) * 1e-30F;
    }
    return n * CHAINS;
}

const ohmi_peak ohmi_peak_plain = {"plain float32", false, is_always, run_plain};
const ohmi_peak ohmi_peak_plain_integer = {"plain integers", true, is_always, run_plain_integer};
