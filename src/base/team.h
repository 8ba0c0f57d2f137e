// SPDX-License-Identifier: Apache-2.0
// Threads of one process as ranks of a communicator: the parts of a batch that one process learns.
//
// With an outer communicator of S ranks and n members there are n S ranks in all; member m of outer
// rank r is rank n r + m. Sums have the bits of ohm_sum_pairs_float over all of them when n is a
// power of two, or S is 1.
#ifndef OHMI_TEAM_H
#define OHMI_TEAM_H

#include "ohmwise/communicator.h"

enum { OHMI_MAX_MEMBERS = 256 };

// The work of one member, in a thread of its own; member 0 is the calling thread. Its err is the
// member's own.
typedef ohm_status ohmi_member(void *context, const ohm_communicator *communicator, ohm_error *err);

// Runs `member` as every member and waits for all. Members run at once where there are no more
// threads (ohmi_threads) than members, and then each loop of theirs runs in one thread; else they
// take turns at the calls of the communicator, with all threads each. One that fails ends the waits
// of the others, which then fail too; the status is that of the first that failed.
OHM_NODISCARD ohm_status ohmi_team_run(const ohm_communicator *outer, int n_members,
                                       ohmi_member *member, void *context, ohm_error *err);

#endif
