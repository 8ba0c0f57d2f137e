// SPDX-License-Identifier: Apache-2.0
// The circuit estimator: from technology, cell, array and converter to a component table.
#ifndef OHMI_ESTIMATE_H
#define OHMI_ESTIMATE_H

#include "hardware/keys.h"
#include "ohmwise/status.h"

// Fills the rows of the component table that have no default, from all other values.
OHM_NODISCARD ohm_status ohmi_estimate(ohmi_hardware *hardware, ohm_error *err);

// The area of one SAR converter, m2, and its energy a conversion without the cells' current, J.
double ohmi_sar_area_m2(double f_m, int bits);

#endif
