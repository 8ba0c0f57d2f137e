// SPDX-License-Identifier: Apache-2.0
// Copying a set of image folders: train/CLASS/* and test/CLASS/*, image files only.
#ifndef OHMI_COPY_IMAGES_H
#define OHMI_COPY_IMAGES_H

#include "ohmwise/data.h"

// Copies into `to`, which is made. progress (nullable) may stop it: OHM_ERR_INTERRUPTED.
OHM_NODISCARD ohm_status ohmi_copy_images(const char *to, const char *from,
                                          ohm_data_progress *progress, void *context,
                                          ohm_error *err);

#endif
