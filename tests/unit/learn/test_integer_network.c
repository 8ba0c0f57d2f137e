// SPDX-License-Identifier: Apache-2.0
// The quantised forward pass, on every kernel row, against an integer network written here a second
// time and read from a checkpoint: weight codes, column bits and activations are int32, every
// product and sum is one of integers, batch norm and roundings are in the arithmetic of norm.h. All
// logits of all test images must have the same bits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "file/safetensors.h"
#include "learn/checkpoint.h"
#include "scratch.h"
#include "unit/learn/tiny_learning.h"

// one picture's map: integer codes [y][x][channel] and what one is worth; or real values, step 1
typedef struct {
    int h, w, c;
    int32_t *code; // NULL: a real map
    float *real;
    float step;
} map;

// how a checkpoint is read: parameters of the task one after the other
typedef struct {
    const ohmi_tensors *file;
    const ohmi_config *config;
    int task, n_layers; // layers used so far
    const float *trainable, *statistics, *lsb;
    int n_classes;
} reader;

static map new_map(int h, int w, int c, bool is_real) {
    map m = {.h = h, .w = w, .c = c, .step = 1};
    const size_t n = (size_t)(h * w * c);
    m.code = is_real ? NULL : calloc(n, sizeof *m.code);
    m.real = is_real ? calloc(n, sizeof *m.real) : NULL;
    assert_true(m.code || m.real);
    return m;
}

static void drop(map *m) {
    free(m->code);
    free(m->real);
    *m = (map){0};
}

static const void *tensor(const reader *r, const char *name) {
    const ohmi_view *view = ohmi_tensors_find(r->file, name);
    if (!view) {
        fail_msg("the checkpoint has no '%s'", name);
    }
    return view->data;
}

// levels by their definition
static int32_t rounded(float v, ohmi_scheme scheme, int bits, bool is_weight) {
    static const int32_t weights[] = {0, 1, 2, 3, 4, 6, 8, 10};
    static const int32_t activations[] = {0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48};
    if (scheme == OHMI_SCHEME_UNIFORM) {
        const float top = (float)(is_weight ? (1 << (bits - 1)) - 1 : (1 << bits) - 1);
        const float low = is_weight ? -top : 0;
        return (int32_t)fminf(fmaxf(rintf(v), low), top);
    }
    const int32_t *level = is_weight ? weights : activations;
    const int n = is_weight ? 8 : 16;
    const float size = is_weight ? fabsf(v) : v;
    int i = 0;
    while (i + 1 < n && size >= 0.5f * (float)(level[i] + level[i + 1])) {
        i++;
    }
    return v < 0 ? -level[i] : level[i];
}

static int top_level(const ohmi_config *c) {
    return c->quantise.activation_scheme == OHMI_SCHEME_APOT
               ? 48
               : (1 << c->quantise.activation_bits) - 1;
}

// a product of integers; the k channels of filter size r x r
static map convolve(reader *r, const map *x, int k, int size, int stride, int pad,
                    const char *stem) {
    char name[64];
    const ohmi_config *config = r->config;
    const int p = (x->h + 2 * pad - size) / stride + 1, q = (x->w + 2 * pad - size) / stride + 1;
    map y = new_map(p, q, k, false);
    snprintf(name, sizeof name, "layers/%s%d/w", stem, r->n_layers + 1);
    const float *w = tensor(r, name);
    snprintf(name, sizeof name, "tasks/%d/bits/%s%d", r->task, stem, r->n_layers + 1);
    const uint8_t *bits = tensor(r, name);
    const float lsb = r->lsb[r->n_layers++];
    const int run = x->c * size * size;
    const int rows = (int)config->array.rows;
    const int span =
        config->method.unit == OHMI_UNIT_ELEMENT ? 1 : rows / (size * size) * size * size;
    const int n_groups = (run + span - 1) / span;
    assert_non_null(x->code);
    for (int o = 0; o < p * q * k; o++) {
        const int at_p = o / k / q, at_q = o / k % q, kk = o % k;
        int64_t sum = 0;
        for (int i = 0; i < run; i++) {
            const int c = i / (size * size), tap = i % (size * size);
            const int h = at_p * stride + tap / size - pad, v = at_q * stride + tap % size - pad;
            const int u = kk * n_groups + i / span;
            if (h < 0 || h >= x->h || v < 0 || v >= x->w || (bits[u / 8] >> (u % 8) & 1) == 0) {
                continue;
            }
            const int32_t code =
                rounded(w[kk * run + i] * (1.0f / lsb), config->quantise.weight_scheme,
                        (int)config->quantise.weight_bits, true);
            sum += (int64_t)code * x->code[(h * x->w + v) * x->c + c];
        }
        assert_true(sum < 1 << 24 && sum > -(1 << 24));
        y.code[o] = (int32_t)sum;
    }
    y.step = lsb * x->step;
    return y;
}

// batch norm of a sum, residual, ReLU and rounding to codes; the order of the parameters in a task
// is gamma, beta, clip of one node after the other
static map normalise(reader *r, map *x, const map *residual, bool has_relu) {
    map y = new_map(x->h, x->w, x->c, !has_relu);
    const int c = x->c;
    const float *gamma = r->trainable, *beta = gamma + c, *clip = beta + c;
    const float *mean = r->statistics, *variance = mean + c;
    r->trainable += 2 * c + (has_relu ? 1 : 0);
    r->statistics += 2 * c;
    const double s = (double)x->step;
    const float step = has_relu ? *clip / (float)top_level(r->config) : 1;
    for (int i = 0; i < x->h * x->w * c; i++) {
        const int k = i % c;
        const double inverse = 1.0 / sqrt((double)variance[k] + 1e-5);
        const float a = (float)((double)gamma[k] * inverse * s);
        const float b = (float)((double)beta[k] - (double)gamma[k] * inverse * (double)mean[k]);
        float v = a * (float)x->code[i] + b;
        if (residual) {
            v = v +
                (residual->code ? (float)residual->code[i] : residual->real[i]) * residual->step;
        }
        if (has_relu) {
            y.code[i] = rounded(fmaxf(v, 0) * (1.0f / step), r->config->quantise.activation_scheme,
                                (int)r->config->quantise.activation_bits, false);
        } else {
            y.real[i] = v;
        }
    }
    y.step = step;
    drop(x);
    return y;
}

static map max_of_2_by_2(map *x) {
    map y = new_map(x->h / 2, x->w / 2, x->c, false);
    for (int i = 0; i < y.h * y.w * y.c; i++) {
        const int p = i / y.c / y.w, q = i / y.c % y.w, c = i % y.c;
        y.code[i] = INT32_MIN;
        for (int place = 0; place < 4; place++) {
            const int32_t v = x->code[((2 * p + place / 2) * x->w + 2 * q + place % 2) * x->c + c];
            y.code[i] = v > y.code[i] ? v : y.code[i];
        }
    }
    y.step = x->step;
    drop(x);
    return y;
}

// the mean over the map as a real number, then rounded anew
static map mean_of_all(reader *r, map *x) {
    map y = new_map(1, 1, x->c, false);
    const float clip = *r->trainable++;
    y.step = clip / (float)top_level(r->config);
    for (int c = 0; c < x->c; c++) {
        int32_t sum = 0;
        for (int i = 0; i < x->h * x->w; i++) {
            sum += x->code[i * x->c + c];
        }
        const float mean = (float)sum * (x->step / (float)(x->h * x->w));
        y.code[c] = rounded(mean * (1.0f / y.step), r->config->quantise.activation_scheme,
                            (int)r->config->quantise.activation_bits, false);
    }
    drop(x);
    return y;
}

static void classify(reader *r, map *x, float *logits) {
    const float *w = r->trainable, *bias = w + r->n_classes * x->c;
    float largest = 1e-20f;
    for (int i = 0; i < r->n_classes * x->c; i++) {
        largest = fmaxf(largest, fabsf(w[i]));
    }
    const float step = largest / (float)((1 << (r->config->quantise.head_bits - 1)) - 1);
    for (int k = 0; k < r->n_classes; k++) {
        int32_t sum = 0;
        for (int c = 0; c < x->c; c++) {
            sum += (int32_t)rintf(w[k * x->c + c] / step) * x->code[c];
        }
        logits[k] = (float)sum * (step * x->step) + bias[k];
    }
    drop(x);
}

// the model small at half width
static void small(reader *r, map *x, float *logits) {
    static const int channels[] = {8, 16, 16};
    for (int i = 0; i < 3; i++) {
        map y = convolve(r, x, channels[i], 3, 1, 1, "conv");
        drop(x);
        y = normalise(r, &y, NULL, true);
        *x = max_of_2_by_2(&y);
    }
    map y = convolve(r, x, 32, x->h, 1, 0, "linear");
    drop(x);
    y = normalise(r, &y, NULL, true);
    classify(r, &y, logits);
}

// the model resnet20 at a quarter of its width; the shortcut comes first in a block
static void resnet20(reader *r, map *x, float *logits) {
    map at = convolve(r, x, 4, 3, 1, 1, "conv");
    drop(x);
    at = normalise(r, &at, NULL, true);
    for (int block = 0; block < 9; block++) {
        const int channels = 4 << block / 3, stride = block > 0 && block % 3 == 0 ? 2 : 1;
        map shortcut = {0};
        if (stride == 2) {
            map z = convolve(r, &at, channels, 1, 2, 0, "conv");
            shortcut = normalise(r, &z, NULL, false);
        }
        map y = convolve(r, &at, channels, 3, stride, 1, "conv");
        y = normalise(r, &y, NULL, true);
        map z = convolve(r, &y, channels, 3, 1, 1, "conv");
        drop(&y);
        y = normalise(r, &z, stride == 2 ? &shortcut : &at, true);
        drop(&shortcut);
        drop(&at);
        at = y;
    }
    at = mean_of_all(r, &at);
    classify(r, &at, logits);
}

// a test picture in signed 8-bit codes of the input step
static map picture(const tiny_learning *l, int t, int number) {
    map x = new_map(TINY_SIDE, TINY_SIDE, TINY_CHANNELS, false);
    const ohmi_task *task = &l->tasks.task[t];
    const float top = (float)((1 << (l->values->quantise.input_bits - 1)) - 1);
    x.step = 4.0f / (float)(1 << (l->values->quantise.input_bits - 1));
    for (int i = 0; i < TINY_BYTES; i++) {
        const int c = i % TINY_CHANNELS;
        const float v =
            ((float)task->test.pixels[number * TINY_BYTES + i] / 255.0f - task->mean[c]) /
            task->deviation[c];
        x.code[i] = (int32_t)fminf(fmaxf(rintf(v / x.step), -top), top);
    }
    return x;
}

// learns two tasks, saves, and holds each row's logits of both against the integers'
static void compare_rows(const char *const *more, void (*network)(reader *, map *, float *)) {
    tiny_learning l;
    ohmi_tensors *file = NULL;
    int n_rows = 0, n_different = 0;
    float expected[2][TINY_TEST * 3], logits[TINY_TEST * 3];
    const ohmi_kernels *const *rows = ohmi_kernels_all(&n_rows);
    const char *path = scratch_path("integer.safetensors");
    tiny_begin(&l, more);
    tiny_learn(&l, 0, NULL, NULL, NULL);
    tiny_learn(&l, 1, NULL, NULL, NULL);
    assert_int_equal(ohmi_checkpoint_save(l.learner, path, "", NULL), OHM_OK);
    assert_int_equal(ohmi_tensors_open(&file, path, NULL), OHM_OK);
    for (int t = 0; t < 2; t++) {
        const int n_classes = l.tasks.task[t].n_classes;
        for (int i = 0; i < TINY_TEST; i++) {
            char name[64];
            reader r = {.file = file, .config = l.values, .task = t, .n_classes = n_classes};
            snprintf(name, sizeof name, "tasks/%d/trainable", t);
            r.trainable = tensor(&r, name);
            snprintf(name, sizeof name, "tasks/%d/statistics", t);
            r.statistics = tensor(&r, name);
            r.lsb = tensor(&r, "layers/lsb");
            map x = picture(&l, t, i);
            network(&r, &x, expected[t] + i * n_classes);
        }
        n_different += memcmp(expected[t], expected[t] + n_classes, sizeof(float)) != 0;
    }
    assert_true(n_different > 0); // pictures do differ
    ohmi_tensors_close(&file);

    for (int row = 0; row < n_rows; row++) {
        ohmi_learner *learner = NULL;
        if (!rows[row]->is_supported()) {
            continue;
        }
        assert_int_equal(
            ohmi_learner_new(&learner, l.values, &l.tasks, rows[row]->name, false, NULL), OHM_OK);
        assert_int_equal(ohmi_checkpoint_load(learner, path, false, NULL), OHM_OK);
        for (int t = 0; t < 2; t++) {
            ohmi_evaluation e;
            const int n = TINY_TEST * l.tasks.task[t].n_classes;
            assert_int_equal(ohmi_evaluate(&e, learner, t, true, logits, NULL), OHM_OK);
            for (int i = 0; i < n; i++) {
                if (logits[i] != expected[t][i]) {
                    fail_msg("%s, task %d, logit %d: %.9g, with integers %.9g", rows[row]->name,
                             t + 1, i, (double)logits[i], (double)expected[t][i]);
                }
            }
        }
        ohmi_learner_free(&learner);
    }
    tiny_end(&l);
}

static void uniform_4_bits(void **state) {
    (void)state;
    compare_rows(NULL, small);
}

static void apot_4_bits(void **state) {
    (void)state;
    static const char *const more[] = {"quantise.weight_scheme", "apot",
                                       "quantise.activation_scheme", "apot", NULL};
    compare_rows(more, small);
}

static void other_bits(void **state) {
    (void)state;
    static const char *const more[][9] = {
        {"quantise.weight_bits", "2", "quantise.activation_bits", "2", "quantise.head_bits", "2",
         "quantise.input_bits", "2", NULL},
        {"quantise.weight_bits", "3", "quantise.activation_bits", "6", NULL},
        {"quantise.weight_bits", "8", "quantise.activation_bits", "8", NULL}};
    for (int i = 0; i < 3; i++) {
        compare_rows(more[i], small);
    }
}

static void elements(void **state) {
    (void)state;
    static const char *const more[] = {"method", "xst-element", NULL};
    compare_rows(more, small);
}

static void residual_blocks(void **state) {
    (void)state;
    static const char *const more[] = {
        "network.model", "resnet20", "network.expand", "0.25", "train.epochs", "2", NULL};
    compare_rows(more, resnet20);
}

// what a user is told: 4 bits are exact everywhere, 8 times 8 bits are not under Winograd
static void sums_that_may_round_are_named(void **state) {
    (void)state;
    static const char *const eight[] = {"quantise.weight_bits", "8", "quantise.activation_bits",
                                        "8", NULL};
    static const char *const in_float[] = {"quantise.weight_bits", "0", "quantise.activation_bits",
                                           "0", NULL};
    tiny_learning l;
    tiny_begin(&l, NULL);
    assert_null(ohmi_learner_inexact(l.learner));
    tiny_end(&l);
    tiny_begin(&l, eight);
    assert_string_equal(ohmi_learner_inexact(l.learner), l.learner->network->layers[1].name);
    tiny_end(&l);
    tiny_begin(&l, in_float);
    assert_null(ohmi_learner_inexact(l.learner));
    tiny_end(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_that_may_round_are_named),
        cmocka_unit_test(uniform_4_bits),
        cmocka_unit_test(apot_4_bits),
        cmocka_unit_test(other_bits),
        cmocka_unit_test(elements),
        cmocka_unit_test(residual_blocks),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
