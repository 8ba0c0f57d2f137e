// SPDX-License-Identifier: Apache-2.0
// Safetensors: what was written comes back, the bytes are fixed, and no hostile header gets
// through.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "file/safetensors.h"
#include "scratch.h"

static void test_round_trip(void **state) {
    (void)state;
    float weights[6] = {1, -2.5f, 3, 4, 5, 1e-30f};
    uint8_t mask[3] = {1, 0, 255};
    int64_t steps[1] = {-7};
    const ohmi_view views[] = {ohmi_view_of("mask", OHMI_U8, mask, 1, 3, 0, 0, 0),
                               ohmi_view_of("w \"x\"", OHMI_F32, weights, 2, 2, 3, 0, 0),
                               ohmi_view_of("empty", OHMI_F32, NULL, 2, 0, 3, 0, 0),
                               ohmi_view_of("step", OHMI_I64, steps, 0, 0, 0, 0, 0)};
    const char *const metadata[] = {"method", "xst", "note", "a \"quote\"", NULL};
    const char *path = scratch_path("a.safetensors");
    ohm_error err;
    assert_int_equal(ohmi_tensors_save(path, views, 4, metadata, &err), OHM_OK);
    ohmi_tensors *t = NULL;
    assert_int_equal(ohmi_tensors_open(&t, path, &err), OHM_OK);
    assert_int_equal(ohmi_tensors_count(t), 4);
    assert_string_equal(ohmi_tensors_metadata(t, "note"), "a \"quote\"");
    assert_null(ohmi_tensors_metadata(t, "other"));

    // widest first, and every tensor aligned
    assert_string_equal(ohmi_tensors_at(t, 0)->name, "step");
    assert_string_equal(ohmi_tensors_at(t, 3)->name, "mask");
    const ohmi_view *w = ohmi_tensors_find(t, "w \"x\"");
    assert_int_equal((uintptr_t)w->data % 4, 0);
    assert_int_equal(w->shape[1], 3);
    assert_memory_equal(w->data, weights, sizeof weights);
    float back[6];
    assert_int_equal(ohmi_tensors_read(t, "w \"x\"", OHMI_F32, 6, back, &err), OHM_OK);
    assert_memory_equal(back, weights, sizeof weights);
    assert_int_equal(ohmi_tensors_read(t, "w \"x\"", OHMI_F32, 5, back, &err), OHM_ERR_FORMAT);
    assert_int_equal(ohmi_tensors_read(t, "w \"x\"", OHMI_I32, 6, back, &err), OHM_ERR_FORMAT);
    assert_int_equal(ohmi_tensors_read(t, "none", OHMI_F32, 6, back, &err), OHM_ERR_FORMAT);
    ohmi_tensors_close(&t);
    assert_null(t);
    assert_int_equal(ohmi_live_blocks(), 0);
}

// Two tensors of one name cannot be written, and leave no file.
static void test_same_name(void **state) {
    (void)state;
    float x[1] = {1};
    const ohmi_view views[] = {ohmi_view_of("x", OHMI_F32, x, 1, 1, 0, 0, 0),
                               ohmi_view_of("x", OHMI_F32, x, 1, 1, 0, 0, 0)};
    ohm_error err;
    assert_int_equal(ohmi_tensors_save(scratch_path("twice"), views, 2, NULL, &err),
                     OHM_ERR_ARGUMENT);
    assert_false(scratch_has("twice"));
}

// Writes a file of a header text and n_data bytes of data.
static const char *file_of(const char *header, size_t n_data) {
    uint8_t bytes[4096] = {0};
    size_t length = strlen(header);
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)((uint64_t)length >> (8 * i));
    }
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < n_data; i++) {
        bytes[8 + length + i] = (uint8_t)(i + 1);
    }
    scratch_write("h.safetensors", bytes, 8 + length + n_data);
    return scratch_path("h.safetensors");
}

// A file that is fine but lies askew is read right.
static void test_askew(void **state) {
    (void)state;
    ohm_error err;
    ohmi_tensors *t = NULL;
    const char *path = file_of("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                               "\"b\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[1,9]}}",
                               9);
    assert_int_equal(ohmi_tensors_open(&t, path, &err), OHM_OK);
    int32_t back[2];
    assert_int_equal(ohmi_tensors_read(t, "b", OHMI_I32, 2, back, &err), OHM_OK);
    assert_int_equal(back[0], 0x05040302);
    assert_int_equal((uintptr_t)ohmi_tensors_find(t, "b")->data % 4, 0);
    ohmi_tensors_close(&t);
}

#define T(name, type, shape, range)                                                                \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" range "}"

static void test_hostile(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t n_data;
        const char *says;
    } cases[] = {
        {"{", 0, "not a JSON object"},
        {"[]", 0, "not a JSON object"},
        {"{\"a\":1}", 0, "lacks dtype"},
        {"{" T("a", "F32", "[2]", "[0,8]") "," T("a", "F32", "[2]", "[0,8]") "}", 8, "not a JSON"},
        {"{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]", "[4,12]") "}", 12, "overlaps"},
        {"{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[8,12]") "}", 12, "hole"},
        {"{" T("a", "F32", "[1]", "[0,4]") "}", 8, "belong to no tensor"},
        {"{" T("a", "F32", "[2]", "[0,8]") "}", 4, "larger than the file"},
        {"{" T("a", "F32", "[-1]", "[0,4]") "}", 4, "bad shape"},
        {"{" T("a", "F32", "[1.5]", "[0,4]") "}", 4, "bad shape"},
        {"{" T("a", "F32", "[4611686018427387904,4]", "[0,0]") "}", 0, "larger than the file"},
        {"{" T("a", "F32", "[9223372036854775807,9223372036854775807]", "[0,4]") "}", 4, "larger"},
        {"{" T("a", "F32", "[1]", "[-4,0]") "}", 4, "outside the file"},
        {"{" T("a", "F32", "[1]", "[4,0]") "}", 4, "outside the file"},
        {"{" T("a", "F32", "[1]", "[4,8]") "}", 4, "outside the file"},
        {"{" T("a", "F32", "[1]", "[0,3]") "}", 4, "its shape needs"},
        {"{" T("a", "F32", "[1,1,1,1,1]", "[0,4]") "}", 4, "dimensions"},
        {"{" T("a", "F16", "[2]", "[0,4]") "}", 4, "not read"},
        {"{\"__metadata__\":{\"k\":3}}", 0, "not a text"},
        {"{\"__metadata__\":[]}", 0, "not an object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ohm_error err = {0};
        ohmi_tensors *t = NULL;
        const char *path = file_of(cases[i].header, cases[i].n_data);
        assert_int_equal(ohmi_tensors_open(&t, path, &err), OHM_ERR_FORMAT);
        assert_null(t);
        if (strstr(err.message, cases[i].says) == NULL) {
            fail_msg("case %zu says '%s'", i, err.message);
        }
        assert_string_equal(err.path, path);
        assert_int_equal(ohmi_live_blocks(), 0);
    }
}

// Every cut of a good file is refused; so are lengths that point outside.
static void test_cut_short(void **state) {
    (void)state;
    ohm_error err;
    ohmi_tensors *t = NULL;
    static const char header[] = "{" T("a", "F32", "[2]", "[0,8]") "}";
    size_t whole = 8 + strlen(header) + 8;
    const char *path = file_of(header, 8);
    for (size_t size = 0; size < whole; size++) {
        path = file_of(header, 8);
        assert_int_equal(truncate(path, (off_t)size), 0);
        assert_int_equal(ohmi_tensors_open(&t, path, &err), OHM_ERR_FORMAT);
    }
    uint8_t huge[16] = {255, 255, 255, 255, 255, 255, 255, 255, '{', '}'};
    scratch_write("huge", huge, sizeof huge);
    assert_int_equal(ohmi_tensors_open(&t, scratch_path("huge"), &err), OHM_ERR_FORMAT);
    assert_int_equal(ohmi_tensors_open(&t, scratch_path("none"), &err), OHM_ERR_IO);
    assert_int_equal(ohmi_tensors_open(&t, scratch, &err), OHM_ERR_IO);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_same_name),
        cmocka_unit_test(test_askew),      cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_cut_short),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
