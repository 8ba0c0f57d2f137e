// SPDX-License-Identifier: Apache-2.0
// The cases that a run has done when it is stopped, in a file, so that the same command goes on.
//
// What the cases are is a digest of the config, of all modes and of what was measured of the
// traces: another config, preset, run or trace begins anew. The file is of this machine and this
// version only; a damaged one is an error.
#ifndef OHMI_KEPT_H
#define OHMI_KEPT_H

#include "harvest/cases.h"

extern const char ohmi_kept_name[]; // in the folder of results

// digest: 64 hex digits of all that the results depend on.
OHM_NODISCARD ohm_status ohmi_kept_digest(char digest[65], const ohm_harvest *harvest,
                                          ohm_error *err);
// Reads results and is_done (n_cases); without a file, or with one of other cases, nothing is done.
OHM_NODISCARD ohm_status ohmi_kept_read(uint8_t *is_done, ohm_harvest *harvest, const char *path,
                                        const char *digest, ohm_error *err);
// The file's folder is made where it is not there.
OHM_NODISCARD ohm_status ohmi_kept_write(const uint8_t *is_done, const ohm_harvest *harvest,
                                         const char *path, const char *digest, ohm_error *err);

#endif
