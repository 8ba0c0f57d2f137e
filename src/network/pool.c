// SPDX-License-Identifier: Apache-2.0
// Max pooling and the global mean; see pool.h.
#include "network/pool.h"

#include <string.h>

#include "base/simd.h"
#include "base/thread.h"

typedef struct {
    const ohmi_node *node, *input;
    int64_t map; // floats of a pixel = n_pad * c_pad
    float *dx;
} job;

// y = max(y, x), remembering where in the window the winner was
OHMI_SIMD static void take_larger(float *y, uint8_t *index, const float *x, uint8_t place,
                                  int64_t n) {
    if (index) {
        for (int64_t i = 0; i < n; i++) {
            index[i] = x[i] > y[i] ? place : index[i];
            y[i] = x[i] > y[i] ? x[i] : y[i];
        }
    } else {
        for (int64_t i = 0; i < n; i++) {
            y[i] = x[i] > y[i] ? x[i] : y[i];
        }
    }
}

static void maxpool_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_node *node = j->node, *input = j->input;
    for (int64_t pixel = begin; pixel < end; pixel++) {
        const int64_t p = pixel / node->w, q = pixel % node->w;
        float *y = node->value + pixel * j->map;
        uint8_t *index = node->index ? node->index + pixel * j->map : NULL;
        bool is_first = true;
        for (int place = 0; place < node->window * node->window; place++) {
            const int64_t h = p * node->stride + place / node->window - node->pad;
            const int64_t w = q * node->stride + place % node->window - node->pad;
            if (h < 0 || h >= input->h || w < 0 || w >= input->w) {
                continue;
            }
            const float *x = input->value + (h * input->w + w) * j->map;
            if (is_first) {
                memcpy(y, x, (size_t)j->map * sizeof *y);
                if (index) {
                    memset(index, place, (size_t)j->map);
                }
                is_first = false;
            } else {
                take_larger(y, index, x, (uint8_t)place, j->map);
            }
        }
    }
}

void ohmi_maxpool_forward(const ohmi_network *network, ohmi_node *node) {
    const ohmi_node *input = &network->nodes[node->input];
    job j = {.node = node, .input = input, .map = (int64_t)network->n_pad * node->c_pad};
    node->step = input->step;
    ohmi_parallel((int64_t)node->h * node->w, 1, maxpool_work, &j);
}

OHMI_SIMD static void take_where(float *restrict dx, const float *restrict dy,
                                 const uint8_t *restrict index, uint8_t place, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        dx[i] = index[i] == place ? dy[i] : 0.0f;
    }
}

OHMI_SIMD static void add_where(float *dx, const float *dy, const uint8_t *index, uint8_t place,
                                int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        dx[i] += index[i] == place ? dy[i] : 0.0f;
    }
}

// a thread owns whole input pixels: it gathers from the windows that hold them
static void maxpool_back_work(void *context, int64_t begin, int64_t end, int thread) {
    (void)thread;
    const job *j = context;
    const ohmi_node *node = j->node, *input = j->input;
    for (int64_t pixel = begin; pixel < end; pixel++) {
        const int64_t h = pixel / input->w, w = pixel % input->w;
        float *dx = j->dx + pixel * j->map;
        bool is_first = true;
        for (int place = 0; place < node->window * node->window; place++) {
            const int64_t y = h + node->pad - place / node->window;
            const int64_t x = w + node->pad - place % node->window;
            if (y < 0 || x < 0 || y % node->stride || x % node->stride ||
                y / node->stride >= node->h || x / node->stride >= node->w) {
                continue;
            }
            const int64_t at = (y / node->stride * node->w + x / node->stride) * j->map;
            if (is_first) {
                take_where(dx, node->gradient + at, node->index + at, (uint8_t)place, j->map);
                is_first = false;
            } else {
                add_where(dx, node->gradient + at, node->index + at, (uint8_t)place, j->map);
            }
        }
        if (is_first) {
            memset(dx, 0, (size_t)j->map * sizeof *dx);
        }
    }
}

void ohmi_maxpool_backward(const ohmi_network *network, const ohmi_node *node, float *dx) {
    const ohmi_node *input = &network->nodes[node->input];
    job j = {.node = node, .input = input, .map = (int64_t)network->n_pad * node->c_pad, .dx = dx};
    ohmi_parallel((int64_t)input->h * input->w, 1, maxpool_back_work, &j);
}

void ohmi_avgpool_forward(const ohmi_network *network, ohmi_node *node) {
    const ohmi_node *input = &network->nodes[node->input];
    const int64_t map = (int64_t)network->n_pad * node->c_pad,
                  n_pixels = (int64_t)input->h * input->w;
    const float scale = input->step / (float)n_pixels;
    memcpy(node->value, input->value, (size_t)map * sizeof(float));
    for (int64_t pixel = 1; pixel < n_pixels; pixel++) {
        for (int64_t i = 0; i < map; i++) {
            node->value[i] += input->value[pixel * map + i];
        }
    }
    for (int64_t i = 0; i < map; i++) {
        node->value[i] *= scale;
    }
    node->step = 1;
}

void ohmi_avgpool_backward(const ohmi_network *network, const ohmi_node *node, float *dx) {
    const ohmi_node *input = &network->nodes[node->input];
    const int64_t map = (int64_t)network->n_pad * node->c_pad,
                  n_pixels = (int64_t)input->h * input->w;
    const float scale = 1.0f / (float)n_pixels;
    for (int64_t pixel = 0; pixel < n_pixels; pixel++) {
        for (int64_t i = 0; i < map; i++) {
            dx[pixel * map + i] = node->gradient[i] * scale;
        }
    }
}
