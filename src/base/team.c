// SPDX-License-Identifier: Apache-2.0
// Members of a team meet at a gate that opens when all are there; see team.h.
//
//   small sums   every member lays a copy down, they meet, every member adds all copies. Two tables
//                in turn: who is still reading one while another member already lays down
//                the next is not disturbed, since nobody comes twice past a gate alone
//   large sums   they meet, member m adds the m-th slice of all members in place, they meet, every
//                member copies the slices of the others, they meet
// Between teams of several processes member 0 speaks with the outer communicator.
#include "base/team.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"

enum { SMALL = 2048 }; // doubles of a small sum: 256 norm channels and more, a few pages

typedef struct team team;

typedef struct {
    team *team;
    int member;
    int n_small; // small sums so far
    ohm_communicator communicator;
    ohm_status status;
    ohm_error error;
    pthread_t thread;
} seat;

struct team {
    const ohm_communicator *outer;
    ohmi_member *work;
    void *context;
    int n;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n_waiting;
    int64_t n_meetings;
    int n_free; // members that may run besides those that do
    bool is_broken;
    int first_failed;

    seat *seats;              // (n)
    void **pieces;            // (n) what the members brought to a large sum, a gather
    const float **float_of;   // (n, n) pieces of a slice, a row a member
    const double **double_of; // (n, n)
    double *tables;           // (2, n, SMALL)
    ohm_status outer_status;  // of the last outer call
    ohm_error outer_error;
    int64_t before; // told by member 0
};

// ---- running and waiting ----

static void begin_turn(team *t) {
    while (t->n_free == 0 && !t->is_broken) {
        pthread_cond_wait(&t->changed, &t->lock);
    }
    t->n_free--;
}

static void end_turn(team *t) {
    t->n_free++;
    pthread_cond_broadcast(&t->changed);
}

static ohm_status broken(ohm_error *err) {
    return ohmi_fail(err, OHM_ERR_INTERRUPTED, "another part of the batch has failed");
}

// waits for all members
static ohm_status meet(team *t, ohm_error *err) {
    pthread_mutex_lock(&t->lock);
    const int64_t number = t->n_meetings;
    end_turn(t);
    if (++t->n_waiting == t->n) {
        t->n_waiting = 0;
        t->n_meetings++;
        pthread_cond_broadcast(&t->changed);
    }
    while (t->n_meetings == number && !t->is_broken) {
        pthread_cond_wait(&t->changed, &t->lock);
    }
    // who met goes on, even if another has failed since: both may end for the same reason
    const bool has_met = t->n_meetings != number;
    begin_turn(t);
    pthread_mutex_unlock(&t->lock);
    return has_met ? OHM_OK : broken(err);
}

// after an outer call of member 0 and a meeting: its result is everybody's
static ohm_status of_outer(const team *t, ohm_error *err) {
    if (t->outer_status < 0 && err != NULL) {
        *err = t->outer_error;
    }
    return t->outer_status;
}

// ---- the calls ----

// what floats and doubles have in common, by the two functions that differ
typedef struct {
    size_t width;
    void (*add)(team *t, int member, void *out, int64_t at, int64_t n);
    ohm_status (*outer)(team *t, void *data, int64_t n, ohm_error *err);
} summing;

static void add_floats(team *t, int member, void *out, int64_t at, int64_t n) {
    const float **piece = t->float_of + (size_t)member * (size_t)t->n;
    for (int m = 0; m < t->n; m++) {
        piece[m] = (const float *)t->pieces[m] + at;
    }
    ohm_sum_pairs_float((float *)out + at, piece, t->n, n);
}

static void add_doubles(team *t, int member, void *out, int64_t at, int64_t n) {
    const double **piece = t->double_of + (size_t)member * (size_t)t->n;
    for (int m = 0; m < t->n; m++) {
        piece[m] = (const double *)t->pieces[m] + at;
    }
    ohm_sum_pairs_double((double *)out + at, piece, t->n, n);
}

static ohm_status outer_floats(team *t, void *data, int64_t n, ohm_error *err) {
    return t->outer->sum_float(t->outer->context, data, n, err);
}

static ohm_status outer_doubles(team *t, void *data, int64_t n, ohm_error *err) {
    return t->outer->sum_double(t->outer->context, data, n, err);
}

static const summing floats = {sizeof(float), add_floats, outer_floats};
static const summing doubles = {sizeof(double), add_doubles, outer_doubles};

// the slice of member m: begin, and n of the next; whole cache lines
static int64_t slice_of(const team *t, int64_t n, int m) {
    const int64_t lines = (n + 15) / 16;
    const int64_t at = lines * m / t->n * 16;
    return at < n ? at : n;
}

static ohm_status sum_large(seat *s, void *data, int64_t n, const summing *kind, ohm_error *err) {
    team *t = s->team;
    ohm_status status = OHM_OK;
    t->pieces[s->member] = data;
    OHM_TRY(meet(t, err));
    const int64_t at = slice_of(t, n, s->member);
    kind->add(t, s->member, data, at, slice_of(t, n, s->member + 1) - at);
    OHM_TRY(meet(t, err));

    // with other processes: member 0 has the whole sum first
    const bool is_alone = t->outer->size == 1;
    if (is_alone || s->member == 0) {
        for (int m = 0; m < t->n; m++) {
            const size_t begin = (size_t)slice_of(t, n, m) * kind->width;
            const size_t end = (size_t)slice_of(t, n, m + 1) * kind->width;
            if (m != s->member && end > begin) {
                memcpy((char *)data + begin, (const char *)t->pieces[m] + begin, end - begin);
            }
        }
    }
    if (!is_alone) {
        if (s->member == 0) {
            t->outer_status = kind->outer(t, data, n, &t->outer_error);
        }
        OHM_TRY(meet(t, err));
        if (s->member > 0) {
            memcpy(data, t->pieces[0], (size_t)n * kind->width);
        }
    }
    OHM_TRY(meet(t, err));
    OHM_TRY(of_outer(t, err));
done:
    return status;
}

static ohm_status sum_float(void *context, float *data, int64_t n, ohm_error *err) {
    return sum_large(context, data, n, &floats, err);
}

static ohm_status sum_double(void *context, double *data, int64_t n, ohm_error *err) {
    seat *s = context;
    team *t = s->team;
    if (n > SMALL || t->outer->size > 1) {
        return sum_large(s, data, n, &doubles, err);
    }
    double *table = t->tables + (size_t)(s->n_small++ & 1) * (size_t)t->n * SMALL;
    const double **piece = t->double_of + (size_t)s->member * (size_t)t->n;
    memcpy(table + (size_t)s->member * SMALL, data, (size_t)n * sizeof *data);
    const ohm_status status = meet(t, err);
    for (int m = 0; m < t->n; m++) {
        piece[m] = table + (size_t)m * SMALL;
    }
    if (status >= 0) {
        ohm_sum_pairs_double(data, piece, t->n, n);
    }
    return status;
}

static ohm_status broadcast(void *context, void *data, size_t size_bytes, int root,
                            ohm_error *err) {
    seat *s = context;
    team *t = s->team;
    ohm_status status = OHM_OK;
    const int outer_root = root / t->n, member = root % t->n;
    t->pieces[s->member] = data;
    OHM_TRY(meet(t, err));
    if (t->outer->size > 1) {
        if (s->member == 0) {
            if (t->outer->rank == outer_root && member > 0) {
                memcpy(data, t->pieces[member], size_bytes);
            }
            t->outer_status = t->outer->broadcast(t->outer->context, data, size_bytes, outer_root,
                                                  &t->outer_error);
        }
        OHM_TRY(meet(t, err));
    }
    const int from = t->outer->size > 1 ? 0 : member;
    if (s->member != from && size_bytes > 0) {
        memcpy(data, t->pieces[from], size_bytes);
    }
    OHM_TRY(meet(t, err));
    OHM_TRY(of_outer(t, err));
done:
    return status;
}

static ohm_status gather(void *context, void *all, const void *own, size_t size_bytes,
                         ohm_error *err) {
    seat *s = context;
    team *t = s->team;
    ohm_status status = OHM_OK;
    char *mine = NULL; // of this process
    t->pieces[s->member] = (void *)(uintptr_t)own;
    OHM_TRY(meet(t, err));
    if (s->member == 0) {
        mine = t->outer->size > 1 ? ohmi_alloc((size_t)t->n, size_bytes) : all;
        t->outer_status = OHM_OK;
        if (mine == NULL) {
            t->outer_status =
                ohmi_fail(&t->outer_error, OHM_ERR_NO_MEMORY, "no memory to hear other parts");
        }
        for (int m = 0; m < t->n && mine != NULL && size_bytes > 0; m++) {
            memcpy(mine + (size_t)m * size_bytes, t->pieces[m], size_bytes);
        }
        if (mine != NULL && t->outer->size > 1) {
            t->outer_status = t->outer->gather(t->outer->context, all, mine,
                                               (size_t)t->n * size_bytes, &t->outer_error);
        }
    }
    OHM_TRY(meet(t, err));
    OHM_TRY(of_outer(t, err));
done:
    if (mine != all) {
        ohmi_free(mine);
    }
    return status;
}

static ohm_status barrier(void *context, ohm_error *err) {
    seat *s = context;
    team *t = s->team;
    ohm_status status = OHM_OK;
    OHM_TRY(meet(t, err));
    if (s->member == 0) {
        t->outer_status = t->outer->barrier(t->outer->context, &t->outer_error);
    }
    OHM_TRY(meet(t, err));
    OHM_TRY(of_outer(t, err));
done:
    return status;
}

// under the lock: one thread of a process speaks at a time
static ohm_status next(void *context, int64_t *before, int64_t step, ohm_error *err) {
    const seat *s = context;
    team *t = s->team;
    pthread_mutex_lock(&t->lock);
    const ohm_status status = t->outer->next(t->outer->context, before, step, err);
    pthread_mutex_unlock(&t->lock);
    return status;
}

static void abort_all(void *context, int exit_code) {
    const seat *s = context;
    s->team->outer->abort(s->team->outer->context, exit_code);
}

// ---- the team ----

static void *run_seat(void *context) {
    seat *s = context;
    team *t = s->team;
    pthread_mutex_lock(&t->lock);
    begin_turn(t);
    pthread_mutex_unlock(&t->lock);
    s->status = t->work(t->context, &s->communicator, &s->error);
    pthread_mutex_lock(&t->lock);
    if (s->status < 0 && !t->is_broken) {
        t->is_broken = true;
        t->first_failed = s->member;
    }
    end_turn(t);
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static ohm_status make_seats(team *t, ohm_error *err) {
    const size_t n = (size_t)t->n;
    t->seats = ohmi_alloc(n, sizeof *t->seats);
    t->pieces = ohmi_alloc(n, sizeof *t->pieces);
    t->float_of = ohmi_alloc(n * n, sizeof *t->float_of);
    t->double_of = ohmi_alloc(n * n, sizeof *t->double_of);
    t->tables = ohmi_alloc(2 * n * SMALL, sizeof *t->tables);
    if (!t->seats || !t->pieces || !t->float_of || !t->double_of || !t->tables) {
        return ohmi_fail(err, OHM_ERR_NO_MEMORY, "no memory for %d parts of a batch", t->n);
    }
    for (int m = 0; m < t->n; m++) {
        t->seats[m] = (seat){.team = t, .member = m};
        t->seats[m].communicator = (ohm_communicator){.rank = t->outer->rank * t->n + m,
                                                      .size = t->outer->size * t->n,
                                                      .context = &t->seats[m],
                                                      .sum_float = sum_float,
                                                      .sum_double = sum_double,
                                                      .broadcast = broadcast,
                                                      .gather = gather,
                                                      .barrier = barrier,
                                                      .next = next,
                                                      .abort = abort_all};
    }
    return OHM_OK;
}

// threads of the members but the first, which is the caller's; returns how many there are with it
static int start_threads(team *t, ohm_error *err) {
    int n = 1;
    while (n < t->n && pthread_create(&t->seats[n].thread, NULL, run_seat, &t->seats[n]) == 0) {
        n++;
    }
    if (n < t->n) {
        pthread_mutex_lock(&t->lock);
        t->is_broken = true;
        t->first_failed = 0;
        t->seats[0].status =
            ohmi_fail(err, OHM_ERR_NO_MEMORY, "cannot start a thread for part %d of %d of a batch",
                      n + 1, t->n);
        pthread_cond_broadcast(&t->changed);
        pthread_mutex_unlock(&t->lock);
    }
    return n;
}

ohm_status ohmi_team_run(const ohm_communicator *outer, int n_members, ohmi_member *member,
                         void *context, ohm_error *err) {
    ohm_status status = OHM_OK;
    const int n_threads = ohmi_threads();
    team t = {.outer = outer, .work = member, .context = context, .n = n_members};
    bool has_lock = false, has_condition = false;
    if (n_members < 1 || n_members > OHMI_MAX_MEMBERS) {
        return ohmi_fail(err, OHM_ERR_ARGUMENT, "a team has 1 to %d members, not %d",
                         (int)OHMI_MAX_MEMBERS, n_members);
    }
    t.n_free = n_threads > n_members ? 1 : n_threads;
    if (n_threads <= n_members) {
        ohmi_set_threads(1);
    }
    OHM_TRY(make_seats(&t, err));
    has_lock = pthread_mutex_init(&t.lock, NULL) == 0;
    has_condition = has_lock && pthread_cond_init(&t.changed, NULL) == 0;
    if (!has_condition) {
        status = ohmi_fail(err, OHM_ERR_NO_MEMORY, "cannot make a lock");
        goto done;
    }
    const int n_running = start_threads(&t, err);
    if (n_running == t.n) {
        (void)run_seat(&t.seats[0]);
    }
    for (int m = 1; m < n_running; m++) {
        pthread_join(t.seats[m].thread, NULL);
    }
    if (t.is_broken) {
        status = t.seats[t.first_failed].status;
        if (err != NULL && n_running == t.n) {
            *err = t.seats[t.first_failed].error;
        }
    }
done:
    if (has_condition) {
        pthread_cond_destroy(&t.changed);
    }
    if (has_lock) {
        pthread_mutex_destroy(&t.lock);
    }
    ohmi_set_threads(n_threads);
    ohmi_free(t.seats);
    ohmi_free(t.pieces);
    ohmi_free(t.float_of);
    ohmi_free(t.double_of);
    ohmi_free(t.tables);
    return status;
}
