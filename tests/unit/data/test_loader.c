// SPDX-License-Identifier: Apache-2.0
// The loader against a plain second writing of what a batch is; and that neither timing, nor
// stopping, nor going on later changes a bit of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/rng.h"
#include "data/loader.h"

enum {
    N = 45,
    H = 5,
    W = 7,
    C = 3,
    BATCH = 20,
    N_PAD = 32,
    C_PAD = 16,
    SIZE = H * W * N_PAD * C_PAD
};

static uint8_t pixels[2][N * H * W * C];
static int32_t labels[2][N];
static ohmi_task task_rows[2];
static ohmi_tasks tasks = {.n_tasks = 2, .task = task_rows, .height = H, .width = W, .channels = C};

static int set_up(void **state) {
    (void)state;
    for (int t = 0; t < 2; t++) {
        for (size_t i = 0; i < sizeof pixels[t]; i++) {
            pixels[t][i] = (uint8_t)((i * 2654435761u >> 11) + (size_t)t * 3);
        }
        for (int i = 0; i < N; i++) {
            labels[t][i] = (i * 5 + t) % 4;
        }
        ohmi_task *task = &task_rows[t];
        task->train = (ohmi_images){N, pixels[t], labels[t]};
        task->test = (ohmi_images){N - 10, pixels[t], labels[t]};
        for (int c = 0; c < C; c++) {
            task->mean[c] = 0.4f + 0.05f * (float)c;
            task->deviation[c] = 0.25f + 0.01f * (float)(c + t);
        }
    }
    return 0;
}

// Batch number b as loader.h defines it, into x (zeroed here) and y; returns its images.
static int expected(float *x, int32_t *y, const ohmi_loader_def *def, int t, int epoch, int b,
                    const ohmi_images *images) {
    int32_t order[N];
    ohmi_rng shuffle = {(uint64_t)def->seed, OHMI_RNG_SHUFFLE, (uint32_t)t, (uint32_t)epoch};
    ohmi_rng augment = {(uint64_t)def->seed, OHMI_RNG_AUGMENT, (uint32_t)t, (uint32_t)epoch};
    for (int i = 0; i < N; i++) {
        order[i] = i;
    }
    if (def->shuffle) {
        ohmi_rng_permutation(order, (int32_t)images->n, &shuffle);
    }
    memset(x, 0, SIZE * sizeof *x);
    int n = 0;
    for (int i = b * BATCH; i < images->n && i < (b + 1) * BATCH; i++, n++) {
        int32_t at = order[i];
        uint32_t bits[4];
        ohmi_rng_bits(bits, &augment, (uint32_t)at);
        int span = 2 * def->pad + 1;
        int dy = def->augment ? (int)(((uint64_t)bits[0] * (uint64_t)span) >> 32) - def->pad : 0;
        int dx = def->augment ? (int)(((uint64_t)bits[1] * (uint64_t)span) >> 32) - def->pad : 0;
        int flip = def->augment && def->flip && bits[2] >= 0x80000000u;
        y[n] = images->labels[at];
        for (int p = 0; p < H * W * C; p++) {
            int h = p / C / W, w = p / C % W, c = p % C;
            int from_h = h + dy, from_w = (flip ? W - 1 - w : w) + dx;
            int inside = from_h >= 0 && from_h < H && from_w >= 0 && from_w < W;
            int v = inside ? images->pixels[((at * H + from_h) * W + from_w) * C + c] : 0;
            float z = ((float)v / 255.0f - tasks.task[t].mean[c]) / tasks.task[t].deviation[c];
            if (def->input_step > 0) {
                z = rintf(z / def->input_step);
                z = z > def->input_max ? def->input_max : z < -def->input_max ? -def->input_max : z;
            }
            x[((h * W + w) * N_PAD + n) * C_PAD + c] = z;
        }
    }
    return n;
}

// Checks the batches from `first` to the end of an epoch, and that the end stays the end.
static void check_epoch(ohmi_loader *loader, const ohmi_loader_def *def, int t, int epoch,
                        int first, const ohmi_images *images) {
    static float x[SIZE];
    int32_t y[BATCH];
    ohmi_batch batch;
    int n_batches = ((int)images->n + BATCH - 1) / BATCH;
    for (int b = first; b < n_batches; b++) {
        ohmi_loader_next(loader, &batch);
        int n = expected(x, y, def, t, epoch, b, images);
        assert_int_equal(batch.n, n);
        assert_int_equal(batch.n_pad, N_PAD);
        assert_memory_equal(batch.labels, y, (size_t)n * sizeof *y);
        for (int i = 0; i < SIZE; i++) {
            if (batch.x[i] != x[i]) {
                fail_msg("batch %d element %d: %g, not %g", b, i, (double)batch.x[i], (double)x[i]);
            }
        }
    }
    for (int i = 0; i < 5; i++) {
        ohmi_loader_next(loader, &batch);
        assert_int_equal(batch.n, 0);
    }
}

static void test_batches(void **state) {
    (void)state;
    ohm_error err;
    static const ohmi_loader_def defs[] = {
        {.seed = 1, .batch = BATCH},
        {.seed = 2, .batch = BATCH, .shuffle = true},
        {.seed = 3, .batch = BATCH, .shuffle = true, .augment = true, .pad = 2},
        {.seed = 4, .batch = BATCH, .shuffle = true, .augment = true, .flip = true, .pad = 4},
        {.seed = 5, .batch = BATCH, .shuffle = true, .augment = true, .flip = true, .pad = 0},
        {.seed = 6, .batch = BATCH, .input_step = 0.02f, .input_max = 63},
    };
    for (size_t d = 0; d < sizeof defs / sizeof defs[0]; d++) {
        ohmi_loader *loader = NULL;
        assert_int_equal(ohmi_loader_new(&loader, &tasks, &defs[d], &err), OHM_OK);
        for (int epoch = 0; epoch < 3; epoch++) {
            int t = epoch % 2;
            const ohmi_images *images = epoch == 1 ? &task_rows[t].test : &task_rows[t].train;
            ohmi_loader_start(loader, t, images, epoch, 0);
            check_epoch(loader, &defs[d], t, epoch, 0, images);
        }
        ohmi_loader_free(&loader);
        assert_null(loader);
    }
    assert_int_equal(ohmi_live_blocks(), 0);
}

// Starting anew at any moment, and beginning at a later batch.
static void test_abandon_and_resume(void **state) {
    (void)state;
    ohm_error err;
    const ohmi_loader_def def = {
        .seed = 9, .batch = BATCH, .shuffle = true, .augment = true, .flip = true, .pad = 2};
    ohmi_loader *loader = NULL;
    ohmi_batch batch;
    assert_int_equal(ohmi_loader_new(&loader, &tasks, &def, &err), OHM_OK);
    int64_t allocations = ohmi_allocation_count();
    for (int i = 0; i < 200; i++) {
        ohmi_loader_start(loader, i % 2, &task_rows[i % 2].train, i, 0);
        for (int taken = 0; taken < i % 5; taken++) {
            ohmi_loader_next(loader, &batch);
        }
        if (i % 3 == 0) {
            nanosleep(&(struct timespec){.tv_nsec = 20000 * (i % 7)}, NULL);
        }
        if (i % 20 == 0) {
            ohmi_loader_start(loader, 1, &task_rows[1].train, i, i / 20 % 3);
            check_epoch(loader, &def, 1, i, i / 20 % 3, &task_rows[1].train);
        }
    }
    assert_int_equal(ohmi_allocation_count(), allocations);
    ohmi_loader_free(&loader);
    ohmi_loader_free(&loader);
}

// Each allocation that fails is reported and leaves nothing behind.
static void test_no_memory(void **state) {
    (void)state;
    ohm_error err;
    const ohmi_loader_def def = {.batch = BATCH};
    for (int k = 0;; k++) {
        ohmi_loader *loader = NULL;
        ohmi_fail_allocation(k);
        ohm_status status = ohmi_loader_new(&loader, &tasks, &def, &err);
        ohmi_fail_allocation(-1);
        if (status == OHM_OK) {
            assert_true(k > 3);
            ohmi_loader_free(&loader);
            break;
        }
        assert_int_equal(status, OHM_ERR_NO_MEMORY);
        assert_null(loader);
        assert_int_equal(ohmi_live_blocks(), 0);
    }
    ohmi_loader *loader = NULL;
    assert_int_equal(ohmi_loader_new(&loader, &tasks, &(ohmi_loader_def){.batch = 0}, &err),
                     OHM_ERR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_abandon_and_resume),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
