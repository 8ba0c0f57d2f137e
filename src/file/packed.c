// SPDX-License-Identifier: Apache-2.0
// Whole files that may be compressed. gzip goes through zlib, which checks its CRC (libarchive does
// not); plain files too; everything else through libarchive's filters with the "raw" format.
#include "file/packed.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/fail.h"
#include "base/memory.h"

#define CHUNK ((size_t)1 << 20)

// A block that grows up to a limit.
typedef struct {
    uint8_t *bytes; // (room)
    size_t size, room, limit;
    size_t expected; // bytes of the file as it lies there: a plain one needs just that much room
} pile;

// Makes room for CHUNK more bytes, never for more than limit + 1.
static ohm_status make_room(pile *p, const char *path, ohm_error *err) {
    if (p->size > p->limit) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "'%s' holds more than the %zu bytes expected", path,
                         p->limit);
    }
    if (p->room - p->size >= CHUNK || p->room == p->limit + 1) {
        return OHM_OK;
    }
    size_t room = p->room > 0 ? p->room + p->room / 2 + 4 * CHUNK : p->expected + 2 * CHUNK;
    room = room > p->limit + 1 ? p->limit + 1 : room;
    uint8_t *grown = ohmi_realloc(p->bytes, p->room, room);
    if (grown == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to read '%s'", path);
    }
    p->bytes = grown;
    p->room = room;
    return OHM_OK;
}

static size_t free_room(const pile *p) {
    size_t room = p->room - p->size;
    return room < CHUNK ? room : CHUNK;
}

// Plain and gzip files.
static ohm_status read_zlib(pile *p, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    gzFile file = gzopen(path, "rb");
    if (file == NULL) {
        return ohmi_fail(err, OHM_ERR_IO, "cannot open '%s'", path);
    }
    for (;;) {
        OHM_TRY(make_room(p, path, err));
        int n = gzread(file, p->bytes + p->size, (unsigned)free_room(p));
        int code = Z_OK;
        const char *text = gzerror(file, &code);
        if (n < 0 || (code != Z_OK && code != Z_STREAM_END)) {
            status = ohmi_fail(err, code == Z_ERRNO ? OHM_ERR_IO : OHM_ERR_FORMAT,
                               "cannot unpack '%s': %s", path, text);
            ohmi_hint(err, "the file is damaged or cut short; get it again");
            goto done;
        }
        if (n == 0) {
            break;
        }
        p->size += (size_t)n;
    }

done:
    gzclose(file);
    return status;
}

// Everything else libarchive can unpack.
static ohm_status read_filtered(pile *p, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    struct archive_entry *entry;
    struct archive *a = archive_read_new();
    if (a == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to read '%s'", path);
    }
    archive_read_support_filter_xz(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_format_raw(a);
    if (archive_read_open_filename(a, path, CHUNK) != ARCHIVE_OK ||
        archive_read_next_header(a, &entry) != ARCHIVE_OK) {
        status =
            ohmi_fail(err, OHM_ERR_FORMAT, "cannot unpack '%s': %s", path, archive_error_string(a));
        goto done;
    }
    for (;;) {
        OHM_TRY(make_room(p, path, err));
        la_ssize_t n = archive_read_data(a, p->bytes + p->size, free_room(p));
        if (n < 0) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "cannot unpack '%s': %s", path,
                               archive_error_string(a));
            ohmi_hint(err, "the file is damaged or cut short; get it again");
            goto done;
        }
        if (n == 0) {
            break;
        }
        p->size += (size_t)n;
    }

done:
    archive_read_free(a);
    return status;
}

// Whether the file begins as .xz, .bz2 or .zst do.
static int is_filtered(const char *path) {
    uint8_t head[6] = {0};
    FILE *file = fopen(path, "rb");
    size_t n = file != NULL ? fread(head, 1, 6, file) : 0;
    if (file != NULL) {
        fclose(file);
    }
    return n == 6 && (memcmp(head,
                             "\xFD"
                             "7zXZ\0",
                             6) == 0 ||
                      memcmp(head, "BZh", 3) == 0 || memcmp(head, "\x28\xB5\x2F\xFD", 4) == 0);
}

ohm_status ohmi_packed_read(uint8_t **bytes, size_t *size, const char *path, size_t limit,
                            ohm_error *err) {
    struct stat info;
    pile p = {.limit = limit};
    ohm_status status;
    *bytes = NULL;
    *size = 0;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot open '%s'", path);
    } else {
        p.expected = (size_t)info.st_size < limit ? (size_t)info.st_size : limit;
        status = is_filtered(path) ? read_filtered(&p, path, err) : read_zlib(&p, path, err);
    }
    if (status < 0) {
        ohmi_place(err, path, 0, 0);
        ohmi_free(p.bytes);
        return status;
    }
    *bytes = p.bytes;
    *size = p.size;
    return OHM_OK;
}

int ohmi_packed_find(char *path, size_t room, const char *folder, const char *name) {
    static const char *const endings[] = {"", ".gz", ".xz", ".bz2", ".zst"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        struct stat info;
        int length = snprintf(path, room, "%s/%s%s", folder, name, endings[i]);
        if (length > 0 && (size_t)length < room && stat(path, &info) == 0 &&
            S_ISREG(info.st_mode)) {
            return 1;
        }
    }
    return 0;
}
