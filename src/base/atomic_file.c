// SPDX-License-Identifier: Apache-2.0
// Files that appear whole or not at all; see atomic_file.h.
#include "base/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/memory.h"

static ohm_status io_error(ohm_error *err, const char *what, const char *path, int number) {
    ohm_status status =
        ohmi_fail(err, OHM_ERR_IO, "cannot %s '%s': %s", what, path, strerror(number));
    if (number == ENOSPC || number == EDQUOT) {
        ohmi_hint(err, "the disk is full; what was there before is untouched");
    }
    return status;
}

ohm_status ohmi_atomic_open(ohmi_atomic_file *out, const char *path, ohm_error *err) {
    memset(out, 0, sizeof *out);
    if (strlen(path) >= sizeof out->path) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "the path '%.60s...' is too long", path);
    }
    (void)snprintf(out->path, sizeof out->path, "%s", path);
    (void)snprintf(out->temporary, sizeof out->temporary, "%s.part", path);
    out->file = fopen(out->temporary, "wb");
    return out->file ? OHM_OK : io_error(err, "write", out->temporary, errno);
}

// makes a rename durable; folders that cannot be synced are left to the system
static void sync_folder(const char *path) {
    char folder[1024];
    (void)snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) {
        slash[slash == folder ? 1 : 0] = 0;
    }
    const int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

ohm_status ohmi_atomic_commit(ohmi_atomic_file *out, ohm_error *err) {
    ohm_status status = OHM_OK;
    // a write that failed earlier is remembered by the stream, its reason is not
    errno = 0;
    if (fflush(out->file) == EOF || ferror(out->file) || fsync(fileno(out->file)) != 0) {
        status = io_error(err, "write", out->path, errno ? errno : EIO);
        goto done;
    }
    const int closed = fclose(out->file);
    out->file = NULL;
    if (closed == EOF || rename(out->temporary, out->path) != 0) {
        status = io_error(err, "write", out->path, errno);
        goto done;
    }
    out->temporary[0] = 0;
    sync_folder(out->path);
done:
    ohmi_atomic_abort(out);
    return status;
}

void ohmi_atomic_abort(ohmi_atomic_file *out) {
    if (out->file) {
        (void)fclose(out->file);
        out->file = NULL;
    }
    if (out->temporary[0]) {
        (void)remove(out->temporary);
        out->temporary[0] = 0;
    }
}

ohm_status ohmi_write_file(const char *path, const void *bytes, size_t size, ohm_error *err) {
    ohm_status status = OHM_OK;
    ohmi_atomic_file out;
    OHM_TRY(ohmi_atomic_open(&out, path, err));
    if (size > 0 && fwrite(bytes, 1, size, out.file) != size) {
        status = io_error(err, "write", path, errno);
        goto done;
    }
    OHM_TRY(ohmi_atomic_commit(&out, err));
done:
    ohmi_atomic_abort(&out);
    return status;
}

ohm_status ohmi_read_file(char **bytes, size_t *size, const char *path, size_t limit,
                          ohm_error *err) {
    ohm_status status = OHM_OK;
    struct stat info;
    char *block = NULL;
    FILE *file = fopen(path, "rb");
    *bytes = NULL;
    *size = 0;
    if (!file || fstat(fileno(file), &info) != 0) {
        status = io_error(err, "open", path, errno);
        goto done;
    }
    if (!S_ISREG(info.st_mode) || (uint64_t)info.st_size > limit) {
        status =
            ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is not a file of at most %zu bytes", path, limit);
        goto done;
    }
    block = ohmi_alloc((size_t)info.st_size + 1, 1);
    if (!block) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for '%s'", path);
        goto done;
    }
    *size = fread(block, 1, (size_t)info.st_size, file);
    if (ferror(file)) {
        status = io_error(err, "read", path, errno);
        goto done;
    }
    *bytes = block;
    block = NULL;
done:
    ohmi_free(block);
    if (file) {
        (void)fclose(file);
    }
    return status;
}

ohm_status ohmi_make_folder(const char *path, ohm_error *err) {
    char part[1024];
    struct stat info;
    if (strlen(path) >= sizeof part) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "the path '%.60s...' is too long", path);
    }
    (void)snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1;; at++) {
        const char kept = *at;
        if (kept == '/' || kept == 0) {
            *at = 0;
            if (mkdir(part, 0777) != 0 && errno != EEXIST) {
                return io_error(err, "make the folder", part, errno);
            }
            *at = kept;
        }
        if (kept == 0) {
            break;
        }
    }
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return ohmi_fail(err, OHM_ERR_IO, "'%s' is not a folder", path);
    }
    return OHM_OK;
}
