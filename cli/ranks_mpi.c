// SPDX-License-Identifier: Apache-2.0
// The communicator table over MPI; see ranks_mpi.h and include/ohmwise/communicator.h.
//
//   small sums   every rank gets the numbers of all and adds them as ohm_sum_pairs_double does
//   large sums   in blocks: rank r gets the r-th slice of all, adds it, and sends the sum to all;
//                each number travels twice, as in every good all-reduce, but the order is ours
//   the counter  lies in memory of rank 0 that the others can change
//
// Waiting gives the CPU away, and looks whether the other ranks of this machine still live: a rank
// that was killed would be waited for in vain until mpirun has noticed.
#ifdef OHM_WITH_MPI
#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "ranks.h"
#include "ranks_mpi.h"

enum {
    SMALL_BYTES = 1 << 14, // of a sum that is gathered whole
    SLICE_BYTES = 1 << 18, // a rank adds of a block of a large sum
    CHUNK_BYTES = 1 << 28, // of a broadcast: MPI counts in int
    EAGER_TRIES = 2000,    // looks at a request before sleeping between them
};
static const double look_s = 0.1; // between looks after the others

typedef struct {
    int pid;
    char host[MPI_MAX_PROCESSOR_NAME];
} peer;

static struct {
    int rank, size;
    peer *peers;     // (size)
    int *counts;     // (size) of one call, and where they begin
    int *begins;     // (size)
    const void **of; // (size) pieces of a sum
    char *work;      // (work_bytes)
    size_t work_bytes;
    MPI_Win window; // of the counter
    int64_t *counter;
    int n_cpus;
} job;

// ---- failures and waiting ----

static ohm_status failed(ohm_error *err, const char *format, const char *what) {
    if (err != NULL) {
        memset(err, 0, sizeof *err);
        err->status = OHM_ERR_IO;
        snprintf(err->message, sizeof err->message, format, what);
    }
    return OHM_ERR_IO;
}

static ohm_status mpi_failed(ohm_error *err, int code) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(code, text, &length);
    text[strcspn(text, "\n")] = '\0';
    return failed(err, "the processes cannot speak to each other: %s", text);
}

// the first other rank of this machine that has ended, or -1
static int find_dead(void) {
    for (int r = 0; r < job.size; r++) {
        if (job.peers[r].pid > 0 && kill(job.peers[r].pid, 0) != 0 && errno == ESRCH) {
            return r;
        }
    }
    return -1;
}

// Ends the job because a rank is gone. The lowest that lives here says so.
static void end_without(int dead) {
    bool is_lowest = true;
    for (int r = 0; r < job.rank; r++) {
        is_lowest = is_lowest && (job.peers[r].pid <= 0 || kill(job.peers[r].pid, 0) != 0);
    }
    if (is_lowest) {
        ohmcli_ranks_speak();
        ohmcli_fail(OHMCLI_FAILED,
                    "rank %d of %d (process %d) has ended, so the job ends; what was saved last is "
                    "kept, the same command goes on",
                    dead, job.size, job.peers[dead].pid);
        fflush(NULL);
    }
    MPI_Abort(MPI_COMM_WORLD, OHMCLI_FAILED);
    _exit(OHMCLI_FAILED);
}

// Waits until a request is done, at most patience_s (< 0: for ever). False when it is not.
static bool wait_until(MPI_Request *request, double patience_s, int *code) {
    int is_done = 0;
    double begun_s = 0, looked_s = 0;
    for (int64_t tries = 0;; tries++) {
        *code = MPI_Test(request, &is_done, MPI_STATUS_IGNORE);
        if (*code != MPI_SUCCESS || is_done) {
            return true;
        }
        if (tries < EAGER_TRIES) {
            sched_yield();
            continue;
        }
        const struct timespec pause = {.tv_nsec = 50000};
        nanosleep(&pause, NULL);
        const double now = ohmcli_now_s();
        begun_s = tries == EAGER_TRIES ? now : begun_s;
        if (patience_s >= 0 && now - begun_s > patience_s) {
            return false;
        }
        if (now - looked_s > look_s) {
            const int dead = find_dead();
            if (dead >= 0) {
                end_without(dead);
            }
            looked_s = now;
        }
    }
}

// what a call that began a request comes to
static ohm_status wait_for(int code, MPI_Request *request, ohm_error *err) {
    if (code == MPI_SUCCESS) {
        (void)wait_until(request, -1, &code);
    }
    return code == MPI_SUCCESS ? OHM_OK : mpi_failed(err, code);
}

// memory of this file, kept between calls: steps allocate nothing
static ohm_status reserve(size_t size_bytes, ohm_error *err) {
    if (size_bytes > job.work_bytes) {
        free(job.work);
        job.work = malloc(size_bytes);
        job.work_bytes = job.work != NULL ? size_bytes : 0;
    }
    return job.work != NULL ? OHM_OK
                            : failed(err, "no memory for the numbers of other processes%s", "");
}

// ---- sums ----

static void add(void *out, int64_t n, size_t width) {
    if (width == sizeof(float)) {
        ohm_sum_pairs_float(out, (const float *const *)job.of, job.size, n);
    } else {
        ohm_sum_pairs_double(out, (const double *const *)job.of, job.size, n);
    }
}

static ohm_status sum_small(void *data, int64_t n, size_t width, ohm_error *err) {
    const int bytes = (int)((size_t)n * width);
    MPI_Request request;
    ohm_status status = reserve((size_t)job.size * (size_t)bytes, err);
    if (status < 0) {
        return status;
    }
    status = wait_for(
        MPI_Iallgather(data, bytes, MPI_BYTE, job.work, bytes, MPI_BYTE, MPI_COMM_WORLD, &request),
        &request, err);
    for (int r = 0; r < job.size; r++) {
        job.of[r] = job.work + (size_t)r * (size_t)bytes;
    }
    if (status >= 0) {
        add(data, n, width);
    }
    return status;
}

// one block, of at most SLICE_BYTES a rank
static ohm_status sum_block(char *data, int64_t n, size_t width, ohm_error *err) {
    MPI_Request request;
    const int rank = job.rank;
    for (int r = 0; r < job.size; r++) {
        const int64_t begin = n * r / job.size, end = n * (r + 1) / job.size;
        job.counts[r] = (int)((size_t)(end - begin) * width);
        job.begins[r] = (int)((size_t)begin * width);
    }
    const int own = job.counts[rank];
    int *const from = job.begins + job.size, *const same = job.counts + job.size;
    for (int r = 0; r < job.size; r++) {
        same[r] = own;
        from[r] = r * own;
        job.of[r] = job.work + (size_t)r * (size_t)own;
    }
    ohm_status status = wait_for(MPI_Ialltoallv(data, job.counts, job.begins, MPI_BYTE, job.work,
                                                same, from, MPI_BYTE, MPI_COMM_WORLD, &request),
                                 &request, err);
    if (status < 0) {
        return status;
    }
    add(data + job.begins[rank], own / (int)width, width);
    return wait_for(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, job.counts,
                                    job.begins, MPI_BYTE, MPI_COMM_WORLD, &request),
                    &request, err);
}

static ohm_status sum(void *data, int64_t n, size_t width, ohm_error *err) {
    if ((size_t)n * width <= SMALL_BYTES) {
        return sum_small(data, n, width, err);
    }
    const int64_t block = (int64_t)(SLICE_BYTES / width) * job.size;
    ohm_status status = reserve((size_t)job.size * (SLICE_BYTES + width), err);
    for (int64_t at = 0; at < n && status >= 0; at += block) {
        status = sum_block((char *)data + (size_t)at * width, n - at < block ? n - at : block,
                           width, err);
    }
    return status;
}

static ohm_status sum_float(void *context, float *data, int64_t n, ohm_error *err) {
    (void)context;
    return sum(data, n, sizeof *data, err);
}

static ohm_status sum_double(void *context, double *data, int64_t n, ohm_error *err) {
    (void)context;
    return sum(data, n, sizeof *data, err);
}

// ---- the other calls ----

static ohm_status broadcast(void *context, void *data, size_t size_bytes, int root,
                            ohm_error *err) {
    (void)context;
    ohm_status status = OHM_OK;
    MPI_Request request;
    for (size_t at = 0; at < size_bytes && status >= 0; at += CHUNK_BYTES) {
        const size_t rest = size_bytes - at;
        status =
            wait_for(MPI_Ibcast((char *)data + at, rest < CHUNK_BYTES ? (int)rest : CHUNK_BYTES,
                                MPI_BYTE, root, MPI_COMM_WORLD, &request),
                     &request, err);
    }
    return status;
}

static ohm_status gather(void *context, void *all, const void *own, size_t size_bytes,
                         ohm_error *err) {
    (void)context;
    MPI_Request request;
    if (size_bytes > (size_t)INT_MAX / (size_t)job.size) {
        return failed(err, "more than MPI can gather%s", "");
    }
    return wait_for(MPI_Igather(own, (int)size_bytes, MPI_BYTE, all, (int)size_bytes, MPI_BYTE, 0,
                                MPI_COMM_WORLD, &request),
                    &request, err);
}

static ohm_status barrier(void *context, ohm_error *err) {
    (void)context;
    MPI_Request request;
    return wait_for(MPI_Ibarrier(MPI_COMM_WORLD, &request), &request, err);
}

static ohm_status next(void *context, int64_t *before, int64_t step, ohm_error *err) {
    (void)context;
    int code = MPI_Fetch_and_op(&step, before, MPI_INT64_T, 0, 0, MPI_SUM, job.window);
    if (code == MPI_SUCCESS) {
        code = MPI_Win_flush(0, job.window);
    }
    return code == MPI_SUCCESS ? OHM_OK : mpi_failed(err, code);
}

static void abort_all(void *context, int exit_code) {
    (void)context;
    MPI_Abort(MPI_COMM_WORLD, exit_code);
}

// ---- joining and leaving ----

// who the ranks are; only those that can be seen from here are looked after
static bool meet_peers(void) {
    peer own;
    int length = 0;
    memset(&own, 0, sizeof own);
    own.pid = (int)getpid();
    if (MPI_Get_processor_name(own.host, &length) != MPI_SUCCESS ||
        MPI_Allgather(&own, (int)sizeof own, MPI_BYTE, job.peers, (int)sizeof own, MPI_BYTE,
                      MPI_COMM_WORLD) != MPI_SUCCESS) {
        return false;
    }
    for (int r = 0; r < job.size; r++) {
        const bool is_here = strcmp(job.peers[r].host, own.host) == 0;
        if (r == job.rank || !is_here || kill(job.peers[r].pid, 0) != 0) {
            job.peers[r].pid = 0;
        }
    }
    // nobody leaves before all have looked
    return MPI_Barrier(MPI_COMM_WORLD) == MPI_SUCCESS;
}

// the CPUs of this machine that its ranks may use, shared out, but no more than this one may use
static int count_cpus(void) {
    MPI_Comm here;
    cpu_set_t own, all;
    int n_here = 1;
    CPU_ZERO(&own);
    if (sched_getaffinity(0, sizeof own, &own) != 0 ||
        MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, job.rank, MPI_INFO_NULL, &here) !=
            MPI_SUCCESS) {
        return 1;
    }
    MPI_Comm_size(here, &n_here);
    MPI_Allreduce(&own, &all, (int)(sizeof own / sizeof(long)), MPI_LONG, MPI_BOR, here);
    MPI_Comm_free(&here);
    const int part = CPU_COUNT(&all) / n_here, most = CPU_COUNT(&own);
    return part < 1 ? 1 : part < most ? part : most;
}

static bool make_room(void) {
    const size_t n = (size_t)job.size;
    job.peers = calloc(n, sizeof *job.peers);
    job.counts = calloc(2 * n, sizeof *job.counts);
    job.begins = calloc(2 * n, sizeof *job.begins);
    job.of = calloc(n, sizeof *job.of);
    return job.peers != NULL && job.counts != NULL && job.begins != NULL && job.of != NULL;
}

bool ohmcli_mpi_begin(ohm_communicator *out) {
    int level = 0;
    ohm_error err = {0};
    sigset_t ours, before;

    // MPI's own threads must not take the signals that this program waits for; it may start others
    sigemptyset(&ours);
    sigaddset(&ours, SIGCHLD);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGUSR1);
    sigprocmask(SIG_BLOCK, &ours, &before);
    (void)setenv("OMPI_MCA_mpi_warn_on_fork", "0", 0);
    int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (code != MPI_SUCCESS) {
        ohmcli_fail(OHMCLI_FAILED, "MPI does not start");
        return false;
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &job.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &job.size);
    if (level < MPI_THREAD_SERIALIZED || !make_room() || !meet_peers()) {
        ohmcli_fail(OHMCLI_FAILED, "MPI does not start as it should: %s",
                    level < MPI_THREAD_SERIALIZED ? "it knows no threads" : "out of memory");
        return false;
    }
    job.n_cpus = count_cpus();
    code = MPI_Win_allocate(job.rank == 0 ? (MPI_Aint)sizeof *job.counter : 0,
                            (int)sizeof *job.counter, MPI_INFO_NULL, MPI_COMM_WORLD, &job.counter,
                            &job.window);
    if (code == MPI_SUCCESS && job.rank == 0) {
        *job.counter = 0;
    }
    if (code == MPI_SUCCESS) {
        code = MPI_Win_lock_all(MPI_MODE_NOCHECK, job.window);
    }
    if (code == MPI_SUCCESS) {
        code = MPI_Barrier(MPI_COMM_WORLD);
    }
    if (code != MPI_SUCCESS) {
        (void)mpi_failed(&err, code);
        ohmcli_error(&err);
        return false;
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    *out = (ohm_communicator){.rank = job.rank,
                              .size = job.size,
                              .sum_float = sum_float,
                              .sum_double = sum_double,
                              .broadcast = broadcast,
                              .gather = gather,
                              .barrier = barrier,
                              .next = next,
                              .abort = abort_all};
    return true;
}

int ohmcli_mpi_cpus(void) {
    return job.n_cpus;
}

bool ohmcli_mpi_end(double patience_s) {
    MPI_Request request;
    int code = MPI_Ibarrier(MPI_COMM_WORLD, &request);
    if (code != MPI_SUCCESS || !wait_until(&request, patience_s, &code) || code != MPI_SUCCESS) {
        return false;
    }
    MPI_Win_unlock_all(job.window);
    MPI_Win_free(&job.window);
    free(job.peers);
    free(job.counts);
    free(job.begins);
    free(job.of);
    free(job.work);
    memset(&job, 0, sizeof job);
    MPI_Finalize();
    return true;
}

const char *ohmcli_mpi_name(void) {
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    if (text[0] == '\0' && MPI_Get_library_version(text, &length) == MPI_SUCCESS) {
        text[strcspn(text, ",\n")] = '\0'; // "Open MPI v4.1.4, package: ..."
    }
    return text;
}
#else
typedef int ohmcli_no_mpi; // a file may not be empty
#endif
