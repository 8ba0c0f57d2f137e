// SPDX-License-Identifier: Apache-2.0
// Removing a folder. See tree.h.
#include "file/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 64 // levels; each has an open file while those below are removed

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
