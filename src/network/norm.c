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

// rows are added in float at most ROWS_AT_ONCE at a time, then in double; BLOCK channels of a row
// are one run of memory and their sums stay in the first cache
enum { MAX_CHUNKS = 64, ROWS_AT_ONCE = 32, BLOCK = 512 };
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

// adds the values of a row and their squares to the sums of its channels
OHMI_SIMD static void add_row(float *restrict sum, float *restrict square, const float *restrict x,
                              int64_t c) {
    for (int64_t i = 0; i < c; i++) {
        sum[i] += x[i];
        square[i] += x[i] * x[i];
    }
}

// adds n sums that were kept in float to those kept in double, and empties them
OHMI_SIMD static void flush(double *restrict total, float *restrict sum, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        total[i] += (double)sum[i];
        sum[i] = 0;
    }
}

// adds the sums and sums of squares of n_rows rows to sum[0 .. c) and sum[c .. 2c)
static void add_moments(double *sum, const float *x, int64_t n_rows, int64_t c) {
    float s[BLOCK] = {0}, square[BLOCK] = {0};
    for (int64_t i = 0; i < c; i += BLOCK) {
        const int64_t n = c - i < BLOCK ? c - i : BLOCK;
        for (int64_t r = 0; r < n_rows; r++) {
            add_row(s, square, x + r * c + i, n);
        }
        flush(sum + i, s, n);
        flush(sum + c + i, square, n);
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

// y = a x + b (+ residual)
OHMI_SIMD static void affine(float *restrict y, const float *restrict x, const float *restrict a,
                             const float *restrict b, const float *residual, float residual_step,
                             int64_t c) {
    if (residual) {
        for (int64_t i = 0; i < c; i++) {
            y[i] = a[i] * x[i] + b[i] + residual[i] * residual_step;
        }
    } else {
        for (int64_t i = 0; i < c; i++) {
            y[i] = a[i] * x[i] + b[i];
        }
    }
}

OHMI_SIMD static void clip_at_zero(float *y, int64_t c) {
    for (int64_t i = 0; i < c; i++) {
        // NaN stays, so that the loss shows it
        y[i] = y[i] < 0 ? 0 : y[i];
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
                   j->residual ? j->residual + at : NULL, j->residual_step, c);
            if (node->has_relu) {
                clip_at_zero(node->value + at, c);
            }
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
    const bool takes = node->has_batchnorm && mode == OHMI_MODE_TRAIN && !network->holds_statistics;
    if (takes) {
        ohmi_parallel(n_chunks, 1, moments_work, &j);
        add_chunks(network->partial, n_chunks, 2 * (int64_t)node->c_pad);
        ohmi_whole_sum(network, network->partial, 2 * (int64_t)node->c_pad);
    }

    // the affine map of every channel
    if (takes) {
        map_of_batch(network, node, s, count, momentum);
    } else {
        ohmi_norm_map(network, node);
    }

    // what a chip would add to the sums
    if (network->disturb && mode == OHMI_MODE_TRAIN && input->kind == OHMI_NODE_CONV) {
        network->disturb(network->disturb_context, input->value, network->nodes[input->input].value,
                         &network->layers[input->layer].shape, input->layer, n);
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

// Where a row lets its gradient through, and what it adds to the sums of its channels.
//   clips   g = dy where 0 < pre < clip; excess += dy d(y)/d(clip)
//   gates   g = dy where 0 < pre
//   else    g = dy
typedef enum { ALL, GATES, CLIPS } gate_kind;

static gate_kind kind_of(const job *j) {
    return !j->node->has_relu ? ALL : j->inverse_step > 0 ? CLIPS : GATES;
}

OHMI_SIMD static void sum_clipped(float *restrict s, float *restrict product,
                                  float *restrict excess, const float *restrict pre,
                                  const float *restrict x, const float *restrict y,
                                  const float *restrict gradient, float scale, float clip,
                                  float step, int64_t n) {
    const float inverse_clip = 1.0f / clip;
    for (int64_t i = 0; i < n; i++) {
        const float dy = gradient[i] * scale;
        const float error = (y[i] * step - pre[i]) * inverse_clip;
        const float slope = pre[i] >= clip ? 1.0f : error;
        const float g = pre[i] > 0 && pre[i] < clip ? dy : 0.0f;
        excess[i] += pre[i] > 0 ? dy * slope : 0.0f;
        s[i] += g;
        product[i] += g * x[i];
    }
}

// a row by itself: clip = infinity lets all that is above zero through
OHMI_SIMD static void let_through(float *restrict g, const float *restrict pre,
                                  const float *restrict gradient, float scale, float clip,
                                  int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        g[i] = pre[i] > 0 && pre[i] < clip ? gradient[i] * scale : 0.0f;
    }
}

OHMI_SIMD static void let_all_through(float *restrict g, const float *restrict gradient,
                                      float scale, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        g[i] = gradient[i] * scale;
    }
}

OHMI_SIMD static void sum_row(float *restrict s, float *restrict product, const float *restrict g,
                              const float *restrict x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        s[i] += g[i];
        product[i] += g[i] * x[i];
    }
}

// g of n channels at `at`, the i-th and following of a row
static void gate_row(const job *j, gate_kind kind, float *g, int64_t at, int64_t i, int64_t n) {
    const ohmi_node *node = j->node;
    const float scale = node->gradient_scale;
    float pre[BLOCK];
    if (kind == ALL) {
        let_all_through(g, node->gradient + at, scale, n);
        return;
    }
    affine(pre, j->x + at, node->a + i, node->b + i, j->residual ? j->residual + at : NULL,
           j->residual_step, n);
    let_through(g, pre, node->gradient + at, scale, kind == CLIPS ? j->clip : INFINITY, n);
}

// the sums of n_rows rows at `at`: of g by channel, of g x in sum[c ..], the clip's in sum[2c]
static void add_gated(const job *j, double *sum, int64_t at, int64_t n_rows, int64_t c) {
    const ohmi_node *node = j->node;
    const gate_kind kind = kind_of(j);
    float s[BLOCK] = {0}, product[BLOCK] = {0}, excess[BLOCK] = {0}, g[BLOCK];
    double dclip = 0;
    for (int64_t i = 0; i < c; i += BLOCK) {
        const int64_t n = c - i < BLOCK ? c - i : BLOCK;
        for (int64_t r = 0; r < n_rows; r++) {
            const int64_t place = at + r * c + i;
            if (kind == CLIPS) {
                affine(g, j->x + place, node->a + i, node->b + i,
                       j->residual ? j->residual + place : NULL, j->residual_step, n);
                sum_clipped(s, product, excess, g, j->x + place, node->value + place,
                            node->gradient + place, node->gradient_scale, j->clip, node->step, n);
            } else {
                gate_row(j, kind, g, place, i, n);
                sum_row(s, product, g, j->x + place, n);
            }
        }
        flush(sum + i, s, n);
        flush(sum + c + i, product, n);
        for (int64_t lane = 0; lane < n; lane++) {
            dclip += (double)excess[lane];
            excess[lane] = 0;
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
                add_gated(j, sum, (pixel * n_pad + row) * c, n_rows, c);
            }
        }
    }
}

// dx = k0 g + k1 x + k2
OHMI_SIMD static void finish_row(float *restrict dx, const float *restrict g,
                                 const float *restrict x, const float *restrict k0,
                                 const float *restrict k1, const float *restrict k2, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        dx[i] = k0[i] * g[i] + k1[i] * x[i] + k2[i];
    }
}

OHMI_SIMD static void add_to(float *restrict sum, const float *restrict g, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        sum[i] += g[i];
    }
}

static void finish_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const gate_kind kind = kind_of(j);
    const int64_t c = j->node->c_pad, n_pad = j->network->n_pad;
    float g[BLOCK];
    for (int64_t pixel = begin; pixel < end; pixel++) {
        for (int64_t row = 0; row < j->n; row++) {
            for (int64_t i = 0; i < c; i += BLOCK) {
                const int64_t n = c - i < BLOCK ? c - i : BLOCK;
                const int64_t at = (pixel * n_pad + row) * c + i;
                gate_row(j, kind, g, at, i, n);
                if (j->d_residual && j->add_residual) {
                    add_to(j->d_residual + at, g, n);
                } else if (j->d_residual) {
                    memcpy(j->d_residual + at, g, (size_t)n * sizeof *g);
                }
                finish_row(j->dx + at, g, j->x + at, j->k0 + i, j->k1 + i, j->k2 + i, n);
            }
        }
        const int64_t at = (pixel * n_pad + j->n) * c;
        const size_t padding = (size_t)((n_pad - j->n) * c) * sizeof(float);
        memset(j->dx + at, 0, padding);
        if (j->d_residual && !j->add_residual) {
            memset(j->d_residual + at, 0, padding);
        }
    }
}

void ohmi_norm_backward(ohmi_network *network, ohmi_node *node, int n, float *dx, float *d_residual,
                        bool add_residual) {
    ohmi_node *input = &network->nodes[node->input];
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
    // (k1 and k2 come of the batch's statistics: none where they are held),
    // all times the step of the convolution's own input (see network.h)
    const double fold =
        input->kind == OHMI_NODE_CONV ? (double)network->nodes[input->input].step : 1;
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
            k0[i] = (float)(fold * scale);
            if (!network->holds_statistics) {
                k1[i] = (float)(-fold * scale * dgamma * inverse * s / count);
                k2[i] = (float)(fold * scale * (dgamma * inverse * mean - dbeta) / count);
            }
        } else {
            k0[i] = (float)fold;
            if (node->has_bias) {
                network->d_trainable[node->bias + i] = (float)sum[i];
            }
        }
    }
    input->gradient_scale = (float)(1 / fold);

    // pass 2: the gradient of the input, and g to the residual
    j.k0 = k0;
    j.k1 = k1;
    j.k2 = k2;
    ohmi_parallel(j.n_pixels, 1, finish_work, &j);
    if (d_residual) {
        network->nodes[node->residual].gradient_scale = 1;
    }
}
