// SPDX-License-Identifier: Apache-2.0
// Memory: zeroed, aligned, counted; sizes that overflow and allocations that are told to fail.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/memory.h"

static void test_blocks(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 63, 64, 65, 1000, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        // what an earlier block left behind must not show
        for (int round = 0; round < 2; round++) {
            uint8_t *block = ohmi_alloc(sizes[i], 1);
            assert_non_null(block);
            assert_int_equal((uintptr_t)block % 64, 0);
            for (size_t j = 0; j < sizes[i]; j++) {
                assert_int_equal(block[j], 0);
            }
            memset(block, 0xa5, sizes[i]);
            ohmi_free(block);
        }
    }
    ohmi_free(NULL);
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void test_overflow(void **state) {
    (void)state;
    assert_null(ohmi_alloc(SIZE_MAX, 2));
    assert_null(ohmi_alloc(SIZE_MAX / 2 + 1, 2));
    assert_null(ohmi_alloc(SIZE_MAX, 1));
    assert_null(ohmi_alloc(SIZE_MAX - 63, 1));
    assert_null(ohmi_alloc(2, SIZE_MAX - 1));
    void *none = ohmi_alloc(SIZE_MAX, 0);
    assert_non_null(none);
    ohmi_free(none);
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void test_resizing(void **state) {
    (void)state;
    uint8_t *block = ohmi_realloc(NULL, 0, 10);
    assert_non_null(block);
    memcpy(block, "0123456789", 10);
    block = ohmi_realloc(block, 10, 100000);
    assert_memory_equal(block, "0123456789", 10);
    for (size_t i = 10; i < 100000; i++) {
        assert_int_equal(block[i], 0);
    }
    block = ohmi_realloc(block, 100000, 4);
    assert_memory_equal(block, "0123", 4);
    assert_int_equal(ohmi_live_blocks(), 1);

    // on failure the old block is as it was
    ohmi_fail_allocation(0);
    assert_null(ohmi_realloc(block, 4, 1000));
    ohmi_fail_allocation(-1);
    assert_null(ohmi_realloc(block, 4, SIZE_MAX));
    assert_memory_equal(block, "0123", 4);
    ohmi_free(block);
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void test_strdup(void **state) {
    (void)state;
    char *copy = ohmi_strdup("a text"), *empty = ohmi_strdup("");
    assert_string_equal(copy, "a text");
    assert_string_equal(empty, "");
    ohmi_fail_allocation(0);
    assert_null(ohmi_strdup("x"));
    ohmi_fail_allocation(-1);
    ohmi_free(copy);
    ohmi_free(empty);
    assert_int_equal(ohmi_live_blocks(), 0);
}

// The k-th allocation from now fails, the ones before and after do not.
static void test_failing(void **state) {
    (void)state;
    for (int k = 0; k < 5; k++) {
        void *blocks[5];
        const int64_t before = ohmi_allocation_count();
        ohmi_fail_allocation(k);
        for (int i = 0; i < 5; i++) {
            blocks[i] = ohmi_alloc(1, 8);
            assert_true((blocks[i] == NULL) == (i == k));
        }
        ohmi_fail_allocation(-1);
        assert_int_equal(ohmi_allocation_count(), before + 5);
        assert_int_equal(ohmi_live_blocks(), 4);
        for (int i = 0; i < 5; i++) {
            ohmi_free(blocks[i]);
        }
    }
    void *block = ohmi_alloc(1, 1);
    assert_non_null(block);
    ohmi_free(block);
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void *churn(void *context) {
    (void)context;
    for (int i = 0; i < 2000; i++) {
        void *a = ohmi_alloc((size_t)i % 100, 1), *b = ohmi_alloc(10, 10);
        ohmi_free(a);
        ohmi_free(b);
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    pthread_t threads[4];
    const int64_t before = ohmi_allocation_count();
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn, NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(ohmi_live_blocks(), 0);
    assert_int_equal(ohmi_allocation_count(), before + 4 * 4000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),   cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_resizing), cmocka_unit_test(test_strdup),
        cmocka_unit_test(test_failing),  cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
