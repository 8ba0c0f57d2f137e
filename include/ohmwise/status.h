// SPDX-License-Identifier: Apache-2.0
// Status codes and the error record that every fallible call of Ohmwise fills.
//
// A function that can fail on user input, files, memory or numerics returns an ohm_status:
// 0 = done, > 0 = done with a remark, < 0 = failed. Its last argument is an ohm_error that the
// caller owns and that may be NULL.
#ifndef OHMWISE_STATUS_H
#define OHMWISE_STATUS_H

#if defined(__GNUC__)
#define OHM_API __attribute__((visibility("default")))
#define OHM_NODISCARD __attribute__((warn_unused_result))
#define OHM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define OHM_API
#define OHM_NODISCARD
#define OHM_PRINTF(fmt, args)
#endif

typedef enum {
    OHM_OK = 0,
    OHM_ERR_NO_MEMORY = -1,   // an allocation failed
    OHM_ERR_ARGUMENT = -2,    // a caller passed what the docstring forbids
    OHM_ERR_CONFIG = -3,      // unknown key, value out of range, contradiction in the config
    OHM_ERR_FORMAT = -4,      // a data file does not hold what it should
    OHM_ERR_IO = -5,          // open, read, write, network
    OHM_ERR_NUMERIC = -6,     // NaN, infinity, divergence
    OHM_ERR_UNSUPPORTED = -7, // not built in, or not on this machine
    OHM_ERR_INTERRUPTED = -8, // stopped early as asked; the checkpoint is written
    OHM_ERR_CHECK = -9,       // a check that was asked for did not hold
} ohm_status;

typedef struct ohm_error {
    ohm_status status;
    char message[512]; // what failed: lower case, no full stop, subject in single quotes
    char hint[256];    // what to do about it; empty when there is nothing to say
    char path[512];    // the file at fault; empty when none
    int line;          // 1-based line in path; 0 when unknown
    int column;        // 1-based column in path; 0 when unknown
} ohm_error;

// Returns the constant name of a status, as "config error". Never NULL.
OHM_API const char *ohm_status_name(ohm_status status);

// Writes "path:line:column: message (hint)" into text, which must hold size_bytes bytes, always
// terminated. Parts that are empty are left out. err must not be NULL.
OHM_API void ohm_error_text(const ohm_error *err, char *text, unsigned long size_bytes);

#endif
