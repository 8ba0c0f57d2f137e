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
#include "network/whole.h"

// rows are added in float at most ROWS_AT_ONCE at a time, then in double
enum { MAX_CHUNKS = 64, ROWS_AT_ONCE = 32, LANES = 16 };
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

// adds the sums and sums of squares of n_rows rows to sum[0 .. c) and sum[c .. 2c); lanes of 16
// channels stay in registers over the rows
OHMI_SIMD static void add_moments(double *sum, const float *x, int64_t n_rows, int64_t c) {
    for (int64_t i = 0; i < c; i += LANES) {
        float s[LANES] = {0}, square[LANES] = {0};
        for (int64_t r = 0; r < n_rows; r++) {
            const float *v = x + r * c + i;
            for (int lane = 0; lane < LANES; lane++) {
                s[lane] += v[lane];
                square[lane] += v[lane] * v[lane];
            }
        }
        for (int lane = 0; lane < LANES; lane++) {
            sum[i + lane] += (double)s[lane];
            sum[c + i + lane] += (double)square[lane];
        }
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
            for (int64_t row = 0; row < j->n; row += ROWS_AT_ONCE) {
                const int64_t n_rows = j->n - row < ROWS_AT_ONCE ? j->n - row : ROWS_AT_ONCE;
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
            // NaN stays, so that the loss shows it
            y[i] = y[i] < 0 ? 0 : y[i];
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
static float calibrated_clip(ohmi_network *network, const ohmi_node *node, int n) {
    double sum[2] = {0}; // of the squares; how many
    const int64_t c = node->c_pad, n_pad = network->n_pad;
    for (int64_t pixel = 0; pixel < (int64_t)node->h * node->w; pixel++) {
        const float *y = node->value + pixel * n_pad * c;
        for (int64_t i = 0; i < n * c; i++) {
            if (y[i] > 0) {
                sum[0] += (double)y[i] * (double)y[i];
                sum[1] += 1;
            }
        }
    }
    ohmi_whole_sum(network, sum, 2);
    return sum[1] > 0 && sum[0] > 0 ? (float)(3.0 * sqrt(sum[0] / sum[1])) : 1.0f;
}

// the affine map of channel i: y = a x + b with x in units of s
static void set_map(const ohmi_network *network, ohmi_node *node, int i, double s, double mean,
                    double variance) {
    const double gamma = (double)network->task->trainable[node->gamma + i];
    const double beta = (double)network->task->trainable[node->beta + i];
    const double inverse = 1.0 / sqrt(variance + epsilon);
    node->centre[i] = (float)mean;
    node->inverse_deviation[i] = (float)inverse;
    node->a[i] = (float)(gamma * inverse * s);
    node->b[i] = (float)(beta - gamma * inverse * mean);
}

// the maps of a batch from its sums, which the running statistics follow
static void map_of_batch(ohmi_network *network, ohmi_node *node, double s, double count,
                         float momentum) {
    float *running = network->task->statistics;
    for (int i = 0; i < node->c; i++) {
        const double mean = s * network->partial[i] / count;
        double variance = s * s * network->partial[node->c_pad + i] / count - mean * mean;
        variance = variance > 0 ? variance : 0;
        const double unbiased = count > 1 ? variance * count / (count - 1) : variance;
        running[node->mean + i] += momentum * (float)(mean - (double)running[node->mean + i]);
        running[node->variance + i] +=
            momentum * (float)(unbiased - (double)running[node->variance + i]);
        set_map(network, node, i, s, mean, variance);
    }
}

void ohmi_norm_map(const ohmi_network *network, ohmi_node *node) {
    const ohmi_task_parameters *task = network->task;
    const double s = (double)network->nodes[node->input].step;
    for (int i = 0; i < node->c; i++) {
        if (node->has_batchnorm) {
            set_map(network, node, i, s, (double)task->statistics[node->mean + i],
                    (double)task->statistics[node->variance + i]);
        } else {
            node->a[i] = (float)s;
            node->b[i] = node->has_bias ? task->trainable[node->bias + i] : 0.0f;
        }
    }
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
    const double s = (double)input->step;
    const double count = (double)(j.n_pixels * ohmi_whole_images(network, n));

    // pass 1: statistics of the batch
    if (node->has_batchnorm && mode == OHMI_MODE_TRAIN) {
        ohmi_parallel(n_chunks, 1, moments_work, &j);
        add_chunks(network->partial, n_chunks, 2 * (int64_t)node->c_pad);
        ohmi_whole_sum(network, network->partial, 2 * (int64_t)node->c_pad);
    }

    // the affine map of every channel
    if (node->has_batchnorm && mode == OHMI_MODE_TRAIN) {
        map_of_batch(network, node, s, count, momentum);
    } else {
        ohmi_norm_map(network, node);
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

// g of n_rows rows at `at`, its sums by channel, and the clip's gradient in sum[2c]
OHMI_SIMD static void gate(const job *j, double *sum, int64_t at, int64_t n_rows, int64_t c) {
    const ohmi_node *node = j->node;
    const float clip = j->clip, step = node->step, residual_step = j->residual_step;
    const float inverse_clip = j->clip > 0 ? 1.0f / clip : 0.0f;
    const bool clips = j->inverse_step > 0, gates = node->has_relu;
    double dclip = 0;
    for (int64_t i = 0; i < c; i += LANES) {
        const float *a = node->a + i, *b = node->b + i;
        float s[LANES] = {0}, product[LANES] = {0}, excess[LANES] = {0};
        for (int64_t r = 0; r < n_rows; r++) {
            const int64_t place = at + r * c + i;
            const float *x = j->x + place, *y = node->value + place, *dy = node->gradient + place;
            float *g = j->dx + place;
            if (gates && clips) {
                float pre[LANES];
                for (int lane = 0; lane < LANES; lane++) {
                    pre[lane] = a[lane] * x[lane] + b[lane];
                }
                if (j->residual) {
                    for (int lane = 0; lane < LANES; lane++) {
                        pre[lane] += j->residual[place + lane] * residual_step;
                    }
                }
                for (int lane = 0; lane < LANES; lane++) {
                    const float error = (y[lane] * step - pre[lane]) * inverse_clip;
                    const float slope = pre[lane] >= clip ? 1.0f : error;
                    excess[lane] += pre[lane] > 0 ? dy[lane] * slope : 0.0f;
                    g[lane] = pre[lane] > 0 && pre[lane] < clip ? dy[lane] : 0.0f;
                }
            } else if (gates) {
                for (int lane = 0; lane < LANES; lane++) {
                    g[lane] = y[lane] > 0 ? dy[lane] : 0.0f;
                }
            } else {
                memcpy(g, dy, LANES * sizeof *g);
            }
            for (int lane = 0; lane < LANES; lane++) {
                s[lane] += g[lane];
                product[lane] += g[lane] * x[lane];
            }
        }
        for (int lane = 0; lane < LANES; lane++) {
            sum[i + lane] += (double)s[lane];
            sum[c + i + lane] += (double)product[lane];
            dclip += (double)excess[lane];
        }
    }
    sum[2 * c] += dclip;
}

static void gate_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const int64_t c = j->node->c_pad, n_pad = j->network->n_pad;
    for (int64_t chunk = begin; chunk < end; chunk++) {
        double *sum = j->network->partial + chunk * (2 * c + 1);
        memset(sum, 0, (size_t)(2 * c + 1) * sizeof *sum);
        const int64_t last =
            (chunk + 1) * j->chunk < j->n_pixels ? (chunk + 1) * j->chunk : j->n_pixels;
        for (int64_t pixel = chunk * j->chunk; pixel < last; pixel++) {
            for (int64_t row = 0; row < j->n; row += ROWS_AT_ONCE) {
                const int64_t n_rows = j->n - row < ROWS_AT_ONCE ? j->n - row : ROWS_AT_ONCE;
                gate(j, sum, (pixel * n_pad + row) * c, n_rows, c);
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
    const double s = (double)input->step;
    const double count = (double)(j.n_pixels * ohmi_whole_images(network, n));
    const bool quantised = node->is_quantised && network->activation_grid.n_levels > 0;
    if (quantised) {
        j.clip = task->trainable[node->clip];
        j.inverse_step = 1.0f / node->step;
    }

    // pass 1: g and its sums
    ohmi_parallel(n_chunks, 1, gate_work, &j);
    add_chunks(network->partial, n_chunks, 2 * c + 1);
    ohmi_whole_sum(network, network->partial, 2 * c + 1);
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
