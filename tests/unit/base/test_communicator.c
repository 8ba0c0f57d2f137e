// SPDX-License-Identifier: Apache-2.0
// Communicators: sums have the bits of one tree however ranks are spread over processes and
// threads; broadcast, gather and the counter reach everyone; a failure of one member ends the waits
// of the others and is the result of all; items of work are done once each, wherever.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/team.h"
#include "base/thread.h"

enum { MAX_RANKS = 16, N_SMALL = 7, N_LARGE = 5000 };

static float number_of(int rank, int64_t i) {
    const ohmi_rng rng = {.seed = 5, .purpose = OHMI_RNG_TEST, .place = (uint32_t)rank};
    return ohmi_rng_normal(&rng, (uint32_t)i) * (i % 3 == 0 ? 1e4f : 1e-3f);
}

// the tree, written down as it is defined
static float tree_float(const float *x, int n) {
    float level[MAX_RANKS];
    memcpy(level, x, (size_t)n * sizeof *x);
    while (n > 1) {
        for (int i = 0; i < n / 2; i++) {
            level[i] = level[2 * i] + level[2 * i + 1];
        }
        if (n % 2) {
            level[n / 2] = level[n - 1];
        }
        n = (n + 1) / 2;
    }
    return level[0];
}

static double tree_double(const double *x, int n) {
    double level[MAX_RANKS];
    memcpy(level, x, (size_t)n * sizeof *x);
    while (n > 1) {
        for (int i = 0; i < n / 2; i++) {
            level[i] = level[2 * i] + level[2 * i + 1];
        }
        if (n % 2) {
            level[n / 2] = level[n - 1];
        }
        n = (n + 1) / 2;
    }
    return level[0];
}

static void pairs_are_added_as_a_tree(void **state) {
    (void)state;
    enum { N = 300 }; // more than one block
    static float x[MAX_RANKS][N], sum[N];
    static double y[MAX_RANKS][N], sum_y[N];
    const float *pieces[MAX_RANKS];
    const double *pieces_y[MAX_RANKS];
    for (int p = 0; p < MAX_RANKS; p++) {
        pieces[p] = x[p];
        pieces_y[p] = y[p];
        for (int i = 0; i < N; i++) {
            x[p][i] = number_of(p, i);
            y[p][i] = (double)x[p][i] / 3;
        }
    }
    for (int n = 1; n <= MAX_RANKS; n++) {
        ohm_sum_pairs_float(sum, pieces, n, N);
        ohm_sum_pairs_double(sum_y, pieces_y, n, N);
        for (int i = 0; i < N; i++) {
            float column[MAX_RANKS];
            double column_y[MAX_RANKS];
            for (int p = 0; p < n; p++) {
                column[p] = x[p][i];
                column_y[p] = y[p][i];
            }
            assert_true(sum[i] == tree_float(column, n));
            assert_true(sum_y[i] == tree_double(column_y, n));
        }
    }
    // in place
    ohm_sum_pairs_float(x[1], pieces, 4, N);
    const float column[] = {number_of(0, 299), number_of(1, 299), number_of(2, 299),
                            number_of(3, 299)};
    assert_true(x[1][299] == tree_float(column, 4));
}

// what each rank found, to be looked at by the test's own thread
typedef struct {
    int n_inner; // members of each process' team
    atomic_int n_right, n_wrong;
    int fails_at; // rank that fails, or -1
    atomic_int n_failed;
} check;

static void expect(check *c, bool holds) {
    atomic_fetch_add(holds ? &c->n_right : &c->n_wrong, 1);
}

static void check_sums(check *c, const ohm_communicator *ranks, int64_t n) {
    float *x = ohmi_alloc((size_t)n, sizeof *x);
    double *y = ohmi_alloc((size_t)n, sizeof *y);
    for (int64_t i = 0; i < n; i++) {
        x[i] = number_of(ranks->rank, i);
        y[i] = (double)x[i] / 3;
    }
    bool holds = ranks->sum_float(ranks->context, x, n, NULL) == OHM_OK &&
                 ranks->sum_double(ranks->context, y, n, NULL) == OHM_OK;
    for (int64_t i = 0; i < n; i++) {
        float column[MAX_RANKS];
        double column_y[MAX_RANKS];
        for (int r = 0; r < ranks->size; r++) {
            column[r] = number_of(r, i);
            column_y[r] = (double)column[r] / 3;
        }
        holds = holds && x[i] == tree_float(column, ranks->size) &&
                y[i] == tree_double(column_y, ranks->size);
    }
    expect(c, holds);
    ohmi_free(x);
    ohmi_free(y);
}

static ohm_status speak(void *context, const ohm_communicator *ranks, ohm_error *err) {
    check *c = context;
    ohm_status status = OHM_OK;
    int all[MAX_RANKS] = {0};
    for (int round = 0; round < 3; round++) {
        check_sums(c, ranks, N_SMALL);
        check_sums(c, ranks, N_LARGE);
        for (int root = 0; root < ranks->size; root++) {
            int word = ranks->rank;
            OHM_TRY(ranks->broadcast(ranks->context, &word, sizeof word, root, err));
            expect(c, word == root);
        }
        const int own = 100 * round + ranks->rank;
        OHM_TRY(ranks->gather(ranks->context, all, &own, sizeof own, err));
        for (int r = 0; ranks->rank == 0 && r < ranks->size; r++) {
            expect(c, all[r] == 100 * round + r);
        }
        OHM_TRY(ranks->barrier(ranks->context, err));
    }
done:
    return status;
}

// a process of the job, itself a team
static ohm_status be_process(void *context, const ohm_communicator *outer, ohm_error *err) {
    check *c = context;
    return ohmi_team_run(outer, c->n_inner, speak, c, err);
}

static void all_ranks_hear_each_other(void **state) {
    (void)state;
    static const int outer[] = {1, 1, 1, 1, 2, 2, 4, 3}, inner[] = {1, 2, 3, 8, 1, 4, 2, 2};
    for (size_t i = 0; i < sizeof outer / sizeof *outer; i++) {
        for (int threads = 1; threads <= 3; threads += 2) {
            check c = {.n_inner = inner[i], .fails_at = -1};
            ohm_error err = {0};
            const int before = ohmi_threads();
            ohmi_set_threads(threads);
            if (ohmi_team_run(ohm_communicator_alone(), outer[i], be_process, &c, &err) != OHM_OK) {
                fail_msg("%s", err.message);
            }
            ohmi_set_threads(before);
            const int n = outer[i] * inner[i];
            assert_int_equal(c.n_wrong, 0);
            assert_int_equal(c.n_right, 3 * (2 * n + n * n + n));
        }
    }
}

static ohm_status fail_one(void *context, const ohm_communicator *ranks, ohm_error *err) {
    check *c = context;
    ohm_status status = OHM_OK;
    double x[N_SMALL] = {0};
    for (int round = 0; round < 10; round++) {
        if (round == 4 && ranks->rank == c->fails_at) {
            status = ohmi_fail(err, OHM_ERR_IO, "the disk of %d is full", ranks->rank);
            break;
        }
        status = ranks->sum_double(ranks->context, x, N_SMALL, err);
        if (status < 0) {
            break;
        }
    }
    atomic_fetch_add(&c->n_failed, status < 0);
    return status;
}

static void a_member_that_fails_ends_the_others(void **state) {
    (void)state;
    for (int who = 0; who < 4; who++) {
        check c = {.fails_at = who};
        ohm_error err = {0};
        char wanted[64];
        snprintf(wanted, sizeof wanted, "the disk of %d is full", who);
        assert_int_equal(ohmi_team_run(ohm_communicator_alone(), 4, fail_one, &c, &err),
                         OHM_ERR_IO);
        assert_string_equal(err.message, wanted);
        assert_int_equal(c.n_failed, 4);
    }
}

static ohm_status disagree(void *context, const ohm_communicator *ranks, ohm_error *err) {
    check *c = context;
    ohm_status own = OHM_OK;
    if (ranks->rank >= c->fails_at) {
        own = ohmi_fail(err, OHM_ERR_FORMAT, "what %d read is short", ranks->rank);
        ohmi_hint(err, "copy it again");
    }
    const ohm_status status = ohm_communicator_agree(ranks, own, err);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%.8swhat %d read is short", "rank 2: ", c->fails_at);
    expect(c, status == OHM_ERR_FORMAT && strcmp(err->message, wanted) == 0 &&
                  strcmp(err->hint, "copy it again") == 0);
    expect(c, ohm_communicator_agree(ranks, ranks->rank == 1 ? 1 : OHM_OK, err) >= 0);
    return OHM_OK;
}

static void the_lowest_rank_that_failed_speaks_for_all(void **state) {
    (void)state;
    check c = {.fails_at = 2};
    ohm_error err = {0};
    assert_int_equal(ohmi_team_run(ohm_communicator_alone(), 4, disagree, &c, &err), OHM_OK);
    assert_int_equal(c.n_wrong, 0);
    assert_int_equal(c.n_right, 8);
    // alone nothing is changed
    err = (ohm_error){0};
    const ohm_status status = ohmi_fail(&err, OHM_ERR_IO, "own words");
    assert_int_equal(ohm_communicator_agree(ohm_communicator_alone(), status, &err), OHM_ERR_IO);
    assert_string_equal(err.message, "own words");
}

// ---- items ----

enum { N_ITEMS = 23 };

typedef struct {
    atomic_int times[N_ITEMS];
    int64_t fails_at, stops_after; // -1 = never
    atomic_int n_begun, n_same;
    ohm_status status[MAX_RANKS];
    double results[MAX_RANKS][N_ITEMS];
} labour;

static ohm_status square(void *context, int64_t item, void *result, ohm_error *err) {
    labour *l = context;
    const double value = (double)(item * item) + 0.5;
    atomic_fetch_add(&l->times[item], 1);
    atomic_fetch_add(&l->n_begun, 1);
    if (item == l->fails_at) {
        return ohmi_fail(err, OHM_ERR_NUMERIC, "item %d is not finite", (int)item);
    }
    memcpy(result, &value, sizeof value);
    // others hear of the failure before all items behind it are begun
    if (l->fails_at >= 0 && item > l->fails_at) {
        const struct timespec pause = {.tv_nsec = 5000000};
        (void)nanosleep(&pause, NULL);
    }
    return OHM_OK;
}

static int has_enough(void *context) {
    labour *l = context;
    return l->stops_after >= 0 && atomic_load(&l->n_begun) >= l->stops_after;
}

static ohm_status labour_of(void *context, const ohm_communicator *ranks, ohm_error *err) {
    labour *l = context;
    const ohm_items_def def = {.n_items = N_ITEMS,
                               .result_bytes = sizeof(double),
                               .results = l->results[ranks->rank],
                               .context = l,
                               .work = square,
                               .is_stopped = has_enough};
    // twice, since the counter goes on
    l->status[ranks->rank] = ohm_items_run(ranks, &def, err);
    if (l->status[ranks->rank] == OHM_OK) {
        l->status[ranks->rank] = ohm_items_run(ranks, &def, err);
    }
    return OHM_OK;
}

static void every_item_is_done_once(void **state) {
    (void)state;
    for (int n = 1; n <= 5; n++) {
        static labour l;
        ohm_error err = {0};
        memset(&l, 0, sizeof l);
        l.fails_at = l.stops_after = -1;
        assert_int_equal(ohmi_team_run(ohm_communicator_alone(), n, labour_of, &l, &err), OHM_OK);
        for (int i = 0; i < N_ITEMS; i++) {
            assert_int_equal(l.times[i], 2);
            for (int r = 0; r < n; r++) {
                assert_true(l.results[r][i] == (double)(i * i) + 0.5);
            }
        }
    }
    // a process alone
    double results[N_ITEMS];
    static labour l;
    memset(&l, 0, sizeof l);
    l.fails_at = l.stops_after = -1;
    const ohm_items_def def = {.n_items = N_ITEMS,
                               .result_bytes = sizeof(double),
                               .results = results,
                               .context = &l,
                               .work = square};
    assert_int_equal(ohm_items_run(NULL, &def, NULL), OHM_OK);
    assert_true(results[N_ITEMS - 1] == 484.5);
}

static void a_failed_item_is_the_failure_of_all(void **state) {
    (void)state;
    for (int n = 1; n <= 3; n++) {
        static labour l;
        ohm_error err = {0};
        memset(&l, 0, sizeof l);
        l.fails_at = 7;
        l.stops_after = -1;
        assert_int_equal(ohmi_team_run(ohm_communicator_alone(), n, labour_of, &l, &err), OHM_OK);
        for (int r = 0; r < n; r++) {
            assert_int_equal(l.status[r], OHM_ERR_NUMERIC);
        }
        assert_int_equal(l.times[7], 1);
        assert_true(l.n_begun < N_ITEMS);
    }
}

static void items_stop_when_asked(void **state) {
    (void)state;
    for (int n = 1; n <= 3; n++) {
        static labour l;
        ohm_error err = {0};
        memset(&l, 0, sizeof l);
        l.fails_at = -1;
        l.stops_after = 5;
        assert_int_equal(ohmi_team_run(ohm_communicator_alone(), n, labour_of, &l, &err), OHM_OK);
        int n_results = 0;
        for (int r = 0; r < n; r++) {
            assert_int_equal(l.status[r], OHM_ERR_INTERRUPTED);
        }
        for (int i = 0; i < N_ITEMS; i++) {
            n_results += l.results[0][i] > 0;
        }
        assert_int_equal(n_results, l.n_begun);
        assert_true(l.n_begun >= 5 && l.n_begun < 5 + n);
    }
}

static void nothing_is_left_in_memory(void **state) {
    (void)state;
    assert_int_equal(ohmi_live_blocks(), 0);
    for (int k = 0; k < 5; k++) {
        check c = {.n_inner = 2, .fails_at = -1};
        ohmi_fail_allocation(k);
        assert_int_equal(ohmi_team_run(ohm_communicator_alone(), 2, speak, &c, NULL),
                         OHM_ERR_NO_MEMORY);
        ohmi_fail_allocation(-1);
        assert_int_equal(ohmi_live_blocks(), 0);
    }
    assert_int_equal(ohmi_team_run(ohm_communicator_alone(), 0, speak, NULL, NULL),
                     OHM_ERR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_added_as_a_tree),
        cmocka_unit_test(all_ranks_hear_each_other),
        cmocka_unit_test(a_member_that_fails_ends_the_others),
        cmocka_unit_test(the_lowest_rank_that_failed_speaks_for_all),
        cmocka_unit_test(every_item_is_done_once),
        cmocka_unit_test(a_failed_item_is_the_failure_of_all),
        cmocka_unit_test(items_stop_when_asked),
        cmocka_unit_test(nothing_is_left_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
