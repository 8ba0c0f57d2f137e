// SPDX-License-Identifier: Apache-2.0
// Unpacking archives: good ones, and those that try to get out of their folder or to fill the disk.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/memory.h"
#include "file/archive.h"
#include "file/tree.h"
#include "scratch.h"

typedef struct {
    const char *name, *link; // link: target of a symbolic link
    int type;
    size_t size;
    int hard;
} item;

// Writes an archive of items; zip chooses the format.
static const char *archive_of(const char *name, const item *items, int n, int zip) {
    struct archive *a = archive_write_new();
    static uint8_t zeros[1 << 20];
    if (zip) {
        archive_write_set_format_zip(a);
    } else {
        archive_write_set_format_pax_restricted(a);
        archive_write_add_filter_gzip(a);
    }
    assert_int_equal(archive_write_open_filename(a, scratch_path(name)), ARCHIVE_OK);
    for (int i = 0; i < n; i++) {
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, items[i].name);
        archive_entry_set_filetype(entry, (unsigned)items[i].type);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, (la_int64_t)items[i].size);
        if (items[i].link != NULL && items[i].hard) {
            archive_entry_set_hardlink(entry, items[i].link);
        } else if (items[i].link != NULL) {
            archive_entry_set_symlink(entry, items[i].link);
        }
        assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
        for (size_t put = 0; put < items[i].size;) {
            size_t k = items[i].size - put < sizeof zeros ? items[i].size - put : sizeof zeros;
            assert_int_equal(archive_write_data(a, zeros, k), (la_ssize_t)k);
            put += k;
        }
        archive_entry_free(entry);
    }
    assert_int_equal(archive_write_free(a), ARCHIVE_OK);
    return scratch_path(name);
}

static const ohmi_archive_limits limits = {.bytes = 8 << 20, .entries = 10};

static void test_good(void **state) {
    (void)state;
    ohm_error err;
    const item items[] = {{"set", NULL, AE_IFDIR, 0, 0},
                          {"./set/a.bin", NULL, AE_IFREG, 100, 0},
                          {"other/deep/b.bin", NULL, AE_IFREG, 2 << 20, 0}};
    for (int zip = 0; zip < 2; zip++) {
        const char *path = archive_of("good", items, 3, zip);
        assert_true(ohmi_archive_is(path));
        assert_int_equal(ohmi_archive_unpack(scratch_path("out"), path, limits, NULL, NULL, &err),
                         OHM_OK);
        struct stat info;
        assert_int_equal(stat(scratch_path("out/set/a.bin"), &info), 0);
        assert_int_equal(info.st_size, 100);
        assert_int_equal(stat(scratch_path("out/other/deep/b.bin"), &info), 0);
        assert_int_equal(info.st_size, 2 << 20);

        // a folder that is there already is not written into, and stays
        assert_int_equal(ohmi_archive_unpack(scratch_path("out"), path, limits, NULL, NULL, &err),
                         OHM_ERR_IO);
        assert_true(scratch_has("out/set/a.bin"));
        assert_int_equal(ohmi_tree_remove(scratch_path("out")), 0);
        assert_false(scratch_has("out"));
    }
}

static void test_hostile(void **state) {
    (void)state;
    static const struct {
        item bad;
        const char *says;
    } cases[] = {
        {{"../evil", NULL, AE_IFREG, 4, 0}, "'..'"},
        {{"a/../../evil", NULL, AE_IFREG, 4, 0}, "'..'"},
        {{"a/..", NULL, AE_IFDIR, 0, 0}, "'..'"},
        {{"/tmp/ohm-test-evil", NULL, AE_IFREG, 4, 0}, "absolute"},
        {{"link", "/etc/passwd", AE_IFLNK, 0, 0}, "link"},
        {{"link", "first", AE_IFREG, 0, 1}, "link"},
        {{"pipe", NULL, AE_IFIFO, 0, 0}, "neither"},
        {{"a\\b", NULL, AE_IFREG, 4, 0}, "backslash"},
        {{"first", NULL, AE_IFREG, 4, 0}, "twice"},
        {{"bomb", NULL, AE_IFREG, 9 << 20, 0}, "more than"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ohm_error err = {0};
        const item items[] = {{"first", NULL, AE_IFREG, 4, 0}, cases[i].bad};
        const char *path = archive_of("bad.tar.gz", items, 2, 0);
        assert_int_equal(ohmi_archive_unpack(scratch_path("out"), path, limits, NULL, NULL, &err),
                         OHM_ERR_FORMAT);
        if (strstr(err.message, cases[i].says) == NULL) {
            fail_msg("case %zu says '%s'", i, err.message);
        }
        assert_false(scratch_has("out"));
        assert_false(scratch_has("evil"));
    }
    assert_int_equal(access("/tmp/ohm-test-evil", F_OK), -1);
}

// The deepest that is taken can be removed again; one level more is refused.
static void test_levels(void **state) {
    (void)state;
    char name[256] = "";
    for (int i = 0; i < 59; i++) {
        strcat(name, "d/");
    }
    strcat(name, "f");
    for (int more = 0; more < 2; more++) {
        ohm_error err = {0};
        const item items[] = {{"first", NULL, AE_IFREG, 4, 0}, {name, NULL, AE_IFREG, 4, 0}};
        const char *path = archive_of("deep.tar.gz", items, 2, 0);
        assert_int_equal(ohmi_archive_unpack(scratch_path("out"), path, limits, NULL, NULL, &err),
                         more ? OHM_ERR_FORMAT : OHM_OK);
        assert_true(!more || strstr(err.message, "too many folders") != NULL);
        assert_int_equal(scratch_has("out"), !more);
        assert_int_equal(ohmi_tree_remove(scratch_path("out")), 0);
        assert_false(scratch_has("out"));
        memmove(name + 2, name, strlen(name) + 1);
        memcpy(name, "d/", 2);
    }
}

// Too many entries; cut short; no archive at all.
static void test_damaged(void **state) {
    (void)state;
    ohm_error err;
    item many[12];
    char names[12][8];
    for (int i = 0; i < 12; i++) {
        snprintf(names[i], sizeof names[i], "f%d", i);
        many[i] = (item){names[i], NULL, AE_IFREG, 1, 0};
    }
    const char *path = archive_of("many", many, 12, 0);
    assert_int_equal(ohmi_archive_unpack(scratch_path("out"), path, limits, NULL, NULL, &err),
                     OHM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "too many"));
    path = archive_of("cut", many, 8, 0);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size / 2), 0);
    assert_int_equal(ohmi_archive_unpack(scratch_path("out"), path, limits, NULL, NULL, &err),
                     OHM_ERR_FORMAT);
    scratch_write("text", "this is not an archive", 22);
    assert_false(ohmi_archive_is(scratch_path("text")));
    assert_int_equal(
        ohmi_archive_unpack(scratch_path("out"), scratch_path("text"), limits, NULL, NULL, &err),
        OHM_ERR_FORMAT);
    assert_false(scratch_has("out"));
    assert_int_equal(ohmi_live_blocks(), 0);
}

// Removing a folder removes links in it, never what they point to.
static void test_tree(void **state) {
    (void)state;
    scratch_folder("kept");
    scratch_write("kept/file", "x", 1);
    scratch_folder("new");
    scratch_folder("new/place");
    assert_int_equal(symlink(scratch_path("kept"), scratch_path("new/place/link")), 0);
    assert_int_equal(ohmi_tree_remove(scratch_path("new")), 0);
    assert_false(scratch_has("new"));
    assert_true(scratch_has("kept/file"));
    assert_int_equal(ohmi_tree_remove(scratch_path("new")), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),   cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_levels), cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_tree),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
