// SPDX-License-Identifier: Apache-2.0
// Whole folders. See tree.h.
#include "file/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/fail.h"

#define DEPTH_MAX 64

ohm_status ohmi_tree_new(char *path, size_t room, const char *folder, const char *name,
                         ohm_error *err) {
    ohm_status status = ohmi_make_folder(folder, err);
    if (status < 0) {
        return status;
    }
    int length = snprintf(path, room, "%s/.%s-XXXXXX", folder, name);
    if (length < 0 || (size_t)length >= room) {
        return ohmi_fail(err, OHM_ERR_IO, "the path '%.80s...' is too long", folder);
    }
    if (mkdtemp(path) == NULL) {
        ohmi_fail(err, OHM_ERR_IO, "cannot write in '%s': %s", folder, strerror(errno));
        ohmi_place(err, folder, 0, 0);
        return OHM_ERR_IO;
    }
    return OHM_OK;
}

// Removes name in the folder open as parent.
static int remove_at(int parent, const char *name, int depth) {
    struct stat info;
    if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? 0 : -1;
    }
    if (!S_ISDIR(info.st_mode)) {
        return unlinkat(parent, name, 0);
    }
    int file = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = file >= 0 && depth < DEPTH_MAX ? fdopendir(file) : NULL;
    if (dir == NULL) {
        if (file >= 0) {
            close(file);
        }
        return -1;
    }
    int result = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            result |= remove_at(dirfd(dir), entry->d_name, depth + 1);
        }
    }
    closedir(dir);
    return unlinkat(parent, name, AT_REMOVEDIR) | result;
}

int ohmi_tree_remove(const char *path) {
    return remove_at(AT_FDCWD, path, 0);
}
