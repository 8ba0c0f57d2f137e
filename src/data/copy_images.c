// SPDX-License-Identifier: Apache-2.0
// Copying a set of image folders; see copy_images.h. Files are not synced one by one: the whole set
// is read back before it takes its place.
#include "data/copy_images.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "data/folder.h"

#define FILE_LIMIT ((size_t)256 << 20) // bytes of an image file

typedef struct {
    ohm_data_progress *progress; // nullable
    void *context;
    int64_t done; // bytes
} copying;

static ohm_status join(char path[PATH_MAX], const char *folder, const char *name, ohm_error *err) {
    const int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return length > 0 && length < PATH_MAX
               ? OHM_OK
               : ohmi_fail(err, OHM_ERR_IO, "the path of '%s' is too long", name);
}

static ohm_status copy_file(copying *c, const char *to, const char *from, ohm_error *err) {
    ohm_status status = OHM_OK;
    char *bytes = NULL;
    size_t size = 0;
    FILE *file = NULL;
    OHM_TRY(ohmi_read_file(&bytes, &size, from, FILE_LIMIT, err));
    file = fopen(to, "wb");
    bool good = file != NULL && fwrite(bytes, 1, size, file) == size;
    good = file != NULL && fclose(file) == 0 && good;
    if (!good) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot write '%s': %s", to, strerror(errno));
        goto done;
    }
    c->done += (int64_t)size;
    if (c->progress != NULL && c->progress(c->context, "copying", c->done, 0) != 0) {
        status = ohmi_fail(err, OHM_ERR_INTERRUPTED, "copying was stopped");
    }
done:
    ohmi_free(bytes);
    return status;
}

// The entries of a folder that are wanted: folders at depth 0 (classes), image files at depth 1.
static ohm_status copy_folder(copying *c, const char *to, const char *from, int depth,
                              ohm_error *err) {
    ohm_status status = OHM_OK;
    DIR *dir = opendir(from);
    if (dir == NULL) {
        return ohmi_fail(err, OHM_ERR_IO, "cannot list '%s': %s", from, strerror(errno));
    }
    OHM_TRY(ohmi_make_folder(to, err));
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char source[PATH_MAX], target[PATH_MAX];
        if (entry->d_name[0] == '.') {
            continue;
        }
        OHM_TRY(join(source, from, entry->d_name, err));
        OHM_TRY(join(target, to, entry->d_name, err));
        if (depth == 0 && ohmi_folder_is(source)) {
            OHM_TRY(copy_folder(c, target, source, 1, err));
        } else if (depth == 1 && ohmi_folder_is_image(entry->d_name) && !ohmi_folder_is(source)) {
            OHM_TRY(copy_file(c, target, source, err));
        }
    }
done:
    closedir(dir);
    return status;
}

ohm_status ohmi_copy_images(const char *to, const char *from, ohm_data_progress *progress,
                            void *context, ohm_error *err) {
    static const char *const sides[] = {"train", "test"};
    ohm_status status = OHM_OK;
    copying c = {.progress = progress, .context = context};
    OHM_TRY(ohmi_make_folder(to, err));
    for (int p = 0; p < 2; p++) {
        char source[PATH_MAX], target[PATH_MAX];
        OHM_TRY(join(source, from, sides[p], err));
        OHM_TRY(join(target, to, sides[p], err));
        OHM_TRY(copy_folder(&c, target, source, 0, err));
    }
done:
    return status;
}
