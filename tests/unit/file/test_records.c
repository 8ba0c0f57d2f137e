// SPDX-License-Identifier: Apache-2.0
// IDX and CIFAR records, plain and packed by gzip and xz; and the same files damaged.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

#include "base/memory.h"
#include "file/cifar.h"
#include "file/idx.h"
#include "file/packed.h"
#include "scratch.h"

static void write_gz(const char *name, const void *bytes, size_t size) {
    gzFile file = gzopen(scratch_path(name), "wb");
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), (int)size);
    assert_int_equal(gzclose(file), Z_OK);
}

static void write_xz(const char *name, const void *bytes, size_t size) {
    struct archive *a = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    archive_write_add_filter_xz(a);
    archive_write_set_format_raw(a);
    assert_int_equal(archive_write_open_filename(a, scratch_path(name)), ARCHIVE_OK);
    archive_entry_set_pathname(entry, "data");
    archive_entry_set_filetype(entry, AE_IFREG);
    assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(a, bytes, size), (la_ssize_t)size);
    archive_entry_free(entry);
    assert_int_equal(archive_write_free(a), ARCHIVE_OK);
}

static off_t size_of(const char *name) {
    struct stat info;
    assert_int_equal(stat(scratch_path(name), &info), 0);
    return info.st_size;
}

static void test_packed(void **state) {
    (void)state;
    ohm_error err;
    char path[512];
    uint8_t *text = ohmi_alloc(3 << 20, 1), *back = NULL;
    size_t size = 0, n = 3 << 20;
    for (size_t i = 0; i < n; i++) {
        text[i] = (uint8_t)(i * i >> 7);
    }
    scratch_write("p.plain", text, n);
    write_gz("p.gz", text, n);
    write_xz("q.xz", text, n);
    static const char *const names[] = {"p.plain", "p.gz", "q.xz"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ohmi_packed_read(&back, &size, scratch_path(names[i]), n, &err), OHM_OK);
        assert_int_equal(size, n);
        assert_memory_equal(back, text, n);
        ohmi_free(back);

        // one byte more than the limit is refused
        assert_int_equal(ohmi_packed_read(&back, &size, scratch_path(names[i]), n - 1, &err),
                         OHM_ERR_FORMAT);
        assert_null(back);
    }

    // packed files that are cut short or have a flipped bit
    for (int i = 1; i < 3; i++) {
        off_t whole = size_of(names[i]);
        FILE *file = fopen(scratch_path(names[i]), "r+b");
        fseek(file, whole / 2, SEEK_SET);
        int c = fgetc(file);
        fseek(file, whole / 2, SEEK_SET);
        fputc(c ^ 16, file);
        fclose(file);
        assert_int_equal(ohmi_packed_read(&back, &size, scratch_path(names[i]), n, &err),
                         OHM_ERR_FORMAT);
        assert_int_equal(truncate(scratch_path(names[i]), whole / 3), 0);
        assert_int_equal(ohmi_packed_read(&back, &size, scratch_path(names[i]), n, &err),
                         OHM_ERR_FORMAT);
        assert_null(back);
    }
    assert_true(ohmi_packed_find(path, sizeof path, scratch, "q"));
    assert_non_null(strstr(path, "q.xz"));
    assert_false(ohmi_packed_find(path, sizeof path, scratch, "nothing"));
    ohmi_free(text);
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void test_idx(void **state) {
    (void)state;
    ohm_error err;
    ohmi_view view;
    uint8_t bytes[16 + 12] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 2};
    for (int i = 0; i < 12; i++) {
        bytes[16 + i] = (uint8_t)(200 + i);
    }
    write_gz("i.gz", bytes, sizeof bytes);
    assert_int_equal(ohmi_idx_load(&view, scratch_path("i.gz"), 3, 12, &err), OHM_OK);
    assert_int_equal(view.shape[0], 2);
    assert_int_equal(view.shape[1], 3);
    assert_int_equal(view.shape[2], 2);
    assert_memory_equal(view.data, bytes + 16, 12);
    ohmi_free(view.data);
    scratch_write("i", bytes, sizeof bytes);
    const char *path = scratch_path("i");
    assert_int_equal(ohmi_idx_load(&view, path, 1, 100, &err), OHM_ERR_FORMAT);
    assert_int_equal(ohmi_idx_load(&view, path, 3, 11, &err), OHM_ERR_FORMAT);

    // wrong magic, wrong type, one byte short, one too many, sizes whose product overflows
    static const struct {
        int at, value;
    } changes[] = {{0, 1}, {2, 13}, {3, 4}, {7, 1}, {7, 3}, {4, 255}};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        uint8_t bad[sizeof bytes];
        memcpy(bad, bytes, sizeof bad);
        bad[changes[i].at] = (uint8_t)changes[i].value;
        scratch_write("bad", bad, sizeof bad);
        assert_int_equal(ohmi_idx_load(&view, scratch_path("bad"), 3, 12, &err), OHM_ERR_FORMAT);
        assert_null(view.data);
    }
    for (size_t size = 0; size < sizeof bytes; size++) {
        scratch_write("bad", bytes, size);
        assert_int_equal(ohmi_idx_load(&view, scratch_path("bad"), 3, 12, &err), OHM_ERR_FORMAT);
    }
    memset(bytes + 4, 255, 12);
    scratch_write("bad", bytes, sizeof bytes);
    assert_int_equal(ohmi_idx_load(&view, scratch_path("bad"), 3, 12, &err), OHM_ERR_FORMAT);
    assert_int_equal(ohmi_live_blocks(), 0);
}

static void test_cifar(void **state) {
    (void)state;
    enum { N = 3, RECORD = 2 + OHMI_CIFAR_PIXELS };
    static uint8_t bytes[N * RECORD + 1], pixels[N * OHMI_CIFAR_PIXELS];
    int32_t labels[N], coarse[N];
    ohm_error err;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7919 >> 3);
    }
    for (int i = 0; i < N; i++) {
        bytes[i * RECORD] = (uint8_t)(19 - i);
        bytes[i * RECORD + 1] = (uint8_t)(99 - i);
    }
    scratch_write("c.bin", bytes, N * RECORD);
    write_xz("c.xz", bytes, N * RECORD);
    static const char *const names[] = {"c.bin", "c.xz"};
    for (int f = 0; f < 2; f++) {
        const char *path = scratch_path(names[f]);
        assert_int_equal(ohmi_cifar_load(pixels, labels, coarse, path, N, 2, 100, 20, &err),
                         OHM_OK);
        for (int i = 0; i < N; i++) {
            assert_int_equal(labels[i], 99 - i);
            assert_int_equal(coarse[i], 19 - i);
            for (int p = 0; p < 1024; p += 31) {
                for (int c = 0; c < 3; c++) {
                    assert_int_equal(pixels[(i * 1024 + p) * 3 + c],
                                     bytes[i * RECORD + 2 + c * 1024 + p]);
                }
            }
        }
    }

    // labels out of range, one byte less or more, too few records
    const char *path = scratch_path("c.bin");
    assert_int_equal(ohmi_cifar_load(pixels, labels, coarse, path, N, 2, 99, 20, &err),
                     OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "record 0"));
    assert_int_equal(ohmi_cifar_load(pixels, labels, coarse, path, N, 2, 100, 19, &err),
                     OHM_ERR_FORMAT);
    assert_int_equal(ohmi_cifar_load(pixels, labels, coarse, path, N - 1, 2, 100, 20, &err),
                     OHM_ERR_FORMAT);
    assert_int_equal(ohmi_cifar_load(pixels, labels, coarse, path, N, 1, 100, 0, &err),
                     OHM_ERR_FORMAT);
    scratch_write("c.bin", bytes, N * RECORD - 1);
    assert_int_equal(ohmi_cifar_load(pixels, labels, coarse, path, N, 2, 100, 20, &err),
                     OHM_ERR_FORMAT);
    scratch_write("c.bin", bytes, N * RECORD + 1);
    assert_int_equal(ohmi_cifar_load(pixels, labels, coarse, path, N, 2, 100, 20, &err),
                     OHM_ERR_FORMAT);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_idx),
        cmocka_unit_test(test_cifar),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
