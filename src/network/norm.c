// SPDX-License-Identifier: Apache-2.0
// Batch norm or bias, residual sum, ReLU and activation quantiser; equations in norm.h.
//
// Sums run over chunks of pixels that depend on the shape only, in double, and the chunks are added
// in order: the result does not depend on the number of threads.
#include "network/norm.h"

#include <math.h>
#include <string.h>

#include "base/simd.h"
#include "base/thread.h"

enum { MAX_CHUNKS = 64, ROWS_AT_ONCE = 16 };
static const double epsilon = 1e-5;

typedef struct {
    ohmi_network *network;
    ohmi_node *node;
    const float *x;        // input value           (h, w, n_pad, c_pad)
    const float *residual; // residual value, or NULL
    float residual_step;
    float *dx; // backward: g, then the gradient of the input
    float *d_residual;
    bool add_residual;
    int n;
    int64_t n_pixels, chunk;
    float clip, inverse_step;
    const float *k0, *k1, *k2; // backward: dx = k0 g + k1 x + k2     (c_pad)
} job;

static int64_t chunk_of(int64_t n_pixels) {
    return (n_pixels + MAX_CHUNKS - 1) / MAX_CHUNKS;
}

// adds the rows' sums and sums of squares to sum[0 .. c) and sum[c .. 2c)
OHMI_SIMD static void add_moments(double *sum, const float *x, int n_rows, int64_t c) {
    for (int64_t i = 0; i < c; i++) {
        float s = 0;
        double square = 0;
        for (int r = 0; r < n_rows; r++) {
            const float v = x[r * c + i];
            s += v;
            square += (double)v * (double)v;
        }
        sum[i] += (double)s;
        sum[c + i] += square;
    }
}

static void moments_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const int64_t c = j->node->c_pad;
    const int64_t map = (int64_t)j->network->n_pad * c;
    for (int64_t chunk = begin; chunk < end; chunk++) {
        double *sum = j->network->partial + chunk * 2 * c;
        memset(sum, 0, (size_t)(2 * c) * sizeof *sum);
        const int64_t last =
            (chunk + 1) * j->chunk < j->n_pixels ? (chunk + 1) * j->chunk : j->n_pixels;
        for (int64_t pixel = chunk * j->chunk; pixel < last; pixel++) {
            for (int row = 0; row < j->n; row += ROWS_AT_ONCE) {
                const int n_rows = j->n - row < ROWS_AT_ONCE ? j->n - row : ROWS_AT_ONCE;
                add_moments(sum, j->x + pixel * map + row * c, n_rows, c);
            }
        }
    }
}

// adds the chunks in order into the first one
static void add_chunks(double *partial, int64_t n_chunks, int64_t width) {
    for (int64_t chunk = 1; chunk < n_chunks; chunk++) {
        for (int64_t i = 0; i < width; i++) {
            partial[i] += partial[chunk * width + i];
        }
    }
}

// y = a x + b (+ residual), optionally clipped at zero
OHMI_SIMD static void affine(float *y, const float *x, const float *a, const float *b,
                             const float *residual, float residual_step, bool has_relu, int64_t c) {
    if (residual) {
        for (int64_t i = 0; i < c; i++) {
            y[i] = a[i] * x[i] + b[i] + residual[i] * residual_step;
        }
    } else {
        for (int64_t i = 0; i < c; i++) {
            y[i] = a[i] * x[i] + b[i];
        }
    }
    if (has_relu) {
        for (int64_t i = 0; i < c; i++) {
            y[i] = y[i] > 0 ? y[i] : 0;
        }
    }
}

static void apply_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_node *node = j->node;
    const int64_t c = node->c_pad, n_pad = j->network->n_pad;
    for (int64_t pixel = begin; pixel < end; pixel++) {
        for (int64_t row = 0; row < j->n; row++) {
            const int64_t at = (pixel * n_pad + row) * c;
            affine(node->value + at, j->x + at, node->a, node->b,
                   j->residual ? j->residual + at : NULL, j->residual_step, node->has_relu, c);
            if (j->inverse_step > 0) {
                ohmi_grid_round_activations(node->value + at, node->value + at, c, j->inverse_step,
                                            &j->network->activation_grid);
            }
        }
        memset(node->value + (pixel * n_pad + j->n) * c, 0,
               (size_t)((n_pad - j->n) * c) * sizeof(float));
    }
}

// a clip from the first batch of a task: three times the root mean square of the positive values
static float calibrated_clip(const ohmi_network *network, const ohmi_node *node, int n) {
    double square = 0, count = 0;
    const int64_t c = node->c_pad, n_pad = network->n_pad;
    for (int64_t pixel = 0; pixel < (int64_t)node->h * node->w; pixel++) {
        const float *y = node->value + pixel * n_pad * c;
        for (int64_t i = 0; i < n * c; i++) {
            if (y[i] > 0) {
                square += (double)y[i] * (double)y[i];
                count += 1;
            }
        }
    }
    return count > 0 && square > 0 ? (float)(3.0 * sqrt(square / count)) : 1.0f;
}

void ohmi_norm_forward(ohmi_network *network, ohmi_node *node, int n, ohmi_mode mode,
                       float momentum) {
    const ohmi_node *input = &network->nodes[node->input];
    ohmi_task_parameters *task = network->task;
    const ohmi_node *residual = node->residual >= 0 ? &network->nodes[node->residual] : NULL;
    job j = {.network = network, .node = node, .x = input->value, .n = n};
    j.residual = residual ? residual->value : NULL;
    j.residual_step = residual ? residual->step : 0;
    j.n_pixels = (int64_t)node->h * node->w;
    j.chunk = chunk_of(j.n_pixels);
    const int64_t n_chunks = (j.n_pixels + j.chunk - 1) / j.chunk;
    const double s = (double)input->step, count = (double)j.n_pixels * n;

    // pass 1: statistics of the batch
    if (node->has_batchnorm && mode == OHMI_MODE_TRAIN) {
        ohmi_parallel(n_chunks, 1, moments_work, &j);
        add_chunks(network->partial, n_chunks, 2 * (int64_t)node->c_pad);
    }

    // the affine map of every channel
    for (int i = 0; i < node->c; i++) {
        double a = s, b = 0;
        if (node->has_batchnorm) {
            const double gamma = (double)task->trainable[node->gamma + i];
            const double beta = (double)task->trainable[node->beta + i];
            double mean, variance;
            if (mode == OHMI_MODE_TRAIN) {
                mean = s * network->partial[i] / count;
                variance = s * s * network->partial[node->c_pad + i] / count - mean * mean;
                variance = variance > 0 ? variance : 0;
                float *running = task->statistics;
                const double unbiased = count > 1 ? variance * count / (count - 1) : variance;
                running[node->mean + i] +=
                    momentum * (float)(mean - (double)running[node->mean + i]);
                running[node->variance + i] +=
                    momentum * (float)(unbiased - (double)running[node->variance + i]);
            } else {
                mean = (double)task->statistics[node->mean + i];
                variance = (double)task->statistics[node->variance + i];
            }
            const double inverse = 1.0 / sqrt(variance + epsilon);
            node->centre[i] = (float)mean;
            node->inverse_deviation[i] = (float)inverse;
            a = gamma * inverse * s;
            b = beta - gamma * inverse * mean;
        } else if (node->has_bias) {
            b = (double)task->trainable[node->bias + i];
        }
        node->a[i] = (float)a;
        node->b[i] = (float)b;
    }

    // pass 2: apply; a clip that is not set yet is taken from this batch
    const bool quantised = node->is_quantised && network->activation_grid.n_levels > 0;
    node->step = 1;
    if (quantised) {
        float *clip = &task->trainable[node->clip];
        if (!(*clip > 0)) {
            ohmi_parallel(j.n_pixels, 1, apply_work, &j);
            *clip = calibrated_clip(network, node, n);
        }
        node->step = *clip / network->activation_grid.top;
        j.inverse_step = 1.0f / node->step;
    }
    ohmi_parallel(j.n_pixels, 1, apply_work, &j);
}

// g of one row, its sums by channel, and the clip's gradient in sum[2c]
OHMI_SIMD static void gate(float *g, double *sum, const float *dy, const float *x, const float *y,
                           const job *j, const float *residual, int64_t c) {
    const ohmi_node *node = j->node;
    const float *a = node->a, *b = node->b;
    const float clip = j->clip, step = node->step, residual_step = j->residual_step;
    double dclip = 0;
    if (!node->has_relu) {
        for (int64_t i = 0; i < c; i++) {
            g[i] = dy[i];
        }
    } else if (j->inverse_step > 0) {
        for (int64_t i = 0; i < c; i++) {
            float pre = a[i] * x[i] + b[i];
            pre += residual ? residual[i] * residual_step : 0.0f;
            const float inside = pre > 0 && pre < clip ? dy[i] : 0.0f;
            const float error = dy[i] * (y[i] * step - pre) / clip;
            dclip += (double)(pre >= clip ? dy[i] : (pre > 0 ? error : 0.0f));
            g[i] = inside;
        }
    } else {
        for (int64_t i = 0; i < c; i++) {
            g[i] = y[i] > 0 ? dy[i] : 0.0f;
        }
    }
    for (int64_t i = 0; i < c; i++) {
        sum[i] += (double)g[i];
        sum[c + i] += (double)g[i] * (double)x[i];
    }
    sum[2 * c] += dclip;
}

static void gate_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_node *node = j->node;
    const int64_t c = node->c_pad, n_pad = j->network->n_pad;
    for (int64_t chunk = begin; chunk < end; chunk++) {
        double *sum = j->network->partial + chunk * (2 * c + 1);
        memset(sum, 0, (size_t)(2 * c + 1) * sizeof *sum);
        const int64_t last =
            (chunk + 1) * j->chunk < j->n_pixels ? (chunk + 1) * j->chunk : j->n_pixels;
        for (int64_t pixel = chunk * j->chunk; pixel < last; pixel++) {
            for (int64_t row = 0; row < j->n; row++) {
                const int64_t at = (pixel * n_pad + row) * c;
                gate(j->dx + at, sum, node->gradient + at, j->x + at, node->value + at, j,
                     j->residual ? j->residual + at : NULL, c);
            }
            memset(j->dx + (pixel * n_pad + j->n) * c, 0,
                   (size_t)((n_pad - j->n) * c) * sizeof(float));
        }
    }
}

OHMI_SIMD static void finish_row(float *dx, float *d_residual, bool add, const float *x,
                                 const float *k0, const float *k1, const float *k2, int64_t c) {
    if (d_residual && add) {
        for (int64_t i = 0; i < c; i++) {
            d_residual[i] += dx[i];
        }
    } else if (d_residual) {
        memcpy(d_residual, dx, (size_t)c * sizeof *dx);
    }
    if (k0) {
        for (int64_t i = 0; i < c; i++) {
            dx[i] = k0[i] * dx[i] + k1[i] * x[i] + k2[i];
        }
    }
}

static void finish_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const int64_t c = j->node->c_pad, n_pad = j->network->n_pad;
    for (int64_t pixel = begin; pixel < end; pixel++) {
        for (int64_t row = 0; row < n_pad; row++) {
            const int64_t at = (pixel * n_pad + row) * c;
            finish_row(j->dx + at, j->d_residual ? j->d_residual + at : NULL, j->add_residual,
                       j->x + at, row < j->n ? j->k0 : NULL, j->k1, j->k2, c);
        }
    }
}

void ohmi_norm_backward(ohmi_network *network, ohmi_node *node, int n, float *dx, float *d_residual,
                        bool add_residual) {
    const ohmi_node *input = &network->nodes[node->input];
    const ohmi_node *residual = node->residual >= 0 ? &network->nodes[node->residual] : NULL;
    const ohmi_task_parameters *task = network->task;
    const int64_t c = node->c_pad;
    job j = {.network = network, .node = node, .x = input->value, .n = n, .dx = dx};
    j.residual = residual ? residual->value : NULL;
    j.residual_step = residual ? residual->step : 0;
    j.d_residual = d_residual;
    j.add_residual = add_residual;
    j.n_pixels = (int64_t)node->h * node->w;
    j.chunk = chunk_of(j.n_pixels);
    const int64_t n_chunks = (j.n_pixels + j.chunk - 1) / j.chunk;
    const double s = (double)input->step, count = (double)j.n_pixels * n;
    const bool quantised = node->is_quantised && network->activation_grid.n_levels > 0;
    if (quantised) {
        j.clip = task->trainable[node->clip];
        j.inverse_step = 1.0f / node->step;
    }

    // pass 1: g and its sums
    ohmi_parallel(n_chunks, 1, gate_work, &j);
    add_chunks(network->partial, n_chunks, 2 * c + 1);
    const double *sum = network->partial;
    if (quantised) {
        const double scale = sqrt(count * node->c * (double)network->activation_grid.top);
        network->d_trainable[node->clip] = (float)(sum[2 * c] / scale);
    }

    // gradients of the parameters, and dx = k0 g + k1 x + k2 with x in units of the convolution
    float *k0 = network->scratch_channels, *k1 = k0 + c, *k2 = k1 + c;
    memset(k0, 0, (size_t)(3 * c) * sizeof *k0);
    for (int i = 0; i < node->c; i++) {
        if (node->has_batchnorm) {
            const double inverse = (double)node->inverse_deviation[i];
            const double mean = (double)node->centre[i];
            const double dbeta = sum[i];
            const double dgamma = (s * sum[c + i] - mean * sum[i]) * inverse;
            const double scale = (double)task->trainable[node->gamma + i] * inverse;
            network->d_trainable[node->beta + i] = (float)dbeta;
            network->d_trainable[node->gamma + i] = (float)dgamma;
            k0[i] = (float)scale;
            k1[i] = (float)(-scale * dgamma * inverse * s / count);
            k2[i] = (float)(scale * (dgamma * inverse * mean - dbeta) / count);
        } else if (node->has_bias) {
            network->d_trainable[node->bias + i] = (float)sum[i];
        }
    }

    // pass 2: the gradient of the input, and g to the residual
    if (node->has_batchnorm || d_residual) {
        j.k0 = node->has_batchnorm ? k0 : NULL;
        j.k1 = k1;
        j.k2 = k2;
        ohmi_parallel(j.n_pixels, 1, finish_work, &j);
    }
}
