// SPDX-License-Identifier: Apache-2.0
// The three convolution products as plain loops: float products, double sums, in the order of the
// loops. This is what every other backend is tested against. Equations: kernel.h.
#include "kernel/kernel.h"

#include "base/thread.h"

typedef struct {
    float *out;
    const float *a, *b;
    const ohmi_conv *shape;
} job;

static bool is_supported(void) {
    return true;
}

static size_t workspace(const ohmi_conv *shape) {
    (void)shape;
    return 0;
}

// indices: (p, q, n) with n up to n_pad
static void forward_part(void *context, int64_t begin, int64_t end, int thread) {
    const job *j = context;
    const ohmi_conv *o = j->shape;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const int n = (int)(i % o->n_pad);
        const int q = (int)(i / o->n_pad % o->q);
        const int p = (int)(i / o->n_pad / o->q);
        float *y = j->out + i * o->k_pad;
        for (int k = 0; k < o->k_pad; k++) {
            double sum = 0;
            // padding rows and channels have no terms and stay zero
            const int n_rows = n < o->n && k < o->k ? o->r : 0;
            for (int r = 0; r < n_rows; r++) {
                const int h = p * o->stride + r - o->pad;
                for (int s = 0; s < o->s; s++) {
                    const int w = q * o->stride + s - o->pad;
                    if (h < 0 || h >= o->h || w < 0 || w >= o->w) {
                        continue;
                    }
                    const float *x = j->a + (((int64_t)h * o->w + w) * o->n_pad + n) * o->c_pad;
                    for (int c = 0; c < o->c; c++) {
                        const int64_t weight = (((int64_t)k * o->c + c) * o->r + r) * o->s + s;
                        sum += (double)(x[c] * j->b[weight]);
                    }
                }
            }
            y[k] = (float)sum;
        }
    }
}

// indices: (h, w, n) with n up to n_pad
static void backward_data_part(void *context, int64_t begin, int64_t end, int thread) {
    const job *j = context;
    const ohmi_conv *o = j->shape;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const int n = (int)(i % o->n_pad);
        const int w = (int)(i / o->n_pad % o->w);
        const int h = (int)(i / o->n_pad / o->w);
        float *dx = j->out + i * o->c_pad;
        for (int c = 0; c < o->c_pad; c++) {
            double sum = 0;
            const int n_rows = n < o->n && c < o->c ? o->r : 0;
            for (int r = 0; r < n_rows; r++) {
                const int y = h + o->pad - r;
                for (int s = 0; s < o->s; s++) {
                    const int x = w + o->pad - s;
                    // the outputs that read this input through tap (r, s)
                    if (y < 0 || x < 0 || y % o->stride != 0 || x % o->stride != 0 ||
                        y / o->stride >= o->p || x / o->stride >= o->q) {
                        continue;
                    }
                    const int64_t pixel = (int64_t)(y / o->stride) * o->q + x / o->stride;
                    const float *dy = j->a + (pixel * o->n_pad + n) * o->k_pad;
                    for (int k = 0; k < o->k; k++) {
                        const int64_t weight = (((int64_t)k * o->c + c) * o->r + r) * o->s + s;
                        sum += (double)(dy[k] * j->b[weight]);
                    }
                }
            }
            dx[c] = (float)sum;
        }
    }
}

// indices: (k, c, r, s)
static void backward_weight_part(void *context, int64_t begin, int64_t end, int thread) {
    const job *j = context;
    const ohmi_conv *o = j->shape;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const int s = (int)(i % o->s);
        const int r = (int)(i / o->s % o->r);
        const int c = (int)(i / o->s / o->r % o->c);
        const int k = (int)(i / o->s / o->r / o->c);
        double sum = 0;
        for (int p = 0; p < o->p; p++) {
            const int h = p * o->stride + r - o->pad;
            for (int q = 0; q < o->q; q++) {
                const int w = q * o->stride + s - o->pad;
                if (h < 0 || h >= o->h || w < 0 || w >= o->w) {
                    continue;
                }
                const float *x = j->a + ((int64_t)h * o->w + w) * o->n_pad * o->c_pad + c;
                const float *dy = j->b + ((int64_t)p * o->q + q) * o->n_pad * o->k_pad + k;
                for (int n = 0; n < o->n; n++) {
                    sum += (double)(x[(int64_t)n * o->c_pad] * dy[(int64_t)n * o->k_pad]);
                }
            }
        }
        j->out[i] = (float)sum;
    }
}

static void forward(float *y, const float *x, const float *w, const ohmi_conv *shape, void *work) {
    job j = {y, x, w, shape};
    (void)work;
    ohmi_parallel((int64_t)shape->p * shape->q * shape->n_pad, 1, forward_part, &j);
}

static void backward_data(float *dx, const float *dy, const float *w, const ohmi_conv *shape,
                          void *work) {
    job j = {dx, dy, w, shape};
    (void)work;
    ohmi_parallel((int64_t)shape->h * shape->w * shape->n_pad, 1, backward_data_part, &j);
}

static void backward_weight(float *dw, const float *x, const float *dy, const ohmi_conv *shape,
                            void *work) {
    job j = {dw, x, dy, shape};
    (void)work;
    ohmi_parallel((int64_t)shape->k * shape->c * shape->r * shape->s, 64, backward_weight_part, &j);
}

const ohmi_kernels ohmi_kernels_reference = {
    "reference",     "plain loops, any CPU, slow", is_supported, workspace, forward, backward_data,
    backward_weight,
};
