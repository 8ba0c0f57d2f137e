// SPDX-License-Identifier: Apache-2.0
// Filling and printing error records; see fail.h and ohmwise/status.h.
#include "base/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *ohm_status_name(ohm_status status) {
    switch (status) {
    case OHM_OK:
        return "ok";
    case OHM_ERR_NO_MEMORY:
        return "out of memory";
    case OHM_ERR_ARGUMENT:
        return "bad argument";
    case OHM_ERR_CONFIG:
        return "config error";
    case OHM_ERR_FORMAT:
        return "format error";
    case OHM_ERR_IO:
        return "input or output error";
    case OHM_ERR_NUMERIC:
        return "numeric failure";
    case OHM_ERR_UNSUPPORTED:
        return "not supported";
    case OHM_ERR_INTERRUPTED:
        return "interrupted";
    case OHM_ERR_CHECK:
        return "check failed";
    }
    return "unknown status";
}

ohm_status ohmi_fail(ohm_error *err, ohm_status status, const char *format, ...) {
    if (err) {
        va_list args;
        memset(err, 0, sizeof *err);
        err->status = status;
        va_start(args, format);
        (void)vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
    }
    return status;
}

void ohmi_hint(ohm_error *err, const char *format, ...) {
    if (err) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(err->hint, sizeof err->hint, format, args);
        va_end(args);
    }
}

void ohmi_place(ohm_error *err, const char *path, int line, int column) {
    if (err) {
        (void)snprintf(err->path, sizeof err->path, "%s", path ? path : "");
        err->line = line;
        err->column = column;
    }
}

void ohm_error_text(const ohm_error *err, char *text, unsigned long size_bytes) {
    char place[600] = "";
    if (err->path[0] && err->line > 0 && err->column > 0) {
        (void)snprintf(place, sizeof place, "%s:%d:%d: ", err->path, err->line, err->column);
    } else if (err->path[0] && err->line > 0) {
        (void)snprintf(place, sizeof place, "%s:%d: ", err->path, err->line);
    } else if (err->path[0]) {
        (void)snprintf(place, sizeof place, "%s: ", err->path);
    }
    (void)snprintf(text, size_bytes, err->hint[0] ? "%s%s (%s)" : "%s%s", place, err->message,
                   err->hint);
}
