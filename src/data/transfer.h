// SPDX-License-Identifier: Apache-2.0
// Fetching one file over the network.
#ifndef OHMI_TRANSFER_H
#define OHMI_TRANSFER_H

#include <stdint.h>

#include "ohmwise/data.h"

// Fetches url (http or https) into path. The part that has come lies in path.part, from where a
// later call goes on; path appears when it is complete. More than `limit` bytes is refused.
// Without libcurl built in: OHM_ERR_UNSUPPORTED.
OHM_NODISCARD ohm_status ohmi_transfer(const char *path, const char *url, int64_t limit,
                                       ohm_data_progress *progress, void *context, ohm_error *err);

#endif
