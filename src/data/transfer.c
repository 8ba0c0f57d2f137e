// SPDX-License-Identifier: Apache-2.0
// Fetching one file by libcurl, going on where an earlier attempt stopped (HTTP Range). A server
// that cannot do ranges is asked for the whole file again.
#include "data/transfer.h"

#include "base/fail.h"

#ifndef OHM_WITH_CURL

ohm_status ohmi_transfer(const char *path, const char *url, int64_t limit,
                         ohm_data_progress *progress, void *context, ohm_error *err) {
    (void)path;
    (void)limit;
    (void)progress;
    (void)context;
    ohmi_fail(err, OHM_ERR_UNSUPPORTED, "this build cannot download '%s'", url);
    ohmi_hint(err, "download it by other means and use 'ohmwise data add'");
    return OHM_ERR_UNSUPPORTED;
}

#else

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    FILE *file;
    int64_t before; // bytes from earlier attempts
    int64_t done;   // bytes of the file so far
    int64_t limit;
    int too_long, disk_error; // errno of a write that failed
    const char *what;
    ohm_data_progress *progress; // nullable
    void *context;
} transfer;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode ready = CURLE_FAILED_INIT;

static void start_curl(void) {
    ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t take(char *bytes, size_t size, size_t count, void *context) {
    transfer *t = context;
    size_t n = size * count;
    if (t->done + (int64_t)n > t->limit) {
        t->too_long = 1;
        return 0;
    }
    size_t written = fwrite(bytes, 1, n, t->file);
    if (written != n) {
        t->disk_error = errno;
    }
    t->done += (int64_t)written;
    return written;
}

static int report(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total,
                  curl_off_t up_now) {
    const transfer *t = context;
    (void)up_total;
    (void)up_now;
    (void)now;
    return t->progress != NULL
               ? t->progress(t->context, t->what, t->done, total > 0 ? t->before + total : 0)
               : 0;
}

// One attempt from where the part file ends; *code is curl's.
static ohm_status attempt(transfer *t, const char *part, const char *url, CURLcode *code,
                          long *answer, char reason[CURL_ERROR_SIZE], ohm_error *err) {
    ohm_status status = OHM_OK;
    CURL *curl = curl_easy_init();
    t->file = fopen(part, "ab");
    if (curl == NULL || t->file == NULL) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot write '%s': %s", part, strerror(errno));
        goto done;
    }
    struct stat info;
    if (fstat(fileno(t->file), &info) != 0) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot read '%s': %s", part, strerror(errno));
        goto done;
    }
    t->before = t->done = (int64_t)info.st_size;
    reason[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L); // bytes a second, for
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L); // this many seconds
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "ohmwise");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, report);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)t->before);
    *code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, answer);
    if (fflush(t->file) != 0 || fsync(fileno(t->file)) != 0) {
        t->disk_error = errno;
    }

done:
    if (t->file != NULL && fclose(t->file) != 0 && t->disk_error == 0) {
        t->disk_error = errno;
    }
    t->file = NULL;
    curl_easy_cleanup(curl);
    return status;
}

ohm_status ohmi_transfer(const char *path, const char *url, int64_t limit,
                         ohm_data_progress *progress, void *context, ohm_error *err) {
    ohm_status status = OHM_OK;
    char part[PATH_MAX], reason[CURL_ERROR_SIZE] = "";
    CURLcode code = CURLE_OK;
    long answer = 0;
    pthread_once(&once, start_curl);
    if (ready != CURLE_OK) {
        return ohmi_fail(err, OHM_ERR_UNSUPPORTED, "the network library does not start");
    }
    int length = snprintf(part, sizeof part, "%s.part", path);
    if (length < 0 || (size_t)length >= sizeof part) {
        return ohmi_fail(err, OHM_ERR_IO, "the path '%.80s...' is too long", path);
    }
    const char *slash = strrchr(url, '/');
    transfer t = {.limit = limit, .progress = progress, .context = context};
    t.what = slash != NULL && slash[1] != '\0' ? slash + 1 : url;

    // a part that cannot be continued (no ranges, or longer than the file) is fetched anew
    OHM_TRY(attempt(&t, part, url, &code, &answer, reason, err));
    if (t.before > 0 && (code == CURLE_RANGE_ERROR || answer == 416)) {
        if (truncate(part, 0) != 0) {
            return ohmi_fail(err, OHM_ERR_IO, "cannot write '%s': %s", part, strerror(errno));
        }
        OHM_TRY(attempt(&t, part, url, &code, &answer, reason, err));
    }

    if (t.disk_error != 0) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot write '%s': %s", part, strerror(t.disk_error));
    } else if (t.too_long) {
        status =
            ohmi_fail(err, OHM_ERR_FORMAT, "'%s' is longer than %" PRId64 " bytes", url, limit);
        ohmi_hint(err, "this is not the file that is meant");
        remove(part);
    } else if (code == CURLE_ABORTED_BY_CALLBACK) {
        status = ohmi_fail(err, OHM_ERR_INTERRUPTED, "the download of '%s' was stopped", url);
        ohmi_hint(err, "run the same command again to go on");
    } else if (code == CURLE_HTTP_RETURNED_ERROR) {
        status = ohmi_fail(err, OHM_ERR_IO, "'%s' answers with error %ld", url, answer);
    } else if (code != CURLE_OK) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot download '%s': %s", url,
                           reason[0] != '\0' ? reason : curl_easy_strerror(code));
        ohmi_hint(err, t.done > 0 ? "what has come is kept; run the same command again to go on"
                                  : "is this machine on the network?");
    } else if (rename(part, path) != 0) {
        status = ohmi_fail(err, OHM_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
    }

done:
    // an attempt that brought nothing leaves nothing
    if (status < 0 && t.done == 0) {
        remove(part);
    }
    return status;
}

#endif
