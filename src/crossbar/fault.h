// SPDX-License-Identifier: Apache-2.0
// Cells and lines that do not work.
//
//   stuck      u = uniform(0, 1) of a cell: u < stuck_off -> Gmin, u > 1 - stuck_on -> Gmax.
//              Rates of the literature: 1.75 % on, 9.04 % off (Chen et al., IEEE Trans. Computers
//              64(1), 2015, as PytorX, DAC 2019, uses them; papers differ in which of "stuck at 0"
//              and "stuck at 1" conducts, so here they are called on and off)
//   clusters   u = Phi(z), z a Gaussian field of variance 1: white noise under a Gaussian window of
//              radius r cells. Each cell has the same rates as above; neighbours at distance d have
//              correlation exp(-d^2 / (4 r^2)) in z, so that faults come in patches about r wide
//   open       every cell of a broken word or bit line carries no current: G = 0
//   measured   a map of a chip, integers 0 works, 1 on, 2 off, or conductances with NaN = works
#ifndef OHMI_FAULT_H
#define OHMI_FAULT_H

#include "crossbar/device.h"

// stuck[cell] (rows, columns) = the conductance at which a cell is stuck, siemens, NAN where it
// works: what profiling a chip once would find. Only effects that are on. Thread safe.
void ohmi_fault_find(float *stuck, const ohmi_site *site, const ohmi_device *device);

// Reads and checks config->fault.map into device->map.
OHM_NODISCARD ohm_status ohmi_fault_read_map(ohmi_device *device, ohm_error *err);

#endif
