// SPDX-License-Identifier: Apache-2.0
// SHA-256 against the examples of FIPS 180-4 (NIST's "SHA examples") and against itself in other
// pieces and by other instructions.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/sha256.h"
#include "base/sha256_blocks.h"
#include "scratch.h"

static void digest(char hex[65], const void *bytes, size_t size) {
    ohmi_sha256 hash;
    ohmi_sha256_init(&hash);
    ohmi_sha256_add(&hash, bytes, size);
    ohmi_sha256_hex(&hash, hex);
}

static void test_published(void **state) {
    (void)state;
    static const struct {
        const char *text, *hex;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
         "mno"
         "pqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    char hex[65];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        digest(hex, rows[i].text, strlen(rows[i].text));
        assert_string_equal(hex, rows[i].hex);
    }
}

// A million times 'a', in pieces of all lengths from 1 to 1413.
static void test_million(void **state) {
    (void)state;
    static char piece[1500];
    char hex[65];
    ohmi_sha256 hash;
    size_t left = 1000000;
    memset(piece, 'a', sizeof piece);
    ohmi_sha256_init(&hash);
    for (size_t n = 1; left > 0; n++) {
        const size_t now = n < left ? n : left;
        ohmi_sha256_add(&hash, piece, now);
        left -= now;
    }
    ohmi_sha256_hex(&hash, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Every length around the block's, at once and cut in two anywhere.
static void test_pieces(void **state) {
    (void)state;
    uint8_t bytes[200];
    char whole[65], cut[65];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 37 + 11);
    }
    for (size_t size = 0; size <= sizeof bytes; size++) {
        digest(whole, bytes, size);
        for (size_t at = 0; at <= size; at += 1 + size / 16) {
            ohmi_sha256 hash;
            ohmi_sha256_init(&hash);
            ohmi_sha256_add(&hash, bytes, at);
            ohmi_sha256_add(&hash, bytes + at, 0);
            ohmi_sha256_add(&hash, bytes + at, size - at);
            ohmi_sha256_hex(&hash, cut);
            assert_string_equal(cut, whole);
        }
    }
}

// The CPU's instructions and plain C agree on random blocks from random states.
static void test_instructions(void **state) {
    (void)state;
    ohmi_sha256_blocks *fast = ohmi_sha256_blocks_cpu();
    if (fast == NULL) {
        print_message("this CPU has no SHA instructions\n");
        skip();
    }
    const ohmi_rng rng = {.seed = 5, .purpose = OHMI_RNG_TEST};
    static uint8_t bytes[64 * 7 + 1];
    uint32_t index = 0;
    for (int round = 0; round < 200; round++) {
        uint32_t one[8], two[8];
        for (int i = 0; i < 2; i++) {
            ohmi_rng_bits(one + 4 * i, &rng, index++);
        }
        memcpy(two, one, sizeof two);
        for (size_t i = 0; i + 16 <= sizeof bytes; i += 16) {
            uint32_t bits[4];
            ohmi_rng_bits(bits, &rng, index++);
            memcpy(bytes + i, bits, 16);
        }
        const size_t n_blocks = (size_t)round % 8;
        ohmi_sha256_blocks_plain(one, bytes + round % 2, n_blocks);
        fast(two, bytes + round % 2, n_blocks);
        assert_memory_equal(one, two, sizeof one);
    }
}

static void test_files(void **state) {
    (void)state;
    ohm_error err = {0};
    static uint8_t bytes[40000];
    char hex[65], wanted[65];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i >> 5);
    }
    scratch_write("file", bytes, sizeof bytes);
    digest(wanted, bytes, sizeof bytes);
    assert_int_equal(ohmi_sha256_file(hex, scratch_path("file"), &err), OHM_OK);
    assert_string_equal(hex, wanted);
    scratch_write("file", "", 0);
    assert_int_equal(ohmi_sha256_file(hex, scratch_path("file"), &err), OHM_OK);
    digest(wanted, "", 0);
    assert_string_equal(hex, wanted);

    // nothing there; a folder, which opens but cannot be read
    assert_int_equal(ohmi_sha256_file(hex, scratch_path("none"), &err), OHM_ERR_IO);
    assert_non_null(strstr(err.message, "none"));
    assert_int_equal(ohmi_sha256_file(hex, scratch, &err), OHM_ERR_IO);
    assert_int_equal(ohmi_sha256_file(hex, scratch_path("none"), NULL), OHM_ERR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published), cmocka_unit_test(test_million),
        cmocka_unit_test(test_pieces),    cmocka_unit_test(test_instructions),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
