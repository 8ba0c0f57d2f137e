// SPDX-License-Identifier: Apache-2.0
// The elimination of wires_invert.h in plain C: for every CPU, and what the others are tested
// against.
#include "crossbar/wires_invert.h"
#include "crossbar/wires_kernels.h"

static bool is_supported(void) {
    return true;
}

const ohmi_wires_kernels ohmi_wires_plain = {
    .name = "plain", .is_supported = is_supported, .invert = invert};
