// SPDX-License-Identifier: Apache-2.0
// Times the three convolution products of kernel rows on the layers of vgg16_bn widened by
// sqrt(1.5). Several rows, named with commas between, are timed in turn, repeat by repeat, so that
// their ratios hold on a busy machine too. One JSON line a measurement: shape, row, product, median
// and fastest seconds, least processor seconds of all threads (which other programs disturb least)
// and the first row's over them, GFLOP/s of the median (2 N P Q K C R S floating-point operations,
// whatever the algorithm, padding counted as work).
//
//     bench_kernels [batch [threads [rows [seconds a measurement]]]]
//     bench_kernels 32 1 avx512-direct,avx512-winograd
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/thread.h"
#include "kernel/kernel.h"
#include "kernel/variants.h"

#define MOST_REPEATS 200
#define MOST_ROWS 8

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

// one call of a product
static void call(const ohmi_kernels *row, const ohmi_conv *o, int product, float *x, float *y,
                 float *w, void *work) {
    if (product == 0) {
        row->forward(y, x, w, o, work);
    } else if (product == 1) {
        row->backward_data(x, y, w, o, work);
    } else {
        row->backward_weight(w, x, y, o, work);
    }
}

// times one product by all rows in turn and prints their lines
static void measure(const ohmi_kernels *const *rows, int n_rows, const layer *l, const ohmi_conv *o,
                    int product, float *x, float *y, float *w, void *work, double budget_s) {
    static double times[MOST_ROWS][MOST_REPEATS];
    double cpu_s[MOST_ROWS] = {0};
    int n = 0;
    double spent = 0;
    while (n < 2 || (n < MOST_REPEATS && spent < budget_s * n_rows)) {
        for (int i = 0; i < n_rows; i++) {
            const double start = now(CLOCK_MONOTONIC), start_cpu = now(CLOCK_PROCESS_CPUTIME_ID);
            call(rows[i], o, product, x, y, w, work);
            times[i][n] = now(CLOCK_MONOTONIC) - start;
            const double cpu = now(CLOCK_PROCESS_CPUTIME_ID) - start_cpu;
            cpu_s[i] = n == 0 || cpu < cpu_s[i] ? cpu : cpu_s[i];
            spent += times[i][n];
        }
        n++;
    }
    const double flops = 2.0 * o->n * o->p * o->q * o->k * (double)o->c * o->r * o->s;
    for (int i = 0; i < n_rows; i++) {
        // the first call touches fresh memory and does not count
        qsort(times[i] + 1, (size_t)n - 1, sizeof times[i][0], compare);
        const double median = times[i][1 + (n - 1) / 2];
        printf("{\"layer\": \"%s\", \"row\": \"%s\", \"product\": \"%s\", \"batch\": %d, "
               "\"c\": %d, \"k\": %d, \"map\": %d, \"threads\": %d, \"repeats\": %d, "
               "\"median_s\": %.6f, \"fastest_s\": %.6f, \"cpu_s\": %.6f, \"cpu_ratio\": %.3f, "
               "\"gflops\": %.1f}\n",
               l->name, rows[i]->name, g_products[product], o->n, o->c, o->k, o->h, ohmi_threads(),
               n - 1, median, times[i][1], cpu_s[i], cpu_s[0] / cpu_s[i], flops / median * 1e-9);
    }
    fflush(stdout);
}

// a row of the table, or one that always takes the same algorithm; NULL when unknown
static const ohmi_kernels *find(const char *name) {
#if OHMI_HAVE_X86_KERNELS
    static const ohmi_kernels *const variants[] = {
        &ohmi_kernels_avx512_direct, &ohmi_kernels_avx512_winograd, &ohmi_kernels_avx2_direct,
        &ohmi_kernels_avx2_winograd};
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        if (strcmp(variants[i]->name, name) == 0) {
            return variants[i]->is_supported() ? variants[i] : NULL;
        }
    }
#endif
    return ohmi_kernels_find(name);
}

// fills rows from names with commas between; returns their number, 0 when one is unknown
static int find_rows(const ohmi_kernels **rows, const char *names) {
    int n = 0;
    while (n < MOST_ROWS) {
        char name[64];
        const size_t length = strcspn(names, ",");
        if (length >= sizeof name) {
            return 0;
        }
        memcpy(name, names, length);
        name[length] = 0;
        rows[n] = find(name);
        if (rows[n++] == NULL) {
            return 0;
        }
        if (names[length] == 0) {
            return n;
        }
        names += length + 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    const int batch = argc > 1 ? atoi(argv[1]) : 32;
    const int threads = argc > 2 ? atoi(argv[2]) : 0;
    const double budget_s = argc > 4 ? atof(argv[4]) : 0.2;
    const ohmi_kernels *rows[MOST_ROWS];
    const int n_rows = find_rows(rows, argc > 3 ? argv[3] : "auto");
    if (batch < 1 || n_rows == 0 || budget_s <= 0) {
        fprintf(stderr, "usage: bench_kernels [batch [threads [row,row,... [seconds]]]]\n");
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
        size_t n_work = 64;
        for (int row = 0; row < n_rows; row++) {
            const size_t bytes = rows[row]->workspace(&o);
            n_work = bytes > n_work ? bytes : n_work;
        }
        float *x = ohmi_alloc(n_x, sizeof(float));
        float *y = ohmi_alloc(n_y, sizeof(float));
        float *w = ohmi_alloc(n_w, sizeof(float));
        void *work = ohmi_alloc(n_work, 1);
        if (x == NULL || y == NULL || w == NULL || work == NULL) {
            fprintf(stderr, "bench_kernels: out of memory\n");
            return 1;
        }
        for (int product = 0; product < 3; product++) {
            // each product from fresh data, so that values neither grow nor vanish
            fill(x, n_x);
            fill(y, n_y);
            fill(w, n_w);
            measure(rows, n_rows, l, &o, product, x, y, w, work, budget_s);
        }
        ohmi_free(x);
        ohmi_free(y);
        ohmi_free(w);
        ohmi_free(work);
    }
    return 0;
}
