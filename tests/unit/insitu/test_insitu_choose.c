// SPDX-License-Identifier: Apache-2.0
// Which rows of a gradient are programmed: thresholds by ratio, draws that are right in the mean,
// and in range.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "insitu/choose.h"

enum { P = 8, Q = 8, N = 15, N_ROWS = P * Q * N };

// a layer of 8 x 8 positions, 15 images, sizes over three decades, a tenth of them zero; all
// entries of a row are alike, so that norms are to each other as the largest entries are
typedef struct {
    ohmi_config config;
    ohmi_learner learner;
    ohmi_rows rows;
    ohmi_rows_room room;
    float error_most[N_ROWS], row_most[N_ROWS], weight[N_ROWS];
    float error_square[N_ROWS], row_square[N_ROWS];
    uint8_t is_kept[N_ROWS];
    float most;
} layer;

static layer l; // too large for a stack

static void begin(ohmi_row_choice choice, ohmi_row_size size) {
    const ohmi_rng rng = {.seed = 11, .purpose = OHMI_RNG_TEST};
    memset(&l, 0, sizeof l);
    l.config.seed = 3;
    l.config.insitu.choice = choice;
    l.config.insitu.size = size;
    l.config.insitu.every = 1;
    l.learner.config = &l.config;
    l.rows.learner = &l.learner;
    l.rows.shape.p = P;
    l.rows.shape.q = Q;
    l.rows.shape.c = 2;
    l.rows.shape.r = l.rows.shape.s = 3;
    l.rows.input_top = 15;
    for (int row = 0; row < N_ROWS; row++) {
        const uint32_t at = 3 * (uint32_t)row;
        const float size_part = ohmi_rng_uniform(&rng, at);
        l.error_most[row] =
            ohmi_rng_uniform(&rng, at + 1) < 0.1f ? 0 : 0.02f * powf(10, -3 * size_part);
        l.row_most[row] = rintf(15 * ohmi_rng_uniform(&rng, at + 2));
        l.error_square[row] = 3 * l.error_most[row] * l.error_most[row];
        l.row_square[row] = 18 * l.row_most[row] * l.row_most[row];
        l.most = fmaxf(l.most, l.error_most[row]);
    }
    l.room = (ohmi_rows_room){.error_most = l.error_most,
                              .row_most = l.row_most,
                              .error_square = l.error_square,
                              .row_square = l.row_square,
                              .weight = l.weight,
                              .is_kept = l.is_kept};
}

static ohmi_row_choices choose(int64_t batch) {
    return ohmi_rows_choose(&l.rows, &l.room, N, l.most, batch);
}

static double error_of(int row) {
    return (double)l.error_most[row] / (double)l.most;
}

static double size_of(int row) {
    return error_of(row) *
           (l.config.insitu.size != OHMI_SIZE_ERROR ? (double)l.row_most[row] / 15 : 1);
}

static double part_of(int row, double threshold) {
    const double s = size_of(row);
    return s >= threshold ? 1 : s / threshold;
}

static void nothing_is_left_out_at_zero(void **state) {
    (void)state;
    for (int choice = OHMI_CHOICE_CUT; choice <= OHMI_CHOICE_DRAW; choice++) {
        for (int size = OHMI_SIZE_ERROR; size <= OHMI_SIZE_NORM; size++) {
            begin((ohmi_row_choice)choice, (ohmi_row_size)size);
            const ohmi_row_choices out = choose(0);
            assert_int_equal(out.n_kept, N_ROWS);
            assert_int_equal(out.n_driven, N_ROWS);
            assert_false(out.is_changed);
            assert_true(out.factor == 1.0f);
            for (int row = 0; row < N_ROWS; row++) {
                assert_true(l.is_kept[row] && l.weight[row] == 1.0f);
            }
        }
    }
}

static void cut_keeps_what_is_large(void **state) {
    (void)state;
    begin(OHMI_CHOICE_CUT, OHMI_SIZE_PRODUCT);
    l.config.insitu.error = 0.05;
    const ohmi_row_choices out = choose(0);
    int64_t n = 0;
    for (int row = 0; row < N_ROWS; row++) {
        assert_int_equal(l.is_kept[row], size_of(row) >= 0.05);
        n += l.is_kept[row];
    }
    assert_int_equal(out.n_kept, n);
    assert_true(out.is_changed && n > 0 && n < N_ROWS);

    // what was left out is made up for in the sum of sizes
    l.config.insitu.choice = OHMI_CHOICE_SCALE;
    const ohmi_row_choices scaled = choose(0);
    double all = 0, kept = 0;
    for (int row = 0; row < N_ROWS; row++) {
        all += size_of(row);
        kept += l.is_kept[row] ? size_of(row) : 0;
    }
    assert_int_equal(scaled.n_kept, n);
    assert_true(fabs((double)scaled.factor * kept / all - 1) < 1e-6 && scaled.factor > 1);
}

static void ratios_become_thresholds(void **state) {
    (void)state;
    static const double ratios[] = {0.05, 0.3, 0.5, 0.7, 0.9, 0.99};
    for (int choice = OHMI_CHOICE_CUT; choice <= OHMI_CHOICE_DRAW; choice++) {
        for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++) {
            begin((ohmi_row_choice)choice, OHMI_SIZE_ERROR);
            l.rows.state[OHMI_ROWS_RATIO] = ratios[i];
            const ohmi_row_choices out = choose(0);
            const double wanted = (1 - ratios[i]) * N_ROWS;

            // a tenth of the rows is zero: draws leave those out without being asked to, a cut at
            // zero leaves out none
            double n_there = 0;
            for (int row = 0; row < N_ROWS; row++) {
                n_there += l.error_most[row] > 0;
            }
            const double at_most = choice == OHMI_CHOICE_DRAW ? n_there : N_ROWS;
            const double most = wanted > n_there ? at_most : wanted;
            assert_true(fabs((double)out.n_kept - most) <= 1.5);
            if (choice == OHMI_CHOICE_DRAW && wanted < n_there) {
                double sum = 0;
                for (int row = 0; row < N_ROWS; row++) {
                    sum += fmin(1, size_of(row) / l.rows.state[OHMI_ROWS_ERROR]);
                }
                assert_true(fabs(sum - wanted) < 1e-6 * wanted);
            }
        }
    }
}

// layers with fewer rows an image than lines have turns keep all
static void lines_are_shared(void **state) {
    (void)state;
    static const int64_t lines[] = {P * Q, 2 * P * Q, 16 * P * Q};
    static const double kept[] = {0.25, 0.5, 1};
    for (int i = 0; i < 3; i++) {
        begin(OHMI_CHOICE_DRAW, OHMI_SIZE_ERROR);
        l.config.insitu.share = OHMI_SHARE_LINES;
        l.config.insitu.error = 0.5; // of no use beside a ratio
        l.rows.state[OHMI_ROWS_RATIO] = 0.75;
        l.rows.n_rows = lines[i];
        const ohmi_row_choices out = choose(0);
        assert_true(fabs((double)out.n_kept - kept[i] * N_ROWS) <= 1);
    }
}

// over many batches each row has been driven as if it always were
static void draws_are_right_in_the_mean(void **state) {
    (void)state;
    enum { BATCHES = 3000 };
    static double sum[N_ROWS];
    for (int size = OHMI_SIZE_ERROR; size <= OHMI_SIZE_NORM; size++) {
        begin(OHMI_CHOICE_DRAW, (ohmi_row_size)size);
        l.config.insitu.error = 0.2;
        double expected = 0;
        for (int row = 0; row < N_ROWS; row++) {
            expected += part_of(row, 0.2);
            sum[row] = 0;
        }
        for (int64_t batch = 0; batch < BATCHES; batch++) {
            const ohmi_row_choices out = choose(batch);
            assert_true(fabs((double)out.n_kept - expected) < 1 + 1e-9);
            assert_true(out.range >= l.most);
            for (int row = 0; row < N_ROWS; row++) {
                assert_int_equal(l.is_kept[row], l.weight[row] > 0);
                assert_true(l.weight[row] <= 0 || l.weight[row] >= 1);
                assert_true(l.weight[row] * l.error_most[row] <= out.range);
                sum[row] += (double)l.weight[row];
            }
        }
        for (int row = 0; row < N_ROWS; row++) {
            const double part = part_of(row, 0.2);
            const double mean = sum[row] / BATCHES;
            if (part <= 0) {
                assert_true(mean <= 0);
            } else {
                assert_true(fabs(mean - 1) <= 6 * sqrt((1 - part) / part / BATCHES) + 1e-6);
            }
        }
    }
}

// the same batch is drawn the same; another one, or another layer, is not
static void draws_depend_on_the_place(void **state) {
    (void)state;
    static uint8_t kept[N_ROWS];
    begin(OHMI_CHOICE_DRAW, OHMI_SIZE_ERROR);
    l.config.insitu.error = 0.3;
    (void)choose(7);
    memcpy(kept, l.is_kept, sizeof kept);
    (void)choose(8);
    assert_memory_not_equal(kept, l.is_kept, sizeof kept);
    (void)choose(7);
    assert_memory_equal(kept, l.is_kept, sizeof kept);
    l.rows.layer = 1;
    (void)choose(7);
    assert_memory_not_equal(kept, l.is_kept, sizeof kept);
}

static void inputs_are_cut_whatever_is_drawn(void **state) {
    (void)state;
    begin(OHMI_CHOICE_DRAW, OHMI_SIZE_ERROR);
    l.config.insitu.error = 0.1;
    l.config.insitu.activation = 0.5;
    (void)choose(0);
    int n = 0;
    for (int row = 0; row < N_ROWS; row++) {
        assert_true(!l.is_kept[row] || l.row_most[row] >= 7.5f);
        n += l.is_kept[row];
    }
    assert_true(n > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_out_at_zero),
        cmocka_unit_test(cut_keeps_what_is_large),
        cmocka_unit_test(ratios_become_thresholds),
        cmocka_unit_test(lines_are_shared),
        cmocka_unit_test(draws_are_right_in_the_mean),
        cmocka_unit_test(draws_depend_on_the_place),
        cmocka_unit_test(inputs_are_cut_whatever_is_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
