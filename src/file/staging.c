// SPDX-License-Identifier: Apache-2.0
// Staging folders. See staging.h.
//
// Who lives: a process holds an exclusive flock on its staging folder, which the system takes away
// when the process ends, however it ends. Making and locking one happens under a lock on the folder
// around it, and so does a sweep: none is ever seen before it is locked. Where a file system has no
// such locks, nothing is swept.
#include "file/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "file/tree.h"

#define MARK "XXXXXX" // what mkdtemp replaces

// Opens a folder and locks it, the data folder (which may be a link) with patience; -1 when another
// process has it, or it cannot be locked.
static int lock_folder(const char *path, bool waits) {
    const int file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (waits ? 0 : O_NOFOLLOW));
    if (file < 0) {
        return -1;
    }
    int result;
    do {
        result = flock(file, waits ? LOCK_EX : LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
        close(file);
        return -1;
    }
    return file;
}

// Whether an entry of a folder is a staging folder of NAME by its name.
static bool is_staging(const char *entry, const char *name) {
    const size_t size = strlen(name);
    return entry[0] == '.' && strncmp(entry + 1, name, size) == 0 && entry[size + 1] == '-' &&
           strlen(entry + size + 2) == sizeof MARK - 1 && strchr(entry + size + 2, '.') == NULL;
}

// One staging folder of a dead process: brings the old folder back where its place is empty.
static void sweep_one(const char *path, const char *place) {
    char before[PATH_MAX];
    struct stat info;
    const int length = snprintf(before, sizeof before, "%s/before", path);
    if (length < 0 || (size_t)length >= sizeof before) {
        return;
    }
    if (lstat(place, &info) != 0 && errno == ENOENT && lstat(before, &info) == 0 &&
        rename(before, place) != 0) {
        return; // it is all there is of the set
    }
    (void)ohmi_tree_remove(path);
}

// The caller holds the lock on `folder`.
static void sweep(const char *folder, const char *name) {
    char place[PATH_MAX], path[PATH_MAX];
    const int length = snprintf(place, sizeof place, "%s/%s", folder, name);
    DIR *dir = length > 0 && (size_t)length < sizeof place ? opendir(folder) : NULL;
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        const int size = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (!is_staging(entry->d_name, name) || size < 0 || (size_t)size >= sizeof path) {
            continue;
        }
        const int lock = lock_folder(path, false);
        if (lock >= 0) {
            sweep_one(path, place);
            close(lock);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

void ohmi_staging_sweep(const char *folder, const char *name) {
    const int lock = lock_folder(folder, true);
    if (lock >= 0) {
        sweep(folder, name);
        close(lock);
    }
}

ohm_status ohmi_staging_open(ohmi_staging *staging, const char *folder, const char *name,
                             ohm_error *err) {
    ohm_status status = OHM_OK;
    int lock = -1;
    char path[PATH_MAX];
    *staging = (ohmi_staging){.lock = -1};
    OHM_TRY(ohmi_make_folder(folder, err));

    // room for the longest name inside
    const int length = snprintf(path, sizeof path, "%s/.%s-" MARK, folder, name);
    if (length < 0 || (size_t)length + sizeof "/finished" > sizeof path) {
        status = ohmi_fail(err, OHM_ERR_IO, "the path '%.80s...' is too long", folder);
        goto done;
    }
    lock = lock_folder(folder, true);
    if (lock >= 0) {
        sweep(folder, name);
    }
    if (mkdtemp(path) == NULL) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot write in '%s': %s", folder, strerror(errno));
        ohmi_place(err, folder, 0, 0);
        goto done;
    }
    staging->lock = lock_folder(path, false);
    snprintf(staging->path, sizeof staging->path, "%s", path);
    snprintf(staging->place, sizeof staging->place, "%s/%s", folder, name);
    snprintf(staging->finished, sizeof staging->finished, "%.*s/finished", PATH_MAX - 16, path);

done:
    if (lock >= 0) {
        close(lock);
    }
    return status;
}

// Exchanges two folders in one step: 0, or -1 with errno.
static int exchange(const char *a, const char *b) {
#if defined(RENAME_EXCHANGE)
    return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
#else
    (void)a;
    (void)b;
    errno = ENOSYS;
    return -1;
#endif
}

ohm_status ohmi_staging_put(ohmi_staging *staging, ohm_error *err) {
    char before[PATH_MAX];
    if (exchange(staging->finished, staging->place) == 0) {
        return OHM_OK; // what was there is in `finished` now
    }

    // nothing there, or a file system that cannot exchange: out and in, and back on failure
    snprintf(before, sizeof before, "%.*s/before", PATH_MAX - 16, staging->path);
    const bool has_moved = rename(staging->place, before) == 0;
    if (rename(staging->finished, staging->place) != 0) {
        const int reason = errno;
        if (has_moved && rename(before, staging->place) != 0) {
            staging->must_stay = true;
            ohmi_fail(err, OHM_ERR_IO, "cannot put '%s' back: %s", staging->place, strerror(errno));
            ohmi_hint(err, "it is in '%s'; move it back", before);
            return OHM_ERR_IO;
        }
        return ohmi_fail(err, OHM_ERR_IO, "cannot make '%s': %s", staging->place, strerror(reason));
    }
    return OHM_OK;
}

int ohmi_staging_close(ohmi_staging *staging) {
    int result = 0;
    if (staging->path[0] != '\0') {
        result = staging->must_stay ? 0 : ohmi_tree_remove(staging->path);
        if (staging->lock >= 0) {
            close(staging->lock);
        }
        *staging = (ohmi_staging){.lock = -1};
    }
    return result;
}
