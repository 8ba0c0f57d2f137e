// SPDX-License-Identifier: Apache-2.0
// Taking a set from files at hand.
//
// A set is put together in a fresh folder beside its place, read back whole and checked, and only
// then takes its place: what is in the data folder is always a set that was checked, or the
// one that was there before. Its files lie there unpacked, so that reading them later is fast.
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "data/catalogue.h"
#include "data/check.h"
#include "data/copy_images.h"
#include "data/folder.h"
#include "file/archive.h"
#include "file/packed.h"
#include "file/staging.h"
#include "ohmwise/data.h"

#define ARCHIVE_ENTRIES 10000
#define IMAGE_ENTRIES 4000000            // files of a set of image folders, at most
#define IMAGE_BYTES ((int64_t)512 << 30) // all of them together
#define NETWORK_BYTES ((int64_t)4 << 30) // of a trained network

// Bytes of the records of n images, with two labels each and room for the header of a file: no file
// of a set is longer when it is unpacked, so that one that claims to be is refused early.
static int64_t bytes_of(const ohm_data_set *set, int64_t n) {
    if (set->network != NULL) {
        return (int64_t)OHMI_NETWORK_FILE;
    }
    return n * ((int64_t)set->height * set->width * set->channels + 2) + 16;
}

// What a step reports to: the caller's sink.
typedef struct {
    ohm_data_progress *progress; // nullable
    void *context;
} sink;

static int unpacked(void *context, int64_t bytes) {
    const sink *s = context;
    return s->progress != NULL ? s->progress(s->context, "unpacking", bytes, 0) : 0;
}

static ohm_status join(char path[PATH_MAX], const char *folder, const char *name, ohm_error *err) {
    int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return length > 0 && length < PATH_MAX
               ? OHM_OK
               : ohmi_fail(err, OHM_ERR_IO, "the path of '%s' is too long", name);
}

// Writes every file of the index-th set, unpacked, from one folder into another.
static ohm_status copy_files(const char *to, const char *from, int index, const sink *s,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    const ohmi_set_files *files = ohmi_catalogue_files(index);
    const char *const *const lists[] = {files->train_files, files->test_files};
    int count = 0;
    const ohm_data_set *row = &ohm_data_catalogue(&count)[index];
    const size_t limits[] = {(size_t)bytes_of(row, row->n_train),
                             (size_t)bytes_of(row, row->n_test)};
    uint8_t *bytes = NULL;
    int64_t total = 0;
    OHM_TRY(ohmi_make_folder(to, err));
    for (int l = 0; l < 2; l++) {
        for (int i = 0; lists[l][i] != NULL; i++) {
            char source[PATH_MAX], target[PATH_MAX];
            size_t size = 0;
            if (!ohmi_packed_find(source, sizeof source, from, lists[l][i])) {
                status = ohmi_fail(err, OHM_ERR_IO, "there is no '%s' in '%s'", lists[l][i], from);
                goto done;
            }
            OHM_TRY(join(target, to, lists[l][i], err));
            if (strchr(lists[l][i], '/') != NULL) {
                char inside[PATH_MAX];
                snprintf(inside, sizeof inside, "%.*s", (int)(strrchr(target, '/') - target),
                         target);
                OHM_TRY(ohmi_make_folder(inside, err));
            }
            OHM_TRY(ohmi_packed_read(&bytes, &size, source, limits[l], err));
            OHM_TRY(ohmi_write_file(target, bytes, size, err));
            ohmi_free(bytes);
            bytes = NULL;
            total += (int64_t)size;
            if (s->progress != NULL && s->progress(s->context, "copying", total, 0) != 0) {
                status = ohmi_fail(err, OHM_ERR_INTERRUPTED, "copying was stopped");
                goto done;
            }
        }
    }

done:
    ohmi_free(bytes);
    return status;
}

// The folder in `path` that holds a whole set, where an archive has one at its top.
static ohm_status find_inside(char inner[PATH_MAX], const char *path, const ohmi_set_files *files,
                              ohm_error *err) {
    ohm_status status = OHM_OK;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.') {
            OHM_TRY(join(inner, path, entry->d_name, err));
            if (ohmi_catalogue_complete(inner, files)) {
                break;
            }
        }
    }
done:
    if (dir != NULL) {
        closedir(dir);
    }
    return status;
}

ohm_status ohm_data_add(const char *name, const char *from, const char *folder,
                        ohm_data_progress *progress, void *context, ohm_error *err) {
    ohm_status status = OHM_OK;
    sink s = {progress, context};
    char path[PATH_MAX], inner[PATH_MAX];
    ohmi_staging staging = {.lock = -1};
    int index = ohmi_catalogue_index(name);
    if (index < 0) {
        ohmi_fail(err, OHM_ERR_ARGUMENT, "there is no data set '%s'", name);
        ohmi_hint(err,
                  "did you mean '%s'? a folder of your own needs no adding: name it in data.set",
                  ohmi_catalogue_nearest(name));
        return OHM_ERR_ARGUMENT;
    }
    if (folder == NULL) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "no data folder is given");
    }
    const ohmi_set_files *files = ohmi_catalogue_files(index);
    OHM_TRY(ohmi_staging_open(&staging, folder, name, err));

    // where the files are: in a folder, in an archive, there maybe one folder further down
    if (ohmi_folder_is(from)) {
        snprintf(path, sizeof path, "%s", from);
    } else {
        // packed or not, the files of a set are not more than this, with what may lie beside them
        int count = 0;
        const ohm_data_set *row = &ohm_data_catalogue(&count)[index];
        const bool is_images = files->kind == OHMI_FILES_IMAGES;
        const ohmi_archive_limits archive_limits = {
            .bytes =
                is_images ? IMAGE_BYTES
                : row->network != NULL
                    ? NETWORK_BYTES
                    : 2 * (bytes_of(row, row->n_train) + bytes_of(row, row->n_test)) + (16 << 20),
            .entries = is_images ? IMAGE_ENTRIES : ARCHIVE_ENTRIES};
        OHM_TRY(join(path, staging.path, "unpacked", err));
        OHM_TRY(ohmi_archive_unpack(path, from, archive_limits, unpacked, &s, err));
    }
    OHM_TRY(join(inner, path, files->inner_folder, err));
    if (files->kind == OHMI_FILES_IMAGES && !ohmi_catalogue_complete(path, files)) {
        OHM_TRY(find_inside(inner, path, files, err));
    }
    if (!ohmi_catalogue_complete(path, files) && ohmi_catalogue_complete(inner, files)) {
        snprintf(path, sizeof path, "%s", inner);
    }
    if (!ohmi_catalogue_complete(path, files)) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s' does not hold the files of '%s'", from, name);
        if (files->kind == OHMI_FILES_IMAGES) {
            ohmi_hint(err, "needed are folders train/CLASS and test/CLASS with .jpg or .png files");
        } else {
            ohmi_hint(err, "needed are '%s', '%s' and so on, plain or as .gz, .xz",
                      files->train_files[0],
                      files->test_files[0] != NULL ? files->test_files[0] : files->train_files[1]);
        }
        ohmi_place(err, from, 0, 0);
        goto done;
    }

    // copy, check, put in place
    OHM_TRY(files->kind == OHMI_FILES_IMAGES
                ? ohmi_copy_images(staging.finished, path, progress, context, err)
                : copy_files(staging.finished, path, index, &s, err));
    status = ohmi_check_folder(index, staging.finished, err);
    if (status < 0) {
        ohmi_place(err, from, 0, 0);
        goto done;
    }
    OHM_TRY(ohmi_staging_put(&staging, err));

done:
    if (ohmi_staging_close(&staging) != 0 && status == OHM_OK) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot clean up in '%s'", folder);
    }
    return status;
}
