// SPDX-License-Identifier: Apache-2.0
// The table of integer products, and the plain one that the others are tested against; see
// integer.h.
#include "kernel/integer.h"

#include <math.h>
#include <string.h>

#include "base/thread.h"

static const ohmi_integer_kernels *const g_rows[] = {
#if defined(__x86_64__)
    &ohmi_integer_vnni,
    &ohmi_integer_avx2,
#endif
    &ohmi_integer_plain,
};

const ohmi_integer_kernels *const *ohmi_integer_all(int *count) {
    *count = (int)(sizeof g_rows / sizeof g_rows[0]);
    return g_rows;
}

const ohmi_integer_kernels *ohmi_integer_for(const ohmi_kernels *kernels) {
    // each set of instructions with its own products, so that a backend is what its name says
    static const struct {
        const char *kernels, *integer;
    } pairs[] = {{"amx", "avx512-vnni"},
                 {"avx512", "avx512-vnni"},
                 {"amx", "avx2-maddubs"},
                 {"avx512", "avx2-maddubs"},
                 {"avx2", "avx2-maddubs"}};
    int count = 0;
    const ohmi_integer_kernels *const *rows = ohmi_integer_all(&count);
    for (size_t p = 0; p < sizeof pairs / sizeof pairs[0]; p++) {
        for (int i = 0; i < count; i++) {
            if (strcmp(pairs[p].integer, rows[i]->name) == 0 &&
                ohmi_kernels_find(pairs[p].kernels) == kernels && rows[i]->is_supported()) {
                return rows[i];
            }
        }
    }
    return NULL;
}

static bool is_supported(void) {
    return true;
}

static size_t packed_bytes(const ohmi_conv *o) {
    return (size_t)o->k * (size_t)o->c * (size_t)o->r * (size_t)o->s;
}

static void pack(void *packed, const float *w, const ohmi_conv *o) {
    int8_t *code = packed;
    for (size_t i = 0; i < packed_bytes(o); i++) {
        code[i] = (int8_t)w[i];
    }
}

typedef struct {
    void *y;
    const uint8_t *x;
    const int8_t *w;
    int zero;
    const ohmi_conv *o;
    const ohmi_finish *finish;
} job;

static void store(const job *j, int64_t at, int k, int32_t sum) {
    const ohmi_finish *f = j->finish;
    if (!f->a) {
        ((int32_t *)j->y)[at] = sum;
        return;
    }
    float v = f->a[k] * (float)sum + f->b[k];
    if (f->residual || f->residual_code) {
        v += (f->residual ? f->residual[at] : (float)f->residual_code[at]) * f->residual_step;
    }
    v = f->has_relu && v < 0 ? 0 : v;
    if (!(f->inverse_step > 0)) {
        ((float *)j->y)[at] = v;
        return;
    }
    v *= f->inverse_step;
    int code = 0;
    if (f->n_levels > 0) {
        while (code + 1 < f->n_levels && v >= f->threshold[code]) {
            code++;
        }
        code = f->level[code];
    } else {
        v = rintf(v);
        code = (int)(v < 0 ? 0 : v > f->top ? f->top : v);
    }
    ((uint8_t *)j->y)[at] = (uint8_t)code;
}

// indices: (p, q, n) with n up to n_pad
static void run_part(void *context, int64_t begin, int64_t end, int thread) {
    const job *j = context;
    const ohmi_conv *o = j->o;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const int n = (int)(i % o->n_pad);
        const int q = (int)(i / o->n_pad % o->q), p = (int)(i / o->n_pad / o->q);
        for (int k = 0; n < o->n && k < o->k_pad; k++) {
            int32_t sum = 0;
            for (int tap = 0; k < o->k && tap < o->r * o->s; tap++) {
                const int h = p * o->stride + tap / o->s - o->pad;
                const int w = q * o->stride + tap % o->s - o->pad;
                if (h < 0 || h >= o->h || w < 0 || w >= o->w) {
                    continue;
                }
                const uint8_t *x = j->x + (((int64_t)h * o->w + w) * o->n_pad + n) * o->c_pad;
                for (int c = 0; c < o->c; c++) {
                    sum += (x[c] - j->zero) * j->w[((int64_t)k * o->c + c) * o->r * o->s + tap];
                }
            }
            store(j, i * o->k_pad + k, k, sum);
        }
    }
}

static void run(void *y, const uint8_t *x, int zero, const void *packed, const ohmi_conv *o,
                const ohmi_finish *finish) {
    job j = {y, x, packed, zero, o, finish};
    ohmi_parallel((int64_t)o->p * o->q * o->n_pad, 1, run_part, &j);
}

const ohmi_integer_kernels ohmi_integer_plain = {
    "plain",      "plain loops over integers, any CPU, slow",
    is_supported, 255 * 127,
    packed_bytes, pack,
    run,
};
