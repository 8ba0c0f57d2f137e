// SPDX-License-Identifier: Apache-2.0
// Times the three convolution products of every supported kernel row on the layers of vgg16_bn
// widened by sqrt(1.5). One JSON line a measurement: shape, row, product, median and fastest
// seconds, processor seconds of all threads (which other programs disturb least), GFLOP/s of the
// median (2 N P Q K C R S floating-point operations, padding counted as
// work).
//
//     bench_kernels [batch [threads [row [seconds a measurement]]]]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/thread.h"
#include "kernel/kernel.h"

#define MOST_REPEATS 200

typedef struct {
    const char *name;
    int c, k, map, filter;
} layer;

static const layer g_layers[] = {
    {"conv0", 3, 78, 32, 3},      {"conv1", 78, 78, 32, 3},      {"conv2", 78, 156, 16, 3},
    {"conv3", 156, 156, 16, 3},   {"conv4", 156, 313, 8, 3},     {"conv5", 313, 313, 8, 3},
    {"conv7", 313, 627, 4, 3},    {"conv8", 627, 627, 4, 3},     {"conv10", 627, 627, 2, 3},
    {"linear0", 627, 5016, 1, 1}, {"linear1", 5016, 5016, 1, 1},
};

static const char *const g_products[] = {"forward", "backward_data", "backward_weight"};

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void fill(float *map, size_t count) {
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525U + 1013904223U;
        map[i] = (float)(state >> 8) / 8388608.0F - 1.0F;
    }
}

// times one product and prints its line
static void measure(const ohmi_kernels *row, const layer *l, const ohmi_conv *o, int product,
                    float *x, float *y, float *w, void *work, double budget_s) {
    double times[MOST_REPEATS];
    int n = 0;
    double spent = 0, cpu_s = 1e30;
    while (n < 2 || (n < MOST_REPEATS && spent < budget_s)) {
        const double start = now(CLOCK_MONOTONIC), start_cpu = now(CLOCK_PROCESS_CPUTIME_ID);
        if (product == 0) {
            row->forward(y, x, w, o, work);
        } else if (product == 1) {
            row->backward_data(x, y, w, o, work);
        } else {
            row->backward_weight(w, x, y, o, work);
        }
        times[n] = now(CLOCK_MONOTONIC) - start;
        const double cpu = now(CLOCK_PROCESS_CPUTIME_ID) - start_cpu;
        cpu_s = cpu < cpu_s ? cpu : cpu_s;
        spent += times[n];
        n++;
    }
    // the first call touches fresh memory and does not count
    qsort(times + 1, (size_t)n - 1, sizeof times[0], compare);
    const double median = times[1 + (n - 1) / 2];
    const double flops = 2.0 * o->n * o->p * o->q * o->k * (double)o->c * o->r * o->s;
    printf("{\"layer\": \"%s\", \"row\": \"%s\", \"product\": \"%s\", \"batch\": %d, \"c\": %d, "
           "\"k\": %d, \"map\": %d, \"threads\": %d, \"repeats\": %d, \"median_s\": %.6f, "
           "\"fastest_s\": %.6f, \"cpu_s\": %.6f, \"gflops\": %.1f}\n",
           l->name, row->name, g_products[product], o->n, o->c, o->k, o->h, ohmi_threads(), n - 1,
           median, times[1], cpu_s, flops / median * 1e-9);
    fflush(stdout);
}

int main(int argc, char **argv) {
    const int batch = argc > 1 ? atoi(argv[1]) : 32;
    const int threads = argc > 2 ? atoi(argv[2]) : 0;
    const char *only = argc > 3 ? argv[3] : "auto";
    const double budget_s = argc > 4 ? atof(argv[4]) : 0.2;
    const ohmi_kernels *row = ohmi_kernels_find(only);
    if (batch < 1 || row == NULL || budget_s <= 0) {
        fprintf(stderr, "usage: bench_kernels [batch [threads [row [seconds]]]]\n");
        return 2;
    }
    if (threads > 0) {
        ohmi_set_threads(threads);
    }
    for (size_t i = 0; i < sizeof g_layers / sizeof g_layers[0]; i++) {
        const layer *l = &g_layers[i];
        ohmi_conv o = {.n = batch, .c = l->c, .k = l->k, .h = l->map, .w = l->map};
        o.r = o.s = l->filter;
        o.stride = 1;
        o.pad = l->filter / 2;
        ohmi_conv_complete(&o);
        const size_t n_x = (size_t)o.h * (size_t)o.w * (size_t)o.n_pad * (size_t)o.c_pad;
        const size_t n_y = (size_t)o.p * (size_t)o.q * (size_t)o.n_pad * (size_t)o.k_pad;
        const size_t n_w = (size_t)o.k * (size_t)o.c * (size_t)o.r * (size_t)o.s;
        float *x = ohmi_alloc(n_x, sizeof(float));
        float *y = ohmi_alloc(n_y, sizeof(float));
        float *w = ohmi_alloc(n_w, sizeof(float));
        void *work = ohmi_alloc(row->workspace(&o) + 64, 1);
        if (x == NULL || y == NULL || w == NULL || work == NULL) {
            fprintf(stderr, "bench_kernels: out of memory\n");
            return 1;
        }
        for (int product = 0; product < 3; product++) {
            // each product from fresh data, so that values neither grow nor vanish
            fill(x, n_x);
            fill(y, n_y);
            fill(w, n_w);
            measure(row, l, &o, product, x, y, w, work, budget_s);
        }
        ohmi_free(x);
        ohmi_free(y);
        ohmi_free(w);
        ohmi_free(work);
    }
    return 0;
}
