// SPDX-License-Identifier: Apache-2.0
// What augmentation does to images, told from pictures whose pixels say where they come from: crops
// spread evenly, half of the pictures mirrored, draws of their own for every picture, epoch, task
// and seed; and that neither the number of threads nor going on later changes a batch.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/sha256.h"
#include "base/thread.h"
#include "data/loader.h"

enum { SIDE = 9, MIDDLE = SIDE / 2, N = 4000, BATCH = 64, PAD = 2, PLACES = 2 * PAD + 1 };

static uint8_t pixels[N * SIDE * SIDE];
static int32_t labels[N];
static ohmi_task task_rows[2];
static ohmi_tasks tasks = {
    .n_tasks = 2, .task = task_rows, .height = SIDE, .width = SIDE, .channels = 1};

// Pixel (y, x) of every picture is y * SIDE + x + 1, so that 0 is padding; the label is the index.
static int set_up(void **state) {
    (void)state;
    for (int i = 0; i < N; i++) {
        for (int p = 0; p < SIDE * SIDE; p++) {
            pixels[i * SIDE * SIDE + p] = (uint8_t)(p + 1);
        }
        labels[i] = i;
    }
    for (int t = 0; t < 2; t++) {
        task_rows[t].train = (ohmi_images){N, pixels, labels};
        task_rows[t].mean[0] = 0;
        task_rows[t].deviation[0] = 1;
    }
    return 0;
}

typedef struct {
    int dy, dx, flip;
} change;

// Loads an epoch and tells what was done to each picture; every pixel must agree.
static void read_changes(change *changes, const ohmi_loader_def *def, int task, int epoch) {
    ohmi_loader *loader = NULL;
    ohmi_batch batch;
    static uint8_t seen[N];
    int n_seen = 0;
    memset(seen, 0, sizeof seen);
    assert_int_equal(ohmi_loader_new(&loader, &tasks, def, NULL), OHM_OK);
    ohmi_loader_start(loader, task, &task_rows[task].train, epoch, 0);
    for (ohmi_loader_next(loader, &batch); batch.n > 0; ohmi_loader_next(loader, &batch)) {
        for (int i = 0; i < batch.n; i++) {
            int value[SIDE][SIDE];
            for (int p = 0; p < SIDE * SIDE; p++) {
                const float x = batch.x[((size_t)p * (size_t)batch.n_pad + (size_t)i) * 16];
                value[p / SIDE][p % SIDE] = (int)lrintf(x * 255.0f);
            }

            // the middle says where the crop is, its neighbour whether it is mirrored
            const int from = value[MIDDLE][MIDDLE] - 1, next = value[MIDDLE][MIDDLE + 1] - 1;
            const change c = {from / SIDE - MIDDLE, from % SIDE - MIDDLE, next < from};
            for (int p = 0; p < SIDE * SIDE; p++) {
                const int y = p / SIDE + c.dy;
                const int x = (c.flip ? SIDE - 1 - p % SIDE : p % SIDE) + c.dx;
                const int inside = y >= 0 && y < SIDE && x >= 0 && x < SIDE;
                assert_int_equal(value[p / SIDE][p % SIDE], inside ? y * SIDE + x + 1 : 0);
            }
            assert_int_equal(seen[batch.labels[i]]++, 0);
            changes[batch.labels[i]] = c;
            n_seen++;
        }
    }
    assert_int_equal(n_seen, N);
    ohmi_loader_free(&loader);
}

// The chi-squared of counts against equal shares must be within five deviations of its mean.
static void assert_even(const int *counts, int n_bins) {
    double chi = 0, share = 0;
    for (int i = 0; i < n_bins; i++) {
        share += counts[i];
    }
    share /= n_bins;
    for (int i = 0; i < n_bins; i++) {
        chi += (counts[i] - share) * (counts[i] - share) / share;
    }
    if (fabs(chi - (n_bins - 1)) > 5 * sqrt(2.0 * (n_bins - 1))) {
        fail_msg("chi-squared of %d bins is %g", n_bins, chi);
    }
}

static void test_spread(void **state) {
    (void)state;
    static change changes[N];
    const ohmi_loader_def def = {
        .seed = 3, .batch = BATCH, .shuffle = true, .augment = true, .flip = true, .pad = PAD};
    read_changes(changes, &def, 0, 0);

    // every crop with and without mirroring equally often
    int counts[PLACES * PLACES * 2] = {0};
    for (int i = 0; i < N; i++) {
        assert_in_range(changes[i].dy + PAD, 0, PLACES - 1);
        assert_in_range(changes[i].dx + PAD, 0, PLACES - 1);
        counts[((changes[i].dy + PAD) * PLACES + changes[i].dx + PAD) * 2 + changes[i].flip]++;
    }
    assert_even(counts, PLACES * PLACES * 2);
}

static void test_parts(void **state) {
    (void)state;
    static change changes[N];

    // crops without mirroring, mirroring without crops, neither
    ohmi_loader_def def = {.seed = 3, .batch = BATCH, .augment = true, .pad = PAD};
    read_changes(changes, &def, 0, 0);
    int n_moved = 0, n_flipped = 0;
    for (int i = 0; i < N; i++) {
        n_moved += changes[i].dy != 0 || changes[i].dx != 0;
        n_flipped += changes[i].flip;
    }
    assert_int_equal(n_flipped, 0);
    assert_true(fabs(n_moved / (double)N - 24.0 / 25) < 5 * sqrt(24.0 / 625 / N));

    def = (ohmi_loader_def){.seed = 3, .batch = BATCH, .augment = true, .flip = true};
    read_changes(changes, &def, 0, 0);
    n_flipped = 0;
    for (int i = 0; i < N; i++) {
        assert_true(changes[i].dy == 0 && changes[i].dx == 0);
        n_flipped += changes[i].flip;
    }
    assert_true(fabs(n_flipped - N / 2.0) < 5 * sqrt(N / 4.0));

    def = (ohmi_loader_def){.seed = 3, .batch = BATCH, .flip = true, .pad = PAD};
    read_changes(changes, &def, 0, 0);
    for (int i = 0; i < N; i++) {
        assert_true(changes[i].dy == 0 && changes[i].dx == 0 && !changes[i].flip);
    }
}

// Two epochs, two tasks, two seeds have nothing to do with each other: as many pictures are changed
// alike as chance has it, one in 50. Batch size and shuffling do not matter to a picture.
static void test_independence(void **state) {
    (void)state;
    static change first[N], other[N];
    const ohmi_loader_def def = {
        .seed = 3, .batch = BATCH, .shuffle = true, .augment = true, .flip = true, .pad = PAD};
    ohmi_loader_def seeded = def;
    seeded.seed = 4;
    read_changes(first, &def, 0, 0);
    for (int k = 0; k < 3; k++) {
        read_changes(other, k == 2 ? &seeded : &def, k == 0, k == 1);
        int n_alike = 0;
        for (int i = 0; i < N; i++) {
            n_alike += memcmp(&first[i], &other[i], sizeof first[i]) == 0;
        }
        assert_true(fabs(n_alike - N / 50.0) < 5 * sqrt(N / 50.0));
    }
    ohmi_loader_def plain = def;
    plain.batch = 7;
    plain.shuffle = false;
    read_changes(other, &plain, 0, 0);
    assert_memory_equal(first, other, sizeof first);
}

// The digest of batches first .. of an epoch, with what they are padded to.
static void digest_of(char hex[65], const ohmi_loader_def *def, int epoch, int first) {
    ohmi_loader *loader = NULL;
    ohmi_batch batch;
    ohmi_sha256 hash;
    ohmi_sha256_init(&hash);
    assert_int_equal(ohmi_loader_new(&loader, &tasks, def, NULL), OHM_OK);
    ohmi_loader_start(loader, 1, &task_rows[1].train, epoch, 0);
    for (int b = 0;; b++) {
        // going on later: a new loader that begins at batch `first`
        if (b == first && first > 0) {
            ohmi_loader_free(&loader);
            assert_int_equal(ohmi_loader_new(&loader, &tasks, def, NULL), OHM_OK);
            ohmi_loader_start(loader, 1, &task_rows[1].train, epoch, b);
        }
        ohmi_loader_next(loader, &batch);
        if (batch.n == 0) {
            break;
        }
        ohmi_sha256_add(&hash, batch.x,
                        (size_t)(SIDE * SIDE) * (size_t)batch.n_pad * 16 * sizeof *batch.x);
        ohmi_sha256_add(&hash, batch.labels, (size_t)batch.n * sizeof *batch.labels);
    }
    ohmi_loader_free(&loader);
    ohmi_sha256_hex(&hash, hex);
}

static void test_same_bytes(void **state) {
    (void)state;
    const ohmi_loader_def def = {
        .seed = 8, .batch = BATCH, .shuffle = true, .augment = true, .flip = true, .pad = PAD};
    char one[65], other[65];
    ohmi_set_threads(1);
    digest_of(one, &def, 5, 0);
    static const int threads[] = {2, 7};
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        ohmi_set_threads(threads[t]);
        digest_of(other, &def, 5, 0);
        assert_string_equal(one, other);
    }
    static const int places[] = {1, 31, 62, 63};
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        digest_of(other, &def, 5, places[p]);
        assert_string_equal(one, other);
    }
    digest_of(other, &def, 6, 0);
    assert_string_not_equal(one, other);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_independence),
        cmocka_unit_test(test_same_bytes),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
