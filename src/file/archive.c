// SPDX-License-Identifier: Apache-2.0
// Unpacking archives. libarchive reads the format; every path is checked and every file is made
// here, so that nothing in an archive can name a place outside the folder. What an archive says of
// its sizes is not believed: bytes are counted as they come out.
#include "file/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "file/tree.h"

#define CHUNK ((size_t)1 << 18)
#define LEVELS 60 // of folders in an archive; ohmi_tree_remove takes a few more

// Opens a file as an archive; NULL when it is none.
static struct archive *open_archive(const char *path, struct archive_entry **first) {
    struct archive *a = archive_read_new();
    if (a == NULL) {
        return NULL;
    }
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_format_tar(a);
    archive_read_support_format_zip(a);
    archive_read_support_format_7zip(a);
    if (archive_read_open_filename(a, path, CHUNK) != ARCHIVE_OK ||
        archive_read_next_header(a, first) < ARCHIVE_WARN) {
        archive_read_free(a);
        return NULL;
    }
    return a;
}

int ohmi_archive_is(const char *path) {
    struct stat info;
    struct archive_entry *first = NULL;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        return 0;
    }
    struct archive *a = open_archive(path, &first);
    archive_read_free(a);
    return a != NULL;
}

// What is wrong with an entry's name, or NULL.
static const char *fault_of(const char *name) {
    if (name == NULL || name[0] == '\0') {
        return "has no name that can be read";
    }
    if (name[0] == '/') {
        return "has an absolute path";
    }
    int levels = 0;
    for (const char *part = name; *part != '\0';) {
        size_t length = strcspn(part, "/");
        if (length == 2 && part[0] == '.' && part[1] == '.') {
            return "leads out of the folder by '..'";
        }
        if (length > NAME_MAX) {
            return "has a name that is too long";
        }
        if (++levels > LEVELS) {
            return "lies in too many folders";
        }
        part += length;
        part += strspn(part, "/");
    }
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == '\\' || (unsigned char)*c < 32 || *c == 127) {
            return "has a name with a backslash or a control character";
        }
    }
    return NULL;
}

// Makes the folders that lie above a file.
static ohm_status make_parents(const char *file, ohm_error *err) {
    char parent[PATH_MAX];
    snprintf(parent, sizeof parent, "%s", file);
    char *slash = strrchr(parent, '/');
    *slash = '\0';
    return ohmi_make_folder(parent, err);
}

// Writes the data of the current entry into a new file; *total counts the bytes of all.
static ohm_status write_entry(const char *file, struct archive *a, const char *path, uint8_t *chunk,
                              int64_t *total, int64_t limit, ohmi_archive_progress *progress,
                              void *context, ohm_error *err) {
    ohm_status status = OHM_OK;
    int out = -1;
    OHM_TRY(make_parents(file, err));
    out = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (out < 0) {
        status = errno == EEXIST
                     ? ohmi_fail(err, OHM_ERR_FORMAT, "'%s' comes twice in the archive", file)
                     : ohmi_fail(err, OHM_ERR_IO, "cannot write '%s': %s", file, strerror(errno));
        goto done;
    }
    for (;;) {
        la_ssize_t n = archive_read_data(a, chunk, CHUNK);
        if (n == 0) {
            break;
        }
        if (n < 0) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "cannot unpack '%s': %s", path,
                               archive_error_string(a));
            ohmi_hint(err, "the archive is damaged or cut short; get it again");
            goto done;
        }
        *total += n;
        if (*total > limit) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s' unpacks to more than %" PRId64 " bytes",
                               path, limit);
            ohmi_hint(err, "this is not the archive of a known data set");
            goto done;
        }
        for (la_ssize_t put = 0; put < n;) {
            ssize_t k = write(out, chunk + put, (size_t)(n - put));
            if (k < 0 && errno == EINTR) {
                continue;
            }
            if (k < 0) {
                status = ohmi_fail(err, OHM_ERR_IO, "cannot write '%s': %s", file, strerror(errno));
                goto done;
            }
            put += k;
        }
        if (progress != NULL && progress(context, *total) != 0) {
            status = ohmi_fail(err, OHM_ERR_INTERRUPTED, "unpacking '%s' was stopped", path);
            goto done;
        }
    }
    if (close(out) != 0) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot write '%s': %s", file, strerror(errno));
    }
    out = -1;

done:
    if (status < 0 && out >= 0) {
        close(out);
    }
    return status;
}

ohm_status ohmi_archive_unpack(const char *folder, const char *path, ohmi_archive_limits limits,
                               ohmi_archive_progress *progress, void *context, ohm_error *err) {
    ohm_status status = OHM_OK;
    struct archive_entry *entry = NULL;
    struct archive *a = NULL;
    int64_t total = 0, entries = 0;
    int made = 0;
    uint8_t *chunk = ohmi_alloc(CHUNK, 1);
    struct stat info;
    if (chunk == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to unpack '%s'", path);
    }
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot open '%s'", path);
        goto done;
    }
    a = open_archive(path, &entry);
    if (a == NULL) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is not an archive that can be read", path);
        ohmi_hint(err, "tar, zip and 7z are, packed by gzip, xz, bzip2 or zstd");
        goto done;
    }
    if (mkdir(folder, 0755) != 0) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot make '%s': %s", folder, strerror(errno));
        goto done;
    }
    made = 1;

    for (int code = ARCHIVE_OK; code != ARCHIVE_EOF;) {
        const char *name = archive_entry_pathname(entry);
        const char *fault = fault_of(name);
        mode_t type = archive_entry_filetype(entry);
        if (archive_entry_hardlink(entry) != NULL || archive_entry_symlink(entry) != NULL) {
            fault = "is a link";
        } else if (fault == NULL && type != AE_IFREG && type != AE_IFDIR) {
            fault = "is neither a file nor a folder";
        } else if (++entries > limits.entries) {
            fault = "is one entry too many";
        }
        char file[PATH_MAX];
        int length = fault == NULL ? snprintf(file, sizeof file, "%s/%s", folder, name) : 0;
        if (fault == NULL && (length < 0 || (size_t)length >= sizeof file)) {
            fault = "has a path that is too long";
        }
        if (fault != NULL) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "entry '%.100s' of '%s' %s",
                               name != NULL ? name : "", path, fault);
            goto done;
        }
        if (type == AE_IFDIR) {
            OHM_TRY(ohmi_make_folder(file, err));
        } else {
            OHM_TRY(
                write_entry(file, a, path, chunk, &total, limits.bytes, progress, context, err));
        }
        code = archive_read_next_header(a, &entry);
        if (code < ARCHIVE_WARN) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "cannot unpack '%s': %s", path,
                               archive_error_string(a));
            ohmi_hint(err, "the archive is damaged or cut short; get it again");
            goto done;
        }
    }

done:
    if (status < 0) {
        ohmi_place(err, path, 0, 0);
        if (made) {
            ohmi_tree_remove(folder);
        }
    }
    archive_read_free(a);
    ohmi_free(chunk);
    return status;
}
