// SPDX-License-Identifier: Apache-2.0
// The processes of a job that mpirun (or srun) has started: who they are, who speaks, how they end.
//
// Without mpirun nothing here does anything, and MPI is not even initialised. With it, commands
// whose row says has_ranks work together; of all others rank 0 alone does its work. Rank 0 speaks:
// what other ranks write on stderr is kept and shown only where rank 0 cannot know of it, when one
// ends by itself.
#ifndef OHMCLI_RANKS_H
#define OHMCLI_RANKS_H

#include <stdbool.h>

#include "ohmwise/communicator.h"

struct ohmcli_command;

// Joins the job for a command. Returns OHMCLI_DONE to go on, -1 where this process has nothing to
// do, else an exit code after saying why.
int ohmcli_ranks_begin(const struct ohmcli_command *command);

// The processes that work together; one where there is no job. Owned by the program.
const ohm_communicator *ohmcli_ranks(void);

// The CPUs that are this process' part of its machine's; 0 where there is no job.
int ohmcli_ranks_cpus(void);

// From here on stderr of this rank is seen, where it was kept.
void ohmcli_ranks_speak(void);

// Leaves the job: all ranks together, or else, when one fails of which the others do not know, it
// ends them all. Returns the exit code.
int ohmcli_ranks_end(int exit_code);

// "Open MPI 4.1.4", or NULL when this build has no MPI.
const char *ohmcli_mpi_version(void);

#endif
