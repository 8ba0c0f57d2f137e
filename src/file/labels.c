// SPDX-License-Identifier: Apache-2.0
// Reading names of classes; see labels.h.
#include "file/labels.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"

#define FILE_LIMIT ((size_t)64 << 20) // bytes

static ohm_status put(char name[64], const char *text, size_t length, int number, ohm_error *err) {
    char whole[512];
    (void)snprintf(whole, sizeof whole, "%.*s", length < 500 ? (int)length : 500, text);
    if (!whole[0] || !ohmi_text_is_clean(whole)) {
        return ohmi_fail(err, OHM_ERR_FORMAT, "the name of class %d is not plain UTF-8 text",
                         number);
    }
    (void)snprintf(name, 64, "%.*s", (int)ohmi_text_cut(whole, 63), whole);
    return OHM_OK;
}

static ohm_status wrong_number(size_t found, int n, ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_FORMAT, "%zu names of classes, the network has %d", found, n);
}

static ohm_status read_json(char (*names)[64], int n, const json_t *root, ohm_error *err) {
    ohm_status status = OHM_OK;
    const bool is_list = json_is_array(root);
    const size_t found = is_list ? json_array_size(root) : json_object_size(root);
    if (found != (size_t)n) {
        return wrong_number(found, n, err);
    }
    for (int i = 0; i < n; i++) {
        char key[24];
        (void)snprintf(key, sizeof key, "%d", i);
        const char *text = json_string_value(is_list ? json_array_get(root, (size_t)i)
                                                     : json_object_get(root, key));
        if (!text) {
            status = ohmi_fail(err, OHM_ERR_FORMAT, "there is no name of class %d", i);
            goto done;
        }
        OHM_TRY(put(names[i], text, strlen(text), i, err));
    }
done:
    return status;
}

static ohm_status read_lines(char (*names)[64], int n, const char *text, ohm_error *err) {
    ohm_status status = OHM_OK;
    size_t end = strlen(text), found = 0;
    while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '\r')) {
        end--;
    }
    for (size_t at = 0; at < end; found++) {
        const size_t length = strcspn(text + at, "\n");
        const size_t shown = length > 0 && text[at + length - 1] == '\r' ? length - 1 : length;
        if (found < (size_t)n) {
            OHM_TRY(put(names[found], text + at, shown, (int)found, err));
        }
        at += length + 1;
    }
    if (found != (size_t)n) {
        status = wrong_number(found, n, err);
    }
done:
    return status;
}

ohm_status ohmi_labels_read(char (**names)[64], int n, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    char *bytes = NULL;
    size_t size = 0;
    json_t *root = NULL;
    json_error_t place = {.line = 0};
    *names = NULL;
    OHM_TRY(ohmi_read_file(&bytes, &size, path, FILE_LIMIT, err));
    *names = ohmi_alloc((size_t)n, sizeof **names);
    if (!*names) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for the names of %d classes", n);
        goto done;
    }
    if (bytes[0] == '{' || bytes[0] == '[') {
        root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &place);
        OHM_TRY(root ? read_json(*names, n, root, err)
                     : ohmi_fail(err, OHM_ERR_FORMAT, "not valid JSON: %s", place.text));
    } else if (strlen(bytes) != size) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "this is no text");
    } else {
        OHM_TRY(read_lines(*names, n, bytes, err));
    }
done:
    if (status < 0) {
        ohmi_free(*names);
        *names = NULL;
        if (status == OHM_ERR_FORMAT) {
            ohmi_place(err, path, place.line > 0 ? place.line : 0, 0);
        }
    }
    json_decref(root);
    ohmi_free(bytes);
    return status;
}
