// SPDX-License-Identifier: Apache-2.0
// Taking a set from files at hand, and verifying one.
//
// A set is put together in a fresh folder beside its place, read back whole and checked, and only
// then renamed to its place: what is in the data folder is always a set that was checked, or the
// one that was there before. Its files lie there unpacked, so that reading them later is fast.
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/memory.h"
#include "data/catalogue.h"
#include "data/folder.h"
#include "data/set.h"
#include "file/archive.h"
#include "file/packed.h"
#include "file/tree.h"
#include "ohmwise/data.h"

#define ARCHIVE_ENTRIES 10000

// Bytes of the records of n images, with two labels each and room for the header of a file: no file
// of a set is longer when it is unpacked, so that one that claims to be is refused early.
static int64_t bytes_of(const ohm_data_set *set, int64_t n) {
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

// Reads and checks a set of the catalogue in a folder. What the files say wrong is OHM_ERR_CHECK.
static ohm_status check_folder(int index, const char *path, ohm_error *err) {
    ohmi_set *set = NULL;
    ohm_status status = ohmi_set_read_files(&set, index, path, err);
    if (status == OHM_OK) {
        status = check_set(set, ohmi_catalogue_files(index), err);
        if (status < 0) {
            ohmi_place(err, path, 0, 0);
        }
    }
    ohmi_set_free(&set);
    if (status == OHM_ERR_FORMAT) {
        status = OHM_ERR_CHECK;
        if (err != NULL) {
            err->status = status;
        }
    }
    return status;
}

ohm_status ohm_data_verify(const char *name, const char *folder, ohm_error *err) {
    char path[PATH_MAX];
    int index = ohmi_catalogue_index(name);
    if (index < 0 && ohmi_folder_is(name)) {
        // a folder of the user's own: that every file of it can be read
        ohmi_set *set = NULL;
        ohm_status status = ohmi_set_read(&set, name, folder, 32, err);
        ohmi_set_free(&set);
        return status;
    }
    ohm_status status = ohm_data_find(path, sizeof path, name, folder, err);
    return status < 0 ? status : check_folder(index, path, err);
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

// Puts the finished folder into its place; what was there moves aside first, and back on failure.
static ohm_status put_in_place(const char *place, const char *finished, const char *aside,
                               ohm_error *err) {
    int moved = rename(place, aside) == 0;
    if (rename(finished, place) != 0) {
        int reason = errno;
        if (moved && rename(aside, place) != 0) {
            ohmi_fail(err, OHM_ERR_IO, "cannot put '%s' back from '%s'", place, aside);
            return OHM_ERR_IO;
        }
        return ohmi_fail(err, OHM_ERR_IO, "cannot make '%s': %s", place, strerror(reason));
    }
    return OHM_OK;
}

ohm_status ohm_data_add(const char *name, const char *from, const char *folder,
                        ohm_data_progress *progress, void *context, ohm_error *err) {
    ohm_status status = OHM_OK;
    sink s = {progress, context};
    char staging[PATH_MAX] = "", path[PATH_MAX], inner[PATH_MAX], finished[PATH_MAX];
    char place[PATH_MAX], aside[PATH_MAX];
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
    OHM_TRY(ohmi_tree_new(staging, sizeof staging, folder, name, err));

    // where the files are: in a folder, in an archive, there maybe one folder further down
    if (ohmi_folder_is(from)) {
        snprintf(path, sizeof path, "%s", from);
    } else {
        // packed or not, the files of a set are not more than this, with what may lie beside them
        int count = 0;
        const ohm_data_set *row = &ohm_data_catalogue(&count)[index];
        const ohmi_archive_limits archive_limits = {
            .bytes = 2 * (bytes_of(row, row->n_train) + bytes_of(row, row->n_test)) + (16 << 20),
            .entries = ARCHIVE_ENTRIES};
        OHM_TRY(join(path, staging, "unpacked", err));
        OHM_TRY(ohmi_archive_unpack(path, from, archive_limits, unpacked, &s, err));
    }
    OHM_TRY(join(inner, path, files->inner_folder, err));
    if (!ohmi_catalogue_complete(path, files) && ohmi_catalogue_complete(inner, files)) {
        snprintf(path, sizeof path, "%s", inner);
    }
    if (!ohmi_catalogue_complete(path, files)) {
        status = ohmi_fail(err, OHM_ERR_FORMAT, "'%s' does not hold the files of '%s'", from, name);
        ohmi_hint(err, "needed are '%s', '%s' and so on, plain or as .gz, .xz",
                  files->train_files[0], files->test_files[0]);
        ohmi_place(err, from, 0, 0);
        goto done;
    }

    // copy, check, put in place
    OHM_TRY(join(finished, staging, "finished", err));
    OHM_TRY(join(aside, staging, "before", err));
    OHM_TRY(join(place, folder, name, err));
    OHM_TRY(copy_files(finished, path, index, &s, err));
    status = check_folder(index, finished, err);
    if (status < 0) {
        ohmi_place(err, from, 0, 0);
        goto done;
    }
    OHM_TRY(put_in_place(place, finished, aside, err));

done:
    if (staging[0] != '\0' && ohmi_tree_remove(staging) != 0 && status == OHM_OK) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot remove '%s'", staging);
    }
    return status;
}
