// SPDX-License-Identifier: Apache-2.0
// Forward and backward of every kind of node against finite differences of a second writing in
// double, on every kernel row this machine supports: each network below ends in a head and the
// loss, and has the node it is about in the middle.
//
// The networks are described here, so this program has its own ohmi_model_build in the place of the
// library's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "network/build.h"
#include "unit/network/double_network.h"

enum { N = 5, BATCH = 7, SIDE = 6, CHANNELS = 3, CLASSES = 4 };

static int plain(ohmi_build *b, int at) {
    at = ohmi_build_conv(b, at, 5, 3, 1, 1);
    return ohmi_build_linear(b, at, 6);
}

static int strided(ohmi_build *b, int at) {
    at = ohmi_build_norm(b, ohmi_build_conv(b, at, 5, 3, 2, 1), -1, true);
    at = ohmi_build_norm(b, ohmi_build_conv(b, at, 4, 1, 2, 0), -1, true);
    return ohmi_build_linear(b, at, 6);
}

static int normed(ohmi_build *b, int at) {
    at = ohmi_build_norm(b, ohmi_build_conv(b, at, 4, 3, 1, 0), -1, true);
    at = ohmi_build_norm(b, ohmi_build_conv(b, at, 4, 3, 1, 0), -1, false);
    return ohmi_build_norm(b, ohmi_build_linear(b, at, 5), -1, true);
}

static int biased(ohmi_build *b, int at) {
    at = ohmi_build_bias(b, ohmi_build_conv(b, at, 4, 3, 1, 1));
    return ohmi_build_bias(b, ohmi_build_linear(b, at, 9));
}

static int max_pooled(ohmi_build *b, int at) {
    at = ohmi_build_maxpool(b, ohmi_build_conv(b, at, 4, 3, 1, 1), 2, 2, 0);
    at = ohmi_build_norm(b, at, -1, true);
    return ohmi_build_linear(b, at, 5);
}

static int overlapping(ohmi_build *b, int at) {
    at = ohmi_build_maxpool(b, ohmi_build_conv(b, at, 4, 3, 1, 1), 3, 2, 1);
    return ohmi_build_linear(b, at, 5);
}

static int mean_pooled(ohmi_build *b, int at) {
    at = ohmi_build_norm(b, ohmi_build_conv(b, at, 6, 3, 1, 1), -1, true);
    return ohmi_build_quantise(b, ohmi_build_avgpool(b, at));
}

static int identity_block(ohmi_build *b, int at) {
    at = ohmi_build_norm(b, ohmi_build_conv(b, at, 4, 3, 1, 1), -1, true);
    const int y = ohmi_build_norm(b, ohmi_build_conv(b, at, 4, 3, 1, 1), -1, true);
    at = ohmi_build_norm(b, ohmi_build_conv(b, y, 4, 3, 1, 1), at, true);
    return ohmi_build_quantise(b, ohmi_build_avgpool(b, at));
}

static int projected_block(ohmi_build *b, int at) {
    at = ohmi_build_norm(b, ohmi_build_conv(b, at, 4, 3, 1, 1), -1, true);
    const int shortcut = ohmi_build_norm(b, ohmi_build_conv(b, at, 6, 1, 2, 0), -1, false);
    const int y = ohmi_build_norm(b, ohmi_build_conv(b, at, 6, 3, 2, 1), -1, true);
    at = ohmi_build_norm(b, ohmi_build_conv(b, y, 6, 3, 1, 1), shortcut, true);
    return ohmi_build_quantise(b, ohmi_build_avgpool(b, at));
}

static const struct {
    const char *name;
    int (*body)(ohmi_build *build, int at);
} g_nets[] = {
    {"plain", plain},
    {"strided", strided},
    {"normed", normed},
    {"biased", biased},
    {"max pooled", max_pooled},
    {"overlapping", overlapping},
    {"mean pooled", mean_pooled},
    {"identity block", identity_block},
    {"projected block", projected_block},
};
#define N_NETS ((int)(sizeof g_nets / sizeof g_nets[0]))

ohm_status ohmi_model_build(ohmi_build *build, const ohmi_network_def *def, ohm_error *err) {
    (void)err;
    for (int i = 0; i < N_NETS; i++) {
        if (strcmp(g_nets[i].name, def->model) == 0) {
            const int at = ohmi_build_input(build, def->channels, def->height, def->width_pixels);
            ohmi_build_head(build, g_nets[i].body(build, at));
            return build->has_overflow ? OHM_ERR_CONFIG : OHM_OK;
        }
    }
    return OHM_ERR_ARGUMENT;
}

typedef struct {
    ohmi_network *network;
    ohmi_task_parameters *task;
    float *x; // (h, w, n_pad, c_pad)
    int32_t labels[BATCH];
} trial;

static float draw(uint32_t place, uint32_t i) {
    const ohmi_rng rng = {.seed = 8, .purpose = OHMI_RNG_TEST, .place = place};
    return ohmi_rng_normal(&rng, i);
}

// rounds: the weights are codes of a step, the activations have so many levels that rounding is
// invisible, so that only the clips remain
static trial begin(const char *model, const ohmi_kernels *kernels, bool rounds) {
    trial t = {0};
    ohmi_grid grid = {0};
    if (rounds) {
        grid.n_levels = 2;
        grid.scheme = OHMI_SCHEME_UNIFORM;
        grid.top = 4194304;
    }
    const ohmi_network_def def = {.model = model,
                                  .width = 1,
                                  .channels = CHANNELS,
                                  .height = SIDE,
                                  .width_pixels = SIDE,
                                  .batch = BATCH,
                                  .max_classes = CLASSES + 1,
                                  .is_training = true,
                                  .kernels = kernels,
                                  .activation_grid = grid,
                                  .head_bits = rounds ? 8 : 0,
                                  .input_step = rounds ? 0.25f : 1.0f};
    assert_int_equal(ohmi_network_new(&t.network, &def, NULL), OHM_OK);
    assert_int_equal(ohmi_task_parameters_new(&t.task, t.network, CLASSES, 3, 0, NULL), OHM_OK);
    t.network->task = t.task;
    for (int l = 0; l < t.network->n_layers; l++) {
        ohmi_layer *layer = &t.network->layers[l];
        const float deviation =
            sqrtf(2.0f / (float)(layer->shape.c * layer->shape.r * layer->shape.s));
        layer->step = rounds ? deviation / 2.5f : 1.0f;
        for (int64_t i = 0; i < layer->n_weights; i++) {
            const float w = deviation * draw((uint32_t)l, (uint32_t)i);
            layer->w[i] = w;
            layer->w_eff[i] = rounds ? rintf(w / layer->step) : w;
        }
    }
    // parameters away from where mistakes in them do not show
    for (int i = 0; i < t.network->n_nodes; i++) {
        const ohmi_node *node = &t.network->nodes[i];
        for (int c = 0; c < node->c; c++) {
            if (node->gamma >= 0) {
                t.task->trainable[node->gamma + c] = 1 + 0.3f * draw(100, (uint32_t)(i * 64 + c));
                t.task->trainable[node->beta + c] = 0.3f * draw(101, (uint32_t)(i * 64 + c));
            }
            if (node->bias >= 0) {
                t.task->trainable[node->bias + c] = 0.3f * draw(102, (uint32_t)(i * 64 + c));
            }
        }
        if (node->clip >= 0) {
            t.task->trainable[node->clip] = 1.1f;
        }
    }
    t.x = calloc((size_t)(SIDE * SIDE * t.network->n_pad * 16), sizeof *t.x);
    assert_non_null(t.x);
    for (int i = 0; i < SIDE * SIDE * N * CHANNELS; i++) {
        const float v = draw(200, (uint32_t)i);
        t.x[(i / CHANNELS / N * t.network->n_pad + i / CHANNELS % N) * 16 + i % CHANNELS] =
            rounds ? v / 0.25f : v; // not whole, so that no window has two equal winners
    }
    for (int i = 0; i < BATCH; i++) {
        t.labels[i] = (i * 3 + 1) % CLASSES;
    }
    return t;
}

static void end(trial *t) {
    ohmi_task_parameters_free(&t->task);
    ohmi_network_free(&t->network);
    free(t->x);
}

static double largest(const float *x, int64_t n) {
    double top = 0;
    for (int64_t i = 0; i < n; i++) {
        top = fmax(top, fabs((double)x[i]));
    }
    return top;
}

// float32 sums hold 1e-5 of the largest gradient; with inputs of 8 significant bits units near zero
// change sides, which on these networks moved gradients by up to 0.2 of the largest
static double allowed(const ohmi_kernels *kernels) {
    return strcmp(kernels->name, "amx") == 0 ? 0.3 : 1e-5;
}

static const char *g_trying = ""; // the network and row of a failure

static void compare(const char *what, int i, double by_us, double by_difference, double most) {
    if (!(fabs(by_us - by_difference) <= most)) {
        fail_msg("%s: %s %d: %.9g, by differences %.9g, allowed %.2g", g_trying, what, i, by_us,
                 by_difference, most);
    }
}

// every gradient of a network, number by number
static void check(const char *model, const ohmi_kernels *kernels, bool rounds) {
    char trying[64];
    snprintf(trying, sizeof trying, "%s on %s", model, kernels->name);
    g_trying = trying;
    trial t = begin(model, kernels, rounds);
    ohmi_network *network = t.network;
    int n_right = 0;
    ohmi_network_forward(network, t.x, N, OHMI_MODE_TRAIN, 0.1f);
    const double loss = ohmi_network_loss(network, t.labels, N, &n_right);
    ohmi_network_backward(network, N);

    double_network d = double_copy(network, t.x, N);
    const double tolerance = allowed(kernels);
    compare(model, 0, loss, double_loss(&d, t.labels), tolerance);
    for (int l = 0; l < network->n_layers; l++) {
        const ohmi_layer *layer = &network->layers[l];
        const double top = largest(layer->dw, layer->n_weights);
        assert_true(top > 1e-3);
        for (int64_t i = 0; i < layer->n_weights; i++) {
            compare(layer->name, (int)i, (double)layer->dw[i],
                    double_slope(&d, &d.w[l][i], t.labels), tolerance * top);
        }
    }
    for (int i = 0; i < network->n_nodes; i++) {
        const ohmi_node *node = &network->nodes[i];
        const int64_t first = node->kind == OHMI_NODE_HEAD ? network->head_offset
                              : node->gamma >= 0           ? node->gamma
                                                           : node->bias;
        const int64_t last = node->kind == OHMI_NODE_HEAD ? t.task->n_trainable
                             : node->gamma >= 0           ? node->gamma + 2 * node->c
                                                          : node->bias + node->c;
        const float *gradient = network->d_trainable;
        const double top = first >= 0 ? largest(gradient + first, last - first) : 0;
        for (int64_t p = first; first >= 0 && p < last; p++) {
            compare(node->name, (int)(p - first), (double)gradient[p],
                    double_slope(&d, &d.trainable[p], t.labels), tolerance * top);
        }
        // a clip's gradient is scaled by 1 / sqrt(numbers * top) as in norm.h
        if (node->clip >= 0 && rounds) {
            const double count = (double)(node->h * node->w * N * node->c);
            const double slope = double_slope(&d, &d.trainable[node->clip], t.labels);
            const double scaled = slope / sqrt(count * (double)network->activation_grid.top);
            compare(node->name, -1, (double)gradient[node->clip], scaled,
                    fmax(5 * tolerance * fabs(scaled), 1e-9));
        }
    }
    double_free(&d);
    end(&t);
    g_trying = "";
}

static void on_every_row(bool rounds) {
    int n_rows = 0, n_tried = 0;
    const ohmi_kernels *const *rows = ohmi_kernels_all(&n_rows);
    for (int r = 0; r < n_rows; r++) {
        for (int i = 0; rows[r]->is_supported() && i < N_NETS; i++) {
            check(g_nets[i].name, rows[r], rounds);
            n_tried++;
        }
    }
    assert_true(n_tried >= N_NETS);
}

static void gradients_in_float(void **state) {
    (void)state;
    on_every_row(false);
}

// integer weights, inputs with a step, clips that cut, an 8-bit head: the straight-through ones
static void gradients_with_steps_and_clips(void **state) {
    (void)state;
    on_every_row(true);
}

// LSQ's gradient of a clip, number by number from the values of a network with 4-bit activations
static void clip_gradient_has_the_rounding_error(void **state) {
    (void)state;
    for (int scheme = 0; scheme < 2; scheme++) {
        trial t = begin("biased", &ohmi_kernels_reference, true);
        ohmi_network *network = t.network;
        int n_right = 0, last = 0;
        assert_int_equal(
            ohmi_grid_activations(&network->activation_grid, (ohmi_scheme)scheme, 4, NULL), OHM_OK);
        ohmi_network_forward(network, t.x, N, OHMI_MODE_TRAIN, 0.1f);
        (void)ohmi_network_loss(network, t.labels, N, &n_right);
        ohmi_network_backward(network, N);

        // the last activation: its gradient is that of the head's input
        for (int i = 0; i < network->n_nodes; i++) {
            last = network->nodes[i].kind == OHMI_NODE_NORM ? i : last;
        }
        const ohmi_node *node = &network->nodes[last], *input = &network->nodes[node->input];
        const double clip = (double)t.task->trainable[node->clip];
        const double step = clip / (double)network->activation_grid.top;
        double expected = 0;
        for (int b = 0; b < N; b++) {
            for (int c = 0; c < node->c; c++) {
                double dy = 0;
                for (int k = 0; k < CLASSES; k++) {
                    dy += (double)network->d_logits[b * network->logits_pad + k] *
                          (double)network->head_w[k * node->c + c] * (double)network->head_step;
                }
                const double pre = (double)input->value[b * node->c_pad + c] * (double)input->step +
                                   (double)t.task->trainable[node->bias + c];
                const double code = (double)node->value[b * node->c_pad + c];
                expected += pre <= 0 ? 0 : dy * (pre >= clip ? 1 : (code * step - pre) / clip);
            }
        }
        expected /= sqrt(N * node->c * (double)network->activation_grid.top);
        compare("clip", scheme, (double)network->d_trainable[node->clip], expected,
                1e-5 * fabs(expected));
        end(&t);
    }
}

// a clip of 0 is set by the first training batch: 3 root mean squares of the positive values
static void a_new_clip_is_calibrated(void **state) {
    (void)state;
    trial t = begin("biased", &ohmi_kernels_reference, true);
    ohmi_network *network = t.network;
    ohmi_node *node = &network->nodes[2];
    assert_int_equal(node->kind, OHMI_NODE_NORM);
    t.task->trainable[node->clip] = 0;
    ohmi_network_forward(network, t.x, N, OHMI_MODE_TRAIN, 0.1f);
    double_network d = double_copy(network, t.x, N);
    d.trainable[node->clip] = 1e30;
    (void)double_loss(&d, t.labels);
    double square = 0, count = 0;
    for (int i = 0; i < node->h * node->w * N * node->c; i++) {
        square += d.value[2][i] * d.value[2][i];
        count += d.value[2][i] > 0;
    }
    const double clip = (double)t.task->trainable[node->clip];
    assert_true(fabs(clip - 3 * sqrt(square / count)) < 1e-5 * clip);
    // and stays where it is
    ohmi_network_forward(network, t.x, N - 1, OHMI_MODE_TRAIN, 0.1f);
    assert_true((double)t.task->trainable[node->clip] == clip);
    double_free(&d);
    end(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_in_float),
        cmocka_unit_test(gradients_with_steps_and_clips),
        cmocka_unit_test(clip_gradient_has_the_rounding_error),
        cmocka_unit_test(a_new_clip_is_calibrated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
