// SPDX-License-Identifier: Apache-2.0
// Names of classes from a file, in the order of a network's logits:
//   JSON   a list of names, or an object {"0": name, "1": name, ...}
//   text   a name a line; empty lines at the end do not count
// Names are cut to 63 bytes, at a whole character.
#ifndef OHMI_LABELS_H
#define OHMI_LABELS_H

#include "ohmwise/status.h"

// Reads exactly n names; another number is OHM_ERR_FORMAT. *names is a block for ohmi_free.
OHM_NODISCARD ohm_status ohmi_labels_read(char (**names)[64], int n, const char *path,
                                          ohm_error *err);

#endif
