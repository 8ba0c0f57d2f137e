// SPDX-License-Identifier: Apache-2.0
// Verifying a set: of the catalogue, or a folder of the user's own. See check.h, ohmwise/data.h.
#include "data/check.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "data/catalogue.h"
#include "data/folder.h"
#include "data/set.h"
#include "file/packed.h"
#include "ohmwise/data.h"

// Checks what was read: the same number of images of every class, and the content's digest.
static ohm_status check_set(const ohmi_set *set, const ohmi_set_files *files, ohm_error *err) {
    const ohmi_images *const parts[] = {&set->train, &set->test};
    int64_t *counts = ohmi_alloc((size_t)set->n_classes, sizeof *counts);
    if (counts == NULL) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory to check '%s'", set->name);
    }
    ohm_status status = OHM_OK;
    for (int p = 0; p < 2 && status == OHM_OK; p++) {
        memset(counts, 0, (size_t)set->n_classes * sizeof *counts);
        for (int64_t i = 0; i < parts[p]->n; i++) {
            counts[parts[p]->labels[i]]++;
        }
        for (int c = 0; c < set->n_classes && status == OHM_OK; c++) {
            if (counts[c] != parts[p]->n / set->n_classes) {
                status = ohmi_fail(err, OHM_ERR_CHECK,
                                   "class '%s' of '%s' has %" PRId64 " %s images, not %" PRId64,
                                   set->class_names[c], set->name, counts[c],
                                   p == 0 ? "train" : "test", parts[p]->n / set->n_classes);
            }
        }
    }
    ohmi_free(counts);
    if (status == OHM_OK && files->sha256 != NULL) {
        char hex[65];
        ohmi_set_digest(hex, set);
        if (strcmp(hex, files->sha256) != 0) {
            status = ohmi_fail(err, OHM_ERR_CHECK,
                               "the content of '%s' has digest %.16s..., not "
                               "%.16s...",
                               set->name, hex, files->sha256);
            ohmi_hint(err, "some image or label differs from the published set");
        }
    }
    return status;
}

// A file whose format is broken: to who verifies, something that does not agree.
static ohm_status as_check(ohm_status status, ohm_error *err) {
    if (status != OHM_ERR_FORMAT) {
        return status;
    }
    if (err != NULL) {
        err->status = OHM_ERR_CHECK;
    }
    return OHM_ERR_CHECK;
}

// That every file of a folder of images or arrays can be read; 32 pixels are enough for that.
static ohm_status check_images(const char *path, ohm_error *err) {
    ohmi_set *set = NULL;
    const ohm_status status = ohmi_folder_read(&set, path, 32, err);
    ohmi_set_free(&set);
    return status;
}

// The digest of a network's files, one after another.
static ohm_status check_network(const ohmi_set_files *files, const char *path, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_sha256 hash;
    char hex[65], name[PATH_MAX];
    uint8_t *bytes = NULL;
    size_t size = 0;
    ohmi_sha256_init(&hash);
    for (int i = 0; files->train_files[i] != NULL; i++) {
        if (!ohmi_packed_find(name, sizeof name, path, files->train_files[i])) {
            status = ohmi_fail(err, OHM_ERR_CHECK, "there is no '%s'", files->train_files[i]);
            goto done;
        }
        OHM_TRY(ohmi_packed_read(&bytes, &size, name, OHMI_NETWORK_FILE, err));
        ohmi_sha256_add(&hash, bytes, size);
        ohmi_free(bytes);
        bytes = NULL;
    }
    ohmi_sha256_hex(&hash, hex);
    if (strcmp(hex, files->sha256) != 0) {
        status = ohmi_fail(err, OHM_ERR_CHECK, "the files have digest %.16s..., not %.16s...", hex,
                           files->sha256);
        ohmi_hint(err, "this is not the network as it was published");
    }
done:
    ohmi_free(bytes);
    return status;
}

ohm_status ohmi_check_folder(int index, const char *path, ohm_error *err) {
    const ohmi_set_files *files = ohmi_catalogue_files(index);
    if (files->kind == OHMI_FILES_IMAGES || files->kind == OHMI_FILES_NETWORK) {
        const ohm_status found = files->kind == OHMI_FILES_IMAGES ? check_images(path, err)
                                                                  : check_network(files, path, err);
        if (found < 0 && err != NULL && err->path[0] == '\0') {
            ohmi_place(err, path, 0, 0);
        }
        return as_check(found, err);
    }
    ohmi_set *set = NULL;
    ohm_status status = ohmi_set_read_files(&set, index, path, err);
    if (status == OHM_OK) {
        status = check_set(set, ohmi_catalogue_files(index), err);
        if (status < 0) {
            ohmi_place(err, path, 0, 0);
        }
    }
    ohmi_set_free(&set);
    return as_check(status, err);
}

ohm_status ohm_data_verify(const char *name, const char *folder, ohm_error *err) {
    char path[PATH_MAX];
    int index = ohmi_catalogue_index(name);
    if (index < 0 && ohmi_folder_is(name)) {
        // a folder of the user's own: that every file of it can be read
        ohmi_set *set = NULL;
        ohm_status status = ohmi_set_read(&set, name, folder, 32, err);
        ohmi_set_free(&set);
        return as_check(status, err);
    }
    ohm_status status = ohm_data_find(path, sizeof path, name, folder, err);
    return status < 0 ? status : ohmi_check_folder(index, path, err);
}
