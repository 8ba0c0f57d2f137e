// SPDX-License-Identifier: Apache-2.0
// How code inside the library reports a failure.
//
//     ohm_status status = OHM_OK;
//     OHM_TRY(step_one(err));
//     if (bad) {
//         status = ohmi_fail(err, OHM_ERR_FORMAT, "record %d is short", i);
//         goto done;
//     }
//     done:
//         free everything; all frees accept NULL
//         return status;
#ifndef OHMI_FAIL_H
#define OHMI_FAIL_H

#include "ohmwise/status.h"

// Fills err (nullable) with status and message, clears hint and place, and returns status.
ohm_status ohmi_fail(ohm_error *err, ohm_status status, const char *format, ...) OHM_PRINTF(3, 4);

// Adds a hint to an err that ohmi_fail filled (nullable).
void ohmi_hint(ohm_error *err, const char *format, ...) OHM_PRINTF(2, 3);

// Adds the place to an err that ohmi_fail filled (nullable). line and column are 1-based, 0 = none.
void ohmi_place(ohm_error *err, const char *path, int line, int column);

// Runs expr, an ohm_status; on failure keeps it in the local `status` and jumps to `done`.
#define OHM_TRY(expr)                                                                              \
    do {                                                                                           \
        status = (expr);                                                                           \
        if (status < 0) {                                                                          \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

#endif
