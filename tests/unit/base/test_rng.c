// SPDX-License-Identifier: Apache-2.0
// Random numbers: the published vectors of Philox4x32-10 (kat_vectors of the authors' Random123
// library), golden values of what is drawn from it (computed by a second writing in Python), and
// that streams of different purposes, tasks, places and seeds have nothing to do with each other.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/rng.h"

static void test_published(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t out[4];
        ohmi_philox(out, rows[i].counter, rows[i].key);
        assert_memory_equal(out, rows[i].out, sizeof out);
    }
}

// What a seed means must never change: runs are repeated by it.
static void test_golden(void **state) {
    (void)state;
    const uint64_t seed = 0x123456789abcdef0;
    const ohmi_rng shuffle = {seed, OHMI_RNG_SHUFFLE, 3, 7};
    const uint32_t wanted[4] = {0x7627133c, 0x8106640f, 0xf18518c5, 0x778d6adb};
    uint32_t bits[4];
    ohmi_rng_bits(bits, &shuffle, 11);
    assert_memory_equal(bits, wanted, sizeof bits);

    const ohmi_rng init = {seed, OHMI_RNG_INIT, 0, 2};
    static const struct {
        uint32_t index;
        double uniform, normal;
    } rows[] = {{0, 0.2422751784324646, 0.8323589176144528},
                {1, 0.6686498522758484, 0.6706977288497831},
                {1000, 0.8127240538597107, 0.2903001884258258}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true((double)ohmi_rng_uniform(&init, rows[i].index) == rows[i].uniform);
        assert_true(fabs((double)ohmi_rng_normal(&init, rows[i].index) - rows[i].normal) < 1e-6);
    }

    static const int32_t orders[2][12] = {{4, 6, 2, 10, 5, 0, 11, 7, 9, 1, 3, 8},
                                          {2, 0, 7, 6, 4, 3, 8, 9, 10, 11, 1, 5}};
    for (uint32_t place = 0; place < 2; place++) {
        const ohmi_rng rng = {1, OHMI_RNG_SHUFFLE, 0, place};
        int32_t order[12];
        ohmi_rng_permutation(order, 12, &rng);
        assert_memory_equal(order, orders[place], sizeof order);
    }
}

// The values of the purposes are part of what a seed means.
static void test_purposes(void **state) {
    (void)state;
    assert_int_equal(OHMI_RNG_INIT, 1);
    assert_int_equal(OHMI_RNG_CLAIM, 2);
    assert_int_equal(OHMI_RNG_DROP, 3);
    assert_int_equal(OHMI_RNG_SHUFFLE, 4);
    assert_int_equal(OHMI_RNG_AUGMENT, 5);
    assert_int_equal(OHMI_RNG_GUMBEL, 6);
    assert_int_equal(OHMI_RNG_SPLIT, 7);
    assert_int_equal(OHMI_RNG_HEAD, 8);
    assert_int_equal(OHMI_RNG_STUCK, 32);
    assert_int_equal(OHMI_RNG_STUCK_CLUSTER, 33);
    assert_int_equal(OHMI_RNG_OPEN_ROW, 34);
    assert_int_equal(OHMI_RNG_OPEN_COLUMN, 35);
    assert_int_equal(OHMI_RNG_PROGRAM, 36);
    assert_int_equal(OHMI_RNG_PROGRAM_PART, 37);
    assert_int_equal(OHMI_RNG_DRIFT, 38);
    assert_int_equal(OHMI_RNG_TELEGRAPH, 39);
    assert_int_equal(OHMI_RNG_READ_NOISE, 40);
    assert_int_equal(OHMI_RNG_DAC_GAIN, 41);
    assert_int_equal(OHMI_RNG_DAC_OFFSET, 42);
    assert_int_equal(OHMI_RNG_ADC_GAIN, 43);
    assert_int_equal(OHMI_RNG_ADC_OFFSET, 44);
    assert_int_equal(OHMI_RNG_PROGRAM_LEVEL, 45);
    assert_int_equal(OHMI_RNG_NIA, 46);
}

enum { DRAWS = 20000 };

// Mean, variance, range and equal filling of 64 bins of uniform numbers; moments of normal ones.
// The limits are five standard errors.
static void test_moments(void **state) {
    (void)state;
    const ohmi_rng rng = {.seed = 17, .purpose = OHMI_RNG_TEST};
    double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0, fourth = 0;
    int bins[64] = {0};
    for (uint32_t i = 0; i < DRAWS; i++) {
        const double u = (double)ohmi_rng_uniform(&rng, i), z = (double)ohmi_rng_normal(&rng, i);
        assert_true(u > 0 && u < 1);
        bins[(int)(u * 64)]++;
        sum += u;
        squares += u * u;
        normal_sum += z;
        normal_squares += z * z;
        fourth += z * z * z * z;
    }
    const double n = DRAWS, root = sqrt(n);
    assert_true(fabs(sum / n - 0.5) < 5 * sqrt(1.0 / 12) / root);
    assert_true(fabs(squares / n - 1.0 / 3) < 5 * sqrt(4.0 / 45) / root);
    assert_true(fabs(normal_sum / n) < 5 / root);
    assert_true(fabs(normal_squares / n - 1) < 5 * sqrt(2) / root);
    assert_true(fabs(fourth / n - 3) < 5 * sqrt(96) / root);

    // chi-squared with 63 degrees of freedom: mean 63, deviation sqrt(126)
    double chi = 0;
    for (int i = 0; i < 64; i++) {
        chi += (bins[i] - n / 64) * (bins[i] - n / 64) / (n / 64);
    }
    assert_true(fabs(chi - 63) < 5 * sqrt(126));
}

// Two streams that differ in one part of what they are for: no common draws, no correlation.
static void test_independence(void **state) {
    (void)state;
    const ohmi_rng base = {5, OHMI_RNG_INIT, 1, 1};
    const ohmi_rng others[] = {
        {5, OHMI_RNG_CLAIM, 1, 1},
        {5, OHMI_RNG_DROP, 1, 1},
        {5, OHMI_RNG_SHUFFLE, 1, 1},
        {5, OHMI_RNG_SPLIT, 1, 1},
        {5, OHMI_RNG_GUMBEL, 1, 1},
        {5, OHMI_RNG_AUGMENT, 1, 1},
        {5, OHMI_RNG_HEAD, 1, 1},
        {5, OHMI_RNG_INIT, 2, 1},
        {5, OHMI_RNG_INIT, 1, 2},
        {6, OHMI_RNG_INIT, 1, 1},
        {5 + ((uint64_t)1 << 32), OHMI_RNG_INIT, 1, 1},
    };
    for (size_t o = 0; o < sizeof others / sizeof *others; o++) {
        double product = 0, shifted = 0;
        int n_same = 0;
        for (uint32_t i = 0; i < DRAWS; i++) {
            uint32_t a[4], b[4];
            ohmi_rng_bits(a, &base, i);
            ohmi_rng_bits(b, &others[o], i);
            n_same += memcmp(a, b, sizeof a) == 0;
            const double u = (double)ohmi_rng_uniform(&base, i) - 0.5;
            product += u * ((double)ohmi_rng_uniform(&others[o], i) - 0.5);
            shifted += u * ((double)ohmi_rng_uniform(&others[o], i + 1) - 0.5);
        }
        // 12 * the mean product is the correlation, whose standard error is 1 / sqrt(n)
        assert_int_equal(n_same, 0);
        assert_true(fabs(12 * product / DRAWS) < 5 / sqrt(DRAWS));
        assert_true(fabs(12 * shifted / DRAWS) < 5 / sqrt(DRAWS));
    }
}

// A draw depends on its index alone, whatever was drawn before.
static void test_any_order(void **state) {
    (void)state;
    const ohmi_rng rng = {3, OHMI_RNG_TEST, 4, 5};
    float forward[100];
    for (uint32_t i = 0; i < 100; i++) {
        forward[i] = ohmi_rng_uniform(&rng, i);
    }
    for (uint32_t i = 100; i-- > 0;) {
        assert_true(ohmi_rng_uniform(&rng, i) == forward[i]);
    }
}

// Permutations hold every number once, of any length; each place gets each number equally often.
static void test_permutation(void **state) {
    (void)state;
    static int32_t order[1000];
    static uint8_t seen[1000];
    static const int32_t sizes[] = {0, 1, 2, 3, 10, 999, 1000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const ohmi_rng rng = {7, OHMI_RNG_TEST, 0, (uint32_t)s};
        memset(seen, 0, sizeof seen);
        ohmi_rng_permutation(order, sizes[s], &rng);
        for (int32_t i = 0; i < sizes[s]; i++) {
            assert_in_range(order[i], 0, sizes[s] - 1);
            assert_int_equal(seen[order[i]]++, 0);
        }
    }
    int counts[5][5] = {{0}};
    const int rounds = 10000;
    for (int r = 0; r < rounds; r++) {
        const ohmi_rng rng = {8, OHMI_RNG_TEST, 0, (uint32_t)r};
        ohmi_rng_permutation(order, 5, &rng);
        for (int i = 0; i < 5; i++) {
            counts[i][order[i]]++;
        }
    }
    for (int i = 0; i < 25; i++) {
        const double off = counts[i / 5][i % 5] - rounds / 5.0;
        assert_true(fabs(off) < 5 * sqrt(rounds * 0.2 * 0.8));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),    cmocka_unit_test(test_golden),
        cmocka_unit_test(test_purposes),     cmocka_unit_test(test_moments),
        cmocka_unit_test(test_independence), cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_permutation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
