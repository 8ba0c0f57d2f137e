// SPDX-License-Identifier: Apache-2.0
// The communicator table over MPI; in builds without MPI there is none of this.
#ifndef OHMCLI_RANKS_MPI_H
#define OHMCLI_RANKS_MPI_H

#include <stdbool.h>

#include "ohmwise/communicator.h"

// Initialises MPI and fills the table. Returns false after an error was said.
bool ohmcli_mpi_begin(ohm_communicator *out);

// The CPUs of this rank: those it may use, or its part where ranks of a machine share them.
int ohmcli_mpi_cpus(void);

// Waits until all ranks call this, for at most so many seconds (< 0: as long as they live), and
// then leaves MPI. False when some did not come: abort is what is left.
bool ohmcli_mpi_end(double patience_s);

// "Open MPI 4.1.4"
const char *ohmcli_mpi_name(void);

#endif
