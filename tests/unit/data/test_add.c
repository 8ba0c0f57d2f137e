// SPDX-License-Identifier: Apache-2.0
// Adding sets from what is at hand: folders with plain and packed files, tar and zip archives, and
// what is refused: archives made to do harm, wrong files, a full disk, a user who stops. Whatever
// happens, the data folder then holds a set that was checked, the one before, or nothing. The
// stand-in for good content is Debian's package of Fashion-MNIST; where it is not installed, only
// what is refused is tested.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <signal.h>
#include <sys/resource.h>
#include <zlib.h>

#include "base/memory.h"
#include "data/set.h"
#include "file/packed.h"
#include "ohmwise/data.h"
#include "scratch.h"

#define PACKAGE "/usr/share/datasets/fashion-mnist"

static const char *const files[4] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                     "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

// Skips a test that needs the package.
static void need_package(void) {
    if (access(PACKAGE, R_OK) != 0) {
        print_message("the package dataset-fashion-mnist is not installed\n");
        skip();
    }
}

// Adds Fashion-MNIST to the scratch folder's "data".
static ohm_status add(const char *from, ohm_data_progress *progress, void *context,
                      ohm_error *err) {
    memset(err, 0, sizeof *err);
    return ohm_data_add("fashion-mnist", scratch_path(from), scratch_path("data"), progress,
                        context, err);
}

static ohm_status verify(ohm_error *err) {
    memset(err, 0, sizeof *err);
    return ohm_data_verify("fashion-mnist", scratch_path("data"), err);
}

// An archive being written.
static struct archive *begin_archive(const char *name, int zip) {
    struct archive *a = archive_write_new();
    if (zip) {
        archive_write_set_format_zip(a);
        archive_write_zip_set_compression_store(a);
    } else {
        archive_write_set_format_pax_restricted(a);
        archive_write_add_filter_gzip(a);
        archive_write_set_options(a, "compression-level=1");
    }
    assert_int_equal(archive_write_open_filename(a, scratch_path(name)), ARCHIVE_OK);
    return a;
}

// Appends an entry: a file of bytes (zeros where bytes is NULL), or a link to `link`.
static void put_entry(struct archive *a, const char *name, const void *bytes, size_t size,
                      const char *link) {
    static uint8_t zeros[1 << 20];
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, link != NULL ? AE_IFLNK : AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)size);
    if (link != NULL) {
        archive_entry_set_symlink(entry, link);
    }
    assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
    for (size_t done = 0; done < size;) {
        const size_t left = size - done,
                     n = bytes != NULL || left < sizeof zeros ? left : sizeof zeros;
        const void *from = bytes != NULL ? bytes : zeros;
        assert_int_equal(archive_write_data(a, from, n), (la_ssize_t)n);
        done += n;
    }
    archive_entry_free(entry);
}

// The bytes of a file of the package, as it comes (.gz) or unpacked; for ohmi_free or free.
static uint8_t *package_file(size_t *size, int i, int unpacked) {
    char path[256];
    snprintf(path, sizeof path, PACKAGE "/%s.gz", files[i]);
    if (unpacked) {
        uint8_t *bytes = NULL;
        assert_int_equal(ohmi_packed_read(&bytes, size, path, 1 << 26, NULL), OHM_OK);
        return bytes;
    }
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t *bytes = ohmi_alloc(1 << 26, 1);
    *size = fread(bytes, 1, 1 << 26, file);
    fclose(file);
    return bytes;
}

// The four files are there, unpacked, and nothing else.
static void assert_added(void) {
    assert_int_equal(scratch_count("data"), 1);
    assert_int_equal(scratch_count("data/fashion-mnist"), 4);
    for (int i = 0; i < 4; i++) {
        char name[128];
        snprintf(name, sizeof name, "data/fashion-mnist/%s", files[i]);
        assert_true(scratch_has(name));
    }
}

// Packs bytes by xz into a block for ohmi_free.
static uint8_t *packed_by_xz(size_t *packed_size, const uint8_t *bytes, size_t size) {
    const size_t room = size + 4096;
    uint8_t *packed = ohmi_alloc(room, 1);
    struct archive *a = archive_write_new();
    archive_write_add_filter_xz(a);
    archive_write_set_format_raw(a);
    archive_write_set_bytes_in_last_block(a, 1);
    assert_int_equal(archive_write_open_memory(a, packed, room, packed_size), ARCHIVE_OK);
    put_entry(a, "data", bytes, size, NULL);
    assert_int_equal(archive_write_free(a), ARCHIVE_OK);
    return packed;
}

// A packed tar of packed files, a zip of files each packed in its own way or not at all; with
// something beside them.
static void test_archives(void **state) {
    (void)state;
    need_package();
    for (int zip = 0; zip < 2; zip++) {
        struct archive *a = begin_archive("set.archive", zip);
        put_entry(a, "read me.txt", "hello", 5, NULL);
        for (int i = 0; i < 4; i++) {
            char name[128];
            size_t size = 0;
            const char *ending = zip && i == 1 ? "" : zip && i == 3 ? ".xz" : ".gz";
            uint8_t *bytes = package_file(&size, i, strcmp(ending, ".gz") != 0);
            if (strcmp(ending, ".xz") == 0) {
                uint8_t *packed = packed_by_xz(&size, bytes, size);
                ohmi_free(bytes);
                bytes = packed;
            }
            snprintf(name, sizeof name, "%s%s", files[i], ending);
            put_entry(a, name, bytes, size, NULL);
            ohmi_free(bytes);
        }
        assert_int_equal(archive_write_free(a), ARCHIVE_OK);
        ohm_error err;
        scratch_remove(scratch_path("data"));
        if (add("set.archive", NULL, NULL, &err) != OHM_OK) {
            fail_msg("%s (%s)", err.message, err.hint);
        }
        assert_added();
        assert_int_equal(ohmi_live_blocks(), 0);
    }
}

// Bytes that change after a set was added are noticed.
static void test_verify(void **state) {
    (void)state;
    need_package();
    ohm_error err;
    assert_added();

    // one byte of an image, of a label, of a header; a byte less
    static const struct {
        int file;
        long at;
        const char *says;
    } flips[] = {{2, 5000000, "digest"}, {1, 8 + 777, "images"}, {0, 3, "IDX"}, {3, -1, "header"}};
    for (size_t i = 0; i < sizeof flips / sizeof *flips; i++) {
        char name[128];
        struct stat info;
        snprintf(name, sizeof name, "data/fashion-mnist/%s", files[flips[i].file]);
        const char *path = scratch_path(name);
        assert_int_equal(stat(path, &info), 0);
        FILE *file = fopen(path, "r+b");
        int byte = 0;
        if (flips[i].at >= 0) {
            fseek(file, flips[i].at, SEEK_SET);
            byte = fgetc(file);
            fseek(file, flips[i].at, SEEK_SET);
            fputc(flips[i].file == 1 ? (byte + 1) % 10 : byte ^ 1, file);
        } else {
            fseek(file, -1, SEEK_END);
            byte = fgetc(file);
            assert_int_equal(ftruncate(fileno(file), info.st_size - 1), 0);
        }
        fclose(file);
        assert_int_equal(verify(&err), OHM_ERR_CHECK);
        if (strstr(err.message, flips[i].says) == NULL || err.path[0] == 0) {
            fail_msg("flip %zu: '%s' at '%s'", i, err.message, err.path);
        }

        // and put back
        file = fopen(path, "r+b");
        fseek(file, flips[i].at >= 0 ? flips[i].at : (long)info.st_size - 1, SEEK_SET);
        fputc(byte, file);
        fclose(file);
    }
    assert_int_equal(verify(&err), OHM_OK);
    assert_int_equal(ohm_data_verify("fashion-mnits", scratch_path("data"), &err),
                     OHM_ERR_ARGUMENT);
    assert_non_null(strstr(err.hint, "fashion-mnist"));
    assert_int_equal(ohm_data_verify("cifar10", scratch_path("data"), &err), OHM_ERR_IO);
    assert_int_equal(ohmi_live_blocks(), 0);
}

static int stop_at(void *context, const char *what, int64_t done, int64_t total) {
    (void)done;
    (void)total;
    return strcmp(what, context) == 0;
}

// Writes the archives that are refused.
static const char *hostile_archive(int kind) {
    const char *name = kind % 2 ? "bad.zip" : "bad.tar.gz";
    struct archive *a = begin_archive(name, kind % 2);
    put_entry(a, "first", "x", 1, NULL);
    switch (kind / 2) {
    case 0:
        put_entry(a, "../evil", "x", 1, NULL);
        break;
    case 1:
        put_entry(a, "/tmp/ohm-test-evil", "x", 1, NULL);
        break;
    default:
        put_entry(a, files[0], NULL, 0, "/etc/passwd");
        break;
    }
    assert_int_equal(archive_write_free(a), ARCHIVE_OK);
    return name;
}

// Nothing that is refused changes what was there before: no set, or a good one.
static void test_refused(void **state) {
    (void)state;
    ohm_error err;
    const int had = scratch_has("data/fashion-mnist");
    static const char *const says[] = {"'..'", "absolute", "link"};
    for (int kind = 0; kind < 6; kind++) {
        assert_int_equal(add(hostile_archive(kind), NULL, NULL, &err), OHM_ERR_FORMAT);
        if (strstr(err.message, says[kind / 2]) == NULL || err.path[0] == 0) {
            fail_msg("kind %d: '%s' at '%s'", kind, err.message, err.path);
        }
        assert_false(scratch_has("evil"));
        assert_int_equal(access("/tmp/ohm-test-evil", F_OK), -1);
        assert_int_equal(scratch_count("data"), had);
    }

    // a packed file that unpacks to more than the set has
    scratch_folder("bomb");
    for (int i = 0; i < 4; i++) {
        char name[128];
        static const uint8_t zeros[1 << 16];
        snprintf(name, sizeof name, "bomb/%s.gz", files[i]);
        gzFile file = gzopen(scratch_path(name), "wb1");
        for (int k = 0; k < (i == 0 ? 46 << 4 : 1); k++) { // 46 MiB, the images have 45
            gzwrite(file, zeros, sizeof zeros);
        }
        assert_int_equal(gzclose(file), Z_OK);
    }
    assert_int_equal(add("bomb", NULL, NULL, &err), OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "more than"));
    assert_int_equal(scratch_count("data"), had);

    // an archive cut short; a file, a folder and a place that are none
    struct archive *a = begin_archive("cut.tar.gz", 0);
    put_entry(a, files[0], NULL, 5 << 20, NULL);
    assert_int_equal(archive_write_free(a), ARCHIVE_OK);
    struct stat info;
    assert_int_equal(stat(scratch_path("cut.tar.gz"), &info), 0);
    assert_int_equal(truncate(scratch_path("cut.tar.gz"), info.st_size / 2), 0);
    assert_int_equal(add("cut.tar.gz", NULL, NULL, &err), OHM_ERR_FORMAT);
    scratch_write("empty", "", 0);
    assert_int_equal(add("empty", NULL, NULL, &err), OHM_ERR_FORMAT);
    scratch_folder("nothing");
    assert_int_equal(add("nothing", NULL, NULL, &err), OHM_ERR_FORMAT);
    assert_non_null(strstr(err.hint, files[0]));
    assert_int_equal(add("not there", NULL, NULL, &err), OHM_ERR_IO);
    assert_int_equal(scratch_count("data"), had);
    assert_int_equal(ohm_data_add("fashion-mnist", PACKAGE, NULL, NULL, NULL, &err),
                     OHM_ERR_ARGUMENT);
    assert_int_equal(
        ohm_data_add("fashion-mnist", PACKAGE, scratch_path("empty"), NULL, NULL, &err),
        OHM_ERR_IO);
    assert_int_equal(ohmi_live_blocks(), 0);
}

// Stopped while unpacking or copying, and a disk that fills up on the way.
static void test_stopped(void **state) {
    (void)state;
    need_package();
    ohm_error err;
    const int had = scratch_has("data/fashion-mnist");
    struct archive *a = begin_archive("some.tar.gz", 0);
    put_entry(a, files[0], NULL, 3 << 20, NULL);
    assert_int_equal(archive_write_free(a), ARCHIVE_OK);
    static char unpacking[] = "unpacking", copying[] = "copying";
    assert_int_equal(add("some.tar.gz", stop_at, unpacking, &err), OHM_ERR_INTERRUPTED);
    assert_int_equal(scratch_count("data"), had);
    assert_int_equal(
        ohm_data_add("fashion-mnist", PACKAGE, scratch_path("data"), stop_at, copying, &err),
        OHM_ERR_INTERRUPTED);
    assert_int_equal(scratch_count("data"), had);

    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 10 << 20; // the train images are longer
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const ohm_status status =
        ohm_data_add("fashion-mnist", PACKAGE, scratch_path("data"), NULL, NULL, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, OHM_ERR_IO);
    assert_non_null(strstr(err.message, "cannot write"));
    assert_int_equal(scratch_count("data"), had);
    assert_int_equal(ohmi_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused), // with nothing there before
        cmocka_unit_test(test_archives),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_verify),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
