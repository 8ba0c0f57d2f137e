// SPDX-License-Identifier: Apache-2.0
// Networks as a whole: short batches, what belongs to a task, thread counts, the loss at its ends,
// numbers that are none, models and their errors, memory that runs out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/thread.h"
#include "network/network.h"
#include "network/pool.h"

enum { SIDE = 8, CLASSES = 3 };

static float draw(uint32_t place, uint32_t i) {
    const ohmi_rng rng = {.seed = 21, .purpose = OHMI_RNG_TEST, .place = place};
    return ohmi_rng_normal(&rng, i);
}

static ohmi_network_def def_of(const char *model, int batch, int bits) {
    ohmi_network_def def = {.model = model,
                            .width = strcmp(model, "small") == 0 ? 1 : 0.25,
                            .channels = 3,
                            .height = SIDE,
                            .width_pixels = SIDE,
                            .batch = batch,
                            .max_classes = CLASSES,
                            .is_training = true,
                            .kernels = &ohmi_kernels_reference,
                            .head_bits = bits ? 8 : 0,
                            .input_step = bits ? 1.0f / 32 : 1.0f};
    assert_int_equal(ohmi_grid_activations(&def.activation_grid, OHMI_SCHEME_UNIFORM, bits, NULL),
                     OHM_OK);
    return def;
}

// a network with weights, bound to a task
static ohmi_network *begin(ohmi_task_parameters **task, const ohmi_network_def *def) {
    ohmi_network *network = NULL;
    assert_int_equal(ohmi_network_new(&network, def, NULL), OHM_OK);
    assert_int_equal(ohmi_task_parameters_new(task, network, CLASSES, 4, 0, NULL), OHM_OK);
    network->task = *task;
    for (int l = 0; l < network->n_layers; l++) {
        ohmi_layer *layer = &network->layers[l];
        const float size = 1.0f / sqrtf((float)(layer->n_weights / layer->shape.k));
        layer->step = def->head_bits ? size / 2 : 1.0f;
        for (int64_t i = 0; i < layer->n_weights; i++) {
            const float w = size * draw((uint32_t)l, (uint32_t)i);
            layer->w_eff[i] = def->head_bits ? rintf(w / layer->step) : w;
        }
    }
    return network;
}

// n images in rows of n_pad; zeros in the other rows
static float *images(int n, int n_pad, bool whole) {
    float *x = calloc((size_t)(SIDE * SIDE * n_pad * 16), sizeof *x);
    assert_non_null(x);
    for (int p = 0; p < SIDE * SIDE; p++) {
        for (int i = 0; i < n * 3; i++) {
            const float v = draw(70 + (uint32_t)(i / 3), (uint32_t)(p * 3 + i % 3));
            x[(p * n_pad + i / 3) * 16 + i % 3] = whole ? rintf(32 * v) : v;
        }
    }
    return x;
}

static const int32_t g_labels[40] = {0, 1, 2, 2, 1, 0, 1, 1, 0, 2, 0, 1, 2, 2, 1, 0, 1, 1, 0, 2,
                                     0, 1, 2, 2, 1, 0, 1, 1, 0, 2, 0, 1, 2, 2, 1, 0, 1, 1, 0, 2};

static double step(ohmi_network *network, const float *x, int n) {
    int n_right = 0;
    ohmi_network_forward(network, x, n, OHMI_MODE_TRAIN, 0.1f);
    const double loss = ohmi_network_loss(network, g_labels, n, &n_right);
    ohmi_network_backward(network, n);
    return loss;
}

static void assert_near(const float *a, const float *b, int64_t n, double part) {
    double top = 0;
    for (int64_t i = 0; i < n; i++) {
        top = fmax(top, fabs((double)b[i]));
    }
    for (int64_t i = 0; i < n; i++) {
        assert_true(fabs((double)a[i] - (double)b[i]) <= part * top);
    }
}

// n images in a larger batch, after a full one, are n images: sums, statistics, gradients
static void short_batches_count_their_images_only(void **state) {
    (void)state;
    static const int sizes[] = {1, 5, 16, 17, 31};
    static const char *const models[] = {"small", "resnet20"};
    for (int kind = 0; kind < 4; kind++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            const int n = sizes[s];
            const char *model = models[kind / 2];
            ohmi_task_parameters *own_task = NULL, *task = NULL;
            const ohmi_network_def exact = def_of(model, n, kind % 2 * 4);
            const ohmi_network_def large = def_of(model, 40, kind % 2 * 4);
            ohmi_network *own = begin(&own_task, &exact), *network = begin(&task, &large);
            float *x_own = images(n, own->n_pad, kind % 2), *full = images(40, 48, kind % 2);
            float *x = images(n, 48, kind % 2);
            (void)step(network, full, 40);
            memcpy(task->statistics, own_task->statistics,
                   (size_t)task->n_statistics * sizeof(float));
            memcpy(task->trainable, own_task->trainable, (size_t)task->n_trainable * sizeof(float));
            const double loss = step(network, x, n), own_loss = step(own, x_own, n);
            assert_true(fabs(loss - own_loss) <= 1e-6 * (1 + own_loss));
            assert_near(task->statistics, own_task->statistics, task->n_statistics, 1e-6);
            assert_near(network->d_trainable, own->d_trainable, task->n_trainable, 1e-5);
            for (int l = 0; l < network->n_layers; l++) {
                assert_near(network->layers[l].dw, own->layers[l].dw, own->layers[l].n_weights,
                            1e-5);
            }
            // rows without an image stay zero in every map
            for (int i = 1; i < network->n_nodes - 1; i++) {
                const ohmi_node *node = &network->nodes[i];
                for (int p = 0; p < node->h * node->w; p++) {
                    for (int e = n * node->c_pad; e < 48 * node->c_pad; e++) {
                        assert_true(node->value[p * 48 * node->c_pad + e] == 0);
                    }
                }
            }
            free(x);
            free(x_own);
            free(full);
            ohmi_task_parameters_free(&task);
            ohmi_task_parameters_free(&own_task);
            ohmi_network_free(&network);
            ohmi_network_free(&own);
        }
    }
}

// inference uses the running statistics and changes nothing; an image's logits do not depend on the
// others of its batch
static void inference_sees_each_image_alone(void **state) {
    (void)state;
    for (int bits = 0; bits <= 4; bits += 4) {
        ohmi_task_parameters *task = NULL;
        const ohmi_network_def def = def_of("small", 20, bits);
        ohmi_network *network = begin(&task, &def);
        float *x = images(20, 32, bits > 0), *first = images(1, 32, bits > 0);
        float together[CLASSES];
        (void)step(network, x, 20);
        float *was = malloc((size_t)task->n_statistics * sizeof *was);
        assert_non_null(was);
        memcpy(was, task->statistics, (size_t)task->n_statistics * sizeof *was);
        ohmi_network_forward(network, x, 20, OHMI_MODE_INFER, 0.1f);
        memcpy(together, network->logits, sizeof together);
        ohmi_network_forward(network, first, 1, OHMI_MODE_INFER, 0.1f);
        assert_memory_equal(together, network->logits, sizeof together);
        assert_memory_equal(was, task->statistics, (size_t)task->n_statistics * sizeof *was);
        free(was);
        free(x);
        free(first);
        ohmi_task_parameters_free(&task);
        ohmi_network_free(&network);
    }
}

// the bits of a step do not depend on the number of threads, on any row
static void threads_do_not_change_a_step(void **state) {
    (void)state;
    int n_rows = 0;
    const int n_threads = ohmi_threads();
    const ohmi_kernels *const *rows = ohmi_kernels_all(&n_rows);
    for (int r = 0; r < n_rows; r++) {
        float *gradient[2] = {NULL, NULL};
        double loss[2] = {0, 0};
        int64_t n_numbers = 0;
        for (int run = 0; rows[r]->is_supported() && run < 2; run++) {
            ohmi_set_threads(run + 1);
            ohmi_task_parameters *task = NULL;
            ohmi_network_def def = def_of("resnet20", 20, 0);
            def.kernels = rows[r];
            ohmi_network *network = begin(&task, &def);
            float *x = images(20, 32, false);
            loss[run] = step(network, x, 20);
            n_numbers = task->n_trainable;
            for (int l = 0; l < network->n_layers; l++) {
                n_numbers += network->layers[l].n_weights;
            }
            gradient[run] = calloc((size_t)n_numbers, sizeof(float));
            assert_non_null(gradient[run]);
            memcpy(gradient[run], network->d_trainable, (size_t)task->n_trainable * sizeof(float));
            int64_t at = task->n_trainable;
            for (int l = 0; l < network->n_layers; l++) {
                memcpy(gradient[run] + at, network->layers[l].dw,
                       (size_t)network->layers[l].n_weights * sizeof(float));
                at += network->layers[l].n_weights;
            }
            free(x);
            ohmi_task_parameters_free(&task);
            ohmi_network_free(&network);
        }
        if (gradient[0]) {
            assert_true(loss[0] == loss[1]);
            assert_memory_equal(gradient[0], gradient[1], (size_t)n_numbers * sizeof(float));
        }
        free(gradient[0]);
        free(gradient[1]);
    }
    ohmi_set_threads(n_threads);
}

// logits set by hand: large ones neither overflow nor lose the answer; equals take the first
static void loss_holds_at_its_ends(void **state) {
    (void)state;
    ohmi_task_parameters *task = NULL;
    const ohmi_network_def def = def_of("small", 2, 0);
    ohmi_network *network = begin(&task, &def);
    float *x = images(2, 16, false);
    ohmi_network_forward(network, x, 2, OHMI_MODE_TRAIN, 0.1f);
    const struct {
        float logits[2][3];
        int32_t labels[2];
        double loss;
        int n_right;
    } cases[] = {
        {{{1e4f, 0, -1e4f}, {-1e4f, -1e4f, 0}}, {0, 2}, 0, 2},
        {{{1e4f, 0, 0}, {0, 0, 0}}, {1, 0}, (1e4 + log(3)) / 2, 1},
        {{{5, 5, 5}, {-7, -7, -7}}, {0, 1}, log(3), 1},
        {{{1, 2, 3}, {3, 2, 1}}, {2, 2}, (log(1 + exp(-1) + exp(-2)) * 2 + 2) / 2, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int n_right = -1;
        for (int b = 0; b < 2; b++) {
            memcpy(network->logits + b * network->logits_pad, cases[i].logits[b],
                   sizeof cases[i].logits[b]);
        }
        const double loss = ohmi_network_loss(network, cases[i].labels, 2, &n_right);
        assert_true(fabs(loss - cases[i].loss) <= 1e-7 * (1 + cases[i].loss));
        assert_int_equal(n_right, cases[i].n_right);
        // the gradient of an image sums to zero and is softmax minus the label
        for (int b = 0; b < 2; b++) {
            const float *d = network->d_logits + b * network->logits_pad;
            assert_true(fabsf(d[0] + d[1] + d[2]) < 1e-6f);
            assert_true(d[cases[i].labels[b]] <= 0 && d[cases[i].labels[b]] >= -0.5f);
        }
    }
    free(x);
    ohmi_task_parameters_free(&task);
    ohmi_network_free(&network);
}

// one weight that is no number reaches the loss through every layer behind it, rounded or not
static void not_a_number_reaches_the_loss(void **state) {
    (void)state;
    static const char *const models[] = {"small", "resnet20", "vgg16_bn"};
    for (int kind = 0; kind < 6; kind++) {
        ohmi_task_parameters *task = NULL;
        ohmi_network_def def = def_of(models[kind / 2], 4, kind % 2 * 4);
        def.width = kind / 2 == 2 ? 1.0 / 64 : def.width;
        ohmi_network *network = begin(&task, &def);
        float *x = images(4, 16, kind % 2);
        int n_right = 0;
        for (int l = 0; l < network->n_layers; l++) {
            // the middle of a filter, which a map of one pixel meets too
            const ohmi_conv *shape = &network->layers[l].shape;
            float *w = &network->layers[l].w_eff[shape->r * shape->s / 2];
            const float was = *w;
            *w = NAN;
            ohmi_network_forward(network, x, 4, OHMI_MODE_TRAIN, 0.1f);
            assert_true(!isfinite(ohmi_network_loss(network, g_labels, 4, &n_right)));
            *w = was;
        }
        free(x);
        ohmi_task_parameters_free(&task);
        ohmi_network_free(&network);
    }
}

// of equal winners, which codes have often, the first of a window takes the gradient, as in PyTorch
static void the_first_of_equal_winners_takes_the_gradient(void **state) {
    (void)state;
    ohmi_task_parameters *task = NULL;
    const ohmi_network_def def = def_of("small", 3, 0);
    ohmi_network *network = begin(&task, &def);
    ohmi_node *pool = &network->nodes[3];
    assert_int_equal(pool->kind, OHMI_NODE_MAXPOOL);
    const ohmi_node *input = &network->nodes[pool->input];
    const int row = network->n_pad * pool->c_pad;
    float *dx = calloc((size_t)(input->h * input->w * row), sizeof *dx);
    assert_non_null(dx);
    for (int i = 0; i < input->h * input->w * row; i++) {
        // all equal in even channels, the last two equal and larger in odd ones
        const int y = i / row / input->w;
        input->value[i] = i % 2 ? (float)(y % 2) : 0;
    }
    ohmi_maxpool_forward(network, pool);
    for (int i = 0; i < pool->h * pool->w * row; i++) {
        pool->gradient[i] = (float)(1 + i % 5);
    }
    ohmi_maxpool_backward(network, pool, dx);
    for (int i = 0; i < input->h * input->w * row; i++) {
        const int y = i / row / input->w, x = i / row % input->w;
        const bool is_winner = x % 2 == 0 && y % 2 == i % 2;
        const int from = (y / 2 * pool->w + x / 2) * row + i % row;
        assert_true(dx[i] == (is_winner ? (float)(1 + from % 5) : 0));
    }
    free(dx);
    ohmi_task_parameters_free(&task);
    ohmi_network_free(&network);
}

static void every_model_takes_a_step(void **state) {
    (void)state;
    for (const char *const *model = ohmi_network_models(); *model; model++) {
        ohmi_task_parameters *task = NULL;
        ohmi_network_def def = def_of(*model, 3, 4);
        // of 6 channels a sixteenth is none
        def.width = strcmp(*model, "lenet") == 0 ? 1 : 1.0 / 16;
        ohmi_network *network = begin(&task, &def);
        float *x = images(3, 16, true);
        assert_true(isfinite(step(network, x, 3)));
        assert_true(network->n_layers > 3);
        free(x);
        ohmi_task_parameters_free(&task);
        ohmi_network_free(&network);
    }
}

// the models' shapes at full width: weights and layers as in the papers
static void models_have_their_published_sizes(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int n_layers;
        int64_t n_weights;
    } known[] = {
        // 13 convolutions, 14710464 weights without biases, and 512 x 4096 + 4096 x 4096
        {"vgg16_bn", 15, 14710464 + 2097152 + 16777216},
        // 450 + 2400 in filters; 400 x 120 + 120 x 84
        {"lenet", 4, 450 + 2400 + 48000 + 10080},
        // 19 convolutions of 16, 32 and 64 channels, 0.27 M weights, and two 1 x 1 shortcuts
        {"resnet20", 21, 432 + 13824 + 4608 + 46080 + 512 + 18432 + 184320 + 2048},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        ohmi_network *network = NULL;
        ohmi_network_def def = def_of(known[i].name, 1, 0);
        def.width = 1;
        def.height = def.width_pixels = 32;
        def.is_training = false;
        assert_int_equal(ohmi_network_new(&network, &def, NULL), OHM_OK);
        int64_t n = 0;
        for (int l = 0; l < network->n_layers; l++) {
            n += network->layers[l].n_weights;
        }
        assert_int_equal(network->n_layers, known[i].n_layers);
        assert_int_equal(n, known[i].n_weights);
        ohmi_network_free(&network);
    }
}

static void an_unknown_model_is_refused(void **state) {
    (void)state;
    ohmi_network *network = NULL;
    ohm_error err;
    const ohmi_network_def def = def_of("vgg61_bn", 2, 0);
    assert_int_equal(ohmi_network_new(&network, &def, &err), OHM_ERR_CONFIG);
    assert_null(network);
    assert_non_null(strstr(err.message, "'vgg61_bn'"));
    assert_non_null(strstr(err.hint, "vgg16_bn"));
}

static void images_too_small_are_refused(void **state) {
    (void)state;
    ohmi_network *network = NULL;
    ohm_error err;
    ohmi_network_def def = def_of("small", 2, 0);
    def.width = 0.01;
    assert_int_equal(ohmi_network_new(&network, &def, &err), OHM_ERR_CONFIG);
    assert_null(network);
    assert_true(err.message[0] && err.hint[0]);
}

// whichever allocation fails, there is one error and nothing is left behind
static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    const int64_t live = ohmi_live_blocks();
    const ohmi_network_def def = def_of("small", 2, 4);
    int k = 0;
    for (; k < 200; k++) {
        ohmi_network *network = NULL;
        ohmi_task_parameters *task = NULL;
        ohm_error err;
        ohmi_fail_allocation(k);
        ohm_status status = ohmi_network_new(&network, &def, &err);
        if (status == OHM_OK) {
            status = ohmi_task_parameters_new(&task, network, CLASSES, 1, 0, &err);
        }
        ohmi_fail_allocation(-1);
        ohmi_task_parameters_free(&task);
        ohmi_network_free(&network);
        assert_int_equal(ohmi_live_blocks(), live);
        if (status == OHM_OK) {
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
        assert_true(err.message[0] != 0);
    }
    assert_true(k > 10 && k < 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_batches_count_their_images_only),
        cmocka_unit_test(inference_sees_each_image_alone),
        cmocka_unit_test(threads_do_not_change_a_step),
        cmocka_unit_test(loss_holds_at_its_ends),
        cmocka_unit_test(not_a_number_reaches_the_loss),
        cmocka_unit_test(the_first_of_equal_winners_takes_the_gradient),
        cmocka_unit_test(every_model_takes_a_step),
        cmocka_unit_test(models_have_their_published_sizes),
        cmocka_unit_test(an_unknown_model_is_refused),
        cmocka_unit_test(images_too_small_are_refused),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
