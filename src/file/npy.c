// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files.
//
//     \x93NUMPY, version (2 bytes), header length (u16 in version 1, u32 in 2 and 3), header, data
//     header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } then spaces and a
//     newline, so that the data begins at a multiple of 64 bytes
//
// Format: numpy.lib.format, https://numpy.org/neps/nep-0001-npy-format.html
#include "file/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"

#define HEADER_LIMIT 65536 // bytes; four dimensions need far less

// NumPy's spelling of each type that both sides know
static const struct {
    ohmi_dtype dtype;
    const char *descr;
} types[] = {{OHMI_F32, "<f4"}, {OHMI_F64, "<f8"}, {OHMI_U8, "|u1"},
             {OHMI_I8, "|i1"},  {OHMI_I32, "<i4"}, {OHMI_I64, "<i8"}};
#define N_TYPES (sizeof types / sizeof types[0])

ohm_status ohmi_npy_save(const char *path, const ohmi_view *view, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_atomic_file file = {0};
    const char *descr = NULL;
    for (size_t i = 0; i < N_TYPES; i++) {
        descr = types[i].dtype == view->dtype ? types[i].descr : descr;
    }
    int64_t count = ohmi_view_count(view);
    if (descr == NULL || count < 0) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "array '%s' cannot be written as .npy", view->name);
    }

    // header, padded to 64 bytes with its 10 bytes of prefix
    char header[256];
    int length = snprintf(header, sizeof header,
                          "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int d = 0; d < view->n_dims; d++) {
        length += snprintf(header + length, sizeof header - (size_t)length, "%" PRId64 "%s",
                           view->shape[d], d + 1 < view->n_dims ? ", " : "");
    }
    length += snprintf(header + length, sizeof header - (size_t)length, "%s), }",
                       view->n_dims == 1 ? "," : "");
    int padded = (10 + length + 1 + 63) / 64 * 64 - 10;
    memset(header + length, ' ', (size_t)(padded - length));
    header[padded - 1] = '\n';
    const uint8_t prefix[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)(padded & 255), (uint8_t)(padded >> 8)};

    OHM_TRY(ohmi_atomic_open(&file, path, err));
    size_t bytes = (size_t)count * ohmi_dtype_size(view->dtype);
    if (fwrite(prefix, 1, 10, file.file) != 10 ||
        fwrite(header, 1, (size_t)padded, file.file) != (size_t)padded ||
        (bytes > 0 && fwrite(view->data, 1, bytes, file.file) != bytes)) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot write '%s'", path);
        ohmi_hint(err, "is the disk full?");
        ohmi_place(err, path, 0, 0);
        goto done;
    }
    OHM_TRY(ohmi_atomic_commit(&file, err));

done:
    ohmi_atomic_abort(&file);
    return status;
}

// The text behind 'key': in the header, spaces skipped; NULL when the key is not there.
static const char *value_of(const char *header, const char *key) {
    char quoted[32];
    for (int kind = 0; kind < 2; kind++) {
        snprintf(quoted, sizeof quoted, kind == 0 ? "'%s'" : "\"%s\"", key);
        const char *at = strstr(header, quoted);
        if (at != NULL) {
            at += strlen(quoted);
            at += strspn(at, " ");
            if (*at == ':') {
                at++;
                return at + strspn(at, " ");
            }
        }
    }
    return NULL;
}

// Reads a tuple as (3, 4) into the view; 0 when it is not one of at most 4 sizes.
static int parse_shape(ohmi_view *view, const char *text) {
    if (*text++ != '(') {
        return 0;
    }
    view->n_dims = 0;
    for (;;) {
        text += strspn(text, " ");
        if (*text == ')') {
            return 1;
        }
        if (view->n_dims == 4 || *text < '0' || *text > '9') {
            return 0;
        }
        int64_t size = 0;
        for (; *text >= '0' && *text <= '9'; text++) {
            if (size > (INT64_MAX - 9) / 10) {
                return 0;
            }
            size = size * 10 + (*text - '0');
        }
        view->shape[view->n_dims++] = size;
        text += strspn(text, " ");
        if (*text == ',') {
            text++;
        } else if (*text != ')') {
            return 0;
        }
    }
}

// Reads prefix and header from the file's start; *begin is where the data lies.
static ohm_status read_header(ohmi_view *view, int64_t *begin, FILE *file, ohm_error *err) {
    uint8_t prefix[12];
    char header[HEADER_LIMIT + 1];
    if (fread(prefix, 1, 10, file) != 10 || memcmp(prefix, "\x93NUMPY", 6) != 0) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "not a .npy file");
    }
    if (prefix[6] < 1 || prefix[6] > 3) {
        return ohmi_fail(err, OHM_ERR_FORMAT, ".npy version %d is not read", prefix[6]);
    }
    uint32_t length = (uint32_t)prefix[8] | (uint32_t)prefix[9] << 8;
    *begin = 10;
    if (prefix[6] > 1) {
        if (fread(prefix + 10, 1, 2, file) != 2) {
            return ohmi_fail(err, OHM_ERR_FORMAT, "the header is cut short");
        }
        length |= (uint32_t)prefix[10] << 16 | (uint32_t)prefix[11] << 24;
        *begin = 12;
    }
    if (length > HEADER_LIMIT || fread(header, 1, length, file) != length) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "the header is cut short or too long");
    }
    header[length] = '\0';
    *begin += length;

    // the three keys
    const char *descr = value_of(header, "descr");
    const char *order = value_of(header, "fortran_order");
    const char *shape = value_of(header, "shape");
    if (descr == NULL || order == NULL || shape == NULL) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "the header lacks descr, fortran_order or shape");
    }
    int found = 0;
    for (size_t i = 0; i < N_TYPES; i++) {
        size_t size = strlen(types[i].descr);
        if ((*descr == '\'' || *descr == '"') && strncmp(descr + 1, types[i].descr, size) == 0 &&
            descr[1 + size] == *descr) {
            view->dtype = types[i].dtype;
            found = 1;
        }
    }
    if (!found) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "element type %.16s is not read", descr);
    }
    if (!parse_shape(view, shape)) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "the shape is not a tuple of at most 4 sizes");
    }
    if (strncmp(order, "False", 5) != 0 && view->n_dims > 1) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "the array is in Fortran order");
    }
    return OHM_OK;
}

ohm_status ohmi_npy_load(ohmi_view *view, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    void *data = NULL;
    struct stat info;
    *view = (ohmi_view){0};
    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot open '%s'", path);
        goto done;
    }

    // the data must be exactly as long as type and shape say, before any of it is allocated
    int64_t begin = 0;
    OHM_TRY(read_header(view, &begin, file, err));
    int64_t count = ohmi_view_count(view), width = (int64_t)ohmi_dtype_size(view->dtype);
    int64_t there = (int64_t)info.st_size - begin;
    if (count < 0 || count > INT64_MAX / width || count * width != there) {
        status = ohmi_fail(err, OHM_ERR_FORMAT,
                           "'%s' holds %" PRId64 " bytes of data, its shape needs another number",
                           path, there);
        goto done;
    }
    data = ohmi_alloc((size_t)count, (size_t)width);
    if (data == NULL) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", path);
        goto done;
    }
    if (fread(data, (size_t)width, (size_t)count, file) != (size_t)count) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot read '%s'", path);
        goto done;
    }
    view->data = data;
    data = NULL;

done:
    if (status < 0) {
        ohmi_place(err, path, 0, 0);
        *view = (ohmi_view){0};
    }
    if (file != NULL) {
        fclose(file);
    }
    ohmi_free(data);
    return status;
}
