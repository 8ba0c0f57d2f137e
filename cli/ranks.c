// SPDX-License-Identifier: Apache-2.0
// Joining and leaving a job of several processes; see ranks.h.
#include "ranks.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "ohmwise/system.h"
#include "stop.h"
#ifdef OHM_WITH_MPI
#include "ranks_mpi.h"
#endif

// how long a rank that fails waits for the others to fail as well
static const double patience_s = 5;

static ohm_communicator ranks; // size 0 = there is no job
static int real_stderr = -1;   // where stderr went before it was kept

// ---- being started by mpirun ----

// a number of the environment, or -1
static int environment_number(const char *const *names) {
    for (; *names != NULL; names++) {
        const char *text = getenv(*names);
        if (text != NULL && text[0] >= '0' && text[0] <= '9') {
            return atoi(text);
        }
    }
    return -1;
}

// Open MPI's mpirun, then those of MPICH and its kin, then srun with PMIx
static int started_size(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", NULL};
    static const char *const pmix[] = {"PMIX_RANK", NULL};
    static const char *const tasks[] = {"SLURM_NTASKS", NULL};
    const int size = environment_number(names);
    return size >= 0 || environment_number(pmix) < 0 ? size : environment_number(tasks);
}

static int started_rank(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", NULL};
    return environment_number(names);
}

// ---- who speaks ----

// stderr into a file that nobody sees, stdout nowhere
static bool keep_silent(void) {
    const int nowhere = open("/dev/null", O_WRONLY);
    FILE *kept = tmpfile();
    real_stderr = dup(STDERR_FILENO);
    const bool is_done = nowhere >= 0 && kept != NULL && real_stderr >= 0 &&
                         dup2(nowhere, STDOUT_FILENO) >= 0 &&
                         dup2(fileno(kept), STDERR_FILENO) >= 0;
    if (nowhere >= 0) {
        close(nowhere);
    }
    if (kept != NULL) {
        fclose(kept); // its descriptor lives on as stderr
    }
    return is_done;
}

void ohmcli_ranks_speak(void) {
    if (real_stderr >= 0) {
        fflush(stderr);
        dup2(real_stderr, STDERR_FILENO);
        close(real_stderr);
        real_stderr = -1;
    }
}

// what was kept, line by line with the rank before it
static void say_what_was_kept(void) {
    char line[2048];
    const int rank = ranks.rank;
    const int kept = real_stderr >= 0 ? dup(STDERR_FILENO) : -1;
    FILE *file = kept >= 0 ? fdopen(kept, "r") : NULL;
    ohmcli_ranks_speak();
    if (file == NULL) {
        return;
    }
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL) {
        fprintf(stderr, "rank %d: %s", rank, line);
    }
    fclose(file);
}

// ---- joining and leaving ----

int ohmcli_ranks_begin(const ohmcli_command *command) {
    const int size = started_size();
    if (size < 2) {
        return OHMCLI_DONE;
    }
    if (!command->has_ranks) {
        if (started_rank() > 0) {
            return -1;
        }
        fprintf(stderr, "note: 'ohmwise %s' is done by one process; %d others do nothing\n",
                command->name, size - 1);
        return OHMCLI_DONE;
    }
#ifdef OHM_WITH_MPI
    if (!ohmcli_mpi_begin(&ranks)) {
        ranks.size = 0;
        return OHMCLI_FAILED;
    }
    ohm_set_threads(ohmcli_mpi_cpus());
    ohmcli_set_color("never"); // mpirun shows a terminal where it writes to a file
    (void)ohmcli_stop_on_signals();
    if (ranks.rank > 0 && !keep_silent()) {
        return ohmcli_fail(OHMCLI_FAILED, "rank %d cannot make a temporary file", ranks.rank);
    }
    return OHMCLI_DONE;
#else
    if (started_rank() > 0) {
        return -1;
    }
    return ohmcli_fail(OHMCLI_UNSUPPORTED,
                       "started as %d processes, but this build has no MPI: install it (Debian: "
                       "libopenmpi-dev, openmpi-bin) and build again, or start without mpirun",
                       size);
#endif
}

const ohm_communicator *ohmcli_ranks(void) {
    return ranks.size > 0 ? &ranks : ohm_communicator_alone();
}

int ohmcli_ranks_cpus(void) {
#ifdef OHM_WITH_MPI
    return ranks.size > 0 ? ohmcli_mpi_cpus() : 0;
#else
    return 0;
#endif
}

int ohmcli_ranks_end(int exit_code) {
#ifdef OHM_WITH_MPI
    if (ranks.size > 0 && !ohmcli_mpi_end(exit_code == OHMCLI_DONE ? -1 : patience_s)) {
        say_what_was_kept();
        fprintf(stderr, "ohmwise: rank %d of %d has failed and ends the others\n", ranks.rank,
                ranks.size);
        fflush(NULL);
        ranks.abort(ranks.context, exit_code != OHMCLI_DONE ? exit_code : OHMCLI_FAILED);
    }
#else
    (void)patience_s, (void)keep_silent, (void)say_what_was_kept;
#endif
    return exit_code;
}

const char *ohmcli_mpi_version(void) {
#ifdef OHM_WITH_MPI
    return ohmcli_mpi_name();
#else
    return NULL;
#endif
}
