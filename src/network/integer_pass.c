// SPDX-License-Identifier: Apache-2.0
// The forward pass in integers; see integer_pass.h.
#include "network/integer_pass.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/simd.h"
#include "base/thread.h"
#include "network/head.h"
#include "network/norm.h"

// codes of the signed input are offset by this
#define INPUT_ZERO 128
// the largest weight code, and what a map's a and b must stay below so that nothing overflows
#define MOST_WEIGHT 127
#define MOST_AFFINE 1e25F

struct ohmi_integer_pass {
    const ohmi_integer_kernels *row;
    uint8_t *input; // (h, w, n_pad, c_pad) codes + INPUT_ZERO
    void **packed;  // per layer, the head last
    void *block;    // all packed weights
    int32_t *sums;  // of the head                     (n_pad, logits_pad)
    uint8_t level[16];
};

void ohmi_integer_free(ohmi_integer_pass **pass) {
    if (*pass) {
        ohmi_free((*pass)->input);
        ohmi_free((*pass)->packed);
        ohmi_free((*pass)->block);
        ohmi_free((*pass)->sums);
        ohmi_free(*pass);
        *pass = NULL;
    }
}

// whether a node's value is codes in this pass; others are real numbers as floats
static bool has_codes(const ohmi_network *network, int i) {
    const ohmi_node *node = &network->nodes[i];
    switch (node->kind) {
    case OHMI_NODE_INPUT:
        return true;
    case OHMI_NODE_NORM:
        return node->is_quantised && node->has_relu;
    case OHMI_NODE_MAXPOOL:
        return has_codes(network, node->input);
    default:
        return false;
    }
}

// whether the nodes are in a form that this pass knows
static bool has_form(const ohmi_network *network) {
    for (int i = 1; i < network->n_nodes; i++) {
        const ohmi_node *node = &network->nodes[i];
        const bool is_fed_codes = has_codes(network, node->input);
        const ohmi_node_kind input = network->nodes[node->input].kind;
        // a norm follows a convolution, or the mean where it only rounds
        const bool is_norm =
            input == OHMI_NODE_CONV ||
            (input == OHMI_NODE_AVGPOOL && node->residual < 0 && has_codes(network, i));
        if (node->kind == OHMI_NODE_NORM ? !is_norm : !is_fed_codes) {
            return false;
        }
    }
    return true;
}

// the largest size of n numbers; NAN when one is not whole
OHMI_SIMD static float largest_code(const float *w, int64_t n) {
    int32_t n_bad = 0;
    float largest = 0;
    for (int64_t i = 0; i < n; i++) {
        const float size = fabsf(w[i]);
        // adding and taking off 2^23 rounds what is below it; a NaN compares as false
        const float whole = (size + 8388608.0F) - 8388608.0F;
        n_bad += whole == size ? 0 : 1;
        largest = size > largest ? size : largest;
    }
    return n_bad ? NAN : largest;
}

typedef struct {
    const float *w;
    float *largest; // per block of CHECKED weights
    int64_t n;
} check_job;

enum { CHECKED = 1 << 16, MAX_CHECKED = 4096 };

static void check_work(void *context, int64_t begin, int64_t end, int thread) {
    const check_job *j = context;
    (void)thread;
    for (int64_t block = begin; block < end; block++) {
        const int64_t at = block * CHECKED, rest = j->n - at;
        j->largest[block] = largest_code(j->w + at, rest < CHECKED ? rest : CHECKED);
    }
}

// the largest code of weights, 0 .. MOST_WEIGHT; -1 where they are not codes
static int most_weight(const float *w, int64_t n) {
    float largest[MAX_CHECKED];
    const int64_t n_blocks = (n + CHECKED - 1) / CHECKED;
    check_job j = {.w = w, .largest = largest, .n = n};
    int most = 0;
    if (n_blocks > MAX_CHECKED) {
        return -1;
    }
    ohmi_parallel(n_blocks, 1, check_work, &j);
    for (int64_t i = 0; i < n_blocks; i++) {
        if (!(largest[i] <= (float)MOST_WEIGHT)) {
            return -1;
        }
        most = (int)largest[i] > most ? (int)largest[i] : most;
    }
    return most;
}

// whether the products of such weights and inputs are exact
static bool has_room(const ohmi_integer_kernels *row, const ohmi_conv *o, const float *w,
                     int most_x) {
    const double n_inputs = (double)o->c * o->r * o->s;
    const int most_w = most_weight(w, (int64_t)o->k * o->c * o->r * o->s);
    return most_w >= 0 && o->r * o->s <= OHMI_INTEGER_MOST_TAPS &&
           n_inputs * 255 * MOST_WEIGHT < 2147483648.0 && most_x * most_w <= row->most_product;
}

// the affine maps and clips of the bound task
static bool has_sane_numbers(ohmi_network *network) {
    for (int i = 1; i < network->n_nodes; i++) {
        ohmi_node *node = &network->nodes[i];
        if (node->kind == OHMI_NODE_CONV) {
            node->step = network->layers[node->layer].step * network->nodes[node->input].step;
        } else if (node->kind == OHMI_NODE_MAXPOOL) {
            node->step = network->nodes[node->input].step;
        } else if (node->kind == OHMI_NODE_NORM) {
            node->step = 1;
            if (has_codes(network, i)) {
                const float clip = network->task->trainable[node->clip];
                if (!(clip > 0 && clip < MOST_AFFINE)) {
                    return false;
                }
                node->step = clip / network->activation_grid.top;
            }
            ohmi_norm_map(network, node);
            for (int c = 0; c < node->c; c++) {
                if (!(fabsf(node->a[c]) < MOST_AFFINE && fabsf(node->b[c]) < MOST_AFFINE)) {
                    return false;
                }
            }
        } else {
            node->step = 1;
        }
    }
    return true;
}

// memory of the pass, once
static ohm_status take_memory(ohmi_network *network, const ohmi_integer_kernels *row,
                              ohm_error *err) {
    ohm_status status = OHM_OK;
    const int n = network->n_layers;
    ohmi_integer_pass *pass = ohmi_alloc(1, sizeof *pass);
    size_t total = 0;
    if (!pass || !(pass->packed = ohmi_alloc((size_t)n + 1, sizeof *pass->packed))) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the weights' codes");
        goto done;
    }
    pass->row = row;
    ohmi_conv head = {.n = network->batch,
                      .c = network->head_inputs,
                      .k = network->max_classes,
                      .h = 1,
                      .w = 1,
                      .r = 1,
                      .s = 1,
                      .stride = 1};
    ohmi_conv_complete(&head);
    for (int round = 0; round < 2; round++) {
        // sizes first, then places
        size_t at = 0;
        for (int l = 0; l <= n; l++) {
            const ohmi_conv *shape = l < n ? &network->layers[l].shape : &head;
            pass->packed[l] = pass->block ? (char *)pass->block + at : NULL;
            at += (row->packed_bytes(shape) + 63) / 64 * 64;
        }
        total = at;
        if (round == 0) {
            pass->block = ohmi_alloc(total, 1);
            const ohmi_node *input = &network->nodes[0];
            const size_t pixels = (size_t)input->h * (size_t)input->w;
            pass->input = ohmi_alloc(pixels * (size_t)network->n_pad * (size_t)input->c_pad, 1);
            pass->sums = ohmi_alloc((size_t)network->n_pad * (size_t)head.k_pad, sizeof(int32_t));
            if (!pass->block || !pass->input || !pass->sums) {
                status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the weights' codes");
                goto done;
            }
        }
    }
    network->integer = pass;
    pass = NULL;
done:
    ohmi_integer_free(&pass);
    return status;
}

ohm_status ohmi_integer_prepare(bool *is_ready, ohmi_network *network, ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_integer_kernels *row = ohmi_integer_for(network->kernels);
    const ohmi_grid *grid = &network->activation_grid;
    *is_ready = false;
    if (!row || network->product || grid->n_levels == 0 || grid->is_smooth || grid->top > 255 ||
        network->head_top <= 0 || network->head_top > MOST_WEIGHT || !has_form(network) ||
        (grid->scheme == OHMI_SCHEME_APOT && grid->n_levels > 16)) {
        return OHM_OK;
    }
    for (int l = 0; l < network->n_layers; l++) {
        const ohmi_layer *layer = &network->layers[l];
        if (!has_room(row, &layer->shape, layer->w_eff, l == 0 ? 255 : (int)grid->top)) {
            return OHM_OK;
        }
    }
    const ohmi_conv head = ohmi_head_shape(network);
    ohmi_head_codes(network);
    if (!has_room(row, &head, network->head_w, (int)grid->top) || !has_sane_numbers(network)) {
        return OHM_OK;
    }
    if (!network->integer) {
        OHM_TRY(take_memory(network, row, err));
    }
    ohmi_integer_pass *pass = network->integer;
    for (int i = 0; i < 16 && i < grid->n_levels; i++) {
        pass->level[i] = (uint8_t)grid->level[i];
    }
    for (int l = 0; l < network->n_layers; l++) {
        row->pack(pass->packed[l], network->layers[l].w_eff, &network->layers[l].shape);
    }
    row->pack(pass->packed[network->n_layers], network->head_w, &head);
    *is_ready = true;
done:
    return status;
}

typedef struct {
    const ohmi_network *network;
    const ohmi_node *node, *input;
    const float *x;
    uint8_t *codes;
    int64_t map; // numbers of a pixel = n_pad * c_pad
} job;

OHMI_SIMD static void offset_codes(uint8_t *codes, const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        codes[i] = (uint8_t)((int32_t)x[i] + INPUT_ZERO);
    }
}

// indices: pixels of the input
static void input_work(void *context, int64_t begin, int64_t end, int thread) {
    const job *j = context;
    (void)thread;
    offset_codes(j->codes + begin * j->map, j->x + begin * j->map, (end - begin) * j->map);
}

OHMI_SIMD static void take_larger(uint8_t *y, const uint8_t *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = x[i] > y[i] ? x[i] : y[i];
    }
}

// indices: pixels of the output
static void maxpool_work(void *context, int64_t begin, int64_t end, int thread) {
    const job *j = context;
    const ohmi_node *node = j->node, *input = j->input;
    const uint8_t *from = (const uint8_t *)input->value;
    (void)thread;
    for (int64_t pixel = begin; pixel < end; pixel++) {
        uint8_t *y = (uint8_t *)node->value + pixel * j->map;
        bool is_first = true;
        for (int place = 0; place < node->window * node->window; place++) {
            const int64_t h = pixel / node->w * node->stride + place / node->window - node->pad;
            const int64_t w = pixel % node->w * node->stride + place % node->window - node->pad;
            if (h < 0 || h >= input->h || w < 0 || w >= input->w) {
                continue;
            }
            const uint8_t *x = from + (h * input->w + w) * j->map;
            if (is_first) {
                memcpy(y, x, (size_t)j->map);
                is_first = false;
            } else {
                take_larger(y, x, j->map);
            }
        }
    }
}

// the mean of codes as real numbers: an exact sum, then one product
static void average(const ohmi_network *network, ohmi_node *node) {
    const ohmi_node *input = &network->nodes[node->input];
    const int64_t map = (int64_t)network->n_pad * node->c_pad;
    const int64_t n_pixels = (int64_t)input->h * input->w;
    const uint8_t *x = (const uint8_t *)input->value;
    const float scale = input->step / (float)n_pixels;
    for (int64_t i = 0; i < map; i++) {
        int32_t sum = 0;
        for (int64_t pixel = 0; pixel < n_pixels; pixel++) {
            sum += x[pixel * map + i];
        }
        node->value[i] = (float)sum * scale;
    }
}

// a convolution with the norm that follows it
static void convolve(ohmi_network *network, const ohmi_node *norm, const ohmi_node *conv) {
    const ohmi_integer_pass *pass = network->integer;
    const ohmi_grid *grid = &network->activation_grid;
    const bool is_first = network->nodes[conv->input].kind == OHMI_NODE_INPUT;
    const uint8_t *x = is_first ? pass->input : (const uint8_t *)network->nodes[conv->input].value;
    ohmi_finish finish = {.a = norm->a, .b = norm->b, .has_relu = norm->has_relu};
    if (norm->residual >= 0) {
        const ohmi_node *residual = &network->nodes[norm->residual];
        finish.residual_step = residual->step;
        if (has_codes(network, norm->residual)) {
            finish.residual_code = (const uint8_t *)residual->value;
        } else {
            finish.residual = residual->value;
        }
    }
    if (norm->is_quantised && norm->has_relu) {
        finish.inverse_step = 1.0f / norm->step;
        finish.top = grid->top;
        finish.n_levels = grid->scheme == OHMI_SCHEME_APOT ? grid->n_levels : 0;
        finish.threshold = grid->threshold;
        finish.level = pass->level;
    }
    pass->row->run(norm->value, x, is_first ? INPUT_ZERO : 0, pass->packed[conv->layer],
                   &network->layers[conv->layer].shape, &finish);
}

// the quantiser alone, over the mean: rounded as floats, then kept as codes in their place
static void round_mean(ohmi_network *network, ohmi_node *node, int n) {
    const int64_t count = (int64_t)network->n_pad * node->c_pad;
    uint8_t *codes = (uint8_t *)node->value;
    ohmi_norm_forward(network, node, n, OHMI_MODE_INFER, 0);
    for (int64_t i = 0; i < count; i++) {
        // byte i lies in a float that has been read
        float value;
        memcpy(&value, codes + i * (int64_t)sizeof value, sizeof value);
        codes[i] = (uint8_t)value;
    }
}

static void head(ohmi_network *network, const ohmi_node *node) {
    const ohmi_integer_pass *pass = network->integer;
    const ohmi_node *input = &network->nodes[node->input];
    const ohmi_conv shape = ohmi_head_shape(network);
    pass->row->run(pass->sums, (const uint8_t *)input->value, 0, pass->packed[network->n_layers],
                   &shape, &(ohmi_finish){0});
    for (int64_t i = 0; i < (int64_t)network->n_pad * shape.k_pad; i++) {
        network->logits[i] = (float)pass->sums[i];
    }
    ohmi_head_logits(network, input->step);
}

void ohmi_integer_forward(ohmi_network *network, const float *x, int n) {
    ohmi_node *first = &network->nodes[0];
    job j = {.network = network, .x = x, .codes = network->integer->input};
    j.map = (int64_t)network->n_pad * first->c_pad;
    ohmi_parallel((int64_t)first->h * first->w, 16, input_work, &j);
    for (int i = 1; i < network->n_nodes; i++) {
        ohmi_node *node = &network->nodes[i];
        const ohmi_node *input = &network->nodes[node->input];
        const double start = ohmi_now_s();
        switch (node->kind) {
        case OHMI_NODE_NORM:
            if (input->kind == OHMI_NODE_CONV) {
                convolve(network, node, input);
                network->times.conv_forward_s += ohmi_now_s() - start;
            } else {
                round_mean(network, node, n);
                network->times.norm_s += ohmi_now_s() - start;
            }
            break;
        case OHMI_NODE_MAXPOOL:
            j = (job){.network = network, .node = node, .input = input};
            j.map = (int64_t)network->n_pad * node->c_pad;
            ohmi_parallel((int64_t)node->h * node->w, 1, maxpool_work, &j);
            network->times.pool_s += ohmi_now_s() - start;
            break;
        case OHMI_NODE_AVGPOOL:
            average(network, node);
            network->times.pool_s += ohmi_now_s() - start;
            break;
        case OHMI_NODE_HEAD:
            head(network, node);
            network->times.head_s += ohmi_now_s() - start;
            break;
        case OHMI_NODE_CONV:
        case OHMI_NODE_INPUT:
            break;
        }
    }
}
