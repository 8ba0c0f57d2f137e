// SPDX-License-Identifier: Apache-2.0
// For tests: a fresh folder that goes away at the end, and files made of given bytes.
#ifndef OHMTEST_SCRATCH_H
#define OHMTEST_SCRATCH_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[64]; // the folder of this test program

// Makes the folder; a cmocka group setup.
static inline int scratch_begin(void **state) {
    (void)state;
    snprintf(scratch, sizeof scratch, "/tmp/ohm-test-XXXXXX");
    return mkdtemp(scratch) == NULL;
}

static inline void scratch_remove(const char *path) {
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        DIR *dir = opendir(path);
        for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
                char inner[4096];
                snprintf(inner, sizeof inner, "%.3000s/%.255s", path, entry->d_name);
                scratch_remove(inner);
            }
        }
        if (dir != NULL) {
            closedir(dir);
        }
    }
    remove(path);
}

// Removes it; a cmocka group teardown.
static inline int scratch_end(void **state) {
    (void)state;
    scratch_remove(scratch);
    return 0;
}

// The path of a name in the folder; valid until the eighth call from now.
static inline const char *scratch_path(const char *name) {
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

static inline void scratch_write(const char *name, const void *bytes, size_t size) {
    FILE *file = fopen(scratch_path(name), "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        abort();
    }
}

static inline void scratch_folder(const char *name) {
    mkdir(scratch_path(name), 0755);
}

// Whether there is anything of that name.
static inline int scratch_has(const char *name) {
    struct stat info;
    return lstat(scratch_path(name), &info) == 0;
}

// The number of entries of a folder, hidden ones too.
static inline int scratch_count(const char *name) {
    int n = 0;
    DIR *dir = opendir(scratch_path(name));
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return n;
}

#endif
