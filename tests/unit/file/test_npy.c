// SPDX-License-Identifier: Apache-2.0
// .npy files: round trips, the exact bytes of a header, hostile files.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "file/npy.h"
#include "scratch.h"

static void test_round_trip(void **state) {
    (void)state;
    ohm_error err;
    static const ohmi_dtype types[] = {OHMI_F32, OHMI_F64, OHMI_U8, OHMI_I8, OHMI_I32, OHMI_I64};
    _Alignas(8) uint8_t bytes[24 * 8];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 37);
    }
    for (size_t t = 0; t < 6; t++) {
        for (int n_dims = 0; n_dims <= 4; n_dims++) {
            ohmi_view view = ohmi_view_of("x", types[t], bytes, n_dims, 2, 3, 4, 1), back;
            assert_int_equal(ohmi_npy_save(scratch_path("x.npy"), &view, &err), OHM_OK);
            assert_int_equal(ohmi_npy_load(&back, scratch_path("x.npy"), &err), OHM_OK);
            assert_int_equal(back.dtype, types[t]);
            assert_int_equal(back.n_dims, n_dims);
            for (int d = 0; d < n_dims; d++) {
                assert_int_equal(back.shape[d], view.shape[d]);
            }
            assert_memory_equal(back.data, bytes,
                                (size_t)ohmi_view_count(&view) * ohmi_dtype_size(types[t]));
            ohmi_free(back.data);
        }
    }
    assert_int_equal(ohmi_live_blocks(), 0);
}

// The bytes NumPy itself writes for this array.
static void test_header_bytes(void **state) {
    (void)state;
    float x[2] = {1, 2};
    ohmi_view view = ohmi_view_of("x", OHMI_F32, x, 1, 2, 0, 0, 0);
    ohm_error err;
    char bytes[256] = {0}, expected[129];
    assert_int_equal(ohmi_npy_save(scratch_path("h.npy"), &view, &err), OHM_OK);
    FILE *file = fopen(scratch_path("h.npy"), "rb");
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), 128 + 8);
    fclose(file);
    snprintf(expected, sizeof expected, "%-117s\n",
             "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }");
    assert_memory_equal(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    assert_memory_equal(bytes + 10, expected, 118);
    assert_memory_equal(bytes + 128, x, 8);
}

// Writes a version 1 file.
static const char *file_of(const char *header, size_t n_data) {
    uint8_t bytes[4096] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    size_t length = strlen(header);
    bytes[8] = (uint8_t)length;
    bytes[9] = (uint8_t)(length >> 8);
    memcpy(bytes + 10, header, length);
    scratch_write("f.npy", bytes, 10 + length + n_data);
    return scratch_path("f.npy");
}

static void test_hostile(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t n_data;
        const char *says;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 7, "needs another number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 9, "needs another number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8, "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,2,2,2,2), }", 128, "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2", 8, "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 2, }", 8, "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 8,
         "tuple"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,), }", 0, "needs"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296,4294967296), }", 0,
         "needs"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2,1), }", 8, "Fortran"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8, "element type"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 8, "element type"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8, "element type"},
        {"{'fortran_order': False, 'shape': (2,), }", 8, "lacks"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ohm_error err = {0};
        ohmi_view view;
        const char *path = file_of(cases[i].header, cases[i].n_data);
        assert_int_equal(ohmi_npy_load(&view, path, &err), OHM_ERR_FORMAT);
        assert_null(view.data);
        if (strstr(err.message, cases[i].says) == NULL) {
            fail_msg("case %zu says '%s'", i, err.message);
        }
        assert_string_equal(err.path, path);
    }
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void test_cut_short(void **state) {
    (void)state;
    ohm_error err;
    ohmi_view view;
    static const char header[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }\n";
    for (size_t size = 0; size < 10 + strlen(header) + 4; size++) {
        const char *path = file_of(header, 4);
        assert_int_equal(truncate(path, (off_t)size), 0);
        assert_int_equal(ohmi_npy_load(&view, path, &err), OHM_ERR_FORMAT);
    }
    assert_int_equal(ohmi_npy_load(&view, file_of(header, 4), &err), OHM_OK);
    ohmi_free(view.data);

    // version 2 with a header of four gigabytes, version 9
    const uint8_t long_header[14] = {0x93, 'N', 'U', 'M', 'P', 'Y', 2, 0, 255, 255, 255, 255};
    scratch_write("long.npy", long_header, sizeof long_header);
    assert_int_equal(ohmi_npy_load(&view, scratch_path("long.npy"), &err), OHM_ERR_FORMAT);
    const uint8_t new_version[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 9};
    scratch_write("new.npy", new_version, sizeof new_version);
    assert_int_equal(ohmi_npy_load(&view, scratch_path("new.npy"), &err), OHM_ERR_FORMAT);
    assert_int_equal(ohmi_npy_load(&view, scratch_path("none.npy"), &err), OHM_ERR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_header_bytes),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_cut_short),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
