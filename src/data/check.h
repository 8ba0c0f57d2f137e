// SPDX-License-Identifier: Apache-2.0
// Whether a set of the catalogue is what was published.
#ifndef OHMI_CHECK_H
#define OHMI_CHECK_H

#include "ohmwise/status.h"

// Reads the index-th set of the catalogue from a folder and checks it: the same number of images of
// every class, and the content's digest. What the files say wrong is OHM_ERR_CHECK.
OHM_NODISCARD ohm_status ohmi_check_folder(int index, const char *path, ohm_error *err);

#endif
