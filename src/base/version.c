// SPDX-License-Identifier: Apache-2.0
// The version that the build was given.
#include "ohmwise/system.h"

const char *ohm_version(void) {
    return OHM_VERSION;
}
